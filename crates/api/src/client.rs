//! The client's half: asking, changing, watching, and what to do when the keeper is gone or silent.
//!
//! A connection that is lost is made again for [`RECONNECT_WITHIN`], and what was asked is sent again. For a change
//! that is safe because of its inbox id: the keeper that recorded it, or the next one, gives the recorded answer.
//! After that time the caller may take the keeper's lock itself and make the same change under the same id.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use steadyhand_model::ids::{InboxId, RunId, Seq, StepId};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, sleep, timeout};

use crate::exit::ExitCode;
use crate::frame::{FrameError, REPLY_BYTES_MAX, ReplyFrame, RequestFrame, RequestId, UNREADABLE};
use crate::lines::{Filled, LineError, Lines};
use crate::problem::{Problem, ProblemCode};
use crate::reply::{Reply, Response, WatchEnd, WatchEvent};
use crate::request::Request;
use crate::socket::{self, Peer};

/// A keeper that takes a request and says nothing for this long is named with its pid.
pub const SILENCE_MAX: Duration = Duration::from_secs(2);
/// How long a lost connection is made again.
pub const RECONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Between two tries to connect, after one that failed.
pub const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The caller may become the keeper.
    #[error("no keeper lives in this state directory")]
    NoKeeper,
    #[error("the keeper, process {pid}, took the request and said nothing for {} s", SILENCE_MAX.as_secs())]
    Silent { pid: u32 },
    #[error("the connection to the keeper was lost and could not be made again for {} s", RECONNECT_WITHIN.as_secs())]
    Lost,
    #[error("the keeper takes no connections: too many wait")]
    NotAccepting,
    #[error("the keeper's socket cannot be used")]
    Socket {
        #[source]
        source: io::Error,
    },
    #[error("the request cannot be sent")]
    Request {
        #[source]
        source: FrameError,
    },
    #[error("the keeper's reply cannot be read")]
    Reply {
        #[source]
        source: FrameError,
    },
    #[error("the keeper answered another question than the one asked")]
    OtherReply,
    /// The keeper's own word.
    #[error("{}", .0.title)]
    Problem(Box<Problem>),
}

impl ClientError {
    /// What to show. `change` is the id of the change that was asked for, if it was one: with the keeper silent or
    /// gone, nobody knows whether it was recorded.
    pub fn problem(&self, change: Option<&InboxId>) -> Problem {
        let doubtful = if change.is_some() { ExitCode::Unknown } else { ExitCode::Failed };
        let (code, help, exit) = match self {
            Self::Problem(problem) => return (**problem).clone(),
            Self::NoKeeper => (
                ProblemCode::NO_KEEPER,
                "nothing runs here; `steady run`, `handle`, `drill` or `resume` begin",
                ExitCode::Failed,
            ),
            Self::Silent { .. } => (
                ProblemCode::SILENT,
                "see whether that process is stopped (`ps`); if it hangs, end it and type the command again",
                doubtful,
            ),
            Self::Lost => (
                ProblemCode::LOST,
                "`steady status` says what was recorded; `steady resume` takes the runs up again",
                doubtful,
            ),
            Self::NotAccepting => {
                (ProblemCode::BUSY, "close a `steady watch` in another terminal", ExitCode::Failed)
            }
            Self::Socket { .. } => (
                ProblemCode::SOCKET,
                "see who owns the state directory; `--state DIR` names another one",
                ExitCode::Failed,
            ),
            Self::Request { source } => (source.code(), source.help(), ExitCode::Failed),
            Self::Reply { source } => (source.code(), source.help(), doubtful),
            Self::OtherReply => (
                ProblemCode::BAD_FRAME,
                "use the same version of steady in both terminals",
                doubtful,
            ),
        };
        Problem::of(code, self, help, exit)
    }
}

/// Why one exchange did not end: only a lost connection is worth another.
#[derive(Debug)]
enum Broken {
    Connection,
    Final(ClientError),
}

impl From<ClientError> for Broken {
    fn from(error: ClientError) -> Self {
        Self::Final(error)
    }
}

#[derive(Debug)]
struct Link {
    lines: Lines<OwnedReadHalf>,
    write: OwnedWriteHalf,
    keeper: Peer,
}

