//! Bodies as they come from the field, and what is wrong with those that are refused.

use std::error::Error as _;

use expect_test::{Expect, expect};
use steadyhand_incident::alertmanager::{BODY_BYTES_MAX, BodyError, parse};
use steadyhand_incident::signal::{AlertKey, OccurrenceKey, SOURCE_BYTES_MAX, Signal, Source};
use steadyhand_model::canonical::CanonicalJson;

const BODY: &str = include_str!("bodies/two-firing-one-resolved.json");

fn source() -> Source {
    "alertmanager/prod".parse().unwrap()
}

/// The body with one text replaced; the text must be there.
fn with(old: &str, new: &str) -> String {
    assert!(BODY.contains(old), "{old} is not in the body");
    BODY.replace(old, new)
}

fn message(error: &BodyError) -> String {
    let mut text = format!("{} {error}", error.code());
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!("\n  because {source}"));
        cause = source.source();
    }
    format!("{text}\n  help: {}", error.help())
}

fn check_refused(body: &str, want: &Expect) {
    let error = match parse(&source(), body.as_bytes()) {
        Ok(notification) => notification.firing().expect_err("the body should be refused"),
        Err(error) => error,
    };
    want.assert_eq(&message(&error));
}

#[test]
fn a_body_becomes_signals() {
    let notification = parse(&source(), BODY.as_bytes()).unwrap();
    let signals = serde_json::to_string_pretty(&notification.signals).unwrap();
    expect![[r#"
        [
          {
            "source": "alertmanager/prod",
            "alert_key": "1340f7875b4522a5",
            "occurrence_key": "1340f7875b4522a5@2026-11-23T15:59:32.642571768Z",
            "group_key": "{}:{cluster=\"prod-eu1\"}",
            "state": "firing",
            "severity": "critical",
            "name": "KubePodCrashLooping",
            "labels": {
              "alertname": "KubePodCrashLooping",
              "cluster": "prod-eu1",
              "container": "checkout",
              "namespace": "shop",
              "pod": "checkout-6d9f-x2wqp",
              "severity": "critical"
            },
            "annotations": {
              "runbook_url": "https://runbooks.example/restart-workload",
              "summary": "Pod shop/checkout-6d9f-x2wqp restarts again and again"
            },
            "starts_at": 1795449572642571,
            "ends_at": null,
            "truncated": 1,
            "raw_digest": "sha256:ad92ebcd4eb9dc8b58842c5a2de94ede576cce0e200891818cac2c93ba9f580c"
          },
          {
            "source": "alertmanager/prod",
            "alert_key": "00ff00ff00ff00ff",
            "occurrence_key": "00ff00ff00ff00ff@2026-11-23T16:01:00Z",
            "group_key": "{}:{cluster=\"prod-eu1\"}",
            "state": "firing",
            "severity": "warning",
            "name": "KubePodNotReady",
            "labels": {
              "alertname": "KubePodNotReady",
              "namespace": "shop",
              "pod": "cart-5",
              "severity": "warning"
            },
            "annotations": {},
            "starts_at": 1795449660000000,
            "ends_at": null,
            "truncated": 1,
            "raw_digest": "sha256:ad92ebcd4eb9dc8b58842c5a2de94ede576cce0e200891818cac2c93ba9f580c"
          },
          {
            "source": "alertmanager/prod",
            "alert_key": "abcdefabcdefabcd",
            "occurrence_key": "abcdefabcdefabcd@2026-11-23T15:00:00Z",
            "group_key": "{}:{cluster=\"prod-eu1\"}",
            "state": "resolved",
            "severity": "unlisted",
            "name": "KubePodNotReady",
            "labels": {
              "alertname": "KubePodNotReady",
              "namespace": "shop",
              "pod": "cart-4"
            },
            "annotations": {},
            "starts_at": 1795446000000000,
            "ends_at": 1795447800000000,
            "truncated": 1,
            "raw_digest": "sha256:ad92ebcd4eb9dc8b58842c5a2de94ede576cce0e200891818cac2c93ba9f580c"
          }
        ]"#]]
    .assert_eq(&signals);
}

#[test]
fn only_firing_occurrences_lead_to_work_each_once() {
    let firing = |body: &str| -> Vec<String> {
        let notification = parse(&source(), body.as_bytes()).unwrap();
        let keys = notification.firing().unwrap();
        keys.iter().map(|signal| signal.occurrence_key.to_string()).collect()
    };
    let two = firing(BODY);
    assert_eq!(
        two,
        [
            "1340f7875b4522a5@2026-11-23T15:59:32.642571768Z",
            "00ff00ff00ff00ff@2026-11-23T16:01:00Z"
        ]
    );
    // The same occurrence twice in one body, the second time spelt in another zone.
    let twice = with("00ff00ff00ff00ff", "1340f7875b4522a5")
        .replace("2026-11-23T17:01:00+01:00", "2026-11-23T16:59:32.642571768+01:00");
    assert_eq!(firing(&twice), ["1340f7875b4522a5@2026-11-23T15:59:32.642571768Z"]);
}

#[test]
fn a_signal_sent_again_is_the_same_occurrence_and_a_new_firing_is_not() {
    let first = |body: &str, from: &str| -> Signal {
        parse(&from.parse().unwrap(), body.as_bytes()).unwrap().signals.remove(0)
    };
    let seen = first(BODY, "alertmanager");
    let again = first(&with("group_interval", "repeat_interval"), "alertmanager");
    assert_ne!(seen.raw_digest, again.raw_digest);
    assert_eq!(seen.occurrence(), again.occurrence());
    assert_eq!(seen.occurrence().digest().unwrap(), again.occurrence().digest().unwrap());

    let later = first(&with("15:59:32.642571768Z", "15:59:32.642571769Z"), "alertmanager");
    let elsewhere = first(BODY, "alertmanager/prod");
    assert_eq!(seen.alert_ref(), later.alert_ref());
    assert_ne!(seen.occurrence(), later.occurrence());
    assert_ne!(seen.occurrence().digest().unwrap(), elsewhere.occurrence().digest().unwrap());
}

#[test]
fn a_signal_survives_being_written_and_read() {
    for signal in parse(&source(), BODY.as_bytes()).unwrap().signals {
        let text = CanonicalJson::of(&signal).unwrap();
        assert_eq!(text.read::<Signal>().unwrap(), signal);
    }
}

#[test]
fn keys_outside_the_form_are_passed_over_and_missing_optional_ones_are_allowed() {
    let whole = parse(&source(), BODY.as_bytes()).unwrap();
    let unknown = with(r#""receiver":"#, r#""values": [1.5, {"a": null}], "receiver":"#);
    assert_eq!(parse(&source(), unknown.as_bytes()).unwrap().signals.len(), whole.signals.len());
    let older = with("  \"truncatedAlerts\": 1,\n", "").replace(r#""annotations": {},"#, "");
    let older = parse(&source(), older.as_bytes()).unwrap();
    assert_eq!((older.truncated, older.signals[1].annotations.len()), (0, 0));
}

#[test]
fn the_size_is_bounded_on_both_sides() {
    let padded = |bytes: usize| {
        let mut body = BODY.as_bytes().to_vec();
        body.resize(bytes, b' ');
        body
    };
    assert!(parse(&source(), &padded(BODY_BYTES_MAX)).is_ok());
    let error = parse(&source(), &padded(BODY_BYTES_MAX + 1)).unwrap_err();
    expect![[r#"
        SH0601 the body has 1048577 bytes, at most 1048576 are read
          help: give the body of one notification; set `max_alerts` on the receiver if groups are large"#]].assert_eq(&message(&error));
}

#[test]
fn each_mistake_has_its_message() {
    let alert_gone = {
        let start = BODY.find("\"alerts\": [").unwrap() + "\"alerts\": [".len();
        let end = BODY.find("],\n  \"groupLabels\"").unwrap();
        format!("{}{}", &BODY[..start], &BODY[end..])
    };
    let cases: [(&str, String, Expect); 17] = [
        (
            "cut short",
            BODY[..200].to_owned(),
            expect![[r#"
            SH0602 the body is not JSON
              because EOF while parsing a string at line 10 column 9
              help: give the webhook body as Alertmanager posts it, whole and unchanged"#]],
        ),
        (
            "empty",
            String::new(),
            expect![[r#"
            SH0602 the body is not JSON
              because EOF while parsing a value at line 1 column 0
              help: give the webhook body as Alertmanager posts it, whole and unchanged"#]],
        ),
        (
            "an array",
            "[\"4\"]".to_owned(),
            expect![[r#"
            SH0602 the body is not a JSON object
              help: give the webhook body as Alertmanager posts it, whole and unchanged"#]],
        ),
        (
            "version 3",
            with(r#""version": "4""#, r#""version": "3""#),
            expect![[r#"
                SH0603 the body is not of version 4: its version is "3"
                  help: give the webhook body of Alertmanager itself; other senders have other forms"#]],
        ),
        (
            "a number",
            with(r#""version": "4""#, r#""version": 4"#),
            expect![[r#"
                SH0603 the body is not of version 4: its version is not a text
                  help: give the webhook body of Alertmanager itself; other senders have other forms"#]],
        ),
        (
            "no version",
            with(r#""version": "4","#, ""),
            expect![[r#"
                SH0603 the body is not of version 4: its version is missing
                  help: give the webhook body of Alertmanager itself; other senders have other forms"#]],
        ),
        (
            "no alerts",
            alert_gone,
            expect![[r#"
            SH0604 the body has no alerts
              help: there is nothing to handle; give a body that lists an alert"#]],
        ),
        (
            "resolved",
            with(r#""status": "firing""#, r#""status": "resolved""#),
            expect![[r#"
            SH0605 nothing fires: all 3 alerts of the body are resolved
              help: nothing need be done: only firing alerts lead to work"#]],
        ),
        (
            "status",
            with(r#""status": "resolved""#, r#""status": "re\u001b[2J""#),
            expect![[r#"
            SH0606 alerts[2].status is `re\u{1b}[2J`, not `firing` or `resolved`
              help: compare the body with the example of `steady explain SH0606`"#]],
        ),
        (
            "no name",
            with(r#""alertname": "KubePodCrashLooping","#, ""),
            expect![[r#"
            SH0606 alerts[0].labels has no `alertname`
              help: runbooks bind to `alertname`: give the alerting rule a name"#]],
        ),
        (
            "fingerprint",
            with("00ff00ff00ff00ff", "00FF00FF00FF00FF"),
            expect![[r#"
            SH0606 alerts[1].fingerprint is `00FF00FF00FF00FF`
              because a fingerprint is 16 hexadecimal digits in lower case
              help: do not edit or template the body: Alertmanager writes this field itself"#]],
        ),
        (
            "time",
            with("2026-11-23T17:01:00+01:00", "yesterday"),
            expect![[r#"
            SH0606 alerts[1].startsAt is `yesterday`
              because it is not an RFC 3339 time such as 2026-11-23T15:59:32Z
              help: do not edit or template the body: Alertmanager writes this field itself"#]],
        ),
        (
            "date",
            with("2026-11-23T17:01:00+01:00", "2026-02-30T17:01:00Z"),
            expect![[r#"
            SH0606 alerts[1].startsAt is `2026-02-30T17:01:00Z`
              because it is not a time of the calendar
              because parsed date is not valid: parameter 'day' for `2026-02` is invalid, must be in range `1..=28`
              help: do not edit or template the body: Alertmanager writes this field itself"#]],
        ),
        (
            "never",
            with("2026-11-23T17:01:00+01:00", "0001-01-01T00:00:00Z"),
            expect![[r#"
            SH0606 alerts[1].startsAt is `0001-01-01T00:00:00Z`
              because it is outside the years 1684 to 2255, which are all that can be kept exactly
              help: do not edit or template the body: Alertmanager writes this field itself"#]],
        ),
        (
            "label twice",
            with(r#""cluster": "prod-eu1","#, r#""pod": "x","#),
            expect![[r#"
            SH0606 the body is not of the form of version 4
              because the key "pod" stands twice at line 12 column 36
              help: compare the body with the example of `steady explain SH0606`"#]],
        ),
        (
            "label null",
            with(r#""pod": "cart-5""#, r#""pod": null"#),
            expect![[r#"
            SH0606 the body is not of the form of version 4
              because invalid type: null, expected a string at line 26 column 81
              help: compare the body with the example of `steady explain SH0606`"#]],
        ),
        (
            "an array as an alert",
            with(r#""alerts": ["#, r#""alerts": [["firing"],"#),
            expect![[r#"
                SH0606 the body is not of the form of version 4
                  because invalid type: sequence, expected an object at line 4 column 13
                  help: compare the body with the example of `steady explain SH0606`"#]],
        ),
    ];
    for (what, body, want) in &cases {
        eprintln!("{what}");
        check_refused(body, want);
    }
}

#[test]
fn keys_accept_and_refuse() {
    let cases = [
        ("alertmanager", true),
        ("alertmanager/prod-eu1", true),
        (&"a".repeat(SOURCE_BYTES_MAX), true),
        (&"a".repeat(SOURCE_BYTES_MAX + 1), false),
        ("", false),
        ("/etc", false),
        ("a b", false),
        ("größe", false),
    ];
    for (text, good) in cases {
        assert_eq!(text.parse::<Source>().is_ok(), good, "{text:?}");
    }
    let cases =
        [("1340f7875b4522a5", true), ("1340f7875b4522a", false), ("1340F7875b4522a5", false)];
    for (text, good) in cases {
        assert_eq!(text.parse::<AlertKey>().is_ok(), good, "{text:?}");
    }
    let cases = [
        ("1340f7875b4522a5@2026-11-23T15:59:32.642571768Z", true),
        ("1340f7875b4522a5@2026-11-23T16:59:32+01:00", false),
        ("1340f7875b4522a5", false),
        ("x@2026-11-23T15:59:32Z", false),
    ];
    for (text, good) in cases {
        assert_eq!(text.parse::<OccurrenceKey>().is_ok(), good, "{text:?}");
    }
}

#[test]
fn the_severity_is_read_from_the_table() {
    let cases = [
        ("critical", "critical"),
        ("Page", "critical"),
        ("warning", "warning"),
        ("info", "info"),
        ("none", "none"),
        ("p1", "unlisted"),
        ("", "unlisted"),
    ];
    for (label, want) in cases {
        let body = with(r#""severity": "critical""#, &format!(r#""severity": "{label}""#));
        let notification = parse(&source(), body.as_bytes()).unwrap();
        assert_eq!(notification.signals[0].severity.word(), want, "{label}");
    }
    assert_eq!(parse(&source(), BODY.as_bytes()).unwrap().signals[2].severity.word(), "unlisted");
}
