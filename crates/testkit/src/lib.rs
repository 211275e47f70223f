//! Placeholder.

pub mod store_suite;
