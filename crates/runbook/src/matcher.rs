//! Which runbook an alert may start, and to which environment it belongs: by declared bindings only, never a guess.

use std::collections::BTreeMap;

use steadyhand_model::ids::{EnvironmentName, RunbookName};
use steadyhand_model::value::Value;

use crate::document::environment::CheckedEnvironment;
use crate::document::runbook::CheckedRunbook;
use crate::expr::eval::{Roots, evaluate};

/// The label that names an alert.
pub const ALERT_NAME: &str = "alertname";

/// A runbook and why it was, or was not, taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub runbook: RunbookName,
    pub reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Bound to this alert, and allowed here.
    Bound,
    /// Bound, but its `environments` leave this one out.
    NotInEnvironment,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    One(Candidate),
    /// A person or a model must choose among these.
    Several(Vec<Candidate>),
    /// Those that are bound but not allowed here; usually empty.
    None(Vec<Candidate>),
}

/// The runbooks that declare this alert. Order is that of the names.
pub fn match_alert(
    runbooks: &[&CheckedRunbook],
    environment: &EnvironmentName,
    labels: &BTreeMap<String, String>,
) -> Match {
    let Some(alert) = labels.get(ALERT_NAME) else { return Match::None(vec![]) };
    let mut bound: Vec<Candidate> = runbooks
        .iter()
        .filter(|r| r.selection.alerts.iter().any(|a| a.value == *alert))
        .map(|r| Candidate { runbook: r.name.clone(), reason: reason(r, environment) })
        .collect();
    bound.sort_by(|a, b| a.runbook.cmp(&b.runbook));
    let (mut allowed, refused): (Vec<_>, Vec<_>) =
        bound.into_iter().partition(|c| c.reason == Reason::Bound);
    match allowed.len() {
        0 => Match::None(refused),
        1 => allowed.pop().map_or(Match::None(refused), Match::One),
        _ => Match::Several(allowed),
    }
}

fn reason(runbook: &CheckedRunbook, environment: &EnvironmentName) -> Reason {
    let here = runbook.environments.iter().any(|e| e.value == *environment);
    if runbook.environments.is_empty() || here { Reason::Bound } else { Reason::NotInEnvironment }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvironmentMatch {
    One(EnvironmentName),
    /// An alert that belongs to two places is refused.
    Several(Vec<EnvironmentName>),
    None,
}

/// The environment whose `match` is true for these labels. What cannot be told does not match.
pub fn match_environment(
    environments: &[&CheckedEnvironment],
    labels: &BTreeMap<String, String>,
) -> EnvironmentMatch {
    let roots = Roots::new().with("alert.labels", labels_value(labels));
    let mut hits: Vec<EnvironmentName> = environments
        .iter()
        .filter(|e| {
            e.matches.as_ref().is_some_and(|m| evaluate(&m.expr, &roots) == Value::Boolean(true))
        })
        .map(|e| e.name.clone())
        .collect();
    hits.sort();
    match hits.len() {
        0 => EnvironmentMatch::None,
        1 => hits.pop().map_or(EnvironmentMatch::None, EnvironmentMatch::One),
        _ => EnvironmentMatch::Several(hits),
    }
}

/// Labels as expressions see them.
pub fn labels_value(labels: &BTreeMap<String, String>) -> Value {
    Value::Object(
        labels.iter().map(|(name, text)| (name.clone(), Value::Text(text.clone()))).collect(),
    )
}
