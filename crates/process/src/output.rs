//! A child's standard output with a cap that cannot be read past.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use thiserror::Error;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::process::ChildStdout;

/// How much a program may write before its output is refused. Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputCap {
    /// In its whole life: for a program that answers once and ends.
    Total(u64),
    /// Between two newlines, the newline not counted: for a server that speaks in lines for as long as it lives.
    Line(u64),
}

/// The source inside the [`io::Error`] of a read beyond the cap; its kind is [`io::ErrorKind::FileTooLarge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OutputTooLong {
    #[error("the program wrote more than {cap} bytes")]
    Total { cap: u64 },
    #[error("the program wrote a line of more than {cap} bytes")]
    Line { cap: u64 },
}

/// The reading end. It hands out every byte up to the cap; after the first byte beyond it, every read fails.
#[derive(Debug)]
pub struct Stdout {
    pipe: ChildStdout,
    meter: Meter,
}

impl Stdout {
    pub(crate) fn new(pipe: ChildStdout, cap: OutputCap) -> Self {
        Self { pipe, meter: Meter { cap, used: 0, over: false } }
    }
}

impl AsyncRead for Stdout {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.meter.over {
            return Poll::Ready(Err(self.meter.error()));
        }
        let before = buf.filled().len();
        match Pin::new(&mut self.pipe).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {}
            other => return other,
        }
        let fresh = buf.filled().get(before..).unwrap_or_default();
        let (wanted, admitted) = (fresh.len(), self.meter.admit(fresh));
        buf.set_filled(before + admitted);
        // Zero bytes would read as the end of the output, so the refusal comes now.
        if admitted == 0 && wanted > 0 {
            return Poll::Ready(Err(self.meter.error()));
        }
        Poll::Ready(Ok(()))
    }
}

#[derive(Debug)]
struct Meter {
    cap: OutputCap,
    used: u64,
    over: bool,
}

impl Meter {
    /// How many of these bytes are within the cap. Fewer than all of them sets `over` for good.
    fn admit(&mut self, bytes: &[u8]) -> usize {
        let (cap, by_line) = match self.cap {
            OutputCap::Total(cap) => (cap, false),
            OutputCap::Line(cap) => (cap, true),
        };
        for (at, byte) in bytes.iter().enumerate() {
            if by_line && *byte == b'\n' {
                self.used = 0;
            } else if self.used == cap {
                self.over = true;
                return at;
            } else {
                self.used += 1;
            }
        }
        bytes.len()
    }

    fn error(&self) -> io::Error {
        let source = match self.cap {
            OutputCap::Total(cap) => OutputTooLong::Total { cap },
            OutputCap::Line(cap) => OutputTooLong::Line { cap },
        };
        io::Error::new(io::ErrorKind::FileTooLarge, source)
    }
}
