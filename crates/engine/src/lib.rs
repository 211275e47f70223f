//! The run as a pure state machine, and the ports that a shell drives it through.
//!
//! Four verbs over one type: [`run::Run::replay`], `run.decide`, `run.apply`, `run.pending`. There is no clock, no
//! IO, no randomness and no expression evaluator here; every answer of the outside world is a recorded input.

mod apply;
mod decide;
pub mod effect;
mod follow;
pub mod input;
mod pending;
pub mod port;
pub mod run;
pub mod state;
