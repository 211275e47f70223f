//! Secrets out of text that came from a server or a program, before the text reaches an error, a journal or a person.
//!
//! A wall of the second row: a server redacts what it knows to be secret; this catches what slipped through by its
//! form. It errs towards hiding too much. What is not here: escaping for a reader, which `model::text` does.

use std::error::Error;

use steadyhand_model::text::Escaped;

/// Stands where a secret was.
pub const MARK: &str = "[redacted]";
/// Longest text of a server that is passed on, in characters.
pub const TOLD_CHARS_MAX: usize = 500;
/// Most bytes of a text that are looked at at all: the rest is cut off. 16 KiB.
const LOOKED_AT_BYTES: usize = 16 * 1024;

/// Shortest run of letters and digits that is taken for a key by its form alone.
const LONG_CHARS: usize = 32;
/// Shortest credential after `Bearer` or `Basic` that is one: shorter words are prose.
const SCHEME_CHARS: usize = 8;
/// Shortest token behind a known prefix.
const TOKEN_CHARS: usize = 16;

/// Names whose value is secret, as the end of a longer name: `db_password`, `X-Api-Key`.
const NAMES: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "access-key",
    "secret_key",
    "secret-key",
    "private_key",
    "private-key",
    "credential",
    "credentials",
];
/// Names whose value is everything up to the end of the line.
const WHOLE_LINE: [&str; 3] = ["authorization", "cookie", "set-cookie"];
const SCHEMES: [&str; 2] = ["bearer ", "basic "];
/// What tokens of well-known makers begin with.
const PREFIXES: [&str; 12] = [
    "eyJ",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "ASIA",
    "sk-",
];

/// A secret at the beginning of a text: bytes that stay, and bytes in all.
struct Secret {
    kept: usize,
    all: usize,
}

/// The text with [`MARK`] in place of everything that looks like a secret.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        let step = if let Some(digest) = digest_at(rest) {
            out.push_str(digest);
            before = Some('0');
            digest.len()
        } else if let Some(Secret { kept, all }) = secret_at(rest, before) {
            out.push_str(rest.get(..kept).unwrap_or_default());
            out.push_str(MARK);
            before = None;
            all
        } else {
            out.push(c);
            before = Some(c);
            c.len_utf8()
        };
        rest = rest.get(step..).unwrap_or_default();
    }
    out
}

