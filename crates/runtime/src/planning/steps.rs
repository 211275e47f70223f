//! Steps: a runbook's steps with complete calls, previews, checks and undo.

use std::collections::BTreeMap;

use steadyhand_engine::port::PreviewError;
use steadyhand_model::catalogue::{ActionSpec, UndoSupport};
use steadyhand_model::exchange::StepPreview;
use steadyhand_model::ids::{ActionId, FieldName, StepId, TeamId};
use steadyhand_model::plan::{
    Affected, AskStep, BlastRadius, DataLoss, Inverse, LeftOut, NotifyStep, Step, StepKind, Undo,
    WaitStep, WriteStep,
};
use steadyhand_model::reading::{Call, Check};
use steadyhand_model::time::Span;
use steadyhand_model::value::Value;
use steadyhand_runbook::document::runbook as checked;
use steadyhand_runbook::document::runbook::Binding;

use super::error::PlanningError;
use super::{Desk, bind, holds, lower};

/// Attempts in all where a runbook says nothing; only refusals that pass by themselves lead to another.
const ATTEMPTS: u32 = 3;
/// First pause between attempts; it doubles.
const BACKOFF: Span = Span::from_secs(2);
/// Bounds a step of people or time beyond its own limit.
const SLACK: Span = Span::from_mins(5);

/// What the steps of a runbook come to.
pub(crate) struct Planned {
    pub(crate) steps: Vec<Step>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) ask_again: Vec<StepId>,
    pub(crate) radius: BlastRadius,
}

pub(crate) async fn all(desk: &Desk<'_>) -> Result<Planned, PlanningError> {
    let mut planned = Planned {
        steps: Vec::new(),
        left_out: Vec::new(),
        ask_again: Vec::new(),
        radius: nothing(),
    };
    for step in &desk.ask.runbook.steps {
        let (when, precondition) = match branch(desk, step).await? {
            Branch::NotTaken(why) => {
                planned.left_out.push(LeftOut { step: step.id.clone(), why });
                continue;
            }
            Branch::Taken(precondition) => (None, precondition),
            Branch::Later(check) => (Some(*check), None),
        };
        let batch = u32::try_from(planned.steps.len()).unwrap_or(u32::MAX);
        let (kind, title, timeout) = match &step.kind {
            checked::StepKind::Action(action) => {
                let Some(write) =
                    action_step(desk, step, action, precondition, &mut planned).await?
                else {
                    continue;
                };
                let title = title_of(&write.0, &write.1);
                let timeout = step.timeout.unwrap_or(write.1.timeout_max);
                (StepKind::Write(Box::new(write.0)), title, timeout)
            }
            checked::StepKind::Ask(ask) => {
                let question = lower::template(desk, &ask.question)?;
                let who = audience(desk, &ask.who);
                let kind = AskStep {
                    question: question.clone(),
                    who,
                    answers: ask.answers.clone(),
                    within: ask.within,
                };
                (StepKind::Ask(kind), question, ask.within.plus(SLACK))
            }
            checked::StepKind::Wait(wait) => {
                let wait = wait_step(desk, &step.id, wait).await?;
                let timeout = wait.at_most.plus(SLACK);
                let title = match &wait.until {
                    Some(until) => format!("wait until {}", until.title),
                    None => format!("wait {}", wait.at_most),
                };
                (StepKind::Wait(wait), title, timeout)
            }
            checked::StepKind::Notify(notify) => {
                let to = audience(desk, &notify.to).to_string();
                let say = lower::template(desk, &notify.say)?;
                (StepKind::Notify(NotifyStep { to: to.clone(), say }), format!("tell {to}"), SLACK)
            }
        };
        planned.steps.push(Step {
            id: step.id.clone(),
            batch,
            group: None,
            title,
            when,
            timeout,
            on_failure: step.on_failure,
            kind,
        });
    }
    Ok(planned)
}

enum Branch {
    NotTaken(String),
    /// Decided now; its truth is a precondition.
    Taken(Option<Check>),
    Later(Box<Check>),
}

