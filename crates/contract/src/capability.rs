//! The check of a capability before an `apply`: signature, audience, call, attempt, time, and use only once.
//!
//! It stops other clients, a process that speaks to a model, and stale drivers. It does not stop a keeper that was
//! taken over by somebody: that keeper holds the key. What is not here: making capabilities (the keeper's side).

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::{Signature, VerifyingKey};
use steadyhand_model::canonical::CanonicalError;
use steadyhand_model::capability::{Capability, Claims, NONCE_CHARS};
use steadyhand_model::event::At;
use steadyhand_model::exchange::ApplyRequest;
use steadyhand_model::ids::{RunId, ServerId};
use steadyhand_model::time::{Span, Timestamp};

/// A capability that claims to live longer than this is refused: 30 s, on the real clock.
pub const NOT_AFTER_AHEAD_MAX: Span = Span::from_secs(30);
/// Most attempts that one executor process accepts; then it must be started again.
pub const ATTEMPTS_MAX: usize = 100_000;
/// Bytes of a public key.
pub const PUBLIC_KEY_BYTES: usize = 32;

/// The public half of a keeper's authority key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityKey(VerifyingKey);

#[derive(Debug, thiserror::Error)]
pub enum AuthorityKeyError {
    #[error("the authority key is not {PUBLIC_KEY_BYTES} bytes in hexadecimal")]
    Form,
    #[error("the authority key is not a point of Ed25519")]
    Point {
        #[source]
        source: ed25519_dalek::SignatureError,
    },
}

impl AuthorityKey {
    /// Reads 64 hexadecimal digits.
    pub fn parse(hex: &str) -> Result<Self, AuthorityKeyError> {
        let bytes = bytes_of_hex::<PUBLIC_KEY_BYTES>(hex).ok_or(AuthorityKeyError::Form)?;
        let key = VerifyingKey::from_bytes(&bytes)
            .map_err(|source| AuthorityKeyError::Point { source })?;
        Ok(Self(key))
    }
}

/// Why an `apply` was refused before the server saw it. Nothing has happened.
#[derive(Debug, thiserror::Error)]
pub enum CapabilityError {
    #[error("this executor was started without an authority key, so it refuses every call")]
    NoKey,
    #[error("the capability cannot be written as canonical JSON")]
    Form {
        #[source]
        source: CanonicalError,
    },
    #[error("the signature is not that of the keeper's authority key")]
    Signature,
    #[error("the capability is for `{audience}`, not for this server")]
    Audience { audience: ServerId },
    #[error("the capability is for another call")]
    Call,
    #[error("the capability is for another attempt than its envelope names")]
    Envelope,
    #[error("the nonce is not {NONCE_CHARS} hexadecimal digits")]
    Nonce,
    #[error("the capability has ended")]
    Ended,
    #[error("the capability claims to live for more than {NOT_AFTER_AHEAD_MAX}")]
    TooLong,
    #[error("the capability was used before")]
    NonceUsed,
    #[error("this attempt was made before")]
    AttemptUsed,
    #[error("this executor has made {ATTEMPTS_MAX} attempts and must be started again")]
    Full,
}

/// Remembers what was used. One for each executor process.
#[derive(Debug)]
pub(crate) struct Guard {
    server: ServerId,
    key: Option<AuthorityKey>,
    /// Nonces by the time until which their capability could be shown again.
    nonces: BTreeMap<String, Timestamp>,
    attempts: BTreeSet<(RunId, At)>,
    attempts_max: usize,
}

impl Guard {
    pub(crate) fn new(server: ServerId, key: Option<AuthorityKey>) -> Self {
        Self {
            server,
            key,
            nonces: BTreeMap::new(),
            attempts: BTreeSet::new(),
            attempts_max: ATTEMPTS_MAX,
        }
    }

    /// Checks a request and, if it passes, marks its nonce and its attempt as used.
    pub(crate) fn admit(
        &mut self,
        request: &ApplyRequest,
        real_now: Timestamp,
    ) -> Result<(), CapabilityError> {
        let key = self.key.as_ref().ok_or(CapabilityError::NoKey)?;
        let Capability { claims, .. } = &request.capability;
        verify(key, &request.capability)?;
        self.fits(request)?;
        if claims.not_after < real_now {
            return Err(CapabilityError::Ended);
        }
        if claims.not_after > real_now.plus(NOT_AFTER_AHEAD_MAX) {
            return Err(CapabilityError::TooLong);
        }
        self.nonces.retain(|_, until| *until >= real_now);
        if self.nonces.contains_key(&claims.nonce) {
            return Err(CapabilityError::NonceUsed);
        }
        let attempt = (claims.run.clone(), claims.at.clone());
        if self.attempts.contains(&attempt) {
            return Err(CapabilityError::AttemptUsed);
        }
        if self.attempts.len() >= self.attempts_max {
            return Err(CapabilityError::Full);
        }
        self.nonces.insert(claims.nonce.clone(), claims.not_after);
        self.attempts.insert(attempt);
        Ok(())
    }

    fn fits(&self, request: &ApplyRequest) -> Result<(), CapabilityError> {
        let Claims { audience, run, at, plan, call, fence, nonce, .. } = &request.capability.claims;
        if *audience != self.server {
            return Err(CapabilityError::Audience { audience: audience.clone() });
        }
        if *call != request.call.digest() {
            return Err(CapabilityError::Call);
        }
        let envelope = &request.envelope;
        let same = *run == envelope.run
            && *at == envelope.at
            && *plan == envelope.plan
            && *fence == envelope.fence;
        if !same {
            return Err(CapabilityError::Envelope);
        }
        let hex = nonce.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if nonce.len() != NONCE_CHARS || !hex {
            return Err(CapabilityError::Nonce);
        }
        Ok(())
    }
}

/// Checks the signature alone, strictly: no malleable forms and no weak keys.
fn verify(key: &AuthorityKey, capability: &Capability) -> Result<(), CapabilityError> {
    let bytes =
        capability.claims.bytes_to_sign().map_err(|source| CapabilityError::Form { source })?;
    let Some(signature) = bytes_of_hex::<{ Signature::BYTE_SIZE }>(&capability.signature) else {
        return Err(CapabilityError::Signature);
    };
    match key.0.verify_strict(bytes.as_str().as_bytes(), &Signature::from_bytes(&signature)) {
        Ok(()) => Ok(()),
        // The library says nothing about why, on purpose.
        Err(_opaque) => Err(CapabilityError::Signature),
    }
}

fn bytes_of_hex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digits = hex.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
