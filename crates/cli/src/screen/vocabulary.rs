//! The words for the closed sets of the model. One word for one thing, the same on every screen.

use steadyhand_api::view::{Mode, Puzzle, RunPhase};
use steadyhand_model::actor::Actor;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Cause, Leg, Proposer};
use steadyhand_model::ids::EnvironmentName;
use steadyhand_model::outcome::{DoubtKind, RefusalKind, RunOutcome};
use steadyhand_model::plan::{DataLoss, EnvironmentClass, LibraryRef, LibraryStatus, Origin};
use steadyhand_model::reading::{Operand, Verdict};
use steadyhand_model::text::Escaped;

use super::{Mark, Tone, Words, data, say};

/// Longest value of an operand that is shown whole, in characters.
const VALUE_CHARS_MAX: usize = 48;
/// Most operands shown beside a verdict.
const OPERANDS_SHOWN: usize = 4;

pub(crate) fn outcome(outcome: RunOutcome) -> Words {
    let (tone, word) = match outcome {
        RunOutcome::Succeeded => (Tone::Good, "SUCCEEDED"),
        RunOutcome::NothingToDo => (Tone::Good, "NOTHING TO DO"),
        RunOutcome::HandedOver => (Tone::Doubt, "HANDED OVER"),
        RunOutcome::Denied => (Tone::Strong, "DENIED"),
        RunOutcome::Expired => (Tone::Strong, "EXPIRED"),
        RunOutcome::Superseded => (Tone::Strong, "SUPERSEDED"),
        RunOutcome::Failed => (Tone::Bad, "FAILED"),
        RunOutcome::Undone => (Tone::Strong, "UNDONE"),
        RunOutcome::UndoFailed => (Tone::Bad, "UNDO FAILED"),
        RunOutcome::Stopped => (Tone::Bad, "STOPPED"),
        RunOutcome::Unresolved => (Tone::Doubt, "UNRESOLVED"),
    };
    Words::new().toned(tone, word)
}

/// What an outcome means, for somebody who sees the word for the first time.
pub(crate) fn outcome_means(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Succeeded => "every step was done",
        RunOutcome::NothingToDo => "nothing had to be changed, and nothing was",
        RunOutcome::HandedOver => "handed over to people; what was done stays",
        RunOutcome::Denied => "a person said no; nothing was changed",
        RunOutcome::Expired => "nobody said yes in time; nothing was changed",
        RunOutcome::Superseded => "things moved after planning; nothing was changed",
        RunOutcome::Failed => "a step failed; what is left of it is below",
        RunOutcome::Undone => "everything that was done was undone",
        RunOutcome::UndoFailed => "the undo itself failed: look before anything else is done",
        RunOutcome::Stopped => "the stop switch ended it",
        RunOutcome::Unresolved => "what became of a call is not known: a person has to look",
    }
}

pub(crate) fn phase(phase: RunPhase) -> Words {
    match phase {
        RunPhase::Waiting => say("waiting"),
        RunPhase::Running => say("running"),
        RunPhase::Paused => Words::new().toned(Tone::Doubt, "paused"),
        RunPhase::Stopped => Words::new().toned(Tone::Bad, "stopped"),
        RunPhase::Finished(how) => outcome(how),
    }
}

/// `PRODUCTION eu1`. Production is the one word in capitals, and never shortened.
pub(crate) fn place(class: EnvironmentClass, name: &EnvironmentName) -> Words {
    let (word, capital) = class_word(class);
    let words = Words::new().toned(class_tone(class), capital);
    if name.as_str() == word { words } else { words.say(" ").data(name) }
}

fn class_word(class: EnvironmentClass) -> (&'static str, &'static str) {
    match class {
        EnvironmentClass::Practice => ("practice", "practice"),
        EnvironmentClass::Development => ("development", "development"),
        EnvironmentClass::Staging => ("staging", "staging"),
        EnvironmentClass::Production => ("production", "PRODUCTION"),
    }
}

fn class_tone(class: EnvironmentClass) -> Tone {
    match class {
        EnvironmentClass::Production => Tone::Bad,
        EnvironmentClass::Staging => Tone::Doubt,
        EnvironmentClass::Practice | EnvironmentClass::Development => Tone::Plain,
    }
}

pub(crate) fn actor(actor: &Actor) -> Words {
    data(actor)
}

pub(crate) fn chosen(by: Proposer) -> &'static str {
    match by {
        Proposer::Binding => "by alert binding",
        Proposer::Operator => "by whoever asked for it",
        Proposer::Model => "by a model",
    }
}

