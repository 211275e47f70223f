//! `steps`: each of exactly one kind, with the modifiers of that kind.

use std::collections::{BTreeMap, BTreeSet};

use steadyhand_model::catalogue::Known;
use steadyhand_model::ids::StepId;
use steadyhand_model::plan::OnFailure;
use steadyhand_model::types::Type;

use super::Context;
use super::action::{Reading, read};
use super::bindings::{Computed, computed, condition, constant, template};
use super::limits::positive;
use super::params::usable_name;
use super::scopes::{Names, Part};
use crate::code::Code;
use crate::document::bounds::{ANSWERS_MAX, SAY_CHARS_MAX, STEPS_MAX};
use crate::document::runbook::{
    AskStep, Audience, Binding, NotifyStep, Step, StepKind, StepUndo, WaitStep,
};
use crate::expr::scope::Shape;
use crate::source::Place;
use crate::suggest::listed;
use crate::yaml::fields::{Fields, bad_value, list, one_of, scalar, shown};
use crate::yaml::{Entry, Node, NodeKind};

const KINDS: [&str; 4] = ["action", "ask", "wait", "notify"];
/// Modifiers and the kinds that have them.
const MODIFIERS: [(&str, &[&str]); 12] = [
    ("with", &["action"]),
    ("verify", &["action"]),
    ("undo", &["action"]),
    ("timeout", &["action"]),
    ("retry", &["action"]),
    ("gate", &["action"]),
    ("irreversible", &["action"]),
    ("who", &["ask"]),
    ("answers", &["ask"]),
    ("within", &["ask"]),
    ("say", &["notify"]),
    ("on_failure", &["action", "ask", "wait"]),
];

pub(super) fn steps(node: &Node, names: &mut Names, cx: &mut Context<'_>) -> Vec<Step> {
    let Some(items) = list(node, "`steps`", &mut cx.found) else { return vec![] };
    if items.is_empty() || items.len() > STEPS_MAX {
        bad_value(node, &format!("`steps` must have 1 to {STEPS_MAX} steps"), "", &mut cx.found);
        return vec![];
    }
    let mut seen: BTreeMap<String, Place> = BTreeMap::new();
    let mut out = Vec::new();
    for item in items {
        let Some(mut fields) = Fields::open(item, "a step", &mut cx.found) else { continue };
        let facts = names.facts.clone();
        let step = step(&mut fields, &mut seen, names, cx);
        names.facts = facts;
        fields.unsupported(&["for_each", "ramp", "pause", "runbook"], &mut cx.found);
        fields.finish(&mut cx.found);
        out.extend(step);
    }
    out
}

fn step(
    fields: &mut Fields<'_>,
    seen: &mut BTreeMap<String, Place>,
    names: &mut Names,
    cx: &mut Context<'_>,
) -> Option<Step> {
    let before = cx.found.errors();
    let id_entry = fields.required("id", &mut cx.found);
    let id = id_entry.and_then(|e| id(e, seen, cx));
    let kind = one_kind(fields, cx);
    let when = fields.optional("when").and_then(|e| when(&e.value, names, cx));
    // Below its own `when`, a step may rely on it.
    when.iter().for_each(|when| names.learn(when));
    let Some(kind_entry) = kind else {
        MODIFIERS.iter().for_each(|(key, _)| {
            fields.optional(key);
        });
        return None;
    };
    wrong_modifiers(&kind_entry.key, fields, cx);
    let on_failure = fields.optional("on_failure").and_then(|e| on_failure(e, cx));
    let timeout = fields
        .optional("timeout")
        .and_then(|e| positive(&e.value, "`timeout`", cx).map(|s| (s, e.value.place)));
    let step_name = id.as_ref().map_or("", |id: &StepId| id.as_str());
    let (kind, usual) = match kind_entry.key.as_str() {
        "action" => {
            let mut reading =
                Reading { step: step_name, action: kind_entry, fields, names, timeout };
            let read = read(&mut reading, cx);
            let (step, spec) = match read {
                Some(read) => read,
                None => {
                    // Later steps may name its outputs: one mistake must not make more.
                    names.steps.insert(step_name.to_owned(), Shape::Value(Type::Unknown));
                    return None;
                }
            };
            let outputs =
                spec.result.iter().map(|f| (f.name.to_string(), Shape::Value(f.ty.clone())));
            names.steps.insert(step_name.to_owned(), Shape::Fields(outputs.collect()));
            let planned = spec.result.iter().filter(|f| f.known == Known::Planned);
            names.planned.extend(planned.map(|f| (step_name.to_owned(), f.name.to_string())));
            let usual = match step.undo {
                StepUndo::Irreversible { .. } => OnFailure::Stop,
                _ => OnFailure::Undo,
            };
            (StepKind::Action(Box::new(step)), usual)
        }
        "ask" => {
            let ask = ask(kind_entry, fields, names, cx);
            let answers = ask.as_ref().map(|a| Type::Enum { values: a.answers.clone() });
            let answer = Shape::Value(answers.unwrap_or(Type::Unknown));
            names.steps.insert(
                step_name.to_owned(),
                Shape::Fields([("answer".to_owned(), answer)].into()),
            );
            (StepKind::Ask(ask?), OnFailure::HandOver)
        }
        "wait" => (StepKind::Wait(wait(kind_entry, names, cx)?), OnFailure::HandOver),
        _ => (StepKind::Notify(notify(kind_entry, fields, names, cx)?), OnFailure::Continue),
    };
    if cx.found.errors() > before {
        return None;
    }
    Some(Step {
        id: id?,
        place: id_entry?.value.place,
        when,
        timeout: timeout.map(|(t, _)| t),
        on_failure: on_failure.unwrap_or(usual),
        kind,
    })
}

