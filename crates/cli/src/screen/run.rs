//! One step of a run as a line: its mark, its word, its facts.

use steadyhand_api::view::{RunView, StepStage, StepView};
use steadyhand_model::event::Leg;
use steadyhand_model::outcome::Outcome;
use steadyhand_model::time::Timestamp;

use super::times::{Clock, Lasted, Until, left};
use super::{Item, Mark, Tone, Words, data, say, vocabulary};

/// Widest step name that still has its facts beside it.
const NAME_MAX: usize = 18;
/// Columns before the facts of a step with the shortest name.
const NAME_MIN: usize = 8;
const INDENT: usize = 2;

/// How a step stands, for a line.
pub(crate) struct Standing {
    pub(crate) mark: Mark,
    pub(crate) facts: Words,
}

pub(crate) fn standing(step: &StepView, now: Timestamp) -> Standing {
    let (mark, facts) = match &step.stage {
        StepStage::Waiting => (Mark::Idle, say("waits for its turn")),
        StepStage::When => (Mark::Active, say("reading whether it is needed")),
        StepStage::Gate => (Mark::Careful, say("waits at a gate")),
        StepStage::Require => (Mark::Active, say("re-check: reading the conditions again")),
        StepStage::Before => (Mark::Active, say("re-check: reading its conditions again")),
        StepStage::Observing => (Mark::Active, say("reading how things are before it")),
        StepStage::Authorising => (Mark::Active, say("asking policy")),
        StepStage::Leasing => (Mark::Active, say("waits for its targets")),
        StepStage::InFlight { since } => {
            (Mark::Active, say("sent ").data(Clock(*since)).say(", no reply yet"))
        }
        StepStage::Backoff { until } => {
            let words = refused(step).say("; next attempt ").data(Clock(*until));
            (Mark::Active, words)
        }
        StepStage::Doubtful { quiet_until, next, probes } => {
            (Mark::Unknown, doubtful(step, *quiet_until, *next, *probes))
        }
        StepStage::Person { puzzle } => {
            let words = say(vocabulary::puzzle(*puzzle)).say(": needs a person");
            (Mark::Unknown, words)
        }
        StepStage::Verifying => {
            (Mark::Active, effect(step).say(", now verifying").join(seen(step)))
        }
        StepStage::ObservingAfter => {
            (Mark::Active, effect(step).say(", reading how things are after it"))
        }
        StepStage::Asking { until } => {
            (Mark::Careful, say("waits for an answer, ").data(left(*until, now)).say(" left"))
        }
        StepStage::Pausing { until } => (Mark::Active, say("waits until ").data(Until(*until))),
        StepStage::Notifying => (Mark::Active, say("telling")),
        StepStage::Done => (Mark::Good, done(step)),
        StepStage::Skipped => (Mark::Idle, say("not needed").join(seen(step))),
        StepStage::Passed => (Mark::Bad, say("failed, and passed over as its runbook says")),
        StepStage::Failed { why } => (Mark::Bad, say("failed: ").data(why).join(sent(step))),
        StepStage::Undone => (Mark::Good, say("undone").join(seen(step)).join(sent(step))),
        StepStage::UndoFailed { why } => {
            (Mark::Bad, say("undo failed: ").data(why).join(sent(step)))
        }
    };
    let facts = if step.leg == Leg::Undo && is_under_way(&step.stage) {
        say("undo: ").join(facts)
    } else {
        facts
    };
    Standing { mark, facts }
}

fn is_under_way(stage: &StepStage) -> bool {
    !matches!(
        stage,
        StepStage::Waiting
            | StepStage::Done
            | StepStage::Skipped
            | StepStage::Passed
            | StepStage::Failed { .. }
            | StepStage::Undone
            | StepStage::UndoFailed { .. }
    )
}

/// What is known of the effect, in the weakest true word.
fn effect(step: &StepView) -> Words {
    match &step.outcome {
        Some(Outcome::Done(_)) => say("done").join(sent(step)),
        Some(Outcome::NotDone(_)) => say("not done"),
        Some(Outcome::Unknown(_)) => say("outcome UNKNOWN"),
        None if step.sent > 0 => say("sent"),
        None => say("nothing was sent"),
    }
}

