//! S3: at each intent every gate before it had its people, over that run and that plan.

use std::collections::BTreeSet;

use crate::judge::form::{Actor, Approval, Decision, Event, Gate, GateBefore, GateKind, Leg, Plan};
use crate::judge::run::{Entry, Run};
use crate::judge::{Finding, Property};

const PRACTICE: &str = "practice";

pub(super) fn check(run: &Run<'_>, findings: &mut Vec<Finding>) {
    let Some(plan) = run.plan else { return };
    let mut said: Vec<&Approval> = Vec::new();
    let mut denied = false;
    let mut begun = false;
    for entry in &run.entries {
        match &entry.event {
            Event::Approved { approval } => said.push(approval),
            Event::Denied {} => denied = true,
            Event::Intended { at, .. } if at.leg == Leg::Forward => {
                if denied {
                    let what = format!("{at} is intended after a no");
                    findings.push(run.finding(Property::S3, Some(entry.seq), what));
                }
                for gate in &plan.gates {
                    let before_this = match &gate.before {
                        // A yes to the start is used up by the first intent.
                        GateBefore::Start => !begun,
                        GateBefore::Step(step) => *step == at.step && at.attempt == 1,
                    };
                    if before_this {
                        satisfied(run, plan, gate, &said, entry, findings);
                    }
                }
                begun = true;
            }
            // An undo is covered by the gates of what it undoes: something was intended before it.
            Event::Intended { at, .. } if !begun => {
                let what = format!("{at} is intended, and nothing was done before it");
                findings.push(run.finding(Property::S3, Some(entry.seq), what));
            }
            _ => {}
        }
    }
}

fn satisfied(
    run: &Run<'_>,
    plan: &Plan,
    gate: &Gate,
    said: &[&Approval],
    intent: &Entry,
    findings: &mut Vec<Finding>,
) {
    let valid = said.iter().filter(|approval| {
        approval.gate == gate.id
            && approval.run == run.id
            && approval.plan == run.created.plan
            && approval.decision == Decision::Approve
            && approval.expires > intent.at
            && may_decide(plan, &approval.by)
    });
    let (have, need) = match &gate.kind {
        GateKind::Confirm(_) => {
            let by_requester = valid.filter(|approval| approval.by == run.created.requester);
            (usize::from(by_requester.count() > 0), 1)
        }
        GateKind::Approvals { count, from, others, min } => {
            let counted: BTreeSet<&Actor> = valid
                .filter(|approval| approval.team.as_ref() == Some(from))
                .filter(|approval| approval.evidence.strength() >= *min)
                .filter(|approval| !*others || approval.by != run.created.requester)
                .map(|approval| &approval.by)
                .collect();
            (counted.len(), usize::from(*count))
        }
    };
    if have < need {
        let what = format!("the gate `{}` has {have} of {need} when a call is intended", gate.id);
        findings.push(run.finding(Property::S3, Some(intent.seq), what));
    }
}

/// A model or an alert never counts; the practice world answers only for itself.
fn may_decide(plan: &Plan, by: &Actor) -> bool {
    match by {
        Actor::Person(_) => true,
        Actor::Practice => plan.environment.class == PRACTICE,
        Actor::Alert(_) | Actor::Agent => false,
    }
}
