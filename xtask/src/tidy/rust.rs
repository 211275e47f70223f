//! Just enough of Rust's grammar to look at code without its comments and strings: tokens with their lines, which of
//! them belong to tests, and the paths that are named.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Word,
    /// A string literal of any form; its text is what stands between the quotes.
    Text,
    /// A number, a character or a lifetime: nothing that a rule looks at.
    Other,
    Mark,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub text: String,
    /// From 1.
    pub line: usize,
    /// Inside a `#[cfg(test)]` item or a `#[test]` function.
    pub test: bool,
}

/// A path as it is named in code: `std::fs::File`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub path: String,
    pub line: usize,
    pub test: bool,
}

impl Named {
    /// Whether the path is this one or lies below it.
    pub fn is_under(&self, prefix: &str) -> bool {
        self.path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

/// Splits source text into tokens and marks those of tests.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut scanner = Scanner { rest: text, line: 1, tokens: Vec::new() };
    while scanner.step() {}
    let mut tokens = scanner.tokens;
    mark_tests(&mut tokens);
    tokens
}

struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token>,
}

impl<'a> Scanner<'a> {
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.take(end);
        } else if self.rest.starts_with("/*") {
            let end = block_comment(self.rest);
            self.take(end);
        } else if let Some((open, hashes)) = string_start(self.rest) {
            self.string(open, hashes);
        } else if first == '\'' {
            let end = quote(self.rest);
            self.push(Kind::Other, end);
        } else if first.is_alphabetic() || first == '_' {
            let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            self.push(Kind::Word, end.unwrap_or(self.rest.len()));
        } else if first.is_ascii_digit() {
            let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            self.push(Kind::Other, end.unwrap_or(self.rest.len()));
        } else if first.is_whitespace() {
            self.take(first.len_utf8());
        } else if self.rest.starts_with("::") {
            self.push(Kind::Mark, 2);
        } else {
            self.push(Kind::Mark, first.len_utf8());
        }
        true
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn push(&mut self, kind: Kind, bytes: usize) {
        let line = self.line;
        let text = self.take(bytes).to_owned();
        self.tokens.push(Token { kind, text, line, test: false });
    }

    fn string(&mut self, open: usize, hashes: Option<usize>) {
        let line = self.line;
        self.take(open);
        let inside = match hashes {
            Some(count) => {
                let close = format!("\"{}", "#".repeat(count));
                self.rest.find(&close).map(|end| (end, close.len()))
            }
            None => closing_quote(self.rest).map(|end| (end, 1)),
        };
        let (end, close) = inside.unwrap_or((self.rest.len(), 0));
        let text = self.take(end).to_owned();
        self.take(close);
        self.tokens.push(Token { kind: Kind::Text, text, line, test: false });
    }
}

/// The length of a string's opening, and the number of `#` if it is a raw string.
fn string_start(rest: &str) -> Option<(usize, Option<usize>)> {
    let plain = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let prefix = rest.len() - plain.len();
    if plain.starts_with('"') {
        return Some((prefix + 1, None));
    }
    let raw = plain.strip_prefix('r')?;
    let hashes = raw.bytes().take_while(|b| *b == b'#').count();
    let quoted = raw.split_at(hashes).1.starts_with('"');
    quoted.then_some((prefix + 1 + hashes + 1, Some(hashes)))
}

/// Where the quote that ends an ordinary string stands.
fn closing_quote(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at),
            _ => (),
        }
    }
    None
}

/// The length of a character literal or of a lifetime.
fn quote(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            let after_escape = chars.nth(1).map_or(rest.len(), |(at, _)| at);
            let tail = rest.split_at(after_escape).1;
            after_escape + tail.find('\'').map_or(tail.len(), |at| at + 1)
        }
        Some((at, c)) => {
            let after = at + c.len_utf8();
            let tail = rest.split_at(after).1;
            if tail.starts_with('\'') {
                return after + 1;
            }
            let name = tail.find(|c: char| !c.is_alphanumeric() && c != '_');
            after + name.unwrap_or(tail.len())
        }
        None => rest.len(),
    }
}

/// The length of a block comment, with those inside it.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let tail = rest.split_at(at).1;
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            match tail.chars().next() {
                Some(c) => at += c.len_utf8(),
                None => return rest.len(),
            }
        }
    }
}

/// Whether the tokens from `at` on read like this.
pub fn reads(tokens: &[Token], at: usize, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(i, word)| {
        tokens.get(at + i).is_some_and(|t| t.kind != Kind::Text && t.text == *word)
    })
}

/// The index after the bracket that closes the one at `open`.
pub fn after_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        if token.kind != Kind::Mark {
            continue;
        }
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index + 1;
                }
            }
            _ => (),
        }
    }
    tokens.len()
}

/// Whether the attribute in `inside` makes an item one of tests only.
fn is_test_attribute(inside: &[Token]) -> bool {
    let words: Vec<&str> =
        inside.iter().filter(|t| t.kind == Kind::Word).map(|t| t.text.as_str()).collect();
    match words.split_first() {
        Some((&"test", [])) => true,
        Some((&"cfg", rest)) => rest.contains(&"test") && !rest.contains(&"not"),
        Some((&"tokio", rest)) => rest.first() == Some(&"test"),
        Some(_) => false,
        None => false,
    }
}

fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        if !reads(tokens, at, &["#", "["]) {
            at += 1;
            continue;
        }
        let end = after_group(tokens, at + 1);
        if !is_test_attribute(tokens.get(at + 2..end.saturating_sub(1)).unwrap_or_default()) {
            at = end;
            continue;
        }
        let item_end = after_item(tokens, end);
        for token in tokens.iter_mut().take(item_end).skip(at) {
            token.test = true;
        }
        at = item_end;
    }
}

