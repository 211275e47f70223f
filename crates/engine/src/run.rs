//! One run: its state, how it is opened, replayed and asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use steadyhand_model::actor::Actor;
use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::capability::Envelope;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{
    At, Cause, ClockKind, Event, EventError, Leg, Recorded, StopOrder, read_event,
};
use steadyhand_model::ids::{
    Attempt, DriverId, Fence, IncidentId, MachineVersion, RunId, Seq, StepId,
};
use steadyhand_model::outcome::RunOutcome;
use steadyhand_model::plan::{Gate, GateBefore, Plan, Step, StepKind, TargetKey, WriteStep};
use steadyhand_model::time::Timestamp;

use crate::state::{GateRun, Puzzle, StepRun, StepState};

/// Version of this state machine. A change of what an event means raises it, and old runs are refused by name.
pub const MACHINE: MachineVersion = MachineVersion(1);

/// What a run is opened with, beside its plan.
#[derive(Debug, Clone)]
pub struct Request {
    pub run: RunId,
    pub requester: Actor,
    pub incident: Option<IncidentId>,
    pub predecessor: Option<RunId>,
    /// The run in whose practice world it acts.
    pub world: Option<RunId>,
    pub clock: ClockKind,
}

/// An event that cannot follow the ones before it. On replay this means a damaged or foreign journal.
#[derive(Debug, thiserror::Error)]
pub enum IllegalEvent {
    #[error("the first event of a run must be `created`")]
    NotCreated,
    #[error("event {found} follows {expected}: the sequence has a gap")]
    Gap { expected: Seq, found: Seq },
    #[error("the run was made by machine {found}, this program has machine {MACHINE}")]
    Machine { found: MachineVersion },
    #[error("the run was created for plan {expected}, not for {found}")]
    OtherPlan { expected: Digest, found: Digest },
    #[error("event {seq} cannot happen in this state: {what}")]
    State { seq: Seq, what: &'static str },
    #[error("event {seq} names the step `{step}`, which is not in the plan or not at that attempt")]
    Step { seq: Seq, step: StepId },
    #[error("event {seq} cannot be read")]
    Form {
        seq: Seq,
        #[source]
        source: EventError,
    },
}

/// Which way the run goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    Forward,
    Undoing { because: Cause },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) order: StopOrder,
    pub(crate) released: bool,
}

/// A run is the fold of its events over its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub(crate) plan: Arc<Plan>,
    pub(crate) id: RunId,
    pub(crate) requester: Actor,
    pub(crate) incident: Option<IncidentId>,
    pub(crate) world: Option<RunId>,
    pub(crate) clock: ClockKind,
    pub(crate) created: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) ends: Timestamp,
    pub(crate) fence: Fence,
    /// Who took the run over last.
    pub(crate) driver: Option<DriverId>,
    /// The last event that was applied, and its time.
    pub(crate) seq: Seq,
    pub(crate) last: Timestamp,
    pub(crate) gates: Vec<GateRun>,
    pub(crate) steps: Vec<StepRun>,
    pub(crate) mode: Mode,
    /// A forward call was intended: from here on the plan's validity no longer bounds the run.
    pub(crate) intended: bool,
    pub(crate) paused: Option<Cause>,
    pub(crate) stop: Option<Stop>,
    /// Who asked for an end, and whether by way of undo.
    pub(crate) cancel: Option<(Actor, bool)>,
    /// The run's time is over: nothing new begins.
    pub(crate) over: bool,
    /// The event since which the end of the run is checked.
    pub(crate) ending: Option<(Seq, Timestamp)>,
    /// The end of the run was checked, and this is what was found where it does not hold.
    pub(crate) end_checked: Option<Option<String>>,
    pub(crate) finished: Option<(RunOutcome, Option<String>)>,
}

impl Run {
    /// The first event of a run of `plan`.
    pub fn open(plan: &Plan, request: Request, now: Timestamp) -> Event {
        Event::Created {
            run: request.run,
            plan: plan.digest(),
            machine: MACHINE,
            requester: request.requester,
            incident: request.incident,
            predecessor: request.predecessor,
            world: request.world,
            expires: now.plus(plan.body().valid_for),
            ends: now.plus(plan.body().run_within),
            clock: request.clock,
        }
    }

