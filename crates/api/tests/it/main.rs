//! The one integration binary: frames as bytes, and real sockets in directories of their own.
//!
//! Time is tokio's, paused. It stands still while a `world::Frozen` lives, so that no limit can run out because a
//! machine is slow; without one it jumps to the next limit as soon as nothing else can happen.

#[cfg(test)]
mod clients;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod keepers;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod world;
