//! `probe`: read-only, and true.

use serde_json::json;
use steadyhand_model::catalogue::kubernetes;
use steadyhand_model::event::Leg;
use steadyhand_model::exchange::StepPreview;
use steadyhand_model::outcome::ProbeVerdict;

use super::client::{Failure, Session, ensure, part, same, verdict_word};
use super::{Bench, Case, Meddling, rows};

pub(super) const CASES: &[Case] = rows![
    says_not_done_then_done,
    gives_the_receipt,
    changes_nothing,
    needs_no_capability_but_a_whole_request,
    does_not_take_somebody_elses_change_for_ours,
    does_not_take_an_earlier_restart_for_this_one,
    cannot_tell_of_another_object,
    answers_for_the_undo,
];

async fn probe(
    bench: &Bench<'_>,
    executor: &Session<'_>,
    plan: &StepPreview,
) -> Result<&'static str, Failure> {
    Ok(verdict_word(&executor.probe(&bench.probe_request(&plan.call)?).await?))
}

async fn restart<'a>(bench: &'a Bench<'a>) -> Result<(Session<'a>, StepPreview), Failure> {
    let executor = bench.executor().await?;
    let args = bench.restart_args(bench.rolling()).await?;
    let plan = executor.plan("rollout_restart", args).await?;
    Ok((executor, plan))
}

async fn says_not_done_then_done(bench: &Bench<'_>) -> Result<(), Failure> {
    let executor = bench.executor().await?;
    let workload = bench.workload(bench.subject.samples().other).await?;
    let named = part(&workload, &["kind", "namespace", "name", "uid"]);
    let replicas = workload["replicas"].as_i64().unwrap_or(0) + 1;
    let scale = executor.plan("scale", json!({"workload": named, "replicas": replicas})).await?;
    let (_, restart) = restart(bench).await?;
    for plan in [&scale, &restart] {
        same("before", &probe(bench, &executor, plan).await?, &"not_done")?;
        let attempt = u32::try_from(bench.fresh()).unwrap_or(1);
        executor.apply(&bench.request(&plan.call, attempt)?).await?;
        same("after", &probe(bench, &executor, plan).await?, &"done")?;
    }
    Ok(())
}

async fn gives_the_receipt(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    executor.apply(&bench.request(&plan.call, 1)?).await?;
    match executor.probe(&bench.probe_request(&plan.call)?).await? {
        ProbeVerdict::Done(Some(receipt)) => {
            let after = bench.workload(bench.rolling()).await?;
            let expected = json!({
                "template_digest": after["template_digest"],
                "revision": after["revision"]["number"],
            });
            same("receipt", &receipt.result.to_json(), &expected)
        }
        // A server may not know it; then it must not invent it.
        ProbeVerdict::Done(None) => Ok(()),
        other => Err(Failure::Wrong(format!("{other:?}"))),
    }
}

async fn changes_nothing(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let before = bench.workload(bench.rolling()).await?;
    for _ in 0..10 {
        probe(bench, &executor, &plan).await?;
    }
    let after = bench.workload(bench.rolling()).await?;
    same("generation", &after["generation"], &before["generation"])?;
    same("effects", &bench.effects()?, &0)
}

async fn needs_no_capability_but_a_whole_request(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let keyless = Session::open(bench.subject, super::Instance::Executor, None).await?;
    same("keyless", &probe(bench, &keyless, &plan).await?, &"not_done")?;
    for args in [json!({}), json!({"call": 1}), json!({"envelope": {}})] {
        let verdict = executor.probe_json("rollout_restart.probe", args).await?;
        same("malformed", &verdict_word(&verdict), &"unknown")?;
    }
    let request = serde_json::to_value(bench.probe_request(&plan.call)?)
        .map_err(|source| Failure::Form { tool: "probe".into(), source })?;
    let verdict = executor.probe_json("scale.probe", request).await?;
    same("another action", &verdict_word(&verdict), &"unknown")
}

async fn does_not_take_somebody_elses_change_for_ours(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    bench.subject.meddle(bench.rolling(), Meddling::Template)?;
    same("probe", &probe(bench, &executor, &plan).await?, &"not_done")
}

async fn does_not_take_an_earlier_restart_for_this_one(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    executor.apply(&bench.request(&plan.call, 1)?).await?;
    let undo = plan.undo.as_ref().map(|u| u.call.clone());
    let Some(undo) = undo else { return Err(Failure::Wrong("no inverse".into())) };
    executor.apply(&bench.request_under(&undo, 1, 1, Leg::Undo)?).await?;
    // The same restart again: its mark is the same, and a revision with that mark is kept.
    let args = bench.restart_args(bench.rolling()).await?;
    let again = executor.plan("rollout_restart", args).await?;
    same("call", &again.call.digest(), &plan.call.digest())?;
    same("not yet", &probe(bench, &executor, &again).await?, &"not_done")?;
    bench.subject.meddle(bench.rolling(), Meddling::Template)?;
    same("never", &probe(bench, &executor, &again).await?, &"not_done")
}

async fn cannot_tell_of_another_object(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    bench.subject.meddle(bench.rolling(), Meddling::Replace)?;
    same("probe", &probe(bench, &executor, &plan).await?, &"unknown")
}

async fn answers_for_the_undo(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let Some(undo) = plan.undo.as_ref() else { return Err(Failure::Wrong("no inverse".into())) };
    executor.apply(&bench.request(&plan.call, 1)?).await?;
    let asked = bench.probe_request(&undo.call)?;
    same("before", &verdict_word(&executor.probe(&asked).await?), &"not_done")?;
    executor.apply(&bench.request_under(&undo.call, 1, 1, Leg::Undo)?).await?;
    same("after", &verdict_word(&executor.probe(&asked).await?), &"done")?;
    ensure(kubernetes::spec().actions.iter().all(|a| a.probe), || "an action has no probe".into())
}
