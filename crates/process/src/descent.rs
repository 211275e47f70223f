//! Which processes descend from a child: pure, over one reading of the process table.

use std::collections::BTreeSet;

use crate::leaders::{Leader, Others};
use crate::procfs::Entry;

/// What is known besides the process table. `others` is of the same moment, see `leaders`.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) me: i32,
    pub(crate) my_session: i32,
    pub(crate) leader: Leader,
    /// Sure descendants seen before, as (pid, start): they stay ours wherever they are moved to.
    pub(crate) known: &'a BTreeSet<(i32, u64)>,
    /// The other programs that we started.
    pub(crate) others: &'a Others,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Descent {
    /// Alive, the leader included.
    pub(crate) alive: Vec<Entry>,
    /// Those of them that descend from no other program of ours, as (pid, start).
    pub(crate) sure: BTreeSet<(i32, u64)>,
    /// Dead orphans whose parent is this process: nobody else can reap them.
    pub(crate) to_reap: Vec<i32>,
}

pub(crate) fn descent(table: &[Entry], view: &View<'_>) -> Descent {
    let sure = below(table, |entry| is_surely_ours(entry, view));
    let inside = below(table, |entry| sure.contains(&entry.pid) || is_orphan(entry, view));
    let mut found = Descent::default();
    for entry in table.iter().filter(|entry| inside.contains(&entry.pid)) {
        if !entry.dead {
            found.alive.push(*entry);
            if sure.contains(&entry.pid) {
                found.sure.insert((entry.pid, entry.start));
            }
        } else if entry.parent == view.me && !is(entry, &view.leader) {
            found.to_reap.push(entry.pid);
        }
    }
    found
}

/// These and their descendants.
fn below(table: &[Entry], root: impl Fn(&Entry) -> bool) -> BTreeSet<i32> {
    let mut inside: BTreeSet<i32> =
        table.iter().filter(|entry| root(entry)).map(|entry| entry.pid).collect();
    // Children may come before their parents in the table: go round until nothing is added.
    loop {
        let children: Vec<i32> = table
            .iter()
            .filter(|entry| inside.contains(&entry.parent) && !inside.contains(&entry.pid))
            .map(|entry| entry.pid)
            .collect();
        if children.is_empty() {
            return inside;
        }
        inside.extend(children);
    }
}

fn is(entry: &Entry, leader: &Leader) -> bool {
    !leader.reaped && (entry.pid, entry.start) == (leader.pid, leader.start)
}

fn is_surely_ours(entry: &Entry, view: &View<'_>) -> bool {
    is(entry, &view.leader)
        || view.known.contains(&(entry.pid, entry.start))
        || (is_orphan(entry, view) && entry.session == view.leader.pid)
}

/// An orphan of a dead leader: our own child that we did not start. While its leader lived it would have been given
/// to that. What other code of this process starts stays in our session; what a leader starts cannot enter it.
///
/// An orphan that surely is another program's is left to that one. Any other counts for every dead leader: a stop
/// that kills too much of what nobody speaks for is better than one that says "nothing left" beside it.
fn is_orphan(entry: &Entry, view: &View<'_>) -> bool {
    let others = view.others;
    view.leader.reaped
        && entry.parent == view.me
        && entry.session != view.my_session
        && entry.start >= view.leader.start
        && !others.claimed.contains(&(entry.pid, entry.start))
        && !others.leaders.iter().any(|other| is(entry, other) || other.pid == entry.session)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: i32 = 10;

    fn entry(pid: i32, parent: i32, session: i32) -> Entry {
        Entry { pid, parent, group: session, session, start: 100, dead: false }
    }

    fn leader(pid: i32, reaped: bool) -> Leader {
        Leader { pid, start: 100, reaped }
    }

    #[track_caller]
    fn check(table: &[Entry], leader: Leader, known: &[i32], others: &Others, expected: Descent) {
        let known = known.iter().map(|pid| (*pid, 100)).collect();
        let view = View { me: ME, my_session: 9, leader, known: &known, others };
        assert_eq!(descent(table, &view), expected);
    }

    fn none() -> Others {
        Others::default()
    }

    fn alive(entries: &[Entry]) -> Descent {
        let sure = entries.iter().map(|entry| (entry.pid, entry.start)).collect();
        Descent { alive: entries.to_vec(), sure, to_reap: Vec::new() }
    }

    #[test]
    fn a_living_leader_has_its_tree_and_no_orphans_of_others() {
        let (grandchild, child) = (entry(20, 30, 20), entry(30, 40, 40));
        let (head, stray) = (entry(40, ME, 40), entry(50, ME, 50));
        let table = [entry(ME, 1, 9), grandchild, child, head, stray];
        check(&table, leader(40, false), &[], &none(), alive(&[grandchild, child, head]));
    }

    #[test]
    fn a_dead_leader_has_its_orphans_but_no_sibling() {
        let orphan = entry(50, ME, 50);
        let below = entry(51, 50, 50);
        let in_session = entry(52, ME, 40);
        let table = [
            entry(ME, 1, 9),
            orphan,
            below,
            in_session,
            entry(60, ME, 60),                        // another leader, alive
            entry(61, 60, 60),                        // its child
            entry(62, ME, 70), // an orphan in the session of a third, which is held but dead
            entry(65, ME, 65), // an orphan that was seen below another
            entry(63, ME, 9),  // started by other code of this process
            Entry { start: 99, ..entry(64, ME, 64) }, // older than the leader
        ];
        let alive = vec![orphan, below, in_session];
        let expected = Descent { alive, sure: [(52, 100)].into(), to_reap: Vec::new() };
        let leaders = vec![leader(60, false), leader(70, true)];
        let others = Others { leaders, claimed: [(65, 100)].into() };
        check(&table, leader(40, true), &[], &others, expected);
    }

    #[test]
    fn what_was_seen_stays_ours() {
        let moved = entry(50, 1, 50);
        check(&[moved], leader(40, false), &[50], &none(), alive(&[moved]));
        let reused = Entry { start: 101, ..moved };
        check(&[reused], leader(40, false), &[50], &none(), alive(&[]));
    }

    #[test]
    fn the_dead_are_reaped_only_where_we_are_the_parent() {
        let dead = |pid, parent| Entry { dead: true, ..entry(pid, parent, 40) };
        let table = [dead(41, 43), dead(42, ME)];
        let expected = Descent { to_reap: vec![42], ..Descent::default() };
        check(&table, leader(40, true), &[41], &none(), expected);
        // The leader itself is its warden's, which learns how it ended.
        check(&[dead(40, ME)], leader(40, false), &[], &none(), Descent::default());
    }
}
