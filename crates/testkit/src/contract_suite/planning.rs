//! `plan`: complete, repeatable, without effect, and what it shows is what happens.

use serde_json::{Value as Json, json};
use steadyhand_model::catalogue::{Catalogue, kubernetes};
use steadyhand_model::event::Leg;
use steadyhand_model::exchange::{PlanReply, StepPreview};
use steadyhand_model::time::Span;
use steadyhand_model::types::Type;
use steadyhand_model::value::Value;

use super::client::{Failure, ensure, part, same};
use super::{Bench, Case, Meddling, Sample, rows};

pub(super) const CASES: &[Case] = rows![
    plan_arguments_are_strict,
    plan_gives_the_complete_call,
    plan_changes_nothing,
    planning_twice_gives_equal_bytes,
    status_noise_does_not_move_a_plan,
    template_change_moves_a_plan,
    preview_of_a_restart_is_what_happens,
    preview_of_a_scale_is_what_happens,
    undo_of_a_restart_restores_the_template,
    undo_of_a_rollback_restores_the_template,
    undo_of_a_scale_restores_the_replicas,
    checks_can_be_read,
    vanished_object_is_not_planned,
    unkept_revision_is_not_planned,
    on_delete_is_refused_by_name,
    paused_is_refused_by_name,
    wanted_state_is_nothing_to_do,
];

async fn plan_arguments_are_strict(bench: &Bench<'_>) -> Result<(), Failure> {
    let executor = bench.executor().await?;
    let good = bench.identity(bench.rolling()).await?;
    let without_uid = part(&good, &["kind", "namespace", "name"]);
    let bad = [
        json!({"workload": without_uid}),
        json!({"workload": good, "force": true}),
        json!({"workload": "shop/checkout"}),
        json!({}),
    ];
    for args in bad {
        executor.refuses("rollout_restart.plan", json!({"args": args})).await?;
    }
    executor.refuses("rollout_restart.plan", json!({"workload": good})).await?;
    let many = json!({"workload": good, "replicas": kubernetes::REPLICAS_MAX + 1});
    executor.refuses("scale.plan", json!({"args": many})).await
}

/// One plan of each action, on the rolling sample.
async fn one_of_each(bench: &Bench<'_>) -> Result<Vec<StepPreview>, Failure> {
    let executor = bench.executor().await?;
    let workload = bench.workload(bench.rolling()).await?;
    let named = part(&workload, &["kind", "namespace", "name", "uid"]);
    let replicas = workload["replicas"].as_i64().unwrap_or(0) + 1;
    let to = earlier(bench, bench.rolling()).await?;
    Ok(vec![
        executor.plan("rollout_restart", json!({"workload": named})).await?,
        executor.plan("rollout_undo", json!({"workload": named, "to": to})).await?,
        executor.plan("scale", json!({"workload": named, "replicas": replicas})).await?,
    ])
}

/// The newest revision that is not the present one.
async fn earlier(bench: &Bench<'_>, sample: Sample) -> Result<Json, Failure> {
    let workload = bench.identity(sample).await?;
    let reader = bench.reader().await?;
    let revisions = reader.read("list_revisions", json!({"workload": workload})).await?;
    let earlier = revisions.as_array().into_iter().flatten().find(|r| r["current"] == false);
    let Some(earlier) = earlier else {
        return Err(Failure::Wrong("the sample keeps no earlier revision".into()));
    };
    Ok(part(earlier, &["kind", "namespace", "workload", "name", "uid"]))
}

async fn plan_gives_the_complete_call(bench: &Bench<'_>) -> Result<(), Failure> {
    let spec = kubernetes::spec();
    let catalogue = Catalogue::new(vec![spec.clone()]);
    for plan in one_of_each(bench).await? {
        let Some(action) = spec.action(&plan.call.action.action) else {
            return Err(Failure::Wrong(format!("{} is not in the table", plan.call.action)));
        };
        let fields = action.args.iter().chain(&action.expects).cloned().collect();
        let form = catalogue.argument(&Type::Record { fields });
        let read = Value::from_json(&plan.call.args.to_json(), &form, &catalogue);
        ensure(read.is_ok(), || format!("{}: {read:?}", plan.call.action))?;
        ensure(plan.verify.is_some(), || format!("{} is not verified", plan.call.action))?;
        ensure(plan.undo.is_some(), || format!("{} has no inverse", plan.call.action))?;
        ensure(!plan.targets.is_empty(), || format!("{} names no target", plan.call.action))?;
        ensure(!plan.preview.diff.is_empty(), || format!("{} shows nothing", plan.call.action))?;
        same("missing rights", &plan.missing_permissions.len(), &0)?;
    }
    Ok(())
}

