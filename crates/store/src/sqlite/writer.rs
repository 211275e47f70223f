//! The one thread that writes, with group commit: everything that waits is written in one transaction and one sync.
//!
//! Nobody is answered before the commit. One append's own refusal is rolled back to its savepoint and does not touch
//! the others; a failure of the database rolls everything back and is told to all.

use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, TransactionBehavior, ffi};
use steadyhand_engine::port::{AppendError, Blob};
use steadyhand_model::event::Recorded;
use steadyhand_model::ids::{DriverId, Fence, RunId};
use steadyhand_model::plan::Plan;
use tokio::sync::{mpsc, oneshot};

use super::append::{Append, Written, insert_blob, insert_plan};
use super::columns::{get, signed};
use super::fences::Fences;

/// Most writes in one transaction. Large enough that the sync is shared, small enough that the first of them does
/// not wait long for the last.
pub(super) const WRITES_PER_COMMIT_MAX: usize = 256;
/// Most writes that wait for their turn; further ones wait in their own task.
pub(super) const WRITES_WAITING_MAX: usize = 1024;

/// Why the database did not take a group of writes.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("the database did not commit")]
    Database {
        #[source]
        source: rusqlite::Error,
    },
    /// After a failed sync the system may forget what it could not write, and a second sync would say that all is
    /// well. So nothing is written any more.
    #[error("the disk failed to sync earlier; look at the disk, then start the keeper again")]
    SyncFailed,
    #[error("the journal is closed")]
    Closed,
}

/// One failure that is told to everyone in the group.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub(super) struct Shared(Arc<WriteError>);

impl From<WriteError> for Shared {
    fn from(error: WriteError) -> Self {
        Self(Arc::new(error))
    }
}

impl From<rusqlite::Error> for Shared {
    fn from(source: rusqlite::Error) -> Self {
        WriteError::Database { source }.into()
    }
}

impl From<Shared> for AppendError {
    fn from(error: Shared) -> Self {
        let code = match &*error.0 {
            WriteError::Database { source } => source.sqlite_error_code(),
            WriteError::SyncFailed | WriteError::Closed => None,
        };
        match code {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            _ => Self::Lost { source: Box::new(error) },
        }
    }
}

impl Shared {
    fn is_failed_sync(&self) -> bool {
        let WriteError::Database { source: rusqlite::Error::SqliteFailure(error, _) } = &*self.0
        else {
            return false;
        };
        matches!(error.extended_code, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    }
}

/// Something to write. A refusal of its own is the inner error.
pub(super) trait Work: Send + 'static {
    type Out: Send;

    fn write(&self, tx: &Connection) -> Written<Self::Out>;

    /// Called after the commit and before the answer.
    fn committed(&self, _out: &Self::Out) {}
}

impl Work for Append {
    type Out = Vec<Recorded>;

    fn write(&self, tx: &Connection) -> Written<Vec<Recorded>> {
        Append::write(self, tx)
    }
}

impl Work for Arc<Plan> {
    type Out = ();

    fn write(&self, tx: &Connection) -> Written<()> {
        insert_plan(tx, self).map(Ok)
    }
}

impl Work for Blob {
    type Out = ();

    fn write(&self, tx: &Connection) -> Written<()> {
        insert_blob(tx, self).map(Ok)
    }
}

pub(super) struct TakeOver {
    pub(super) run: RunId,
    pub(super) driver: DriverId,
    pub(super) fences: Arc<Fences>,
}

impl Work for TakeOver {
    type Out = Fence;

    fn write(&self, tx: &Connection) -> Written<Fence> {
        tx.prepare_cached(
            "INSERT INTO fences (run, fence, driver) VALUES (?1, ?2, ?3)
             ON CONFLICT (run) DO UPDATE SET fence = fence + 1, driver = ?3 RETURNING fence",
        )?
        .query_row((self.run.as_str(), signed(1)?, self.driver.as_str()), |row| get(row, 0))
        .map(Ok)
    }

    fn committed(&self, fence: &Fence) {
        self.fences.take(self.run.clone(), *fence);
    }
}

/// Work and the one who waits for it, of whatever kind.
pub(super) trait Job: Send {
    fn write(&mut self, tx: &Connection) -> Result<(), Shared>;
    fn answer(self: Box<Self>, committed: Result<(), Shared>);
}

struct Waiting<W: Work> {
    work: W,
    written: Option<Result<W::Out, AppendError>>,
    done: oneshot::Sender<Result<W::Out, AppendError>>,
}

/// Where a job's answer arrives.
pub(super) type Pending<T> = oneshot::Receiver<Result<T, AppendError>>;

pub(super) fn job<W: Work>(work: W) -> (Box<dyn Job>, Pending<W::Out>) {
    let (done, answer) = oneshot::channel();
    (Box::new(Waiting { work, written: None, done }), answer)
}

impl<W: Work> Job for Waiting<W> {
    fn write(&mut self, tx: &Connection) -> Result<(), Shared> {
        tx.prepare_cached("SAVEPOINT one")?.execute([])?;
        let written = self.work.write(tx)?;
        if written.is_err() {
            tx.prepare_cached("ROLLBACK TO one")?.execute([])?;
        }
        tx.prepare_cached("RELEASE one")?.execute([])?;
        self.written = Some(written);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), Shared>) {
        let answer = match (committed, self.written) {
            (Ok(()), Some(Ok(out))) => {
                self.work.committed(&out);
                Ok(out)
            }
            (Ok(()), Some(Err(refused))) => Err(refused),
            (Ok(()), None) => Err(Shared::from(WriteError::Closed).into()),
            (Err(failed), _) => Err(failed.into()),
        };
        if self.done.send(answer).is_err() {
            tracing::debug!("a write was answered to nobody: its caller is gone");
        }
    }
}

pub(super) struct Writer {
    connection: Connection,
    /// A sync has failed: see [`WriteError::SyncFailed`].
    unsafe_disk: bool,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, unsafe_disk: false }
    }

    /// Writes until every handle is gone.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let mut group = Vec::new();
        while jobs.blocking_recv_many(&mut group, WRITES_PER_COMMIT_MAX) > 0 {
            self.commit(std::mem::take(&mut group));
        }
        if let Err((_connection, error)) = self.connection.close() {
            tracing::warn!(%error, "the journal did not close cleanly; nothing is lost by it");
        }
    }

    /// Writes a group, all or nothing but for refusals, and answers everyone.
    pub(super) fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let committed = self.transact(&mut jobs);
        if let Err(error) = &committed {
            self.unsafe_disk |= error.is_failed_sync();
            tracing::error!(%error, writes = jobs.len(), "a group of writes was not committed");
        }
        for job in jobs {
            job.answer(committed.clone());
        }
    }

    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Shared> {
        if self.unsafe_disk {
            return Err(WriteError::SyncFailed.into());
        }
        // Dropped without a commit, a transaction rolls back.
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        jobs.iter_mut().try_for_each(|job| job.write(&tx))?;
        tx.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
