//! A library as it lies on disk, or inside the program: which documents it has, their bytes, their digest, and how
//! they stand to git.
//!
//! What is not here: what the documents say (`runbook`). Bytes are bounded, no link is followed, and git is asked in a
//! way that runs nothing of what its configuration names.

pub mod built_in;
pub mod document;
pub mod git;
pub mod library;
pub mod read;
pub mod tree;
