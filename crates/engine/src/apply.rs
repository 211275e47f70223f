//! One total function (state, event) → state, the same live and on replay. A pair that cannot be is an error.

use steadyhand_model::capability::CAPABILITY_LIFE;
use steadyhand_model::event::{At, Event, Leg, Phase, Purpose, Timer};
use steadyhand_model::ids::{Fence, GateId, Seq, StepId};
use steadyhand_model::outcome::{Outcome, ProbeVerdict, RefusalKind, RunOutcome, Settlement};
use steadyhand_model::plan::{GateBefore, Step, StepKind};
use steadyhand_model::reading::Verdict;
use steadyhand_model::time::Timestamp;

use crate::pending::verification;
use crate::run::{IllegalEvent, Mode, Run, Stop, first_attempt, write};
use crate::state::{PROBE_PAUSE, PROBES_MAX, Puzzle, StepRun, StepState};

/// Stages before an intent, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    When,
    Gate,
    Require,
    Before,
    Observe,
    Authorise,
    Lease,
}

const STAGES: [Stage; 7] = [
    Stage::When,
    Stage::Gate,
    Stage::Require,
    Stage::Before,
    Stage::Observe,
    Stage::Authorise,
    Stage::Lease,
];

impl Run {
    /// Takes the next event in.
    ///
    /// # Errors
    /// If the event cannot happen in this state. The run is unchanged then only as far as the caller keeps a copy.
    pub fn apply(&mut self, seq: Seq, at: Timestamp, event: &Event) -> Result<(), IllegalEvent> {
        if seq != self.seq.next() {
            return Err(IllegalEvent::Gap { expected: self.seq.next(), found: seq });
        }
        if self.finished.is_some() && !matches!(event, Event::Settled { .. }) {
            return Err(IllegalEvent::State { seq, what: "the run has finished" });
        }
        self.seq = seq;
        self.last = at;
        self.take_in(seq, at, event)?;
        if self.reaches_end() {
            self.ending = Some((seq, at));
        }
        Ok(())
    }

    fn take_in(&mut self, seq: Seq, at: Timestamp, event: &Event) -> Result<(), IllegalEvent> {
        match event {
            Event::Created { .. } => Err(illegal(seq, "created twice")),
            Event::Approved { approval } => {
                let gate = self.gate_mut(seq, &approval.gate)?;
                gate.approved.insert(approval.by.clone(), approval.expires);
                Ok(())
            }
            Event::Denied { approval } => self.gate_mut(seq, &approval.gate).map(|_| ()),
            Event::GateSatisfied { gate } => self.gate_satisfied(seq, at, gate),
            Event::Skipped { step, .. } => self.to(seq, at, step, StepState::Skipped),
            Event::Began { step } => self.began(seq, at, step),
            Event::Checked { at: what, purpose, verdict } => {
                self.checked(seq, at, what, *purpose, verdict)
            }
            Event::Observed { step, phase, facts } => {
                let index = self.index(seq, step)?;
                if *phase == Phase::Before {
                    if let Some(state) = self.steps.get_mut(index) {
                        state.observed = Some(*facts);
                    }
                    self.advance(seq, at, index, Some(Stage::Observe))
                } else {
                    self.set(seq, at, index, StepState::Done)
                }
            }
            Event::Authorised { at: what, .. } => {
                let index = self.attempt(seq, what)?;
                self.advance(seq, at, index, Some(Stage::Authorise))
            }
            Event::LeasesTaken { at: what, .. } => {
                let index = self.attempt(seq, what)?;
                self.state(seq, index)?.leased = true;
                Ok(())
            }
            Event::Intended { at: what, fence, .. } => self.intended_now(seq, at, what, *fence),
            Event::Returned { at: what, outcome } => self.returned(seq, at, what, outcome),
            Event::Probed { at: what, verdict } => self.probed(seq, at, what, verdict),
            Event::Settled { at: what, settlement, .. } => self.settled(seq, at, what, *settlement),
            Event::Answered { step, answer, .. } => {
                let index = self.index(seq, step)?;
                if let Some(state) = self.steps.get_mut(index) {
                    state.answer = Some(answer.clone());
                }
                self.set(seq, at, index, StepState::Done)
            }
            Event::Notified { step, .. } => self.to(seq, at, step, StepState::Done),
            Event::TimeOver { timer, step } => self.time_over(seq, at, *timer, step.as_ref()),
            Event::TakenOver { driver, fence } => self.taken_over(seq, at, driver, *fence),
            Event::Continued { step } => self.to(seq, at, step, StepState::Passed),
            Event::UndoBegan { because, .. } => {
                self.mode = Mode::Undoing { because: because.clone() };
                self.ending = None;
                // Nothing forward goes on: what was there is known by `wrote`, not by the state.
                for state in self.steps.iter_mut().filter(|s| !s.state.has_ended()) {
                    state.state = StepState::Waiting;
                    state.leased = false;
                }
                Ok(())
            }
            Event::CancelAsked { by, undo } => {
                self.cancel = Some((by.clone(), *undo));
                Ok(())
            }
            Event::Paused { because } => {
                self.paused = Some(because.clone());
                Ok(())
            }
            Event::Resumed { .. } => {
                self.paused = None;
                // What stood still begins anew: its time limit, and its question under a new id.
                for state in &mut self.steps {
                    let stood = state.state.is_at_rest() && !state.state.has_ended();
                    if stood && state.state != StepState::Waiting {
                        state.since = seq;
                        state.since_at = at;
                        state.began = at;
                    }
                }
                Ok(())
            }
            Event::Stopped { order } => {
                self.stop = Some(Stop { order: order.clone(), released: false });
                self.doubt_all(seq, at);
                Ok(())
            }
            Event::Released { .. } => match &mut self.stop {
                Some(stop) => {
                    stop.released = true;
                    Ok(())
                }
                None => Err(illegal(seq, "released without a stop")),
            },
            Event::Finished { outcome, why } => {
                self.finish(seq, at, *outcome, why.clone());
                Ok(())
            }
        }
    }

