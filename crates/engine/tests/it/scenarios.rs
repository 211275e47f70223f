//! Single stories, told input by input: what the exhaustive test reaches by search stands here by name.

use steadyhand_engine::effect::{EffectKind, What};
use steadyhand_engine::input::{Input, LeaseAnswer, PolicyAnswer, Rejected};
use steadyhand_engine::state::{Puzzle, StepState};
use steadyhand_model::approval::Decision;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Answer, At, Event, Leg, ReleaseOrder, StopOrder};
use steadyhand_model::ids::Fence;
use steadyhand_model::outcome::*;
use steadyhand_model::reading::Verdict;
use steadyhand_model::time::Span;

use crate::plans;
use crate::script::{Script, person};

fn open(plan: &str) -> Script {
    let plans: std::collections::BTreeMap<_, _> = plans::all().into_iter().collect();
    Script::open(&plans[plan])
}

fn done() -> Outcome {
    Outcome::Done(Receipt { result: CanonicalJson::parse(br#"{"revision":42}"#).unwrap() })
}

fn lost() -> Outcome {
    Outcome::Unknown(Doubt { kind: DoubtKind::LostReply, why: "no reply".into() })
}

fn refused(kind: RefusalKind) -> Outcome {
    Outcome::NotDone(Refusal { kind, why: "the server said no".into() })
}

impl Script {
    fn say(&mut self, input: Input) -> &mut Self {
        self.later(Span::from_millis(100));
        self.tell(input).unwrap();
        self
    }

    fn confirm(&mut self, gate: &str) -> &mut Self {
        let yes = self.decision(person("asha"), gate, Decision::Approve);
        self.say(yes)
    }

    fn holds(&mut self) -> &mut Self {
        let id = self.id(EffectKind::Check);
        self.say(Input::Checked(id, Verdict::Holds { operands: vec![] }))
    }

    fn fails(&mut self, check: &str) -> &mut Self {
        let id = self.id(EffectKind::Check);
        self.say(Input::Checked(id, Verdict::Fails { check: check.into(), operands: vec![] }))
    }

    fn authorise(&mut self) -> &mut Self {
        let id = self.id(EffectKind::AskPolicy);
        self.say(Input::Policy(id, PolicyAnswer::Unchanged { policy: Digest::of(b"built-in") }))
    }

    fn intend(&mut self) -> &mut Self {
        let id = self.id(EffectKind::TakeLeases);
        self.say(Input::Leased(id, LeaseAnswer::Granted))
    }

    fn returns(&mut self, outcome: Outcome) -> &mut Self {
        let id = self.id(EffectKind::Call);
        self.say(Input::Returned(id, outcome))
    }

    fn probes(&mut self, verdict: ProbeVerdict) -> &mut Self {
        let id = self.id(EffectKind::Probe);
        self.say(Input::Probed(id, verdict))
    }

    fn take_over(&mut self) -> &mut Self {
        let fence = Fence(self.run.fence().0 + 1);
        self.say(Input::TakenOver("driver-2".parse().unwrap(), fence))
    }

    fn state(&self, step: &str) -> StepState {
        self.run.steps().find(|(s, _)| s.id.as_str() == step).unwrap().1.state.clone()
    }
}

fn restart_until_sent() -> Script {
    let mut s = open("restart");
    s.confirm("start").holds().holds().authorise().intend();
    s
}

fn happy() -> Script {
    let mut s = restart_until_sent();
    s.returns(done()).holds().holds();
    s
}

fn lost_reply() -> Script {
    let mut s = restart_until_sent();
    s.returns(lost()).probes(ProbeVerdict::Done(None)).holds().holds();
    s
}

fn killed_and_sent_again() -> Script {
    let mut s = restart_until_sent();
    s.take_over().probes(ProbeVerdict::NotDone).later(Span::from_secs(30));
    s.probes(ProbeVerdict::NotDone).holds().authorise().intend().returns(done()).holds().holds();
    s
}

fn busy_three_times() -> Script {
    let mut s = restart_until_sent();
    for n in 0..3 {
        s.returns(refused(RefusalKind::Busy));
        if n < 2 {
            s.later(Span::from_secs(8));
            let id = s.id(EffectKind::Wait);
            s.say(Input::Elapsed(id)).holds().authorise().intend();
        }
    }
    s
}

fn drift_before_the_first_write() -> Script {
    let mut s = open("restart");
    s.confirm("start").fails("settled");
    s
}

fn undone_in_reverse() -> Script {
    let mut s = open("two_writes");
    s.confirm("start").holds().authorise().intend().returns(done()).holds();
    s.confirm("before.second").holds();
    let id = s.id(EffectKind::Observe);
    s.say(Input::Observed(id, Digest::of(b"errors before"))).authorise().intend();
    s.returns(done()).fails("rolled out").intend().returns(done()).intend().returns(done());
    s
}

fn unknown_for_a_person() -> Script {
    let mut s = restart_until_sent();
    s.returns(lost());
    for _ in 0..4 {
        s.later(Span::from_mins(1));
        if s.state("restart") != StepState::Person(Puzzle::Unknown) {
            s.probes(ProbeVerdict::Unknown { why: "no right to read".into() });
        }
    }
    let at = s
        .pending()
        .into_iter()
        .find_map(|e| if let What::Settle { at, .. } = e.what { Some(at) } else { None })
        .unwrap();
    s.say(Input::Settle(at, person("ben"), Settlement::Done, "seen in the console".into()));
    s.holds().holds();
    s
}

fn stopped_and_released() -> Script {
    let mut s = restart_until_sent();
    s.say(Input::Stop(StopOrder {
        id: "stop-1".into(),
        by: person("ben"),
        reason: "look first".into(),
    }));
    assert!(s.pending().is_empty(), "a stopped run asks for nothing");
    let by = vec![person("ben"), person("chen")];
    s.say(Input::Release(ReleaseOrder { id: "stop-1".into(), by, reason: "looked".into() }));
    s.probes(ProbeVerdict::Done(None));
    s
}

fn asked_and_answered() -> Script {
    let mut s = open("people");
    let id = s.id(EffectKind::Ask);
    s.say(Input::Answer(id, person("ben"), Answer("replaced".into()))).fails("in service").holds();
    s.later(Span::from_mins(1));
    let id = s.id(EffectKind::Wait);
    s.say(Input::Elapsed(id));
    let id = s.id(EffectKind::Notify);
    s.say(Input::Notified(id, Delivery::Failed { why: "no channel".into() }));
    s
}

fn cancelled_while_in_flight() -> Script {
    let mut s = restart_until_sent();
    s.say(Input::Cancel(person("asha"))).returns(done());
    s
}

/// Name, plan and story of every golden journal.
pub(crate) fn all() -> Vec<(&'static str, &'static str, Script)> {
    vec![
        ("happy", "restart", happy()),
        ("lost_reply", "restart", lost_reply()),
        ("killed_and_sent_again", "restart", killed_and_sent_again()),
        ("busy_three_times", "restart", busy_three_times()),
        ("drift_before_the_first_write", "restart", drift_before_the_first_write()),
        ("undone_in_reverse", "two_writes", undone_in_reverse()),
        ("unknown_for_a_person", "restart", unknown_for_a_person()),
        ("stopped_and_released", "restart", stopped_and_released()),
        ("asked_and_answered", "people", asked_and_answered()),
        ("cancelled_while_in_flight", "restart", cancelled_while_in_flight()),
    ]
}

#[test]
fn stories_end_as_told() {
    let ends: Vec<(&str, Option<RunOutcome>)> =
        all().into_iter().map(|(name, _, s)| (name, s.run.outcome())).collect();
    let want = [
        ("happy", Some(RunOutcome::Succeeded)),
        ("lost_reply", Some(RunOutcome::Succeeded)),
        ("killed_and_sent_again", Some(RunOutcome::Succeeded)),
        ("busy_three_times", Some(RunOutcome::Failed)),
        ("drift_before_the_first_write", Some(RunOutcome::Superseded)),
        ("undone_in_reverse", Some(RunOutcome::Undone)),
        ("unknown_for_a_person", Some(RunOutcome::Succeeded)),
        ("stopped_and_released", Some(RunOutcome::Stopped)),
        ("asked_and_answered", Some(RunOutcome::Succeeded)),
        ("cancelled_while_in_flight", Some(RunOutcome::HandedOver)),
    ];
    assert_eq!(ends, want);
}

#[test]
fn a_probe_within_the_quiet_time_proves_only_that_it_happened() {
    let mut s = restart_until_sent();
    s.returns(lost()).probes(ProbeVerdict::NotDone);
    assert!(matches!(s.state("restart"), StepState::Doubtful { early: false, .. }));
    let due = s.pending().iter().find_map(|e| match &e.what {
        What::Probe { not_before, .. } => Some(*not_before),
        _ => None,
    });
    // Intended at 1.5 s on this clock; then 10 s capability, 10 s call, 5 s quiescence.
    assert_eq!(due.map(|t| t.0), Some(1_500_000 + 25_000_000));
}

#[test]
fn only_the_requester_confirms_and_only_this_plan() {
    let mut s = open("restart");
    let other = s.decision(person("ben"), "start", Decision::Approve);
    assert!(matches!(s.tell(other), Err(Rejected::NotRequester)));
    let Input::Approval(mut foreign) = s.decision(person("asha"), "start", Decision::Approve)
    else {
        unreachable!("decision() makes approvals")
    };
    foreign.plan = Digest::of(b"another plan");
    assert!(matches!(s.tell(Input::Approval(foreign)), Err(Rejected::OtherPlan)));
    let agent = s.decision(steadyhand_model::actor::Actor::Agent, "start", Decision::Approve);
    assert!(matches!(s.tell(agent), Err(Rejected::NotEligible { .. })));
    assert!(!s.run.has_acted() && s.run.outcome().is_none());
}

#[test]
fn two_people_are_two_people_and_not_the_requester() {
    let mut s = open("side_by_side");
    let yes = |s: &Script, who: &str| s.decision(person(who), "two", Decision::Approve);
    let own = yes(&s, "asha");
    assert!(matches!(s.tell(own), Err(Rejected::RequesterDoesNotCount { .. })));
    let ben = yes(&s, "ben");
    s.tell(ben).unwrap();
    let again = yes(&s, "ben");
    assert!(matches!(s.tell(again), Err(Rejected::DecidedBefore { .. })));
    assert!(s.pending().iter().all(|e| e.id.kind != EffectKind::Check));
    let chen = yes(&s, "chen");
    s.tell(chen).unwrap();
    // Both steps of the first batch go on side by side: one looks at its preconditions, one stands at its own gate.
    let mut kinds: Vec<EffectKind> = s.pending().iter().map(|e| e.id.kind).collect();
    kinds.sort();
    assert_eq!(kinds, [EffectKind::Await, EffectKind::Check, EffectKind::Deadline]);
}

#[test]
fn an_old_answer_is_stale_after_take_over() {
    let mut s = restart_until_sent();
    let id = s.id(EffectKind::Call);
    s.take_over();
    assert!(matches!(s.tell(Input::Returned(id, done())), Err(Rejected::Stale)));
}

/// A journal that says that a call was intended where none can have been is foreign or damaged: replay refuses it.
#[test]
fn an_intent_without_its_stages_is_no_journal() {
    let at = At {
        step: "restart".parse().unwrap(),
        leg: Leg::Forward,
        attempt: steadyhand_model::ids::Attempt(1),
    };
    let intended =
        |fence| Event::Intended { at: at.clone(), call: Digest::of(b"call"), fence: Fence(fence) };
    let mut early = open("restart");
    early.confirm("start").holds();
    let mut ready = open("restart");
    ready.confirm("start").holds().holds().authorise();
    for (script, event, legal) in [
        (&early, intended(1), false),
        (&ready, intended(0), false),
        (&ready, intended(2), false),
        (&ready, intended(1), true),
    ] {
        let mut run = script.run.clone();
        let seq = run.seq().next();
        assert_eq!(run.apply(seq, script.now, &event).is_ok(), legal, "{event:?}");
    }
}
