//! Values that are written out in a document, read against a type.

use steadyhand_model::types::Type;
use steadyhand_model::value::{INTEGER_MAX, Value};

use super::Context;
use crate::code::Code;
use crate::suggest::{listed, nearest};
use crate::yaml::fields::{
    bad_value, boolean, duration, integer, list, percent, scalar, shown, size,
};
use crate::yaml::{Node, NodeKind};

/// Reads a value that is written out.
pub(super) fn literal(node: &Node, what: &str, ty: &Type, cx: &mut Context<'_>) -> Option<Value> {
    match ty {
        Type::Boolean => boolean(node, what, &mut cx.found).map(Value::Boolean),
        Type::Integer { min, max } => {
            let range = min.unwrap_or(-INTEGER_MAX)..=max.unwrap_or(INTEGER_MAX);
            integer(node, what, range, &mut cx.found).map(Value::Integer)
        }
        Type::Percent => percent(node, what, &mut cx.found).map(Value::Integer),
        Type::Duration => duration(node, what, &mut cx.found).map(Value::Duration),
        Type::Size => size(node, what, &mut cx.found).map(Value::Integer),
        Type::String | Type::Text { .. } => text(node, what, ty, cx),
        Type::Enum { values } => word(node, what, values, cx).map(Value::Text),
        Type::List { of } => {
            let items = list(node, what, &mut cx.found)?;
            let read: Vec<Option<Value>> =
                items.iter().map(|item| literal(item, what, of, cx)).collect();
            read.into_iter().collect::<Option<Vec<Value>>>().map(Value::List)
        }
        Type::Nullable { of } => match &node.kind {
            NodeKind::Scalar(s) if s.is_nothing() => Some(Value::Null),
            _ => literal(node, what, of, cx),
        },
        Type::Object { .. } | Type::Record { .. } | Type::Labels => {
            not_an_expression(node, what, ty, cx);
            None
        }
        Type::Null | Type::Unknown => None,
    }
}

fn text(node: &Node, what: &str, ty: &Type, cx: &mut Context<'_>) -> Option<Value> {
    let scalar = scalar(node, what, &mut cx.found)?;
    if let Type::Text { max } = ty
        && scalar.text.chars().count() > usize::try_from(*max).unwrap_or(usize::MAX)
    {
        bad_value(node, &format!("{what} must have at most {max} characters"), "", &mut cx.found);
        return None;
    }
    Some(Value::Text(scalar.text.clone()))
}

/// One of some words.
pub(super) fn word(
    node: &Node,
    what: &str,
    values: &[String],
    cx: &mut Context<'_>,
) -> Option<String> {
    let scalar = scalar(node, what, &mut cx.found)?;
    if values.contains(&scalar.text) {
        return Some(scalar.text.clone());
    }
    let names = || values.iter().map(String::as_str);
    cx.found.push(
        cx.found
            .at(Code::NotOneOf, node.place, format!("{what} cannot be `{}`", shown(&scalar.text)))
            .label("not one of the possible words")
            .mean(nearest(&scalar.text, names()))
            .note(format!("possible: {}", listed(names()))),
    );
    None
}

/// An object cannot be written out; usually `${{ }}` was forgotten.
fn not_an_expression(node: &Node, what: &str, ty: &Type, cx: &mut Context<'_>) {
    let title = format!("{what} must be {}, which cannot be written out", ty.shown());
    let place = crate::yaml::fields::first_line(node.place, &cx.found);
    let diagnostic = cx.found.at(Code::WrongType, place, title);
    cx.found.push(match &node.kind {
        NodeKind::Scalar(s) if s.text.starts_with("params.") => diagnostic
            .label("read as plain text")
            .help(format!("write \"${{{{ {} }}}}\"", s.text))
            .replace(node.place, format!("\"${{{{ {} }}}}\"", s.text)),
        NodeKind::Bad => return,
        _ => diagnostic
            .label("a text is not an object")
            .help("declare a parameter of that type and write \"${{ params.NAME }}\""),
    });
}
