//! The keeper's authority: the key that lets an executor act, made anew at each start and kept in memory only.
//!
//! It stops other clients, a process that speaks to a model, and drivers that were taken over. It does not stop a
//! keeper that somebody took over: that keeper holds the key. What is not here: the check (`contract`).

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use ed25519_dalek::{Signer as _, SigningKey};
use steadyhand_model::canonical::CanonicalError;
use steadyhand_model::capability::{CAPABILITY_LIFE, Capability, Claims, Envelope, NONCE_CHARS};
use steadyhand_model::ids::ServerId;
use steadyhand_model::reading::Call;
use steadyhand_model::time::Timestamp;

/// Bytes of a private key.
const PRIVATE_KEY_BYTES: usize = 32;

/// An Ed25519 key pair. Only its public half can be had.
pub struct Authority(SigningKey);

#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("the system gave no random bytes")]
    Random {
        #[source]
        source: getrandom::Error,
    },
    #[error("the capability cannot be written as canonical JSON")]
    Form {
        #[source]
        source: CanonicalError,
    },
}

impl Authority {
    /// Makes a new key from random bytes of the system.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn generate() -> Result<Self, AuthorityError> {
        Ok(Self(SigningKey::from_bytes(&random::<PRIVATE_KEY_BYTES>()?)))
    }

    /// The public half, 64 hexadecimal digits: what an executor is started with.
    pub fn public_hex(&self) -> String {
        hex::encode(self.0.verifying_key().as_bytes())
    }

    /// Lets `audience` make this one call for this one attempt, within [`CAPABILITY_LIFE`] of the real clock.
    pub(crate) fn grant(
        &self,
        audience: &ServerId,
        call: &Call,
        envelope: &Envelope,
    ) -> Result<Capability, AuthorityError> {
        let claims = Claims {
            audience: audience.clone(),
            run: envelope.run.clone(),
            at: envelope.at.clone(),
            plan: envelope.plan,
            call: call.digest(),
            fence: envelope.fence,
            not_after: real_now().plus(CAPABILITY_LIFE),
            nonce: hex::encode(random::<{ NONCE_CHARS / 2 }>()?),
        };
        let bytes = claims.bytes_to_sign().map_err(|source| AuthorityError::Form { source })?;
        let signature = self.0.sign(bytes.as_str().as_bytes());
        Ok(Capability { claims, signature: hex::encode(signature.to_bytes()) })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("public", &self.public_hex()).finish_non_exhaustive()
    }
}

fn random<const N: usize>() -> Result<[u8; N], AuthorityError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|source| AuthorityError::Random { source })?;
    Ok(bytes)
}

/// The real clock: a practice world's clock never bounds a capability.
fn real_now() -> Timestamp {
    // A clock before 1970 gives capabilities that have ended: executors refuse them.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, VerifyingKey};
    use steadyhand_model::canonical::CanonicalJson;
    use steadyhand_model::digest::Digest;
    use steadyhand_model::event::{At, Leg};
    use steadyhand_model::ids::{Attempt, Fence};

    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            run: "r-4f2kabcdefgh".parse().unwrap(),
            at: At { step: "restart".parse().unwrap(), leg: Leg::Forward, attempt: Attempt(1) },
            plan: Digest::of(b"plan"),
            fence: Fence(3),
            idempotency_key: "key".into(),
        }
    }

    #[test]
    fn a_grant_names_the_attempt_and_is_signed() {
        let authority = Authority::generate().unwrap();
        let call = Call {
            action: "kubernetes.scale".parse().unwrap(),
            args: CanonicalJson::parse(br#"{"replicas":3}"#).unwrap(),
        };
        let server: ServerId = "kubernetes".parse().unwrap();
        let before = real_now();
        let granted = authority.grant(&server, &call, &envelope()).unwrap();
        let Capability { claims, signature } = granted.clone();
        let life = claims.not_after.since(before);
        assert!(life >= CAPABILITY_LIFE, "{life}");
        assert_eq!(claims.nonce.len(), NONCE_CHARS);
        let want = Claims {
            audience: server.clone(),
            run: envelope().run,
            at: envelope().at,
            plan: envelope().plan,
            call: call.digest(),
            fence: Fence(3),
            not_after: claims.not_after,
            nonce: claims.nonce.clone(),
        };
        assert_eq!(claims, want);
        let mut bytes = [0; 32];
        hex::decode_to_slice(authority.public_hex(), &mut bytes).unwrap();
        let mut signed = [0; Signature::BYTE_SIZE];
        hex::decode_to_slice(&signature, &mut signed).unwrap();
        let message = want.bytes_to_sign().unwrap();
        let key = VerifyingKey::from_bytes(&bytes).unwrap();
        key.verify_strict(message.as_str().as_bytes(), &Signature::from_bytes(&signed)).unwrap();
        let again = authority.grant(&server, &call, &envelope()).unwrap();
        assert_ne!(again.claims.nonce, granted.claims.nonce);
    }

    #[test]
    fn debug_shows_the_public_half_only() {
        let authority = Authority::generate().unwrap();
        let shown = format!("{authority:?}");
        assert_eq!(shown, format!("Authority {{ public: {:?}, .. }}", authority.public_hex()));
        assert!(!shown.contains(&hex::encode(authority.0.to_bytes())));
    }
}
