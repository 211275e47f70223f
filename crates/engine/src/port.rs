//! The ports: what a shell needs from the outside. The one place of the engine with boxed futures.
//!
//! Each port has two implementations: SQLite and memory for the journal, MCP and simulated for the tool host, the
//! matcher and a scripted one for the proposer.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::capability::Envelope;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Recorded, StreamId};
use steadyhand_model::exchange::{ApplyReply, StepPreview};
use steadyhand_model::ids::{DriverId, Fence, InboxId, RunId, Seq};
use steadyhand_model::outcome::ProbeVerdict;
use steadyhand_model::plan::{Plan, TargetKey};
use steadyhand_model::reading::{Call, ReadCall};
use steadyhand_model::time::{Span, Timestamp};

/// An intent row: unique on (run, step, leg, attempt).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentRow {
    pub at: steadyhand_model::event::At,
    pub call: Digest,
    pub fence: Fence,
}

/// A reservation against rate limits, counted from the moment it is recorded whatever becomes of the run.
///
/// One batch counts once for a subject, however many windows it is held against. A reservation counts within
/// `now - window ..= now`; a clock that jumps back frees nothing, because the newest reservation counts as now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateReservation {
    /// What is counted: `runbook restart-workload`, `runbook restart-workload target production/kubernetes/…`.
    pub subject: String,
    pub count: u32,
    pub window: Span,
}

/// A large thing kept beside the journal by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    pub digest: Digest,
    pub bytes: Arc<[u8]>,
}

/// What a list of runs shows without loading them. Kept in the same transaction as the events that change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    pub run: RunId,
    pub plan: Digest,
    pub environment: String,
    pub runbook: String,
    pub subject: String,
    /// The word of a closed set of the engine: `waiting`, `running`, `paused`, `stopped`, or the outcome.
    pub phase: String,
    pub finished: bool,
    /// Whether a person is needed for it to go on.
    pub needs_person: bool,
    pub created: Timestamp,
    pub changed: Timestamp,
    /// What the row needs for a status line, as canonical JSON of the runtime.
    pub detail: CanonicalJson,
}

/// Everything that one append makes durable, all or nothing.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The client's id of the change that led to this. A second append with the same id is `AlreadyConsumed`.
    pub consumed: Option<(InboxId, CanonicalJson)>,
    pub events: Vec<CanonicalJson>,
    pub intents: Vec<IntentRow>,
    /// Taken in this transaction; one held by another run fails the whole append.
    pub leases_taken: Vec<TargetKey>,
    /// Released before the others are taken. A lease of another run is left alone.
    pub leases_released: Vec<TargetKey>,
    pub rates: Vec<RateReservation>,
    pub blobs: Vec<Blob>,
    /// When the run must be looked at again; `None` leaves it parked until an input comes. A batch without events
    /// cannot have changed the run and leaves its due time and its pending digest as they are.
    pub due: Option<Timestamp>,
    /// Digest over the sorted effect ids pending after these events, kept as a column.
    pub pending: Option<Digest>,
    pub row: Option<RunRow>,
}

