//! What the writer does when the disk does not take what it writes, and how it groups.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::FutureExt;
use steadyhand_engine::port::Batch;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{EVENT_BYTES_MAX, StreamId};
use steadyhand_model::ids::{InboxId, RUN_ID_CHARS, Seq};
use steadyhand_model::time::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::batch::{BLOB_BYTES_MAX, BatchError, check_blob};
use crate::sqlite::reader::{Question, READS_WAITING_MAX};
use crate::sqlite::reads;
use crate::sqlite::schema::open_writer;

fn fresh() -> (TempDir, Writer) {
    let dir = TempDir::new().unwrap();
    let writer = Writer::new(open_writer(&dir.path().join("journal.db")).unwrap());
    (dir, writer)
}

fn stream(letter: u8) -> StreamId {
    StreamId::Run(RunId::from_random([letter; RUN_ID_CHARS]))
}

/// An append of one event; `id` is its change.
fn append(letter: u8, expected: u64, event: &str, id: &str) -> Append {
    let batch = Batch {
        consumed: Some((id.parse().unwrap(), CanonicalJson::empty())),
        events: vec![CanonicalJson::of(event).unwrap()],
        ..Batch::default()
    };
    Append { stream: stream(letter), expected: Seq(expected), now: Timestamp(1), batch }
}

/// Commits appends as one group; each answer in a word, with its error's sources.
fn commit(writer: &mut Writer, appends: Vec<Append>) -> Vec<String> {
    let (jobs, answers): (Vec<_>, Vec<_>) = appends.into_iter().map(job).unzip();
    writer.commit(jobs);
    answers.into_iter().map(|mut answer| word(&answer.try_recv().unwrap())).collect()
}

fn word(answer: &Result<Vec<Recorded>, AppendError>) -> String {
    match answer {
        Ok(rows) => format!("{} rows", rows.len()),
        Err(error) => chain(error),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    error.to_string() + &cause.unwrap_or_default()
}

fn rows(writer: &Writer, letter: u8) -> usize {
    reads::load(&writer.connection, &stream(letter)).map_or(0, |rows| rows.len())
}

const STALE: &str = "the stream has moved on: expected 5, found 0";

#[test]
fn one_refusal_in_a_group_does_not_touch_the_others() {
    let (_dir, mut writer) = fresh();
    let group = vec![
        append(0, 0, "a", "c1"),
        append(1, 5, "stale", "c2"),
        append(0, 1, "b", "c3"),
        append(2, 0, "a", "c1"),
        append(2, 0, "a", "c2"),
    ];
    let want = ["1 rows", STALE, "1 rows", "the change was recorded before", "1 rows"];
    assert_eq!(commit(&mut writer, group), want);
    // The refused append's change was rolled back with it, so the fifth could use it.
    assert_eq!([rows(&writer, 0), rows(&writer, 1), rows(&writer, 2)], [2, 0, 1]);
}

#[test]
fn a_full_disk_is_told_to_all_and_writes_go_on_when_there_is_room() {
    let (_dir, mut writer) = fresh();
    assert_eq!(commit(&mut writer, vec![append(0, 0, "a", "c1")]), ["1 rows"]);
    let pages: i64 =
        writer.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |writer: &Writer, pages: i64| {
        writer
            .connection
            .pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))
            .unwrap();
    };
    limit(&writer, pages);
    let large = "x".repeat(EVENT_BYTES_MAX - 2);
    let group =
        || vec![append(1, 0, "a", "c2"), append(1, 5, "a", "c4"), append(0, 1, &large, "c3")];
    let full = "the disk is full; nothing was written";
    // Even the refusal: it was decided after rows that are not there.
    assert_eq!(commit(&mut writer, group()), [full, full, full]);
    assert_eq!([rows(&writer, 0), rows(&writer, 1)], [1, 0]);
    let id: InboxId = "c2".parse().unwrap();
    assert!(reads::answered(&writer.connection, &id).unwrap().is_none());
    limit(&writer, pages + 100);
    let stale = "the stream has moved on: expected 5, found 1";
    assert_eq!(commit(&mut writer, group()), ["1 rows", stale, "1 rows"]);
    assert_eq!([rows(&writer, 0), rows(&writer, 1)], [2, 1]);
}

#[test]
fn a_journal_that_became_read_only_refuses_and_goes_on_later() {
    let (_dir, mut writer) = fresh();
    writer.connection.pragma_update(None, "query_only", true).unwrap();
    let refused = "the journal is read-only; nothing was written";
    assert_eq!(commit(&mut writer, vec![append(0, 0, "a", "c1")]), [refused]);
    writer.connection.pragma_update(None, "query_only", false).unwrap();
    assert_eq!(commit(&mut writer, vec![append(0, 0, "a", "c1")]), ["1 rows"]);
    assert_eq!(rows(&writer, 0), 1);
}

