//! Runs through the real keeper, from the creation over the approval to the durable end.

use std::sync::Arc;

use steadyhand_engine::input::Input;
use steadyhand_engine::port::Journal;
use steadyhand_engine::run::Request;
use steadyhand_model::actor::Actor;
use steadyhand_model::approval::{Approval, Decision, Evidence};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::event::ClockKind;
use steadyhand_model::outcome::RunOutcome;
use steadyhand_model::plan::Plan;
use steadyhand_model::time::Span;
use steadyhand_runtime::clock::{PracticeClock, SystemClock, wall};
use steadyhand_runtime::keeper::{Keeper, Options, new_run};
use steadyhand_runtime::place::Place;

use super::BenchError;
use super::simulated::{InstantHost, OnePlace};
use super::watched::Watched;

/// How long the approval of a bench holds.
const APPROVAL_HOLDS: Span = Span::from_mins(20);

/// A keeper over a watched journal, whose servers answer at once.
#[derive(Debug)]
pub struct Bench {
    pub journal: Arc<Watched>,
    pub keeper: Arc<Keeper>,
    host: Arc<InstantHost>,
    wall_place: Arc<Place>,
    requester: Actor,
}

impl Bench {
    /// # Errors
    /// If a name in it is not one.
    pub fn new(journal: Arc<Watched>, driver: &str) -> Result<Self, BenchError> {
        let host = Arc::new(InstantHost::new()?);
        let wall_place = Arc::new(Place::new(Arc::clone(&host) as _, Arc::new(SystemClock)));
        let keeper = Keeper::new(Options {
            journal: Arc::clone(&journal) as Arc<dyn Journal>,
            places: Arc::new(OnePlace(Arc::clone(&wall_place))),
            catalogue: Arc::new(Catalogue::built_in()),
            driver: driver.parse()?,
            drives: true,
        });
        let requester = Actor::Person("asha".parse()?);
        Ok(Self { journal, keeper, host, wall_place, requester })
    }

    /// Drives one run of a plan with the one gate `start`, in a practice world of its own, to its end.
    ///
    /// # Errors
    /// If it does not succeed.
    pub async fn run(&self, plan: Arc<Plan>) -> Result<(), BenchError> {
        let run = new_run()?;
        let request = Request {
            run: run.clone(),
            requester: self.requester.clone(),
            incident: None,
            predecessor: None,
            world: Some(run.clone()),
            clock: ClockKind::Practice { seed: 1 },
        };
        let clock = Arc::new(PracticeClock::new(wall()));
        let place = Arc::new(Place::new(Arc::clone(&self.host) as _, clock));
        let end = self.journal.end_of(&run);
        let digest = plan.digest();
        self.keeper.create(plan, request, place, None).await?;
        let (by, approved, gate) = (self.requester.clone(), run.clone(), "start".parse()?);
        let inbox = (format!("yes-{run}").parse()?, CanonicalJson::empty());
        let make = Box::new(move |_: &_, now: steadyhand_model::time::Timestamp| {
            Ok(Input::Approval(Approval {
                by,
                evidence: Evidence::PeerCredential { uid: 1000, user: "asha".into() },
                run: approved,
                plan: digest,
                gate,
                decision: Decision::Approve,
                expires: now.plus(APPROVAL_HOLDS),
                nonce: "0".repeat(32),
                team: None,
                reason: None,
            }))
        });
        self.keeper.tell(&run, Some(inbox), make).await?;
        match end.await {
            Ok(phase) if phase == RunOutcome::Succeeded.word() => Ok(()),
            Ok(phase) => Err(BenchError::Ended { phase }),
            Err(_dropped) => Err(BenchError::Unheard),
        }
    }

    /// Makes one run on the wall clock that waits for an approval, and lets its driver go.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn park(&self, plan: Arc<Plan>) -> Result<(), BenchError> {
        let request = Request {
            run: new_run()?,
            requester: self.requester.clone(),
            incident: None,
            predecessor: None,
            world: None,
            clock: ClockKind::Real,
        };
        Ok(self.keeper.create(plan, request, Arc::clone(&self.wall_place), None).await?)
    }
}
