//! What the benches share: plans and servers that cost nothing, a journal that is watched, floors, and how figures
//! are shown. The benches themselves are the binaries `bench-*`.
//!
//! A figure never fails a bench: a slow machine is not a mistake. What fails is a run that ends otherwise than it must.

pub mod children;
pub mod drive;
pub mod figure;
pub mod floor;
pub mod plans;
pub mod simulated;
pub mod watched;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use steadyhand_engine::port::{AppendError, LoadError};
use steadyhand_model::plan::PlanError;
use steadyhand_runtime::driver::TellError;
use steadyhand_store::sqlite::SqliteJournal;
use steadyhand_store::state::{LockError, StateDir, StateError};
use tempfile::TempDir;

use self::figure::Figure;

#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("{what} failed")]
    Io {
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the state directory cannot be used")]
    State {
        #[from]
        source: StateError,
    },
    #[error("the state directory cannot be locked")]
    Lock {
        #[from]
        source: LockError,
    },
    #[error("the journal cannot be opened")]
    Journal {
        #[from]
        source: steadyhand_store::sqlite::OpenError,
    },
    #[error("the keeper's socket cannot be made")]
    Socket {
        #[from]
        source: steadyhand_api::listener::BindError,
    },
    #[error("the journal does not take a recorded batch")]
    Append {
        #[from]
        source: AppendError,
    },
    #[error("the journal does not answer")]
    Load {
        #[from]
        source: LoadError,
    },
    #[error("a run cannot be made")]
    Create {
        #[from]
        source: steadyhand_runtime::keeper::OpenError,
    },
    #[error("a run does not take its approval")]
    Approve {
        #[from]
        source: TellError,
    },
    #[error("the plan of a bench cannot be sealed")]
    Plan {
        #[from]
        source: PlanError,
    },
    #[error("a name of a bench is not one")]
    Name {
        #[from]
        source: steadyhand_model::ids::IdError,
    },
    #[error("a value cannot be written as canonical JSON")]
    Canonical {
        #[from]
        source: steadyhand_model::canonical::CanonicalError,
    },
    #[error("the system gives no randomness")]
    Random {
        #[from]
        source: getrandom::Error,
    },
    #[error("a run ended as {phase}: what a bench measures must succeed")]
    Ended { phase: String },
    #[error("the end of a run was not heard")]
    Unheard,
    #[error("a task of the bench did not come to its end")]
    Task {
        #[from]
        source: tokio::task::JoinError,
    },
    #[error("{what} ended with {status}")]
    Child { what: String, status: std::process::ExitStatus },
    #[error("{what} said {said:?}")]
    Garbled { what: &'static str, said: String },
    #[error(
        "there is no binary `steady` beside this one; build one: cargo build -p steadyhand-cli"
    )]
    NoBinary,
    #[error("a line of JSON cannot be written")]
    Json {
        #[from]
        source: serde_json::Error,
    },
}

impl BenchError {
    pub fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

/// A directory beside this very program, so on the disk of the build and never in memory. Removed at the end.
///
/// # Errors
/// If it cannot be made.
pub fn directory(name: &str) -> Result<TempDir, BenchError> {
    let program = std::env::current_exe().map_err(BenchError::io("finding this program"))?;
    let beside = program.parent().unwrap_or_else(|| Path::new("."));
    tempfile::Builder::new()
        .prefix(&format!("bench-{name}-"))
        .tempdir_in(beside)
        .map_err(BenchError::io("making a directory for the bench"))
}

/// Becomes the keeper of a state directory and opens its journal.
///
/// # Errors
/// If the directory is kept by somebody else, or the journal does not open.
pub fn open_journal(directory: &Path) -> Result<Arc<SqliteJournal>, BenchError> {
    Ok(Arc::new(SqliteJournal::open(StateDir::open(directory)?.lock()?)?))
}

/// Shows what a bench found, as a table or with `--json` as a line for each figure.
///
/// # Errors
/// If standard output is closed.
pub fn show(title: &str, figures: &[Figure]) -> Result<(), BenchError> {
    let text = if std::env::args().any(|arg| arg == "--json") {
        figure::lines(figures)?
    } else {
        figure::table(title, figures)
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(BenchError::io("writing the table"))
}

/// The build profile of this very program.
pub fn profile() -> &'static str {
    if cfg!(debug_assertions) { "dev profile" } else { "release profile" }
}

/// The exit code of a bench; what went wrong is said on standard error, each cause on its own line.
pub fn ended(result: Result<(), BenchError>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let mut text = format!("error: {error}\n");
    let mut cause = std::error::Error::source(&error);
    while let Some(source) = cause {
        text.push_str(&format!("  because {source}\n"));
        cause = source.source();
    }
    match std::io::stderr().write_all(text.as_bytes()) {
        Ok(()) | Err(_) => ExitCode::FAILURE,
    }
}
