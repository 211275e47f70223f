//! One binary for the engine: each file is a view of the same machine over the same plans.

mod exhaustive;
mod golden;
mod plans;
mod scenarios;
mod script;
