//! The planning pipeline: bind → read → check → preview → measure the radius → limits → gates → seal.
//!
//! One direction. Everything that a plan needs is known when it is sealed; planning the same thing again gives the
//! same digest, since nothing that moves by itself enters the body outside a bounded predicate.

mod bind;
mod error;
mod limits;
mod lower;
mod steps;
mod undo;

use std::collections::BTreeMap;
use std::sync::Arc;

use steadyhand_engine::port::{Journal, ToolHost};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::ids::{ParamName, RunId};
use steadyhand_model::plan::{
    AlertRef, Bound, EnvironmentRef, LibraryRef, PLAN_FORMAT, Plan, PlanBody, RunbookRef, StepKind,
};
use steadyhand_model::reading::{Check, Facts, Given, ReadCall, Slot, Verdict};
use steadyhand_model::time::{Span, Timestamp};
use steadyhand_model::types::Type;
use steadyhand_model::value::Value;
use steadyhand_runbook::document::environment::CheckedEnvironment;
use steadyhand_runbook::document::runbook::CheckedRunbook;
use steadyhand_runbook::matcher::labels_value;

use crate::checks::{Known, Reader};
use crate::clock::Clock;
use crate::policy;

pub use error::PlanningError;
pub use undo::undo;

/// Added to the sum of all steps' limits: what people and queues may take.
const RUN_SLACK: Span = Span::from_mins(60);
/// How long the end of an alert is waited for after the last write.
const ALERT_WITHIN: Span = Span::from_mins(20);

/// An alert that a plan answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertFacts {
    /// The source's fingerprint of the label set.
    pub key: String,
    pub labels: BTreeMap<String, String>,
}

/// What is to be planned.
#[derive(Debug)]
pub struct Ask<'a> {
    pub runbook: &'a CheckedRunbook,
    pub environment: &'a CheckedEnvironment,
    pub library: &'a LibraryRef,
    pub alert: Option<&'a AlertFacts>,
    /// `-p` values as they were typed.
    pub params: &'a BTreeMap<ParamName, String>,
    /// The run in whose practice world the plan will act.
    pub world: Option<&'a RunId>,
}

/// What planning may use.
#[derive(Debug, Clone)]
pub struct Tools {
    pub host: Arc<dyn ToolHost>,
    pub clock: Arc<dyn Clock>,
    pub catalogue: Arc<Catalogue>,
    pub journal: Arc<dyn Journal>,
}

/// A sealed plan and the dated facts that a card shows beside it.
#[derive(Debug, Clone)]
pub struct Planned {
    pub plan: Arc<Plan>,
    pub at: Timestamp,
    pub facts: Facts,
}

/// Values bound so far, with what expressions need to see.
pub(crate) struct Desk<'a> {
    pub(crate) ask: &'a Ask<'a>,
    pub(crate) reader: Reader,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) params: BTreeMap<ParamName, bind::Param>,
}

impl Desk<'_> {
    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.reader.catalogue
    }

    pub(crate) fn labels(&self) -> Option<Value> {
        self.ask.alert.map(|a| labels_value(&a.labels))
    }
}

/// Makes a plan. Reads and dry runs only; nothing outside is changed.
///
/// # Errors
/// What stands in the way, in words, with a code.
pub async fn plan(ask: &Ask<'_>, tools: &Tools) -> Result<Planned, PlanningError> {
    let reader = Reader {
        host: Arc::clone(&tools.host),
        clock: Arc::clone(&tools.clock),
        catalogue: Arc::clone(&tools.catalogue),
    };
    let journal = Arc::clone(&tools.journal);
    let mut desk = Desk { ask, reader, journal, params: BTreeMap::new() };
    bind::all(&mut desk).await?;
    let require = conditions(&desk).await?;
    let steps::Planned { steps, left_out, ask_again, radius } = steps::all(&desk).await?;
    let now = desk.reader.clock.now();
    let limits = limits::in_force(ask);
    let mut body = PlanBody {
        format: PLAN_FORMAT,
        environment: EnvironmentRef {
            name: ask.environment.name.clone(),
            title: ask.environment.title.clone(),
            class: ask.environment.class,
            digest: ask.environment.origin.digest,
        },
        library: ask.library.clone(),
        runbook: RunbookRef {
            name: ask.runbook.name.clone(),
            title: ask.runbook.title.clone(),
            owner: ask.runbook.owner.clone(),
            path: ask.runbook.origin.source.file().to_owned(),
            digest: ask.runbook.origin.digest,
        },
        alert: ask.alert.map(|a| AlertRef {
            key: a.key.clone(),
            name: a
                .labels
                .get(steadyhand_runbook::matcher::ALERT_NAME)
                .cloned()
                .unwrap_or_else(String::new),
            labels: a.labels.clone(),
        }),
        bindings: bindings(&desk)?,
        require,
        run_within: run_within(&steps),
        done: ask
            .alert
            .map(|a| {
                alert_check(
                    a,
                    "alert resolved",
                    r#"alert.now.state == "resolved" || alert.now.state == "absent""#,
                    ALERT_WITHIN,
                )
            })
            .transpose()?,
        steps,
        left_out,
        radius,
        limits,
        gates: vec![],
        valid_for: ask.runbook.expires,
    };
    limits::check(&desk, &body, now).await?;
    body.gates = policy::gates(&body, &ask_again)
        .map_err(|source| PlanningError::Policy { source: Box::new(source) })?;
    let plan = Plan::seal(body).map_err(|source| PlanningError::Seal { source })?;
    Ok(Planned { plan: Arc::new(plan), at: now, facts: facts(&desk) })
}

