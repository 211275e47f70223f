//! Calls, reads, and checks: a check is performed by the shell and comes back as a recorded [`Verdict`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::canonical::CanonicalJson;
use crate::digest::Digest;
use crate::ids::{ActionId, FieldName, ReadName, ServerId, StepId};
use crate::time::Span;
use crate::types::Type;

/// A write, complete. Part of the plan; what S2 compares byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub action: ActionId,
    pub args: CanonicalJson,
}

impl Call {
    /// SHA-256 of the canonical JSON of `{action, args}`.
    pub fn digest(&self) -> Digest {
        // Field order is canonical already (`action` before `args`) and both parts are canonical text.
        let text = format!(r#"{{"action":"{}","args":{}}}"#, self.action, self.args.as_str());
        Digest::of(text.as_bytes())
    }
}

/// A read of a reader instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadCall {
    pub server: ServerId,
    pub read: ReadName,
    pub args: CanonicalJson,
}

/// A read whose answer appears in an expression at a dotted path: `params.workload`, `after.workload`, `call.0`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    pub into: String,
    pub read: ReadCall,
    #[serde(rename = "type")]
    pub ty: Type,
}

/// A value known when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    pub into: String,
    #[serde(rename = "type")]
    pub ty: Type,
    pub value: CanonicalJson,
}

/// A field of an earlier step, known from the journal when the check is performed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputRef {
    pub step: StepId,
    pub field: FieldName,
    #[serde(rename = "type")]
    pub ty: Type,
}

/// A named predicate over fresh reads. Part of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// In words: `no rollout running`.
    pub title: String,
    /// The expression, over the paths of `reads`, `given` and `outputs`.
    pub expr: String,
    pub reads: Vec<Slot>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Given>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputRef>,
    /// What to tell a person if it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// It must hold without a break for this long.
    pub hold_for: Span,
    /// It is read again until it holds, for at most this long; zero means one look.
    pub within: Span,
    /// A failure is told, and stops nothing: the state of an alert after the last write.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub informs: bool,
}

/// What decided a verdict: `after.workload.ready` = `2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operand {
    pub text: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Holds {
        /// Operands worth keeping for the record.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        operands: Vec<Operand>,
    },
    Fails {
        check: String,
        operands: Vec<Operand>,
    },
    /// Never counts as holding.
    CannotTell {
        check: String,
        why: String,
    },
}

impl Verdict {
    pub fn holds(&self) -> bool {
        matches!(self, Self::Holds { .. })
    }
}

/// Facts that were read, kept as a blob beside the journal.
pub type Facts = BTreeMap<String, CanonicalJson>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_that_of_the_canonical_form() {
        let call = Call {
            action: "kubernetes.scale".parse().unwrap(),
            args: CanonicalJson::parse(br#"{"b":1,"a":"x"}"#).unwrap(),
        };
        assert_eq!(call.digest(), CanonicalJson::of(&call).unwrap().digest());
    }
}
