//! Steps that act: the action, its arguments, verification, undo, retry and gate.

use std::collections::BTreeMap;

use steadyhand_model::catalogue::{ActionEffect, ActionSpec, Catalogue, Idempotency, UndoSupport};
use steadyhand_model::ids::{ActionId, FieldName};
use steadyhand_model::types::Type;

use super::Context;
use super::bindings::{binding, condition, constant};
use super::limits::positive;
use super::reach::{self, Sink};
use super::scopes::{Names, Part};
use crate::code::Code;
use crate::diagnostic::Diagnostics;
use crate::document::bounds::{ATTEMPTS_MAX, REASON_CHARS_MAX};
use crate::document::runbook::{ActionStep, Binding, Retry, StepUndo, Verify};
use crate::expr::check::{CheckedExpr, check_text};
use crate::expr::scope::{Scope, Shape};
use crate::source::Place;
use crate::suggest::{listed, nearest};
use crate::yaml::fields::{
    Fields, duration, first_line, integer, one_of, scalar, shown, text, wrong_shape,
};
use crate::yaml::{Entry, Node, NodeKind};

/// The action's own verification, typed: over `after.ARG` for its objects and `args.ARG` for all its arguments.
///
/// # Errors
/// The mistakes in the server's table.
pub fn action_verify(
    spec: &ActionSpec,
    catalogue: &Catalogue,
) -> Result<Option<CheckedExpr>, Diagnostics> {
    let Some(verify) = &spec.verify else { return Ok(None) };
    let fields = |pick: fn(&Type) -> bool| {
        let args = spec.args.iter().filter(|f| pick(&f.ty));
        Shape::Fields(args.map(|f| (f.name.to_string(), Shape::Value(f.ty.clone()))).collect())
    };
    let scope = Scope::default()
        .with("after", fields(|ty| matches!(ty, Type::Object { .. })))
        .with("args", fields(|_| true));
    check_text(&format!("verify of {}", spec.id), &verify.that, &scope, catalogue).map(Some)
}

/// A step being read.
pub(super) struct Reading<'n, 'f> {
    pub(super) step: &'f str,
    pub(super) action: &'n Entry,
    pub(super) fields: &'f mut Fields<'n>,
    pub(super) names: &'f Names,
    pub(super) timeout: Option<(steadyhand_model::time::Span, Place)>,
}

pub(super) fn read(
    reading: &mut Reading<'_, '_>,
    cx: &mut Context<'_>,
) -> Option<(ActionStep, ActionSpec)> {
    let before = cx.found.errors();
    let spec = known(&reading.action.value, cx);
    let with = reading.fields.optional("with");
    let place = reading.action.key_place;
    let with = arguments(with.map(|e| &e.value), place, spec.as_ref(), reading, cx);
    let irreversible = reading.fields.optional("irreversible");
    let undo_entry = reading.fields.optional("undo");
    let undo = undo(irreversible, undo_entry, spec.as_ref(), reading, cx);
    let verify_entry = reading.fields.optional("verify");
    let verify = verify(verify_entry, spec.as_ref(), reading, cx);
    let retry_entry = reading.fields.optional("retry");
    let retry = retry_entry.and_then(|e| retry(e, spec.as_ref(), cx));
    let gate = reading
        .fields
        .optional("gate")
        .and_then(|e| one_of(&e.value, "`gate`", &[("ask_again", true)], &mut cx.found));
    let spec = spec?;
    if cx.found.errors() > before {
        return None;
    }
    let step = ActionStep {
        action: spec.id.clone(),
        effect: spec.effect,
        with,
        verify: verify?,
        undo: undo?,
        retry,
        ask_again: gate.is_some(),
    };
    Some((step, spec))
}

