//! The listening half against honest, hostile and slow clients, over real sockets.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::time::Duration;

use expect_test::expect;
use steadyhand_api::frame::{REQUEST_BYTES_MAX, ReplyFrame, RequestFrame, RequestId, UNREADABLE};
use steadyhand_api::listener::{
    BindError, CONNECTIONS_MAX, Connection, HEARTBEAT, IDLE_MAX, Listener, REQUEST_WITHIN,
    ReceiveError, SendError, WRITE_WITHIN,
};
use steadyhand_api::problem::Problem;
use steadyhand_api::reply::{Reply, Response};
use steadyhand_api::request::Request;
use steadyhand_api::socket::SOCKET_NAME;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;
use tokio::time::{Instant, advance, timeout};

use crate::samples;
use crate::world::{StateDir, freeze};

/// A client that may say anything.
struct Raw {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Raw {
    async fn connect(dir: &StateDir) -> Self {
        let directory = fs::File::open(dir.path()).unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&directory);
        let stream =
            UnixStream::connect(format!("/proc/self/fd/{fd}/{SOCKET_NAME}")).await.unwrap();
        let (read, write) = stream.into_split();
        Self { read: BufReader::new(read), write }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.write.write_all(bytes).await.unwrap();
    }

    async fn ask(&mut self, id: u64) {
        let frame = RequestFrame::new(RequestId(id), None, Request::Status).unwrap();
        self.send(&frame.encode().unwrap()).await;
    }

    /// The next reply, or `None` when the keeper has closed.
    async fn reply(&mut self) -> Option<ReplyFrame> {
        let mut line = Vec::new();
        match self.read.read_until(b'\n', &mut line).await {
            Ok(0) => None,
            Ok(_) => Some(ReplyFrame::decode(line.strip_suffix(b"\n").unwrap()).unwrap()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }

    async fn problem(&mut self) -> (RequestId, Problem) {
        match self.reply().await {
            Some(ReplyFrame { id, body: Reply::Problem(problem), .. }) => (id, problem),
            other => panic!("{other:?}"),
        }
    }
}

async fn pair(dir: &StateDir, listener: &Listener) -> (Raw, Connection) {
    let (raw, connection) = tokio::join!(Raw::connect(dir), listener.accept());
    (raw, connection.unwrap())
}

async fn answer_status(connection: &mut Connection) -> RequestId {
    let frame = connection.requests.next().await.unwrap().unwrap();
    assert_eq!(frame.body, Request::Status);
    connection.replies.send(frame.id, Reply::Response(samples::status())).await.unwrap();
    frame.id
}

#[tokio::test(start_paused = true)]
async fn the_socket_is_its_owners_alone_and_knows_its_clients() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let found = fs::symlink_metadata(dir.path().join(SOCKET_NAME)).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    let (_raw, connection) = pair(&dir, &listener).await;
    assert_eq!(connection.peer.pid, std::process::id());
    assert_eq!(connection.peer.uid, found.uid());
}

#[tokio::test]
async fn only_a_dead_keepers_socket_is_removed() {
    let dir = StateDir::new();
    let socket = dir.path().join(SOCKET_NAME);
    drop(dir.bind());
    assert!(socket.exists());
    drop(dir.bind());
    fs::remove_file(&socket).unwrap();

    fs::write(&socket, "precious").unwrap();
    assert!(matches!(dir.try_bind(), Err(BindError::NotSocket)));
    assert_eq!(fs::read_to_string(&socket).unwrap(), "precious");
    fs::remove_file(&socket).unwrap();

    symlink("keeper.lock", &socket).unwrap();
    assert!(matches!(dir.try_bind(), Err(BindError::NotSocket)));
    assert!(fs::symlink_metadata(&socket).unwrap().is_symlink());
}

#[tokio::test]
async fn binding_needs_the_lock_of_the_same_directory() {
    let (dir, other) = (StateDir::new(), StateDir::new());
    let lock = fs::File::open(other.path().join("keeper.lock")).unwrap();
    let error = Listener::bind(dir.path(), &lock).unwrap_err();
    assert!(matches!(error, BindError::OtherLock), "{error}");
    assert_eq!(error.problem().code.to_string(), "SH0647");
    let listener = dir.bind();
    // The right file, opened again: its lock is held by the other keeper, whose socket must stay.
    let again = fs::File::open(dir.path().join("keeper.lock")).unwrap();
    let before = fs::symlink_metadata(dir.path().join(SOCKET_NAME)).unwrap().ino();
    let error = Listener::bind(dir.path(), &again).unwrap_err();
    assert!(matches!(error, BindError::NotHeld), "{error}");
    assert_eq!(fs::symlink_metadata(dir.path().join(SOCKET_NAME)).unwrap().ino(), before);
    drop(listener);
}

#[tokio::test(start_paused = true)]
async fn hostile_frames_end_their_own_connection_only() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let (mut honest, mut honest_side) = pair(&dir, &listener).await;

