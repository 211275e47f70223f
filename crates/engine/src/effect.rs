//! What a run waits for. Effects are derived from state, so that a restart derives the same ones.

use steadyhand_model::capability::Envelope;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{At, Phase, Purpose};
use steadyhand_model::ids::{GateId, RunId, Seq, StepId, TeamId};
use steadyhand_model::outcome::Settlement;
use steadyhand_model::plan::TargetKey;
use steadyhand_model::reading::{Call, Check, Slot};
use steadyhand_model::time::Timestamp;

use crate::port::Authorized;

/// Names of effects, for their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectKind {
    Await,
    Check,
    Observe,
    AskPolicy,
    TakeLeases,
    Call,
    Probe,
    Ask,
    Wait,
    Notify,
    Settle,
    Deadline,
}

/// The same state has the same ids: the shell starts each effect once and cancels ids that are no longer pending.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId {
    pub run: RunId,
    /// The event that made the run wait for this.
    pub cause: Seq,
    pub step: Option<StepId>,
    pub kind: EffectKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub id: EffectId,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A gate waits for people.
    Await {
        gate: GateId,
        until: Timestamp,
    },
    /// Perform all checks; the first that does not hold decides.
    Check {
        at: At,
        purpose: Purpose,
        checks: Vec<Check>,
        observed: Option<Digest>,
        until: Timestamp,
    },
    Observe {
        step: StepId,
        phase: Phase,
        reads: Vec<Slot>,
        until: Timestamp,
    },
    AskPolicy {
        at: At,
        until: Timestamp,
    },
    /// Take the targets and reserve the rates, in the transaction of the intent.
    TakeLeases {
        at: At,
        targets: Vec<TargetKey>,
        until: Timestamp,
    },
    Call(Box<Authorized<Call>>),
    /// Ask whether the attempt happened. `not_before` is the end of the quiet time, or earlier for a first look.
    Probe {
        at: At,
        call: Call,
        envelope: Envelope,
        not_before: Timestamp,
    },
    Ask {
        step: StepId,
        question: String,
        who: TeamId,
        answers: Vec<String>,
        until: Timestamp,
    },
    Wait {
        step: StepId,
        until: Timestamp,
    },
    Notify {
        step: StepId,
        to: String,
        say: String,
    },
    /// A person must say what became of it.
    Settle {
        at: At,
        possible: Vec<Settlement>,
    },
    /// The time for the first intent, or for the whole run, is over then.
    Deadline {
        until: Timestamp,
    },
}

impl What {
    /// When the run must be looked at although nothing came in.
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Await { until, .. }
            | Self::Check { until, .. }
            | Self::Observe { until, .. }
            | Self::AskPolicy { until, .. }
            | Self::TakeLeases { until, .. }
            | Self::Ask { until, .. }
            | Self::Wait { until, .. }
            | Self::Deadline { until } => Some(*until),
            Self::Probe { not_before, .. } => Some(*not_before),
            Self::Call(_) | Self::Notify { .. } | Self::Settle { .. } => None,
        }
    }

    /// Whether only a person, or time, can answer it: such a run needs no task while it waits.
    pub fn is_parked(&self) -> bool {
        matches!(
            self,
            Self::Await { .. }
                | Self::Ask { .. }
                | Self::Wait { .. }
                | Self::Settle { .. }
                | Self::Deadline { .. }
        )
    }
}
