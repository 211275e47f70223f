//! The built-in policy of practice environments: one `confirm` for each plan that writes.
//!
//! It is fixed here, whatever a library says, so that a drill never waits for anybody else.

use steadyhand_engine::input::PolicyAnswer;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::At;
use steadyhand_model::ids::{GateId, PolicyId, StepId};
use steadyhand_model::plan::{
    EnvironmentClass, Gate, GateBefore, GateKind, Plan, PlanBody, StepKind,
};
use steadyhand_model::time::Span;

/// Names the rule in records. A changed rule gets a new name.
const RULE: &str = "practice-confirm-1";
/// How long a gate of the built-in policy stays open.
const GATE_WITHIN: Span = Span::from_mins(30);

#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("no policy covers environments of class {class:?} in this version")]
    NotCovered { class: EnvironmentClass },
    #[error("the built-in policy is broken")]
    Name {
        #[source]
        source: steadyhand_model::ids::IdError,
    },
}

/// The gates that policy asks for over a plan without gates.
///
/// # Errors
/// If no policy covers the environment: then nothing may be planned for it.
pub(crate) fn gates(body: &PlanBody, ask_again: &[StepId]) -> Result<Vec<Gate>, PolicyError> {
    if body.environment.class != EnvironmentClass::Practice {
        return Err(PolicyError::NotCovered { class: body.environment.class });
    }
    let named = |source| PolicyError::Name { source };
    let why: PolicyId = RULE.parse().map_err(named)?;
    let mut gates = Vec::new();
    if body.writes() {
        let id: GateId = "start".parse().map_err(named)?;
        let kind = GateKind::Confirm { why: vec![why.clone()] };
        gates.push(Gate { id, before: GateBefore::Start, within: GATE_WITHIN, kind });
    }
    for step in ask_again {
        let id: GateId = format!("before.{step}").parse().map_err(named)?;
        let kind = GateKind::Confirm { why: vec![why.clone()] };
        gates.push(Gate { id, before: GateBefore::Step(step.clone()), within: GATE_WITHIN, kind });
    }
    Ok(gates)
}

/// Policy at the moment of an intent: the plan's gates must be exactly what policy asks for now.
pub(crate) fn at_intent(plan: &Plan, at: &At) -> PolicyAnswer {
    let body = plan.body();
    let again: Vec<StepId> = body
        .gates
        .iter()
        .filter_map(|g| match &g.before {
            GateBefore::Step(step) => Some(step.clone()),
            GateBefore::Start => None,
        })
        .collect();
    let writes = plan.step(&at.step).is_some_and(|s| matches!(s.kind, StepKind::Write(_)));
    match gates(body, &again) {
        Ok(wanted) if wanted == body.gates && writes => {
            PolicyAnswer::Unchanged { policy: Digest::of(RULE.as_bytes()) }
        }
        Ok(_) => {
            PolicyAnswer::Changed { why: "policy asks for other gates than the plan has".into() }
        }
        Err(error) => PolicyAnswer::Changed { why: error.to_string() },
    }
}
