//! The handle of a started program.

use std::fmt;
use std::io::{PipeWriter, Write};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{oneshot, watch};

use crate::command::{Command, Output, SpawnError};
use crate::ladder::{CannotTell, Ladder, Remains, StopReport};
use crate::output::Stdout;
use crate::spawner::{self, Started};
use crate::tail::{StderrTail, Tail};

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    /// By this signal (the number, as in signal(7)).
    Signal(i32),
    /// It is gone, but how it ended is not known. Neither success nor failure.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "ended with code {code}"),
            Self::Signal(number) => write!(f, "ended by signal {number}"),
            Self::Unknown => f.write_str("ended, how is not known"),
        }
    }
}

/// A started program. Dropping it kills the program and everything that it started, as by [`Ladder::HARD`], without
/// waiting for it.
#[derive(Debug)]
pub struct Child {
    stdin: Option<ChildStdin>,
    stdout: Option<Stdout>,
    line: Line,
}

impl Child {
    /// Starts a program. Call it inside a tokio runtime with IO, which then serves the two pipes. A future that is
    /// dropped half-way leaves no process.
    ///
    /// # Errors
    /// See [`SpawnError`]; nothing is running then.
    pub async fn spawn(command: Command) -> Result<Self, SpawnError> {
        let (program, output) = (command.program.clone(), command.stdout);
        let Started { stdin, stdout, line } = spawner::start(command).await?;
        let watch = |source| SpawnError::Watch { program: program.clone(), source };
        let stdin = stdin.map(ChildStdin::from_std).transpose().map_err(watch)?;
        let stdout = stdout.map(ChildStdout::from_std).transpose().map_err(watch)?;
        let stdout = match output {
            Output::Piped(cap) => stdout.map(|pipe| Stdout::new(pipe, cap)),
            Output::Null => None,
        };
        Ok(Self { stdin, stdout, line })
    }

    /// Its process id, also the number of its session and its process group.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.line.pid
    }

    /// The pipe to its stdin, once; none if it was not asked for. Dropping it is the end of the program's input.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// The pipe from its stdout, once; none if it was not asked for.
    pub fn take_stdout(&mut self) -> Option<Stdout> {
        self.stdout.take()
    }

    /// Waits until the program itself has ended and was reaped. What it wrote to stderr is in the tail by then. Its
    /// descendants may still run: only [`Child::stop`] ends those.
    pub async fn wait(&self) -> Exit {
        let mut exits = self.line.exits.clone();
        // The other end is gone only with the thread that reaps: then nobody knows.
        match exits.wait_for(Option::is_some).await {
            Ok(exit) => exit.unwrap_or(Exit::Unknown),
            Err(_) => Exit::Unknown,
        }
    }

    /// Climbs the ladder until neither the program nor a descendant is left, or its graces are over. A stop that
    /// began goes on if the future is dropped. A second stop hurries the first, and both get its report. A program
    /// that is dead already is fine: its orphans are stopped.
    pub async fn stop(&self, ladder: &Ladder) -> StopReport {
        let (reply, report) = oneshot::channel();
        let sent = self.line.send(Order { ladder: *ladder, reply });
        match (sent, report.await) {
            (true, Ok(report)) => report,
            _ => StopReport {
                exit: *self.line.exits.borrow(),
                rung: None,
                remains: Remains::CannotTell(CannotTell::WardenLost),
            },
        }
    }

    /// The last bytes that it wrote to stderr. Raw: escape before showing.
    #[must_use]
    pub fn stderr_tail(&self) -> StderrTail {
        // A push is a few steps on plain bytes; a panic between them could at most lose some.
        self.line.tail.lock().unwrap_or_else(PoisonError::into_inner).copy()
    }
}

/// A stop that was asked for.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) ladder: Ladder,
    pub(crate) reply: oneshot::Sender<StopReport>,
}

/// The line to a child's warden. The warden takes its loss as the order to kill.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) pid: i32,
    // Before `bell`: the warden, woken by the loss of the bell, must find the orders closed.
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) bell: PipeWriter,
    pub(crate) exits: watch::Receiver<Option<Exit>>,
    /// Shared with the warden, which writes; a lock, since a copy of 64 KiB for each line written would be waste.
    pub(crate) tail: Arc<Mutex<Tail>>,
}

impl Line {
    /// False if the warden is gone. The bell does not block: a full pipe means that the warden has rings to hear.
    fn send(&self, order: Order) -> bool {
        if self.orders.send(order).is_err() {
            return false;
        }
        match (&self.bell).write_all(&[1]) {
            Ok(()) => true,
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}
