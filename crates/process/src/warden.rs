//! The thread that owns one child: it reaps it, drains its stderr and climbs the ladder.
//!
//! It sleeps in one `poll` over everything that can happen: the child's end, a descendant's end, an order, bytes on
//! stderr, the end of a grace. It never looks at `/proc` on a timer.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, WaitId, WaitIdOptions};
use tokio::sync::{oneshot, watch};

use crate::child::{Exit, Order};
use crate::descent::{Descent, View, descent};
use crate::ladder::{CannotTell, Ladder, Remains, Rung, StopReport};
use crate::leaders::{self, Leader, Serial};
use crate::procfs::{self, Entry, ScanError};
use crate::tail::Tail;

/// Descendants whose end is waited for at once. Each costs a descriptor; the next are watched as these end.
const WATCHED_AT_ONCE: usize = 64;

/// Bytes of stderr read in one go.
const STDERR_READ_BYTES: usize = 8 * 1024;

/// Bytes of stderr read after the child's end: what the largest pipe of an unprivileged process holds.
const STDERR_AT_EXIT_BYTES: usize = 1024 * 1024;

/// What a warden has before its child exists.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) ear: PipeReader,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) exit: watch::Sender<Option<Exit>>,
    /// Guards the last lines of standard error: the warden writes, the child's handle reads.
    pub(crate) tail: Arc<Mutex<Tail>>,
}

/// The child that it gets.
#[derive(Debug)]
pub(crate) struct Charge {
    pub(crate) pid: i32,
    pub(crate) start: u64,
    pub(crate) serial: Serial,
    pub(crate) pidfd: OwnedFd,
    pub(crate) stderr: Option<OwnedFd>,
}

/// The thread waits for its child; if the sender is dropped instead, nothing was started and it ends.
pub(crate) fn hire(post: Post) -> io::Result<mpsc::Sender<Charge>> {
    let (sender, charges) = mpsc::channel::<Charge>();
    thread::Builder::new().name("warden".to_owned()).spawn(move || {
        for charge in charges {
            Warden::new(&post, charge).run();
        }
    })?;
    Ok(sender)
}

#[derive(Debug)]
struct Warden<'a> {
    post: &'a Post,
    charge: Charge,
    exit: Option<Exit>,
    /// Nobody holds the handle any more.
    abandoned: bool,
    climb: Option<Climb>,
    /// The last look found processes that were gone at once: what they left may be alive, and no descriptor would tell
    /// of its end.
    restless: bool,
    /// Sure descendants at the last look.
    known: BTreeSet<(i32, u64)>,
    /// Open on descendants that were alive at the last look.
    watched: BTreeMap<(i32, u64), OwnedFd>,
}

#[derive(Debug)]
struct Look {
    alive: Vec<Entry>,
    /// The leader was reaped before, and nothing that descends from it was in the table, alive or dead.
    none_left: bool,
}

/// A stop under way.
#[derive(Debug)]
struct Climb {
    ladder: Ladder,
    rung: Option<Rung>,
    /// End of this rung's grace.
    until: Instant,
    waiting: Vec<oneshot::Sender<StopReport>>,
}

impl<'a> Warden<'a> {
    fn new(post: &'a Post, charge: Charge) -> Self {
        let stderr = charge.stderr.as_ref().map(|fd| rustix::io::ioctl_fionbio(fd, true));
        if let Some(Err(error)) = stderr {
            // A read could then block the stop: better no tail than that.
            tracing::warn!(pid = charge.pid, %error, "stderr of the program is not kept");
            return Self::with(post, Charge { stderr: None, ..charge });
        }
        Self::with(post, charge)
    }

    fn with(post: &'a Post, charge: Charge) -> Self {
        let (known, watched) = (BTreeSet::new(), BTreeMap::new());
        Self {
            post,
            charge,
            exit: None,
            abandoned: false,
            climb: None,
            restless: false,
            known,
            watched,
        }
    }

    fn run(mut self) {
        loop {
            self.take_orders();
            self.reap_leader();
            if self.climb.is_some() {
                self.advance();
            } else if self.exit.is_some()
                && !self.abandoned
                && let Err(error) = self.look()
            {
                // Orphans are claimed and the dead among them reaped; the next stop looks again and tells.
                tracing::warn!(pid = self.charge.pid, %error, "could not look for orphans");
            }
            // An unkillable child is still waited for, so that it is reaped one day.
            if self.climb.is_none() && self.abandoned && self.exit.is_some() {
                break;
            }
            self.sleep();
        }
        leaders::lock().forget(self.charge.serial);
    }

