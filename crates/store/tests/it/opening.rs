//! How every test here becomes a keeper.

use std::path::Path;

use steadyhand_store::sqlite::SqliteJournal;
use steadyhand_store::state::StateDir;

/// Opens the journal of a directory as its keeper.
pub(crate) fn keeper(path: &Path) -> SqliteJournal {
    let lock = StateDir::open(path).unwrap().lock().unwrap();
    SqliteJournal::open(lock).unwrap()
}
