//! The keeper: owns the journal of an installation, and every run that is driven here.
//!
//! A run that only waits for people or for a far moment is a row with a due time, not a task. Runs of practice worlds
//! stay loaded: their worlds have clocks of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use steadyhand_engine::input::Input;
use steadyhand_engine::port::{AppendError, Journal, LoadError, RunFilter};
use steadyhand_engine::run::{IllegalEvent, Request, Run};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::event::StreamId;
use steadyhand_model::ids::{DriverId, InboxId, IncidentId, RunId, Seq, StepId};
use steadyhand_model::plan::Plan;
use steadyhand_model::time::{Span, Timestamp};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::clock::{Clock as _, SystemClock};
use crate::driver::{Driver, End, MAILBOX_MAX, MakeInput, Message, Tell, TellError};
use crate::place::{Place, PlaceError, Places};
use crate::record::{self, RecordError, RowDetail};

/// Changes that a slow watcher may be behind before it must read the journal again.
pub const CHANGES_MAX: usize = 1024;
/// Due runs taken up at once.
const DUE_AT_ONCE: u32 = 64;
/// Longest sleep between two looks at what is due: a due time may come from another process's change.
const DUE_LOOK: Span = Span::from_secs(30);

/// What watchers hear. The journal has the events; this says that there are new ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Recorded {
        run: RunId,
        seq: Seq,
    },
    /// Progress that is not recorded: what a verification sees, whom a step waits for.
    Note {
        run: RunId,
        step: Option<StepId>,
        text: String,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the journal of the run could not be read")]
    Load {
        #[source]
        source: LoadError,
    },
    #[error("the journal of the run cannot be replayed")]
    Replay {
        #[source]
        source: IllegalEvent,
    },
    #[error("after event {seq} the run waited for other things than this program would wait for")]
    OtherMachine { seq: Seq },
    #[error("its environment cannot be opened")]
    Place {
        #[source]
        source: PlaceError,
    },
    #[error("it could not be recorded that the run was taken over")]
    Record {
        #[source]
        source: RecordError,
    },
}

/// What drivers and effects share.
pub(crate) struct Shared {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) driver: DriverId,
    changes: broadcast::Sender<Change>,
    /// Runs that are driven now. Guards the map; messages are put in under it, so that none is lost when a driver
    /// ends. Never held over an await.
    active: Mutex<BTreeMap<RunId, mpsc::Sender<Message>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("driver", &self.driver).finish_non_exhaustive()
    }
}

impl Shared {
    fn active(&self) -> MutexGuard<'_, BTreeMap<RunId, mpsc::Sender<Message>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn changed(&self, change: Change) {
        // Without watchers there is nobody to tell, and the journal has it.
        if self.changes.send(change).is_err() {
            tracing::trace!("nobody watches");
        }
    }

    pub(crate) fn leases_freed(&self, by: &RunId) {
        for (run, mailbox) in self.active().iter().filter(|(run, _)| *run != by) {
            // A full mailbox means that the driver will look at its leases anyway when it has read it.
            if mailbox.try_send(Message::LeasesFreed).is_err() {
                tracing::debug!(%run, "not told that leases were freed");
            }
        }
    }
}

/// How a keeper is made.
#[derive(Debug)]
pub struct Options {
    pub journal: Arc<dyn Journal>,
    pub places: Arc<dyn Places>,
    pub catalogue: Arc<Catalogue>,
    pub driver: DriverId,
    /// Whether runs are driven here. A keeper that does not drive only records what it is told.
    pub drives: bool,
}

/// The one that owns a state directory's journal.
#[derive(Debug)]
pub struct Keeper {
    pub(crate) shared: Arc<Shared>,
    pub(crate) places: Arc<dyn Places>,
    drives: bool,
}

impl Keeper {
    pub fn new(options: Options) -> Arc<Self> {
        let (changes, _) = broadcast::channel(CHANGES_MAX);
        let shared = Shared {
            journal: options.journal,
            catalogue: options.catalogue,
            driver: options.driver,
            changes,
            active: Mutex::new(BTreeMap::new()),
        };
        Arc::new(Self { shared: Arc::new(shared), places: options.places, drives: options.drives })
    }

    pub fn drives(&self) -> bool {
        self.drives
    }

    /// New changes from now on. Subscribe first, then read the journal, then follow: nothing is missed.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// Whether this keeper drives the run now.
    pub fn is_active(&self, run: &RunId) -> bool {
        self.shared.active().contains_key(run)
    }

