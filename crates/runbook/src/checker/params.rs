//! `parameters`: their types, their bounds, where their values come from, and in which order they can be bound.

mod kind;

use std::collections::{BTreeMap, BTreeSet};

use steadyhand_model::ids::ParamName;
use steadyhand_model::types::{Stability, Type};
use steadyhand_model::value::Value;

use super::Context;
use super::bindings::{Computed, computed, expression};
use super::scopes::{Names, Part};
use super::values::{literal, word};
use crate::code::Code;
use crate::document::bounds::PARAMS_MAX;
use crate::document::runbook::{Binding, KeySource, Param, ParamKind};
use crate::expr::check::CheckedExpr;
use crate::expr::check::types::{Class, class};
use crate::expr::scope::Shape;
use crate::source::Place;
use crate::yaml::fields::{Fields, bad_value, one_of, shown, wrong_shape};
use crate::yaml::{Entry, Node, NodeKind};

/// A parameter whose type is known and whose expressions are not checked yet.
pub(super) struct Draft<'n> {
    name: Option<ParamName>,
    entry: &'n Entry,
    fields: Option<Fields<'n>>,
    kind: Option<ParamKind>,
}

/// First pass: names and types, so that expressions may name any parameter.
pub(super) fn drafts<'n>(node: &'n Node, cx: &mut Context<'_>) -> (Vec<Draft<'n>>, Names) {
    let mut names = Names::default();
    let NodeKind::Map(entries) = &node.kind else {
        wrong_shape(node, "`parameters` must be a mapping from names to parameters", &mut cx.found);
        return (vec![], names);
    };
    if entries.len() > PARAMS_MAX {
        bad_value(
            node,
            &format!("a runbook has at most {PARAMS_MAX} parameters"),
            "",
            &mut cx.found,
        );
        return (vec![], names);
    }
    let mut drafts = Vec::new();
    for entry in entries {
        let name = name(entry, cx);
        let mut fields = Fields::open(&entry.value, "a parameter", &mut cx.found);
        let kind = fields.as_mut().and_then(|fields| kind::kind(&entry.key, fields, cx));
        let ty = kind.as_ref().map_or(Type::Unknown, ParamKind::ty);
        names.params.insert(entry.key.clone(), Shape::Value(ty));
        drafts.push(Draft { name, entry, fields, kind });
    }
    (drafts, names)
}

/// A name that expressions can use.
pub(super) fn usable_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !matches!(text, "true" | "false" | "null" | "in")
}

fn name(entry: &Entry, cx: &mut Context<'_>) -> Option<ParamName> {
    let name = entry.key.parse().ok().filter(|_| usable_name(&entry.key));
    if name.is_none() {
        let title = format!("`{}` cannot be the name of a parameter", shown(&entry.key));
        cx.found.push(
            cx.found
                .at(Code::BadValue, entry.key_place, title)
                .label("expressions could not name it")
                .help("use letters, digits and `_`, beginning with a letter"),
        );
    }
    name
}

/// Second pass: sources, values, and the order of binding.
pub(super) fn finish(
    drafts: Vec<Draft<'_>>,
    names: &Names,
    alerts: bool,
    cx: &mut Context<'_>,
) -> Vec<Param> {
    let mut params = Vec::new();
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mut draft in drafts {
        let Some(mut fields) = draft.fields.take() else { continue };
        let param = sources(&draft, &mut fields, names, alerts, &mut needs, cx);
        fields.unsupported(&["select"], &mut cx.found);
        fields.finish(&mut cx.found);
        params.extend(param);
    }
    moving(&params, cx);
    ordered(params, &needs, cx)
}

