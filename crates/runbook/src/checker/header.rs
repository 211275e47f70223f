//! What all documents begin with: `apiVersion`, `kind`, `metadata`, `spec`.

use steadyhand_model::ids::TeamId;

use super::Context;
use crate::code::Code;
use crate::document::API_VERSION;
use crate::document::bounds::TITLE_CHARS_MAX;
use crate::source::Place;
use crate::suggest::nearest;
use crate::yaml::fields::{Fields, parsed, scalar, shown, text};
use crate::yaml::{Entry, Node};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Runbook,
    Environment,
}

const KINDS: [(&str, Kind); 2] = [("Runbook", Kind::Runbook), ("Environment", Kind::Environment)];
/// Kinds of the wider language.
const LATER: [&str; 3] = ["People", "OnCall", "Adapter"];

pub(crate) struct Header<'n> {
    pub(crate) kind: Kind,
    pub(crate) name: Option<&'n Entry>,
    pub(crate) title: Option<String>,
    pub(crate) owner: Option<TeamId>,
    pub(crate) spec: Option<&'n Node>,
}

pub(crate) fn read<'n>(root: &'n Node, cx: &mut Context<'_>) -> Option<Header<'n>> {
    let mut fields = Fields::open(root, "a document", &mut cx.found)?;
    version(&mut fields, cx);
    let kind = kind(&mut fields, cx);
    let metadata = fields.required("metadata", &mut cx.found);
    let spec = fields.required("spec", &mut cx.found).map(|e| &e.value);
    fields.finish(&mut cx.found);
    let kind = kind?;
    let mut header = Header { kind, name: None, title: None, owner: None, spec };
    if let Some(entry) = metadata
        && let Some(mut fields) = Fields::open(&entry.value, "`metadata`", &mut cx.found)
    {
        header.name = fields.required("name", &mut cx.found);
        header.title = fields
            .required("title", &mut cx.found)
            .and_then(|e| text(&e.value, "the title", TITLE_CHARS_MAX, &mut cx.found));
        if kind == Kind::Runbook {
            header.owner = fields
                .required("owner", &mut cx.found)
                .and_then(|e| parsed(&e.value, "`owner`", &mut cx.found));
        }
        fields.finish(&mut cx.found);
    }
    Some(header)
}

fn version(fields: &mut Fields<'_>, cx: &mut Context<'_>) {
    let Some(entry) = fields.required("apiVersion", &mut cx.found) else { return };
    let Some(scalar) = scalar(&entry.value, "`apiVersion`", &mut cx.found) else { return };
    if scalar.text != API_VERSION {
        let title = format!("`{}` is not a version that this program reads", shown(&scalar.text));
        cx.found.push(
            cx.found
                .at(Code::UnknownDocument, entry.value.place, title)
                .label("unknown version")
                .help(format!("write apiVersion: {API_VERSION}"))
                .replace(entry.value.place, API_VERSION),
        );
    }
}

fn kind(fields: &mut Fields<'_>, cx: &mut Context<'_>) -> Option<Kind> {
    let entry = fields.required("kind", &mut cx.found)?;
    let scalar = scalar(&entry.value, "`kind`", &mut cx.found)?;
    let hit = KINDS.iter().find(|(word, _)| *word == scalar.text).map(|(_, kind)| *kind);
    if hit.is_none() {
        let place: Place = entry.value.place;
        let diagnostic = if LATER.contains(&scalar.text.as_str()) {
            let title =
                format!("documents of kind `{}` are not supported by this version", scalar.text);
            cx.found.at(Code::NotSupported, place, title).label("remove this file from the library")
        } else {
            let title = format!("there is no document of kind `{}`", shown(&scalar.text));
            cx.found
                .at(Code::UnknownDocument, place, title)
                .label("unknown kind")
                .mean(nearest(&scalar.text, KINDS.iter().map(|(word, _)| *word)))
                .note("kinds: Runbook, Environment")
        };
        cx.found.push(diagnostic);
    }
    hit
}
