//! The whole of an environment.

use std::collections::BTreeMap;

use steadyhand_model::approval::EvidenceKind;
use steadyhand_model::ids::ServerId;
use steadyhand_model::plan::{EnvironmentClass, LibraryStatus, Limits};

use super::Context;
use super::bindings::condition;
use super::header::Header;
use super::limits::limits;
use super::scopes::{Names, Part};
use crate::code::Code;
use crate::document::bounds::{NAME_CHARS_MAX, PROTECTED_MAX, SIGNATURES_MAX};
use crate::document::environment::{CheckedEnvironment, Connection, Mode, Protected};
use crate::suggest::{listed, nearest};
use crate::yaml::fields::{
    Fields, bad_value, integer, list, one_of, parsed, scalar, shown, text, wrong_shape,
};
use crate::yaml::{Entry, Node, NodeKind};

const CLASSES: [(&str, EnvironmentClass); 4] = [
    ("practice", EnvironmentClass::Practice),
    ("development", EnvironmentClass::Development),
    ("staging", EnvironmentClass::Staging),
    ("production", EnvironmentClass::Production),
];

const EVIDENCE: [(&str, EvidenceKind); 5] = [
    ("peer_credential", EvidenceKind::PeerCredential),
    ("oidc", EvidenceKind::Oidc),
    ("ssh_signature", EvidenceKind::SshSignature),
    ("cosign", EvidenceKind::Cosign),
    ("passkey", EvidenceKind::Passkey),
];

pub(super) fn check(
    root: &Node,
    header: Header<'_>,
    cx: &mut Context<'_>,
) -> Option<CheckedEnvironment> {
    let mut fields = Fields::open(header.spec?, "`spec` of an environment", &mut cx.found)?;
    let class = fields.required("class", &mut cx.found);
    let class = class.and_then(|e| one_of(&e.value, "`class`", &CLASSES, &mut cx.found));
    let mode = fields.required("mode", &mut cx.found);
    let mode = mode.and_then(|e| one_of(&e.value, "`mode`", &Mode::WORDS, &mut cx.found));
    let library = fields.required("library", &mut cx.found).and_then(|e| library(&e.value, cx));
    let evidence = fields.required("evidence", &mut cx.found);
    let evidence = evidence.and_then(|e| one_of(&e.value, "`evidence`", &EVIDENCE, &mut cx.found));
    let matches = fields
        .optional("match")
        .and_then(|e| condition(&e.value, "`match`", &Names::default().scope(Part::Match), cx));
    let servers = fields.required("servers", &mut cx.found);
    let servers = servers.map_or_else(BTreeMap::new, |e| servers_of(&e.value, cx));
    let limits = fields.optional("limits").and_then(|e| limits(&e.value, false, cx));
    let protected = fields.optional("protected").map_or_else(Vec::new, |e| protected(&e.value, cx));
    fields.unsupported(&["freeze", "notify"], &mut cx.found);
    fields.finish(&mut cx.found);
    let name = header.name?;
    Some(CheckedEnvironment {
        name: parsed(&name.value, "`name`", &mut cx.found)?,
        name_place: name.value.place,
        title: header.title?,
        class: class?,
        mode: mode?,
        matches,
        servers,
        limits: limits.map_or_else(Limits::default, |r| r.limits),
        protected,
        library: library?,
        evidence: evidence?,
        origin: cx.origin(root)?,
    })
}

/// `draft`, `locked` or `released(n)`.
fn library(node: &Node, cx: &mut Context<'_>) -> Option<LibraryStatus> {
    let text = scalar(node, "`library`", &mut cx.found)?.text.as_str();
    let signatures = text.strip_prefix("released(").and_then(|r| r.strip_suffix(')'));
    let status = match (text, signatures) {
        ("draft", _) => Some(LibraryStatus::Draft),
        ("locked", _) => Some(LibraryStatus::Locked),
        (_, Some(n)) => {
            (1..=SIGNATURES_MAX).find(|k| k.to_string() == n).map(LibraryStatus::Released)
        }
        _ => None,
    };
    if status.is_none() {
        let title = format!("`library` cannot be `{}`", shown(text));
        cx.found.push(
            cx.found.at(Code::NotOneOf, node.place, title).label("not a status of a library").note(
                format!("possible: draft, locked, released(1) to released({SIGNATURES_MAX})"),
            ),
        );
    }
    status
}

