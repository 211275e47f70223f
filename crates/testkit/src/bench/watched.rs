//! A journal in front of another one: it keeps what was written, and tells when a run is durably over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::FutureExt;
use steadyhand_engine::port::{
    Answer, AppendError, Batch, Blob, Fenced, Journal, LoadError, RunFilter, RunRow,
};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Recorded, StreamId};
use steadyhand_model::ids::{DriverId, Fence, InboxId, RunId, Seq};
use steadyhand_model::plan::{Plan, TargetKey};
use steadyhand_model::time::{Span, Timestamp};
use tokio::sync::{Notify, oneshot};

use super::floor;

/// One call that wrote something.
#[derive(Debug, Clone)]
pub enum Write {
    Plan(Arc<Plan>),
    Append { stream: StreamId, expected: Seq, now: Timestamp, batch: Box<Batch> },
    TakeOver { run: RunId, driver: DriverId },
}

impl Write {
    /// Writes the same again, into another journal.
    ///
    /// # Errors
    /// If that journal refuses.
    pub async fn repeat(self, journal: &dyn Journal) -> Result<(), AppendError> {
        match self {
            Self::Plan(plan) => journal.put_plan(plan).await,
            Self::Append { stream, expected, now, batch } => {
                journal.append(stream, expected, now, *batch).await.map(drop)
            }
            Self::TakeOver { run, driver } => journal.take_over(run, driver).await.map(drop),
        }
    }
}

/// What is kept of the writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    /// The bytes that each write gave to the system. Only true if there is one at a time.
    Sizes,
    /// The writes of each run, in their order.
    Writes,
}

#[derive(Debug, Default)]
struct Seen {
    finished: BTreeMap<RunId, oneshot::Sender<String>>,
    sizes: Vec<u64>,
    plans: BTreeMap<Digest, Arc<Plan>>,
    writes: BTreeMap<RunId, Vec<Write>>,
}

#[derive(Debug)]
pub struct Watched {
    inner: Arc<dyn Journal>,
    keep: Keep,
    /// Guards what was seen; never held over an await.
    seen: Mutex<Seen>,
    looked_for_due: Notify,
}

