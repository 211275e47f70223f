//! Runs `steady` with an environment of its own, its output in a pipe.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A home that holds nothing.
#[derive(Debug)]
pub(crate) struct Home(TempDir);

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steady"));
        command.args(args).env_clear().env("HOME", self.path()).env("LANG", "C.UTF-8");
        command.env("TERM", "xterm").current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn say(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }
}

pub(crate) fn said(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}
