//! The whole of a runbook.

use std::collections::BTreeMap;

use steadyhand_model::ids::EnvironmentName;
use steadyhand_model::plan::Limits;

use super::Context;
use super::bindings::{condition, constant, template};
use super::header::Header;
use super::limits::limits;
use super::params::{drafts, finish, unused};
use super::scopes::{Names, Part};
use super::steps::steps;
use crate::code::Code;
use crate::document::bounds::{ALERTS_MAX, CONDITIONS_MAX, SAY_CHARS_MAX, SELECTION_CHARS_MAX};
use crate::document::runbook::{CheckedRunbook, Condition, EXPIRES_DEFAULT, Selection, Spot};
use crate::expr::flow::not_null;
use crate::source::Place;
use crate::yaml::fields::{Fields, bad_value, list, parsed, scalar, shown, text};
use crate::yaml::{Node, NodeKind};

pub(super) fn check(
    root: &Node,
    header: Header<'_>,
    cx: &mut Context<'_>,
) -> Option<CheckedRunbook> {
    let mut fields = Fields::open(header.spec?, "`spec` of a runbook", &mut cx.found)?;
    fields.unsupported(&["triage", "measure", "done"], &mut cx.found);
    let selection =
        fields.optional("use").map_or_else(Selection::default, |e| selection(&e.value, cx));
    let environments =
        fields.optional("environments").map_or_else(Vec::new, |e| environments(&e.value, cx));
    let parameters = fields.optional("parameters");
    let (drafts, mut names) =
        parameters.map_or_else(|| (Vec::new(), Names::default()), |e| drafts(&e.value, cx));
    let params = finish(drafts, &names, !selection.alerts.is_empty(), cx);
    let require =
        fields.optional("require").map_or_else(Vec::new, |e| require(&e.value, &names, cx));
    require.iter().for_each(|condition| names.learn(&condition.that));
    let limits_entry = fields.optional("limits");
    let read = limits_entry.and_then(|e| limits(&e.value, true, cx));
    let steps_entry = fields.required("steps", &mut cx.found);
    let steps = steps_entry.map_or_else(Vec::new, |e| steps(&e.value, &mut names, cx));
    if let Some(entry) = parameters {
        unused(&entry.value, cx);
    }
    if let (None, Some(entry)) = (limits_entry, steps_entry)
        && let Some(place) = first_action(&entry.value)
    {
        cx.found.push(
            cx.found
                .at(Code::NoLimits, place, "a runbook that changes things needs `limits`")
                .label("this step changes something")
                .help("add limits: {targets: 1, affected: 50, rate: 2 per 1h per target}"),
        );
    }
    fields.finish(&mut cx.found);
    let name = header.name?;
    Some(CheckedRunbook {
        name: parsed(&name.value, "`name`", &mut cx.found)?,
        name_place: name.value.place,
        title: header.title?,
        owner: header.owner?,
        selection,
        environments,
        params,
        require,
        expires: read.as_ref().and_then(|r| r.expires).unwrap_or(EXPIRES_DEFAULT),
        limits: read.map_or_else(Limits::default, |r| r.limits),
        steps,
        origin: cx.origin(root)?,
    })
}

fn first_action(steps: &Node) -> Option<Place> {
    let NodeKind::List(items) = &steps.kind else { return None };
    items.iter().find_map(|item| match &item.kind {
        NodeKind::Map(entries) => entries.iter().find(|e| e.key == "action").map(|e| e.key_place),
        _ => None,
    })
}

