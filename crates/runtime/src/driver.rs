//! Drives one run: input → decide → append → swap → start or cancel effects, until it ends or only waits.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadyhand_engine::effect::{Effect, EffectId, What};
use steadyhand_engine::input::{Input, LeaseAnswer, Rejected};
use steadyhand_engine::port::AppendError;
use steadyhand_engine::run::Run;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::event::Event;
use steadyhand_model::ids::InboxId;
use steadyhand_model::time::{Span, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::clock::Busy;
use crate::keeper::{Change, Shared};
use crate::perform::{self, Context};
use crate::place::Place;
use crate::record::{self, RecordError};

/// Messages that wait for one driver. A driver answers each before it takes the next.
pub(crate) const MAILBOX_MAX: usize = 64;

/// How a change is made: from the run as it is, so that it can look before it speaks.
pub(crate) type MakeInput = Box<dyn FnOnce(&Run, Timestamp) -> Result<Input, TellError> + Send>;

#[derive(Debug, thiserror::Error)]
pub enum TellError {
    #[error("the run refuses")]
    Rejected {
        #[source]
        source: Rejected,
    },
    #[error("the change could not be recorded")]
    Record {
        #[source]
        source: RecordError,
    },
    #[error("nothing of this run waits for that")]
    NothingWaits,
    #[error("several things of this run wait; name one of: {names}")]
    Several { names: String },
    #[error("the decision is over plan {said}, the run has plan {has}")]
    OtherPlan { said: String, has: String },
    #[error("the driver of the run has gone")]
    DriverGone,
    #[error("the run could not be loaded")]
    Load {
        #[source]
        source: Box<crate::keeper::OpenError>,
    },
}

pub(crate) struct Tell {
    pub(crate) inbox: Option<(InboxId, CanonicalJson)>,
    pub(crate) make: MakeInput,
    pub(crate) reply: oneshot::Sender<Result<(), TellError>>,
}

pub(crate) enum Message {
    Tell(Tell),
    /// An effect has an answer. The guard keeps a practice clock from jumping until it is taken in.
    Done(EffectId, Box<Input>, Busy),
    /// An effect ended without an answer that the run can use.
    Dropped(EffectId, Busy),
    /// A target lease somewhere was let go.
    LeasesFreed,
    /// The keeper ends: leave everything where it is.
    Park,
}

/// Why a driver came to its end.
#[derive(Debug)]
pub(crate) enum End {
    Finished,
    /// Only people, or time, can move it.
    Parked,
    /// Another driver has it, or the journal cannot be written: nothing more is done here.
    Lost,
}

pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    pub(crate) place: Arc<Place>,
    pub(crate) run: Run,
    pub(crate) mailbox: mpsc::Receiver<Message>,
    pub(crate) own: mpsc::Sender<Message>,
    pub(crate) started: BTreeMap<EffectId, AbortHandle>,
    /// Leases were asked for and are held by another run.
    pub(crate) waiting_for_leases: Option<EffectId>,
    pub(crate) parking: bool,
}

impl Driver {
    pub(crate) fn is_told_to_park(&self) -> bool {
        self.parking
    }

    pub(crate) fn has_mail(&self) -> bool {
        !self.mailbox.is_empty()
    }

    /// Nobody is heard any more.
    pub(crate) fn close(&mut self) {
        self.mailbox.close();
    }

    pub(crate) async fn drive(&mut self) -> End {
        let mut busy = self.place.clock.busy();
        loop {
            // Derived once for each state: all that follows looks at the same list.
            let pending = match self.take_leases().await {
                Ok(pending) => pending,
                Err(error) => return self.lose(&error),
            };
            self.reconcile(&pending);
            self.tell_clock(&pending);
            if self.run.outcome().is_some() {
                return self.ended(End::Finished);
            }
            let timers = timers(&pending);
            if self.mailbox.is_empty() && self.started.is_empty() && self.may_be_unloaded(&pending)
            {
                return self.ended(End::Parked);
            }
            // From here on nobody works for this run but its effects, each with a guard of its own.
            let step = match timers {
                Some((id, until)) => tokio::select! {
                    biased;
                    message = self.mailbox.recv() => message,
                    woken = self.place.clock.sleep_until(busy, until) => {
                        Some(Message::Done(id.clone(), Box::new(Input::Elapsed(id)), woken))
                    }
                },
                None => {
                    drop(busy);
                    self.mailbox.recv().await
                }
            };
            let Some(message) = step else {
                return self.ended(End::Parked);
            };
            busy = self.place.clock.busy();
            match self.take(message).await {
                Ok(true) => {}
                Ok(false) => return self.ended(End::Parked),
                Err(error) => return self.lose(&error),
            }
        }
    }

