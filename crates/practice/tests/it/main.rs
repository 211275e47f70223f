//! One binary for all integration tests of the practice world: each more would link everything again.

mod acts;
mod faults;
mod files;
mod sim;
mod worlds;
