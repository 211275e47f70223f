//! The host's end of a byte stream: one JSON-RPC message a line, strictly.
//!
//! Capped lines, no duplicate keys, no trailing text, no fractions. A line that is no message fails the request that it
//! would have answered; if that cannot be made out, nothing on this stream can be believed any more and it ends.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rmcp::RoleClient;
use rmcp::model::{
    ErrorCode, ErrorData, GetExtensions as _, JsonRpcMessage, RequestId, ServerNotification,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use steadyhand_model::canonical::{CanonicalError, parse_strict};
use steadyhand_model::exchange::{REPLY_BYTES_MAX, REQUEST_BYTES_MAX};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

use crate::redact::told_error;
use crate::ticket::{Ticket, Unsent};

/// Most bytes of an oversized line that are dropped before the stream is given up: 16 MiB.
pub(crate) const LINE_BYTES_DROPPED_MAX: u64 = 4 * REPLY_BYTES_MAX as u64;

/// Code of the error that stands for a line that was no message. It is made here and never goes over the wire.
pub(crate) const BAD_LINE_CODE: ErrorCode = ErrorCode(-32098);

/// What the stream has told beside its messages.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Why the stream ended, if that was not its peer's choice.
    pub(crate) fault: OnceLock<String>,
    /// The server said something about its tools, or something that could not be understood.
    pub(crate) stale: AtomicBool,
}

/// A stream to a tool server.
pub(crate) struct Wire<R, W> {
    read: BufReader<R>,
    line: Vec<u8>,
    /// The present line is too long; its head is kept in `line`, its rest is dropped.
    overflowed: bool,
    /// Shared by the requests that are being written; one whole line is written under it. None: closed.
    write: Arc<tokio::sync::Mutex<Option<W>>>,
    news: Arc<News>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("the message cannot be written as JSON")]
    Form {
        #[source]
        source: serde_json::Error,
    },
    #[error(transparent)]
    Unsent(Unsent),
    #[error("the pipe broke while the message was written")]
    Pipe {
        #[source]
        source: std::io::Error,
    },
}

enum Line {
    Whole,
    TooLong,
    End,
}

impl<R: AsyncRead + Send + Unpin, W> Wire<R, W> {
    pub(crate) fn new(read: R, write: W, news: Arc<News>) -> Self {
        Self {
            read: BufReader::new(read),
            line: Vec::new(),
            overflowed: false,
            // Guards the writing half: see the field.
            write: Arc::new(tokio::sync::Mutex::new(Some(write))),
            news,
        }
    }

    /// Safe to cancel: what was read so far stays in `self.line`.
    async fn next_line(&mut self) -> Line {
        loop {
            let available = match self.read.fill_buf().await {
                Ok([]) => return Line::End,
                Ok(available) => available,
                Err(error) => {
                    if self.news.fault.set(told_error(&error)).is_err() {
                        tracing::debug!(%error, "a second fault of the same stream");
                    }
                    return Line::End;
                }
            };
            let newline = available.iter().position(|b| *b == b'\n');
            let part = available.get(..newline.unwrap_or(available.len())).unwrap_or_default();
            let room = REPLY_BYTES_MAX - self.line.len();
            self.overflowed |= part.len() > room;
            self.line.extend(part.iter().take(room));
            let used = part.len() + usize::from(newline.is_some());
            self.read.consume(used);
            if newline.is_some() {
                return if self.overflowed { Line::TooLong } else { Line::Whole };
            }
        }
    }

    fn clear(&mut self) {
        self.line.clear();
        self.overflowed = false;
    }

    /// What becomes of a line that is no message: the failure of one request, nothing, or the end of the stream.
    fn refuse(&self, error: &LineError) -> Refused {
        let why = told_error(error);
        match addressee(&self.line) {
            Addressee::Reply(id) => {
                let error = ErrorData::new(BAD_LINE_CODE, why, None);
                Refused::Request(Box::new(JsonRpcMessage::error(error, Some(id))))
            }
            Addressee::Saying => {
                tracing::debug!(why, "a notification was not understood");
                self.news.stale.store(true, Ordering::Release);
                Refused::Nothing
            }
            Addressee::Nobody => {
                if self.news.fault.set(why).is_err() {
                    tracing::debug!("a second fault of the same stream");
                }
                Refused::Stream
            }
        }
    }
}

enum Refused {
    Request(Box<RxJsonRpcMessage<RoleClient>>),
    Nothing,
    Stream,
}

