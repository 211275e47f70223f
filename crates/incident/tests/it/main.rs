//! The one integration binary: bodies in, whole signals or whole messages out.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod reading;
