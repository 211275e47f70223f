//! Breadth first over every input that any state can be given, to a stated bound, checking at every prefix of every
//! journal what must always hold.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use steadyhand_engine::effect::{Effect, EffectKind, What};
use steadyhand_engine::input::{Input, LeaseAnswer, PolicyAnswer};
use steadyhand_engine::run::Run;
use steadyhand_engine::state::StepState;
use steadyhand_model::actor::Actor;
use steadyhand_model::approval::Decision;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Answer, Event, Leg, ReleaseOrder, StopOrder};
use steadyhand_model::ids::Fence;
use steadyhand_model::outcome::*;
use steadyhand_model::plan::{GateBefore, Plan, Undo};
use steadyhand_model::reading::Verdict;
use steadyhand_model::time::{Span, Timestamp};

use crate::plans;
use crate::script::{Script, person};

/// States looked at for each plan. The machine has fewer distinct ones for the small plans; the larger are cut here.
const STATES_MAX: usize = 5_000;
/// Attempts after which a person's `retry` is no longer followed.
const ATTEMPTS_MAX: u32 = 4;

fn receipt() -> Receipt {
    Receipt { result: CanonicalJson::empty() }
}

fn answers(script: &Script, effect: &Effect) -> Vec<(Input, Span)> {
    let id = effect.id.clone();
    let now = Span::from_millis(5);
    let due = effect.what.due().unwrap_or(script.now);
    let then = due.since(script.now).plus(Span::from_millis(1));
    let mut all: Vec<(Input, Span)> = match &effect.what {
        What::Await { gate, .. } => {
            let by = |who: &str, d| (script.decision(person(who), gate.as_str(), d), now);
            vec![
                by("asha", Decision::Approve),
                by("ben", Decision::Approve),
                by("chen", Decision::Approve),
                by("asha", Decision::Deny),
                (script.decision(Actor::Agent, gate.as_str(), Decision::Approve), now),
            ]
        }
        What::Check { .. } => vec![
            (Input::Checked(id.clone(), Verdict::Holds { operands: vec![] }), now),
            (
                Input::Checked(
                    id.clone(),
                    Verdict::Fails { check: "same template".into(), operands: vec![] },
                ),
                now,
            ),
            (
                Input::Checked(
                    id.clone(),
                    Verdict::Fails { check: "budget allows".into(), operands: vec![] },
                ),
                now,
            ),
            (
                Input::Checked(
                    id.clone(),
                    Verdict::CannotTell { check: "x".into(), why: "no right".into() },
                ),
                now,
            ),
        ],
        What::Observe { .. } => vec![(Input::Observed(id.clone(), Digest::of(b"facts")), now)],
        What::AskPolicy { .. } => vec![
            (
                Input::Policy(
                    id.clone(),
                    PolicyAnswer::Unchanged { policy: Digest::of(b"policy") },
                ),
                now,
            ),
            (Input::Policy(id.clone(), PolicyAnswer::Changed { why: "frozen".into() }), now),
        ],
        What::TakeLeases { .. } => vec![
            (Input::Leased(id.clone(), LeaseAnswer::Granted), now),
            (Input::Leased(id.clone(), LeaseAnswer::RateSpent { why: "2 of 2".into() }), now),
        ],
        What::Call(_) => {
            let refuse = |kind| Outcome::NotDone(Refusal { kind, why: "no".into() });
            [
                Outcome::Done(receipt()),
                refuse(RefusalKind::NotSent),
                refuse(RefusalKind::Conflict),
                refuse(RefusalKind::Forbidden),
                Outcome::Unknown(Doubt { kind: DoubtKind::LostReply, why: "lost".into() }),
            ]
            .into_iter()
            .map(|o| (Input::Returned(id.clone(), o), now))
            .collect()
        }
        What::Probe { .. } => {
            let mut all = vec![];
            for wait in [now, then] {
                all.push((Input::Probed(id.clone(), ProbeVerdict::Done(None)), wait));
                all.push((Input::Probed(id.clone(), ProbeVerdict::NotDone), wait));
                all.push((
                    Input::Probed(id.clone(), ProbeVerdict::Unknown { why: "?".into() }),
                    wait,
                ));
            }
            all
        }
        What::Ask { answers, .. } => answers
            .iter()
            .map(|a| (Input::Answer(id.clone(), person("ben"), Answer(a.clone())), now))
            .chain([(Input::Answer(id.clone(), person("ben"), Answer("what".into())), now)])
            .collect(),
        What::Notify { .. } => vec![
            (Input::Notified(id.clone(), Delivery::Delivered), now),
            (Input::Notified(id.clone(), Delivery::Failed { why: "down".into() }), now),
        ],
        What::Settle { at, .. } => Settlement::ALL
            .into_iter()
            .map(|s| (Input::Settle(at.clone(), person("ben"), s, "seen by hand".into()), now))
            .collect(),
        What::Wait { .. } | What::Deadline { .. } => vec![],
    };
    if effect.what.due().is_some() {
        all.push((Input::Elapsed(id), then));
    }
    all
}

