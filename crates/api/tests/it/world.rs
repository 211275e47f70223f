//! A state directory, its lock, and a clock that can stand still.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use steadyhand_api::listener::{BindError, Listener};
use steadyhand_api::socket::LOCK_NAME;
use steadyhand_model::ids::InboxId;
use tempfile::TempDir;

#[derive(Debug)]
pub(crate) struct StateDir {
    _root: TempDir,
    path: PathBuf,
    lock: File,
}

impl StateDir {
    /// A directory whose path alone is longer than a socket's address may be.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = (0..4).fold(root.path().to_owned(), |path, n| path.join(format!("{n:040}")));
        fs::create_dir_all(&path).unwrap();
        assert!(path.as_os_str().len() > 108);
        let lock = File::create(path.join(LOCK_NAME)).unwrap();
        Self { _root: root, path, lock }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn try_bind(&self) -> Result<Listener, BindError> {
        Listener::bind(&self.path, &self.lock)
    }

    pub(crate) fn bind(&self) -> Listener {
        self.try_bind().unwrap()
    }
}

/// Time stands still while this lives.
#[derive(Debug)]
pub(crate) struct Frozen {
    _end: mpsc::Sender<()>,
}

pub(crate) fn freeze() -> Frozen {
    let (end, ended) = mpsc::channel::<()>();
    // A blocking task holds tokio's paused clock still.
    tokio::task::spawn_blocking(move || ended.recv().is_err());
    Frozen { _end: end }
}

pub(crate) fn inbox(number: u8) -> InboxId {
    steadyhand_api::inbox::inbox_id([number; 16]).unwrap()
}
