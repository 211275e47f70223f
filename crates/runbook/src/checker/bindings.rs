//! Expressions where the document expects them, `${{ … }}` alone as a typed value, and `${{ … }}` inside text.

use steadyhand_model::types::Type;

use super::Context;
use super::values::literal;
use crate::code::Code;
use crate::document::runbook::Binding;
use crate::document::{Segment, Template};
use crate::expr::ast::Expr;
use crate::expr::check::{CheckedExpr, Written};
use crate::expr::eval::{Roots, evaluate};
use crate::expr::scope::Scope;
use crate::source::Place;
use crate::yaml::fields::{bad_value, scalar};
use crate::yaml::scalar::Scalar;
use crate::yaml::{Node, NodeKind};

const OPEN: &str = "${{";
const CLOSE: &str = "}}";

/// A value of the document that is an expression as a whole: `that`, `when`, `from`.
pub(super) fn expression(
    node: &Node,
    what: &str,
    scope: &Scope,
    cx: &mut Context<'_>,
) -> Option<CheckedExpr> {
    let scalar = scalar(node, what, &mut cx.found)?;
    if scalar.text.contains(OPEN) {
        let inner = scalar.text.replace(OPEN, "").replace(CLOSE, "");
        let inner = inner.split_whitespace().collect::<Vec<_>>().join(" ");
        cx.found.push(
            cx.found
                .at(Code::Interpolation, node.place, format!("{what} is an expression already"))
                .label("no `${{ }}` here")
                .help(format!("write {inner}")),
        );
        return None;
    }
    cx.expression(Written::whole(scalar), scope)
}

/// An expression that must be true or false.
pub(super) fn condition(
    node: &Node,
    what: &str,
    scope: &Scope,
    cx: &mut Context<'_>,
) -> Option<CheckedExpr> {
    let expr = expression(node, what, scope, cx)?;
    match &expr.ty {
        Type::Boolean | Type::Unknown => Some(expr),
        Type::Nullable { of } if **of == Type::Boolean => {
            cx.found.push(
                cx.found
                    .at(Code::MayBeNull, node.place, format!("{what} may be null"))
                    .label("neither true nor false when it is null")
                    .help(format!("ask first: {0} != null && {0}", expr.text)),
            );
            None
        }
        other => {
            let title = format!("{what} must be true or false, not {}", other.shown());
            cx.found.push(cx.found.at(Code::WrongType, node.place, title).label("not a condition"));
            None
        }
    }
}

/// The value of an expression that depends on nothing.
pub(super) fn constant(expr: &Expr) -> Option<bool> {
    match evaluate(expr, &Roots::new()) {
        steadyhand_model::value::Value::Boolean(b) => Some(b),
        _ => None,
    }
}

/// One piece of a scalar's text.
enum Piece {
    Text(Place),
    Expr(Place),
}

/// Cuts text at `${{ … }}`.
fn pieces(scalar: &Scalar, cx: &mut Context<'_>) -> Option<Vec<Piece>> {
    let text = scalar.text.as_str();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(open) = text.get(at..).and_then(|rest| rest.find(OPEN)).map(|n| at + n) {
        if open > at {
            out.push(Piece::Text(Place::new(at, open)));
        }
        let start = open + OPEN.len();
        let Some(end) = closing(text, start) else {
            let place = scalar.locate(Place::new(open, start), cx.found.source());
            cx.found.push(
                cx.found
                    .at(Code::Interpolation, place, "`${{` is never closed")
                    .label("it begins here")
                    .help("end it with }}"),
            );
            return None;
        };
        out.push(Piece::Expr(Place::new(start, end)));
        at = end + CLOSE.len();
    }
    if at < text.len() {
        out.push(Piece::Text(Place::new(at, text.len())));
    }
    Some(out)
}

/// The next `}}` outside quotes.
fn closing(text: &str, start: usize) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (index, c) in text.char_indices().skip_while(|(i, _)| *i < start) {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if text.get(index..).is_some_and(|r| r.starts_with(CLOSE)) => return Some(index),
            None => {}
        }
    }
    None
}

