//! The last bytes that a child wrote to stderr.

use std::collections::VecDeque;

/// Bytes of stderr that are kept; older ones are counted and dropped. A child is never blocked by writing more.
pub const STDERR_KEPT_BYTES: usize = 64 * 1024;

/// A copy of the tail as it was when it was asked for. Raw bytes of the program: escape before showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StderrTail {
    /// The last [`STDERR_KEPT_BYTES`] at most.
    pub bytes: Vec<u8>,
    /// Bytes written before these and no longer kept. Not zero means that the first line may be cut.
    pub dropped: u64,
}

impl StderrTail {
    /// Its lines, without the newlines. The bytes after the last newline are a line if there are any.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let whole = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        whole.split(|byte| *byte == b'\n').filter(|_| !self.bytes.is_empty())
    }
}

#[derive(Debug)]
pub(crate) struct Tail {
    kept: VecDeque<u8>,
    dropped: u64,
}

impl Tail {
    pub(crate) fn new() -> Self {
        Self { kept: VecDeque::new(), dropped: 0 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.kept.extend(bytes);
        let excess = self.kept.len().saturating_sub(STDERR_KEPT_BYTES);
        self.kept.drain(..excess);
        self.dropped += excess as u64;
    }

    pub(crate) fn copy(&self) -> StderrTail {
        StderrTail { bytes: self.kept.iter().copied().collect(), dropped: self.dropped }
    }
}
