//! `steady status`: what needs a person, what is unknown, what runs, and the last day. Practice stands apart.

use steadyhand_api::view::{Need, RunLine, RunPhase, StatusView};
use steadyhand_model::ids::InstallationName;
use steadyhand_model::outcome::RunOutcome;

use super::times::{Clock, Day, Lasted, left};
use super::{Item, Screen, Tone, Words, data, say, vocabulary};

/// Name of the installation that holds practice runs.
const PRACTICE: &str = "practice";

pub(crate) fn screen(views: &[StatusView]) -> Screen {
    let mut screen = Screen::new();
    for view in views {
        if is_practice(&view.keeper.installation) && views.len() > 1 {
            screen.blank();
            screen.text(
                Words::new().toned(Tone::Strong, "PRACTICE").say("  nothing real is touched"),
            );
        }
        one(&mut screen, view);
    }
    screen
}

/// Nothing was ever run here.
pub(crate) fn nothing() -> Screen {
    let mut screen = Screen::new();
    screen.text(say("No run was ever made here."));
    screen.blank();
    screen.text(say("  steady drill"));
    screen
}

fn is_practice(installation: &InstallationName) -> bool {
    installation.as_str() == PRACTICE
}

fn one(screen: &mut Screen, view: &StatusView) {
    let keeper = &view.keeper;
    for environment in &view.environments {
        let place = vocabulary::place(environment.environment.class, &environment.environment.name);
        screen.text(place.say("  mode ").say(vocabulary::mode(environment.mode)));
    }
    let words = match &view.library {
        Some(library) => vocabulary::library(library),
        None => say("no library"),
    };
    let words = words.say("; keeper ").data(&keeper.version).say(", process ").data(keeper.pid);
    screen.text(words.say(", since ").data(Day(keeper.since)).say(" UTC"));

    let unknown = |line: &&RunLine| line.needs.iter().any(|n| matches!(n, Need::Settlement { .. }));
    let needs = |line: &&RunLine| !line.needs.is_empty() && !unknown(line);
    let open = &view.open;
    section(screen, "NEEDS A PERSON", "left", open.iter().filter(needs));
    section(screen, "UNKNOWN", "since", open.iter().filter(unknown));
    section(screen, "RUNNING", "for", open.iter().filter(|line| line.needs.is_empty()));
    if view.open_more > 0 {
        screen.text(say("  and ").data(view.open_more).say(" open runs more"));
    }
    screen.blank();
    if open.is_empty() {
        screen.text(say("No run is open."));
    }
    screen.text(day(view));
    screen.blank();
    let first =
        open.iter().find(needs).or_else(|| open.iter().find(unknown)).or_else(|| open.first());
    screen.text(say("  ").join(first.map_or_else(|| say("steady history"), next)));
}

/// What to type about the run that is most in need.
fn next(line: &RunLine) -> Words {
    let verb = |verb: &'static str| say(verb).data(&line.short);
    match line.needs.first() {
        Some(Need::Decision { .. }) => super::next::approve(line),
        Some(Need::Answer { step, .. }) => verb("steady answer ").say(" ").data(step).say(" VALUE"),
        Some(Need::Settlement { step, .. }) => {
            verb("steady settle ").say("/").data(step).say(" WHAT --reason TEXT")
        }
        Some(Need::Resume { .. }) => verb("steady resume "),
        Some(Need::Release { .. }) => verb("steady watch "),
        None if line.driven => verb("steady watch "),
        None => verb("steady resume "),
    }
}

fn section<'a>(
    screen: &mut Screen,
    title: &'static str,
    right: &'static str,
    lines: impl Iterator<Item = &'a RunLine>,
) {
    let rows: Vec<Vec<Words>> = lines.map(row).collect();
    if rows.is_empty() {
        return;
    }
    screen.blank();
    let head = Words::new().toned(Tone::Strong, title);
    screen.item(Item::text(head).right(Words::new().toned(Tone::Faint, right)));
    screen.edged(2, rows);
}

fn row(line: &RunLine) -> Vec<Words> {
    let time = line.needs.first().map_or_else(
        || data(Lasted(line.now.since(line.created))),
        |need| match need {
            Need::Decision { until, .. } | Need::Answer { until, .. } => {
                data(left(*until, line.now))
            }
            Need::Settlement { since, .. } => data(Clock(*since)),
            Need::Resume { .. } | Need::Release { .. } => say("-"),
        },
    );
    vec![
        data(&line.short),
        data(&line.runbook),
        data(&line.subject),
        line.needs.first().map_or_else(|| going_on(line), what),
        time,
    ]
}

fn going_on(line: &RunLine) -> Words {
    if line.driven { vocabulary::phase(line.phase) } else { say("nobody drives it") }
}

/// What a run needs, in a cell.
fn what(need: &Need) -> Words {
    match need {
        Need::Decision { from: None, .. } => say("a yes of whoever asked"),
        Need::Decision { from: Some(team), given, count, .. } => {
            data(given).say(" of ").data(count).say(" yes, waits: ").data(team)
        }
        Need::Answer { step, from, .. } => data(step).say(" asks ").data(from),
        Need::Settlement { step, puzzle, .. } => {
            data(step).say(": ").say(vocabulary::puzzle(*puzzle))
        }
        Need::Resume { because } => say("paused: ").join(vocabulary::cause(because)),
        Need::Release { order } => say("stopped: ").data(&order.reason),
    }
}

fn day(view: &StatusView) -> Words {
    let parts = RunOutcome::ALL.into_iter().filter_map(|outcome| {
        let count = view.day.outcomes.get(&outcome)?;
        Some(data(count).say(" ").data(outcome.word().replace('_', " ")))
    });
    let parts: Vec<Words> = parts.collect();
    if parts.is_empty() {
        return say("24 h: no run ended.");
    }
    let words = say("24 h: ").list(parts, ", ", RunOutcome::ALL.len()).say(".");
    match view.day.yes {
        Some(span) => words.say("  median yes ").data(Lasted(span)),
        None => words,
    }
}

/// The phase of a run in a list.
pub(crate) fn phase(phase: RunPhase) -> Words {
    vocabulary::phase(phase)
}
