//! The state directory and the lock that makes one process its keeper.
//!
//! The directory holds the record of what was approved and done, so only its owner may look into it or write to it.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::process::{geteuid, getpid};

/// Mode of the state directory: its owner alone.
pub(crate) const DIRECTORY_MODE: u32 = 0o700;
/// Mode of every file in it.
pub(crate) const FILE_MODE: u32 = 0o600;
/// Bits of group and others that let them write.
const FOREIGN_WRITE: u32 = 0o022;
/// Permission bits of a file's mode.
const MODE_BITS: u32 = 0o7777;
/// Longest lock file read, in bytes: a process id and a line end.
const PID_BYTES_MAX: u64 = 16;

const LOCK_FILE: &str = "keeper.lock";
const JOURNAL_FILE: &str = "journal.db";

/// A state directory that is ours and that nobody else can write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("the state directory {} cannot be made", path.display())]
    Make {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the state directory {} cannot be looked at", path.display())]
    Look {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is not a directory; name another with --state", path.display())]
    NotDirectory { path: PathBuf },
    #[error(
        "the state directory {} belongs to user {owner}, this process is user {us}; \
         run as its owner or name another with --state",
        path.display()
    )]
    Owner { path: PathBuf, owner: u32, us: u32 },
    #[error(
        "the state directory {} can be written by others (mode {mode:03o}); look at what is in it, then `chmod 700` it",
        path.display()
    )]
    Writable { path: PathBuf, mode: u32 },
}

impl StateDir {
    /// Opens the directory; makes it and the directories above it where they are missing.
    ///
    /// # Errors
    /// If it belongs to another user or others may write to it. If others may only read it, that is taken away.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let owned = || path.to_owned();
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(path)
            .map_err(|source| StateError::Make { path: owned(), source })?;
        let look = |source| StateError::Look { path: owned(), source };
        // Absolute, so that a later change of the working directory moves nothing.
        let path = path.canonicalize().map_err(look)?;
        let metadata = path.metadata().map_err(look)?;
        if !metadata.is_dir() {
            return Err(StateError::NotDirectory { path });
        }
        let us = geteuid().as_raw();
        if metadata.uid() != us {
            return Err(StateError::Owner { path, owner: metadata.uid(), us });
        }
        let mode = metadata.mode() & MODE_BITS;
        if mode & FOREIGN_WRITE != 0 {
            return Err(StateError::Writable { path, mode });
        }
        if mode != DIRECTORY_MODE {
            std::fs::set_permissions(&path, Permissions::from_mode(DIRECTORY_MODE))
                .map_err(look)?;
        }
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the journal is, whether it was made yet or not.
    pub fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL_FILE)
    }

    /// Becomes the keeper of this directory, or says who is. The lock ends with the value or with the process.
    pub fn lock(&self) -> Result<KeeperLock, LockError> {
        let path = self.path.join(LOCK_FILE);
        let io = |source| LockError::Io { path: path.clone(), source };
        let mut file = private_file(&path).map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(LockError::Held { pid: written_pid(&mut file) }),
            Err(errno) => return Err(io(errno.into())),
        }
        let pid = getpid().as_raw_nonzero();
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        writeln!(file, "{pid}").map_err(io)?;
        Ok(KeeperLock { state: self.clone(), file })
    }
}

/// Opens a file that only its owner can read, making it where it is missing; a link in its place is refused.
pub(crate) fn private_file(path: &Path) -> std::io::Result<File> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(std::io::Error::other)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags(no_follow)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}

/// The keeper's process id, where it has been written already. Only for a message: the lock itself decides.
fn written_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    match file.take(PID_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => text.trim().parse().ok(),
        Err(error) => {
            tracing::debug!(%error, "the lock file's process id cannot be read");
            None
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another keeper{}, owns this state directory", pid.map(|p| format!(", pid {p}")).unwrap_or_default())]
    Held { pid: Option<u32> },
    #[error("the keeper's lock {} cannot be taken", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// The proof that this process is the one keeper of a state directory.
#[derive(Debug)]
pub struct KeeperLock {
    state: StateDir,
    /// The file stays when the lock ends: removing it would let two processes lock two files.
    file: File,
}

impl Drop for KeeperLock {
    fn drop(&mut self) {
        // Closing would do, but for a child that was forked and has not yet begun its program: it has the file too.
        if let Err(error) = flock(&self.file, FlockOperation::Unlock) {
            tracing::warn!(%error, "the keeper's lock is released only with its process");
        }
    }
}

/// The locked file: who listens on the socket shows with it that they are the keeper.
impl std::os::fd::AsFd for KeeperLock {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl KeeperLock {
    pub fn state(&self) -> &StateDir {
        &self.state
    }
}
