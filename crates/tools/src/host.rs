//! The tool host of one environment: the port `ToolHost` over a reader and an executor of each server.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use futures_util::future::{BoxFuture, join_all};
use steadyhand_engine::port::{Answer, Authorized, PreviewError, ReadError, ToolHost};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::capability::Envelope;
use steadyhand_model::catalogue::{ActionSpec, Catalogue, ReadSpec};
use steadyhand_model::exchange::{ApplyReply, StepPreview};
use steadyhand_model::ids::{EnvironmentName, ReadName, ServerId};
use steadyhand_model::outcome::ProbeVerdict;
use steadyhand_model::reading::{Call, ReadCall};
use steadyhand_model::time::{Span, Timestamp};
use steadyhand_process::command::{Command, CommandError};
use steadyhand_process::ladder::{Ladder, StopReport};
use tokio::sync::watch;

use crate::authority::Authority;
use crate::instance::{Instance, InstanceName};

mod act;
mod look;

/// Which instance of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Has a credential that can only read.
    Reader,
    /// Plans, acts and probes.
    Executor,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reader => "reader",
            Self::Executor => "executor",
        })
    }
}

/// The program of one instance of one server. It gets these arguments and this environment, and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerCommand {
    /// Absolute.
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: BTreeMap<OsString, OsString>,
    /// Where it runs; absolute.
    pub cwd: PathBuf,
}

/// Arguments and values may be secrets, so they are counted and not shown.
impl fmt::Debug for ServerCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCommand")
            .field("program", &self.program)
            .field("args", &self.args.len())
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("cwd", &self.cwd)
            .finish()
    }
}

impl ServerCommand {
    fn command(self) -> Result<Command, CommandError> {
        let mut command = Command::new(self.program, self.cwd)?;
        for arg in self.args {
            command = command.arg(arg)?;
        }
        for (name, value) in self.env {
            command = command.env(name, value)?;
        }
        Ok(command)
    }
}

/// How long servers may take, on the real clock. A call that acts is bounded by its own plan instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From the start of a program to the end of the handshake, and again for a list of its tools. A silent legacy
    /// server costs 10 s of it.
    pub start: Span,
    pub read: Span,
    /// A dry run.
    pub plan: Span,
    pub probe: Span,
}

impl Patience {
    pub const DEFAULT: Self = Self {
        start: Span::from_secs(20),
        read: Span::from_secs(10),
        plan: Span::from_secs(30),
        probe: Span::from_secs(10),
    };
}

/// Everything that a host is made of.
#[derive(Debug)]
pub struct HostConfig {
    pub environment: EnvironmentName,
    pub catalogue: Catalogue,
    pub readers: Vec<(ServerId, ServerCommand)>,
    /// Each was given [`Authority::public_hex`] by its command.
    pub executors: Vec<(ServerId, ServerCommand)>,
    pub authority: Authority,
    pub patience: Patience,
}

/// Why a host cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("no table is known of the server `{server}`")]
    NoTable { server: ServerId },
    #[error("the {role} of `{server}` is given twice")]
    Twice { role: Role, server: ServerId },
    #[error("the command of the {role} of `{server}` can never be started")]
    Command {
        role: Role,
        server: ServerId,
        #[source]
        source: CommandError,
    },
}

/// What became of one process of a host that was stopped.
#[derive(Debug)]
pub struct Stopped {
    pub role: Role,
    pub server: ServerId,
    pub report: StopReport,
}

/// The tool servers of one environment. Its processes die with it.
#[derive(Debug)]
pub struct Host {
    environment: EnvironmentName,
    catalogue: Catalogue,
    readers: BTreeMap<ServerId, Instance>,
    executors: BTreeMap<ServerId, Instance>,
    authority: Authority,
    patience: Patience,
    stopping: watch::Sender<bool>,
}

impl Host {
    /// Makes a host. A server's process is started by the first question to it, inside a tokio runtime.
    ///
    /// # Errors
    /// If a server has no table or is given twice, or a command can never be started.
    pub fn start(config: HostConfig) -> Result<Self, StartError> {
        let HostConfig { environment, catalogue, readers, executors, authority, patience } = config;
        let (stopping, stopped) = watch::channel(false);
        let instances = |role: Role, commands: Vec<(ServerId, ServerCommand)>| {
            let mut instances = BTreeMap::new();
            for (server, command) in commands {
                let spec = catalogue
                    .server(&server)
                    .ok_or_else(|| StartError::NoTable { server: server.clone() })?;
                let command = command.command().map_err(|source| StartError::Command {
                    role,
                    server: server.clone(),
                    source,
                })?;
                let name =
                    InstanceName { environment: environment.clone(), server: server.clone(), role };
                let instance = Instance::new(name, command, spec, patience, stopped.clone());
                if instances.insert(server.clone(), instance).is_some() {
                    return Err(StartError::Twice { role, server });
                }
            }
            Ok(instances)
        };
        let readers = instances(Role::Reader, readers)?;
        let executors = instances(Role::Executor, executors)?;
        Ok(Self { environment, catalogue, readers, executors, authority, patience, stopping })
    }

    /// Ends every process and everything that it started. Nothing is started or asked any more; a call that was in
    /// flight comes back as unknown.
    pub async fn stop(&self, ladder: &Ladder) -> Vec<Stopped> {
        self.stopping.send_replace(true);
        let all = self.readers.values().chain(self.executors.values());
        let stops = all.map(|instance| async move {
            let InstanceName { server, role, .. } = &instance.name;
            let reports = instance.stop(ladder).await.into_iter();
            let stopped = |report| Stopped { role: *role, server: server.clone(), report };
            reports.map(stopped).collect::<Vec<_>>()
        });
        join_all(stops).await.into_iter().flatten().collect()
    }

    fn read_spec(&self, server: &ServerId, name: &ReadName) -> Option<&ReadSpec> {
        use steadyhand_model::catalogue::schema::FUNCTION_PREFIX;

        match name.as_str().strip_prefix(FUNCTION_PREFIX) {
            Some(function) => {
                let spec = self.catalogue.server(server)?;
                spec.functions.iter().find(|known| known.name.as_str() == function)
            }
            None => self.catalogue.read(server, name),
        }
    }

    fn action(&self, call: &Call) -> Option<(&Instance, &ActionSpec)> {
        let instance = self.executors.get(&call.action.server)?;
        Some((instance, self.catalogue.action(&call.action)?))
    }
}

impl ToolHost for Host {
    fn read(&self, call: ReadCall, now: Timestamp) -> Answer<'_, CanonicalJson, ReadError> {
        Box::pin(async move { self.look(&call, now).await })
    }

    fn preview(&self, call: Call, now: Timestamp) -> Answer<'_, StepPreview, PreviewError> {
        Box::pin(async move { self.dry_run(&call, now).await })
    }

    fn apply(&self, call: Authorized<Call>, now: Timestamp) -> BoxFuture<'_, ApplyReply> {
        Box::pin(async move { self.act(&call, now).await })
    }

    fn probe(&self, call: Call, envelope: Envelope, now: Timestamp) -> BoxFuture<'_, ProbeVerdict> {
        Box::pin(async move { self.look_back(call, envelope, now).await })
    }
}
