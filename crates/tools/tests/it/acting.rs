//! An `apply`: sent once, and every fault of it is one of three outcomes.

use ed25519_dalek::{Signature, VerifyingKey};
use expect_test::expect;
use serde_json::{Value as Json, json};
use steadyhand_engine::port::ToolHost as _;
use steadyhand_model::capability::Claims;
use steadyhand_model::exchange::{LOST_REPLY_CODE, META_NOW};
use steadyhand_model::time::Span;
use steadyhand_tools::host::Host;

use crate::calls::{authorized, call_of, complete};
use crate::stage::{NOW, Stage, error, list, reply, subject, tools};

const APPLY: &str = "executor rollout_restart.apply";
const LONG: Span = Span::from_mins(10);

fn done(result: Json) -> Json {
    reply(&json!({"outcome": {"done": {"result": result}}}))
}

fn good() -> Json {
    done(json!({"revision": 4, "template_digest": "sha256:bb"}))
}

/// The reply to one `apply`, and how often it came to a server.
async fn applied(script: &[(&str, Vec<Json>)], call_max: Span) -> String {
    let mut stage = Stage::open(script);
    let said = stage.host().apply(authorized(complete(), call_max), NOW).await;
    let times = stage.said().iter().filter(|line| line.ends_with(".apply")).count();
    format!("{:?}\n  took {:?}, came {times} times\n", said.outcome, said.took)
}

#[tokio::test]
async fn every_fault_is_an_outcome() {
    let refusal = json!({"outcome": {"not_done": {
        "kind": "busy", "why": "budget\u{1b}[2J of password=hunter2 is spent"}}});
    let doubt = json!({"outcome": {"unknown": {"kind": "timeout", "why": "the API is silent"}}});
    let took = |took: &str| {
        let mut answer =
            json!({"outcome": {"done": {"result": {"revision": 4, "template_digest": "x"}}}});
        answer["took"] = took.into();
        reply(&answer)
    };
    let raw = |line: &str| json!({"do": "raw", "line": line});
    let twice = r#"{"jsonrpc":"2.0","id":$ID,"result":{"content":[],"structuredContent":{"outcome":{"done":{"result":{"revision":4,"revision":5,"template_digest":"x"}}}}}}"#;
    let quiet = NOW.plus(Span::from_secs(8));
    let cases: Vec<(&str, Json)> = vec![
        ("done", good()),
        ("refused by the target", reply(&refusal)),
        ("not known by the server", reply(&doubt)),
        ("done, and it took a while", took("8s")),
        ("done, but later than anybody waits", took("10m1ms")),
        (
            "dies after reading",
            json!({"do": "exit", "code": 7, "stderr": "begin\nsecret: hunter2\n"}),
        ),
        ("garbage in place of a line", raw("\u{1b}[2J ok")),
        ("garbage in place of an answer", reply(&json!({"\u{202e}ok": "everything is done"}))),
        (
            "a list in place of an object",
            reply(&json!({"outcome": {"done": [{"revision": 4, "template_digest": "x"}]}})),
        ),
        (
            "a field too many",
            reply(&json!({"outcome": {"done": {"result": {}}}, "note": "trust me"})),
        ),
        (
            "no structured content",
            json!({"do": "reply", "result": {"content": [{"type": "text", "text": "done"}]}}),
        ),
        ("5 MiB", json!({"do": "huge", "bytes": 5 * 1024 * 1024})),
        ("more than anybody skips", json!({"do": "huge", "bytes": 17 * 1024 * 1024})),
        ("a key twice", raw(twice)),
        ("a receipt of another type", done(json!({"revision": "4", "template_digest": "x"}))),
        ("a receipt without a field", done(json!({"revision": 4}))),
        (
            "lost by a practice server",
            error(LOST_REPLY_CODE, "the reply is lost", &json!({"quiet_until": quiet})),
        ),
        (
            "lost, it does not say how",
            error(LOST_REPLY_CODE, "the reply is lost", &json!({"quiet_until": "soon"})),
        ),
        ("turned away", error(-32602, "there is no such tool here", &Json::Null)),
        ("broken inside", error(-32603, "panicked with token=hunter2", &Json::Null)),
        (
            "called an error",
            json!({"do": "reply", "result": {"isError": true, "content": [{"type": "text", "text": "no"}]}}),
        ),
        (
            "wants to ask",
            json!({"do": "reply", "result": {"resultType": "input_required", "inputRequests": {}, "requestState": "s"}}),
        ),
        ("another result", json!({"do": "reply", "result": {"tools": []}})),
    ];
    let mut said = String::new();
    for (name, instruction) in cases {
        said += &format!("{name}:\n  {}", applied(&[(APPLY, vec![instruction])], LONG).await);
    }
    assert!(!said.contains("hunter2"), "{said}");
    expect![[r#"
        done:
          Done(Receipt { result: {"revision":4,"template_digest":"sha256:bb"} })
          took None, came 1 times
        refused by the target:
          NotDone(Refusal { kind: Busy, why: "budget\\u{1b}[2J of password=[redacted] is spent" })
          took None, came 1 times
        not known by the server:
          Unknown(Doubt { kind: Timeout, why: "the API is silent" })
          took None, came 1 times
        done, and it took a while:
          Done(Receipt { result: {"revision":4,"template_digest":"x"} })
          took Some(8s), came 1 times
        done, but later than anybody waits:
          Unknown(Doubt { kind: Timeout, why: "executor of kubernetes in practice: no answer within 10m" })
          took Some(10m), came 1 times
        dies after reading:
          Unknown(Doubt { kind: LostReply, why: "executor of kubernetes in practice: the server went away before it answered: it ended with code 7, its last words: secret: [redacted]" })
          took None, came 1 times
        garbage in place of a line:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: a line is not strict JSON: the document is not the JSON that was expected: expected value at line 1 column 1" })
          took None, came 1 times
        garbage in place of an answer:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: the answer is not of the form of the contract: unknown field `\\u{202e}ok`, expected `outcome` or `took`" })
          took None, came 1 times
        a list in place of an object:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: the answer can be read in more than one way" })
          took None, came 1 times
        a field too many:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: the answer is not of the form of the contract: unknown field `note`, expected `outcome` or `took`" })
          took None, came 1 times
        no structured content:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: the answer has no structured content" })
          took None, came 1 times
        5 MiB:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: a reply has more than 4194304 bytes" })
          took None, came 1 times
        more than anybody skips:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: the program wrote a line of more than 16777216 bytes" })
          took None, came 1 times
        a key twice:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: a line is not strict JSON: the document is not the JSON that was expected: the key \"revision\" stands twice at line 1 column 122" })
          took None, came 1 times
        a receipt of another type:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: the answer is not of the declared type: /revision: expected integer, found a string" })
          took None, came 1 times
        a receipt without a field:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: the answer is not of the declared type: /template_digest: expected string, found nothing" })
          took None, came 1 times
        lost by a practice server:
          Unknown(Doubt { kind: LostReply, why: "no answer came" })
          took Some(8s), came 1 times
        lost, it does not say how:
          Unknown(Doubt { kind: LostReply, why: "no answer came" })
          took Some(10m), came 1 times
        turned away:
          NotDone(Refusal { kind: Invalid, why: "executor of kubernetes in practice: the server answered with error -32602: there is no such tool here" })
          took None, came 1 times
        broken inside:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: the server answered with error -32603: panicked with token=[redacted]" })
          took None, came 1 times
        called an error:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: the server calls its answer an error: no" })
          took None, came 1 times
        wants to ask:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: the answer is not the result of a tool" })
          took None, came 1 times
        another result:
          Unknown(Doubt { kind: BadReply, why: "executor of kubernetes in practice: the answer is not the result of a tool" })
          took None, came 1 times
    "#]].assert_eq(&said);
}

