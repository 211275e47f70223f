//! S6: effects stay within the planned targets, targets within limits, and a surprise change blocks the next call.

use std::collections::BTreeSet;

use crate::judge::form::{At, Event, Leg, Plan, Purpose, Verdict};
use crate::judge::read::History;
use crate::judge::run::Run;
use crate::judge::{Finding, Property};

pub(super) fn check(run: &Run<'_>, history: &History, findings: &mut Vec<Finding>) {
    let Some(plan) = run.plan else { return };
    for effect in history.effects().filter(|effect| effect.attempt.run == run.id) {
        let at = effect.attempt.at();
        let planned = plan.write(&at.step).map(|write| &write.targets);
        if planned.is_none_or(|targets| targets.iter().all(|t| t.uid != effect.attempt.uid)) {
            let what =
                format!("{at} changed {}, which is not among its targets", effect.attempt.uid);
            findings.push(run.finding(Property::S6, None, what));
        }
    }
    let intended = run.entries.iter().any(|entry| matches!(entry.event, Event::Intended { .. }));
    if intended {
        within_limits(run, plan, findings);
    }
    rechecked(run, plan, findings);
}

fn within_limits(run: &Run<'_>, plan: &Plan, findings: &mut Vec<Finding>) {
    let mut over = |name: &str, found: u64, limit: Option<u64>| {
        if let Some(limit) = limit.filter(|limit| found > *limit) {
            let what = format!("the plan touches {found} {name}, its limit is {limit}");
            findings.push(run.finding(Property::S6, Some(1), what));
        }
    };
    let targets: BTreeSet<&str> = plan
        .steps
        .iter()
        .filter_map(|step| plan.write(&step.id))
        .flat_map(|write| write.targets.iter().map(|target| target.uid.as_str()))
        .collect();
    over("targets", count(targets.len()), plan.limits.targets);
    over("zones", count(plan.radius.zones.len()), plan.limits.zones);
    let lost = plan.radius.unavailable.saturating_mul(1000);
    let allowed = plan.limits.unavailable.map(|limit| limit.saturating_mul(plan.radius.population));
    over("thousandths of its population", lost, allowed);
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// The last look before a call held: the step's own preconditions, and the runbook's before the first call.
fn rechecked(run: &Run<'_>, plan: &Plan, findings: &mut Vec<Finding>) {
    let mut begun = false;
    for (index, entry) in run.entries.iter().enumerate() {
        let Event::Intended { at, .. } = &entry.event else { continue };
        if at.leg == Leg::Undo {
            continue;
        }
        let before = run.entries.get(..index).unwrap_or(&[]);
        let last = |purpose: Purpose, which: Option<&At>| {
            before.iter().rev().find_map(|e| match &e.event {
                Event::Checked { at, purpose: p, verdict }
                    if *p == purpose && which.is_none_or(|which| which == at) =>
                {
                    Some(matches!(verdict, Verdict::Holds(_)))
                }
                _ => None,
            })
        };
        let looks = plan.write(&at.step).is_some_and(|write| !write.before.is_empty());
        if looks && last(Purpose::Before, Some(at)) != Some(true) {
            let what = format!("{at} is intended without a look before it that held");
            findings.push(run.finding(Property::S6, Some(entry.seq), what));
        }
        if !begun && !plan.require.is_empty() && last(Purpose::Require, None) != Some(true) {
            let what = format!("{at} is intended although what the runbook requires did not hold");
            findings.push(run.finding(Property::S6, Some(entry.seq), what));
        }
        begun = true;
    }
}