impl Watched {
    pub fn new(inner: Arc<dyn Journal>, keep: Keep) -> Arc<Self> {
        let seen = Mutex::new(Seen::default());
        Arc::new(Self { inner, keep, seen, looked_for_due: Notify::new() })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The word of the run's end, once it is durable.
    pub fn end_of(&self, run: &RunId) -> oneshot::Receiver<String> {
        let (sender, receiver) = oneshot::channel();
        self.seen().finished.insert(run.clone(), sender);
        receiver
    }

    /// Completes when it has been answered once what is due.
    pub async fn first_due(&self) {
        self.looked_for_due.notified().await;
    }

    /// The sizes of the writes since the last time this was asked.
    pub fn take_sizes(&self) -> Vec<u64> {
        std::mem::take(&mut self.seen().sizes)
    }

    /// The writes of each run.
    pub fn take_writes(&self) -> Vec<Vec<Write>> {
        std::mem::take(&mut self.seen().writes).into_values().collect()
    }

    fn keep_append(&self, stream: &StreamId, expected: Seq, now: Timestamp, batch: &Batch) {
        let StreamId::Run(run) = stream else { return };
        let mut seen = self.seen();
        let first = batch.row.as_ref().filter(|_| expected == Seq(0));
        if let Some(plan) = first.and_then(|row| seen.plans.remove(&row.plan)) {
            seen.writes.entry(run.clone()).or_default().push(Write::Plan(plan));
        }
        let (stream, batch) = (stream.clone(), Box::new(batch.clone()));
        let write = Write::Append { stream, expected, now, batch };
        seen.writes.entry(run.clone()).or_default().push(write);
    }

    /// Performs a write, and keeps how many bytes went to the system meanwhile.
    async fn sized<T>(&self, write: Answer<'_, T, AppendError>) -> Result<T, AppendError> {
        if self.keep != Keep::Sizes {
            return write.await;
        }
        let before = floor::bytes_written();
        let written = write.await;
        if let (Ok(before), Ok(after)) = (before, floor::bytes_written()) {
            self.seen().sizes.push(after.saturating_sub(before));
        }
        written
    }
}

impl Journal for Watched {
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        now: Timestamp,
        batch: Batch,
    ) -> Answer<'_, Vec<Recorded>, AppendError> {
        if self.keep == Keep::Writes {
            self.keep_append(&stream, expected, now, &batch);
        }
        let row = batch.row.as_ref().filter(|row| row.finished);
        let over = row.map(|row| (row.run.clone(), row.phase.clone()));
        let write = self.inner.append(stream, expected, now, batch);
        async move {
            let rows = self.sized(write).await?;
            if let Some((run, phase)) = over
                && let Some(waiting) = self.seen().finished.remove(&run)
                && waiting.send(phase).is_err()
            {
                tracing::debug!(%run, "nobody waits for its end");
            }
            Ok(rows)
        }
        .boxed()
    }

    fn load(&self, stream: StreamId) -> Answer<'_, Vec<Recorded>, LoadError> {
        self.inner.load(stream)
    }

    fn pendings(&self, stream: StreamId) -> Answer<'_, Vec<(Seq, Digest)>, LoadError> {
        self.inner.pendings(stream)
    }

    fn put_plan(&self, plan: Arc<Plan>) -> Answer<'_, (), AppendError> {
        if self.keep == Keep::Writes {
            self.seen().plans.insert(plan.digest(), Arc::clone(&plan));
        }
        self.sized(self.inner.put_plan(plan)).boxed()
    }

    fn plan(&self, digest: Digest) -> Answer<'_, Arc<Plan>, LoadError> {
        self.inner.plan(digest)
    }

    fn plans_by_prefix(&self, hex: String) -> Answer<'_, Vec<Digest>, LoadError> {
        self.inner.plans_by_prefix(hex)
    }

    fn put_blob(&self, blob: Blob) -> Answer<'_, (), AppendError> {
        self.sized(self.inner.put_blob(blob)).boxed()
    }

    fn blob(&self, digest: Digest) -> Answer<'_, Arc<[u8]>, LoadError> {
        self.inner.blob(digest)
    }

    fn take_over(&self, run: RunId, driver: DriverId) -> Answer<'_, Fence, AppendError> {
        if self.keep == Keep::Writes {
            let write = Write::TakeOver { run: run.clone(), driver: driver.clone() };
            self.seen().writes.entry(run.clone()).or_default().push(write);
        }
        self.sized(self.inner.take_over(run, driver)).boxed()
    }

    fn dispatch(&self, run: RunId, fence: Fence) -> Answer<'_, (), Fenced> {
        self.inner.dispatch(run, fence)
    }

    fn runs(&self, filter: RunFilter) -> Answer<'_, Vec<RunRow>, LoadError> {
        self.inner.runs(filter)
    }

    fn due(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Answer<'_, (Vec<RunId>, Option<Timestamp>), LoadError> {
        let asked = self.inner.due(now, limit);
        async move {
            let due = asked.await;
            self.looked_for_due.notify_one();
            due
        }
        .boxed()
    }

    fn answered(&self, id: InboxId) -> Answer<'_, Option<CanonicalJson>, LoadError> {
        self.inner.answered(id)
    }

    fn used(
        &self,
        subject: String,
        window: Span,
        now: Timestamp,
    ) -> Answer<'_, (u32, Option<Timestamp>), LoadError> {
        self.inner.used(subject, window, now)
    }

    fn holders(&self, targets: Vec<TargetKey>) -> Answer<'_, Vec<(TargetKey, RunId)>, LoadError> {
        self.inner.holders(targets)
    }
}