fn done(step: &StepView) -> Words {
    if let Some(answer) = &step.answer {
        return say("answered: ").data(&answer.0);
    }
    match (&step.verdict, step.sent) {
        (Some(verdict), 0) if verdict.holds() => say("done").join(seen(step)),
        (Some(verdict), _) if verdict.holds() => {
            say("done").join(sent(step)).say(", verified").join(seen(step))
        }
        _ => say("done").join(sent(step)),
    }
}

/// The operands of the last verdict.
fn seen(step: &StepView) -> Words {
    use steadyhand_model::reading::Verdict;
    match &step.verdict {
        Some(Verdict::Holds { operands }) if operands.is_empty() => Words::new(),
        Some(Verdict::Holds { operands } | Verdict::Fails { operands, .. }) => {
            if operands.is_empty() {
                Words::new()
            } else {
                say(": ").join(vocabulary::operands(operands))
            }
        }
        Some(Verdict::CannotTell { why, .. }) => say(": cannot tell, ").data(why),
        None => Words::new(),
    }
}

/// How often its calls were sent, over both legs.
fn sent(step: &StepView) -> Words {
    match step.sent {
        0 => Words::new(),
        1 => say(", sent once"),
        times => say(", sent ").data(times).say(" times"),
    }
}

fn refused(step: &StepView) -> Words {
    match &step.outcome {
        Some(Outcome::NotDone(refusal)) => {
            say(vocabulary::refusal(refusal.kind)).say(": ").data(&refusal.why)
        }
        Some(Outcome::Done(_) | Outcome::Unknown(_)) | None => say("not done"),
    }
}

fn doubtful(step: &StepView, quiet: Timestamp, next: Timestamp, probes: u32) -> Words {
    let words = match &step.outcome {
        Some(Outcome::Unknown(doubt)) => {
            say(vocabulary::doubt(doubt.kind)).say(", outcome ").toned(Tone::Doubt, "UNKNOWN")
        }
        Some(Outcome::Done(_) | Outcome::NotDone(_)) | None => {
            say("outcome ").toned(Tone::Doubt, "UNKNOWN")
        }
    };
    let words = words.say("; next probe ").data(Clock(next));
    let words = if next < quiet {
        words.say(", its effect may come until ").data(Clock(quiet))
    } else {
        words
    };
    if probes == 0 {
        words
    } else {
        words.say(", ").count(u64::from(probes), "probe", "probes").say(" so far")
    }
}

/// The column at which the facts of these steps begin.
pub(crate) fn facts_at(steps: &[StepView]) -> usize {
    let longest = steps.iter().map(|step| step.step.as_str().len()).max().unwrap_or(0);
    INDENT + 2 + longest.clamp(NAME_MIN, NAME_MAX) + 2
}

/// `  ✓ restart   done, sent once, verified: ready is 3                  2.3s`
pub(crate) fn line(step: &StepView, now: Timestamp, at: usize) -> Item {
    item(step, at, standing(step, now), time(step, now))
}

/// The same for a run that has ended: nothing of it moves any more.
pub(crate) fn last_line(step: &StepView, at: usize) -> Item {
    let standing = if step.stage == StepStage::Waiting {
        Standing { mark: Mark::Idle, facts: say("not begun") }
    } else {
        standing(step, step.since)
    };
    item(step, at, standing, time(step, step.since))
}

fn item(step: &StepView, at: usize, standing: Standing, time: Words) -> Item {
    let Standing { mark, facts } = standing;
    let head = Words::new().mark(mark).say(" ").say(vocabulary::leg(step.leg)).data(&step.step);
    Item::text(facts).indent(INDENT).head(head, at).right(time)
}

/// How long this leg of the step took, or takes already.
fn time(step: &StepView, now: Timestamp) -> Words {
    match step.began {
        Some(began) if is_under_way(&step.stage) => data(Lasted(now.since(began))),
        Some(began) => data(Lasted(step.since.since(began))),
        None => Words::new(),
    }
}

/// `r-4f2k  restart-workload  PRODUCTION  shop/checkout`
pub(crate) fn title(view: &RunView) -> Words {
    let line = &view.line;
    Words::new()
        .data_toned(Tone::Strong, &line.short)
        .say("  ")
        .data(&line.runbook)
        .say("  ")
        .join(vocabulary::place(line.class, &line.environment))
        .say("  ")
        .data(&line.subject)
}
