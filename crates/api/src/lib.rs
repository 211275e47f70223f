//! What goes over the keeper's socket: requests, replies, their frames, the listening half and the typed client.
//!
//! Frames are lines of JSON, one object a line. The types here are the wire; nothing else is sent over it, and they
//! are used for nothing else than showing. What is not here: what a request leads to (`runtime`), how a reply looks
//! on a screen (`cli`).
//!
//! A change carries an `InboxId` made by its client. The keeper records the id together with what the change led to,
//! so that the same change sent again, to it or to the keeper after it, gets the recorded answer.

pub mod client;
pub mod exit;
pub mod frame;
pub mod inbox;
pub mod listener;
pub mod problem;
pub mod reference;
pub mod reply;
pub mod request;
pub mod socket;
pub mod view;

mod lines;
