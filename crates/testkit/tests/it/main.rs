//! One binary for all integration tests of the testkit: each more would link everything again.

// `cfg(test)` is always true here; it tells the lints that what stands beside the tests is tests too.
#[cfg(test)]
mod contract;
#[cfg(test)]
mod sweep;
