//! (state, input, time) → events. Pure and total: a stale or unfitting input is refused and changes nothing.

use steadyhand_model::actor::Actor;
use steadyhand_model::approval::{Approval, Decision};
use steadyhand_model::event::{At, Cause, Event, Leg, Phase, Purpose, Timer};
use steadyhand_model::ids::Seq;
use steadyhand_model::outcome::{Outcome, RefusalKind, RunOutcome, Settlement};
use steadyhand_model::plan::{EnvironmentClass, GateBefore, GateKind, StepKind};
use steadyhand_model::reading::Verdict;
use steadyhand_model::time::Timestamp;

use crate::effect::{EffectId, EffectKind};
use crate::input::{Input, LeaseAnswer, PolicyAnswer, Rejected};
use crate::pending::{Waits, call_of, possible};
use crate::run::{Mode, Run, targets};
use crate::state::StepState;

/// Longest chain of events that one input can lead to: every step of the largest plan, begun and passed over.
const CHAIN_MAX: usize = 4 * steadyhand_model::plan::PLAN_STEPS_MAX;

impl Run {
    /// The events that an input leads to, in order. They are to be made durable before they are applied.
    ///
    /// # Errors
    /// Why the input changes nothing.
    pub fn decide(&self, input: Input, now: Timestamp) -> Result<Vec<Event>, Rejected> {
        Ok(self.step_forward(input, now)?.0)
    }

    /// As [`Run::decide`], with the run as it is after the events: what a shell swaps in once they are durable.
    pub fn step_forward(
        &self,
        input: Input,
        now: Timestamp,
    ) -> Result<(Vec<Event>, Self), Rejected> {
        let now = now.max(self.last);
        let mut events = self.answer(input, now)?;
        let mut next = self.clone();
        let mut taken = 0;
        while taken < CHAIN_MAX {
            if let Some(event) = events.get(taken) {
                next.apply(next.seq.next(), now, event)
                    .map_err(|source| Rejected::Illegal { source: Box::new(source) })?;
                taken += 1;
            } else if let Some(event) = next.follows() {
                events.push(event);
            } else {
                break;
            }
        }
        Ok((events, next))
    }

    fn answer(&self, input: Input, now: Timestamp) -> Result<Vec<Event>, Rejected> {
        if self.finished.is_some() && !matches!(input, Input::Settle(..)) {
            return Err(Rejected::Finished);
        }
        match input {
            Input::TakenOver(driver, fence) if fence > self.fence => {
                Ok(vec![Event::TakenOver { driver, fence }])
            }
            Input::TakenOver(_, fence) => {
                Err(Rejected::FenceNotAbove { offered: fence, current: self.fence })
            }
            Input::Approval(approval) => self.approval(approval, now),
            Input::Checked(id, verdict) => self.checked_input(&id, verdict),
            Input::Observed(id, facts) => {
                let index = self.expect_step(&id, EffectKind::Observe)?;
                let (step, state) = self.pair(index).ok_or(Rejected::Stale)?;
                let early = state.state == StepState::Observing;
                let phase = if early { Phase::Before } else { Phase::After };
                Ok(vec![Event::Observed { step: step.id.clone(), phase, facts }])
            }
            Input::Policy(id, answer) => self.policy(&id, answer),
            Input::Leased(id, answer) => self.leased(&id, answer, now),
            Input::Returned(id, outcome) => self.returned_input(&id, outcome),
            Input::Probed(id, verdict) => {
                let index = self.expect_step(&id, EffectKind::Probe)?;
                Ok(vec![Event::Probed { at: self.at(index).ok_or(Rejected::Stale)?, verdict }])
            }
            Input::Answer(id, by, answer) => self.answer_input(&id, by, answer),
            Input::Notified(id, delivery) => {
                let index = self.expect_step(&id, EffectKind::Notify)?;
                let (step, _) = self.pair(index).ok_or(Rejected::Stale)?;
                Ok(vec![Event::Notified { step: step.id.clone(), delivery }])
            }
            Input::Elapsed(id) => self.elapsed(&id),
            Input::Settle(at, by, settlement, reason) => self.settle(at, by, settlement, reason),
            Input::Pause(by) if self.paused.is_none() && self.stop.is_none() => {
                Ok(vec![Event::Paused { because: Cause::Asked { by } }])
            }
            Input::Pause(_) => Err(Rejected::PausedAlready),
            Input::Resume(_) if self.stop.is_some() => Err(Rejected::IsStopped),
            Input::Resume(by) if self.paused.is_some() => Ok(vec![Event::Resumed { by }]),
            Input::Resume(_) => Err(Rejected::NotPaused),
            Input::Cancel(by) => self.cancel_input(by, false),
            Input::Undo(by) => self.cancel_input(by, true),
            Input::Stop(_) if self.stop.is_some() => Err(Rejected::AskedAlready),
            Input::Stop(order) => Ok(vec![Event::Stopped { order }]),
            Input::Release(order) => match &self.stop {
                Some(stop) if !stop.released => Ok(vec![Event::Released { order }]),
                _ => Err(Rejected::NotStopped),
            },
        }
    }

