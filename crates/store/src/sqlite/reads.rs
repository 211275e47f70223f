//! Questions to the database, and the verification of what it answers.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use steadyhand_engine::port::{LoadError, RunFilter, RunRow};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Recorded, StreamId};
use steadyhand_model::ids::{InboxId, RunId, Seq};
use steadyhand_model::plan::{Plan, TargetKey};
use steadyhand_model::time::{Span, Timestamp};

use super::append::known_stream;
use super::columns::{get, signed, stream_text};
use super::rates;
use crate::batch::Head;

/// Most plans that a prefix answers with.
const PLANS_BY_PREFIX_MAX: u32 = 10;
/// Hexadecimal digits of a digest.
const DIGEST_DIGITS: usize = 64;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("the database did not answer")]
    Database {
        #[source]
        source: rusqlite::Error,
    },
    #[error("the journal is closed")]
    Closed,
}

impl From<ReadError> for LoadError {
    fn from(error: ReadError) -> Self {
        Self::Lost { source: Box::new(error) }
    }
}

pub(super) type Read<T> = Result<T, LoadError>;

pub(super) fn lost(source: rusqlite::Error) -> LoadError {
    ReadError::Database { source }.into()
}

/// A row as it stands in the table, not believed yet.
pub(super) struct StoredRow {
    pub(super) seq: Seq,
    at: Timestamp,
    hash: Digest,
    /// `None` if it is not canonical JSON any more.
    event: Option<CanonicalJson>,
}

impl StoredRow {
    /// From the columns seq, at, hash, event.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let event = match row.get_ref(3)? {
            ValueRef::Text(bytes) => canonical(bytes),
            _ => None,
        };
        Ok(Self { seq: get(row, 0)?, at: get(row, 1)?, hash: get(row, 2)?, event })
    }
}

fn canonical(bytes: &[u8]) -> Option<CanonicalJson> {
    match CanonicalJson::parse(bytes) {
        Ok(json) if json.as_str().as_bytes() == bytes => Some(json),
        Ok(_) => None,
        Err(error) => {
            tracing::error!(%error, "a stored event does not parse");
            None
        }
    }
}

/// Verifies rows one after another against the hash chain of their stream.
pub(super) struct Chain {
    stream: StreamId,
    last: Head,
}

impl Chain {
    pub(super) fn begin(stream: StreamId) -> Self {
        Self { stream, last: Head::none() }
    }

    pub(super) fn next(&mut self, row: StoredRow) -> Read<Recorded> {
        let StoredRow { seq, at, hash, event } = row;
        if seq != self.last.seq.next() {
            return Err(self.damaged(self.last.seq.next(), "a row is missing"));
        }
        if at < self.last.at {
            return Err(self.damaged(seq, "the time goes back"));
        }
        let Some(event) = event else {
            return Err(self.damaged(seq, "the event is not canonical JSON"));
        };
        let prev = self.last.hash;
        let row = Recorded { stream: self.stream.clone(), seq, at, prev, hash, event };
        if !row.is_whole() {
            return Err(self.damaged(seq, "the hash is not that of the row and the one before it"));
        }
        self.last = Head::of(&row);
        Ok(row)
    }

    /// The stream must end where its head says.
    pub(super) fn end(&self, head: Head) -> Read<()> {
        if self.last.seq < head.seq {
            return Err(self.damaged(self.last.seq.next(), "a row is missing"));
        }
        if self.last != head {
            return Err(self.damaged(head.seq, "the last row is not the recorded head"));
        }
        Ok(())
    }

    fn damaged(&self, seq: Seq, what: &'static str) -> LoadError {
        LoadError::Damaged { stream: self.stream.clone(), seq, what }
    }
}

/// Verifies a whole stream, row by row.
pub(super) fn walk(db: &Connection, stream: &StreamId, mut each: impl FnMut(Recorded)) -> Read<()> {
    let known = known_stream(db, stream).map_err(lost)?.ok_or(LoadError::Missing)?;
    let mut chain = Chain::begin(stream.clone());
    let mut select = db
        .prepare_cached("SELECT seq, at, hash, event FROM rows WHERE stream = ?1 ORDER BY seq")
        .map_err(lost)?;
    let rows = select.query_map([known.id], StoredRow::read).map_err(lost)?;
    for row in rows {
        each(chain.next(row.map_err(lost)?)?);
    }
    chain.end(known.head)
}

