//! Calls that may be made: only a run gives one out, so each comes from a run that was driven there.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadyhand_engine::effect::What;
use steadyhand_engine::input::{Input, LeaseAnswer, PolicyAnswer};
use steadyhand_engine::port::Authorized;
use steadyhand_engine::run::{Request, Run};
use steadyhand_model::actor::Actor;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::catalogue::{ActionEffect, Idempotency};
use steadyhand_model::digest::Digest;
use steadyhand_model::event::ClockKind;
use steadyhand_model::ids::Fence;
use steadyhand_model::plan::*;
use steadyhand_model::reading::{Call, Verdict};
use steadyhand_model::time::Span;

use crate::stage::NOW;

const WORKLOAD: &str =
    r#""workload":{"kind":"Deployment","name":"checkout","namespace":"shop","uid":"u-1"}"#;

pub(crate) fn call_of(args: &str) -> Call {
    Call {
        action: "kubernetes.rollout_restart".parse().unwrap(),
        args: CanonicalJson::parse(args.as_bytes()).unwrap(),
    }
}

/// What a runbook gives.
pub(crate) fn given() -> Call {
    call_of(&format!("{{{WORKLOAD}}}"))
}

/// What `plan` makes of it.
pub(crate) fn complete() -> Call {
    call_of(&format!(r#"{{"mark":"after-7d9f","template_digest":"sha256:aa",{WORKLOAD}}}"#))
}

fn plan(call: Call, call_max: Span) -> Plan {
    let digest = Digest::of(b"fixture");
    let write = WriteStep {
        effect: ActionEffect::Change,
        call,
        targets: vec![],
        preview: Preview { kind: PreviewKind::Server, diff: vec![] },
        before: vec![],
        measure: vec![],
        verify: None,
        undo: Undo::Irreversible { reason: "a fixture".into() },
        idempotency: Idempotency::CompareAndSet,
        call_max,
        quiescence: Span::from_secs(5),
        attempts: 3,
        backoff: Span::from_secs(2),
        command: None,
    };
    let step = Step {
        id: "restart".parse().unwrap(),
        batch: 0,
        group: None,
        title: "restart".into(),
        when: None,
        timeout: Span::from_mins(30),
        on_failure: OnFailure::Stop,
        kind: StepKind::Write(Box::new(write)),
    };
    Plan::seal(PlanBody {
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
        steps: vec![step],
        left_out: vec![],
        radius: radius(),
        limits: Limits::default(),
        gates: vec![],
        done: None,
        valid_for: Span::from_mins(30),
        run_within: Span::from_mins(180),
    })
    .unwrap()
}

pub(crate) fn radius() -> BlastRadius {
    BlastRadius {
        targets: vec![],
        affected: vec![],
        unavailable: 0,
        population: 3,
        zones: vec![],
        data_loss: DataLoss::None,
        dependents: vec![],
        owners: vec![],
        unknowns: vec![],
    }
}

/// Drives a run until its one write is intended.
pub(crate) fn authorized(call: Call, call_max: Span) -> Authorized<Call> {
    let plan = Arc::new(plan(call, call_max));
    let request = Request {
        run: "r-4f2kabcdefgh".parse().unwrap(),
        requester: Actor::Person("asha".parse().unwrap()),
        incident: None,
        predecessor: None,
        world: None,
        clock: ClockKind::Practice { seed: 7 },
    };
    let created = Run::open(&plan, request, NOW);
    let mut run = Run::begin(plan, NOW, &created).unwrap();
    let mut input = Input::TakenOver("driver-1".parse().unwrap(), Fence(1));
    loop {
        for event in run.decide(input, NOW).unwrap() {
            run.apply(run.seq().next(), NOW, &event).unwrap();
        }
        let pending = run.pending(run.fence());
        let next = pending.iter().find_map(|effect| match &effect.what {
            What::Call(call) => Some(Err((**call).clone())),
            What::Check { .. } => {
                Some(Ok(Input::Checked(effect.id.clone(), Verdict::Holds { operands: vec![] })))
            }
            What::AskPolicy { .. } => {
                let policy = Digest::of(b"policy");
                Some(Ok(Input::Policy(effect.id.clone(), PolicyAnswer::Unchanged { policy })))
            }
            What::TakeLeases { .. } => {
                Some(Ok(Input::Leased(effect.id.clone(), LeaseAnswer::Granted)))
            }
            _ => None,
        });
        match next {
            Some(Err(call)) => return call,
            Some(Ok(answer)) => input = answer,
            None => panic!("nothing to answer in {pending:#?}"),
        }
    }
}
