//! Performs one effect and gives the input that answers it.

use std::sync::Arc;

use steadyhand_engine::effect::{Effect, EffectId, What};
use steadyhand_engine::input::Input;
use steadyhand_engine::port::{Authorized, Blob};
use steadyhand_engine::run::Run;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::Purpose;
use steadyhand_model::ids::{RunId, StepId};
use steadyhand_model::outcome::{Delivery, Outcome, Refusal, RefusalKind};
use steadyhand_model::plan::{Plan, StepKind};
use steadyhand_model::reading::{Call, Check, Facts, Operand, Verdict};
use steadyhand_model::types::Type;
use steadyhand_model::value::Value;

use crate::checks::{Known, Reader};
use crate::clock::Busy;
use crate::keeper::{Change, Shared};
use crate::place::Place;
use crate::policy;

/// What the performance of an effect may use.
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    pub(crate) place: Arc<Place>,
    pub(crate) known: Outputs,
    pub(crate) run: RunId,
    pub(crate) plan: Arc<Plan>,
}

/// Outputs of earlier steps that an effect's checks name, taken from the run before the effect starts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outputs {
    values: Vec<(String, Type, Option<CanonicalJson>)>,
}

impl Context {
    fn reader(&self) -> Reader {
        Reader {
            host: Arc::clone(&self.place.host),
            clock: Arc::clone(&self.place.clock),
            catalogue: Arc::clone(&self.shared.catalogue),
        }
    }

    fn note(&self, step: &StepId, text: String) {
        self.shared.changed(Change::Note { run: self.run.clone(), step: Some(step.clone()), text });
    }
}

/// Collects the outputs of earlier steps that the checks of an effect name.
pub(crate) fn known(run: &Run, what: &What) -> Outputs {
    let What::Check { checks, .. } = what else {
        return Outputs::default();
    };
    let mut values = Vec::new();
    for output in checks.iter().flat_map(|c| &c.outputs) {
        let path = format!("steps.{}.{}", output.step, output.field);
        let json = run.steps().find(|(s, _)| s.id == output.step).and_then(|(step, state)| {
            match &step.kind {
                StepKind::Ask(_) => {
                    state.answer.as_ref().and_then(|a| CanonicalJson::of(&a.0).ok())
                }
                StepKind::Write(_) => {
                    let result = state.receipt.as_ref()?.result.to_json();
                    let field = result.get(output.field.as_str())?;
                    CanonicalJson::of(field).ok()
                }
                StepKind::Wait(_) | StepKind::Notify(_) => None,
            }
        });
        values.push((path, output.ty.clone(), json));
    }
    Outputs { values }
}

/// The input that answers the effect; none where there is no answer that the run could use.
pub(crate) async fn perform(context: Context, effect: Effect, busy: Busy) -> (Option<Input>, Busy) {
    let id = effect.id;
    match effect.what {
        What::Check { at, purpose, checks, observed, .. } => {
            check(&context, id, &at.step, purpose, &checks, observed, busy).await
        }
        What::Observe { reads, .. } => (observe(&context, id, &reads).await, busy),
        What::AskPolicy { at, .. } => {
            let answer = policy::at_intent(&context.plan, &at);
            (Some(Input::Policy(id, answer)), busy)
        }
        What::Call(call) => call_out(&context, id, *call, busy).await,
        What::Probe { call, envelope, not_before, .. } => {
            let busy = context.place.clock.sleep_until(busy, not_before).await;
            let verdict = context.place.host.probe(call, envelope, context.place.clock.now()).await;
            (Some(Input::Probed(id, verdict)), busy)
        }
        What::Notify { step, to, say } => {
            // The screen, the journal and the summary are the channel until a server brings others.
            context.note(&step, format!("tells {to}: {say}"));
            (Some(Input::Notified(id, Delivery::Delivered)), busy)
        }
        What::Await { .. }
        | What::TakeLeases { .. }
        | What::Ask { .. }
        | What::Wait { .. }
        | What::Settle { .. }
        | What::Deadline { .. } => (None, busy),
    }
}

