//! Serving a world file as one instance of one server: what `steady tool practice` does.

use std::path::PathBuf;

use rustix::process::Pid;
use steadyhand_contract::capability::AuthorityKey;
use steadyhand_contract::door::Role;
use steadyhand_contract::serve::{Options as Serving, RealClock, ServeError};
use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::ids::ServerId;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::door::PracticeDoor;
use crate::world_file::{WorldFile, WorldFileError};

/// What one instance is given when it is started.
#[derive(Debug)]
pub struct Options {
    /// `kubernetes` or `alerts`.
    pub server: ServerId,
    pub role: Role,
    /// An existing world file.
    pub world: PathBuf,
    /// Without one, an executor refuses every `apply`.
    pub authority: Option<AuthorityKey>,
    /// The process at the other end, for a planted `kill`.
    pub client: Option<u32>,
    pub real_clock: RealClock,
}

#[derive(Debug, thiserror::Error)]
pub enum PracticeError {
    #[error("a practice world has no server `{server}`")]
    Server { server: ServerId },
    #[error("the world could not be opened")]
    World {
        #[source]
        source: WorldFileError,
    },
    #[error("the door could not be served")]
    Serve {
        #[source]
        source: ServeError,
    },
}

/// Serves one client until its stream ends.
///
/// # Errors
/// If there is no such server, no such world, or no MCP client at the other end.
pub async fn serve<R, W>(options: Options, read: R, write: W) -> Result<(), PracticeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let Options { server, role, world, authority, client, real_clock } = options;
    let catalogue = Catalogue::built_in();
    let spec = catalogue
        .server(&server)
        .cloned()
        .ok_or_else(|| PracticeError::Server { server: server.clone() })?;
    let file = WorldFile::open(&world).map_err(|source| PracticeError::World { source })?;
    let client = client.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    let door = Box::new(PracticeDoor::new(spec, file, client));
    steadyhand_contract::serve::serve(door, Serving { role, authority, real_clock }, read, write)
        .await
        .map_err(|source| PracticeError::Serve { source })
}
