//! From bytes to a tree. The one place that knows the YAML parser.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span};

use super::scalar::{Notation, Scalar};
use super::{DOCUMENT_BYTES_MAX, DOCUMENT_DEPTH_MAX, Entry, Node, NodeKind};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{Place, Source};

/// Keys shown in messages are cut after this many bytes.
const SHOWN_KEY_BYTES: usize = 60;

/// Reads one document. `None` if it is not one YAML document at all; the reasons are in the diagnostics.
pub(crate) fn parse(file: &str, bytes: &[u8]) -> (Option<Node>, Diagnostics) {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        let mut found = Diagnostics::new(Source::new(file, ""));
        found.add(|found| {
            found
                .at(
                    Code::TooLarge,
                    Place::default(),
                    format!(
                        "the file has {} bytes, at most {DOCUMENT_BYTES_MAX} are read",
                        bytes.len()
                    ),
                )
                .help("a runbook is about 25 lines; is this the right file?")
        });
        return (None, found);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or(&[]);
            let shown = String::from_utf8_lossy(good);
            let mut found = Diagnostics::new(Source::new(file, &shown));
            let end = shown.len();
            found.add(|found| {
                found
                    .at(
                        Code::NotText,
                        Place::new(end, end),
                        format!("byte {end} is not UTF-8: this is not a text file"),
                    )
                    .help("save the file as UTF-8")
            });
            return (None, found);
        }
    };
    let mut found = Diagnostics::new(Source::new(file, text));
    if let Some((at, c)) = text.char_indices().find(|(_, c)| forbidden(*c)) {
        found.add(|found| {
            found
                .at(
                    Code::NotText,
                    Place::new(at, at + c.len_utf8()),
                    format!(
                        "the control character U+{:04X} cannot stand in a document",
                        u32::from(c)
                    ),
                )
                .label("here")
                .help("delete it; in a double-quoted text write it as an escape")
        });
        return (None, found);
    }
    let root = Builder { found: &mut found, stack: Vec::new(), root: None, documents: 0 }.run(text);
    (root, found)
}

/// Control characters, direction marks and byte-order marks after the first character: none is ever needed.
fn forbidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// A collection that is still open.
struct Open {
    start: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, keys: HashMap<String, Place>, key: Option<(String, Place, bool)> },
}

struct Builder<'d> {
    found: &'d mut Diagnostics,
    stack: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

fn options() -> Options {
    granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        disallow_directives: true,
        flow_nesting_limit: DOCUMENT_DEPTH_MAX + 1,
        block_nesting_limit: DOCUMENT_DEPTH_MAX + 1,
    }
}

fn place(span: Span) -> Place {
    span.byte_range().map_or_else(Place::default, |r| Place::new(r.start, r.end))
}

