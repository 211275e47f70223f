//! Views as a keeper would send them, with one text that stands wherever a view quotes something from outside.

use std::collections::BTreeMap;

use steadyhand_api::view::{
    AlertLine, Candidate, Chosen, Day, EnvironmentLine, GateView, KeeperView, Mode, Need, Observed,
    PlanView, Puzzle, RunLine, RunPhase, RunView, StatusView, StepStage, StepView, Told,
};
use steadyhand_model::actor::Actor;
use steadyhand_model::approval::{Approval, Decision, Evidence, EvidenceKind};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::catalogue::{ActionEffect, Idempotency};
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{At, Cause, ClockKind, Event, Leg, Proposer, Purpose, write_event};
use steadyhand_model::ids::{Attempt, Fence, Seq};
use steadyhand_model::outcome::{
    Doubt, DoubtKind, Outcome, ProbeVerdict, Receipt, Refusal, RefusalKind, RunOutcome,
};
use steadyhand_model::plan::{
    Affected, AlertRef, AskStep, BlastRadius, Bound, DataLoss, DiffLine, EnvironmentClass,
    EnvironmentRef, Gate, GateBefore, GateKind, Inverse, LeftOut, LibraryRef, LibraryStatus,
    Limits, NotifyStep, OnFailure, Origin, PLAN_FORMAT, Plan, PlanBody, Preview, PreviewKind, Rate,
    RunbookRef, Step, StepKind, Target, TargetKey, Undo, WaitStep, WriteStep,
};
use steadyhand_model::reading::{Call, Check, Operand, Verdict};
use steadyhand_model::time::{Span, Timestamp};
use steadyhand_model::types::Type;

/// 2026-11-24 03:12:04 UTC
pub(crate) const NOON: i64 = 1_795_489_924_000_000;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp(NOON + seconds * 1_000_000)
}

pub(crate) fn asha() -> Actor {
    Actor::Person("asha".parse().unwrap())
}

/// What a view quotes from outside, where the texts do not matter.
pub(crate) const PLAIN: &str = "shop/checkout";

fn check(title: &str) -> Check {
    Check {
        title: title.to_owned(),
        expr: "after.workload.ready == after.workload.replicas".to_owned(),
        reads: Vec::new(),
        given: Vec::new(),
        outputs: Vec::new(),
        otherwise: None,
        hold_for: Span::from_secs(60),
        within: Span::from_mins(10),
        informs: false,
    }
}

pub(crate) fn call(text: &str) -> Call {
    Call {
        action: "kubernetes.rollout_restart".parse().unwrap(),
        args: CanonicalJson::of(&BTreeMap::from([("workload", text)])).unwrap(),
    }
}

pub(crate) fn restart(text: &str) -> Step {
    Step {
        id: "restart".parse().unwrap(),
        batch: 1,
        group: None,
        title: format!("restart Deployment {text}"),
        when: None,
        timeout: Span::from_mins(15),
        on_failure: OnFailure::Undo,
        kind: StepKind::Write(Box::new(WriteStep {
            effect: ActionEffect::Change,
            call: call(text),
            targets: Vec::new(),
            preview: Preview {
                kind: PreviewKind::Server,
                diff: vec![DiffLine {
                    path: r#"spec.template.metadata.annotations["steadyhand.dev/restart"]"#
                        .to_owned(),
                    before: None,
                    after: Some("after-6d9f".to_owned()),
                }],
            },
            before: vec![check("template unchanged")],
            measure: Vec::new(),
            verify: Some(check("all replicas ready")),
            undo: Undo::Inverse(Box::new(Inverse {
                call: call(text),
                verify: None,
                shown: "the inverse patch, revision 41".to_owned(),
            })),
            idempotency: Idempotency::CompareAndSet,
            call_max: Span::from_secs(10),
            quiescence: Span::from_secs(5),
            attempts: 3,
            backoff: Span::from_secs(2),
            command: Some("kubectl -n shop rollout restart deployment/checkout".to_owned()),
        })),
    }
}