fn selection(node: &Node, cx: &mut Context<'_>) -> Selection {
    let mut out = Selection::default();
    let Some(mut fields) = Fields::open(node, "`use`", &mut cx.found) else { return out };
    if let Some(entry) = fields.optional("alerts") {
        out.alerts = alerts(&entry.value, cx);
    }
    let mut words = |key: &'static str, cx: &mut Context<'_>| {
        let entry = fields.optional(key)?;
        text(&entry.value, &format!("`{key}`"), SELECTION_CHARS_MAX, &mut cx.found)
    };
    out.when = words("when", cx);
    out.unless = words("unless", cx);
    out.instead = fields.optional("instead").and_then(|e| {
        let value = parsed(&e.value, "`instead`", &mut cx.found)?;
        Some(Spot { value, place: e.value.place })
    });
    fields.unsupported(&["examples", "counterexamples"], &mut cx.found);
    fields.finish(&mut cx.found);
    out
}

fn alerts(node: &Node, cx: &mut Context<'_>) -> Vec<Spot<String>> {
    let Some(items) = list(node, "`alerts`", &mut cx.found) else { return vec![] };
    if items.len() > ALERTS_MAX {
        bad_value(
            node,
            &format!("a runbook is bound to at most {ALERTS_MAX} alerts"),
            "",
            &mut cx.found,
        );
        return vec![];
    }
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    let mut out = Vec::new();
    for item in items {
        let Some(scalar) = scalar(item, "the name of an alert", &mut cx.found) else { continue };
        let name = scalar.text.as_str();
        if name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let help = "write the name of the alerting rule, as in the label `alertname`";
            bad_value(
                item,
                &format!("`{}` is not the name of an alert", shown(name)),
                help,
                &mut cx.found,
            );
            continue;
        }
        if let Some(first) = seen.insert(name, item.place) {
            cx.found.push(
                cx.found
                    .at(Code::AlertTwice, item.place, format!("`{name}` is bound twice"))
                    .label("again here")
                    .other(first, "first here")
                    .help("remove one of them"),
            );
            continue;
        }
        out.push(Spot { value: name.to_owned(), place: item.place });
    }
    out
}

fn environments(node: &Node, cx: &mut Context<'_>) -> Vec<Spot<EnvironmentName>> {
    let Some(items) = list(node, "`environments`", &mut cx.found) else { return vec![] };
    if items.is_empty() {
        bad_value(node, "`environments` names none", "remove it to allow all", &mut cx.found);
    }
    items
        .iter()
        .filter_map(|item| {
            let value = parsed(item, "an environment", &mut cx.found)?;
            Some(Spot { value, place: item.place })
        })
        .collect()
}

fn require(node: &Node, names: &Names, cx: &mut Context<'_>) -> Vec<Condition> {
    let Some(items) = list(node, "`require`", &mut cx.found) else { return vec![] };
    if items.len() > CONDITIONS_MAX {
        bad_value(
            node,
            &format!("`require` has at most {CONDITIONS_MAX} conditions"),
            "",
            &mut cx.found,
        );
        return vec![];
    }
    items.iter().filter_map(|item| required(item, names, cx)).collect()
}

fn required(node: &Node, names: &Names, cx: &mut Context<'_>) -> Option<Condition> {
    let mut fields = Fields::open(node, "a condition", &mut cx.found)?;
    let scope = names.scope(Part::Require);
    let that = fields.required("that", &mut cx.found);
    let that = that.and_then(|e| condition(&e.value, "`that`", &scope, cx));
    let otherwise = fields.required("else", &mut cx.found);
    // The text is said when the condition is false: what that tells of nulls is known in it.
    let facts = that.iter().flat_map(|that| not_null(&that.expr, false));
    let scope = scope.given(facts);
    let otherwise = otherwise.and_then(|e| template(&e.value, "`else`", SAY_CHARS_MAX, &scope, cx));
    fields.finish(&mut cx.found);
    let that = that?;
    if let Some(always) = constant(&that.expr) {
        let title = format!("this condition is always {always}");
        let label = if always { "it requires nothing" } else { "the runbook could never run" };
        cx.found.push(cx.found.at(Code::Unreachable, that.place, title).label(label));
    }
    Some(Condition { that, otherwise: otherwise? })
}