fn sources(
    draft: &Draft<'_>,
    fields: &mut Fields<'_>,
    names: &Names,
    alerts: bool,
    needs: &mut BTreeMap<String, BTreeSet<String>>,
    cx: &mut Context<'_>,
) -> Option<Param> {
    let kind = draft.kind.clone();
    let before = cx.found.errors();
    let from_entry = fields.optional("from");
    let from =
        from_entry.map_or_else(Vec::new, |e| from(&e.value, kind.as_ref(), names, alerts, cx));
    let of = fields.optional("of").and_then(|e| of(&e.value, kind.as_ref(), names, cx));
    let default_entry = fields.optional("default");
    let default = default_entry.and_then(|e| default(&e.value, kind.as_ref(), names, cx));
    let value_entry = fields.optional("value");
    let value = value_entry.and_then(|e| value(&e.value, kind.as_ref(), names, cx));
    let never = fields
        .optional("operator")
        .and_then(|e| one_of(&e.value, "`operator`", &[("never", ())], &mut cx.found));
    if let (Some(value), Some(other)) = (value_entry, from_entry.or(default_entry)) {
        cx.found.push(
            cx.found
                .at(Code::TwoSources, value.key_place, "a computed parameter has no other source")
                .label("it is computed here")
                .other(other.key_place, "and comes from here as well")
                .help("remove one of them"),
        );
    }
    if never.is_some() && from_entry.is_none() && default_entry.is_none() && value_entry.is_none() {
        let title = format!("nothing can give `{}` a value", draft.entry.key);
        cx.found.push(
            cx.found
                .at(Code::NoSource, draft.entry.key_place, title)
                .label("an operator may not, and there is no other source")
                .help("add `from`, `default` or `value`, or remove `operator: never`"),
        );
    }
    if alerts
        && never.is_none()
        && from_entry.is_none()
        && default_entry.is_none()
        && value_entry.is_none()
    {
        let title = format!("an alert cannot give `{}` a value", draft.entry.key);
        cx.found.push(
            cx.found
                .at(Code::AlertCannotFill, draft.entry.key_place, title)
                .warning()
                .label("only an operator can")
                .help("add `from` or `default`, or the alert will wait for a person to give it"),
        );
    }
    let mine = needs.entry(draft.entry.key.clone()).or_default();
    mine.extend(of.iter().map(ToString::to_string));
    let computed = match &default {
        Some(Binding::Computed(expr)) => Some(expr),
        _ => None,
    };
    let keys = from.iter().filter_map(|k| match k {
        KeySource::Expr(expr) => Some(expr),
        KeySource::Model => None,
    });
    mine.extend(keys.chain(&value).chain(computed).flat_map(params_of));
    if cx.found.errors() > before {
        return None;
    }
    Some(Param {
        name: draft.name.clone()?,
        place: draft.entry.key_place,
        kind: kind?,
        from,
        of,
        default,
        operator: never.is_none() && value.is_none(),
        value,
    })
}

/// The parameters that an expression reads.
pub(super) fn params_of(expr: &CheckedExpr) -> impl Iterator<Item = String> + '_ {
    expr.references.iter().filter_map(|r| match r.path.as_slice() {
        [root, name, ..] if root == "params" || root == "after" || root == "before" => {
            Some(name.clone())
        }
        _ => None,
    })
}

