//! Mistakes in documents: each with a stable code, a place and a way to mend it; collected, never thrown.
//!
//! What is not here: how they look (`render`).

use std::fmt;

use steadyhand_model::text::Escaped;

use crate::code::Code;
use crate::source::{Place, Source};

/// Most mistakes kept for one document; the rest is counted.
pub const DIAGNOSTICS_MAX: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Error,
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// A text that would mend the mistake if it stood at the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub place: Place,
    pub replacement: String,
}

/// One mistake. All texts are escaped already and safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub source: Source,
    pub code: Code,
    pub severity: Severity,
    pub title: String,
    pub place: Place,
    pub label: String,
    pub others: Vec<(Place, String)>,
    pub notes: Vec<String>,
    pub help: Vec<String>,
    pub suggestion: Option<Suggestion>,
}

impl Diagnostic {
    pub(crate) fn new(source: &Source, code: Code, place: Place, title: impl AsRef<str>) -> Self {
        Self {
            source: source.clone(),
            code,
            severity: Severity::Error,
            title: escaped(title.as_ref()),
            place,
            label: String::new(),
            others: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
            suggestion: None,
        }
    }

    pub(crate) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    pub(crate) fn label(mut self, label: impl AsRef<str>) -> Self {
        self.label = escaped(label.as_ref());
        self
    }

    pub(crate) fn other(mut self, place: Place, label: impl AsRef<str>) -> Self {
        self.others.push((place, escaped(label.as_ref())));
        self
    }

    pub(crate) fn note(mut self, note: impl AsRef<str>) -> Self {
        self.notes.push(lines_escaped(note.as_ref()));
        self
    }

    pub(crate) fn help(mut self, help: impl AsRef<str>) -> Self {
        self.help.push(lines_escaped(help.as_ref()));
        self
    }

    /// Names the nearest known word under the caret and keeps it as a suggestion for editors.
    pub(crate) fn mean(mut self, nearest: Option<&str>) -> Self {
        if let Some(word) = nearest {
            self.label = format!("did you mean `{}`?", Escaped::line(word));
            self.suggestion = Some(Suggestion { place: self.place, replacement: word.to_owned() });
        }
        self
    }

    pub(crate) fn replace(mut self, place: Place, replacement: impl Into<String>) -> Self {
        self.suggestion = Some(Suggestion { place, replacement: replacement.into() });
        self
    }
}

fn escaped(text: &str) -> String {
    Escaped::line(text).as_str().to_owned()
}

/// Notes and help may have several lines of our own; each is escaped by itself.
fn lines_escaped(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

/// The mistakes of one document, in the order in which they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    source: Source,
    list: Vec<Diagnostic>,
    dropped: usize,
}

impl Diagnostics {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, list: Vec::new(), dropped: 0 }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// A new mistake in this document, to be finished and given to [`Diagnostics::push`].
    pub(crate) fn at(&self, code: Code, place: Place, title: impl AsRef<str>) -> Diagnostic {
        Diagnostic::new(&self.source, code, place, title)
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < DIAGNOSTICS_MAX {
            self.list.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// Adds a mistake that is only put into words if it will be kept: hostile documents have very many.
    pub(crate) fn add(&mut self, words: impl FnOnce(&Self) -> Diagnostic) {
        if self.list.len() < DIAGNOSTICS_MAX {
            let diagnostic = words(self);
            self.list.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// How many more were found, at least, than are listed.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    pub fn errors(&self) -> usize {
        self.list.iter().filter(|d| d.severity == Severity::Error).count()
    }

    /// Puts the mistakes into the order of the document.
    pub(crate) fn sort(&mut self) {
        self.list.sort_by_key(|d| (d.place.start, d.place.end, d.code));
    }
}