#[tokio::test]
async fn a_call_is_given_up_after_its_time() {
    let script = [(APPLY, vec![json!({"do": "nothing"})])];
    expect![[r#"
        Unknown(Doubt { kind: Timeout, why: "executor of kubernetes in practice: no answer within 20ms" })
          took None, came 1 times
    "#]].assert_eq(&applied(&script, Span::from_millis(20)).await);
}

#[tokio::test]
async fn a_call_that_provably_never_left_is_not_done() {
    let mut deaf = list(&tools("executor"));
    deaf["before"] = "close_stdin".into();
    let script = [("executor tools/list", vec![deaf]), (APPLY, vec![good()])];
    let mut said = format!("deaf: {}", applied(&script, LONG).await);

    let script = [("executor tools/list", vec![json!({"do": "exit", "code": 3, "stderr": ""})])];
    said += &format!("cannot begin: {}", applied(&script, LONG).await);

    let stage = Stage::open(&[]);
    let mut config = stage.config(crate::stage::PATIENT);
    config.executors[0].1.program = "/nowhere/steady".into();
    let host = Host::start(config).unwrap();
    let reply = host.apply(authorized(complete(), LONG), NOW).await;
    said += &format!("no program: {:?}\n", reply.outcome);

    let mut stage = Stage::open(&[]);
    let host = stage.host();
    for args in [r#"{"workload":"checkout"}"#, "{}", "[]"] {
        let reply = host.apply(authorized(call_of(args), LONG), NOW).await;
        said += &format!("{args}: {:?}\n", reply.outcome);
    }
    let foreign = steadyhand_model::reading::Call {
        action: "prometheus.reload".parse().unwrap(),
        ..complete()
    };
    let reply = host.apply(authorized(foreign, LONG), NOW).await;
    said += &format!("no server: {:?}\n", reply.outcome);
    assert_eq!(stage.said(), [""; 0], "nothing was started for these");
    expect![[r#"
        deaf: NotDone(Refusal { kind: NotSent, why: "executor of kubernetes in practice: the pipe to the server took not a byte (broken pipe)" })
          took None, came 0 times
        cannot begin: NotDone(Refusal { kind: NotSent, why: "executor of kubernetes in practice: the server did not list its tools: the server went away before it answered: it ended with code 3" })
          took None, came 0 times
        no program: NotDone(Refusal { kind: NotSent, why: "executor of kubernetes in practice: the server could not be started: the program \"/nowhere/steady\" does not exist" })
        {"workload":"checkout"}: NotDone(Refusal { kind: Invalid, why: "the arguments are not of the form of the table: /workload: expected record, found a string" })
        {}: NotDone(Refusal { kind: Invalid, why: "the arguments are not of the form of the table: /workload: expected record, found nothing" })
        []: NotDone(Refusal { kind: Invalid, why: "the arguments are not of the form of the table: : expected record, found a list" })
        no server: NotDone(Refusal { kind: Invalid, why: "there is no executor for `prometheus.reload` in this environment" })
    "#]].assert_eq(&said);
}

#[tokio::test]
async fn a_receipt_is_part_of_an_event_and_has_a_limit() {
    let empty = r#"{"revision":4,"template_digest":""}"#.len();
    let mut kinds = Vec::new();
    for bytes in [8 * 1024, 8 * 1024 + 1] {
        let digest = "x".repeat(bytes - empty);
        let answer = done(json!({"revision": 4, "template_digest": digest}));
        let said = applied(&[(APPLY, vec![answer])], LONG).await;
        kinds.push(said.split('(').next().unwrap().to_owned());
    }
    assert_eq!(kinds, ["Done", "Unknown"]);
}

#[tokio::test]
async fn what_is_sent_is_the_call_and_a_capability_for_it() {
    let mut stage = Stage::open(&[(APPLY, vec![good()])]);
    let config = stage.config(crate::stage::PATIENT);
    let mut key = [0; 32];
    hex::decode_to_slice(config.authority.public_hex(), &mut key).unwrap();
    let host = Host::start(config).unwrap();
    host.apply(authorized(complete(), LONG), NOW).await;
    let (_, mut message) = stage.wait_for("rollout_restart.apply").await;
    assert_eq!(subject(&message), "rollout_restart.apply");

    let capability = &mut message["params"]["arguments"]["capability"];
    let claims: Claims = serde_json::from_value(capability["claims"].clone()).unwrap();
    let mut signature = [0; 64];
    hex::decode_to_slice(capability["signature"].as_str().unwrap(), &mut signature).unwrap();
    let signed = claims.bytes_to_sign().unwrap();
    VerifyingKey::from_bytes(&key)
        .unwrap()
        .verify_strict(signed.as_str().as_bytes(), &Signature::from_bytes(&signature))
        .unwrap();
    for field in ["nonce", "not_after"] {
        capability["claims"][field] = "…".into();
    }
    capability["signature"] = "…".into();
    let params = &mut message["params"];
    assert_eq!(params["_meta"][META_NOW], NOW.0);
    params["_meta"] = "…".into();
    expect![[r#"
        {
          "_meta": "…",
          "arguments": {
            "call": {
              "action": "kubernetes.rollout_restart",
              "args": {
                "mark": "after-7d9f",
                "template_digest": "sha256:aa",
                "workload": {
                  "kind": "Deployment",
                  "name": "checkout",
                  "namespace": "shop",
                  "uid": "u-1"
                }
              }
            },
            "capability": {
              "claims": {
                "at": {
                  "attempt": 1,
                  "leg": "forward",
                  "step": "restart"
                },
                "audience": "kubernetes",
                "call": "sha256:7f5e1c1f51d8991236902bf13d6e9f89a67267db97d9af9a4691e4d78ba5b932",
                "fence": 1,
                "nonce": "…",
                "not_after": "…",
                "plan": "sha256:33c172ce9ebc64e965e115d5a82192012e17353325ac973a31fa43955a7a1e13",
                "run": "r-4f2kabcdefgh"
              },
              "signature": "…"
            },
            "envelope": {
              "at": {
                "attempt": 1,
                "leg": "forward",
                "step": "restart"
              },
              "fence": 1,
              "idempotency_key": "r-4f2kabcdefgh/restart/forward/1",
              "plan": "sha256:33c172ce9ebc64e965e115d5a82192012e17353325ac973a31fa43955a7a1e13",
              "run": "r-4f2kabcdefgh"
            }
          },
          "name": "rollout_restart.apply"
        }
    "#]]
    .assert_eq(&(serde_json::to_string_pretty(params).unwrap() + "\n"));
}
