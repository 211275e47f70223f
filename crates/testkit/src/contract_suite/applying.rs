//! `apply`: only with a capability for this very call and attempt, once, and only in the state that the call names.

use serde_json::{Value as Json, json};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::capability::Claims;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::Leg;
use steadyhand_model::exchange::{ApplyRequest, StepPreview};
use steadyhand_model::ids::{Attempt, Fence, ServerId};
use steadyhand_model::outcome::Outcome;
use steadyhand_model::time::{Span, Timestamp};

use super::client::{Failure, Session, Signer, Told, ensure, part, same};
use super::{Bench, Case, Instance, Meddling, rows};

pub(super) const CASES: &[Case] = rows![
    done_has_the_declared_result,
    effect_is_recorded_once_with_its_attempt,
    no_key_refuses_everything,
    malformed_request_is_invalid,
    call_of_another_action_is_invalid,
    call_with_more_arguments_is_invalid,
    foreign_signature_is_forbidden,
    changed_claims_are_forbidden,
    other_audience_is_forbidden,
    other_call_is_forbidden,
    other_attempt_is_forbidden,
    ended_capability_is_forbidden,
    long_capability_is_forbidden,
    used_capability_is_forbidden,
    used_attempt_is_forbidden,
    lower_fence_is_forbidden,
    late_duplicate_is_a_conflict,
    changed_template_is_a_conflict,
    another_object_of_that_name_is_a_conflict,
    changed_replicas_are_a_conflict_for_scale,
    noise_and_scaling_do_not_stop_a_restart,
    side_by_side_calls_change_it_once,
];

async fn restart<'a>(bench: &'a Bench<'a>) -> Result<(Session<'a>, StepPreview), Failure> {
    let executor = bench.executor().await?;
    let args = bench.restart_args(bench.rolling()).await?;
    let plan = executor.plan("rollout_restart", args).await?;
    Ok((executor, plan))
}

/// Sees what a request comes to, and how many effects there are then.
async fn comes_to(
    bench: &Bench<'_>,
    session: &Session<'_>,
    request: &ApplyRequest,
    word: &str,
    effects: usize,
) -> Result<(), Failure> {
    same("outcome", &session.apply(request).await?.word(), &word.to_owned())?;
    same("effects", &bench.effects()?, &effects)
}

async fn done_has_the_declared_result(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let told = executor.apply(&bench.request(&plan.call, 1)?).await?;
    let Told::Reply(reply) = &told else { return Err(Failure::Wrong(format!("{told:?}"))) };
    let Outcome::Done(receipt) = &reply.outcome else {
        return Err(Failure::Wrong(format!("{reply:?}")));
    };
    let result = receipt.result.to_json();
    let names: Vec<String> =
        result.as_object().into_iter().flat_map(|o| o.keys().cloned()).collect();
    same("fields", &names, &vec!["revision".to_owned(), "template_digest".to_owned()])?;
    same("planned", &result["template_digest"], &plan.planned.to_json()["template_digest"])?;
    let after = bench.workload(bench.rolling()).await?;
    same("revision", &after["revision"]["number"], &result["revision"])
}

async fn effect_is_recorded_once_with_its_attempt(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    executor.apply(&bench.request(&plan.call, 1)?).await?;
    let seen = bench.subject.effects()?;
    same("effects", &seen.len(), &1)?;
    let uid = plan.targets.first().map(|t| t.uid.to_string());
    let found = seen.first().map(|e| (Some(e.uid.clone()), e.attempt.clone()));
    let recorded = found
        .as_ref()
        .is_some_and(|(_, a)| a.as_deref().is_none_or(|a| a == "r-4f2kabcdefgh/act/forward/1"));
    ensure(recorded && found.map(|(u, _)| u) == Some(uid), || format!("{seen:?}"))
}

async fn no_key_refuses_everything(bench: &Bench<'_>) -> Result<(), Failure> {
    let (_, plan) = restart(bench).await?;
    let keyless = Session::open(bench.subject, Instance::Executor, None).await?;
    comes_to(bench, &keyless, &bench.request(&plan.call, 1)?, "not_done:forbidden", 0).await
}

