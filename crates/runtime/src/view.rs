//! Projections: what the screens show, made from the journal. Nothing here decides, nothing here is kept.

use std::collections::BTreeMap;

use steadyhand_api::view::{
    GateView, Need, Observed, Puzzle as PuzzleView, RunLine, RunPhase, StepStage, StepView,
    TOLD_MAX, Told,
};
use steadyhand_engine::effect::What;
use steadyhand_engine::run::Run;
use steadyhand_engine::state::{Puzzle, StepRun, StepState};
use steadyhand_model::approval::{Approval, Decision};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Answer, Event, Leg, Phase, Purpose, Recorded, read_event};
use steadyhand_model::ids::StepId;
use steadyhand_model::outcome::{Outcome, ProbeVerdict, Receipt, Refusal, RefusalKind, Settlement};
use steadyhand_model::plan::{GateKind, Step};
use steadyhand_model::time::Timestamp;

use crate::record;

/// Where a run stands, in the words of a list.
pub(crate) fn phase(run: &Run) -> RunPhase {
    match run.outcome() {
        Some(outcome) => RunPhase::Finished(outcome),
        None => match record::phase_word(run, &run.pending(run.fence())) {
            "stopped" => RunPhase::Stopped,
            "paused" => RunPhase::Paused,
            "waiting" => RunPhase::Waiting,
            _ => RunPhase::Running,
        },
    }
}

/// What a run needs of a person.
pub(crate) fn needs(run: &Run) -> Vec<Need> {
    let mut needs = Vec::new();
    if let Some(order) = run.stopped() {
        needs.push(Need::Release { order: order.clone() });
    }
    if let Some(because) = run.paused() {
        needs.push(Need::Resume { because: because.clone() });
    }
    for effect in run.pending(run.fence()) {
        match effect.what {
            What::Await { gate, until } => {
                let found = run.gates().find(|(g, _)| g.id == gate);
                let given = found.map_or(0, |(_, s)| s.approved.len());
                let (from, count) = match found.map(|(g, _)| &g.kind) {
                    Some(GateKind::Approvals { count, from, .. }) => (Some(from.clone()), *count),
                    Some(GateKind::Confirm { .. }) | None => (None, 1),
                };
                let given = u8::try_from(given).unwrap_or(u8::MAX);
                needs.push(Need::Decision { gate, from, given, count, until });
            }
            What::Ask { step, question, who, answers, until } => needs.push(Need::Answer {
                step,
                question,
                from: who,
                answers: answers.into_iter().map(Answer).collect(),
                until,
            }),
            What::Settle { at, possible } => {
                let state = run.steps().find(|(s, _)| s.id == at.step).map(|(_, s)| s);
                let puzzle = match state.map(|s| &s.state) {
                    Some(StepState::Person(puzzle)) => *puzzle,
                    _ => Puzzle::Unknown,
                };
                needs.push(Need::Settlement {
                    since: state.map_or(run.last(), |s| s.since_at),
                    step: at.step,
                    leg: at.leg,
                    attempt: at.attempt,
                    puzzle: puzzle_view(puzzle),
                    possible,
                });
            }
            _ => {}
        }
    }
    needs
}

fn puzzle_view(puzzle: Puzzle) -> PuzzleView {
    match puzzle {
        Puzzle::Unknown => PuzzleView::Unknown,
        Puzzle::NotRepeatable => PuzzleView::NotRepeatable,
        Puzzle::Unverified => PuzzleView::Unverified,
    }
}

/// One run in a list.
pub(crate) fn line(run: &Run, short: String, driven: bool, now: Timestamp) -> RunLine {
    let body = run.plan().body();
    RunLine {
        run: run.id().clone(),
        short,
        plan: run.plan().digest(),
        runbook: body.runbook.name.clone(),
        environment: body.environment.name.clone(),
        class: body.environment.class,
        subject: record::subject(body),
        phase: phase(run),
        needs: needs(run),
        driven,
        now,
        created: run.created(),
        changed: run.last(),
    }
}

/// What the events of a run say that its state does not keep.
#[derive(Debug, Default)]
pub(crate) struct History {
    sent: BTreeMap<StepId, u32>,
    verdicts: BTreeMap<StepId, steadyhand_model::reading::Verdict>,
    outcomes: BTreeMap<StepId, Outcome>,
    given: Vec<Approval>,
    pub(crate) observed: BTreeMap<StepId, (Option<Digest>, Option<Digest>)>,
}

impl History {
    pub(crate) fn of(rows: &[Recorded]) -> Self {
        let mut history = Self::default();
        for event in rows.iter().filter_map(|row| read_event::<Event>(&row.event).ok()) {
            history.take(event);
        }
        history
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Intended { at, .. } => *self.sent.entry(at.step).or_default() += 1,
            // The end of the run is not the step's.
            Event::Checked { purpose: Purpose::Done, .. } => {}
            Event::Checked { at, verdict, .. } => {
                self.verdicts.insert(at.step, verdict);
            }
            Event::Skipped { step, verdict } => {
                self.verdicts.insert(step, verdict);
            }
            Event::Returned { at, outcome } => {
                self.outcomes.insert(at.step, outcome);
            }
            Event::Probed { at, verdict } => {
                if let Some(outcome) = probed(verdict) {
                    self.outcomes.insert(at.step, outcome);
                }
            }
            Event::Settled { at, settlement, .. } => {
                if let Some(outcome) = settled(settlement) {
                    self.outcomes.insert(at.step, outcome);
                }
            }
            Event::Approved { approval } if approval.decision == Decision::Approve => {
                self.given.push(approval)
            }
            Event::Observed { step, phase, facts } => {
                let entry = self.observed.entry(step).or_default();
                match phase {
                    Phase::Before => entry.0 = Some(facts),
                    Phase::After => entry.1 = Some(facts),
                }
            }
            _ => {}
        }
    }
}

