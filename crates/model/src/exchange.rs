//! What goes between the tool host and a tool server, as arguments and structured content of MCP tools.
//!
//! A reader serves one tool a read (`get_workload`) and one a function (`fn.owner_of`), and answers a [`ReadReply`].
//! An executor serves `<action>.plan`, `<action>.apply` and `<action>.probe`. Requests carry the time of the
//! environment's clock in `_meta` under [`META_NOW`].

use serde::{Deserialize, Serialize};

use crate::canonical::CanonicalJson;
use crate::capability::{Capability, Envelope};
use crate::outcome::{Outcome, ProbeVerdict};
use crate::plan::{BlastRadius, Inverse, Preview, Target};
use crate::reading::{Call, Check};
use crate::time::{Span, Timestamp};

/// `_meta` key of the environment's time, in microseconds since 1970.
pub const META_NOW: &str = "dev.steadyhand/now";
/// Largest reply that a host accepts, in bytes: 4 MiB.
pub const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest request that a server accepts, in bytes: 1 MiB.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// JSON-RPC error code of a practice server whose reply is lost: a host that sees it acts as if nothing had come.
/// Its `data` is a [`LostReply`]. A real server never sends it.
pub const LOST_REPLY_CODE: i32 = -32099;

/// How long the silence of a lost reply would last. The world does not sleep; the host's clock goes on to that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LostReply {
    /// On the environment's clock: when the caller would give the call up.
    pub quiet_until: Timestamp,
}

/// Answer of a reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ReadReply {
    /// Of the read's declared result type.
    Value(CanonicalJson),
    CannotTell {
        why: String,
    },
}

/// Arguments of `<action>.plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The action's arguments as the runbook gives them.
    pub args: CanonicalJson,
}

/// Answer of `<action>.plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PlanReply {
    Planned(Box<StepPreview>),
    /// It will not be done, and why: `OnDelete: a restart does nothing`.
    Refused {
        why: String,
    },
    CannotTell {
        why: String,
    },
}

/// What an executor says that a call would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepPreview {
    /// The complete call: what `apply` will be given, byte for byte. It names the state that it expects.
    pub call: Call,
    pub targets: Vec<Target>,
    pub preview: Preview,
    /// Preconditions as predicates over fresh reads.
    pub before: Vec<Check>,
    /// The action's own verification, with its reads; `null` where the action has none.
    pub verify: Option<Check>,
    pub undo: Option<Inverse>,
    pub radius: BlastRadius,
    /// Rights that the executor lacks for this call: `patch deployments in shop`.
    pub missing_permissions: Vec<String>,
    /// The result fields that are known when planned, by name.
    pub planned: CanonicalJson,
    /// The same change as a line that a person could type.
    pub command: Option<String>,
    /// Set when the target is in the wanted state already.
    pub nothing_to_do: Option<String>,
}

/// Arguments of `<action>.apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    pub call: Call,
    pub envelope: Envelope,
    pub capability: Capability,
}

/// Answer of `<action>.apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyReply {
    pub outcome: Outcome,
    /// How long it would have taken: a practice server says this instead of sleeping. Real servers never do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Span>,
}

/// Arguments of `<action>.probe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeRequest {
    pub call: Call,
    pub envelope: Envelope,
}

/// Answer of `<action>.probe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeReply {
    pub verdict: ProbeVerdict,
}
