//! Each planted fault: what the caller is told, what happened, what a probe finds out after the quiet time.

use expect_test::expect;
use steadyhand_practice::fault::FAULT_NAMES;
use steadyhand_practice::line::Body;

use crate::sim::Sim;

#[test]
fn faults_of_an_apply() {
    let mut text = String::new();
    for name in FAULT_NAMES.iter().filter(|name| **name != "unreadable") {
        let mut sim = Sim::new(&[name]);
        let plan = sim.restart_plan("shop", "checkout");
        let missing = plan.missing_permissions.join(", ");
        let told = sim.wait("1s").apply(&plan.call, 1);
        let at_once = sim.probe(&plan.call);
        let later = sim.wait("20s").probe(&plan.call);
        let then = match sim.wait("5m").workload("shop", "checkout") {
            w if w["settled"] == true && w["ready"] == 3 => "healed",
            _ => "ill",
        };
        text += &format!(
            "{name}: {told}, probe {at_once}, after quiet {later}, effects {}, {then}",
            sim.effects()
        );
        text += &if missing.is_empty() { "\n".into() } else { format!(", may not {missing}\n") };
    }
    expect![[r#"
        slow: done, probe done, after quiet done, effects 1, healed
        busy: not_done:busy, probe not_done, after quiet not_done, effects 0, ill
        conflict: not_done:conflict, probe not_done, after quiet not_done, effects 0, ill
        forbidden: not_done:forbidden, probe not_done, after quiet not_done, effects 0, ill
        invalid: not_done:invalid, probe not_done, after quiet not_done, effects 0, ill
        lost: lost, probe done, after quiet done, effects 1, healed
        lost-before: lost, probe not_done, after quiet not_done, effects 0, ill
        lost-after: lost, probe done, after quiet done, effects 1, healed
        late: lost, probe not_done, after quiet done, effects 1, healed
        drift: not_done:conflict, probe not_done, after quiet not_done, effects 0, healed
        permission: not_done:forbidden, probe not_done, after quiet not_done, effects 0, ill, may not patch deployments in shop
        garbage: garbage, probe done, after quiet done, effects 1, healed
        huge: huge, probe done, after quiet done, effects 1, healed
        lying: done, probe not_done, after quiet not_done, effects 0, ill
        flapping: done, probe done, after quiet done, effects 1, ill
        kill: lost, probe done, after quiet done, effects 1, healed
        kill-before: lost, probe not_done, after quiet not_done, effects 0, ill
    "#]].assert_eq(&text);
}

#[test]
fn a_call_that_takes_too_long_is_lost_and_happens() {
    let mut sim = Sim::new(&["slow:10s"]);
    let plan = sim.restart_plan("shop", "checkout");
    assert_eq!(sim.apply(&plan.call, 1), "lost");
    assert_eq!(sim.wait("9s").probe(&plan.call), "not_done");
    assert_eq!(sim.wait("1s").probe(&plan.call), "done");
}

#[test]
fn a_fault_meets_the_request_that_it_names() {
    let mut sim = Sim::new(&["lost@2"]);
    let checkout = sim.restart_plan("shop", "checkout");
    let payments = sim.restart_plan("shop", "payments");
    let mailer = sim.restart_plan("shop", "mailer");
    assert_eq!(sim.apply(&checkout.call, 1), "done");
    assert_eq!(sim.apply(&payments.call, 1), "lost");
    assert_eq!(sim.apply(&mailer.call, 1), "done");
    sim.plant("conflict");
    let again = sim.restart_plan("shop", "web");
    assert_eq!(sim.apply(&again.call, 1), "not_done:conflict");
}

#[test]
fn a_late_effect_that_finds_another_world_comes_to_nothing() {
    let mut sim = Sim::new(&["late"]);
    let plan = sim.restart_plan("shop", "checkout");
    assert_eq!(sim.apply(&plan.call, 1), "lost");
    assert_eq!(sim.wait("1s").apply(&plan.call, 2), "done");
    sim.wait("1m").workload("shop", "checkout");
    assert_eq!(sim.effects(), 1);
    let landed = |b: &Body| matches!(b, Body::Landed { changed: false, .. });
    assert_eq!(sim.simulator.lines().iter().filter(|l| landed(&l.body)).count(), 1);
}
