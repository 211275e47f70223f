//! The journal in SQLite: one thread that writes with group commit, one that reads.
//!
//! Opening takes the keeper's lock and keeps it until the last write is done, so that a second process can never
//! write to the same journal. Rows are verified when their stream is loaded; opening verifies only the newest, which
//! are the ones that a power cut can hurt, because a night of parked runs must be back within seconds.

mod append;
mod columns;
mod fences;
pub mod file;
mod rates;
mod reader;
mod reads;
mod schema;
mod writer;

use std::sync::Arc;
use std::thread::JoinHandle;

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
use tokio::sync::mpsc;

use self::append::Append;
use self::fences::Fences;
use self::reader::{Question, READS_WAITING_MAX, question};
use self::reads::Read;
pub use self::schema::SchemaError;
use self::writer::{Job, Shared, TakeOver, WRITES_WAITING_MAX, Work, WriteError, Writer, job};
use crate::batch::{check_batch, check_blob};
use crate::state::{KeeperLock, StateDir};

/// Newest rows that are verified when the journal is opened.
const ROWS_VERIFIED_ON_OPEN: u32 = 2000;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the journal cannot be opened")]
    Schema {
        #[source]
        source: SchemaError,
    },
    #[error("the newest rows of the journal do not verify; keep the file and restore a copy")]
    Damaged {
        #[source]
        source: LoadError,
    },
    #[error("the journal's threads cannot be started")]
    Threads {
        #[source]
        source: std::io::Error,
    },
}

/// The handle. Dropping it waits for what was accepted, closes the database and releases the keeper's lock.
pub struct SqliteJournal {
    state: StateDir,
    fences: Arc<Fences>,
    writes: Option<mpsc::Sender<Box<dyn Job>>>,
    questions: Option<mpsc::Sender<Question>>,
    writer: Option<JoinHandle<()>>,
    reader: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteJournal").field("state", &self.state).finish_non_exhaustive()
    }
}

impl SqliteJournal {
    /// Opens the journal of the directory that the lock is for; makes it where there is none.
    ///
    /// # Errors
    /// If the file is not a journal, is of a newer version, or its newest rows do not verify.
    pub fn open(lock: KeeperLock) -> Result<Self, OpenError> {
        let state = lock.state().clone();
        let path = state.journal();
        let schema = |source| OpenError::Schema { source };
        let writing = schema::open_writer(&path).map_err(schema)?;
        let reading = schema::open_reader(&path).map_err(schema)?;
        file::verify_newest(&reading, ROWS_VERIFIED_ON_OPEN)
            .map_err(|source| OpenError::Damaged { source })?;
        let (writes, jobs) = mpsc::channel(WRITES_WAITING_MAX);
        let (questions, asked) = mpsc::channel(READS_WAITING_MAX);
        let start = |name: &str, body: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(body)
                .map_err(|source| OpenError::Threads { source })
        };
        let writer = start(
            "journal-writer",
            Box::new(move || {
                Writer::new(writing).run(jobs);
                // Only now may another keeper open the file.
                drop(lock);
            }),
        )?;
        let reader = start("journal-reader", Box::new(move || reader::run(reading, asked)))?;
        Ok(Self {
            state,
            fences: Arc::default(),
            writes: Some(writes),
            questions: Some(questions),
            writer: Some(writer),
            reader: Some(reader),
        })
    }

    /// The directory that this process keeps.
    pub fn state(&self) -> &StateDir {
        &self.state
    }

    async fn write<W: Work>(&self, work: W) -> Result<W::Out, AppendError> {
        let closed = || Err(Shared::from(WriteError::Closed).into());
        let (job, answer) = job(work);
        let Some(writes) = &self.writes else { return closed() };
        if writes.send(job).await.is_err() {
            return closed();
        }
        match answer.await {
            Ok(answer) => answer,
            Err(_gone) => closed(),
        }
    }

    fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&rusqlite::Connection) -> Read<T> + Send + 'static,
    ) -> Answer<'_, T, LoadError> {
        let (question, answer) = question(ask);
        async move {
            let Some(questions) = &self.questions else { return reader::closed() };
            if questions.send(question).await.is_err() {
                return reader::closed();
            }
            match answer.await {
                Ok(answer) => answer,
                Err(_gone) => reader::closed(),
            }
        }
        .boxed()
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        // The reader first: the connection that closes last folds the write-ahead log into the file, and only the
        // writer can.
        drop(self.questions.take());
        wait_for(self.reader.take());
        drop(self.writes.take());
        wait_for(self.writer.take());
    }
}

fn wait_for(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread
        && thread.join().is_err()
    {
        tracing::error!("a thread of the journal ended by a panic");
    }
}

impl Journal for SqliteJournal {
    /// If the future is dropped before its answer, the append may have been made.
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        now: Timestamp,
        batch: Batch,
    ) -> Answer<'_, Vec<Recorded>, AppendError> {
        async move {
            check_batch(&stream, &batch)?;
            self.write(Append { stream, expected, now, batch }).await
        }
        .boxed()
    }

    fn load(&self, stream: StreamId) -> Answer<'_, Vec<Recorded>, LoadError> {
        self.ask(move |db| reads::load(db, &stream))
    }

    fn pendings(&self, stream: StreamId) -> Answer<'_, Vec<(Seq, Digest)>, LoadError> {
        self.ask(move |db| reads::pendings(db, &stream))
    }

    fn put_plan(&self, plan: Arc<Plan>) -> Answer<'_, (), AppendError> {
        self.write(plan).boxed()
    }

    fn plan(&self, digest: Digest) -> Answer<'_, Arc<Plan>, LoadError> {
        self.ask(move |db| reads::plan(db, digest))
    }

    fn plans_by_prefix(&self, hex: String) -> Answer<'_, Vec<Digest>, LoadError> {
        self.ask(move |db| reads::plans_by_prefix(db, &hex))
    }

    fn put_blob(&self, blob: Blob) -> Answer<'_, (), AppendError> {
        async move {
            check_blob(&blob)?;
            self.write(blob).await
        }
        .boxed()
    }

    fn blob(&self, digest: Digest) -> Answer<'_, Arc<[u8]>, LoadError> {
        self.ask(move |db| reads::blob(db, digest))
    }

    fn take_over(&self, run: RunId, driver: DriverId) -> Answer<'_, Fence, AppendError> {
        self.write(TakeOver { run, driver, fences: Arc::clone(&self.fences) }).boxed()
    }

    fn dispatch(&self, run: RunId, fence: Fence) -> Answer<'_, (), Fenced> {
        async move { self.fences.check(&run, fence) }.boxed()
    }

    fn runs(&self, filter: RunFilter) -> Answer<'_, Vec<RunRow>, LoadError> {
        self.ask(move |db| reads::runs(db, &filter))
    }

    fn due(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Answer<'_, (Vec<RunId>, Option<Timestamp>), LoadError> {
        self.ask(move |db| reads::due(db, now, limit))
    }

    fn answered(&self, id: InboxId) -> Answer<'_, Option<CanonicalJson>, LoadError> {
        self.ask(move |db| reads::answered(db, &id))
    }

    fn used(
        &self,
        subject: String,
        window: Span,
        now: Timestamp,
    ) -> Answer<'_, (u32, Option<Timestamp>), LoadError> {
        self.ask(move |db| reads::used(db, &subject, window, now))
    }

    fn holders(&self, targets: Vec<TargetKey>) -> Answer<'_, Vec<(TargetKey, RunId)>, LoadError> {
        self.ask(move |db| reads::holders(db, targets))
    }
}

#[cfg(test)]
mod tests;