/// Text of a server as it may be told: redacted, escaped, one line, at most [`TOLD_CHARS_MAX`] characters.
pub(crate) fn told(text: &str) -> String {
    let mut end = text.len().min(LOOKED_AT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let looked_at = text.get(..end).unwrap_or_default();
    Escaped::short(&redact(looked_at), TOLD_CHARS_MAX).to_string()
}

/// An error and its causes in one line, as it may be told.
pub(crate) fn told_error(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    told(&text)
}

fn secret_at(rest: &str, before: Option<char>) -> Option<Secret> {
    if let Some(secret) = pem(rest).or_else(|| user_of_address(rest)) {
        return Some(secret);
    }
    // Inside a word nothing new begins; it was looked at from its first character.
    if before.is_some_and(is_word) || !rest.starts_with(|c| is_word(c) || c == '-') {
        return None;
    }
    scheme(rest).or_else(|| named(rest)).or_else(|| known_token(rest)).or_else(|| long(rest))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// How many bytes at the beginning fit.
fn run(text: &str, fits: impl Fn(char) -> bool) -> usize {
    text.find(|c| !fits(c)).unwrap_or(text.len())
}

/// A digest that says that it is one: it names bytes and is no key to them.
fn digest_at(rest: &str) -> Option<&str> {
    const MARKED: &str = "sha256:";
    let hex = run(rest.strip_prefix(MARKED)?, |c| c.is_ascii_hexdigit());
    (hex == 64).then(|| rest.get(..MARKED.len() + hex))?
}

/// `-----BEGIN … -----` to its end, or to the end of the text: half a key is still a key.
fn pem(rest: &str) -> Option<Secret> {
    const END: &str = "-----END ";
    const DASHES: &str = "-----";
    if !rest.starts_with("-----BEGIN ") {
        return None;
    }
    let closed = rest.find(END).and_then(|end| {
        let tail = rest.get(end + END.len()..)?;
        Some(end + END.len() + tail.find(DASHES)? + DASHES.len())
    });
    Some(Secret { kept: 0, all: closed.unwrap_or(rest.len()) })
}

/// `//user:password@host`
fn user_of_address(rest: &str) -> Option<Secret> {
    let tail = rest.strip_prefix("://")?;
    let authority = tail.get(..run(tail, |c| !c.is_whitespace() && !"/?#\"'<>".contains(c)))?;
    let at = authority.rfind('@')?;
    (at > 0).then_some(Secret { kept: 3, all: 3 + at })
}

/// `Bearer …` and `Basic …` wherever they stand.
fn scheme(rest: &str) -> Option<Secret> {
    let kept = SCHEMES.iter().find_map(|scheme| {
        let head = rest.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(scheme.len())
    })?;
    let credential = rest.get(kept..)?;
    let length = run(credential, |c| !c.is_whitespace() && !"\"',;".contains(c));
    let hidden = credential.get(..length) == Some(MARK);
    (length >= SCHEME_CHARS && !hidden).then_some(Secret { kept, all: kept + length })
}

/// `password=…`, `"token": "…"`, `--secret …`, `Authorization: …`
fn named(rest: &str) -> Option<Secret> {
    let name_end = run(rest, |c| is_word(c) || c == '.');
    let name = rest.get(..name_end)?.to_ascii_lowercase();
    let whole_line = WHOLE_LINE.iter().any(|known| name.ends_with(known));
    if !whole_line && !NAMES.iter().any(|known| name.ends_with(known)) {
        return None;
    }
    let mut at = name_end;
    at += run(rest.get(at..)?, |c| "\"'\\".contains(c));
    let spaces = run(rest.get(at..)?, |c| c == ' ');
    let mark = rest.get(at + spaces..)?.chars().next()?;
    at += match mark {
        ':' | '=' => spaces + 1,
        _ if name.starts_with("--") && spaces > 0 => 0,
        _ => return None,
    };
    at += run(rest.get(at..)?, |c| c == ' ');
    let value = rest.get(at..)?;
    let length = value_length(value, whole_line);
    // Hidden already: what is told twice reads the same.
    let hidden = value.get(..length) == Some(MARK);
    (length > 0 && !hidden).then_some(Secret { kept: at, all: at + length })
}

/// The length of a value: quoted to its closing quote, else to a blank or a mark that ends it.
fn value_length(text: &str, whole_line: bool) -> usize {
    let first = text.strip_prefix('\\').unwrap_or(text).chars().next();
    if let Some(quote @ ('"' | '\'')) = first {
        let open = text.find(quote).unwrap_or(0) + 1;
        let escaped_quotes = open > 1;
        let tail = text.get(open..).unwrap_or_default();
        let mut escaped = false;
        for (at, c) in tail.char_indices() {
            if c == quote && (!escaped || escaped_quotes) {
                return open + at + 1;
            }
            escaped = c == '\\' && !escaped;
        }
        return text.len();
    }
    if whole_line {
        return run(text, |c| !matches!(c, '\n' | '\r' | '"'));
    }
    let hidden = if text.starts_with(MARK) { MARK.len() } else { 0 };
    let tail = text.get(hidden..).unwrap_or_default();
    hidden + run(tail, |c| !c.is_whitespace() && !",;&)}]\"'".contains(c))
}

fn known_token(rest: &str) -> Option<Secret> {
    PREFIXES.iter().find(|prefix| rest.starts_with(**prefix))?;
    let all = run(rest, |c| is_word(c) || c == '.');
    (all >= TOKEN_CHARS).then_some(Secret { kept: 0, all })
}

/// A long run of one word: plain hexadecimal, or letters of both cases and digits in disorder. A name made by a cluster
/// has small letters and dashes, a uid has dashes, and a path is in order: these stay.
fn long(rest: &str) -> Option<Secret> {
    let all = run(rest, |c| c.is_ascii_alphanumeric() || "+/_-".contains(c));
    let word = rest.get(..all)?;
    let hexadecimal = word.bytes().all(|b| b.is_ascii_hexdigit());
    let padding = run(rest.get(all..)?, |c| c == '=');
    let secret = all >= LONG_CHARS && (hexadecimal || disordered(word));
    secret.then_some(Secret { kept: 0, all: all + padding })
}

/// Whether small letters, capitals and digits are all there and follow one another as by chance: by chance six of ten
/// neighbours differ in kind, in words at most three of ten do.
fn disordered(word: &str) -> bool {
    let kinds: [fn(&u8) -> bool; 3] =
        [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit];
    let kind = |byte: &u8| kinds.iter().position(|is| is(byte));
    let present = kinds.iter().all(|is| word.as_bytes().iter().any(is));
    let neighbours = word.as_bytes().iter().zip(word.as_bytes().iter().skip(1));
    let differ =
        neighbours.filter(|(a, b)| matches!((kind(a), kind(b)), (Some(a), Some(b)) if a != b));
    present && differ.count() * 10 >= word.len() * 3
}

#[cfg(test)]
mod tests;
