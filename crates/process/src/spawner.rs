//! The one thread that forks, and what happens between fork and exec.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::sync::{oneshot, watch};

use crate::child::Line;
use crate::command::{Command, Input, Output, SpawnError};
use crate::leaders;
use crate::procfs;
use crate::tail::Tail;
use crate::warden::{self, Charge, Post};

/// The first bytes of an ELF binary and of a script that names its interpreter.
const ELF: [u8; 4] = *b"\x7fELF";
const SHEBANG: [u8; 2] = *b"#!";

/// A running program, its pipes not yet given to a runtime. Dropping it kills the program.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) line: Line,
}

#[derive(Debug)]
struct Job {
    command: Command,
    reply: oneshot::Sender<Result<Started, SpawnError>>,
}

/// Guards the way to the spawner thread: made once, never replaced, so that the thread never ends while we run. Its
/// end would kill every child.
static SPAWNER: Mutex<Option<mpsc::Sender<Job>>> = Mutex::new(None);

pub(crate) async fn start(command: Command) -> Result<Started, SpawnError> {
    let jobs = jobs()?;
    let (reply, started) = oneshot::channel();
    if jobs.send(Job { command, reply }).is_err() {
        return Err(SpawnError::ThreadLost);
    }
    match started.await {
        Ok(started) => started,
        Err(_) => Err(SpawnError::ThreadLost),
    }
}

fn jobs() -> Result<mpsc::Sender<Job>, SpawnError> {
    // The value is written whole or not at all.
    let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(jobs) = spawner.as_ref() {
        return Ok(jobs.clone());
    }
    refuse_ignored_sigchld()?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|source| SpawnError::Subreaper { source: source.into() })?;
    let (jobs, inbox) = mpsc::channel::<Job>();
    thread::Builder::new()
        .name("spawner".to_owned())
        .spawn(move || {
            for Job { command, reply } in inbox {
                // Nobody waits any more: what was started is dropped here, and so killed.
                drop(reply.send(begin(command)));
            }
        })
        .map_err(|source| SpawnError::Thread { source })?;
    *spawner = Some(jobs.clone());
    Ok(jobs)
}

/// With SIGCHLD ignored (as a careless parent leaves it) the kernel reaps by itself: no exit would be known, and an
/// orphan could vanish unseen while what it forked lives. Format: proc(5), `/proc/[pid]/status`.
fn refuse_ignored_sigchld() -> Result<(), SpawnError> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|source| SpawnError::Subreaper { source })?;
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .ok_or(SpawnError::SigchldUnknown)?;
    let bit = 1_u64 << (Signal::CHILD.as_raw() - 1);
    if ignored & bit == 0 { Ok(()) } else { Err(SpawnError::SigchldIgnored) }
}

/// On the spawner thread. Everything that can fail and needs no process comes before the fork.
fn begin(command: Command) -> Result<Started, SpawnError> {
    refuse_shell_fallback(&command.program)?;
    std::fs::read_dir(&command.cwd)
        .map_err(|source| SpawnError::WorkingDirectory { cwd: command.cwd.clone(), source })?;
    let (ear, bell) = io::pipe().map_err(|source| SpawnError::Bell { source })?;
    for end in [rustix::io::ioctl_fionbio(&ear, true), rustix::io::ioctl_fionbio(&bell, true)] {
        end.map_err(|source| SpawnError::Bell { source: source.into() })?;
    }
    let (orders, inbox) = mpsc::channel();
    let (exit, exits) = watch::channel(None);
    let tail = Arc::new(Mutex::new(Tail::new()));
    let post = Post { ear, orders: inbox, exit, tail: Arc::clone(&tail) };
    let watch = warden::hire(post).map_err(|source| SpawnError::Thread { source })?;

    let mut program = prepare(&command);
    // From before the fork until the child is entered, see `leaders`.
    let mut leaders = leaders::lock();
    let mut child = program.spawn().map_err(|source| explain(&command, source))?;
    let (pid, start, pidfd) = match identify(&child) {
        Ok(identity) => identity,
        Err(source) => {
            // A failed kill means that it is dead already; `wait` reaps it either way.
            let end = child.kill().and_then(|()| child.wait());
            tracing::warn!(program = ?command.program, ?end, "killed a program that could not be watched");
            return Err(SpawnError::Watch { program: command.program, source });
        }
    };
    let serial = leaders.enter(pid, start);
    drop(leaders);
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let stderr = child.stderr.take().map(Into::into);
    if watch.send(Charge { pid, start, serial, pidfd, stderr }).is_err() {
        let end = child.kill().and_then(|()| child.wait());
        leaders::lock().forget(serial);
        tracing::warn!(program = ?command.program, ?end, "killed a program whose warden was gone");
        return Err(SpawnError::ThreadLost);
    }
    Ok(Started { stdin, stdout, line: Line { pid, orders, bell, exits, tail } })
}

