//! What may reach the arguments of an action that changes things.

use steadyhand_model::ids::ActionId;
use steadyhand_model::types::{Field, Type};

use super::Context;
use super::params::moving_number;
use crate::code::Code;
use crate::document::runbook::Binding;
use crate::expr::check::CheckedExpr;

/// Where a value is going.
pub(super) struct Sink<'a> {
    pub(super) action: &'a ActionId,
    pub(super) argument: &'a Field,
    pub(super) step: &'a str,
}

/// The kind of text inside a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextKind {
    /// Written by an operator for people.
    Free,
    /// From a system that is read: whoever runs a pod may have written it.
    Tenant,
}

fn text_kind(ty: &Type) -> Option<TextKind> {
    match ty {
        Type::Text { .. } => Some(TextKind::Free),
        Type::String | Type::Labels | Type::Record { .. } => Some(TextKind::Tenant),
        Type::List { of } | Type::Nullable { of } => text_kind(of),
        Type::Boolean
        | Type::Integer { .. }
        | Type::Percent
        | Type::Duration
        | Type::Size
        | Type::Enum { .. }
        | Type::Object { .. }
        | Type::Null
        | Type::Unknown => None,
    }
}

/// Checks one argument. A literal of the reviewed document may go anywhere.
pub(super) fn check(binding: &Binding, sink: &Sink<'_>, cx: &mut Context<'_>) {
    let Binding::Computed(expr) = binding else { return };
    match text_kind(&expr.ty) {
        Some(TextKind::Free) if matches!(sink.argument.ty, Type::Text { .. }) => {}
        Some(TextKind::Free) => free_text(expr, sink, cx),
        Some(TextKind::Tenant) => tenant_text(expr, sink, cx),
        None => numbers(expr, sink, cx),
    }
}

fn free_text(expr: &CheckedExpr, sink: &Sink<'_>, cx: &mut Context<'_>) {
    let param = expr.references.iter().find_map(|r| match r.path.as_slice() {
        [root, name] if root == "params" && matches!(r.ty, Type::Text { .. }) => Some(name.clone()),
        _ => None,
    });
    let title = "free text cannot reach an action that changes things";
    let used = format!("used by {} in step `{}`", sink.action, sink.step);
    let declared = param.as_ref().and_then(|name| cx.types.get(name).copied());
    let diagnostic = match declared {
        Some(place) => cx
            .found
            .at(Code::TextReachesChange, place, title)
            .label("this parameter takes any text")
            .other(expr.place, used),
        None => cx.found.at(Code::TextReachesChange, expr.place, title).label(used),
    };
    cx.found.push(diagnostic.help("list what is allowed: type: enum, values: [a, b]"));
}

fn tenant_text(expr: &CheckedExpr, sink: &Sink<'_>, cx: &mut Context<'_>) {
    let title = "text from a system that is read cannot reach an action that changes things";
    cx.found.push(
        cx.found
            .at(Code::TenantTextReachesChange, expr.place, title)
            .label(format!("anyone may have written it; used by {} in step `{}`", sink.action, sink.step))
            .help("use it as the key of a parameter of an inventory type (`from`), and pass that object"),
    );
}

fn numbers(expr: &CheckedExpr, sink: &Sink<'_>, cx: &mut Context<'_>) {
    if let Some(number) = moving_number(expr, cx) {
        let title = format!("`{number}` moves by itself and cannot be fixed in a plan");
        cx.found.push(
            cx.found
                .at(Code::MovingNumber, expr.place, title)
                .label(format!("reaches {} in step `{}`", sink.action, sink.step))
                .help("use a number that only people change, such as `replicas`; compare with this one in `require`"),
        );
        return;
    }
    let field_of_object = matches!(
        expr.references.as_slice(),
        [one] if one.path.len() > 2 && one.path.join(".") == expr.text
    );
    if matches!(expr.ty, Type::Integer { max: None, .. }) && !field_of_object {
        let param = match expr.references.as_slice() {
            [one] if one.path.len() == 2 && one.path.join(".") == expr.text => one.path.last(),
            _ => None,
        };
        let help = match param {
            Some(name) => format!("add `max` to the parameter `{name}`"),
            None => "compute it in a parameter with `value` and `max`, and pass that".to_owned(),
        };
        cx.found.push(
            cx.found
                .at(Code::Unbounded, expr.place, format!("`{}` has no upper bound", expr.text))
                .label(format!("reaches {} in step `{}`", sink.action, sink.step))
                .help(help),
        );
    }
}