pub(super) fn load(db: &Connection, stream: &StreamId) -> Read<Vec<Recorded>> {
    let mut rows = Vec::new();
    walk(db, stream, |row| rows.push(row))?;
    Ok(rows)
}

const BEFORE: &str = "SELECT rows.seq, rows.at, rows.hash FROM rows JOIN streams ON streams.id = rows.stream \
                      WHERE streams.name = ?1 AND rows.seq = ?2";

/// Verifies one row, of which nothing but its place is known, against the one before it.
pub(super) fn link(db: &Connection, stream: StreamId, row: StoredRow) -> Read<Recorded> {
    let before = match row.seq.0.checked_sub(1).filter(|seq| *seq > 0) {
        None => Some(Head::none()),
        Some(seq) => signed(seq)
            .and_then(|seq| {
                db.prepare_cached(BEFORE)?
                    .query_row(params![stream_text(&stream), seq], |row| {
                        Ok(Head { seq: get(row, 0)?, at: get(row, 1)?, hash: get(row, 2)? })
                    })
                    .optional()
            })
            .map_err(lost)?,
    };
    let missing = Seq(row.seq.0.saturating_sub(1));
    match before {
        Some(last) => Chain { stream, last }.next(row),
        None => Err(Chain::begin(stream).damaged(missing, "a row is missing")),
    }
}

pub(super) fn pendings(db: &Connection, stream: &StreamId) -> Read<Vec<(Seq, Digest)>> {
    let known = known_stream(db, stream).map_err(lost)?.ok_or(LoadError::Missing)?;
    all(
        db,
        "SELECT seq, pending FROM rows WHERE stream = ?1 AND pending IS NOT NULL ORDER BY seq",
        [known.id],
        |row| Ok((get(row, 0)?, get(row, 1)?)),
    )
}

fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Read<Vec<T>> {
    let mut select = db.prepare_cached(sql).map_err(lost)?;
    let rows = select.query_map(params, read).map_err(lost)?;
    rows.collect::<rusqlite::Result<_>>().map_err(lost)
}

pub(super) fn plan(db: &Connection, digest: Digest) -> Read<Arc<Plan>> {
    let bytes = db
        .prepare_cached("SELECT CAST(bytes AS BLOB) FROM plans WHERE digest = ?1")
        .and_then(|mut select| {
            select.query_row([digest.bytes()], |row| row.get::<_, Vec<u8>>(0)).optional()
        })
        .map_err(lost)?
        .ok_or(LoadError::Missing)?;
    let damaged = LoadError::DamagedContent { what: "plan", digest };
    if Digest::of(&bytes) != digest {
        return Err(damaged);
    }
    match Plan::parse(&bytes) {
        Ok(plan) if plan.digest() == digest => Ok(Arc::new(plan)),
        Ok(_) => Err(damaged),
        Err(error) => {
            tracing::error!(%digest, %error, "a stored plan does not parse");
            Err(damaged)
        }
    }
}

pub(super) fn blob(db: &Connection, digest: Digest) -> Read<Arc<[u8]>> {
    let bytes: Vec<u8> = db
        .prepare_cached("SELECT bytes FROM blobs WHERE digest = ?1")
        .and_then(|mut select| select.query_row([digest.bytes()], |row| row.get(0)).optional())
        .map_err(lost)?
        .ok_or(LoadError::Missing)?;
    if Digest::of(&bytes) != digest {
        return Err(LoadError::DamagedContent { what: "blob", digest });
    }
    Ok(bytes.into())
}

pub(super) fn plans_by_prefix(db: &Connection, hex: &str) -> Read<Vec<Digest>> {
    let Some((from, to)) = digest_range(hex) else { return Ok(Vec::new()) };
    all(
        db,
        "SELECT digest FROM plans WHERE digest BETWEEN ?1 AND ?2 ORDER BY digest LIMIT ?3",
        params![from.bytes(), to.bytes(), PLANS_BY_PREFIX_MAX],
        |row| get(row, 0),
    )
}