pub(crate) fn other_steps(text: &str) -> Vec<Step> {
    let step = |id: &str, batch: u32, kind: StepKind| Step {
        id: id.parse().unwrap(),
        batch,
        group: None,
        title: text.to_owned(),
        when: None,
        timeout: Span::from_mins(15),
        on_failure: OnFailure::HandOver,
        kind,
    };
    let ask = AskStep {
        question: format!("is {text} repaired?"),
        who: "team-checkout".parse().unwrap(),
        answers: vec!["done".to_owned(), "not-now".to_owned()],
        within: Span::from_mins(30),
    };
    let wait = WaitStep { until: Some(check("queue empty")), at_most: Span::from_mins(5) };
    let notify = NotifyStep { to: "team-checkout".to_owned(), say: text.to_owned() };
    vec![
        step("repair", 2, StepKind::Ask(ask)),
        step("settle-down", 3, StepKind::Wait(wait)),
        step("tell", 4, StepKind::Notify(notify)),
    ]
}

fn target(text: &str) -> Target {
    Target {
        key: TargetKey("eu1/kubernetes/Deployment/5e0c".to_owned()),
        kind: "Deployment".to_owned(),
        name: text.to_owned(),
        uid: "5e0c91".parse().unwrap(),
    }
}

fn gates() -> Vec<Gate> {
    vec![Gate {
        id: "start".parse().unwrap(),
        before: GateBefore::Start,
        within: Span::from_mins(30),
        kind: GateKind::Confirm { why: Vec::new() },
    }]
}

pub(crate) fn body(class: EnvironmentClass, text: &str) -> PlanBody {
    let digest = Digest::of(b"sample");
    let environment = match class {
        EnvironmentClass::Practice => "practice",
        EnvironmentClass::Development => "dev1",
        EnvironmentClass::Staging => "staging",
        EnvironmentClass::Production => "eu1",
    };
    PlanBody {
        format: PLAN_FORMAT,
        environment: EnvironmentRef {
            name: environment.parse().unwrap(),
            title: "Production in Europe".to_owned(),
            class,
            digest,
        },
        library: LibraryRef {
            commit: Some("1f3c09abcdef".to_owned()),
            dirty: false,
            status: LibraryStatus::Draft,
            digest,
        },
        runbook: RunbookRef {
            name: "restart-workload".parse().unwrap(),
            title: "Restart a workload".to_owned(),
            owner: "team-checkout".parse().unwrap(),
            path: "runbooks/restart-workload.yaml".to_owned(),
            digest,
        },
        alert: Some(AlertRef {
            key: "1340f7875b4522a5".to_owned(),
            name: "KubePodCrashLooping".to_owned(),
            labels: BTreeMap::from([
                ("namespace".to_owned(), "shop".to_owned()),
                ("pod".to_owned(), text.to_owned()),
            ]),
        }),
        bindings: BTreeMap::from([(
            "workload".parse().unwrap(),
            Bound {
                ty: Type::Object { name: "kubernetes.Workload".parse().unwrap() },
                value: CanonicalJson::of(&BTreeMap::from([("name", text)])).unwrap(),
                shown: format!("Deployment {text}"),
                uid: Some("5e0c91".parse().unwrap()),
                origin: Origin::Inventory,
                chosen_by: Origin::Alert,
            },
        )]),
        require: vec![check("no rollout running")],
        steps: vec![restart(text)],
        left_out: vec![LeftOut {
            step: "scale".parse().unwrap(),
            why: format!("{text} has enough replicas"),
        }],
        radius: BlastRadius {
            targets: vec![target(text)],
            affected: vec![Affected {
                what: "pods".to_owned(),
                count: 3,
                how: "replaced in turn".to_owned(),
            }],
            unavailable: 0,
            population: 3,
            zones: Vec::new(),
            data_loss: DataLoss::None,
            dependents: vec![format!("Service {text}")],
            owners: Vec::new(),
            unknowns: Vec::new(),
        },
        limits: Limits {
            targets: Some(1),
            affected: Some(60),
            unavailable: Some(340),
            zones: None,
            rates: vec![Rate { count: 2, window: Span::from_mins(60), per_target: true }],
            environment_rates: vec![Rate {
                count: 10,
                window: Span::from_mins(60),
                per_target: false,
            }],
        },
        gates: gates(),
        done: Some(check("alert gone")),
        valid_for: Span::from_mins(30),
        run_within: Span::from_mins(120),
    }
}

