//! `parameters`: their types, their bounds, where their values come from, and in which order they can be bound.

use std::collections::{BTreeMap, BTreeSet};

use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::ids::{ParamName, TypeName};
use steadyhand_model::types::{Stability, Type};
use steadyhand_model::value::{INTEGER_MAX, Value};

use super::Context;
use super::bindings::{Computed, computed, expression};
use super::scopes::{Names, Part};
use super::values::{literal, word};
use crate::code::Code;
use crate::document::bounds::{ENUM_VALUES_MAX, PARAMS_MAX, TEXT_CHARS_MAX};
use crate::document::runbook::{Binding, KeySource, Param, ParamKind};
use crate::expr::check::{CheckedExpr, Class, class};
use crate::expr::scope::Shape;
use crate::source::Place;
use crate::suggest::{listed, nearest};
use crate::yaml::fields::{
    Fields, bad_value, duration, integer, list, one_of, percent, scalar, shown, size, wrong_shape,
};
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
        let kind = fields.as_mut().and_then(|fields| kind(&entry.key, fields, cx));
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

const TYPES: [&str; 8] =
    ["enum", "set", "integer", "duration", "size", "percent", "boolean", "text"];

fn kind(param: &str, fields: &mut Fields<'_>, cx: &mut Context<'_>) -> Option<ParamKind> {
    let entry = fields.required("type", &mut cx.found);
    let bounds = [fields.optional("min"), fields.optional("max")];
    let values = fields.optional("values");
    let entry = entry?;
    let text = scalar(&entry.value, "`type`", &mut cx.found)?.text.as_str();
    cx.types.insert(param.to_owned(), entry.value.place);
    let takes = match text {
        "enum" | "set" => [false, false, true],
        "integer" | "duration" | "size" | "percent" => [true, true, false],
        "text" => [false, true, false],
        _ => [false, false, false],
    };
    let given = [("min", bounds[0]), ("max", bounds[1]), ("values", values)];
    for ((key, entry), takes) in given.into_iter().zip(takes) {
        if let Some(entry) = entry.filter(|_| !takes) {
            let title = format!("a parameter of type `{}` has no `{key}`", shown(text));
            cx.found.push(cx.found.at(Code::UnknownKey, entry.key_place, title).label("remove it"));
        }
    }
    match text {
        "enum" | "set" => choices(text == "set", fields, values, cx),
        "integer" => range(
            bounds,
            "integer",
            |n, w, cx| integer(n, w, -INTEGER_MAX..=INTEGER_MAX, &mut cx.found),
            cx,
        )
        .map(|(min, max)| ParamKind::Integer { min, max }),
        "size" => range(bounds, "size", |n, w, cx| size(n, w, &mut cx.found), cx)
            .map(|(min, max)| ParamKind::Size { min, max }),
        "percent" => range(bounds, "percent", |n, w, cx| percent(n, w, &mut cx.found), cx)
            .map(|(min, max)| ParamKind::Percent { min, max }),
        "duration" => range(bounds, "duration", |n, w, cx| duration(n, w, &mut cx.found), cx)
            .map(|(min, max)| ParamKind::Duration { min, max }),
        "boolean" => Some(ParamKind::Boolean),
        "text" => free_text(fields, bounds[1], cx),
        other => object(&entry.value, other, cx),
    }
}

fn object(node: &Node, text: &str, cx: &mut Context<'_>) -> Option<ParamKind> {
    if text.starts_with("list<") {
        let title = format!("`{}` is not supported by this version", shown(text));
        cx.found.push(
            cx.found
                .at(Code::NotSupported, node.place, title)
                .label("a parameter is a single object here"),
        );
        return None;
    }
    let known: Option<TypeName> = text.parse().ok();
    let hit = known.filter(|name| cx.catalogue.object(name).is_some());
    if let Some(name) = hit {
        return Some(ParamKind::Object(name));
    }
    let objects: Vec<String> = object_names(cx.catalogue);
    let known = || TYPES.into_iter().chain(objects.iter().map(String::as_str));
    let mut diagnostic = cx
        .found
        .at(Code::NotOneOf, node.place, format!("there is no type `{}`", shown(text)))
        .label("unknown type");
    if text == "string" {
        diagnostic = diagnostic
            .help("list what is allowed with `type: enum` and `values: […]`; free text for people is `type: text`");
    } else {
        diagnostic = diagnostic.mean(nearest(text, known()));
    }
    cx.found.push(diagnostic.note(format!("types: {}", listed(known()))));
    None
}

fn object_names(catalogue: &Catalogue) -> Vec<String> {
    catalogue.servers().iter().flat_map(|s| &s.types).map(|t| t.name.to_string()).collect()
}

fn free_text(
    fields: &mut Fields<'_>,
    max: Option<&Entry>,
    cx: &mut Context<'_>,
) -> Option<ParamKind> {
    let Some(entry) = max else {
        let place = fields.place;
        let place = crate::yaml::fields::first_line(place, &cx.found);
        cx.found.push(
            cx.found
                .at(Code::MissingKey, place, "a parameter of type `text` needs `max`")
                .label("how long may it be?")
                .help("add `max: 200`, in characters"),
        );
        return None;
    };
    let n = integer(&entry.value, "`max`", 1..=i64::from(TEXT_CHARS_MAX), &mut cx.found)?;
    u32::try_from(n).ok().map(|max| ParamKind::Text { max })
}

