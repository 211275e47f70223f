//! The default scenario as a whole, and what its controllers do over time.

use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};
use steadyhand_practice::line::Change;
use steadyhand_practice::world::World;

use crate::sim::{BEGIN, Sim};

#[test]
fn the_default_scenario() {
    let mut sim = Sim::new(&[]);
    let all = sim.read("list_workloads", json!({"namespace": null}));
    let mut text = String::new();
    for w in all.as_array().unwrap() {
        let crash =
            w["crash"].as_object().map_or_else(String::new, |c| format!(", crash {}", c["reason"]));
        let stuck = if w["stuck"].is_null() { "" } else { ", stuck" };
        text += &format!(
            "{} {}/{} {} of {} ready, settled {}{crash}{stuck}\n",
            w["kind"].as_str().unwrap(),
            w["namespace"].as_str().unwrap(),
            w["name"].as_str().unwrap(),
            w["ready"],
            w["replicas"],
            w["settled"],
        );
    }
    for alert in sim.read("list_alerts", json!({})).as_array().unwrap() {
        text += &format!("{} since {} {}\n", alert["name"], alert["since"], alert["summary"]);
    }
    for node in sim.read("list_nodes", json!({})).as_array().unwrap() {
        text += &format!("{} zone {} {} pods\n", node["name"], node["zone"], node["pods"]);
    }
    expect![[r#"
        StatefulSet jobs/archive 1 of 1 ready, settled true
        Deployment kube-system/coredns 2 of 2 ready, settled true
        Deployment platform/ingress 2 of 2 ready, settled true
        StatefulSet platform/kafka 3 of 3 ready, settled true
        Deployment platform/metrics 1 of 1 ready, settled true
        Deployment shop/cart 3 of 3 ready, settled false, crash "CrashLoopBackOff", stuck
        Deployment shop/catalog 2 of 2 ready, settled true
        Deployment shop/checkout 2 of 3 ready, settled true, crash "CrashLoopBackOff"
        Deployment shop/mailer 1 of 1 ready, settled true
        StatefulSet shop/orders-db 1 of 1 ready, settled true
        Deployment shop/payments 2 of 2 ready, settled true
        Deployment shop/recommend 4 of 4 ready, settled true
        StatefulSet shop/search 3 of 3 ready, settled true
        Deployment shop/web 4 of 4 ready, settled true
        "KubePodCrashLooping" since "6m" "Pod shop/checkout-9f5aad770f-49b9l is crash looping"
        "KubePodCrashLooping" since "17m" "Pod shop/cart-cee543f9d6-g4zgk is crash looping"
        "KubeDeploymentRolloutStuck" since "12m" "shop/cart has a rollout that does not go on"
        "ServiceSaturated" since "0s" "shop/recommend has more work than its pods can do"
        "node-1" zone "a" 11 pods
        "node-2" zone "b" 11 pods
        "node-3" zone "c" 11 pods
    "#]]
    .assert_eq(&text);
}

/// A look at one workload at several times.
fn check(sim: &mut Sim, name: &str, waits: &[&str], want: &Expect) {
    let mut text = String::new();
    for wait in waits {
        sim.wait(wait);
        text += &format!("+{wait}: {}\n", sim.state("shop", name));
    }
    want.assert_eq(&text);
}

#[test]
fn a_restart_replaces_pods_one_by_one_and_heals() {
    let mut sim = Sim::new(&[]);
    let plan = sim.restart_plan("shop", "checkout");
    assert_eq!(sim.apply(&plan.call, 1), "done");
    check(
        &mut sim,
        "checkout",
        &["0s", "1s", "20s", "20s", "20s", "5s"],
        &expect![[r#"
        +0s: 2 of 3 ready, 0 updated, settled false, fresh restarts 0, revision 13
        +1s: 2 of 3 ready, 1 updated, settled false, fresh restarts 0, revision 13
        +20s: 3 of 3 ready, 2 updated, settled false, fresh restarts 0, revision 13
        +20s: 3 of 3 ready, 3 updated, settled false, fresh restarts 0, revision 13
        +20s: 3 of 3 ready, 3 updated, settled true, fresh restarts 0, revision 13
        +5s: 3 of 3 ready, 3 updated, settled true, fresh restarts 0, revision 13
    "#]],
    );
}

#[test]
fn a_bad_release_is_healed_by_the_revision_before_it() {
    let mut sim = Sim::new(&[]);
    let w = sim.workload("shop", "cart");
    let fields = ["kind", "namespace", "workload", "name", "uid"];
    let to = crate::sim::identity(&w["last_good_revision"], &fields);
    let workload = sim.named("shop", "cart");
    let plan = sim.plan("rollout_undo", json!({"workload": workload, "to": to}));
    assert_eq!(sim.apply(&plan.call, 1), "done");
    check(
        &mut sim,
        "cart",
        &["0s", "1s", "10s"],
        &expect![[r#"
        +0s: 3 of 3 ready, 3 updated, settled false, fresh restarts 0, revision 14
        +1s: 3 of 3 ready, 3 updated, settled true, fresh restarts 0, revision 14
        +10s: 3 of 3 ready, 3 updated, settled true, fresh restarts 0, revision 14
    "#]],
    );
}

#[test]
fn more_replicas_heal_a_saturated_workload() {
    let mut sim = Sim::new(&[]);
    let workload = sim.named("shop", "recommend");
    let room = sim.read("fn.cluster.fits", json!({"workload": workload, "replicas": 6}));
    let no_room = sim.read("fn.cluster.fits", json!({"workload": workload, "replicas": 10_000}));
    assert_eq!((room, no_room), (Json::Bool(true), Json::Bool(false)));
    let plan = sim.plan("scale", json!({"workload": workload, "replicas": 6}));
    assert_eq!(sim.apply(&plan.call, 1), "done");
    check(
        &mut sim,
        "recommend",
        &["0s", "1s", "20s"],
        &expect![[r#"
        +0s: 4 of 6 ready, 4 updated, settled false, fresh restarts 0, revision 12
        +1s: 4 of 6 ready, 6 updated, settled true, fresh restarts 0, revision 12
        +20s: 6 of 6 ready, 6 updated, settled true, fresh restarts 0, revision 12
    "#]],
    );
}

#[test]
fn the_end_of_an_alert_lags() {
    let mut sim = Sim::new(&[]);
    let alerts = sim.read("list_alerts", json!({}));
    let crash = alerts
        .as_array()
        .unwrap()
        .iter()
        .find(|a| {
            a["name"] == "KubePodCrashLooping"
                && a["labels"]["pod"].as_str().unwrap().starts_with("checkout")
        })
        .unwrap()
        .clone();
    let owner = sim.read("fn.workload_of", json!({"labels": crash["labels"]}));
    assert_eq!(owner["name"], "checkout");
    let plan = sim.restart_plan("shop", "checkout");
    sim.apply(&plan.call, 1);
    let mut text = String::new();
    for wait in ["0s", "1m", "4m", "15s", "15s"] {
        sim.wait(wait);
        let alert = sim.read("alert", json!({"fingerprint": crash["fingerprint"]}));
        text += &format!("+{wait}: {} since {}\n", alert["state"], alert["since"]);
    }
    let absent = sim.read("alert", json!({"fingerprint": "0000000000000000"}));
    text += &format!("another: {}\n", absent["state"]);
    // The pod is gone, and its name still finds the workload.
    let owner =
        sim.read("fn.owner_of", json!({"namespace": "shop", "pod": crash["labels"]["pod"]}));
    assert_eq!(owner["name"], "checkout");
    expect![[r#"
        +0s: "firing" since "6m"
        +1m: "firing" since "7m"
        +4m: "firing" since "11m"
        +15s: "firing" since "11m15s"
        +15s: "resolved" since "9s600ms"
        another: "absent"
    "#]]
    .assert_eq(&text);
}

#[test]
fn an_autoscaler_takes_its_replicas_back() {
    let mut sim = Sim::new(&[]);
    sim.change(Change::Scale { namespace: "shop".into(), name: "web".into(), replicas: 7 });
    check(
        &mut sim,
        "web",
        &["1s", "20s", "20s"],
        &expect![[r#"
        +1s: 4 of 7 ready, 7 updated, settled true, fresh restarts 0, revision 12
        +20s: 4 of 4 ready, 4 updated, settled true, fresh restarts 0, revision 12
        +20s: 4 of 4 ready, 4 updated, settled true, fresh restarts 0, revision 12
    "#]],
    );
}

#[test]
fn a_stateful_set_goes_from_the_highest_ordinal_down() {
    let mut sim = Sim::new(&[]);
    let plan = sim.restart_plan("shop", "search");
    assert_eq!(sim.apply(&plan.call, 1), "done");
    check(
        &mut sim,
        "search",
        &["1s", "6s", "31s", "36s", "36s", "36s"],
        &expect![[r#"
        +1s: 2 of 3 ready, 0 updated, settled false, fresh restarts 0, revision 13
        +6s: 2 of 3 ready, 1 updated, settled false, fresh restarts 0, revision 13
        +31s: 2 of 3 ready, 1 updated, settled false, fresh restarts 0, revision 13
        +36s: 2 of 3 ready, 2 updated, settled false, fresh restarts 0, revision 13
        +36s: 3 of 3 ready, 3 updated, settled true, fresh restarts 0, revision 13
        +36s: 3 of 3 ready, 3 updated, settled true, fresh restarts 0, revision 13
    "#]],
    );
}

#[test]
fn what_cannot_be_rolled_out_is_refused_when_planned() {
    let mut sim = Sim::new(&[]);
    sim.change(Change::Pause { namespace: "shop".into(), name: "catalog".into(), paused: true });
    sim.change(Change::Scale { namespace: "shop".into(), name: "mailer".into(), replicas: 0 });
    let mut text = String::new();
    for (namespace, name) in [("jobs", "archive"), ("shop", "catalog"), ("shop", "mailer")] {
        let workload = sim.named(namespace, name);
        let reply = match sim.plan_reply("rollout_restart", json!({"workload": workload})) {
            steadyhand_model::exchange::PlanReply::Planned(p) => format!("{:?}", p.nothing_to_do),
            other => format!("{other:?}"),
        };
        text += &format!("{namespace}/{name}: {reply}\n");
    }
    expect![[r#"
        jobs/archive: Refused { why: "its strategy is OnDelete, so a new template replaces no pod" }
        shop/catalog: Refused { why: "its rollouts are paused" }
        shop/mailer: Some("it has no replicas")
    "#]]
    .assert_eq(&text);
}

/// A reader and an executor fold the same lines in steps of their own: the way to a time must not matter.
#[test]
fn the_way_to_a_time_does_not_matter() {
    let mut sim = Sim::new(&["late"]);
    let plan = sim.restart_plan("shop", "checkout");
    sim.wait("3s").apply(&plan.call, 1);
    sim.wait("1m").change(Change::Crash { namespace: "shop".into(), name: "web".into(), pods: 2 });
    sim.wait("11m").change(Change::Load {
        namespace: "shop".into(),
        name: "web".into(),
        load: 700,
    });
    sim.wait("9m").workload("shop", "web");
    let lines = sim.simulator.lines();
    let mut slow = World::open(&lines[0]).unwrap();
    for line in &lines[1..] {
        let mut at = slow.now();
        while at < line.at {
            at = steadyhand_model::time::Timestamp((at.0 + 777_777).min(line.at.0));
            slow.advance(at).unwrap();
        }
        slow.fold(line).unwrap();
    }
    assert_eq!(format!("{slow:?}"), format!("{:?}", sim.simulator.world()));
}

#[test]
fn a_long_silence_costs_nothing() {
    let mut sim = Sim::new(&[]);
    sim.wait("366d");
    let settled = sim.workload("shop", "checkout");
    assert_eq!(settled["ready"], 2, "nobody restarted it: {settled}");
    assert!(sim.now > BEGIN);
}
