//! Runs the benches: the binaries of `testkit` whose names begin with `bench-`. Each prints its own table.

use crate::program::{self, ProgramError};
use crate::workspace::Workspace;

#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("a bench could not be started")]
    Program {
        #[from]
        source: ProgramError,
    },
    #[error("there is no bench {name:?}; {PACKAGE} has: {known}")]
    Unknown { name: String, known: String },
    #[error("{PACKAGE} has no binary whose name begins with {PREFIX}")]
    None,
}

const PACKAGE: &str = "steadyhand-testkit";
const PRODUCT: &str = "steadyhand-cli";
const PREFIX: &str = "bench-";

/// Runs one bench, or all. `false` if one of them failed.
///
/// # Errors
/// If there is no such bench, or cargo cannot be started.
pub fn run(workspace: &Workspace, only: Option<&str>) -> Result<bool, BenchError> {
    let binaries = workspace.binaries(PACKAGE);
    let benches: Vec<&str> = binaries.iter().filter_map(|bin| bin.strip_prefix(PREFIX)).collect();
    if benches.is_empty() {
        return Err(BenchError::None);
    }
    if let Some(name) = only
        && !benches.contains(&name)
    {
        return Err(BenchError::Unknown { name: name.to_owned(), known: benches.join(", ") });
    }
    // What is measured is the program that people run.
    let build = ["build", "--quiet", "--release", "--package", PRODUCT];
    let mut passed = program::passes(&mut workspace.cargo(build))?;
    for bench in benches.iter().filter(|bench| only.is_none_or(|name| name == **bench)) {
        let bin = format!("{PREFIX}{bench}");
        let args = ["run", "--quiet", "--release", "--package", PACKAGE, "--bin", &bin];
        passed &= program::passes(&mut workspace.cargo(args))?;
    }
    Ok(passed)
}
