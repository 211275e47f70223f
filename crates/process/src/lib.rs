//! Starting programs and stopping them for certain. No other crate of ours starts one.
//!
//! A program is started by its absolute path with a vector of arguments, a cleared environment and nothing open but
//! its three standard streams; no shell takes part. It dies with this process, and [`child::Child::stop`] ends it
//! with everything that it started and says whether anything is left.
//!
//! How the pieces hold together:
//! - `spawner`: one thread that lives as long as the process forks every child. The kernel sends the parent-death
//!   signal when the *thread* that forked ends, so no pool thread may do it.
//! - `warden`: one thread for each child, made before the child is. It alone reaps the child, drains its stderr and
//!   climbs the stop ladder, so a stop needs no new resource and works while the async runtime is stuck.
//! - `descent`: who descends from a child. A process group misses whatever called `setsid`. So every child is a
//!   subreaper (its orphans stay below it while it lives) and so is this process (they come here afterwards).
//!
//! What is not here: what runs and with which credential (`tools`, the tool servers), the meaning of what is written to
//! a pipe, and escaping: bytes of a child are returned raw and go through `model::Escaped` at the caller.
//!
//! Linux 5.11 or later: pidfds and `close_range`.

pub mod child;
pub mod command;
pub mod ladder;
pub mod output;
pub mod procfs;
pub mod tail;

mod descent;
mod leaders;
mod spawner;
mod warden;
