//! Events of a run as lines of its story: what happened, in the order in which it was recorded.

use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::event::{At, Event, Purpose, Timer, read_event};
use steadyhand_model::outcome::{Delivery, Outcome, ProbeVerdict};
use steadyhand_model::reading::Verdict;
use steadyhand_model::time::Timestamp;

use super::times::{Clock, Until};
use super::{Item, Mark, Tone, Words, data, say, vocabulary};

/// Column at which the facts of a line begin.
const STORY_AT: usize = 14;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) mark: Mark,
    pub(crate) head: Words,
    pub(crate) facts: Words,
}

impl Told {
    fn new(mark: Mark, head: Words, facts: Words) -> Self {
        Self { mark, head, facts }
    }

    /// `  ✓ re-check  holds: ready is 2                                     0.1s`
    pub(crate) fn line(self, right: Words) -> Item {
        let head = Words::new().mark(self.mark).say(" ").join(self.head);
        Item::text(self.facts).indent(2).head(head, STORY_AT).right(right)
    }

    /// `03:12:11  ✓ yes      asha, for exactly plan 9c41-e07a`
    pub(crate) fn dated(self, at: Timestamp) -> Item {
        let head = data(Clock(at)).say("  ").mark(self.mark).say(" ").join(self.head);
        Item::text(self.facts).head(head, 24)
    }
}

/// What an event says, or nothing where it says nothing to a person.
pub(crate) fn tell(event: &CanonicalJson) -> Option<Told> {
    match read_event::<Event>(event) {
        Ok(event) => told(event),
        Err(error) => {
            let facts = say("an event that this version cannot read: ").data(error);
            Some(Told::new(Mark::Unknown, say("event"), facts))
        }
    }
}

fn told(event: Event) -> Option<Told> {
    let told = match event {
        Event::Created { requester, expires, .. } => {
            let facts = say("asked for by ")
                .join(vocabulary::actor(&requester))
                .say("; may begin until ")
                .data(Until(expires));
            Told::new(Mark::Good, say("run"), facts)
        }
        Event::Approved { approval } => {
            let facts = vocabulary::actor(&approval.by).say(", for exactly plan ");
            Told::new(Mark::Good, say("yes"), facts.data(approval.plan.short()))
        }
        Event::Denied { approval } => {
            let facts = vocabulary::actor(&approval.by).say(" denied it");
            let facts = match approval.reason {
                Some(reason) => facts.say(": ").data(reason),
                None => facts,
            };
            Told::new(Mark::Bad, say("no"), facts)
        }
        Event::Skipped { step, verdict } => {
            let (_, words) = vocabulary::verdict(&verdict);
            Told::new(Mark::Idle, data(step), say("not needed, its condition ").join(words))
        }
        Event::Checked { at, purpose, verdict } => checked(&at, purpose, &verdict),
        Event::Intended { at, .. } => {
            let facts = intent(&at);
            Told::new(Mark::Good, say("intent"), facts)
        }
        Event::Returned { at, outcome } => returned(&at, outcome),
        Event::Probed { at, verdict } => probed(&at, verdict),
        Event::Settled { at, by, settlement, reason } => {
            let facts = vocabulary::actor(&by).say(" says ").say(settlement.word()).say(" for ");
            Told::new(Mark::Good, say("settled"), facts.data(&at.step).say(": ").data(reason))
        }
        Event::Answered { step, by, answer } => {
            let facts = vocabulary::actor(&by).say(" answers ").data(answer.0);
            Told::new(Mark::Good, data(step), facts)
        }
        Event::Notified { step, delivery } => match delivery {
            Delivery::Delivered => Told::new(Mark::Good, data(step), say("told")),
            Delivery::Failed { why } => {
                Told::new(Mark::Careful, data(step), say("not told: ").data(why))
            }
        },
        Event::TimeOver { timer, step } => return time_over(timer, step.map(data)),
        Event::TakenOver { fence, .. } if fence.0 <= 1 => return None,
        Event::TakenOver { fence, .. } => {
            let facts = say("by another keeper, driver number ").data(fence);
            Told::new(Mark::Careful, say("taken over"), facts)
        }
        Event::Continued { step } => {
            Told::new(Mark::Careful, data(step), say("failed; its runbook says to go on"))
        }
        Event::UndoBegan { from, because } => {
            let facts =
                say("from ").data(from).say(" backwards: ").join(vocabulary::cause(&because));
            Told::new(Mark::Careful, say("undo"), facts)
        }
        Event::CancelAsked { by, undo } => {
            let facts = vocabulary::actor(&by);
            let facts = if undo { facts.say(", with undo") } else { facts };
            Told::new(Mark::Careful, say("cancel"), facts)
        }
        Event::Paused { because } => {
            Told::new(Mark::Careful, say("paused"), vocabulary::cause(&because))
        }
        Event::Resumed { by } => Told::new(Mark::Good, say("resumed"), vocabulary::actor(&by)),
        Event::Stopped { order } => {
            let facts = vocabulary::actor(&order.by).say(": ").data(order.reason);
            Told::new(Mark::Bad, say("stopped"), facts)
        }
        Event::Released { order } => Told::new(Mark::Good, say("released"), data(order.reason)),
        Event::Finished { outcome, why } => {
            let facts = vocabulary::outcome(outcome);
            let facts = match why {
                Some(why) => facts.say("  ").data(why),
                None => facts,
            };
            Told::new(outcome_mark(outcome), say("end"), facts)
        }
        Event::GateSatisfied { .. }
        | Event::Began { .. }
        | Event::Observed { .. }
        | Event::Authorised { .. }
        | Event::LeasesTaken { .. } => return None,
    };
    Some(told)
}

