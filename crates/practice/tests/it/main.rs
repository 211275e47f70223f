//! One binary for all integration tests of the practice world: each more would link everything again.

// `cfg(test)` is always true here; it tells the lints that what stands beside the tests is tests too.
#[cfg(test)]
mod acts;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod files;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod worlds;
