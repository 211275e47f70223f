//! One JSON-RPC message a line, strictly: a capped line, no duplicate keys, no trailing text, no fractions.
//!
//! `rmcp` alone would keep the last of two equal keys, and answers an oversized line with nothing. Here each refused
//! line is answered with an error under its own id where the id can still be made out.

use std::cell::RefCell;
use std::fmt;

use rmcp::RoleServer;
use rmcp::model::{ErrorData, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use steadyhand_model::canonical::{CanonicalError, parse_strict};
use steadyhand_model::exchange::REQUEST_BYTES_MAX;
use steadyhand_model::text::Escaped;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader, Empty};

/// Longest refusal of a line, in characters.
const WHY_CHARS_MAX: usize = 500;

/// The server's end of a byte stream.
pub(crate) struct StrictLines<R, W: AsyncWrite> {
    read: BufReader<R>,
    line: Vec<u8>,
    /// The present line is too long; its head is kept in `line`, its rest is dropped.
    overflowed: bool,
    write: AsyncRwTransport<RoleServer, Empty, W>,
}

enum Line {
    Whole,
    TooLong,
    End,
}

impl<R, W> StrictLines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub(crate) fn new(read: R, write: W) -> Self {
        Self {
            read: BufReader::new(read),
            line: Vec::new(),
            overflowed: false,
            write: AsyncRwTransport::new(tokio::io::empty(), write),
        }
    }

    /// Safe to cancel: what was read so far stays in `self.line`.
    async fn next_line(&mut self) -> Line {
        loop {
            let available = match self.read.fill_buf().await {
                Ok([]) | Err(_) => return Line::End,
                Ok(available) => available,
            };
            let newline = available.iter().position(|b| *b == b'\n');
            let part = available.get(..newline.unwrap_or(available.len())).unwrap_or_default();
            let room = REQUEST_BYTES_MAX - self.line.len();
            self.overflowed |= part.len() > room;
            self.line.extend(part.iter().take(room));
            let used = part.len() + usize::from(newline.is_some());
            self.read.consume(used);
            if newline.is_some() {
                return if self.overflowed { Line::TooLong } else { Line::Whole };
            }
        }
    }

    /// Sends a refusal from a task of its own, so that a cancelled `receive` cannot cut it in two.
    fn refuse(&mut self, error: ErrorData) {
        let id = id_of(&self.line);
        tracing::debug!(error = %error.message, "a line was refused");
        let sending = self.write.send(TxJsonRpcMessage::<RoleServer>::error(error, id));
        tokio::spawn(async move {
            if let Err(error) = sending.await {
                tracing::debug!(%error, "the refusal could not be sent");
            }
        });
    }
}

impl<R, W> Transport<RoleServer> for StrictLines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = std::io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.write.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let message = match self.next_line().await {
                Line::End => return None,
                Line::TooLong => Err(LineError::TooLong),
                Line::Whole if self.line.iter().all(u8::is_ascii_whitespace) => Ok(None),
                Line::Whole => message(&self.line).map(Some),
            };
            match message {
                Ok(Some(message)) => {
                    self.clear();
                    return Some(message);
                }
                Ok(None) => {}
                Err(error) => self.refuse(ErrorData::invalid_request(whole(&error), None)),
            }
            self.clear();
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.write.close().await
    }
}

impl<R, W: AsyncWrite> StrictLines<R, W> {
    fn clear(&mut self) {
        self.line.clear();
        self.overflowed = false;
    }
}

/// Why a line is no message.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("a message has at most {REQUEST_BYTES_MAX} bytes")]
    TooLong,
    #[error("a message is strict JSON")]
    Json {
        #[source]
        source: CanonicalError,
    },
    #[error("this is not a message of MCP")]
    Message {
        #[source]
        source: serde_json::Error,
    },
}

fn message(line: &[u8]) -> Result<RxJsonRpcMessage<RoleServer>, LineError> {
    let json = parse_strict(line).map_err(|source| LineError::Json { source })?;
    serde_json::from_value(json).map_err(|source| LineError::Message { source })
}

/// The whole chain in one line: the answer is about the caller's own bytes, and shows them escaped.
fn whole(error: &LineError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    Escaped::short(&text, WHY_CHARS_MAX).to_string()
}

/// The id of a message that is cut off or not strict JSON, if it comes before the fault.
fn id_of(line: &[u8]) -> Option<RequestId> {
    let found = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(line);
    if let Err(fault) = (FindId { found: &found }).deserialize(&mut reader) {
        tracing::trace!(%fault, "the line is broken, as expected");
    }
    found.into_inner()
}

struct FindId<'a> {
    found: &'a RefCell<Option<RequestId>>,
}

impl<'de> DeserializeSeed<'de> for FindId<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FindId<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an id")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "id" {
                let id = map.next_value()?;
                self.found.replace(Some(id));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_before_a_fault() {
        let cases = [
            (r#"{"jsonrpc":"2.0","id":7,"method":"x","method":"y"}"#, Some(RequestId::Number(7))),
            (r#"{"id":"a","params":{"text":"cut of"#, Some(RequestId::String("a".into()))),
            (r#"{"params":{"text":"cut of"#, None),
            ("[1]", None),
            ("", None),
        ];
        for (line, want) in cases {
            assert_eq!(id_of(line.as_bytes()), want, "{line}");
        }
    }
}
