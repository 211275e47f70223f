//! What the screens show, as values. Everything a screen needs is in its view; nothing here is text for a screen.
//!
//! Texts may quote what came from outside: whoever shows them escapes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use steadyhand_model::actor::Actor;
use steadyhand_model::approval::Approval;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Answer, Cause, ClockKind, Leg, Proposer, StopOrder};
use steadyhand_model::ids::{
    Attempt, EnvironmentName, GateId, IncidentId, InstallationName, RunId, RunbookName, Seq,
    StepId, TeamId,
};
use steadyhand_model::outcome::{Outcome, RunOutcome, Settlement};
use steadyhand_model::plan::{EnvironmentClass, EnvironmentRef, Gate, LibraryRef, Plan, PlanError};
use steadyhand_model::reading::{Facts, Verdict};
use steadyhand_model::time::{Span, Timestamp};

use crate::exit::ExitCode;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// At a gate, before its first write.
    Waiting,
    Running,
    /// Until a person speaks.
    Paused,
    /// By the stop switch, until it is released.
    Stopped,
    Finished(RunOutcome),
}

/// What a run needs of a person before it can go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Need {
    /// A decision. `from` is empty where the requester confirms.
    Decision {
        gate: GateId,
        from: Option<TeamId>,
        given: u8,
        count: u8,
        until: Timestamp,
    },
    Answer {
        step: StepId,
        question: String,
        from: TeamId,
        answers: Vec<Answer>,
        until: Timestamp,
    },
    /// An outcome that no probe could settle, and what a person may say about it.
    Settlement {
        step: StepId,
        leg: Leg,
        attempt: Attempt,
        puzzle: Puzzle,
        possible: Vec<Settlement>,
        since: Timestamp,
    },
    /// A paused run.
    Resume {
        because: Cause,
    },
    /// A stopped run.
    Release {
        order: StopOrder,
    },
}

impl Need {
    /// The exit of a command that leaves a run with this need.
    pub fn exit(&self) -> ExitCode {
        match self {
            Self::Decision { .. } | Self::Answer { .. } | Self::Resume { .. } => ExitCode::Waiting,
            Self::Settlement { .. } => ExitCode::Unknown,
            Self::Release { .. } => ExitCode::Stopped,
        }
    }
}

/// One run in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunLine {
    pub run: RunId,
    /// The shortest beginning of the id that is unique now.
    pub short: String,
    pub plan: Digest,
    pub runbook: RunbookName,
    pub environment: EnvironmentName,
    pub class: EnvironmentClass,
    /// What it acts on: `shop/checkout`.
    pub subject: String,
    pub phase: RunPhase,
    pub needs: Vec<Need>,
    /// Whether this keeper drives it now. A run that nobody drives waits for `steady resume`.
    pub driven: bool,
    /// The run's own clock when this was told: a practice world's time is not the wall's.
    pub now: Timestamp,
    pub created: Timestamp,
    pub changed: Timestamp,
}

impl RunLine {
    /// The exit of a command that leaves the run like this: of its outcome, or of what it needs most.
    pub fn exit(&self) -> ExitCode {
        match self.phase {
            RunPhase::Finished(outcome) => outcome.into(),
            RunPhase::Stopped => ExitCode::Stopped,
            RunPhase::Waiting | RunPhase::Running | RunPhase::Paused => {
                let exits = || self.needs.iter().map(Need::exit);
                if exits().any(|exit| exit == ExitCode::Unknown) {
                    return ExitCode::Unknown;
                }
                // A run that is still under way, or that nobody drives, has not succeeded.
                exits().next().unwrap_or(ExitCode::Waiting)
            }
        }
    }
}

/// How a runbook came to be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    pub by: Proposer,
    pub reasons: Vec<String>,
}

/// A plan and what is shown beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanView {
    pub digest: Digest,
    /// The sealed bytes.
    pub plan: CanonicalJson,
    pub planned: Timestamp,
    pub requester: Actor,
    pub incident: IncidentId,
    pub chosen: Chosen,
    /// What the objects looked like when it was planned. Not part of the plan.
    pub facts: Facts,
    /// Why it may not be run as things are, where that is known: the mode of its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum PlanViewError {
    #[error("the plan that was sent cannot be read")]
    Plan {
        #[source]
        source: PlanError,
    },
    #[error("the plan that was sent has the digest {found}, not {said}")]
    OtherDigest { said: Digest, found: Digest },
}

impl PlanView {
    /// The plan, after comparing its digest: what a card shows is what its digest names.
    ///
    /// # Errors
    /// If the bytes are no plan, or another one.
    pub fn open(&self) -> Result<Plan, PlanViewError> {
        let plan = Plan::parse(self.plan.as_str().as_bytes())
            .map_err(|source| PlanViewError::Plan { source })?;
        if plan.digest() == self.digest {
            Ok(plan)
        } else {
            Err(PlanViewError::OtherDigest { said: self.digest, found: plan.digest() })
        }
    }
}

/// Why a person is needed for a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Puzzle {
    /// Nobody could find out whether the call happened.
    Unknown,
    /// It did not happen, and the target cannot refuse a second copy.
    NotRepeatable,
    /// It happened; whether it worked could not be read.
    Unverified,
}

