//! What the keeper says in return.

use serde::{Deserialize, Serialize};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::ids::{Seq, StepId};
use steadyhand_model::time::Timestamp;

use crate::problem::Problem;
use crate::view::{Handled, PlanView, RunLine, RunPhase, RunView, StatusView, StepView};

/// The answer to a request. Every change of a run is answered with the run as it is then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Response {
    Status(Box<StatusView>),
    Runs {
        runs: Vec<RunLine>,
        /// How many more there are than were asked for.
        more: u64,
    },
    Run(Box<RunView>),
    Plan(Box<PlanView>),
    Handled(Box<Handled>),
}

/// One event of a run that is watched, and what it changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchEvent {
    pub seq: Seq,
    pub at: Timestamp,
    pub event: CanonicalJson,
    pub phase: RunPhase,
    /// The steps that this event changed, as they are after it.
    pub changed: Vec<StepView>,
}

/// The run has finished: nothing more will come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchEnd {
    pub head: Seq,
    pub phase: RunPhase,
}

/// The body of a reply frame. `Response`, `Problem` and `End` are the last of their request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Response(Response),
    Problem(Problem),
    Event(Box<WatchEvent>),
    End(WatchEnd),
    /// Progress of a watched run that is not recorded: what a verification sees, whom a step waits for.
    Note {
        step: Option<StepId>,
        text: String,
    },
    /// Nothing yet; the keeper lives and works on it.
    Working,
}

impl Reply {
    pub fn is_last(&self) -> bool {
        match self {
            Self::Response(_) | Self::Problem(_) | Self::End(_) => true,
            Self::Event(_) | Self::Note { .. } | Self::Working => false,
        }
    }
}
