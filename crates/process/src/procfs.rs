//! The process table as `/proc` shows it. Format: proc(5), `/proc/[pid]/stat`.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::io::Errno;
use thiserror::Error;

/// One process. A pid may be reused; pid and start time together never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// Clock ticks since boot.
    pub(crate) start: u64,
    /// It will run no more instruction, and only waits to be reaped.
    pub(crate) dead: bool,
}

/// Why the process table could not be read. The processes themselves are nobody's business outside this crate.
#[derive(Clone, Debug, Error)]
pub enum ScanError {
    #[error("could not read {path:?}")]
    Read { path: PathBuf, source: Arc<io::Error> },
    #[error("{path:?} is not in the format of proc(5)")]
    Format { path: PathBuf },
    /// Another namespace's `/proc`, or one that hides processes: an empty answer would mean nothing.
    #[error("/proc does not show this very process")]
    NotOurs,
}

/// Every process that was there during the whole walk. One that began or ended meanwhile may be missing.
pub(crate) fn scan() -> Result<Vec<Entry>, ScanError> {
    let root = PathBuf::from("/proc");
    let unreadable =
        |source: io::Error| ScanError::Read { path: root.clone(), source: Arc::new(source) };
    let mut table = Vec::new();
    for item in fs::read_dir(&root).map_err(unreadable)? {
        let name = item.map_err(unreadable)?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue; // Not a process: /proc/meminfo and the like.
        };
        table.extend(read(pid)?);
    }
    let me = rustix::process::getpid().as_raw_nonzero().get();
    if table.iter().any(|entry| entry.pid == me) { Ok(table) } else { Err(ScanError::NotOurs) }
}

/// One process, or none if it is gone.
pub(crate) fn read(pid: i32) -> Result<Option<Entry>, ScanError> {
    let path = PathBuf::from(format!("/proc/{pid}/stat"));
    match fs::read(&path) {
        Ok(bytes) => match parse(&bytes) {
            Some(entry) => Ok(Some(entry)),
            None => Err(ScanError::Format { path }),
        },
        // The file opens and then fails with ESRCH if the process ends in between.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                || error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) =>
        {
            Ok(None)
        }
        Err(source) => Err(ScanError::Read { path, source: Arc::new(source) }),
    }
}

/// The second field is the program's name in brackets; the program chooses it, brackets and spaces included, so the
/// other fields are counted from the last closing one.
fn parse(stat: &[u8]) -> Option<Entry> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let pid = std::str::from_utf8(stat.get(..open)?).ok()?.trim().parse().ok()?;
    let rest = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // proc(5) numbers fields from 1 and the state is number 3.
    let field = |number: usize| fields.get(number - 3).copied();
    let threads: u32 = field(20)?.parse().ok()?;
    // The first thread of a process may end before the others: the entry is then a zombie that still runs.
    let dead = matches!(field(3)?, "Z" | "X" | "x") && threads <= 1;
    Some(Entry {
        pid,
        parent: field(4)?.parse().ok()?,
        group: field(5)?.parse().ok()?,
        session: field(6)?.parse().ok()?,
        start: field(22)?.parse().ok()?,
        dead,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_moves_no_field() {
        let stat = b"41 (a) Z 1 1 1 (b) S 7 8 9 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 3 0 555 1 2 3\n";
        let expected = Entry { pid: 41, parent: 7, group: 8, session: 9, start: 555, dead: false };
        assert_eq!(parse(stat), Some(expected));
    }

    #[test]
    fn a_zombie_with_running_threads_is_alive() {
        let stat = |threads: u32| {
            format!("41 (x) Z 7 8 9 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 {threads} 0 555 1 2\n")
        };
        let dead = |threads| parse(stat(threads).as_bytes()).map(|entry| entry.dead);
        assert_eq!((dead(1), dead(2)), (Some(true), Some(false)));
    }

    #[test]
    fn a_short_line_is_no_entry() {
        assert_eq!(parse(b"41 (x) S 7 8 9"), None);
    }
}