/// Where a step stands: the states of the engine, without what only the engine needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StepStage {
    Waiting,
    When,
    Gate,
    Require,
    Before,
    Observing,
    Authorising,
    Leasing,
    InFlight {
        since: Timestamp,
    },
    Backoff {
        until: Timestamp,
    },
    /// Unknown. Probed from `next` on; `not_done` counts only after `quiet_until`.
    Doubtful {
        quiet_until: Timestamp,
        next: Timestamp,
        probes: u32,
    },
    Person {
        puzzle: Puzzle,
    },
    Verifying,
    ObservingAfter,
    Asking {
        until: Timestamp,
    },
    Pausing {
        until: Timestamp,
    },
    Notifying,
    Done,
    Skipped,
    /// Failed, and passed over because its runbook says so.
    Passed,
    Failed {
        why: String,
    },
    Undone,
    UndoFailed {
        why: String,
    },
}

/// One step of a run, in the order of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepView {
    pub step: StepId,
    pub title: String,
    pub stage: StepStage,
    pub leg: Leg,
    pub attempt: Attempt,
    /// When it came into its stage.
    pub since: Timestamp,
    /// When this leg began; `None` before.
    pub began: Option<Timestamp>,
    /// How often its call was sent, over both legs.
    pub sent: u32,
    /// What the last check of it said.
    pub verdict: Option<Verdict>,
    /// What the last call, probe or person said about its effect.
    pub outcome: Option<Outcome>,
    pub answer: Option<Answer>,
}

/// One gate of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateView {
    pub gate: Gate,
    /// Until when it is open; `None` before it opens.
    pub until: Option<Timestamp>,
    pub given: Vec<Approval>,
    pub satisfied: bool,
}

/// What a read kept before and after a step shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    pub step: StepId,
    pub before: Option<Facts>,
    pub after: Option<Facts>,
}

/// A line of the story of a run: what happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    pub seq: Seq,
    pub at: Timestamp,
    /// An event of the run, as it was recorded.
    pub event: CanonicalJson,
}

/// A run, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunView {
    pub line: RunLine,
    pub plan: PlanView,
    pub requester: Actor,
    pub predecessor: Option<RunId>,
    pub successor: Option<RunId>,
    /// The first intent must come before this.
    pub expires: Timestamp,
    /// The run must have ended before this.
    pub ends: Timestamp,
    pub clock: ClockKind,
    /// The keeper's time for this run.
    pub now: Timestamp,
    pub gates: Vec<GateView>,
    pub steps: Vec<StepView>,
    pub observed: Vec<Observed>,
    /// Set while it turns back.
    pub undoing: Option<Cause>,
    /// Why it ended as it did, where its outcome alone does not say.
    pub why: Option<String>,
    /// The newest events, oldest first, at most [`TOLD_MAX`].
    pub told: Vec<Told>,
    pub head: Seq,
    pub head_hash: Digest,
}

/// Most events in a [`RunView`].
pub const TOLD_MAX: usize = 200;

/// One alert in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertLine {
    pub key: String,
    pub name: String,
    pub severity: String,
    pub labels: BTreeMap<String, String>,
    pub since: Timestamp,
}

/// One runbook that might serve an alert, or why it does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    pub runbook: RunbookName,
    pub title: String,
    pub fits: bool,
    pub reasons: Vec<String>,
}

/// What became of a notification. Nothing is guessed: several of anything are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Handled {
    /// A run was made and waits, or goes on.
    Run(Box<RunView>),
    /// The mode of the environment allows a plan only.
    Plan(Box<PlanView>),
    SeveralAlerts {
        alerts: Vec<AlertLine>,
        /// How many more the source left out.
        truncated: u64,
    },
    SeveralRunbooks {
        alert: AlertLine,
        incident: IncidentId,
        candidates: Vec<Candidate>,
    },
    NoRunbook {
        alert: AlertLine,
        incident: IncidentId,
        candidates: Vec<Candidate>,
    },
    /// The same occurrence was handled before, by this run.
    Before(Box<RunView>),
}

impl Handled {
    pub fn exit(&self) -> ExitCode {
        match self {
            Self::Run(run) | Self::Before(run) => run.line.exit(),
            Self::Plan(_) => ExitCode::ChangesPending,
            Self::SeveralAlerts { .. } | Self::SeveralRunbooks { .. } => ExitCode::Waiting,
            Self::NoRunbook { .. } => ExitCode::Refused,
        }
    }
}

/// The most that may happen without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Observe,
    Suggest,
    Approve,
    Auto,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentLine {
    pub environment: EnvironmentRef,
    pub mode: Mode,
}

/// The process that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeeperView {
    pub pid: u32,
    pub version: String,
    pub installation: InstallationName,
    pub since: Timestamp,
    pub now: Timestamp,
}

/// What ended within the last 24 hours.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Day {
    pub outcomes: BTreeMap<RunOutcome, u32>,
    /// Median time from a gate's opening to the yes that satisfied it.
    pub yes: Option<Span>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusView {
    pub keeper: KeeperView,
    /// `None` where the keeper was started without a library.
    pub library: Option<LibraryRef>,
    pub environments: Vec<EnvironmentLine>,
    /// Runs that have not finished, those that need a person first.
    pub open: Vec<RunLine>,
    /// How many more are open than are listed.
    pub open_more: u64,
    pub day: Day,
}
