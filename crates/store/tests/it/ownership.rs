//! Who may own a state directory, and what a keeper leaves on the disk.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use steadyhand_store::sqlite::file::JournalFile;
use steadyhand_store::sqlite::{OpenError, SchemaError, SqliteJournal};
use steadyhand_store::state::{LockError, StateDir, StateError};
use tempfile::TempDir;

use crate::opening::keeper;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn only_the_owner_can_look_in() {
    let dir = TempDir::new().unwrap();
    let state = dir.path().join("a/b");
    let journal = keeper(&state);
    let mut modes: Vec<(String, u32)> = std::fs::read_dir(&state)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), mode(&entry.path()))
        })
        .collect();
    modes.sort();
    let private = |name: &str| (name.to_owned(), 0o600);
    let want = ["journal.db", "journal.db-shm", "journal.db-wal", "keeper.lock"].map(private);
    assert_eq!(modes, want);
    assert_eq!(mode(&state), 0o700);
    assert_eq!(mode(&dir.path().join("a")), 0o700);
    drop(journal);
}

#[test]
fn a_directory_that_others_can_read_is_closed_and_one_they_can_write_refused() {
    let dir = TempDir::new().unwrap();
    let cases = [
        (0o755, Ok(0o700)),
        (0o700, Ok(0o700)),
        (0o770, Err(0o770)),
        (0o707, Err(0o707)),
        (0o1777, Err(0o1777)),
    ];
    for (before, want) in cases {
        set_mode(dir.path(), before);
        let got = match StateDir::open(dir.path()) {
            Ok(_) => Ok(mode(dir.path())),
            Err(StateError::Writable { mode, .. }) => Err(mode),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(got, want, "{before:o}");
    }
}

#[test]
fn files_that_others_could_read_are_closed() {
    let dir = TempDir::new().unwrap();
    drop(keeper(dir.path()));
    for name in ["journal.db", "keeper.lock"] {
        set_mode(&dir.path().join(name), 0o644);
    }
    drop(keeper(dir.path()));
    for name in ["journal.db", "keeper.lock"] {
        assert_eq!(mode(&dir.path().join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_directory_of_another_user_is_refused() {
    // Without the rights to give a directory away, the root directory is another user's already.
    let dir = TempDir::new().unwrap();
    let us = rustix::process::geteuid();
    let path = if us.is_root() {
        let other = Some(rustix::fs::Uid::from_raw(65534));
        rustix::fs::chown(dir.path(), other, None).unwrap();
        dir.path()
    } else {
        Path::new("/")
    };
    let refused = StateDir::open(path).unwrap_err();
    assert!(
        matches!(refused, StateError::Owner { us: named, .. } if named == us.as_raw()),
        "{refused}"
    );
}

#[test]
fn a_file_is_no_state_directory_and_a_link_no_lock() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(matches!(StateDir::open(&file), Err(StateError::Make { .. })));
    let state = dir.path().join("state");
    let opened = StateDir::open(&state).unwrap();
    symlink(&file, state.join("keeper.lock")).unwrap();
    assert!(matches!(opened.lock(), Err(LockError::Io { .. })));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x");
}

#[test]
fn a_second_keeper_is_told_who_the_first_is() {
    let dir = TempDir::new().unwrap();
    let first = keeper(dir.path());
    let state = StateDir::open(dir.path()).unwrap();
    let pid = std::process::id();
    let refused = state.lock().unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("another keeper, pid {pid}, owns this state directory")
    );
    drop(first);
    let lock = state.lock().unwrap();
    drop(SqliteJournal::open(lock).unwrap());
}

#[test]
fn a_journal_of_a_newer_program_or_of_another_is_refused_untouched() {
    let newer = "PRAGMA application_id = 0x73746479; PRAGMA user_version = 2";
    let foreign = "CREATE TABLE notes (t TEXT); INSERT INTO notes VALUES ('mine')";
    let cases = [
        (newer, "has version 2, this program knows up to 1; use the newer program that wrote it"),
        (foreign, "is not a journal of this program"),
    ];
    for (sql, want) in cases {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("journal.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let before = std::fs::read(&path).unwrap();
        let lock = StateDir::open(dir.path()).unwrap().lock().unwrap();
        let Err(OpenError::Schema { source }) = SqliteJournal::open(lock) else {
            panic!("was opened: {want}");
        };
        assert!(source.to_string().ends_with(want), "{source}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[test]
fn what_is_no_database_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("journal.db");
    std::fs::write(&path, "x".repeat(5000)).unwrap();
    let lock = StateDir::open(dir.path()).unwrap().lock().unwrap();
    let refused = SqliteJournal::open(lock).unwrap_err();
    assert!(
        matches!(refused, OpenError::Schema { source: SchemaError::NotAJournal { .. } }),
        "{refused:?}"
    );
    assert!(matches!(
        JournalFile::open(&dir.path().join("none.db")),
        Err(SchemaError::Open { .. })
    ));
}
