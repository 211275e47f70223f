//! S9: two runs never write to the same target at once. Rows of all streams are in the order of their commits, so the
//! order of two runs is known without comparing their clocks.

use std::collections::BTreeMap;

use crate::judge::form::{At, Event, Leg, Purpose, Undo, Verdict};
use crate::judge::run::{Attempts, Entry, Known, Run};
use crate::judge::{Finding, Property};

/// Who holds a target: the run and the step.
type Holders<'a> = BTreeMap<&'a str, (&'a str, &'a str)>;

pub(super) fn check(runs: &[Run<'_>], findings: &mut Vec<Finding>) {
    let mut rows: Vec<(&Run<'_>, &Entry)> =
        runs.iter().flat_map(|run| run.entries.iter().map(move |entry| (run, entry))).collect();
    rows.sort_by_key(|(_, entry)| entry.place);
    let mut held: Holders<'_> = BTreeMap::new();
    let mut attempts: BTreeMap<&str, Attempts> = BTreeMap::new();
    for (run, entry) in rows {
        let known = attempts.entry(&run.id).or_default();
        known.take_in(run, entry);
        match &entry.event {
            Event::LeasesTaken { at, targets } => {
                for target in targets {
                    if let Some((holder, _)) = held.get(target.as_str())
                        && *holder != run.id
                    {
                        let what = format!("{at} takes {target}, which {holder} still holds");
                        findings.push(run.finding(Property::S9, Some(entry.seq), what));
                    }
                    held.insert(target, (&run.id, &at.step));
                }
            }
            Event::Intended { at, .. } => {
                let planned = run.plan.and_then(|plan| plan.write(&at.step));
                for target in planned.iter().flat_map(|write| &write.targets) {
                    if held.get(target.key.as_str()).is_none_or(|(holder, _)| *holder != run.id) {
                        let what = format!("{at} is intended without holding {}", target.key);
                        findings.push(run.finding(Property::S9, Some(entry.seq), what));
                    }
                }
            }
            event => release(run, event, known, &mut held),
        }
    }
}

/// What an event lets go. An unknown keeps its targets, also after the run has ended.
fn release<'a>(run: &'a Run<'_>, event: &Event, known: &Attempts, held: &mut Holders<'a>) {
    let at = match event {
        Event::Returned { at, .. } | Event::Probed { at, .. } => match known.get(at) {
            Some(Known::NotDone | Known::Closed) => at,
            Some(Known::Done) if !verifies(run, at) => at,
            _ => return,
        },
        Event::Settled { at, .. } if known.get(at) != Some(Known::Open) => at,
        Event::Checked { at, purpose: Purpose::Verify, verdict } => match verdict {
            Verdict::Holds(_) | Verdict::Fails(_) => at,
            Verdict::CannotTell(_) => return,
        },
        Event::Finished { .. } | Event::UndoBegan {} => {
            let open: Vec<&str> = known.open().map(|at| at.step.as_str()).collect();
            held.retain(|_, (holder, step)| *holder != run.id || open.contains(step));
            return;
        }
        _ => return,
    };
    held.retain(|_, (holder, step)| *holder != run.id || *step != at.step);
}

fn verifies(run: &Run<'_>, at: &At) -> bool {
    let Some(write) = run.plan.and_then(|plan| plan.write(&at.step)) else { return true };
    match (at.leg, &write.undo) {
        (Leg::Forward, _) => write.verify.is_some(),
        (Leg::Undo, Undo::Inverse { verify, .. }) => verify.is_some(),
        (Leg::Undo, Undo::Needless(_) | Undo::Irreversible(_)) => false,
    }
}
