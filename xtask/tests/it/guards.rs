//! The mechanism that disables guards, on a crate small enough to be built in a second.

use std::path::Path;
use std::process::Command;

use steadyhand_xtask::guards::{Bench, Guard, Shown, parse};

const SOURCE: &str = "
pub fn allowed(yes: bool) -> bool { yes && here() }
fn here() -> bool { true }
#[cfg(test)] mod tests {
    #[test] fn a_no_is_a_no() { assert!(!super::allowed(false)); }
    #[test] fn a_yes_is_a_yes() { assert!(super::allowed(true)); }
    #[test] fn broken_already() { assert!(!super::allowed(true)); }
}
";

fn sample(root: &Path) {
    let manifest = "[package]\nname = \"gate\"\nedition = \"2024\"\n[workspace]\n";
    std::fs::create_dir(root.join("src")).unwrap();
    std::fs::write(root.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(root.join("src/lib.rs"), SOURCE).unwrap();
    std::fs::write(root.join(".gitignore"), "target/\n").unwrap();
    assert!(Command::new("git").current_dir(root).args(["init", "-q"]).status().unwrap().success());
}

fn guard(find: &str, replace: &str, test: &str) -> Guard {
    Guard {
        name: "sample".into(),
        file: "src/lib.rs".into(),
        find: find.into(),
        replace: replace.into(),
        package: "gate".into(),
        test: test.into(),
    }
}

#[test]
fn only_a_failing_test_shows_that_a_guard_bears_load() {
    let root = tempfile::tempdir().unwrap();
    sample(root.path());
    let mut bench = Bench::open(root.path()).unwrap();
    let cases = [
        (guard("yes && here()", "true", "a_no"), Shown::LoadBearing { failed: 1 }),
        (guard("yes && here()", "yes", "a_no"), Shown::Unnoticed),
        (guard("yes && here()", "nonsense", "a_no"), Shown::DoesNotCompile),
        (guard("yes && here()", "std::process::abort()", "a_no"), Shown::NoVerdict),
        (guard("gone", "true", "a_no"), Shown::Stale { times: 0 }),
        (guard("super::allowed(true)", "true", "a_no"), Shown::Stale { times: 2 }),
        (guard("yes && here()", "true", "no_such"), Shown::Baseline { passed: 0, failed: 0 }),
        (guard("yes && here()", "true", "broken"), Shown::Baseline { passed: 0, failed: 1 }),
    ];
    for (guard, expected) in cases {
        let shown = bench.try_guard(&guard).unwrap();
        assert_eq!(shown, expected, "{} -> {}", guard.find, guard.replace);
    }
    let copy = root.path().join("target/guards/tree/src/lib.rs");
    assert_eq!(std::fs::read_to_string(copy).unwrap(), SOURCE, "the guard is back in its place");
    let original = std::fs::read_to_string(root.path().join("src/lib.rs")).unwrap();
    assert_eq!(original, SOURCE, "the repository itself was never touched");
}

#[test]
fn the_copy_follows_the_repository() {
    let root = tempfile::tempdir().unwrap();
    sample(root.path());
    std::fs::write(root.path().join("src/old.rs"), "").unwrap();
    Bench::open(root.path()).unwrap();
    let copy = root.path().join("target/guards/tree/src");
    assert!(copy.join("old.rs").exists());
    std::fs::remove_file(root.path().join("src/old.rs")).unwrap();
    std::fs::write(root.path().join("src/lib.rs"), "pub fn new() {}").unwrap();
    Bench::open(root.path()).unwrap();
    assert!(!copy.join("old.rs").exists());
    assert_eq!(std::fs::read_to_string(copy.join("lib.rs")).unwrap(), "pub fn new() {}");
}

#[test]
fn the_list_is_checked() {
    let entry = "[[guard]]\nname='a'\nfile='f'\nfind='x'\nreplace='y'\npackage='p'\ntest='t'\n";
    assert_eq!(parse(entry).unwrap().len(), 1);
    assert_eq!(parse(&entry.repeat(2)).unwrap_err().to_string(), "two guards are called a");
    assert!(parse(&entry.replace("test='t'", "tests='t'")).is_err());
    assert!(parse(include_str!("../../guards.toml")).is_ok());
}