impl<R, W> Transport<RoleClient> for Wire<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = SendError;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'static {
        // Guards the writing half: see the field.
        let write = Arc::clone(&self.write);
        async move {
            let ticket = ticket_of(&item);
            let mut line =
                serde_json::to_vec(&item).map_err(|source| SendError::Form { source })?;
            let refuse = |why| {
                if let Some(ticket) = &ticket {
                    ticket.never(why);
                }
                SendError::Unsent(why)
            };
            if line.len() > REQUEST_BYTES_MAX {
                return Err(refuse(Unsent::TooLong { bytes: line.len() }));
            }
            line.push(b'\n');
            let mut pipe = write.lock().await;
            let Some(pipe) = pipe.as_mut() else { return Err(refuse(Unsent::Closed)) };
            if let Some(ticket) = &ticket {
                ticket.start().map_err(SendError::Unsent)?;
            }
            put(pipe, &line, ticket.as_deref()).await
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            let heard = match self.next_line().await {
                Line::End => return None,
                Line::TooLong => Err(LineError::TooLong),
                Line::Whole if self.line.iter().all(u8::is_ascii_whitespace) => Ok(None),
                Line::Whole => message(&self.line).map(Some),
            };
            let heard = match heard {
                Ok(heard) => heard,
                Err(error) => match self.refuse(&error) {
                    Refused::Request(failure) => Some(*failure),
                    Refused::Nothing => None,
                    Refused::Stream => return None,
                },
            };
            self.clear();
            if heard.as_ref().is_some_and(changes_tools) {
                // Here, before any later answer is handed out: whoever asks next looks first.
                self.news.stale.store(true, Ordering::Release);
            }
            if heard.is_some() {
                return heard;
            }
        }
    }

    async fn close(&mut self) -> Result<(), SendError> {
        drop(self.write.lock().await.take());
        Ok(())
    }
}

fn changes_tools(message: &RxJsonRpcMessage<RoleClient>) -> bool {
    matches!(
        message,
        JsonRpcMessage::Notification(said)
            if matches!(said.notification, ServerNotification::ToolListChangedNotification(_))
    )
}

/// The ticket that came with a request, if it is one that somebody counts on.
fn ticket_of(item: &TxJsonRpcMessage<RoleClient>) -> Option<Arc<Ticket>> {
    match item {
        JsonRpcMessage::Request(request) => {
            request.request.extensions().get::<Arc<Ticket>>().cloned()
        }
        JsonRpcMessage::Response(_)
        | JsonRpcMessage::Notification(_)
        | JsonRpcMessage::Error(_) => None,
    }
}

async fn put<W: AsyncWrite + Unpin>(
    pipe: &mut W,
    line: &[u8],
    ticket: Option<&Ticket>,
) -> Result<(), SendError> {
    let mut rest = line;
    while !rest.is_empty() {
        let written = match pipe.write(rest).await {
            Ok(0) => Err(std::io::ErrorKind::WriteZero.into()),
            other => other,
        };
        match written {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(source) => {
                if let Some(ticket) = ticket
                    && rest.len() == line.len()
                {
                    ticket.never(Unsent::Pipe(source.kind()));
                }
                return Err(SendError::Pipe { source });
            }
        }
    }
    pipe.flush().await.map_err(|source| SendError::Pipe { source })
}

/// Why a line is no message.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("a reply has more than {REPLY_BYTES_MAX} bytes")]
    TooLong,
    #[error("a line is not strict JSON")]
    Json {
        #[source]
        source: CanonicalError,
    },
    #[error("a line is not a message of MCP")]
    Message {
        #[source]
        source: serde_json::Error,
    },
}

fn message(line: &[u8]) -> Result<RxJsonRpcMessage<RoleClient>, LineError> {
    let json = parse_strict(line).map_err(|source| LineError::Json { source })?;
    serde_json::from_value(json).map_err(|source| LineError::Message { source })
}

/// Whom a line that is no message would have reached.
#[derive(Debug, PartialEq, Eq)]
enum Addressee {
    /// The request with this id.
    Reply(RequestId),
    /// The server said something by itself.
    Saying,
    Nobody,
}

/// Reads as far as the fault.
fn addressee(line: &[u8]) -> Addressee {
    let found = RefCell::new(Found::default());
    let mut reader = serde_json::Deserializer::from_slice(line);
    if let Err(fault) = (FindId { found: &found }).deserialize(&mut reader) {
        tracing::trace!(%fault, "the line is broken, as expected");
    }
    match found.into_inner() {
        Found { method: true, .. } => Addressee::Saying,
        Found { id: Some(id), .. } => Addressee::Reply(id),
        Found { id: None, .. } => Addressee::Nobody,
    }
}

#[derive(Debug, Default)]
struct Found {
    id: Option<RequestId>,
    method: bool,
}

struct FindId<'a> {
    found: &'a RefCell<Found>,
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
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "id" => {
                    let id = map.next_value()?;
                    self.found.borrow_mut().id = Some(id);
                }
                "method" => {
                    self.found.borrow_mut().method = true;
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
