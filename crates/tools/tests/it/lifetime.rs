//! When processes begin and end.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value as Json, json};
use steadyhand_engine::port::ToolHost as _;
use steadyhand_model::outcome::{Doubt, DoubtKind, Outcome, ProbeVerdict};
use steadyhand_model::time::Span;
use steadyhand_process::ladder::{Ladder, Remains};
use steadyhand_tools::host::{Host, Patience};

use crate::asking::{envelope, read_of};
use crate::calls::{authorized, complete};
use crate::stage::{Event, NOW, PATIENT, Stage, reply};

const LONG: Span = Span::from_mins(10);

fn nodes() -> Json {
    reply(&json!({"value": []}))
}

fn silent() -> Json {
    json!({"do": "nothing"})
}

async fn gone(stage: &mut Stage, pid: i64) {
    while stage.event().await != (Event::Gone { pid }) {}
}

#[tokio::test]
async fn callers_share_one_process_and_it_gets_only_what_it_was_given() {
    let mut stage = Stage::open(&[("reader list_nodes", vec![nodes()])]);
    let host = stage.host();
    assert_eq!(stage.said(), [""; 0], "nothing runs before it is needed");
    let asked = (0..8).map(|_| host.read(read_of("list_nodes", "{}"), NOW));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer.unwrap().as_str(), "[]");
    }
    let Event::Said { env, .. } = stage.event().await else { panic!("it spoke first") };
    assert_eq!(env, json!(["ONLY"]));
    let said = stage.said();
    let starts = said.iter().filter(|line| line.ends_with("tools/list")).count();
    let reads = said.iter().filter(|line| line.ends_with("reader 1 list_nodes")).count();
    assert_eq!((starts, reads), (1, 8), "{said:?}");
}

#[tokio::test]
async fn a_dropped_host_takes_its_processes_along() {
    let mut stage = Stage::open(&[("reader list_nodes", vec![nodes()])]);
    let host = stage.host();
    host.read(read_of("list_nodes", "{}"), NOW).await.unwrap();
    let (pid, _) = stage.wait_for("list_nodes").await;
    drop(host);
    gone(&mut stage, pid).await;
    assert_eq!(stage.said(), [""; 0]);
}

#[tokio::test]
async fn a_stopped_host_has_no_process_and_makes_none() {
    let mut stage = Stage::open(&[
        ("reader list_nodes", vec![nodes()]),
        ("executor rollout_restart.apply", vec![silent()]),
    ]);
    let host = stage.host();
    host.read(read_of("list_nodes", "{}"), NOW).await.unwrap();
    let acting = host.apply(authorized(complete(), LONG), NOW);
    let stopping = async {
        let (pid, _) = stage.wait_for("rollout_restart.apply").await;
        let ladder = Ladder::new(Duration::ZERO, Duration::ZERO, Duration::from_secs(60)).unwrap();
        let stopped = host.stop(&ladder).await;
        gone(&mut stage, pid).await;
        stopped
    };
    let (acted, stopped) = tokio::join!(acting, stopping);
    let mut said = format!("{:?}\n", acted.outcome);
    for stopped in stopped {
        assert!(matches!(stopped.report.remains, Remains::Nothing), "{stopped:?}");
        said += &format!("{} of {} ended\n", stopped.role, stopped.server);
    }
    let late = host.apply(authorized(complete(), LONG), NOW).await;
    said += &format!("{:?}\n", late.outcome);
    said += &format!("{}\n", host.read(read_of("list_nodes", "{}"), NOW).await.unwrap_err());
    expect![[r#"
        Unknown(Doubt { kind: Killed, why: "executor of kubernetes in practice: the server went away before it answered: it ended by signal 9" })
        reader of kubernetes ended
        executor of kubernetes ended
        NotDone(Refusal { kind: NotSent, why: "executor of kubernetes in practice: the tool servers were stopped" })
        kubernetes could not be reached: reader of kubernetes in practice: the tool servers were stopped
    "#]].assert_eq(&said);
}

#[tokio::test]
async fn a_dropped_wait_is_told_to_the_server() {
    let mut stage = Stage::open(&[("executor rollout_restart.apply", vec![silent()])]);
    let host = stage.host();
    let asked = {
        let acting = host.apply(authorized(complete(), LONG), NOW);
        tokio::select! {
            reply = acting => panic!("nobody answers: {reply:?}"),
            (_, message) = stage.wait_for("rollout_restart.apply") => message,
        }
    };
    let (_, told) = stage.wait_for("notifications/cancelled").await;
    let want = json!({"requestId": asked["id"], "reason": "nobody waits for it any more"});
    assert_eq!(told["params"], want);
}

#[tokio::test]
async fn a_host_is_made_of_servers_with_tables_each_given_once() {
    let stage = Stage::open(&[]);
    let command = || stage.command("reader", "modern");
    let made = |readers: &[&str], program: &str| {
        let mut config = stage.config(PATIENT);
        let named = |name: &&str| (name.parse().unwrap(), command());
        config.readers = readers.iter().map(named).collect();
        config.executors[0].1.program = program.into();
        match Host::start(config) {
            Ok(_host) => "made".to_owned(),
            Err(error) => {
                format!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string))
            }
        }
    };
    let said = [
        made(&["kubernetes", "alerts"], "/bin/true"),
        made(&["kubernetes", "kubernetes"], "/bin/true"),
        made(&["prometheus"], "/bin/true"),
        made(&[], "steady"),
    ];
    expect![[r#"
        made
        the reader of `kubernetes` is given twice: None
        no table is known of the server `prometheus`: None
        the command of the executor of `kubernetes` can never be started: Some("the path \"steady\" is relative: give the absolute path")
    "#]].assert_eq(&(said.join("\n") + "\n"));
    let mut shown = stage.command("reader", "modern");
    shown.env.insert("KUBE_TOKEN".into(), "hunter2".into());
    shown.args.push("--token=hunter2".into());
    let shown = format!("{shown:?} {:?}", stage.config(PATIENT));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("KUBE_TOKEN"), "{shown}");
}

#[tokio::test]
async fn a_stop_ends_processes_that_were_given_up_too() {
    let mut stage = Stage::open(&[
        ("executor rollout_restart.apply", vec![silent()]),
        ("executor rollout_restart.probe", vec![silent()]),
    ]);
    let mut config = stage.config(PATIENT);
    config.patience = Patience { probe: Span::from_millis(50), ..PATIENT };
    let host = Host::start(config).unwrap();
    let acting = host.apply(authorized(complete(), LONG), NOW);
    let stopping = async {
        let (pid, _) = stage.wait_for("rollout_restart.apply").await;
        // It is silent to a probe, so it is given up while the call still waits for it.
        let verdict = host.probe(complete(), envelope(), NOW).await;
        assert!(matches!(verdict, ProbeVerdict::Unknown { .. }), "{verdict:?}");
        let stopped = host.stop(&Ladder::HARD).await;
        gone(&mut stage, pid).await;
        stopped.len()
    };
    let (acted, stopped) = tokio::join!(acting, stopping);
    assert_eq!(stopped, 1);
    assert!(matches!(acted.outcome, Outcome::Unknown(Doubt { kind: DoubtKind::Killed, .. })));
}