impl Builder<'_> {
    fn run(mut self, text: &str) -> Option<Node> {
        for next in Parser::new_from_str_with_options(text, options()) {
            match next {
                Ok((event, span)) => {
                    if !self.event(event, span) {
                        return None;
                    }
                    // A document that is nothing but mistakes is not read to its end.
                    if self.found.dropped() > 0 {
                        return None;
                    }
                }
                Err(error) => {
                    let open =
                        self.stack.iter().rev().map(|open| Place::new(open.start, open.start + 1));
                    let open = open
                        .into_iter()
                        .find(|at| matches!(self.found.source().slice(*at), "{" | "["));
                    let diagnostic = syntax_error(self.found, &error, open);
                    self.found.push(diagnostic);
                    return None;
                }
            }
        }
        if self.root.is_none() {
            self.found.add(|found| {
                found
                    .at(Code::OneDocument, Place::default(), "the file holds no document")
                    .help("begin with `apiVersion: steadyhand.dev/v1` and `kind: Runbook`")
            });
        }
        self.root
    }

    /// Takes one event; `false` ends the reading.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::DocumentStart(..) => return self.document(place(span)),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.found.add(|found| {
                    found
                        .at(Code::Alias, place(span), "aliases are not accepted")
                        .label("a word that begins with `*` is a YAML alias")
                        .help("write the value out; to begin a text with `*`, quote it")
                });
                self.add(Node { place: place(span), kind: NodeKind::Bad });
            }
            Event::Anchor(..) => self.found.add(|found| {
                found
                    .at(Code::Alias, place(span), "anchors are not accepted")
                    .label("a word that begins with `&` is a YAML anchor")
                    .help("write each value where it is used; to begin a text with `&`, quote it")
            }),
            Event::Scalar(text, style, _, tag) => {
                let at = place(span);
                let scalar = Scalar {
                    // The parser gives `~` for nothing at all.
                    text: if at.start == at.end { String::new() } else { text.into_owned() },
                    notation: notation(style),
                    place: at,
                };
                let kind = if tag.is_some() {
                    self.found.add(|found| tagged(found, span, at));
                    NodeKind::Bad
                } else {
                    NodeKind::Scalar(scalar)
                };
                self.add(Node { place: at, kind });
            }
            Event::SequenceStart(_, _, tag) => {
                return self.open(span, tag.is_some(), OpenKind::List(Vec::new()));
            }
            Event::MappingStart(_, _, tag) => {
                let kind = OpenKind::Map { entries: Vec::new(), keys: HashMap::new(), key: None };
                return self.open(span, tag.is_some(), kind);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(place(span)),
            _ => {}
        }
        true
    }

    fn document(&mut self, at: Place) -> bool {
        self.documents += 1;
        if self.documents == 1 {
            return true;
        }
        self.found.add(|found| {
            found
                .at(Code::OneDocument, at, "a file holds one document")
                .label("a second one begins here")
                .help("put each document into its own file")
        });
        false
    }

    fn open(&mut self, span: Span, has_tag: bool, kind: OpenKind) -> bool {
        let at = place(span);
        if has_tag {
            self.found.add(|found| tagged(found, span, at));
        }
        if self.stack.len() >= DOCUMENT_DEPTH_MAX {
            self.found.push(too_deep(self.found, at));
            return false;
        }
        self.stack.push(Open { start: at.start, kind });
        true
    }

    fn close(&mut self, end: Place) {
        let Some(open) = self.stack.pop() else { return };
        // A block collection's end event stands where the next token begins: end at the last child instead.
        let (kind, last) = match open.kind {
            OpenKind::List(items) => {
                let last = items.last().map(|n| n.place.end);
                (NodeKind::List(items), last)
            }
            OpenKind::Map { entries, .. } => {
                let last = entries.last().map(|e| e.value.place.end.max(e.key_place.end));
                (NodeKind::Map(entries), last)
            }
        };
        let end = if end.start < end.end { end.end } else { last.unwrap_or(open.start) };
        self.add(Node { place: Place::new(open.start, end), kind });
    }

    fn add(&mut self, node: Node) {
        match self.stack.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(OpenKind::List(items)) => items.push(node),
            Some(OpenKind::Map { entries, keys, key }) => match key.take() {
                Some((key, key_place, keep)) => {
                    if keep {
                        // An empty value has no place of its own: mistakes about it stand at its key.
                        let mut value = node;
                        if value.place.start == value.place.end {
                            value.place = key_place;
                        }
                        entries.push(Entry { key, key_place, value });
                    }
                }
                None => *key = Some(read_key(self.found, keys, node)),
            },
        }
    }
}

fn tagged(found: &Diagnostics, span: Span, content: Place) -> Diagnostic {
    let at = span.tag_span().map_or(content, place);
    let whole = found.source().slice(at.to(content)).trim_end().to_owned();
    let mut diagnostic = found
        .at(Code::Tag, at, "YAML tags are not accepted")
        .label("a word that begins with `!` is a YAML tag");
    let one_line =
        !whole.contains('\n') && whole.len() < SHOWN_KEY_BYTES && !whole.starts_with("!!");
    if one_line && !whole.contains(['"', '{', '[']) {
        diagnostic = diagnostic
            .help(format!("if it is an expression, quote it: \"{whole}\""))
            .replace(at.to(content), format!("\"{whole}\""));
    } else {
        diagnostic = diagnostic
            .help("delete the tag; if it begins an expression, quote the whole expression");
    }
    diagnostic
}

fn read_key(
    found: &mut Diagnostics,
    keys: &mut HashMap<String, Place>,
    node: Node,
) -> (String, Place, bool) {
    let NodeKind::Scalar(scalar) = node.kind else {
        let interpolation = found.source().slice(node.place).starts_with('{');
        let diagnostic = found.at(Code::WrongShape, node.place, "a key must be a single word");
        found.push(if interpolation {
            diagnostic
                .label("`{{` begins a mapping inside a mapping")
                .help("an expression is written ${{ … }}, with the dollar sign")
        } else {
            diagnostic.label("this cannot be a key")
        });
        return (String::new(), node.place, false);
    };
    if scalar.text == "<<" {
        found.add(|found| {
            found
                .at(Code::Alias, node.place, "merge keys are not accepted")
                .label("`<<` is a YAML merge key")
                .help("write the keys out")
        });
        return (scalar.text, node.place, false);
    }
    if let Some(first) = keys.get(&scalar.text) {
        found.add(|found| {
            found
                .at(
                    Code::DuplicateKey,
                    node.place,
                    format!("the key `{}` stands twice", short(&scalar.text)),
                )
                .label("again here")
                .other(*first, "first here")
                .help("delete one of them; nothing says which of the two is meant")
        });
        return (scalar.text, node.place, false);
    }
    keys.insert(scalar.text.clone(), node.place);
    (scalar.text, node.place, true)
}

