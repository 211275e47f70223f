//! What follows from a state without anybody saying anything: the next step begins, a failure turns the run back,
//! the run ends.

use steadyhand_model::event::{Cause, Event};
use steadyhand_model::outcome::RunOutcome;
use steadyhand_model::plan::{OnFailure, Undo};

use crate::run::{Mode, Run, write};
use crate::state::{Puzzle, StepState};

impl Run {
    /// The next event that follows from the state, if one does. Total, and quiet once the run must wait.
    pub(crate) fn follows(&self) -> Option<Event> {
        if self.finished.is_some() {
            return None;
        }
        if let Some(stop) = &self.stop {
            let rest = stop.released && !self.has_unknown();
            return rest.then(|| finished(RunOutcome::Stopped, Some(stop.order.reason.clone())));
        }
        if self.over {
            return self.time_is_over();
        }
        match &self.mode {
            Mode::Forward => self.forward_follows(),
            Mode::Undoing { because } => self.undo_follows(because),
        }
    }

    fn time_is_over(&self) -> Option<Event> {
        // A call on the wire answers soon, whatever becomes of it; only then can the end be named.
        if self.steps.iter().any(|s| matches!(s.state, StepState::InFlight { .. })) {
            return None;
        }
        let why = Some("its time is over".to_owned());
        Some(if self.has_unknown() {
            finished(RunOutcome::Unresolved, why)
        } else if matches!(self.mode, Mode::Undoing { .. }) {
            finished(RunOutcome::UndoFailed, why)
        } else if self.intended {
            finished(RunOutcome::HandedOver, why)
        } else {
            finished(RunOutcome::Expired, None)
        })
    }

    fn forward_follows(&self) -> Option<Event> {
        if let Some((by, undo)) = &self.cancel {
            return self.cancel_follows(by, *undo);
        }
        if let Some(index) = self.first_failed() {
            return self.failure_follows(index);
        }
        if self.paused.is_some() || !self.start_gates_satisfied() {
            return None;
        }
        let Some(batch) = self.batch() else {
            return self.end_follows();
        };
        self.steps()
            .find(|(step, state)| step.batch == batch && state.state == StepState::Waiting)
            .map(|(step, _)| Event::Began { step: step.id.clone() })
    }

    fn cancel_follows(&self, by: &steadyhand_model::actor::Actor, undo: bool) -> Option<Event> {
        if self.steps.iter().any(|s| matches!(s.state, StepState::Person(Puzzle::Unknown))) {
            let why = Some("cancelled while the outcome of a call was unknown".to_owned());
            return Some(finished(RunOutcome::Unresolved, why));
        }
        if self
            .steps
            .iter()
            .any(|s| matches!(s.state, StepState::InFlight { .. } | StepState::Doubtful { .. }))
        {
            return None;
        }
        if undo && self.next_to_undo().is_some() {
            let from = self.next_to_undo().and_then(|i| self.pair(i))?.0.id.clone();
            return Some(Event::UndoBegan { from, because: Cause::Asked { by: by.clone() } });
        }
        let outcome = if self.intended { RunOutcome::HandedOver } else { RunOutcome::Denied };
        Some(finished(outcome, Some(format!("cancelled by {by}"))))
    }

    fn failure_follows(&self, index: usize) -> Option<Event> {
        if !self.at_rest() {
            return None;
        }
        let (step, state) = self.pair(index)?;
        let StepState::Failed { why } = &state.state else {
            return None;
        };
        let why = why.clone();
        match step.on_failure {
            OnFailure::Continue => Some(Event::Continued { step: step.id.clone() }),
            OnFailure::Stop => {
                Some(finished(RunOutcome::Failed, Some(format!("{}: {why}", step.id))))
            }
            OnFailure::HandOver => {
                Some(finished(RunOutcome::HandedOver, Some(format!("{}: {why}", step.id))))
            }
            OnFailure::Undo if self.next_to_undo().is_none() => {
                Some(finished(RunOutcome::Failed, Some(format!("{}: {why}", step.id))))
            }
            OnFailure::Undo => Some(Event::UndoBegan {
                from: step.id.clone(),
                because: Cause::Failed { step: step.id.clone(), why },
            }),
        }
    }

    fn end_follows(&self) -> Option<Event> {
        if self.steps.iter().all(|s| s.state == StepState::Skipped) {
            return Some(finished(RunOutcome::NothingToDo, None));
        }
        if self.plan.body().done.is_some() && self.end_checked.is_none() {
            return None;
        }
        let passed = self.steps().find(|(_, s)| s.state == StepState::Passed);
        let why = match (&self.end_checked, passed) {
            (Some(Some(why)), _) => Some(why.clone()),
            (_, Some((step, _))) => Some(format!("{} was passed over", step.id)),
            _ => None,
        };
        Some(finished(RunOutcome::Succeeded, why))
    }

    fn undo_follows(&self, because: &Cause) -> Option<Event> {
        if let Some((step, why)) = self.steps().find_map(|(step, s)| match &s.state {
            StepState::UndoFailed { why } => Some((step, why)),
            _ => None,
        }) {
            return Some(finished(
                RunOutcome::UndoFailed,
                Some(format!("undo of {}: {why}", step.id)),
            ));
        }
        if self.paused.is_some()
            || self
                .steps
                .iter()
                .any(|s| s.leg == steadyhand_model::event::Leg::Undo && !s.state.has_ended())
        {
            return None;
        }
        let Some(index) = self.next_to_undo() else {
            let outcome =
                if self.wrote_anything() { RunOutcome::Undone } else { RunOutcome::Failed };
            return Some(finished(outcome, Some(cause_words(because))));
        };
        let (step, _) = self.pair(index)?;
        match write(step).map(|w| &w.undo) {
            Some(Undo::Irreversible { reason }) => Some(finished(
                RunOutcome::Failed,
                Some(format!("undo stopped at {}, which cannot be undone: {reason}", step.id)),
            )),
            _ => Some(Event::Began { step: step.id.clone() }),
        }
    }

    /// Whether the end of the run must be checked now.
    pub(crate) fn reaches_end(&self) -> bool {
        self.finished.is_none()
            && self.mode == Mode::Forward
            && !self.is_held()
            && self.ending.is_none()
            && self.end_checked.is_none()
            && self.plan.body().done.is_some()
            && self.start_gates_satisfied()
            && self.batch().is_none()
            && !self.steps.iter().all(|s| s.state == StepState::Skipped)
    }
}

fn finished(outcome: RunOutcome, why: Option<String>) -> Event {
    Event::Finished { outcome, why }
}

fn cause_words(cause: &Cause) -> String {
    match cause {
        Cause::Asked { by } => format!("asked for by {by}"),
        Cause::Drift { step } => format!("{step}: its target changed"),
        Cause::CannotTell { step } => format!("{step}: a fact could not be read"),
        Cause::Policy { step, why } | Cause::Failed { step, why } => format!("{step}: {why}"),
    }
}
