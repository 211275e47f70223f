//! Both implementations against the suite of the port.

use std::sync::Arc;

use steadyhand_engine::port::Journal;
use steadyhand_store::memory::MemoryJournal;
use steadyhand_store::sqlite::file::{JournalFile, Verified};
use steadyhand_testkit::store_suite::race::{self, Tally};
use steadyhand_testkit::store_suite::{Subject, check_cases};
use tempfile::TempDir;

use crate::opening::keeper;

fn sqlite() -> (TempDir, Arc<dyn Journal>) {
    let dir = TempDir::with_prefix("steadyhand-store-").unwrap();
    let journal = Arc::new(keeper(dir.path()));
    (dir, journal)
}

fn sqlite_subject() -> Subject {
    let (dir, journal) = sqlite();
    let reopen = move |old: Arc<dyn Journal>| -> Arc<dyn Journal> {
        assert_eq!(Arc::strong_count(&old), 1, "reopening needs the only handle");
        drop(old);
        Arc::new(keeper(dir.path()))
    };
    Subject { journal, reopen: Box::new(reopen) }
}

fn memory_subject() -> Subject {
    let disk = MemoryJournal::new();
    let journal = Arc::new(disk.reopen());
    Subject { journal, reopen: Box::new(move |_| Arc::new(disk.reopen())) }
}

#[tokio::test]
async fn sqlite_gives_the_answers_of_the_suite() {
    check_cases(&sqlite_subject).await.unwrap();
}

#[tokio::test]
async fn memory_gives_the_answers_of_the_suite() {
    check_cases(&memory_subject).await.unwrap();
}

/// Tasks in each race. More than the writer's batch is not needed: they all wait at once.
const TASKS: u8 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn races_have_one_winner() {
    let tally = |won, lost: &'static str, count| Tally::from([("written", won), (lost, count)]);
    for fresh in [sqlite_subject, memory_subject] {
        // Each race needs a journal of its own, and each journal its directory until the race is over.
        let subject = fresh();
        assert_eq!(
            race::for_one_row(&subject.journal, TASKS).await.unwrap(),
            tally(1, "conflict", 59)
        );
        let subject = fresh();
        assert_eq!(
            race::for_one_lease(&subject.journal, TASKS).await.unwrap(),
            tally(1, "lease held", 59)
        );
        let subject = fresh();
        assert_eq!(
            race::for_a_rate(&subject.journal, TASKS, 7).await.unwrap(),
            tally(7, "rate spent", 53)
        );
        let subject = fresh();
        assert_eq!(
            race::for_one_change(&subject.journal, TASKS).await.unwrap(),
            tally(1, "already consumed", 59)
        );
        let subject = fresh();
        assert_eq!(race::up_one_stream(&subject.journal, 8, 40).await.unwrap(), (320, true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_raced_journal_verifies_whole() {
    let (dir, journal) = sqlite();
    assert_eq!(race::up_one_stream(&journal, 8, 40).await.unwrap(), (320, true));
    assert_eq!(race::for_one_lease(&journal, TASKS).await.unwrap()["written"], 1);
    let verify =
        || JournalFile::open(&dir.path().join("journal.db")).unwrap().verify_all().unwrap();
    let want = Verified { streams: 2, rows: 321, plans: 0, blobs: 0 };
    assert_eq!(verify(), want, "beside its keeper");
    drop(journal);
    assert_eq!(verify(), want, "without one");
}
