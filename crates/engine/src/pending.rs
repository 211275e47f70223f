//! What a run waits for, derived from its state alone.

use steadyhand_model::event::{At, Leg, Phase, Purpose};
use steadyhand_model::ids::{Fence, GateId, Seq};
use steadyhand_model::outcome::Settlement;
use steadyhand_model::plan::{Gate, GateBefore, Step, StepKind, Undo};
use steadyhand_model::reading::{Call, Check};
use steadyhand_model::time::{Span, Timestamp};

use crate::effect::{Effect, EffectId, EffectKind, What};
use crate::port::Authorized;
use crate::run::{Mode, Run, first_attempt, targets, write};
use crate::state::{GateRun, Puzzle, StepRun, StepState};

/// Time beyond a check's own limits that its reads may take.
const READING: Span = Span::from_secs(30);

/// A light form of an effect: enough to recognise an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    Gate(usize),
    Step(usize),
    End,
    Deadline,
}

impl Run {
    /// Everything that the run waits for, for a driver that holds `fence`. A call is there only under the fence of
    /// its own intent; a driver behind the run's fence is given nothing at all.
    pub fn pending(&self, fence: Fence) -> Vec<Effect> {
        if fence != self.fence {
            return Vec::new();
        }
        self.waiting()
            .into_iter()
            .filter_map(|(id, waits)| self.what(waits, fence).map(|what| Effect { id, what }))
            .collect()
    }

    /// Ids of everything that the run waits for.
    pub(crate) fn waiting(&self) -> Vec<(EffectId, Waits)> {
        let mut all = Vec::new();
        if self.finished.is_some() {
            self.wait_for_steps(&mut all, |s| matches!(s, StepState::Person(Puzzle::Unknown)));
            return all;
        }
        match &self.stop {
            Some(stop) if !stop.released => return all,
            Some(_) => {
                self.wait_for_steps(&mut all, |s| s.is_open() || matches!(s, StepState::Person(_)));
                return all;
            }
            None => {}
        }
        for (index, (gate, state)) in self.gates().enumerate() {
            if self.gate_waits(gate, state) {
                let id = self.effect_id(state.since, self.gate_step(gate), EffectKind::Await);
                all.push((id, Waits::Gate(index)));
            }
        }
        let held = self.is_held();
        self.wait_for_steps(&mut all, |state| !held || !state.is_at_rest());
        if let Some((since, _)) = self.ending
            && !held
        {
            all.push((self.effect_id(since, None, EffectKind::Check), Waits::End));
        }
        if !self.over {
            let since = if self.intended { Seq(2) } else { Seq(1) };
            all.push((self.effect_id(since, None, EffectKind::Deadline), Waits::Deadline));
        }
        all
    }

    fn wait_for_steps(
        &self,
        all: &mut Vec<(EffectId, Waits)>,
        wanted: impl Fn(&StepState) -> bool,
    ) {
        for (index, (step, state)) in self.steps().enumerate() {
            if let Some(kind) = effect_kind(&state.state)
                && wanted(&state.state)
            {
                let id = self.effect_id(state.since, Some(step.id.clone()), kind);
                all.push((id, Waits::Step(index)));
            }
        }
    }

    fn gate_waits(&self, gate: &Gate, state: &GateRun) -> bool {
        !state.satisfied
            && self.cancel.is_none()
            && !self.over
            && match &gate.before {
                GateBefore::Start => state.open,
                GateBefore::Step(_) => self.open_step_gate(gate).is_some(),
            }
    }

    /// The step that stands at this gate now.
    pub(crate) fn open_step_gate(&self, gate: &Gate) -> Option<usize> {
        let GateBefore::Step(id) = &gate.before else {
            return None;
        };
        let index = self.index_of(id)?;
        (self.steps.get(index)?.state == StepState::Gate).then_some(index)
    }

    fn gate_step(&self, gate: &Gate) -> Option<steadyhand_model::ids::StepId> {
        match &gate.before {
            GateBefore::Start => None,
            GateBefore::Step(id) => Some(id.clone()),
        }
    }

    fn effect_id(
        &self,
        cause: Seq,
        step: Option<steadyhand_model::ids::StepId>,
        kind: EffectKind,
    ) -> EffectId {
        EffectId { run: self.id.clone(), cause, step, kind }
    }

