//! The nouns of Steadyhand: ids, digests, canonical JSON, values, the tool contract, plans, events, outcomes.
//!
//! What is not here: no IO, clock, randomness or async; no parsing of runbooks (`runbook`), no decisions
//! (`engine`). Every type that is written to disk or sent to another process says so in its own doc.

pub mod actor;
pub mod approval;
pub mod canonical;
pub mod capability;
pub mod catalogue;
pub mod digest;
pub mod event;
pub mod exchange;
pub mod ids;
pub mod outcome;
pub mod plan;
pub mod reading;
pub mod text;
pub mod time;
pub mod types;
pub mod value;
