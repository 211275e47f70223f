//! S5 and L1: nothing is begun after a stop, and every run ends or waits on a person.

use std::collections::BTreeSet;

use crate::judge::form::{
    At, Event, GateBefore, Kind, Leg, Outcome, Plan, Probe, Purpose, Refusal, Verdict,
};
use crate::judge::read::History;
use crate::judge::run::{Attempts, Run};
use crate::judge::{Finding, Property};

/// The authority to act ends at most this long after a stop: 15 s.
const AUTHORITY: i64 = 15_000_000;
/// The only outcome that may leave a call unknown.
const UNRESOLVED: &str = "unresolved";

pub(super) fn check(run: &Run<'_>, history: &History, at_rest: bool, findings: &mut Vec<Finding>) {
    stopped(run, history, findings);
    let mut attempts = Attempts::default();
    let mut finished = false;
    for entry in &run.entries {
        if finished && !matches!(entry.event, Event::Settled { .. }) {
            findings.push(run.finding(
                Property::L1,
                Some(entry.seq),
                "the run goes on after its end",
            ));
        }
        attempts.take_in(run, entry);
        if let Event::Finished { outcome } = &entry.event {
            finished = true;
            for at in attempts.open().filter(|_| outcome != UNRESOLVED) {
                let what = format!("the run ends as {outcome} while {at} is unknown");
                findings.push(run.finding(Property::S4, Some(entry.seq), what));
            }
        }
    }
    let first = run.entries.first().map_or(0, |entry| entry.at);
    if run.created.ends <= first || run.created.expires <= first {
        findings.push(run.finding(Property::L1, Some(1), "the run has no time in which to end"));
    }
    if at_rest && !finished && run.plan.is_none_or(|plan| !waits(run, plan)) {
        let what = "the run neither has ended nor waits on a person";
        findings.push(run.finding(Property::L1, None, what));
    }
}

fn stopped(run: &Run<'_>, history: &History, findings: &mut Vec<Finding>) {
    let stop = run.entries.iter().find(|entry| matches!(entry.event, Event::Stopped {}));
    let Some(stop) = stop else { return };
    for entry in run.entries.iter().filter(|entry| entry.seq > stop.seq) {
        if let Event::Intended { at, .. } = &entry.event {
            let what = format!("{at} is intended after the stop of row {}", stop.seq);
            findings.push(run.finding(Property::S5, Some(entry.seq), what));
        }
    }
    for applied in history.applied().filter(|applied| applied.attempt.run == run.id) {
        if applied.at > stop.at.saturating_add(AUTHORITY) {
            let what = format!("{} was sent later than 15 s after the stop", applied.attempt.at());
            findings.push(run.finding(Property::S5, Some(stop.seq), what));
        }
    }
}

/// What the last events of a run leave it waiting for.
#[derive(Default)]
struct Stand<'a> {
    satisfied: BTreeSet<&'a str>,
    begun: BTreeSet<&'a str>,
    answered: BTreeSet<&'a str>,
    /// Calls about which only a person can say more.
    puzzles: BTreeSet<&'a str>,
    paused: bool,
    stopped: bool,
}

/// Whether the run waits on a person: at a gate, at a question, paused, stopped, or with an unknown nobody can probe.
fn waits(run: &Run<'_>, plan: &Plan) -> bool {
    let mut stand = Stand::default();
    for entry in &run.entries {
        stand.take_in(plan, &entry.event);
    }
    let at_gate = plan.gates.iter().any(|gate| {
        !stand.satisfied.contains(gate.id.as_str())
            && match &gate.before {
                GateBefore::Start => true,
                GateBefore::Step(step) => stand.begun.contains(step.as_str()),
            }
    });
    let asked = plan.steps.iter().any(|step| {
        matches!(step.kind, Kind::Ask(_))
            && stand.begun.contains(step.id.as_str())
            && !stand.answered.contains(step.id.as_str())
    });
    at_gate || asked || stand.paused || stand.stopped || !stand.puzzles.is_empty()
}

impl<'a> Stand<'a> {
    fn take_in(&mut self, plan: &Plan, event: &'a Event) {
        match event {
            Event::GateSatisfied { gate } => {
                self.satisfied.insert(gate);
            }
            Event::Began { step } => {
                self.begun.insert(step);
            }
            Event::Answered { step } => {
                self.answered.insert(step);
            }
            Event::Paused {} => self.paused = true,
            Event::Resumed {} => self.paused = false,
            Event::Stopped {} => self.stopped = true,
            Event::Released {} => self.stopped = false,
            Event::Probed { at, verdict } => {
                let puzzle = match verdict {
                    Probe::Done(_) => false,
                    Probe::Unknown(_) => true,
                    Probe::NotDone => !may_be_repeated(plan, at),
                };
                self.puzzle(at, puzzle);
            }
            Event::Checked { at, purpose: Purpose::Verify, verdict } => {
                self.puzzle(at, matches!(verdict, Verdict::CannotTell(_)));
            }
            Event::Returned { at, outcome } => {
                let conflict = matches!(outcome, Outcome::NotDone { kind: Refusal::Conflict });
                self.puzzle(at, conflict && at.leg == Leg::Undo);
            }
            Event::Settled { at, .. } | Event::Intended { at, .. } => self.puzzle(at, false),
            _ => {}
        }
    }

    fn puzzle(&mut self, at: &'a At, is_one: bool) {
        if is_one {
            self.puzzles.insert(&at.step);
        } else {
            self.puzzles.remove(at.step.as_str());
        }
    }
}

fn may_be_repeated(plan: &Plan, at: &At) -> bool {
    plan.write(&at.step).is_some_and(|write| write.idempotency != "none")
}
