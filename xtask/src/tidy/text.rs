//! Habits that a reader would strike out: discarded results, errors without a type, work left for later, and words
//! that do not belong into this repository.
//!
//! The patterns are put together from parts, so that this file does not break its own rules.

use crate::tidy::Broken;
use crate::tidy::rust::{Kind, Token, after_group, reads};
use crate::tidy::tree::{File, Tree};

fn product(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.rust().filter(|file| file.crate_name().is_some())
}

/// A result that is thrown away, a default where there was an answer, a lock taken by reflex.
pub(super) fn swallowed(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in product(tree) {
        let tokens = &file.tokens;
        for (at, token) in file.code() {
            let what = if reads(tokens, at, &["let", "_", "="]) {
                "the value is thrown away: handle it, or say why it does not matter"
            } else if reads(tokens, at, &[".", "ok", "(", ")", ";"]) && is_discarded(tokens, at) {
                "the error is thrown away"
            } else if reads(tokens, at, &[".", "unwrap_or_default", "("]) && is_input(tokens, at) {
                "a default stands in for what was not understood: name the case"
            } else if reads(tokens, at, &["map_err", "(", "|", "_", "|"]) {
                "the source of the error is thrown away"
            } else if shared_lock(tokens, at) && !has_comment(file, token.line) {
                "a shared lock: give the state one owner, or say above it what the lock guards"
            } else {
                continue;
            };
            broken.push(Broken::new(&file.path, token.line, what));
        }
    }
    broken
}

/// `Arc<Mutex<…>>` and the like, also with a path before the lock's name.
fn shared_lock(tokens: &[Token], at: usize) -> bool {
    if !reads(tokens, at, &["Arc", "<"]) {
        return false;
    }
    let words = tokens.iter().skip(at + 2).take_while(|t| t.kind == Kind::Word || t.text == "::");
    words.last().is_some_and(|last| matches!(last.text.as_str(), "Mutex" | "RwLock"))
}

/// Whether the line, or the one above it, has a comment.
fn has_comment(file: &File, line: usize) -> bool {
    let lines = file.text.lines().skip(line.saturating_sub(2)).take(2);
    lines.into_iter().any(|line| line.contains("//"))
}

/// Calls whose failure means that the input is not what it should be.
const READING: [&str; 14] = [
    "parse",
    "from_str",
    "from_slice",
    "from_reader",
    "from_utf8",
    "to_str",
    "as_str",
    "as_u64",
    "as_i64",
    "as_bool",
    "as_array",
    "as_object",
    "var",
    "read_to_string",
];

/// Whether the statement up to `at` reads something that came from outside.
fn is_input(tokens: &[Token], at: usize) -> bool {
    let statement = (0..at).rev().map_while(|index| tokens.get(index).map(|token| (index, token)));
    let statement = statement.take_while(|(_, t)| !matches!(t.text.as_str(), ";" | "{" | "}"));
    statement.into_iter().any(|(index, t)| {
        // `json.as_str()` may not be a text; `RunId::as_str` always is one.
        let of_type = t.text == "as_str" && index > 0 && reads(tokens, index - 1, &["::"]);
        t.kind == Kind::Word && READING.contains(&t.text.as_str()) && !of_type
    })
}

/// Whether the statement that ends in the `.ok();` at `at` keeps nothing of it.
fn is_discarded(tokens: &[Token], at: usize) -> bool {
    let mut depth = 0_usize;
    for token in tokens.iter().take(at).rev().filter(|token| token.kind != Kind::Text) {
        match token.text.as_str() {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" if depth == 0 => return true,
            "(" | "[" | "{" => depth -= 1,
            ";" if depth == 0 => return true,
            "=" | "let" | "return" | "break" if depth == 0 => return false,
            _ => (),
        }
    }
    true
}

/// An error is an enum with its source, never a text.
pub(super) fn string_error(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in product(tree) {
        let tokens = &file.tokens;
        for (at, token) in file.code() {
            let what = if reads(tokens, at, &["Result", "<"]) && ends_in_text(tokens, at + 1) {
                "a text as error: make an enum named after the operation"
            } else if reads(tokens, at, &["#", "[", "error", "("]) && repeats(tokens, at + 1) {
                "the message repeats its source, which is printed after it"
            } else if reads(tokens, at, &["map_err", "(", "|"]) && makes_text(tokens, at + 1) {
                "an error is turned into a text: keep it as the source"
            } else {
                continue;
            };
            broken.push(Broken::new(&file.path, token.line, what));
        }
    }
    broken
}

/// Whether the message in the attribute that opens at `open` prints the source.
fn repeats(tokens: &[Token], open: usize) -> bool {
    let end = after_group(tokens, open);
    tokens.iter().take(end).skip(open).any(|token| {
        token.kind == Kind::Text
            && (token.text.contains("{source}") || token.text.contains("{source:"))
    })
}

/// Whether the last type argument of the list that opens at `open` is a text.
fn ends_in_text(tokens: &[Token], open: usize) -> bool {
    let mut depth = 0_usize;
    let mut last: Vec<&str> = Vec::new();
    let mut commas = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        let arrow = at > 0 && tokens.get(at - 1).is_some_and(|before| before.text == "-");
        match token.text.as_str() {
            "<" | "(" | "[" => depth += 1,
            ">" if arrow => (),
            ">" | ")" | "]" => depth = depth.saturating_sub(1),
            ";" | "{" => return false,
            "," if depth == 1 => {
                commas += 1;
                last.clear();
                continue;
            }
            _ => (),
        }
        if depth == 0 {
            break;
        }
        last.push(&token.text);
    }
    commas == 1 && matches!(last.as_slice(), ["String"] | ["&", .., "str"])
}

