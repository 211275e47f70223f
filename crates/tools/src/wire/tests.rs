//! Lines that are no messages, the limits of both directions, and what a broken pipe proves.

use rmcp::model::{CallToolRequest, CallToolRequestParams, ClientRequest, ServerResult};
use tokio::io::{AsyncReadExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::time::{Duration, Instant};

use super::*;

type Pair = (Wire<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>, DuplexStream, Arc<News>);

fn pair(buffer: usize) -> Pair {
    let (ours, theirs) = tokio::io::duplex(buffer);
    let (read, write) = tokio::io::split(ours);
    let news = Arc::new(News::default());
    (Wire::new(read, write, Arc::clone(&news)), theirs, news)
}

/// What is heard of some bytes, one line for each message, until the stream ends.
async fn heard(bytes: &[u8]) -> String {
    let (mut wire, mut theirs, news) = pair(1024);
    let feed = async {
        // The host may hang up before everything is written.
        if let Err(error) = theirs.write_all(bytes).await {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
        drop(theirs);
    };
    let listen = async {
        let mut lines = Vec::new();
        while let Some(message) = wire.receive().await {
            lines.push(match message {
                JsonRpcMessage::Response(reply) => match reply.result {
                    ServerResult::CallToolResult(result) => {
                        format!("{} answered {:?}", reply.id, result.structured_content)
                    }
                    other => format!("{} answered {other:?}", reply.id),
                },
                JsonRpcMessage::Error(error) => {
                    format!("{:?} failed: {}", error.id, error.error.message)
                }
                JsonRpcMessage::Notification(_) => "a notification".into(),
                JsonRpcMessage::Request(_) => "a request".into(),
            });
        }
        drop(wire);
        lines
    };
    let ((), mut lines) = tokio::join!(feed, listen);
    let stale = news.stale.load(Ordering::Acquire);
    lines.push(format!("end, fault: {:?}, stale: {stale}", news.fault.get()));
    lines.join("\n") + "\n"
}

#[tokio::test]
async fn a_line_that_is_no_message_fails_what_it_would_have_answered() {
    let good = r#"{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"a":1}}}"#;
    let cases = [
        ("good, blank lines around", format!("\n{good}\r\n \n{good}\n")),
        ("cut off by the end", good.to_owned()),
        ("no JSON at all", format!("Listening on port 80\n{good}\n")),
        (
            "a key stands twice",
            format!(
                "{}\n{good}\n",
                r#"{"jsonrpc":"2.0","id":7,"result":{"structuredContent":{"a":1,"a":2}}}"#
            ),
        ),
        (
            "a fraction",
            format!(
                "{}\n{good}\n",
                r#"{"jsonrpc":"2.0","id":"x","result":{"structuredContent":{"a":1.5}}}"#
            ),
        ),
        ("trailing text", format!("{good} {{}}\n{good}\n")),
        ("a list", "[1]\n".to_owned()),
        ("neither result nor error", format!("{}\n", r#"{"jsonrpc":"2.0","id":3}"#)),
        (
            "a broken notification",
            format!(
                "{}\n{good}\n",
                r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.5}}"#
            ),
        ),
        ("controls in a line", "\u{1b}[2Jpassword=hunter2\n".to_owned()),
    ];
    let mut said = String::new();
    for (name, bytes) in cases {
        said += &format!("{name}:\n{}", heard(bytes.as_bytes()).await);
    }
    expect_test::expect![[r#"
        good, blank lines around:
        1 answered Some(Object {"a": Number(1)})
        1 answered Some(Object {"a": Number(1)})
        end, fault: None, stale: false
        cut off by the end:
        end, fault: None, stale: false
        no JSON at all:
        end, fault: Some("a line is not strict JSON: the document is not the JSON that was expected: expected value at line 1 column 1"), stale: false
        a key stands twice:
        Some(Number(7)) failed: a line is not strict JSON: the document is not the JSON that was expected: the key "a" stands twice at line 1 column 67
        1 answered Some(Object {"a": Number(1)})
        end, fault: None, stale: false
        a fraction:
        Some(String("x")) failed: a line is not strict JSON: the document is not the JSON that was expected: 1.5 is not a whole number at line 1 column 64
        1 answered Some(Object {"a": Number(1)})
        end, fault: None, stale: false
        trailing text:
        Some(Number(1)) failed: a line is not strict JSON: the document is not the JSON that was expected: trailing characters at line 1 column 65
        1 answered Some(Object {"a": Number(1)})
        end, fault: None, stale: false
        a list:
        end, fault: Some("a line is not a message of MCP: unrecognized JSON-RPC message"), stale: false
        neither result nor error:
        Some(Number(3)) failed: a line is not a message of MCP: unrecognized JSON-RPC message
        end, fault: None, stale: false
        a broken notification:
        1 answered Some(Object {"a": Number(1)})
        end, fault: None, stale: true
        controls in a line:
        end, fault: Some("a line is not strict JSON: the document is not the JSON that was expected: expected value at line 1 column 1"), stale: false
    "#]].assert_eq(&said);
}

#[tokio::test]
async fn a_reply_has_at_most_so_many_bytes() {
    let around = r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#;
    let line = |bytes: usize| {
        let filler = "x".repeat(bytes - around.len());
        around.replace(r#""message":"""#, &format!(r#""message":"{filler}""#)) + "\n"
    };
    for (bytes, fits) in [(REPLY_BYTES_MAX, true), (REPLY_BYTES_MAX + 1, false)] {
        let text = heard(format!("{}{}", line(bytes), line(around.len())).as_bytes()).await;
        let failed = text.contains(&format!("failed: a reply has more than {REPLY_BYTES_MAX}"));
        assert_eq!(failed, !fits);
        assert_eq!(text.lines().count(), 3, "both are heard, and the end");
        assert!(text.ends_with("end, fault: None, stale: false\n"));
    }
}

fn request(text: String, ticket: &Arc<Ticket>) -> TxJsonRpcMessage<RoleClient> {
    let arguments = serde_json::Map::from_iter([("text".to_owned(), text.into())]);
    let params = CallToolRequestParams::new("a").with_arguments(arguments);
    let mut request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
    request.extensions_mut().insert(Arc::clone(ticket));
    JsonRpcMessage::request(request, RequestId::Number(1))
}

fn ticket() -> Arc<Ticket> {
    Arc::new(Ticket::new(Instant::now() + Duration::from_secs(3600)))
}

#[tokio::test]
async fn a_request_that_was_given_up_is_never_written() {
    let (mut wire, mut theirs, _news) = pair(1024);
    let ticket = ticket();
    let sending = wire.send(request("x".into(), &ticket));
    assert_eq!(ticket.give_up(Unsent::GivenUp), Some(Unsent::GivenUp));
    assert!(matches!(sending.await, Err(SendError::Unsent(Unsent::GivenUp))));
    wire.close().await.unwrap();
    drop(wire);
    let mut written = Vec::new();
    theirs.read_to_end(&mut written).await.unwrap();
    assert_eq!(written, b"");
}

#[tokio::test]
async fn a_pipe_that_takes_nothing_proves_that_nothing_was_sent() {
    let (mut wire, theirs, _news) = pair(1024);
    drop(theirs);
    let ticket = ticket();
    let sent = wire.send(request("x".into(), &ticket)).await;
    assert!(matches!(sent, Err(SendError::Pipe { .. })), "{sent:?}");
    let why = Unsent::Pipe(std::io::ErrorKind::BrokenPipe);
    assert_eq!(ticket.give_up(Unsent::Closed), Some(why));
}

#[tokio::test]
async fn a_pipe_that_breaks_half_way_proves_nothing() {
    let (mut wire, theirs, _news) = pair(8);
    let ticket = ticket();
    let sending = tokio::spawn(wire.send(request("x".into(), &ticket)));
    while !ticket.started() {
        tokio::task::yield_now().await;
    }
    drop(theirs);
    assert!(matches!(sending.await.unwrap(), Err(SendError::Pipe { .. })));
    assert_eq!(ticket.give_up(Unsent::Closed), None);
}

#[tokio::test]
async fn a_request_has_at_most_so_many_bytes() {
    let empty = serde_json::to_vec(&request(String::new(), &ticket())).unwrap().len();
    for (bytes, fits) in [(REQUEST_BYTES_MAX, true), (REQUEST_BYTES_MAX + 1, false)] {
        let (mut wire, mut theirs, _news) = pair(2 * REQUEST_BYTES_MAX);
        let ticket = ticket();
        let sent = wire.send(request("x".repeat(bytes - empty), &ticket)).await;
        assert_eq!(sent.is_ok(), fits);
        let why = (!fits).then_some(Unsent::TooLong { bytes });
        assert_eq!(ticket.give_up(Unsent::GivenUp), why);
        wire.close().await.unwrap();
        drop(wire);
        let mut written = Vec::new();
        theirs.read_to_end(&mut written).await.unwrap();
        assert_eq!(written.len(), if fits { bytes + 1 } else { 0 });
    }
}