async fn malformed_request_is_invalid(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let good = serde_json::to_value(bench.request(&plan.call, 1)?)
        .map_err(|source| Failure::Form { tool: "apply".into(), source })?;
    let changed = |pointer: &str, value: Json| {
        let mut json = good.clone();
        if let Some(place) = json.pointer_mut(pointer) {
            *place = value;
        }
        json
    };
    let bad = [
        part(&good, &["call", "envelope"]),
        part(&good, &["call", "capability"]),
        json!({}),
        changed("/envelope/fence", "1".into()),
        changed("/envelope/at/leg", "sideways".into()),
        changed("/capability/claims/call", "sha256:00".into()),
        changed(
            "/capability",
            json!([good["capability"]["claims"], good["capability"]["signature"]]),
        ),
    ];
    for args in bad {
        let told = executor.apply_json("rollout_restart.apply", args).await?;
        same("outcome", &told.word(), &"not_done:invalid".into())?;
    }
    same("effects", &bench.effects()?, &0)
}

async fn call_of_another_action_is_invalid(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let request = serde_json::to_value(bench.request(&plan.call, 1)?)
        .map_err(|source| Failure::Form { tool: "apply".into(), source })?;
    let told = executor.apply_json("scale.apply", request).await?;
    same("outcome", &told.word(), &"not_done:invalid".into())?;
    same("effects", &bench.effects()?, &0)
}

async fn call_with_more_arguments_is_invalid(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let mut call = plan.call.clone();
    let mut args = call.args.to_json();
    if let Json::Object(map) = &mut args {
        map.insert("force".into(), true.into());
    }
    call.args =
        CanonicalJson::of(&args).map_err(|source| Failure::Subject { source: Box::new(source) })?;
    comes_to(bench, &executor, &bench.request(&call, 1)?, "not_done:invalid", 0).await
}

/// Sees that a capability with changed claims, well signed, is refused.
async fn forbidden(bench: &Bench<'_>, change: impl FnOnce(&mut Claims)) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let mut request = bench.request(&plan.call, 1)?;
    let mut claims = request.capability.claims.clone();
    change(&mut claims);
    request.capability = bench.signer.sign(claims)?;
    comes_to(bench, &executor, &request, "not_done:forbidden", 0).await
}

async fn foreign_signature_is_forbidden(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let mut request = bench.request(&plan.call, 1)?;
    request.capability = Signer::new([8; 32]).sign(request.capability.claims)?;
    comes_to(bench, &executor, &request, "not_done:forbidden", 0).await
}

async fn changed_claims_are_forbidden(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let mut request = bench.request(&plan.call, 1)?;
    let claims = &mut request.capability.claims;
    claims.not_after = claims.not_after.plus(Span::from_secs(1));
    comes_to(bench, &executor, &request, "not_done:forbidden", 0).await
}

async fn other_audience_is_forbidden(bench: &Bench<'_>) -> Result<(), Failure> {
    let other: Result<ServerId, _> = "alerts".parse();
    let other = other.map_err(|source| Failure::Subject { source: Box::new(source) })?;
    forbidden(bench, |claims| claims.audience = other).await
}

async fn other_call_is_forbidden(bench: &Bench<'_>) -> Result<(), Failure> {
    forbidden(bench, |claims| claims.call = Digest::of(b"another call")).await
}

async fn other_attempt_is_forbidden(bench: &Bench<'_>) -> Result<(), Failure> {
    forbidden(bench, |claims| claims.at.attempt = Attempt(2)).await?;
    forbidden(bench, |claims| claims.at.leg = Leg::Undo).await?;
    forbidden(bench, |claims| claims.fence = Fence(9)).await?;
    forbidden(bench, |claims| claims.plan = Digest::of(b"another plan")).await
}

async fn ended_capability_is_forbidden(bench: &Bench<'_>) -> Result<(), Failure> {
    let ended = Timestamp(bench.subject.real_now().0 - 1_000_000);
    forbidden(bench, |claims| claims.not_after = ended).await
}