    /// The run that a first event makes.
    ///
    /// # Errors
    /// If the event is not `created`, is of another machine or names another plan.
    pub fn begin(plan: Arc<Plan>, at: Timestamp, event: &Event) -> Result<Self, IllegalEvent> {
        let Event::Created {
            run,
            plan: digest,
            machine,
            requester,
            incident,
            world,
            expires,
            ends,
            clock,
            ..
        } = event
        else {
            return Err(IllegalEvent::NotCreated);
        };
        if *machine != MACHINE {
            return Err(IllegalEvent::Machine { found: *machine });
        }
        if *digest != plan.digest() {
            return Err(IllegalEvent::OtherPlan { expected: *digest, found: plan.digest() });
        }
        let first = Seq(1);
        let gates = plan.body().gates.iter().map(|gate| GateRun {
            open: gate.before == GateBefore::Start,
            since: first,
            until: at.plus(gate.within),
            satisfied: false,
            approved: std::collections::BTreeMap::new(),
        });
        Ok(Self {
            id: run.clone(),
            requester: requester.clone(),
            incident: incident.clone(),
            world: world.clone(),
            clock: *clock,
            created: at,
            expires: *expires,
            ends: *ends,
            fence: Fence(0),
            driver: None,
            seq: first,
            last: at,
            gates: gates.collect(),
            steps: plan.body().steps.iter().map(|_| StepRun::waiting()).collect(),
            mode: Mode::Forward,
            intended: false,
            paused: None,
            stop: None,
            cancel: None,
            over: false,
            ending: None,
            end_checked: None,
            finished: None,
            plan,
        })
    }

