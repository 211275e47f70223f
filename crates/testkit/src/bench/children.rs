//! Processes that are measured from outside: their memory and their processor time, as the kernel counts them.

use std::path::PathBuf;
use std::time::Duration;

use super::BenchError;

/// Memory that a process has resident now, in bytes.
///
/// # Errors
/// If the process is gone.
pub fn resident_bytes(pid: u32) -> Result<u64, BenchError> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(path).map_err(BenchError::io("reading a child's memory"))?;
    let kib: Option<u64> = text.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok()
    });
    match kib {
        Some(kib) => Ok(kib * 1024),
        None => Err(BenchError::Garbled { what: "/proc/PID/status", said: text }),
    }
}

/// Processor time that all living threads of a process have had, to the nanosecond.
///
/// # Errors
/// If the process is gone.
pub fn processor_time(pid: u32) -> Result<Duration, BenchError> {
    let what = "reading a child's processor time";
    let mut total = Duration::ZERO;
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map_err(BenchError::io(what))?;
    for thread in threads {
        let path = thread.map_err(BenchError::io(what))?.path().join("schedstat");
        let text = std::fs::read_to_string(path).map_err(BenchError::io(what))?;
        match text.split_whitespace().next().map(str::parse) {
            Some(Ok(nanos)) => total += Duration::from_nanos(nanos),
            Some(Err(_)) | None => {
                return Err(BenchError::Garbled {
                    what: "/proc/PID/task/TID/schedstat",
                    said: text,
                });
            }
        }
    }
    Ok(total)
}

/// The binaries `steady` that were built with this very target directory, by the name of their profile.
///
/// # Errors
/// If there is none.
pub fn steady_binaries() -> Result<Vec<(&'static str, PathBuf)>, BenchError> {
    let program = std::env::current_exe().map_err(BenchError::io("finding this program"))?;
    let target = program.parent().and_then(|profile| profile.parent());
    let built: Vec<_> = ["debug", "release", "dist"]
        .into_iter()
        .filter_map(|profile| Some((profile, target?.join(profile).join("steady"))))
        .filter(|(_, path)| path.is_file())
        .collect();
    if built.is_empty() { Err(BenchError::NoBinary) } else { Ok(built) }
}
