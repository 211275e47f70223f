//! Answers the socket: each request becomes reads of the journal, plans, or inputs to runs.

mod changes;
mod error;
mod incidents;
mod people;
mod plans;
mod reads;

use std::path::PathBuf;
use std::sync::Arc;

use steadyhand_api::listener::{Connection, Listener, Replies};
use steadyhand_api::reference::RunRef;
use steadyhand_api::reply::{Reply, Response};
use steadyhand_api::request::{LibraryAt, Request};
use steadyhand_engine::port::RunFilter;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::ids::{InboxId, InstallationName, RunId};
use steadyhand_model::time::Timestamp;

use crate::keeper::Keeper;
use people::Caller;

pub use error::ServiceError;

/// How a service is made.
#[derive(Debug)]
pub struct Options {
    pub keeper: Arc<Keeper>,
    pub installation: InstallationName,
    pub version: String,
    /// The library that `status` speaks of.
    pub library: Option<LibraryAt>,
    /// The absolute path of the `git` program, where there is one.
    pub git: Option<PathBuf>,
    pub started: Timestamp,
}

/// The keeper's service: everything that clients may ask.
#[derive(Debug)]
pub struct Service {
    pub(crate) options: Options,
}

/// What a change is recorded with: its own id, and who made it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) inbox: InboxId,
    pub(crate) caller: Caller,
}

impl Service {
    pub fn new(options: Options) -> Arc<Self> {
        Arc::new(Self { options })
    }

    pub(crate) fn keeper(&self) -> &Arc<Keeper> {
        &self.options.keeper
    }

