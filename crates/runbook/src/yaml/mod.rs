//! YAML as a tree in which everything knows its place. A narrow YAML: no tags, anchors, aliases or merge keys.
//!
//! What is not here: the meaning of keys (`checker`).

pub(crate) mod fields;
pub(crate) mod parse;
pub(crate) mod scalar;

use serde_json::Value as Json;
use steadyhand_model::value::INTEGER_MAX;

use crate::source::Place;
use scalar::Scalar;

/// Largest document, in bytes: 1 MiB.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;
/// Deepest nesting of mappings and lists.
pub const DOCUMENT_DEPTH_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub place: Place,
    pub kind: NodeKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Stands for a part that was already reported.
    Bad,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub key_place: Place,
    pub value: Node,
}

impl Node {
    /// The kind in words, for "expected …, found …".
    pub(crate) fn found(&self) -> String {
        match &self.kind {
            NodeKind::Scalar(s) if s.is_nothing() => "nothing".into(),
            NodeKind::Scalar(_) => "a single value".into(),
            NodeKind::List(_) => "a list".into(),
            NodeKind::Map(_) => "a mapping".into(),
            NodeKind::Bad => "a mistake".into(),
        }
    }

    /// The untyped JSON form: what is hashed. Plain `true`, `null` and decimal integers are typed, all else is text.
    pub(crate) fn to_json(&self) -> Json {
        match &self.kind {
            NodeKind::Scalar(s) => scalar_json(s),
            NodeKind::List(items) => items.iter().map(Self::to_json).collect(),
            NodeKind::Map(entries) => {
                entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect()
            }
            NodeKind::Bad => Json::Null,
        }
    }
}

fn scalar_json(scalar: &Scalar) -> Json {
    if scalar.is_nothing() {
        return Json::Null;
    }
    if let Some(value) = scalar.boolean() {
        return Json::Bool(value);
    }
    match scalar.integer() {
        Some(n) if (-INTEGER_MAX..=INTEGER_MAX).contains(&n) => Json::from(n),
        _ => Json::String(scalar.text.clone()),
    }
}