    fn what(&self, waits: Waits, fence: Fence) -> Option<What> {
        match waits {
            Waits::Gate(index) => {
                let gate = self.plan.body().gates.get(index)?;
                let state = self.gates.get(index)?;
                Some(What::Await { gate: gate.id.clone(), until: self.gate_until(gate, state) })
            }
            Waits::Deadline => Some(What::Deadline { until: self.deadline() }),
            Waits::End => {
                let check = self.plan.body().done.clone()?;
                let since = self.ending?.1;
                let step = self.plan.body().steps.last()?.id.clone();
                let at = At { step, leg: Leg::Forward, attempt: first_attempt() };
                let until = self.bound(since, &[&check]);
                Some(What::Check {
                    at,
                    purpose: Purpose::Done,
                    checks: vec![check],
                    observed: None,
                    until,
                })
            }
            Waits::Step(index) => self.step_what(index, fence),
        }
    }

    pub(crate) fn gate_until(&self, gate: &Gate, state: &GateRun) -> Timestamp {
        match self.open_step_gate(gate).and_then(|i| self.steps.get(i)) {
            Some(step) => step.since_at.plus(gate.within).min(self.ends),
            None => state.until.min(self.expires),
        }
    }

    fn deadline(&self) -> Timestamp {
        if self.intended { self.ends } else { self.expires.min(self.ends) }
    }

    fn bound(&self, since: Timestamp, checks: &[&Check]) -> Timestamp {
        let longest = checks.iter().map(|c| c.within.plus(c.hold_for)).max().unwrap_or(Span::ZERO);
        since.plus(longest.plus(READING)).min(self.ends)
    }

    fn step_what(&self, index: usize, fence: Fence) -> Option<What> {
        let (step, state) = self.pair(index)?;
        let at = self.at(index)?;
        let limit = state.began.plus(step.timeout).min(self.ends);
        match &state.state {
            StepState::When => Some(self.check(at, Purpose::When, step.when.iter(), state, limit)),
            StepState::Require => Some(self.check(
                at,
                Purpose::Require,
                self.plan.body().require.iter(),
                state,
                limit,
            )),
            StepState::Before => {
                Some(self.check(at, Purpose::Before, write(step)?.before.iter(), state, limit))
            }
            StepState::Verifying => {
                let check = verification(step, state.leg);
                Some(self.check(at, Purpose::Verify, check.into_iter(), state, limit))
            }
            StepState::Observing | StepState::ObservingAfter => Some(What::Observe {
                step: step.id.clone(),
                phase: if state.state == StepState::Observing {
                    Phase::Before
                } else {
                    Phase::After
                },
                reads: write(step)?.measure.clone(),
                until: limit.min(state.since_at.plus(READING)),
            }),
            StepState::Authorising => Some(What::AskPolicy { at, until: limit }),
            StepState::Leasing => {
                Some(What::TakeLeases { at, targets: targets(step), until: limit })
            }
            StepState::InFlight { fence: intended, .. } => {
                // Never under another fence than that of the intent: a driver that takes over must probe, not send.
                if *intended != fence {
                    return None;
                }
                let call = call_of(step, state.leg)?.clone();
                let call_max = write(step)?.call_max;
                let envelope = self.envelope(at, fence);
                Some(What::Call(Box::new(Authorized::new(call, envelope, call_max))))
            }
            StepState::Doubtful { fence: intended, next, .. } => Some(What::Probe {
                call: call_of(step, state.leg)?.clone(),
                envelope: self.envelope(at.clone(), *intended),
                at,
                not_before: *next,
            }),
            StepState::Backoff { until } | StepState::Pausing { until } => {
                Some(What::Wait { step: step.id.clone(), until: *until })
            }
            StepState::Person(puzzle) => {
                Some(What::Settle { at, possible: possible(*puzzle, step, state.leg, self) })
            }
            StepState::Asking { until } => match &step.kind {
                StepKind::Ask(ask) => Some(What::Ask {
                    step: step.id.clone(),
                    question: ask.question.clone(),
                    who: ask.who.clone(),
                    answers: ask.answers.clone(),
                    until: *until,
                }),
                StepKind::Write(_) | StepKind::Wait(_) | StepKind::Notify(_) => None,
            },
            StepState::Notifying => match &step.kind {
                StepKind::Notify(notify) => Some(What::Notify {
                    step: step.id.clone(),
                    to: notify.to.clone(),
                    say: notify.say.clone(),
                }),
                StepKind::Write(_) | StepKind::Wait(_) | StepKind::Ask(_) => None,
            },
            StepState::Waiting
            | StepState::Gate
            | StepState::Done
            | StepState::Skipped
            | StepState::Passed
            | StepState::Failed { .. }
            | StepState::Undone
            | StepState::UndoFailed { .. } => None,
        }
    }

