//! Decoding that goes on after a mistake: a view of a mapping that remembers which keys were asked for, and readers
//! of single values.

use std::str::FromStr;

use steadyhand_model::text::Escaped;
use steadyhand_model::time::Span;

use super::scalar::{Notation, Scalar};
use super::{Entry, Node, NodeKind};
use crate::code::Code;
use crate::diagnostic::Diagnostics;
use crate::source::Place;
use crate::suggest::{listed, nearest};

/// Values shown in messages are cut after this many characters.
const SHOWN_MAX: usize = 60;

pub(crate) fn shown(text: &str) -> Escaped {
    Escaped::short(text, SHOWN_MAX)
}

/// A mapping being read.
pub(crate) struct Fields<'n> {
    what: &'static str,
    entries: &'n [Entry],
    pub(crate) place: Place,
    asked: Vec<&'static str>,
    /// Asked for, but not to be offered.
    refused: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// `what` names the mapping in messages: `a step`.
    pub(crate) fn open(
        node: &'n Node,
        what: &'static str,
        found: &mut Diagnostics,
    ) -> Option<Self> {
        match &node.kind {
            NodeKind::Map(entries) => Some(Self {
                what,
                entries,
                place: node.place,
                asked: Vec::new(),
                refused: Vec::new(),
            }),
            NodeKind::Bad => None,
            NodeKind::Scalar(_) | NodeKind::List(_) => {
                wrong_shape(node, &format!("{what} must be a mapping"), found);
                None
            }
        }
    }

    pub(crate) fn optional(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.asked.push(key);
        self.entries.iter().find(|e| e.key == key)
    }

    pub(crate) fn required(
        &mut self,
        key: &'static str,
        found: &mut Diagnostics,
    ) -> Option<&'n Entry> {
        let entry = self.optional(key);
        if entry.is_none() {
            let missing = found
                .at(Code::MissingKey, self.first_place(), format!("{} needs `{key}`", self.what))
                .label(format!("no `{key}` in this mapping"));
            found.push(missing);
        }
        entry
    }

    /// Whether a key is there, without asking for it.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|e| e.key == key)
    }

    /// The first key: where to point when something is missing. The whole mapping may have many lines.
    pub(crate) fn first_place(&self) -> Place {
        self.entries.first().map_or(self.place, |e| e.key_place)
    }

    /// Keys of the wider language: known, and refused.
    pub(crate) fn unsupported(&mut self, keys: &[&'static str], found: &mut Diagnostics) {
        for key in keys {
            self.refused.push(key);
            if let Some(entry) = self.entries.iter().find(|e| e.key == **key) {
                found.add(|found| {
                    found
                        .at(
                            Code::NotSupported,
                            entry.key_place,
                            format!("`{key}` is not supported by this version"),
                        )
                        .label(format!("{} cannot have it here", self.what))
                        .help("remove it, or check this document with a version that supports it")
                });
            }
        }
    }

    /// Reports every key that nobody asked for.
    pub(crate) fn finish(self, found: &mut Diagnostics) {
        let known = |key: &str| self.asked.contains(&key) || self.refused.contains(&key);
        for entry in self.entries.iter().filter(|e| !known(&e.key)) {
            found.add(|found| {
                let given = |key: &str| self.entries.iter().any(|e| e.key == key);
                let near = nearest(&entry.key, self.asked.iter().copied().filter(|k| !given(k)));
                let title = format!("{} has no key `{}`", self.what, shown(&entry.key));
                found
                    .at(Code::UnknownKey, entry.key_place, title)
                    .label("unknown key")
                    .mean(near)
                    .note(format!("keys: {}", listed(self.asked.iter().copied())))
            });
        }
    }
}

pub(crate) fn wrong_shape(node: &Node, title: &str, found: &mut Diagnostics) {
    if node.kind == NodeKind::Bad {
        return;
    }
    let label = format!("found {}", node.found());
    found
        .add(|found| found.at(Code::WrongShape, first_line(node.place, found), title).label(label));
}

/// Long values are underlined on their first line only.
pub(crate) fn first_line(place: Place, found: &Diagnostics) -> Place {
    let line = found.source().line_at(place.start);
    Place::new(place.start, place.end.min(line.end.max(place.start)))
}

pub(crate) fn scalar<'n>(
    node: &'n Node,
    what: &str,
    found: &mut Diagnostics,
) -> Option<&'n Scalar> {
    match &node.kind {
        NodeKind::Scalar(s) if !s.is_nothing() => Some(s),
        _ => {
            wrong_shape(node, &format!("{what} must be a single value"), found);
            None
        }
    }
}

pub(crate) fn list<'n>(node: &'n Node, what: &str, found: &mut Diagnostics) -> Option<&'n [Node]> {
    match &node.kind {
        NodeKind::List(items) => Some(items),
        _ => {
            wrong_shape(node, &format!("{what} must be a list"), found);
            None
        }
    }
}

