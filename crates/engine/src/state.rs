//! The states of a step and of a gate. Each names what it waits for; nothing is left for later in an `Option`.

use std::collections::BTreeMap;

use steadyhand_model::actor::Actor;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Answer, Leg};
use steadyhand_model::ids::{Attempt, Fence, Seq};
use steadyhand_model::outcome::Receipt;
use steadyhand_model::time::{Span, Timestamp};

/// Probes after the quiet time before a person is asked.
pub const PROBES_MAX: u32 = 3;
/// Pause before the second probe; it doubles.
pub const PROBE_PAUSE: Span = Span::from_secs(10);

/// Why a person is needed for a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Puzzle {
    /// Nobody could find out whether the call happened.
    Unknown,
    /// It did not happen, and the target cannot refuse a second copy.
    NotRepeatable,
    /// It happened; whether it worked could not be read.
    Unverified,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// Its batch has not begun.
    Waiting,
    When,
    Gate,
    Require,
    Before,
    Observing,
    Authorising,
    Leasing,
    /// Intended: from here on it may have happened.
    InFlight {
        fence: Fence,
        intended: Timestamp,
    },
    Backoff {
        until: Timestamp,
    },
    /// It may have happened. `early` is the look before the quiet time is over, which only `done` may answer.
    Doubtful {
        fence: Fence,
        quiet_until: Timestamp,
        next: Timestamp,
        early: bool,
        probes: u32,
    },
    Person(Puzzle),
    Verifying,
    ObservingAfter,
    Asking {
        until: Timestamp,
    },
    Pausing {
        until: Timestamp,
    },
    Notifying,
    /// Ended well.
    Done,
    Skipped,
    /// Failed and passed over.
    Passed,
    Failed {
        why: String,
    },
    Undone,
    UndoFailed {
        why: String,
    },
}

impl StepState {
    /// Whether a call of this step may be on its way, or may have happened without anyone knowing.
    pub fn is_open(&self) -> bool {
        matches!(
            self,
            Self::InFlight { .. } | Self::Doubtful { .. } | Self::Person(Puzzle::Unknown)
        )
    }

    /// Whether the step goes on with what a driver reads or asks the store, and with nothing else.
    pub(crate) fn is_reading(&self) -> bool {
        matches!(
            self,
            Self::When
                | Self::Require
                | Self::Before
                | Self::Observing
                | Self::Authorising
                | Self::Leasing
                | Self::Verifying
                | Self::ObservingAfter
        )
    }

    /// Whether the step will not move again by itself.
    pub fn has_ended(&self) -> bool {
        matches!(
            self,
            Self::Done
                | Self::Skipped
                | Self::Passed
                | Self::Failed { .. }
                | Self::Undone
                | Self::UndoFailed { .. }
        )
    }

    /// Whether nothing has to be waited for before the run may turn back: nothing was sent that is not settled.
    pub fn is_at_rest(&self) -> bool {
        match self {
            Self::Waiting
            | Self::When
            | Self::Gate
            | Self::Require
            | Self::Before
            | Self::Observing
            | Self::Authorising
            | Self::Leasing
            | Self::Backoff { .. }
            | Self::Asking { .. }
            | Self::Pausing { .. }
            | Self::Notifying => true,
            Self::InFlight { .. }
            | Self::Doubtful { .. }
            | Self::Person(_)
            | Self::Verifying
            | Self::ObservingAfter => false,
            Self::Done
            | Self::Skipped
            | Self::Passed
            | Self::Failed { .. }
            | Self::Undone
            | Self::UndoFailed { .. } => true,
        }
    }
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRun {
    pub state: StepState,
    pub leg: Leg,
    pub attempt: Attempt,
    /// The event that brought the step into its state.
    pub since: Seq,
    pub since_at: Timestamp,
    /// When this leg began; its time limit counts from here.
    pub began: Timestamp,
    /// The forward effect is known, or said by a person, to be there.
    pub wrote: bool,
    pub leased: bool,
    pub observed: Option<Digest>,
    pub receipt: Option<Receipt>,
    pub answer: Option<Answer>,
}

impl StepRun {
    pub(crate) fn waiting() -> Self {
        Self {
            state: StepState::Waiting,
            leg: Leg::Forward,
            attempt: Attempt(1),
            since: Seq(0),
            since_at: Timestamp(0),
            began: Timestamp(0),
            wrote: false,
            leased: false,
            observed: None,
            receipt: None,
            answer: None,
        }
    }
}

/// One gate of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateRun {
    pub open: bool,
    pub since: Seq,
    pub until: Timestamp,
    pub satisfied: bool,
    /// Who approved, and until when that counts.
    pub approved: BTreeMap<Actor, Timestamp>,
}
