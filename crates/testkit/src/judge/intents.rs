//! S1, S2 and S4: every effect was intended first, is the planned call, and was sent once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::judge::canonical;
use crate::judge::form::{At, Event, Leg, Settlement};
use crate::judge::read::{Applied, History};
use crate::judge::run::{Attempts, Entry, Known, Run, earlier, planned_call};
use crate::judge::{Finding, Property};

struct Intent<'a> {
    seq: u64,
    at: i64,
    call: &'a str,
    fence: u64,
}

pub(super) fn check(run: &Run<'_>, history: &History, findings: &mut Vec<Finding>) {
    let mut intents: BTreeMap<&At, Intent<'_>> = BTreeMap::new();
    let mut attempts = Attempts::default();
    let mut fence = 0;
    for entry in &run.entries {
        if let Event::TakenOver { fence: raised } = entry.event {
            if raised <= fence {
                findings.push(run.finding(
                    Property::S4,
                    Some(entry.seq),
                    "the fence does not rise",
                ));
            }
            fence = raised;
        }
        if let Event::Intended { at, call, fence: under } = &entry.event {
            let seq = Some(entry.seq);
            if *under != fence {
                let what =
                    format!("{at} is intended under the fence {under}, the run's is {fence}");
                findings.push(run.finding(Property::S4, seq, what));
            }
            if intents.contains_key(at) {
                let what = format!("{at} is intended twice");
                findings.push(run.finding(Property::S4, seq, what));
            }
            planned(run, entry, at, call, findings);
            follows(run, entry, at, &attempts, findings);
            let intent = Intent { seq: entry.seq, at: entry.at, call, fence: *under };
            intents.entry(at).or_insert(intent);
        }
        attempts.take_in(run, entry);
    }
    for applied in history.applied().filter(|applied| applied.attempt.run == run.id) {
        match intents.get(&applied.attempt.at()) {
            Some(intent) => sent(run, intent, applied, findings),
            None => {
                let what = format!("{} was sent, and never intended", applied.attempt.at());
                findings.push(run.finding(Property::S1, None, what));
            }
        }
    }
    once(run, history, findings);
    believed(run, history, &attempts, findings);
}

