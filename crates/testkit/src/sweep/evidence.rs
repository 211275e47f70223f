//! What is left when a case is over: the exported journal, the worlds' own lines, and the processes. Nothing here asks
//! a keeper.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use steadyhand_api::request::Request;
use steadyhand_model::event::At;
use steadyhand_model::ids::RunId;
use steadyhand_model::outcome::Settlement;
use steadyhand_store::export::ExportError;
use steadyhand_store::sqlite::SchemaError;
use steadyhand_store::sqlite::file::{JournalFile, VerifyError};

use super::keeper::{WORLD_FILE, WORLDS};
use super::person::{CANCEL_ASKED, NOTHING, Told};
use crate::judge::{Given, ReadError, judge};

/// Tool servers die with their keeper, by a signal of the kernel. This long is far above what that takes.
const GONE_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Below a case's folder.
pub(super) const EXPORT: &str = "export";
const JOURNAL: &str = "journal.db";
/// Of a row of the journal: its run, and the type of its event.
const RUN: &str = "/stream/run";
const TYPE: &str = "/event/type";

#[derive(Debug, thiserror::Error)]
pub(super) enum EvidenceError {
    #[error("{} cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} line {line} is no JSON", path.display())]
    Line {
        path: PathBuf,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
    #[error("the journal cannot be opened")]
    Journal {
        #[source]
        source: SchemaError,
    },
    #[error("the journal does not verify")]
    Verify {
        #[source]
        source: VerifyError,
    },
    #[error("the journal cannot be exported")]
    Export {
        #[source]
        source: ExportError,
    },
    #[error("the export cannot be judged")]
    Judge {
        #[source]
        source: ReadError,
    },
}

/// What a case shows.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) findings: Vec<String>,
    pub(super) effects: u32,
    pub(super) twice: u32,
    pub(super) lost: u32,
}

/// Exports the record of a case and judges it.
pub(super) fn examine(case: &Path, state: &Path, told: &Told) -> Result<Shown, EvidenceError> {
    let export = case.join(EXPORT);
    let journal = JournalFile::open(&state.join(JOURNAL))
        .map_err(|source| EvidenceError::Journal { source })?;
    journal.verify_all().map_err(|source| EvidenceError::Verify { source })?;
    journal.export(&export).map_err(|source| EvidenceError::Export { source })?;
    let mut shown = Shown::default();
    let worlds = state.join(WORLDS);
    let own = told.world.as_ref().map(RunId::as_str).unwrap_or_default();
    for entry in read_dir(&worlds)? {
        let file = entry.join(WORLD_FILE);
        if entry.file_name() == Some(OsStr::new(own)) {
            let to = export.join(WORLD_FILE);
            fs::copy(&file, &to).map_err(|source| EvidenceError::Read { path: file, source })?;
        } else if lines(&file)?.iter().any(|line| line["kind"] == "effect") {
            shown.findings.push(format!("{} has an effect and no run", file.display()));
        }
    }
    let given = Given { canaries: Vec::new(), at_rest: true };
    let judged = judge(&export, &given).map_err(|source| EvidenceError::Judge { source })?;
    shown.findings.extend(judged.iter().map(ToString::to_string));
    effects(&lines(&export.join(WORLD_FILE))?, &mut shown);
    inputs(&lines(&export.join("journal.jsonl"))?, told, &mut shown);
    for pid in left_behind(state)? {
        shown.findings.push(format!("process {pid} outlived its keeper"));
    }
    Ok(shown)
}

/// Counts effects, and those that are there more than once, without asking the judge.
fn effects(world: &[Value], shown: &mut Shown) {
    let undone: BTreeSet<u64> = world
        .iter()
        .filter(|line| line["kind"] == "landed" && line["changed"] == false)
        .filter_map(|line| line["of"].as_u64())
        .collect();
    let mut times: BTreeMap<[String; 3], u32> = BTreeMap::new();
    for line in world.iter().filter(|line| line["kind"] == "effect") {
        if line["seq"].as_u64().is_some_and(|seq| !undone.contains(&seq)) {
            let of = |pointer: &str| part(line, pointer).to_string();
            let leg = [of("/attempt/run"), of("/attempt/step"), of("/attempt/leg")];
            *times.entry(leg).or_default() += 1;
        }
    }
    for (_, times) in times {
        shown.effects += times;
        shown.twice += times - 1;
    }
}

/// Every accepted change is in the journal, once; and nothing is that nobody asked for.
fn inputs(journal: &[Value], told: &Told, shown: &mut Shown) {
    let mut wanted: BTreeMap<(String, &str), u32> = BTreeMap::new();
    for accepted in told.accepted.iter().filter(|accepted| accepted.event != NOTHING) {
        let run = accepted.run.to_string();
        *wanted.entry((run.clone(), accepted.event)).or_default() += 1;
        let undoes =
            matches!(accepted.request, Request::Settle { settlement: Settlement::Undo, .. });
        if undoes {
            *wanted.entry((run, CANCEL_ASKED)).or_default() += 1;
        }
    }
    let mut runs = 0;
    for line in journal.iter().filter(|line| part(line, TYPE) == "created") {
        runs += 1;
        let Some(run) = part(line, RUN).as_str().map(str::to_owned) else { continue };
        for event in ["approved", "answered", "settled", "resumed", CANCEL_ASKED, "created"] {
            wanted.entry((run.clone(), event)).or_default();
        }
    }
    for ((run, event), wanted) in wanted {
        let is = |line: &&Value| part(line, RUN) == &run && part(line, TYPE) == event;
        let found = u32::try_from(journal.iter().filter(is).count()).unwrap_or(u32::MAX);
        shown.lost += wanted.saturating_sub(found);
        if found != wanted {
            shown.findings.push(format!("{run}: {wanted} × `{event}` accepted, {found} recorded"));
        }
    }
    if told.forgotten > 0 {
        shown.lost += told.forgotten;
        shown.findings.push(format!("{} accepted changes were not known again", told.forgotten));
    }
    if runs != told.runs.len() {
        let followed = told.runs.len();
        shown.findings.push(format!("{runs} runs are recorded, {followed} were asked for"));
    }
}

