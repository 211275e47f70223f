//! A journal whose process dies at one write: before it, or after it with the answer lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{BoxFuture, FutureExt};
use steadyhand_engine::port::{
    Answer, AppendError, Batch, Blob, Fenced, Journal, LoadError, RunFilter, RunRow,
};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Recorded, StreamId};
use steadyhand_model::ids::{DriverId, Fence, InboxId, RunId, Seq};
use steadyhand_model::plan::{Plan, TargetKey};
use steadyhand_model::time::{Span, Timestamp};

/// Where in the life of one write the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Nothing of it is on the disk.
    Before,
    /// All of it is on the disk and nobody was told.
    AnswerLost,
}

/// The write at which the process dies, counted from 1 over appends, plans, blobs and take-overs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CrashPoint {
    pub write: u64,
    pub moment: Moment,
}

#[derive(Debug, thiserror::Error)]
#[error("the process of this journal has died")]
struct Died;

/// Passes everything on until its crash point; from then on nothing is written, read or dispatched any more.
#[derive(Debug)]
pub struct CrashingJournal<J> {
    inner: J,
    point: CrashPoint,
    writes: AtomicU64,
}

impl<J: Journal> CrashingJournal<J> {
    pub fn new(inner: J, point: CrashPoint) -> Self {
        Self { inner, point, writes: AtomicU64::new(0) }
    }

    /// What the dead process left behind.
    pub fn into_inner(self) -> J {
        self.inner
    }

    pub fn is_dead(&self) -> bool {
        self.writes.load(Ordering::SeqCst) >= self.point.write
    }

    async fn write<T>(
        &self,
        write: BoxFuture<'_, Result<T, AppendError>>,
    ) -> Result<T, AppendError> {
        let died = || Err(AppendError::Lost { source: Box::new(Died) });
        let number = self.writes.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        if number > self.point.write {
            return died();
        }
        if number < self.point.write {
            return write.await;
        }
        match self.point.moment {
            Moment::Before => died(),
            // Even a refusal is an answer that nobody gets.
            Moment::AnswerLost => {
                drop(write.await);
                died()
            }
        }
    }

    async fn read<T>(&self, read: BoxFuture<'_, Result<T, LoadError>>) -> Result<T, LoadError> {
        if self.is_dead() {
            return Err(LoadError::Lost { source: Box::new(Died) });
        }
        read.await
    }
}

impl<J: Journal> Journal for CrashingJournal<J> {
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        now: Timestamp,
        batch: Batch,
    ) -> Answer<'_, Vec<Recorded>, AppendError> {
        self.write(self.inner.append(stream, expected, now, batch)).boxed()
    }

    fn load(&self, stream: StreamId) -> Answer<'_, Vec<Recorded>, LoadError> {
        self.read(self.inner.load(stream)).boxed()
    }

    fn pendings(&self, stream: StreamId) -> Answer<'_, Vec<(Seq, Digest)>, LoadError> {
        self.read(self.inner.pendings(stream)).boxed()
    }

    fn put_plan(&self, plan: Arc<Plan>) -> Answer<'_, (), AppendError> {
        self.write(self.inner.put_plan(plan)).boxed()
    }

    fn plan(&self, digest: Digest) -> Answer<'_, Arc<Plan>, LoadError> {
        self.read(self.inner.plan(digest)).boxed()
    }

    fn plans_by_prefix(&self, hex: String) -> Answer<'_, Vec<Digest>, LoadError> {
        self.read(self.inner.plans_by_prefix(hex)).boxed()
    }

    fn put_blob(&self, blob: Blob) -> Answer<'_, (), AppendError> {
        self.write(self.inner.put_blob(blob)).boxed()
    }

    fn blob(&self, digest: Digest) -> Answer<'_, Arc<[u8]>, LoadError> {
        self.read(self.inner.blob(digest)).boxed()
    }

    fn take_over(&self, run: RunId, driver: DriverId) -> Answer<'_, Fence, AppendError> {
        self.write(self.inner.take_over(run, driver)).boxed()
    }

    fn dispatch(&self, run: RunId, fence: Fence) -> Answer<'_, (), Fenced> {
        async move {
            if self.is_dead() {
                return Err(Fenced { held: fence, current: Fence::default() });
            }
            self.inner.dispatch(run, fence).await
        }
        .boxed()
    }

    fn runs(&self, filter: RunFilter) -> Answer<'_, Vec<RunRow>, LoadError> {
        self.read(self.inner.runs(filter)).boxed()
    }

    fn due(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Answer<'_, (Vec<RunId>, Option<Timestamp>), LoadError> {
        self.read(self.inner.due(now, limit)).boxed()
    }

    fn answered(&self, id: InboxId) -> Answer<'_, Option<CanonicalJson>, LoadError> {
        self.read(self.inner.answered(id)).boxed()
    }

    fn used(
        &self,
        subject: String,
        window: Span,
        now: Timestamp,
    ) -> Answer<'_, (u32, Option<Timestamp>), LoadError> {
        self.read(self.inner.used(subject, window, now)).boxed()
    }

    fn holders(&self, targets: Vec<TargetKey>) -> Answer<'_, Vec<(TargetKey, RunId)>, LoadError> {
        self.read(self.inner.holders(targets)).boxed()
    }
}
