//! How types go together: what can be compared and joined, and how a type is called in a message.

use steadyhand_model::types::{Stability, Type};

use crate::expr::ast::{Expr, ExprKind, Literal};

/// The less stable of two.
pub(super) trait Moving {
    fn max_moving(self, other: Stability) -> Option<Stability>;
}

impl Moving for Option<Stability> {
    fn max_moving(self, other: Stability) -> Option<Stability> {
        match (self, other) {
            (Some(Stability::Status), _) | (_, Stability::Status) => Some(Stability::Status),
            (Some(Stability::Spec), _) | (_, Stability::Spec) => Some(Stability::Spec),
            (_, Stability::Identity) => Some(Stability::Identity),
        }
    }
}

pub(super) fn literal_type(literal: &Literal) -> Type {
    match literal {
        Literal::Null => Type::Null,
        Literal::Boolean(_) => Type::Boolean,
        Literal::Integer(n) => Type::Integer { min: Some(*n), max: Some(*n) },
        // A literal text is the one value of an enum: it may go where tenant text may not.
        Literal::Text(text) => Type::Enum { values: vec![text.clone()] },
    }
}

/// Types that can be compared and calculated with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Boolean,
    Number,
    Percent,
    Duration,
    Text,
    Other,
}

impl Class {
    pub(crate) const fn ordered(self) -> bool {
        matches!(self, Self::Number | Self::Percent | Self::Duration)
    }
}

pub(crate) fn class(ty: &Type) -> Class {
    match ty {
        Type::Boolean => Class::Boolean,
        Type::Integer { .. } | Type::Size => Class::Number,
        Type::Percent => Class::Percent,
        Type::Duration => Class::Duration,
        Type::String | Type::Text { .. } | Type::Enum { .. } => Class::Text,
        Type::List { .. }
        | Type::Object { .. }
        | Type::Record { .. }
        | Type::Nullable { .. }
        | Type::Labels
        | Type::Null
        | Type::Unknown => Class::Other,
    }
}

pub(super) fn single_text(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Literal(Literal::Text(text)) => Some(text),
        _ => None,
    }
}

pub(super) fn number(expr: &Expr) -> Option<i64> {
    match expr.kind {
        ExprKind::Literal(Literal::Integer(n)) => Some(n),
        _ => None,
    }
}

/// A type in words; a literal text is "text", not "enum".
pub(crate) fn shown(ty: &Type, expr: &Expr) -> String {
    match ty {
        Type::Enum { .. } if single_text(expr).is_some() => "text".into(),
        Type::Labels => "all labels of an alert".into(),
        other => other.shown(),
    }
}

/// The usual ways out of a mismatch, with the very words to write.
pub(super) fn conversion(left: (&Expr, &Type), right: (&Expr, &Type)) -> String {
    for ((expr, ty), (_, other)) in [(left, right), (right, left)] {
        if let Some(text) = single_text(expr) {
            match class(other) {
                Class::Number if text.parse::<i64>().is_ok() => {
                    return format!("remove the quotes: {text}");
                }
                Class::Duration if text.parse::<steadyhand_model::time::Span>().is_ok() => {
                    return format!("write duration({text:?})");
                }
                Class::Percent => return format!("write percent({text:?})"),
                Class::Boolean if text == "true" || text == "false" => {
                    return format!("remove the quotes: {text}");
                }
                _ => {}
            }
        }
        match (class(ty), class(other)) {
            (Class::Number, Class::Duration) => {
                let seconds = number(expr).map_or_else(|| "10m".to_owned(), |n| format!("{n}s"));
                return format!("write a length of time with its unit: duration(\"{seconds}\")");
            }
            (Class::Number, Class::Percent) => {
                let n = number(expr).unwrap_or(34);
                return format!("write a percentage as percent(\"{n}%\")");
            }
            _ => {}
        }
        if matches!(ty, Type::List { .. }) && class(other) == Class::Number {
            return format!("the number of its items is size({expr})");
        }
    }
    String::new()
}

/// The type that holds both, if there is one.
pub(crate) fn joined(a: &Type, b: &Type) -> Option<Type> {
    Some(match (a, b) {
        (Type::Unknown, other) | (other, Type::Unknown) => other.clone(),
        (Type::Null, Type::Null) => Type::Null,
        (Type::Null, Type::Nullable { of }) | (Type::Nullable { of }, Type::Null) => {
            (**of).clone().nullable()
        }
        (Type::Null, other) | (other, Type::Null) => other.clone().nullable(),
        (Type::Nullable { of: x }, Type::Nullable { of: y }) => joined(x, y)?.nullable(),
        (Type::Nullable { of }, other) | (other, Type::Nullable { of }) => {
            joined(of, other)?.nullable()
        }
        (Type::Integer { min, max }, Type::Integer { min: min2, max: max2 }) => Type::Integer {
            min: min.zip(*min2).map(|(x, y)| x.min(y)),
            max: max.zip(*max2).map(|(x, y)| x.max(y)),
        },
        (Type::Integer { .. } | Type::Size, Type::Integer { .. } | Type::Size) => Type::integer(),
        (Type::Enum { values }, Type::Enum { values: others }) => {
            let more = others.iter().filter(|v| !values.contains(v));
            Type::Enum { values: values.iter().chain(more).cloned().collect() }
        }
        (Type::Text { max }, Type::Text { max: other }) => Type::Text { max: *max.max(other) },
        (Type::List { of }, Type::List { of: other }) => Type::list(joined(of, other)?),
        (x, y) if class(x) == Class::Text && class(y) == Class::Text => Type::String,
        (x, y) if x == y => x.clone(),
        _ => return None,
    })
}
