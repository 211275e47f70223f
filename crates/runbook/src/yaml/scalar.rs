//! A scalar: its text after unescaping, and the way from there back to the bytes of the source.

use crate::source::{Place, Source};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|` or `>`
    Block,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    pub text: String,
    pub notation: Notation,
    pub place: Place,
}

impl Scalar {
    /// `key:` with nothing after it, `~` or `null`.
    pub(crate) fn is_nothing(&self) -> bool {
        self.notation == Notation::Plain && matches!(self.text.as_str(), "" | "~" | "null")
    }

    /// A plain `true` or `false`; nothing else is a boolean.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match (self.notation, self.text.as_str()) {
            (Notation::Plain, "true") => Some(true),
            (Notation::Plain, "false") => Some(false),
            _ => None,
        }
    }

    /// A plain decimal integer in its one spelling: no sign `+`, no leading zero, no `_`, no `0x`.
    pub(crate) fn integer(&self) -> Option<i64> {
        if self.notation != Notation::Plain {
            return None;
        }
        self.text.parse::<i64>().ok().filter(|n| n.to_string() == self.text)
    }

    /// The bytes of the source from which a part of the text came.
    pub(crate) fn locate(&self, part: Place, source: &Source) -> Place {
        let raw = source.slice(self.place);
        match offsets(&self.text, raw, self.notation, part) {
            Some(inner) => Place::new(self.place.start + inner.start, self.place.start + inner.end),
            None => self.place,
        }
    }
}

/// Walks text and raw bytes side by side. `None` if they cannot be aligned.
fn offsets(text: &str, raw: &str, notation: Notation, part: Place) -> Option<Place> {
    let mut at = match notation {
        Notation::Plain => 0,
        Notation::SingleQuoted | Notation::DoubleQuoted => 1,
        Notation::Block => block_start(raw),
    };
    let (mut start, mut end) = (None, None);
    for (index, c) in text.char_indices() {
        let (begin, next) = step(c, raw, at, notation)?;
        if index == part.start {
            start = Some(begin);
        }
        if index >= part.end && end.is_none() {
            // The end of a part is the end of its last character, not the start of the next one.
            end = Some(at);
        }
        at = next;
    }
    let start = start.unwrap_or(at);
    Some(Place::new(start, end.unwrap_or(at).max(start)))
}

/// Where the first line of a block scalar begins in its raw text, whether or not that includes the `|`.
fn block_start(raw: &str) -> usize {
    if raw.starts_with(['|', '>']) { raw.find('\n').map_or(raw.len(), |n| n + 1) } else { 0 }
}

/// One character of the text: where it begins in the raw text and where the next one may begin.
fn step(c: char, raw: &str, at: usize, notation: Notation) -> Option<(usize, usize)> {
    let rest = raw.get(at..)?;
    let first = rest.chars().next();
    if c.is_whitespace() {
        return match first {
            Some('\r' | '\n') => {
                let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
                Some((at, at + blank))
            }
            Some(' ' | '\t') => {
                let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
                let fold = rest.get(blank..).is_some_and(|r| r.starts_with(['\r', '\n']));
                if fold { step(c, raw, at + blank, notation) } else { Some((at, at + 1)) }
            }
            Some('\\') if notation == Notation::DoubleQuoted => Some((at, at + escape_len(rest))),
            _ => Some((at, at)),
        };
    }
    if notation == Notation::Block && first.is_some_and(char::is_whitespace) {
        let blank = rest.len() - rest.trim_start().len();
        return step(c, raw, at + blank, notation);
    }
    match (notation, first?) {
        (Notation::DoubleQuoted, '\\') => Some((at, at + escape_len(rest))),
        (Notation::SingleQuoted, '\'') if c == '\'' => Some((at, at + 2)),
        (_, same) if same == c => Some((at, at + c.len_utf8())),
        _ => None,
    }
}

/// Bytes of one escape of a double-quoted scalar.
fn escape_len(rest: &str) -> usize {
    match rest.as_bytes().get(1) {
        Some(b'x') => 4,
        Some(b'u') => 6,
        Some(b'U') => 10,
        _ => 2,
    }
}