/// Whether an attempt changed its world, or will.
pub(super) fn took_effect(
    state: &Path,
    world: &RunId,
    run: &RunId,
    at: &At,
) -> Result<bool, EvidenceError> {
    let lines = lines(&state.join(WORLDS).join(world.as_str()).join(WORLD_FILE))?;
    let wanted = serde_json::json!({
        "run": run, "step": at.step, "leg": at.leg, "attempt": at.attempt,
    });
    let same = |line: &Value, name: &str| {
        part(line, &format!("/attempt/{name}")) == part(&wanted, &format!("/{name}"))
    };
    Ok(lines.iter().any(|line| {
        line["kind"] == "effect"
            && ["run", "step", "leg", "attempt"].iter().all(|name| same(line, name))
    }))
}

/// A part of a line by its JSON pointer; null where it has none.
fn part<'a>(line: &'a Value, pointer: &str) -> &'a Value {
    line.pointer(pointer).unwrap_or(&Value::Null)
}

/// Whole lines; one that a killed writer left half is not there.
fn lines(path: &Path) -> Result<Vec<Value>, EvidenceError> {
    let read = |source| EvidenceError::Read { path: path.to_owned(), source };
    let text = fs::read(path).map_err(read)?;
    let mut all = Vec::new();
    for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if let Some(line) = line.strip_suffix(b"\n") {
            all.push(serde_json::from_slice(line).map_err(|source| EvidenceError::Line {
                path: path.to_owned(),
                line: index + 1,
                source,
            })?);
        }
    }
    Ok(all)
}

fn read_dir(folder: &Path) -> Result<Vec<PathBuf>, EvidenceError> {
    let read = |source| EvidenceError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(read(error)),
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(read)).collect()
}

/// Processes that still name this state directory. They are given time to go: a kill is not instant.
fn left_behind(state: &Path) -> Result<Vec<String>, EvidenceError> {
    let until = Instant::now() + GONE_WITHIN;
    loop {
        let left = naming(state)?;
        if left.is_empty() || Instant::now() > until {
            return Ok(left);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Format: proc(5), `/proc/[pid]/cmdline`, empty for what is dead and not yet waited for.
fn naming(state: &Path) -> Result<Vec<String>, EvidenceError> {
    let state = state.as_os_str().as_bytes();
    let mut found = Vec::new();
    for process in read_dir(Path::new("/proc"))? {
        let Some(pid) = process.file_name().and_then(OsStr::to_str) else { continue };
        if !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        // One that ends while it is looked at is gone.
        if let Ok(line) = fs::read(process.join("cmdline"))
            && line.windows(state.len()).any(|part| part == state)
        {
            found.push(pid.to_owned());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use steadyhand_api::reference::RunRef;

    use super::super::person::Accepted;
    use super::*;

    const RUN_ID: &str = "r-aaaabbbbcccc";

    fn effect(seq: u64, leg: &str, attempt: u32) -> Value {
        let attempt = json!({"run": RUN_ID, "step": "scale", "leg": leg, "attempt": attempt});
        json!({"kind": "effect", "seq": seq, "attempt": attempt})
    }

    #[test]
    fn effects_are_counted_by_leg_whatever_their_attempt() {
        let check = |world: &[Value], want: (u32, u32)| {
            let mut shown = Shown::default();
            effects(world, &mut shown);
            assert_eq!((shown.effects, shown.twice), want);
        };
        let not_landed = json!({"kind": "landed", "seq": 3, "of": 1, "changed": false});
        check(&[effect(1, "forward", 1), effect(2, "undo", 1)], (2, 0));
        check(&[effect(1, "forward", 1), effect(2, "forward", 2)], (2, 1));
        check(&[effect(1, "forward", 1), effect(2, "forward", 2), not_landed], (1, 0));
    }

    #[test]
    fn an_accepted_input_is_there_once() {
        let run: RunId = RUN_ID.parse().unwrap();
        let row = |kind: &str| json!({"stream": {"run": RUN_ID}, "event": {"type": kind}});
        let accepted = |event| Accepted {
            inbox: "c-1".parse().unwrap(),
            request: Request::Resume { run: RunRef::Last },
            run: run.clone(),
            event,
        };
        let told = Told {
            accepted: vec![accepted("created"), accepted("approved"), accepted(NOTHING)],
            runs: vec![(run.clone(), steadyhand_model::outcome::RunOutcome::Succeeded)],
            ..Told::default()
        };
        let check = |journal: &[Value], lost: u32, found: &[&str]| {
            let mut shown = Shown::default();
            inputs(journal, &told, &mut shown);
            assert_eq!(shown.lost, lost);
            assert_eq!(shown.findings, found);
        };
        check(&[row("created"), row("approved")], 0, &[]);
        check(&[row("created")], 1, &["r-aaaabbbbcccc: 1 × `approved` accepted, 0 recorded"]);
        check(
            &[row("created"), row("approved"), row("approved")],
            0,
            &["r-aaaabbbbcccc: 1 × `approved` accepted, 2 recorded"],
        );
        check(
            &[row("created"), row("approved"), row("cancel_asked")],
            0,
            &["r-aaaabbbbcccc: 0 × `cancel_asked` accepted, 1 recorded"],
        );
    }
}