/// The index after the item that begins at `at`: its body, or its semicolon.
fn after_item(tokens: &[Token], mut at: usize) -> usize {
    while let Some(token) = tokens.get(at) {
        match (token.kind, token.text.as_str()) {
            (Kind::Mark, "{") => return after_group(tokens, at),
            (Kind::Mark, "(" | "[") => at = after_group(tokens, at),
            (Kind::Mark, ";") => return at + 1,
            _ => at += 1,
        }
    }
    tokens.len()
}

/// Modules that are declared for tests only and live in a file of their own.
pub fn test_modules(tokens: &[Token]) -> Vec<String> {
    let declared = tokens.windows(3).filter(|w| {
        matches!(w, [module, name, end] if module.test
            && module.text == "mod" && name.kind == Kind::Word && end.text == ";")
    });
    declared.filter_map(|w| w.get(1)).map(|name| name.text.clone()).collect()
}

/// Every path that the code names, with `use` trees written out.
pub fn named(tokens: &[Token]) -> Vec<Named> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.kind != Kind::Word {
            at += 1;
        } else if token.text == "use" && starts_statement(tokens, at) {
            at = use_tree(tokens, at + 1, "", &mut found);
        } else if at > 0 && tokens.get(at - 1).is_some_and(|t| t.text == ".") {
            at += 1;
        } else {
            let (path, next) = path(tokens, at);
            found.push(Named { path, line: token.line, test: token.test });
            at = next;
        }
    }
    found
}

fn starts_statement(tokens: &[Token], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    before.is_none_or(|t| matches!(t.text.as_str(), ";" | "{" | "}" | "]" | "pub" | ")"))
}

fn path(tokens: &[Token], at: usize) -> (String, usize) {
    let mut path = String::new();
    let mut next = at;
    while let Some(word) = tokens.get(next).filter(|t| t.kind == Kind::Word) {
        path.push_str(&word.text);
        next += 1;
        let more = reads(tokens, next, &["::"])
            && tokens.get(next + 1).is_some_and(|t| t.kind == Kind::Word);
        if !more {
            break;
        }
        path.push_str("::");
        next += 1;
    }
    (path, next)
}

/// Writes out one `use` tree; returns the index after it.
fn use_tree(tokens: &[Token], at: usize, prefix: &str, found: &mut Vec<Named>) -> usize {
    let mut at = at;
    let mut path = prefix.to_owned();
    let mut ends = true;
    while let Some(token) = tokens.get(at) {
        match (token.kind, token.text.as_str()) {
            (Kind::Word, "as") => {
                at += 1;
            }
            (Kind::Word, word) => {
                // After `as` comes a new name, which names nothing that exists.
                if tokens.get(at - 1).is_none_or(|t| t.text != "as") {
                    if !path.is_empty() {
                        path.push_str("::");
                    }
                    path.push_str(word);
                }
                at += 1;
            }
            (Kind::Mark, "::" | "*") => at += 1,
            (Kind::Mark, "{") => {
                ends = false;
                at += 1;
                while tokens.get(at).is_some_and(|t| t.text != "}") {
                    at = use_tree(tokens, at, &path, found);
                    if tokens.get(at).is_some_and(|t| t.text == ",") {
                        at += 1;
                    }
                }
                at += 1;
            }
            _ => break,
        }
    }
    if ends && let Some(last) = at.checked_sub(1).and_then(|last| tokens.get(last)) {
        let path = path.strip_suffix("::self").unwrap_or(&path).to_owned();
        found.push(Named { path, line: last.line, test: last.test });
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        tokens(text).into_iter().map(|t| t.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_go_and_strings_are_kept_apart() {
        let text = "a /* b /* c */ d */ \"e \\\" f\" r#\"g \" h\"# 'i' '\\'' 'static b'j' // k\nl";
        assert_eq!(words(text), "a e \\\" f g \" h 'i' '\\'' 'static b 'j' l");
        let strings: Vec<_> =
            tokens(text).into_iter().filter(|t| t.kind == Kind::Text).map(|t| t.text).collect();
        assert_eq!(strings, ["e \\\" f", "g \" h"]);
        assert_eq!(tokens(text).last().map(|t| t.line), Some(2));
    }

    #[test]
    fn tests_are_marked_to_the_end_of_their_item() {
        let text = "fn a() {} #[cfg(test)] mod tests { fn b() {} } fn c() {}
            #[test] fn d() { } #[cfg(not(test))] fn e() {} #[cfg(test)] mod more; #[tokio::test] async fn f() {}";
        let names: Vec<_> = tokens(text)
            .into_iter()
            .filter(|t| t.kind == Kind::Word && t.text.len() == 1)
            .map(|t| (t.text, t.test))
            .collect();
        let expected =
            [("a", false), ("b", true), ("c", false), ("d", true), ("e", false), ("f", true)];
        assert_eq!(names, expected.map(|(name, test)| (name.to_owned(), test)));
        assert_eq!(test_modules(&tokens(text)), ["more"]);
    }

    #[test]
    fn paths_are_written_out() {
        let text = "use std::{fs::{self, File}, io as out}; pub use a::*; fn x() { b::c::<T>::d(); e.fs::<u8>() }";
        let paths: Vec<_> = named(&tokens(text)).into_iter().map(|n| n.path).collect();
        let expected = [
            "std::fs",
            "std::fs::File",
            "std::io",
            "pub",
            "a",
            "fn",
            "x",
            "b::c",
            "T",
            "d",
            "e",
            "u8",
        ];
        assert_eq!(paths, expected);
    }
}
