//! What the command line itself may have to say, with a stable code each; and what the keeper says, in the same form.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};
use steadyhand_api::client::ClientError;
use steadyhand_api::exit::ExitCode;
use steadyhand_api::problem::{CAUSES_MAX, Problem, ProblemCode};
use steadyhand_api::view::PlanViewError;
use steadyhand_library::read::ReadError;
use steadyhand_model::ids::{InboxId, ServerId};
use steadyhand_practice::serve::PracticeError;

/// Number of the keeper's code for a run that it does not know.
const UNKNOWN_RUN: &str = "0731";
/// Number of the keeper's code for a plan that it does not know.
const UNKNOWN_PLAN: &str = "0733";

/// A code of this crate, or one that came with a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Own(&'static str),
    Given(ProblemCode),
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(code) => f.write_str(code),
            Self::Given(code) => write!(f, "{code}"),
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What went wrong, ready to be shown. Its JSON has the form of the api's `Problem`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Trouble {
    pub(crate) code: Code,
    pub(crate) title: String,
    pub(crate) causes: Vec<String>,
    pub(crate) help: String,
    pub(crate) exit: ExitCode,
}

/// What can go wrong on this side of the socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("a keeper cannot be started in this process: {what}")]
    Compose {
        what: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("no state directory is known: neither XDG_STATE_HOME nor HOME is set")]
    NoHome,
    #[error("`{}` cannot be read", path.display())]
    Input {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{name}` names runs of both installations")]
    Ambiguous { name: String },
    #[error("no run was ever made here")]
    NoRuns,
    #[error("the keeper answered in a form that does not belong to the question")]
    OtherAnswer,
    #[error("the plan that the keeper sent is not the one that it names")]
    Plan {
        #[source]
        source: PlanViewError,
    },
    #[error("the system gives no random bytes")]
    Random {
        #[source]
        source: getrandom::Error,
    },
    #[error("`{code}` is no code of this program")]
    UnknownCode { code: String },
    #[error("interrupted before the keeper answered")]
    Interrupted,
    #[error("nothing can be asked here: this is not a terminal")]
    NotTerminal,
    #[error("`{}` is no library: it has no folder `runbooks`", path.display())]
    NoLibrary { path: PathBuf },
    #[error("the current folder cannot be found out")]
    NoFolder {
        #[source]
        source: std::io::Error,
    },
    #[error("the runtime cannot be started")]
    Runtime {
        #[source]
        source: std::io::Error,
    },
    #[error("the output cannot be written")]
    Output {
        #[source]
        source: std::io::Error,
    },
    #[error("the answer cannot be written as JSON")]
    Json {
        #[source]
        source: steadyhand_model::canonical::CanonicalError,
    },
    #[error("the tool server `{server}` ended")]
    Tool {
        server: ServerId,
        #[source]
        source: PracticeError,
    },
    #[error("this is a fault of steady")]
    Bug,
}

impl CommandError {
    fn told(&self) -> (&'static str, &'static str, ExitCode) {
        match self {
            Self::Compose { .. } => (
                "SH0001",
                "see who owns the state directory and what is in it; `--state DIR` names another one",
                ExitCode::Failed,
            ),
            Self::NoHome => {
                ("SH0002", "set HOME, or name a directory: --state DIR", ExitCode::Usage)
            }
            Self::Input { .. } => {
                ("SH0003", "name a file that you may read, or `-` for the input", ExitCode::Usage)
            }
            Self::Ambiguous { .. } => {
                ("SH0004", "type more of the id; `steady history` lists them", ExitCode::Usage)
            }
            Self::NoRuns => ("SH0005", "steady drill", ExitCode::Usage),
            Self::OtherAnswer => {
                ("SH0006", "use the same version of steady in both terminals", ExitCode::Bug)
            }
            Self::Plan { .. } => (
                "SH0007",
                "approve nothing; use the same version of steady in both terminals",
                ExitCode::Bug,
            ),
            Self::Random { .. } => ("SH0008", "see what the system says: dmesg", ExitCode::Failed),
            Self::UnknownCode { .. } => {
                ("SH0009", "`steady explain` lists all codes", ExitCode::Usage)
            }
            Self::Interrupted => (
                "SH0010",
                "`steady status` says what was recorded; nothing is done twice",
                ExitCode::Unknown,
            ),
            Self::NotTerminal => (
                "SH0011",
                "repeat the plan's digest: steady approve RUN --plan DIGEST",
                ExitCode::Usage,
            ),
            Self::NoLibrary { .. } => {
                ("SH0012", "name the folder that holds `runbooks`: --library DIR", ExitCode::Usage)
            }
            Self::NoFolder { .. } => {
                ("SH0013", "change into a folder that is there", ExitCode::Failed)
            }
            Self::Runtime { .. } => {
                ("SH0014", "see the limits of this shell: ulimit -a", ExitCode::Failed)
            }
            Self::Output { .. } => ("SH0015", "see whether the disk is full", ExitCode::Failed),
            Self::Json { .. } => ("SH0016", "leave out `-o json`", ExitCode::Bug),
            Self::Tool { .. } => (
                "SH0017",
                "a keeper starts it by itself: leave it to `steady drill`",
                ExitCode::Failed,
            ),
            Self::Bug => (
                "SH0070",
                "report it with the command that you typed and these lines; no run is lost by it",
                ExitCode::Bug,
            ),
        }
    }
}

impl From<CommandError> for Trouble {
    fn from(error: CommandError) -> Self {
        let (code, help, exit) = error.told();
        Self {
            code: Code::Own(code),
            title: error.to_string(),
            causes: causes(&error),
            help: help.to_owned(),
            exit,
        }
    }
}

fn causes(error: &dyn Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(source) = next.filter(|_| causes.len() < CAUSES_MAX) {
        causes.push(source.to_string());
        next = source.source();
    }
    causes
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        Self {
            code: Code::Own(error.code()),
            title: error.to_string(),
            causes: causes(&error),
            help: error.help().to_owned(),
            exit: ExitCode::Usage,
        }
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        let Problem { code, title, causes, help, exit } = problem;
        Self { code: Code::Given(code), title, causes, help, exit }
    }
}

impl Trouble {
    /// Whether the keeper says that it knows no such run.
    pub(crate) fn is_unknown_run(&self) -> bool {
        self.has_number(UNKNOWN_RUN)
    }

    /// Whether the keeper says that it knows no such plan.
    pub(crate) fn is_unknown_plan(&self) -> bool {
        self.has_number(UNKNOWN_PLAN)
    }

    fn has_number(&self, number: &str) -> bool {
        self.code.to_string().strip_prefix("SH") == Some(number)
    }

    /// What the client says of an exchange; `change` is the id of the change that was asked for, if it was one.
    pub(crate) fn of_client(error: &ClientError, change: Option<&InboxId>) -> Self {
        error.problem(change).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_and_its_trouble_are_the_same_document() {
        let problem = Problem {
            code: "SH0641".parse().unwrap(),
            title: "what".into(),
            causes: vec!["why".into()],
            help: "do".into(),
            exit: ExitCode::Refused,
        };
        let json = |value: &dyn erased::Json| value.json();
        assert_eq!(json(&problem.clone()), json(&Trouble::from(problem)));
    }

    mod erased {
        use steadyhand_model::canonical::CanonicalJson;

        pub(super) trait Json {
            fn json(&self) -> CanonicalJson;
        }

        impl<T: serde::Serialize> Json for T {
            fn json(&self) -> CanonicalJson {
                CanonicalJson::of(self).unwrap()
            }
        }
    }

    #[test]
    fn every_code_has_its_page() {
        for error in [
            CommandError::Compose { what: "", source: Box::new(std::fmt::Error) },
            CommandError::NoHome,
            CommandError::Ambiguous { name: String::new() },
            CommandError::NoRuns,
            CommandError::OtherAnswer,
            CommandError::UnknownCode { code: String::new() },
            CommandError::Interrupted,
            CommandError::NotTerminal,
            CommandError::Bug,
        ] {
            let (code, _, _) = error.told();
            assert!(crate::pages::page(code).is_some(), "{code}");
        }
    }
}
