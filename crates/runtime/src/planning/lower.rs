//! From a checked expression to a check: its paths become reads, its functions become reads, the rest is given.

use std::collections::BTreeMap;

use steadyhand_model::ids::{ParamName, ReadName, ServerId, StepId};
use steadyhand_model::reading::{Check, Given, OutputRef, ReadCall, Slot};
use steadyhand_model::time::Span;
use steadyhand_model::types::Type;
use steadyhand_model::value::Value;
use steadyhand_runbook::document::{Segment, Template};
use steadyhand_runbook::expr::check::{CheckedExpr, Reference};
use steadyhand_runbook::expr::eval::{Roots, evaluate as evaluate_expr};
use steadyhand_runbook::expr::explain::shown;
use steadyhand_runbook::expr::lift::lift;

use super::error::PlanningError;
use super::{Desk, bind};

/// When a check will be performed, and so what `params.x` means in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Now and again before the first write: `params.x` is read afresh.
    Fresh,
    /// After a step: `params.x` is the plan's value, `after.x` is read.
    After,
}

/// Everything that an expression may see while planning.
fn roots(desk: &Desk<'_>) -> Roots {
    let mut roots = Roots::new();
    for (name, param) in &desk.params {
        roots.set(&format!("params.{name}"), param.value.clone());
    }
    if let Some(labels) = desk.labels() {
        roots.set("alert.labels", labels);
    }
    let runbook = desk.ask.runbook;
    roots.set("metadata.name", Value::Text(runbook.name.to_string()));
    roots.set("metadata.title", Value::Text(runbook.title.clone()));
    roots.set("metadata.owner", Value::Text(runbook.owner.to_string()));
    roots
}

/// Evaluates an expression now; functions of tool servers are read.
pub(crate) async fn evaluate(desk: &Desk<'_>, expr: &CheckedExpr) -> Result<Value, PlanningError> {
    let mut roots = roots(desk);
    for slot in function_slots(desk, expr, &mut roots).await? {
        let (value, _) = desk.reader.slot(&slot).await;
        roots.set(&slot.into, value);
    }
    Ok(evaluate_expr(&expr.expr, &roots))
}

/// The reads of an expression's functions. Arguments are known now; inner answers are read for outer ones.
async fn function_slots(
    desk: &Desk<'_>,
    expr: &CheckedExpr,
    roots: &mut Roots,
) -> Result<Vec<Slot>, PlanningError> {
    let mut slots = Vec::new();
    for call in lift(&expr.expr) {
        let Some((server, spec)) = desk.reader.catalogue.function(&call.function) else {
            continue;
        };
        let mut args = BTreeMap::new();
        for (field, arg) in spec.args.iter().zip(&call.args) {
            let value = evaluate_expr(arg, roots);
            args.insert(
                field.name.to_string(),
                bind::argument(&value, &field.ty, desk.catalogue()),
            );
        }
        let name = |source| PlanningError::Name { source };
        let read: ReadName = format!("fn.{}", spec.name).parse().map_err(name)?;
        let server: ServerId = server.server.clone();
        let read = ReadCall { server, read, args: bind::canonical(&Value::Object(args))? };
        let slot = Slot { into: call.into, read, ty: spec.result.clone() };
        let (value, _) = desk.reader.slot(&slot).await;
        roots.set(&slot.into, value);
        slots.push(slot);
    }
    Ok(slots)
}

/// A check of an expression.
pub(crate) async fn check(
    desk: &Desk<'_>,
    expr: &CheckedExpr,
    when: When,
    title: &str,
) -> Result<Check, PlanningError> {
    let mut check = Check {
        title: title.to_owned(),
        expr: expr.text.clone(),
        reads: Vec::new(),
        given: Vec::new(),
        outputs: Vec::new(),
        otherwise: None,
        hold_for: Span::ZERO,
        within: Span::ZERO,
        informs: false,
    };
    let mut roots = roots(desk);
    for reference in &expr.references {
        refer(desk, reference, when, &roots, &mut check)?;
    }
    for slot in function_slots(desk, expr, &mut roots).await? {
        push_slot(&mut check, slot);
    }
    Ok(check)
}

