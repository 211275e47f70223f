//! Making sure that what the tests need is here. Running it again changes nothing.

use std::io::Write;
use std::process::Command;

use crate::program::{self, ProgramError};
use crate::workspace::Workspace;

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
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

/// A component of the pinned toolchain, and the command that shows that it is there.
const COMPONENTS: [(&str, [&str; 2]); 2] =
    [("rustfmt", ["fmt", "--version"]), ("clippy", ["clippy", "--version"])];

/// A program, and how to ask for its version.
const PROGRAMS: [(&str, &str); 4] =
    [("git", "--version"), ("python3", "--version"), ("node", "--version"), ("go", "version")];

/// Installs missing components and looks for the programs. `false` if one is missing.
///
/// # Errors
/// If rustup cannot be run where it is needed.
pub fn run(workspace: &Workspace) -> Result<bool, SetupError> {
    let mut out = std::io::stdout();
    for (component, version) in COMPONENTS {
        if program::capture(&mut workspace.cargo(version)).is_err() {
            let mut rustup = Command::new("rustup");
            rustup.current_dir(&workspace.root).args(["component", "add", component]);
            program::capture(&mut rustup)?;
        }
    }
    let mut all = true;
    for (name, version) in PROGRAMS {
        if program::capture(Command::new(name).arg(version)).is_err() {
            all = false;
            writeln!(out, "missing: {name}. Install it and run this again.")
                .map_err(|source| SetupError::Output { source })?;
        }
    }
    if all {
        writeln!(out, "what the tests need is here")
            .map_err(|source| SetupError::Output { source })?;
    }
    Ok(all)
}