/// A file that the kernel cannot run is handed to `/bin/sh` by the C library's `execvp`. No shell ever: such a file is
/// refused here.
fn refuse_shell_fallback(program: &Path) -> Result<(), SpawnError> {
    let program = program.to_path_buf();
    let mut file = match File::open(&program) {
        Ok(file) => file,
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            return Err(SpawnError::ProgramMissing { program });
        }
        Err(source) => return Err(SpawnError::NotPermitted { program, source }),
    };
    let mut first = [0; ELF.len()];
    match file.read(&mut first) {
        Ok(_) if first == ELF || first.starts_with(&SHEBANG) => Ok(()),
        Ok(_) => Err(SpawnError::NotAProgram { program }),
        Err(source) => Err(SpawnError::NotPermitted { program, source }),
    }
}

fn prepare(command: &Command) -> process::Command {
    let mut program = process::Command::new(&command.program);
    program
        .args(&command.args)
        .env_clear()
        .envs(&command.env)
        .current_dir(&command.cwd)
        .stdin(match command.stdin {
            Input::Null => Stdio::null(),
            Input::Piped => Stdio::piped(),
        })
        .stdout(match command.stdout {
            Output::Null => Stdio::null(),
            Output::Piped(_) => Stdio::piped(),
        })
        .stderr(Stdio::piped());
    before_exec(&mut program);
    program
}

#[expect(unsafe_code, reason = "only a hook between fork and exec can tie a child to its parent")]
fn before_exec(program: &mut process::Command) {
    let parent = rustix::process::getpid();
    let hook = move || -> io::Result<()> {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before the line above: then the signal never comes.
        if rustix::process::getppid() != Some(parent) {
            return Err(rustix::io::Errno::SRCH.into());
        }
        // A session of its own: its group can be signalled, its orphans are recognised, and it has no terminal to
        // write a false card to or to read a yes from.
        rustix::process::setsid()?;
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        // A set-user-ID program would lose the parent-death signal, and we could not kill it.
        rustix::thread::set_no_new_privs(true)?;
        // SAFETY: these are async-signal-safe calls on a local set and plain numbers. A signal that our own parent
        // ignored or blocked would stay so over exec, and the ladder's first rungs would not be felt.
        unsafe {
            for signal in 1..=libc::SIGRTMAX() {
                libc::signal(signal, libc::SIG_DFL); // Fails for SIGKILL and the like, which have only the default.
            }
            let mut none = std::mem::zeroed::<libc::sigset_t>();
            if libc::sigemptyset(&raw mut none) != 0
                || libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) != 0
            {
                return Err(io::Error::last_os_error());
            }
        }
        // Descriptors that our own parent left open may be credentials: all but the three streams close at exec.
        let flags = libc::CLOSE_RANGE_CLOEXEC;
        // SAFETY: the call takes three numbers and marks descriptors; nothing is closed under anyone's feet.
        match unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, flags) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: the hook runs in the forked child of a process with threads. It makes system calls only: it takes no
    // lock, allocates nothing (an `io::Error` of an error number is a number) and touches no memory of others.
    unsafe { program.pre_exec(hook) };
}

/// The child is not reaped by anyone else, so its pid is its own until its warden reaps it.
fn identify(child: &process::Child) -> io::Result<(i32, u64, std::os::fd::OwnedFd)> {
    let gone = || io::Error::from(rustix::io::Errno::SRCH);
    let pid = Pid::from_child(child);
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    let number = pid.as_raw_nonzero().get();
    let entry = procfs::read(number).map_err(io::Error::other)?.ok_or_else(gone)?;
    Ok((number, entry.start, pidfd))
}

/// One error number has several causes; look which one it was, so that the person need not.
fn explain(command: &Command, source: io::Error) -> SpawnError {
    let program = command.program.clone();
    match source.kind() {
        // The program was there a moment ago: what is missing is what it names.
        io::ErrorKind::NotFound if program.exists() => SpawnError::InterpreterMissing { program },
        io::ErrorKind::NotFound => SpawnError::ProgramMissing { program },
        io::ErrorKind::PermissionDenied => SpawnError::NotPermitted { program, source },
        io::ErrorKind::ArgumentListTooLong => SpawnError::TooLong { program },
        _ => SpawnError::Start { program, source },
    }
}
