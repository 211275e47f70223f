//! What the rules look at: the files of the repository, its packages, its lock file. Read once, or made up by a test.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use crate::tidy::TidyError;
use crate::tidy::rust::{self, Named, Token};
use crate::workspace::{self, Metadata, Package, Workspace};

/// Files above this are data, not text that a rule should read: 1 MiB.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

/// One file, with `/` between the parts of its path.
#[derive(Debug)]
pub struct File {
    pub path: String,
    pub text: String,
    /// Empty for a file that is not Rust.
    pub tokens: Vec<Token>,
    /// The whole file belongs to tests.
    pub test: bool,
}

impl File {
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Tokens outside tests.
    pub fn code(&self) -> impl Iterator<Item = (usize, &Token)> {
        self.tokens.iter().enumerate().filter(|(_, token)| !self.test && !token.test)
    }

    /// Paths named outside tests.
    pub fn named(&self) -> Vec<Named> {
        let all = rust::named(&self.tokens);
        all.into_iter().filter(|named| !self.test && !named.test).collect()
    }

    /// The crate's folder name: `engine` for `crates/engine/src/run.rs`, `xtask` for those of this one.
    pub fn crate_name(&self) -> Option<&str> {
        let mut parts = self.path.split('/');
        match parts.next()? {
            "crates" => parts.next(),
            "xtask" => Some("xtask"),
            _ => None,
        }
    }

    /// The file's name without its ending.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split('.').next().unwrap_or(name)
    }
}

/// Everything that the rules look at.
#[derive(Debug)]
pub struct Tree {
    pub files: Vec<File>,
    pub packages: Vec<Package>,
    pub lock: Lock,
    pub allowed: Vec<Allowed>,
}

/// The packages of `Cargo.lock`.
#[derive(Debug, Default, Deserialize)]
pub struct Lock {
    #[serde(default)]
    pub package: Vec<Locked>,
}

#[derive(Debug, Deserialize)]
pub struct Locked {
    pub name: String,
    pub version: String,
}

/// An exception from a rule in one file, with its proof. `count` is exact, so that the list can only shrink.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    pub rule: String,
    pub file: String,
    pub count: usize,
    pub reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowedFile {
    #[serde(default)]
    allowed: Vec<Allowed>,
}

/// Where the exceptions stand.
pub const ALLOWED_FILE: &str = "xtask/allowed.toml";

impl Tree {
    /// Reads the repository.
    ///
    /// # Errors
    /// If a file cannot be read, or the lock file or the list of exceptions is not of its form.
    pub fn read(workspace: &Workspace) -> Result<Self, TidyError> {
        let mut files = Vec::new();
        for path in workspace::files(&workspace.root)? {
            let whole = workspace.root.join(&path);
            let read = |source| TidyError::Read { path: path.clone(), source };
            if std::fs::metadata(&whole).map_err(read)?.len() > TEXT_BYTES_MAX {
                continue;
            }
            let bytes = std::fs::read(&whole).map_err(read)?;
            // What is not text (a binary fixture) has no lines to check.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push((path, text));
            }
        }
        Self::of(files, workspace.metadata.clone())
    }

    /// Puts a tree together from its parts.
    ///
    /// # Errors
    /// If the lock file or the list of exceptions is not of its form.
    pub fn of(files: Vec<(String, String)>, metadata: Metadata) -> Result<Self, TidyError> {
        let toml =
            |path: &str| files.iter().find(|(p, _)| p == path).map(|(_, text)| text.as_str());
        let lock = match toml("Cargo.lock") {
            Some(text) => parse("Cargo.lock", text)?,
            None => Lock::default(),
        };
        let allowed: AllowedFile = match toml(ALLOWED_FILE) {
            Some(text) => parse(ALLOWED_FILE, text)?,
            None => AllowedFile::default(),
        };
        let mut files: Vec<File> = files.into_iter().map(|(path, text)| file(path, text)).collect();
        mark_test_files(&mut files);
        Ok(Self { files, packages: metadata.packages, lock, allowed: allowed.allowed })
    }

    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }
}

/// Reads a TOML document.
///
/// # Errors
/// If it is not of the form that is wanted.
pub fn parse<T: serde::de::DeserializeOwned>(path: &str, text: &str) -> Result<T, TidyError> {
    toml::from_str(text)
        .map_err(|source| TidyError::Toml { path: path.to_owned(), source: Box::new(source) })
}

fn file(path: String, text: String) -> File {
    let tokens = if path.ends_with(".rs") { rust::tokens(&text) } else { Vec::new() };
    let test = path.contains("/tests/") || path.ends_with("/tests.rs");
    File { path, text, tokens, test }
}

/// A module that is declared under `#[cfg(test)]` is one of tests, with everything below it.
fn mark_test_files(files: &mut [File]) {
    let mut roots = BTreeSet::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let folder = module_folder(&file.path);
        roots.extend(rust::test_modules(&file.tokens).into_iter().map(|m| format!("{folder}/{m}")));
    }
    for file in files.iter_mut() {
        let path = Path::new(&file.path);
        let below = roots.iter().any(|root| path.starts_with(root));
        file.test |= below || file.path.strip_suffix(".rs").is_some_and(|p| roots.contains(p));
    }
}

/// Where the modules live that a file declares.
fn module_folder(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", name.strip_suffix(".rs").unwrap_or(name)),
    }
}
