//! Placeholder.

pub mod judge;
pub mod store_suite;