impl Link {
    async fn open(state_dir: &Path) -> Result<Self, ClientError> {
        let directory = match socket::open_directory(state_dir) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Err(ClientError::NoKeeper),
            Err(source) => return Err(ClientError::Socket { source: source.into() }),
        };
        let stream = match UnixStream::connect(socket::path_in(&directory)).await {
            Ok(stream) => stream,
            Err(source) => {
                return Err(match source.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                        ClientError::NoKeeper
                    }
                    io::ErrorKind::WouldBlock => ClientError::NotAccepting,
                    _ => ClientError::Socket { source },
                });
            }
        };
        let keeper = socket::peer(&stream)
            .map_err(|source| ClientError::Socket { source: source.into() })?;
        let (read, write) = stream.into_split();
        Ok(Self { lines: Lines::new(read, REPLY_BYTES_MAX), write, keeper })
    }

    async fn send(&mut self, frame: &RequestFrame) -> Result<(), Broken> {
        let line = frame.encode().map_err(|source| ClientError::Request { source })?;
        match timeout(SILENCE_MAX, self.write.write_all(&line)).await {
            Ok(Ok(())) => Ok(()),
            // What it said before it closed may still be there to be read.
            Ok(Err(source)) if is_lost(&source) => Ok(()),
            Ok(Err(source)) => Err(ClientError::Socket { source }.into()),
            Err(_elapsed) => Err(ClientError::Silent { pid: self.keeper.pid }.into()),
        }
    }

    async fn line(&mut self) -> Result<Vec<u8>, Broken> {
        loop {
            match self.lines.take() {
                Ok(Some(line)) => return Ok(line),
                Ok(None) => {}
                Err(error) => return Err(broken(error)),
            }
            match self.lines.fill().await {
                Ok(Filled::More) => {}
                Ok(Filled::End) => return Err(Broken::Connection),
                Err(error) => return Err(broken(error)),
            }
        }
    }

    /// The next reply to a request that is more than `Working`.
    async fn reply(&mut self, id: RequestId) -> Result<Reply, Broken> {
        loop {
            let line = match timeout(SILENCE_MAX, self.line()).await {
                Ok(line) => line?,
                Err(_elapsed) => {
                    return Err(ClientError::Silent { pid: self.keeper.pid }.into());
                }
            };
            let frame =
                ReplyFrame::decode(&line).map_err(|source| ClientError::Reply { source })?;
            match frame.body {
                Reply::Problem(problem) if frame.id == id || frame.id == UNREADABLE => {
                    return Err(ClientError::Problem(Box::new(problem)).into());
                }
                _ if frame.id != id => return Err(ClientError::OtherReply.into()),
                Reply::Working => {}
                body => return Ok(body),
            }
        }
    }
}

