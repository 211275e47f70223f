//! S7, as far as an export shows it: every stream is a whole chain of hashes, without a gap and without a fork.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::judge::canonical;
use crate::judge::form::{Row, Stream};
use crate::judge::read::History;
use crate::judge::{Finding, Property};

/// Largest event, in bytes of canonical JSON: 16 KiB.
const EVENT_BYTES_MAX: usize = 16 * 1024;

struct Head {
    seq: u64,
    at: i64,
    hash: String,
}

pub(super) fn check(history: &History) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut heads: BTreeMap<&Stream, Head> = BTreeMap::new();
    for row in &history.rows {
        let head = heads.get(&row.stream);
        let (seq, at, prev) = match head {
            Some(head) => (head.seq + 1, head.at, head.hash.clone()),
            None => (1, i64::MIN, format!("sha256:{}", "0".repeat(64))),
        };
        let mut wrong = |what: String| findings.push(finding(row, what));
        if row.seq != seq {
            wrong(format!("row {} stands where row {seq} belongs", row.seq));
        }
        if row.at < at {
            wrong("the time goes back".to_owned());
        }
        if row.prev.as_ref().is_some_and(|said| *said != prev) {
            wrong("the row does not follow the one before it".to_owned());
        }
        match hash(row, &prev) {
            Some(hash) if hash == row.hash => {}
            Some(_) => wrong("the hash is not that of the row".to_owned()),
            None => wrong("the row has a number that is not whole".to_owned()),
        }
        if canonical::text(&row.event).is_none_or(|text| text.len() > EVENT_BYTES_MAX) {
            wrong(format!("the event is larger than {EVENT_BYTES_MAX} bytes"));
        }
        heads.insert(&row.stream, Head { seq: row.seq, at: row.at, hash: row.hash.clone() });
    }
    findings
}

/// SHA-256 over the canonical JSON of `{stream, seq, at, prev, event}`.
pub(super) fn hash(row: &Row, prev: &str) -> Option<String> {
    let stream = match &row.stream {
        Stream::Run(id) => json!({ "run": id }),
        Stream::Incident(id) => json!({ "incident": id }),
        Stream::Installation => Value::from("installation"),
    };
    let whole = json!({
        "stream": stream, "seq": row.seq, "at": row.at, "prev": prev, "event": row.event,
    });
    canonical::text(&whole).map(|text| canonical::digest(text.as_bytes()))
}

fn finding(row: &Row, what: String) -> Finding {
    let (run, what) = match &row.stream {
        Stream::Run(id) => (Some(id.clone()), what),
        Stream::Incident(id) => (None, format!("incident {id}: {what}")),
        Stream::Installation => (None, format!("installation: {what}")),
    };
    Finding { property: Property::S7, run, seq: Some(row.seq), what }
}
