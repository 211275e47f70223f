//! Checked documents: what is left when every name, type and rule has been checked. Plain data, made by `checker`.

pub mod bounds;
pub mod environment;
pub mod runbook;

use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;

use crate::expr::check::CheckedExpr;
use crate::source::Source;

/// Version of the documents that this program reads.
pub const API_VERSION: &str = "steadyhand.dev/v1";

/// The text of a document and the form of it that is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub source: Source,
    /// Equal for documents that differ only in layout, comments, order of keys and quoting.
    pub canonical: CanonicalJson,
    pub digest: Digest,
}

/// Text for people with values in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    Text(String),
    /// One `${{ … }}`: never null, a list or a record.
    Value(Box<CheckedExpr>),
}

impl Template {
    /// Every expression in it.
    pub fn expressions(&self) -> impl Iterator<Item = &CheckedExpr> {
        self.segments.iter().filter_map(|s| match s {
            Segment::Value(expr) => Some(expr.as_ref()),
            Segment::Text(_) => None,
        })
    }
}