#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("the stream has moved on: expected {expected}, found {found}")]
    Conflict { expected: Seq, found: Seq },
    #[error("the change was recorded before")]
    AlreadyConsumed { answer: CanonicalJson },
    #[error("the target {target} is held by run {by}")]
    LeaseHeld { target: TargetKey, by: RunId },
    #[error("the rate for {subject} is spent: {used} of {count} within {window}")]
    RateSpent { subject: String, used: u32, count: u32, window: Span, free_at: Timestamp },
    #[error("this attempt was intended before")]
    IntentTwice,
    #[error("the disk is full; nothing was written")]
    Full,
    #[error("the journal is read-only; nothing was written")]
    ReadOnly,
    /// A batch that breaks the form: an event or blob too large, a lease on a stream that is no run's.
    #[error("the batch is not fit for the journal; nothing was written")]
    Unfit {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is not known whether it was written: load the stream before going on.
    #[error("the journal could not be written")]
    Lost {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("there is no such stream or plan")]
    Missing,
    #[error("the journal is damaged at {stream:?} {seq}: {what}")]
    Damaged { stream: StreamId, seq: Seq, what: &'static str },
    #[error("the journal's {what} {digest} is damaged")]
    DamagedContent { what: &'static str, digest: Digest },
    #[error("the journal could not be read")]
    Lost {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// `current` is zero where this keeper has not taken the run over at all.
#[derive(Debug, thiserror::Error)]
#[error("the fence {held} is not the run's, which is {current}: take the run over first")]
pub struct Fenced {
    pub held: Fence,
    pub current: Fence,
}

/// Rows chosen by [`Journal::runs`]: the run that began last comes first, whatever the clocks said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunFilter {
    /// Runs that have not finished.
    Open,
    /// The newest, finished or not.
    Newest {
        limit: u32,
    },
    /// Ids that begin with this text.
    Prefix(String),
    One(RunId),
}

/// The answer of a port, boxed: cheap beside a disk write or a call over a pipe.
pub type Answer<'a, T, E> = BoxFuture<'a, Result<T, E>>;

/// The durable journal. An `Ok` of [`Journal::append`] means that the bytes are on the disk.
pub trait Journal: Send + Sync + std::fmt::Debug {
    /// Appends after row `expected` of a stream (zero for a new one), all or nothing.
    /// The rows' time is `max(now, time of the last row)`.
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        now: Timestamp,
        batch: Batch,
    ) -> Answer<'_, Vec<Recorded>, AppendError>;

    /// All rows of a stream, its hash chain verified.
    fn load(&self, stream: StreamId) -> Answer<'_, Vec<Recorded>, LoadError>;

    /// The digests over pending effects that were kept with a stream's batches, and the row after which each held.
    fn pendings(&self, stream: StreamId) -> Answer<'_, Vec<(Seq, Digest)>, LoadError>;

    /// Stores a sealed plan; storing the same plan again changes nothing.
    fn put_plan(&self, plan: Arc<Plan>) -> Answer<'_, (), AppendError>;

    fn plan(&self, digest: Digest) -> Answer<'_, Arc<Plan>, LoadError>;

    /// Plans whose digest begins with these hexadecimal digits, at most ten.
    fn plans_by_prefix(&self, hex: String) -> Answer<'_, Vec<Digest>, LoadError>;

    fn put_blob(&self, blob: Blob) -> Answer<'_, (), AppendError>;

    fn blob(&self, digest: Digest) -> Answer<'_, Arc<[u8]>, LoadError>;

    /// Raises the run's fence and returns it. Under the keeper's lock it always succeeds.
    fn take_over(&self, run: RunId, driver: DriverId) -> Answer<'_, Fence, AppendError>;

    /// Refuses a driver whose fence is no longer the run's. Asked just before the wire.
    fn dispatch(&self, run: RunId, fence: Fence) -> Answer<'_, (), Fenced>;

    fn runs(&self, filter: RunFilter) -> Answer<'_, Vec<RunRow>, LoadError>;

    /// Runs whose due time has come, earliest first, and the next due time after them.
    fn due(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Answer<'_, (Vec<RunId>, Option<Timestamp>), LoadError>;

    /// The recorded answer to a change, if it was made.
    fn answered(&self, id: InboxId) -> Answer<'_, Option<CanonicalJson>, LoadError>;

    /// How many times a subject was reserved within a window that ends now, and when the oldest of them leaves it.
    fn used(
        &self,
        subject: String,
        window: Span,
        now: Timestamp,
    ) -> Answer<'_, (u32, Option<Timestamp>), LoadError>;

    /// The runs that hold these targets.
    fn holders(&self, targets: Vec<TargetKey>) -> Answer<'_, Vec<(TargetKey, RunId)>, LoadError>;
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The server answered that it cannot say: no right, no such read, too large.
    #[error("{server} could not tell: {why}")]
    CannotTell { server: String, why: String },
    #[error("{server} could not be reached: {why}")]
    Unreachable { server: String, why: String },
    #[error("{server} answered something that is not of the declared form: {why}")]
    BadReply { server: String, why: String },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreviewError {
    #[error("{server} refuses to plan the call: {why}")]
    Refused { server: String, why: String },
    #[error("{server} could not be reached: {why}")]
    Unreachable { server: String, why: String },
    #[error("{server} answered something that is not of the declared form: {why}")]
    BadReply { server: String, why: String },
}

/// A call that may be made now. Only `Run::pending` makes one, from a recorded gate over the same plan digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorized<T> {
    inner: T,
    envelope: Envelope,
    call_max: Span,
}

impl<T> Authorized<T> {
    pub(crate) fn new(inner: T, envelope: Envelope, call_max: Span) -> Self {
        Self { inner, envelope, call_max }
    }

    pub fn get(&self) -> &T {
        &self.inner
    }

    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The longest that the call may take, from the moment of sending.
    pub fn call_max(&self) -> Span {
        self.call_max
    }
}

/// The tool servers of one environment. `now` is the time of the environment's clock and travels with each request.
pub trait ToolHost: Send + Sync + std::fmt::Debug {
    /// Asks the reader instance. The answer is checked against the declared result type by the caller.
    fn read(&self, call: ReadCall, now: Timestamp) -> Answer<'_, CanonicalJson, ReadError>;

    /// Asks the executor instance for a dry run.
    fn preview(&self, call: Call, now: Timestamp) -> Answer<'_, StepPreview, PreviewError>;

    /// Acts. No error: every fault is one of three outcomes.
    fn apply(&self, call: Authorized<Call>, now: Timestamp) -> BoxFuture<'_, ApplyReply>;

    /// Asks the executor instance, read-only, whether an attempt happened.
    fn probe(&self, call: Call, envelope: Envelope, now: Timestamp) -> BoxFuture<'_, ProbeVerdict>;
}