    fn check<'a>(
        &self,
        at: At,
        purpose: Purpose,
        checks: impl Iterator<Item = &'a Check>,
        state: &StepRun,
        limit: Timestamp,
    ) -> What {
        let checks: Vec<Check> = checks.cloned().collect();
        let until = self.bound(state.since_at, &checks.iter().collect::<Vec<_>>()).min(limit);
        What::Check { at, purpose, checks, observed: state.observed, until }
    }

    /// The gate of this name and its place.
    pub(crate) fn gate_index(&self, id: &GateId) -> Option<usize> {
        self.plan.body().gates.iter().position(|g| g.id == *id)
    }
}

/// The call of a leg.
pub(crate) fn call_of(step: &Step, leg: Leg) -> Option<&Call> {
    let write = write(step)?;
    match (leg, &write.undo) {
        (Leg::Forward, _) => Some(&write.call),
        (Leg::Undo, Undo::Inverse(inverse)) => Some(&inverse.call),
        (Leg::Undo, Undo::NothingToUndo { .. } | Undo::Irreversible { .. }) => None,
    }
}

/// The verification of a leg: an action's, an undo's, or the condition of a `wait`.
pub(crate) fn verification(step: &Step, leg: Leg) -> Option<&Check> {
    match &step.kind {
        StepKind::Write(write) => match (leg, &write.undo) {
            (Leg::Forward, _) => write.verify.as_ref(),
            (Leg::Undo, Undo::Inverse(inverse)) => inverse.verify.as_ref(),
            (Leg::Undo, Undo::NothingToUndo { .. } | Undo::Irreversible { .. }) => None,
        },
        StepKind::Wait(wait) => wait.until.as_ref(),
        StepKind::Ask(_) | StepKind::Notify(_) => None,
    }
}

/// What a person may say about a step that waits for one.
pub(crate) fn possible(puzzle: Puzzle, step: &Step, leg: Leg, run: &Run) -> Vec<Settlement> {
    if run.finished.is_some() {
        // Only the lease is left to release: say what was found out.
        return vec![Settlement::Done, Settlement::NotDone, Settlement::HandOver];
    }
    let mut all = match puzzle {
        Puzzle::Unknown | Puzzle::NotRepeatable => {
            vec![Settlement::Done, Settlement::NotDone, Settlement::Retry, Settlement::Skip]
        }
        Puzzle::Unverified => vec![Settlement::Done, Settlement::Retry, Settlement::Skip],
    };
    let can_undo = call_of(step, Leg::Undo).is_some() || run.wrote_anything();
    if leg == Leg::Forward && run.mode == Mode::Forward && run.stop.is_none() && can_undo {
        all.push(Settlement::Undo);
    }
    all.push(Settlement::HandOver);
    if run.stop.is_some() || run.cancel.is_some() || run.over {
        all.retain(|s| *s != Settlement::Retry);
    }
    all
}

fn effect_kind(state: &StepState) -> Option<EffectKind> {
    match state {
        StepState::When | StepState::Require | StepState::Before | StepState::Verifying => {
            Some(EffectKind::Check)
        }
        StepState::Observing | StepState::ObservingAfter => Some(EffectKind::Observe),
        StepState::Authorising => Some(EffectKind::AskPolicy),
        StepState::Leasing => Some(EffectKind::TakeLeases),
        StepState::InFlight { .. } => Some(EffectKind::Call),
        StepState::Doubtful { .. } => Some(EffectKind::Probe),
        StepState::Backoff { .. } | StepState::Pausing { .. } => Some(EffectKind::Wait),
        StepState::Person(_) => Some(EffectKind::Settle),
        StepState::Asking { .. } => Some(EffectKind::Ask),
        StepState::Notifying => Some(EffectKind::Notify),
        StepState::Waiting
        | StepState::Gate
        | StepState::Done
        | StepState::Skipped
        | StepState::Passed
        | StepState::Failed { .. }
        | StepState::Undone
        | StepState::UndoFailed { .. } => None,
    }
}