    fn intended_now(
        &mut self,
        seq: Seq,
        at: Timestamp,
        what: &At,
        fence: Fence,
    ) -> Result<(), IllegalEvent> {
        let index = self.attempt(seq, what)?;
        if self.steps.get(index).map(|s| &s.state) != Some(&StepState::Leasing) {
            return Err(illegal(seq, "an intent without its leases"));
        }
        if fence != self.fence {
            return Err(illegal(seq, "an intent under another fence"));
        }
        self.intended |= what.leg == Leg::Forward;
        self.set(seq, at, index, StepState::InFlight { fence, intended: at })
    }

    fn finish(&mut self, seq: Seq, at: Timestamp, outcome: RunOutcome, why: Option<String>) {
        self.finished = Some((outcome, why));
        for state in &mut self.steps {
            state.leased &= state.state.is_open();
            // Nobody will probe any more: what is open waits for a person.
            if state.state.is_open() {
                state.state = StepState::Person(Puzzle::Unknown);
                state.since = seq;
                state.since_at = at;
            }
        }
    }

    fn gate_satisfied(&mut self, seq: Seq, at: Timestamp, id: &GateId) -> Result<(), IllegalEvent> {
        let gate = self.gate_mut(seq, id)?;
        gate.satisfied = true;
        gate.open = false;
        let stands =
            self.plan.body().gates.iter().find(|g| g.id == *id).and_then(|g| match &g.before {
                GateBefore::Start => None,
                GateBefore::Step(_) => self.open_step_gate(g),
            });
        match stands {
            Some(index) => self.advance(seq, at, index, Some(Stage::Gate)),
            None => Ok(()),
        }
    }

    fn began(&mut self, seq: Seq, at: Timestamp, id: &StepId) -> Result<(), IllegalEvent> {
        let index = self.index(seq, id)?;
        let undoing = matches!(self.mode, Mode::Undoing { .. });
        let state = self.state(seq, index)?;
        state.began = at;
        if undoing {
            state.leg = Leg::Undo;
            state.attempt = first_attempt();
            return self.set(seq, at, index, StepState::Leasing);
        }
        self.advance(seq, at, index, None)
    }

    /// Moves a step to the first stage after `done` that it has.
    fn advance(
        &mut self,
        seq: Seq,
        at: Timestamp,
        index: usize,
        done: Option<Stage>,
    ) -> Result<(), IllegalEvent> {
        let next = STAGES.into_iter().filter(|s| Some(*s) > done).find_map(|stage| {
            let (step, state) = self.pair(index)?;
            self.stage_state(stage, step, state)
        });
        let next = match (next, self.pair(index)) {
            (Some(next), _) => next,
            (None, Some((step, _))) => first_work(step, at),
            (None, None) => return Err(illegal(seq, "no such step")),
        };
        self.set(seq, at, index, next)
    }

