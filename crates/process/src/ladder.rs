//! The stop ladder and the report of a stop: pure values. The climbing is in `warden`.

use std::time::Duration;

use rustix::process::Signal;
use thiserror::Error;

use crate::child::Exit;
use crate::procfs::ScanError;

/// The longest that one rung may last: a stop has to end while somebody waits for it.
pub const MAX_GRACE: Duration = Duration::from_secs(300);

/// The shortest time left for the kernel to end what was killed; with less, a report would call the dying survivors.
pub const MIN_KILL_GRACE: Duration = Duration::from_secs(1);

/// How long a program and its descendants get after each signal. A rung of zero is left out, signal and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ladder {
    interrupt: Duration,
    terminate: Duration,
    kill: Duration,
}

impl Ladder {
    /// Ten seconds in all: SIGINT and 5 s, SIGTERM and 3 s, SIGKILL and 2 s.
    pub const DEFAULT: Self = Self {
        interrupt: Duration::from_secs(5),
        terminate: Duration::from_secs(3),
        kill: Duration::from_secs(2),
    };

    /// SIGKILL at once, and 2 s for the kernel.
    pub const HARD: Self =
        Self { interrupt: Duration::ZERO, terminate: Duration::ZERO, kill: Duration::from_secs(2) };

    /// # Errors
    /// A rung longer than [`MAX_GRACE`], or a last one shorter than [`MIN_KILL_GRACE`].
    pub fn new(
        interrupt_grace: Duration,
        terminate_grace: Duration,
        kill_grace: Duration,
    ) -> Result<Self, LadderError> {
        for grace in [interrupt_grace, terminate_grace, kill_grace] {
            if grace > MAX_GRACE {
                return Err(LadderError::TooLong { grace });
            }
        }
        if kill_grace < MIN_KILL_GRACE {
            return Err(LadderError::KillTooShort { grace: kill_grace });
        }
        Ok(Self { interrupt: interrupt_grace, terminate: terminate_grace, kill: kill_grace })
    }

    pub(crate) fn grace(&self, rung: Rung) -> Duration {
        match rung {
            Rung::Interrupt => self.interrupt,
            Rung::Terminate => self.terminate,
            Rung::Kill => self.kill,
        }
    }

    /// The shorter of each grace: a second stop may only hurry the first.
    pub(crate) fn sharper(self, other: Self) -> Self {
        Self {
            interrupt: self.interrupt.min(other.interrupt),
            terminate: self.terminate.min(other.terminate),
            kill: self.kill.min(other.kill),
        }
    }

    /// The next rung that is not left out; nothing comes after the kill.
    pub(crate) fn after(&self, rung: Option<Rung>) -> Option<Rung> {
        [Rung::Interrupt, Rung::Terminate, Rung::Kill].into_iter().find(|next| {
            Some(*next) > rung && (*next == Rung::Kill || !self.grace(*next).is_zero())
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LadderError {
    #[error("a grace of {grace:?} is longer than {MAX_GRACE:?}")]
    TooLong { grace: Duration },
    #[error("a grace of {grace:?} after the kill is shorter than {MIN_KILL_GRACE:?}")]
    KillTooShort { grace: Duration },
}

/// One signal of the ladder, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    Interrupt,
    Terminate,
    Kill,
}

impl Rung {
    pub(crate) fn signal(self) -> Signal {
        match self {
            Self::Interrupt => Signal::INT,
            Self::Terminate => Signal::TERM,
            Self::Kill => Signal::KILL,
        }
    }
}

/// What a stop did.
#[derive(Clone, Debug)]
pub struct StopReport {
    /// How the program itself ended; none if it has not.
    pub exit: Option<Exit>,
    /// The last rung that was climbed; none if nothing was there to stop.
    pub rung: Option<Rung>,
    pub remains: Remains,
}

/// What is left of a program and everything that it started.
#[derive(Clone, Debug)]
pub enum Remains {
    Nothing,
    /// These process ids were alive when the last grace ended. Never empty.
    Processes(Vec<i32>),
    /// It could not be looked. Not the same as nothing.
    CannotTell(CannotTell),
}

/// Why it is not known whether a process is left.
#[derive(Clone, Debug, Error)]
pub enum CannotTell {
    #[error("the process table could not be read")]
    Scan(#[source] ScanError),
    #[error("processes began and ended faster than they could be counted")]
    Restless,
    #[error("the thread that watched the program has ended")]
    WardenLost,
}
