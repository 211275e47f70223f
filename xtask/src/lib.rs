//! The workspace's own machinery: set-up, checks, benches, tidy rules and the guards that must be load-bearing.
//!
//! A library beside its binary only so that the tidy rules are tests too. Nothing of the product depends on it, and it
//! depends on no crate of the product.

pub mod bench;
pub mod guards;
pub mod program;
pub mod setup;
pub mod task;
pub mod test;
pub mod tidy;
pub mod workspace;