    fn stage_state(&self, stage: Stage, step: &Step, state: &StepRun) -> Option<StepState> {
        let write = write(step);
        match stage {
            Stage::When => {
                (step.when.is_some() && state.attempt == first_attempt()).then_some(StepState::When)
            }
            Stage::Gate => self.step_gate_is_shut(step).then_some(StepState::Gate),
            Stage::Require => {
                (write.is_some() && !self.intended && !self.plan.body().require.is_empty())
                    .then_some(StepState::Require)
            }
            Stage::Before => write.filter(|w| !w.before.is_empty()).map(|_| StepState::Before),
            Stage::Observe => write
                .filter(|w| !w.measure.is_empty() && state.observed.is_none())
                .map(|_| StepState::Observing),
            Stage::Authorise => write.map(|_| StepState::Authorising),
            Stage::Lease => write.map(|_| StepState::Leasing),
        }
    }

    fn checked(
        &mut self,
        seq: Seq,
        at: Timestamp,
        what: &At,
        purpose: Purpose,
        verdict: &Verdict,
    ) -> Result<(), IllegalEvent> {
        if purpose == Purpose::Done {
            self.ending = None;
            self.end_checked = Some(match verdict {
                Verdict::Holds { .. } => None,
                Verdict::Fails { check, .. } => Some(format!("not confirmed: {check}")),
                Verdict::CannotTell { check, why } => {
                    Some(format!("not confirmed: {check}: {why}"))
                }
            });
            return Ok(());
        }
        let index = self.attempt(seq, what)?;
        let stage = match purpose {
            Purpose::When => Stage::When,
            Purpose::Require => Stage::Require,
            Purpose::Before => Stage::Before,
            Purpose::Verify => return self.verified(seq, at, index, verdict),
            Purpose::Done => return Err(illegal(seq, "the end is not a step's")),
        };
        match verdict {
            Verdict::Holds { .. } => self.advance(seq, at, index, Some(stage)),
            Verdict::Fails { check, .. } if self.waited_for(index, stage, check) => {
                let why = format!("waited in vain: {check}");
                self.set(seq, at, index, StepState::Failed { why })
            }
            // Drift or an unreadable fact: the step stands where it stood, and would look again.
            Verdict::Fails { .. } | Verdict::CannotTell { .. } => {
                let state = self.state(seq, index)?;
                state.since = seq;
                state.since_at = at;
                Ok(())
            }
        }
    }

    /// Whether the precondition had time to come true: then its failure is the step's, not a drift.
    pub(crate) fn waited_for_before(&self, index: usize, check: &str) -> bool {
        self.waited_for(index, Stage::Before, check)
    }

    fn waited_for(&self, index: usize, stage: Stage, title: &str) -> bool {
        stage == Stage::Before
            && self
                .pair(index)
                .and_then(|(step, _)| write(step))
                .is_some_and(|w| w.before.iter().any(|c| c.title == title && !c.within.is_zero()))
    }

    fn verified(
        &mut self,
        seq: Seq,
        at: Timestamp,
        index: usize,
        verdict: &Verdict,
    ) -> Result<(), IllegalEvent> {
        let leg = self.state(seq, index)?.leg;
        let next = match (verdict, leg) {
            (Verdict::Holds { .. }, Leg::Forward) => self.after_verified(index),
            (Verdict::Holds { .. }, Leg::Undo) => StepState::Undone,
            (Verdict::Fails { check, .. }, Leg::Forward) => {
                StepState::Failed { why: format!("not verified: {check}") }
            }
            (Verdict::Fails { check, .. }, Leg::Undo) => {
                StepState::UndoFailed { why: format!("not verified: {check}") }
            }
            (Verdict::CannotTell { .. }, _) => StepState::Person(Puzzle::Unverified),
        };
        self.set(seq, at, index, next)
    }

    fn after_verified(&self, index: usize) -> StepState {
        let measures = self
            .pair(index)
            .and_then(|(step, _)| write(step))
            .is_some_and(|w| !w.measure.is_empty());
        if measures { StepState::ObservingAfter } else { StepState::Done }
    }

    /// After a call, or a person, said that the effect is there.
    fn effect_there(&mut self, seq: Seq, at: Timestamp, index: usize) -> Result<(), IllegalEvent> {
        let (step, state) = self.pair(index).ok_or_else(|| illegal(seq, "no such step"))?;
        let leg = state.leg;
        let next = match (verification(step, leg).is_some(), leg) {
            (true, _) => StepState::Verifying,
            (false, Leg::Forward) => self.after_verified(index),
            (false, Leg::Undo) => StepState::Undone,
        };
        if leg == Leg::Forward {
            self.state(seq, index)?.wrote = true;
        }
        self.set(seq, at, index, next)
    }

