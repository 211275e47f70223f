//! Documents that cannot go stale: each error code has a page, and what a document names is there.

use std::collections::BTreeMap;

use crate::tidy::Broken;
use crate::tidy::rust::{Kind, reads};
use crate::tidy::tree::{File, Tree};

const PAGES: &str = "docs/errors/";

/// `SH` and four digits, as a whole word.
fn codes(text: &str) -> Vec<String> {
    let mut codes = Vec::new();
    for (at, _) in text.match_indices("SH") {
        let (before, rest) = text.split_at(at);
        let digits: String = rest.chars().skip(2).take_while(char::is_ascii_digit).collect();
        let inside = before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        if digits.len() == 4 && !inside {
            codes.push(format!("SH{digits}"));
        }
    }
    codes
}

/// A code in a crate, a page in `docs/errors`: both or neither, and one file that defines it.
pub(super) fn error_page(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    // Each code with the places that define it; none where it is only mentioned.
    let mut used: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    for file in tree.rust().filter(|file| file.path.starts_with("crates/")) {
        for (code, line, defines) in codes_of(file) {
            let places = used.entry(code).or_default();
            // One file may give a code to several cases of one thing; two files cannot know of one another.
            if defines && places.iter().all(|(path, _)| *path != file.path) {
                places.push((file.path.clone(), line));
            }
        }
    }
    for (code, places) in &used {
        let page = format!("{PAGES}{code}.md");
        if !tree.files.iter().any(|file| file.path == page) {
            let (file, line) = places.first().cloned().unwrap_or((page.clone(), 0));
            broken.push(Broken::new(file, line, format!("{code} has no page {page}")));
        }
        for (file, line) in places.iter().skip(1) {
            let first = places.first().map_or("", |(file, _)| file.as_str());
            let what = format!("{code} is defined in {first} already");
            broken.push(Broken::new(file, *line, what));
        }
    }
    for file in tree.files.iter().filter(|file| file.path.starts_with(PAGES)) {
        let code = file.stem().to_owned();
        if used.get(&code).is_none_or(Vec::is_empty) {
            broken.push(Broken::new(&file.path, 0, format!("no code {code} is defined")));
        }
        if !file.text.starts_with(&format!("# {code}: ")) {
            broken.push(Broken::new(&file.path, 1, format!("does not begin with `# {code}: `")));
        }
    }
    broken
}

/// The codes in a file's own code: which, where, and whether they are defined there and not only mentioned.
fn codes_of(file: &File) -> Vec<(String, usize, bool)> {
    let mut found = Vec::new();
    let numbered =
        (0..file.tokens.len()).any(|at| reads(&file.tokens, at, &["struct", "ProblemCode"]));
    for (at, token) in file.code() {
        if token.kind == Kind::Text {
            // A whole text that is a code defines it; a code inside a longer text is a mention.
            for code in codes(&token.text) {
                let defines = code == token.text;
                found.push((code, token.line, defines));
            }
        } else if numbered && reads(&file.tokens, at, &["Self", "=", "Self", "("]) {
            let number = file.tokens.get(at + 4).and_then(|number| number.text.parse::<u16>().ok());
            found.extend(number.map(|number| (format!("SH{number:04}"), token.line, true)));
        }
    }
    found
}

/// Beginnings of paths of this repository, as documents write them between backticks.
const FOLDERS: [&str; 7] =
    ["crates/", "xtask/", "docs/", "fixtures/", "schema/", ".ci/", ".cargo/"];

/// What a document links to, or names as `path` or `path::test`, is there.
pub(super) fn reference(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        let mut fenced = false;
        for (number, line) in file.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            let missing = links(line).filter(|link| !link_leads(tree, &file.path, link));
            let missing = missing.chain(quoted(line).filter(|name| !is_there(tree, name)));
            broken.extend(
                missing.map(|name| {
                    Broken::new(&file.path, number + 1, format!("there is no `{name}`"))
                }),
            );
        }
    }
    broken
}

fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
}

fn quoted(line: &str) -> impl Iterator<Item = &str> {
    let inside = line.split('`').skip(1).step_by(2);
    inside.filter(|text| FOLDERS.iter().any(|folder| text.starts_with(folder)))
}

fn link_leads(tree: &Tree, from: &str, link: &str) -> bool {
    let path = link.split('#').next().unwrap_or(link);
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    path.is_empty() || is_there(tree, &parts.join("/"))
}

/// A file, a folder, or a file and a function in it. Names with `*` or `<` stand for many and are not looked up.
fn is_there(tree: &Tree, name: &str) -> bool {
    if name.contains(['*', '<', ' ']) {
        return true;
    }
    let (path, function) = name.split_once("::").unwrap_or((name, ""));
    let folder = format!("{}/", path.trim_end_matches('/'));
    let in_file = |text: &str| function.is_empty() || text.contains(&format!("fn {function}("));
    tree.files.iter().any(|file| {
        (file.path == path && in_file(&file.text))
            || (function.is_empty() && file.path.starts_with(&folder))
    })
}
