//! The table of the `alerts` server: what is firing now. It has reads only.
//!
//! An alert is named by the fingerprint of its label set (domain notes 1.1): the same for every firing of those
//! labels. A silenced alert still fires, so `suppressed` is never an end; the end is polled.

use super::table::{choice, identity, name, read, record, status, wanted};
use super::{ReadSpec, ServerSpec};
use crate::types::{Field, Type};

/// Longest text of an annotation that is passed on, in characters.
const ANNOTATION_CHARS_MAX: u32 = 2000;

pub fn spec() -> ServerSpec {
    ServerSpec {
        server: name("alerts"),
        types: vec![],
        reads: reads(),
        functions: vec![],
        actions: vec![],
    }
}

fn state(values: &[&str]) -> Field {
    status("state", choice(values), "absent: the source does not know this alert now")
}

fn since() -> Field {
    status("since", Type::Duration.nullable(), "for how long it has been in this state")
}

fn reads() -> Vec<ReadSpec> {
    let listed = record(vec![
        identity("fingerprint", Type::String, "the source's hash of the label set"),
        identity("name", Type::String, "the label `alertname`"),
        identity("labels", Type::Labels, "all labels"),
        state(&["firing", "suppressed"]),
        since(),
        wanted("summary", Type::Text { max: ANNOTATION_CHARS_MAX }, "the annotation `summary`"),
    ]);
    vec![
        read(
            "alert",
            "The state of one alert",
            vec![identity("fingerprint", Type::String, "the source's hash of the label set")],
            record(vec![state(&["firing", "suppressed", "resolved", "absent"]), since()]),
        ),
        read("list_alerts", "The alerts that are firing now", vec![], Type::list(listed)),
    ]
}
