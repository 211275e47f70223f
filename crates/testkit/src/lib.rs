//! What tests stand on: conformance suites over ports and contracts, and the judge; and what the benches share.
//! Nothing of it is in the product.

pub mod bench;
pub mod contract_suite;
pub mod judge;
pub mod store_suite;
pub mod sweep;
