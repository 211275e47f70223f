//! The quick crash sweep over real processes; and what the judge says of one of its records once it was tampered with.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use steadyhand_testkit::judge::{Given, Property, judge};
use steadyhand_testkit::sweep::{Extent, Options, QUICK_KILLS, export_of, sweep};
use tempfile::TempDir;

fn options(folder: &Path) -> Options {
    Options {
        program: PathBuf::from(env!("CARGO_BIN_EXE_crash-sweep")),
        folder: folder.to_owned(),
        seed: 7,
        extent: Extent::Quick,
        only: None,
        jobs: 4,
        keep: false,
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn write(path: &Path, lines: &[Value]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(path, text).unwrap();
}

/// What the judge says of an export after its lines were changed. The file is put back.
fn tampered(export: &Path, file: &str, change: impl FnOnce(&mut Vec<Value>)) -> Vec<Property> {
    let path = export.join(file);
    let before = fs::read(&path).unwrap();
    let mut all = lines(&path);
    change(&mut all);
    write(&path, &all);
    let findings = judge(export, &Given { canaries: Vec::new(), at_rest: true }).unwrap();
    fs::write(&path, before).unwrap();
    let mut properties: Vec<Property> = findings.into_iter().map(|f| f.property).collect();
    properties.dedup();
    properties
}

fn duplicate_effect(world: &mut Vec<Value>) {
    let mut again = world.iter().find(|line| line["kind"] == "effect").unwrap().clone();
    let last = world.last().unwrap();
    again["at"] = last["at"].clone();
    again["seq"] = (last["seq"].as_u64().unwrap() + 1).into();
    world.push(again);
}

fn drop_intent(journal: &mut Vec<Value>) {
    let place = journal.iter().position(|row| row["event"]["type"] == "intended").unwrap();
    journal.remove(place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_loses_an_input_or_repeats_an_effect() {
    let folder = TempDir::new().unwrap();
    let report = sweep(&options(folder.path())).await.unwrap();
    if !report.is_clean(QUICK_KILLS) {
        panic!("{report}\nkept in {}", folder.keep().display());
    }
    let sum =
        |of: fn(&steadyhand_testkit::sweep::Row) -> u32| report.rows.iter().map(of).sum::<u32>();
    assert_eq!((sum(|row| row.twice), sum(|row| row.lost)), (0, 0), "{report}");
    assert!(sum(|row| row.effects) >= sum(|row| row.cases), "{report}");
    assert!(sum(|row| row.succeeded) > 0 && sum(|row| row.undone) > 0, "{report}");
}

/// The record of a real run, killed once: clean as it is, and not clean with any one thing wrong in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_judge_sees_what_is_wrong_with_a_real_record() {
    let folder = TempDir::new().unwrap();
    let options = Options {
        only: Some("killed by the world".to_owned()),
        extent: Extent::Undisturbed,
        keep: true,
        ..options(folder.path())
    };
    let report = sweep(&options).await.unwrap();
    assert!(report.is_clean(1), "{report}");
    let export = export_of(folder.path(), 0);
    let seen = |file, change: fn(&mut Vec<Value>)| tampered(&export, file, change);
    assert_eq!(seen("world.jsonl", |_| {}), []);
    assert_eq!(seen("world.jsonl", duplicate_effect), [Property::S4]);
    assert_eq!(seen("journal.jsonl", drop_intent), [Property::S1, Property::S7]);
    let last = |journal: &mut Vec<Value>| drop(journal.pop());
    assert_eq!(seen("journal.jsonl", last), [Property::L1]);
    let forget_yes = |journal: &mut Vec<Value>| {
        let place = journal.iter().position(|row| row["event"]["type"] == "approved").unwrap();
        journal.remove(place);
    };
    assert_eq!(seen("journal.jsonl", forget_yes), [Property::S3, Property::S7]);
}
