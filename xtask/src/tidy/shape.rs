//! The shape of files: what they begin with, how long they are, what they are called.

use crate::tidy::Broken;
use crate::tidy::rust::Kind;
use crate::tidy::tree::{File, Tree};

/// Most lines of a file outside its tests. 500 is where one asks whether it is two things.
pub const FILE_LINES_MAX: usize = 800;

fn ours(file: &File) -> bool {
    file.is_rust() && file.crate_name().is_some()
}

/// A file says what it owns before its first item.
pub(super) fn module_doc(tree: &Tree) -> Vec<Broken> {
    let missing = tree.files.iter().filter(|file| {
        let first =
            file.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
        ours(file) && !first.is_some_and(|line| line.starts_with("//!"))
    });
    missing.map(|file| Broken::new(&file.path, 1, "does not begin with a module doc")).collect()
}

/// A file that has outgrown its limit owns more than one thing.
pub(super) fn file_length(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in tree.files.iter().filter(|file| ours(file) && !file.test) {
        let tests: std::collections::BTreeSet<usize> =
            file.tokens.iter().filter(|token| token.test).map(|token| token.line).collect();
        let lines = file.text.lines().count().saturating_sub(tests.len());
        if lines > FILE_LINES_MAX {
            let what = format!("{lines} lines outside tests, at most {FILE_LINES_MAX}");
            broken.push(Broken::new(&file.path, 0, what));
        }
    }
    broken
}

/// Words that name no noun.
const NAMELESS: [&str; 7] = ["util", "utils", "helper", "helpers", "common", "manager", "managers"];

/// A file or type is called after the noun that it owns.
pub(super) fn name(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in tree.files.iter().filter(|file| ours(file)) {
        for part in file.path.split('/') {
            let stem = part.strip_suffix(".rs").unwrap_or(part);
            if stem.split(['_', '-']).any(|word| NAMELESS.contains(&word)) {
                broken.push(Broken::new(&file.path, 0, format!("`{part}` names no noun")));
            }
        }
        for (at, token) in file.tokens.iter().enumerate() {
            let declares =
                matches!(token.text.as_str(), "struct" | "enum" | "trait" | "type" | "mod");
            if token.kind != Kind::Word || !declares {
                continue;
            }
            if let Some(named) = file.tokens.get(at + 1).filter(|t| t.kind == Kind::Word)
                && words(&named.text).iter().any(|word| NAMELESS.contains(&word.as_str()))
            {
                let what = format!("`{}` names no noun", named.text);
                broken.push(Broken::new(&file.path, named.line, what));
            }
        }
    }
    broken
}

/// The words of `CamelCase` or `snake_case`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if (c.is_uppercase() || c == '_') && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c != '_') {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// A crate's tests outside `src` are one binary: linking is what tests wait for.
pub(super) fn one_test_binary(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for package in &tree.packages {
        for target in &package.targets {
            if target.kind.iter().any(|kind| kind == "test") && target.name != "it" {
                let what = format!(
                    "the test binary `{}` of {}: put it into tests/it",
                    target.name, package.name
                );
                broken.push(Broken::new(package.manifest_path.display().to_string(), 0, what));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_into_words() {
        assert_eq!(words("RunManager"), ["run", "manager"]);
        assert_eq!(words("net_utils"), ["net", "utils"]);
        assert_eq!(words("Commonplace"), ["commonplace"]);
    }
}
