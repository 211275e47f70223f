//! The durable journal: streams with their hash chain, intents, target leases, due times, rates, projections, blobs.
//!
//! [`sqlite::SqliteJournal`] is the real one, [`memory::MemoryJournal`] its second implementation for tests and
//! simulation; one suite in `testkit` holds both to the same answers. [`state::StateDir`] is the directory that one
//! keeper owns at a time, [`sqlite::file::JournalFile`] reads a journal without owning it.
//!
//! What is not here: what an event means (`engine`), when something is written (`runtime`). Only this crate knows SQL.

mod batch;
pub mod export;
pub mod memory;
pub mod sqlite;
pub mod state;