fn bindings(desk: &Desk<'_>) -> Result<BTreeMap<ParamName, Bound>, PlanningError> {
    desk.params
        .iter()
        .map(|(name, param)| Ok((name.clone(), param.bound(desk.catalogue())?)))
        .collect()
}

fn facts(desk: &Desk<'_>) -> Facts {
    desk.params
        .iter()
        .filter_map(|(name, param)| Some((format!("params.{name}"), param.raw.clone()?)))
        .collect()
}

/// The runbook's own conditions, checked now; they are checked again before the first write.
async fn conditions(desk: &Desk<'_>) -> Result<Vec<Check>, PlanningError> {
    let mut all = Vec::new();
    if let Some(alert) = desk.ask.alert {
        let check = alert_check(
            alert,
            "alert still firing",
            r#"alert.now.state == "firing" || alert.now.state == "suppressed""#,
            Span::ZERO,
        )?;
        holds(desk, &check).await?;
        all.push(check);
    }
    for condition in &desk.ask.runbook.require {
        let otherwise = lower::template(desk, &condition.otherwise)?;
        let mut check =
            lower::check(desk, &condition.that, lower::When::Fresh, &condition.that.text).await?;
        check.otherwise = Some(otherwise);
        holds(desk, &check).await?;
        all.push(check);
    }
    Ok(all)
}

pub(crate) async fn holds(desk: &Desk<'_>, check: &Check) -> Result<(), PlanningError> {
    match desk.reader.look(check, &Known::default()).await {
        Verdict::Holds { .. } => Ok(()),
        Verdict::Fails { operands, .. } => Err(PlanningError::Require {
            title: check
                .otherwise
                .clone()
                .unwrap_or_else(|| format!("{} does not hold", check.title)),
            expr: check.expr.clone(),
            operands,
        }),
        Verdict::CannotTell { why, .. } => {
            Err(PlanningError::CannotTell { title: check.title.clone(), why })
        }
    }
}

/// A condition on the alert's own state. It is built in: no runbook writes it.
fn alert_check(
    alert: &AlertFacts,
    title: &str,
    expr: &str,
    within: Span,
) -> Result<Check, PlanningError> {
    let json = serde_json::json!({ "fingerprint": alert.key });
    let args = CanonicalJson::of(&json).map_err(|source| PlanningError::Canonical { source })?;
    let name = |source| PlanningError::Name { source };
    let read = ReadCall {
        server: "alerts".parse().map_err(name)?,
        read: "alert".parse().map_err(name)?,
        args,
    };
    let catalogue = Catalogue::built_in();
    let ty =
        catalogue.read(&read.server, &read.read).map_or(Type::Unknown, |spec| spec.result.clone());
    Ok(Check {
        title: title.to_owned(),
        expr: expr.to_owned(),
        reads: vec![Slot { into: "alert.now".to_owned(), read, ty }],
        given: Vec::<Given>::new(),
        outputs: vec![],
        otherwise: None,
        hold_for: Span::ZERO,
        within,
        informs: !within.is_zero(),
    })
}

/// The sum of all limits of all steps, and an hour.
fn run_within(steps: &[steadyhand_model::plan::Step]) -> Span {
    let sum = steps.iter().fold(Span::ZERO, |sum, step| {
        let own = match &step.kind {
            StepKind::Write(write) => {
                let verify =
                    write.verify.as_ref().map_or(Span::ZERO, |v| v.within.plus(v.hold_for));
                step.timeout.plus(verify)
            }
            StepKind::Ask(ask) => ask.within,
            StepKind::Wait(wait) => wait.at_most,
            StepKind::Notify(_) => Span::ZERO,
        };
        sum.plus(own)
    });
    sum.plus(RUN_SLACK)
}
