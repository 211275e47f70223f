//! Requests that make plans and runs: by hand, from an alert, in a drill, and the undo of a finished run.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use steadyhand_api::reference::PlanRef;
use steadyhand_api::reply::Response;
use steadyhand_api::request::{DrillAsk, Fault, HandleAsk, LibraryAt, PlanAsk, RunOf};
use steadyhand_api::view::{AlertLine, Candidate, Handled};
use steadyhand_engine::run::{Request as RunRequest, Run};
use steadyhand_incident::alertmanager::{self, Notification};
use steadyhand_incident::signal::Signal;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{ClockKind, IncidentEvent, IncidentKind, Proposer};
use steadyhand_model::ids::{EnvironmentName, InboxId, IncidentId, ParamName, RunId, RunbookName};
use steadyhand_model::plan::{EnvironmentClass, Plan};
use steadyhand_model::reading::ReadCall;
use steadyhand_runbook::document::environment::{CheckedEnvironment, Connection, Mode};
use steadyhand_runbook::document::runbook::CheckedRunbook;
use steadyhand_runbook::matcher::{
    EnvironmentMatch, Match, Reason, match_alert, match_environment,
};

use super::incidents::{Open, Opening, Recalled};
use super::{Asked, Service, ServiceError};
use crate::place::{Place, WorldSeed};
use crate::planning::{self, AlertFacts, Ask, Planned, Tools};
use crate::shelf::{self, Shelf};

/// Seed of a drill that names none: the same incident every time.
const DRILL_SEED: u64 = 7;
/// The scenario of the guided drill: one workload crash-loops.
const GUIDED_SCENARIO: &str = "crash-loop";
/// The scenario of other drills: something in it is wrong for each kind of remedy.
const DRILL_SCENARIO: &str = "default";

/// A part of a request's work. Boxed, since the compiler cannot see through so many borrowed layers that it may move
/// between threads.
pub(super) type Served<'a, T> = BoxFuture<'a, Result<T, ServiceError>>;

/// A run that is to be made of a plan.
struct NewRun<'a> {
    run: RunId,
    plan: &'a Arc<Plan>,
    open: Open,
    place: Arc<Place>,
    predecessor: Option<RunId>,
    world: Option<RunId>,
}

/// What is to be planned, with everything that was looked up.
struct Work<'a> {
    shelf: &'a Shelf,
    runbook: &'a CheckedRunbook,
    environment: &'a CheckedEnvironment,
    alert: Option<AlertFacts>,
    params: BTreeMap<ParamName, String>,
    /// The run in whose practice world it will act.
    world: Option<RunId>,
}

impl Service {
    fn shelf<'a>(&'a self, at: &'a LibraryAt) -> Served<'a, Shelf> {
        Box::pin(async move {
            let catalogue = &self.keeper().shared.catalogue;
            Ok(shelf::open(at, self.options.git.as_deref(), catalogue).await?)
        })
    }

    fn make<'a>(&'a self, work: &'a Work<'a>, place: &'a Place) -> Served<'a, Planned> {
        Box::pin(async move {
            let shared = &self.keeper().shared;
            let tools = Tools {
                host: Arc::clone(&place.host),
                clock: Arc::clone(&place.clock),
                catalogue: Arc::clone(&shared.catalogue),
                journal: Arc::clone(&shared.journal),
            };
            let ask = Ask {
                runbook: work.runbook,
                environment: work.environment,
                library: &work.shelf.reference,
                alert: work.alert.as_ref(),
                params: &work.params,
                world: work.world.as_ref(),
            };
            let _busy = place.clock.busy();
            Ok(planning::plan(&ask, &tools).await?)
        })
    }

    /// The lasting place of an environment.
    async fn place(&self, environment: &CheckedEnvironment) -> Result<Arc<Place>, ServiceError> {
        let connection = environment.servers.values().next();
        let Some(Connection::Practice { scenario, seed }) = connection else {
            return Err(ServiceError::NoServers { environment: environment.name.to_string() });
        };
        let seed = WorldSeed {
            scenario: scenario.clone(),
            seed: *seed,
            fault: None,
            victim: std::process::id(),
        };
        Ok(self.keeper().places.lasting_world(environment.name.clone(), seed).await?)
    }

