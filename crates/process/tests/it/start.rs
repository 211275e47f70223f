//! What a program gets, and what is refused before it is started.

use std::error::Error;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use expect_test::{Expect, expect};
use steadyhand_process::child::{Child, Exit};
use steadyhand_process::command::Command;
use tokio::io::AsyncReadExt;

use crate::{command, python, read_line, read_pid, shell, spawn, write_program};

async fn output_of(command: Command) -> (String, Exit) {
    let (child, mut stdout) = spawn(command).await;
    let mut text = String::new();
    stdout.read_to_string(&mut text).await.unwrap();
    (text, child.wait().await)
}

#[tokio::test]
async fn hostile_arguments_arrive_byte_for_byte() {
    let hostile: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b" ".to_vec(),
        b"$(touch /tmp/x) `id` ; & | > < \\".to_vec(),
        b"'\"\"'".to_vec(),
        b"--server=http://attacker".to_vec(),
        b"*".to_vec(),
        b"~".to_vec(),
        b"two\nlines\r\x1b[2J".to_vec(),
        b"\xff\xfe\x80 not UTF-8".to_vec(),
        "\u{202e}gnp.exe\u{200b}".as_bytes().to_vec(),
        b"{{ lookup('pipe','id') }}".to_vec(),
        vec![b'a'; 128 * 1024 - 1],
    ];
    let show = "import os,sys\nfor a in sys.argv[1:]: print(os.fsencode(a).hex())";
    let start = python(show);
    let command =
        hostile.iter().fold(start, |c, arg| c.arg(OsString::from_vec(arg.clone())).unwrap());
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let expected = hostile.iter().map(|arg| hex(arg) + "\n").collect::<String>();
    assert_eq!(output_of(command).await, (expected, Exit::Code(0)));
}

#[tokio::test]
async fn nothing_is_inherited() {
    // An open descriptor without close-on-exec, as a careless parent leaves it.
    let leaked = std::fs::File::open("/proc/self/status").unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    let script = r#"
import os
print(sorted(open("/proc/self/environ", "rb").read().split(b"\0")))
print(os.getcwd())
print([n for n in range(1024) if os.path.exists(f"/proc/self/fd/{n}")])
own = os.getpid()
print(os.getsid(0) == own, os.getpgrp() == own)
for line in open("/proc/self/status"):
    if line.startswith("NoNewPrivs"): print(line.split())
try: open("/dev/tty")
except OSError as error: print("no terminal")
"#;
    let command = python(script).env("NAME", "a=b \u{1b}[0m").unwrap().env("EMPTY", "").unwrap();
    let (text, exit) = output_of(command).await;
    drop(leaked);
    expect![[r#"
        [b'', b'EMPTY=', b'NAME=a=b \x1b[0m']
        /
        [0, 1, 2]
        True True
        ['NoNewPrivs:', '1']
        no terminal
    "#]]
    .assert_eq(&text);
    assert_eq!(exit, Exit::Code(0));
}

/// The signals that a careless parent ignored or blocked for us are felt by our children.
#[tokio::test]
async fn no_signal_stays_ignored_or_blocked() {
    let script = "import os, signal, sys\n\
        for s in (signal.SIGINT, signal.SIGHUP, signal.SIGRTMAX): signal.signal(s, signal.SIG_IGN)\n\
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))\n\
        os.execv(sys.argv[1], sys.argv[1:])";
    let careless = python(script).arg(env!("CARGO_BIN_EXE_steadyhand-process-parent")).unwrap();
    let (child, mut stdout) = spawn(careless).await;
    let signals = |pid: i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let mask = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            // The C library keeps 32 and 33 for itself.
            u64::from_str_radix(line.trim(), 16).unwrap() & !(0b11 << 31)
        };
        (mask("SigBlk:"), mask("SigIgn:"))
    };
    let grandchild = read_pid(&mut stdout).await;
    let bit = |signal: u32| 1_u64 << (signal - 1);
    // Python ignores SIGPIPE and SIGXFSZ (25).
    let ignored = bit(1) | bit(2) | bit(13) | bit(25) | bit(64);
    assert_eq!(signals(child.pid()), (bit(2) | bit(15), ignored));
    assert_eq!(signals(grandchild.pid), (0, 0));
}

/// With SIGCHLD ignored no exit could be known.
#[tokio::test]
async fn a_process_that_ignores_sigchld_starts_nothing() {
    let script = "import os, signal, sys\n\
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
        os.execv(sys.argv[1], sys.argv[1:])";
    let careless = python(script).arg(env!("CARGO_BIN_EXE_steadyhand-process-parent")).unwrap();
    let (child, mut stdout) = spawn(careless).await;
    let mut said = String::new();
    stdout.read_to_string(&mut said).await.unwrap();
    assert_eq!((said.as_str(), child.wait().await), ("", Exit::Code(1)));
    let tail = child.stderr_tail();
    let lines: Vec<_> = tail.lines().map(String::from_utf8_lossy).collect();
    assert_eq!(lines, ["Error: SigchldIgnored"]);
}

