//! The shell: plans, drives runs against the ports, keeps time, answers the socket.
//!
//! It performs and does not decide: what a run does next is the engine's, whether a plan may run is policy's.

mod checks;
pub mod clock;
pub mod driver;
pub mod keeper;
mod perform;
pub mod place;
pub mod planning;
pub mod policy;
pub mod record;
pub mod service;
pub mod shelf;
mod view;
