//! The formats as the judge reads them: only what it needs, nothing of the product's own types.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// A row of `journal.jsonl`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) stream: Stream,
    pub(super) seq: u64,
    /// Microseconds since 1970.
    pub(super) at: i64,
    #[serde(default)]
    pub(super) prev: Option<String>,
    pub(super) hash: String,
    pub(super) event: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stream {
    Run(String),
    Incident(String),
    Installation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Leg {
    Forward,
    Undo,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub(super) struct At {
    pub(super) step: String,
    pub(super) leg: Leg,
    pub(super) attempt: u32,
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.leg {
            Leg::Forward => write!(f, "{} attempt {}", self.step, self.attempt),
            Leg::Undo => write!(f, "undo of {} attempt {}", self.step, self.attempt),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Actor {
    Person(String),
    Alert(String),
    Agent,
    Practice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Strength {
    PeerCredential,
    Oidc,
    SshSignature,
    Cosign,
    Passkey,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Evidence {
    PeerCredential(IgnoredAny),
    Oidc(IgnoredAny),
    SshSignature(IgnoredAny),
    Cosign(IgnoredAny),
    Passkey(IgnoredAny),
    Practice,
}

impl Evidence {
    pub(super) fn strength(&self) -> Strength {
        match self {
            Self::PeerCredential(_) | Self::Practice => Strength::PeerCredential,
            Self::Oidc(_) => Strength::Oidc,
            Self::SshSignature(_) => Strength::SshSignature,
            Self::Cosign(_) => Strength::Cosign,
            Self::Passkey(_) => Strength::Passkey,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Decision {
    Approve,
    Deny,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Approval {
    pub(super) by: Actor,
    pub(super) evidence: Evidence,
    pub(super) run: String,
    pub(super) plan: String,
    pub(super) gate: String,
    pub(super) decision: Decision,
    pub(super) expires: i64,
    #[serde(default)]
    pub(super) team: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    When,
    Require,
    Before,
    Verify,
    Done,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Holds(IgnoredAny),
    Fails(IgnoredAny),
    CannotTell(IgnoredAny),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refusal {
    NotSent,
    Busy,
    Conflict,
    Forbidden,
    Invalid,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Done(IgnoredAny),
    NotDone { kind: Refusal },
    Unknown(IgnoredAny),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Probe {
    Done(IgnoredAny),
    NotDone,
    Unknown(IgnoredAny),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Settlement {
    Done,
    NotDone,
    Retry,
    Skip,
    Undo,
    HandOver,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Created {
    pub(super) run: String,
    pub(super) plan: String,
    pub(super) requester: Actor,
    pub(super) expires: i64,
    pub(super) ends: i64,
}

/// An event of a run. The set is closed: a type that is not here cannot be judged.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event {
    Created(Created),
    Approved { approval: Approval },
    Denied {},
    GateSatisfied { gate: String },
    Skipped {},
    Began { step: String },
    Checked { at: At, purpose: Purpose, verdict: Verdict },
    Observed {},
    Authorised {},
    LeasesTaken { at: At, targets: Vec<String> },
    Intended { at: At, call: String, fence: u64 },
    Returned { at: At, outcome: Outcome },
    Probed { at: At, verdict: Probe },
    Settled { at: At, settlement: Settlement },
    Answered { step: String },
    Notified {},
    TimeOver {},
    TakenOver { fence: u64 },
    Continued {},
    UndoBegan {},
    CancelAsked {},
    Paused {},
    Resumed {},
    Stopped {},
    Released {},
    Finished { outcome: String },
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Plan {
    pub(super) environment: Environment,
    pub(super) require: Vec<IgnoredAny>,
    pub(super) steps: Vec<Step>,
    pub(super) radius: Radius,
    pub(super) limits: Limits,
    pub(super) gates: Vec<Gate>,
}

impl Plan {
    pub(super) fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    pub(super) fn write(&self, id: &str) -> Option<&WriteStep> {
        match self.step(id).map(|step| &step.kind) {
            Some(Kind::Write(write)) => Some(write),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Environment {
    pub(super) class: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Step {
    pub(super) id: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Write(Box<WriteStep>),
    Ask(IgnoredAny),
    Wait(IgnoredAny),
    Notify(IgnoredAny),
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct WriteStep {
    pub(super) call: Value,
    pub(super) targets: Vec<Target>,
    pub(super) before: Vec<IgnoredAny>,
    #[serde(default)]
    pub(super) verify: Option<IgnoredAny>,
    pub(super) undo: Undo,
    pub(super) idempotency: String,
    /// Length of time as text: `10s`, `1m30s`.
    pub(super) call_max: String,
    pub(super) quiescence: String,
    pub(super) attempts: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Target {
    pub(super) key: String,
    pub(super) uid: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Undo {
    Inverse {
        call: Value,
        verify: Option<IgnoredAny>,
    },
    #[serde(rename = "nothing_to_undo")]
    Needless(IgnoredAny),
    Irreversible(IgnoredAny),
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Radius {
    pub(super) unavailable: u64,
    pub(super) population: u64,
    #[serde(default)]
    pub(super) zones: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Limits {
    #[serde(default)]
    pub(super) targets: Option<u64>,
    /// Per mille of the population.
    #[serde(default)]
    pub(super) unavailable: Option<u64>,
    #[serde(default)]
    pub(super) zones: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Gate {
    pub(super) id: String,
    pub(super) before: GateBefore,
    pub(super) kind: GateKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GateBefore {
    Start,
    Step(String),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GateKind {
    Confirm(IgnoredAny),
    Approvals { count: u8, from: String, others: bool, min: Strength },
}

/// A line of `world.jsonl`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Line {
    pub(super) v: u64,
    pub(super) seq: u64,
    /// Microseconds since 1970 on the world's clock.
    pub(super) at: i64,
    #[serde(flatten)]
    pub(super) body: Body,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Body {
    Seed {},
    Request {
        tool: String,
        #[serde(default)]
        attempt: Option<Attempt>,
    },
    Effect {
        attempt: Attempt,
        #[serde(default)]
        due: Option<i64>,
    },
    Landed {
        of: u64,
        changed: bool,
    },
    Fault {},
    Fired {},
    Change {},
}

/// What the world was told about the attempt that an `apply` or probe belongs to.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Attempt {
    pub(super) run: String,
    pub(super) step: String,
    pub(super) leg: Leg,
    pub(super) attempt: u32,
    pub(super) plan: String,
    pub(super) fence: u64,
    pub(super) call: String,
    pub(super) action: String,
    pub(super) args: Value,
    pub(super) uid: String,
}

impl Attempt {
    pub(super) fn at(&self) -> At {
        At { step: self.step.clone(), leg: self.leg, attempt: self.attempt }
    }
}

/// Microseconds of a length of time such as `1m30s`.
pub(super) fn micros(span: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = span;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, next) = after.split_at(letters);
        let size = match unit {
            "d" => 86_400_000_000,
            "h" => 3_600_000_000,
            "m" => 60_000_000,
            "s" => 1_000_000,
            "ms" => 1_000,
            _ => return None,
        };
        total = number.parse::<i64>().ok()?.checked_mul(size)?.checked_add(total)?;
        rest = next;
    }
    (!span.is_empty()).then_some(total)
}