    /// `steady plan`
    pub(crate) fn plan<'a>(&'a self, ask: PlanAsk, asked: Asked) -> Served<'a, Response> {
        Box::pin(async move {
            let (open, planned, environment, _) =
                self.plan_by_hand(&ask, &asked, Some(asked.inbox.clone())).await?;
            let mut view = self.plan_view(planned.plan.digest(), &open.id).await?;
            view.held_back = held_back(&environment, false).map(|error| error.to_string());
            Ok(Response::Plan(Box::new(view)))
        })
    }

    fn plan_by_hand<'a>(
        &'a self,
        ask: &'a PlanAsk,
        asked: &'a Asked,
        answer: Option<InboxId>,
    ) -> Served<'a, (Open, Planned, CheckedEnvironment, Arc<Place>)> {
        Box::pin(async move {
            let shelf = self.shelf(&ask.library).await?;
            let runbook = runbook(&shelf, &ask.runbook)?;
            let environment = environment(&shelf, runbook, ask.environment.as_ref())?;
            let place = self.place(environment).await?;
            let work = Work {
                shelf: &shelf,
                runbook,
                environment,
                alert: None,
                params: ask.params.clone(),
                world: None,
            };
            let planned = self.make(&work, &place).await?;
            let opening = Opening {
                kind: IncidentKind::Request,
                title: format!("{} asked for by hand", runbook.name),
                alert_key: None,
                raw: None,
                by: asked.caller.actor.clone(),
                occurrence: None,
            };
            let mut open = self.open_incident(opening, planned.at).await?;
            let reasons = vec!["named by hand".to_owned()];
            self.proposed(&mut open, &runbook.name, Proposer::Operator, reasons, planned.at)
                .await?;
            self.planned(&mut open, &planned, answer).await?;
            Ok((open, planned, environment.clone(), place))
        })
    }

    /// `steady run`
    pub(crate) fn run<'a>(&'a self, of: RunOf, asked: Asked) -> Served<'a, Response> {
        Box::pin(async move {
            match of {
                RunOf::Fresh(ask) => {
                    let (open, planned, environment, place) =
                        self.plan_by_hand(&ask, &asked, None).await?;
                    if let Some(held) = held_back(&environment, false) {
                        return Err(held);
                    }
                    let run = crate::keeper::new_run()
                        .map_err(|source| ServiceError::Random { source })?;
                    self.begin(
                        NewRun {
                            run,
                            plan: &planned.plan,
                            open,
                            place,
                            predecessor: None,
                            world: None,
                        },
                        asked,
                    )
                    .await
                }
                RunOf::Plan(reference) => {
                    let plan = self.find_plan(&reference).await?;
                    let incident = self.incident_of(plan.digest()).await?;
                    let open = self.reopen(&incident).await?;
                    let run = crate::keeper::new_run()
                        .map_err(|source| ServiceError::Random { source })?;
                    let environment = plan.body().environment.clone();
                    let place = self.keeper().places.open(None, environment).await?;
                    self.begin(
                        NewRun { run, plan: &plan, open, place, predecessor: None, world: None },
                        asked,
                    )
                    .await
                }
            }
        })
    }

    async fn find_plan(&self, reference: &PlanRef) -> Result<Arc<Plan>, ServiceError> {
        let journal = &self.keeper().shared.journal;
        let load = |source| ServiceError::Load { source };
        let found = journal.plans_by_prefix(reference.digits().to_owned()).await.map_err(load)?;
        let text = reference.to_string();
        match found.as_slice() {
            [] => Err(ServiceError::NoPlan { text }),
            [digest] => journal.plan(*digest).await.map_err(load),
            _ => Err(ServiceError::SeveralPlans { text }),
        }
    }

    /// Makes the run of a plan and links it to its incident.
    fn begin<'a>(&'a self, new: NewRun<'a>, asked: Asked) -> Served<'a, Response> {
        Box::pin(async move {
            let NewRun { run, plan, mut open, place, predecessor, world } = new;
            let clock = clock_of(plan);
            let now = place.clock.now();
            let request = RunRequest {
                run: run.clone(),
                requester: asked.caller.actor.clone(),
                incident: Some(open.id.clone()),
                predecessor,
                world,
                clock,
            };
            // The incident knows its run before the run exists: a run that never came to be is seen, a lost one is not.
            self.record(&mut open, IncidentEvent::RunLinked { run: run.clone() }, now).await?;
            let answer = Recalled::Run(run.clone()).written()?;
            self.keeper()
                .create(Arc::clone(plan), request, place, Some((asked.inbox, answer)))
                .await?;
            Ok(Response::Run(Box::new(self.run_view(&run).await?)))
        })
    }

    /// `steady handle`: an alert's notification. Nothing is guessed.
    pub(crate) fn handle<'a>(&'a self, ask: HandleAsk, asked: Asked) -> Served<'a, Response> {
        Box::pin(async move {
            let source = ask.source.parse().map_err(|source| ServiceError::Source { source })?;
            let notification = alertmanager::parse(&source, &ask.body.0)?;
            let firing: Vec<&Signal> =
                notification.signals.iter().filter(|s| s.is_firing()).collect();
            let signal = match (ask.alert.as_ref(), firing.as_slice()) {
                (Some(key), all) => *all
                    .iter()
                    .find(|s| s.alert_key.as_str() == key)
                    .ok_or_else(|| ServiceError::NoAlert { text: key.clone() })?,
                (None, [one]) => one,
                (None, several) => {
                    return handled(Handled::SeveralAlerts {
                        alerts: several.iter().map(|s| alert_line(s)).collect(),
                        truncated: notification.truncated,
                    });
                }
            };
            let occurrence = occurrence_key(signal)?;
            if let Some(before) = self.handled_before(&occurrence).await? {
                return handled(Handled::Before(Box::new(self.run_view(&before).await?)));
            }
            self.handle_signal(&ask, &notification, signal, occurrence, asked).await
        })
    }

    fn handle_signal<'a>(
        &'a self,
        ask: &'a HandleAsk,
        notification: &'a Notification,
        signal: &'a Signal,
        occurrence: InboxId,
        asked: Asked,
    ) -> Served<'a, Response> {
        Box::pin(async move {
            let shelf = self.shelf(&ask.library).await?;
            let environment =
                environment_of_alert(&shelf, ask.environment.as_ref(), &signal.labels)?;
            let place = self.place(environment).await?;
            let now = place.clock.now();
            let opening = |occurrence: Option<InboxId>| Opening {
                kind: IncidentKind::Alert,
                title: signal.name.clone(),
                alert_key: Some(signal.alert_key.to_string()),
                raw: Some(Arc::from(ask.body.0.as_slice())),
                by: asked.caller.actor.clone(),
                occurrence,
            };
            tracing::debug!(truncated = notification.truncated, "handling one alert");
            let (runbook, by, reasons) =
                match choose(&shelf, ask.runbook.as_ref(), environment, &signal.labels)? {
                    Choice::One { runbook, by, reasons } => (runbook, by, reasons),
                    Choice::Several(candidates) => {
                        let open = self.open_incident(opening(None), now).await?;
                        let alert = alert_line(signal);
                        return handled(Handled::SeveralRunbooks {
                            alert,
                            incident: open.id,
                            candidates,
                        });
                    }
                    Choice::None(candidates) => {
                        let open = self.open_incident(opening(None), now).await?;
                        let alert = alert_line(signal);
                        return handled(Handled::NoRunbook {
                            alert,
                            incident: open.id,
                            candidates,
                        });
                    }
                };
            let alert =
                AlertFacts { key: signal.alert_key.to_string(), labels: signal.labels.clone() };
            let work = Work {
                shelf: &shelf,
                runbook,
                environment,
                alert: Some(alert),
                params: ask.params.clone(),
                world: None,
            };
            let planned = self.make(&work, &place).await?;
            let held = held_back(environment, true);
            // A notification that may only yield a plan may come again for a run later.
            let mut open = self
                .open_incident(opening(held.is_none().then_some(occurrence)), planned.at)
                .await?;
            self.proposed(&mut open, &runbook.name, by, reasons, planned.at).await?;
            let answer = held.is_some().then(|| asked.inbox.clone());
            self.planned(&mut open, &planned, answer).await?;
            if let Some(held) = held {
                let mut view = self.plan_view(planned.plan.digest(), &open.id).await?;
                view.held_back = Some(held.to_string());
                return handled(Handled::Plan(Box::new(view)));
            }
            let run = crate::keeper::new_run().map_err(|source| ServiceError::Random { source })?;
            match self
                .begin(
                    NewRun {
                        run,
                        plan: &planned.plan,
                        open,
                        place,
                        predecessor: None,
                        world: None,
                    },
                    asked,
                )
                .await?
            {
                Response::Run(view) => handled(Handled::Run(view)),
                other => Ok(other),
            }
        })
    }

    /// The run that this very firing of an alert led to before.
    async fn handled_before(&self, occurrence: &InboxId) -> Result<Option<RunId>, ServiceError> {
        let journal = &self.keeper().shared.journal;
        let known = journal
            .answered(occurrence.clone())
            .await
            .map_err(|source| ServiceError::Load { source })?;
        match known {
            Some(answer) => {
                let incident: IncidentId =
                    answer.read().map_err(|source| ServiceError::Canonical { source })?;
                self.run_of(&incident).await
            }
            None => Ok(None),
        }
    }

    /// `steady drill`: a practice incident in a world of its own.
    pub(crate) fn drill<'a>(&'a self, ask: DrillAsk, asked: Asked) -> Served<'a, Response> {
        Box::pin(async move {
            let shelf = self.shelf(&ask.library).await?;
            let practice = |e: &&CheckedEnvironment| e.class == EnvironmentClass::Practice;
            let environment =
                shelf.environments.iter().find(practice).ok_or(ServiceError::NoPractice)?;
            let run = crate::keeper::new_run().map_err(|source| ServiceError::Random { source })?;
            let guided = ask.runbook.is_none() && ask.fault.is_none();
            let seed = WorldSeed {
                scenario: if ask.runbook.is_none() { GUIDED_SCENARIO } else { DRILL_SCENARIO }
                    .to_owned(),
                seed: ask.seed.unwrap_or(DRILL_SEED),
                // The guided incident has a lost reply in it: what follows is the difference that this program makes.
                fault: if guided { Some(Fault::LostAfter) } else { ask.fault },
                victim: std::process::id(),
            };
            let place =
                self.keeper().places.new_world(run.clone(), environment.name.clone(), seed).await?;
            let alerts = self.alerts_of(&place).await?;
            let (alert, runbook, by, reasons) =
                drilled(&shelf, ask.runbook.as_ref(), environment, &alerts)?;
            let facts = AlertFacts { key: alert.fingerprint.clone(), labels: alert.labels.clone() };
            let work = Work {
                shelf: &shelf,
                runbook,
                environment,
                alert: Some(facts),
                params: ask.params,
                world: Some(run.clone()),
            };
            let opening = Opening {
                kind: IncidentKind::Alert,
                title: alert.name.clone(),
                alert_key: Some(alert.fingerprint.clone()),
                raw: None,
                by: asked.caller.actor.clone(),
                occurrence: None,
            };
            let mut open = self.open_incident(opening, place.clock.now()).await?;
            self.proposed(&mut open, &runbook.name, by, reasons, place.clock.now()).await?;
            let planned = self.make(&work, &place).await?;
            self.planned(&mut open, &planned, None).await?;
            let world = Some(run.clone());
            self.begin(
                NewRun { run, plan: &planned.plan, open, place, predecessor: None, world },
                asked,
            )
            .await
        })
    }

    async fn alerts_of(&self, place: &Place) -> Result<Vec<ListedAlert>, ServiceError> {
        let name = |source| ServiceError::Name { source };
        let read = ReadCall {
            server: "alerts".parse().map_err(name)?,
            read: "list_alerts".parse().map_err(name)?,
            args: CanonicalJson::empty(),
        };
        let json = place
            .host
            .read(read, place.clock.now())
            .await
            .map_err(|source| ServiceError::Alerts { source })?;
        serde_json::from_str(json.as_str()).map_err(|source| ServiceError::AlertForm { source })
    }

    /// Plans a successor of a finished run from its recorded undo calls, with its own previews and gate.
    pub(crate) fn undo_finished<'a>(&'a self, run: &'a Run, asked: Asked) -> Served<'a, Response> {
        Box::pin(async move {
            let place = self.keeper().place_of(run).await?;
            let shared = &self.keeper().shared;
            let tools = Tools {
                host: Arc::clone(&place.host),
                clock: Arc::clone(&place.clock),
                catalogue: Arc::clone(&shared.catalogue),
                journal: Arc::clone(&shared.journal),
            };
            let planned = {
                let _busy = place.clock.busy();
                planning::undo(run, &tools).await?
            };
            let planned =
                planned.ok_or_else(|| ServiceError::NothingToUndo { run: run.id().to_string() })?;
            let opening = Opening {
                kind: IncidentKind::Request,
                title: format!("undo of {}", run.id()),
                alert_key: None,
                raw: None,
                by: asked.caller.actor.clone(),
                occurrence: None,
            };
            let mut open = self.open_incident(opening, planned.at).await?;
            let reasons = vec![format!("the recorded undo calls of {}", run.id())];
            let runbook = planned.plan.body().runbook.name.clone();
            self.proposed(&mut open, &runbook, Proposer::Operator, reasons, planned.at).await?;
            self.planned(&mut open, &planned, None).await?;
            let successor =
                crate::keeper::new_run().map_err(|source| ServiceError::Random { source })?;
            let (before, world) = (Some(run.id().clone()), run.world().cloned());
            self.begin(
                NewRun {
                    run: successor,
                    plan: &planned.plan,
                    open,
                    place,
                    predecessor: before,
                    world,
                },
                asked,
            )
            .await
        })
    }
}

