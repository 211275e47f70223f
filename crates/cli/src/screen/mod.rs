//! What a person sees, as values: a [`Screen`] is rows of words, without width, colour or escape sequences.
//!
//! Words are constants of this program or [`Escaped`] text; there is no other way in, so that nothing that came from
//! outside reaches a terminal as it is. What is not here: the talk with the keeper (`session`), the reading of
//! answers (`prompt`). `writer` alone turns a screen into bytes.

use std::fmt::Display;

use steadyhand_model::text::Escaped;

pub(crate) mod card;
pub(crate) mod changes;
pub(crate) mod check;
pub(crate) mod explain;
mod facts;
pub(crate) mod handled;
pub(crate) mod history;
pub(crate) mod next;
pub(crate) mod plan;
pub(crate) mod problem;
pub(crate) mod progress;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod story;
pub(crate) mod summary;
pub(crate) mod times;
pub(crate) mod vocabulary;
pub(crate) mod why;
pub(crate) mod writer;

#[cfg(test)]
mod tests;

/// Column at which the facts of a labelled row begin.
const FACTS_AT: usize = 10;

/// What colour repeats. The words carry the meaning alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Bad,
    Doubt,
}

/// The marks of a screen, always beside a word that says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Bad,
    Unknown,
    Careful,
    Idle,
    Active,
}

impl Mark {
    pub(crate) fn text(self, ascii: bool) -> &'static str {
        match (self, ascii) {
            (Self::Good, false) => "✓",
            (Self::Good, true) => "+",
            (Self::Bad, false) => "✗",
            (Self::Bad, true) => "x",
            (Self::Unknown, _) => "?",
            (Self::Careful, _) => "!",
            (Self::Idle, false) => "–",
            (Self::Idle, true) => "-",
            (Self::Active, _) => ">",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Good => Tone::Good,
            Self::Bad => Tone::Bad,
            Self::Unknown | Self::Careful => Tone::Doubt,
            Self::Idle => Tone::Faint,
            Self::Active => Tone::Strong,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    Word(&'static str),
    Data(Escaped),
    Mark(Mark),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    tone: Tone,
    text: Text,
}

/// A run of words, broken at spaces where it does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Words(Vec<Piece>);

impl Words {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A word of this program.
    #[must_use]
    pub(crate) fn say(self, word: &'static str) -> Self {
        self.toned(Tone::Plain, word)
    }

    #[must_use]
    pub(crate) fn toned(mut self, tone: Tone, word: &'static str) -> Self {
        self.0.push(Piece { tone, text: Text::Word(word) });
        self
    }

    /// Anything else. It is escaped here.
    #[must_use]
    pub(crate) fn data(self, value: impl Display) -> Self {
        self.data_toned(Tone::Plain, value)
    }

    #[must_use]
    pub(crate) fn data_toned(mut self, tone: Tone, value: impl Display) -> Self {
        let text = Text::Data(Escaped::line(&value.to_string()));
        self.0.push(Piece { tone, text });
        self
    }

    #[must_use]
    pub(crate) fn mark(mut self, mark: Mark) -> Self {
        self.0.push(Piece { tone: mark.tone(), text: Text::Mark(mark) });
        self
    }

    /// `3 pods`, `1 pod`.
    #[must_use]
    pub(crate) fn count(self, count: u64, one: &'static str, many: &'static str) -> Self {
        self.data(count).say(" ").say(if count == 1 { one } else { many })
    }

    #[must_use]
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The parts with `between` between them, those after `most` only counted.
    #[must_use]
    pub(crate) fn list(
        mut self,
        parts: impl IntoIterator<Item = Self>,
        between: &'static str,
        most: usize,
    ) -> Self {
        let mut left: u64 = 0;
        for (index, part) in parts.into_iter().enumerate() {
            if index >= most {
                left += 1;
                continue;
            }
            if index > 0 {
                self = self.say(between);
            }
            self = self.join(part);
        }
        if left > 0 { self.say(between).say("and ").data(left).say(" more") } else { self }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn pieces(&self) -> &[Piece] {
        &self.0
    }
}

/// One word of this program.
pub(crate) fn say(word: &'static str) -> Words {
    Words::new().say(word)
}

/// Anything else, escaped.
pub(crate) fn data(value: impl Display) -> Words {
    Words::new().data(value)
}

/// Which rows give up lines first where a screen has too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    Light,
    Middle,
    Heavy,
}

/// A head at the left, facts that wrap under themselves, and something at the right edge of the first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    indent: usize,
    head: Words,
    at: usize,
    text: Words,
    right: Words,
    lines: usize,
    weight: Weight,
}

impl Item {
    /// Text from the left edge on.
    pub(crate) fn text(text: Words) -> Self {
        Self {
            indent: 0,
            head: Words::new(),
            at: 0,
            text,
            right: Words::new(),
            lines: usize::MAX,
            weight: Weight::Middle,
        }
    }

