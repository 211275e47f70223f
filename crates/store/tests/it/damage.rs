//! Damage is noticed and named; an export is whole or refused.

use std::path::Path;

use steadyhand_engine::port::{Batch, Journal, LoadError};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::event::StreamId;
use steadyhand_model::ids::{RUN_ID_CHARS, RunId, Seq};
use steadyhand_model::time::Timestamp;
use steadyhand_store::memory::MemoryJournal;
use steadyhand_store::sqlite::file::{JournalFile, Verified};
use steadyhand_store::sqlite::{OpenError, SqliteJournal};
use steadyhand_store::state::StateDir;
use tempfile::TempDir;

use crate::opening::keeper;

fn run(letter: u8) -> StreamId {
    StreamId::Run(RunId::from_random([letter; RUN_ID_CHARS]))
}

/// Three rows in each of two streams, in turns.
async fn fill(journal: &dyn Journal) {
    for seq in 0..3_u64 {
        for letter in 0..2 {
            let event = CanonicalJson::of(&format!("event {seq} of {letter}")).unwrap();
            let batch = Batch { events: vec![event], ..Batch::default() };
            journal.append(run(letter), Seq(seq), Timestamp(10), batch).await.unwrap();
        }
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", error_chain(cause)));
    error.to_string() + &cause.unwrap_or_default()
}

/// As somebody with the file in hand would: the journal's own connections check foreign keys, this one does not.
fn tamper(path: &Path, sql: &str) {
    let db = rusqlite::Connection::open(path.join("journal.db")).unwrap();
    db.pragma_update(None, "foreign_keys", false).unwrap();
    assert!(db.execute(sql, []).unwrap() > 0, "{sql}");
}

/// What each statement does to the first stream, and what `load` says of it. Tables number it 1.
const DAMAGES: [(&str, &str); 8] = [
    (
        "UPDATE rows SET event = '\"event 1 of 9\"' WHERE stream = 1 AND seq = 2",
        "2: the hash is not that of the row and the one before it",
    ),
    (
        "UPDATE rows SET event = '\"event 1 of 0' WHERE stream = 1 AND seq = 2",
        "2: the event is not canonical JSON",
    ),
    (
        "UPDATE rows SET event = ' \"event 1 of 0\"' WHERE stream = 1 AND seq = 2",
        "2: the event is not canonical JSON",
    ),
    (
        "UPDATE rows SET at = 11 WHERE stream = 1 AND seq = 3",
        "3: the hash is not that of the row and the one before it",
    ),
    ("UPDATE rows SET at = 9 WHERE stream = 1 AND seq = 3", "3: the time goes back"),
    ("DELETE FROM rows WHERE stream = 1 AND seq = 1", "1: a row is missing"),
    ("DELETE FROM rows WHERE stream = 1 AND seq = 3", "3: a row is missing"),
    ("UPDATE streams SET seq = 2 WHERE id = 1", "2: the last row is not the recorded head"),
];

#[tokio::test]
async fn a_changed_or_missing_row_is_noticed_when_its_stream_is_loaded() {
    for (sql, what) in DAMAGES {
        let dir = TempDir::new().unwrap();
        let journal = keeper(dir.path());
        fill(&journal).await;
        tamper(dir.path(), sql);
        let want = format!("the journal is damaged at Run(r-aaaaaaaaaaaa) {what}");
        assert_eq!(journal.load(run(0)).await.unwrap_err().to_string(), want, "{sql}");
        // The other stream is not touched by it.
        assert_eq!(journal.load(run(1)).await.unwrap().len(), 3, "{sql}");
        drop(journal);
        let file = JournalFile::open(&dir.path().join("journal.db")).unwrap();
        let all = error_chain(&file.verify_all().unwrap_err());
        assert_eq!(all, format!("the journal does not verify: {want}"), "{sql}");
    }
}

#[tokio::test]
async fn a_journal_whose_newest_rows_are_damaged_is_not_opened() {
    let dir = TempDir::new().unwrap();
    let journal = keeper(dir.path());
    fill(&journal).await;
    drop(journal);
    let (sql, what) = DAMAGES[0];
    tamper(dir.path(), sql);
    let lock = StateDir::open(dir.path()).unwrap().lock().unwrap();
    let refused = SqliteJournal::open(lock).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }));
    assert_eq!(
        error_chain(&refused),
        format!(
            "the newest rows of the journal do not verify; keep the file and restore a copy: \
             the journal is damaged at Run(r-aaaaaaaaaaaa) {what}"
        )
    );
}

