//! A document's text and places in it. What is not here: reading files (`library` does that).

use std::sync::Arc;

/// A half-open range of bytes in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    pub start: usize,
    pub end: usize,
}

impl Place {
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The smallest range that holds both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A named text. Cheap to clone; each diagnostic carries its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    file: Arc<str>,
    text: Arc<str>,
}

/// A position for people and editors: both count from 1, columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Source {
    pub fn new(file: &str, text: &str) -> Self {
        Self { file: file.into(), text: text.into() }
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text at a place; empty if the place is not in this source.
    pub fn slice(&self, place: Place) -> &str {
        self.text.get(place.start..place.end).unwrap_or("")
    }

    pub fn position(&self, offset: usize) -> Position {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }

    /// The whole line that holds an offset, without its line end.
    pub(crate) fn line_at(&self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        let start = self.text.get(..offset).and_then(|t| t.rfind('\n')).map_or(0, |at| at + 1);
        let rest = self.text.get(start..).unwrap_or("");
        Place::new(start, start + rest.find('\n').unwrap_or(rest.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let source = Source::new("a.yaml", "a: ö b\nc: d\n");
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(6), Position { line: 1, column: 6 });
        assert_eq!(source.position(8), Position { line: 2, column: 1 });
        assert_eq!(source.slice(source.line_at(9)), "c: d");
        assert_eq!(source.slice(Place::new(4, 3000)), "");
    }
}
