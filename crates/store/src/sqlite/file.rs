//! A journal's file read without owning it: whole verification and export, with or without a living keeper.
//!
//! Each is one look at one state of the journal, row by row, so that memory does not grow with it. While it lasts,
//! the keeper goes on writing and its write-ahead log grows.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row};
use steadyhand_engine::port::LoadError;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::StreamId;

use super::columns::get;
use super::reads::{self, Read, StoredRow, link, lost};
use super::schema::{SchemaError, open_reader};
use crate::export::{Export, ExportError, Exported};

/// An open journal that cannot be changed through this value.
#[derive(Debug)]
pub struct JournalFile {
    connection: Connection,
}

/// What was looked at and found whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    pub streams: u64,
    pub rows: u64,
    pub plans: u64,
    pub blobs: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("the journal's file is damaged: {what}")]
    File { what: String },
    #[error("the journal does not verify")]
    Content {
        #[source]
        source: LoadError,
    },
}

impl From<LoadError> for VerifyError {
    fn from(source: LoadError) -> Self {
        Self::Content { source }
    }
}

impl JournalFile {
    /// Opens a journal that is there.
    pub fn open(path: &Path) -> Result<Self, SchemaError> {
        Ok(Self { connection: open_reader(path)? })
    }

    /// Verifies the file's own structure, the hash chain of every stream, and every plan and blob.
    pub fn verify_all(&self) -> Result<Verified, VerifyError> {
        let tx = self.connection.unchecked_transaction().map_err(lost)?;
        // The chains first: they can say which row it is.
        let mut verified = Verified::default();
        each(
            &tx,
            "SELECT name FROM streams",
            |row| get::<StreamId>(row, 0),
            |stream| {
                verified.streams += 1;
                reads::walk(&tx, &stream, |_| verified.rows += 1)
            },
        )?;
        each(
            &tx,
            "SELECT digest FROM plans",
            |row| get::<Digest>(row, 0),
            |digest| {
                verified.plans += 1;
                reads::plan(&tx, digest).map(drop)
            },
        )?;
        each(
            &tx,
            "SELECT digest FROM blobs",
            |row| get::<Digest>(row, 0),
            |digest| {
                verified.blobs += 1;
                reads::blob(&tx, digest).map(drop)
            },
        )?;
        let orphan: Option<String> = tx
            .query_row("PRAGMA foreign_key_check", [], |row| row.get(0))
            .optional()
            .map_err(lost)?;
        if let Some(table) = orphan {
            return Err(VerifyError::File { what: format!("a row of `{table}` is of no stream") });
        }
        let what: String =
            tx.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(lost)?;
        if what == "ok" { Ok(verified) } else { Err(VerifyError::File { what }) }
    }

    /// Writes the journal in the form that the judge reads, into a directory that has no export yet.
    ///
    /// # Errors
    /// At the first row that does not verify: what is exported is whole.
    pub fn export(&self, into: &Path) -> Result<Exported, ExportError> {
        let read = |source| ExportError::Read { source };
        let tx = self.connection.unchecked_transaction().map_err(lost).map_err(read)?;
        let mut export = Export::begin(into)?;
        let mut select = tx.prepare(&rows_by_commit("")).map_err(lost).map_err(read)?;
        let rows = select.query_map([], row_of_any_stream).map_err(lost).map_err(read)?;
        for row in rows {
            let (stream, row) = row.map_err(lost).map_err(read)?;
            export.row(&link(&tx, stream, row).map_err(read)?)?;
        }
        check_ends(&tx).map_err(read)?;
        let mut select =
            tx.prepare("SELECT digest, bytes FROM plans").map_err(lost).map_err(read)?;
        let plans = select
            .query_map([], |row| Ok((get::<Digest>(row, 0)?, get::<CanonicalJson>(row, 1)?)))
            .map_err(lost)
            .map_err(read)?;
        for plan in plans {
            let (digest, bytes) = plan.map_err(lost).map_err(read)?;
            if bytes.digest() != digest {
                return Err(read(LoadError::DamagedContent { what: "plan", digest }));
            }
            export.plan(digest, &bytes)?;
        }
        export.end()
    }
}

/// Every stream must end with the row that it is said to end with.
fn check_ends(db: &Connection) -> Read<()> {
    let cut = "SELECT name, seq FROM streams WHERE NOT EXISTS
               (SELECT 1 FROM rows WHERE stream = id AND rows.seq = streams.seq)";
    each(
        db,
        cut,
        |row| Ok((get(row, 0)?, get(row, 1)?)),
        |(stream, seq)| Err(LoadError::Damaged { stream, seq, what: "a row is missing" }),
    )
}

/// Verifies the rows that were written last, each against the one before it in its stream.
pub(super) fn verify_newest(db: &Connection, count: u32) -> Read<()> {
    let newest = rows_by_commit(&format!("DESC LIMIT {count}"));
    each(db, &newest, row_of_any_stream, |(stream, row)| link(db, stream, row).map(drop))
}

/// A row of no stream is an error, not left out.
fn rows_by_commit(rest: &str) -> String {
    format!(
        "SELECT rows.seq, rows.at, rows.hash, event, streams.name
         FROM rows LEFT JOIN streams ON streams.id = rows.stream ORDER BY n {rest}"
    )
}

/// From the columns of [`rows_by_commit`].
fn row_of_any_stream(row: &Row<'_>) -> rusqlite::Result<(StreamId, StoredRow)> {
    Ok((get(row, 4)?, StoredRow::read(row)?))
}

fn each<T>(
    db: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    mut check: impl FnMut(T) -> Read<()>,
) -> Read<()> {
    let mut select = db.prepare(sql).map_err(lost)?;
    let found = select.query_map([], read).map_err(lost)?;
    for item in found {
        check(item.map_err(lost)?)?;
    }
    Ok(())
}
