//! The guards that carry the promise, each disabled in turn: a test must fail, or the guard is only decoration.
//!
//! `guards.toml` lists them. The work is done in a copy of the repository under `target/guards`, with a target folder
//! of its own, so that a program with a disabled guard is never built where somebody might run it.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::program::{self, Ended, ProgramError};
use crate::test::Tally;
use crate::workspace::{self, Workspace, WorkspaceError};

/// Where the guards are listed.
pub const LIST: &str = "xtask/guards.toml";
/// Longest run of one test: ten minutes. A disabled guard may make a loop endless.
const TEST_TIME_MAX: Duration = Duration::from_secs(600);
/// Longest build of one test: an hour, for the first one on a slow machine.
const BUILD_TIME_MAX: Duration = Duration::from_secs(3600);

/// One guard: the text that is the guard, what disables it, and the test that must notice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    pub name: String,
    pub file: String,
    /// Stands exactly once in the file.
    pub find: String,
    pub replace: String,
    /// The package whose tests are run: `steadyhand-engine`.
    pub package: String,
    /// The beginning or a part of the names of the tests, as `cargo test` takes it.
    pub test: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    guard: Vec<Guard>,
}

#[derive(Debug, thiserror::Error)]
pub enum GuardsError {
    #[error("the repository could not be listed")]
    List {
        #[from]
        source: WorkspaceError,
    },
    #[error("a build or a test could not be run")]
    Program {
        #[from]
        source: ProgramError,
    },
    #[error("{} could not be read or written", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{LIST} is not of its form")]
    Toml {
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("two guards are called {name}")]
    Twice { name: String },
    #[error("there is no guard {name:?}; {LIST} has: {known}")]
    Unknown { name: String, known: String },
    #[error("standard output is closed")]
    Output {
        #[source]
        source: std::io::Error,
    },
}

/// What became of one guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// With the guard disabled, this many tests failed; with it, all pass.
    LoadBearing { failed: u64 },
    /// The text of the guard is not in its file exactly once.
    Stale { times: usize },
    /// The test does not pass, or does not exist, while nothing is disabled.
    Baseline { passed: u64, failed: u64 },
    /// With the guard disabled nothing is built, which shows nothing.
    DoesNotCompile,
    /// With the guard disabled everything still passes.
    Unnoticed,
    /// With the guard disabled the test did not end, or died without naming a failure.
    NoVerdict,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoadBearing { failed } => {
                write!(f, "load-bearing: {failed} tests fail without it")
            }
            Self::Stale { times } => {
                write!(f, "NOT SHOWN: its text stands {times} times in the file, not once")
            }
            Self::Baseline { passed, failed } => write!(
                f,
                "NOT SHOWN: with the guard in place {passed} tests pass and {failed} fail"
            ),
            Self::DoesNotCompile => f.write_str("NOT SHOWN: without it nothing is built"),
            Self::Unnoticed => f.write_str("NOT LOAD-BEARING: without it every test still passes"),
            Self::NoVerdict => f.write_str("NOT SHOWN: without it the test names no failure"),
        }
    }
}

/// Reads the list of guards.
///
/// # Errors
/// If it is not of its form.
pub fn parse(text: &str) -> Result<Vec<Guard>, GuardsError> {
    let list: List =
        toml::from_str(text).map_err(|source| GuardsError::Toml { source: Box::new(source) })?;
    let mut names = BTreeSet::new();
    for guard in &list.guard {
        if !names.insert(&guard.name) {
            return Err(GuardsError::Twice { name: guard.name.clone() });
        }
    }
    Ok(list.guard)
}

/// Checks one guard, or all, and prints what became of each. `true` if all are load-bearing.
///
/// # Errors
/// If the list is wrong, or a build or test cannot be run at all.
pub fn run(workspace: &Workspace, only: Option<&str>) -> Result<bool, GuardsError> {
    let guards = parse(&read(&workspace.root.join(LIST))?)?;
    if let Some(name) = only
        && !guards.iter().any(|guard| guard.name == name)
    {
        let known: Vec<&str> = guards.iter().map(|guard| guard.name.as_str()).collect();
        return Err(GuardsError::Unknown { name: name.to_owned(), known: known.join(", ") });
    }
    let mut bench = Bench::open(&workspace.root)?;
    let mut all = true;
    let mut out = std::io::stdout();
    for guard in guards.iter().filter(|guard| only.is_none_or(|name| name == guard.name)) {
        let shown = bench.try_guard(guard)?;
        all &= matches!(shown, Shown::LoadBearing { .. });
        writeln!(out, "{:<20} {shown}", guard.name)
            .map_err(|source| GuardsError::Output { source })?;
    }
    writeln!(out, "guards: {} listed", guards.len())
        .map_err(|source| GuardsError::Output { source })?;
    Ok(all)
}