/// Text for people: at least one character, on one line, at most `max` characters.
pub(crate) fn text(node: &Node, what: &str, max: usize, found: &mut Diagnostics) -> Option<String> {
    let scalar = scalar(node, what, found)?;
    let text = scalar.text.trim();
    if text.is_empty() || text.chars().count() > max {
        bad_value(node, &format!("{what} must have 1 to {max} characters"), "", found);
        return None;
    }
    Some(text.to_owned())
}

pub(crate) fn bad_value(node: &Node, title: &str, help: &str, found: &mut Diagnostics) {
    let place = first_line(node.place, found);
    let diagnostic = found.at(Code::BadValue, place, title).label("not accepted");
    found.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
}

/// A name or another value that its own type reads; the type's error says what is expected.
pub(crate) fn parsed<T>(node: &Node, what: &str, found: &mut Diagnostics) -> Option<T>
where
    T: FromStr<Err: std::fmt::Display>,
{
    let scalar = scalar(node, what, found)?;
    match scalar.text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            bad_value(node, &format!("{what}: {error}"), "", found);
            None
        }
    }
}

pub(crate) fn boolean(node: &Node, what: &str, found: &mut Diagnostics) -> Option<bool> {
    let scalar = scalar(node, what, found)?;
    let value = scalar.boolean();
    if value.is_none() {
        let help = match scalar.text.to_lowercase().as_str() {
            "yes" | "on" | "true" => "write `true`, without quotes",
            "no" | "off" | "false" => "write `false`, without quotes",
            _ => "",
        };
        bad_value(node, &format!("{what} must be `true` or `false`"), help, found);
    }
    value
}

pub(crate) fn integer(
    node: &Node,
    what: &str,
    range: std::ops::RangeInclusive<i64>,
    found: &mut Diagnostics,
) -> Option<i64> {
    let scalar = scalar(node, what, found)?;
    match scalar.integer() {
        Some(n) if range.contains(&n) => Some(n),
        _ => {
            let help = if scalar.notation != Notation::Plain && scalar.text.parse::<i64>().is_ok() {
                "remove the quotes"
            } else {
                ""
            };
            let (low, high) = (range.start(), range.end());
            bad_value(
                node,
                &format!("{what} must be a whole number from {low} to {high}"),
                help,
                found,
            );
            None
        }
    }
}

pub(crate) fn duration(node: &Node, what: &str, found: &mut Diagnostics) -> Option<Span> {
    let scalar = scalar(node, what, found)?;
    match scalar.text.parse() {
        Ok(span) => Some(span),
        Err(_said_in_our_words) => {
            let help = "write numbers with units, largest first: 90s, 10m, 1h30m, 2d";
            bad_value(node, &format!("{what} must be a duration"), help, found);
            None
        }
    }
}

/// `34%` as per mille; at most one digit after the point.
pub(crate) fn percent(node: &Node, what: &str, found: &mut Diagnostics) -> Option<i64> {
    let scalar = scalar(node, what, found)?;
    let value = parse_percent(&scalar.text);
    if value.is_none() {
        bad_value(node, &format!("{what} must be a percentage"), "write it as 34% or 2.5%", found);
    }
    value
}

pub(crate) fn parse_percent(text: &str) -> Option<i64> {
    let (whole, tenth) = match text.strip_suffix('%')?.split_once('.') {
        Some((whole, tenth)) if tenth.len() == 1 => (whole, digits(tenth)?),
        Some(_) => return None,
        None => (text.strip_suffix('%')?, 0),
    };
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    Some(digits(whole)? * 10 + tenth).filter(|n| *n <= 1000)
}

fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Bytes: `512`, `10Mi`, `2Gi`, `500M`.
pub(crate) fn size(node: &Node, what: &str, found: &mut Diagnostics) -> Option<i64> {
    let scalar = scalar(node, what, found)?;
    let value = parse_size(&scalar.text);
    if value.is_none() {
        let help = "write bytes or a unit: 512, 500M, 10Mi, 2Gi";
        bad_value(node, &format!("{what} must be a size"), help, found);
    }
    value
}

const SIZES: [(&str, i64); 9] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("", 1),
];

fn parse_size(text: &str) -> Option<i64> {
    SIZES.iter().find_map(|(unit, factor)| {
        let number = digits(text.strip_suffix(unit)?)?;
        number.checked_mul(*factor).filter(|n| *n <= steadyhand_model::value::INTEGER_MAX)
    })
}

/// One of a closed set of words.
pub(crate) fn one_of<T: Copy>(
    node: &Node,
    what: &str,
    words: &[(&str, T)],
    found: &mut Diagnostics,
) -> Option<T> {
    let scalar = scalar(node, what, found)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == scalar.text) {
        return Some(*value);
    }
    let names = || words.iter().map(|(word, _)| *word);
    found.add(|found| {
        found
            .at(Code::NotOneOf, node.place, format!("{what} cannot be `{}`", shown(&scalar.text)))
            .label("not one of the possible words")
            .mean(nearest(&scalar.text, names()))
            .note(format!("possible: {}", listed(names())))
    });
    None
}
