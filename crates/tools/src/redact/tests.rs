//! What must be hidden, and what must stay readable.

use super::*;

const CANARY: &str = "c4n4ryS3cretN0body";

#[test]
fn secrets_are_hidden_and_words_stay() {
    let digest = format!("sha256:{}", "a1".repeat(32));
    let cases: Vec<(String, String)> = [
        ("connect failed: refused", "connect failed: refused"),
        ("password=hunter2 for asha", "password=[redacted] for asha"),
        ("DB_PASSWORD: hunter2, next", "DB_PASSWORD: [redacted], next"),
        (r#"{"token": "a b\" c", "n": 1}"#, r#"{"token": [redacted], "n": 1}"#),
        (r#"{\"secret\":\"abc\",\"n\":1}"#, r#"{\"secret\":[redacted],\"n\":1}"#),
        ("--password hunter2 --replicas 3", "--password [redacted] --replicas 3"),
        ("?api_key=abc&page=2", "?api_key=[redacted]&page=2"),
        ("Authorization: Bearer abc.def", "Authorization: [redacted]"),
        ("sent bearer 0123456789 to it", "sent bearer [redacted] to it"),
        ("basic auth is off", "basic auth is off"),
        ("Cookie: a=b; c=d\nnext line", "Cookie: [redacted]\nnext line"),
        ("postgres://steady:pw@db:5432/x", "postgres://[redacted]@db:5432/x"),
        ("https://example.org/a@b", "https://example.org/a@b"),
        ("-----BEGIN KEY-----\nAAAA\n-----END KEY----- tail", "[redacted] tail"),
        ("-----BEGIN KEY-----\nAAAA", "[redacted]"),
        ("use ghp_0123456789abcdef now", "use [redacted] now"),
        ("jwt eyJhbGciOi.eyJzdWIiO.c2ln end", "jwt [redacted] end"),
        ("key 0123456789abcdef0123456789abcdef", "key [redacted]"),
        ("key 0123456789abcdef0123456789abcde", "key 0123456789abcdef0123456789abcde"),
        ("blob QUJDabc123QUJDabc123QUJDabc123Qw==", "blob [redacted]"),
        ("pod checkout-7d9f8b6c5d-x2x4z is gone", "pod checkout-7d9f8b6c5d-x2x4z is gone"),
        ("uid 0b7c1f0e-6c2f-4f0e-9d43-0a1b2c3d4e5f", "uid 0b7c1f0e-6c2f-4f0e-9d43-0a1b2c3d4e5f"),
        (
            "lease of production/kubernetes/Deployment/0b7c-1",
            "lease of production/kubernetes/Deployment/0b7c-1",
        ),
        ("key wJalrXUtn5EMI/K7MDENG/bPxRf1CYzX9MPqEKeY", "key [redacted]"),
        ("password=[redacted]hunter2", "password=[redacted]"),
        ("the token is missing", "the token is missing"),
        ("größe: 東京", "größe: 東京"),
    ]
    .into_iter()
    .map(|(text, want)| (text.to_owned(), want.to_owned()))
    .chain([(format!("template {digest} differs"), format!("template {digest} differs"))])
    .collect();
    for (text, want) in cases {
        assert_eq!(redact(&text), want);
        assert_eq!(redact(&want), want, "redacted twice");
    }
}

#[test]
fn a_canary_is_never_told() {
    let forms = [
        format!("password={CANARY}"),
        format!("PASSWORD : '{CANARY}'"),
        format!("--token {CANARY}"),
        format!("--token={CANARY}"),
        format!("authorization: basic {CANARY}"),
        format!("{{\"client_secret\":\"{CANARY}\"}}"),
        format!("https://{CANARY}@host/"),
        format!("https://user:{CANARY}@host/"),
        format!("Bearer {CANARY}"),
        format!("-----BEGIN PRIVATE KEY-----\n{CANARY}"),
        format!("sk-{CANARY}"),
    ];
    for form in forms {
        for text in [form.clone(), format!("error: {form}\n\tat line 3"), format!("({form})")] {
            assert!(!told(&text).contains(CANARY), "{text} gives {}", told(&text));
        }
    }
}

#[test]
fn what_is_told_is_one_bounded_line() {
    assert_eq!(told("a\nb\u{1b}[2J\u{202e}"), "a\\u{a}b\\u{1b}[2J\\u{202e}");
    let fits = "a ".repeat(TOLD_CHARS_MAX / 2);
    assert_eq!(told(&fits), fits);
    let cut = told(&format!("{fits}b"));
    assert_eq!(cut.chars().count(), TOLD_CHARS_MAX);
    assert!(cut.ends_with('…'), "{cut}");
    let long = told(&"ä".repeat(LOOKED_AT_BYTES));
    assert_eq!(long.chars().count(), TOLD_CHARS_MAX);
}
