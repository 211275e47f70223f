//! A run that has ended: how, what was done and when, what it changed, what is not known, what is recorded.

use std::collections::BTreeMap;
use steadyhand_api::view::{Observed, RunPhase, RunView, StepStage, StepView};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::outcome::{Outcome, RunOutcome};
use steadyhand_model::reading::{Facts, Verdict};

use super::Item;
use super::times::{Day, Lasted};
use super::{Screen, Words, data, next, progress, run, say, story, vocabulary};

/// Most changed values in the table of before and after.
const CHANGED_SHOWN: usize = 12;
/// Most events in a summary; `steady history` has them all.
const TOLD_SHOWN: usize = 16;

/// Whether the lines of the run stand above the summary already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Story {
    Shown,
    Untold,
}

pub(crate) fn screen(view: &RunView, outcome: RunOutcome, above: Story) -> Screen {
    let mut screen = Screen::new();
    let head = vocabulary::outcome(outcome).say("  ").join(run::title(view));
    let lasted = data(Lasted(view.line.changed.since(view.line.created)));
    screen.item(Item::text(head).right(lasted));
    screen.text(means(view, outcome));
    if let Some(why) = &view.why {
        screen.text(data(why));
    }
    if above == Story::Untold {
        progress::clock(&mut screen, view.clock);
        screen.blank();
        told(&mut screen, view);
        screen.blank();
        progress::steps(&mut screen, view);
    }
    screen.blank();
    observed(&mut screen, &view.observed);
    screen.blank();
    for unknown in not_known(view) {
        screen.fact("NOT KNOWN", unknown);
    }
    if let Some(predecessor) = &view.predecessor {
        screen.fact("FOLLOWS", say("run ").data(predecessor));
    }
    if let Some(successor) = &view.successor {
        screen.fact("GOES ON", say("as run ").data(successor));
    }
    let recorded =
        Words::new().count(view.head.0, "event", "events").say(" recorded, the last one ");
    screen.fact(
        "EVIDENCE",
        recorded
            .data(view.head_hash.short())
            .say("; begun ")
            .data(Day(view.line.created))
            .say(" UTC"),
    );
    next::of_run(&mut screen, view);
    screen
}

/// The screen for a run, whatever its state.
pub(crate) fn or_progress(view: &RunView) -> Screen {
    after(view, Story::Untold)
}

/// The screen that ends the following of a run.
pub(crate) fn after(view: &RunView, above: Story) -> Screen {
    match view.line.phase {
        RunPhase::Finished(outcome) => screen(view, outcome, above),
        RunPhase::Waiting | RunPhase::Running | RunPhase::Paused | RunPhase::Stopped => {
            progress::screen(view)
        }
    }
}

/// What the outcome comes to, no further than the record goes.
fn means(view: &RunView, outcome: RunOutcome) -> Words {
    let words = say(vocabulary::outcome_means(outcome));
    if outcome != RunOutcome::Succeeded {
        return words.say(".");
    }
    let words = match unverified(view) {
        0 => words.say(" and verified"),
        count => words.say("; nothing verified ").data(count).say(" of them"),
    };
    let acted = || view.steps.iter().filter(|step| step.sent > 0);
    if acted().count() > 0 && acted().all(|step| step.sent == 1) {
        words.say("; each call was sent once.")
    } else {
        words.say(".")
    }
}

/// How many steps that acted have no verification that holds.
fn unverified(view: &RunView) -> usize {
    let holds = |step: &&StepView| step.verdict.as_ref().is_some_and(Verdict::holds);
    view.steps.iter().filter(|step| step.sent > 0 && !holds(step)).count()
}

fn told(screen: &mut Screen, view: &RunView) {
    let lines: Vec<(_, story::Told)> = view
        .told
        .iter()
        .filter_map(|told| story::tell(&told.event).map(|line| (told.at, line)))
        .filter(|(_, line)| line.head != say("intent"))
        .collect();
    let skipped = lines.len().saturating_sub(TOLD_SHOWN);
    if skipped > 0 {
        screen.text(
            say("(")
                .data(skipped)
                .say(" earlier lines: steady history ")
                .data(&view.line.short)
                .say(")"),
        );
    }
    for (at, line) in lines.into_iter().skip(skipped) {
        screen.item(line.dated(at));
    }
}

/// What the kept reads show before and after, where it differs.
fn observed(screen: &mut Screen, observed: &[Observed]) {
    let mut rows = Vec::new();
    for kept in observed {
        let (Some(before), Some(after)) = (&kept.before, &kept.after) else {
            continue;
        };
        let (before, after) = (leaves(before), leaves(after));
        for (name, was) in &before {
            let now = after.get(name);
            if now != Some(was) {
                let now = now.map_or_else(|| say("gone"), data);
                rows.push(vec![data(name), data(was), now]);
            }
        }
        for (name, now) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
            rows.push(vec![data(name), say("none"), data(now)]);
        }
    }
    if rows.is_empty() {
        return;
    }
    let more = rows.len().saturating_sub(CHANGED_SHOWN);
    rows.truncate(CHANGED_SHOWN);
    rows.insert(0, vec![say(""), say("before"), say("after")]);
    screen.table(2, rows);
    if more > 0 {
        screen.text(say("  and ").data(more).say(" more in -o json"));
    }
}

/// `workload.ready` = `3`: the plain values of facts, one level into objects.
fn leaves(facts: &Facts) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    for (name, value) in facts {
        match value.read::<BTreeMap<String, CanonicalJson>>() {
            Ok(fields) => {
                for (field, value) in fields {
                    leaves.insert(format!("{name}.{field}"), plain(&value));
                }
            }
            Err(_not_an_object) => {
                leaves.insert(name.clone(), plain(value));
            }
        }
    }
    leaves
}

/// Text without its quotes, anything else as JSON.
fn plain(value: &CanonicalJson) -> String {
    value.read::<String>().unwrap_or_else(|_not_text| value.as_str().to_owned())
}

/// What the record leaves open. Never empty words: only what a step itself says.
fn not_known(view: &RunView) -> Vec<Words> {
    let mut unknown = Vec::new();
    for step in &view.steps {
        let name = || data(&step.step).say(": ");
        match (&step.stage, &step.outcome) {
            (StepStage::Person { puzzle }, _) => {
                unknown.push(name().say(vocabulary::puzzle(*puzzle)));
            }
            (_, Some(Outcome::Unknown(doubt))) => {
                let words =
                    name().say("whether its call happened (").say(vocabulary::doubt(doubt.kind));
                unknown.push(words.say(": ").data(&doubt.why).say(")"));
            }
            _ => {}
        }
        if let Some(Verdict::CannotTell { check, why }) = &step.verdict {
            unknown.push(name().data(check).say(" (").data(why).say(")"));
        }
    }
    unknown
}