    fn returned(
        &mut self,
        seq: Seq,
        at: Timestamp,
        what: &At,
        outcome: &Outcome,
    ) -> Result<(), IllegalEvent> {
        let index = self.attempt(seq, what)?;
        let StepState::InFlight { fence, intended } = self.state(seq, index)?.state else {
            return Err(illegal(seq, "an answer to a call that is not in flight"));
        };
        match outcome {
            Outcome::Done(receipt) => {
                self.state(seq, index)?.receipt = Some(receipt.clone());
                self.effect_there(seq, at, index)
            }
            Outcome::Unknown(_) => self.doubt(seq, at, index, fence, intended),
            // Our own earlier attempt may have landed meanwhile: that is unknown, not refused.
            Outcome::NotDone(refusal)
                if refusal.kind == RefusalKind::Conflict && what.attempt > first_attempt() =>
            {
                self.doubt(seq, at, index, fence, intended)
            }
            Outcome::NotDone(refusal) if refusal.kind.passes_by_itself() => {
                self.again_later(seq, at, index, &refusal.why)
            }
            Outcome::NotDone(refusal) if refusal.kind == RefusalKind::Conflict => {
                if what.leg == Leg::Undo {
                    return self.set(seq, at, index, StepState::Person(Puzzle::NotRepeatable));
                }
                // Drift: the step looks again under a new attempt, if anybody lets it.
                self.next_attempt(seq, at, index)
            }
            Outcome::NotDone(refusal) => {
                let why = refusal.why.clone();
                self.failed(seq, at, index, why)
            }
        }
    }

    fn failed(
        &mut self,
        seq: Seq,
        at: Timestamp,
        index: usize,
        why: String,
    ) -> Result<(), IllegalEvent> {
        let next = match self.state(seq, index)?.leg {
            Leg::Forward => StepState::Failed { why },
            Leg::Undo => StepState::UndoFailed { why },
        };
        self.set(seq, at, index, next)
    }

    fn again_later(
        &mut self,
        seq: Seq,
        at: Timestamp,
        index: usize,
        why: &str,
    ) -> Result<(), IllegalEvent> {
        let (step, state) = self.pair(index).ok_or_else(|| illegal(seq, "no such step"))?;
        let write =
            write(step).ok_or_else(|| illegal(seq, "a call of a step that writes nothing"))?;
        if state.attempt.0 >= write.attempts {
            let why = format!("{why} ({} attempts)", state.attempt);
            return self.failed(seq, at, index, why);
        }
        let doubled = 1 << state.attempt.0.saturating_sub(1).min(16);
        let until = at.plus(write.backoff.times(doubled));
        self.set(seq, at, index, StepState::Backoff { until })
    }

    fn next_attempt(&mut self, seq: Seq, at: Timestamp, index: usize) -> Result<(), IllegalEvent> {
        let state = self.state(seq, index)?;
        state.attempt = state.attempt.next();
        match state.leg {
            Leg::Forward => self.advance(seq, at, index, Some(Stage::Require)),
            Leg::Undo => self.set(seq, at, index, StepState::Leasing),
        }
    }

    fn doubt(
        &mut self,
        seq: Seq,
        at: Timestamp,
        index: usize,
        fence: Fence,
        intended: Timestamp,
    ) -> Result<(), IllegalEvent> {
        let (step, _) = self.pair(index).ok_or_else(|| illegal(seq, "no such step"))?;
        let write =
            write(step).ok_or_else(|| illegal(seq, "a call of a step that writes nothing"))?;
        // The last moment at which the call can have been sent, its longest life, and the time its effect may lag.
        let quiet_until =
            intended.plus(CAPABILITY_LIFE).plus(write.call_max).plus(write.quiescence);
        let next = StepState::Doubtful { fence, quiet_until, next: at, early: true, probes: 0 };
        self.set(seq, at, index, next)
    }

    fn doubt_all(&mut self, seq: Seq, at: Timestamp) {
        for index in 0..self.steps.len() {
            if let Some(StepState::InFlight { fence, intended }) =
                self.steps.get(index).map(|s| s.state.clone())
                && self.doubt(seq, at, index, fence, intended).is_err()
            {
                // Unreachable: only a write step is ever in flight. A person is asked rather than nobody.
                if let Some(state) = self.steps.get_mut(index) {
                    state.state = StepState::Person(Puzzle::Unknown);
                }
            }
        }
    }

