//! Which names an expression may use, and what each of them is.

use std::collections::{BTreeMap, BTreeSet};

use steadyhand_model::types::Type;

/// What a name or the first part of a path stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    Value(Type),
    /// Only the beginning of a path: `params`, `after`.
    Fields(BTreeMap<String, Shape>),
}

/// The roots of one expression.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    roots: BTreeMap<String, Shape>,
    /// Roots that exist, but not here, and why.
    elsewhere: BTreeMap<String, &'static str>,
    /// Paths that are known not to be null, since a condition around the expression says so.
    facts: BTreeSet<String>,
}

impl Scope {
    #[must_use]
    pub fn with(mut self, root: &str, shape: Shape) -> Self {
        self.roots.insert(root.to_owned(), shape);
        self
    }

    /// Names a root that is known in other places, for a better message.
    #[must_use]
    pub fn without(mut self, root: &str, why: &'static str) -> Self {
        self.elsewhere.insert(root.to_owned(), why);
        self
    }

    /// Adds paths that are known not to be null.
    #[must_use]
    pub(crate) fn given(mut self, paths: impl IntoIterator<Item = String>) -> Self {
        self.facts.extend(paths);
        self
    }

    pub(crate) fn facts(&self) -> &BTreeSet<String> {
        &self.facts
    }

    pub(crate) fn root(&self, name: &str) -> Option<&Shape> {
        self.roots.get(name)
    }

    pub(crate) fn elsewhere(&self, name: &str) -> Option<&'static str> {
        self.elsewhere.get(name).copied()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.roots.keys().map(String::as_str)
    }
}