/// Whether the closure in the call that opens at `open` makes a text of the error.
fn makes_text(tokens: &[Token], open: usize) -> bool {
    let end = after_group(tokens, open).saturating_sub(1);
    let body: Vec<&str> = tokens
        .iter()
        .take(end)
        .skip(open + 1)
        .filter(|token| token.kind != Kind::Text)
        .map(|token| token.text.as_str())
        .skip_while(|text| *text == "|")
        .skip_while(|text| *text != "|")
        .skip(1)
        .collect();
    matches!(body.as_slice(), ["format", "!", ..] | [_, ".", "to_string", "(", ")"])
}

/// Work left for later, in code and in documents.
const UNFINISHED: [&str; 11] = [
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X:"),
    // As a promise of something better. "Refused for now" is a fact.
    concat!("for ", "now,"),
    concat!("for ", "now we"),
    concat!(", for ", "now"),
    concat!("// for ", "now"),
    concat!("place", "holder"),
    concat!("unimple", "mented!"),
    concat!("not yet ", "implemented"),
    concat!("work", "around for old"),
];

/// Nothing is left for later.
pub(super) fn unfinished(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in tree.files.iter().filter(|file| is_ours(&file.path)) {
        for (number, line) in file.text.lines().enumerate() {
            let found = UNFINISHED.iter().find(|pattern| {
                let upper = pattern.chars().next().is_some_and(char::is_uppercase);
                if upper { line.contains(*pattern) } else { line.to_lowercase().contains(*pattern) }
            });
            if let Some(pattern) = found {
                let what = format!("`{pattern}`: finish it or leave it out");
                broken.push(Broken::new(&file.path, number + 1, what));
            }
        }
    }
    broken
}

/// Files that are written here by hand.
fn is_ours(path: &str) -> bool {
    let generated = path == "Cargo.lock" || path == "LICENSE";
    let data = path.starts_with("fixtures/") || path.ends_with(".json") || path.ends_with(".jsonl");
    !generated && !data
}

/// Tests run, wait for no clock, and say what must hold.
pub(super) fn test_habit(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in product(tree) {
        let tokens = &file.tokens;
        // A paused clock jumps to the next event; nobody waits.
        let paused = tokens.iter().any(|token| token.text == "start_paused");
        for (at, token) in tokens.iter().enumerate() {
            let in_test = file.test || token.test;
            let what = if reads(tokens, at, &["#", "[", "ignore"]) {
                "an ignored test shows nothing: make it run or delete it"
            } else if reads(tokens, at, &["#", "[", "should_panic"]) {
                "a panic is not a result: compare the error"
            } else if in_test && is_sleep(tokens, at, paused) {
                "a test sleeps: drive the clock, or wait for the event itself"
            } else if reads(tokens, at, &["#", "[", "test", "]"]) && !asserts(tokens, at + 4) {
                "the test asserts nothing"
            } else {
                continue;
            };
            broken.push(Broken::new(&file.path, token.line, what));
        }
    }
    broken
}

fn is_sleep(tokens: &[Token], at: usize, paused: bool) -> bool {
    let called = reads(tokens, at, &["sleep", "("]) || reads(tokens, at, &["sleep_until", "("]);
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    // A method `sleep_until` is that of a clock which the test itself drives.
    let other = before.is_some_and(|before| matches!(before.text.as_str(), "fn" | "."));
    let on_paused = paused && at >= 2 && reads(tokens, at - 2, &["time", "::"]);
    called && !other && !on_paused
}

/// Beginnings of the names by which a test says what must hold.
const ASSERTING: [&str; 9] = [
    "assert",
    "check",
    "expect",
    "prop_assert",
    "panic",
    "unreachable",
    "refuse",
    "conform",
    "hold",
];

/// Whether the body of the test function after `at` states something.
fn asserts(tokens: &[Token], at: usize) -> bool {
    let Some(open) = (at..tokens.len()).find(|index| reads(tokens, *index, &["{"])) else {
        return false;
    };
    let end = after_group(tokens, open);
    tokens.iter().take(end).skip(open).any(|token| {
        token.kind == Kind::Word && ASSERTING.iter().any(|word| token.text.starts_with(word))
    })
}

/// Words of places and people outside this repository.
const OUTSIDE: [&str; 13] = [
    concat!("/wo", "rk/"),
    concat!("/tmp/", "brief"),
    concat!("/ro", "ot/"),
    concat!("..", "/shared"),
    concat!("design", "/0"),
    concat!("design", "/1"),
    concat!("10-", "settled"),
    concat!("house", ".md"),
    concat!("reference", "/style"),
    concat!("sub", "agent"),
    concat!("this ", "session"),
    concat!("language model ", "wrote"),
    concat!("chat", "gpt"),
];

/// The repository speaks of itself alone.
pub(super) fn outside(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in &tree.files {
        for (number, line) in file.text.lines().enumerate() {
            let lower = line.to_lowercase();
            if let Some(pattern) = OUTSIDE.iter().find(|pattern| lower.contains(*pattern)) {
                let what = format!("`{pattern}` is outside this repository");
                broken.push(Broken::new(&file.path, number + 1, what));
            }
        }
    }
    broken
}