/// A plan with everything on its card that a card can have.
pub(crate) fn full_body(text: &str) -> PlanBody {
    let mut body = body(EnvironmentClass::Production, text);
    let mut revoke = restart(text);
    revoke.id = "revoke".parse().unwrap();
    revoke.batch = 9;
    if let StepKind::Write(write) = &mut revoke.kind {
        write.undo = Undo::Irreversible { reason: format!("the old password of {text} is gone") };
        write.preview = Preview {
            kind: PreviewKind::None { why: format!("{text} cannot show it") },
            diff: Vec::new(),
        };
        write.verify = None;
    }
    let mut evict = restart(text);
    evict.group = Some("evict".parse().unwrap());
    for index in 0..14 {
        evict.id = format!("evict[{index}]").parse().unwrap();
        body.steps.push(evict.clone());
    }
    body.steps.extend(other_steps(text));
    body.steps.push(revoke);
    body.radius.unavailable = 1;
    body.radius.population = 8;
    body.radius.data_loss = DataLoss::Permanent;
    body.radius.owners = vec![format!("Argo CD app {text} owns it"), "an autoscaler".to_owned()];
    body.radius.unknowns = vec!["2 pods without an owner".to_owned(), text.to_owned()];
    body.radius.targets.extend((0..9).map(|index| target(&format!("{text}-{index}"))));
    body.gates.push(Gate {
        id: "revoke".parse().unwrap(),
        before: GateBefore::Step("revoke".parse().unwrap()),
        within: Span::from_mins(51),
        kind: GateKind::Approvals {
            count: 2,
            from: "team-data".parse().unwrap(),
            others: true,
            min: EvidenceKind::PeerCredential,
            why: Vec::new(),
        },
    });
    for index in 0..9 {
        let bound = body.bindings.values().next().unwrap().clone();
        body.bindings.insert(format!("param{index}").parse().unwrap(), bound);
    }
    body
}

pub(crate) fn plan(text: &str) -> Plan {
    Plan::seal(body(EnvironmentClass::Production, text)).unwrap()
}

