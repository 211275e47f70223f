//! The plan: the immutable result of planning. Its digest is what is approved and what runs.
//!
//! The body holds no clock value, id, prose or status outside bounded predicates, so that planning the same thing
//! again gives the same digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::approval::EvidenceKind;
use crate::canonical::{CanonicalError, CanonicalJson};
use crate::catalogue::{ActionEffect, Idempotency};
use crate::digest::Digest;
use crate::ids::{EnvironmentName, GateId, ParamName, PolicyId, RunbookName, StepId, TeamId, Uid};
use crate::reading::{Call, Check, Slot};
use crate::time::Span;
use crate::types::Type;

/// Version of the plan's form.
pub const PLAN_FORMAT: u16 = 1;
/// Most steps in one plan.
pub const PLAN_STEPS_MAX: usize = 1000;

/// A body and its digest. Made only by [`Plan::seal`] and [`Plan::parse`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    body: PlanBody,
    bytes: CanonicalJson,
    digest: Digest,
}

#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the plan cannot be written or read as canonical JSON")]
    Form {
        #[source]
        source: CanonicalError,
    },
    #[error("the plan has format {found}, this program reads format {PLAN_FORMAT}")]
    Format { found: u16 },
    #[error("the plan has {found} steps, at most {PLAN_STEPS_MAX} are allowed")]
    Steps { found: usize },
    #[error("the step `{step}` stands twice in the plan")]
    Twice { step: StepId },
    #[error("the batches of the plan go backwards at step `{step}`")]
    Batches { step: StepId },
    #[error("the gate `{gate}` stands before the step `{step}`, which is not in the plan")]
    Gate { gate: GateId, step: StepId },
}

impl Plan {
    /// Fixes a body for ever.
    ///
    /// # Errors
    /// If the body breaks a rule that the engine relies on: unique steps, rising batches, gates before known steps.
    pub fn seal(body: PlanBody) -> Result<Self, PlanError> {
        body.check()?;
        let bytes = CanonicalJson::of(&body).map_err(|source| PlanError::Form { source })?;
        let digest = bytes.digest();
        Ok(Self { body, bytes, digest })
    }

