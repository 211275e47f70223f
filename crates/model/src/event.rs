//! Streams, events and the hash chain. Every event is a closed set member with its own wire type and `"v": 1`.

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::approval::Approval;
use crate::canonical::{CanonicalError, CanonicalJson};
use crate::digest::Digest;
use crate::ids::{
    Attempt, DriverId, Fence, GateId, IncidentId, MachineVersion, RunId, RunbookName, Seq, StepId,
};
use crate::outcome::{Delivery, Outcome, ProbeVerdict, RunOutcome, Settlement};
use crate::reading::Verdict;
use crate::time::Timestamp;

/// Version of every event's form. A new meaning is a new type, never a changed one.
pub const EVENT_VERSION: u64 = 1;
/// Largest event, in bytes of canonical JSON: 16 KiB. Anything larger is a blob by digest.
pub const EVENT_BYTES_MAX: usize = 16 * 1024;

/// `{"run":"r-…"}`, `{"incident":"i-…"}` or `"installation"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamId {
    Run(RunId),
    Incident(IncidentId),
    Installation,
}

/// Forward is the work itself, undo its compensation. Undo attempt 1 is not forward attempt 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    Forward,
    Undo,
}

/// One attempt of one leg of one step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    pub step: StepId,
    pub leg: Leg,
    pub attempt: Attempt,
}

/// What a check is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A branch that was kept at planning.
    When,
    /// The runbook's own conditions, before the first write.
    Require,
    /// The step's preconditions.
    Before,
    Verify,
    /// The end of the run: is the alert gone?
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Before,
    After,
}

/// The clock of a run: the wall clock, or that of a practice world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockKind {
    Real,
    Practice { seed: u64 },
}

/// Why a run is held until a person speaks, or why it turned back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A person asked for it.
    Asked { by: Actor },
    /// A precondition no longer holds after a write was made.
    Drift { step: StepId },
    /// A precondition could not be read.
    CannotTell { step: StepId },
    /// Policy no longer allows the step.
    Policy { step: StepId, why: String },
    /// A step failed.
    Failed { step: StepId, why: String },
}

/// An order of the stop switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopOrder {
    pub id: String,
    pub by: Actor,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseOrder {
    pub id: String,
    pub by: Vec<Actor>,
    pub reason: String,
}

/// The answer that a person gave to an `ask` step: one of its declared answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Answer(pub String);

/// What ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// The time before another attempt.
    Backoff,
    /// A `wait` step's own time.
    Wait,
    /// A check's, question's or step's time limit.
    Limit,
    /// The time in which the whole run had to end.
    Run,
}

/// One event of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    Created {
        run: RunId,
        plan: Digest,
        machine: MachineVersion,
        requester: Actor,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
        /// The run that this one follows after drift or undoes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        predecessor: Option<RunId>,
        /// The run in whose practice world this one acts: its own for a drill, that of its predecessor for an undo.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        world: Option<RunId>,
        /// Bounds the first intent.
        expires: Timestamp,
        /// Bounds the whole run.
        ends: Timestamp,
        clock: ClockKind,
    },
    Approved {
        approval: Approval,
    },
    Denied {
        approval: Approval,
    },
    GateSatisfied {
        gate: GateId,
    },
    /// A branch that was kept at planning and is not taken, or an item that vanished.
    Skipped {
        step: StepId,
        verdict: Verdict,
    },
    Began {
        step: StepId,
    },
    Checked {
        at: At,
        purpose: Purpose,
        verdict: Verdict,
    },
    Observed {
        step: StepId,
        phase: Phase,
        facts: Digest,
    },
    Authorised {
        at: At,
        policy: Digest,
    },
    LeasesTaken {
        at: At,
        targets: Vec<crate::plan::TargetKey>,
    },
    /// The durable record, made before the wire, that a call is about to be sent.
    Intended {
        at: At,
        call: Digest,
        fence: Fence,
    },
    Returned {
        at: At,
        outcome: Outcome,
    },
    Probed {
        at: At,
        verdict: ProbeVerdict,
    },
    Settled {
        at: At,
        by: Actor,
        settlement: Settlement,
        reason: String,
    },
    Answered {
        step: StepId,
        by: Actor,
        answer: Answer,
    },
    Notified {
        step: StepId,
        delivery: Delivery,
    },
    TimeOver {
        timer: Timer,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
    },
    TakenOver {
        driver: DriverId,
        fence: Fence,
    },
    /// A failed step was passed over because its runbook says `continue`.
    Continued {
        step: StepId,
    },
    UndoBegan {
        from: StepId,
        because: Cause,
    },
    CancelAsked {
        by: Actor,
        undo: bool,
    },
    Paused {
        because: Cause,
    },
    Resumed {
        by: Actor,
    },
    Stopped {
        order: StopOrder,
    },
    Released {
        order: ReleaseOrder,
    },
    Finished {
        outcome: RunOutcome,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
}

/// One event of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum IncidentEvent {
    /// `kind` is `alert` or `request`; the raw body is a blob.
    SignalSeen {
        kind: IncidentKind,
        title: String,
        alert_key: Option<String>,
        raw: Option<Digest>,
        by: Actor,
    },
    Proposed {
        runbook: RunbookName,
        by: Proposer,
        reasons: Vec<String>,
    },
    /// `facts` is the blob of what the objects looked like then.
    Planned {
        digest: Digest,
        facts: Digest,
    },
    RunLinked {
        run: RunId,
    },
    Closed {
        why: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    Alert,
    Request,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proposer {
    /// Declared alert bindings.
    Binding,
    Operator,
    Model,
}

/// A row of a stream. `hash` is SHA-256 over the canonical JSON of `{stream, seq, at, prev, event}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    pub stream: StreamId,
    pub seq: Seq,
    pub at: Timestamp,
    /// Hash of the row before it; all zero for the first.
    pub prev: Digest,
    pub hash: Digest,
    pub event: CanonicalJson,
}

