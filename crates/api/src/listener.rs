//! The keeper's half: binding, connections, requests in and replies out. Every wait on a client is bounded.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::exit::ExitCode;
use crate::frame::{
    FrameError, REQUEST_BYTES_MAX, ReplyFrame, RequestFrame, RequestId, UNREADABLE,
};
use crate::lines::{Filled, LineError, Lines};
use crate::problem::{Problem, ProblemCode};
use crate::reply::Reply;
use crate::socket::{self, LOCK_NAME, Peer, SOCKET_NAME};

/// Most connections at once.
pub const CONNECTIONS_MAX: usize = 64;
/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 128;
/// A first request must be whole this long after connecting, a later one this long after its first byte.
pub const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// A client that asks for nothing and watches nothing is let go after this.
pub const IDLE_MAX: Duration = Duration::from_secs(600);
/// A client that does not read is let go after this.
pub const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How often a client that waits is told that the keeper lives. Well below the client's own patience.
pub const HEARTBEAT: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("the state directory cannot be opened")]
    Directory {
        #[source]
        source: Errno,
    },
    #[error("the lock that was given is not {LOCK_NAME} of this state directory")]
    OtherLock,
    #[error("{LOCK_NAME} is held by another process")]
    NotHeld,
    #[error("the lock file cannot be looked at")]
    Lock {
        #[source]
        source: Errno,
    },
    #[error("{SOCKET_NAME} exists and is not a socket; it was left alone")]
    NotSocket,
    #[error("the socket file of a keeper that is gone cannot be removed")]
    Stale {
        #[source]
        source: Errno,
    },
    #[error("the socket cannot be made")]
    Make {
        #[source]
        source: Errno,
    },
    #[error("the socket cannot be listened on")]
    Listen {
        #[source]
        source: io::Error,
    },
}

impl BindError {
    pub fn problem(&self) -> Problem {
        let help =
            "see who owns the state directory and what is in it; `--state DIR` names another one";
        Problem::of(ProblemCode::SOCKET, self, help, ExitCode::Failed)
    }
}

/// The socket of the one keeper of a state directory.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    slots: Arc<Semaphore>,
}

impl Listener {
    /// Binds `keeper.sock`, with mode 0600 from its first moment. Needs a tokio runtime.
    ///
    /// `lock` is the open `keeper.lock` of the same directory, which the caller holds: under it, a socket file that
    /// is there already belongs to a keeper that is gone, and is removed.
    ///
    /// # Errors
    /// If the lock is another file or is held by somebody else, something else stands in the socket's place, or the kernel refuses.
    pub fn bind(state_dir: &Path, lock: impl AsFd) -> Result<Self, BindError> {
        let directory =
            socket::open_directory(state_dir).map_err(|source| BindError::Directory { source })?;
        let held = rustix::fs::fstat(&lock).map_err(|source| BindError::Lock { source })?;
        let there = rustix::fs::statat(&directory, LOCK_NAME, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|source| BindError::Lock { source })?;
        if (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino) {
            return Err(BindError::OtherLock);
        }
        // Granted again to whoever holds it, and only to that one.
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(BindError::NotHeld),
            Err(source) => return Err(BindError::Lock { source }),
        }
        remove_stale(&directory)?;

        let make = |source| BindError::Make { source };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(make)?;
        // Linux gives the file the mode of the unbound socket, so that there is no moment with a wider one.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR).map_err(make)?;
        let address = SocketAddrUnix::new(socket::path_in(&directory)).map_err(make)?;
        rustix::net::bind(&socket, &address).map_err(make)?;
        rustix::net::listen(&socket, BACKLOG).map_err(make)?;
        let socket =
            UnixListener::from_std(socket.into()).map_err(|source| BindError::Listen { source })?;
        Ok(Self { socket, slots: Arc::new(Semaphore::new(CONNECTIONS_MAX)) })
    }

    /// The next connection. One above [`CONNECTIONS_MAX`] is told so and let go.
    ///
    /// # Errors
    /// If the kernel refuses; a connection that ended before it was looked at is passed over.
    pub async fn accept(&self) -> Result<Connection, io::Error> {
        loop {
            let (stream, _) = self.socket.accept().await?;
            match Arc::clone(&self.slots).try_acquire_owned() {
                Ok(slot) => {
                    if let Ok(peer) = socket::peer(&stream) {
                        return Ok(Connection::new(stream, peer, slot));
                    }
                }
                Err(_full) => turn_away(&stream),
            }
        }
    }
}

