//! Three-valued evaluation. What cannot be told stays so, unless the rest decides: `false && cannot_tell` is false.
//!
//! It never fails and never panics: overflow, division by zero and missing fields are [`Value::CannotTell`] with a
//! reason, and the work is bounded.

use std::collections::BTreeMap;

use steadyhand_model::time::Span;
use steadyhand_model::value::Value;

use super::ast::{Expr, ExprKind, Literal, LoopKind, Op};
use super::functions::BuiltIn;
use super::{EVALUATION_STEPS_MAX, LOOP_ITEMS_MAX};
use crate::yaml::fields::parse_percent;

/// What an expression can see, by the names of its roots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots {
    values: BTreeMap<String, Value>,
    /// Answers of tool servers' functions, by the call in its one spelling.
    answers: BTreeMap<String, Value>,
}

impl Roots {
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value at a dotted path, `params.workload`, or at a call, `owner_of("shop", "web-1")` (see
    /// [`super::lift`]). Replaces what stands there.
    pub fn set(&mut self, path: &str, value: Value) {
        if path.ends_with(')') {
            self.answers.insert(path.to_owned(), value);
        } else {
            set(&mut self.values, path, value);
        }
    }

    #[must_use]
    pub fn with(mut self, path: &str, value: Value) -> Self {
        self.set(path, value);
        self
    }
}

fn set(fields: &mut BTreeMap<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            fields.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = fields.entry(first.to_owned()).or_insert(Value::Null);
            if !matches!(inner, Value::Object(_)) {
                *inner = Value::Object(BTreeMap::new());
            }
            if let Value::Object(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// Evaluates a well-typed expression. The answers of tool servers' functions must be among the roots (see `lift`).
pub fn evaluate(expr: &Expr, roots: &Roots) -> Value {
    evaluate_in(expr, roots, &mut Vec::new())
}

pub(crate) fn evaluate_in(expr: &Expr, roots: &Roots, locals: &mut Vec<(String, Value)>) -> Value {
    Evaluator { roots, locals, steps: 0 }.value(expr)
}

fn cannot(why: impl Into<String>) -> Value {
    Value::CannotTell(why.into())
}

struct Evaluator<'a> {
    roots: &'a Roots,
    locals: &'a mut Vec<(String, Value)>,
    steps: usize,
}

/// How much copying a value costs.
fn weight(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(weight).sum::<usize>(),
        Value::Text(text) | Value::CannotTell(text) => 1 + text.len() / 64,
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Duration(_) => 1,
    }
}

impl Evaluator<'_> {
    fn value(&mut self, expr: &Expr) -> Value {
        self.steps += 1;
        if self.steps > EVALUATION_STEPS_MAX {
            return cannot("the expression is too much work to evaluate");
        }
        match &expr.kind {
            ExprKind::Literal(literal) => literal_value(literal),
            ExprKind::Name(_) | ExprKind::Field { .. } => self.path(expr),
            ExprKind::List(items) => Value::List(items.iter().map(|i| self.value(i)).collect()),
            ExprKind::Index { of, index } => match self.value(of) {
                Value::List(mut items) if *index < items.len() => items.swap_remove(*index),
                Value::List(items) => {
                    cannot(format!("`{of}` has {} items, none at position {index}", items.len()))
                }
                Value::CannotTell(why) => cannot(why),
                _ => cannot(format!("`{of}` is not a list")),
            },
            ExprKind::Call { name, args, .. } => self.call(expr, name, args),
            ExprKind::Loop { kind, over, name, body, .. } => {
                self.loop_over(*kind, over, name, body)
            }
            ExprKind::Has(inner) => self.has(inner),
            ExprKind::Not(inner) => match self.value(inner) {
                Value::Boolean(b) => Value::Boolean(!b),
                other => not_boolean(other, inner),
            },
            ExprKind::Negate(inner) => match self.value(inner) {
                Value::Integer(n) => whole(n.checked_neg(), expr),
                Value::CannotTell(why) => cannot(why),
                _ => cannot(format!("`{inner}` is not a number")),
            },
            ExprKind::Binary { op: Op::And, left, right } => self.junction(left, right, false),
            ExprKind::Binary { op: Op::Or, left, right } => self.junction(left, right, true),
            ExprKind::Binary { op, left, right } => {
                let (l, r) = (self.value(left), self.value(right));
                binary(*op, l, r, expr)
            }
            ExprKind::Choose { condition, yes, no } => match self.value(condition) {
                Value::Boolean(true) => self.value(yes),
                Value::Boolean(false) => self.value(no),
                other => not_boolean(other, condition),
            },
        }
    }

