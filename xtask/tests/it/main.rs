//! One binary for everything outside `src`: linking is what tests wait for.

#[cfg(test)]
mod guards;
#[cfg(test)]
mod repository;
#[cfg(test)]
mod samples;
