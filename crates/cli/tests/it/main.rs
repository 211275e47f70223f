//! The real binary: its words, its exit codes, its talk with a keeper that a test scripts, and a terminal.
//!
//! One binary for all of it: each would link the whole program's dependencies again.

#[cfg(test)]
mod chain;
#[cfg(test)]
mod keeper;
#[cfg(test)]
#[path = "../../src/screen/tests/sample.rs"]
#[expect(dead_code, reason = "the samples are those of the screens, which use all of them")]
mod sample;
#[cfg(test)]
mod steady;
#[cfg(test)]
mod terminal;

#[cfg(test)]
mod alone;
#[cfg(test)]
mod piped;
#[cfg(test)]
mod typed;