/// One alert as the server `alerts` lists it.
#[derive(Debug, Clone, Deserialize)]
struct ListedAlert {
    fingerprint: String,
    name: String,
    labels: BTreeMap<String, String>,
}

fn handled(handled: Handled) -> Result<Response, ServiceError> {
    Ok(Response::Handled(Box::new(handled)))
}

fn clock_of(plan: &Plan) -> ClockKind {
    match plan.body().environment.class {
        EnvironmentClass::Practice => ClockKind::Practice { seed: DRILL_SEED },
        EnvironmentClass::Development
        | EnvironmentClass::Staging
        | EnvironmentClass::Production => ClockKind::Real,
    }
}

fn runbook<'a>(shelf: &'a Shelf, name: &RunbookName) -> Result<&'a CheckedRunbook, ServiceError> {
    shelf.runbook(name).ok_or_else(|| ServiceError::NoRunbook {
        text: name.to_string(),
        known: names(shelf.runbooks.iter().map(|r| r.name.as_str())),
    })
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = all.collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// The environment that is meant: the named one, or the only one in which the runbook may be used.
fn environment<'a>(
    shelf: &'a Shelf,
    runbook: &CheckedRunbook,
    named: Option<&EnvironmentName>,
) -> Result<&'a CheckedEnvironment, ServiceError> {
    if let Some(name) = named {
        return shelf.environment(name).ok_or_else(|| ServiceError::NoEnvironment {
            text: name.to_string(),
            known: names(shelf.environments.iter().map(|e| e.name.as_str())),
        });
    }
    let fits = |e: &&CheckedEnvironment| {
        runbook.environments.is_empty()
            || runbook.environments.iter().any(|known| known.value == e.name)
    };
    let fitting: Vec<&CheckedEnvironment> = shelf.environments.iter().filter(fits).collect();
    match fitting.as_slice() {
        [one] => Ok(one),
        several => Err(ServiceError::WhichEnvironment {
            known: names(several.iter().map(|e| e.name.as_str())),
        }),
    }
}