    /// Serves connections until the task is dropped.
    pub async fn serve(self: Arc<Self>, listener: Listener) {
        loop {
            match listener.accept().await {
                Ok(connection) => {
                    tokio::spawn(Arc::clone(&self).connection(connection));
                }
                Err(error) => {
                    tracing::error!(%error, "a connection could not be taken");
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, connection: Connection) {
        let Connection { peer, mut requests, mut replies } = connection;
        let caller = match people::caller(peer) {
            Ok(caller) => caller,
            Err(error) => {
                tracing::error!(%error, "a caller has no usable name");
                return;
            }
        };
        loop {
            let frame = match requests.next().await {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(error) => {
                    if let Err(unheard) = replies.refuse(&error).await {
                        tracing::debug!(%unheard, "a refusal was not heard");
                    }
                    return;
                }
            };
            let sent = if let Request::Watch { run, from } = frame.body {
                requests.watches();
                self.watch(run, from, frame.id, &mut replies).await
            } else {
                let work = self.reply(frame.inbox, frame.body, caller.clone());
                replies.answer(frame.id, work).await
            };
            if let Err(error) = sent {
                tracing::debug!(%error, "a client left");
                return;
            }
        }
    }

    async fn reply(
        self: &Arc<Self>,
        inbox: Option<InboxId>,
        body: Request,
        caller: Caller,
    ) -> Reply {
        match self.response(inbox, body, caller).await {
            Ok(response) => Reply::Response(response),
            Err(error) => Reply::Problem(error.problem()),
        }
    }

    async fn response(
        self: &Arc<Self>,
        inbox: Option<InboxId>,
        body: Request,
        caller: Caller,
    ) -> Result<Response, ServiceError> {
        match body {
            Request::Status => return Ok(Response::Status(Box::new(self.status().await?))),
            Request::Runs { filter } => return self.runs(filter).await,
            Request::Show { run } => return self.shown(&run).await,
            // Answered by the connection itself: it is more than one reply.
            Request::Watch { run, .. } => {
                return Err(ServiceError::NoRun { text: run.to_string() });
            }
            _ => {}
        }
        let asked = Asked { inbox: inbox.ok_or(ServiceError::NoInbox)?, caller };
        if let Some(response) = self.answered_before(&asked.inbox).await? {
            return Ok(response);
        }
        // A change that was begun is done to its end, although nobody may be listening any more.
        let service = Arc::clone(self);
        match tokio::spawn(async move { service.change(body, asked).await }).await {
            Ok(response) => response,
            Err(_ended) => Err(ServiceError::Tell(crate::driver::TellError::DriverGone)),
        }
    }

    async fn change(
        self: Arc<Self>,
        body: Request,
        asked: Asked,
    ) -> Result<Response, ServiceError> {
        match body {
            Request::Plan { ask } => self.plan(ask, asked).await,
            Request::Run { of } => self.run(of, asked).await,
            Request::Handle { ask } => self.handle(*ask, asked).await,
            Request::Drill { ask } => self.drill(*ask, asked).await,
            Request::Approve { run, gate, plan } => {
                let run = self.find(&run).await?;
                self.approve(run, gate, &plan, asked).await
            }
            Request::Deny { run, gate, reason } => {
                let run = self.find(&run).await?;
                self.deny(run, gate, reason, asked).await
            }
            Request::Answer { run, step, answer } => {
                let run = self.find(&run).await?;
                self.answer(run, step, answer, asked).await
            }
            Request::Settle { run, step, settlement, reason } => {
                let run = self.find(&run).await?;
                self.settle(run, step, settlement, reason, asked).await
            }
            Request::Cancel { run, undo } => {
                let run = self.find(&run).await?;
                self.cancel(run, undo, asked).await
            }
            Request::Pause { run } => {
                let run = self.find(&run).await?;
                self.pause(run, asked).await
            }
            Request::Resume { run } => {
                let run = self.find(&run).await?;
                self.resume(run, asked).await
            }
            Request::Undo { run } => {
                let run = self.find(&run).await?;
                self.undo(run, asked).await
            }
            Request::Status
            | Request::Runs { .. }
            | Request::Show { .. }
            | Request::Watch { .. } => Err(ServiceError::NoInbox),
        }
    }

    /// The answer that this very change got before, if it was made.
    async fn answered_before(&self, inbox: &InboxId) -> Result<Option<Response>, ServiceError> {
        let journal = &self.keeper().shared.journal;
        let answer = journal
            .answered(inbox.clone())
            .await
            .map_err(|source| ServiceError::Load { source })?;
        match answer {
            Some(answer) => Ok(Some(self.again(&answer).await?)),
            None => Ok(None),
        }
    }

    async fn again(&self, answer: &CanonicalJson) -> Result<Response, ServiceError> {
        let answer: incidents::Recalled =
            answer.read().map_err(|source| ServiceError::Canonical { source })?;
        match answer {
            incidents::Recalled::Run(run) => {
                Ok(Response::Run(Box::new(self.run_view(&run).await?)))
            }
            incidents::Recalled::Plan { plan, incident } => {
                Ok(Response::Plan(Box::new(self.plan_view(plan, &incident).await?)))
            }
        }
    }

    /// The run that a person means.
    pub(crate) async fn find(&self, reference: &RunRef) -> Result<RunId, ServiceError> {
        let filter = match reference {
            RunRef::Id(id) => RunFilter::One(id.clone()),
            RunRef::Prefix(text) => RunFilter::Prefix(text.clone()),
            RunRef::Last => RunFilter::Newest { limit: 1 },
        };
        let journal = &self.keeper().shared.journal;
        let rows = journal.runs(filter).await.map_err(|source| ServiceError::Load { source })?;
        let text = reference.to_string();
        match rows.as_slice() {
            [] => Err(ServiceError::NoRun { text }),
            [row] => Ok(row.run.clone()),
            several => {
                let found: Vec<&str> = several.iter().take(5).map(|r| r.run.as_str()).collect();
                Err(ServiceError::SeveralRuns { text, found: found.join(", ") })
            }
        }
    }

    async fn watch(
        &self,
        run: RunId,
        from: steadyhand_model::ids::Seq,
        id: steadyhand_api::frame::RequestId,
        replies: &mut Replies,
    ) -> Result<(), steadyhand_api::listener::SendError> {
        match self.follow(&run, from, id, replies).await {
            Ok(sent) => sent,
            Err(error) => replies.send(id, Reply::Problem(error.problem())).await,
        }
    }
}
