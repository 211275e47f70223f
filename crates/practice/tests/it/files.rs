//! The world as a file: it survives its processes, and nothing half-written is in it.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::json;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_practice::line::Change;
use steadyhand_practice::world::{Ask, Reply};
use steadyhand_practice::world_file::{WorldFile, WorldFileError};
use tempfile::tempdir;

use crate::sim::{BEGIN, seed};

fn ready(file: &mut WorldFile) -> Reply {
    let args = json!({"kind": null, "namespace": "shop", "name": "checkout"});
    let args = CanonicalJson::of(&args).unwrap();
    file.request(&Ask::Read { tool: "get_workload".into(), args }, Some(BEGIN)).unwrap().reply
}

fn scale(replicas: u32) -> Change {
    Change::Scale { namespace: "shop".into(), name: "checkout".into(), replicas }
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn two_doors_see_one_world() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("world.jsonl");
    let mut one = WorldFile::create(&path, BEGIN, seed(&[])).unwrap();
    let mut two = WorldFile::open(&path).unwrap();
    one.change(scale(5), Some(BEGIN)).unwrap();
    two.change(scale(6), Some(BEGIN)).unwrap();
    assert_eq!(ready(&mut one), ready(&mut two));
    assert_eq!(lines(&path), 5);
    let three = WorldFile::open(&path).unwrap();
    assert_eq!(format!("{:?}", three.world()), format!("{:?}", two.world()));
}

#[test]
fn a_line_cut_off_by_a_kill_is_not_in_the_world() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("world.jsonl");
    let mut one = WorldFile::create(&path, BEGIN, seed(&[])).unwrap();
    let before = ready(&mut one);
    let mut raw = fs::OpenOptions::new().append(true).open(&path).unwrap();
    raw.write_all(br#"{"at":1795835524000000,"change":{"scale":{"name":"che"#).unwrap();
    let mut two = WorldFile::open(&path).unwrap();
    assert_eq!(ready(&mut two), before);
    assert_eq!(ready(&mut one), before);
    assert_eq!(lines(&path), 4);
}

#[test]
fn a_damaged_world_is_refused() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("world.jsonl");
    assert!(matches!(WorldFile::open(&path), Err(WorldFileError::Open { .. })));
    WorldFile::create(&path, BEGIN, seed(&[])).unwrap();
    assert!(matches!(WorldFile::create(&path, BEGIN, seed(&[])), Err(WorldFileError::Open { .. })));
    let good = fs::read_to_string(&path).unwrap();
    let cases: [(&str, String); 4] = [
        ("empty", String::new()),
        ("twice", format!("{good}{good}")),
        ("noise", format!("{good}noise\n")),
        ("gap", format!("{good}{}\n", good.trim().replace("\"seq\":1", "\"seq\":3"))),
    ];
    for (name, text) in cases {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        assert!(WorldFile::open(&path).is_err(), "{name}");
    }
}
