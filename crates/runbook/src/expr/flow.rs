//! Which paths are known not to be null, given that a condition is true or false.

use super::ast::{Expr, ExprKind, Literal, Op};

/// Paths that are not null if `condition` has the value `truth`.
pub(crate) fn not_null(condition: &Expr, truth: bool) -> Vec<String> {
    match (&condition.kind, truth) {
        (ExprKind::Binary { op: Op::And, left, right }, true)
        | (ExprKind::Binary { op: Op::Or, left, right }, false) => {
            let mut paths = not_null(left, truth);
            paths.extend(not_null(right, truth));
            paths
        }
        (ExprKind::Not(inner), _) => not_null(inner, !truth),
        (ExprKind::Binary { op: Op::NotEqual, left, right }, true)
        | (ExprKind::Binary { op: Op::Equal, left, right }, false) => {
            match (is_null(left), is_null(right)) {
                (false, true) => path(left),
                (true, false) => path(right),
                _ => vec![],
            }
        }
        (ExprKind::Has(inner), true) => path(inner),
        _ => vec![],
    }
}

pub(crate) fn is_null(expr: &Expr) -> bool {
    expr.kind == ExprKind::Literal(Literal::Null)
}

fn path(expr: &Expr) -> Vec<String> {
    expr.path().map(|p| p.join(".")).into_iter().collect()
}
