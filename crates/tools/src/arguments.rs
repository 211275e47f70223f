//! Arguments against the table, before they go to a server: strict, nothing unknown, nothing left out.

use serde_json::{Map, Value as Json};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::types::Type;
use steadyhand_model::value::{Value, ValueError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("the arguments are not of the form of the table")]
    Form {
        #[source]
        source: ValueError,
    },
    #[error("an argument must be a value, not `cannot_tell`")]
    CannotTell,
    #[error("arguments are an object")]
    NotAnObject,
}

/// Checks arguments and gives them as the object that goes to the server.
pub(crate) fn check(
    args: &CanonicalJson,
    ty: &Type,
    catalogue: &Catalogue,
) -> Result<Map<String, Json>, ArgumentError> {
    let json = args.to_json();
    let value =
        Value::from_json(&json, ty, catalogue).map_err(|source| ArgumentError::Form { source })?;
    if !is_told(&value) {
        return Err(ArgumentError::CannotTell);
    }
    match json {
        Json::Object(map) => Ok(map),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            Err(ArgumentError::NotAnObject)
        }
    }
}

fn is_told(value: &Value) -> bool {
    match value {
        Value::CannotTell(_) => false,
        Value::List(items) => items.iter().all(is_told),
        Value::Object(fields) => fields.values().all(is_told),
        Value::Null
        | Value::Boolean(_)
        | Value::Integer(_)
        | Value::Duration(_)
        | Value::Text(_) => true,
    }
}
