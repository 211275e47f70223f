//! Where runs act: the tool servers and the clock of an environment or a practice world.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use steadyhand_engine::port::ToolHost;
use steadyhand_model::ids::RunId;
use steadyhand_model::plan::EnvironmentRef;

use crate::clock::Clock;

/// One environment's servers and clock, shared by all runs in it.
#[derive(Debug)]
pub struct Place {
    pub host: Arc<dyn ToolHost>,
    pub clock: Arc<dyn Clock>,
    /// Runs here that wait for a person. Guards a set of ids; never held over an await.
    waiting: Mutex<BTreeSet<RunId>>,
}

impl Place {
    pub fn new(host: Arc<dyn ToolHost>, clock: Arc<dyn Clock>) -> Self {
        Self { host, clock, waiting: Mutex::new(BTreeSet::new()) }
    }

    /// Says whether a run waits for a person: a practice clock goes 1:1 while one does.
    pub(crate) fn waits_for_person(&self, run: &RunId, waits: bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = if waits { waiting.insert(run.clone()) } else { waiting.remove(run) };
        let count = waiting.len();
        drop(waiting);
        if changed {
            self.clock.people_waited_for(count);
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the environment `{name}` cannot be reached: {why}")]
pub struct PlaceError {
    pub name: String,
    pub why: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What to put into a new practice world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorldSeed {
    pub scenario: String,
    pub seed: u64,
    pub fault: Option<steadyhand_api::request::Fault>,
    /// The process that a planted kill ends.
    pub victim: u32,
}

/// Opens places. The composition root implements it: only it knows how servers are started.
pub trait Places: Send + Sync + std::fmt::Debug {
    /// The place of a run: the practice world named by `world`, or the environment itself. Opening the same place
    /// again gives the same one.
    fn open(
        &self,
        world: Option<RunId>,
        environment: EnvironmentRef,
    ) -> BoxFuture<'_, Result<Arc<Place>, PlaceError>>;

    /// Makes the practice world of a new drill.
    fn new_world(
        &self,
        run: RunId,
        environment: steadyhand_model::ids::EnvironmentName,
        seed: WorldSeed,
    ) -> BoxFuture<'_, Result<Arc<Place>, PlaceError>>;

    /// The lasting practice world of an environment, made if it is not there.
    fn lasting_world(
        &self,
        environment: steadyhand_model::ids::EnvironmentName,
        seed: WorldSeed,
    ) -> BoxFuture<'_, Result<Arc<Place>, PlaceError>>;
}
