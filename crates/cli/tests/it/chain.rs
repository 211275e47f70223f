//! The whole chain through the real binary, its keeper and its tool servers as real processes: what happens between a
//! plan and its yes, a kill half-way, an undo, two terminals.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use steadyhand_model::time::Span;
use steadyhand_practice::line::Change;
use steadyhand_practice::world_file::WorldFile;
use tempfile::TempDir;

struct Place {
    state: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { state: TempDir::new().unwrap() }
    }

    fn steady(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_steady"))
            .args(args)
            .arg("--state")
            .arg(self.state.path())
            .arg("--ascii")
            .current_dir(self.state.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The last word of the run that a command left behind, and its exit code.
    fn code(&self, args: &[&str]) -> (i32, String) {
        let output = self.steady(args);
        let text =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap_or(-1), text)
    }

    fn world(&self) -> PathBuf {
        self.state.path().join("worlds/environment-practice/world.jsonl")
    }

    /// Makes a run of `shop/checkout` that waits for its yes, and gives the digest to repeat.
    fn waiting(&self) -> String {
        let (code, text) = self.code(&["run", "restart-workload", "-p", "workload=shop/checkout"]);
        assert_eq!(code, 6, "{text}");
        digest(&text)
    }

    fn approve_and_resume(&self, digest: &str) -> (i32, String) {
        let (code, text) = self.code(&["approve", "last", "--plan", digest]);
        assert_eq!(code, 0, "{text}");
        self.code(&["resume", "last"])
    }
}

/// `9c41-e07a` out of the line that says what to type.
fn digest(text: &str) -> String {
    let at = text.find("--plan ").unwrap_or_else(|| panic!("no plan in {text}"));
    text[at + 7..].chars().take_while(|c| c.is_ascii_hexdigit() || *c == '-').collect()
}

fn change(world: &Path, changes: impl Iterator<Item = Change>) {
    let mut file = WorldFile::open(world).unwrap();
    for change in changes {
        let now = file.world().now().plus(Span::from_secs(2));
        file.change(change, Some(now)).unwrap();
    }
}

/// How often the world was changed by a call.
fn effects(world: &Path) -> usize {
    let lines = std::fs::read_to_string(world).unwrap();
    lines.lines().filter(|line| line.contains(r#""kind":"effect""#)).count()
}

fn checkout() -> (String, String) {
    ("shop".to_owned(), "checkout".to_owned())
}

#[test]
fn status_noise_and_an_autoscaler_do_not_void_a_yes() {
    let place = Place::new();
    let digest = place.waiting();
    let noise = (0..200).map(|_| {
        let (namespace, name) = checkout();
        Change::Status { namespace, name }
    });
    let scalings = (0..20).map(|n| {
        let (namespace, name) = checkout();
        Change::Scale { namespace, name, replicas: if n % 2 == 0 { 4 } else { 3 } }
    });
    // The noise comes last: a controller needs a moment to see a scaling.
    change(&place.world(), scalings.chain(noise));
    let (code, text) = place.approve_and_resume(&digest);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("SUCCEEDED"), "{text}");
    assert_eq!(effects(&place.world()), 1);
}

#[test]
fn one_template_change_voids_a_yes() {
    let place = Place::new();
    let digest = place.waiting();
    let (namespace, name) = checkout();
    let image = "registry.example/checkout:2.8.2".to_owned();
    change(&place.world(), std::iter::once(Change::Template { namespace, name, image }));
    let (code, text) = place.approve_and_resume(&digest);
    assert_eq!(code, 7, "{text}");
    assert!(text.contains("SUPERSEDED"), "{text}");
    assert_eq!(effects(&place.world()), 0);
}

#[test]
fn planning_twice_gives_one_digest() {
    let place = Place::new();
    let plan = || {
        let (code, text) =
            place.code(&["plan", "restart-workload", "-p", "workload=shop/checkout"]);
        assert_eq!(code, 2, "{text}");
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(plan(), plan());
}

#[test]
fn a_yes_counts_for_exactly_one_plan() {
    let place = Place::new();
    place.waiting();
    let (code, text) = place.code(&["approve", "last", "--plan", "00000000"]);
    assert_eq!(code, 7, "{text}");
    assert!(text.contains("SH0734"), "{text}");
    // The command did what was asked of it: its exit is not the run's.
    let (code, text) = place.code(&["deny", "last"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("DENIED"), "{text}");
    assert_eq!(effects(&place.world()), 0);
}

#[test]
fn a_killed_keeper_leaves_a_run_that_is_taken_up_and_sent_once() {
    let place = Place::new();
    let killed = place.steady(&["drill", "--yes", "--fault", "kill"]);
    assert_eq!(killed.status.code(), None, "the keeper was killed");
    let (code, text) = place.code(&["resume", "last"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("it is not sent again"), "{text}");
    let worlds = std::fs::read_dir(place.state.path().join("worlds")).unwrap();
    let worlds: Vec<PathBuf> = worlds.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(worlds.len(), 1);
    assert_eq!(effects(&worlds[0].join("world.jsonl")), 1);
}

#[test]
fn a_finished_drill_is_undone_in_its_own_world() {
    let place = Place::new();
    assert_eq!(place.code(&["drill", "--yes"]).0, 0);
    let (code, text) = place.code(&["undo", "last"]);
    assert_eq!(code, 6, "{text}");
    let (code, text) = place.approve_and_resume(&digest(&text));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("undo.restart"), "{text}");
    let worlds = std::fs::read_dir(place.state.path().join("worlds")).unwrap().count();
    assert_eq!(worlds, 1, "the undo made no world of its own");
}

#[test]
fn each_built_in_runbook_heals_its_incident() {
    for runbook in ["restart-workload", "rollback-release", "scale-workload"] {
        let place = Place::new();
        let (code, text) = place.code(&["drill", runbook, "--yes"]);
        assert_eq!(code, 0, "{runbook}: {text}");
    }
}

#[test]
fn a_rate_stands_in_the_way_of_a_third_time() {
    let place = Place::new();
    for _ in 0..2 {
        let digest = place.waiting();
        let (code, text) = place.approve_and_resume(&digest);
        assert_eq!(code, 0, "{text}");
    }
    let (code, text) = place.code(&["plan", "restart-workload", "-p", "workload=shop/checkout"]);
    assert_eq!(code, 7, "{text}");
    assert!(text.contains("SH0715"), "{text}");
}