fn push_slot(check: &mut Check, slot: Slot) {
    if !check.reads.contains(&slot) {
        check.reads.push(slot);
    }
}

fn push_given(
    check: &mut Check,
    into: String,
    ty: Type,
    value: &Value,
) -> Result<(), PlanningError> {
    let given = Given { into, ty, value: bind::canonical(value)? };
    if !check.given.contains(&given) {
        check.given.push(given);
    }
    Ok(())
}

/// Where one path of an expression comes from when the check is performed.
fn refer(
    desk: &Desk<'_>,
    reference: &Reference,
    when: When,
    roots: &Roots,
    check: &mut Check,
) -> Result<(), PlanningError> {
    let mut path = reference.path.iter().map(String::as_str);
    let (root, second) = (path.next(), path.next());
    match (root, second) {
        (Some("params" | "after"), Some(name)) => {
            let Some((_, param)) = desk.params.iter().find(|(n, _)| n.as_str() == name) else {
                return Ok(());
            };
            let afresh = root == Some("after") || when == When::Fresh;
            match &param.read {
                Some(read) if afresh => {
                    let into = format!("{}.{name}", root.unwrap_or("params"));
                    push_slot(check, Slot { into, read: read.clone(), ty: param.kind.ty() });
                    Ok(())
                }
                // The plan's value: only the very field that is named, so that nothing else of it enters the plan.
                _ => given_path(reference, roots, check),
            }
        }
        (Some("before"), Some(name)) => {
            let _known_by_measure = name;
            Ok(())
        }
        (Some("steps"), Some(step)) => {
            let field = reference.path.get(2).map_or("", String::as_str);
            let named = |source| PlanningError::Name { source };
            let output = OutputRef {
                step: step.parse::<StepId>().map_err(named)?,
                field: field.parse().map_err(named)?,
                ty: reference.ty.clone(),
            };
            if !check.outputs.contains(&output) {
                check.outputs.push(output);
            }
            Ok(())
        }
        _ => given_path(reference, roots, check),
    }
}

fn given_path(
    reference: &Reference,
    roots: &Roots,
    check: &mut Check,
) -> Result<(), PlanningError> {
    let into = reference.path.join(".");
    let value = match steadyhand_runbook::expr::parse(&into) {
        Ok(expr) => evaluate_expr(&expr, roots),
        Err(error) => Value::CannotTell(error.to_string()),
    };
    push_given(check, into, reference.ty.clone(), &value)
}

/// The paths that an expression compares with what was before: they are measured.
pub(crate) fn measures(desk: &Desk<'_>, expr: &CheckedExpr) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for reference in &expr.references {
        if let [root, name, ..] = reference.path.as_slice()
            && root == "before"
            && let Some(param) = name.parse::<ParamName>().map_or(None, |n| desk.params.get(&n))
            && let Some(read) = &param.read
        {
            let slot = Slot { into: name.clone(), read: read.clone(), ty: param.kind.ty() };
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
    }
    slots
}

/// Text for people, with values in it.
pub(crate) fn template(desk: &Desk<'_>, template: &Template) -> Result<String, PlanningError> {
    let roots = roots(desk);
    let mut out = String::new();
    for segment in &template.segments {
        match segment {
            Segment::Text(text) => out.push_str(text),
            Segment::Value(expr) => out.push_str(&words(desk, expr, &roots)),
        }
    }
    Ok(out)
}

fn words(desk: &Desk<'_>, expr: &CheckedExpr, roots: &Roots) -> String {
    if let [reference] = expr.references.as_slice()
        && let [root, name] = reference.path.as_slice()
        && root == "params"
        && let Some(param) = name.parse::<ParamName>().map_or(None, |n| desk.params.get(&n))
    {
        return param.shown.clone();
    }
    match evaluate_expr(&expr.expr, roots) {
        Value::Text(text) => steadyhand_model::text::Escaped::line(&text).as_str().to_owned(),
        other => shown(&other),
    }
}

/// Whether an expression can be decided while planning: it names no step and nothing that is read afterwards.
pub(crate) fn is_known_now(expr: &CheckedExpr) -> bool {
    expr.references
        .iter()
        .all(|r| !matches!(r.path.first().map(String::as_str), Some("steps" | "after" | "before")))
}