fn remove_stale(directory: &std::os::fd::OwnedFd) -> Result<(), BindError> {
    let stale = |source| BindError::Stale { source };
    let found = match rustix::fs::statat(directory, SOCKET_NAME, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(()),
        Err(source) => return Err(stale(source)),
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        return Err(BindError::NotSocket);
    }
    rustix::fs::unlinkat(directory, SOCKET_NAME, AtFlags::empty()).map_err(stale)
}

#[derive(Debug, thiserror::Error)]
#[error("the keeper serves {CONNECTIONS_MAX} connections already")]
struct Full;

/// Says why, if the kernel takes it at once, and closes.
fn turn_away(stream: &UnixStream) {
    let help = "close a `steady watch` in another terminal, or try again";
    let problem = Problem::of(ProblemCode::BUSY, &Full, help, ExitCode::Failed);
    let frame = ReplyFrame::new(UNREADABLE, Reply::Problem(problem));
    if let Ok(line) = frame.encode() {
        // The client is let go whether it hears this or not.
        match stream.try_write(&line) {
            Ok(_) | Err(_) => {}
        }
    }
}

/// One client. Both halves are used on their own: a client may ask while it is being answered.
#[derive(Debug)]
pub struct Connection {
    pub peer: Peer,
    pub requests: Requests,
    pub replies: Replies,
}

impl Connection {
    fn new(stream: UnixStream, peer: Peer, slot: OwnedSemaphorePermit) -> Self {
        let (read, write) = stream.into_split();
        let requests = Requests {
            lines: Lines::new(read, REQUEST_BYTES_MAX),
            deadline: Some(Instant::now() + REQUEST_WITHIN),
            in_part: true,
            watching: false,
        };
        let replies = Replies { write, broken: false, _slot: slot };
        Self { peer, requests, replies }
    }
}

/// Why no request could be taken. The connection is of no more use; [`Replies::refuse`] says why to the client.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    #[error("the request cannot be read")]
    Frame {
        #[source]
        source: FrameError,
    },
    #[error("the client ended within a request")]
    Cut,
    #[error("the client sent no whole request in time")]
    Slow,
    #[error("the client asked for nothing")]
    Idle,
    #[error("the connection is lost")]
    Lost {
        #[source]
        source: io::Error,
    },
}

/// The requests of one client.
#[derive(Debug)]
pub struct Requests {
    lines: Lines<OwnedReadHalf>,
    /// When the wait that is under way ends.
    deadline: Option<Instant>,
    /// Whether that wait is for the rest of a request.
    in_part: bool,
    watching: bool,
}

impl Requests {
    /// The next request, or `None` when the client has closed. May be cancelled and called again.
    ///
    /// # Errors
    /// If what came is no request, or did not come in time.
    pub async fn next(&mut self) -> Result<Option<RequestFrame>, ReceiveError> {
        loop {
            if let Some(line) = self.lines.take().map_err(received)? {
                self.deadline = None;
                let frame =
                    RequestFrame::decode(&line).map_err(|source| ReceiveError::Frame { source })?;
                return Ok(Some(frame));
            }
            let deadline = self.deadline();
            let filled = if self.watching && !self.in_part {
                // The client waits for events and need not ask for anything.
                self.lines.fill().await
            } else {
                match timeout_at(deadline, self.lines.fill()).await {
                    Ok(filled) => filled,
                    Err(_elapsed) if self.in_part => return Err(ReceiveError::Slow),
                    Err(_elapsed) => return Err(ReceiveError::Idle),
                }
            };
            match filled.map_err(received)? {
                Filled::More => {}
                Filled::End => return Ok(None),
            }
        }
    }