    /// Rebuilds a run from its journal.
    ///
    /// # Errors
    /// The first event that cannot be read, or cannot follow the ones before it.
    pub fn replay<'a>(
        plan: Arc<Plan>,
        events: impl IntoIterator<Item = &'a Recorded>,
    ) -> Result<Self, IllegalEvent> {
        let mut rows = events.into_iter();
        let first = rows.next().ok_or(IllegalEvent::NotCreated)?;
        let mut run = Self::begin(plan, first.at, &parse(first)?)?;
        if first.seq != run.seq {
            return Err(IllegalEvent::Gap { expected: run.seq, found: first.seq });
        }
        for row in rows {
            run.apply(row.seq, row.at, &parse(row)?)?;
        }
        Ok(run)
    }

    pub fn id(&self) -> &RunId {
        &self.id
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub fn requester(&self) -> &Actor {
        &self.requester
    }

    pub fn incident(&self) -> Option<&IncidentId> {
        self.incident.as_ref()
    }

    /// The run in whose practice world this one acts.
    pub fn world(&self) -> Option<&RunId> {
        self.world.as_ref()
    }

    pub fn clock(&self) -> ClockKind {
        self.clock
    }

    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// When the plan can no longer begin, unless it has begun.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// Who took the run over last, if anybody did.
    pub fn driver(&self) -> Option<&DriverId> {
        self.driver.as_ref()
    }

    /// The last event that was applied.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    pub fn last(&self) -> Timestamp {
        self.last
    }

    pub fn outcome(&self) -> Option<RunOutcome> {
        self.finished.as_ref().map(|(outcome, _)| *outcome)
    }

    /// Why the run ended as it did, where that needs words.
    pub fn why(&self) -> Option<&str> {
        self.finished.as_ref().and_then(|(_, why)| why.as_deref())
    }

    pub fn paused(&self) -> Option<&Cause> {
        self.paused.as_ref()
    }

    pub fn stopped(&self) -> Option<&StopOrder> {
        self.stop.as_ref().map(|s| &s.order)
    }

    /// Whether a forward call was ever intended.
    pub fn has_acted(&self) -> bool {
        self.intended
    }

    /// Who asked for an end, and whether by way of undo.
    pub fn cancelled(&self) -> Option<(&Actor, bool)> {
        self.cancel.as_ref().map(|(by, undo)| (by, *undo))
    }

    pub fn undoing(&self) -> Option<&Cause> {
        match &self.mode {
            Mode::Forward => None,
            Mode::Undoing { because } => Some(because),
        }
    }

    /// Each step of the plan with what became of it.
    pub fn steps(&self) -> impl Iterator<Item = (&Step, &StepRun)> {
        self.plan.body().steps.iter().zip(&self.steps)
    }

    /// Each gate of the plan with what was decided.
    pub fn gates(&self) -> impl Iterator<Item = (&Gate, &GateRun)> {
        self.plan.body().gates.iter().zip(&self.gates)
    }

    /// The targets that the run holds now.
    pub fn leases(&self) -> BTreeSet<TargetKey> {
        self.steps().filter(|(_, state)| state.leased).flat_map(|(step, _)| targets(step)).collect()
    }

    /// Digest over what the run waits for: a changed machine is detected on replay by a changed digest.
    ///
    /// # Errors
    /// Never in practice: ids are texts and whole numbers.
    pub fn pending_digest(&self) -> Result<Digest, CanonicalError> {
        let mut ids: Vec<String> = self
            .waiting()
            .into_iter()
            .map(|(id, _)| {
                let step = id.step.as_ref().map_or("", StepId::as_str);
                format!("{} {} {step} {:?}", id.run, id.cause, id.kind)
            })
            .collect();
        ids.sort();
        Ok(CanonicalJson::of(&ids)?.digest())
    }

    pub(crate) fn pair(&self, index: usize) -> Option<(&Step, &StepRun)> {
        Some((self.plan.body().steps.get(index)?, self.steps.get(index)?))
    }

    pub(crate) fn index_of(&self, id: &StepId) -> Option<usize> {
        self.plan.body().steps.iter().position(|s| s.id == *id)
    }

    pub(crate) fn at(&self, index: usize) -> Option<At> {
        let (step, state) = self.pair(index)?;
        Some(At { step: step.id.clone(), leg: state.leg, attempt: state.attempt })
    }

    pub(crate) fn envelope(&self, at: At, fence: Fence) -> Envelope {
        let leg = match at.leg {
            Leg::Forward => "forward",
            Leg::Undo => "undo",
        };
        let idempotency_key = format!("{}/{}/{leg}/{}", self.id, at.step, at.attempt);
        Envelope { run: self.id.clone(), at, plan: self.plan.digest(), fence, idempotency_key }
    }

    pub(crate) fn start_gates_satisfied(&self) -> bool {
        self.gates().all(|(gate, state)| gate.before != GateBefore::Start || state.satisfied)
    }

    pub(crate) fn step_gate_is_shut(&self, step: &Step) -> bool {
        self.gates().any(|(gate, state)| {
            matches!(&gate.before, GateBefore::Step(id) if *id == step.id) && !state.satisfied
        })
    }

    pub(crate) fn first_failed(&self) -> Option<usize> {
        self.steps.iter().position(|s| matches!(s.state, StepState::Failed { .. }))
    }

    pub(crate) fn at_rest(&self) -> bool {
        self.steps.iter().all(|s| s.state.is_at_rest())
    }

    pub(crate) fn has_unknown(&self) -> bool {
        self.steps.iter().any(|s| s.state.is_open())
    }

    /// Whether nothing new may begin.
    pub(crate) fn is_held(&self) -> bool {
        self.paused.is_some()
            || self.stop.is_some()
            || self.over
            || (self.mode == Mode::Forward
                && (self.cancel.is_some() || self.first_failed().is_some()))
    }

    /// The batch that goes on now: the first with a step that has not ended.
    pub(crate) fn batch(&self) -> Option<u32> {
        self.steps().find(|(_, state)| !state.state.has_ended()).map(|(step, _)| step.batch)
    }

    /// The last step whose effect is there and is not undone.
    pub(crate) fn next_to_undo(&self) -> Option<usize> {
        (0..self.steps.len()).rev().find(|i| {
            self.pair(*i).is_some_and(|(step, state)| {
                state.wrote && state.state != StepState::Undone && needs_undo(step)
            })
        })
    }

    pub(crate) fn wrote_anything(&self) -> bool {
        self.steps.iter().any(|s| s.wrote)
    }

    pub(crate) fn puzzle(&self, index: usize) -> Option<Puzzle> {
        match self.steps.get(index).map(|s| &s.state) {
            Some(StepState::Person(puzzle)) => Some(*puzzle),
            _ => None,
        }
    }
}

fn parse(row: &Recorded) -> Result<Event, IllegalEvent> {
    read_event(&row.event).map_err(|source| IllegalEvent::Form { seq: row.seq, source })
}

pub(crate) fn write(step: &Step) -> Option<&WriteStep> {
    match &step.kind {
        StepKind::Write(write) => Some(write),
        StepKind::Ask(_) | StepKind::Wait(_) | StepKind::Notify(_) => None,
    }
}

pub(crate) fn targets(step: &Step) -> Vec<TargetKey> {
    write(step).map(|w| w.targets.iter().map(|t| t.key.clone()).collect()).unwrap_or_default()
}

fn needs_undo(step: &Step) -> bool {
    use steadyhand_model::plan::Undo;
    write(step).is_some_and(|w| !matches!(w.undo, Undo::NothingToUndo { .. }))
}

pub(crate) fn first_attempt() -> Attempt {
    Attempt(1)
}
