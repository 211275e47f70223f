//! The socket's place in a state directory, and who is at its other end.
//!
//! A socket's address holds 108 bytes, a state directory's path may be longer: both sides go through the open
//! directory, as `/proc/self/fd/N/keeper.sock`.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Name of the socket in the state directory.
pub const SOCKET_NAME: &str = "keeper.sock";
/// Name of the lock file in the state directory.
pub const LOCK_NAME: &str = "keeper.lock";

/// The kernel's word about the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub uid: u32,
    /// Of the process that connected, or that listens. It may have ended since.
    pub pid: u32,
}

pub(crate) fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// The socket's path through an open directory; good as long as the directory is held open.
pub(crate) fn path_in(directory: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET_NAME}", directory.as_raw_fd()))
}

pub(crate) fn peer(connection: impl AsFd) -> Result<Peer, Errno> {
    let credentials = rustix::net::sockopt::socket_peercred(connection)?;
    let pid = u32::try_from(credentials.pid.as_raw_nonzero().get()).unwrap_or(0);
    Ok(Peer { uid: credentials.uid.as_raw(), pid })
}