    /// From now on the client need not ask for anything: it is being sent events.
    pub fn watches(&mut self) {
        self.watching = true;
    }

    fn deadline(&mut self) -> Instant {
        let part = self.lines.has_part();
        match self.deadline {
            // The first byte of a request starts its own time.
            Some(deadline) if self.in_part || !part => deadline,
            Some(_) | None => {
                let wait = if part { REQUEST_WITHIN } else { IDLE_MAX };
                self.in_part = part;
                *self.deadline.insert(Instant::now() + wait)
            }
        }
    }
}

fn received(error: LineError) -> ReceiveError {
    match error {
        LineError::TooLong { max } => ReceiveError::Frame { source: FrameError::TooLarge { max } },
        LineError::Cut => ReceiveError::Cut,
        LineError::Read { source } => ReceiveError::Lost { source },
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("the client does not read")]
    Slow,
    #[error("the client is gone")]
    Gone {
        #[source]
        source: io::Error,
    },
    #[error("an earlier reply was not sent whole")]
    Broken,
    #[error("the reply cannot be written")]
    Frame {
        #[source]
        source: FrameError,
    },
}

/// The replies to one client.
#[derive(Debug)]
pub struct Replies {
    write: OwnedWriteHalf,
    /// A reply was cut short: whatever follows would be read as its rest.
    broken: bool,
    _slot: OwnedSemaphorePermit,
}

impl Replies {
    /// Sends one reply. One that is too large is sent as the problem that it is.
    ///
    /// # Errors
    /// If the client is gone or does not read; the connection is of no more use then.
    pub async fn send(&mut self, id: RequestId, body: Reply) -> Result<(), SendError> {
        if self.broken {
            return Err(SendError::Broken);
        }
        let line = match ReplyFrame::new(id, body).encode() {
            Ok(line) => line,
            Err(error) => {
                let problem = Problem::of(error.code(), &error, error.help(), ExitCode::Failed);
                ReplyFrame::new(id, Reply::Problem(problem))
                    .encode()
                    .map_err(|source| SendError::Frame { source })?
            }
        };
        // Set before the wait: a caller may stop waiting half-way.
        self.broken = true;
        match timeout(WRITE_WITHIN, self.write.write_all(&line)).await {
            Ok(Ok(())) => {
                self.broken = false;
                Ok(())
            }
            Ok(Err(source)) => Err(SendError::Gone { source }),
            Err(_elapsed) => Err(SendError::Slow),
        }
    }

    /// Does the work, tells the client every [`HEARTBEAT`] that it goes on, and sends what came of it. Work that was
    /// begun is done to its end, although nobody may be listening any more.
    ///
    /// # Errors
    /// As [`Replies::send`], after the work is done.
    pub async fn answer(
        &mut self,
        id: RequestId,
        work: impl Future<Output = Reply>,
    ) -> Result<(), SendError> {
        let mut work = pin!(work);
        let mut heard = Ok(());
        let body = loop {
            if heard.is_err() {
                break work.await;
            }
            tokio::select! {
                biased;
                body = &mut work => break body,
                () = sleep(HEARTBEAT) => {}
            }
            // A client that does not read must not hold up the work.
            let mut telling = pin!(self.send(id, Reply::Working));
            tokio::select! {
                biased;
                body = &mut work => {
                    heard = telling.await;
                    break body;
                }
                told = &mut telling => heard = told,
            }
        };
        heard?;
        self.send(id, body).await
    }

    /// Says why a request was not taken. The connection should be dropped after it.
    ///
    /// # Errors
    /// As [`Replies::send`].
    pub async fn refuse(&mut self, error: &ReceiveError) -> Result<(), SendError> {
        let (code, help) = match error {
            ReceiveError::Frame { source } => (source.code(), source.help()),
            ReceiveError::Cut
            | ReceiveError::Slow
            | ReceiveError::Idle
            | ReceiveError::Lost { .. } => (ProblemCode::LOST, "type the command again"),
        };
        let problem = Problem::of(code, error, help, ExitCode::Failed);
        self.send(UNREADABLE, Reply::Problem(problem)).await
    }
}
