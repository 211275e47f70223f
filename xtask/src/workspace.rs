//! What cargo and git say about the workspace: its root, its packages, its files.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::program::{self, ProgramError};

#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error("cargo or git did not answer")]
    Ask {
        #[from]
        source: ProgramError,
    },
    #[error("cargo metadata answered something unexpected")]
    Metadata {
        #[source]
        source: serde_json::Error,
    },
}

/// The part of `cargo metadata --format-version 1` that is used here.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    pub packages: Vec<Package>,
    pub workspace_root: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    pub name: String,
    pub manifest_path: PathBuf,
    pub dependencies: Vec<Dependency>,
    pub targets: Vec<Target>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    pub name: String,
    /// `None` is a normal dependency, else `dev` or `build`.
    pub kind: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Target {
    pub name: String,
    pub kind: Vec<String>,
    pub doctest: bool,
}

impl Metadata {
    /// # Errors
    /// If the text is not of cargo's form.
    pub fn parse(json: &str) -> Result<Self, WorkspaceError> {
        serde_json::from_str(json).map_err(|source| WorkspaceError::Metadata { source })
    }
}

/// The workspace around the current directory.
#[derive(Debug, Clone)]
pub struct Workspace {
    pub root: PathBuf,
    pub metadata: Metadata,
}

impl Workspace {
    /// Asks cargo.
    ///
    /// # Errors
    /// If cargo does not answer.
    pub fn find() -> Result<Self, WorkspaceError> {
        let mut command = program::cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        let metadata = Metadata::parse(&program::capture(&mut command)?)?;
        Ok(Self { root: metadata.workspace_root.clone(), metadata })
    }

    /// The binaries of a package, by name.
    pub fn binaries(&self, package: &str) -> Vec<String> {
        let packages = self.metadata.packages.iter().filter(|p| p.name == package);
        let binaries =
            packages.flat_map(|p| &p.targets).filter(|t| t.kind.iter().any(|kind| kind == "bin"));
        binaries.map(|t| t.name.clone()).collect()
    }

    /// `cargo` in the root of the workspace.
    pub fn cargo<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = program::cargo();
        command.current_dir(&self.root).args(args);
        command
    }
}

/// Every file that git tracks or would track, relative to the root, that is there.
///
/// # Errors
/// If git does not answer.
pub fn files(root: &Path) -> Result<Vec<String>, WorkspaceError> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = program::capture(&mut git)?;
    let mut files: Vec<String> = listed
        .split('\0')
        .filter(|path| !path.is_empty() && root.join(path).is_file())
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}