pub(crate) fn plan_view(plan: &Plan, text: &str) -> PlanView {
    PlanView {
        digest: plan.digest(),
        plan: plan.bytes().clone(),
        planned: at(0),
        requester: asha(),
        incident: "i-4f2kabcdefgh".parse().unwrap(),
        chosen: Chosen { by: Proposer::Binding, reasons: vec![format!("bound to {text}")] },
        facts: BTreeMap::from([(
            "workload".to_owned(),
            CanonicalJson::parse(br#"{"ready":2,"replicas":3,"revision":"41"}"#).unwrap(),
        )]),
        held_back: None,
    }
}

pub(crate) fn step_view(step: &Step, stage: StepStage, text: &str) -> StepView {
    StepView {
        step: step.id.clone(),
        title: text.to_owned(),
        stage,
        leg: Leg::Forward,
        attempt: Attempt(1),
        since: at(20),
        began: Some(at(8)),
        sent: 0,
        verdict: None,
        outcome: None,
        answer: None,
    }
}

pub(crate) fn done() -> Option<Outcome> {
    Some(Outcome::Done(Receipt { result: CanonicalJson::empty() }))
}

pub(crate) fn unknown(text: &str) -> Option<Outcome> {
    Some(Outcome::Unknown(Doubt { kind: DoubtKind::LostReply, why: text.to_owned() }))
}

pub(crate) fn busy(text: &str) -> Option<Outcome> {
    Some(Outcome::NotDone(Refusal { kind: RefusalKind::Busy, why: text.to_owned() }))
}

pub(crate) fn holds(text: &str) -> Option<Verdict> {
    let operand =
        |name: &str, value: &str| Operand { text: name.to_owned(), value: value.to_owned() };
    Some(Verdict::Holds { operands: vec![operand("ready", "3"), operand("name", text)] })
}

pub(crate) fn run_line(plan: &Plan, phase: RunPhase, needs: Vec<Need>, text: &str) -> RunLine {
    let body = plan.body();
    RunLine {
        run: "r-4f2kabcdefgh".parse().unwrap(),
        short: "r-4f2k".to_owned(),
        plan: plan.digest(),
        runbook: body.runbook.name.clone(),
        environment: body.environment.name.clone(),
        class: body.environment.class,
        subject: text.to_owned(),
        phase,
        needs,
        driven: true,
        now: at(52),
        created: at(5),
        changed: at(427),
    }
}

pub(crate) fn decision() -> Need {
    Need::Decision {
        gate: "start".parse().unwrap(),
        from: None,
        given: 0,
        count: 1,
        until: at(1805),
    }
}

pub(crate) fn run_view(plan: &Plan, phase: RunPhase, needs: Vec<Need>, text: &str) -> RunView {
    let steps = plan
        .body()
        .steps
        .iter()
        .map(|step| StepView {
            began: None,
            since: at(5),
            ..step_view(step, StepStage::Waiting, text)
        })
        .collect();
    RunView {
        line: run_line(plan, phase, needs, text),
        plan: plan_view(plan, text),
        requester: asha(),
        predecessor: None,
        successor: None,
        expires: at(1805),
        ends: at(7205),
        clock: ClockKind::Real,
        now: at(52),
        gates: plan
            .body()
            .gates
            .iter()
            .map(|gate| GateView {
                gate: gate.clone(),
                until: Some(at(1805)),
                given: Vec::new(),
                satisfied: false,
            })
            .collect(),
        steps,
        observed: Vec::new(),
        undoing: None,
        why: None,
        told: told(plan, text),
        head: Seq(9),
        head_hash: Digest::of(b"head"),
    }
}

/// With the write step in a stage.
pub(crate) fn run_with(stage: StepStage, change: impl FnOnce(&mut StepView)) -> RunView {
    let plan = plan(PLAIN);
    let mut view = run_view(&plan, RunPhase::Running, Vec::new(), PLAIN);
    view.steps = vec![step_view(&plan.body().steps[0], stage, PLAIN)];
    change(&mut view.steps[0]);
    view
}

pub(crate) fn finished(outcome: RunOutcome, stage: StepStage, sent: u32) -> RunView {
    let mut view = run_with(stage, |step| step.sent = sent);
    view.line.phase = RunPhase::Finished(outcome);
    view.now = at(500);
    view
}

pub(crate) fn settlement(puzzle: Puzzle) -> Need {
    use steadyhand_model::outcome::Settlement;
    Need::Settlement {
        step: "restart".parse().unwrap(),
        leg: Leg::Forward,
        attempt: Attempt(1),
        puzzle,
        possible: Settlement::ALL.to_vec(),
        since: at(30),
    }
}

pub(crate) fn drift() -> Need {
    Need::Resume { because: Cause::Drift { step: "restart".parse().unwrap() } }
}

fn told(plan: &Plan, text: &str) -> Vec<Told> {
    let forward =
        || At { step: "restart".parse().unwrap(), leg: Leg::Forward, attempt: Attempt(1) };
    let approval = Approval {
        by: asha(),
        evidence: Evidence::PeerCredential { uid: 1000, user: "asha".to_owned() },
        run: "r-4f2kabcdefgh".parse().unwrap(),
        plan: plan.digest(),
        gate: "start".parse().unwrap(),
        decision: Decision::Approve,
        expires: at(1805),
        nonce: "n".to_owned(),
        team: None,
        reason: None,
    };
    let events = [
        (
            5,
            Event::Created {
                run: "r-4f2kabcdefgh".parse().unwrap(),
                plan: plan.digest(),
                machine: steadyhand_model::ids::MachineVersion(1),
                requester: asha(),
                incident: None,
                predecessor: None,
                expires: at(1805),
                ends: at(7205),
                clock: ClockKind::Real,
                world: None,
            },
        ),
        (11, Event::Approved { approval }),
        (11, Event::GateSatisfied { gate: "start".parse().unwrap() }),
        (
            12,
            Event::Checked {
                at: forward(),
                purpose: Purpose::Before,
                verdict: holds(text).unwrap(),
            },
        ),
        (12, Event::Intended { at: forward(), call: call(text).digest(), fence: Fence(1) }),
        (14, Event::Returned { at: forward(), outcome: unknown(text).unwrap() }),
        (16, Event::Probed { at: forward(), verdict: ProbeVerdict::Done(None) }),
        (
            77,
            Event::Checked {
                at: forward(),
                purpose: Purpose::Verify,
                verdict: holds(text).unwrap(),
            },
        ),
        (
            423,
            Event::Checked {
                at: forward(),
                purpose: Purpose::Done,
                verdict: Verdict::Fails { check: text.to_owned(), operands: Vec::new() },
            },
        ),
    ];
    events
        .into_iter()
        .zip(1..)
        .map(|((seconds, event), seq)| Told {
            seq: Seq(seq),
            at: at(seconds),
            event: write_event(&event).unwrap(),
        })
        .collect()
}

pub(crate) fn observed(text: &str) -> Vec<Observed> {
    let facts = |ready: u32, revision: &str| {
        let json = format!(r#"{{"ready":{ready},"revision":"{revision}","replicas":3}}"#);
        BTreeMap::from([
            ("workload".to_owned(), CanonicalJson::parse(json.as_bytes()).unwrap()),
            ("note".to_owned(), CanonicalJson::of(text).unwrap()),
        ])
    };
    vec![Observed {
        step: "restart".parse().unwrap(),
        before: Some(facts(2, "41")),
        after: Some(facts(3, "42")),
    }]
}

pub(crate) fn alert(text: &str) -> AlertLine {
    AlertLine {
        key: "1340f7875b4522a5".to_owned(),
        name: "KubePodCrashLooping".to_owned(),
        severity: "critical".to_owned(),
        labels: BTreeMap::from([("pod".to_owned(), text.to_owned())]),
        since: at(-360),
    }
}

pub(crate) fn candidate(name: &str, fits: bool, text: &str) -> Candidate {
    Candidate {
        runbook: name.parse().unwrap(),
        title: "Restart a workload".to_owned(),
        fits,
        reasons: vec![format!("because of {text}")],
    }
}

pub(crate) fn status(installation: &str, open: Vec<RunLine>) -> StatusView {
    StatusView {
        keeper: KeeperView {
            pid: 4711,
            version: "0.1.0".to_owned(),
            installation: installation.parse().unwrap(),
            since: at(-4000),
            now: at(52),
        },
        library: Some(plan(PLAIN).body().library.clone()),
        environments: vec![EnvironmentLine {
            environment: plan(PLAIN).body().environment.clone(),
            mode: Mode::Approve,
        }],
        open,
        open_more: 0,
        day: Day {
            outcomes: BTreeMap::from([(RunOutcome::Succeeded, 11), (RunOutcome::UndoFailed, 1)]),
            yes: Some(Span::from_secs(38)),
        },
    }
}

/// A step in every stage there is, with what belongs to it.
pub(crate) fn every_stage(text: &str) -> Vec<StepView> {
    let why = || text.to_owned();
    let set = |stage: StepStage, change: &dyn Fn(&mut StepView)| {
        let mut step = step_view(&restart(text), stage, text);
        change(&mut step);
        step
    };
    let nothing: &dyn Fn(&mut StepView) = &|_| {};
    let sent: &dyn Fn(&mut StepView) = &|step| {
        step.sent = 1;
        step.outcome = done();
    };
    let mut steps = vec![
        set(StepStage::Waiting, &|step| step.began = None),
        set(StepStage::When, nothing),
        set(StepStage::Gate, nothing),
        set(StepStage::Require, nothing),
        set(StepStage::Before, nothing),
        set(StepStage::Observing, nothing),
        set(StepStage::Authorising, nothing),
        set(StepStage::Leasing, nothing),
        set(StepStage::InFlight { since: at(20) }, &|step| step.sent = 1),
        set(StepStage::Backoff { until: at(60) }, &|step| {
            step.sent = 1;
            step.outcome = busy(text);
        }),
        set(StepStage::Doubtful { quiet_until: at(55), next: at(40), probes: 2 }, &|step| {
            step.sent = 1;
            step.outcome = unknown(text);
        }),
        set(StepStage::Person { puzzle: Puzzle::Unknown }, nothing),
        set(StepStage::Person { puzzle: Puzzle::NotRepeatable }, nothing),
        set(StepStage::Person { puzzle: Puzzle::Unverified }, nothing),
        set(StepStage::Verifying, sent),
        set(StepStage::ObservingAfter, sent),
        set(StepStage::Asking { until: at(1000) }, nothing),
        set(StepStage::Pausing { until: at(1000) }, nothing),
        set(StepStage::Notifying, nothing),
        set(StepStage::Done, &|step| {
            step.sent = 1;
            step.outcome = done();
            step.verdict = holds(text);
        }),
        set(StepStage::Skipped, nothing),
        set(StepStage::Passed, nothing),
        set(StepStage::Failed { why: why() }, &|step| step.sent = 3),
        set(StepStage::InFlight { since: at(20) }, &|step| {
            step.sent = 2;
            step.leg = Leg::Undo;
        }),
        set(StepStage::Undone, &|step| {
            step.sent = 2;
            step.leg = Leg::Undo;
        }),
        set(StepStage::UndoFailed { why: why() }, &|step| {
            step.sent = 2;
            step.leg = Leg::Undo;
        }),
    ];
    for (index, step) in steps.iter_mut().enumerate() {
        step.step = format!("step[{index}]").parse().unwrap();
    }
    steps
}
