//! Placeholder.

pub mod contract_suite;
pub mod judge;
pub mod store_suite;
