//! The rules of this repository that no other tool checks. Each is a test too (`tests/it/repository.rs`), and each has
//! a bad sample that it must catch (`tests/it/samples.rs`).

pub mod crates;
pub mod pages;
pub mod purity;
pub mod rust;
pub mod shape;
pub mod text;
pub mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

use crate::tidy::tree::{ALLOWED_FILE, Allowed, Tree};
use crate::workspace::{Workspace, WorkspaceError};

#[derive(Debug, thiserror::Error)]
pub enum TidyError {
    #[error("the repository could not be listed")]
    List {
        #[from]
        source: WorkspaceError,
    },
    #[error("{path} could not be read")]
    Read {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is not of its form")]
    Toml {
        path: String,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("standard output is closed")]
    Output {
        #[source]
        source: std::io::Error,
    },
}

/// A place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub file: String,
    /// From 1; zero where it is about the file as a whole.
    pub line: usize,
    pub rule: &'static str,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": [{}] {}", self.rule, self.what)
    }
}

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub name: &'static str,
    pub check: fn(&Tree) -> Vec<Broken>,
}

/// A finding before its rule is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub file: String,
    pub line: usize,
    pub what: String,
}

impl Broken {
    pub fn new(file: impl Into<String>, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.into(), line, what: what.into() }
    }
}

/// Every rule, in the order in which they are reported.
pub const RULES: [Rule; 21] = [
    Rule { name: "direction", check: crates::direction },
    Rule { name: "heavy", check: crates::heavy },
    Rule { name: "banned", check: crates::banned },
    Rule { name: "manifest", check: crates::manifest },
    Rule { name: "unused-version", check: crates::unused_version },
    Rule { name: "purity", check: purity::purity },
    Rule { name: "spawn", check: purity::spawn },
    Rule { name: "authorized", check: purity::authorized },
    Rule { name: "judge", check: purity::judge },
    Rule { name: "untyped-json", check: purity::untyped_json },
    Rule { name: "module-doc", check: shape::module_doc },
    Rule { name: "file-length", check: shape::file_length },
    Rule { name: "name", check: shape::name },
    Rule { name: "one-test-binary", check: shape::one_test_binary },
    Rule { name: "swallowed", check: text::swallowed },
    Rule { name: "string-error", check: text::string_error },
    Rule { name: "unfinished", check: text::unfinished },
    Rule { name: "test-habit", check: text::test_habit },
    Rule { name: "outside", check: text::outside },
    Rule { name: "error-page", check: pages::error_page },
    Rule { name: "reference", check: pages::reference },
];

/// What one rule finds, less the exceptions that stand in `xtask/allowed.toml`.
pub fn check(tree: &Tree, rule: &Rule) -> Vec<Finding> {
    let mut by_file: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    for Broken { file, line, what } in (rule.check)(tree) {
        let finding = Finding { file: file.clone(), line, rule: rule.name, what };
        by_file.entry(file).or_default().push(finding);
    }
    let mut findings = Vec::new();
    for allowed in tree.allowed.iter().filter(|allowed| allowed.rule == rule.name) {
        let found = by_file.remove(&allowed.file).unwrap_or_default();
        findings.extend(judge_exception(allowed, found, rule.name));
    }
    findings.extend(by_file.into_values().flatten());
    findings.sort();
    findings
}

/// An exception covers exactly as many places as it says: one more is a finding, and one less too.
fn judge_exception(allowed: &Allowed, found: Vec<Finding>, rule: &'static str) -> Vec<Finding> {
    let note = |what: String| Finding { file: ALLOWED_FILE.to_owned(), line: 0, rule, what };
    if allowed.reason.trim().is_empty() {
        return vec![note(format!("the exception for {} gives no reason", allowed.file))];
    }
    match found.len() {
        count if count == allowed.count => Vec::new(),
        count if count > allowed.count => found,
        count => vec![note(format!(
            "the exception for {} allows {}, only {count} are there: write {count}",
            allowed.file, allowed.count
        ))],
    }
}

/// Checks every rule and prints what is broken. `true` if nothing is.
///
/// # Errors
/// If the repository cannot be read.
pub fn run(workspace: &Workspace) -> Result<bool, TidyError> {
    let tree = Tree::read(workspace)?;
    let findings: Vec<Finding> = RULES.iter().flat_map(|rule| check(&tree, rule)).collect();
    let mut text = String::new();
    for finding in &findings {
        text.push_str(&format!("{finding}\n"));
    }
    text.push_str(&format!("tidy: {} rules, {} findings\n", RULES.len(), findings.len()));
    let written = std::io::stdout().write_all(text.as_bytes());
    written.map_err(|source| TidyError::Output { source })?;
    Ok(findings.is_empty())
}
