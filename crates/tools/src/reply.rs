//! What a server says, read strictly and compared with the table. Nothing here trusts that a reply is of its form.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::catalogue::schema::call_type;
use steadyhand_model::catalogue::{ActionSpec, Catalogue, Known};
use steadyhand_model::exchange::StepPreview;
use steadyhand_model::ids::{ActionId, EnvironmentName};
use steadyhand_model::outcome::{
    Doubt, DoubtKind, Outcome, ProbeVerdict, Receipt, Refusal, RefusalKind,
};
use steadyhand_model::reading::Call;
use steadyhand_model::types::{Field, Stability, Type};
use steadyhand_model::value::{Value, ValueError};

use crate::arguments::{self, ArgumentError};
use crate::redact::told;

/// Largest receipt of a call, in bytes of canonical JSON: 8 KiB. It is part of an event.
pub(crate) const RECEIPT_BYTES_MAX: usize = 8 * 1024;

/// Why a reply is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplyError {
    #[error("the answer is not of the form of the contract")]
    Form {
        #[source]
        source: serde_json::Error,
    },
    #[error("the answer is not strict JSON")]
    Strict {
        #[source]
        source: CanonicalError,
    },
    #[error("the answer can be read in more than one way")]
    Ambiguous,
    #[error("the answer is not of the declared type")]
    Value {
        #[source]
        source: ValueError,
    },
    #[error("the receipt has {bytes} bytes, at most {RECEIPT_BYTES_MAX} are accepted")]
    Receipt { bytes: usize },
    #[error("the server answers with a call of `{found}`")]
    OtherAction { found: ActionId },
    #[error("the server changed the argument `{argument}` of the call")]
    OtherArgument { argument: String },
    #[error("the complete call does not fit its table")]
    Call {
        #[source]
        source: ArgumentError,
    },
    #[error("the target `{target}` is not one of the environment `{environment}`")]
    OtherEnvironment { target: String, environment: EnvironmentName },
    #[error("the server answers with a call of `{action}`, which no table has")]
    UnknownAction { action: ActionId },
}

/// Reads structured content. What does not come out again as it went in was not of the declared form: a list in place
/// of an object, a null in place of nothing, a duration spelled in another way.
pub(crate) fn exact<T: DeserializeOwned + Serialize>(json: Json) -> Result<T, ReplyError> {
    let came = CanonicalJson::of(&json).map_err(|source| ReplyError::Strict { source })?;
    let read: T = serde_json::from_value(json).map_err(|source| ReplyError::Form { source })?;
    let back = CanonicalJson::of(&read).map_err(|source| ReplyError::Strict { source })?;
    if back == came { Ok(read) } else { Err(ReplyError::Ambiguous) }
}

/// A value of a read's declared type.
pub(crate) fn value(
    value: CanonicalJson,
    ty: &Type,
    catalogue: &Catalogue,
) -> Result<CanonicalJson, ReplyError> {
    match Value::from_json(&value.to_json(), ty, catalogue) {
        Ok(_typed) => Ok(value),
        Err(source) => Err(ReplyError::Value { source }),
    }
}

/// A preview must be of the very call that was asked for, completed by what its table lets a server add.
pub(crate) fn preview(
    asked: &Call,
    preview: StepPreview,
    action: &ActionSpec,
    catalogue: &Catalogue,
    environment: &EnvironmentName,
) -> Result<StepPreview, ReplyError> {
    let found = &preview.call.action;
    if *found != asked.action && action.expands_to.as_ref() != Some(found) {
        return Err(ReplyError::OtherAction { found: found.clone() });
    }
    complete(&preview.call, catalogue)?;
    if *found == asked.action {
        kept(asked, &preview.call)?;
        result(&preview.planned, action, &[Known::Planned], catalogue)?;
    }
    if let Some(undo) = &preview.undo {
        complete(&undo.call, catalogue)?;
    }
    let prefix = format!("{environment}/");
    if let Some(foreign) = preview.targets.iter().find(|t| !t.key.0.starts_with(&prefix)) {
        return Err(ReplyError::OtherEnvironment {
            target: told(&foreign.key.0),
            environment: environment.clone(),
        });
    }
    Ok(preview)
}

fn complete(call: &Call, catalogue: &Catalogue) -> Result<(), ReplyError> {
    let action = catalogue
        .action(&call.action)
        .ok_or_else(|| ReplyError::UnknownAction { action: call.action.clone() })?;
    match arguments::check(&call.args, &call_type(action, catalogue), catalogue) {
        Ok(_args) => Ok(()),
        Err(source) => Err(ReplyError::Call { source }),
    }
}

fn kept(asked: &Call, complete: &Call) -> Result<(), ReplyError> {
    let (Json::Object(asked), Json::Object(complete)) =
        (asked.args.to_json(), complete.args.to_json())
    else {
        return Err(ReplyError::Ambiguous);
    };
    match asked.iter().find(|(name, value)| complete.get(*name) != Some(value)) {
        Some((name, _)) => Err(ReplyError::OtherArgument { argument: told(name) }),
        None => Ok(()),
    }
}

/// The result fields of an action that are known at these times, and no others.
fn result(
    found: &CanonicalJson,
    action: &ActionSpec,
    known: &[Known],
    catalogue: &Catalogue,
) -> Result<(), ReplyError> {
    let fields = action.result.iter().filter(|field| known.contains(&field.known));
    let fields = fields.map(|field| Field {
        name: field.name.clone(),
        ty: field.ty.clone(),
        stability: Stability::Spec,
        doc: String::new(),
    });
    let ty = Type::Record { fields: fields.collect() };
    match Value::from_json(&found.to_json(), &ty, catalogue) {
        Ok(_typed) => Ok(()),
        Err(source) => Err(ReplyError::Value { source }),
    }
}

fn receipt(
    receipt: &Receipt,
    action: &ActionSpec,
    catalogue: &Catalogue,
) -> Result<(), ReplyError> {
    let bytes = receipt.result.as_str().len();
    if bytes > RECEIPT_BYTES_MAX {
        return Err(ReplyError::Receipt { bytes });
    }
    result(&receipt.result, action, &[Known::Planned, Known::After], catalogue)
}

/// An outcome whose receipt fits the table, and whose words are fit to be told.
pub(crate) fn outcome(
    said: Outcome,
    action: &ActionSpec,
    catalogue: &Catalogue,
) -> Result<Outcome, ReplyError> {
    match said {
        Outcome::Done(done) => {
            receipt(&done, action, catalogue)?;
            Ok(Outcome::Done(done))
        }
        Outcome::NotDone(Refusal { kind, why }) => Ok(not_done(kind, &why)),
        Outcome::Unknown(Doubt { kind, why }) => Ok(unknown(kind, &why)),
    }
}

pub(crate) fn verdict(
    said: ProbeVerdict,
    action: &ActionSpec,
    catalogue: &Catalogue,
) -> Result<ProbeVerdict, ReplyError> {
    match said {
        ProbeVerdict::Done(Some(done)) => {
            receipt(&done, action, catalogue)?;
            Ok(ProbeVerdict::Done(Some(done)))
        }
        ProbeVerdict::Unknown { why } => Ok(ProbeVerdict::Unknown { why: told(&why) }),
        same @ (ProbeVerdict::Done(None) | ProbeVerdict::NotDone) => Ok(same),
    }
}

pub(crate) fn not_done(kind: RefusalKind, why: &str) -> Outcome {
    Outcome::NotDone(Refusal { kind, why: told(why) })
}

pub(crate) fn unknown(kind: DoubtKind, why: &str) -> Outcome {
    Outcome::Unknown(Doubt { kind, why: told(why) })
}
