//! The one integration binary: libraries on a real disk and in real git repositories.

#[cfg(test)]
mod reading;
#[cfg(test)]
mod repositories;