fn id(entry: &Entry, seen: &mut BTreeMap<String, Place>, cx: &mut Context<'_>) -> Option<StepId> {
    let text = &scalar(&entry.value, "`id`", &mut cx.found)?.text;
    if !usable_name(text) {
        let help = "use letters, digits and `_`, beginning with a letter";
        bad_value(
            &entry.value,
            &format!("`{}` cannot be the id of a step", shown(text)),
            help,
            &mut cx.found,
        );
        return None;
    }
    if let Some(first) = seen.insert(text.clone(), entry.value.place) {
        cx.found.push(
            cx.found
                .at(
                    Code::DuplicateStep,
                    entry.value.place,
                    format!("two steps are called `{text}`"),
                )
                .label("again here")
                .other(first, "first here")
                .help("give one of them another id"),
        );
        return None;
    }
    text.parse().ok()
}

fn one_kind<'n>(fields: &mut Fields<'n>, cx: &mut Context<'_>) -> Option<&'n Entry> {
    let given: Vec<&Entry> = KINDS.iter().filter_map(|kind| fields.optional(kind)).collect();
    match given.as_slice() {
        [one] => return Some(one),
        [] if fields.has("runbook") => {}
        [] => {
            let place = fields.first_place();
            cx.found.push(
                cx.found
                    .at(Code::StepKind, place, "this step does nothing")
                    .label("no kind of step here")
                    .help("a step has exactly one of: action, ask, wait, notify"),
            );
        }
        [first, second, ..] => {
            let title = format!("a step cannot be `{}` and `{}` at once", first.key, second.key);
            cx.found.push(
                cx.found
                    .at(Code::StepKind, second.key_place, title)
                    .label("a second kind")
                    .other(first.key_place, "the first kind")
                    .help("make two steps of it"),
            );
        }
    }
    None
}

fn wrong_modifiers(kind: &str, fields: &mut Fields<'_>, cx: &mut Context<'_>) {
    for (key, kinds) in MODIFIERS {
        if kinds.contains(&kind) {
            continue;
        }
        if let Some(entry) = fields.optional(key) {
            let title = format!("a step of kind `{kind}` has no `{key}`");
            let label = format!("only with {}", listed(kinds.iter().copied()));
            cx.found.push(cx.found.at(Code::WrongModifier, entry.key_place, title).label(label));
        }
    }
}

fn on_failure(entry: &Entry, cx: &mut Context<'_>) -> Option<OnFailure> {
    const WORDS: [(&str, OnFailure); 4] = [
        ("undo", OnFailure::Undo),
        ("stop", OnFailure::Stop),
        ("continue", OnFailure::Continue),
        ("hand_over", OnFailure::HandOver),
    ];
    one_of(&entry.value, "`on_failure`", &WORDS, &mut cx.found)
}

fn when(
    node: &Node,
    names: &Names,
    cx: &mut Context<'_>,
) -> Option<crate::expr::check::CheckedExpr> {
    let expr = condition(node, "`when`", &names.scope(Part::When), cx)?;
    if constant(&expr.expr) == Some(false) {
        cx.found.push(
            cx.found
                .at(Code::Unreachable, expr.place, "this step can never run")
                .label("always false")
                .help("remove the step, or mend its condition"),
        );
        return None;
    }
    Some(expr)
}

