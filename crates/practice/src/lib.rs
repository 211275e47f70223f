//! The practice world: a small cluster that exists as a file, served under the tables of the real servers.
//!
//! `world` is pure: a fold over lines, with time from each request and no clock, file or randomness of its own.
//! `world_file` is the only module that touches a file, `door` the only one that answers over the contract.
//! What is not here: any decision about a run. A world does what it is asked, or what a planted fault says.

pub mod door;
pub mod fault;
pub mod line;
pub mod scenario;
pub mod serve;
pub mod simulator;
pub mod world;
pub mod world_file;
