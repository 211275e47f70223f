//! One instance of one server: its process, started when it is first needed and again when it has died.

use std::fmt;
use std::sync::{Arc, Weak};

use futures_util::future::join_all;
use steadyhand_model::catalogue::ServerSpec;
use steadyhand_model::catalogue::schema::ToolForm;
use steadyhand_model::ids::{EnvironmentName, ServerId};
use steadyhand_process::command::Command;
use steadyhand_process::ladder::{Ladder, StopReport};
use tokio::sync::{Mutex, watch};

use crate::connection::{AskError, Connection, OpenError};
use crate::host::{Patience, Role};
use crate::pins::{self, PinError, Pins};
use crate::redact::told_error;

/// Which process: `executor of kubernetes in practice`.
#[derive(Debug, Clone)]
pub(crate) struct InstanceName {
    pub(crate) environment: EnvironmentName,
    pub(crate) server: ServerId,
    pub(crate) role: Role,
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} in {}", self.role, self.server, self.environment)
    }
}

/// Why an instance cannot be asked. Nothing was sent that could act.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadyError {
    #[error("the tool servers were stopped")]
    Stopped,
    #[error(transparent)]
    Pins(PinError),
    #[error(transparent)]
    Open(OpenError),
    #[error("the server did not list its tools")]
    List {
        #[source]
        source: AskError,
    },
}

#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) name: InstanceName,
    command: Command,
    demanded: Vec<ToolForm>,
    patience: Patience,
    stopping: watch::Receiver<bool>,
    /// Held while a process is started or its tools are listed, so that callers share one process and one look.
    slot: Mutex<Slot>,
}

#[derive(Debug)]
struct Slot {
    /// The tools at first sight: a new process of the same server must show the same.
    pins: Option<Pins>,
    state: State,
    /// Processes that were given up while somebody may still wait for them: a stop ends these too.
    former: Vec<Weak<Connection>>,
}

impl Slot {
    /// The next question starts a new process. Whoever still waits for this one may.
    fn put_down(&mut self) {
        if let State::Up(connection) = std::mem::replace(&mut self.state, State::Down) {
            self.former.retain(|former| former.strong_count() > 0);
            self.former.push(Arc::downgrade(&connection));
        }
    }
}

#[derive(Debug)]
enum State {
    Down,
    Up(Arc<Connection>),
    /// For as long as this host lives.
    Refused(PinError),
}

/// When the tools are listed again although the process is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// If the server said that something has changed.
    IfStale,
    /// Always: before everything that is asked of an executor.
    Always,
}

impl Instance {
    pub(crate) fn new(
        name: InstanceName,
        command: Command,
        spec: &ServerSpec,
        patience: Patience,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let demanded = pins::demanded(spec, name.role);
        let slot = Mutex::new(Slot { pins: None, state: State::Down, former: Vec::new() });
        Self { name, command, demanded, patience, stopping, slot }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// A connection to a process whose tools are what they should be.
    pub(crate) async fn ready(&self, look: Look) -> Result<Arc<Connection>, ReadyError> {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            biased;
            // The sender lives in the host that owns this instance.
            _ = stopping.wait_for(|stop| *stop) => Err(ReadyError::Stopped),
            ready = self.ready_unless_stopped(look) => ready,
        }
    }

    async fn ready_unless_stopped(&self, look: Look) -> Result<Arc<Connection>, ReadyError> {
        let mut slot = self.slot.lock().await;
        if let State::Refused(error) = &slot.state {
            return Err(ReadyError::Pins(error.clone()));
        }
        if let Some(connection) = self.known(&mut slot, look).await? {
            return Ok(connection);
        }
        slot.put_down();
        let opened = Connection::open(&self.command, self.patience.start).await;
        let connection = Arc::new(opened.map_err(ReadyError::Open)?);
        tracing::debug!(instance = %self.name, ?connection, "a tool server was started");
        let listed = connection.tools(self.patience.start).await;
        let listed = listed.map_err(|source| ReadyError::List { source })?;
        self.judge(&mut slot, &listed)?;
        slot.state = State::Up(Arc::clone(&connection));
        Ok(connection)
    }

    /// The process that runs already, if it can still be trusted. None: a new one is needed.
    async fn known(
        &self,
        slot: &mut Slot,
        look: Look,
    ) -> Result<Option<Arc<Connection>>, ReadyError> {
        let State::Up(connection) = &slot.state else { return Ok(None) };
        let connection = Arc::clone(connection);
        if !connection.is_open() {
            return Ok(None);
        }
        // Asked first: what changes while the tools are listed is looked at next time.
        if !connection.take_stale() && look == Look::IfStale {
            return Ok(Some(connection));
        }
        match connection.tools(self.patience.start).await {
            Ok(listed) => self.judge(slot, &listed).map(|()| Some(connection)),
            Err(error) => {
                tracing::warn!(instance = %self.name, %error, "a tool server is given up");
                Ok(None)
            }
        }
    }

    fn judge(&self, slot: &mut Slot, listed: &[rmcp::model::Tool]) -> Result<(), ReadyError> {
        match pins::check(&self.demanded, listed, slot.pins.as_ref()) {
            Ok(pins) => {
                slot.pins = Some(pins);
                Ok(())
            }
            Err(error) => {
                tracing::error!(instance = %self.name, why = told_error(&error), "a tool server is refused");
                slot.put_down();
                slot.state = State::Refused(error.clone());
                Err(ReadyError::Pins(error))
            }
        }
    }

    /// Gives a process up that did not answer.
    pub(crate) async fn give_up(&self, connection: &Arc<Connection>) {
        let mut slot = self.slot.lock().await;
        if matches!(&slot.state, State::Up(current) if Arc::ptr_eq(current, connection)) {
            slot.put_down();
        }
    }

    /// Ends the processes and everything that they started; empty if none ran.
    pub(crate) async fn stop(&self, ladder: &Ladder) -> Vec<StopReport> {
        let mut slot = self.slot.lock().await;
        let current = match &slot.state {
            State::Up(connection) => Some(Arc::clone(connection)),
            State::Down | State::Refused(_) => None,
        };
        let former = std::mem::take(&mut slot.former);
        let all: Vec<Arc<Connection>> =
            former.iter().filter_map(Weak::upgrade).chain(current).collect();
        drop(slot);
        join_all(all.iter().map(|connection| connection.stop(ladder))).await
    }
}