fn probed(verdict: ProbeVerdict) -> Option<Outcome> {
    match verdict {
        ProbeVerdict::Done(Some(receipt)) => Some(Outcome::Done(receipt)),
        ProbeVerdict::Done(None) => Some(Outcome::Done(Receipt { result: CanonicalJson::empty() })),
        ProbeVerdict::NotDone => Some(not_done("a probe found that it did not happen")),
        ProbeVerdict::Unknown { .. } => None,
    }
}

fn settled(settlement: Settlement) -> Option<Outcome> {
    match settlement {
        Settlement::Done => Some(Outcome::Done(Receipt { result: CanonicalJson::empty() })),
        Settlement::NotDone => Some(not_done("a person said that it did not happen")),
        Settlement::Retry | Settlement::Skip | Settlement::Undo | Settlement::HandOver => None,
    }
}

fn not_done(why: &str) -> Outcome {
    Outcome::NotDone(Refusal { kind: RefusalKind::NotSent, why: why.to_owned() })
}

pub(crate) fn step(step: &Step, state: &StepRun, history: &History) -> StepView {
    let begun = state.state != StepState::Waiting || state.leg == Leg::Undo;
    StepView {
        step: step.id.clone(),
        title: step.title.clone(),
        stage: stage(state),
        leg: state.leg,
        attempt: state.attempt,
        since: state.since_at,
        began: begun.then_some(state.began),
        sent: history.sent.get(&step.id).copied().unwrap_or(0),
        verdict: history.verdicts.get(&step.id).cloned(),
        outcome: history.outcomes.get(&step.id).cloned(),
        answer: state.answer.clone(),
    }
}

fn stage(state: &StepRun) -> StepStage {
    match &state.state {
        StepState::Waiting => StepStage::Waiting,
        StepState::When => StepStage::When,
        StepState::Gate => StepStage::Gate,
        StepState::Require => StepStage::Require,
        StepState::Before => StepStage::Before,
        StepState::Observing => StepStage::Observing,
        StepState::Authorising => StepStage::Authorising,
        StepState::Leasing => StepStage::Leasing,
        StepState::InFlight { intended, .. } => StepStage::InFlight { since: *intended },
        StepState::Backoff { until } => StepStage::Backoff { until: *until },
        StepState::Doubtful { quiet_until, next, probes, .. } => {
            StepStage::Doubtful { quiet_until: *quiet_until, next: *next, probes: *probes }
        }
        StepState::Person(puzzle) => StepStage::Person { puzzle: puzzle_view(*puzzle) },
        StepState::Verifying => StepStage::Verifying,
        StepState::ObservingAfter => StepStage::ObservingAfter,
        StepState::Asking { until } => StepStage::Asking { until: *until },
        StepState::Pausing { until } => StepStage::Pausing { until: *until },
        StepState::Notifying => StepStage::Notifying,
        StepState::Done => StepStage::Done,
        StepState::Skipped => StepStage::Skipped,
        StepState::Passed => StepStage::Passed,
        StepState::Failed { why } => StepStage::Failed { why: why.clone() },
        StepState::Undone => StepStage::Undone,
        StepState::UndoFailed { why } => StepStage::UndoFailed { why: why.clone() },
    }
}

pub(crate) fn steps(run: &Run, history: &History) -> Vec<StepView> {
    run.steps().map(|(s, state)| step(s, state, history)).collect()
}

pub(crate) fn gates(run: &Run, history: &History) -> Vec<GateView> {
    let open: BTreeMap<_, _> = run
        .pending(run.fence())
        .into_iter()
        .filter_map(|e| match e.what {
            What::Await { gate, until } => Some((gate, until)),
            _ => None,
        })
        .collect();
    run.gates()
        .map(|(gate, state)| GateView {
            gate: gate.clone(),
            until: open.get(&gate.id).copied(),
            given: history.given.iter().filter(|a| a.gate == gate.id).cloned().collect(),
            satisfied: state.satisfied,
        })
        .collect()
}

pub(crate) fn told(rows: &[Recorded]) -> Vec<Told> {
    let skip = rows.len().saturating_sub(TOLD_MAX);
    rows.iter()
        .skip(skip)
        .map(|row| Told { seq: row.seq, at: row.at, event: row.event.clone() })
        .collect()
}

/// The facts kept around each step, by their blobs.
pub(crate) fn observed(
    history: &History,
    mut blob: impl FnMut(Digest) -> Option<steadyhand_model::reading::Facts>,
) -> Vec<Observed> {
    history
        .observed
        .iter()
        .map(|(step, (before, after))| Observed {
            step: step.clone(),
            before: before.and_then(&mut blob),
            after: after.and_then(&mut blob),
        })
        .collect()
}