fn short(text: &str) -> String {
    text.chars().take(SHOWN_KEY_BYTES).collect()
}

fn notation(style: ScalarStyle) -> Notation {
    match style {
        ScalarStyle::Plain => Notation::Plain,
        ScalarStyle::SingleQuoted => Notation::SingleQuoted,
        ScalarStyle::DoubleQuoted => Notation::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Notation::Block,
    }
}

fn too_deep(found: &Diagnostics, at: Place) -> Diagnostic {
    found
        .at(Code::TooDeep, at, format!("nested deeper than {DOCUMENT_DEPTH_MAX} levels"))
        .label("the level too many begins here")
}

/// The parser's first mistake, in words of our own where it is one of the usual traps.
fn syntax_error(found: &Diagnostics, error: &ScanError, open: Option<Place>) -> Diagnostic {
    let at = error.marker().byte_offset().unwrap_or(0).min(found.source().text().len());
    let here = Place::new(at, at);
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        return too_deep(found, here);
    }
    let line = found.source().line_at(at);
    let text = found.source().slice(line);
    if let Some(diagnostic) = unquoted_interpolation(found, line, text, at) {
        return diagnostic;
    }
    match error.kind() {
        ErrorKind::MappingValueNotAllowed => colon_in_text(found, line, at),
        ErrorKind::InvalidTrailingDoubleQuotedScalar
        | ErrorKind::InvalidTrailingSingleQuotedScalar => found
            .at(Code::Syntax, here, "text stands after the closing quote")
            .label("the quoted text ended before this")
            .help("quote the whole value: 'alert.labels.team == \"shop\"'"),
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabNotAllowed => {
            let rest = found.source().text().get(at..).unwrap_or("");
            let tab = rest.find('\t').map_or(at, |n| at + n);
            found
                .at(Code::Syntax, Place::new(tab, tab + 1), "a tab cannot indent YAML")
                .label("this is a tab")
                .help("indent with spaces")
        }
        ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofFlowSequence => {
            let diagnostic = found
                .at(Code::Syntax, here, "a bracket is not closed, or a comma is missing")
                .label("noticed here");
            match open {
                Some(open) if open.start != at => {
                    diagnostic.other(open, "the bracket that is open")
                }
                _ => diagnostic,
            }
        }
        ErrorKind::UnexpectedCharacter { character } => found
            .at(Code::Syntax, here, format!("a value cannot begin with `{character}`"))
            .label("quote the value"),
        ErrorKind::DirectiveDisallowed => found
            .at(Code::Syntax, here, "YAML directives are not accepted")
            .label("delete this line"),
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation => found
            .at(Code::Syntax, here, "the indentation does not fit")
            .label("no level above begins in this column")
            .help("align it with the keys that it belongs to"),
        _ => found.at(Code::Syntax, here, format!("this is not YAML: {}", error.info())),
    }
}

fn unquoted_interpolation(
    found: &Diagnostics,
    line: Place,
    text: &str,
    at: usize,
) -> Option<Diagnostic> {
    let column = at.saturating_sub(line.start);
    let (begin, _) = text.match_indices("${{").filter(|(i, _)| *i <= column + 1).last()?;
    let before = text.get(..begin)?.trim_end();
    if before.ends_with(['"', '\'']) || !before.contains(['{', '[']) {
        return None;
    }
    let end = text.get(begin..)?.find("}}").map_or(text.len(), |n| begin + n + 2);
    let whole = text.get(begin..end)?;
    let span = Place::new(line.start + begin, line.start + end);
    Some(
        found
            .at(
                Code::UnquotedInterpolation,
                span,
                "an expression inside `{ }` or `[ ]` must be quoted",
            )
            .label("YAML reads these braces as a mapping")
            .help(format!("quote it: \"{whole}\""))
            .replace(span, format!("\"{whole}\"")),
    )
}

fn colon_in_text(found: &Diagnostics, line: Place, at: usize) -> Diagnostic {
    let text = found.source().slice(line);
    let value = text.find(": ").map_or(text, |n| text.get(n + 2..).unwrap_or("")).trim();
    let diagnostic = found
        .at(Code::ColonInText, Place::new(at, at + 1), "a text with `: ` in it must be quoted")
        .label("YAML reads this colon as the end of a key");
    if value.is_empty() || value.contains('"') || value.len() > SHOWN_KEY_BYTES {
        diagnostic.help("put the whole text into quotes, or into a block that begins with `|`")
    } else {
        diagnostic.help(format!("quote it: \"{value}\""))
    }
}