async fn long_capability_is_forbidden(bench: &Bench<'_>) -> Result<(), Failure> {
    let far = bench.subject.real_now().plus(Span::from_mins(10));
    forbidden(bench, |claims| claims.not_after = far).await
}

async fn used_capability_is_forbidden(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let request = bench.request(&plan.call, 1)?;
    comes_to(bench, &executor, &request, "done", 1).await?;
    comes_to(bench, &executor, &request, "not_done:forbidden", 1).await
}

async fn used_attempt_is_forbidden(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    comes_to(bench, &executor, &bench.request(&plan.call, 1)?, "done", 1).await?;
    comes_to(bench, &executor, &bench.request(&plan.call, 1)?, "not_done:forbidden", 1).await
}

async fn lower_fence_is_forbidden(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let other = bench.restart_args(bench.subject.samples().other).await?;
    let other = executor.plan("rollout_restart", other).await?;
    let newer = bench.request_under(&plan.call, 1, 5, Leg::Forward)?;
    comes_to(bench, &executor, &newer, "done", 1).await?;
    let stale = bench.request_under(&other.call, 2, 4, Leg::Forward)?;
    comes_to(bench, &executor, &stale, "not_done:forbidden", 1).await
}

async fn late_duplicate_is_a_conflict(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    comes_to(bench, &executor, &bench.request(&plan.call, 1)?, "done", 1).await?;
    comes_to(bench, &executor, &bench.request(&plan.call, 2)?, "not_done:conflict", 1).await?;
    bench.subject.pass(Span::from_mins(30));
    comes_to(bench, &executor, &bench.request(&plan.call, 3)?, "not_done:conflict", 1).await
}

async fn changed_template_is_a_conflict(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    bench.subject.meddle(bench.rolling(), Meddling::Template)?;
    comes_to(bench, &executor, &bench.request(&plan.call, 1)?, "not_done:conflict", 0).await
}

async fn another_object_of_that_name_is_a_conflict(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    bench.subject.meddle(bench.rolling(), Meddling::Replace)?;
    comes_to(bench, &executor, &bench.request(&plan.call, 1)?, "not_done:conflict", 0).await
}

async fn changed_replicas_are_a_conflict_for_scale(bench: &Bench<'_>) -> Result<(), Failure> {
    let executor = bench.executor().await?;
    let workload = bench.workload(bench.rolling()).await?;
    let named = part(&workload, &["kind", "namespace", "name", "uid"]);
    let from = workload["replicas"].as_u64().and_then(|r| u32::try_from(r).ok()).unwrap_or(0);
    let args = json!({"workload": named, "replicas": from + 2});
    let plan = executor.plan("scale", args).await?;
    bench.subject.meddle(bench.rolling(), Meddling::Scale(from + 1))?;
    comes_to(bench, &executor, &bench.request(&plan.call, 1)?, "not_done:conflict", 0).await
}

async fn noise_and_scaling_do_not_stop_a_restart(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    for n in 0..20 {
        bench.subject.pass(Span::from_secs(1));
        bench.subject.meddle(bench.rolling(), Meddling::Noise)?;
        bench.subject.meddle(bench.rolling(), Meddling::Scale(3 + n % 2))?;
    }
    comes_to(bench, &executor, &bench.request(&plan.call, 1)?, "done", 1).await
}

async fn side_by_side_calls_change_it_once(bench: &Bench<'_>) -> Result<(), Failure> {
    let (executor, plan) = restart(bench).await?;
    let requests: Vec<ApplyRequest> =
        (1..=8).map(|n| bench.request(&plan.call, n)).collect::<Result<_, _>>()?;
    let all = futures_util::future::join_all(requests.iter().map(|r| executor.apply(r))).await;
    let mut words = Vec::new();
    for told in all {
        words.push(told?.word());
    }
    words.sort();
    let expected: Vec<String> = std::iter::once("done".to_owned())
        .chain(std::iter::repeat_n("not_done:conflict".to_owned(), 7))
        .collect();
    same("outcomes", &words, &expected)?;
    same("effects", &bench.effects()?, &1)
}
