//! What one append makes durable: events, and everything that follows from them by themselves.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steadyhand_engine::effect::{Effect, What};
use steadyhand_engine::port::{AppendError, Batch, IntentRow, Journal, RateReservation, RunRow};
use steadyhand_engine::run::Run;
use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::event::{Event, EventError, Leg, Recorded, StreamId, write_event};
use steadyhand_model::ids::{InboxId, RunId, Seq};
use steadyhand_model::outcome::RunOutcome;
use steadyhand_model::plan::{PlanBody, Rate, TargetKey};
use steadyhand_model::time::Timestamp;

/// What a list of runs keeps beside the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowDetail {
    pub(crate) practice: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("an event cannot be written")]
    Event {
        #[source]
        source: EventError,
    },
    #[error("a value cannot be written as canonical JSON")]
    Canonical {
        #[source]
        source: CanonicalError,
    },
    #[error("the journal refuses")]
    Append {
        #[source]
        source: AppendError,
    },
}

/// The word of a run's phase in its row. `pending` is what the run waits for, here and below.
pub(crate) fn phase_word(run: &Run, pending: &[Effect]) -> &'static str {
    match run.outcome() {
        Some(outcome) => outcome.word(),
        None if run.stopped().is_some() => "stopped",
        None if run.paused().is_some() => "paused",
        None if !run.has_acted() && wait_at_gate(pending) => "waiting",
        None => "running",
    }
}

fn wait_at_gate(pending: &[Effect]) -> bool {
    pending.iter().any(|e| matches!(e.what, What::Await { .. }))
}

/// Whether the run goes on only when a person speaks.
pub(crate) fn needs_person(run: &Run, pending: &[Effect]) -> bool {
    if run.outcome().is_some() {
        return run.outcome() == Some(RunOutcome::Unresolved) && !run.leases().is_empty();
    }
    run.paused().is_some()
        || run.stopped().is_some()
        || pending
            .iter()
            .any(|e| matches!(e.what, What::Await { .. } | What::Ask { .. } | What::Settle { .. }))
}

/// What a run acts on, for a list: `shop/checkout`.
pub(crate) fn subject(plan: &PlanBody) -> String {
    let names: Vec<&str> = plan.radius.targets.iter().map(|t| t.name.as_str()).collect();
    match names.as_slice() {
        [] => "-".to_owned(),
        [one] => (*one).to_owned(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

fn row(run: &Run, pending: &[Effect], now: Timestamp) -> Result<RunRow, CanonicalError> {
    let body = run.plan().body();
    let practice = body.environment.class == steadyhand_model::plan::EnvironmentClass::Practice;
    Ok(RunRow {
        run: run.id().clone(),
        plan: run.plan().digest(),
        environment: body.environment.name.to_string(),
        runbook: body.runbook.name.to_string(),
        subject: subject(body),
        phase: phase_word(run, pending).to_owned(),
        finished: run.outcome().is_some(),
        needs_person: needs_person(run, pending),
        created: run.created(),
        changed: now,
        detail: CanonicalJson::of(&RowDetail { practice })?,
    })
}

/// The subjects that a plan's rates count. Reserved at the first intent, looked at before anybody is asked.
pub(crate) fn rate_subjects(body: &PlanBody, world: Option<&RunId>) -> Vec<(String, Rate)> {
    let environment = &body.environment.name;
    let place = match world {
        Some(world) => format!("{world}/{environment}"),
        None => environment.to_string(),
    };
    let runbook = format!("{place}/{}", body.runbook.name);
    let own = body.limits.rates.iter().map(|rate| (&runbook, rate));
    let shared = body.limits.environment_rates.iter().map(|rate| (&place, rate));
    let mut all = Vec::new();
    for (whole, rate) in own.chain(shared) {
        if rate.per_target {
            all.extend(
                body.radius.targets.iter().map(|t| (format!("{whole}/{}", t.key), rate.clone())),
            );
        } else {
            all.push((whole.clone(), rate.clone()));
        }
    }
    all
}

/// A target as the store knows it. Practice worlds are apart from each other, though their objects have equal uids.
fn scoped(run: &Run, key: &TargetKey) -> TargetKey {
    match run.world() {
        Some(world) => TargetKey(format!("{world}/{key}")),
        None => key.clone(),
    }
}

fn rates(run: &Run) -> Vec<RateReservation> {
    rate_subjects(run.plan().body(), run.world())
        .into_iter()
        .map(|(subject, rate)| RateReservation { subject, count: rate.count, window: rate.window })
        .collect()
}

/// The batch that takes a run from `before` (none for a new one) to `after` by `events`.
fn batch(
    before: Option<&Run>,
    after: &Run,
    events: &[Event],
    consumed: Option<(InboxId, CanonicalJson)>,
    now: Timestamp,
) -> Result<Batch, RecordError> {
    let canonical = |source| RecordError::Canonical { source };
    let written = events
        .iter()
        .map(|e| write_event(e).map_err(|source| RecordError::Event { source }))
        .collect::<Result<Vec<_>, _>>()?;
    let intents: Vec<IntentRow> = events
        .iter()
        .filter_map(|e| match e {
            Event::Intended { at, call, fence } => {
                Some(IntentRow { at: at.clone(), call: *call, fence: *fence })
            }
            _ => None,
        })
        .collect();
    let first_intent = intents.iter().any(|i| i.at.leg == Leg::Forward)
        && before.is_some_and(|run| !run.has_acted());
    let held = before.map(Run::leases).unwrap_or_default();
    let holds = after.leases();
    // Derived once: a list of effects is large.
    let pending = after.pending(after.fence());
    Ok(Batch {
        consumed,
        events: written,
        intents,
        leases_taken: holds.difference(&held).map(|key| scoped(after, key)).collect(),
        leases_released: held.difference(&holds).map(|key| scoped(after, key)).collect(),
        rates: if first_intent { rates(after) } else { Vec::new() },
        blobs: Vec::new(),
        due: pending.iter().filter_map(|effect| effect.what.due()).min(),
        pending: Some(after.pending_digest().map_err(canonical)?),
        row: Some(row(after, &pending, now).map_err(canonical)?),
    })
}

/// Makes events durable, and with them everything that they mean for the rest of the store.
pub(crate) async fn record(
    journal: &Arc<dyn Journal>,
    before: Option<&Run>,
    after: &Run,
    events: &[Event],
    consumed: Option<(InboxId, CanonicalJson)>,
    now: Timestamp,
) -> Result<Vec<Recorded>, RecordError> {
    let batch = batch(before, after, events, consumed, now)?;
    let expected = before.map_or(Seq(0), Run::seq);
    journal
        .append(StreamId::Run(after.id().clone()), expected, now, batch)
        .await
        .map_err(|source| RecordError::Append { source })
}
