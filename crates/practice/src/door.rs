//! The doors of a practice world: `kubernetes` and `alerts`, under the tables of the real servers.

use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal};
use steadyhand_contract::door::{Answer, Door, Noise, Served};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::catalogue::{ActionSpec, ReadSpec, ServerSpec};
use steadyhand_model::exchange::{
    ApplyReply, ApplyRequest, PlanReply, ProbeReply, ProbeRequest, ReadReply,
};
use steadyhand_model::outcome::{Doubt, DoubtKind, Outcome, ProbeVerdict};
use steadyhand_model::time::Timestamp;

use crate::world::{Ask, Kill, Reply};
use crate::world_file::{WorldFile, WorldFileError};

/// Why a request has no answer: the world is broken, not the target.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("the practice world could not answer")]
    World {
        #[source]
        source: WorldFileError,
    },
    #[error("the thread of the practice world ended")]
    Task {
        #[source]
        source: tokio::task::JoinError,
    },
    #[error("the practice world answered another question")]
    Mismatch,
}

/// One server's door over a world file.
#[derive(Debug)]
pub struct PracticeDoor {
    spec: ServerSpec,
    /// Requests come from several tasks; the file is locked for each, this process's fold of it as well.
    file: Arc<Mutex<WorldFile>>,
    /// Whom a planted `kill` kills.
    client: Option<Pid>,
}

impl PracticeDoor {
    /// `client` is the process at the other end: a planted `kill` sends it SIGKILL. Without one, such a fault only
    /// loses the reply.
    pub fn new(spec: ServerSpec, file: WorldFile, client: Option<Pid>) -> Self {
        Self { spec, file: Arc::new(Mutex::new(file)), client }
    }

    /// Asks the world from a thread that may wait for the lock and for the disk.
    async fn ask(&self, ask: Ask, now: Option<Timestamp>) -> Result<Reply, AskError> {
        let file = Arc::clone(&self.file);
        let client = self.client;
        let task = tokio::task::spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let answered = file.request(&ask, now);
            drop(file);
            answered.map(|answered| {
                if let (Some(kill), Some(client)) = (answered.kill, client) {
                    end_client(client, kill);
                }
                answered.reply
            })
        });
        match task.await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(source)) => Err(AskError::World { source }),
            Err(source) => Err(AskError::Task { source }),
        }
    }
}

/// Nothing of the product is asked to die: the world does it, as a machine would.
fn end_client(client: Pid, kill: Kill) {
    tracing::info!(?kill, "the planted fault ends the client");
    if let Err(error) = rustix::process::kill_process(client, Signal::KILL) {
        tracing::warn!(%error, "the client could not be ended");
    }
}

/// The whole chain: it is the answer to somebody who has only this line.
fn chain(error: &AskError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Faults that every answer can have.
fn served<T>(
    reply: Result<Reply, AskError>,
    of: impl FnOnce(Result<Reply, AskError>) -> T,
) -> Served<T> {
    match reply {
        Ok(Reply::Lost(lost)) => Served::Lost(lost),
        Ok(Reply::Garbage) => Served::Noise(Noise::Garbage),
        Ok(Reply::Huge) => Served::Noise(Noise::Huge),
        other => Served::Reply(of(other)),
    }
}

impl Door for PracticeDoor {
    fn spec(&self) -> &ServerSpec {
        &self.spec
    }

    fn read<'a>(
        &'a self,
        read: &'a ReadSpec,
        args: CanonicalJson,
        now: Option<Timestamp>,
    ) -> Answer<'a, ReadReply> {
        let function = self.spec.functions.iter().any(|f| f.name == read.name);
        let tool = if function { format!("fn.{}", read.name) } else { read.name.to_string() };
        Box::pin(async move {
            served(self.ask(Ask::Read { tool, args }, now).await, |reply| match reply {
                Ok(Reply::Read(reply)) => reply,
                Ok(_) => ReadReply::CannotTell { why: chain(&AskError::Mismatch) },
                Err(error) => ReadReply::CannotTell { why: chain(&error) },
            })
        })
    }

    fn plan<'a>(
        &'a self,
        action: &'a ActionSpec,
        args: CanonicalJson,
        now: Option<Timestamp>,
    ) -> Answer<'a, PlanReply> {
        let ask = Ask::Plan { action: action.id.action.clone(), args };
        Box::pin(async move {
            served(self.ask(ask, now).await, |reply| match reply {
                Ok(Reply::Plan(reply)) => reply,
                Ok(_) => PlanReply::CannotTell { why: chain(&AskError::Mismatch) },
                Err(error) => PlanReply::CannotTell { why: chain(&error) },
            })
        })
    }

    fn apply<'a>(
        &'a self,
        _action: &'a ActionSpec,
        request: ApplyRequest,
        now: Option<Timestamp>,
    ) -> Answer<'a, ApplyReply> {
        let ask = Ask::Apply(Box::new(request));
        Box::pin(async move {
            served(self.ask(ask, now).await, |reply| match reply {
                Ok(Reply::Apply(reply)) => reply,
                Ok(_) => doubtful(&AskError::Mismatch),
                // The line may or may not be on the disk.
                Err(error) => doubtful(&error),
            })
        })
    }

    fn probe<'a>(
        &'a self,
        _action: &'a ActionSpec,
        request: ProbeRequest,
        now: Option<Timestamp>,
    ) -> Answer<'a, ProbeReply> {
        let ask = Ask::Probe(Box::new(request));
        Box::pin(async move {
            served(self.ask(ask, now).await, |reply| match reply {
                Ok(Reply::Probe(reply)) => reply,
                Ok(_) => unseen(&AskError::Mismatch),
                Err(error) => unseen(&error),
            })
        })
    }
}

fn doubtful(error: &AskError) -> ApplyReply {
    let doubt = Doubt { kind: DoubtKind::BadReply, why: chain(error) };
    ApplyReply { outcome: Outcome::Unknown(doubt), took: None }
}

fn unseen(error: &AskError) -> ProbeReply {
    ProbeReply { verdict: ProbeVerdict::Unknown { why: chain(error) } }
}