fn orders(script: &Script) -> Vec<(Input, Span)> {
    let now = Span::from_millis(5);
    let stop = StopOrder { id: "stop-1".into(), by: person("ben"), reason: "look".into() };
    let release = ReleaseOrder {
        id: "stop-1".into(),
        by: vec![person("ben"), person("chen")],
        reason: "fine".into(),
    };
    let fence = Fence(script.run.fence().0 + 1);
    [
        Input::TakenOver("driver-2".parse().unwrap(), fence),
        Input::Pause(person("ben")),
        Input::Resume(person("ben")),
        Input::Cancel(person("ben")),
        Input::Undo(person("ben")),
        Input::Stop(stop),
        Input::Release(release),
    ]
    .into_iter()
    .map(|i| (i, now))
    .collect()
}

/// A state without its times, sequence numbers and fences.
fn key(script: &Script) -> String {
    let run = &script.run;
    let steps: Vec<_> = run.steps().map(|(_, s)| s).collect();
    let gates: Vec<_> = run.gates().map(|(_, g)| g).collect();
    let kinds: Vec<EffectKind> = script.pending().iter().map(|e| e.id.kind).collect();
    let text = format!(
        "{steps:?}{gates:?}{kinds:?}{:?}{:?}{:?}{:?}{:?}{}",
        run.paused(),
        run.outcome(),
        run.cancelled(),
        run.undoing(),
        run.stopped(),
        run.has_acted(),
    );
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = ["Seq(", "Timestamp(", "Fence("]
        .iter()
        .filter_map(|w| rest.find(w).map(|i| i + w.len()))
        .min()
    {
        out.push_str(&rest[..at]);
        rest = rest[at..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
    }
    out.push_str(rest);
    out
}

/// What must hold after every single event, also in the middle of a batch: the journal may end anywhere.
pub(crate) fn prefix_holds(run: &Run, events: &[Event], now: Timestamp) {
    let intended: HashSet<_> = events
        .iter()
        .filter_map(|e| match e {
            Event::Intended { at, .. } => Some(at),
            _ => None,
        })
        .collect();
    if let Some(Event::Intended { at, .. }) = events.last() {
        let times = events
            .iter()
            .filter(|e| matches!(e, Event::Intended { at: other, .. } if other == at))
            .count();
        assert_eq!(times, 1, "intended twice: {at:?}\n{events:#?}");
        for gate in &run.plan().body().gates {
            let applies = match &gate.before {
                GateBefore::Start => true,
                GateBefore::Step(id) => *id == at.step && at.leg == Leg::Forward,
            };
            let yes = events
                .iter()
                .any(|e| matches!(e, Event::GateSatisfied { gate: id } if *id == gate.id));
            assert!(!applies || yes, "no yes before {at:?}\n{events:#?}");
        }
    }
    if run.outcome().is_some() {
        assert!(run.pending(run.fence()).iter().all(|e| matches!(e.what, What::Settle { .. })));
        return;
    }
    for effect in run.pending(run.fence()) {
        if let What::Call(call) = &effect.what {
            assert!(intended.contains(&call.envelope().at), "a call without its intent");
            assert_eq!(call.envelope().fence, run.fence());
        }
    }
    let next = Fence(run.fence().0 + 1);
    assert!(run.pending(next).is_empty(), "a stranger's fence is given nothing");
    let before = Fence(run.fence().0.wrapping_sub(1));
    assert!(run.pending(before).is_empty(), "a driver that was overtaken is given nothing");
    let taken = Input::TakenOver("driver-9".parse().unwrap(), next);
    let (_, over) = run.step_forward(taken, now).unwrap();
    for effect in over.pending(next) {
        if let What::Call(call) = effect.what {
            let at = &call.envelope().at;
            assert!(!intended.contains(at), "take-over would send again: {at:?}\n{events:#?}");
        }
    }
}

fn state_holds(script: &Script) {
    let run = &script.run;
    assert_eq!(&script.replayed(), run, "replay equals the live state");
    match run.outcome() {
        None => {
            let waits =
                !script.pending().is_empty() || run.paused().is_some() || run.stopped().is_some();
            assert!(waits, "it neither ends nor waits: {:#?}", script.events);
        }
        Some(outcome) => {
            let open = run.steps().any(|(_, s)| s.state.is_open());
            assert_eq!(!run.leases().is_empty(), open, "only the unknown keeps its targets");
            assert!(
                !open || matches!(outcome, RunOutcome::Unresolved),
                "{outcome} hides an unknown"
            );
            if outcome == RunOutcome::Undone {
                assert!(
                    run.steps().all(|(_, s)| !s.wrote || s.state == StepState::Undone),
                    "{:#?}",
                    script.events
                );
            }
            if matches!(outcome, RunOutcome::Denied | RunOutcome::Expired) {
                assert!(!run.has_acted(), "{outcome} after an intent");
            }
        }
    }
    undo_goes_backwards(script);
    quiet_time_is_kept(script);
}

fn undo_goes_backwards(script: &Script) {
    let order: Vec<&str> = script.run.plan().body().steps.iter().map(|s| s.id.as_str()).collect();
    let mut last = usize::MAX;
    for event in &script.events {
        if let Event::Intended { at, .. } = event
            && at.leg == Leg::Undo
        {
            let place = order.iter().position(|s| *s == at.step.as_str()).unwrap();
            assert!(place <= last, "undo went forward: {:#?}", script.events);
            last = place;
            let step = script.run.plan().step(&at.step).unwrap();
            if let steadyhand_model::plan::StepKind::Write(w) = &step.kind {
                assert!(matches!(w.undo, Undo::Inverse(_)));
            }
        }
    }
}

/// No attempt follows an unknown one before its quiet time is over.
fn quiet_time_is_kept(script: &Script) {
    let mut open: BTreeMap<String, (Timestamp, bool)> = BTreeMap::new();
    for (event, row) in script.events.iter().zip(&script.rows) {
        match event {
            Event::Intended { at, .. } => {
                let key = format!("{} {:?}", at.step, at.leg);
                if let Some((intended, true)) = open.get(&key) {
                    let quiet = intended.plus(Span::from_secs(10 + 10 + 5));
                    assert!(
                        row.at >= quiet,
                        "sent again within the quiet time: {:#?}",
                        script.events
                    );
                }
                open.insert(key, (row.at, false));
            }
            Event::Returned { at, outcome: Outcome::Unknown(_) } => {
                if let Some(entry) = open.get_mut(&format!("{} {:?}", at.step, at.leg)) {
                    entry.1 = true;
                }
            }
            Event::TakenOver { .. } => open.values_mut().for_each(|e| e.1 = true),
            Event::Returned { at, .. } | Event::Settled { at, .. } => {
                open.remove(&format!("{} {:?}", at.step, at.leg));
            }
            _ => {}
        }
    }
}

fn explore(name: &str, plan: &Arc<Plan>) -> (usize, BTreeMap<RunOutcome, usize>) {
    let first = Script::open(plan);
    let mut seen = HashSet::from([key(&first)]);
    let mut queue = VecDeque::from([first]);
    let mut outcomes = BTreeMap::new();
    while let Some(script) = queue.pop_front() {
        state_holds(&script);
        if let Some(outcome) = script.run.outcome() {
            *outcomes.entry(outcome).or_insert(0) += 1;
        }
        let mut inputs = orders(&script);
        inputs.extend(script.pending().iter().flat_map(|e| answers(&script, e)));
        for (input, wait) in inputs {
            let mut next = script.clone();
            next.later(wait);
            // A refusal is an answer too: it must leave the run as it was.
            if next.tell(input).is_err() {
                assert_eq!(next.run, script.run);
                continue;
            }
            let tries = next.run.steps().map(|(_, s)| s.attempt.0).max().unwrap_or(0);
            if tries <= ATTEMPTS_MAX && seen.len() < STATES_MAX && seen.insert(key(&next)) {
                queue.push_back(next);
            }
        }
    }
    assert!(seen.len() > 100, "{name} has only {} states", seen.len());
    (seen.len(), outcomes)
}

#[test]
fn every_prefix_of_every_journal_is_safe_to_take_over() {
    let mut reached: BTreeMap<RunOutcome, usize> = BTreeMap::new();
    let mut report = String::new();
    for (name, plan) in plans::all() {
        let (states, outcomes) = explore(name, &plan);
        report.push_str(&format!("{name}: {states} states\n"));
        for (outcome, n) in outcomes {
            *reached.entry(outcome).or_insert(0) += n;
        }
    }
    println!("{report}{reached:#?}");
    for outcome in RunOutcome::ALL {
        assert!(reached.contains_key(&outcome), "no journal ends {outcome}: {reached:?}");
    }
}
