//! What is known of one request on its way to the wire: whether a byte of it was ever written.
//!
//! "It provably never left" and "it may have acted" are told apart by one transition: the writer moves `Waiting` to
//! `Started` before the first byte, the caller moves `Waiting` to `Unsent` when it gives up, and only one of them can.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Why a request was never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsent {
    #[error("the request was given up before it could be sent")]
    GivenUp,
    #[error("the time in which the request could be sent was over")]
    Late,
    #[error("the request has {bytes} bytes, more than a server accepts")]
    TooLong { bytes: usize },
    #[error("the connection to the server was closed already")]
    Closed,
    #[error("the pipe to the server took not a byte ({0})")]
    Pipe(std::io::ErrorKind),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Started,
    Unsent(Unsent),
}

/// Shared by the caller and the writer of one request.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// After this moment the writer refuses it.
    start_by: Instant,
    /// Guards the one transition that both sides race for; held for a comparison only.
    stage: Mutex<Stage>,
    moved: Notify,
}

impl Ticket {
    pub(crate) fn new(start_by: Instant) -> Self {
        Self { start_by, stage: Mutex::new(Stage::Waiting), moved: Notify::new() }
    }

    /// The writer's claim, before the first byte. Nothing may be written if it fails.
    pub(crate) fn start(&self) -> Result<(), Unsent> {
        let late = Instant::now() > self.start_by;
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Stage::Unsent(why) = *stage {
            return Err(why);
        }
        *stage = if late { Stage::Unsent(Unsent::Late) } else { Stage::Started };
        self.moved.notify_one();
        if late { Err(Unsent::Late) } else { Ok(()) }
    }

    /// The writer found that it wrote nothing and never will.
    pub(crate) fn never(&self, why: Unsent) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*stage, Stage::Unsent(_)) {
            *stage = Stage::Unsent(why);
        }
    }

    /// The caller gives up: why it was never sent, or `None` if it may have been.
    pub(crate) fn give_up(&self, why: Unsent) -> Option<Unsent> {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        match *stage {
            Stage::Waiting => {
                *stage = Stage::Unsent(why);
                Some(why)
            }
            Stage::Unsent(why) => Some(why),
            Stage::Started => None,
        }
    }

    #[cfg(test)]
    pub(crate) fn started(&self) -> bool {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) == Stage::Started
    }

    /// Comes back when `limit` has passed since the first byte, or when the first byte can no longer come.
    pub(crate) async fn over(&self, limit: Duration) {
        let begun = tokio::time::timeout_at(self.start_by, self.moved.notified()).await;
        if begun.is_err() && self.give_up(Unsent::Late).is_some() {
            return;
        }
        tokio::time::sleep(limit).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(3600);

    #[test]
    fn only_one_side_wins() {
        let sent = Ticket::new(Instant::now() + SOON);
        assert_eq!(sent.start(), Ok(()));
        assert_eq!((sent.started(), sent.give_up(Unsent::GivenUp)), (true, None));

        let kept = Ticket::new(Instant::now() + SOON);
        assert_eq!(kept.give_up(Unsent::Closed), Some(Unsent::Closed));
        assert_eq!(kept.start(), Err(Unsent::Closed));
        assert_eq!((kept.started(), kept.give_up(Unsent::GivenUp)), (false, Some(Unsent::Closed)));

        let broken = Ticket::new(Instant::now() + SOON);
        assert_eq!(broken.start(), Ok(()));
        broken.never(Unsent::Pipe(std::io::ErrorKind::BrokenPipe));
        let why = Unsent::Pipe(std::io::ErrorKind::BrokenPipe);
        assert_eq!(broken.give_up(Unsent::GivenUp), Some(why));
    }

    #[test]
    fn a_late_start_is_refused() {
        let ticket = Ticket::new(Instant::now() - Duration::from_millis(1));
        assert_eq!(ticket.start(), Err(Unsent::Late));
        assert_eq!(ticket.give_up(Unsent::GivenUp), Some(Unsent::Late));
    }
}