    /// `LABEL     facts`
    pub(crate) fn fact(label: &'static str, text: Words) -> Self {
        Self { head: Words::new().toned(Tone::Strong, label), at: FACTS_AT, ..Self::text(text) }
    }

    #[must_use]
    pub(crate) fn indent(mut self, columns: usize) -> Self {
        self.indent = columns;
        self.at = self.at.max(columns);
        self
    }

    #[must_use]
    pub(crate) fn head(mut self, head: Words, at: usize) -> Self {
        self.head = head;
        self.at = at;
        self
    }

    #[must_use]
    pub(crate) fn right(mut self, right: Words) -> Self {
        self.right = right;
        self
    }

    /// More words after its facts.
    #[must_use]
    pub(crate) fn more(mut self, words: Words) -> Self {
        self.text = self.text.join(words);
        self
    }

    /// At most so many lines; what is cut ends in `…`.
    #[must_use]
    pub(crate) fn lines(mut self, most: usize) -> Self {
        self.lines = most;
        self
    }

    #[must_use]
    pub(crate) fn weight(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }
}

/// Cells in columns, each as wide as its widest cell; the last column stands at the right edge if `edge` is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) indent: usize,
    pub(crate) rows: Vec<Vec<Words>>,
    pub(crate) edge: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
    Blank,
    /// `== APPROVE? ======== PRODUCTION ==`
    Rule {
        left: Words,
        right: Words,
    },
    Item(Item),
    Table(Table),
    /// A line that was laid out elsewhere: breaking it would move what points at what.
    Drawn {
        tone: Tone,
        text: Escaped,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Screen {
    rows: Vec<Row>,
    most: Option<usize>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A screen that never has more lines than this.
    pub(crate) fn bounded(most: usize) -> Self {
        Self { rows: Vec::new(), most: Some(most) }
    }

    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn item(&mut self, item: Item) {
        self.rows.push(Row::Item(item));
    }

    pub(crate) fn text(&mut self, text: Words) {
        self.item(Item::text(text));
    }

    pub(crate) fn fact(&mut self, label: &'static str, text: Words) {
        self.item(Item::fact(label, text));
    }

    pub(crate) fn blank(&mut self) {
        if !matches!(self.rows.last(), None | Some(Row::Blank)) {
            self.rows.push(Row::Blank);
        }
    }

    pub(crate) fn table(&mut self, indent: usize, rows: Vec<Vec<Words>>) {
        if !rows.is_empty() {
            self.rows.push(Row::Table(Table { indent, rows, edge: false }));
        }
    }

    pub(crate) fn edged(&mut self, indent: usize, rows: Vec<Vec<Words>>) {
        if !rows.is_empty() {
            self.rows.push(Row::Table(Table { indent, rows, edge: true }));
        }
    }

    pub(crate) fn drawn(&mut self, tone: Tone, line: &str) {
        self.rows.push(Row::Drawn { tone, text: Escaped::line(line) });
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.rows.extend(other.rows);
    }
}
