//! The serving half of the tool contract: an MCP door over a server's table.
//!
//! A server implements [`door::Door`]; this crate speaks MCP for it (revision 2026-07-28 over a byte stream, and the
//! legacy handshake), checks every argument against the table, checks every capability before an `apply`, and caps
//! sizes. What is not here: what a server does (`practice`, `toolservers`), and the asking half (`tools`).

pub mod capability;
pub mod door;
pub mod serve;

mod arguments;
mod desk;
mod toolbox;
mod wire;