#[test]
fn a_failed_database_is_lost_and_names_its_cause() {
    let (_dir, mut writer) = fresh();
    writer.connection.execute_batch("DROP TABLE inbox").unwrap();
    let got = commit(&mut writer, vec![append(0, 0, "a", "c1")]);
    let want =
        "the journal could not be written: the database did not commit: no such table: inbox";
    assert!(got[0].starts_with(want), "{got:?}");
    assert!(!writer.unsafe_disk);
}

fn failure(code: i32) -> Shared {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
}

#[test]
fn each_fault_of_the_disk_has_its_answer() {
    // The code, its answer in a word, and whether it ends the writing for good.
    let cases = [
        (ffi::SQLITE_FULL, "full", false),
        (ffi::SQLITE_READONLY, "read-only", false),
        (ffi::SQLITE_READONLY_DBMOVED, "read-only", false),
        (ffi::SQLITE_IOERR, "lost", false),
        (ffi::SQLITE_IOERR_WRITE, "lost", false),
        (ffi::SQLITE_IOERR_FSYNC, "lost", true),
        (ffi::SQLITE_IOERR_DIR_FSYNC, "lost", true),
        (ffi::SQLITE_CORRUPT, "lost", false),
        (ffi::SQLITE_BUSY, "lost", false),
    ];
    for (code, want, for_good) in cases {
        let shared = failure(code);
        assert_eq!(shared.is_failed_sync(), for_good, "{code}");
        let got = match AppendError::from(shared) {
            AppendError::Full => "full",
            AppendError::ReadOnly => "read-only",
            AppendError::Lost { .. } => "lost",
            other => panic!("{other}"),
        };
        assert_eq!(got, want, "{code}");
    }
}

/// Fails as the disk would, in the middle of a group.
struct FailingSync;

impl Work for FailingSync {
    type Out = ();

    fn write(&self, _tx: &Connection) -> Written<()> {
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_FSYNC), None))
    }
}

#[test]
fn after_a_failed_sync_nothing_is_written_any_more() {
    let (_dir, mut writer) = fresh();
    let (before, mut answer) = job(append(0, 0, "a", "c1"));
    let (failing, _failed) = job(FailingSync);
    writer.commit(vec![before, failing]);
    assert!(matches!(answer.try_recv().unwrap(), Err(AppendError::Lost { .. })));
    assert_eq!(
        commit(&mut writer, vec![append(0, 0, "a", "c1")]),
        ["the journal could not be written: the disk failed to sync earlier; \
          look at the disk, then start the keeper again"]
    );
    assert_eq!(rows(&writer, 0), 0);
}

#[test]
fn a_group_has_a_largest_size() {
    let (_dir, mut writer) = fresh();
    let commits = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&commits);
    let count = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        false
    };
    writer.connection.commit_hook(Some(count)).unwrap();
    let (jobs_in, jobs) = mpsc::channel(WRITES_WAITING_MAX);
    let mut answers = Vec::new();
    for seq in 0..=WRITES_PER_COMMIT_MAX {
        let (job, answer) = job(append(0, seq as u64, "a", &format!("c{seq}")));
        assert!(jobs_in.try_send(job).is_ok());
        answers.push(answer);
    }
    drop(jobs_in);
    writer.run(jobs);
    assert!(answers.iter_mut().all(|answer| matches!(answer.try_recv(), Ok(Ok(_)))));
    // One more than fits makes a second commit.
    assert_eq!(commits.load(Ordering::SeqCst), 2);
}

/// `max` fit; one more waits in its own task until one is taken out.
fn check_queue<T>(max: usize, make: impl Fn() -> T) {
    let (sender, mut receiver) = mpsc::channel::<T>(max);
    for _ in 0..max {
        assert!(sender.send(make()).now_or_never().is_some());
    }
    let mut waiting = Box::pin(sender.send(make()));
    assert!(waiting.as_mut().now_or_never().is_none());
    assert!(receiver.try_recv().is_ok());
    assert!(matches!(waiting.now_or_never(), Some(Ok(()))));
}

#[test]
fn what_does_not_fit_a_queue_waits_in_its_own_task() {
    check_queue::<Box<dyn Job>>(WRITES_WAITING_MAX, || job(append(0, 0, "a", "c1")).0);
    check_queue::<Question>(READS_WAITING_MAX, || Box::new(|_: &mut Connection| {}));
}

#[test]
fn blobs_have_a_largest_size() {
    let blob = |bytes: usize| {
        let bytes = vec![b'x'; bytes];
        Blob { digest: Digest::of(&bytes), bytes: bytes.into() }
    };
    assert!(check_blob(&blob(BLOB_BYTES_MAX)).is_ok());
    let refused = check_blob(&blob(BLOB_BYTES_MAX + 1)).unwrap_err();
    assert!(matches!(refused, BatchError::BlobTooLarge { bytes } if bytes == BLOB_BYTES_MAX + 1));
}