fn ask(
    kind: &Entry,
    fields: &mut Fields<'_>,
    names: &Names,
    cx: &mut Context<'_>,
) -> Option<AskStep> {
    let question = template(&kind.value, "`ask`", SAY_CHARS_MAX, &names.scope(Part::Say), cx);
    let who = fields.required("who", &mut cx.found).and_then(|e| audience(&e.value, "`who`", cx));
    let answers = fields.required("answers", &mut cx.found).and_then(|e| answers(&e.value, cx));
    let within =
        fields.required("within", &mut cx.found).and_then(|e| positive(&e.value, "`within`", cx));
    Some(AskStep { question: question?, who: who?, answers: answers?, within: within? })
}

fn answers(node: &Node, cx: &mut Context<'_>) -> Option<Vec<String>> {
    let items = list(node, "`answers`", &mut cx.found)?;
    let words: BTreeSet<&str> = items
        .iter()
        .filter_map(|i| match &i.kind {
            NodeKind::Scalar(s) if !s.is_nothing() => Some(s.text.as_str()),
            _ => None,
        })
        .collect();
    if words.len() != items.len() || items.is_empty() || items.len() > ANSWERS_MAX {
        let title = format!("`answers` must have 1 to {ANSWERS_MAX} different words");
        bad_value(node, &title, "", &mut cx.found);
        return None;
    }
    let mut out = Vec::new();
    for item in items {
        out.push(scalar(item, "an answer", &mut cx.found)?.text.clone());
    }
    Some(out)
}

/// `owner`, `on_call(metadata.owner)`, `on_call(team-x)` or `team-x`.
fn audience(node: &Node, what: &str, cx: &mut Context<'_>) -> Option<Audience> {
    let text = scalar(node, what, &mut cx.found)?.text.as_str();
    let audience = match text.strip_prefix("on_call(").and_then(|r| r.strip_suffix(')')) {
        Some("metadata.owner" | "owner") => Some(Audience::OnCall(None)),
        Some(team) => team.parse().ok().map(|team| Audience::OnCall(Some(team))),
        None if text == "owner" => Some(Audience::Owner),
        None => text.parse().ok().map(Audience::Team),
    };
    if audience.is_none() {
        let help = "write owner, a team, or on_call(metadata.owner)";
        bad_value(node, &format!("{what} names nobody"), help, &mut cx.found);
    }
    audience
}

fn wait(kind: &Entry, names: &Names, cx: &mut Context<'_>) -> Option<WaitStep> {
    let mut fields = Fields::open(&kind.value, "`wait`", &mut cx.found)?;
    let length = fields.optional("for");
    let until = fields.optional("until");
    let at_most = fields.optional("at_most");
    fields.unsupported(&["and"], &mut cx.found);
    fields.finish(&mut cx.found);
    let scope = names.scope(Part::Wait);
    match (length, until, at_most) {
        (Some(length), None, None) => wait_for(&length.value, &scope, cx),
        (None, Some(until), Some(at_most)) => {
            let that = condition(&until.value, "`until`", &scope, cx);
            let at_most = positive(&at_most.value, "`at_most`", cx);
            Some(WaitStep::Until { that: that?, at_most: at_most? })
        }
        _ => {
            cx.found.push(
                cx.found
                    .at(Code::MissingKey, kind.key_place, "`wait` needs a time or a condition")
                    .label("either `for`, or `until` with `at_most`")
                    .help("write wait: {for: 10m}, or wait: {until: …, at_most: 10m}"),
            );
            None
        }
    }
}

fn wait_for(
    node: &Node,
    scope: &crate::expr::scope::Scope,
    cx: &mut Context<'_>,
) -> Option<WaitStep> {
    match computed(node, "`for`", scope, cx) {
        Computed::Mistake => None,
        Computed::No => {
            let span = positive(node, "`for`", cx)?;
            Some(WaitStep::For(Binding::Literal(steadyhand_model::value::Value::Duration(span))))
        }
        Computed::Yes(expr) if matches!(expr.ty, Type::Duration | Type::Unknown) => {
            Some(WaitStep::For(Binding::Computed(expr)))
        }
        Computed::Yes(expr) => {
            let title = format!("`for` must be a duration, not {}", expr.ty.shown());
            cx.found.push(
                cx.found.at(Code::WrongType, expr.place, title).label("not a length of time"),
            );
            None
        }
    }
}

fn notify(
    kind: &Entry,
    fields: &mut Fields<'_>,
    names: &Names,
    cx: &mut Context<'_>,
) -> Option<NotifyStep> {
    let to = audience(&kind.value, "`notify`", cx);
    let say = fields.required("say", &mut cx.found);
    let say =
        say.and_then(|e| template(&e.value, "`say`", SAY_CHARS_MAX, &names.scope(Part::Say), cx));
    Some(NotifyStep { to: to?, say: say? })
}
