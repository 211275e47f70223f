//! Lifting: the calls of tool servers' functions, in the order in which they must be read before the expression can be
//! evaluated. The answer is put at the call's own text (see [`super::eval::Roots::set`]), so that a plan and an
//! explanation show `cluster.fits(params.workload, params.replicas)` and not a number.

use super::ast::{Expr, ExprKind};
use super::functions::BuiltIn;

/// One read. Its arguments may use the answers of the calls before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiftedCall {
    /// Where the answer is expected: the call in its one spelling.
    pub into: String,
    pub function: String,
    pub args: Vec<Expr>,
}

/// The calls of an expression, each once, inner ones first.
pub fn lift(expr: &Expr) -> Vec<LiftedCall> {
    let mut calls = Vec::new();
    collect(expr, &mut calls);
    calls
}

fn collect(expr: &Expr, calls: &mut Vec<LiftedCall>) {
    for part in expr.parts() {
        collect(part, calls);
    }
    if let ExprKind::Call { name, args, .. } = &expr.kind
        && BuiltIn::find(name).is_none()
    {
        let into = expr.to_string();
        if !calls.iter().any(|c| c.into == into) {
            calls.push(LiftedCall { into, function: name.clone(), args: args.clone() });
        }
    }
}