fn from(
    node: &Node,
    kind: Option<&ParamKind>,
    names: &Names,
    alerts: bool,
    cx: &mut Context<'_>,
) -> Vec<KeySource> {
    let items = match &node.kind {
        NodeKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    items.iter().filter_map(|item| source(item, kind, names, alerts, cx)).collect()
}

fn source(
    node: &Node,
    kind: Option<&ParamKind>,
    names: &Names,
    alerts: bool,
    cx: &mut Context<'_>,
) -> Option<KeySource> {
    if matches!(&node.kind, NodeKind::Scalar(s) if s.text == "model") {
        return model(node, kind, alerts, cx).then_some(KeySource::Model);
    }
    let expr = expression(node, "`from`", &names.scope(Part::Source), cx)?;
    let fits = match kind {
        None => true,
        Some(kind) => keys(kind, &expr.ty),
    };
    if !fits {
        let wanted = kind.map_or_else(String::new, |k| k.ty().shown());
        let given = match &expr.ty {
            Type::Nullable { of } => of.shown(),
            Type::Labels => "all labels of an alert".to_owned(),
            other => other.shown(),
        };
        let help = match (kind, &expr.ty) {
            (Some(ParamKind::Text { .. }), _) => {
                "free text comes from an operator only: remove `from`".to_owned()
            }
            (_, Type::Labels) => "name one label: alert.labels.NAME".to_owned(),
            (Some(ParamKind::Object(_) | ParamKind::Enum { .. } | ParamKind::Map { .. }), _) => {
                format!("`from` needs a {wanted}, or the text by which it is found")
            }
            _ => format!("`from` needs a {wanted}; labels of an alert are always text"),
        };
        cx.found.push(
            cx.found
                .at(Code::WrongKey, node.place, format!("this cannot lead to a {wanted}"))
                .label(format!("it is {given}"))
                .help(help),
        );
        return None;
    }
    Some(KeySource::Expr(expr))
}

/// Whether a value of a type can be looked up as, or is, a value of the parameter.
fn keys(kind: &ParamKind, ty: &Type) -> bool {
    match (kind, ty) {
        (_, Type::Unknown) => true,
        (ParamKind::Text { .. }, _) => false,
        (kind, Type::Nullable { of }) => keys(kind, of),
        (ParamKind::Object(wanted), Type::Object { name }) => name == wanted,
        (ParamKind::Object(_) | ParamKind::Enum { .. } | ParamKind::Map { .. }, ty) => {
            class(ty) == Class::Text
        }
        (ParamKind::Set { .. }, Type::List { of }) => class(of) == Class::Text,
        (ParamKind::Set { .. }, _) => false,
        (kind, ty) => class(ty) != Class::Other && class(ty) == class(&kind.ty()),
    }
}

fn model(node: &Node, kind: Option<&ParamKind>, alerts: bool, cx: &mut Context<'_>) -> bool {
    let why = match kind {
        Some(ParamKind::Object(_)) if !alerts => {
            "without `use.alerts` there is no alert whose surroundings a model could choose among"
        }
        Some(
            ParamKind::Integer { .. }
            | ParamKind::Size { .. }
            | ParamKind::Percent { .. }
            | ParamKind::Duration { .. },
        ) => "a model may pick a name, never a number: write an enum with a map of values",
        Some(ParamKind::Text { .. }) => "a model writes no text that a runbook uses",
        _ => return true,
    };
    cx.found.push(
        cx.found
            .at(Code::ModelNotAllowed, node.place, "a model cannot be the source of this parameter")
            .label("not here")
            .help(why),
    );
    false
}

fn of(
    node: &Node,
    kind: Option<&ParamKind>,
    names: &Names,
    cx: &mut Context<'_>,
) -> Option<ParamName> {
    let expr = expression(node, "`of`", &names.scope(Part::Value), cx)?;
    let path: Vec<&str> =
        expr.references.iter().flat_map(|r| r.path.iter().map(String::as_str)).collect();
    let (label, help) = match (path.as_slice(), &expr.ty, kind) {
        (
            ["params", name],
            Type::Object { .. } | Type::Unknown,
            Some(ParamKind::Object(_)) | None,
        ) => {
            return name.parse().ok();
        }
        (["params", _], Type::Object { .. }, _) => {
            ("this parameter is no object", "`of` says within which object an object is looked for")
        }
        _ => (
            "not a parameter of an inventory type",
            "write of: params.NAME, the name of an object's parameter",
        ),
    };
    cx.found
        .push(cx.found.at(Code::BadOf, node.place, "`of` cannot be this").label(label).help(help));
    None
}

fn default(
    node: &Node,
    kind: Option<&ParamKind>,
    names: &Names,
    cx: &mut Context<'_>,
) -> Option<Binding> {
    let expr = match computed(node, "`default`", &names.scope(Part::Value), cx) {
        Computed::Yes(expr) => expr,
        Computed::Mistake => return None,
        Computed::No => {
            let kind = kind?;
            let value = written_default(node, kind, cx)?;
            return Some(Binding::Literal(value));
        }
    };
    if let Some(kind) = kind
        && !default_fits(kind, &expr.ty)
    {
        let title = format!("`default` must be {}, not {}", kind.ty().shown(), expr.ty.shown());
        cx.found
            .push(cx.found.at(Code::WrongType, expr.place, title).label("another type is needed"));
        return None;
    }
    Some(Binding::Computed(expr))
}

fn default_fits(kind: &ParamKind, ty: &Type) -> bool {
    match ty {
        // Null means that there is no default in this case.
        Type::Nullable { of } => default_fits(kind, of),
        Type::String | Type::Labels => false,
        ty => crate::expr::check::call::assignable(ty, &kind.ty()).is_ok(),
    }
}

fn written_default(node: &Node, kind: &ParamKind, cx: &mut Context<'_>) -> Option<Value> {
    let value = match kind {
        ParamKind::Map { values, .. } => {
            let names: Vec<String> = values.iter().map(|(name, _)| name.clone()).collect();
            word(node, "`default`", &names, cx).map(Value::Text)
        }
        // Bounds have their own message below.
        ParamKind::Integer { .. } => literal(node, "`default`", &Type::integer(), cx),
        kind => literal(node, "`default`", &kind.ty(), cx),
    }?;
    let (min, max) = bounds(kind);
    let number = match &value {
        Value::Integer(n) => Some(*n),
        Value::Duration(span) => i64::try_from(span.millis()).ok(),
        _ => None,
    };
    let outside = number.is_some_and(|n| min.is_some_and(|m| n < m) || max.is_some_and(|m| n > m));
    if outside {
        cx.found.push(
            cx.found
                .at(
                    Code::BadDefault,
                    node.place,
                    "the default is outside the parameter's own bounds",
                )
                .label("not between `min` and `max`"),
        );
        return None;
    }
    Some(value)
}

/// Bounds as numbers: durations in milliseconds.
fn bounds(kind: &ParamKind) -> (Option<i64>, Option<i64>) {
    match kind {
        ParamKind::Integer { min, max }
        | ParamKind::Size { min, max }
        | ParamKind::Percent { min, max } => (*min, *max),
        ParamKind::Duration { min, max } => {
            let ms = |span: &Option<steadyhand_model::time::Span>| {
                span.and_then(|s| i64::try_from(s.millis()).ok())
            };
            (ms(min), ms(max))
        }
        _ => (None, None),
    }
}

fn value(
    node: &Node,
    kind: Option<&ParamKind>,
    names: &Names,
    cx: &mut Context<'_>,
) -> Option<CheckedExpr> {
    match computed(node, "`value`", &names.scope(Part::Value), cx) {
        Computed::Mistake => None,
        Computed::No => {
            let place = crate::yaml::fields::first_line(node.place, &cx.found);
            cx.found.push(
                cx.found
                    .at(Code::Interpolation, place, "`value` must be an expression")
                    .label("read as plain text")
                    .help("write value: ${{ … }}; a fixed value is a `default`"),
            );
            None
        }
        Computed::Yes(expr) => {
            let Some(kind) = kind else { return Some(expr) };
            let fits = match kind {
                ParamKind::Map { .. } => false,
                kind => {
                    crate::expr::check::call::assignable(&expr.ty, &kind.ty()).is_ok()
                        && expr.ty != Type::String
                }
            };
            if fits {
                return Some(expr);
            }
            let title = format!("`value` must be {}, not {}", kind.ty().shown(), expr.ty.shown());
            cx.found.push(
                cx.found.at(Code::WrongType, expr.place, title).label("another type is needed"),
            );
            None
        }
    }
}

/// Finds parameters that follow a number which moves by itself, also through others.
fn moving(params: &[Param], cx: &mut Context<'_>) {
    // Each pass follows one more link; a chain cannot be longer than the number of parameters.
    for _ in params {
        for param in params {
            let default = match &param.default {
                Some(Binding::Computed(expr)) => Some(expr),
                _ => None,
            };
            let by = param.value.iter().chain(default).find_map(|expr| moving_number(expr, cx));
            if let Some(by) = by {
                cx.moving.insert(param.name.to_string(), by);
            }
        }
    }
}

/// The first number that moves by itself which an expression reads.
pub(super) fn moving_number(expr: &CheckedExpr, cx: &Context<'_>) -> Option<String> {
    expr.references.iter().find_map(|r| {
        if let [root, name] = r.path.as_slice()
            && root == "params"
        {
            return cx.moving.get(name).cloned();
        }
        let number = matches!(class(&r.ty), Class::Number | Class::Percent | Class::Duration);
        (number && r.stability == Some(Stability::Status)).then(|| r.path.join("."))
    })
}

/// Sorts parameters so that each comes after those that it needs, and reports circles.
fn ordered(
    mut left: Vec<Param>,
    needs: &BTreeMap<String, BTreeSet<String>>,
    cx: &mut Context<'_>,
) -> Vec<Param> {
    circles(needs, cx);
    let mut out: Vec<Param> = Vec::new();
    while !left.is_empty() {
        let waiting: BTreeSet<String> = left.iter().map(|p| p.name.to_string()).collect();
        let free = left
            .iter()
            .position(|p| needs.get(p.name.as_str()).is_none_or(|n| n.is_disjoint(&waiting)));
        match free {
            Some(index) => out.push(left.remove(index)),
            None => break,
        }
    }
    out.extend(left);
    out
}

fn circles(needs: &BTreeMap<String, BTreeSet<String>>, cx: &mut Context<'_>) {
    let mut reported: BTreeSet<String> = BTreeSet::new();
    for start in needs.keys() {
        let Some(circle) = circle_from(start, needs) else { continue };
        if circle.iter().any(|name| !reported.insert(name.clone())) {
            continue;
        }
        let place = cx.types.get(start).copied().unwrap_or_default();
        let shown: Vec<&str> = circle.iter().map(String::as_str).chain([start.as_str()]).collect();
        cx.found.push(
            cx.found
                .at(Code::Cycle, place, format!("`{start}` depends on itself"))
                .label("none of these can be bound first")
                .note(format!("the circle: {}", shown.join(" -> ")))
                .help("remove one of the references"),
        );
    }
}

/// The way from a parameter back to itself, if there is one.
fn circle_from(start: &str, needs: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut paths = vec![vec![start.to_owned()]];
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    while let Some(path) = paths.pop() {
        let last = path.last()?;
        for next in needs.get(last).into_iter().flatten() {
            if next == start {
                return Some(path);
            }
            if seen.insert(next) {
                let mut longer = path.clone();
                longer.push(next.clone());
                paths.push(longer);
            }
        }
    }
    None
}

/// Reports parameters that nothing uses.
pub(super) fn unused(node: &Node, cx: &mut Context<'_>) {
    let NodeKind::Map(entries) = &node.kind else { return };
    // A use inside a part that could not be read is a use: one mistake must not make a second one.
    let broken = cx.found.errors() > 0;
    let text = cx.found.source().text().to_owned();
    let mentioned = |name: &str| {
        let meant = |d: &crate::diagnostic::Diagnostic| {
            d.suggestion
                .as_ref()
                .is_some_and(|s| s.replacement.trim_start_matches("params.") == name)
        };
        broken
            && (super::named_params(&text).any(|n| n == name) || cx.found.list().iter().any(meant))
    };
    let unused: Vec<(&str, Place)> = entries
        .iter()
        .filter(|e| !cx.used.contains(&e.key) && usable_name(&e.key) && !mentioned(&e.key))
        .map(|e| (e.key.as_str(), e.key_place))
        .collect();
    for (name, place) in unused {
        cx.found.push(
            cx.found
                .at(Code::UnusedParameter, place, format!("the parameter `{name}` is never used"))
                .label("nothing reads it")
                .help(format!("use it as params.{name}, or remove it")),
        );
    }
}
