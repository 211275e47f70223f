//! A run under way: its head, one line for each step, and the line that is written over while it goes on.

use steadyhand_api::view::{RunPhase, RunView, StepStage, StepView};
use steadyhand_model::event::ClockKind;
use steadyhand_model::time::Timestamp;

use super::times::Lasted;
use super::{Item, Screen, Tone, Words, data, next, run, say, vocabulary};

/// Most steps listed one by one; those in the middle of a longer run are counted.
const STEPS_SHOWN: usize = 30;

/// The run as it stands now.
pub(crate) fn screen(view: &RunView) -> Screen {
    let mut screen = Screen::new();
    screen.item(Item::text(run::title(view)).right(running_for(view)));
    clock(&mut screen, view.clock);
    if let Some(cause) = &view.undoing {
        screen.text(
            Words::new()
                .toned(Tone::Doubt, "UNDOING")
                .say("  because ")
                .join(vocabulary::cause(cause)),
        );
    }
    steps(&mut screen, view);
    needs(&mut screen, view);
    next::of_run(&mut screen, view);
    screen
}

fn running_for(view: &RunView) -> Words {
    let words = data(Lasted(view.now.since(view.line.created)));
    match view.line.phase {
        RunPhase::Running => words,
        RunPhase::Waiting | RunPhase::Paused | RunPhase::Stopped | RunPhase::Finished(_) => {
            vocabulary::phase(view.line.phase).say("  ").join(words)
        }
    }
}

/// Whose time it is, where it is not real time.
pub(crate) fn clock(screen: &mut Screen, clock: ClockKind) {
    if let ClockKind::Practice { seed } = clock {
        let words = say("Practice world (seed ").data(seed).say("), simulated time. ");
        screen.text(words.say("Nothing real is touched."));
    }
}

pub(crate) fn steps(screen: &mut Screen, view: &RunView) {
    let at = run::facts_at(&view.steps);
    let open = |step: &&StepView| !matches!(step.stage, StepStage::Waiting | StepStage::Done);
    let mut left_out: u64 = 0;
    for (index, step) in view.steps.iter().enumerate() {
        let near = index < STEPS_SHOWN || view.steps.len() <= STEPS_SHOWN;
        if near || open(&step) {
            screen.item(match view.line.phase {
                RunPhase::Finished(_) => run::last_line(step, at),
                RunPhase::Waiting | RunPhase::Running | RunPhase::Paused | RunPhase::Stopped => {
                    run::line(step, view.now, at)
                }
            });
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        screen.item(Item::text(say("and ").data(left_out).say(" more, done or waiting")).indent(2));
    }
}

/// What the run needs of a person, in words.
fn needs(screen: &mut Screen, view: &RunView) {
    use steadyhand_api::view::Need;
    if view.line.needs.is_empty() {
        return;
    }
    screen.blank();
    for need in &view.line.needs {
        let words = match need {
            Need::Decision { gate, from, given, count, .. } => {
                let words = say("a yes at gate ").data(gate).say(": ").data(given).say(" of ");
                let words = words.data(count).say(" given");
                match from {
                    Some(team) => words.say(", from ").data(team),
                    None => words.say(", from whoever asked for it"),
                }
            }
            Need::Answer { step, question, from, .. } => {
                data(step).say(" asks ").data(from).say(": ").data(question)
            }
            Need::Settlement { step, leg, attempt, puzzle, .. } => {
                let words = say(vocabulary::leg(*leg)).data(step).say(", attempt ").data(attempt);
                words.say(": ").say(vocabulary::puzzle(*puzzle))
            }
            Need::Resume { because } => say("paused: ").join(vocabulary::cause(because)),
            Need::Release { order } => {
                let words = say("stopped by ").join(vocabulary::actor(&order.by)).say(": ");
                words.data(&order.reason)
            }
        };
        screen.item(Item::text(words).head(Words::new().toned(Tone::Strong, "NEEDS"), 10));
    }
}

/// The step that is being worked on, as the line that is written over.
/// What its keeper says of it beside the record stands behind its facts.
pub(crate) fn current(steps: &[StepView], now: Timestamp, note: Option<&str>) -> Option<Item> {
    let at = run::facts_at(steps);
    let active = |step: &&StepView| {
        !matches!(
            step.stage,
            StepStage::Waiting
                | StepStage::Done
                | StepStage::Skipped
                | StepStage::Passed
                | StepStage::Failed { .. }
                | StepStage::Undone
                | StepStage::UndoFailed { .. }
        )
    };
    let step = steps.iter().find(active)?;
    let line = run::line(step, now, at);
    Some(match note {
        Some(note) => line.more(say(": ").data(note)),
        None => line,
    })
}

/// Whether a step is where it stays, so that its one line may be written into a pipe.
pub(crate) fn is_worth_a_line(step: &StepView) -> bool {
    matches!(
        step.stage,
        StepStage::Done
            | StepStage::Skipped
            | StepStage::Passed
            | StepStage::Failed { .. }
            | StepStage::Undone
            | StepStage::UndoFailed { .. }
            | StepStage::Doubtful { .. }
            | StepStage::Person { .. }
            | StepStage::Asking { .. }
    )
}
