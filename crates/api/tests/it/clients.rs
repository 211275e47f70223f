//! The client against keepers that answer, fall silent, die and come back, over real sockets.

use std::time::Duration;

use expect_test::{Expect, expect};
use steadyhand_api::client::{
    Client, ClientError, RECONNECT_PAUSE, RECONNECT_WITHIN, SILENCE_MAX, Watched,
};
use steadyhand_api::exit::ExitCode;
use steadyhand_api::frame::{ReplyFrame, RequestFrame, RequestId};
use steadyhand_api::listener::{Connection, Listener};
use steadyhand_api::problem::Problem;
use steadyhand_api::reply::{Reply, Response};
use steadyhand_api::request::Request;
use steadyhand_model::ids::{InboxId, Seq};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, advance};

use crate::samples;
use crate::world::{StateDir, freeze, inbox};

fn run() -> Response {
    Response::Run(Box::new(samples::run_view()))
}

async fn accepted(listener: &Listener) -> Connection {
    listener.accept().await.unwrap()
}

async fn request(connection: &mut Connection) -> RequestFrame {
    connection.requests.next().await.unwrap().unwrap()
}

/// Takes one request and answers it.
async fn serve(listener: &Listener, body: Reply) -> (Connection, RequestFrame) {
    let mut connection = accepted(listener).await;
    let frame = request(&mut connection).await;
    connection.replies.send(frame.id, body).await.unwrap();
    (connection, frame)
}

fn told(error: &ClientError, change: Option<&InboxId>) -> String {
    let Problem { code, title, causes, help, exit } = error.problem(change);
    let causes: String = causes.iter().map(|cause| format!("\n  because {cause}")).collect();
    let own = std::process::id().to_string();
    format!("{code} {title}{causes}\n  help: {help}\n  exit: {}", exit.number())
        .replace(&own, "PID")
}

#[tokio::test(start_paused = true)]
async fn without_a_keeper_the_caller_may_become_one() {
    let dir = StateDir::new();
    let gone = Client::connect(&dir.path().join("not-there")).await.unwrap_err();
    assert!(matches!(gone, ClientError::NoKeeper), "{gone}");
    let no_socket = Client::connect(dir.path()).await.unwrap_err();
    assert!(matches!(no_socket, ClientError::NoKeeper), "{no_socket}");
    drop(dir.bind());
    let dead = Client::connect(dir.path()).await.unwrap_err();
    assert!(matches!(dead, ClientError::NoKeeper), "{dead}");
}

#[tokio::test(start_paused = true)]
async fn two_clients_get_their_own_answers() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let keeper = async {
        let (mut first, mut second) = (accepted(&listener).await, accepted(&listener).await);
        let (one, two) = (request(&mut first).await, request(&mut second).await);
        // In the other order than they came.
        for (connection, frame) in [(&mut second, two), (&mut first, one)] {
            let body = match frame.body {
                Request::Status => samples::status(),
                _ => run(),
            };
            connection.replies.send(frame.id, Reply::Response(body)).await.unwrap();
        }
    };
    let clients = async {
        let mut reads = Client::connect(dir.path()).await.unwrap();
        let mut changes = Client::connect(dir.path()).await.unwrap();
        assert_eq!(reads.keeper().pid, std::process::id());
        tokio::join!(reads.ask(Request::Status), changes.change(inbox(1), samples::approve()))
    };
    let ((), (read, change)) = tokio::join!(keeper, clients);
    assert_eq!(read.unwrap(), samples::status());
    assert_eq!(change.unwrap(), run());
}

#[tokio::test(start_paused = true)]
async fn a_problem_of_the_keeper_is_told_as_it_is() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let problem = Problem {
        code: "SH0606".parse().unwrap(),
        title: "what".to_owned(),
        causes: Vec::new(),
        help: "do".to_owned(),
        exit: ExitCode::Refused,
    };
    let mut client = Client::connect(dir.path()).await.unwrap();
    let (_, answer) = tokio::join!(
        serve(&listener, Reply::Problem(problem.clone())),
        client.change(inbox(1), samples::approve())
    );
    assert_eq!(answer.unwrap_err().problem(Some(&inbox(1))), problem);
}