fn known(node: &Node, cx: &mut Context<'_>) -> Option<ActionSpec> {
    let scalar = scalar(node, "`action`", &mut cx.found)?;
    let id: Option<ActionId> = scalar.text.parse().ok();
    let catalogue = cx.catalogue;
    let spec = id.as_ref().and_then(|id| catalogue.action(id));
    let read = id.as_ref().is_some_and(|id| {
        let name = format!("{}", id.action).parse();
        name.is_ok_and(|name| catalogue.read(&id.server, &name).is_some())
    });
    if read || spec.is_some_and(|s| s.effect == ActionEffect::Read) {
        let title = format!("`{}` only reads: it cannot be a step", scalar.text);
        cx.found.push(
            cx.found
                .at(Code::ReadAsStep, node.place, title)
                .label("a read")
                .help("read it in a condition (`require`, `verify`), or remove the step"),
        );
        return None;
    }
    if spec.is_none() {
        let all: Vec<String> =
            catalogue.servers().iter().flat_map(|s| &s.actions).map(|a| a.id.to_string()).collect();
        let names = || all.iter().map(String::as_str);
        cx.found.push(
            cx.found
                .at(
                    Code::UnknownAction,
                    node.place,
                    format!("there is no action `{}`", shown(&scalar.text)),
                )
                .label("not offered by any known tool server")
                .mean(nearest(&scalar.text, names()))
                .note(format!("actions: {}", listed(names()))),
        );
    }
    spec.cloned()
}

fn arguments(
    with: Option<&Node>,
    place: Place,
    spec: Option<&ActionSpec>,
    reading: &Reading<'_, '_>,
    cx: &mut Context<'_>,
) -> BTreeMap<FieldName, Binding> {
    let entries: &[Entry] = match with.map(|n| (&n.kind, n)) {
        None => &[],
        Some((NodeKind::Map(entries), _)) => entries,
        Some((_, node)) => {
            wrong_shape(node, "`with` must be a mapping from arguments to values", &mut cx.found);
            return BTreeMap::new();
        }
    };
    let mut out = BTreeMap::new();
    for entry in entries {
        let field = spec.and_then(|s| crate::document::runbook::argument(s, &entry.key));
        if let (Some(spec), None) = (spec, field) {
            unknown_argument(entry, spec, entries, cx);
        }
        let ty = field.map_or(Type::Unknown, |f| f.ty.clone());
        let scope = reading.names.scope(Part::With);
        let what = format!("`{}`", shown(&entry.key));
        let value = binding(&entry.value, &what, &ty, &scope, cx);
        let (Some(value), Some(field), Some(spec)) = (value, field, spec) else { continue };
        let sink = Sink { action: &spec.id, argument: field, step: reading.step };
        if fits(&value, &sink, cx) {
            late(&value, reading, &sink, cx);
            reach::check(&value, &sink, cx);
        }
        out.insert(field.name.clone(), value);
    }
    let missing: Vec<String> = spec
        .into_iter()
        .flat_map(|s| &s.args)
        .filter(|f| !matches!(f.ty, Type::Nullable { .. }))
        .filter(|f| !entries.iter().any(|e| e.key == f.name.as_str()))
        .map(|f| format!("{}: {}", f.name, f.ty.shown()))
        .collect();
    if let (false, Some(spec)) = (missing.is_empty(), spec) {
        let first = missing.first().and_then(|m| m.split(':').next()).unwrap_or("").to_owned();
        cx.found.push(
            cx.found
                .at(Code::MissingArgument, place, format!("{} needs more arguments", spec.id))
                .label(format!("missing: {}", missing.join(", ")))
                .help(format!("add under `with`:  {first}: \"${{{{ … }}}}\"")),
        );
    }
    out
}

fn unknown_argument(entry: &Entry, spec: &ActionSpec, entries: &[Entry], cx: &mut Context<'_>) {
    let all: Vec<&str> = spec.args.iter().map(|f| f.name.as_str()).collect();
    let left = all.iter().copied().filter(|n| !entries.iter().any(|e| e.key == *n));
    let title = format!("{} has no argument `{}`", spec.id, shown(&entry.key));
    cx.found.push(
        cx.found
            .at(Code::UnknownArgument, entry.key_place, title)
            .label("unknown argument")
            .mean(nearest(&entry.key, left))
            .note(format!("arguments: {}", listed(all))),
    );
}

/// Whether a computed value has the argument's type.
fn fits(value: &Binding, sink: &Sink<'_>, cx: &mut Context<'_>) -> bool {
    use crate::expr::check::call::{assignable, shown_wanted};
    let Binding::Computed(expr) = value else { return true };
    let Err(mismatch) = assignable(&expr.ty, &sink.argument.ty) else { return true };
    // Text where another kind of text is wanted is a matter of where it comes from.
    let wanted = shown_wanted(&sink.argument.ty);
    let (name, action) = (&sink.argument.name, sink.action);
    cx.found.push(if mismatch.code == Code::MayBeNull {
        let title = format!("`{}` may be null, and `{name}` of {action} must not be", expr.text);
        let help = format!(
            "add `when: {} != null` to this step, or ask for it under `require`",
            expr.text
        );
        cx.found.at(Code::MayBeNull, expr.place, title).label(mismatch.label).help(help)
    } else {
        let title = format!("`{name}` of {action} must be {wanted}, not {}", expr.ty.shown());
        cx.found.at(Code::WrongArgument, expr.place, title).label(mismatch.label)
    });
    false
}