    /// Takes one message in. False: the keeper ends.
    async fn take(&mut self, message: Message) -> Result<bool, RecordError> {
        match message {
            Message::Park => {
                self.parking = true;
                return Ok(false);
            }
            Message::LeasesFreed => {
                self.waiting_for_leases = None;
            }
            Message::Dropped(id, guard) => {
                self.started.remove(&id);
                drop(guard);
            }
            Message::Done(id, input, guard) => {
                self.started.remove(&id);
                match self.say(*input, None).await {
                    Ok(()) => {}
                    // A late answer to a question that is no longer open changes nothing.
                    Err(TellError::Rejected { source: Rejected::Stale | Rejected::Finished }) => {}
                    Err(TellError::Record { source }) => return Err(source),
                    Err(other) => {
                        // A fault of this program: going on would ask the same again for ever.
                        tracing::error!(run = %self.run.id(), error = %other, "an answer was refused");
                        self.parking = true;
                        return Ok(false);
                    }
                }
                drop(guard);
            }
            Message::Tell(tell) => {
                let outcome = match (tell.make)(&self.run, self.place.clock.now()) {
                    Ok(input) => self.say(input, tell.inbox).await,
                    Err(error) => Err(error),
                };
                match outcome {
                    Err(TellError::Record { source }) if is_lost(&source) => {
                        // The client hears it, and the driver stops: a journal that cannot be written stops the run.
                        if tell.reply.send(Err(TellError::DriverGone)).is_err() {
                            tracing::debug!(run = %self.run.id(), "a client left before its answer");
                        }
                        return Err(source);
                    }
                    outcome => {
                        if tell.reply.send(outcome).is_err() {
                            tracing::debug!(run = %self.run.id(), "a client left before its answer");
                        }
                    }
                }
            }
        }
        Ok(true)
    }

    /// Input → decide → append → swap.
    async fn say(
        &mut self,
        input: Input,
        consumed: Option<(InboxId, CanonicalJson)>,
    ) -> Result<(), TellError> {
        let now = self.place.clock.now().max(self.run.last());
        let (events, next) =
            self.run.step_forward(input, now).map_err(|source| TellError::Rejected { source })?;
        let freed = self.run.leases().difference(&next.leases()).next().is_some();
        record::record(&self.shared.journal, Some(&self.run), &next, &events, consumed, now)
            .await
            .map_err(|source| TellError::Record { source })?;
        self.run = next;
        self.shared.changed(Change::Recorded { run: self.run.id().clone(), seq: self.run.seq() });
        if freed {
            self.shared.leases_freed(self.run.id());
        }
        if events.iter().any(|e| matches!(e, Event::Paused { .. })) {
            tracing::info!(run = %self.run.id(), "paused");
        }
        Ok(())
    }

    /// Tries to take the targets of a step that stands before its intent. One held by another run is waited for.
    /// Gives what is pending then.
    async fn take_leases(&mut self) -> Result<Vec<Effect>, RecordError> {
        loop {
            let pending = self.run.pending(self.run.fence());
            let wanted = pending.iter().find_map(|e| match e.what {
                What::TakeLeases { .. } if self.waiting_for_leases.as_ref() != Some(&e.id) => {
                    Some(e.id.clone())
                }
                _ => None,
            });
            let Some(id) = wanted else {
                return Ok(pending);
            };
            match self.say(Input::Leased(id.clone(), LeaseAnswer::Granted), None).await {
                Ok(()) | Err(TellError::Rejected { .. }) => {}
                Err(TellError::Record { source }) => match source {
                    RecordError::Append { source: AppendError::LeaseHeld { target, by } } => {
                        self.shared.changed(Change::Note {
                            run: self.run.id().clone(),
                            step: id.step.clone(),
                            text: format!("waits for {by}, which holds {target}"),
                        });
                        self.waiting_for_leases = Some(id);
                    }
                    RecordError::Append {
                        source: AppendError::RateSpent { subject, used, count, window, .. },
                    } => {
                        let why = format!(
                            "the rate is spent: {used} of {count} within {window} for {subject}"
                        );
                        match self
                            .say(Input::Leased(id, LeaseAnswer::RateSpent { why }), None)
                            .await
                        {
                            Ok(()) | Err(TellError::Rejected { .. }) => {}
                            Err(TellError::Record { source }) => return Err(source),
                            Err(other) => {
                                tracing::error!(run = %self.run.id(), error = %other, "a spent rate was refused");
                                return Ok(pending);
                            }
                        }
                    }
                    source => return Err(source),
                },
                Err(other) => {
                    tracing::error!(run = %self.run.id(), error = %other, "an intent was refused");
                    return Ok(pending);
                }
            }
        }
    }