    /// What the run waits for under this id, if it still does.
    fn expect(&self, id: &EffectId) -> Result<Waits, Rejected> {
        self.waiting()
            .into_iter()
            .find(|(known, _)| known == id)
            .map(|(_, w)| w)
            .ok_or(Rejected::Stale)
    }

    fn expect_step(&self, id: &EffectId, kind: EffectKind) -> Result<usize, Rejected> {
        match self.expect(id)? {
            Waits::Step(index) if id.kind == kind => Ok(index),
            _ => Err(Rejected::Stale),
        }
    }

    fn approval(&self, approval: Approval, now: Timestamp) -> Result<Vec<Event>, Rejected> {
        let gate_id = approval.gate.clone();
        let not_open = || Rejected::GateNotOpen { gate: gate_id.clone() };
        if approval.run != self.id || approval.plan != self.plan.digest() {
            return Err(Rejected::OtherPlan);
        }
        let index = self.gate_index(&approval.gate).ok_or_else(not_open)?;
        let open = self.waiting().iter().any(|(_, waits)| *waits == Waits::Gate(index));
        let (gate, state) = self.gates().nth(index).filter(|_| open).ok_or_else(not_open)?;
        if approval.expires <= now || self.gate_until(gate, state) <= now {
            return Err(Rejected::DecisionExpired);
        }
        let practice = self.plan.body().environment.class == EnvironmentClass::Practice;
        let counts = approval.by.is_person() || (practice && approval.by == Actor::Practice);
        let not_eligible =
            || Rejected::NotEligible { by: approval.by.clone(), gate: approval.gate.clone() };
        if !counts {
            return Err(not_eligible());
        }
        if state.approved.contains_key(&approval.by) {
            return Err(Rejected::DecidedBefore { by: approval.by, gate: approval.gate });
        }
        let enough = match &gate.kind {
            GateKind::Confirm { .. } if approval.by == self.requester => true,
            GateKind::Confirm { .. } => return Err(Rejected::NotRequester),
            GateKind::Approvals { count, from, others, min, .. } => {
                let denies = approval.decision == Decision::Deny;
                if *others && approval.by == self.requester && !denies {
                    return Err(Rejected::RequesterDoesNotCount { gate: approval.gate });
                }
                if approval.team.as_ref() != Some(from)
                    && !(denies && approval.by == self.requester)
                {
                    return Err(not_eligible());
                }
                if approval.evidence.kind() < *min {
                    return Err(Rejected::EvidenceTooWeak { gate: approval.gate });
                }
                let valid = state.approved.values().filter(|until| **until > now).count();
                valid + 1 >= usize::from(*count)
            }
        };
        if approval.decision == Decision::Deny {
            return Ok(self.denied(approval));
        }
        let gate = approval.gate.clone();
        let mut events = vec![Event::Approved { approval }];
        events.extend(enough.then_some(Event::GateSatisfied { gate }));
        Ok(events)
    }

    /// Before anything was sent a no ends the run. Later, what is on the wire is waited for first.
    fn denied(&self, approval: Approval) -> Vec<Event> {
        let by = approval.by.clone();
        if self.intended {
            return vec![Event::Denied { approval }, Event::CancelAsked { by, undo: false }];
        }
        let said = match &approval.reason {
            Some(reason) => format!(": {reason}"),
            None => String::new(),
        };
        let why = Some(format!("denied by {by}{said}"));
        vec![Event::Denied { approval }, Event::Finished { outcome: RunOutcome::Denied, why }]
    }

    fn checked_input(&self, id: &EffectId, verdict: Verdict) -> Result<Vec<Event>, Rejected> {
        let index = match self.expect(id)? {
            Waits::End => {
                let last = self.plan.body().steps.last().ok_or(Rejected::Stale)?;
                let at = At {
                    step: last.id.clone(),
                    leg: Leg::Forward,
                    attempt: crate::run::first_attempt(),
                };
                return Ok(vec![Event::Checked { at, purpose: Purpose::Done, verdict }]);
            }
            Waits::Step(index) if id.kind == EffectKind::Check => index,
            Waits::Step(_) | Waits::Gate(_) | Waits::Deadline => return Err(Rejected::Stale),
        };
        let (step, state) = self.pair(index).ok_or(Rejected::Stale)?;
        let at = self.at(index).ok_or(Rejected::Stale)?;
        let step_id = step.id.clone();
        let purpose = match state.state {
            StepState::When => Purpose::When,
            StepState::Require => Purpose::Require,
            StepState::Before => Purpose::Before,
            StepState::Verifying => Purpose::Verify,
            _ => return Err(Rejected::Stale),
        };
        if let (Purpose::When, Verdict::Fails { .. }) = (purpose, &verdict) {
            return Ok(vec![Event::Skipped { step: step_id, verdict }]);
        }
        let follow = match (purpose, &verdict) {
            (_, Verdict::Holds { .. }) | (Purpose::Verify | Purpose::Done, _) => None,
            (_, Verdict::CannotTell { .. }) => {
                Some(Event::Paused { because: Cause::CannotTell { step: step_id } })
            }
            (_, Verdict::Fails { check, .. }) if self.waited_for_before(index, check) => None,
            (_, Verdict::Fails { check, .. }) => Some(self.drift(step_id, check)),
        };
        let mut events = vec![Event::Checked { at, purpose, verdict }];
        events.extend(follow);
        Ok(events)
    }

