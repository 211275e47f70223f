//! Documents that cannot go stale: each error code has a page, and what a document names is there.

use std::collections::BTreeMap;

use crate::tidy::Broken;
use crate::tidy::rust::Kind;
use crate::tidy::tree::Tree;

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

/// A code in a crate, a page in `docs/errors`: both or neither. A code is written as a text once: where it is defined.
pub(super) fn error_page(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut used: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    for file in tree.rust().filter(|file| file.path.starts_with("crates/")) {
        for (_, token) in file.code().filter(|(_, token)| token.kind == Kind::Text) {
            let found = codes(&token.text);
            // A whole text that is a code defines it; a code inside a longer text is a mention.
            let defines = found.first().is_some_and(|code| *code == token.text);
            for code in found {
                let places = used.entry(code).or_default();
                if defines {
                    places.push((file.path.clone(), token.line));
                }
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
            broken.push(Broken::new(file, *line, format!("{code} is defined more than once")));
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
