//! Limits: the strictest of all layers, computed in code before anybody is asked. A missing value does not limit.

use steadyhand_model::plan::{Limits, PlanBody};
use steadyhand_model::time::Timestamp;

use super::error::PlanningError;
use super::{Ask, Desk, bind};
use crate::record::rate_subjects;

/// The limits of the runbook, tightened by those of its environment.
pub(crate) fn in_force(ask: &Ask<'_>) -> Limits {
    let (own, place) = (&ask.runbook.limits, &ask.environment.limits);
    let stricter = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    Limits {
        targets: stricter(own.targets, place.targets),
        affected: stricter(own.affected, place.affected),
        unavailable: stricter(own.unavailable, place.unavailable),
        zones: stricter(own.zones, place.zones),
        rates: own.rates.clone(),
        environment_rates: place.rates.clone(),
    }
}

/// Refuses a plan that is over a limit, with what would allow it.
pub(crate) async fn check(
    desk: &Desk<'_>,
    body: &PlanBody,
    now: Timestamp,
) -> Result<(), PlanningError> {
    if !body.writes() {
        return Ok(());
    }
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    at_most("targets", count(body.radius.targets.len()), body.limits.targets)?;
    let affected = body.radius.affected.iter().fold(0_u64, |sum, a| sum.saturating_add(a.count));
    at_most("objects", affected, body.limits.affected)?;
    at_most("zones", count(body.radius.zones.len()), body.limits.zones)?;
    if let Some(max) = body.limits.unavailable {
        let (lost, of) = (body.radius.unavailable, body.radius.population);
        // Rounded against the plan: 34 % of 3 allows one.
        if lost.saturating_mul(1000) > max.saturating_mul(of) {
            let max = bind::percent(i64::try_from(max).unwrap_or(i64::MAX));
            return Err(PlanningError::OverUnavailable { count: lost, population: of, max });
        }
    }
    for (subject, rate) in rate_subjects(body, desk.ask.world) {
        let (used, free_at) = desk
            .journal
            .used(subject.clone(), rate.window, now)
            .await
            .map_err(|source| PlanningError::Journal { source })?;
        if used >= rate.count {
            let free_in = free_at.map(|at| at.since(now));
            return Err(PlanningError::RateSpent {
                subject,
                used,
                count: rate.count,
                window: rate.window,
                free_in,
            });
        }
    }
    Ok(())
}

fn at_most(what: &'static str, count: u64, max: Option<u64>) -> Result<(), PlanningError> {
    match max {
        Some(max) if count > max => Err(PlanningError::OverLimit { what, count, max }),
        _ => Ok(()),
    }
}
