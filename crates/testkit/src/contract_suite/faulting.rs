//! Planted faults: what the caller is told, what happened, and whether a probe after the quiet time is true.
//! A subject that cannot plant one passes: the same promises are then seen by its own crash tests.

use serde_json::json;
use steadyhand_model::catalogue::kubernetes::{CALL_MAX, QUIESCENCE};
use steadyhand_model::exchange::{PlanReply, REPLY_BYTES_MAX};

use super::client::{Failure, Told, ensure, same, verdict_word};
use super::{Bench, Case, rows};

pub(super) const CASES: &[Case] = rows![
    lost_before_the_effect,
    lost_after_the_effect,
    late_effect,
    too_slow_is_lost_and_happens,
    slow_says_how_long,
    busy_passes_by_itself,
    planted_refusals_change_nothing,
    drift_after_planning_is_a_conflict,
    missing_right_is_shown_and_refused,
    garbage_is_no_answer,
    huge_is_larger_than_a_host_takes,
    lying_is_found_out_by_the_probe,
    flapping_never_verifies,
    fault_on_a_read_tells_nothing,
];

/// Plants a fault, restarts, and says: what was told, and what a probe says at once and after the quiet time.
async fn under(
    bench: &Bench<'_>,
    fault: &str,
) -> Result<Option<(Told, [&'static str; 2])>, Failure> {
    if !bench.subject.plant(fault)? {
        return Ok(None);
    }
    let executor = bench.executor().await?;
    let args = bench.restart_args(bench.rolling()).await?;
    let plan = executor.plan("rollout_restart", args).await?;
    let told = executor.apply(&bench.request(&plan.call, 1)?).await?;
    let asked = bench.probe_request(&plan.call)?;
    let at_once = verdict_word(&executor.probe(&asked).await?);
    bench.subject.pass(CALL_MAX.plus(QUIESCENCE));
    let later = verdict_word(&executor.probe(&asked).await?);
    Ok(Some((told, [at_once, later])))
}

async fn check(
    bench: &Bench<'_>,
    fault: &str,
    word: &str,
    probes: [&'static str; 2],
    effects: usize,
) -> Result<(), Failure> {
    let Some((told, found)) = under(bench, fault).await? else { return Ok(()) };
    same(fault, &told.word(), &word.to_owned())?;
    same("probes", &found, &probes)?;
    same("effects", &bench.effects()?, &effects)
}

async fn lost_before_the_effect(bench: &Bench<'_>) -> Result<(), Failure> {
    check(bench, "lost-before", "lost", ["not_done", "not_done"], 0).await
}

async fn lost_after_the_effect(bench: &Bench<'_>) -> Result<(), Failure> {
    let before = bench.subject.now();
    let Some((told, probes)) = under(bench, "lost-after").await? else { return Ok(()) };
    same("probes", &probes, &["done", "done"])?;
    let Told::Lost(lost) = told else { return Err(Failure::Wrong(format!("{told:?}"))) };
    same("quiet until", &Some(lost.quiet_until), &before.map(|now| now.plus(CALL_MAX)))?;
    same("effects", &bench.effects()?, &1)
}

async fn late_effect(bench: &Bench<'_>) -> Result<(), Failure> {
    check(bench, "late", "lost", ["not_done", "done"], 1).await
}

async fn too_slow_is_lost_and_happens(bench: &Bench<'_>) -> Result<(), Failure> {
    check(bench, "slow:11s", "lost", ["not_done", "done"], 1).await
}

async fn slow_says_how_long(bench: &Bench<'_>) -> Result<(), Failure> {
    let Some((told, probes)) = under(bench, "slow:9s").await? else { return Ok(()) };
    same("probes", &probes, &["done", "done"])?;
    let Told::Reply(reply) = told else { return Err(Failure::Wrong(format!("{told:?}"))) };
    same("took", &reply.took.map(|t| t.to_string()), &Some("9s".into()))
}

async fn busy_passes_by_itself(bench: &Bench<'_>) -> Result<(), Failure> {
    if !bench.subject.plant("busy")? {
        return Ok(());
    }
    let executor = bench.executor().await?;
    let args = bench.restart_args(bench.rolling()).await?;
    let plan = executor.plan("rollout_restart", args).await?;
    let first = executor.apply(&bench.request(&plan.call, 1)?).await?;
    let second = executor.apply(&bench.request(&plan.call, 2)?).await?;
    let words = [first.word(), second.word()];
    same("outcomes", &words, &["not_done:busy".to_owned(), "done".to_owned()])?;
    same("effects", &bench.effects()?, &1)
}

async fn planted_refusals_change_nothing(bench: &Bench<'_>) -> Result<(), Failure> {
    for fault in ["conflict", "forbidden", "invalid"] {
        if !bench.subject.plant(fault)? {
            return Ok(());
        }
        let executor = bench.executor().await?;
        let args = bench.restart_args(bench.rolling()).await?;
        let plan = executor.plan("rollout_restart", args).await?;
        let told = executor.apply(&bench.request(&plan.call, 1)?).await?;
        same(fault, &told.word(), &format!("not_done:{fault}"))?;
    }
    same("effects", &bench.effects()?, &0)
}

async fn drift_after_planning_is_a_conflict(bench: &Bench<'_>) -> Result<(), Failure> {
    check(bench, "drift", "not_done:conflict", ["not_done", "not_done"], 0).await
}

async fn missing_right_is_shown_and_refused(bench: &Bench<'_>) -> Result<(), Failure> {
    if !bench.subject.plant("permission")? {
        return Ok(());
    }
    let executor = bench.executor().await?;
    let args = bench.restart_args(bench.rolling()).await?;
    match executor.plan_reply("rollout_restart", args).await? {
        PlanReply::Planned(plan) => {
            ensure(!plan.missing_permissions.is_empty(), || {
                "nothing is said to be missing".into()
            })?;
            let told = executor.apply(&bench.request(&plan.call, 1)?).await?;
            same("outcome", &told.word(), &"not_done:forbidden".into())?;
            same("effects", &bench.effects()?, &0)
        }
        other => Err(Failure::Wrong(format!("a plan without the right is still shown: {other:?}"))),
    }
}

async fn garbage_is_no_answer(bench: &Bench<'_>) -> Result<(), Failure> {
    check(bench, "garbage", "noise", ["done", "done"], 1).await
}

async fn huge_is_larger_than_a_host_takes(bench: &Bench<'_>) -> Result<(), Failure> {
    let Some((told, probes)) = under(bench, "huge").await? else { return Ok(()) };
    let Told::Noise(bytes) = told else { return Err(Failure::Wrong("an answer".into())) };
    ensure(bytes > REPLY_BYTES_MAX, || format!("only {bytes} bytes"))?;
    same("probes", &probes, &["done", "done"])
}

async fn lying_is_found_out_by_the_probe(bench: &Bench<'_>) -> Result<(), Failure> {
    check(bench, "lying", "done", ["not_done", "not_done"], 0).await
}

async fn flapping_never_verifies(bench: &Bench<'_>) -> Result<(), Failure> {
    let Some((told, _)) = under(bench, "flapping").await? else { return Ok(()) };
    same("outcome", &told.word(), &"done".into())?;
    let mut good = 0;
    for _ in 0..60 {
        bench.subject.pass(steadyhand_model::time::Span::from_secs(10));
        let w = bench.workload(bench.rolling()).await?;
        let healthy = w["settled"] == true
            && w["available"].as_u64() >= w["replicas"].as_u64()
            && w["fresh_restarts"] == 0;
        good = if healthy { good + 1 } else { 0 };
        ensure(good < 6, || "it held for a minute".into())?;
    }
    Ok(())
}

async fn fault_on_a_read_tells_nothing(bench: &Bench<'_>) -> Result<(), Failure> {
    if !bench.subject.plant("unreadable")? {
        return Ok(());
    }
    let reader = bench.reader().await?;
    let first = reader.call("list_nodes", json!({})).await?;
    let told = first.as_ref().is_ok_and(|reply| reply.get("cannot_tell").is_some());
    ensure(told, || format!("{first:?}"))?;
    reader.read("list_nodes", json!({})).await.map(|_nodes| ())
}
