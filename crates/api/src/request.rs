//! What a client may ask of the keeper.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use steadyhand_model::event::Answer;
use steadyhand_model::ids::{EnvironmentName, GateId, ParamName, RunId, RunbookName, Seq, StepId};
use steadyhand_model::outcome::Settlement;

use crate::reference::{PlanRef, RunRef};

/// Most runs in one list.
pub const RUNS_MAX: u32 = 500;

/// Which library a request is about: the keeper may have been started elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LibraryAt {
    /// The practice library inside the program.
    BuiltIn,
    /// An absolute path.
    Folder(String),
}

/// A plan to make: a runbook, where, and `-p` values as they were typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanAsk {
    pub library: LibraryAt,
    pub runbook: RunbookName,
    /// None is right where the library has only one environment that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    pub params: BTreeMap<ParamName, String>,
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOf {
    /// A plan that was made and shown before.
    Plan(PlanRef),
    /// A plan to be made now.
    Fresh(PlanAsk),
}

/// The body of a notification, byte for byte. Written as base64, so that its digest survives the way.
#[derive(Clone, PartialEq, Eq)]
pub struct BodyBytes(pub Vec<u8>);

impl std::fmt::Debug for BodyBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BodyBytes({} bytes)", self.0.len())
    }
}

impl Serialize for BodyBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for BodyBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// A notification to handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandleAsk {
    pub library: LibraryAt,
    /// Who sent it, as the operator names it: `alertmanager`.
    pub source: String,
    pub body: BodyBytes,
    /// Fingerprint of the alert that is meant, where several fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// The runbook that is meant, where several fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<RunbookName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    pub params: BTreeMap<ParamName, String>,
}

/// What the practice world does wrong in a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    Slow,
    Failing,
    /// The reply is lost, and the effect never happened.
    LostBefore,
    /// The reply is lost, and the effect happened.
    LostAfter,
    /// The effect comes after the reply was given up.
    Late,
    /// Somebody changes the target after planning.
    Drift,
    /// A right is missing.
    Forbidden,
    Garbage,
    /// The keeper itself is killed half-way.
    Kill,
}

impl Fault {
    pub const ALL: [Self; 9] = [
        Self::Slow,
        Self::Failing,
        Self::LostBefore,
        Self::LostAfter,
        Self::Late,
        Self::Drift,
        Self::Forbidden,
        Self::Garbage,
        Self::Kill,
    ];

    /// The word on the command line and on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Failing => "failing",
            Self::LostBefore => "lost-before",
            Self::LostAfter => "lost-after",
            Self::Late => "late",
            Self::Drift => "drift",
            Self::Forbidden => "forbidden",
            Self::Garbage => "garbage",
            Self::Kill => "kill",
        }
    }
}

/// A practice incident in a world of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillAsk {
    pub library: LibraryAt,
    /// `None` is the guided incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<RunbookName>,
    /// `None` leaves the seed to the keeper. At most 2^53 - 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    pub params: BTreeMap<ParamName, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RunsFilter {
    /// Runs that have not finished.
    Open,
    /// The newest first, finished or not; at most [`RUNS_MAX`].
    Newest { limit: u32 },
}

/// One request. Reads change nothing; changes carry an inbox id in their frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    Status,
    Runs {
        filter: RunsFilter,
    },
    Show {
        run: RunRef,
    },
    /// Events from this number on, as they come, until the run has finished.
    Watch {
        run: RunId,
        from: Seq,
    },
    /// Plans, and stores the plan. Nothing outside is changed.
    Plan {
        ask: PlanAsk,
    },
    /// Makes a run of a plan and drives it as far as its first gate.
    Run {
        of: RunOf,
    },
    Handle {
        ask: Box<HandleAsk>,
    },
    /// Makes a practice world, plans in it and drives the run as [`Request::Run`] does.
    Drill {
        ask: Box<DrillAsk>,
    },
    /// Over exactly this plan. Without a gate: the one that is open.
    Approve {
        run: RunRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gate: Option<GateId>,
        plan: PlanRef,
    },
    Deny {
        run: RunRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gate: Option<GateId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    Answer {
        run: RunRef,
        step: StepId,
        answer: Answer,
    },
    /// Without a step: the one that waits to be settled, if there is only one.
    Settle {
        run: RunRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
        settlement: Settlement,
        reason: String,
    },
    Cancel {
        run: RunRef,
        undo: bool,
    },
    /// Holds the run after the call in flight.
    Pause {
        run: RunRef,
    },
    /// Takes a parked or paused run up again, and drives it.
    Resume {
        run: RunRef,
    },
    /// Of an unfinished run: turns back. Of a finished one: plans a successor from its recorded undo calls.
    Undo {
        run: RunRef,
    },
}

impl Request {
    /// Whether it must carry an inbox id. `Plan` and `Handle` open an incident, which must not happen twice.
    pub fn is_change(&self) -> bool {
        match self {
            Self::Status | Self::Runs { .. } | Self::Show { .. } | Self::Watch { .. } => false,
            Self::Plan { .. }
            | Self::Run { .. }
            | Self::Handle { .. }
            | Self::Drill { .. }
            | Self::Approve { .. }
            | Self::Deny { .. }
            | Self::Answer { .. }
            | Self::Settle { .. }
            | Self::Cancel { .. }
            | Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Undo { .. } => true,
        }
    }
}