impl Recorded {
    /// Chains an event to the row before it.
    pub fn chain(
        stream: StreamId,
        seq: Seq,
        at: Timestamp,
        prev: Digest,
        event: CanonicalJson,
    ) -> Result<Self, CanonicalError> {
        let hash = chain_hash(&stream, seq, at, prev, &event)?;
        Ok(Self { stream, seq, at, prev, hash, event })
    }

    /// Whether the row's hash is that of its content.
    pub fn is_whole(&self) -> bool {
        chain_hash(&self.stream, self.seq, self.at, self.prev, &self.event)
            .is_ok_and(|hash| hash == self.hash)
    }
}

#[derive(Serialize)]
struct Chained<'a> {
    stream: &'a StreamId,
    seq: Seq,
    at: Timestamp,
    prev: Digest,
}

fn chain_hash(
    stream: &StreamId,
    seq: Seq,
    at: Timestamp,
    prev: Digest,
    event: &CanonicalJson,
) -> Result<Digest, CanonicalError> {
    // `at` < `event` < `prev` < `seq` < `stream` in canonical order. The event is canonical already and is not
    // parsed again: this runs for every row that is written or verified.
    let rest = CanonicalJson::of(&Chained { stream, seq, at, prev })?;
    let (head, tail) = match rest.as_str().split_once(r#","prev":"#) {
        Some(parts) => parts,
        None => (rest.as_str(), ""),
    };
    let text = format!(r#"{head},"event":{},"prev":{tail}"#, event.as_str());
    Ok(Digest::of(text.as_bytes()))
}

/// `prev` of the first row of a stream.
pub fn chain_start() -> Digest {
    Digest::from_bytes([0; 32])
}

#[derive(Debug, thiserror::Error)]
pub enum EventError {
    #[error("the event has version {found}, this program reads version {EVENT_VERSION}")]
    Version { found: String },
    #[error("the event is not of a known form")]
    Form {
        #[source]
        source: CanonicalError,
    },
    #[error("the event has {bytes} bytes, at most {EVENT_BYTES_MAX} are allowed")]
    TooLarge { bytes: usize },
}

/// Writes an event with its version.
pub fn write_event<E: Serialize>(event: &E) -> Result<CanonicalJson, EventError> {
    #[derive(Serialize)]
    struct Versioned<'a, E> {
        v: u64,
        #[serde(flatten)]
        event: &'a E,
    }
    let text = CanonicalJson::of(&Versioned { v: EVENT_VERSION, event })
        .map_err(|source| EventError::Form { source })?;
    let bytes = text.as_str().len();
    if bytes > EVENT_BYTES_MAX {
        return Err(EventError::TooLarge { bytes });
    }
    Ok(text)
}

/// Reads an event written by [`write_event`].
pub fn read_event<E: serde::de::DeserializeOwned>(text: &CanonicalJson) -> Result<E, EventError> {
    let mut json = text.to_json();
    let version = json.as_object_mut().and_then(|map| map.remove("v"));
    if version.as_ref().and_then(serde_json::Value::as_u64) != Some(EVENT_VERSION) {
        let found = version.map_or_else(|| "none".to_owned(), |v| v.to_string());
        return Err(EventError::Version { found });
    }
    CanonicalJson::of(&json)
        .and_then(|event| event.read())
        .map_err(|source| EventError::Form { source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_round_trip_with_their_version() {
        let event = Event::TimeOver { timer: Timer::Run, step: None };
        let text = write_event(&event).unwrap();
        assert_eq!(text.as_str(), r#"{"timer":"run","type":"time_over","v":1}"#);
        assert_eq!(read_event::<Event>(&text).unwrap(), event);
        let unknown = CanonicalJson::parse(br#"{"type":"time_over","timer":"run","v":2}"#).unwrap();
        assert!(read_event::<Event>(&unknown).is_err());
        let extra =
            CanonicalJson::parse(br#"{"type":"time_over","timer":"run","x":1,"v":1}"#).unwrap();
        assert!(read_event::<Event>(&extra).is_err());
    }

    #[test]
    fn the_chain_hash_is_that_of_the_canonical_document() {
        let event = write_event(&Event::TimeOver { timer: Timer::Run, step: None }).unwrap();
        let row = Recorded::chain(
            StreamId::Run("r-4f2kabcdefgh".parse().unwrap()),
            Seq(3),
            Timestamp(17),
            chain_start(),
            event.clone(),
        )
        .unwrap();
        #[derive(Serialize)]
        struct Whole<'a> {
            stream: &'a StreamId,
            seq: Seq,
            at: Timestamp,
            prev: Digest,
            event: &'a CanonicalJson,
        }
        let whole =
            Whole { stream: &row.stream, seq: row.seq, at: row.at, prev: row.prev, event: &event };
        assert_eq!(row.hash, CanonicalJson::of(&whole).unwrap().digest());
        assert!(row.is_whole());
        assert!(!Recorded { at: Timestamp(18), ..row }.is_whole());
    }

    #[test]
    fn large_events_are_refused() {
        let event =
            |n: usize| Event::Finished { outcome: RunOutcome::Failed, why: Some("x".repeat(n)) };
        assert!(write_event(&event(EVENT_BYTES_MAX - 100)).is_ok());
        assert!(write_event(&event(EVENT_BYTES_MAX)).is_err());
    }
}