/// Effects of runs that the journal does not know.
pub(super) fn strangers(runs: &[Run<'_>], history: &History, findings: &mut Vec<Finding>) {
    for applied in history.applied() {
        if runs.iter().all(|run| run.id != applied.attempt.run) {
            findings.push(Finding {
                property: Property::S1,
                run: Some(applied.attempt.run.clone()),
                seq: None,
                what: format!(
                    "{} was sent for a run that is not in the journal",
                    applied.attempt.at()
                ),
            });
        }
    }
}

/// S2 in the journal: what is intended is what the plan has.
fn planned(run: &Run<'_>, entry: &Entry, at: &At, call: &str, findings: &mut Vec<Finding>) {
    let Some(plan) = run.plan else { return };
    let digest = planned_call(plan, &at.step, at.leg).and_then(canonical::text);
    let digest = digest.map(|text| canonical::digest(text.as_bytes()));
    if digest.as_deref() != Some(call) {
        let what = format!("{at}: the call intended is not the one planned");
        findings.push(run.finding(Property::S2, Some(entry.seq), what));
    }
    if let Some(write) = plan.write(&at.step)
        && at.attempt > write.attempts
        && !settled_as(run, at, Settlement::Retry)
    {
        let what = format!("{at}: the plan allows {} attempts", write.attempts);
        findings.push(run.finding(Property::S4, Some(entry.seq), what));
    }
}

/// S4 in the journal: another attempt only after the one before it provably did not happen.
fn follows(
    run: &Run<'_>,
    entry: &Entry,
    at: &At,
    attempts: &Attempts,
    findings: &mut Vec<Finding>,
) {
    let Some(before) = earlier(at) else { return };
    let what = match attempts.get(&before) {
        Some(Known::NotDone) => return,
        Some(Known::Open) => format!("{at} is intended while {before} is unknown"),
        Some(Known::Done | Known::Closed) => {
            format!("{at} is intended although {before} was not refused")
        }
        None => format!("{at} is intended, and {before} never was"),
    };
    findings.push(run.finding(Property::S4, Some(entry.seq), what));
}

fn settled_as(run: &Run<'_>, at: &At, wanted: Settlement) -> bool {
    run.entries.iter().any(|entry| {
        matches!(&entry.event, Event::Settled { at: which, settlement }
            if which.step == at.step && which.leg == at.leg && *settlement == wanted)
    })
}

/// S1 and S2 at the world: what arrived names its intent, came after it, and is the planned call.
fn sent(run: &Run<'_>, intent: &Intent<'_>, applied: Applied<'_>, findings: &mut Vec<Finding>) {
    let told = applied.attempt;
    let at = told.at();
    let seq = Some(intent.seq);
    if applied.at < intent.at {
        let what = format!("{at} reached its target before it was intended");
        findings.push(run.finding(Property::S1, seq, what));
    }
    if told.plan != run.created.plan {
        let what = format!("{at} was sent under another plan");
        findings.push(run.finding(Property::S1, seq, what));
    }
    if told.fence != intent.fence {
        let what = format!(
            "{at} was sent under the fence {}, intended under {}",
            told.fence, intent.fence
        );
        findings.push(run.finding(Property::S4, seq, what));
    }
    let call: Value = json!({ "action": told.action, "args": told.args });
    let text = canonical::text(&call);
    let digest = text.as_ref().map(|text| canonical::digest(text.as_bytes()));
    if digest.as_deref() != Some(intent.call) || told.call != intent.call {
        let what = format!("{at}: the call made is not the one intended");
        findings.push(run.finding(Property::S2, seq, what));
    }
    let planned = run.plan.and_then(|plan| planned_call(plan, &told.step, told.leg));
    if run.plan.is_some() && planned.and_then(canonical::text) != text {
        let what = format!("{at}: the call made is not the one planned");
        findings.push(run.finding(Property::S2, seq, what));
    }
}

/// S4 at the world: one `apply` for each attempt, and one effect for each leg of a step.
fn once(run: &Run<'_>, history: &History, findings: &mut Vec<Finding>) {
    let mut sends: BTreeMap<At, u32> = BTreeMap::new();
    let mut effects: BTreeMap<(String, Leg), u32> = BTreeMap::new();
    for applied in history.applied().filter(|applied| applied.attempt.run == run.id) {
        let at = applied.attempt.at();
        if applied.effect {
            *effects.entry((at.step.clone(), at.leg)).or_default() += 1;
        }
        *sends.entry(at).or_default() += 1;
    }
    for (at, times) in sends.into_iter().filter(|(_, times)| *times > 1) {
        let what = format!("{at} was sent {times} times");
        findings.push(run.finding(Property::S4, None, what));
    }
    for ((step, leg), times) in effects.into_iter().filter(|(_, times)| *times > 1) {
        let at = At { step, leg, attempt: 1 };
        // A person may ask for a second one, knowing that the first may be there.
        if !settled_as(run, &at, Settlement::Retry) {
            let side = if leg == Leg::Forward { "" } else { "the undo of " };
            let what = format!("{side}{} took effect {times} times", at.step);
            findings.push(run.finding(Property::S4, None, what));
        }
    }
}

/// What the run holds for not done is not there, also not later.
fn believed(run: &Run<'_>, history: &History, attempts: &Attempts, findings: &mut Vec<Finding>) {
    for effect in history.effects().filter(|effect| effect.attempt.run == run.id) {
        let at = effect.attempt.at();
        let by_person =
            settled_as(run, &at, Settlement::NotDone) || settled_as(run, &at, Settlement::Retry);
        if attempts.get(&at) == Some(Known::NotDone) && !by_person {
            let what =
                format!("{at} is recorded as not done, and took effect at {}", effect.landed);
            findings.push(run.finding(Property::S4, None, what));
        }
    }
}