async fn plan_changes_nothing(bench: &Bench<'_>) -> Result<(), Failure> {
    let before = bench.workload(bench.rolling()).await?;
    one_of_each(bench).await?;
    let after = bench.workload(bench.rolling()).await?;
    let fixed = ["uid", "generation", "template_digest", "replicas", "revision"];
    same("workload", &part(&after, &fixed), &part(&before, &fixed))?;
    same("effects", &bench.effects()?, &0)
}

fn bytes(plans: &[StepPreview]) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(plans).map_err(|source| Failure::Form { tool: "plan".into(), source })
}

async fn planning_twice_gives_equal_bytes(bench: &Bench<'_>) -> Result<(), Failure> {
    let first = bytes(&one_of_each(bench).await?)?;
    bench.subject.pass(Span::from_mins(10));
    let second = bytes(&one_of_each(bench).await?)?;
    ensure(first == second, || "the plans differ".into())
}

async fn status_noise_does_not_move_a_plan(bench: &Bench<'_>) -> Result<(), Failure> {
    let first = bytes(&one_of_each(bench).await?)?;
    for _ in 0..20 {
        bench.subject.pass(Span::from_secs(1));
        bench.subject.meddle(bench.rolling(), Meddling::Noise)?;
    }
    let second = bytes(&one_of_each(bench).await?)?;
    ensure(first == second, || "the plans differ".into())
}

async fn template_change_moves_a_plan(bench: &Bench<'_>) -> Result<(), Failure> {
    let executor = bench.executor().await?;
    let args = bench.restart_args(bench.rolling()).await?;
    let first = executor.plan("rollout_restart", args.clone()).await?;
    bench.subject.meddle(bench.rolling(), Meddling::Template)?;
    let second = executor.plan("rollout_restart", args).await?;
    ensure(first.call.digest() != second.call.digest(), || "the calls are equal".into())
}

async fn preview_of_a_restart_is_what_happens(bench: &Bench<'_>) -> Result<(), Failure> {
    let executor = bench.executor().await?;
    let args = bench.restart_args(bench.rolling()).await?;
    let plan = executor.plan("rollout_restart", args).await?;
    same("outcome", &executor.apply(&bench.request(&plan.call, 1)?).await?.word(), &"done".into())?;
    let after = bench.workload(bench.rolling()).await?;
    let planned = plan.planned.to_json();
    same("template", &after["template_digest"], &planned["template_digest"])
}

async fn preview_of_a_scale_is_what_happens(bench: &Bench<'_>) -> Result<(), Failure> {
    let executor = bench.executor().await?;
    let workload = bench.workload(bench.rolling()).await?;
    let replicas = workload["replicas"].as_i64().unwrap_or(0) + 2;
    let named = part(&workload, &["kind", "namespace", "name", "uid"]);
    let args = json!({"workload": named, "replicas": replicas});
    let plan = executor.plan("scale", args).await?;
    let line = plan.preview.diff.first().map(|d| (d.path.clone(), d.after.clone()));
    same("shown", &line, &Some(("spec.replicas".into(), Some(replicas.to_string()))))?;
    executor.apply(&bench.request(&plan.call, 1)?).await?;
    let after = bench.workload(bench.rolling()).await?;
    same("replicas", &after["replicas"], &replicas.into())
}

/// Applies a plan and then its inverse, and sees that `fields` are as before.
async fn there_and_back(
    bench: &Bench<'_>,
    action: &str,
    args: Json,
    fields: &[&str],
) -> Result<(), Failure> {
    let before = bench.workload(bench.rolling()).await?;
    let executor = bench.executor().await?;
    let plan = executor.plan(action, args).await?;
    let Some(undo) = plan.undo else { return Err(Failure::Wrong("no inverse".into())) };
    let there = executor.apply(&bench.request(&plan.call, 1)?).await?;
    same("there", &there.word(), &"done".into())?;
    let between = bench.workload(bench.rolling()).await?;
    ensure(part(&between, fields) != part(&before, fields), || "nothing changed".into())?;
    let back = executor.apply(&bench.request_under(&undo.call, 1, 1, Leg::Undo)?).await?;
    same("back", &back.word(), &"done".into())?;
    let after = bench.workload(bench.rolling()).await?;
    same("after", &part(&after, fields), &part(&before, fields))
}