/// A value given in the document: written out, or one `${{ … }}` alone. `wanted` reads a literal.
pub(super) fn binding(
    node: &Node,
    what: &str,
    ty: &Type,
    scope: &Scope,
    cx: &mut Context<'_>,
) -> Option<Binding> {
    match computed(node, what, scope, cx) {
        Computed::No => literal(node, what, ty, cx).map(Binding::Literal),
        Computed::Yes(expr) => Some(Binding::Computed(expr)),
        Computed::Mistake => None,
    }
}

pub(super) enum Computed {
    /// There is no expression in it.
    No,
    Yes(CheckedExpr),
    Mistake,
}

/// The one `${{ … }}` that a value consists of.
pub(super) fn computed(node: &Node, what: &str, scope: &Scope, cx: &mut Context<'_>) -> Computed {
    let scalar = match &node.kind {
        NodeKind::Scalar(scalar) => scalar,
        NodeKind::Bad => return Computed::Mistake,
        NodeKind::List(items) => {
            let Some(inner) = items
                .iter()
                .find(|i| matches!(&i.kind, NodeKind::Scalar(s) if s.text.contains(OPEN)))
            else {
                return Computed::No;
            };
            let title =
                format!("{what}: an expression cannot be one item of a list that is written out");
            cx.found.push(
                cx.found
                    .at(Code::Interpolation, inner.place, title)
                    .label("here")
                    .help("write the whole list as one expression: \"${{ [a, b] }}\""),
            );
            return Computed::Mistake;
        }
        NodeKind::Map(_) => return Computed::No,
    };
    if !scalar.text.contains(OPEN) {
        return Computed::No;
    }
    let Some(pieces) = pieces(scalar, cx) else { return Computed::Mistake };
    let text = |place: &Place| scalar.text.get(place.start..place.end).unwrap_or("");
    let solid: Vec<&Piece> = pieces
        .iter()
        .filter(|p| !matches!(p, Piece::Text(place) if text(place).trim().is_empty()))
        .collect();
    match solid.as_slice() {
        [Piece::Expr(part)] => match cx.expression(Written { scalar, part: *part }, scope) {
            Some(expr) => Computed::Yes(expr),
            None => Computed::Mistake,
        },
        _ => {
            cx.found.push(
                cx.found
                    .at(
                        Code::Interpolation,
                        node.place,
                        format!("{what} must be one expression and nothing else"),
                    )
                    .label("text and an expression are mixed here")
                    .help("text with values in it can stand only in `say`, `ask` and `else`"),
            );
            Computed::Mistake
        }
    }
}

/// Text for people, with values in it.
pub(super) fn template(
    node: &Node,
    what: &str,
    max: usize,
    scope: &Scope,
    cx: &mut Context<'_>,
) -> Option<Template> {
    let scalar = scalar(node, what, &mut cx.found)?;
    if scalar.text.trim().is_empty() || scalar.text.chars().count() > max {
        bad_value(node, &format!("{what} must have 1 to {max} characters"), "", &mut cx.found);
        return None;
    }
    let pieces = pieces(scalar, cx)?;
    let mut segments = Vec::with_capacity(pieces.len());
    let mut whole = true;
    for piece in pieces {
        match piece {
            Piece::Text(place) => {
                segments.push(Segment::Text(
                    scalar.text.get(place.start..place.end).unwrap_or("").to_owned(),
                ));
            }
            Piece::Expr(part) => match said(Written { scalar, part }, scope, cx) {
                Some(expr) => segments.push(Segment::Value(Box::new(expr))),
                None => whole = false,
            },
        }
    }
    whole.then_some(Template { segments })
}

/// A value that can be said in a text.
fn said(written: Written<'_>, scope: &Scope, cx: &mut Context<'_>) -> Option<CheckedExpr> {
    let expr = cx.expression(written, scope)?;
    let (label, help) = match &expr.ty {
        Type::List { .. } => ("a list", "say how many: ${{ size(…) }}"),
        Type::Record { .. } | Type::Labels => ("several values", "name one of its fields"),
        Type::Nullable { .. } | Type::Null => {
            ("may be null", "give another text for null: ${{ x != null ? x : \"none\" }}")
        }
        _ => return Some(expr),
    };
    let title = format!("`{}` cannot be put into a text", expr.text);
    cx.found.push(cx.found.at(Code::NotSayable, expr.place, title).label(label).help(help));
    None
}
