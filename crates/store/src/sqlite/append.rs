//! One append inside the writer's transaction: what it refuses, and what it makes durable.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use steadyhand_engine::port::{AppendError, Batch, Blob, IntentRow, RateReservation, RunRow};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Recorded, StreamId};
use steadyhand_model::ids::{InboxId, RunId, Seq};
use steadyhand_model::plan::{Plan, TargetKey};
use steadyhand_model::time::Timestamp;

use super::columns::{get, leg_text, signed, stream_text};
use super::rates;
use crate::batch::{Head, chain_rows, run_of};

/// The outer error is the database's and ends the whole group; the inner one is this append's own.
pub(super) type Written<T> = rusqlite::Result<Result<T, AppendError>>;

/// An append that is waiting for its turn.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) stream: StreamId,
    pub(super) expected: Seq,
    pub(super) now: Timestamp,
    pub(super) batch: Batch,
}

/// Ends the function with an append's own refusal.
macro_rules! refuse {
    ($error:expr) => {
        return Ok(Err($error))
    };
}

impl Append {
    /// Must run inside a savepoint: a refusal may come after the first write.
    pub(super) fn write(&self, tx: &Connection) -> Written<Vec<Recorded>> {
        let Self { stream, expected, now, batch } = self;
        if let Some((id, answer)) = &batch.consumed
            && let Some(answer) = consume(tx, id, answer)?
        {
            refuse!(AppendError::AlreadyConsumed { answer });
        }
        let known = known_stream(tx, stream)?;
        let head = known.as_ref().map_or_else(Head::none, |known| known.head);
        if head.seq != *expected {
            refuse!(AppendError::Conflict { expected: *expected, found: head.seq });
        }
        let rows = match chain_rows(stream, head, *now, batch) {
            Ok(rows) => rows,
            Err(unfit) => refuse!(unfit.into()),
        };
        let id = match rows.last() {
            Some(last) => Some(write_rows(tx, stream, known.as_ref(), &rows, last, batch)?),
            None => known.map(|known| known.id),
        };
        if let Some(run) = run_of(stream) {
            release_leases(tx, run, &batch.leases_released)?;
            if let Err(held) = take_leases(tx, run, &batch.leases_taken)? {
                refuse!(held);
            }
        }
        if let Some(id) = id {
            if let Err(twice) = insert_intents(tx, id, &batch.intents)? {
                refuse!(twice);
            }
            batch.row.iter().try_for_each(|row| upsert_run(tx, id, row))?;
        }
        if let Err(spent) = reserve_rates(tx, &batch.rates, *now)? {
            refuse!(spent);
        }
        batch.blobs.iter().try_for_each(|blob| insert_blob(tx, blob))?;
        Ok(Ok(rows))
    }
}

/// Records a change's id; gives the recorded answer if it was made before.
fn consume(
    tx: &Connection,
    id: &InboxId,
    answer: &CanonicalJson,
) -> rusqlite::Result<Option<CanonicalJson>> {
    let known = tx
        .prepare_cached("SELECT answer FROM inbox WHERE id = ?1")?
        .query_row([id.as_str()], |row| get(row, 0))
        .optional()?;
    if known.is_none() {
        tx.prepare_cached("INSERT INTO inbox (id, answer) VALUES (?1, ?2)")?
            .execute([id.as_str(), answer.as_str()])?;
    }
    Ok(known)
}

/// A stream that has rows.
pub(super) struct KnownStream {
    pub(super) id: i64,
    pub(super) head: Head,
    due: Option<Timestamp>,
}

pub(super) fn known_stream(
    tx: &Connection,
    stream: &StreamId,
) -> rusqlite::Result<Option<KnownStream>> {
    tx.prepare_cached("SELECT id, seq, at, hash, due FROM streams WHERE name = ?1")?
        .query_row([stream_text(stream)], |row| {
            let head = Head { seq: get(row, 1)?, at: get(row, 2)?, hash: get(row, 3)? };
            Ok(KnownStream { id: row.get(0)?, head, due: get(row, 4)? })
        })
        .optional()
}

fn release_leases(tx: &Connection, run: &RunId, targets: &[TargetKey]) -> rusqlite::Result<()> {
    let mut delete = tx.prepare_cached("DELETE FROM leases WHERE target = ?1 AND run = ?2")?;
    for target in targets {
        delete.execute([target.0.as_str(), run.as_str()])?;
    }
    Ok(())
}

