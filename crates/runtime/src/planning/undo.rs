//! The undo of a finished run: a plan of its own, from the undo calls that were recorded, the last step first.

use std::sync::Arc;

use steadyhand_engine::run::Run;
use steadyhand_engine::state::StepState;
use steadyhand_model::plan::{
    Inverse, OnFailure, PLAN_FORMAT, Plan, PlanBody, Step, StepKind, Undo, WriteStep,
};
use steadyhand_model::reading::{Call, Facts};

use super::error::PlanningError;
use super::{Planned, Tools, run_within, steps};
use crate::policy;

/// Plans the undo of everything that a finished run wrote and that is not undone yet. None: there is nothing.
///
/// # Errors
/// What stands in the way. A step that cannot be undone stands in the way of those before it.
pub async fn undo(run: &Run, tools: &Tools) -> Result<Option<Planned>, PlanningError> {
    let old = run.plan().body();
    let mut planned = Vec::new();
    let mut radius = steps::nothing();
    let wrote: Vec<&Step> = run
        .steps()
        .filter(|(_, state)| state.wrote && state.state != StepState::Undone)
        .map(|(step, _)| step)
        .collect();
    for step in wrote.into_iter().rev() {
        let StepKind::Write(write) = &step.kind else {
            continue;
        };
        match &write.undo {
            Undo::NothingToUndo { .. } => {}
            Undo::Irreversible { reason } => {
                return Err(PlanningError::Refused {
                    step: step.id.clone(),
                    why: format!("it cannot be undone: {reason}"),
                });
            }
            Undo::Inverse(inverse) => {
                let batch = u32::try_from(planned.len()).unwrap_or(u32::MAX);
                if let Some((step, own)) = inverse_step(step, write, inverse, batch, tools).await? {
                    steps::merge(&mut radius, own);
                    planned.push(step);
                }
            }
        }
    }
    if planned.is_empty() {
        return Ok(None);
    }
    let now = tools.clock.now();
    let mut body = PlanBody {
        format: PLAN_FORMAT,
        environment: old.environment.clone(),
        library: old.library.clone(),
        runbook: old.runbook.clone(),
        alert: old.alert.clone(),
        bindings: old.bindings.clone(),
        require: vec![],
        run_within: run_within(&planned),
        steps: planned,
        left_out: vec![],
        radius,
        // What was allowed to be done may be undone: no rate stands in the way of going back.
        limits: steadyhand_model::plan::Limits {
            rates: vec![],
            environment_rates: vec![],
            ..old.limits.clone()
        },
        gates: vec![],
        done: None,
        valid_for: old.valid_for,
    };
    body.gates = policy::gates(&body, &[])
        .map_err(|source| PlanningError::Policy { source: Box::new(source) })?;
    let plan = Plan::seal(body).map_err(|source| PlanningError::Seal { source })?;
    Ok(Some(Planned { plan: Arc::new(plan), at: now, facts: Facts::new() }))
}

async fn inverse_step(
    step: &Step,
    write: &WriteStep,
    inverse: &Inverse,
    batch: u32,
    tools: &Tools,
) -> Result<Option<(Step, steadyhand_model::plan::BlastRadius)>, PlanningError> {
    let refused = |why: String| PlanningError::Refused { step: step.id.clone(), why };
    let spec = tools
        .catalogue
        .action(&inverse.call.action)
        .ok_or_else(|| refused(format!("no tool server offers {}", inverse.call.action)))?;
    // The recorded call is complete for the state that it expected then; only what was asked is planned anew.
    let recorded = inverse.call.args.to_json();
    let args = spec
        .args
        .iter()
        .filter_map(|field| {
            Some((field.name.to_string(), recorded.get(field.name.as_str())?.clone()))
        })
        .collect::<serde_json::Map<_, _>>();
    let args = steadyhand_model::canonical::CanonicalJson::of(&args)
        .map_err(|source| PlanningError::Canonical { source })?;
    let call = Call { action: inverse.call.action.clone(), args };
    let preview = tools
        .host
        .preview(call, tools.clock.now())
        .await
        .map_err(|error| refused(error.to_string()))?;
    if !preview.missing_permissions.is_empty() {
        return Err(PlanningError::Forbidden {
            step: step.id.clone(),
            missing: preview.missing_permissions,
        });
    }
    if preview.nothing_to_do.is_some() {
        return Ok(None);
    }
    let undo = match preview.undo {
        Some(inverse) => Undo::Inverse(Box::new(inverse)),
        None => Undo::NothingToUndo { why: "it is an undo itself".into() },
    };
    let kind = StepKind::Write(Box::new(WriteStep {
        effect: spec.effect,
        call: preview.call,
        targets: preview.targets,
        preview: preview.preview,
        before: preview.before,
        measure: vec![],
        verify: preview.verify,
        undo,
        idempotency: spec.idempotency,
        call_max: spec.call_max,
        quiescence: spec.quiescence,
        attempts: write.attempts,
        backoff: write.backoff,
        command: preview.command,
    }));
    let id =
        format!("undo.{}", step.id).parse().map_err(|source| PlanningError::Name { source })?;
    let undone = Step {
        id,
        batch,
        group: None,
        title: format!("undo {}: {}", step.id, inverse.shown),
        when: None,
        timeout: spec.timeout_max,
        on_failure: OnFailure::HandOver,
        kind,
    };
    Ok(Some((undone, preview.radius)))
}