#[tokio::test(start_paused = true)]
async fn a_silent_keeper_is_named_with_its_pid() {
    let dir = StateDir::new();
    let frozen = freeze();
    let listener = dir.bind();
    let mut client = Client::connect(dir.path()).await.unwrap();
    let _connection = accepted(&listener).await;
    drop(frozen);
    let began = Instant::now();
    let error = client.change(inbox(1), samples::approve()).await.unwrap_err();
    assert!(matches!(error, ClientError::Silent { pid } if pid == std::process::id()), "{error}");
    assert_eq!(began.elapsed(), SILENCE_MAX);
    expect![[r#"
        SH0641 the keeper, process PID, took the request and said nothing for 2 s
          help: see whether that process is stopped (`ps`); if it hangs, end it and type the command again
          exit: 4"#]].assert_eq(&told(&error, Some(&inbox(1))));
    // Not even accepted: the kernel alone holds the connection.
    let mut waiting = Client::connect(dir.path()).await.unwrap();
    let error = waiting.ask(Request::Status).await.unwrap_err();
    assert!(matches!(error, ClientError::Silent { pid } if pid == std::process::id()), "{error}");
    assert_eq!(error.problem(None).exit, ExitCode::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_works_is_waited_for() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let mut client = Client::connect(dir.path()).await.unwrap();
    let keeper = async {
        let mut connection = accepted(&listener).await;
        let frame = request(&mut connection).await;
        for _ in 0..5 {
            connection.replies.send(frame.id, Reply::Working).await.unwrap();
        }
        connection.replies.send(frame.id, Reply::Response(run())).await.unwrap();
    };
    let ((), answer) = tokio::join!(keeper, client.change(inbox(1), samples::approve()));
    assert_eq!(answer.unwrap(), run());
}

#[tokio::test(start_paused = true)]
async fn a_change_is_sent_again_under_the_same_id_to_the_next_keeper() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let mut client = Client::connect(dir.path()).await.unwrap();
    let keepers = async {
        let mut connection = accepted(&listener).await;
        let first = request(&mut connection).await;
        // It dies after it has read the change, and the next one is there at once.
        drop(listener);
        let next = dir.bind();
        drop(connection);
        let (_connection, second) = serve(&next, Reply::Response(run())).await;
        (first, second)
    };
    let ((first, second), answer) =
        tokio::join!(keepers, client.change(inbox(1), samples::approve()));
    assert_eq!(answer.unwrap(), run());
    assert_eq!((&first.inbox, &first.body), (&second.inbox, &second.body));
    assert_eq!(second.inbox, Some(inbox(1)));
}

#[tokio::test(start_paused = true)]
async fn the_next_keeper_may_take_a_moment() {
    let dir = StateDir::new();
    let frozen = freeze();
    let listener = dir.bind();
    let mut client = Client::connect(dir.path()).await.unwrap();
    let keepers = async {
        let mut connection = accepted(&listener).await;
        request(&mut connection).await;
        drop((listener, connection));
        // Nobody listens until just before the client's patience ends.
        drop(frozen);
        let late = Instant::now() + RECONNECT_WITHIN - RECONNECT_PAUSE * 2;
        tokio::time::sleep_until(late).await;
        let _frozen = freeze();
        let next = dir.bind();
        advance(RECONNECT_PAUSE).await;
        serve(&next, Reply::Response(run())).await.1
    };
    let (second, answer) = tokio::join!(keepers, client.change(inbox(1), samples::approve()));
    assert_eq!(answer.unwrap(), run());
    assert_eq!(second.inbox, Some(inbox(1)));
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_stays_away_is_given_up() {
    let dir = StateDir::new();
    let frozen = freeze();
    let listener = dir.bind();
    let mut client = Client::connect(dir.path()).await.unwrap();
    let keeper = async {
        let mut connection = accepted(&listener).await;
        request(&mut connection).await;
        drop((listener, connection));
        drop(frozen);
        Instant::now()
    };
    let (died, answer) = tokio::join!(keeper, client.change(inbox(1), samples::approve()));
    let error = answer.unwrap_err();
    assert!(matches!(error, ClientError::Lost), "{error}");
    let waited = died.elapsed();
    assert!(waited >= RECONNECT_WITHIN, "{waited:?}");
    assert!(waited <= RECONNECT_WITHIN + RECONNECT_PAUSE, "{waited:?}");
    expect![[r#"
        SH0642 the connection to the keeper was lost and could not be made again for 5 s
          help: `steady status` says what was recorded; `steady resume` takes the runs up again
          exit: 4"#]]
    .assert_eq(&told(&error, Some(&inbox(1))));
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_always_closes_is_given_up_too() {
    let dir = StateDir::new();
    let listener = dir.bind();
    let mut client = Client::connect(dir.path()).await.unwrap();
    let mut tries = 0_u32;
    let answer = tokio::select! {
        answer = client.ask(Request::Status) => answer,
        () = async {
            loop {
                drop(accepted(&listener).await);
                tries += 1;
            }
        } => unreachable!("the keeper accepts for ever"),
    };
    let error = answer.unwrap_err();
    assert!(matches!(error, ClientError::Lost), "{error}");
    assert!(tries <= 60, "{tries} connections within {RECONNECT_WITHIN:?}");
}

async fn check_reply(bytes: &[u8], want: Expect) {
    let _frozen = freeze();
    let dir = StateDir::new();
    let plain = {
        let directory = std::fs::File::open(dir.path()).unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&directory);
        std::os::unix::net::UnixListener::bind(format!("/proc/self/fd/{fd}/keeper.sock")).unwrap()
    };
    plain.set_nonblocking(true).unwrap();
    let listener = tokio::net::UnixListener::from_std(plain).unwrap();
    let mut client = Client::connect(dir.path()).await.unwrap();
    let keeper = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut some = [0; 16];
        stream.read_exact(&mut some).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    };
    let (_stream, answer) = tokio::join!(keeper, client.ask(Request::Status));
    want.assert_eq(&told(&answer.unwrap_err(), None));
}

#[tokio::test(start_paused = true)]
async fn replies_that_are_none_are_refused() {
    check_reply(
        b"hello\n",
        expect![[r#"
        SH0644 the keeper's reply cannot be read
          because a frame is not strict JSON
          because the document is not the JSON that was expected
          because expected value at line 1 column 1
          help: only `steady` of the same version speaks to this socket
          exit: 1"#]],
    )
    .await;
    check_reply(b"{\"v\":9}\n", expect![[r#"
        SH0643 the keeper's reply cannot be read
          because the other side speaks version 9 of the protocol, this program speaks version 1
          help: use the same version of steady in both terminals; let the older one end its runs first
          exit: 1"#]]).await;
    let other = ReplyFrame::new(RequestId(77), Reply::Response(run())).encode().unwrap();
    check_reply(
        &other,
        expect![[r#"
        SH0644 the keeper answered another question than the one asked
          help: use the same version of steady in both terminals
          exit: 1"#]],
    )
    .await;
    let event = ReplyFrame::new(RequestId(1), samples::event(3)).encode().unwrap();
    check_reply(
        &event,
        expect![[r#"
        SH0644 the keeper answered another question than the one asked
          help: use the same version of steady in both terminals
          exit: 1"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn watching_goes_on_where_it_was_after_the_keeper_died() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let client = Client::connect(dir.path()).await.unwrap();
    let keepers = async {
        let mut connection = accepted(&listener).await;
        let frame = request(&mut connection).await;
        for reply in [samples::event(1), Reply::Working, samples::event(2)] {
            connection.replies.send(frame.id, reply).await.unwrap();
        }
        let next = {
            drop(listener);
            dir.bind()
        };
        drop(connection);
        let mut connection = accepted(&next).await;
        let frame = request(&mut connection).await;
        for reply in [samples::event(3), samples::end(3)] {
            connection.replies.send(frame.id, reply).await.unwrap();
        }
        (frame.body, connection)
    };
    let watcher = async {
        let mut watching = client.watch(samples::RUN.parse().unwrap(), Seq(1)).await.unwrap();
        let mut seen = Vec::new();
        loop {
            match watching.next().await.unwrap() {
                Watched::Event(event) => seen.push(event.seq.0),
                Watched::Note { .. } => {}
                Watched::End(end) => return (seen, end.head),
            }
        }
    };
    let ((again, _connection), (seen, head)) = tokio::join!(keepers, watcher);
    assert_eq!((seen, head), (vec![1, 2, 3], Seq(3)));
    assert_eq!(again, Request::Watch { run: samples::RUN.parse().unwrap(), from: Seq(3) });
}

#[tokio::test(start_paused = true)]
async fn an_event_that_was_seen_before_is_refused() {
    let _frozen = freeze();
    let dir = StateDir::new();
    let listener = dir.bind();
    let client = Client::connect(dir.path()).await.unwrap();
    let keeper = async {
        let mut connection = accepted(&listener).await;
        let frame = request(&mut connection).await;
        for reply in [samples::event(5), samples::event(5)] {
            connection.replies.send(frame.id, reply).await.unwrap();
        }
        connection
    };
    let watcher = async {
        let mut watching = client.watch(samples::RUN.parse().unwrap(), Seq(5)).await.unwrap();
        (watching.next().await, watching.next().await)
    };
    let (_connection, (first, second)) = tokio::join!(keeper, watcher);
    assert!(matches!(first, Ok(Watched::Event(_))), "{first:?}");
    assert!(matches!(second, Err(ClientError::OtherReply)), "{second:?}");
}

#[test]
fn the_times_fit_together() {
    // A keeper that works must not look silent because one word of it comes late.
    assert!(steadyhand_api::listener::HEARTBEAT * 3 < SILENCE_MAX);
    assert!(SILENCE_MAX < RECONNECT_WITHIN);
    assert!(RECONNECT_PAUSE > Duration::ZERO);
}
