//! Frames: one JSON object a line, `{"v":1,"id":…,"body":…}`.
//!
//! Read strictly. A frame must say exactly what its type says: after reading it is written again, and if that is not
//! the same document, it is refused. So a field that is not known, a key that stands twice, an array where an object
//! belongs or a `null` for something left out never passes.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::ids::InboxId;

use crate::problem::ProblemCode;
use crate::reply::Reply;
use crate::request::{RUNS_MAX, Request, RunsFilter};

/// Version of the protocol.
pub const PROTOCOL: u64 = 1;
/// Largest request, in bytes: 1.5 MiB, so that a notification's body of 1 MiB fits as base64.
pub const REQUEST_BYTES_MAX: usize = 1536 * 1024;
/// Largest reply, in bytes: 16 MiB, so that the largest plan and its facts fit.
pub const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Chosen by the client, unique on its connection, from 1. Zero answers what could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// The id of a reply to a request that could not be read.
pub const UNREADABLE: RequestId = RequestId(0);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestFrame {
    v: u64,
    pub id: RequestId,
    /// With a change, and only with a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox: Option<InboxId>,
    pub body: Request,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyFrame {
    v: u64,
    pub id: RequestId,
    pub body: Reply,
}

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame has more than {max} bytes")]
    TooLarge { max: usize },
    #[error("a frame is not strict JSON")]
    Json {
        #[source]
        source: CanonicalError,
    },
    #[error("a frame is not a JSON object")]
    NotObject,
    /// `found` is canonical JSON.
    #[error(
        "the other side speaks version {found} of the protocol, this program speaks version {PROTOCOL}"
    )]
    Version { found: String },
    #[error("a frame is not of a known form")]
    Form {
        #[source]
        source: CanonicalError,
    },
    #[error("a frame says more, less or something else than its form has")]
    NotExact,
    #[error("a frame cannot be written")]
    Write {
        #[source]
        source: CanonicalError,
    },
    #[error("a change came without an inbox id")]
    NoInbox,
    #[error("a request that changes nothing came with an inbox id")]
    NeedlessInbox,
    #[error("the id 0 is not for requests")]
    ReservedId,
    #[error("a list of {limit} runs was asked for, at most {RUNS_MAX} are sent")]
    TooMany { limit: u32 },
}

impl FrameError {
    pub(crate) fn code(&self) -> ProblemCode {
        match self {
            Self::TooLarge { .. } => ProblemCode::TOO_LARGE,
            Self::Version { .. } => ProblemCode::OTHER_VERSION,
            Self::Json { .. }
            | Self::NotObject
            | Self::Form { .. }
            | Self::NotExact
            | Self::Write { .. }
            | Self::NoInbox
            | Self::NeedlessInbox
            | Self::ReservedId
            | Self::TooMany { .. } => ProblemCode::BAD_FRAME,
        }
    }

    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "ask for less: one run, or a shorter list",
            Self::Version { .. } => {
                "use the same version of steady in both terminals; let the older one end its runs first"
            }
            Self::Json { .. }
            | Self::NotObject
            | Self::Form { .. }
            | Self::NotExact
            | Self::Write { .. }
            | Self::NoInbox
            | Self::NeedlessInbox
            | Self::ReservedId
            | Self::TooMany { .. } => "only `steady` of the same version speaks to this socket",
        }
    }
}

impl RequestFrame {
    /// # Errors
    /// If the id is 0, or the inbox id does not go with the request.
    pub fn new(id: RequestId, inbox: Option<InboxId>, body: Request) -> Result<Self, FrameError> {
        let frame = Self { v: PROTOCOL, id, inbox, body };
        frame.check()?;
        Ok(frame)
    }

    fn check(&self) -> Result<(), FrameError> {
        if self.id == UNREADABLE {
            return Err(FrameError::ReservedId);
        }
        match (self.body.is_change(), &self.inbox) {
            (true, None) => return Err(FrameError::NoInbox),
            (false, Some(_)) => return Err(FrameError::NeedlessInbox),
            (true, Some(_)) | (false, None) => {}
        }
        match self.body {
            Request::Runs { filter: RunsFilter::Newest { limit } } if limit > RUNS_MAX => {
                Err(FrameError::TooMany { limit })
            }
            _ => Ok(()),
        }
    }

    /// One line, with its end.
    ///
    /// # Errors
    /// If it is too large.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        encode(self, REQUEST_BYTES_MAX)
    }

    /// Reads a line without its end.
    ///
    /// # Errors
    /// If it is anything but a frame of this version.
    pub fn decode(line: &[u8]) -> Result<Self, FrameError> {
        let frame: Self = decode(line, REQUEST_BYTES_MAX)?;
        frame.check()?;
        Ok(frame)
    }
}

impl ReplyFrame {
    pub fn new(id: RequestId, body: Reply) -> Self {
        Self { v: PROTOCOL, id, body }
    }

    /// One line, with its end.
    ///
    /// # Errors
    /// If it is too large.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        encode(self, REPLY_BYTES_MAX)
    }

    /// Reads a line without its end.
    ///
    /// # Errors
    /// If it is anything but a frame of this version.
    pub fn decode(line: &[u8]) -> Result<Self, FrameError> {
        decode(line, REPLY_BYTES_MAX)
    }
}

fn encode<T: Serialize>(frame: &T, max: usize) -> Result<Vec<u8>, FrameError> {
    let text = CanonicalJson::of(frame).map_err(|source| FrameError::Write { source })?;
    let mut line = text.as_str().as_bytes().to_vec();
    if line.len() > max {
        return Err(FrameError::TooLarge { max });
    }
    line.push(b'\n');
    Ok(line)
}

/// Only the version is read: another version may have any other form.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    v: Option<CanonicalJson>,
}

fn decode<T: DeserializeOwned + Serialize>(line: &[u8], max: usize) -> Result<T, FrameError> {
    if line.len() > max {
        return Err(FrameError::TooLarge { max });
    }
    let json = CanonicalJson::parse(line).map_err(|source| FrameError::Json { source })?;
    if !json.as_str().starts_with('{') {
        return Err(FrameError::NotObject);
    }
    let head: Head = json.read().map_err(|source| FrameError::Form { source })?;
    let version = head.v.as_ref().map_or("none", CanonicalJson::as_str);
    if version != PROTOCOL.to_string() {
        return Err(FrameError::Version { found: version.to_owned() });
    }
    let frame: T = json.read().map_err(|source| FrameError::Form { source })?;
    let again = CanonicalJson::of(&frame).map_err(|source| FrameError::Write { source })?;
    if again == json { Ok(frame) } else { Err(FrameError::NotExact) }
}
