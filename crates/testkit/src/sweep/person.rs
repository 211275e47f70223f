//! The person at the keeper's socket: begins the incident, says yes, settles what nobody could find out, and begins
//! again with the next keeper when one was killed. Every change keeps its inbox id until it was answered.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use steadyhand_api::client::{Client, ClientError, Watched};
use steadyhand_api::inbox::{INBOX_RANDOM_BYTES, inbox_id};
use steadyhand_api::problem::Problem;
use steadyhand_api::reference::RunRef;
use steadyhand_api::reply::{Response, WatchEvent};
use steadyhand_api::request::{DrillAsk, LibraryAt, Request};
use steadyhand_api::view::{Need, Puzzle, RunPhase, RunView, StepStage, StepView};
use steadyhand_model::event::{Answer, At};
use steadyhand_model::ids::{IdError, InboxId, RunId};
use steadyhand_model::outcome::{RunOutcome, Settlement};
use tokio::time::timeout;

use super::evidence;
use super::life::{Birth, Heard, Life, LifeError};
use super::points::{Edge, Kill};
use super::scenario::{Scenario, Turn};

/// The events that accepted changes become.
const CREATED: &str = "created";
const APPROVED: &str = "approved";
const ANSWERED: &str = "answered";
const SETTLED: &str = "settled";
const RESUMED: &str = "resumed";
pub(super) const CANCEL_ASKED: &str = "cancel_asked";
/// A run is driven again: that is no event of its own.
pub(super) const NOTHING: &str = "";

/// A keeper that says nothing new for this long hangs. Far above what a crowded machine needs.
const HANGS_AFTER: Duration = Duration::from_secs(180);
/// How a note begins that says that a driver gave its run up.
const LEFT: &str = "left where it is";
/// Looks at one run before it is said not to come to rest.
const LOOKS_MAX: u32 = 400;
/// Times that one question is put again to a keeper that is slow to answer.
const AGAIN_MAX: u32 = 20;

#[derive(Debug, thiserror::Error)]
pub(super) enum PersonError {
    #[error(transparent)]
    Life(#[from] LifeError),
    #[error("the keeper cannot be spoken to")]
    Client {
        #[source]
        source: ClientError,
    },
    #[error("the system gave no random bytes")]
    Random {
        #[source]
        source: getrandom::Error,
    },
    #[error("a name is not one")]
    Name {
        #[source]
        source: IdError,
    },
    #[error("the keeper refused {what}: {}", told(problem))]
    Refused { what: &'static str, problem: Box<Problem> },
    #[error("the keeper answered {what} with something else")]
    OtherAnswer { what: &'static str },
    #[error("{run} says nothing new for {} s", HANGS_AFTER.as_secs())]
    Hangs { run: RunId },
    #[error("{run} does not come to rest")]
    Restless { run: RunId },
    #[error("the world cannot be looked at")]
    World {
        #[source]
        source: evidence::EvidenceError,
    },
}

fn told(problem: &Problem) -> String {
    format!("{} {} ({})", problem.code, problem.title, problem.causes.join("; "))
}

/// A change that a keeper answered: from then on it must never be lost, and never be made twice.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) inbox: InboxId,
    pub(super) request: Request,
    /// The run that the answer was about.
    pub(super) run: RunId,
    /// The event that stands for it in the run's stream.
    pub(super) event: &'static str,
}

/// What became of one case.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) kills: u32,
    pub(super) accepted: Vec<Accepted>,
    pub(super) runs: Vec<(RunId, RunOutcome)>,
    /// Runs that needed a person beyond their gate.
    pub(super) waited: u32,
    /// Words of a person that came too late.
    pub(super) refused: u32,
    /// Accepted changes that a later keeper did not know any more, or made again.
    pub(super) forgotten: u32,
    /// The run that gave its name to the practice world.
    pub(super) world: Option<RunId>,
    pub(super) counts: BTreeMap<Edge, u32>,
}

pub(super) struct Person<'a> {
    scenario: &'a Scenario,
    birth: Birth,
    /// Where the next lives end.
    kills: VecDeque<Option<Kill>>,
    life: Option<Life>,
    told: Told,
    turned: bool,
}

