//! Decisions of people over one run and one plan digest.

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::digest::Digest;
use crate::ids::{GateId, RunId, TeamId};
use crate::time::Timestamp;

/// How it is known who decided, from weakest to strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// The kernel's word for the user at the other end of the socket.
    PeerCredential,
    Oidc,
    SshSignature,
    Cosign,
    Passkey,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Evidence {
    PeerCredential {
        uid: u32,
        user: String,
    },
    /// A practice drill without a terminal answered for itself.
    Practice,
}

impl Evidence {
    pub fn kind(&self) -> EvidenceKind {
        match self {
            Self::PeerCredential { .. } | Self::Practice => EvidenceKind::PeerCredential,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Approve,
    Deny,
}

/// One decision of one person. The keeper fills `team` after it has looked the person up; the engine compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    pub by: Actor,
    pub evidence: Evidence,
    pub run: RunId,
    pub plan: Digest,
    pub gate: GateId,
    pub decision: Decision,
    pub expires: Timestamp,
    /// Random text made by the keeper, so that two decisions are never the same bytes.
    pub nonce: String,
    /// The team as whose member the person decided, where the gate asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// What the person said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