fn take_leases(tx: &Connection, run: &RunId, targets: &[TargetKey]) -> Written<()> {
    let mut holder = tx.prepare_cached("SELECT run FROM leases WHERE target = ?1")?;
    let mut insert = tx.prepare_cached("INSERT INTO leases (target, run) VALUES (?1, ?2)")?;
    for target in targets {
        match holder.query_row([&target.0], |row| get::<RunId>(row, 0)).optional()? {
            None => {
                insert.execute([target.0.as_str(), run.as_str()])?;
            }
            Some(by) if by == *run => {}
            Some(by) => refuse!(AppendError::LeaseHeld { target: target.clone(), by }),
        }
    }
    Ok(Ok(()))
}

fn insert_intents(tx: &Connection, stream: i64, intents: &[IntentRow]) -> Written<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO intents (stream, step, leg, attempt, call, fence) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO NOTHING",
    )?;
    for intent in intents {
        let inserted = insert.execute(params![
            stream,
            intent.at.step.as_str(),
            leg_text(intent.at.leg),
            intent.at.attempt.0,
            intent.call.bytes(),
            signed(intent.fence.0)?,
        ])?;
        if inserted == 0 {
            refuse!(AppendError::IntentTwice);
        }
    }
    Ok(Ok(()))
}

/// Checks all reservations against what was there before, then records each subject once.
fn reserve_rates(tx: &Connection, rates: &[RateReservation], now: Timestamp) -> Written<()> {
    for rate in rates {
        if let Some(spent) = rates::spent(tx, rate, now)? {
            refuse!(spent);
        }
    }
    let subjects: BTreeSet<&str> = rates.iter().map(|rate| rate.subject.as_str()).collect();
    for subject in subjects {
        rates::reserve(tx, subject, now)?;
    }
    Ok(Ok(()))
}

/// Writes rows, moves the stream's end and due time, and gives the stream's number.
fn write_rows(
    tx: &Connection,
    stream: &StreamId,
    known: Option<&KnownStream>,
    rows: &[Recorded],
    last: &Recorded,
    batch: &Batch,
) -> rusqlite::Result<i64> {
    let (seq, at, hash) = (signed(last.seq.0)?, last.at.0, last.hash.bytes());
    let due = batch.due.map(|due| due.0);
    let id = match known {
        None => tx
            .prepare_cached(
                "INSERT INTO streams (name, seq, at, hash, due) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .insert(params![stream_text(stream), seq, at, hash, due])?,
        Some(known) => {
            tx.prepare_cached("UPDATE streams SET seq = ?2, at = ?3, hash = ?4 WHERE id = ?1")?
                .execute(params![known.id, seq, at, hash])?;
            // Apart, because a due time that stays would still rewrite its index.
            if known.due != batch.due {
                tx.prepare_cached("UPDATE streams SET due = ?2 WHERE id = ?1")?
                    .execute(params![known.id, due])?;
            }
            known.id
        }
    };
    let mut insert = tx.prepare_cached(
        "INSERT INTO rows (stream, seq, at, hash, event, pending) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for row in rows {
        let pending = batch.pending.filter(|_| row.seq == last.seq);
        insert.execute(params![
            id,
            signed(row.seq.0)?,
            row.at.0,
            row.hash.bytes(),
            row.event.as_str(),
            pending.as_ref().map(Digest::bytes),
        ])?;
    }
    Ok(id)
}

fn upsert_run(tx: &Connection, stream: i64, row: &RunRow) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO runs (stream, plan, environment, runbook, subject, phase, finished, needs_person,
                           created, changed, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (stream) DO UPDATE SET plan = ?2, environment = ?3, runbook = ?4, subject = ?5,
             phase = ?6, finished = ?7, needs_person = ?8, created = ?9, changed = ?10, detail = ?11",
    )?
    .execute(params![
        stream,
        row.plan.bytes(),
        row.environment,
        row.runbook,
        row.subject,
        row.phase,
        row.finished,
        row.needs_person,
        row.created.0,
        row.changed.0,
        row.detail.as_str(),
    ])?;
    Ok(())
}

pub(super) fn insert_blob(tx: &Connection, blob: &Blob) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO blobs (digest, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![blob.digest.bytes(), &*blob.bytes])?;
    Ok(())
}

pub(super) fn insert_plan(tx: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO plans (digest, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![plan.digest().bytes(), plan.bytes().as_str()])?;
    Ok(())
}
