//! Real programs, started and stopped. Nothing sleeps: each test waits on a pipe or on a process's own end.

#![expect(clippy::unwrap_used, reason = "a test is to fail where it stands")]

mod end;
mod io;
mod start;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags};
use steadyhand_process::child::Child;
use steadyhand_process::command::{Command, Input, Output};
use steadyhand_process::ladder::{Ladder, Remains, StopReport};
use steadyhand_process::output::{OutputCap, Stdout};
use tokio::io::AsyncReadExt;

/// A grace that no test waits for to its end.
const LONG: Duration = Duration::from_secs(300);
/// A grace that a program which ignores its signal is given for nothing.
const SHORT: Duration = Duration::from_millis(5);

const CAP: u64 = 1 << 20;

fn python(script: &str) -> Command {
    command("/usr/bin/python3", &["-I", "-c", script])
}

fn shell(script: &str) -> Command {
    command("/bin/sh", &["-c", script])
}

/// Both pipes open, so that a program which reads its input stays until it is stopped.
fn command(program: &str, args: &[&str]) -> Command {
    let new = Command::new(program, "/").unwrap();
    let with_args = args.iter().fold(new, |command, arg| command.arg(*arg).unwrap());
    with_args.stdin(Input::Piped).stdout(Output::Piped(OutputCap::Total(CAP)))
}

async fn spawn(command: Command) -> (Child, Stdout) {
    let mut child = Child::spawn(command).await.unwrap();
    let stdout = child.take_stdout().unwrap();
    (child, stdout)
}

async fn read_line(stdout: &mut Stdout) -> String {
    let mut line = Vec::new();
    loop {
        match stdout.read_u8().await.unwrap() {
            b'\n' => return String::from_utf8(line).unwrap(),
            byte => line.push(byte),
        }
    }
}

async fn read_pid(stdout: &mut Stdout) -> Watched {
    let pid = read_line(stdout).await.parse().unwrap();
    Watched::new(pid)
}

/// A process that the test holds on to, so that its number cannot come to mean another.
struct Watched {
    pid: i32,
    fd: OwnedFd,
}

impl Watched {
    fn new(pid: i32) -> Self {
        let fd = rustix::process::pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty());
        Self { pid, fd: fd.unwrap() }
    }

    fn is_dead(&self) -> bool {
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], Some(&now)).unwrap() == 1
    }

    /// The kernel sends no signal to a process that was reaped; a zombie takes one.
    fn is_reaped(&self) -> bool {
        let gone = Err(rustix::io::Errno::SRCH);
        rustix::process::pidfd_send_signal(&self.fd, rustix::process::Signal::CONT) == gone
    }

    fn wait_dead(&self) {
        rustix::event::poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], None).unwrap();
    }

    fn kill(&self) {
        rustix::process::pidfd_send_signal(&self.fd, rustix::process::Signal::KILL).unwrap();
    }
}

fn ladder(interrupt: Duration, terminate: Duration) -> Ladder {
    Ladder::new(interrupt, terminate, LONG).unwrap()
}

/// The report as text, whole, so that a test compares all of it.
fn told(report: &StopReport) -> String {
    let exit = report.exit.map_or_else(|| "still there".to_owned(), |exit| exit.to_string());
    let rung = report.rung.map_or_else(|| "no rung".to_owned(), |rung| format!("{rung:?}"));
    let remains = match &report.remains {
        Remains::Nothing => "nothing left".to_owned(),
        other => format!("{other:?}"),
    };
    format!("{exit}; {rung}; {remains}")
}

fn write_program(path: &Path, text: &[u8]) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file =
        std::fs::OpenOptions::new().create_new(true).write(true).mode(0o755).open(path).unwrap();
    file.write_all(text).unwrap();
}