fn is_lost(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

fn broken(error: LineError) -> Broken {
    match error {
        LineError::Cut => Broken::Connection,
        LineError::Read { source } if is_lost(&source) => Broken::Connection,
        LineError::Read { source } => Broken::Final(ClientError::Socket { source }),
        LineError::TooLong { max } => {
            Broken::Final(ClientError::Reply { source: FrameError::TooLarge { max } })
        }
    }
}

/// The time in which a lost connection may be made again: it begins with the first loss.
#[derive(Debug, Default)]
struct Patience {
    until: Option<Instant>,
}

/// A connection to the keeper of a state directory.
#[derive(Debug)]
pub struct Client {
    state_dir: PathBuf,
    link: Link,
    last: RequestId,
}

impl Client {
    /// # Errors
    /// [`ClientError::NoKeeper`] if nobody listens.
    pub async fn connect(state_dir: &Path) -> Result<Self, ClientError> {
        let link = Link::open(state_dir).await?;
        Ok(Self { state_dir: state_dir.to_owned(), link, last: UNREADABLE })
    }

    /// The process that listens, as the kernel names it.
    pub fn keeper(&self) -> Peer {
        self.link.keeper
    }

    /// Asks for something that changes nothing.
    ///
    /// # Errors
    /// The keeper's problem, or why there is no answer.
    pub async fn ask(&mut self, body: Request) -> Result<Response, ClientError> {
        self.exchange(None, body).await
    }

    /// Asks for a change. The same id with the same request may be given again, also to another keeper.
    ///
    /// # Errors
    /// The keeper's problem, or why there is no answer: after [`ClientError::Lost`] and [`ClientError::Silent`] it is
    /// not known whether the change was recorded.
    pub async fn change(&mut self, inbox: InboxId, body: Request) -> Result<Response, ClientError> {
        self.exchange(Some(inbox), body).await
    }

    /// Watches a run from an event on, until it has finished.
    ///
    /// # Errors
    /// If the request cannot be sent.
    pub async fn watch(mut self, run: RunId, from: Seq) -> Result<Watching, ClientError> {
        let mut patience = Patience::default();
        let body = Request::Watch { run: run.clone(), from };
        let id = loop {
            match self.send(None, body.clone()).await {
                Ok(id) => break id,
                Err(Broken::Final(error)) => return Err(error),
                Err(Broken::Connection) => self.reconnect(&mut patience).await?,
            }
        };
        Ok(Watching { client: self, id, run, next: from })
    }

    async fn exchange(
        &mut self,
        inbox: Option<InboxId>,
        body: Request,
    ) -> Result<Response, ClientError> {
        let mut patience = Patience::default();
        loop {
            match self.once(inbox.clone(), body.clone()).await {
                Ok(Reply::Response(response)) => return Ok(response),
                Ok(_) => return Err(ClientError::OtherReply),
                Err(Broken::Final(error)) => return Err(error),
                Err(Broken::Connection) => self.reconnect(&mut patience).await?,
            }
        }
    }

    async fn once(&mut self, inbox: Option<InboxId>, body: Request) -> Result<Reply, Broken> {
        let id = self.send(inbox, body).await?;
        self.link.reply(id).await
    }

    async fn send(&mut self, inbox: Option<InboxId>, body: Request) -> Result<RequestId, Broken> {
        let id = RequestId(self.last.0.saturating_add(1));
        let frame =
            RequestFrame::new(id, inbox, body).map_err(|source| ClientError::Request { source })?;
        self.last = id;
        self.link.send(&frame).await?;
        Ok(id)
    }

    /// Connects again: at once after the first loss, then with pauses, as long as there is patience.
    async fn reconnect(&mut self, patience: &mut Patience) -> Result<(), ClientError> {
        let until = match patience.until {
            Some(until) => {
                sleep(RECONNECT_PAUSE).await;
                until
            }
            None => *patience.until.insert(Instant::now() + RECONNECT_WITHIN),
        };
        while Instant::now() < until {
            match Link::open(&self.state_dir).await {
                Ok(link) => {
                    self.link = link;
                    return Ok(());
                }
                Err(ClientError::NoKeeper | ClientError::NotAccepting) => {
                    sleep(RECONNECT_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
        Err(ClientError::Lost)
    }
}

/// What watching brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    Event(Box<WatchEvent>),
    /// Progress that is not recorded.
    Note {
        step: Option<StepId>,
        text: String,
    },
    End(WatchEnd),
}

/// A run that is watched.
#[derive(Debug)]
pub struct Watching {
    client: Client,
    id: RequestId,
    run: RunId,
    next: Seq,
}

impl Watching {
    /// The next event, each once and in order, also over a lost connection.
    ///
    /// # Errors
    /// The keeper's problem, or why nothing more will come.
    pub async fn next(&mut self) -> Result<Watched, ClientError> {
        let mut patience = Patience::default();
        loop {
            match self.client.link.reply(self.id).await {
                Ok(Reply::Event(event)) if event.seq >= self.next => {
                    self.next = event.seq.next();
                    return Ok(Watched::Event(event));
                }
                Ok(Reply::Note { step, text }) => return Ok(Watched::Note { step, text }),
                Ok(Reply::End(end)) => return Ok(Watched::End(end)),
                Ok(_) => return Err(ClientError::OtherReply),
                Err(Broken::Final(error)) => return Err(error),
                Err(Broken::Connection) => self.again(&mut patience).await?,
            }
        }
    }

    async fn again(&mut self, patience: &mut Patience) -> Result<(), ClientError> {
        loop {
            self.client.reconnect(patience).await?;
            let body = Request::Watch { run: self.run.clone(), from: self.next };
            match self.client.send(None, body).await {
                Ok(id) => {
                    self.id = id;
                    return Ok(());
                }
                Err(Broken::Final(error)) => return Err(error),
                Err(Broken::Connection) => {}
            }
        }
    }
}
