//! The type of a parameter, with its bounds or values.

use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::ids::TypeName;
use steadyhand_model::types::Type;
use steadyhand_model::value::{INTEGER_MAX, Value};

use crate::checker::Context;
use crate::code::Code;
use crate::document::bounds::{ENUM_VALUES_MAX, TEXT_CHARS_MAX};
use crate::document::runbook::ParamKind;
use crate::suggest::{listed, nearest};
use crate::yaml::fields::{
    Fields, bad_value, duration, first_line, integer, list, percent, scalar, shown, size,
};
use crate::yaml::{Entry, Node, NodeKind};

const TYPES: [&str; 8] =
    ["enum", "set", "integer", "duration", "size", "percent", "boolean", "text"];

pub(super) fn kind(
    param: &str,
    fields: &mut Fields<'_>,
    cx: &mut Context<'_>,
) -> Option<ParamKind> {
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
        let place = first_line(place, &cx.found);
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
        let place = first_line(fields.place, &cx.found);
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
