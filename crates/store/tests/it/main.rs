//! The journal through its port and its files: one binary, because linking SQLite is most of its build.

// `cfg(test)` is always true here; it tells the lints that helpers beside the tests are tests too.
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod crashing;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod ownership;
