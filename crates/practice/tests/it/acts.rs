//! The three actions: planning, compare-and-set, probing, undoing.

use expect_test::expect;
use serde_json::json;
use steadyhand_model::event::Leg;
use steadyhand_model::exchange::StepPreview;
use steadyhand_practice::line::Change;

use crate::sim::Sim;

fn template(image: &str) -> Change {
    Change::Template { namespace: "shop".into(), name: "checkout".into(), image: image.into() }
}

#[test]
fn a_plan_as_a_whole() {
    let mut sim = Sim::new(&[]);
    let plan = sim.restart_plan("shop", "checkout");
    expect![[r#"
        {
          "call": {
            "action": "kubernetes.rollout_restart",
            "args": {
              "mark": "after-9f5aad770f",
              "template_digest": "sha256:9f5aad770fabe210e83a5cf6e2a6bf8d7e5937f1b12aef0098220ce67785a57c",
              "workload": {
                "kind": "Deployment",
                "name": "checkout",
                "namespace": "shop",
                "uid": "e2651bff-96e8-4fa5-a0a2-ddf4d0871e64"
              }
            }
          },
          "targets": [
            {
              "key": "practice/kubernetes/Deployment/e2651bff-96e8-4fa5-a0a2-ddf4d0871e64",
              "kind": "Deployment",
              "name": "shop/checkout",
              "uid": "e2651bff-96e8-4fa5-a0a2-ddf4d0871e64"
            }
          ],
          "preview": {
            "kind": "server",
            "diff": [
              {
                "path": "spec.template.metadata.annotations[\"steadyhand.dev/restart\"]",
                "after": "after-9f5aad770f"
              }
            ]
          },
          "before": [
            {
              "title": "it is the same object",
              "expr": "after.workload != null && after.workload.uid == args.workload.uid",
              "reads": [
                {
                  "into": "after.workload",
                  "read": {
                    "server": "kubernetes",
                    "read": "get_workload",
                    "args": {
                      "kind": "Deployment",
                      "name": "checkout",
                      "namespace": "shop"
                    }
                  },
                  "type": {
                    "nullable": {
                      "of": {
                        "object": {
                          "name": "kubernetes.Workload"
                        }
                      }
                    }
                  }
                }
              ],
              "given": [
                {
                  "into": "args.workload.uid",
                  "type": "string",
                  "value": "e2651bff-96e8-4fa5-a0a2-ddf4d0871e64"
                }
              ],
              "otherwise": "Another object has that name now, or none has.",
              "hold_for": "0s",
              "within": "0s"
            },
            {
              "title": "its template is unchanged",
              "expr": "after.workload != null && after.workload.template_digest == args.template_digest",
              "reads": [
                {
                  "into": "after.workload",
                  "read": {
                    "server": "kubernetes",
                    "read": "get_workload",
                    "args": {
                      "kind": "Deployment",
                      "name": "checkout",
                      "namespace": "shop"
                    }
                  },
                  "type": {
                    "nullable": {
                      "of": {
                        "object": {
                          "name": "kubernetes.Workload"
                        }
                      }
                    }
                  }
                }
              ],
              "given": [
                {
                  "into": "args.template_digest",
                  "type": "string",
                  "value": "sha256:9f5aad770fabe210e83a5cf6e2a6bf8d7e5937f1b12aef0098220ce67785a57c"
                }
              ],
              "otherwise": "Somebody has changed its template since the plan.",
              "hold_for": "0s",
              "within": "0s"
            },
            {
              "title": "its rollouts are not paused",
              "expr": "after.workload != null && !after.workload.paused",
              "reads": [
                {
                  "into": "after.workload",
                  "read": {
                    "server": "kubernetes",
                    "read": "get_workload",
                    "args": {
                      "kind": "Deployment",
                      "name": "checkout",
                      "namespace": "shop"
                    }
                  },
                  "type": {
                    "nullable": {
                      "of": {
                        "object": {
                          "name": "kubernetes.Workload"
                        }
                      }
                    }
                  }
                }
              ],
              "otherwise": "Its rollouts are paused, so nothing would be replaced.",
              "hold_for": "0s",
              "within": "0s"
            }
          ],
          "verify": {
            "title": "it is rolled out, available, and no new pod has restarted",
            "expr": "after.workload.settled && after.workload.available >= after.workload.replicas && after.workload.fresh_restarts == 0",
            "reads": [
              {
                "into": "after.workload",
                "read": {
                  "server": "kubernetes",
                  "read": "get_workload",
                  "args": {
                    "kind": "Deployment",
                    "name": "checkout",
                    "namespace": "shop"
                  }
                },
                "type": {
                  "object": {
                    "name": "kubernetes.Workload"
                  }
                }
              }
            ],
            "hold_for": "1m",
            "within": "10m"
          },
          "undo": {
            "call": {
              "action": "kubernetes.rollout_undo",
              "args": {
                "template_digest": "sha256:606eaaa4a03b89bd590a996340c4b5ef86f9630bd2785af9f6939935a24bb781",
                "to": {
                  "kind": "Deployment",
                  "name": "checkout-9f5aad770f",
                  "namespace": "shop",
                  "uid": "c5d0c495-9be9-40c2-a6b1-5050d73655e4",
                  "workload": "checkout"
                },
                "to_template_digest": "sha256:9f5aad770fabe210e83a5cf6e2a6bf8d7e5937f1b12aef0098220ce67785a57c",
                "workload": {
                  "kind": "Deployment",
                  "name": "checkout",
                  "namespace": "shop",
                  "uid": "e2651bff-96e8-4fa5-a0a2-ddf4d0871e64"
                }
              }
            },
            "verify": {
              "title": "it is rolled out, available, and no new pod has restarted",
              "expr": "after.workload.template_digest == after.to.template_digest && after.workload.settled && after.workload.available >= after.workload.replicas && after.workload.fresh_restarts == 0",
              "reads": [
                {
                  "into": "after.workload",
                  "read": {
                    "server": "kubernetes",
                    "read": "get_workload",
                    "args": {
                      "kind": "Deployment",
                      "name": "checkout",
                      "namespace": "shop"
                    }
                  },
                  "type": {
                    "object": {
                      "name": "kubernetes.Workload"
                    }
                  }
                },
                {
                  "into": "after.to",
                  "read": {
                    "server": "kubernetes",
                    "read": "get_revision",
                    "args": {
                      "kind": "Deployment",
                      "name": "checkout-9f5aad770f",
                      "namespace": "shop",
                      "workload": "checkout"
                    }
                  },
                  "type": {
                    "object": {
                      "name": "kubernetes.Revision"
                    }
                  }
                }
              ],
              "hold_for": "1m",
              "within": "10m"
            },
            "shown": "the inverse patch, back to template checkout-9f5aad770f"
          },
          "radius": {
            "targets": [
              {
                "key": "practice/kubernetes/Deployment/e2651bff-96e8-4fa5-a0a2-ddf4d0871e64",
                "kind": "Deployment",
                "name": "shop/checkout",
                "uid": "e2651bff-96e8-4fa5-a0a2-ddf4d0871e64"
              }
            ],
            "affected": [
              {
                "what": "pods",
                "count": 3,
                "how": "replaced in turn"
              }
            ],
            "unavailable": 0,
            "population": 3,
            "zones": [
              "a",
              "b",
              "c"
            ],
            "data_loss": "none",
            "dependents": [
              "Service shop/checkout"
            ]
          },
          "missing_permissions": [],
          "planned": {
            "template_digest": "sha256:606eaaa4a03b89bd590a996340c4b5ef86f9630bd2785af9f6939935a24bb781"
          },
          "command": "kubectl -n shop patch deployment/checkout --type=json --field-manager=steadyhand -p '[{\"op\":\"test\",\"path\":\"/metadata/uid\",\"value\":\"e2651bff-96e8-4fa5-a0a2-ddf4d0871e64\"},{\"op\":\"test\",\"path\":\"/spec/template/metadata/annotations\",\"value\":null},{\"op\":\"add\",\"path\":\"/spec/template/metadata/annotations\",\"value\":{\"steadyhand.dev/restart\":\"after-9f5aad770f\"}}]'",
          "nothing_to_do": null
        }
    "#]].assert_eq(&(serde_json::to_string_pretty(&plan).unwrap() + "\n"));
}

#[test]
fn planning_again_gives_the_same_bytes() {
    let bytes = |plan: &StepPreview| serde_json::to_string(plan).unwrap();
    let mut sim = Sim::new(&[]);
    let first = sim.restart_plan("shop", "checkout");
    for _ in 0..200 {
        sim.wait("1s").change(Change::Status { namespace: "shop".into(), name: "checkout".into() });
    }
    let second = sim.restart_plan("shop", "checkout");
    assert_eq!(bytes(&first), bytes(&second));
    sim.change(template("registry.example/checkout:2.9.0"));
    let third = sim.restart_plan("shop", "checkout");
    assert_ne!(bytes(&first), bytes(&third));
}

#[test]
fn status_noise_and_scaling_do_not_stop_a_restart_but_a_template_does() {
    let mut sim = Sim::new(&[]);
    let plan = sim.restart_plan("shop", "checkout");
    for n in 0..20 {
        let replicas = 3 + n % 2;
        sim.wait("1s").change(Change::Scale {
            namespace: "shop".into(),
            name: "checkout".into(),
            replicas,
        });
    }
    let mut other = Sim { simulator: sim.simulator.clone(), now: sim.now };
    assert_eq!(sim.apply(&plan.call, 1), "done");
    other.change(template("registry.example/checkout:2.9.0"));
    assert_eq!(other.apply(&plan.call, 1), "not_done:conflict");
    assert_eq!(other.probe(&plan.call), "not_done");
    assert_eq!((sim.effects(), other.effects()), (1, 0));
}

#[test]
fn a_late_duplicate_fails_at_the_target() {
    let mut sim = Sim::new(&[]);
    let restart = sim.restart_plan("shop", "checkout");
    let workload = sim.named("shop", "recommend");
    let scale = sim.plan("scale", json!({"workload": workload, "replicas": 6}));
    for plan in [&restart, &scale] {
        assert_eq!(sim.probe(&plan.call), "not_done");
        assert_eq!(sim.apply(&plan.call, 1), "done");
        assert_eq!(sim.apply(&plan.call, 2), "not_done:conflict");
        assert_eq!(sim.probe(&plan.call), "done");
    }
    assert_eq!(sim.effects(), 2);
}

#[test]
fn another_object_under_the_same_name_is_refused() {
    let mut sim = Sim::new(&[]);
    let plan = sim.restart_plan("shop", "checkout");
    sim.change(Change::Replace { namespace: "shop".into(), name: "checkout".into() });
    assert_eq!(sim.apply(&plan.call, 1), "not_done:conflict");
    assert_eq!(sim.probe(&plan.call), "unknown");
}

#[test]
fn undo_puts_back_what_was_there() {
    let mut sim = Sim::new(&[]);
    for (namespace, name) in [("shop", "checkout"), ("shop", "search")] {
        let before = sim.workload(namespace, name)["template_digest"].clone();
        let plan = sim.restart_plan(namespace, name);
        let undo = plan.undo.unwrap();
        assert_eq!(sim.apply_under(&undo.call, 1, 1, Leg::Undo), "not_done:conflict", "too early");
        assert_eq!(sim.apply(&plan.call, 1), "done");
        assert_ne!(sim.workload(namespace, name)["template_digest"], before);
        assert_eq!(sim.probe(&undo.call), "not_done");
        assert_eq!(sim.apply_under(&undo.call, 1, 1, Leg::Undo), "done");
        assert_eq!(sim.workload(namespace, name)["template_digest"], before);
        assert_eq!(sim.probe(&undo.call), "done");
        assert_eq!(sim.probe(&plan.call), "not_done", "the template before it is there again");
    }
    let workload = sim.named("shop", "recommend");
    let plan = sim.plan("scale", json!({"workload": workload, "replicas": 6}));
    sim.apply(&plan.call, 1);
    assert_eq!(sim.apply_under(&plan.undo.unwrap().call, 1, 1, Leg::Undo), "done");
    assert_eq!(sim.workload("shop", "recommend")["replicas"], 4);
}

#[test]
fn a_lower_fence_is_refused() {
    let mut sim = Sim::new(&[]);
    let plan = sim.restart_plan("shop", "checkout");
    let other = sim.restart_plan("shop", "payments");
    assert_eq!(sim.apply_under(&plan.call, 1, 2, Leg::Forward), "done");
    assert_eq!(sim.apply_under(&other.call, 1, 1, Leg::Forward), "not_done:forbidden");
    assert_eq!(sim.apply_under(&other.call, 1, 2, Leg::Forward), "done");
}
