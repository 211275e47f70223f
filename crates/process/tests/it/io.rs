//! The three streams and their bounds.

use steadyhand_process::child::{Child, Exit};
use steadyhand_process::command::Output;
use steadyhand_process::output::{OutputCap, OutputTooLong};
use steadyhand_process::tail::{STDERR_KEPT_BYTES, StderrTail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{python, read_line, shell, spawn};

#[tokio::test]
async fn a_conversation_by_lines() {
    let (mut child, mut stdout) = spawn(shell("while read line; do echo \"<$line>\"; done")).await;
    let mut stdin = child.take_stdin().unwrap();
    for line in ["one", "two"] {
        stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        assert_eq!(read_line(&mut stdout).await, format!("<{line}>"));
    }
    assert!(child.take_stdin().is_none() && child.take_stdout().is_none());
    drop(stdin);
    assert_eq!(child.wait().await, Exit::Code(0));
}

/// Writes `text` (a Python expression), and compares what could be read and the refusal.
async fn check_cap(text: &str, cap: OutputCap, read: &str, refused: Option<OutputTooLong>) {
    let command = python(&format!("import sys\nsys.stdout.write({text})"));
    let (_child, mut stdout) = spawn(command.stdout(Output::Piped(cap))).await;
    let mut bytes = Vec::new();
    let end = stdout.read_to_end(&mut bytes).await;
    let found = end.err().map(|error| {
        assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
        *error.get_ref().unwrap().downcast_ref::<OutputTooLong>().unwrap()
    });
    assert_eq!((String::from_utf8(bytes).unwrap(), found), (read.to_owned(), refused));
    if refused.is_some() {
        assert!(stdout.read_u8().await.is_err(), "a refusal is for good");
    }
}

#[tokio::test]
async fn the_total_cap_holds_on_both_sides() {
    let cap = OutputCap::Total(8);
    check_cap("'1234\\n678'", cap, "1234\n678", None).await;
    let refused = Some(OutputTooLong::Total { cap: 8 });
    check_cap("'1234\\n6789'", cap, "1234\n678", refused).await;
    check_cap("''", OutputCap::Total(0), "", None).await;
    check_cap("'1'", OutputCap::Total(0), "", Some(OutputTooLong::Total { cap: 0 })).await;
    let big = "a".repeat(100_000);
    check_cap("'a' * 100000", OutputCap::Total(100_000), &big, None).await;
    let refused = Some(OutputTooLong::Total { cap: 100_000 });
    check_cap("'a' * 10000000", OutputCap::Total(100_000), &big, refused).await;
}

#[tokio::test]
async fn the_line_cap_holds_on_both_sides() {
    let cap = OutputCap::Line(4);
    let refused = Some(OutputTooLong::Line { cap: 4 });
    check_cap("'1234\\n\\n12\\n1234'", cap, "1234\n\n12\n1234", None).await;
    check_cap("'1234\\n12345\\n'", cap, "1234\n1234", refused).await;
    let many = "1234\n".repeat(20_000);
    check_cap("'1234\\n' * 20000", cap, &many, None).await;
}

async fn stderr_of(script: &str) -> StderrTail {
    let child = Child::spawn(python(script)).await.unwrap();
    assert_eq!(child.wait().await, Exit::Code(0));
    child.stderr_tail()
}

#[tokio::test]
async fn stderr_is_kept_up_to_its_bound() {
    let kept = STDERR_KEPT_BYTES;
    let full = stderr_of(&format!("import sys\nsys.stderr.write('a' * {kept})")).await;
    assert_eq!(full, StderrTail { bytes: vec![b'a'; kept], dropped: 0 });

    let over = stderr_of(&format!("import sys\nsys.stderr.write('b' + 'a' * {kept})")).await;
    assert_eq!(over, StderrTail { bytes: vec![b'a'; kept], dropped: 1 });

    // Far more than a pipe holds: a program is never blocked by what it complains.
    let flood = stderr_of("import sys\nsys.stderr.write('x\\n' * 4000000)").await;
    assert_eq!((flood.bytes.len(), flood.dropped), (kept, 8_000_000 - kept as u64));
}

#[tokio::test]
async fn stderr_is_raw_lines() {
    let tail = stderr_of("import sys\nsys.stderr.buffer.write(b'one\\n\\n\\x1b[2J\\xff')").await;
    let lines: Vec<&[u8]> = tail.lines().collect();
    assert_eq!(lines, [b"one".as_slice(), b"", b"\x1b[2J\xff"]);
    assert_eq!(stderr_of("").await.lines().count(), 0);
}