async fn branch(desk: &Desk<'_>, step: &checked::Step) -> Result<Branch, PlanningError> {
    let Some(when) = &step.when else {
        return Ok(Branch::Taken(None));
    };
    if !lower::is_known_now(when) {
        let check = lower::check(desk, when, lower::When::After, &when.text).await?;
        return Ok(Branch::Later(Box::new(check)));
    }
    match lower::evaluate(desk, when).await? {
        Value::Boolean(true) => {
            Ok(Branch::Taken(Some(lower::check(desk, when, lower::When::Fresh, &when.text).await?)))
        }
        Value::Boolean(false) => {
            Ok(Branch::NotTaken(format!("not needed: {} is false", when.text)))
        }
        Value::CannotTell(why) => Err(PlanningError::CannotTell { title: when.text.clone(), why }),
        _ => Err(PlanningError::CannotTell {
            title: when.text.clone(),
            why: "it is neither true nor false".into(),
        }),
    }
}

fn audience(desk: &Desk<'_>, who: &checked::Audience) -> TeamId {
    match who {
        checked::Audience::Team(team) | checked::Audience::OnCall(Some(team)) => team.clone(),
        checked::Audience::Owner | checked::Audience::OnCall(None) => {
            desk.ask.runbook.owner.clone()
        }
    }
}

async fn wait_step(
    desk: &Desk<'_>,
    id: &StepId,
    wait: &checked::WaitStep,
) -> Result<WaitStep, PlanningError> {
    match wait {
        checked::WaitStep::Until { that, at_most } => {
            let mut check = lower::check(desk, that, lower::When::After, &that.text).await?;
            check.within = *at_most;
            Ok(WaitStep { until: Some(check), at_most: *at_most })
        }
        checked::WaitStep::For(binding) => match value(desk, id, binding).await? {
            Value::Duration(at_most) => Ok(WaitStep { until: None, at_most }),
            other => Err(PlanningError::Refused {
                step: id.clone(),
                why: format!(
                    "{} is not a duration",
                    steadyhand_runbook::expr::explain::shown(&other)
                ),
            }),
        },
    }
}

async fn value(desk: &Desk<'_>, id: &StepId, binding: &Binding) -> Result<Value, PlanningError> {
    match binding {
        Binding::Literal(value) => Ok(value.clone()),
        Binding::Computed(expr) if !lower::is_known_now(expr) => {
            Err(PlanningError::Late { step: id.clone() })
        }
        Binding::Computed(expr) => match lower::evaluate(desk, expr).await? {
            Value::CannotTell(why) => {
                Err(PlanningError::CannotTell { title: expr.text.clone(), why })
            }
            value => Ok(value),
        },
    }
}

async fn call(
    desk: &Desk<'_>,
    id: &StepId,
    action: &ActionId,
    with: &BTreeMap<FieldName, Binding>,
) -> Result<(Call, ActionSpec), PlanningError> {
    let spec = desk.catalogue().action(action).cloned().ok_or_else(|| PlanningError::Refused {
        step: id.clone(),
        why: format!("no tool server offers {action}"),
    })?;
    let mut args = BTreeMap::new();
    for field in &spec.args {
        if let Some(binding) = with.get(&field.name) {
            let value = value(desk, id, binding).await?;
            args.insert(
                field.name.to_string(),
                bind::argument(&value, &field.ty, desk.catalogue()),
            );
        }
    }
    Ok((Call { action: action.clone(), args: bind::canonical(&Value::Object(args))? }, spec))
}

async fn preview(desk: &Desk<'_>, id: &StepId, call: Call) -> Result<StepPreview, PlanningError> {
    let refused = |why: String| PlanningError::Refused { step: id.clone(), why };
    let preview = desk.reader.host.preview(call, desk.reader.clock.now()).await.map_err(
        |error| match error {
            PreviewError::Refused { why, .. } => refused(why),
            PreviewError::Unreachable { .. } | PreviewError::BadReply { .. } => {
                refused(error.to_string())
            }
        },
    )?;
    if preview.missing_permissions.is_empty() {
        Ok(preview)
    } else {
        Err(PlanningError::Forbidden { step: id.clone(), missing: preview.missing_permissions })
    }
}

