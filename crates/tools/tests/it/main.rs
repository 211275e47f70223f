//! One binary for the host: each file asks it something of real processes, which do what the test says.

#[cfg(test)]
mod acting;
#[cfg(test)]
mod asking;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod lifetime;
#[cfg(test)]
mod pinning;
#[cfg(test)]
mod stage;