fn environment_of_alert<'a>(
    shelf: &'a Shelf,
    named: Option<&EnvironmentName>,
    labels: &BTreeMap<String, String>,
) -> Result<&'a CheckedEnvironment, ServiceError> {
    let all: Vec<&CheckedEnvironment> = shelf.environments.iter().collect();
    let found = match (named, match_environment(&all, labels)) {
        (Some(name), _) => name.clone(),
        (None, EnvironmentMatch::One(name)) => name,
        (None, EnvironmentMatch::None) => return Err(ServiceError::AlertNowhere),
        (None, EnvironmentMatch::Several(several)) => {
            let known = names(several.iter().map(EnvironmentName::as_str));
            return Err(ServiceError::AlertInSeveral { known });
        }
    };
    shelf.environment(&found).ok_or_else(|| ServiceError::NoEnvironment {
        text: found.to_string(),
        known: names(shelf.environments.iter().map(|e| e.name.as_str())),
    })
}

enum Choice<'a> {
    One { runbook: &'a CheckedRunbook, by: Proposer, reasons: Vec<String> },
    Several(Vec<Candidate>),
    None(Vec<Candidate>),
}

/// The runbook for an alert: the named one, or the only one that is bound to it.
fn choose<'a>(
    shelf: &'a Shelf,
    named: Option<&RunbookName>,
    environment: &CheckedEnvironment,
    labels: &BTreeMap<String, String>,
) -> Result<Choice<'a>, ServiceError> {
    if let Some(name) = named {
        let runbook = runbook(shelf, name)?;
        let reasons = vec!["named by hand".to_owned()];
        return Ok(Choice::One { runbook, by: Proposer::Operator, reasons });
    }
    let all: Vec<&CheckedRunbook> = shelf.runbooks.iter().collect();
    Ok(match match_alert(&all, &environment.name, labels) {
        Match::One(candidate) => Choice::One {
            runbook: runbook(shelf, &candidate.runbook)?,
            by: Proposer::Binding,
            reasons: vec!["the only runbook bound to this alert".to_owned()],
        },
        Match::Several(bound) => Choice::Several(candidates(shelf, &bound)),
        Match::None(bound) => Choice::None(candidates(shelf, &bound)),
    })
}