/// A server that the catalogue knows.
fn known_server(entry: &Entry, cx: &mut Context<'_>) -> Option<ServerId> {
    let id = entry.key.parse().ok().filter(|id| cx.catalogue.server(id).is_some());
    if id.is_none() {
        let names: Vec<&str> = cx.catalogue.servers().iter().map(|s| s.server.as_str()).collect();
        let title = format!("there is no tool server `{}`", shown(&entry.key));
        cx.found.push(
            cx.found
                .at(Code::UnknownServer, entry.key_place, title)
                .label("unknown server")
                .mean(nearest(&entry.key, names.iter().copied()))
                .note(format!("servers: {}", listed(names))),
        );
    }
    id
}

fn servers_of(node: &Node, cx: &mut Context<'_>) -> BTreeMap<ServerId, Connection> {
    let NodeKind::Map(entries) = &node.kind else {
        wrong_shape(
            node,
            "`servers` must be a mapping from tool servers to connections",
            &mut cx.found,
        );
        return BTreeMap::new();
    };
    let mut out = BTreeMap::new();
    for entry in entries {
        let id = known_server(entry, cx);
        let connection = connection(&entry.value, cx);
        if let (Some(id), Some(connection)) = (id, connection) {
            out.insert(id, connection);
        }
    }
    out
}

fn connection(node: &Node, cx: &mut Context<'_>) -> Option<Connection> {
    let mut fields = Fields::open(node, "a connection", &mut cx.found)?;
    fields.unsupported(&["connect", "spawn"], &mut cx.found);
    let other = fields.has("connect") || fields.has("spawn");
    let entry = if other {
        fields.optional("practice")
    } else {
        fields.required("practice", &mut cx.found)
    };
    fields.finish(&mut cx.found);
    let mut fields = Fields::open(&entry?.value, "`practice`", &mut cx.found)?;
    let scenario = fields.required("scenario", &mut cx.found);
    let scenario =
        scenario.and_then(|e| text(&e.value, "`scenario`", NAME_CHARS_MAX, &mut cx.found));
    let seed = fields.required("seed", &mut cx.found);
    let seed = seed.and_then(|e| {
        integer(&e.value, "`seed`", 0..=steadyhand_model::value::INTEGER_MAX, &mut cx.found)
    });
    fields.finish(&mut cx.found);
    Some(Connection::Practice { scenario: scenario?, seed: u64::try_from(seed?).ok()? })
}

fn protected(node: &Node, cx: &mut Context<'_>) -> Vec<Protected> {
    let Some(items) = list(node, "`protected`", &mut cx.found) else { return vec![] };
    let mut out = Vec::new();
    for item in items {
        let NodeKind::Map(entries) = &item.kind else {
            wrong_shape(item, "each item of `protected` must be a mapping", &mut cx.found);
            continue;
        };
        for entry in entries {
            let server = known_server(entry, cx);
            let namespaces = namespaces(&entry.value, cx);
            if let (Some(server), Some(namespaces)) = (server, namespaces) {
                out.push(Protected { server, namespaces });
            }
        }
    }
    out
}

fn namespaces(node: &Node, cx: &mut Context<'_>) -> Option<Vec<String>> {
    let mut fields = Fields::open(node, "protected objects", &mut cx.found)?;
    let entry = fields.required("namespaces", &mut cx.found);
    fields.finish(&mut cx.found);
    let node = &entry?.value;
    let items = list(node, "`namespaces`", &mut cx.found)?;
    if items.is_empty() || items.len() > PROTECTED_MAX {
        bad_value(
            node,
            &format!("`namespaces` must have 1 to {PROTECTED_MAX} names"),
            "",
            &mut cx.found,
        );
        return None;
    }
    let names: Vec<Option<String>> =
        items.iter().map(|i| text(i, "a namespace", NAME_CHARS_MAX, &mut cx.found)).collect();
    names.into_iter().collect()
}
