//! Plans that together use every kind of step, gate, failure and undo.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadyhand_model::approval::EvidenceKind;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::catalogue::{ActionEffect, Idempotency};
use steadyhand_model::digest::Digest;
use steadyhand_model::plan::*;
use steadyhand_model::reading::{Call, Check, ReadCall, Slot};
use steadyhand_model::time::Span;
use steadyhand_model::types::Type;

pub(crate) fn check(title: &str, within: Span) -> Check {
    Check {
        title: title.into(),
        expr: "read.x".into(),
        reads: vec![slot("read")],
        given: vec![],
        outputs: vec![],
        otherwise: None,
        hold_for: Span::ZERO,
        within,
        informs: false,
    }
}

fn slot(into: &str) -> Slot {
    Slot {
        into: into.into(),
        read: ReadCall {
            server: "kubernetes".parse().unwrap(),
            read: "get_workload".parse().unwrap(),
            args: CanonicalJson::empty(),
        },
        ty: Type::Boolean,
    }
}

pub(crate) fn call(name: &str) -> Call {
    let args = CanonicalJson::parse(format!(r#"{{"name":"{name}"}}"#).as_bytes()).unwrap();
    Call { action: "kubernetes.rollout_restart".parse().unwrap(), args }
}

pub(crate) fn write(id: &str) -> WriteStep {
    WriteStep {
        effect: ActionEffect::Change,
        call: call(id),
        targets: vec![Target {
            key: TargetKey(format!("practice/kubernetes/Deployment/{id}")),
            kind: "Deployment".into(),
            name: format!("shop/{id}"),
            uid: format!("uid-{id}").parse().unwrap(),
        }],
        preview: Preview { kind: PreviewKind::Server, diff: vec![] },
        before: vec![check("same template", Span::ZERO)],
        measure: vec![],
        verify: Some(check("rolled out", Span::from_mins(10))),
        undo: Undo::Inverse(Box::new(Inverse {
            call: call(&format!("{id}-undo")),
            verify: None,
            shown: "the inverse patch".into(),
        })),
        idempotency: Idempotency::CompareAndSet,
        call_max: Span::from_secs(10),
        quiescence: Span::from_secs(5),
        attempts: 3,
        backoff: Span::from_secs(2),
        command: None,
    }
}

pub(crate) fn step(id: &str, batch: u32, kind: StepKind) -> Step {
    Step {
        id: id.parse().unwrap(),
        batch,
        group: None,
        title: id.into(),
        when: None,
        timeout: Span::from_mins(30),
        on_failure: OnFailure::Undo,
        kind,
    }
}

pub(crate) fn write_step(id: &str, batch: u32) -> Step {
    step(id, batch, StepKind::Write(Box::new(write(id))))
}

fn confirm(before: GateBefore) -> Gate {
    let id = match &before {
        GateBefore::Start => "start".to_owned(),
        GateBefore::Step(step) => format!("before.{step}"),
    };
    Gate {
        id: id.parse().unwrap(),
        before,
        within: Span::from_mins(30),
        kind: GateKind::Confirm { why: vec!["built-in".parse().unwrap()] },
    }
}

pub(crate) fn body(steps: Vec<Step>) -> PlanBody {
    let digest = Digest::of(b"fixture");
    PlanBody {
        format: PLAN_FORMAT,
        environment: EnvironmentRef {
            name: "practice".parse().unwrap(),
            title: "practice".into(),
            class: EnvironmentClass::Practice,
            digest,
        },
        library: LibraryRef { commit: None, dirty: false, status: LibraryStatus::Draft, digest },
        runbook: RunbookRef {
            name: "fixture".parse().unwrap(),
            title: "Fixture".into(),
            owner: "team-platform".parse().unwrap(),
            path: "fixture.yaml".into(),
            digest,
        },
        alert: None,
        bindings: BTreeMap::new(),
        require: vec![],
        steps,
        left_out: vec![],
        radius: BlastRadius {
            targets: vec![],
            affected: vec![],
            unavailable: 0,
            population: 3,
            zones: vec![],
            data_loss: DataLoss::None,
            dependents: vec![],
            owners: vec![],
            unknowns: vec![],
        },
        limits: Limits::default(),
        gates: vec![confirm(GateBefore::Start)],
        done: None,
        valid_for: Span::from_mins(30),
        run_within: Span::from_mins(180),
    }
}

/// One guarded write with everything that a usual runbook has.
pub(crate) fn restart() -> PlanBody {
    let mut body = body(vec![write_step("restart", 0)]);
    body.require = vec![check("settled", Span::ZERO)];
    body.done = Some(Check { informs: true, ..check("alert resolved", Span::from_mins(20)) });
    body
}

/// Two writes in turn; the second is gated again, measured, and its target cannot refuse a second copy.
pub(crate) fn two_writes() -> PlanBody {
    let mut second = write("second");
    second.idempotency = Idempotency::None;
    second.measure = vec![slot("errors")];
    let mut body =
        body(vec![write_step("first", 0), step("second", 1, StepKind::Write(Box::new(second)))]);
    body.gates.push(confirm(GateBefore::Step("second".parse().unwrap())));
    body
}

/// Two writes side by side, one irreversible, then one passed over if it fails.
pub(crate) fn side_by_side() -> PlanBody {
    let mut right = write("right");
    right.before = vec![check("budget allows", Span::from_mins(10))];
    right.undo = Undo::Irreversible { reason: "messages are gone".into() };
    let mut after = write_step("after", 1);
    after.on_failure = OnFailure::Continue;
    let mut left = write_step("left", 0);
    left.on_failure = OnFailure::Stop;
    let mut body = body(vec![left, step("right", 0, StepKind::Write(Box::new(right))), after]);
    body.gates.clear();
    body.gates.push(confirm(GateBefore::Step("left".parse().unwrap())));
    body.gates.push(Gate {
        id: "two".parse().unwrap(),
        before: GateBefore::Start,
        within: Span::from_mins(30),
        kind: GateKind::Approvals {
            count: 2,
            from: "team-platform".parse().unwrap(),
            others: true,
            min: EvidenceKind::PeerCredential,
            why: vec!["two-eyes".parse().unwrap()],
        },
    });
    body
}

/// Every kind of step that is not a write, around one write that is only wanted sometimes.
pub(crate) fn people() -> PlanBody {
    let mut repair = step(
        "repair",
        0,
        StepKind::Ask(AskStep {
            question: "Repair or replace the node.".into(),
            who: "team-platform".parse().unwrap(),
            answers: vec!["in_service".into(), "replaced".into()],
            within: Span::from_mins(60),
        }),
    );
    repair.on_failure = OnFailure::HandOver;
    let mut uncordon = write_step("uncordon", 1);
    uncordon.when = Some(check("in service", Span::ZERO));
    let mut settle = step(
        "settle",
        2,
        StepKind::Wait(WaitStep {
            until: Some(check("quiet", Span::from_mins(5))),
            at_most: Span::from_mins(5),
        }),
    );
    settle.on_failure = OnFailure::HandOver;
    let pause =
        step("pause", 3, StepKind::Wait(WaitStep { until: None, at_most: Span::from_mins(1) }));
    let tell = step(
        "tell",
        4,
        StepKind::Notify(NotifyStep { to: "owner".into(), say: "Node is back.".into() }),
    );
    let mut body = body(vec![repair, uncordon, settle, pause, tell]);
    body.gates = vec![];
    body
}

/// One write that is only wanted sometimes, without anybody to ask.
pub(crate) fn maybe() -> PlanBody {
    let mut only = write_step("only", 0);
    only.when = Some(check("wanted", Span::ZERO));
    let mut body = body(vec![only]);
    body.gates = vec![];
    body
}

pub(crate) fn all() -> Vec<(&'static str, Arc<Plan>)> {
    [
        ("restart", restart()),
        ("two_writes", two_writes()),
        ("side_by_side", side_by_side()),
        ("people", people()),
        ("maybe", maybe()),
    ]
    .into_iter()
    .map(|(name, body)| (name, Arc::new(Plan::seal(body).unwrap())))
    .collect()
}
