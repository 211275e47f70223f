//! The runbook language: YAML with places, expressions, checked documents, and the matcher.
//!
//! Pure: no IO, clock, randomness or async. What is not here: reading files and libraries (`library`), resolving
//! objects and making plans (`runtime`), running them (`engine`).

pub mod checker;
pub mod code;
pub mod diagnostic;
pub mod document;
pub mod expr;
pub mod matcher;
pub mod render;
pub mod source;
mod suggest;
pub mod yaml;