/// A write step with what its action says of it; none where there is nothing to do.
async fn action_step(
    desk: &Desk<'_>,
    step: &checked::Step,
    action: &checked::ActionStep,
    precondition: Option<Check>,
    planned: &mut Planned,
) -> Result<Option<(WriteStep, ActionSpec)>, PlanningError> {
    let (given, spec) = call(desk, &step.id, &action.action, &action.with).await?;
    let preview = preview(desk, &step.id, given).await?;
    if let Some(why) = preview.nothing_to_do {
        planned
            .left_out
            .push(LeftOut { step: step.id.clone(), why: format!("nothing to do: {why}") });
        return Ok(None);
    }
    let mut before = preview.before;
    before.extend(precondition);
    if let Some(check) = within_limit(desk, &preview.radius) {
        holds(desk, &check).await?;
        before.push(check);
    }
    let (verify, measure) = verification(desk, step, action, preview.verify).await?;
    let undo = undo(desk, &step.id, action, preview.undo, &spec).await?;
    if action.ask_again {
        planned.ask_again.push(step.id.clone());
    }
    merge(&mut planned.radius, preview.radius);
    let retry = action.retry;
    let write = WriteStep {
        effect: action.effect,
        call: preview.call,
        targets: preview.targets,
        preview: preview.preview,
        before,
        measure,
        verify,
        undo,
        idempotency: spec.idempotency,
        call_max: spec.call_max,
        quiescence: spec.quiescence,
        attempts: retry.map_or(ATTEMPTS, |r| r.attempts),
        backoff: retry.map_or(BACKOFF, |r| r.backoff),
        command: preview.command,
    };
    Ok(Some((write, spec)))
}

fn title_of(write: &WriteStep, spec: &ActionSpec) -> String {
    let names: Vec<String> =
        write.targets.iter().map(|t| format!("{} {}", t.kind, t.name)).collect();
    format!("{}: {}", spec.title, names.join(", "))
}

/// The limit on what is touched, as a predicate over the live count: a larger target later is drift, not a surprise.
fn within_limit(desk: &Desk<'_>, radius: &BlastRadius) -> Option<Check> {
    let max = super::limits::in_force(desk.ask).affected?;
    let (name, param) = desk.params.iter().find(|(_, param)| {
        let uid = match param.value.at(&["uid"]) {
            Some(Value::Text(uid)) => uid,
            _ => return false,
        };
        matches!(param.value.at(&["replicas"]), Some(Value::Integer(_)))
            && radius.targets.iter().any(|t| t.uid.as_str() == uid)
    })?;
    let path = format!("params.{name}");
    Some(Check {
        title: format!("at most {max} pods"),
        expr: format!("{path}.replicas <= {max}"),
        reads: vec![steadyhand_model::reading::Slot {
            into: path,
            read: param.read.clone()?,
            ty: param.kind.ty(),
        }],
        given: vec![],
        outputs: vec![],
        otherwise: None,
        hold_for: Span::ZERO,
        within: Span::ZERO,
        informs: false,
    })
}

/// The action's own verification and the runbook's, as one check.
async fn verification(
    desk: &Desk<'_>,
    step: &checked::Step,
    action: &checked::ActionStep,
    own: Option<Check>,
) -> Result<(Option<Check>, Vec<steadyhand_model::reading::Slot>), PlanningError> {
    let mut measure = Vec::new();
    let runbook = match &action.verify.runbook {
        Some(expr) => {
            measure = lower::measures(desk, expr);
            Some(lower::check(desk, expr, lower::When::After, &expr.text).await?)
        }
        None => None,
    };
    let own = own.filter(|_| action.verify.action.is_some());
    let merged = match (own, runbook) {
        (Some(own), Some(runbook)) => Some(both(&step.id, own, runbook)?),
        (own, runbook) => own.or(runbook),
    };
    let check = merged.map(|check| Check {
        within: action.verify.within,
        hold_for: action.verify.hold_for,
        ..check
    });
    Ok((check, measure))
}