    /// What a change of the target means: a successor run before anything was written, a person afterwards.
    fn drift(&self, step: steadyhand_model::ids::StepId, what: &str) -> Event {
        if self.wrote_anything() || self.has_unknown() {
            Event::Paused { because: Cause::Drift { step } }
        } else {
            Event::Finished {
                outcome: RunOutcome::Superseded,
                why: Some(format!("{step}: no longer true: {what}")),
            }
        }
    }

    fn policy(&self, id: &EffectId, answer: PolicyAnswer) -> Result<Vec<Event>, Rejected> {
        let index = self.expect_step(id, EffectKind::AskPolicy)?;
        let at = self.at(index).ok_or(Rejected::Stale)?;
        Ok(vec![match answer {
            PolicyAnswer::Unchanged { policy } => Event::Authorised { at, policy },
            PolicyAnswer::Changed { why } => self.no_longer_allowed(at.step, why),
        }])
    }

    fn no_longer_allowed(&self, step: steadyhand_model::ids::StepId, why: String) -> Event {
        if self.intended {
            Event::Paused { because: Cause::Policy { step, why } }
        } else {
            Event::Finished { outcome: RunOutcome::Superseded, why: Some(format!("{step}: {why}")) }
        }
    }

    fn leased(
        &self,
        id: &EffectId,
        answer: LeaseAnswer,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejected> {
        let index = self.expect_step(id, EffectKind::TakeLeases)?;
        let at = self.at(index).ok_or(Rejected::Stale)?;
        if let LeaseAnswer::RateSpent { why } = answer {
            return Ok(vec![self.no_longer_allowed(at.step, why)]);
        }
        if !self.intended && now >= self.expires {
            return Ok(vec![Event::TimeOver { timer: Timer::Run, step: None }]);
        }
        // S3 holds at this very moment, not only when the gate was satisfied.
        if at.leg == Leg::Forward && !self.approvals_last(&at.step, now) {
            return Ok(vec![self.no_longer_allowed(at.step, "an approval has expired".into())]);
        }
        let (step, state) = self.pair(index).ok_or(Rejected::Stale)?;
        let call = call_of(step, state.leg).ok_or(Rejected::Stale)?.digest();
        Ok(vec![
            Event::LeasesTaken { at: at.clone(), targets: targets(step) },
            Event::Intended { at, call, fence: self.fence },
        ])
    }

    /// Whether every gate that this intent stands behind still has its people. After the first intent the yes at the
    /// start has been used; the yes before this very step has not.
    fn approvals_last(&self, step: &steadyhand_model::ids::StepId, now: Timestamp) -> bool {
        self.gates()
            .filter(|(gate, _)| match &gate.before {
                GateBefore::Start => !self.intended,
                GateBefore::Step(id) => id == step,
            })
            .all(|(gate, state)| {
                let needed = match &gate.kind {
                    GateKind::Confirm { .. } => 1,
                    GateKind::Approvals { count, .. } => usize::from(*count),
                };
                state.approved.values().filter(|until| **until > now).count() >= needed
            })
    }

    fn returned_input(&self, id: &EffectId, outcome: Outcome) -> Result<Vec<Event>, Rejected> {
        let index = self.expect_step(id, EffectKind::Call)?;
        let at = self.at(index).ok_or(Rejected::Stale)?;
        let drift = match &outcome {
            Outcome::NotDone(refusal)
                if refusal.kind == RefusalKind::Conflict
                    && at.attempt == crate::run::first_attempt()
                    && at.leg == Leg::Forward =>
            {
                let others = self
                    .steps
                    .iter()
                    .enumerate()
                    .any(|(i, s)| i != index && (s.wrote || s.state.is_open()));
                Some(if others {
                    Event::Paused { because: Cause::Drift { step: at.step.clone() } }
                } else {
                    let why = Some(format!("{}: {}", at.step, refusal.why));
                    Event::Finished { outcome: RunOutcome::Superseded, why }
                })
            }
            _ => None,
        };
        let mut events = vec![Event::Returned { at, outcome }];
        events.extend(drift);
        Ok(events)
    }

    fn answer_input(
        &self,
        id: &EffectId,
        by: Actor,
        answer: steadyhand_model::event::Answer,
    ) -> Result<Vec<Event>, Rejected> {
        let index = self.expect_step(id, EffectKind::Ask)?;
        let (step, _) = self.pair(index).ok_or(Rejected::Stale)?;
        let StepKind::Ask(ask) = &step.kind else {
            return Err(Rejected::NotAsked { step: step.id.clone() });
        };
        if !ask.answers.contains(&answer.0) {
            return Err(Rejected::NotAnAnswer {
                answer: answer.0,
                possible: ask.answers.join(", "),
            });
        }
        Ok(vec![Event::Answered { step: step.id.clone(), by, answer }])
    }

    fn elapsed(&self, id: &EffectId) -> Result<Vec<Event>, Rejected> {
        let index = match self.expect(id)? {
            Waits::Deadline => return Ok(vec![Event::TimeOver { timer: Timer::Run, step: None }]),
            Waits::End => return Ok(vec![Event::TimeOver { timer: Timer::Limit, step: None }]),
            Waits::Gate(index) => return self.gate_elapsed(index),
            Waits::Step(index) => index,
        };
        let (step, state) = self.pair(index).ok_or(Rejected::Stale)?;
        let timer = match state.state {
            StepState::Backoff { .. } => Timer::Backoff,
            StepState::Pausing { .. } => Timer::Wait,
            // A call on the wire ends by its own outcome, a probe by its verdict, a puzzle by a person.
            StepState::InFlight { .. } | StepState::Doubtful { .. } | StepState::Person(_) => {
                return Err(Rejected::Stale);
            }
            _ => Timer::Limit,
        };
        Ok(vec![Event::TimeOver { timer, step: Some(step.id.clone()) }])
    }

    /// An unanswered gate expires to no: at the start the run ends, later the step behind it is not done.
    fn gate_elapsed(&self, index: usize) -> Result<Vec<Event>, Rejected> {
        let gate = self.plan.body().gates.get(index).ok_or(Rejected::Stale)?;
        Ok(match &gate.before {
            GateBefore::Step(step) => {
                vec![Event::TimeOver { timer: Timer::Limit, step: Some(step.clone()) }]
            }
            GateBefore::Start => vec![
                Event::TimeOver { timer: Timer::Limit, step: None },
                Event::Finished { outcome: RunOutcome::Expired, why: None },
            ],
        })
    }

    fn settle(
        &self,
        at: At,
        by: Actor,
        settlement: Settlement,
        reason: String,
    ) -> Result<Vec<Event>, Rejected> {
        let nothing = || Rejected::NotSettleable {
            settlement: settlement.word(),
            possible: "nothing: no step waits for a person".into(),
        };
        let index = self.index_of(&at.step).ok_or_else(nothing)?;
        let puzzle = self.puzzle(index).ok_or_else(nothing)?;
        if self.at(index).as_ref() != Some(&at) {
            return Err(Rejected::Stale);
        }
        let (step, state) = self.pair(index).ok_or(Rejected::Stale)?;
        let possible = possible(puzzle, step, state.leg, self);
        if !possible.contains(&settlement) {
            let words: Vec<&str> = possible.iter().map(|s| s.word()).collect();
            return Err(Rejected::NotSettleable {
                settlement: settlement.word(),
                possible: words.join(", "),
            });
        }
        let mut events =
            vec![Event::Settled { at, by: by.clone(), settlement, reason: reason.clone() }];
        if self.finished.is_some() {
            return Ok(events);
        }
        match settlement {
            Settlement::HandOver => {
                let others =
                    self.steps.iter().enumerate().any(|(i, s)| i != index && s.state.is_open());
                let outcome = if others { RunOutcome::Unresolved } else { RunOutcome::HandedOver };
                events.push(Event::Finished { outcome, why: Some(reason) });
            }
            Settlement::Undo => events.push(Event::CancelAsked { by, undo: true }),
            Settlement::Done | Settlement::NotDone | Settlement::Retry | Settlement::Skip => {}
        }
        Ok(events)
    }

    fn cancel_input(&self, by: Actor, undo: bool) -> Result<Vec<Event>, Rejected> {
        if self.stop.is_some() {
            return Err(Rejected::IsStopped);
        }
        let again = self.cancel.is_some() || matches!(self.mode, Mode::Undoing { .. });
        if again { Err(Rejected::AskedAlready) } else { Ok(vec![Event::CancelAsked { by, undo }]) }
    }

    /// The place of the last event, for a shell that appends.
    pub fn expected(&self) -> Seq {
        self.seq
    }
}
