//! The tasks and their command line.

use std::io::Write;

use crate::bench::{self, BenchError};
use crate::guards::{self, GuardsError};
use crate::program::{self, ProgramError};
use crate::setup::{self, SetupError};
use crate::test::{self, TestError};
use crate::tidy::{self, TidyError};
use crate::workspace::{Workspace, WorkspaceError};

const USAGE: &str = "\
cargo xtask TASK

  test [--quick]   set up, then every check; --quick leaves out the crash sweep and the guards
  lint             formatting, clippy, tidy
  tidy             the rules of this repository that no other tool checks
  guards [NAME]    disables each load-bearing guard in turn: a test must fail
  bench [NAME]     measures what docs/performance.md reports
  setup            makes sure that what the tests need is here
";

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    Help,
    Setup,
    Test { quick: bool },
    Lint,
    Tidy,
    Guards { name: Option<String> },
    Bench { name: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    #[error("no task given; cargo xtask help lists them")]
    Missing,
    #[error("there is no task {given:?}; cargo xtask help lists them")]
    Unknown { given: String },
    #[error("{task} does not take {given:?}; cargo xtask help shows what it takes")]
    Extra { task: String, given: String },
}

#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error("the workspace could not be read")]
    Workspace {
        #[from]
        source: WorkspaceError,
    },
    #[error("the set-up did not come to an end")]
    Setup {
        #[from]
        source: SetupError,
    },
    #[error("the checks did not come to an end")]
    Test {
        #[from]
        source: TestError,
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
    #[error("the benches could not be run")]
    Bench {
        #[from]
        source: BenchError,
    },
    #[error("a program could not be run")]
    Program {
        #[from]
        source: ProgramError,
    },
    #[error("standard output is closed")]
    Output {
        #[source]
        source: std::io::Error,
    },
}

impl Task {
    /// Reads what stands after `cargo xtask`.
    ///
    /// # Errors
    /// If there is no such task, or the task does not take what was given.
    pub fn parse(args: &[String]) -> Result<Self, UsageError> {
        let (name, rest) = args.split_first().ok_or(UsageError::Missing)?;
        let (task, taken) = match (name.as_str(), rest.first().map(String::as_str)) {
            ("help" | "--help" | "-h", _) => (Self::Help, 0),
            ("setup", _) => (Self::Setup, 0),
            ("test", Some("--quick")) => (Self::Test { quick: true }, 1),
            ("test", _) => (Self::Test { quick: false }, 0),
            ("lint", _) => (Self::Lint, 0),
            ("tidy", _) => (Self::Tidy, 0),
            ("guards", given) => {
                (Self::Guards { name: plain(given) }, usize::from(plain(given).is_some()))
            }
            ("bench", given) => {
                (Self::Bench { name: plain(given) }, usize::from(plain(given).is_some()))
            }
            _ => return Err(UsageError::Unknown { given: name.clone() }),
        };
        match rest.get(taken) {
            None => Ok(task),
            Some(extra) => Err(UsageError::Extra { task: name.clone(), given: extra.clone() }),
        }
    }
}

/// A name, not a flag.
fn plain(given: Option<&str>) -> Option<String> {
    given.filter(|text| !text.starts_with('-')).map(str::to_owned)
}

/// Carries a task out; `false` if something did not pass.
///
/// # Errors
/// If the task could not be carried out at all.
pub fn run(task: &Task) -> Result<bool, TaskError> {
    match task {
        Task::Help => {
            let written = std::io::stdout().write_all(USAGE.as_bytes());
            written.map_err(|source| TaskError::Output { source })?;
            Ok(true)
        }
        Task::Setup => Ok(setup::run(&Workspace::find()?)?),
        Task::Test { quick } => Ok(test::run(&Workspace::find()?, *quick)?),
        Task::Lint => {
            let workspace = Workspace::find()?;
            let formatted = program::passes(&mut test::fmt(&workspace))?;
            let clippy = program::passes(&mut test::clippy(&workspace))?
                & program::passes(&mut test::length(&workspace))?;
            Ok(tidy::run(&workspace)? && formatted && clippy)
        }
        Task::Tidy => Ok(tidy::run(&Workspace::find()?)?),
        Task::Guards { name } => Ok(guards::run(&Workspace::find()?, name.as_deref())?),
        Task::Bench { name } => Ok(bench::run(&Workspace::find()?, name.as_deref())?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Task, UsageError>) {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        assert_eq!(Task::parse(&args), expected, "{line}");
    }

    #[test]
    fn command_lines() {
        check("test", Ok(Task::Test { quick: false }));
        check("test --quick", Ok(Task::Test { quick: true }));
        check("guards", Ok(Task::Guards { name: None }));
        check("guards fence", Ok(Task::Guards { name: Some("fence".into()) }));
        check("--help", Ok(Task::Help));
        check("", Err(UsageError::Missing));
        check("tests", Err(UsageError::Unknown { given: "tests".into() }));
        let extra =
            |task: &str, given: &str| UsageError::Extra { task: task.into(), given: given.into() };
        check("test --fast", Err(extra("test", "--fast")));
        check("guards --all", Err(extra("guards", "--all")));
        check("tidy now", Err(extra("tidy", "now")));
    }
}