    /// `&&` is decided by a false side, `||` by a true one, whatever the other side is.
    fn junction(&mut self, left: &Expr, right: &Expr, decides: bool) -> Value {
        let l = self.value(left);
        if l == Value::Boolean(decides) {
            return l;
        }
        let r = self.value(right);
        if r == Value::Boolean(decides) {
            return r;
        }
        match (l, r) {
            (Value::Boolean(_), Value::Boolean(_)) => Value::Boolean(!decides),
            (Value::Boolean(_), r) => not_boolean(r, right),
            (l, _) => not_boolean(l, left),
        }
    }

    /// Follows names and fields without copying more than the last value.
    fn path(&mut self, expr: &Expr) -> Value {
        let found = match self.borrowed(expr) {
            Some(found) => found.map(|v| (weight(v), v)),
            None => return self.computed_field(expr),
        };
        let cost = match &found {
            Ok((cost, _)) => *cost,
            Err(_) => 1,
        };
        if self.steps.saturating_add(cost) > EVALUATION_STEPS_MAX {
            self.steps = EVALUATION_STEPS_MAX;
            return cannot("the expression is too much work to evaluate");
        }
        let value = match found {
            Ok((_, value)) => value.clone(),
            Err(Untold(why)) => cannot(why),
        };
        self.steps += cost;
        value
    }

    /// `None` if the path begins with something that must be computed first.
    fn borrowed(&self, expr: &Expr) -> Option<Result<&Value, Untold>> {
        match &expr.kind {
            ExprKind::Name(name) => {
                let local = self.locals.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v);
                let value = local.or_else(|| self.roots.values.get(name));
                Some(value.ok_or_else(|| Untold(format!("`{name}` is not known here"))))
            }
            ExprKind::Field { of, name, .. } => {
                Some(self.borrowed(of)?.and_then(|value| field(value, of, name)))
            }
            _ => None,
        }
    }

    fn computed_field(&mut self, expr: &Expr) -> Value {
        let ExprKind::Field { of, name, .. } = &expr.kind else {
            return cannot(format!("`{expr}` cannot be evaluated"));
        };
        let value = match of.kind {
            ExprKind::Field { .. } => self.computed_field(of),
            _ => self.value(of),
        };
        match field(&value, of, name) {
            Ok(value) => value.clone(),
            Err(Untold(why)) => cannot(why),
        }
    }

    /// Whether a field is there: absent and null are both no.
    fn has(&mut self, inner: &Expr) -> Value {
        let ExprKind::Field { of, name, .. } = &inner.kind else {
            return cannot(format!("`{inner}` is not a field"));
        };
        match self.value(of) {
            Value::Object(mut fields) => match fields.remove(name) {
                None | Some(Value::Null) => Value::Boolean(false),
                Some(Value::CannotTell(why)) => cannot(why),
                Some(_) => Value::Boolean(true),
            },
            Value::Null => Value::Boolean(false),
            Value::CannotTell(why) => cannot(why),
            _ => cannot(format!("`{of}` has no fields")),
        }
    }

    fn loop_over(&mut self, kind: LoopKind, over: &Expr, name: &str, body: &Expr) -> Value {
        let items = match self.value(over) {
            Value::List(items) => items,
            Value::CannotTell(why) => return cannot(why),
            _ => return cannot(format!("`{over}` is not a list")),
        };
        if items.len() > LOOP_ITEMS_MAX {
            return cannot(format!(
                "`{over}` has {} items, at most {LOOP_ITEMS_MAX} are looked at",
                items.len()
            ));
        }
        let mut kept = Vec::new();
        let mut doubt = None;
        for item in items {
            self.locals.push((name.to_owned(), item));
            let outcome = self.value(body);
            let item = self.locals.pop().map_or(Value::Null, |(_, item)| item);
            match (kind, outcome) {
                (LoopKind::Map, outcome) => kept.push(outcome),
                (LoopKind::All, Value::Boolean(false)) => return Value::Boolean(false),
                (LoopKind::Exists, Value::Boolean(true)) => return Value::Boolean(true),
                (LoopKind::Filter, Value::Boolean(true)) => kept.push(item),
                (_, Value::Boolean(_)) => {}
                (_, other) => doubt = doubt.or(Some(not_boolean(other, body))),
            }
        }
        match (kind, doubt) {
            (LoopKind::Map, _) => Value::List(kept),
            (_, Some(doubt)) => doubt,
            (LoopKind::Filter, None) => Value::List(kept),
            (LoopKind::All, None) => Value::Boolean(true),
            (LoopKind::Exists, None) => Value::Boolean(false),
        }
    }

    fn call(&mut self, expr: &Expr, name: &str, args: &[Expr]) -> Value {
        let Some(function) = BuiltIn::find(name) else {
            let answer = self.roots.answers.get(&expr.to_string());
            return answer.cloned().unwrap_or_else(|| cannot(format!("`{name}` was not read")));
        };
        let values: Vec<Value> = args.iter().map(|arg| self.value(arg)).collect();
        if let Some(Value::CannotTell(why)) =
            values.iter().find(|v| matches!(v, Value::CannotTell(_)))
        {
            return cannot(why.as_str());
        }
        built_in(function, values)
            .unwrap_or_else(|| cannot(format!("`{name}` cannot take these arguments")))
    }
}