impl<'a> Person<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        birth: Birth,
        kills: impl IntoIterator<Item = Option<Kill>>,
    ) -> Self {
        let kills = kills.into_iter().collect();
        Self { scenario, birth, kills, life: None, told: Told::default(), turned: false }
    }

    /// Plays the whole story, and leaves no keeper behind.
    pub(super) async fn play(mut self) -> Result<Told, PersonError> {
        let name = |source| PersonError::Name { source };
        let ask = DrillAsk {
            library: LibraryAt::BuiltIn,
            runbook: self.scenario.runbook.map(str::parse).transpose().map_err(name)?,
            seed: None,
            fault: self.scenario.drill,
            params: BTreeMap::new(),
        };
        let drill = Request::Drill { ask: Box::new(ask) };
        let run = self.must("the drill", CREATED, drill).await?;
        self.told.world = Some(run.clone());
        let outcome = self.follow(&run).await?;
        if self.scenario.turn == Turn::UndoAfter && outcome == RunOutcome::Succeeded {
            let request = Request::Undo { run: RunRef::Id(run) };
            let successor = self.must("the undo", CREATED, request).await?;
            self.follow(&successor).await?;
        }
        self.say_all_again().await?;
        self.leave().await?;
        Ok(self.told)
    }

    /// A living keeper, the last one or the next. Whoever takes it puts it back while it lives.
    async fn living(&mut self) -> Result<Life, PersonError> {
        if let Some(life) = self.life.take() {
            return Ok(life);
        }
        loop {
            let kill = self.kills.pop_front().flatten();
            match Life::begin(&self.birth, kill).await? {
                Heard::Answer(life) => return Ok(life),
                Heard::Killed => self.told.kills += 1,
            }
        }
    }

    /// Puts one request to keeper after keeper until one answers it, yes or no.
    async fn exchange(
        &mut self,
        inbox: Option<&InboxId>,
        request: &Request,
    ) -> Result<Result<Response, Box<Problem>>, PersonError> {
        let mut again = 0;
        loop {
            let mut life = self.living().await?;
            let state = self.birth.state.clone();
            let heard = life
                .during(async {
                    let mut client = Client::connect(&state).await?;
                    match inbox {
                        Some(inbox) => client.change(inbox.clone(), request.clone()).await,
                        None => client.ask(request.clone()).await,
                    }
                })
                .await?;
            let error = match heard {
                Heard::Killed => {
                    self.told.kills += 1;
                    continue;
                }
                Heard::Answer(Err(ClientError::NoKeeper)) => {
                    // It said that it was up: its socket went before it did.
                    life.end().await?;
                    self.told.kills += 1;
                    continue;
                }
                Heard::Answer(Ok(response)) => {
                    self.life = Some(life);
                    return Ok(Ok(response));
                }
                Heard::Answer(Err(ClientError::Problem(problem))) => {
                    self.life = Some(life);
                    return Ok(Err(problem));
                }
                Heard::Answer(Err(error)) => error,
            };
            // A crowded machine makes keepers slow. The same id is sent again.
            self.life = Some(life);
            again += 1;
            if again > AGAIN_MAX {
                return Err(PersonError::Client { source: error });
            }
        }
    }

    /// Makes a change, or hears that it is not possible any more. An answer is a promise that is kept in a list.
    async fn may(
        &mut self,
        event: &'static str,
        request: Request,
    ) -> Result<Result<RunId, Box<Problem>>, PersonError> {
        let mut random = [0; INBOX_RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(|source| PersonError::Random { source })?;
        let inbox = inbox_id(random).map_err(|source| PersonError::Name { source })?;
        match self.exchange(Some(&inbox), &request).await? {
            Ok(Response::Run(view)) => {
                let run = view.line.run.clone();
                self.told.accepted.push(Accepted { inbox, request, run: run.clone(), event });
                Ok(Ok(run))
            }
            Ok(_) => Err(PersonError::OtherAnswer { what: event }),
            Err(problem) => Ok(Err(problem)),
        }
    }

    async fn must(
        &mut self,
        what: &'static str,
        event: &'static str,
        request: Request,
    ) -> Result<RunId, PersonError> {
        self.may(event, request).await?.map_err(|problem| PersonError::Refused { what, problem })
    }

    async fn show(&mut self, run: &RunId) -> Result<Box<RunView>, PersonError> {
        let what = "a look at a run";
        match self.exchange(None, &Request::Show { run: RunRef::Id(run.clone()) }).await? {
            Ok(Response::Run(view)) => Ok(view),
            Ok(_) => Err(PersonError::OtherAnswer { what }),
            Err(problem) => Err(PersonError::Refused { what, problem }),
        }
    }

    /// Does whatever a run needs until it has ended.
    async fn follow(&mut self, run: &RunId) -> Result<RunOutcome, PersonError> {
        let mut needed = false;
        for _ in 0..LOOKS_MAX {
            let view = self.show(run).await?;
            if let RunPhase::Finished(outcome) = view.line.phase {
                self.told.runs.push((run.clone(), outcome));
                self.told.waited += u32::from(needed);
                return Ok(outcome);
            }
            let Some((event, request)) = self.word(&view)? else {
                self.watch(&view).await?;
                continue;
            };
            needed |= event == SETTLED || event == RESUMED;
            let taken_up = matches!(request, Request::Resume { .. }) && event == NOTHING;
            let undoes = event == CANCEL_ASKED;
            match self.may(event, request).await? {
                Ok(_) => {}
                // What a person says may come too late: the next look tells. Taking a run up never does.
                Err(problem) if taken_up => {
                    return Err(PersonError::Refused { what: "the resume", problem });
                }
                Err(_too_late) => self.told.refused += 1,
            }
            self.turned |= undoes;
        }
        Err(PersonError::Restless { run: run.clone() })
    }

    /// What a person would say now, and the event that it becomes.
    fn word(&self, view: &RunView) -> Result<Option<(&'static str, Request)>, PersonError> {
        let run = || RunRef::Id(view.line.run.clone());
        if self.scenario.turn == Turn::UndoDuring && !self.turned && has_acted(&view.steps) {
            return Ok(Some((CANCEL_ASKED, Request::Undo { run: run() })));
        }
        Ok(match view.line.needs.first() {
            Some(Need::Decision { gate, .. }) => {
                let plan = view.plan.digest.into();
                Some((APPROVED, Request::Approve { run: run(), gate: Some(gate.clone()), plan }))
            }
            Some(Need::Answer { step, answers, .. }) => {
                let answer = answers.first().cloned().unwrap_or_else(|| Answer(String::new()));
                Some((ANSWERED, Request::Answer { run: run(), step: step.clone(), answer }))
            }
            Some(Need::Settlement { step, leg, attempt, puzzle, possible, .. }) => {
                let at = At { step: step.clone(), leg: *leg, attempt: *attempt };
                let settlement = self.settlement(view, &at, *puzzle, possible)?;
                let reason = "looked at the target".to_owned();
                let step = Some(step.clone());
                Some((SETTLED, Request::Settle { run: run(), step, settlement, reason }))
            }
            Some(Need::Resume { .. }) => Some((RESUMED, Request::Resume { run: run() })),
            Some(Need::Release { .. }) => None,
            None if view.line.driven => None,
            None => Some((NOTHING, Request::Resume { run: run() })),
        })
    }

    /// A person looks at the target itself.
    fn settlement(
        &self,
        view: &RunView,
        at: &At,
        puzzle: Puzzle,
        possible: &[Settlement],
    ) -> Result<Settlement, PersonError> {
        let world = |source| PersonError::World { source };
        let named = self.told.world.as_ref().unwrap_or(&view.line.run);
        let there =
            evidence::took_effect(&self.birth.state, named, &view.line.run, at).map_err(world)?;
        let wanted = match puzzle {
            Puzzle::Unknown | Puzzle::NotRepeatable if there => Settlement::Done,
            Puzzle::Unknown => Settlement::NotDone,
            Puzzle::NotRepeatable => Settlement::Retry,
            Puzzle::Unverified => Settlement::Undo,
        };
        let legal = || possible.iter().copied().find(|one| *one == wanted);
        Ok(legal().or_else(|| possible.first().copied()).unwrap_or(wanted))
    }

    /// Watches a run that goes on by itself, until there may be something to say.
    async fn watch(&mut self, view: &RunView) -> Result<(), PersonError> {
        let run = &view.line.run;
        let mut life = self.living().await?;
        let state = self.birth.state.clone();
        let turns = self.scenario.turn == Turn::UndoDuring && !self.turned;
        let from = view.head.next();
        let watching = async {
            let client = Client::connect(&state).await?;
            let mut watching = client.watch(run.clone(), from).await?;
            loop {
                match timeout(HANGS_AFTER, watching.next()).await {
                    Err(_elapsed) => return Ok(false),
                    Ok(Ok(Watched::Event(event))) if !needs_a_look(&event, turns) => {}
                    // There is one for each look of a verification.
                    Ok(Ok(Watched::Note { text, .. })) if !text.starts_with(LEFT) => {}
                    Ok(Ok(_)) => return Ok(true),
                    Ok(Err(error)) => return Err(error),
                }
            }
        };
        match life.during(watching).await? {
            Heard::Answer(Ok(false)) => Err(PersonError::Hangs { run: run.clone() }),
            // Whatever was heard or not: the next look tells.
            Heard::Answer(Ok(true) | Err(_)) => {
                self.life = Some(life);
                Ok(())
            }
            Heard::Killed => {
                self.told.kills += 1;
                Ok(())
            }
        }
    }

    /// Sends every accepted change again, to a keeper that never heard it: each must be known, and change nothing.
    async fn say_all_again(&mut self) -> Result<(), PersonError> {
        let what = "a change that was accepted before";
        for accepted in self.told.accepted.clone() {
            if accepted.event == NOTHING {
                continue;
            }
            let before = self.show(&accepted.run).await?.head;
            let answer = self.exchange(Some(&accepted.inbox), &accepted.request).await?;
            let known = match answer {
                Ok(Response::Run(view)) => view.line.run == accepted.run && view.head == before,
                Ok(_) => false,
                Err(problem) => return Err(PersonError::Refused { what, problem }),
            };
            if !known {
                self.told.forgotten += 1;
            }
        }
        Ok(())
    }

    async fn leave(&mut self) -> Result<(), PersonError> {
        let life = self.living().await?;
        match life.leave().await? {
            Heard::Answer(counts) => self.told.counts = counts,
            Heard::Killed => self.told.kills += 1,
        }
        Ok(())
    }
}

fn has_acted(steps: &[StepView]) -> bool {
    steps.iter().any(|step| step.sent > 0)
}

/// Whether a person may be needed after an event, or wants to speak.
fn needs_a_look(event: &WatchEvent, turns: bool) -> bool {
    let asks = event.changed.iter().any(|step| {
        matches!(step.stage, StepStage::Gate | StepStage::Asking { .. } | StepStage::Person { .. })
    });
    !matches!(event.phase, RunPhase::Running) || asks || (turns && has_acted(&event.changed))
}