/// The parent-death signal is sent when the forking thread ends, so that must not be the asking one.
#[tokio::test]
async fn the_end_of_the_asking_thread_does_not_end_the_child() {
    let script = "import signal,sys\n\
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n\
        print('ready', flush=True)\n\
        signal.sigwait([signal.SIGINT])\n\
        sys.exit(7)";
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (child, mut stdout) = spawn(python(script)).await;
            assert_eq!(read_line(&mut stdout).await, "ready");
            child
        })
    });
    let child = thread.join().unwrap();
    let report = child.stop(&crate::ladder(crate::LONG, crate::LONG)).await;
    assert_eq!(crate::told(&report), "ended with code 7; Interrupt; nothing left");
}

#[track_caller]
fn check_refused(refused: &dyn Error, expected: &Expect) {
    let mut text = refused.to_string();
    if let Some(source) = refused.source() {
        text += &format!(": {source}");
    }
    expected.assert_eq(&text);
}

#[test]
fn a_command_that_cannot_be_is_refused() {
    let new = || Command::new("/bin/sh", "/").unwrap();
    let cases = [
        (
            Command::new("sh", "/"),
            expect![[r#"the path "sh" is relative: give the absolute path"#]],
        ),
        (
            Command::new("/bin/sh", "."),
            expect![[r#"the path "." is relative: give the absolute path"#]],
        ),
        (Command::new("/bin/s\0h", "/"), expect!["a path of the command holds a NUL byte"]),
        (new().arg("a\0b"), expect!["an argument of the command holds a NUL byte"]),
        (new().env("A\0", ""), expect!["the name of a variable of the command holds a NUL byte"]),
        (new().env("A", "\0"), expect!["the value of a variable of the command holds a NUL byte"]),
        (new().env("", "a"), expect![[r#""" cannot name a variable: it is empty or holds `=`"#]]),
        (
            new().env("A=B", "a"),
            expect![[r#""A=B" cannot name a variable: it is empty or holds `=`"#]],
        ),
        (new().env("A", "a").unwrap().env("A", "b"), expect![[r#"the variable "A" is set twice"#]]),
    ];
    for (refused, expected) in cases {
        check_refused(&refused.unwrap_err(), &expected);
    }
}

#[test]
fn a_command_shows_no_value() {
    let command = shell("echo secret").env("TOKEN", "secret").unwrap();
    expect![[r#"Command { program: "/bin/sh", args: 2, env: ["TOKEN"], cwd: "/", stdin: Piped, stdout: Piped(Total(1048576)) }"#]]
        .assert_eq(&format!("{command:?}"));
}

#[tokio::test]
async fn a_program_that_cannot_start_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    write_program(dir.path().join("text").as_ref(), b"echo a shell ran this\n");
    write_program(dir.path().join("orphan").as_ref(), b"#!/nowhere/interpreter\n");
    std::fs::write(dir.path().join("plain"), b"#!/bin/sh\n").unwrap();
    let long = |bytes: usize| shell("exit 3").arg("a".repeat(bytes)).unwrap();
    let nowhere = Command::new("/bin/sh", dir.path().join("nowhere")).unwrap();
    let cases = [
        (command(&path("missing"), &[]), expect![[r#"the program "DIR/missing" does not exist"#]]),
        (
            command(&path("text"), &[]),
            expect![[r#""DIR/text" is neither a binary nor a script that names its interpreter"#]],
        ),
        (
            command(&path("orphan"), &[]),
            expect![[r#"the interpreter or loader that "DIR/orphan" names does not exist"#]],
        ),
        (
            command(&path("plain"), &[]),
            expect![[
                r#"the program "DIR/plain" may not be run: check that it is a file with read and execute permission: Permission denied (os error 13)"#
            ]],
        ),
        (
            command(&path(""), &[]),
            expect![[
                r#"the program "DIR/" may not be run: check that it is a file with read and execute permission: Is a directory (os error 21)"#
            ]],
        ),
        (
            nowhere,
            expect![[
                r#"the working directory "DIR/nowhere" cannot be used: No such file or directory (os error 2)"#
            ]],
        ),
        (
            long(128 * 1024),
            expect![[
                r#"the arguments and environment for "/bin/sh" are longer than the kernel takes"#
            ]],
        ),
    ];
    let place = dir.path().to_str().unwrap();
    for (command, expected) in cases {
        let refused = Child::spawn(command).await.unwrap_err();
        let source = refused.source().map_or(String::new(), |source| format!(": {source}"));
        expected.assert_eq(&format!("{refused}{source}").replace(place, "DIR"));
    }
    assert_eq!(output_of(long(128 * 1024 - 1)).await, (String::new(), Exit::Code(3)));
}
