//! Whatever bytes arrive, reading ends in signals or in one of the known errors.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use steadyhand_incident::alertmanager::parse;
use steadyhand_incident::signal::Source;

const BODY: &[u8] = include_bytes!("bodies/two-firing-one-resolved.json");

fn source() -> Source {
    "alertmanager".parse().unwrap()
}

/// An error or signals, and every error with a code of this crate.
fn check_total(bytes: &[u8]) {
    match parse(&source(), bytes) {
        Ok(notification) => assert!(!notification.signals.is_empty()),
        Err(error) => assert!(error.code().starts_with("SH06"), "{error}"),
    }
}

fn texts() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map(".{0,12}", ".{0,40}", 0..6)
}

#[derive(Debug, Clone)]
struct Made {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    fingerprint: String,
    micros: i64,
    firing: bool,
}

fn made() -> impl Strategy<Value = Made> {
    (texts(), texts(), "[0-9a-f]{16}", 0_i64..9_007_199_254_740_991, any::<bool>(), ".{1,20}")
        .prop_map(|(mut labels, annotations, fingerprint, micros, firing, name)| {
            labels.insert("alertname".to_owned(), name);
            Made { labels, annotations, fingerprint, micros, firing }
        })
}

fn body(alerts: &[Made], group_key: &str, truncated: u32) -> Vec<u8> {
    let alerts: Vec<_> = alerts
        .iter()
        .map(|alert| {
            let starts_at = jiff::Timestamp::from_microsecond(alert.micros).unwrap();
            json!({
                "status": if alert.firing { "firing" } else { "resolved" },
                "labels": alert.labels,
                "annotations": alert.annotations,
                "startsAt": starts_at.to_string(),
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": alert.fingerprint,
            })
        })
        .collect();
    json!({"version": "4", "groupKey": group_key, "truncatedAlerts": truncated, "alerts": alerts})
        .to_string()
        .into_bytes()
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check_total(&bytes);
    }

    #[test]
    fn a_damaged_body_never_panics(at in 0..BODY.len(), byte in any::<u8>(), cut in 0..BODY.len()) {
        let mut damaged = BODY.to_vec();
        damaged[at] = byte;
        check_total(&damaged);
        check_total(&damaged[..cut]);
    }

    #[test]
    fn what_was_sent_is_what_is_read(
        alerts in prop::collection::vec(made(), 1..5), group_key in ".{0,30}", truncated in any::<u32>(),
    ) {
        let bytes = body(&alerts, &group_key, truncated);
        let read = parse(&source(), &bytes).unwrap();
        prop_assert_eq!(&read.group_key, &group_key);
        prop_assert_eq!(read.truncated, u64::from(truncated));
        prop_assert_eq!(read.signals.len(), alerts.len());
        for (signal, alert) in read.signals.iter().zip(&alerts) {
            prop_assert_eq!(&signal.labels, &alert.labels);
            prop_assert_eq!(&signal.annotations, &alert.annotations);
            prop_assert_eq!(signal.alert_key.as_str(), &alert.fingerprint);
            prop_assert_eq!(signal.starts_at.0, alert.micros);
            prop_assert_eq!(signal.is_firing(), alert.firing);
            prop_assert_eq!(signal.ends_at, None);
        }
        prop_assert_eq!(&read, &parse(&source(), &bytes).unwrap());
    }
}

#[test]
fn nesting_is_bounded() {
    let deep =
        format!("{{\"version\":\"4\",\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    check_total(deep.as_bytes());
    assert!(parse(&source(), deep.as_bytes()).is_err());
}
