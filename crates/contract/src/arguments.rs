//! Arguments against the table: strict, nothing unknown, nothing left out, no value that could not be read.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::types::Type;
use steadyhand_model::value::{Value, ValueError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("the arguments are not of the declared form")]
    Form {
        #[source]
        source: ValueError,
    },
    #[error("the request is not of the declared form")]
    Request {
        #[source]
        source: serde_json::Error,
    },
    #[error("the request is written in another form than the declared one")]
    Spelling,
    #[error("an argument must be a value, not `cannot_tell`")]
    CannotTell,
    #[error("the arguments cannot be written as canonical JSON")]
    Canonical {
        #[source]
        source: CanonicalError,
    },
    #[error("the call is for `{found}`, this tool serves `{expected}`")]
    Action { found: String, expected: String },
}

/// Reads a message of the contract, and only as we would write it: a list in the place of an object, which the JSON
/// library takes for one, is refused.
pub(crate) fn exact<T: DeserializeOwned + Serialize>(json: Json) -> Result<T, ArgumentError> {
    let canonical = |source| ArgumentError::Canonical { source };
    let sent = CanonicalJson::of(&json).map_err(canonical)?;
    let read: T =
        serde_json::from_value(json).map_err(|source| ArgumentError::Request { source })?;
    if CanonicalJson::of(&read).map_err(canonical)? == sent {
        Ok(read)
    } else {
        Err(ArgumentError::Spelling)
    }
}

/// Checks arguments and gives their canonical form.
pub(crate) fn check(
    args: &Json,
    ty: &Type,
    catalogue: &Catalogue,
) -> Result<CanonicalJson, ArgumentError> {
    let value =
        Value::from_json(args, ty, catalogue).map_err(|source| ArgumentError::Form { source })?;
    if !told(&value) {
        return Err(ArgumentError::CannotTell);
    }
    CanonicalJson::of(args).map_err(|source| ArgumentError::Canonical { source })
}

fn told(value: &Value) -> bool {
    match value {
        Value::CannotTell(_) => false,
        Value::List(items) => items.iter().all(told),
        Value::Object(fields) => fields.values().all(told),
        Value::Null
        | Value::Boolean(_)
        | Value::Integer(_)
        | Value::Duration(_)
        | Value::Text(_) => true,
    }
}