/// The copy of the repository in which guards are disabled.
#[derive(Debug)]
pub struct Bench {
    tree: PathBuf,
    target: PathBuf,
    /// Tests that were seen to pass with nothing disabled.
    baselines: BTreeSet<(String, String)>,
}

impl Bench {
    /// Brings the copy up to date. Unchanged files are left alone, so that only what changed is built again.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn open(root: &Path) -> Result<Self, GuardsError> {
        let home = root.join("target/guards");
        let bench = Self {
            tree: home.join("tree"),
            target: home.join("target"),
            baselines: BTreeSet::new(),
        };
        let files = workspace::files(root)?;
        for file in &files {
            let from = root.join(file);
            let bytes = std::fs::read(&from).map_err(|source| failed(&from, source))?;
            write_if_changed(&bench.tree.join(file), &bytes)?;
        }
        let kept: BTreeSet<PathBuf> = files.iter().map(|file| bench.tree.join(file)).collect();
        remove_others(&bench.tree, &kept)?;
        Ok(bench)
    }

    /// Disables the guard, runs its test, and puts the guard back.
    ///
    /// # Errors
    /// If a build or test cannot be run at all.
    pub fn try_guard(&mut self, guard: &Guard) -> Result<Shown, GuardsError> {
        let path = self.tree.join(&guard.file);
        let times = match std::fs::read_to_string(&path) {
            Ok(text) => text.matches(&guard.find).count(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(source) => return Err(failed(&path, source)),
        };
        if times != 1 {
            return Ok(Shown::Stale { times });
        }
        let test = (guard.package.clone(), guard.test.clone());
        if !self.baselines.contains(&test) {
            let tally = tally(&self.test(guard)?);
            if tally.passed == 0 || tally.failed > 0 {
                return Ok(Shown::Baseline { passed: tally.passed, failed: tally.failed });
            }
            self.baselines.insert(test);
        }
        let whole = read(&path)?;
        write(&path, whole.replacen(&guard.find, &guard.replace, 1).as_bytes())?;
        let shown = self.without(guard);
        write(&path, whole.as_bytes())?;
        shown
    }

    fn without(&self, guard: &Guard) -> Result<Shown, GuardsError> {
        let mut build = self.cargo(guard);
        build.arg("--no-run");
        let built = program::within(&mut build, BUILD_TIME_MAX)?;
        if !built.status.is_some_and(|status| status.success()) {
            return Ok(Shown::DoesNotCompile);
        }
        let ended = self.test(guard)?;
        Ok(match (tally(&ended).failed, ended.status) {
            (1.., Some(_)) => Shown::LoadBearing { failed: tally(&ended).failed },
            (0, Some(status)) if status.success() => Shown::Unnoticed,
            _ => Shown::NoVerdict,
        })
    }

    fn cargo(&self, guard: &Guard) -> Command {
        let mut command = program::cargo();
        command.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target).args([
            "test",
            "--quiet",
            "--no-fail-fast",
            "--package",
            &guard.package,
        ]);
        command
    }

    /// Builds first, so that the limit of time is that of the test alone.
    fn test(&self, guard: &Guard) -> Result<Ended, GuardsError> {
        let mut build = self.cargo(guard);
        build.arg("--no-run");
        program::within(&mut build, BUILD_TIME_MAX)?;
        let mut command = self.cargo(guard);
        command.args(["--", &guard.test]);
        Ok(program::within(&mut command, TEST_TIME_MAX)?)
    }
}

fn tally(ended: &Ended) -> Tally {
    let mut tally = Tally::default();
    ended.stdout.lines().for_each(|line| tally.count(line));
    tally
}

fn failed(path: &Path, source: std::io::Error) -> GuardsError {
    GuardsError::File { path: path.to_owned(), source }
}

fn read(path: &Path) -> Result<String, GuardsError> {
    std::fs::read_to_string(path).map_err(|source| failed(path, source))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), GuardsError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    }
    std::fs::write(path, bytes).map_err(|source| failed(path, source))
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), GuardsError> {
    match std::fs::read(path) {
        Ok(there) if there == bytes => Ok(()),
        Ok(_) => write(path, bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => write(path, bytes),
        Err(source) => Err(failed(path, source)),
    }
}

/// Removes the files of the copy that the repository no longer has. `Cargo.lock` may be written by cargo itself.
fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> Result<(), GuardsError> {
    for entry in std::fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        let lock = path.file_name().is_some_and(|name| name == "Cargo.lock");
        if path.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) && !lock {
            std::fs::remove_file(&path).map_err(|source| failed(&path, source))?;
        }
    }
    Ok(())
}