/// Only what an action declares as known before it runs may reach a later write.
fn late(value: &Binding, reading: &Reading<'_, '_>, sink: &Sink<'_>, cx: &mut Context<'_>) {
    let Binding::Computed(expr) = value else { return };
    for reference in &expr.references {
        let [root, step, field, ..] = reference.path.as_slice() else { continue };
        if root != "steps" || reading.names.planned.contains(&(step.clone(), field.clone())) {
            continue;
        }
        let title = format!("`steps.{step}.{field}` is not known when the plan is made");
        cx.found.push(
            cx.found
                .at(Code::LateOutput, reference.place, title)
                .label(format!("reaches {} in step `{}`", sink.action, sink.step))
                .help("everything that a change needs must stand in the plan that is approved"),
        );
    }
}

fn undo(
    irreversible: Option<&Entry>,
    own: Option<&Entry>,
    spec: Option<&ActionSpec>,
    reading: &Reading<'_, '_>,
    cx: &mut Context<'_>,
) -> Option<StepUndo> {
    let reason =
        irreversible.map(|e| text(&e.value, "`irreversible`", REASON_CHARS_MAX, &mut cx.found));
    let own = own.map(|e| own_undo(e, reading, cx));
    let spec = spec?;
    let has_undo = own.is_some() || spec.undo != UndoSupport::None;
    if let (Some(entry), true) = (irreversible, has_undo) {
        let title = format!("step `{}` can be undone, and is called irreversible", reading.step);
        let help = "remove `irreversible`: it would raise the gate for nothing";
        cx.found.push(
            cx.found
                .at(Code::NeedlessIrreversible, entry.key_place, title)
                .label("there is an undo")
                .help(help),
        );
        return None;
    }
    if let Some(own) = own {
        return own;
    }
    match (&spec.undo, reason) {
        (UndoSupport::Inverse, _) => Some(StepUndo::Inverse),
        (UndoSupport::NothingToUndo { why }, _) => {
            Some(StepUndo::NothingToUndo { why: why.clone() })
        }
        (UndoSupport::None, Some(reason)) => reason.map(|reason| StepUndo::Irreversible { reason }),
        (UndoSupport::None, None) => {
            let title = format!(
                "{} cannot be undone, and step `{}` does not say so",
                spec.id, reading.step
            );
            cx.found.push(
                cx.found.at(Code::NoUndo, reading.action.value.place, title).label("no undo").help(
                    "add `irreversible: REASON` (it raises the gate), or an `undo` of your own",
                ),
            );
            None
        }
    }
}

fn own_undo(entry: &Entry, reading: &Reading<'_, '_>, cx: &mut Context<'_>) -> Option<StepUndo> {
    let mut fields = Fields::open(&entry.value, "`undo`", &mut cx.found)?;
    let action = fields.required("action", &mut cx.found);
    let with = fields.optional("with").map(|e| &e.value);
    fields.finish(&mut cx.found);
    let action = action?;
    let spec = known(&action.value, cx)?;
    let with = arguments(with, action.key_place, Some(&spec), reading, cx);
    Some(StepUndo::Action { action: spec.id, with })
}

