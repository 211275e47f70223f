//! How often a subject was reserved within a window. Both ends of the window belong to it.

use rusqlite::{Connection, OptionalExtension, params};
use steadyhand_engine::port::{AppendError, RateReservation};
use steadyhand_model::time::{Span, Timestamp};

use super::columns::get;

/// What counts now.
pub(super) struct Counted {
    pub(super) used: u32,
    /// Reservations from this moment on count.
    from: Timestamp,
}

pub(super) fn count(
    db: &Connection,
    subject: &str,
    window: Span,
    now: Timestamp,
) -> rusqlite::Result<Counted> {
    let now = effective(db, subject, now)?;
    let from = Timestamp(now.0.saturating_sub(window.micros()));
    let used = db
        .prepare_cached("SELECT count(*) FROM rates WHERE subject = ?1 AND at >= ?2")?
        .query_row(params![subject, from.0], |row| row.get(0))?;
    Ok(Counted { used, from })
}

/// The newest reservation counts as now if the clock has jumped back behind it.
fn effective(db: &Connection, subject: &str, now: Timestamp) -> rusqlite::Result<Timestamp> {
    let last: Option<Timestamp> = db
        .prepare_cached("SELECT max(at) FROM rates WHERE subject = ?1")?
        .query_row([subject], |row| get(row, 0))?;
    Ok(last.map_or(now, |last| now.max(last)))
}

/// When the reservation that is `index` from the oldest leaves the window.
pub(super) fn leaves(
    db: &Connection,
    subject: &str,
    window: Span,
    counted: &Counted,
    index: u32,
) -> rusqlite::Result<Option<Timestamp>> {
    let at: Option<Timestamp> = db
        .prepare_cached(
            "SELECT at FROM rates WHERE subject = ?1 AND at >= ?2 ORDER BY at LIMIT 1 OFFSET ?3",
        )?
        .query_row(params![subject, counted.from.0, index], |row| get(row, 0))
        .optional()?;
    Ok(at.map(|at| Timestamp(at.plus(window).0.saturating_add(1))))
}

pub(super) fn spent(
    db: &Connection,
    rate: &RateReservation,
    now: Timestamp,
) -> rusqlite::Result<Option<AppendError>> {
    let counted = count(db, &rate.subject, rate.window, now)?;
    if counted.used < rate.count {
        return Ok(None);
    }
    // One place is free when only `count - 1` of them are left in the window; a count of zero never has one.
    let index = counted.used - rate.count;
    let free_at = leaves(db, &rate.subject, rate.window, &counted, index)?;
    Ok(Some(AppendError::RateSpent {
        subject: rate.subject.clone(),
        used: counted.used,
        count: rate.count,
        window: rate.window,
        free_at: free_at.unwrap_or(Timestamp::MAX),
    }))
}

pub(super) fn reserve(db: &Connection, subject: &str, now: Timestamp) -> rusqlite::Result<()> {
    let at = effective(db, subject, now)?;
    db.prepare_cached("INSERT INTO rates (subject, at) VALUES (?1, ?2)")?
        .execute(params![subject, at.0])?;
    Ok(())
}
