//! What a tool server implements, and what it may answer.

use std::fmt;
use std::pin::Pin;

use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::catalogue::{ActionSpec, ReadSpec, ServerSpec};
use steadyhand_model::exchange::{
    ApplyReply, ApplyRequest, LostReply, PlanReply, ProbeReply, ProbeRequest, ReadReply,
};
use steadyhand_model::time::Timestamp;

/// Which instance of a server this is. A reader never has a credential that can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Serves reads and functions.
    Reader,
    /// Serves `plan`, `apply` and `probe` of each action.
    Executor,
}

/// What goes back to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served<T> {
    Reply(T),
    /// The reply is lost. Only a practice world loses one on purpose; it says until when it would be quiet.
    Lost(LostReply),
    /// Bytes that are no answer at all, sent as they are. Only a practice world does this on purpose.
    Noise(Noise),
}

/// What a broken server sends in place of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// An object that is not of the declared form.
    Garbage,
    /// An object larger than [`steadyhand_model::exchange::REPLY_BYTES_MAX`].
    Huge,
}

/// A boxed answer: cheap beside a call over a pipe.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Served<T>> + Send + 'a>>;

/// A tool server behind its door. Arguments are valid by the table, and an `apply` carries a checked capability.
///
/// `now` is the time of the environment's clock where the request carries one. A real server ignores it.
pub trait Door: Send + Sync + fmt::Debug + 'static {
    fn spec(&self) -> &ServerSpec;

    /// A read or a function of the table.
    fn read<'a>(
        &'a self,
        read: &'a ReadSpec,
        args: CanonicalJson,
        now: Option<Timestamp>,
    ) -> Answer<'a, ReadReply>;

    /// Says what an action would do, and changes nothing.
    fn plan<'a>(
        &'a self,
        action: &'a ActionSpec,
        args: CanonicalJson,
        now: Option<Timestamp>,
    ) -> Answer<'a, PlanReply>;

    /// Acts once.
    fn apply<'a>(
        &'a self,
        action: &'a ActionSpec,
        request: ApplyRequest,
        now: Option<Timestamp>,
    ) -> Answer<'a, ApplyReply>;

    /// Looks, read-only, whether an attempt happened.
    fn probe<'a>(
        &'a self,
        action: &'a ActionSpec,
        request: ProbeRequest,
        now: Option<Timestamp>,
    ) -> Answer<'a, ProbeReply>;
}