/// The smallest and the largest digest with these first digits; `None` if they are no lower-case digits of one.
fn digest_range(hex: &str) -> Option<(Digest, Digest)> {
    if hex.len() > DIGEST_DIGITS {
        return None;
    }
    let filled = |digit: &str| {
        let rest = digit.repeat(DIGEST_DIGITS - hex.len());
        format!("sha256:{hex}{rest}").parse::<Digest>()
    };
    match (filled("0"), filled("f")) {
        (Ok(from), Ok(to)) => Some((from, to)),
        (Err(_), _) | (_, Err(_)) => None,
    }
}

const RUN_COLUMNS: &str = "streams.name, plan, environment, runbook, subject, phase, finished, needs_person, \
                           created, changed, detail";

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        run: get(row, 0)?,
        plan: get(row, 1)?,
        environment: row.get(2)?,
        runbook: row.get(3)?,
        subject: row.get(4)?,
        phase: row.get(5)?,
        finished: row.get(6)?,
        needs_person: row.get(7)?,
        created: get(row, 8)?,
        changed: get(row, 9)?,
        detail: get(row, 10)?,
    })
}

pub(super) fn runs(db: &Connection, filter: &RunFilter) -> Read<Vec<RunRow>> {
    let select = |rest: &str| {
        format!("SELECT {RUN_COLUMNS} FROM runs JOIN streams ON streams.id = runs.stream {rest}")
    };
    match filter {
        RunFilter::Open => {
            all(db, &select("WHERE finished = 0 ORDER BY runs.stream DESC"), [], run_row)
        }
        RunFilter::Newest { limit } => {
            all(db, &select("ORDER BY runs.stream DESC LIMIT ?1"), [limit], run_row)
        }
        RunFilter::Prefix(text) => {
            // No text that begins with the prefix sorts behind it and the last character there is.
            let end = format!("{text}{}", char::MAX);
            let rest = "WHERE name >= ?1 AND name < ?2 ORDER BY runs.stream DESC";
            all(db, &select(rest), [text, &end], run_row)
        }
        RunFilter::One(run) => all(db, &select("WHERE name = ?1"), [run.as_str()], run_row),
    }
}

pub(super) fn due(
    db: &Connection,
    now: Timestamp,
    limit: u32,
) -> Read<(Vec<RunId>, Option<Timestamp>)> {
    let mut runs = Vec::new();
    let mut select = db
        .prepare_cached(
            "SELECT name, due FROM streams WHERE due IS NOT NULL ORDER BY due, name LIMIT ?1",
        )
        .map_err(lost)?;
    // One more than asked for: it tells when to look again.
    let rows = select
        .query_map([i64::from(limit) + 1], |row| Ok((get::<RunId>(row, 0)?, get(row, 1)?)))
        .map_err(lost)?;
    for (index, row) in (0..=limit).zip(rows) {
        let (run, at) = row.map_err(lost)?;
        if at > now || index == limit {
            return Ok((runs, Some(at)));
        }
        runs.push(run);
    }
    Ok((runs, None))
}

pub(super) fn answered(db: &Connection, id: &InboxId) -> Read<Option<CanonicalJson>> {
    db.prepare_cached("SELECT answer FROM inbox WHERE id = ?1")
        .and_then(|mut select| select.query_row([id.as_str()], |row| get(row, 0)).optional())
        .map_err(lost)
}

pub(super) fn used(
    db: &Connection,
    subject: &str,
    window: Span,
    now: Timestamp,
) -> Read<(u32, Option<Timestamp>)> {
    let counted = rates::count(db, subject, window, now).map_err(lost)?;
    let oldest = rates::leaves(db, subject, window, &counted, 0).map_err(lost)?;
    Ok((counted.used, oldest))
}

pub(super) fn holders(db: &Connection, targets: Vec<TargetKey>) -> Read<Vec<(TargetKey, RunId)>> {
    let mut select = db.prepare_cached("SELECT run FROM leases WHERE target = ?1").map_err(lost)?;
    let mut held = Vec::new();
    for target in targets {
        let run = select.query_row([&target.0], |row| get(row, 0)).optional().map_err(lost)?;
        held.extend(run.map(|run| (target, run)));
    }
    Ok(held)
}