fn both(step: &StepId, own: Check, runbook: Check) -> Result<Check, PlanningError> {
    let mut check = Check {
        title: format!("{}; {}", own.title, runbook.title),
        expr: format!("({}) && ({})", own.expr, runbook.expr),
        ..own
    };
    for slot in runbook.reads {
        if check.reads.iter().any(|known| known.into == slot.into && *known != slot) {
            return Err(PlanningError::SamePath { step: step.clone(), path: slot.into });
        }
        if !check.reads.contains(&slot) {
            check.reads.push(slot);
        }
    }
    check.given.extend(runbook.given);
    check.outputs.extend(runbook.outputs);
    Ok(check)
}

async fn undo(
    desk: &Desk<'_>,
    id: &StepId,
    action: &checked::ActionStep,
    inverse: Option<Inverse>,
    spec: &ActionSpec,
) -> Result<Undo, PlanningError> {
    Ok(match &action.undo {
        checked::StepUndo::Irreversible { reason } => Undo::Irreversible { reason: reason.clone() },
        checked::StepUndo::NothingToUndo { why } => Undo::NothingToUndo { why: why.clone() },
        checked::StepUndo::Action { action, with } => {
            let (given, spec) = call(desk, id, action, with).await?;
            let preview = preview(desk, id, given).await?;
            let shown = spec.title.clone();
            Undo::Inverse(Box::new(Inverse { call: preview.call, verify: preview.verify, shown }))
        }
        checked::StepUndo::Inverse => match (inverse, &spec.undo) {
            (Some(inverse), _) => Undo::Inverse(Box::new(inverse)),
            (None, UndoSupport::NothingToUndo { why }) => Undo::NothingToUndo { why: why.clone() },
            (None, UndoSupport::Inverse | UndoSupport::None) => {
                return Err(PlanningError::Refused {
                    step: id.clone(),
                    why: "its undo cannot be told now, and the runbook does not say that it is irreversible".into(),
                });
            }
        },
    })
}

pub(crate) fn nothing() -> BlastRadius {
    BlastRadius {
        targets: vec![],
        affected: vec![],
        unavailable: 0,
        population: 0,
        zones: vec![],
        data_loss: DataLoss::None,
        dependents: vec![],
        owners: vec![],
        unknowns: vec![],
    }
}

/// Steps run one after the other: what is lost at once is the worst of them, what is touched is all of them.
pub(crate) fn merge(all: &mut BlastRadius, more: BlastRadius) {
    for target in more.targets {
        if !all.targets.iter().any(|t| t.uid == target.uid) {
            all.targets.push(target);
        }
    }
    for item in more.affected {
        add(&mut all.affected, item);
    }
    // Compare shares, not counts: 1 of 1 is worse than 1 of 20.
    let worse = more.unavailable.saturating_mul(all.population.max(1))
        > all.unavailable.saturating_mul(more.population.max(1));
    if worse || all.population == 0 {
        all.unavailable = more.unavailable;
        all.population = more.population;
    }
    all.data_loss = all.data_loss.max(more.data_loss);
    extend(&mut all.zones, more.zones);
    extend(&mut all.dependents, more.dependents);
    extend(&mut all.owners, more.owners);
    extend(&mut all.unknowns, more.unknowns);
    all.targets.sort();
}

fn add(all: &mut Vec<Affected>, item: Affected) {
    match all.iter_mut().find(|known| known.what == item.what && known.how == item.how) {
        Some(known) => known.count = known.count.saturating_add(item.count),
        None => all.push(item),
    }
}

fn extend(all: &mut Vec<String>, more: Vec<String>) {
    for text in more {
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all.sort();
}
