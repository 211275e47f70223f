//! `steady history`: runs, newest first; and one run, event by event.

use steadyhand_api::view::{RunLine, RunView};

use super::times::{Clock, Day, Lasted};
use super::{Item, Mark, Screen, Tone, Words, data, next, progress, run, say, story, vocabulary};

pub(crate) fn list(runs: &[RunLine], more: u64) -> Screen {
    let mut screen = Screen::new();
    if runs.is_empty() {
        return super::status::nothing();
    }
    let head = ["run", "begun (UTC)", "runbook", "on", "outcome"];
    let mut rows = vec![head.into_iter().map(|w| Words::new().toned(Tone::Faint, w)).collect()];
    rows.extend(runs.iter().map(row));
    screen.table(0, rows);
    if more > 0 {
        screen.text(say("and ").data(more).say(" more: --limit N"));
    }
    screen.blank();
    if let Some(first) = runs.first() {
        screen.text(say("  steady history ").data(&first.short));
    }
    screen
}

fn row(line: &RunLine) -> Vec<Words> {
    let place = vocabulary::place(line.class, &line.environment).say(" ").data(&line.subject);
    vec![
        data(&line.short),
        data(Day(line.created)),
        data(&line.runbook),
        place,
        super::status::phase(line.phase),
    ]
}

/// Every event that the view holds.
pub(crate) fn one(view: &RunView) -> Screen {
    let mut screen = Screen::new();
    let lasted = data(Lasted(view.line.changed.since(view.line.created)));
    screen.item(Item::text(run::title(view)).right(lasted));
    let words = say("begun ")
        .data(Day(view.line.created))
        .say(" UTC, plan ")
        .data(view.plan.digest.short());
    screen.text(words);
    progress::clock(&mut screen, view.clock);
    screen.blank();
    if let Some(first) = view.told.first().filter(|told| told.seq.0 > 1) {
        let before = first.seq.0.saturating_sub(1);
        screen.text(say("(").data(before).say(" earlier events are not shown)"));
    }
    for told in &view.told {
        if let Some(line) = story::tell(&told.event) {
            screen.item(line.dated(told.at));
        }
    }
    screen.blank();
    let words = Words::new().count(view.head.0, "event", "events").say(" recorded, the last one");
    screen.fact("EVIDENCE", words);
    screen.item(Item::text(data(view.head_hash)).indent(2));
    next::of_run(&mut screen, view);
    screen
}

/// The lines above the card of a run that an alert or a drill made.
pub(crate) fn opening(view: &RunView) -> Screen {
    let mut screen = Screen::new();
    progress::clock(&mut screen, view.clock);
    screen.blank();
    let at = |word: &'static str, text: Words| {
        let head = data(Clock(view.plan.planned)).say("  ").say(word);
        Item::text(text).head(head, 20)
    };
    if let Ok(plan) = view.plan.open() {
        let body = plan.body();
        if let Some(alert) = &body.alert {
            screen.item(at("alert", data(&alert.name)));
        }
        let words = data(&body.runbook.name).say("  ");
        screen.item(at("chose", words.join(super::plan::chosen(&view.plan, body))));
        let words =
            data(view.plan.digest.short()).say("  ").join(super::plan::effect(&body.radius));
        screen.item(at("planned", words));
        for left in &body.left_out {
            let words = Words::new().mark(Mark::Idle).say(" ").data(&left.step);
            screen.item(at("", words.say("  not needed: ").data(&left.why)));
        }
    }
    screen.blank();
    screen
}