fn candidates(shelf: &Shelf, bound: &[steadyhand_runbook::matcher::Candidate]) -> Vec<Candidate> {
    bound
        .iter()
        .map(|c| {
            let found = shelf.runbook(&c.runbook);
            let mut reasons = vec![match c.reason {
                Reason::Bound => "bound to this alert".to_owned(),
                Reason::NotInEnvironment => "bound, but not for this environment".to_owned(),
            }];
            reasons.extend(found.and_then(|r| r.selection.when.clone()));
            Candidate {
                runbook: c.runbook.clone(),
                title: found.map_or_else(String::new, |r| r.title.clone()),
                fits: c.reason == Reason::Bound,
                reasons,
            }
        })
        .collect()
}

/// The alert and the runbook of a drill.
fn drilled<'a, 'b>(
    shelf: &'a Shelf,
    named: Option<&RunbookName>,
    environment: &CheckedEnvironment,
    alerts: &'b [ListedAlert],
) -> Result<(&'b ListedAlert, &'a CheckedRunbook, Proposer, Vec<String>), ServiceError> {
    let all: Vec<&CheckedRunbook> = shelf.runbooks.iter().collect();
    for alert in alerts {
        match (match_alert(&all, &environment.name, &alert.labels), named) {
            (Match::One(candidate), None) => {
                let reasons = vec!["the only runbook bound to this alert".to_owned()];
                return Ok((
                    alert,
                    runbook(shelf, &candidate.runbook)?,
                    Proposer::Binding,
                    reasons,
                ));
            }
            (Match::One(candidate), Some(name)) if candidate.runbook == *name => {
                let reasons = vec!["the only runbook bound to this alert".to_owned()];
                return Ok((alert, runbook(shelf, name)?, Proposer::Binding, reasons));
            }
            (Match::Several(bound), Some(name)) if bound.iter().any(|c| c.runbook == *name) => {
                let reasons = vec!["named by hand; others are bound to this alert too".to_owned()];
                return Ok((alert, runbook(shelf, name)?, Proposer::Operator, reasons));
            }
            _ => {}
        }
    }
    if let Some(name) = named {
        runbook(shelf, name)?;
    }
    let runbook = named.map_or_else(|| "the guided incident".to_owned(), ToString::to_string);
    Err(ServiceError::NothingFires { runbook })
}

/// Why the mode of an environment allows a plan only.
fn held_back(environment: &CheckedEnvironment, by_alert: bool) -> Option<ServiceError> {
    let what = match (environment.mode, by_alert) {
        (Mode::Observe, _) => "plans are made and reported, nothing is run",
        (Mode::Suggest, true) => "an alert yields a plan; a person may run it",
        (Mode::Auto, _) => "the rules that automatic runs rest on are not all in force",
        (Mode::Suggest, false) | (Mode::Approve, _) => return None,
    };
    Some(ServiceError::HeldBack {
        environment: environment.name.to_string(),
        mode: environment.mode.as_str(),
        what,
    })
}

fn occurrence_key(signal: &Signal) -> Result<InboxId, ServiceError> {
    let digest: Digest =
        signal.occurrence().digest().map_err(|source| ServiceError::Canonical { source })?;
    format!("occurrence-{}", digest.hex()).parse().map_err(|source| ServiceError::Name { source })
}

fn alert_line(signal: &Signal) -> AlertLine {
    AlertLine {
        key: signal.alert_key.to_string(),
        name: signal.name.clone(),
        severity: signal.severity.word().to_owned(),
        labels: signal.labels.clone(),
        since: signal.starts_at,
    }
}
