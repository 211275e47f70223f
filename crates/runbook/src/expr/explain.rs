//! Why an expression is what it is: the operands that decided it, and the verdict that is recorded.

use steadyhand_model::reading::{Operand, Verdict};
use steadyhand_model::text::Escaped;
use steadyhand_model::value::Value;

use super::ast::{Expr, ExprKind, LoopKind, Op};
use super::eval::{Roots, evaluate_in};
use super::functions::BuiltIn;

/// Most operands in one explanation.
pub const OPERANDS_MAX: usize = 8;
/// Longest value shown, in characters.
const SHOWN_MAX: usize = 80;

/// Evaluates a condition and says what decided it. `check` names the condition in the verdict.
pub fn judge(check: &str, expr: &Expr, roots: &Roots) -> Verdict {
    let (value, operands) = explain(expr, roots);
    match value {
        Value::Boolean(true) => Verdict::Holds { operands },
        Value::Boolean(false) => Verdict::Fails { check: check.to_owned(), operands },
        Value::CannotTell(why) => Verdict::CannotTell {
            check: check.to_owned(),
            why: Escaped::line(&why).as_str().to_owned(),
        },
        _ => Verdict::CannotTell {
            check: check.to_owned(),
            why: "it is neither true nor false".into(),
        },
    }
}

/// The value of an expression and the operands that decided it, the most telling first.
pub fn explain(expr: &Expr, roots: &Roots) -> (Value, Vec<Operand>) {
    let mut explainer =
        Explainer { roots, locals: Vec::new(), shown: Vec::new(), operands: Vec::new() };
    let value = explainer.value(expr);
    explainer.decide(expr);
    (value, explainer.operands)
}

/// A value as it is written in an explanation.
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "null".into(),
        Value::Boolean(b) => b.to_string(),
        Value::Integer(n) => n.to_string(),
        Value::Duration(span) => span.to_string(),
        Value::Text(text) => format!("\"{text}\""),
        Value::List(items) => format!("{} items", items.len()),
        Value::Object(fields) => match fields.get("name") {
            Some(Value::Text(name)) => name.clone(),
            _ => "an object".into(),
        },
        Value::CannotTell(why) => format!("cannot tell: {why}"),
    };
    Escaped::short(&text, SHOWN_MAX).as_str().to_owned()
}

struct Explainer<'a> {
    roots: &'a Roots,
    locals: Vec<(String, Value)>,
    /// How each local is written: `after.pods[2]`.
    shown: Vec<(String, String)>,
    operands: Vec<Operand>,
}

impl Explainer<'_> {
    fn value(&mut self, expr: &Expr) -> Value {
        evaluate_in(expr, self.roots, &mut self.locals)
    }

    fn decide(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Binary { op: op @ (Op::And | Op::Or), left, right } => {
                let decisive = Value::Boolean(*op == Op::Or);
                let (l, r) = (self.value(left), self.value(right));
                let sides = [(left, &l), (right, &r)];
                let deciding: Vec<&Expr> =
                    sides.iter().filter(|(_, v)| **v == decisive).map(|(e, _)| &***e).collect();
                let doubtful = || {
                    sides
                        .iter()
                        .filter(|(_, v)| !matches!(v, Value::Boolean(_)))
                        .map(|(e, _)| &***e)
                };
                let chosen: Vec<&Expr> = if !deciding.is_empty() {
                    deciding
                } else if doubtful().next().is_some() {
                    doubtful().collect()
                } else {
                    vec![left, right]
                };
                chosen.into_iter().for_each(|side| self.decide(side));
            }
            ExprKind::Not(inner) => self.decide(inner),
            ExprKind::Choose { condition, yes, no } => {
                self.decide(condition);
                match self.value(condition) {
                    Value::Boolean(true) => self.decide(yes),
                    Value::Boolean(false) => self.decide(no),
                    _ => {}
                }
            }
            ExprKind::Loop {
                kind: kind @ (LoopKind::All | LoopKind::Exists),
                over,
                name,
                body,
                ..
            } => {
                self.decide_loop(*kind, over, name, body);
            }
            ExprKind::Loop { over, .. } => self.leaves(over),
            _ => self.leaves(expr),
        }
    }

    /// The first item that decided; else the number of items.
    fn decide_loop(&mut self, kind: LoopKind, over: &Expr, name: &str, body: &Expr) {
        let Value::List(items) = self.value(over) else { return self.leaves(over) };
        let decisive = Value::Boolean(kind == LoopKind::Exists);
        let mut outcomes = Vec::with_capacity(items.len());
        for item in &items {
            self.locals.push((name.to_owned(), item.clone()));
            outcomes.push(self.value(body));
            self.locals.pop();
        }
        let deciding = outcomes
            .iter()
            .position(|v| *v == decisive)
            .or_else(|| outcomes.iter().position(|v| !matches!(v, Value::Boolean(_))));
        let Some((index, item)) = deciding.and_then(|i| items.get(i).map(|item| (i, item))) else {
            let text = self.written(over);
            return self.push(format!("size({text})"), items.len().to_string());
        };
        let text = format!("{}[{index}]", self.written(over));
        self.locals.push((name.to_owned(), item.clone()));
        self.shown.push((name.to_owned(), text));
        self.decide(body);
        self.locals.pop();
        self.shown.pop();
    }

    /// Every path and call below, with its value.
    fn leaves(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Literal(_) => {}
            ExprKind::Name(_)
            | ExprKind::Field { .. }
            | ExprKind::Index { .. }
            | ExprKind::Has(_) => {
                let value = self.value(expr);
                let text = self.written(expr);
                self.push(text, shown(&value));
            }
            ExprKind::Call { name, .. } if BuiltIn::find(name).is_none() => {
                let value = self.value(expr);
                self.push(expr.to_string(), shown(&value));
            }
            _ => expr.parts().into_iter().for_each(|part| self.leaves(part)),
        }
    }

    /// The expression with each local replaced by the item that it stands for.
    fn written(&self, expr: &Expr) -> String {
        let text = expr.to_string();
        self.shown.iter().rev().fold(text, |text, (name, item)| {
            match text.strip_prefix(name.as_str()) {
                Some(rest) if rest.is_empty() || rest.starts_with(['.', '[']) => {
                    format!("{item}{rest}")
                }
                _ => text,
            }
        })
    }

    fn push(&mut self, text: String, value: String) {
        let operand = Operand { text: Escaped::short(&text, SHOWN_MAX).as_str().to_owned(), value };
        if self.operands.len() < OPERANDS_MAX && !self.operands.contains(&operand) {
            self.operands.push(operand);
        }
    }
}
