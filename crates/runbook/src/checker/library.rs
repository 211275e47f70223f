//! Rules over all documents of a library together.

use std::collections::BTreeMap;

use super::Document;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::document::environment::CheckedEnvironment;
use crate::document::runbook::CheckedRunbook;
use crate::source::{Place, Source};
use crate::suggest::{listed, nearest};

/// Checks what one document says of others. The documents are clean by themselves.
pub fn check_library(documents: &[&Document]) -> Vec<Diagnostic> {
    let runbooks: Vec<&CheckedRunbook> = documents
        .iter()
        .filter_map(|d| match d {
            Document::Runbook(r) => Some(r.as_ref()),
            Document::Environment(_) => None,
        })
        .collect();
    let environments: Vec<&CheckedEnvironment> = documents
        .iter()
        .filter_map(|d| match d {
            Document::Environment(e) => Some(e.as_ref()),
            Document::Runbook(_) => None,
        })
        .collect();
    let mut found = Vec::new();
    same_names(
        "runbook",
        runbooks.iter().map(|r| (r.name.as_str(), &r.origin.source, r.name_place)),
        &mut found,
    );
    same_names(
        "environment",
        environments.iter().map(|e| (e.name.as_str(), &e.origin.source, e.name_place)),
        &mut found,
    );
    for runbook in &runbooks {
        instead(runbook, &runbooks, &mut found);
        known_environments(runbook, &environments, &mut found);
    }
    found
}

fn same_names<'a>(
    what: &str,
    documents: impl Iterator<Item = (&'a str, &'a Source, Place)>,
    found: &mut Vec<Diagnostic>,
) {
    let mut seen: BTreeMap<&str, &Source> = BTreeMap::new();
    for (name, source, place) in documents {
        if let Some(first) = seen.insert(name, source) {
            let title = format!("two documents are the {what} `{name}`");
            let diagnostic = Diagnostic::new(source, Code::SameName, place, title);
            found.push(
                diagnostic.label("the second one").note(format!("the first one: {}", first.file())),
            );
        }
    }
}

fn instead(runbook: &CheckedRunbook, all: &[&CheckedRunbook], found: &mut Vec<Diagnostic>) {
    let Some(instead) = &runbook.selection.instead else { return };
    let diagnostic = |title: String| {
        Diagnostic::new(&runbook.origin.source, Code::BadInstead, instead.place, title)
    };
    if instead.value == runbook.name {
        found.push(diagnostic("a runbook cannot be used instead of itself".into()).label("itself"));
        return;
    }
    let Some(other) = all.iter().find(|r| r.name == instead.value) else {
        let names = all.iter().filter(|r| r.name != runbook.name).map(|r| r.name.as_str());
        let title = format!("there is no runbook `{}`", instead.value);
        let listing = listed(names.clone());
        found.push(
            diagnostic(title)
                .label("not in this library")
                .mean(nearest(instead.value.as_str(), names))
                .note(format!("runbooks: {listing}")),
        );
        return;
    };
    let missing: Vec<&str> = runbook
        .selection
        .alerts
        .iter()
        .filter(|a| !other.selection.alerts.iter().any(|b| b.value == a.value))
        .map(|a| a.value.as_str())
        .collect();
    if !missing.is_empty() {
        let title = format!("`{}` is not bound to all alerts of this runbook", other.name);
        found.push(
            diagnostic(title)
                .label(format!("not bound to {}", listed(missing)))
                .help(format!("add them to `use.alerts` in {}", other.origin.source.file())),
        );
    }
}

fn known_environments(
    runbook: &CheckedRunbook,
    environments: &[&CheckedEnvironment],
    found: &mut Vec<Diagnostic>,
) {
    for wanted in &runbook.environments {
        if environments.iter().any(|e| e.name == wanted.value) {
            continue;
        }
        let names = environments.iter().map(|e| e.name.as_str());
        let title = format!("there is no environment `{}`", wanted.value);
        let listing = listed(names.clone());
        found.push(
            Diagnostic::new(&runbook.origin.source, Code::UnknownEnvironment, wanted.place, title)
                .label("not in this library")
                .mean(nearest(wanted.value.as_str(), names))
                .note(format!("environments: {listing}")),
        );
    }
}
