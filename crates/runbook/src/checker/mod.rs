//! From a tree to a checked document: every rule of the language, all mistakes at once.
//!
//! What is not here: YAML itself (`yaml`), types of expressions (`expr`), the result's types (`document`).

mod action;
mod bindings;
mod environment;
mod header;
mod library;
mod limits;
mod params;
mod reach;
mod runbook;
mod scopes;
mod steps;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::catalogue::Catalogue;

use crate::code::Code;
use crate::diagnostic::Diagnostics;
use crate::document::Origin;
use crate::document::environment::CheckedEnvironment;
use crate::document::runbook::CheckedRunbook;
use crate::expr::check::{CheckedExpr, Written, check};
use crate::expr::scope::Scope;
use crate::source::Place;
use crate::yaml::{self, Node};

pub use action::action_verify;
pub use library::check_library;

/// A document of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    Runbook(Box<CheckedRunbook>),
    Environment(Box<CheckedEnvironment>),
}

/// The outcome of a check. There is a document exactly if there are no errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked<T> {
    pub document: Option<T>,
    pub diagnostics: Diagnostics,
}

/// Reads and checks one document of any kind.
pub fn check_document(file: &str, bytes: &[u8], catalogue: &Catalogue) -> Checked<Document> {
    let (root, found) = yaml::parse::parse(file, bytes);
    let mut cx = Context::new(catalogue, found);
    let document = root.and_then(|root| {
        let header = header::read(&root, &mut cx)?;
        match header.kind {
            header::Kind::Runbook => {
                runbook::check(&root, header, &mut cx).map(|r| Document::Runbook(Box::new(r)))
            }
            header::Kind::Environment => environment::check(&root, header, &mut cx)
                .map(|e| Document::Environment(Box::new(e))),
        }
    });
    let mut diagnostics = cx.found;
    diagnostics.sort();
    let clean = diagnostics.errors() == 0 && diagnostics.dropped() == 0;
    Checked { document: document.filter(|_| clean), diagnostics }
}

/// Reads and checks a runbook; a document of another kind is a mistake.
pub fn check_runbook(file: &str, bytes: &[u8], catalogue: &Catalogue) -> Checked<CheckedRunbook> {
    of_kind(check_document(file, bytes, catalogue), "a runbook", |document| match document {
        Document::Runbook(runbook) => Some(*runbook),
        Document::Environment(_) => None,
    })
}

/// Reads and checks an environment; a document of another kind is a mistake.
pub fn check_environment(
    file: &str,
    bytes: &[u8],
    catalogue: &Catalogue,
) -> Checked<CheckedEnvironment> {
    of_kind(check_document(file, bytes, catalogue), "an environment", |document| match document {
        Document::Environment(environment) => Some(*environment),
        Document::Runbook(_) => None,
    })
}

fn of_kind<T>(
    checked: Checked<Document>,
    wanted: &str,
    pick: impl FnOnce(Document) -> Option<T>,
) -> Checked<T> {
    let mut diagnostics = checked.diagnostics;
    let Some(document) = checked.document else {
        return Checked { document: None, diagnostics };
    };
    let picked = pick(document);
    if picked.is_none() {
        let place = diagnostics.source().line_at(0);
        let title = format!("this is not {wanted}");
        diagnostics.push(
            diagnostics.at(Code::UnknownDocument, place, title).label("a document of another kind"),
        );
    }
    Checked { document: picked, diagnostics }
}

/// What a check of one document carries along.
pub(crate) struct Context<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) found: Diagnostics,
    /// Parameters that some expression reads.
    used: BTreeSet<String>,
    /// Where the type of each parameter is written.
    types: BTreeMap<String, Place>,
    /// Parameters whose value follows a number that moves by itself, and that number.
    moving: BTreeMap<String, String>,
}

impl<'a> Context<'a> {
    fn new(catalogue: &'a Catalogue, found: Diagnostics) -> Self {
        Self {
            catalogue,
            found,
            used: BTreeSet::new(),
            types: BTreeMap::new(),
            moving: BTreeMap::new(),
        }
    }

    /// Checks an expression and remembers which parameters it uses.
    fn expression(&mut self, written: Written<'_>, scope: &Scope) -> Option<CheckedExpr> {
        // Also a broken expression uses what it names: one mistake must not make a second one.
        self.used.extend(named_params(written.text()).map(str::to_owned));
        check(written, scope, self.catalogue, &mut self.found)
    }

    fn origin(&mut self, root: &Node) -> Option<Origin> {
        match CanonicalJson::of(&root.to_json()) {
            Ok(canonical) => Some(Origin {
                source: self.found.source().clone(),
                digest: canonical.digest(),
                canonical,
            }),
            Err(error) => {
                let place = Place::new(root.place.start, root.place.start);
                self.found.push(self.found.at(Code::BadValue, place, error.to_string()));
                None
            }
        }
    }
}

/// The names after `params.`, `before.` and `after.` in a text.
fn named_params(text: &str) -> impl Iterator<Item = &str> {
    ["params.", "before.", "after."].into_iter().flat_map(move |root| {
        text.match_indices(root).filter_map(move |(at, _)| {
            let rest = text.get(at + root.len()..)?;
            let len = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
            rest.get(..len)
        })
    })
}