fn outcome_mark(outcome: steadyhand_model::outcome::RunOutcome) -> Mark {
    use steadyhand_model::outcome::RunOutcome as O;
    match outcome {
        O::Succeeded | O::NothingToDo | O::Undone => Mark::Good,
        O::HandedOver => Mark::Careful,
        O::Denied | O::Expired | O::Superseded => Mark::Idle,
        O::Failed | O::UndoFailed | O::Stopped => Mark::Bad,
        O::Unresolved => Mark::Unknown,
    }
}

/// `restart`, `undo restart`, with the number of the attempt from the second on.
fn name(at: &At) -> Words {
    let words = say(vocabulary::leg(at.leg)).data(&at.step);
    if at.attempt.0 > 1 { words.say(" ").data(at.attempt) } else { words }
}

fn intent(at: &At) -> Words {
    let words = say("recorded before acting: ").say(vocabulary::leg(at.leg)).data(&at.step);
    if at.attempt.0 > 1 { words.say(", attempt ").data(at.attempt) } else { words }
}

fn checked(at: &At, purpose: Purpose, verdict: &Verdict) -> Told {
    let (mark, facts) = vocabulary::verdict(verdict);
    let head = match purpose {
        Purpose::When => say("when ").data(&at.step),
        Purpose::Require | Purpose::Before => say("re-check"),
        Purpose::Verify => say(vocabulary::leg(at.leg)).say("verify"),
        Purpose::Done => say("at the end"),
    };
    Told::new(mark, head, facts)
}

fn returned(at: &At, outcome: Outcome) -> Told {
    let head = name(at);
    match outcome {
        Outcome::Done(_) => Told::new(Mark::Good, head, say("done, says its tool server")),
        Outcome::NotDone(refusal) => {
            let facts = say("not done, ").say(vocabulary::refusal(refusal.kind)).say(": ");
            Told::new(Mark::Bad, head, facts.data(refusal.why))
        }
        Outcome::Unknown(doubt) => {
            let facts = say(vocabulary::doubt(doubt.kind))
                .say(", outcome ")
                .toned(Tone::Doubt, "UNKNOWN")
                .say(": ")
                .data(doubt.why);
            Told::new(Mark::Unknown, head, facts)
        }
    }
}

fn probed(at: &At, verdict: ProbeVerdict) -> Told {
    let read = || say("read-only: ").say(vocabulary::leg(at.leg)).data(&at.step);
    match verdict {
        ProbeVerdict::Done(_) => {
            Told::new(Mark::Good, say("probe"), read().say(" happened, it is not sent again"))
        }
        ProbeVerdict::NotDone => Told::new(Mark::Good, say("probe"), read().say(" did not happen")),
        ProbeVerdict::Unknown { why } => {
            Told::new(Mark::Unknown, say("probe"), read().say(": cannot tell, ").data(why))
        }
    }
}

fn time_over(timer: Timer, step: Option<Words>) -> Option<Told> {
    let of = |words: Words| match step.clone() {
        Some(step) => words.say(" of ").join(step),
        None => words,
    };
    let facts = match timer {
        Timer::Backoff | Timer::Wait => return None,
        Timer::Limit => of(say("the time limit")),
        Timer::Run => say("the time for the whole run"),
    };
    Some(Told::new(Mark::Bad, say("time over"), facts))
}
