//! Signals and the incidents that they belong to: an alert's body in, typed signals out.
//!
//! Pure: no IO, clock, randomness or async. What is not here: which runbook fits a signal (`runbook`), what is
//! recorded about it (`store`), and who is on call.

pub mod alertmanager;
pub mod instant;
pub mod signal;

mod wire;
