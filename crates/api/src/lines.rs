//! Lines out of a byte stream, bounded. Reading may be cancelled between any two bytes and goes on where it was.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes asked for at once.
const CHUNK: usize = 8 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    #[error("a line has more than {max} bytes")]
    TooLong { max: usize },
    #[error("the connection ended within a line")]
    Cut,
    #[error("the connection could not be read")]
    Read {
        #[source]
        source: io::Error,
    },
}

#[derive(Debug)]
pub(crate) struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are known to hold no line end.
    searched: usize,
    max: usize,
}

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filled {
    More,
    End,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(from: R, max: usize) -> Self {
        Self { from, buffer: Vec::new(), searched: 0, max }
    }

    /// Whether a line has begun.
    pub(crate) fn has_part(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// A whole line without its end, if one is there.
    pub(crate) fn take(&mut self) -> Result<Option<Vec<u8>>, LineError> {
        let fresh = self.buffer.iter().skip(self.searched).position(|b| *b == b'\n');
        let Some(length) = fresh.map(|at| at + self.searched) else {
            self.searched = self.buffer.len();
            if self.searched > self.max {
                return Err(LineError::TooLong { max: self.max });
            }
            return Ok(None);
        };
        if length > self.max {
            return Err(LineError::TooLong { max: self.max });
        }
        let rest = self.buffer.split_off(length + 1);
        let mut line = std::mem::replace(&mut self.buffer, rest);
        line.truncate(length);
        self.searched = 0;
        Ok(Some(line))
    }

    /// One read.
    pub(crate) async fn fill(&mut self) -> Result<Filled, LineError> {
        self.buffer.reserve(CHUNK);
        match self.from.read_buf(&mut self.buffer).await {
            Ok(0) if self.buffer.is_empty() => Ok(Filled::End),
            Ok(0) => Err(LineError::Cut),
            Ok(_) => Ok(Filled::More),
            Err(source) => Err(LineError::Read { source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8], max: usize) -> (Vec<String>, Option<String>) {
        let mut lines = Lines::new(bytes, max);
        let mut seen = Vec::new();
        loop {
            match lines.take() {
                Ok(Some(line)) => seen.push(String::from_utf8(line).unwrap()),
                Ok(None) => match lines.fill().await {
                    Ok(Filled::More) => {}
                    Ok(Filled::End) => return (seen, None),
                    Err(error) => return (seen, Some(error.to_string())),
                },
                Err(error) => return (seen, Some(error.to_string())),
            }
        }
    }

    #[tokio::test]
    async fn lines_are_bounded_on_both_sides() {
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let long = "a line has more than 3 bytes".to_owned();
        assert_eq!(read(b"", 3).await, (words(&[]), None));
        assert_eq!(read(b"abc\n\nx\n", 3).await, (words(&["abc", "", "x"]), None));
        assert_eq!(read(b"abcd\n", 3).await, (words(&[]), Some(long.clone())));
        assert_eq!(read(b"ab\nabcd", 3).await, (words(&["ab"]), Some(long)));
        let cut = "the connection ended within a line".to_owned();
        assert_eq!(read(b"ab\nabc", 3).await, (words(&["ab"]), Some(cut)));
    }

    #[tokio::test]
    async fn a_line_may_come_byte_by_byte() {
        let text = b"hello\nworld\n";
        let slow = tokio_test_reader(text);
        let mut lines = Lines::new(slow, 10);
        let mut seen = Vec::new();
        while seen.len() < 2 {
            match lines.take().unwrap() {
                Some(line) => seen.push(line),
                None => assert_eq!(lines.fill().await.unwrap(), Filled::More),
            }
        }
        assert_eq!(seen, [b"hello".to_vec(), b"world".to_vec()]);
        assert!(!lines.has_part());
    }

    /// A reader that gives one byte a read.
    fn tokio_test_reader(text: &[u8]) -> impl AsyncRead + Unpin + '_ {
        text.iter()
            .fold(Box::new(tokio::io::empty()) as Box<dyn AsyncRead + Unpin>, |before, byte| {
                Box::new(before.chain(io::Cursor::new(vec![*byte])))
            })
    }
}