    fn take_orders(&mut self) {
        let mut rings = [0; 64];
        // Empty, or closed with the handle: the orders say which.
        while rustix::io::read(&self.post.ear, &mut rings).is_ok_and(|count| count > 0) {}
        loop {
            match self.post.orders.try_recv() {
                Ok(Order { ladder, reply }) => self.begin(ladder, Some(reply)),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    if !self.abandoned {
                        self.abandoned = true;
                        self.begin(Ladder::HARD, None);
                    }
                    return;
                }
            }
        }
    }

    fn begin(&mut self, ladder: Ladder, reply: Option<oneshot::Sender<StopReport>>) {
        let now = Instant::now();
        let climb = self.climb.get_or_insert_with(|| Climb {
            ladder,
            rung: None,
            until: now,
            waiting: Vec::new(),
        });
        climb.ladder = climb.ladder.sharper(ladder);
        if let Some(rung) = climb.rung {
            climb.until = climb.until.min(now + climb.ladder.grace(rung));
        }
        climb.waiting.extend(reply);
    }

    fn reap_leader(&mut self) {
        if self.exit.is_some() {
            return;
        }
        let id = WaitId::PidFd(std::os::fd::AsFd::as_fd(&self.charge.pidfd));
        let exit = match rustix::process::waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
        {
            Ok(None) | Err(Errno::INTR) => return,
            Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(number)) => Exit::Signal(number),
                (None, None) => Exit::Unknown,
            },
            // Somebody else reaped it, or SIGCHLD is ignored in this process.
            Err(_) => Exit::Unknown,
        };
        leaders::lock().reaped(self.charge.serial);
        // Before the exit is told: whoever asks why it ended finds its last words.
        self.drain_stderr(STDERR_AT_EXIT_BYTES);
        self.exit = Some(exit);
        self.post.exit.send_replace(Some(exit));
    }

    /// Reads what is there, up to about `most` bytes: a flood must not keep us from the ladder.
    fn drain_stderr(&mut self, most: usize) {
        let mut bytes = [0; STDERR_READ_BYTES];
        let mut taken = 0;
        while let Some(stderr) = &self.charge.stderr
            && taken < most
        {
            match rustix::io::read(stderr, &mut bytes) {
                Ok(0) => self.charge.stderr = None,
                Ok(count) => {
                    taken += count;
                    let fresh = bytes.get(..count).unwrap_or_default();
                    self.post.tail.lock().unwrap_or_else(PoisonError::into_inner).push(fresh);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(error) => {
                    tracing::warn!(pid = self.charge.pid, %error, "stderr of the program is lost");
                    self.charge.stderr = None;
                }
            }
        }
    }

    /// Goes up as far as the clock and the survivors demand, then leaves the waiting to `sleep`.
    fn advance(&mut self) {
        let look = self.look();
        let Some(climb) = &mut self.climb else { return };
        if matches!(&look, Ok(look) if look.none_left) {
            return self.finish(&Remains::Nothing);
        }
        let due = climb.rung.is_none() || Instant::now() >= climb.until;
        let rung = if due { climb.ladder.after(climb.rung) } else { climb.rung };
        let Some(rung) = rung else {
            return self.finish(&remains(look));
        };
        if due {
            climb.rung = Some(rung);
            climb.until = Instant::now() + climb.ladder.grace(rung);
            self.signal_group(rung);
        }
        // The kill goes to every newcomer too. The milder signals are given once: a second SIGINT makes some programs
        // drop everything.
        if due || rung == Rung::Kill {
            let alive = look.iter().flat_map(|look| &look.alive);
            alive.for_each(|entry| self.signal_one(entry, rung));
        }
    }

    /// Who is alive, and whether an empty answer can be trusted.
    ///
    /// A process may fork and end faster than the table is read. But as long as a descendant lives, one of them has this
    /// process or the leader for its parent, and only we reap those, and only here under the lock. So it stands in the
    /// table during the whole reading, alive or dead: a reading that shows neither is proof.
    fn look(&mut self) -> Result<Look, ScanError> {
        let mut leaders = leaders::lock();
        let table = procfs::scan()?;
        let others = leaders.others(self.charge.serial);
        let me = rustix::process::getpid().as_raw_nonzero().get();
        let my_session = table.iter().find(|e| e.pid == me).map_or(0, |e| e.session);
        let reaped = self.exit.is_some();
        let leader = Leader { pid: self.charge.pid, start: self.charge.start, reaped };
        let view = View { me, my_session, leader, known: &self.known, others: &others };
        let Descent { alive, sure, to_reap } = descent(&table, &view);
        leaders.claim(self.charge.serial, &sure);
        to_reap.iter().copied().for_each(reap_orphan);
        drop(leaders);
        self.known = sure;
        self.restless = alive.is_empty() && !to_reap.is_empty();
        self.watch(&alive);
        let none_left = reaped && alive.is_empty() && to_reap.is_empty();
        Ok(Look { alive, none_left })
    }

    fn watch(&mut self, alive: &[Entry]) {
        self.watched.retain(|key, _| alive.iter().any(|entry| (entry.pid, entry.start) == *key));
        for entry in alive.iter().filter(|entry| entry.pid != self.charge.pid) {
            if self.watched.len() >= WATCHED_AT_ONCE {
                return;
            }
            let key = (entry.pid, entry.start);
            if self.watched.contains_key(&key) {
                continue;
            }
            match open(entry) {
                Ok(Some(fd)) => {
                    self.watched.insert(key, fd);
                }
                // Gone since the look: what it left is not known yet.
                Ok(None) => self.restless = true,
                Err(error) => {
                    tracing::warn!(pid = entry.pid, %error, "the end of a process is not awaited");
                }
            }
        }
    }

    /// The group at once, as a terminal would, while the leader's number is surely its own.
    fn signal_group(&self, rung: Rung) {
        if self.exit.is_none()
            && let Some(group) = Pid::from_raw(self.charge.pid)
            && let Err(error) = rustix::process::kill_process_group(group, rung.signal())
        {
            tracing::debug!(pid = self.charge.pid, %error, ?rung, "the group took no signal");
        }
    }

    fn signal_one(&self, entry: &Entry, rung: Rung) {
        let had_the_groups = self.exit.is_none() && entry.group == self.charge.pid;
        if had_the_groups && rung != Rung::Kill {
            return;
        }
        if rung == Rung::Kill
            && let Some(pid) = Pid::from_raw(entry.pid)
        {
            // What it forks before the kill cannot fork again (unless it is root's): a chain of forks ends here.
            let none = Rlimit { current: Some(0), maximum: Some(0) };
            if let Err(error) = rustix::process::prlimit(Some(pid), Resource::Nproc, none) {
                tracing::debug!(pid = entry.pid, %error, "its forks could not be forbidden");
            }
        }
        let sent = match self.watched.get(&(entry.pid, entry.start)) {
            Some(fd) => rustix::process::pidfd_send_signal(fd, rung.signal()),
            None => match open(entry) {
                Ok(Some(fd)) => rustix::process::pidfd_send_signal(fd, rung.signal()),
                Ok(None) => return,
                // No descriptor to be had. That the number was given to another process since the look is far less
                // likely than that this one would go on.
                Err(_) => match Pid::from_raw(entry.pid) {
                    Some(pid) => rustix::process::kill_process(pid, rung.signal()),
                    None => return,
                },
            },
        };
        if let Err(error) = sent
            && error != Errno::SRCH
        {
            tracing::warn!(pid = entry.pid, %error, ?rung, "a process took no signal");
        }
    }

    fn finish(&mut self, remains: &Remains) {
        let Some(climb) = self.climb.take() else { return };
        self.watched.clear();
        if self.abandoned && !matches!(remains, Remains::Nothing) {
            tracing::warn!(pid = self.charge.pid, ?remains, "a dropped program is not all gone");
        }
        for reply in climb.waiting {
            let remains = remains.clone();
            // Whoever asked may have stopped listening; the stop is done all the same.
            drop(reply.send(StopReport { exit: self.exit, rung: climb.rung, remains }));
        }
    }

    /// Until something happens that is not just stderr.
    fn sleep(&mut self) {
        if self.restless {
            thread::yield_now();
            return;
        }
        loop {
            let timeout = match &self.climb {
                None => None,
                Some(climb) => {
                    let left = climb.until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    Timespec::try_from(left).ok()
                }
            };
            let flags = PollFlags::IN;
            let mut fds = vec![PollFd::new(&self.post.ear, flags)];
            // A closed bell would ring for ever.
            if self.abandoned {
                fds.clear();
            }
            if self.exit.is_none() {
                fds.push(PollFd::new(&self.charge.pidfd, flags));
            }
            fds.extend(self.watched.values().map(|fd| PollFd::new(fd, flags)));
            let events = fds.len();
            fds.extend(self.charge.stderr.as_ref().map(|fd| PollFd::new(fd, flags)));
            match rustix::event::poll(&mut fds, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::warn!(pid = self.charge.pid, %error, "could not wait for the program");
                    return;
                }
            }
            let happened = fds.iter().take(events).any(|fd| !fd.revents().is_empty());
            self.drain_stderr(STDERR_READ_BYTES);
            if happened {
                return;
            }
        }
    }
}

/// A descriptor of this very process, or none if it is gone: the number may belong to another by now, so the start
/// time is read again once the descriptor holds it.
fn open(entry: &Entry) -> Result<Option<OwnedFd>, Errno> {
    let Some(pid) = Pid::from_raw(entry.pid) else { return Ok(None) };
    let fd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) => fd,
        Err(Errno::SRCH) => return Ok(None),
        Err(error) => return Err(error),
    };
    match procfs::read(entry.pid) {
        Ok(Some(now)) if now.start == entry.start => Ok(Some(fd)),
        Ok(_) => Ok(None),
        Err(_) => Err(Errno::IO),
    }
}

/// Only under the lock of `leaders`: see `Warden::look`.
fn reap_orphan(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid)
        && let Err(error) =
            rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    {
        tracing::debug!(?pid, %error, "an orphan could not be reaped");
    }
}

fn remains(look: Result<Look, ScanError>) -> Remains {
    match look {
        Ok(look) if look.alive.is_empty() => Remains::CannotTell(CannotTell::Restless),
        Ok(look) => Remains::Processes(look.alive.iter().map(|entry| entry.pid).collect()),
        Err(error) => Remains::CannotTell(CannotTell::Scan(error)),
    }
}