/// `min` and `max` of one type.
fn range<T: PartialOrd + Copy>(
    bounds: [Option<&Entry>; 2],
    ty: &str,
    read: impl Fn(&Node, &str, &mut Context<'_>) -> Option<T>,
    cx: &mut Context<'_>,
) -> Option<(Option<T>, Option<T>)> {
    let [min_entry, max_entry] = bounds;
    let min = match min_entry {
        Some(entry) => Some(read(&entry.value, "`min`", cx)?),
        None => None,
    };
    let max = match max_entry {
        Some(entry) => Some(read(&entry.value, "`max`", cx)?),
        None => None,
    };
    if let (Some(low), Some(high), Some(min_entry), Some(max_entry)) =
        (min, max, min_entry, max_entry)
        && low > high
    {
        cx.found.push(
            cx.found
                .at(
                    Code::EmptyRange,
                    max_entry.value.place,
                    format!("no {ty} can be bound: `min` is above `max`"),
                )
                .label("the greatest")
                .other(min_entry.value.place, "the least"),
        );
        return None;
    }
    Some((min, max))
}

/// `values` of an enum or set.
fn choices(
    set: bool,
    fields: &Fields<'_>,
    values: Option<&Entry>,
    cx: &mut Context<'_>,
) -> Option<ParamKind> {
    let what = if set { "set" } else { "enum" };
    let Some(entry) = values else {
        let place = crate::yaml::fields::first_line(fields.place, &cx.found);
        cx.found.push(
            cx.found
                .at(Code::MissingKey, place, format!("a parameter of type `{what}` needs `values`"))
                .label("what may it be?")
                .help("add `values: [a, b]`"),
        );
        return None;
    };
    match &entry.value.kind {
        NodeKind::Map(entries) if !set => value_map(&entry.value, entries, cx),
        _ => {
            let items = list(&entry.value, "`values`", &mut cx.found)?;
            let words = words(&entry.value, items, cx)?;
            Some(if set {
                ParamKind::Set { values: words }
            } else {
                ParamKind::Enum { values: words }
            })
        }
    }
}

fn words(node: &Node, items: &[Node], cx: &mut Context<'_>) -> Option<Vec<String>> {
    if items.is_empty() || items.len() > ENUM_VALUES_MAX {
        bad_value(
            node,
            &format!("`values` must have 1 to {ENUM_VALUES_MAX} words"),
            "",
            &mut cx.found,
        );
        return None;
    }
    let mut words: Vec<String> = Vec::new();
    for item in items {
        let text = &scalar(item, "one of `values`", &mut cx.found)?.text;
        if words.contains(text) {
            let title = format!("`{}` stands twice in `values`", shown(text));
            cx.found.push(cx.found.at(Code::DuplicateKey, item.place, title).label("again here"));
            return None;
        }
        words.push(text.clone());
    }
    Some(words)
}

/// `values: {half_more: 150}`: chosen by name, used by value. All values have one type.
fn value_map(node: &Node, entries: &[Entry], cx: &mut Context<'_>) -> Option<ParamKind> {
    if entries.is_empty() || entries.len() > ENUM_VALUES_MAX {
        bad_value(
            node,
            &format!("`values` must have 1 to {ENUM_VALUES_MAX} names"),
            "",
            &mut cx.found,
        );
        return None;
    }
    let mut values = Vec::new();
    let (mut low, mut high) = (i64::MAX, i64::MIN);
    let mut of: Option<Type> = None;
    for entry in entries {
        let text = &scalar(&entry.value, "a value", &mut cx.found)?.text;
        let (value, ty) = match text.parse::<i64>() {
            Ok(_) => {
                let n =
                    integer(&entry.value, "a value", -INTEGER_MAX..=INTEGER_MAX, &mut cx.found)?;
                (low, high) = (low.min(n), high.max(n));
                (Value::Integer(n), Type::integer())
            }
            Err(_not_a_number) if text.ends_with('%') => {
                (Value::Integer(percent(&entry.value, "a value", &mut cx.found)?), Type::Percent)
            }
            Err(_not_a_number) => {
                let help = "values are whole numbers, percentages or durations; for plain words write a list";
                match text.parse() {
                    Ok(span) => (Value::Duration(span), Type::Duration),
                    Err(_not_a_duration) => {
                        bad_value(
                            &entry.value,
                            "this value of an enum cannot be used",
                            help,
                            &mut cx.found,
                        );
                        return None;
                    }
                }
            }
        };
        if of.as_ref().is_some_and(|of| *of != ty) {
            bad_value(&entry.value, "all values of an enum must have one type", "", &mut cx.found);
            return None;
        }
        of = Some(ty);
        values.push((entry.key.clone(), value));
    }
    let of = match of? {
        Type::Integer { .. } => Type::Integer { min: Some(low), max: Some(high) },
        other => other,
    };
    Some(ParamKind::Map { values, of })
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
