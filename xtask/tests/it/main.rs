//! One binary for everything outside `src`: linking is what tests wait for.

mod guards;
mod repository;
mod samples;
