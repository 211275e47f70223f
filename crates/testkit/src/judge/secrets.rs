//! S8: what was planted as a secret is nowhere in the export, in no file and in no spelling that JSON allows.

use crate::judge::canonical;
use crate::judge::read::History;
use crate::judge::{Finding, Property};

pub(super) fn check(history: &History, canaries: &[String], findings: &mut Vec<Finding>) {
    for canary in canaries.iter().filter(|canary| !canary.is_empty()) {
        let spellings = spellings(canary);
        for (path, bytes) in &history.files {
            if spellings.iter().any(|spelling| contains(bytes, spelling)) {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                findings.push(Finding {
                    property: Property::S8,
                    run: None,
                    seq: None,
                    // The finding itself must not carry it further.
                    what: format!("{} has a planted secret", name.as_deref().unwrap_or("a file")),
                });
            }
        }
    }
}

/// As it is, and as a JSON string holds it.
fn spellings(canary: &str) -> Vec<Vec<u8>> {
    let quoted = canonical::text(&serde_json::Value::from(canary));
    let inside = quoted.and_then(|text| {
        text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map(str::to_owned)
    });
    [Some(canary.to_owned()), inside].into_iter().flatten().map(String::into_bytes).collect()
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
