//! The tables, their version, and how a connection is opened. Every connection of this crate is made here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

/// `stdy`, so that a file is known as a journal without its name.
const APPLICATION_ID: i64 = 0x7374_6479;
/// One entry raises the schema by one version. A released entry is never edited.
const MIGRATIONS: [&str; 1] = [include_str!("schema_1.sql")];
/// How long a statement waits for an inspector's lock: 5 s.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The write-ahead log is cut back to this after a checkpoint, in bytes: 64 MiB.
const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;
/// Pages that a connection keeps in memory, in KiB: 16 MiB. Ids are random, so each append touches its own pages.
const CACHE_KIB: i64 = 16 * 1024;
/// Pages of 4 KiB in the write-ahead log before they are folded into the file: about 16 MiB. Each time costs two
/// syncs, which the writes of that moment wait for.
const WAL_PAGES_BEFORE_FOLD: i64 = 4000;
/// Prepared statements kept by a connection: more than this crate has.
const STATEMENTS_KEPT: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("the journal {} cannot be opened", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("the journal {} cannot be made", path.display())]
    Make {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is not a journal of this program", path.display())]
    NotAJournal { path: PathBuf },
    #[error(
        "the journal {} has version {found}, this program knows up to {known}; use the newer program that wrote it",
        path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("the journal {} has no schema yet", path.display())]
    Unmade { path: PathBuf },
    #[error(
        "the file system of {} cannot hold a write-ahead log (journal mode stayed `{mode}`); \
         use a local disk or name another directory with --state",
        path.display()
    )]
    NoLog { path: PathBuf, mode: String },
}

fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Opens the one connection that writes; makes or raises the schema.
pub(super) fn open_writer(path: &Path) -> Result<Connection, SchemaError> {
    crate::state::private_file(path)
        .map_err(|source| SchemaError::Make { path: path.to_owned(), source })?;
    let open = |source| SchemaError::Open { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(open)?;
    let version = version(&connection, path)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(open)?;
    if mode != "wal" {
        return Err(SchemaError::NoLog { path: path.to_owned(), mode });
    }
    settle(&connection).map_err(open)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT).map_err(open)?;
    connection
        .pragma_update_and_check(None, "wal_autocheckpoint", WAL_PAGES_BEFORE_FOLD, |row| {
            row.get::<_, i64>(0)
        })
        .map_err(open)?;
    raise(&mut connection, version).map_err(open)?;
    Ok(connection)
}

/// Opens a connection that can only read. The schema must be there.
pub(super) fn open_reader(path: &Path) -> Result<Connection, SchemaError> {
    let open = |source| SchemaError::Open { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(open)?;
    if version(&connection, path)? == 0 {
        return Err(SchemaError::Unmade { path: path.to_owned() });
    }
    settle(&connection).map_err(open)?;
    connection.pragma_update(None, "query_only", true).map_err(open)?;
    Ok(connection)
}

/// The schema's version; zero for an empty file. Anything that is not ours or too new is refused before it is touched.
fn version(connection: &Connection, path: &Path) -> Result<i64, SchemaError> {
    let open = |source| SchemaError::Open { path: path.to_owned(), source };
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 =
        match connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)) {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
                return Err(SchemaError::NotAJournal { path: path.to_owned() });
            }
            other => other.map_err(open)?,
        };
    let found = pragma("user_version").map_err(open)?;
    let ours = pragma("application_id").map_err(open)? == APPLICATION_ID;
    if !ours && (tables > 0 || found != 0) {
        return Err(SchemaError::NotAJournal { path: path.to_owned() });
    }
    if found > known_version() {
        return Err(SchemaError::Newer { path: path.to_owned(), found, known: known_version() });
    }
    Ok(found)
}

/// Settings of every connection. `synchronous=FULL`: a commit is on the disk, not only in the system's cache.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // Negative: KiB instead of pages.
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "memory")
}

fn raise(connection: &mut Connection, from: i64) -> rusqlite::Result<()> {
    for (version, sql) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > from) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