/// Why a field cannot be told: becomes a value that cannot tell.
struct Untold(String);

fn field<'v>(value: &'v Value, of: &Expr, name: &str) -> Result<&'v Value, Untold> {
    match value {
        Value::Object(fields) => {
            fields.get(name).ok_or_else(|| Untold(format!("`{of}` has no `{name}`")))
        }
        Value::CannotTell(why) => Err(Untold(why.clone())),
        Value::Null => Err(Untold(format!("`{of}` is null"))),
        _ => Err(Untold(format!("`{of}` has no fields"))),
    }
}

fn not_boolean(value: Value, expr: &Expr) -> Value {
    match value {
        Value::CannotTell(why) => cannot(why),
        Value::Null => cannot(format!("`{expr}` is null")),
        _ => cannot(format!("`{expr}` is neither true nor false")),
    }
}

fn literal_value(literal: &Literal) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Boolean(b) => Value::Boolean(*b),
        Literal::Integer(n) => Value::Integer(*n),
        Literal::Text(text) => Value::Text(text.clone()),
    }
}

fn whole(result: Option<i64>, expr: &Expr) -> Value {
    result.map_or_else(|| cannot(format!("`{expr}` is too large a number")), Value::Integer)
}

fn binary(op: Op, left: Value, right: Value, expr: &Expr) -> Value {
    match (&left, &right) {
        (Value::CannotTell(why), _) | (_, Value::CannotTell(why)) => return cannot(why.as_str()),
        _ => {}
    }
    match op {
        Op::Equal => truth(equal(&left, &right), expr),
        Op::NotEqual => truth(equal(&left, &right).map(|b| !b), expr),
        Op::Less => truth(order(&left, &right).map(std::cmp::Ordering::is_lt), expr),
        Op::LessOrEqual => truth(order(&left, &right).map(std::cmp::Ordering::is_le), expr),
        Op::Greater => truth(order(&left, &right).map(std::cmp::Ordering::is_gt), expr),
        Op::GreaterOrEqual => truth(order(&left, &right).map(std::cmp::Ordering::is_ge), expr),
        Op::In => contained(&left, right, expr),
        Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder => {
            calculated(op, left, right, expr)
        }
        Op::And | Op::Or => cannot(format!("`{expr}` is neither true nor false")),
    }
}

fn truth(result: Option<bool>, expr: &Expr) -> Value {
    result
        .map_or_else(|| cannot(format!("the sides of `{expr}` cannot be compared")), Value::Boolean)
}

/// `None` if it cannot be told.
fn equal(left: &Value, right: &Value) -> Option<bool> {
    match (left, right) {
        (Value::CannotTell(_), _) | (_, Value::CannotTell(_)) => None,
        (Value::Null, Value::Null) => Some(true),
        (Value::Null, _) | (_, Value::Null) => Some(false),
        (Value::List(a), Value::List(b)) => {
            if a.len() != b.len() {
                return Some(false);
            }
            all_equal(a.iter().zip(b))
        }
        (Value::Object(a), Value::Object(b)) => {
            if !a.keys().eq(b.keys()) {
                return Some(false);
            }
            all_equal(a.values().zip(b.values()))
        }
        _ if std::mem::discriminant(left) == std::mem::discriminant(right) => Some(left == right),
        _ => None,
    }
}

