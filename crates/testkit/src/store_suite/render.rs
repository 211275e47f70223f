//! Every answer of a journal as text, whole: nothing that a caller could see is left out.

use std::fmt::Write as _;
use std::sync::Arc;

use steadyhand_engine::port::{AppendError, Fenced, LoadError, RunRow};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Recorded, chain_start};
use steadyhand_model::ids::{Fence, RunId, Seq};
use steadyhand_model::plan::TargetKey;
use steadyhand_model::time::Timestamp;

/// Longest event that is shown whole.
const EVENT_SHOWN_MAX: usize = 60;

type Loaded<T> = Result<T, LoadError>;

/// An error and what caused it, on one line.
fn error(error: &dyn std::error::Error) -> String {
    let mut text = format!("! {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.push('\n');
    text
}

fn lines<T>(loaded: &Loaded<Vec<T>>, mut line: impl FnMut(&T) -> String) -> String {
    match loaded {
        Ok(items) if items.is_empty() => "none\n".to_owned(),
        Ok(items) => items.iter().map(|item| line(item) + "\n").collect(),
        Err(failed) => error(failed),
    }
}

fn row(row: &Recorded) -> String {
    let event = row.event.as_str();
    let event = match event.get(..EVENT_SHOWN_MAX) {
        Some(start) if event.len() > EVENT_SHOWN_MAX => format!("{start}… {} bytes", event.len()),
        _ => event.to_owned(),
    };
    format!("{} at {} {} {event}", row.seq, row.at.0, row.hash.short())
}

/// Rows, and whether they form the chain that their hashes claim.
fn rows(rows: &[Recorded], first_prev: Digest) -> String {
    let mut out: String = rows.iter().map(|r| row(r) + "\n").collect();
    let mut prev = first_prev;
    let mut whole = true;
    for row in rows {
        whole &= row.is_whole() && row.prev == prev;
        prev = row.hash;
    }
    out.push_str(if whole { "whole\n" } else { "BROKEN\n" });
    out
}

pub(super) fn appended(result: &Result<Vec<Recorded>, AppendError>) -> String {
    match result {
        Ok(appended) => {
            let first_prev = appended.first().map_or_else(chain_start, |row| row.prev);
            rows(appended, first_prev)
        }
        Err(AppendError::AlreadyConsumed { answer }) => {
            format!("! already consumed, answered {}\n", answer.as_str())
        }
        Err(spent @ AppendError::RateSpent { free_at, .. }) => {
            format!("{}, free at {}\n", error(spent).trim_end(), free_at.0)
        }
        Err(failed) => error(failed),
    }
}

pub(super) fn loaded(result: &Loaded<Vec<Recorded>>) -> String {
    match result {
        Ok(loaded) => rows(loaded, chain_start()),
        Err(failed) => error(failed),
    }
}

pub(super) fn pendings(result: &Loaded<Vec<(Seq, Digest)>>) -> String {
    lines(result, |(seq, digest)| format!("{seq} {}", digest.short()))
}

pub(super) fn stored(result: &Result<(), AppendError>) -> String {
    match result {
        Ok(()) => "stored\n".to_owned(),
        Err(failed) => error(failed),
    }
}

pub(super) fn found<T: ?Sized>(result: &Loaded<Arc<T>>, show: impl Fn(&T) -> String) -> String {
    match result {
        Ok(found) => show(found) + "\n",
        Err(failed) => error(failed),
    }
}

pub(super) fn fence(result: &Result<Fence, AppendError>) -> String {
    match result {
        Ok(fence) => format!("fence {fence}\n"),
        Err(failed) => error(failed),
    }
}

pub(super) fn dispatched(result: &Result<(), Fenced>) -> String {
    match result {
        Ok(()) => "go\n".to_owned(),
        Err(failed) => error(failed),
    }
}

pub(super) fn digests(result: &Loaded<Vec<Digest>>) -> String {
    lines(result, Digest::short)
}

pub(super) fn runs(result: &Loaded<Vec<RunRow>>) -> String {
    lines(result, |row| {
        let mut line = format!("{} {}", row.run, row.phase);
        line.push_str(if row.finished { " finished" } else { " open" });
        line.push_str(if row.needs_person { " needs a person" } else { "" });
        let rest = write!(
            line,
            ", {} {} {} {}, created {}, changed {}, {}",
            row.plan.short(),
            row.environment,
            row.runbook,
            row.subject,
            row.created.0,
            row.changed.0,
            row.detail.as_str()
        );
        if rest.is_ok() { line } else { String::new() }
    })
}

pub(super) fn due(result: &Loaded<(Vec<RunId>, Option<Timestamp>)>) -> String {
    match result {
        Ok((runs, next)) => {
            let mut words: Vec<String> = runs.iter().map(RunId::to_string).collect();
            words.push(next.map_or_else(|| "then never".to_owned(), |at| format!("then {}", at.0)));
            words.join(" ") + "\n"
        }
        Err(failed) => error(failed),
    }
}

pub(super) fn answered(result: &Loaded<Option<CanonicalJson>>) -> String {
    match result {
        Ok(Some(answer)) => format!("{}\n", answer.as_str()),
        Ok(None) => "not yet\n".to_owned(),
        Err(failed) => error(failed),
    }
}

pub(super) fn used(result: &Loaded<(u32, Option<Timestamp>)>) -> String {
    match result {
        Ok((used, Some(at))) => format!("{used}, the oldest leaves at {}\n", at.0),
        Ok((used, None)) => format!("{used}\n"),
        Err(failed) => error(failed),
    }
}

pub(super) fn holders(result: &Loaded<Vec<(TargetKey, RunId)>>) -> String {
    lines(result, |(target, run)| format!("{target} {run}"))
}