    fn probed(
        &mut self,
        seq: Seq,
        at: Timestamp,
        what: &At,
        verdict: &ProbeVerdict,
    ) -> Result<(), IllegalEvent> {
        let index = self.attempt(seq, what)?;
        let StepState::Doubtful { fence, quiet_until, early, probes, .. } =
            self.state(seq, index)?.state
        else {
            return Err(illegal(seq, "a probe of something that is not in doubt"));
        };
        match verdict {
            ProbeVerdict::Done(receipt) => {
                self.state(seq, index)?.receipt = receipt.clone();
                self.effect_there(seq, at, index)
            }
            // Before the quiet time is over the effect may still appear: only `done` counts.
            ProbeVerdict::NotDone | ProbeVerdict::Unknown { .. } if early && at < quiet_until => {
                let next = StepState::Doubtful {
                    fence,
                    quiet_until,
                    next: quiet_until,
                    early: false,
                    probes,
                };
                self.set(seq, at, index, next)
            }
            ProbeVerdict::NotDone => self.proven_not_done(seq, at, index),
            ProbeVerdict::Unknown { .. } if probes + 1 < PROBES_MAX => {
                let next = at.plus(PROBE_PAUSE.times(1 << probes));
                let probes = probes + 1;
                self.set(
                    seq,
                    at,
                    index,
                    StepState::Doubtful { fence, quiet_until, next, early: false, probes },
                )
            }
            ProbeVerdict::Unknown { .. } => {
                self.set(seq, at, index, StepState::Person(Puzzle::Unknown))
            }
        }
    }

    fn proven_not_done(
        &mut self,
        seq: Seq,
        at: Timestamp,
        index: usize,
    ) -> Result<(), IllegalEvent> {
        use steadyhand_model::catalogue::Idempotency;
        let (step, state) = self.pair(index).ok_or_else(|| illegal(seq, "no such step"))?;
        let write =
            write(step).ok_or_else(|| illegal(seq, "a call of a step that writes nothing"))?;
        if write.idempotency == Idempotency::None {
            return self.set(seq, at, index, StepState::Person(Puzzle::NotRepeatable));
        }
        if state.attempt.0 < write.attempts && self.stop.is_none() {
            return self.next_attempt(seq, at, index);
        }
        let why = format!("proven not done after {} attempts", state.attempt);
        self.failed(seq, at, index, why)
    }

    fn settled(
        &mut self,
        seq: Seq,
        at: Timestamp,
        what: &At,
        settlement: Settlement,
    ) -> Result<(), IllegalEvent> {
        let index = self.attempt(seq, what)?;
        let puzzle = self.puzzle(index).ok_or_else(|| illegal(seq, "nothing to settle"))?;
        if self.finished.is_some() {
            let state = self.state(seq, index)?;
            state.leased = false;
            state.wrote |= settlement == Settlement::Done && state.leg == Leg::Forward;
            return self.set(seq, at, index, StepState::Passed);
        }
        let leg = self.state(seq, index)?.leg;
        match settlement {
            Settlement::Done if puzzle == Puzzle::Unverified => {
                let next = match leg {
                    Leg::Forward => self.after_verified(index),
                    Leg::Undo => StepState::Undone,
                };
                self.set(seq, at, index, next)
            }
            Settlement::Done => self.effect_there(seq, at, index),
            Settlement::NotDone => {
                self.failed(seq, at, index, "a person settled it as not done".into())
            }
            Settlement::Retry if puzzle == Puzzle::Unverified => {
                self.set(seq, at, index, StepState::Verifying)
            }
            Settlement::Retry => self.next_attempt(seq, at, index),
            Settlement::Skip if leg == Leg::Undo => self.set(
                seq,
                at,
                index,
                StepState::UndoFailed { why: "a person passed it over".into() },
            ),
            Settlement::Skip => self.set(seq, at, index, StepState::Passed),
            Settlement::Undo => {
                // The safe side of not knowing: its inverse is compare-and-set, and refuses if nothing is there.
                let writes = self.pair(index).is_some_and(|(step, _)| write(step).is_some());
                self.state(seq, index)?.wrote |= writes && puzzle != Puzzle::NotRepeatable;
                self.set(seq, at, index, StepState::Failed { why: "a person chose to undo".into() })
            }
            // The run ends here; `finished` follows in the same batch and frees what is held.
            Settlement::HandOver => {
                let state = self.state(seq, index)?;
                state.leased = false;
                self.set(seq, at, index, StepState::Passed)
            }
        }
    }

