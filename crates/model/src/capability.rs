//! What travels beside a call: the envelope, and the capability that lets an executor act on it once.

use serde::{Deserialize, Serialize};

use crate::canonical::{CanonicalError, CanonicalJson};
use crate::digest::Digest;
use crate::event::At;
use crate::ids::{Fence, RunId, ServerId};
use crate::time::{Span, Timestamp};

/// Longest life of a capability, from its making: 10 s, on the real clock.
pub const CAPABILITY_LIFE: Span = Span::from_secs(10);

/// Not compared with the plan: names the attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    pub run: RunId,
    pub at: At,
    pub plan: Digest,
    pub fence: Fence,
    /// Made of run, step, leg and attempt: the same for the same attempt, for ever.
    pub idempotency_key: String,
}

/// Signed by the keeper's authority key: Ed25519 over the canonical JSON of the claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    pub audience: ServerId,
    pub run: RunId,
    pub at: At,
    pub plan: Digest,
    /// Digest of the call: [`crate::reading::Call::digest`].
    pub call: Digest,
    pub fence: Fence,
    /// Bounds the moment of sending, on the real clock.
    pub not_after: Timestamp,
    /// 32 hexadecimal digits.
    pub nonce: String,
}

/// Characters of [`Claims::nonce`], lower-case hexadecimal.
pub const NONCE_CHARS: usize = 32;

impl Claims {
    /// The bytes that are signed, and that an executor makes again to check the signature.
    ///
    /// # Errors
    /// If a number is outside what canonical JSON carries.
    pub fn bytes_to_sign(&self) -> Result<CanonicalJson, CanonicalError> {
        CanonicalJson::of(self)
    }
}

/// Claims and their signature, as sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capability {
    pub claims: Claims,
    /// 128 hexadecimal digits.
    pub signature: String,
}