    let mut large = vec![b' '; 2 * 1024 * 1024];
    large.push(b'\n');
    let cases: [(&str, &[u8]); 8] = [
        ("garbage", b"\x00\xff\xfe garbage\n"),
        ("a 2 MiB line", &large),
        ("a key twice", b"{\"v\":1,\"id\":1,\"id\":2,\"body\":{\"type\":\"status\"}}\n"),
        ("an unknown field", b"{\"v\":1,\"id\":1,\"x\":2,\"body\":{\"type\":\"status\"}}\n"),
        ("another version", b"{\"v\":2,\"hello\":true}\n"),
        ("an empty line", b"\n"),
        ("half a frame", b"{\"v\":1,\"id\":1,"),
        (
            "a change without an id",
            b"{\"body\":{\"run\":\"last\",\"type\":\"pause\"},\"id\":1,\"v\":1}\n",
        ),
    ];
    let mut report = String::new();
    for (name, bytes) in cases {
        let (mut raw, mut connection) = pair(&dir, &listener).await;
        let hostile = async {
            // The keeper may close before all of it is written.
            let written = raw.write.write_all(bytes).await.is_ok();
            let closed = written && raw.write.shutdown().await.is_ok();
            (closed, raw)
        };
        let refused = async {
            let error = connection.requests.next().await.unwrap_err();
            connection.replies.refuse(&error).await.unwrap();
            drop(connection);
        };
        let ((_, mut raw), ()) = tokio::join!(hostile, refused);
        let (id, problem) = raw.problem().await;
        assert_eq!((id, raw.reply().await), (UNREADABLE, None), "{name}");
        let causes: String = problem
            .causes
            .iter()
            .map(|c| {
                format!(
                    "
    {c}"
                )
            })
            .collect();
        report.push_str(&format!("{name}\n  {} {}{causes}\n", problem.code, problem.title));

        // The others are not disturbed.
        honest.ask(9).await;
        answer_status(&mut honest_side).await;
        assert_eq!(honest.reply().await.unwrap().id, RequestId(9));
    }
    expect![[r#"
        garbage
          SH0644 the request cannot be read
            a frame is not strict JSON
            the document is not the JSON that was expected
            expected value at line 1 column 1
        a 2 MiB line
          SH0645 the request cannot be read
            a frame has more than 1572864 bytes
        a key twice
          SH0644 the request cannot be read
            a frame is not strict JSON
            the document is not the JSON that was expected
            the key "id" stands twice at line 1 column 20
        an unknown field
          SH0644 the request cannot be read
            a frame is not of a known form
            the document is not the JSON that was expected
            unknown field `x`, expected one of `v`, `id`, `inbox`, `body` at line 1 column 42
        another version
          SH0643 the request cannot be read
            the other side speaks version 2 of the protocol, this program speaks version 1
        an empty line
          SH0644 the request cannot be read
            a frame is not strict JSON
            the document is not the JSON that was expected
            EOF while parsing a value at line 1 column 0
        half a frame
          SH0642 the client ended within a request
        a change without an id
          SH0644 the request cannot be read
            a change came without an inbox id
    "#]]
    .assert_eq(&report);
}

#[tokio::test(start_paused = true)]
async fn a_line_without_end_is_not_kept() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let (mut raw, mut connection) = pair(&dir, &listener).await;
    let endless = async {
        let chunk = vec![b'x'; 64 * 1024];
        let mut sent = 0;
        while raw.write.write_all(&chunk).await.is_ok() {
            sent += chunk.len();
        }
        sent
    };
    let refused = async {
        let error = connection.requests.next().await.unwrap_err();
        drop(connection);
        error
    };
    let (sent, error) = tokio::join!(endless, refused);
    assert!(matches!(error, ReceiveError::Frame { .. }), "{error}");
    // What the kernel itself buffers comes on top.
    assert!(sent < REQUEST_BYTES_MAX + 2 * 1024 * 1024, "{sent}");
}

#[tokio::test(start_paused = true)]
async fn several_requests_may_come_at_once_or_in_parts() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let (mut raw, mut connection) = pair(&dir, &listener).await;
    let line = |id| RequestFrame::new(RequestId(id), None, Request::Status).unwrap().encode();
    let (one, two) = (line(1).unwrap(), line(2).unwrap());
    let (head, tail) = two.split_at(7);
    raw.send(&[&one, head].concat()).await;
    assert_eq!(answer_status(&mut connection).await, RequestId(1));
    raw.send(tail).await;
    assert_eq!(answer_status(&mut connection).await, RequestId(2));
    for id in [1, 2] {
        assert_eq!(raw.reply().await.unwrap().id, RequestId(id));
    }
    drop(raw);
    assert!(connection.requests.next().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_must_send_its_request_in_time() {
    let dir = StateDir::new();
    let frozen = freeze();
    let listener = dir.bind();
    let almost = REQUEST_WITHIN - Duration::from_millis(1);

    // Just in time, twice over: a later request has its time from its first byte.
    let (mut raw, mut connection) = pair(&dir, &listener).await;
    advance(almost).await;
    raw.ask(1).await;
    answer_status(&mut connection).await;
    advance(IDLE_MAX - Duration::from_millis(1)).await;
    let frame = RequestFrame::new(RequestId(2), None, Request::Status).unwrap().encode().unwrap();
    raw.send(&frame[..5]).await;
    // The part is taken up; the rest is still to come.
    let part = tokio::time::timeout(Duration::ZERO, connection.requests.next());
    tokio::select! { biased; _ = part => {}, () = tokio::task::yield_now() => {} }
    raw.send(&frame[5..]).await;
    answer_status(&mut connection).await;

    // Too late for the first one.
    let (_silent, mut silent_side) = pair(&dir, &listener).await;
    let (mut half, mut half_side) = pair(&dir, &listener).await;
    half.send(b"{\"v\":1,").await;
    drop(frozen);
    let began = Instant::now();
    let error = silent_side.requests.next().await.unwrap_err();
    assert!(matches!(error, ReceiveError::Slow), "{error}");
    assert!(began.elapsed() <= REQUEST_WITHIN + Duration::from_millis(1));
    let error = half_side.requests.next().await.unwrap_err();
    assert!(matches!(error, ReceiveError::Slow), "{error}");

    // Too long without another one.
    let began = Instant::now();
    let error = connection.requests.next().await.unwrap_err();
    assert!(matches!(error, ReceiveError::Idle), "{error}");
    assert!(began.elapsed() >= IDLE_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_watches_need_not_ask() {
    let dir = StateDir::new();
    let frozen = freeze();
    let listener = dir.bind();
    let (mut raw, mut connection) = pair(&dir, &listener).await;
    raw.ask(1).await;
    answer_status(&mut connection).await;
    connection.requests.watches();
    drop(frozen);
    let waited = timeout(IDLE_MAX * 10, connection.requests.next()).await;
    assert!(waited.is_err(), "{waited:?}");
    let _frozen = freeze();
    raw.ask(2).await;
    assert_eq!(answer_status(&mut connection).await, RequestId(2));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_let_go() {
    let dir = StateDir::new();
    let frozen = freeze();
    let listener = dir.bind();
    let (_raw, mut connection) = pair(&dir, &listener).await;
    drop(frozen);
    let began = Instant::now();
    let error = loop {
        let body = Reply::Response(Response::Run(Box::new(samples::run_view())));
        match connection.replies.send(RequestId(1), body).await {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SendError::Slow), "{error}");
    assert!(began.elapsed() >= WRITE_WITHIN);
    let error = connection.replies.send(RequestId(1), Reply::Working).await.unwrap_err();
    assert!(matches!(error, SendError::Broken), "{error}");
}

#[tokio::test(start_paused = true)]
async fn work_is_done_to_its_end_although_nobody_reads() {
    let dir = StateDir::new();
    let frozen = freeze();
    let listener = dir.bind();
    let (raw, mut connection) = pair(&dir, &listener).await;
    drop(frozen);
    drop(raw);
    let began = Instant::now();
    let mut done = false;
    let long = WRITE_WITHIN * 3;
    let work = async {
        tokio::time::sleep_until(began + long).await;
        done = true;
        Reply::Response(samples::status())
    };
    let sent = connection.replies.answer(RequestId(1), work).await;
    assert!(matches!(sent, Err(SendError::Gone { .. })), "{sent:?}");
    assert!(done);
    assert_eq!(began.elapsed(), long);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_is_told_that_the_keeper_lives() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let (mut raw, mut connection) = pair(&dir, &listener).await;
    let (finish, finished) = oneshot::channel();
    let work = async {
        let response: Response = finished.await.unwrap();
        Reply::Response(response)
    };
    let keeper = connection.replies.answer(RequestId(1), work);
    let client = async {
        for _ in 0..6 {
            advance(HEARTBEAT).await;
            assert_eq!(raw.reply().await.unwrap().body, Reply::Working);
        }
        finish.send(samples::status()).unwrap();
        raw.reply().await.unwrap().body
    };
    let (sent, body) = tokio::join!(keeper, client);
    sent.unwrap();
    assert_eq!(body, Reply::Response(samples::status()));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_too_large_is_told_as_a_problem() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let (mut raw, mut connection) = pair(&dir, &listener).await;
    let mut run = samples::run_view();
    run.why = Some("x".repeat(steadyhand_api::frame::REPLY_BYTES_MAX));
    let body = Reply::Response(Response::Run(Box::new(run)));
    connection.replies.send(RequestId(4), body).await.unwrap();
    let (id, problem) = raw.problem().await;
    assert_eq!((id, problem.code.to_string().as_str()), (RequestId(4), "SH0645"));
}

#[tokio::test(start_paused = true)]
async fn connections_are_bounded_on_both_sides() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        held.push(pair(&dir, &listener).await);
    }
    let mut one_more = Raw::connect(&dir).await;
    let told = tokio::select! {
        accepted = listener.accept() => panic!("{accepted:?}"),
        told = one_more.problem() => told,
    };
    assert_eq!((told.0, told.1.code.to_string().as_str()), (UNREADABLE, "SH0646"));
    held.pop();
    let (mut raw, mut connection) = pair(&dir, &listener).await;
    raw.ask(1).await;
    answer_status(&mut connection).await;
}
