//! One binary for the engine: each file is a view of the same machine over the same plans.

#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod script;
