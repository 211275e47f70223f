//! Reads, dry runs and probes: what is asked, what is believed, and what happens when a server dies over it.

use expect_test::expect;
use serde_json::{Value as Json, json};
use steadyhand_engine::port::{ReadError, ToolHost as _};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::capability::Envelope;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{At, Leg};
use steadyhand_model::exchange::LOST_REPLY_CODE;
use steadyhand_model::ids::{Attempt, Fence};
use steadyhand_model::reading::ReadCall;
use steadyhand_model::time::Span;
use steadyhand_tools::host::{Host, Patience};

use crate::calls::{call_of, complete, given, radius};
use crate::stage::{NOW, PATIENT, Stage, error, reply};

pub(crate) fn read_of(read: &str, args: &str) -> ReadCall {
    ReadCall {
        server: "kubernetes".parse().unwrap(),
        read: read.parse().unwrap(),
        args: CanonicalJson::parse(args.as_bytes()).unwrap(),
    }
}

fn die() -> Json {
    json!({"do": "exit", "code": 9, "stderr": "panicked\nAuthorization: Bearer hunter2\n"})
}

async fn read(host: &Host, read: &str, args: &str) -> String {
    match host.read(read_of(read, args), NOW).await {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error:?}"),
    }
}

#[tokio::test]
async fn a_read_gives_a_value_of_its_type_or_says_why_not() {
    let node = json!({
        "name": "n1", "uid": "u", "zone": {"cannot_tell": "no label"}, "ready": true, "schedulable": true,
        "pods": 3, "pods_max": 110, "cpu_free_m": 500, "memory_free": 1024});
    let mut wrong = node.clone();
    wrong["pods"] = (-1).into();
    let mut more = node.clone();
    more["owner"] = "me".into();
    let value = |value: &Json| reply(&json!({"value": value}));
    let cases: Vec<(&str, Json)> = vec![
        ("a node", value(&node)),
        ("no node", value(&Json::Null)),
        ("not told", reply(&json!({"cannot_tell": {"why": "forbidden\u{202e}: token=hunter2"}}))),
        ("a number out of range", value(&wrong)),
        ("a field too many", value(&more)),
        ("two answers", reply(&json!({"value": null, "cannot_tell": {"why": "x"}}))),
        ("another answer", reply(&json!("n1"))),
        ("refused", error(-32602, "no such argument", &Json::Null)),
        ("lost by a practice server", error(LOST_REPLY_CODE, "lost", &json!({"quiet_until": NOW}))),
    ];
    let mut said = String::new();
    for (name, instruction) in cases {
        let stage = Stage::open(&[("reader get_node", vec![instruction])]);
        said += &format!("{name}: {}\n", read(&stage.host(), "get_node", r#"{"name":"n1"}"#).await);
    }
    assert!(!said.contains("hunter2"), "{said}");
    expect![[r#"
        a node: {"cpu_free_m":500,"memory_free":1024,"name":"n1","pods":3,"pods_max":110,"ready":true,"schedulable":true,"uid":"u","zone":{"cannot_tell":"no label"}}
        no node: null
        not told: CannotTell { server: "kubernetes", why: "forbidden\\u{202e}: token=[redacted]" }
        a number out of range: BadReply { server: "kubernetes", why: "the answer is not of the declared type: /pods: expected a whole number from 0 to 9007199254740991, found the number -1" }
        a field too many: BadReply { server: "kubernetes", why: "the answer is not of the declared type: : expected only known fields, found `owner`" }
        two answers: BadReply { server: "kubernetes", why: "the answer is not of the form of the contract: invalid value: map, expected map with a single key" }
        another answer: BadReply { server: "kubernetes", why: "reader of kubernetes in practice: the answer has no structured content" }
        refused: BadReply { server: "kubernetes", why: "reader of kubernetes in practice: the server answered with error -32602: no such argument" }
        lost by a practice server: Unreachable { server: "kubernetes", why: "reader of kubernetes in practice: no answer came" }
    "#]].assert_eq(&said);
}

#[tokio::test]
async fn what_no_table_has_is_not_asked() {
    let labels = r#"{"labels":{"pod":"checkout-1"}}"#;
    let mut stage = Stage::open(&[("reader fn.node_of", vec![reply(&json!({"value": null}))])]);
    let host = stage.host();
    let mut said = format!("a function: {}\n", read(&host, "fn.node_of", labels).await);
    for (name, args) in [
        ("node_of", labels),
        ("fn.get_node", r#"{"name":"n1"}"#),
        ("get_secret", "{}"),
        ("get_node", "{}"),
        ("get_node", r#"{"name":{"cannot_tell":"x"}}"#),
        ("get_node", r#"{"name":"n1","context":"other"}"#),
    ] {
        said += &format!("{name} {args}: {}\n", read(&host, name, args).await);
    }
    let elsewhere = ReadCall { server: "alerts".parse().unwrap(), ..read_of("list_alerts", "{}") };
    said += &format!("{:?}\n", host.read(elsewhere, NOW).await);
    said += &stage.said().join(", ");
    expect![[r#"
        a function: null
        node_of {"labels":{"pod":"checkout-1"}}: CannotTell { server: "kubernetes", why: "there is no read `node_of` of it in this environment" }
        fn.get_node {"name":"n1"}: CannotTell { server: "kubernetes", why: "there is no read `fn.get_node` of it in this environment" }
        get_secret {}: CannotTell { server: "kubernetes", why: "there is no read `get_secret` of it in this environment" }
        get_node {}: CannotTell { server: "kubernetes", why: "the arguments are not of the form of the table: /name: expected string, found nothing" }
        get_node {"name":{"cannot_tell":"x"}}: CannotTell { server: "kubernetes", why: "an argument must be a value, not `cannot_tell`" }
        get_node {"name":"n1","context":"other"}: CannotTell { server: "kubernetes", why: "the arguments are not of the form of the table: : expected only known fields, found `context`" }
        Err(CannotTell { server: "alerts", why: "there is no read `list_alerts` of it in this environment" })
        reader 1 server/discover, reader 1 tools/list, reader 1 fn.node_of
    "#]].assert_eq(&(said + "\n"));
}

#[tokio::test]
async fn a_question_whose_server_died_is_asked_once_more() {
    let good = reply(&json!({"value": []}));
    let mut said = String::new();
    for (name, script) in [
        ("once", vec![die(), good.clone()]),
        ("twice", vec![die(), die(), good.clone()]),
        ("garbage", vec![json!({"do": "raw", "line": "Listening"}), good]),
    ] {
        let mut stage = Stage::open(&[("reader list_nodes", script)]);
        let host = stage.host();
        said += &format!("{name}: {}\n", read(&host, "list_nodes", "{}").await);
        said += &format!("  then: {}\n", read(&host, "list_nodes", "{}").await);
        let times = stage.said().into_iter().filter(|line| line.ends_with("list_nodes"));
        said += &format!("  {}\n", times.collect::<Vec<_>>().join(", "));
    }
    assert!(!said.contains("hunter2"), "{said}");
    expect![[r#"
        once: []
          then: []
          reader 1 list_nodes, reader 2 list_nodes, reader 2 list_nodes
        twice: Unreachable { server: "kubernetes", why: "reader of kubernetes in practice: the server went away before it answered: it ended with code 9, its last words: Authorization: [redacted]" }
          then: []
          reader 1 list_nodes, reader 2 list_nodes, reader 3 list_nodes
        garbage: BadReply { server: "kubernetes", why: "reader of kubernetes in practice: a line is not strict JSON: the document is not the JSON that was expected: expected value at line 1 column 1" }
          then: []
          reader 1 list_nodes, reader 2 list_nodes
    "#]].assert_eq(&said);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let script = vec![json!({"do": "nothing"}), reply(&json!({"value": []}))];
    let mut stage = Stage::open(&[("reader list_nodes", script)]);
    let mut config = stage.config(PATIENT);
    config.patience = Patience { read: Span::from_millis(200), ..PATIENT };
    let host = Host::start(config).unwrap();
    let answer = host.read(read_of("list_nodes", "{}"), NOW).await;
    assert!(matches!(answer, Err(ReadError::Unreachable { .. })), "{answer:?}");
    let (first, _) = stage.wait_for("list_nodes").await;
    // Whether the second is answered in time is not the question, only who is asked.
    drop(host.read(read_of("list_nodes", "{}"), NOW).await);
    let (second, _) = stage.wait_for("list_nodes").await;
    assert_ne!(first, second);
}

fn planned() -> Json {
    json!({
        "call": complete(),
        "targets": [{"key": "practice/kubernetes/Deployment/u-1", "kind": "Deployment", "name": "shop/checkout", "uid": "u-1"}],
        "preview": {"kind": "server", "diff": [{"path": "spec", "before": "a", "after": "b"}]},
        "before": [], "verify": null, "undo": null, "radius": radius(),
        "missing_permissions": [], "planned": {"template_digest": "sha256:bb"},
        "command": null, "nothing_to_do": null})
}

fn changed(path: &str, to: Json) -> Json {
    let mut preview = planned();
    *preview.pointer_mut(path).unwrap() = to;
    reply(&json!({"planned": preview}))
}

#[tokio::test]
async fn a_preview_is_of_the_call_that_was_asked_for() {
    let foreign = json!({"key": "production/kubernetes/Deployment/u-1", "kind": "Deployment", "name": "shop/checkout", "uid": "u-1"});
    let cases: Vec<(&str, Json)> = vec![
        ("planned", reply(&json!({"planned": planned()}))),
        ("refused", reply(&json!({"refused": {"why": "OnDelete: a restart does nothing"}}))),
        ("not told", reply(&json!({"cannot_tell": {"why": "no right to patch"}}))),
        ("of another object", changed("/call/args/workload/uid", "u-2".into())),
        ("of another action", changed("/call/action", "kubernetes.scale".into())),
        ("of no action", changed("/call/action", "kubernetes.delete".into())),
        ("not complete", changed("/call/args", given().args.to_json())),
        ("in another environment", changed("/targets/0", foreign)),
        ("with other planned fields", changed("/planned", json!({"revision": 4}))),
        (
            "with an undo of no table",
            changed(
                "/undo",
                json!({"call": {"action": "kubernetes.delete", "args": {}}, "shown": "rm"}),
            ),
        ),
        ("of another form", changed("/targets", json!({}))),
    ];
    let mut said = String::new();
    for (name, instruction) in cases {
        let stage = Stage::open(&[("executor rollout_restart.plan", vec![instruction])]);
        let host = stage.host();
        said += &match host.preview(given(), NOW).await {
            Ok(preview) => {
                assert_eq!(serde_json::to_value(&preview).unwrap(), planned());
                format!("{name}: as it was said\n")
            }
            Err(error) => format!("{name}: {error:?}\n"),
        };
    }
    let stage = Stage::open(&[]);
    said += &format!("bad: {:?}\n", stage.host().preview(call_of("{}"), NOW).await.unwrap_err());
    expect![[r#"
        planned: as it was said
        refused: Refused { server: "kubernetes", why: "OnDelete: a restart does nothing" }
        not told: Refused { server: "kubernetes", why: "it cannot tell: no right to patch" }
        of another object: BadReply { server: "kubernetes", why: "the server changed the argument `workload` of the call" }
        of another action: BadReply { server: "kubernetes", why: "the server answers with a call of `kubernetes.scale`" }
        of no action: BadReply { server: "kubernetes", why: "the server answers with a call of `kubernetes.delete`" }
        not complete: BadReply { server: "kubernetes", why: "the complete call does not fit its table: the arguments are not of the form of the table: /mark: expected string, found nothing" }
        in another environment: BadReply { server: "kubernetes", why: "the target `production/kubernetes/Deployment/u-1` is not one of the environment `practice`" }
        with other planned fields: BadReply { server: "kubernetes", why: "the answer is not of the declared type: /template_digest: expected string, found nothing" }
        with an undo of no table: BadReply { server: "kubernetes", why: "the server answers with a call of `kubernetes.delete`, which no table has" }
        of another form: BadReply { server: "kubernetes", why: "the answer is not of the form of the contract: invalid type: map, expected a sequence" }
        bad: Refused { server: "kubernetes", why: "the arguments are not of the form of the table: /workload: expected record, found nothing" }
    "#]].assert_eq(&said);
}

pub(crate) fn envelope() -> Envelope {
    Envelope {
        run: "r-4f2kabcdefgh".parse().unwrap(),
        at: At { step: "restart".parse().unwrap(), leg: Leg::Forward, attempt: Attempt(1) },
        plan: Digest::of(b"plan"),
        fence: Fence(1),
        idempotency_key: "key".into(),
    }
}

#[tokio::test]
async fn a_probe_that_cannot_be_believed_says_nothing() {
    let receipt = json!({"result": {"revision": 4, "template_digest": "sha256:bb"}});
    let verdict = |verdict: &Json| reply(&json!({"verdict": verdict}));
    let cases: Vec<(&str, Vec<Json>)> = vec![
        ("done", vec![verdict(&json!({"done": receipt}))]),
        ("done, no receipt", vec![verdict(&json!({"done": null}))]),
        ("not done", vec![verdict(&json!("not_done"))]),
        ("unknown", vec![verdict(&json!({"unknown": {"why": "secret=hunter2"}}))]),
        ("a bad receipt", vec![verdict(&json!({"done": {"result": {"revision": 4}}}))]),
        ("garbage", vec![verdict(&json!("certainly"))]),
        ("died once", vec![die(), verdict(&json!("not_done"))]),
        ("died twice", vec![die()]),
    ];
    let mut said = String::new();
    for (name, script) in cases {
        let stage = Stage::open(&[("executor rollout_restart.probe", script)]);
        let host = stage.host();
        said += &format!("{name}: {:?}\n", host.probe(complete(), envelope(), NOW).await);
    }
    assert!(!said.contains("hunter2"), "{said}");
    expect![[r#"
        done: Done(Some(Receipt { result: {"revision":4,"template_digest":"sha256:bb"} }))
        done, no receipt: Done(None)
        not done: NotDone
        unknown: Unknown { why: "secret=[redacted]" }
        a bad receipt: Unknown { why: "executor of kubernetes in practice: the answer is not of the declared type: /template_digest: expected string, found nothing" }
        garbage: Unknown { why: "executor of kubernetes in practice: the answer is not of the form of the contract: unknown variant `certainly`, expected one of `done`, `not_done`, `unknown`" }
        died once: NotDone
        died twice: Unknown { why: "executor of kubernetes in practice: the server went away before it answered: it ended with code 9, its last words: Authorization: [redacted]" }
    "#]].assert_eq(&said);
}
