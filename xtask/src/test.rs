//! `cargo xtask test`: every check in turn, each with its minutes, and the sum of all tests at the end.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::guards::{self, GuardsError};
use crate::program::{self, ProgramError};
use crate::setup::{self, SetupError};
use crate::tidy::{self, TidyError};
use crate::workspace::Workspace;

#[derive(Debug, thiserror::Error)]
pub enum TestError {
    #[error("the set-up failed")]
    Setup {
        #[from]
        source: SetupError,
    },
    #[error("a program could not be run")]
    Program {
        #[from]
        source: ProgramError,
    },
    #[error("the tidy rules could not be checked")]
    Tidy {
        #[from]
        source: TidyError,
    },
    #[error("the guards could not be checked")]
    Guards {
        #[from]
        source: GuardsError,
    },
    #[error("standard output is closed")]
    Output {
        #[source]
        source: std::io::Error,
    },
}

const SWEEP_PACKAGE: &str = "steadyhand-testkit";
const SWEEP: &str = "crash-sweep";

/// How many tests passed and failed, summed over all `test result:` lines of cargo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
}

impl Tally {
    /// Counts a line if it is a result line: `test result: ok. 12 passed; 0 failed; …`.
    pub fn count(&mut self, line: &str) {
        let Some(rest) = line.trim_start().strip_prefix("test result:") else { return };
        for part in rest.split([';', '.']) {
            match part.trim().split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse::<u64>().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse::<u64>().unwrap_or(0),
                _ => (),
            }
        }
    }
}

struct Phase {
    name: &'static str,
    passed: bool,
    took: Duration,
}

/// `cargo fmt --check`.
pub fn fmt(workspace: &Workspace) -> Command {
    workspace.cargo(["fmt", "--all", "--check"])
}

/// Clippy over everything.
pub fn clippy(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo(["clippy", "--workspace", "--all-targets", "--quiet"]);
    command.args(["--", "-D", "warnings"]);
    command
}

/// The length of functions: checked here and not in the manifest, because it is a limit of taste, and a long function
/// must not stop a build. A test may be long: it is data.
pub fn length(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo(["clippy", "--workspace", "--lib", "--bins", "--quiet"]);
    command.args(["--", "-D", "warnings", "-D", "clippy::too_many_lines"]);
    command
}

/// Runs all phases, also after one has failed: whoever waited for minutes wants to know everything.
///
/// # Errors
/// If a phase could not be carried out at all.
pub fn run(workspace: &Workspace, quick: bool) -> Result<bool, TestError> {
    let mut tally = Tally::default();
    let mut phases = Vec::new();
    let mut phase = |name, work: &mut dyn FnMut() -> Result<bool, TestError>| {
        say(&format!("== {name}"))?;
        let began = Instant::now();
        let passed = work()?;
        let phase = Phase { name, passed, took: began.elapsed() };
        say(&line(&phase))?;
        phases.push(phase);
        Ok::<(), TestError>(())
    };
    phase("setup", &mut || Ok(setup::run(workspace)?))?;
    phase("fmt", &mut || Ok(program::passes(&mut fmt(workspace))?))?;
    phase("clippy", &mut || {
        let clean = program::passes(&mut clippy(workspace))?;
        Ok(program::passes(&mut length(workspace))? && clean)
    })?;
    phase("tidy", &mut || Ok(tidy::run(workspace)?))?;
    phase("tests", &mut || {
        let mut command = workspace.cargo(["test", "--workspace", "--no-fail-fast"]);
        Ok(program::tee(&mut command, |line| tally.count(line))?.success())
    })?;
    if !quick {
        if workspace.binaries(SWEEP_PACKAGE).iter().any(|bin| bin == SWEEP) {
            phase("crash sweep", &mut || {
                let args = ["run", "--quiet", "--package", SWEEP_PACKAGE, "--bin", SWEEP];
                Ok(program::passes(&mut workspace.cargo(args))?)
            })?;
        }
        phase("guards", &mut || Ok(guards::run(workspace, None)?))?;
    }
    let failed: Vec<&str> = phases.iter().filter(|p| !p.passed).map(|p| p.name).collect();
    let total = Phase {
        name: "all phases",
        passed: failed.is_empty(),
        took: phases.iter().map(|phase| phase.took).sum(),
    };
    say("== minutes of each phase")?;
    for phase in phases.iter().chain([&total]) {
        say(&line(phase))?;
    }
    if !failed.is_empty() {
        say(&format!("FAILED: {}", failed.join(", ")))?;
    }
    say(&format!("{} passed, {} failed", tally.passed, tally.failed))?;
    Ok(total.passed)
}

fn line(phase: &Phase) -> String {
    let word = if phase.passed { "passed" } else { "FAILED" };
    format!("   {:<12} {:>6.1} min   {word}", phase.name, phase.took.as_secs_f64() / 60.0)
}

fn say(text: &str) -> Result<(), TestError> {
    writeln!(std::io::stdout(), "{text}").map_err(|source| TestError::Output { source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_summed_and_others_are_not() {
        let mut tally = Tally::default();
        let lines = [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.21s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
            "test words::test_result ... ok",
            "9 passed; 9 failed",
        ];
        lines.iter().for_each(|line| tally.count(line));
        assert_eq!(tally, Tally { passed: 15, failed: 2 });
    }

    #[test]
    fn a_phase_shows_its_minutes() {
        let phase = Phase { name: "fmt", passed: false, took: Duration::from_secs(90) };
        assert_eq!(line(&phase), "   fmt             1.5 min   FAILED");
    }
}
