//! What became of a call, a probe, a step, a run. Closed sets: unknown is its own arm, never a kind of failure.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::canonical::CanonicalJson;

/// What a server said that it did. `result` has the fields of the action's result table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    pub result: CanonicalJson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// Proven never to have left this machine.
    NotSent,
    /// The target refused for now: rate limit, budget race.
    Busy,
    /// The target is not in the state that the call names.
    Conflict,
    Forbidden,
    Invalid,
}

impl RefusalKind {
    /// Only these may be tried again by themselves.
    pub fn passes_by_itself(self) -> bool {
        matches!(self, Self::NotSent | Self::Busy)
    }
}

/// The effect provably did not happen, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    pub kind: RefusalKind,
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtKind {
    Timeout,
    LostReply,
    DriverLost,
    Killed,
    BadReply,
}

/// The effect may or may not have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doubt {
    pub kind: DoubtKind,
    pub why: String,
}

/// What became of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done(Receipt),
    NotDone(Refusal),
    Unknown(Doubt),
}

/// What a read-only probe found out about an unknown call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeVerdict {
    /// It happened. Without a receipt, a field of it is `cannot_tell`.
    Done(Option<Receipt>),
    NotDone,
    Unknown {
        why: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    Delivered,
    Failed { why: String },
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    Succeeded,
    NothingToDo,
    HandedOver,
    Denied,
    Expired,
    Superseded,
    Failed,
    Undone,
    UndoFailed,
    Stopped,
    Unresolved,
}

impl RunOutcome {
    pub const ALL: [Self; 11] = [
        Self::Succeeded,
        Self::NothingToDo,
        Self::HandedOver,
        Self::Denied,
        Self::Expired,
        Self::Superseded,
        Self::Failed,
        Self::Undone,
        Self::UndoFailed,
        Self::Stopped,
        Self::Unresolved,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::NothingToDo => "nothing_to_do",
            Self::HandedOver => "handed_over",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Undone => "undone",
            Self::UndoFailed => "undo_failed",
            Self::Stopped => "stopped",
            Self::Unresolved => "unresolved",
        }
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A person's decision about something that the engine may not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    Done,
    NotDone,
    Retry,
    Skip,
    Undo,
    HandOver,
}

impl Settlement {
    pub const ALL: [Self; 6] =
        [Self::Done, Self::NotDone, Self::Retry, Self::Skip, Self::Undo, Self::HandOver];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NotDone => "not-done",
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Undo => "undo",
            Self::HandOver => "hand-over",
        }
    }
}