    /// Reads a sealed plan's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, PlanError> {
        let json = CanonicalJson::parse(bytes).map_err(|source| PlanError::Form { source })?;
        let body: PlanBody = json.read().map_err(|source| PlanError::Form { source })?;
        Self::seal(body)
    }

    pub fn body(&self) -> &PlanBody {
        &self.body
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub fn bytes(&self) -> &CanonicalJson {
        &self.bytes
    }

    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.body.steps.iter().find(|s| s.id == *id)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanBody {
    pub format: u16,
    pub environment: EnvironmentRef,
    pub library: LibraryRef,
    pub runbook: RunbookRef,
    /// The alert's fingerprint, without its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertRef>,
    pub bindings: BTreeMap<ParamName, Bound>,
    /// The runbook's own conditions, read again before the first write.
    pub require: Vec<Check>,
    pub steps: Vec<Step>,
    /// Steps that the plan leaves out because their condition was false when it was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    pub radius: BlastRadius,
    pub limits: Limits,
    pub gates: Vec<Gate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<Check>,
    /// Bounds the first intent, from the run's creation.
    pub valid_for: Span,
    /// Bounds the whole run, from its creation.
    pub run_within: Span,
}

impl PlanBody {
    fn check(&self) -> Result<(), PlanError> {
        if self.format != PLAN_FORMAT {
            return Err(PlanError::Format { found: self.format });
        }
        if self.steps.len() > PLAN_STEPS_MAX {
            return Err(PlanError::Steps { found: self.steps.len() });
        }
        let mut seen = BTreeSet::new();
        let mut batch = 0;
        for step in &self.steps {
            if !seen.insert(&step.id) {
                return Err(PlanError::Twice { step: step.id.clone() });
            }
            if step.batch < batch {
                return Err(PlanError::Batches { step: step.id.clone() });
            }
            batch = step.batch;
        }
        for gate in &self.gates {
            if let GateBefore::Step(step) = &gate.before
                && !seen.contains(step)
            {
                return Err(PlanError::Gate { gate: gate.id.clone(), step: step.clone() });
            }
        }
        Ok(())
    }

    /// Whether the plan writes anything.
    pub fn writes(&self) -> bool {
        self.steps.iter().any(|s| matches!(s.kind, StepKind::Write(_)))
    }

    /// Whether everything that it writes can be undone, or needs no undo.
    pub fn reversible(&self) -> bool {
        self.steps.iter().all(|s| match &s.kind {
            StepKind::Write(w) => !matches!(w.undo, Undo::Irreversible { .. }),
            StepKind::Ask(_) | StepKind::Wait(_) | StepKind::Notify(_) => true,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentClass {
    Practice,
    Development,
    Staging,
    Production,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentRef {
    pub name: EnvironmentName,
    pub title: String,
    pub class: EnvironmentClass,
    pub digest: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LibraryStatus {
    /// No lock, or the lock differs.
    Draft,
    Locked,
    /// This many valid reviewer signatures.
    Released(u8),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LibraryRef {
    /// The git commit, where the library is a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    pub dirty: bool,
    pub status: LibraryStatus,
    pub digest: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunbookRef {
    pub name: RunbookName,
    pub title: String,
    pub owner: TeamId,
    pub path: String,
    pub digest: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertRef {
    /// The source's fingerprint of the label set.
    pub key: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
}

/// Where a value came from. A closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Library,
    Operator,
    Inventory,
    Alert,
    Telemetry,
    Model,
}

/// A parameter's value. For an inventory object: its identity fields and its uid, never its status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    #[serde(rename = "type")]
    pub ty: Type,
    pub value: CanonicalJson,
    /// How the value is written for people: `Deployment shop/checkout`, `half_more`.
    pub shown: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    pub origin: Origin,
    /// Who chose it, where that is not where it came from: a person's `-p`, an alert's label.
    pub chosen_by: Origin,
}

/// `environment/server/kind/uid` of the topmost controller: what a target lease locks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TargetKey(pub String);

impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub key: TargetKey,
    pub kind: String,
    /// `shop/checkout`
    pub name: String,
    pub uid: Uid,
}

/// What to do when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    Undo,
    Stop,
    Continue,
    HandOver,
}

/// One step. Steps with equal `batch` go on side by side; the next batch begins when all of them have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub id: StepId,
    pub batch: u32,
    /// The step of the runbook that this one was expanded from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<StepId>,
    /// In words: `restart Deployment shop/checkout`.
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Check>,
    /// Bounds checks, waits, attempts and verification together.
    pub timeout: Span,
    pub on_failure: OnFailure,
    pub kind: StepKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    Write(Box<WriteStep>),
    Ask(AskStep),
    Wait(WaitStep),
    Notify(NotifyStep),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteStep {
    pub effect: ActionEffect,
    pub call: Call,
    pub targets: Vec<Target>,
    pub preview: Preview,
    /// The server's preconditions as predicates over fresh reads.
    pub before: Vec<Check>,
    /// Reads kept before and after, for `before.x` and `after.x`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measure: Vec<Slot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Check>,
    pub undo: Undo,
    pub idempotency: Idempotency,
    /// The longest that one call may take, from the moment of sending.
    pub call_max: Span,
    /// How long after the last moment of a call its effect may still appear.
    pub quiescence: Span,
    /// Attempts in all, and the first pause between them; it doubles.
    pub attempts: u32,
    pub backoff: Span,
    /// The same change as a line that a person could type, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// The complete inverse of a step's call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inverse {
    pub call: Call,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Check>,
    /// In words: `the inverse patch, revision 41`.
    pub shown: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Undo {
    /// Runs by itself if a later step, or this step's verification, fails and its runbook says so.
    Inverse(Box<Inverse>),
    NothingToUndo {
        why: String,
    },
    Irreversible {
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskStep {
    pub question: String,
    /// `on_call(team-platform)`, resolved to a team.
    pub who: TeamId,
    pub answers: Vec<String>,
    pub within: Span,
}

/// Waits for a condition, or for a time where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitStep {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Check>,
    pub at_most: Span,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyStep {
    pub to: String,
    pub say: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    pub step: StepId,
    pub why: String,
}

/// One line of a difference, over normalised and redacted values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffLine {
    /// `spec.template.metadata.annotations["steadyhand.dev/restart"]`
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PreviewKind {
    /// The server's own dry run.
    Server,
    /// Computed here, and why.
    Client {
        why: String,
    },
    None {
        why: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preview {
    pub kind: PreviewKind,
    pub diff: Vec<DiffLine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataLoss {
    None,
    Recoverable,
    Permanent,
    Unknown,
}

/// A count of one kind of object that the plan touches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affected {
    /// `pods`
    pub what: String,
    pub count: u64,
    /// `replaced in turn`
    pub how: String,
}

/// What the plan can affect. Unknown counts as wider, never as smaller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlastRadius {
    pub targets: Vec<Target>,
    pub affected: Vec<Affected>,
    /// Newly unavailable because of this plan, at the worst moment, and of how many.
    pub unavailable: u64,
    pub population: u64,
    /// Failure domains touched at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<String>,
    pub data_loss: DataLoss,
    /// Objects that send traffic to, or are kept by, the targets: `Service shop/checkout`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<String>,
    /// Who would change the same fields back, and when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknowns: Vec<String>,
}

/// `2 per 1h per target`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub count: u32,
    pub window: Span,
    pub per_target: bool,
}

/// Limits in force: the strictest of all layers. A missing value does not limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affected: Option<u64>,
    /// Per mille of the population, newly unavailable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<Rate>,
    /// Counted over all runbooks of the environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment_rates: Vec<Rate>,
}

/// What must be given before a run, or a step of it, goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    pub id: GateId,
    pub before: GateBefore,
    /// From the moment it opens. An unanswered gate expires to no.
    pub within: Span,
    pub kind: GateKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateBefore {
    Start,
    Step(StepId),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GateKind {
    /// The requester repeats the digest.
    Confirm {
        why: Vec<PolicyId>,
    },
    Approvals {
        count: u8,
        from: TeamId,
        others: bool,
        min: EvidenceKind,
        why: Vec<PolicyId>,
    },
}