fn verify(
    entry: Option<&Entry>,
    spec: Option<&ActionSpec>,
    reading: &Reading<'_, '_>,
    cx: &mut Context<'_>,
) -> Option<Verify> {
    let mut own = None;
    let (mut within, mut hold_for) = (None, None);
    let mut place = reading.action.value.place;
    if let Some(entry) = entry {
        place = entry.key_place;
        let mut fields = Fields::open(&entry.value, "`verify`", &mut cx.found)?;
        let that = fields.optional("that");
        let scope = reading.names.scope(Part::Verify);
        own = that.and_then(|e| verify_condition(e, &scope, cx));
        let span = fields.optional("within");
        within = span.and_then(|e| positive(&e.value, "`within`", cx).map(|s| (s, e.value.place)));
        hold_for = fields
            .optional("hold_for")
            .and_then(|e| duration(&e.value, "`hold_for`", &mut cx.found));
        fields.finish(&mut cx.found);
        if that.is_some() && own.is_none() {
            return None;
        }
    }
    let spec = spec?;
    if own.is_none() && spec.verify.is_none() {
        let title = format!("nothing verifies step `{}`", reading.step);
        cx.found.push(
            cx.found
                .at(Code::NoVerify, place, title)
                .label(format!("{} brings no verification of its own", spec.id))
                .help("add verify: {that: after.NAME.FIELD == …, within: 10m}"),
        );
        return None;
    }
    let action = match action_verify(spec, cx.catalogue) {
        Ok(expr) => expr,
        Err(mistakes) => {
            mistakes.list().iter().for_each(|d| cx.found.push(d.clone()));
            return None;
        }
    };
    let default = spec.verify.as_ref();
    let Some(span) = within.map(|(s, _)| s).or_else(|| default.map(|v| v.within)) else {
        cx.found.push(
            cx.found
                .at(Code::MissingKey, place, "`verify` needs `within`")
                .label("how long may it take?")
                .help("add `within: 10m`"),
        );
        return None;
    };
    let limit = reading.timeout.map_or(spec.timeout_max, |(t, _)| t);
    too_long(spec, reading, within, limit, cx);
    let hold_for = hold_for
        .or_else(|| default.map(|v| v.hold_for))
        .unwrap_or(steadyhand_model::time::Span::ZERO);
    Some(Verify { action, runbook: own, within: span, hold_for })
}

fn verify_condition(entry: &Entry, scope: &Scope, cx: &mut Context<'_>) -> Option<CheckedExpr> {
    let expr = condition(&entry.value, "`that`", scope, cx)?;
    if let Some(always) = constant(&expr.expr) {
        let title = format!("this verification is always {always}");
        let label = if always { "it would accept anything" } else { "it would accept nothing" };
        cx.found.push(
            cx.found
                .at(Code::NoVerify, expr.place, title)
                .label(label)
                .help("compare what was read afterwards: after.NAME.FIELD"),
        );
        return None;
    }
    Some(expr)
}

fn too_long(
    spec: &ActionSpec,
    reading: &Reading<'_, '_>,
    within: Option<(steadyhand_model::time::Span, Place)>,
    limit: steadyhand_model::time::Span,
    cx: &mut Context<'_>,
) {
    if let Some((timeout, place)) = reading.timeout.filter(|(t, _)| *t > spec.timeout_max) {
        let title = format!("`timeout` of {timeout} is longer than {} allows", spec.id);
        let label = format!("at most {}", spec.timeout_max);
        cx.found.push(cx.found.at(Code::TooLong, place, title).label(label));
    }
    if let Some((span, place)) = within.filter(|(s, _)| *s > limit) {
        let title = format!("`within` of {span} is longer than the whole step may take");
        let label = format!("the step may take {limit}");
        cx.found.push(
            cx.found
                .at(Code::TooLong, place, title)
                .label(label)
                .help("shorten it, or give the step a longer `timeout`"),
        );
    }
}

fn retry(entry: &Entry, spec: Option<&ActionSpec>, cx: &mut Context<'_>) -> Option<Retry> {
    let mut fields = Fields::open(&entry.value, "`retry`", &mut cx.found)?;
    let attempts = fields.required("attempts", &mut cx.found);
    let attempts =
        attempts.and_then(|e| integer(&e.value, "`attempts`", 1..=ATTEMPTS_MAX, &mut cx.found));
    let backoff = fields.required("backoff", &mut cx.found);
    let backoff = backoff.and_then(|e| positive(&e.value, "`backoff`", cx));
    fields.finish(&mut cx.found);
    if let Some(spec) = spec.filter(|s| s.idempotency == Idempotency::None) {
        let title = format!("{} cannot be repeated safely", spec.id);
        let place = first_line(entry.key_place, &cx.found);
        cx.found.push(
            cx.found
                .at(Code::NoRepeat, place, title)
                .label("a second copy might act a second time")
                .help("remove `retry`; a lost reply is settled by a probe or a person"),
        );
        return None;
    }
    Some(Retry { attempts: u32::try_from(attempts?).ok()?, backoff: backoff? })
}