fn all_equal<'v>(mut pairs: impl Iterator<Item = (&'v Value, &'v Value)>) -> Option<bool> {
    // One pair that differs decides, whatever is unknown about the others.
    let mut known = Some(true);
    pairs.any(|(a, b)| match equal(a, b) {
        Some(false) => {
            known = Some(false);
            true
        }
        Some(true) => false,
        None => {
            known = None;
            false
        }
    });
    known
}

fn order(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn contained(item: &Value, list: Value, expr: &Expr) -> Value {
    let Value::List(items) = list else { return truth(None, expr) };
    let answers: Vec<Option<bool>> = items.iter().map(|i| equal(item, i)).collect();
    if answers.contains(&Some(true)) {
        Value::Boolean(true)
    } else if answers.contains(&None) {
        truth(None, expr)
    } else {
        Value::Boolean(false)
    }
}

fn calculated(op: Op, left: Value, right: Value, expr: &Expr) -> Value {
    match (left, right) {
        (Value::Integer(_), Value::Integer(0)) if matches!(op, Op::Divide | Op::Remainder) => {
            cannot(format!("`{expr}` divides by zero"))
        }
        (Value::Integer(a), Value::Integer(b)) => whole(
            match op {
                Op::Add => a.checked_add(b),
                Op::Subtract => a.checked_sub(b),
                Op::Multiply => a.checked_mul(b),
                Op::Divide => a.checked_div(b),
                Op::Remainder => a.checked_rem(b),
                _ => None,
            },
            expr,
        ),
        (Value::Duration(a), Value::Duration(b)) => span(
            match op {
                Op::Add => a.millis().checked_add(b.millis()),
                Op::Subtract => a.millis().checked_sub(b.millis()),
                _ => None,
            },
            expr,
        ),
        (Value::Duration(a), Value::Integer(n)) => span(
            u64::try_from(n).ok().and_then(|n| match op {
                Op::Multiply => a.millis().checked_mul(n),
                Op::Divide => a.millis().checked_div(n),
                _ => None,
            }),
            expr,
        ),
        (Value::Integer(n), Value::Duration(a)) => span(
            u64::try_from(n)
                .ok()
                .filter(|_| op == Op::Multiply)
                .and_then(|n| a.millis().checked_mul(n)),
            expr,
        ),
        (Value::Text(a), Value::Text(b)) if op == Op::Add => Value::Text(a + &b),
        _ => cannot(format!("`{expr}` cannot be calculated")),
    }
}

fn span(millis: Option<u64>, expr: &Expr) -> Value {
    match millis.filter(|ms| *ms <= steadyhand_model::time::SPAN_MAX_MS) {
        Some(ms) => Value::Duration(Span::from_millis(ms)),
        None => cannot(format!("`{expr}` is not a length of time between 0 and 366 days")),
    }
}

fn built_in(function: BuiltIn, values: Vec<Value>) -> Option<Value> {
    match (function, values.as_slice()) {
        (BuiltIn::Size, [Value::List(items)]) => integer(items.len()),
        (BuiltIn::Size, [Value::Text(text)]) => integer(text.chars().count()),
        (BuiltIn::Max | BuiltIn::Min, [first, rest @ ..]) => {
            let mut best = first;
            for value in rest {
                let wanted = order(value, best)?;
                if (function == BuiltIn::Max) == wanted.is_gt() && wanted.is_ne() {
                    best = value;
                }
            }
            // A single argument, or one without an order, is refused by the checker.
            order(best, best).map(|_| best.clone())
        }
        (BuiltIn::Percent, [Value::Text(text)]) => parse_percent(text).map(Value::Integer),
        (BuiltIn::Percent, [Value::Integer(part), Value::Integer(whole)]) => {
            Some(part.checked_mul(1000).and_then(|n| n.checked_div(*whole)).map_or_else(
                || cannot(format!("{part} of {whole} is no percentage")),
                Value::Integer,
            ))
        }
        (BuiltIn::Duration, [Value::Text(text)]) => match text.parse() {
            Ok(span) => Some(Value::Duration(span)),
            Err(_refused_by_the_checker) => None,
        },
        _ => None,
    }
}

fn integer(n: usize) -> Option<Value> {
    i64::try_from(n).ok().map(Value::Integer)
}
