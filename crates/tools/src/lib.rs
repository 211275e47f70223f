//! The MCP host: starts the tool servers of one environment, asks them, and believes as little as it can.
//!
//! A server has two instances, each a process of its own: the *reader* answers reads, the *executor* plans, acts and
//! probes. How the pieces hold together:
//! - `wire`: one JSON-RPC message a line, strictly; it knows of each request whether a byte of it was ever written.
//! - `connection`: one running process and its MCP client; a question comes back as an answer or as what went wrong.
//! - `pins`: a server's tools must have the form that our table gives them, and may not change afterwards.
//! - `instance`: the process of one server and role, started when it is needed and again when it has died.
//! - `reply`: what a server says, read strictly and compared with the table.
//! - `host`: the port `ToolHost` over all of these. An `apply` is sent once, and every fault of it is an outcome.
//!
//! What is not here: what a server does (`practice`, `toolservers`), the serving half of the contract (`contract`), how
//! programs are started and stopped (`process`), and any decision about a run (`engine`).

pub mod authority;
pub mod host;
pub mod redact;

mod arguments;
mod connection;
mod instance;
mod pins;
mod reply;
mod ticket;
mod wire;