#[tokio::test]
async fn one_flipped_byte_in_the_file_is_noticed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("journal.db");
    let journal = keeper(dir.path());
    fill(&journal).await;
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let needle = b"event 1 of 0";
    let at = whole.windows(needle.len()).position(|w| w == needle).unwrap();
    for offset in 0..needle.len() {
        let mut bytes = whole.clone();
        bytes[at + offset] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let error = JournalFile::open(&path).unwrap().verify_all().unwrap_err();
        assert!(error_chain(&error).contains("r-aaaaaaaaaaaa) 2: "), "{}", error_chain(&error));
    }
    std::fs::write(&path, &whole).unwrap();
    let verified = JournalFile::open(&path).unwrap().verify_all().unwrap();
    assert_eq!(verified, Verified { streams: 2, rows: 6, plans: 0, blobs: 0 });
}

#[tokio::test]
async fn a_damaged_plan_or_blob_is_named() {
    use steadyhand_engine::port::Blob;
    use steadyhand_model::digest::Digest;

    let dir = TempDir::new().unwrap();
    let journal = keeper(dir.path());
    let digest = Digest::of(b"hello");
    let blob = Blob { digest, bytes: (*b"hello").into() };
    journal.put_blob(blob).await.unwrap();
    tamper(dir.path(), "UPDATE blobs SET bytes = x'68656c6c70'");
    let error = journal.blob(digest).await.unwrap_err();
    assert_eq!(error.to_string(), format!("the journal's blob {digest} is damaged"));
    assert!(matches!(error, LoadError::DamagedContent { what: "blob", .. }));
}

#[tokio::test]
async fn both_implementations_export_the_same_bytes() {
    let dir = TempDir::new().unwrap();
    let (memory, sqlite) = (MemoryJournal::new(), keeper(&dir.path().join("state")));
    fill(&memory).await;
    fill(&sqlite).await;
    let from_memory = dir.path().join("memory");
    let from_sqlite = dir.path().join("sqlite");
    let counted = memory.export(&from_memory).unwrap();
    let file = JournalFile::open(&sqlite.state().journal()).unwrap();
    assert_eq!(file.export(&from_sqlite).unwrap(), counted);
    assert_eq!((counted.rows, counted.plans), (6, 0));
    let lines = |path: &Path| std::fs::read_to_string(path.join("journal.jsonl")).unwrap();
    assert_eq!(lines(&from_sqlite), lines(&from_memory));
    let first = lines(&from_memory).lines().next().unwrap().to_owned();
    assert_eq!(
        first,
        "{\"at\":10,\"event\":\"event 0 of 0\",\"hash\":\
         \"sha256:60792ce9139e83544be10809372b0051b77ae35464d0e473819df9fc4dfbcc43\",\"prev\":\
         \"sha256:0000000000000000000000000000000000000000000000000000000000000000\",\
         \"seq\":1,\"stream\":{\"run\":\"r-aaaaaaaaaaaa\"}}"
    );
    // An export is never mixed with another.
    assert!(file.export(&from_sqlite).is_err());
}

#[tokio::test]
async fn a_damaged_journal_is_not_exported() {
    // A changed row, and one that was cut off the end.
    for (sql, what) in [DAMAGES[0], DAMAGES[6]] {
        let dir = TempDir::new().unwrap();
        let state = dir.path().join("state");
        let journal = keeper(&state);
        fill(&journal).await;
        tamper(&state, sql);
        let file = JournalFile::open(&journal.state().journal()).unwrap();
        let refused = file.export(&dir.path().join("out")).unwrap_err();
        let damaged = "the journal is damaged at Run(r-aaaaaaaaaaaa)";
        assert_eq!(
            error_chain(&refused),
            format!("the journal cannot be exported: {damaged} {what}")
        );
    }
}

#[tokio::test]
async fn rows_of_no_stream_are_noticed() {
    let dir = TempDir::new().unwrap();
    let journal = keeper(dir.path());
    fill(&journal).await;
    tamper(dir.path(), "DELETE FROM streams WHERE id = 1");
    assert!(matches!(journal.load(run(0)).await, Err(LoadError::Missing)));
    let file = JournalFile::open(&journal.state().journal()).unwrap();
    assert_eq!(
        file.verify_all().unwrap_err().to_string(),
        "the journal's file is damaged: a row of `rows` is of no stream"
    );
    assert!(file.export(&dir.path().join("out")).is_err());
    drop(journal);
    let lock = StateDir::open(dir.path()).unwrap().lock().unwrap();
    assert!(matches!(SqliteJournal::open(lock), Err(OpenError::Damaged { .. })));
}
