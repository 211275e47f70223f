//! The programs that this process started and has not let go of: whose orphan a process is depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A program that we started, at the head of a session of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) pid: i32,
    /// Clock ticks since boot, as in `/proc`.
    pub(crate) start: u64,
    /// Its pid is free for anyone once it was reaped.
    pub(crate) reaped: bool,
}

/// Counts the children of this process; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Serial(u64);

/// Guards the table of our leaders. The kernel gives orphans and the subreaper flag to the whole process, so the table
/// is the whole process's too. It is locked from before a fork until the child is entered, and for each reading of the
/// process table: so no newborn child is taken for an orphan. What may hang on a dead file system is touched before
/// the fork, without the lock.
static LEADERS: Mutex<Leaders> = Mutex::new(Leaders { next: 0, entries: BTreeMap::new() });

#[derive(Debug)]
pub(crate) struct Leaders {
    next: u64,
    entries: BTreeMap<Serial, Held>,
}

#[derive(Debug)]
struct Held {
    leader: Leader,
    descendants: BTreeSet<(i32, u64)>,
}

/// What the rest of our programs have, as one of them sees it.
#[derive(Debug, Default)]
pub(crate) struct Others {
    pub(crate) leaders: Vec<Leader>,
    /// Descendants that surely are theirs, as (pid, start).
    pub(crate) claimed: BTreeSet<(i32, u64)>,
}

pub(crate) fn lock() -> MutexGuard<'static, Leaders> {
    // Every change is one map operation, so a panic elsewhere leaves the table whole.
    LEADERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leaders {
    pub(crate) fn enter(&mut self, pid: i32, start: u64) -> Serial {
        let serial = Serial(self.next);
        self.next += 1;
        let leader = Leader { pid, start, reaped: false };
        self.entries.insert(serial, Held { leader, descendants: BTreeSet::new() });
        serial
    }

    pub(crate) fn reaped(&mut self, serial: Serial) {
        if let Some(held) = self.entries.get_mut(&serial) {
            held.leader.reaped = true;
        }
    }

    /// Keeps what surely descends from one program out of the stop of another, which may be harsher.
    pub(crate) fn claim(&mut self, serial: Serial, descendants: &BTreeSet<(i32, u64)>) {
        if let Some(held) = self.entries.get_mut(&serial) {
            held.descendants.clone_from(descendants);
        }
    }

    pub(crate) fn forget(&mut self, serial: Serial) {
        self.entries.remove(&serial);
    }

    pub(crate) fn others(&self, than: Serial) -> Others {
        let mut others = Others::default();
        for (_, held) in self.entries.iter().filter(|(serial, _)| **serial != than) {
            others.leaders.push(held.leader);
            others.claimed.extend(&held.descendants);
        }
        others
    }
}