    fn time_over(
        &mut self,
        seq: Seq,
        at: Timestamp,
        timer: Timer,
        step: Option<&StepId>,
    ) -> Result<(), IllegalEvent> {
        match (timer, step) {
            (Timer::Run, _) => {
                self.over = true;
                Ok(())
            }
            (Timer::Backoff, Some(id)) => {
                let index = self.index(seq, id)?;
                self.next_attempt(seq, at, index)
            }
            (Timer::Wait, Some(id)) => self.to(seq, at, id, StepState::Done),
            (Timer::Limit, Some(id)) => {
                let index = self.index(seq, id)?;
                self.failed(seq, at, index, "its time is over".into())
            }
            // The end of the run could not be checked in time, or a gate at the start shut.
            (Timer::Limit, None) => {
                if self.ending.take().is_some() {
                    self.end_checked = Some(Some("not confirmed in time".into()));
                }
                Ok(())
            }
            (Timer::Backoff | Timer::Wait, None) => Err(illegal(seq, "a timer without its step")),
        }
    }

    fn taken_over(
        &mut self,
        seq: Seq,
        at: Timestamp,
        driver: &steadyhand_model::ids::DriverId,
        fence: Fence,
    ) -> Result<(), IllegalEvent> {
        if fence <= self.fence {
            return Err(illegal(seq, "a fence that does not rise"));
        }
        self.fence = fence;
        self.driver = Some(driver.clone());
        // Whoever drove before may have sent what was intended: nobody may send it again.
        self.doubt_all(seq, at);
        // Nobody looked while nobody drove: what is being read begins anew, with its whole time.
        for state in self.steps.iter_mut().filter(|s| s.state.is_reading()) {
            state.since = seq;
            state.since_at = at;
            state.began = at;
        }
        if self.ending.is_some() {
            self.ending = Some((seq, at));
        }
        Ok(())
    }

    /// Enters a state. A state that ends a step lets its targets go; an unknown keeps them.
    fn set(
        &mut self,
        seq: Seq,
        at: Timestamp,
        index: usize,
        next: StepState,
    ) -> Result<(), IllegalEvent> {
        let state = self.state(seq, index)?;
        if next.has_ended() {
            state.leased = false;
        }
        state.state = next;
        state.since = seq;
        state.since_at = at;
        Ok(())
    }

    fn to(
        &mut self,
        seq: Seq,
        at: Timestamp,
        id: &StepId,
        next: StepState,
    ) -> Result<(), IllegalEvent> {
        let index = self.index(seq, id)?;
        self.set(seq, at, index, next)
    }

    fn state(&mut self, seq: Seq, index: usize) -> Result<&mut StepRun, IllegalEvent> {
        self.steps.get_mut(index).ok_or_else(|| illegal(seq, "no such step"))
    }

    fn index(&self, seq: Seq, id: &StepId) -> Result<usize, IllegalEvent> {
        self.index_of(id).ok_or_else(|| IllegalEvent::Step { seq, step: id.clone() })
    }

    /// The place of a step that is at exactly this leg and attempt.
    fn attempt(&self, seq: Seq, what: &At) -> Result<usize, IllegalEvent> {
        let index = self.index(seq, &what.step)?;
        if self.at(index).as_ref() == Some(what) {
            Ok(index)
        } else {
            Err(IllegalEvent::Step { seq, step: what.step.clone() })
        }
    }

    fn gate_mut(
        &mut self,
        seq: Seq,
        id: &GateId,
    ) -> Result<&mut crate::state::GateRun, IllegalEvent> {
        let index = self.gate_index(id);
        index.and_then(|i| self.gates.get_mut(i)).ok_or_else(|| illegal(seq, "no such gate"))
    }
}

/// The first state of a step that has no stage before its work.
fn first_work(step: &Step, at: Timestamp) -> StepState {
    match &step.kind {
        StepKind::Write(_) => StepState::Leasing,
        StepKind::Ask(ask) => StepState::Asking { until: at.plus(ask.within) },
        StepKind::Wait(wait) if wait.until.is_some() => StepState::Verifying,
        StepKind::Wait(wait) => StepState::Pausing { until: at.plus(wait.at_most) },
        StepKind::Notify(_) => StepState::Notifying,
    }
}

fn illegal(seq: Seq, what: &'static str) -> IllegalEvent {
    IllegalEvent::State { seq, what }
}