pub(crate) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Library => "library",
        Origin::Operator => "operator",
        Origin::Inventory => "inventory",
        Origin::Alert => "alert",
        Origin::Telemetry => "telemetry",
        Origin::Model => "MODEL",
    }
}

pub(crate) fn doubt(kind: DoubtKind) -> &'static str {
    match kind {
        DoubtKind::Timeout => "no reply in time",
        DoubtKind::LostReply => "reply lost",
        DoubtKind::DriverLost => "its keeper was lost",
        DoubtKind::Killed => "its tool server was killed",
        DoubtKind::BadReply => "the reply cannot be read",
    }
}

pub(crate) fn refusal(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::NotSent => "not sent",
        RefusalKind::Busy => "refused for now",
        RefusalKind::Conflict => "the target is not as planned",
        RefusalKind::Forbidden => "forbidden",
        RefusalKind::Invalid => "refused as invalid",
    }
}

pub(crate) fn puzzle(puzzle: Puzzle) -> &'static str {
    match puzzle {
        Puzzle::Unknown => "UNKNOWN: no probe could find out whether it happened",
        Puzzle::NotRepeatable => "did not happen, and sending it again might do it twice",
        Puzzle::Unverified => "done, but whether it worked could not be read",
    }
}

pub(crate) fn leg(leg: Leg) -> &'static str {
    match leg {
        Leg::Forward => "",
        Leg::Undo => "undo ",
    }
}

pub(crate) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Suggest => "suggest",
        Mode::Approve => "approve",
        Mode::Auto => "auto",
    }
}

pub(crate) fn data_loss(loss: DataLoss) -> Words {
    match loss {
        DataLoss::None => say("No data is lost."),
        DataLoss::Recoverable => {
            Words::new().toned(Tone::Doubt, "Data is lost, and can be recovered.")
        }
        DataLoss::Permanent => Words::new().toned(Tone::Bad, "DATA IS LOST FOR GOOD."),
        DataLoss::Unknown => Words::new().toned(Tone::Doubt, "Whether data is lost is UNKNOWN."),
    }
}

/// Which version of the library, and who vouches for it.
pub(crate) fn library(library: &LibraryRef) -> Words {
    let at = match &library.commit {
        Some(commit) => say("commit ").data(commit.chars().take(7).collect::<String>()),
        None => say("library ").data(library.digest.short()),
    };
    let at = if library.dirty { at.say(" with changes") } else { at };
    match library.status {
        LibraryStatus::Draft => at.say(", draft"),
        LibraryStatus::Locked => at.say(", locked"),
        LibraryStatus::Released(count) => {
            at.say(", released by ").count(u64::from(count), "reviewer", "reviewers")
        }
    }
}

pub(crate) fn cause(cause: &Cause) -> Words {
    match cause {
        Cause::Asked { by } => actor(by).say(" asked for it"),
        Cause::Drift { step } => say("things moved before ").data(step),
        Cause::CannotTell { step } => say("a condition of ").data(step).say(" could not be read"),
        Cause::Policy { step, why } => say("policy holds ").data(step).say(": ").data(why),
        Cause::Failed { step, why } => data(step).say(" failed: ").data(why),
    }
}

/// `ready 2, replicas 3`
pub(crate) fn operands(operands: &[Operand]) -> Words {
    if operands.iter().all(|o| o.value == "holds") {
        return data(operands.len()).say(if operands.len() == 1 {
            " condition"
        } else {
            " conditions"
        });
    }
    // What is read now needs no word for it.
    let named = |text: &str| data(text.strip_prefix("after.").unwrap_or(text));
    let parts = operands.iter().map(|o| named(&o.text).say(" is ").join(value(&o.value)));
    Words::new().list(parts, ", ", OPERANDS_SHOWN)
}

/// A value as JSON, with digests in their short form.
fn value(json: &str) -> Words {
    let digest = json.trim_matches('"').parse::<Digest>();
    data(
        digest
            .map_or_else(|_| Escaped::short(json, VALUE_CHARS_MAX), |d| Escaped::line(&d.short())),
    )
}

pub(crate) fn verdict(verdict: &Verdict) -> (Mark, Words) {
    match verdict {
        Verdict::Holds { operands: kept } if kept.is_empty() => (Mark::Good, say("holds")),
        Verdict::Holds { operands: kept } => (Mark::Good, say("holds: ").join(operands(kept))),
        Verdict::Fails { check, operands: kept } => {
            let words = say("does not hold: ").data(check);
            let words =
                if kept.is_empty() { words } else { words.say(" (").join(operands(kept)).say(")") };
            (Mark::Bad, words)
        }
        Verdict::CannotTell { check, why } => {
            (Mark::Unknown, say("cannot tell: ").data(check).say(" (").data(why).say(")"))
        }
    }
}
