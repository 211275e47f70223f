//! A pseudo-terminal with `steady` on it, and a test that reads and types.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

#[derive(Debug)]
pub(crate) struct Terminal {
    master: File,
    child: Child,
    /// Everything that was shown, line ends as `\n`.
    shown: String,
    /// How much of it a test has waited for.
    read: usize,
}

impl Terminal {
    /// `before` is typed before the program starts.
    pub(crate) fn start(mut command: Command, before: &str) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let mut master = File::from(master);
        master.write_all(before.as_bytes()).unwrap();
        let end = || OwnedFd::from(slave.try_clone().unwrap());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        // The command holds ends of its own, which would keep the terminal open.
        drop(command);
        drop(slave);
        Self { master, child, shown: String::new(), read: 0 }
    }

    /// Reads until this was shown, after what was waited for before. Panics if the program ends first.
    pub(crate) fn wait_for(&mut self, text: &str) {
        loop {
            if let Some(at) = self.shown[self.read..].find(text) {
                self.read += at + text.len();
                return;
            }
            assert!(self.fill(), "{text:?} was not shown after:\n{}", self.shown);
        }
    }

    fn fill(&mut self) -> bool {
        let mut bytes = [0; 4096];
        // The master of a terminal that nobody holds gives an error.
        match self.master.read(&mut bytes) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                let text = String::from_utf8_lossy(&bytes[..count]);
                self.shown.push_str(&text.replace("\r\n", "\n"));
                true
            }
        }
    }

    pub(crate) fn press(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn interrupt(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
    }

    /// The exit code, and everything that was shown.
    pub(crate) fn end(mut self) -> (i32, String) {
        while self.fill() {}
        (self.child.wait().unwrap().code().unwrap(), self.shown)
    }
}
