//! One integration binary: it links once. `cfg(test)` tells the lints that all of it is tests.

#[cfg(test)]
mod documents;
#[cfg(test)]
mod expressions;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod matching;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod table;