    /// Makes a run of a plan, and drives it if this keeper drives.
    pub fn create<'a>(
        self: &'a Arc<Self>,
        plan: Arc<Plan>,
        request: Request,
        place: Arc<Place>,
        inbox: Option<(InboxId, CanonicalJson)>,
    ) -> BoxFuture<'a, Result<(), OpenError>> {
        Box::pin(async move {
            let lost = |source| OpenError::Record { source };
            self.shared
                .journal
                .put_plan(Arc::clone(&plan))
                .await
                .map_err(|source| lost(RecordError::Append { source }))?;
            let now = place.clock.now();
            let created = Run::open(&plan, request, now);
            let run =
                Run::begin(plan, now, &created).map_err(|source| OpenError::Replay { source })?;
            record::record(&self.shared.journal, None, &run, &[created], inbox, now)
                .await
                .map_err(lost)?;
            self.shared.changed(Change::Recorded { run: run.id().clone(), seq: run.seq() });
            if self.drives {
                self.activate(run, place).await?;
            }
            Ok(())
        })
    }

    /// Loads a run, its chain verified and its machine compared.
    pub async fn load(&self, id: &RunId) -> Result<Run, OpenError> {
        let load = |source| OpenError::Load { source };
        let stream = StreamId::Run(id.clone());
        let rows = self.shared.journal.load(stream.clone()).await.map_err(load)?;
        let digest =
            match self.shared.journal.runs(RunFilter::One(id.clone())).await.map_err(load)?.first()
            {
                Some(row) => row.plan,
                None => return Err(load(LoadError::Missing)),
            };
        let plan = self.shared.journal.plan(digest).await.map_err(load)?;
        let run = Run::replay(plan, &rows).map_err(|source| OpenError::Replay { source })?;
        let kept = self.shared.journal.pendings(stream).await.map_err(load)?;
        let expected = run
            .pending_digest()
            .map_err(|source| OpenError::Record { source: RecordError::Canonical { source } })?;
        match kept.last() {
            Some((seq, digest)) if *seq == run.seq() && *digest != expected => {
                Err(OpenError::OtherMachine { seq: *seq })
            }
            _ => Ok(run),
        }
    }

    /// The place where a run acts.
    pub(crate) async fn place_of(&self, run: &Run) -> Result<Arc<Place>, OpenError> {
        let environment = run.plan().body().environment.clone();
        self.places
            .open(run.world().cloned(), environment)
            .await
            .map_err(|source| OpenError::Place { source })
    }

    /// Tells a run something that changes it: through its driver if it has one, else from its journal.
    pub fn tell<'a>(
        self: &'a Arc<Self>,
        id: &'a RunId,
        inbox: Option<(InboxId, CanonicalJson)>,
        make: MakeInput,
    ) -> BoxFuture<'a, Result<(), TellError>> {
        Box::pin(async move {
            let load = |source| TellError::Load { source: Box::new(source) };
            let (reply, answer) = oneshot::channel();
            let tell = Tell { inbox, make, reply };
            let tell = match self.put(id, Message::Tell(tell)) {
                Ok(()) => return answer.await.unwrap_or(Err(TellError::DriverGone)),
                Err(Message::Tell(tell)) => tell,
                Err(_) => return Err(TellError::DriverGone),
            };
            let run = self.load(id).await.map_err(load)?;
            if self.drives && run.outcome().is_none() {
                let place = self.place_of(&run).await.map_err(load)?;
                self.activate(run, place).await.map_err(load)?;
                return match self.put(id, Message::Tell(tell)) {
                    Ok(()) => answer.await.unwrap_or(Err(TellError::DriverGone)),
                    Err(_) => Err(TellError::DriverGone),
                };
            }
            self.tell_from_journal(run, tell).await
        })
    }

    /// Records a change without driving.
    async fn tell_from_journal(&self, run: Run, tell: Tell) -> Result<(), TellError> {
        let now = self.recording_time(&run).await;
        let input = (tell.make)(&run, now)?;
        let (events, next) =
            run.step_forward(input, now).map_err(|source| TellError::Rejected { source })?;
        record::record(&self.shared.journal, Some(&run), &next, &events, tell.inbox, now)
            .await
            .map_err(|source| TellError::Record { source })?;
        self.shared.changed(Change::Recorded { run: next.id().clone(), seq: next.seq() });
        Ok(())
    }

    async fn recording_time(&self, run: &Run) -> Timestamp {
        match run.clock() {
            steadyhand_model::event::ClockKind::Real => SystemClock.now().max(run.last()),
            // Nobody drives it: its world stands still.
            steadyhand_model::event::ClockKind::Practice { .. } => run.last(),
        }
    }

    /// Puts a message into a driver's mailbox. The message comes back if nobody drives the run.
    fn put(&self, id: &RunId, message: Message) -> Result<(), Message> {
        match self.shared.active().get(id) {
            Some(mailbox) => mailbox.try_send(message).map_err(|error| match error {
                mpsc::error::TrySendError::Full(message)
                | mpsc::error::TrySendError::Closed(message) => message,
            }),
            None => Err(message),
        }
    }

    /// Drives a run from now on, unless it is driven already.
    pub fn resume<'a>(self: &'a Arc<Self>, id: &'a RunId) -> BoxFuture<'a, Result<(), OpenError>> {
        Box::pin(async move {
            if self.is_active(id) {
                return Ok(());
            }
            let run = self.load(id).await?;
            if run.outcome().is_some() {
                return Ok(());
            }
            let place = self.place_of(&run).await?;
            self.activate(run, place).await
        })
    }

    fn activate<'a>(
        self: &'a Arc<Self>,
        run: Run,
        place: Arc<Place>,
    ) -> BoxFuture<'a, Result<(), OpenError>> {
        Box::pin(async move {
            let id = run.id().clone();
            let (own, mailbox) = mpsc::channel(MAILBOX_MAX);
            {
                let mut active = self.shared.active();
                if active.contains_key(&id) {
                    return Ok(());
                }
                active.insert(id.clone(), own.clone());
            }
            place.clock.not_before(run.last());
            let busy = place.clock.busy();
            let run = match self.taken_over(run, &place).await {
                Ok(run) => run,
                Err(error) => {
                    self.shared.active().remove(&id);
                    return Err(error);
                }
            };
            let mut driver = Driver {
                shared: Arc::clone(&self.shared),
                place,
                run,
                mailbox,
                own,
                started: BTreeMap::new(),
                waiting_for_leases: None,
                parking: false,
            };
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                drop(busy);
                loop {
                    let end = driver.drive().await;
                    let mut active = shared.active();
                    // Under the lock nobody can put a message in: either it is seen here, or it comes back to its sender.
                    if matches!(end, End::Parked) && !driver.is_told_to_park() && driver.has_mail()
                    {
                        continue;
                    }
                    active.remove(&id);
                    driver.close();
                    break;
                }
            });
            Ok(())
        })
    }

    /// Raises the fence unless this very keeper drove the run last.
    async fn taken_over(&self, run: Run, place: &Place) -> Result<Run, OpenError> {
        let lost = |source| OpenError::Record { source };
        if run.driver() == Some(&self.shared.driver) {
            return Ok(run);
        }
        let fence = self
            .shared
            .journal
            .take_over(run.id().clone(), self.shared.driver.clone())
            .await
            .map_err(|source| lost(RecordError::Append { source }))?;
        let now = place.clock.now().max(run.last());
        let input = Input::TakenOver(self.shared.driver.clone(), fence);
        let (events, next) = run.step_forward(input, now).map_err(|_rejected| {
            lost(RecordError::Append {
                source: AppendError::Conflict { expected: run.seq(), found: run.seq() },
            })
        })?;
        record::record(&self.shared.journal, Some(&run), &next, &events, None, now)
            .await
            .map_err(lost)?;
        Ok(next)
    }

    /// Takes up runs whose time has come, as long as the keeper lives. For runs on the wall clock only.
    pub async fn take_up_due(self: Arc<Self>) {
        let mut passed_over: BTreeSet<RunId> = BTreeSet::new();
        loop {
            let now = SystemClock.now();
            let limit =
                DUE_AT_ONCE.saturating_add(u32::try_from(passed_over.len()).unwrap_or(u32::MAX));
            let next = match self.shared.journal.due(now, limit).await {
                Ok((runs, next)) => {
                    for run in runs {
                        if !passed_over.contains(&run) && !self.take_up(&run).await {
                            passed_over.insert(run);
                        }
                    }
                    next
                }
                Err(error) => {
                    tracing::error!(%error, "what is due could not be read");
                    None
                }
            };
            let latest = now.plus(DUE_LOOK);
            let earliest = now.plus(Span::from_millis(200));
            let until = next.unwrap_or(latest).clamp(earliest, latest);
            drop(SystemClock.sleep_until(SystemClock.busy(), until).await);
        }
    }

    /// Takes up a parked run. One that was driven when its driver died waits for `steady resume`.
    async fn take_up(self: &Arc<Self>, id: &RunId) -> bool {
        let parked = match self.shared.journal.runs(RunFilter::One(id.clone())).await {
            Ok(rows) => rows.first().is_some_and(|row| {
                // A practice world's time says nothing on the wall clock.
                let practice = row.detail.read::<RowDetail>().is_ok_and(|detail| detail.practice);
                row.needs_person && !row.finished && !practice
            }),
            Err(error) => {
                tracing::error!(run = %id, %error, "a due run could not be read");
                false
            }
        };
        if !parked {
            return self.is_active(id);
        }
        match self.resume(id).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(run = %id, %error, "a due run could not be taken up");
                false
            }
        }
    }

    /// Lets every driver come to rest where it is. Calls in flight are left: the next driver probes them.
    pub async fn park(&self) {
        let mailboxes: Vec<_> = self.shared.active().values().cloned().collect();
        for mailbox in mailboxes {
            if mailbox.send(Message::Park).await.is_ok() {
                mailbox.closed().await;
            }
        }
    }
}

/// An incident's id from the system's randomness.
///
/// # Errors
/// If the system has none.
pub fn new_incident() -> Result<IncidentId, getrandom::Error> {
    let mut random = [0; steadyhand_model::ids::RUN_ID_CHARS];
    getrandom::fill(&mut random)?;
    Ok(IncidentId::from_random(random))
}

/// A run's id from the system's randomness.
///
/// # Errors
/// If the system has none.
pub fn new_run() -> Result<RunId, getrandom::Error> {
    let mut random = [0; steadyhand_model::ids::RUN_ID_CHARS];
    getrandom::fill(&mut random)?;
    Ok(RunId::from_random(random))
}
