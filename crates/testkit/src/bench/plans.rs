//! Plans of the benches: as large as those of a usual runbook, made by hand, so that only what runs them is measured.

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

use super::BenchError;

/// How long a plan of a parked run may wait. Longer than any bench: nothing becomes due while it is measured.
const PARKED_FOR: Span = Span::from_mins(7 * 24 * 60);
/// As the built-in policy of practice environments has it.
const GATE_WITHIN: Span = Span::from_mins(30);

/// Three guarded writes in turn, each checked before and verified after, behind one `confirm`. `number` makes it a
/// plan of its own: a real one is stored anew for each run.
///
/// # Errors
/// If a name in it is not one.
pub fn three_steps(number: usize) -> Result<Arc<Plan>, BenchError> {
    let steps = (0..3).map(|batch| write_step(number, batch)).collect::<Result<Vec<_>, _>>()?;
    let gate = Gate {
        id: "start".parse()?,
        before: GateBefore::Start,
        within: GATE_WITHIN,
        kind: GateKind::Confirm { why: vec!["practice-confirm-1".parse()?] },
    };
    seal(EnvironmentClass::Practice, steps, gate, GATE_WITHIN)
}

/// One guarded write of an environment on the wall clock, which waits for somebody's approval.
///
/// # Errors
/// If a name in it is not one.
pub fn parked(number: usize) -> Result<Arc<Plan>, BenchError> {
    let gate = Gate {
        id: "start".parse()?,
        before: GateBefore::Start,
        within: PARKED_FOR,
        kind: GateKind::Approvals {
            count: 1,
            from: "team-platform".parse()?,
            others: true,
            min: EvidenceKind::PeerCredential,
            why: vec!["two-eyes".parse()?],
        },
    };
    seal(EnvironmentClass::Development, vec![write_step(number, 0)?], gate, PARKED_FOR)
}

fn seal(
    class: EnvironmentClass,
    steps: Vec<Step>,
    gate: Gate,
    valid_for: Span,
) -> Result<Arc<Plan>, BenchError> {
    let digest = Digest::of(b"bench");
    let targets = steps.iter().flat_map(targets).cloned().collect();
    let body = PlanBody {
        format: PLAN_FORMAT,
        environment: EnvironmentRef {
            name: "bench".parse()?,
            title: "bench".into(),
            class,
            digest,
        },
        library: LibraryRef { commit: None, dirty: false, status: LibraryStatus::Draft, digest },
        runbook: RunbookRef {
            name: "restart-workload".parse()?,
            title: "Restart a workload".into(),
            owner: "team-platform".parse()?,
            path: "runbooks/restart-workload.yaml".into(),
            digest,
        },
        alert: None,
        bindings: BTreeMap::new(),
        require: vec![check("the workload is settled", "settled")?],
        steps,
        left_out: vec![],
        radius: BlastRadius {
            targets,
            affected: vec![],
            unavailable: 1,
            population: 3,
            zones: vec![],
            data_loss: DataLoss::None,
            dependents: vec![],
            owners: vec![],
            unknowns: vec![],
        },
        limits: Limits::default(),
        gates: vec![gate],
        done: None,
        valid_for,
        run_within: valid_for.plus(Span::from_mins(60)),
    };
    Ok(Arc::new(Plan::seal(body)?))
}

fn targets(step: &Step) -> &[Target] {
    match &step.kind {
        StepKind::Write(write) => &write.targets,
        StepKind::Ask(_) | StepKind::Wait(_) | StepKind::Notify(_) => &[],
    }
}

fn check(title: &str, name: &str) -> Result<Check, BenchError> {
    Ok(Check {
        title: title.into(),
        expr: format!("params.{name}"),
        reads: vec![Slot {
            into: format!("params.{name}"),
            read: ReadCall {
                server: "kubernetes".parse()?,
                read: "get_workload".parse()?,
                args: CanonicalJson::parse(br#"{"name":"checkout","namespace":"shop"}"#)?,
            },
            ty: Type::Boolean,
        }],
        given: vec![],
        outputs: vec![],
        otherwise: None,
        hold_for: Span::ZERO,
        within: Span::ZERO,
        informs: false,
    })
}

fn call(name: &str, template: &str) -> Result<Call, BenchError> {
    let args = format!(
        r#"{{"expected_template":"{template}","name":"{name}","namespace":"shop","uid":"uid-{name}"}}"#
    );
    Ok(Call {
        action: "kubernetes.rollout_restart".parse()?,
        args: CanonicalJson::parse(args.as_bytes())?,
    })
}

fn write_step(number: usize, batch: u32) -> Result<Step, BenchError> {
    let name = format!("checkout-{number}-{batch}");
    let target = Target {
        key: TargetKey(format!("bench/kubernetes/Deployment/uid-{name}")),
        kind: "Deployment".into(),
        name: format!("shop/{name}"),
        uid: format!("uid-{name}").parse()?,
    };
    let write = WriteStep {
        effect: ActionEffect::Change,
        call: call(&name, "7d9fc1")?,
        targets: vec![target],
        preview: Preview { kind: PreviewKind::Server, diff: vec![] },
        before: vec![check("the template is the planned one", "same_template")?],
        measure: vec![],
        verify: Some(check("the rollout is done", "rolled_out")?),
        undo: Undo::Inverse(Box::new(Inverse {
            call: call(&name, "8e0ad2")?,
            verify: None,
            shown: "the template as it was".into(),
        })),
        idempotency: Idempotency::CompareAndSet,
        call_max: Span::from_secs(10),
        quiescence: Span::from_secs(5),
        attempts: 3,
        backoff: Span::from_secs(2),
        command: None,
    };
    Ok(Step {
        id: format!("restart-{batch}").parse()?,
        batch,
        group: None,
        title: format!("Restart shop/{name}"),
        when: None,
        timeout: Span::from_mins(30),
        on_failure: OnFailure::Undo,
        kind: StepKind::Write(Box::new(write)),
    })
}