async fn undo_of_a_restart_restores_the_template(bench: &Bench<'_>) -> Result<(), Failure> {
    let args = bench.restart_args(bench.rolling()).await?;
    there_and_back(bench, "rollout_restart", args, &["template_digest"]).await
}

async fn undo_of_a_rollback_restores_the_template(bench: &Bench<'_>) -> Result<(), Failure> {
    let workload = bench.identity(bench.rolling()).await?;
    let to = earlier(bench, bench.rolling()).await?;
    let args = json!({"workload": workload, "to": to});
    there_and_back(bench, "rollout_undo", args, &["template_digest"]).await
}

async fn undo_of_a_scale_restores_the_replicas(bench: &Bench<'_>) -> Result<(), Failure> {
    let workload = bench.workload(bench.rolling()).await?;
    let replicas = workload["replicas"].as_i64().unwrap_or(0) + 1;
    let named = part(&workload, &["kind", "namespace", "name", "uid"]);
    there_and_back(bench, "scale", json!({"workload": named, "replicas": replicas}), &["replicas"])
        .await
}

async fn checks_can_be_read(bench: &Bench<'_>) -> Result<(), Failure> {
    let catalogue = Catalogue::new(vec![kubernetes::spec()]);
    let reader = bench.reader().await?;
    for plan in one_of_each(bench).await? {
        let undo = plan.undo.and_then(|u| u.verify);
        for check in plan.before.iter().chain(&plan.verify).chain(&undo) {
            for slot in &check.reads {
                let tool = slot.read.read.to_string();
                let value = reader.read(&tool, slot.read.args.to_json()).await?;
                let typed = Value::from_json(&value, &slot.ty, &catalogue);
                ensure(typed.is_ok(), || format!("{}: {typed:?}", check.title))?;
            }
            for given in &check.given {
                let typed = Value::from_json(&given.value.to_json(), &given.ty, &catalogue);
                ensure(typed.is_ok(), || format!("{}: {typed:?}", check.title))?;
            }
        }
    }
    Ok(())
}

/// Sees that an action is refused, and that the reason names what is in the way.
async fn refused(
    bench: &Bench<'_>,
    action: &str,
    args: Json,
    because: &str,
) -> Result<(), Failure> {
    match bench.executor().await?.plan_reply(action, args).await? {
        PlanReply::Refused { why } => {
            ensure(why.contains(because), || format!("{why:?} does not name {because}"))
        }
        other => Err(Failure::Wrong(format!("not refused: {other:?}"))),
    }
}

async fn vanished_object_is_not_planned(bench: &Bench<'_>) -> Result<(), Failure> {
    let args = bench.restart_args(bench.rolling()).await?;
    bench.subject.meddle(bench.rolling(), Meddling::Replace)?;
    refused(bench, "rollout_restart", args, bench.rolling().name).await
}

async fn unkept_revision_is_not_planned(bench: &Bench<'_>) -> Result<(), Failure> {
    let workload = bench.identity(bench.rolling()).await?;
    let mut to = earlier(bench, bench.rolling()).await?;
    if let Json::Object(map) = &mut to {
        map.insert("name".into(), "gone-0000000000".into());
    }
    let args = json!({"workload": workload, "to": to});
    refused(bench, "rollout_undo", args, "gone-0000000000").await
}

async fn on_delete_is_refused_by_name(bench: &Bench<'_>) -> Result<(), Failure> {
    let args = bench.restart_args(bench.subject.samples().on_delete).await?;
    refused(bench, "rollout_restart", args, "OnDelete").await
}

async fn paused_is_refused_by_name(bench: &Bench<'_>) -> Result<(), Failure> {
    let args = bench.restart_args(bench.rolling()).await?;
    bench.subject.meddle(bench.rolling(), Meddling::Pause)?;
    refused(bench, "rollout_restart", args, "paused").await
}

async fn wanted_state_is_nothing_to_do(bench: &Bench<'_>) -> Result<(), Failure> {
    let executor = bench.executor().await?;
    let workload = bench.workload(bench.rolling()).await?;
    let named = part(&workload, &["kind", "namespace", "name", "uid"]);
    let args = json!({"workload": named, "replicas": workload["replicas"]});
    let plan = executor.plan("scale", args).await?;
    ensure(plan.nothing_to_do.is_some(), || "there is something to do".into())?;
    bench.subject.meddle(bench.rolling(), Meddling::Scale(0))?;
    let plan = executor.plan("rollout_restart", json!({"workload": named})).await?;
    ensure(plan.nothing_to_do.is_some(), || "there is something to restart".into())
}
