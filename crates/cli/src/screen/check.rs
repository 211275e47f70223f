//! `steady check`: every mistake in the form of a good compiler, and one line that counts them.

use std::time::Duration;

use steadyhand_model::time::Span;
use steadyhand_runbook::diagnostic::{Diagnostic, Severity};
use steadyhand_runbook::render::Style;

use super::{Mark, Screen, Tone, Words, say};

/// What was checked, and what was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) documents: usize,
    pub(crate) found: Vec<Diagnostic>,
    /// Mistakes beyond the most that are kept for one document.
    pub(crate) dropped: usize,
}

impl Report {
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.found.iter().filter(|found| found.severity == severity).count()
    }
}

pub(crate) fn screen(report: &Report, took: Duration) -> Screen {
    let mut screen = Screen::new();
    for found in &report.found {
        for (index, line) in found.render(Style::Plain).lines().enumerate() {
            let tone = match (index, found.severity) {
                (0, Severity::Error) => Tone::Bad,
                (0, Severity::Warning) => Tone::Doubt,
                _ => Tone::Plain,
            };
            screen.drawn(tone, line);
        }
        screen.blank();
    }
    if report.dropped > 0 {
        screen.text(say("and ").data(report.dropped).say(" more mistakes; mend these first"));
    }
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let errors = report.count(Severity::Error);
    let mark = if errors == 0 { Mark::Good } else { Mark::Bad };
    let took = Span::from_millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    let words = Words::new()
        .mark(mark)
        .say(" ")
        .count(count(report.documents), "document", "documents")
        .say(", ")
        .count(count(errors), "error", "errors")
        .say(", ")
        .count(count(report.count(Severity::Warning)), "warning", "warnings")
        .say(" in ")
        .data(super::times::Lasted(took));
    screen.text(words);
    if let Some(first) = report.found.first() {
        screen.text(say("  steady explain ").data(first.code));
    }
    screen
}