/// Performs checks in order; the first that does not hold decides.
async fn check(
    context: &Context,
    id: EffectId,
    step: &StepId,
    purpose: Purpose,
    checks: &[Check],
    observed: Option<Digest>,
    mut busy: Busy,
) -> (Option<Input>, Busy) {
    let reader = context.reader();
    let mut known = Known::default();
    for (path, ty, json) in &context.known.values {
        let value = match json {
            Some(json) => reader.typed(json, ty),
            None => Value::CannotTell("the step gave no such result".into()),
        };
        known.values.push((path.clone(), value));
    }
    if let Some(digest) = observed {
        known.values.extend(measured(context, &reader, step, digest).await);
    }
    let mut operands = Vec::new();
    for check in checks {
        let told = |verdict: &Verdict| context.note(step, progress(purpose, verdict));
        let (verdict, guard) = reader.perform(check, &known, busy, &told).await;
        busy = guard;
        match verdict {
            // A precondition is told by its words; what a verification saw is told by its values.
            Verdict::Holds { .. } if matches!(purpose, Purpose::Require | Purpose::Before) => {
                operands.push(Operand { text: check.title.clone(), value: "holds".to_owned() });
            }
            Verdict::Holds { operands: more } => operands.extend(more),
            other => return (Some(Input::Checked(id, other)), busy),
        }
    }
    operands.truncate(steadyhand_runbook::expr::explain::OPERANDS_MAX);
    (Some(Input::Checked(id, Verdict::Holds { operands })), busy)
}

/// What was measured before the step, as `before.x`.
async fn measured(
    context: &Context,
    reader: &Reader,
    step: &StepId,
    digest: Digest,
) -> Vec<(String, Value)> {
    let slots = context.plan.step(step).map(|s| match &s.kind {
        StepKind::Write(write) => write.measure.clone(),
        StepKind::Ask(_) | StepKind::Wait(_) | StepKind::Notify(_) => Vec::new(),
    });
    let bytes = context.shared.journal.blob(digest).await;
    let facts: Option<Facts> = bytes.ok().and_then(|b| serde_json::from_slice(&b).ok());
    let mut values = Vec::new();
    for slot in slots.into_iter().flatten() {
        let value = match facts.as_ref().and_then(|f| f.get(&slot.into)) {
            Some(json) => reader.typed(json, &slot.ty),
            None => Value::CannotTell("it was not measured before".into()),
        };
        values.push((format!("before.{}", slot.into), value));
    }
    values
}

fn progress(purpose: Purpose, verdict: &Verdict) -> String {
    let operands = match verdict {
        Verdict::Holds { operands } | Verdict::Fails { operands, .. } => operands,
        Verdict::CannotTell { why, .. } => return format!("cannot tell yet: {why}"),
    };
    let facts: Vec<String> = operands.iter().map(|o| format!("{} = {}", o.text, o.value)).collect();
    let state = if verdict.holds() { "holds" } else { "not yet" };
    match purpose {
        Purpose::Verify | Purpose::Done => format!("{state}: {}", facts.join(", ")),
        Purpose::When | Purpose::Require | Purpose::Before => facts.join(", "),
    }
}

async fn observe(
    context: &Context,
    id: EffectId,
    reads: &[steadyhand_model::reading::Slot],
) -> Option<Input> {
    let facts = context.reader().facts(reads).await;
    let json = match CanonicalJson::of(&facts) {
        Ok(json) => json,
        Err(error) => {
            tracing::error!(run = %context.run, error = %error, "facts cannot be written");
            return None;
        }
    };
    let digest = json.digest();
    let blob = Blob { digest, bytes: Arc::from(json.as_str().as_bytes()) };
    match context.shared.journal.put_blob(blob).await {
        Ok(()) => Some(Input::Observed(id, digest)),
        Err(error) => {
            tracing::error!(run = %context.run, error = %error, "facts cannot be kept");
            None
        }
    }
}

/// Sends a call, once. The fence is compared just before the wire: behind it, nothing was sent.
async fn call_out(
    context: &Context,
    id: EffectId,
    call: Authorized<Call>,
    busy: Busy,
) -> (Option<Input>, Busy) {
    let envelope = call.envelope().clone();
    if let Err(fenced) = context.shared.journal.dispatch(envelope.run, envelope.fence).await {
        let refusal = Refusal { kind: RefusalKind::NotSent, why: fenced.to_string() };
        return (Some(Input::Returned(id, Outcome::NotDone(refusal))), busy);
    }
    let reply = context.place.host.apply(call, context.place.clock.now()).await;
    if let Some(took) = reply.took {
        context.place.clock.passes(took);
    }
    (Some(Input::Returned(id, reply.outcome)), busy)
}