    /// Starts what is pending and was not started; cancels what is no longer pending.
    fn reconcile(&mut self, pending: &[Effect]) {
        let gone: Vec<EffectId> = self
            .started
            .keys()
            .filter(|id| !pending.iter().any(|e| e.id == **id))
            .cloned()
            .collect();
        for id in gone {
            if let Some(task) = self.started.remove(&id) {
                task.abort();
            }
        }
        for effect in pending {
            if !self.started.contains_key(&effect.id) && performs(&effect.what) {
                self.start(effect.clone());
            }
        }
    }

    fn start(&mut self, effect: Effect) {
        let context = Context {
            shared: Arc::clone(&self.shared),
            place: Arc::clone(&self.place),
            known: perform::known(&self.run, &effect.what),
            run: self.run.id().clone(),
            plan: Arc::clone(self.run.plan()),
        };
        let id = effect.id.clone();
        let busy = self.place.clock.busy();
        let own = self.own.clone();
        let task = tokio::spawn(async move {
            let id = effect.id.clone();
            let message = match perform::perform(context, effect, busy).await {
                (Some(input), busy) => Message::Done(id, Box::new(input), busy),
                (None, busy) => Message::Dropped(id, busy),
            };
            if own.send(message).await.is_err() {
                tracing::debug!("an effect ended after its driver");
            }
        });
        self.started.insert(id, task.abort_handle());
    }

    /// Whether nothing is lost by forgetting the run until somebody speaks or it is due: its row has its due time.
    fn may_be_unloaded(&self, pending: &[Effect]) -> bool {
        // A practice world has a clock of its own, which no due time in the store can follow.
        let practice =
            matches!(self.run.clock(), steadyhand_model::event::ClockKind::Practice { .. });
        let waits = self.waiting_for_leases.is_some()
            || pending.iter().any(|e| matches!(e.what, What::Wait { .. }));
        !practice && !waits
    }

    fn tell_clock(&self, pending: &[Effect]) {
        self.place.waits_for_person(
            self.run.id(),
            record::needs_person(&self.run, pending) && self.run.outcome().is_none(),
        );
    }

    fn ended(&mut self, end: End) -> End {
        for task in std::mem::take(&mut self.started).into_values() {
            task.abort();
        }
        if !matches!(end, End::Parked) {
            self.place.waits_for_person(self.run.id(), false);
        }
        end
    }

    fn lose(&mut self, error: &RecordError) -> End {
        tracing::error!(run = %self.run.id(), error = %error, "the run is left where it is");
        self.shared.changed(Change::Note {
            run: self.run.id().clone(),
            step: None,
            text: format!("left where it is: {error}"),
        });
        self.ended(End::Lost)
    }
}

/// The next moment at which time alone changes something.
fn timers(pending: &[Effect]) -> Option<(EffectId, Timestamp)> {
    pending
        .iter()
        .filter(|e| !matches!(e.what, What::Probe { .. }))
        .filter_map(|e| {
            // A task that performs the effect ends it by itself; this is only the net below it.
            let slack = if performs(&e.what) { Span::from_secs(60) } else { Span::ZERO };
            e.what.due().map(|due| (&e.id, due.plus(slack)))
        })
        .min_by_key(|(_, due)| *due)
        .map(|(id, due)| (id.clone(), due))
}

fn is_lost(error: &RecordError) -> bool {
    match error {
        RecordError::Append { source } => matches!(
            source,
            AppendError::Conflict { .. }
                | AppendError::Full
                | AppendError::ReadOnly
                | AppendError::Lost { .. }
        ),
        RecordError::Event { .. } | RecordError::Canonical { .. } => true,
    }
}

/// Whether an effect is work for this process, rather than a wait for people or time.
fn performs(what: &What) -> bool {
    match what {
        What::Check { .. }
        | What::Observe { .. }
        | What::AskPolicy { .. }
        | What::Call(_)
        | What::Probe { .. }
        | What::Notify { .. } => true,
        What::Await { .. }
        | What::TakeLeases { .. }
        | What::Ask { .. }
        | What::Wait { .. }
        | What::Settle { .. }
        | What::Deadline { .. } => false,
    }
}
