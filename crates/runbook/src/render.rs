//! How mistakes look: the form of a good compiler for people, JSON for programs.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;
use steadyhand_model::text::Escaped;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::source::Place;

/// Columns at which long source lines are cut.
const WIDTH: usize = 100;
/// A line of a source longer than this is not quoted, in bytes: a hostile file must not flood a screen.
pub const QUOTED_LINE_BYTES_MAX: usize = 2000;

/// Most of a source that one report looks at, in bytes.
pub const QUOTED_BYTES_MAX: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Coloured,
}

/// One mistake as `steady check -o json` prints it. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiagnosticJson {
    pub code: &'static str,
    pub severity: String,
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    pub message: String,
    pub label: String,
    pub help: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl Diagnostic {
    /// The report for people, without a line end.
    pub fn render(&self, style: Style) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.title.as_str()).id(self.code.as_str());
        let file = Escaped::line(self.source.file());
        let window = self.window();
        let shown = window.map(|window| shown_text(self.source.slice(window)));
        let mut group = match (&shown, window) {
            (Some(text), Some(window)) => title.element(self.snippet(text, window, file.as_str())),
            _ => {
                let at = self.source.position(self.place.start);
                title.element(Origin::path(file.as_str()).line(at.line).char_column(at.column))
            }
        };
        if shown.is_none() {
            // What would stand under the carets.
            let others = self.others.iter().map(|(place, label)| {
                format!("{label}: line {}", self.source.position(place.start).line)
            });
            let labels =
                Some(self.label.clone()).filter(|l| !l.is_empty()).into_iter().chain(others);
            group = labels.fold(group, |g: Group<'_>, label| g.element(Level::NOTE.message(label)));
        }
        let group = self
            .notes
            .iter()
            .fold(group, |g: Group<'_>, note| g.element(Level::NOTE.message(note.as_str())));
        let group = self
            .help
            .iter()
            .fold(group, |g: Group<'_>, help| g.element(Level::HELP.message(help.as_str())));
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Coloured => Renderer::styled(),
        };
        renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH).render(&[group])
    }

    fn snippet<'a>(
        &'a self,
        text: &'a str,
        window: Place,
        file: &'a str,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let inside = |place: Place| {
            let start = place.start.saturating_sub(window.start);
            range(Place::new(start, place.end.saturating_sub(window.start)), text)
        };
        let primary = AnnotationKind::Primary
            .span(inside(self.place))
            .label(Some(self.label.as_str()).filter(|l| !l.is_empty()));
        let others = self.others.iter().map(|(place, label)| {
            AnnotationKind::Context.span(inside(*place)).label(label.as_str())
        });
        let line = self.source.position(window.start).line;
        Snippet::source(text).line_start(line).path(file).annotation(primary).annotations(others)
    }

    /// The lines from the first to the last place; `None` if there is no line, or one is too long to be quoted, or
    /// they are too far apart.
    fn window(&self) -> Option<Place> {
        if self.source.text().is_empty() {
            return None;
        }
        let others = self.others.iter().map(|(place, _)| *place);
        let lines: Vec<Place> = std::iter::once(self.place)
            .chain(others)
            .flat_map(|p| [self.source.line_at(p.start), self.source.line_at(p.end)])
            .collect();
        let quotable = lines.iter().all(|line| line.end - line.start <= QUOTED_LINE_BYTES_MAX);
        let window = lines.into_iter().reduce(Place::to)?;
        (quotable && window.end - window.start <= QUOTED_BYTES_MAX).then_some(window)
    }

    pub fn json(&self) -> DiagnosticJson {
        let start = self.source.position(self.place.start);
        let end = self.source.position(self.place.end);
        DiagnosticJson {
            code: self.code.as_str(),
            severity: self.severity.to_string(),
            file: self.source.file().to_owned(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            message: self.title.clone(),
            label: self.label.clone(),
            help: self.notes.iter().chain(&self.help).cloned().collect(),
            suggestion: self.suggestion.as_ref().map(|s| s.replacement.clone()),
        }
    }
}

impl Diagnostics {
    /// All reports for people, an empty line between them, ending with a line end if there is any.
    pub fn render(&self, style: Style) -> String {
        let mut out: String =
            self.list().iter().map(|d| format!("{}\n\n", d.render(style))).collect();
        if self.dropped() > 0 {
            out.push_str(&format!("and at least {} more; mend these first\n\n", self.dropped()));
        }
        out.pop();
        out
    }
}

fn range(place: Place, text: &str) -> std::ops::Range<usize> {
    let start = place.start.min(text.len());
    let end = place.end.clamp(start, text.len());
    if start < end {
        return start..end;
    }
    // A caret needs something to stand under; at the end of a line that is its last character.
    match text.get(start..).and_then(|rest| rest.chars().next()) {
        Some(c) if c != '\n' && c != '\r' => start..start + c.len_utf8(),
        _ => {
            let last = text.get(..start).and_then(|before| before.chars().next_back());
            match last {
                Some(c) if c != '\n' => start - c.len_utf8()..start,
                _ => start..start,
            }
        }
    }
}

/// The source with characters that could mislead a reader replaced by others of the same length in bytes, so that
/// places stay right.
fn shown_text(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let safe = c == '\n'
                || Escaped::line(c.encode_utf8(&mut [0; 4])).as_str().len() == c.len_utf8();
            let times = if safe { 1 } else { c.len_utf8() };
            std::iter::repeat_n(if safe { c } else { '?' }, times)
        })
        .collect()
}
