//! Each way in which a capability can be wrong, as one table; and the limits from both sides.

use ed25519_dalek::{Signer, SigningKey};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::capability::Envelope;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::Leg;
use steadyhand_model::ids::{Attempt, Fence};
use steadyhand_model::reading::Call;

use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public(key: &SigningKey) -> AuthorityKey {
    AuthorityKey::parse(&hex(key.verifying_key().as_bytes())).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn request(change: impl FnOnce(&mut Claims), key: &SigningKey) -> ApplyRequest {
    let call = Call {
        action: "kubernetes.scale".parse().unwrap(),
        args: CanonicalJson::parse(br#"{"replicas":4}"#).unwrap(),
    };
    let at = At { step: "scale".parse().unwrap(), leg: Leg::Forward, attempt: Attempt(1) };
    let envelope = Envelope {
        run: "r-4f2kabcdefgh".parse().unwrap(),
        at: at.clone(),
        plan: Digest::of(b"plan"),
        fence: Fence(1),
        idempotency_key: "k".into(),
    };
    let mut claims = Claims {
        audience: "kubernetes".parse().unwrap(),
        run: envelope.run.clone(),
        at,
        plan: envelope.plan,
        call: call.digest(),
        fence: Fence(1),
        not_after: NOW.plus(Span::from_secs(10)),
        nonce: "0".repeat(NONCE_CHARS),
    };
    change(&mut claims);
    let signature = key.sign(claims.bytes_to_sign().unwrap().as_str().as_bytes());
    let capability = Capability { claims, signature: hex(&signature.to_bytes()) };
    ApplyRequest { call, envelope, capability }
}

fn guard() -> Guard {
    Guard::new("kubernetes".parse().unwrap(), Some(public(&key())))
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let cases: Vec<(&str, ApplyRequest)> = vec![
        ("ok", request(|_| {}, &key())),
        ("the signature is not that", request(|_| {}, &SigningKey::from_bytes(&[8; 32]))),
        (
            "the capability is for `alerts`",
            request(|c| c.audience = "alerts".parse().unwrap(), &key()),
        ),
        ("another call", request(|c| c.call = Digest::of(b"x"), &key())),
        ("another attempt", request(|c| c.at.attempt = Attempt(2), &key())),
        ("another attempt", request(|c| c.at.leg = Leg::Undo, &key())),
        ("another attempt", request(|c| c.plan = Digest::of(b"x"), &key())),
        ("another attempt", request(|c| c.fence = Fence(2), &key())),
        ("another attempt", request(|c| c.run = "r-4f2kabcdefgi".parse().unwrap(), &key())),
        ("hexadecimal digits", request(|c| c.nonce = "0".repeat(NONCE_CHARS - 1), &key())),
        ("hexadecimal digits", request(|c| c.nonce = "F".repeat(NONCE_CHARS), &key())),
        ("ok", request(|c| c.not_after = NOW, &key())),
        ("has ended", request(|c| c.not_after = Timestamp(NOW.0 - 1), &key())),
        ("ok", request(|c| c.not_after = NOW.plus(NOT_AFTER_AHEAD_MAX), &key())),
        (
            "claims to live",
            request(|c| c.not_after = Timestamp(NOW.plus(NOT_AFTER_AHEAD_MAX).0 + 1), &key()),
        ),
    ];
    for (want, request) in cases {
        let got = match guard().admit(&request, NOW) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(got.contains(want), "wanted {want:?}, got {got:?}");
    }
}

#[test]
fn a_changed_byte_of_the_signature_or_the_claims_is_refused() {
    let mut signed = request(|_| {}, &key());
    signed.capability.signature.replace_range(0..1, "z");
    assert!(matches!(guard().admit(&signed, NOW), Err(CapabilityError::Signature)));
    let mut claimed = request(|_| {}, &key());
    claimed.capability.claims.not_after = NOW.plus(Span::from_secs(11));
    assert!(matches!(guard().admit(&claimed, NOW), Err(CapabilityError::Signature)));
}

#[test]
fn nothing_is_used_twice() {
    let mut guard = guard();
    let first = request(|_| {}, &key());
    assert!(guard.admit(&first, NOW).is_ok());
    assert!(matches!(guard.admit(&first, NOW), Err(CapabilityError::NonceUsed)));
    let fresh = request(|c| c.nonce = "1".repeat(NONCE_CHARS), &key());
    assert!(matches!(guard.admit(&fresh, NOW), Err(CapabilityError::AttemptUsed)));
}

#[test]
fn without_a_key_everything_is_refused() {
    let mut guard = Guard::new("kubernetes".parse().unwrap(), None);
    let refused = guard.admit(&request(|_| {}, &key()), NOW);
    assert!(matches!(refused, Err(CapabilityError::NoKey)));
}

#[test]
fn attempts_are_bounded() {
    let mut guard = guard();
    guard.attempts_max = 1;
    let other = |n: u8| {
        let mut request = request(
            |c| {
                c.nonce = format!("{n:032x}");
                c.at.attempt = Attempt(u32::from(n));
            },
            &key(),
        );
        request.envelope.at = request.capability.claims.at.clone();
        request
    };
    assert!(guard.admit(&other(1), NOW).is_ok());
    assert!(matches!(guard.admit(&other(2), NOW), Err(CapabilityError::Full)));
}

#[test]
fn public_keys_are_read_strictly() {
    let good = hex(key().verifying_key().as_bytes());
    assert!(AuthorityKey::parse(&good).is_ok());
    for bad in [&good[1..], &good.to_uppercase(), "", &"g".repeat(64)] {
        assert!(AuthorityKey::parse(bad).is_err(), "{bad}");
    }
}
