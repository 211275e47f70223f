//! What can be told to a run, and why it may refuse to listen.

use steadyhand_model::actor::Actor;
use steadyhand_model::approval::Approval;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Answer, At, ReleaseOrder, StopOrder};
use steadyhand_model::ids::{DriverId, Fence, GateId, StepId};
use steadyhand_model::outcome::{Delivery, Outcome, ProbeVerdict, Settlement};
use steadyhand_model::reading::Verdict;

use crate::effect::EffectId;
use crate::run::IllegalEvent;

/// Policy's word at the moment of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyAnswer {
    /// Exactly the recorded gates are what it asks for. `policy` is the digest of what decided.
    Unchanged { policy: Digest },
    /// It would now ask for something else, or cannot be read.
    Changed { why: String },
}

/// The store's word about target leases and rates. A lease held by another run is waited for, not an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    Granted,
    RateSpent { why: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    TakenOver(DriverId, Fence),
    Approval(Approval),
    Checked(EffectId, Verdict),
    /// Facts read for `before` or `after`, kept as a blob under this digest.
    Observed(EffectId, Digest),
    Policy(EffectId, PolicyAnswer),
    Leased(EffectId, LeaseAnswer),
    Returned(EffectId, Outcome),
    Probed(EffectId, ProbeVerdict),
    Answer(EffectId, Actor, Answer),
    Notified(EffectId, Delivery),
    /// The time that an effect names is over.
    Elapsed(EffectId),
    Settle(At, Actor, Settlement, String),
    Pause(Actor),
    Resume(Actor),
    Cancel(Actor),
    Undo(Actor),
    Stop(StopOrder),
    Release(ReleaseOrder),
}

/// Why an input changes nothing. None of these is a fault of the run.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// It answers a question that is no longer open.
    #[error("the run no longer waits for this")]
    Stale,
    #[error("the run has finished")]
    Finished,
    #[error("the fence {offered} is not above {current}")]
    FenceNotAbove { offered: Fence, current: Fence },
    #[error("the gate `{gate}` is not open")]
    GateNotOpen { gate: GateId },
    #[error("the decision is over another plan or another run")]
    OtherPlan,
    #[error("the decision has expired")]
    DecisionExpired,
    #[error("only the person who asked for the run may confirm it")]
    NotRequester,
    #[error("the gate `{gate}` wants other people than the one who asked for the run")]
    RequesterDoesNotCount { gate: GateId },
    #[error("{by} is not known as a member of the team that the gate `{gate}` asks")]
    NotEligible { by: Actor, gate: GateId },
    #[error("{by} has decided over the gate `{gate}` already")]
    DecidedBefore { by: Actor, gate: GateId },
    #[error("the decision is not proven strongly enough for the gate `{gate}`")]
    EvidenceTooWeak { gate: GateId },
    #[error("`{settlement}` is not possible here; possible: {possible}")]
    NotSettleable { settlement: &'static str, possible: String },
    #[error("the answer `{answer}` is not one of: {possible}")]
    NotAnAnswer { answer: String, possible: String },
    #[error("the step `{step}` does not wait for an answer")]
    NotAsked { step: StepId },
    #[error("the run is not paused")]
    NotPaused,
    #[error("the run is paused already")]
    PausedAlready,
    #[error("the run is stopped; it must be released first")]
    IsStopped,
    #[error("the run is not stopped")]
    NotStopped,
    #[error("this was asked for already")]
    AskedAlready,
    /// A fault of this program: the machine refused its own event.
    #[error("the run refuses the event that would follow")]
    Illegal {
        #[source]
        source: Box<IllegalEvent>,
    },
}
