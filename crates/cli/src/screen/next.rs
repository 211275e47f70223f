//! The last line of every screen: what to type next.

use steadyhand_api::view::{Need, PlanView, RunLine, RunPhase, RunView};
use steadyhand_model::event::Answer;
use steadyhand_model::outcome::{RunOutcome, Settlement};

use super::times::left;
use super::{Item, Screen, Words, data, say};

/// Columns kept for the command itself.
const COMMAND_INDENT: usize = 2;
/// Column at which a command's meaning stands, if the command is not longer.
const COMMAND_WIDTH: usize = 36;

fn command(screen: &mut Screen, what: Words, why: Words) {
    screen.item(Item::text(why).indent(COMMAND_INDENT).head(what, COMMAND_WIDTH));
}

/// What a person may type for this run.
pub(crate) fn of_run(screen: &mut Screen, view: &RunView) {
    let line = &view.line;
    screen.blank();
    match line.phase {
        RunPhase::Finished(outcome) => finished(screen, view, outcome),
        RunPhase::Waiting | RunPhase::Running | RunPhase::Paused | RunPhase::Stopped => {
            for need in &line.needs {
                of_need(screen, view, need);
            }
            if line.needs.is_empty() {
                let (verb, why) = if line.driven {
                    ("steady watch ", "follow it")
                } else {
                    ("steady resume ", "nobody drives it now: take it up")
                };
                command(screen, say(verb).data(&line.short), say(why));
            } else if !line.driven && !line.needs.iter().all(|n| matches!(n, Need::Resume { .. })) {
                let why = say("then take it up: nobody drives it now");
                command(screen, say("steady resume ").data(&line.short), why);
            }
        }
    }
}

fn of_need(screen: &mut Screen, view: &RunView, need: &Need) {
    let line = &view.line;
    match need {
        Need::Decision { until, .. } => {
            let why = data(left(*until, view.now)).say(" left");
            command(screen, approve(line), why);
            command(screen, say("steady deny ").data(&line.short), Words::new());
        }
        Need::Answer { step, answers, until, .. } => {
            let words = say("steady answer ").data(&line.short).say(" ").data(step).say(" VALUE");
            let given = answers.iter().map(|Answer(text)| data(text));
            let why = data(left(*until, view.now)).say(" left; VALUE is ");
            command(screen, words, why.list(given, ", ", 6));
        }
        Need::Settlement { step, possible, .. } => {
            let words = say("steady settle ").data(&line.short).say("/").data(step);
            let legal = possible.iter().map(|s: &Settlement| say(s.word()));
            let why = say("WHAT is ").list(legal, ", ", 6);
            command(screen, words.say(" WHAT --reason TEXT"), why);
        }
        Need::Resume { .. } => {
            command(screen, say("steady resume ").data(&line.short), say("go on"));
            if has_inverse(&view.plan) {
                command(screen, say("steady undo ").data(&line.short), say("turn back"));
            }
            let why = say("end it; what was done stays");
            command(screen, say("steady cancel ").data(&line.short), why);
        }
        Need::Release { .. } => {
            command(screen, say("steady status"), say("it goes on when the stop is released"));
        }
    }
}

/// `steady approve r-4f2k --plan 9c41-e07a`
pub(crate) fn approve(line: &RunLine) -> Words {
    say("steady approve ").data(&line.short).say(" --plan ").data(line.plan.short())
}

/// Whether the plan has a step that an undo call takes back.
fn has_inverse(view: &PlanView) -> bool {
    view.open().is_ok_and(|plan| super::plan::has_inverse(plan.body()))
}

fn finished(screen: &mut Screen, view: &RunView, outcome: RunOutcome) {
    let short = || data(&view.line.short);
    let story = say("what happened, line by line");
    match outcome {
        RunOutcome::Succeeded | RunOutcome::HandedOver | RunOutcome::Failed
            if has_inverse(&view.plan) && view.steps.iter().any(|step| step.sent > 0) =>
        {
            command(screen, say("steady undo ").join(short()), say("plan its undo"));
        }
        RunOutcome::Superseded => {
            if let Some(successor) = &view.successor {
                let why = say("the plan that follows it");
                command(screen, say("steady watch ").data(successor), why);
            } else {
                command(screen, plan_again(view), say("plan it as things are now"));
            }
        }
        RunOutcome::Expired | RunOutcome::Denied => {
            command(screen, plan_again(view), say("plan it again"));
        }
        RunOutcome::Succeeded
        | RunOutcome::NothingToDo
        | RunOutcome::HandedOver
        | RunOutcome::Failed
        | RunOutcome::Undone
        | RunOutcome::UndoFailed
        | RunOutcome::Stopped
        | RunOutcome::Unresolved => {}
    }
    command(screen, say("steady history ").join(short()), story);
}

fn plan_again(view: &RunView) -> Words {
    let line = &view.line;
    let words = say("steady plan ").data(&line.runbook).say(" -e ").data(&line.environment);
    match view.plan.open() {
        Ok(plan) => plan.body().bindings.iter().fold(words, |words, (name, bound)| {
            words.say(" -p ").data(name).say("=").data(super::plan::typed(bound))
        }),
        Err(_unreadable) => words,
    }
}
