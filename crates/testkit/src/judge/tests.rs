//! Histories as data: good ones that must be clean, and for each property some that must not be.
//!
//! A case is a good history and one change. The whole list of findings is compared, so that a change which the judge
//! notices twice, or under the wrong property, is seen.

use std::path::Path;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::judge::form::Row;
use crate::judge::{Given, ReadError, canonical, chain, judge};

/// Rows without their hashes, plans, and lines of the world. `"plan:NAME"` stands for that plan's digest,
/// `"call:STEP:LEG"` for the digest of a planned call, wherever it occurs.
#[derive(Clone)]
struct Story {
    rows: Vec<Value>,
    plans: Vec<(String, Value)>,
    world: Vec<Value>,
    given: Given,
}

fn story(name: &str) -> Story {
    let text = match name {
        "restart" => include_str!("cases/restart.json"),
        "two-runs" => include_str!("cases/two-runs.json"),
        _ => panic!("no story {name}"),
    };
    let json: Value = serde_json::from_str(text).unwrap();
    let plans = json["plans"].as_object().unwrap();
    Story {
        rows: json["rows"].as_array().unwrap().clone(),
        plans: plans.iter().map(|(name, plan)| (name.clone(), plan.clone())).collect(),
        world: json["world"].as_array().unwrap().clone(),
        given: Given { canaries: vec![], at_rest: true },
    }
}

impl Story {
    /// The first row of a run's event of this type.
    fn row(&self, run: &str, kind: &str) -> usize {
        let at = self.rows.iter().position(|row| {
            row["stream"]["run"].as_str() == Some(run)
                && row["event"]["type"].as_str() == Some(kind)
        });
        at.unwrap_or_else(|| panic!("no {kind} of {run}"))
    }

    fn event(&mut self, run: &str, kind: &str) -> &mut Value {
        let at = self.row(run, kind);
        &mut self.rows[at]["event"]
    }

    fn without(mut self, run: &str, kind: &str) -> Self {
        let at = self.row(run, kind);
        self.rows.remove(at);
        self
    }

    /// Puts an event at a time after the first one of that type.
    fn after(mut self, run: &str, kind: &str, at: i64, event: Value) -> Self {
        let place = self.row(run, kind) + 1;
        self.rows.insert(place, json!({"stream": {"run": run}, "at": at, "event": event}));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn plan(&mut self) -> &mut Value {
        &mut self.plans[0].1
    }

    /// Fills names in, numbers and chains the rows, and writes the export.
    fn write(&self, folder: &Path) {
        let mut names = Vec::new();
        for (name, plan) in &self.plans {
            for step in plan["steps"].as_array().unwrap() {
                let write = &step["kind"]["write"];
                for (leg, call) in
                    [("forward", &write["call"]), ("undo", &write["undo"]["inverse"]["call"])]
                {
                    if !call.is_null() {
                        let key = format!("call:{}:{leg}", step["id"].as_str().unwrap());
                        names.push((
                            key,
                            canonical::digest(canonical::text(call).unwrap().as_bytes()),
                        ));
                    }
                }
            }
            let text = canonical::text(plan).unwrap();
            let digest = canonical::digest(text.as_bytes());
            let hex = digest.strip_prefix("sha256:").unwrap();
            std::fs::create_dir_all(folder.join("plans")).unwrap();
            std::fs::write(folder.join(format!("plans/{hex}.json")), text).unwrap();
            names.push((format!("plan:{name}"), digest));
        }
        let mut journal = String::new();
        let mut heads: Vec<(Value, u64, String)> = Vec::new();
        for row in &self.rows {
            let mut row = filled(row, &names);
            let head = heads.iter().position(|(stream, ..)| *stream == row["stream"]);
            let zero = format!("sha256:{}", "0".repeat(64));
            let (seq, prev) = head.map_or((0, zero), |at| (heads[at].1, heads[at].2.clone()));
            let seq = row["seq"].as_u64().unwrap_or(seq + 1);
            row["seq"] = seq.into();
            row["prev"] = prev.clone().into();
            row["event"]["v"] = row["event"].get("v").cloned().unwrap_or_else(|| 1.into());
            row["hash"] = "".into();
            let parsed: Row = serde_json::from_value(row.clone()).unwrap();
            let hash = chain::hash(&parsed, &prev).unwrap();
            row["hash"] = hash.clone().into();
            journal.push_str(&canonical::text(&row).unwrap());
            journal.push('\n');
            let next = (row["stream"].clone(), seq, hash);
            match head {
                Some(at) => heads[at] = next,
                None => heads.push(next),
            }
        }
        std::fs::write(folder.join("journal.jsonl"), journal).unwrap();
        let mut world = String::new();
        for (index, line) in self.world.iter().enumerate() {
            let mut line = filled(line, &names);
            line["v"] = 1.into();
            line["seq"] = (index + 1).into();
            world.push_str(&canonical::text(&line).unwrap());
            world.push('\n');
        }
        std::fs::write(folder.join("world.jsonl"), world).unwrap();
    }
}

fn filled(value: &Value, names: &[(String, String)]) -> Value {
    match value {
        Value::String(text) => {
            let digest = names.iter().find(|(name, _)| name == text).map(|(_, digest)| digest);
            digest.unwrap_or(text).clone().into()
        }
        Value::Array(items) => items.iter().map(|item| filled(item, names)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, field)| (key.clone(), filled(field, names))).collect()
        }
        other => other.clone(),
    }
}

fn verdict(folder: &Path, given: &Given) -> String {
    match judge(folder, given) {
        Ok(findings) => findings.iter().map(|finding| format!("{finding}\n")).collect(),
        Err(error) => format!("{}\n", error.to_string().replace(&folder.display().to_string(), "")),
    }
}

fn check(story: Story, expected: Expect) {
    let folder = tempfile::tempdir().unwrap();
    story.write(folder.path());
    expected.assert_eq(&verdict(folder.path(), &story.given));
}

/// A good history, changed in its files after it was written.
fn check_files(change: impl FnOnce(&Path), expected: Expect) {
    let folder = tempfile::tempdir().unwrap();
    let story = story("restart");
    story.write(folder.path());
    change(folder.path());
    expected.assert_eq(&verdict(folder.path(), &story.given));
}

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, change(text)).unwrap();
}

const RUN: &str = "r-aaaabbbbcccc";
const OTHER: &str = "r-ddddeeeeffff";

/// The intent at 13 s, a capability's life of 10 s, a call of at most 10 s, and 5 s for its effect.
const QUIET_UNTIL: i64 = 38_000_000;

fn at(step: &str, leg: &str, attempt: u32) -> Value {
    json!({"step": step, "leg": leg, "attempt": attempt})
}

#[test]
fn good_histories_are_clean() {
    check(story("restart"), expect![""]);
    check(story("two-runs"), expect![""]);
    // A refused first attempt, a second one that landed.
    check(retried("busy", 21_000_000), expect![""]);
    // An unknown that a probe found not done after the quiet time.
    check(probed_then_retried(QUIET_UNTIL), expect![""]);
    // A yes that lasts one microsecond longer than it takes to begin.
    check(
        story("restart").with(|s| {
            s.event(RUN, "approved")["approval"]["expires"] = 13_000_001.into();
        }),
        expect![""],
    );
    // Nobody has said yes yet.
    check(waiting_at_the_gate(), expect![""]);
    // A late effect that its target refused is no effect.
    check(
        story("restart").with(|s| {
            let mut late = s.world[2].clone();
            late["due"] = 30_000_000.into();
            s.world.truncate(2);
            s.world.push(late);
            s.world.push(json!({"at": 30_000_000, "kind": "landed", "of": 3, "changed": false}));
        }),
        expect![""],
    );
    // A last line of the world that was cut off while it was written is not in it.
    check_files(
        |folder| edit(&folder.join("world.jsonl"), |text| text + r#"{"at":99"#),
        expect![""],
    );
}

fn waiting_at_the_gate() -> Story {
    story("restart").with(|s| {
        let gate = s.row(RUN, "approved");
        s.rows.truncate(gate);
        s.world.truncate(2);
    })
}

/// The first attempt is refused; the second is sent under the same call.
fn retried(kind: &str, at_time: i64) -> Story {
    let outcome = json!({"not_done": {"kind": kind, "why": "later"}});
    again(story("restart").with(|s| s.event(RUN, "returned")["outcome"] = outcome), at_time).with(
        |s| {
            let mut refused = s.world[2].clone();
            refused["kind"] = "request".into();
            refused["reply"] = format!("not_done:{kind}").into();
            s.world.insert(2, refused);
            s.world[3]["at"] = at_time.into();
            s.world[3]["attempt"]["attempt"] = 2.into();
        },
    )
}

/// The first attempt's reply is lost; a probe finds it not done; the second attempt is made.
fn probed_then_retried(probed: i64) -> Story {
    let unknown = json!({"unknown": {"kind": "lost_reply", "why": "no reply"}});
    let probe = json!({"type": "probed", "at": at("restart", "forward", 1), "verdict": "not_done"});
    let first = story("restart").with(|s| {
        s.event(RUN, "returned")["outcome"] = unknown;
        s.world.remove(2);
    });
    again(first, probed).after(RUN, "returned", probed, probe)
}

/// Adds a second attempt after the answer to the first.
fn again(story: Story, at_time: i64) -> Story {
    let second = at("restart", "forward", 2);
    let mut story = story.with(|s| {
        for row in s.rows.iter_mut().filter(|row| row["at"].as_i64() > Some(20_000_000)) {
            row["at"] = (row["at"].as_i64().unwrap() + at_time).into();
            if row["event"]["purpose"] == "verify" {
                row["event"]["at"] = second.clone();
            }
        }
    });
    for event in [
        json!({"type": "returned", "at": second, "outcome": {"done": {"result": {}}}}),
        json!({"type": "intended", "at": second, "call": "call:restart:forward", "fence": 1}),
        json!({"type": "leases_taken", "at": second, "targets": ["practice/kubernetes/Deployment/u1"]}),
        json!({"type": "checked", "at": second, "purpose": "before", "verdict": {"holds": {}}}),
    ] {
        story = story.after(RUN, "returned", at_time, event);
    }
    story
}

#[test]
fn s1_every_effect_was_intended_first() {
    check(
        story("restart").without(RUN, "intended"),
        expect![[r#"
        S1 r-aaaabbbbcccc: restart attempt 1 was sent, and never intended
    "#]],
    );
    check(
        story("restart").with(|s| s.world[2]["at"] = 12_000_000.into()),
        expect![[r#"
        S1 r-aaaabbbbcccc row 10: restart attempt 1 reached its target before it was intended
    "#]],
    );
    check(
        story("restart").with(|s| s.world[2]["attempt"]["run"] = OTHER.into()),
        expect![[r#"
        S1 r-ddddeeeeffff: restart attempt 1 was sent for a run that is not in the journal
    "#]],
    );
    check(
        story("restart").with(|s| s.world[2]["attempt"]["plan"] = "sha256:00".into()),
        expect![[r#"
            S1 r-aaaabbbbcccc row 10: restart attempt 1 was sent under another plan
        "#]],
    );
}

#[test]
fn s2_the_call_made_is_the_call_planned() {
    check(
        story("restart").with(|s| s.world[2]["attempt"]["args"]["name"] = "payments".into()),
        expect![[r#"
            S2 r-aaaabbbbcccc row 10: restart attempt 1: the call made is not the one intended
            S2 r-aaaabbbbcccc row 10: restart attempt 1: the call made is not the one planned
        "#]],
    );
    check(
        story("restart").with(|s| s.event(RUN, "intended")["call"] = "call:restart:undo".into()),
        expect![[r#"
            S2 r-aaaabbbbcccc row 10: restart attempt 1: the call intended is not the one planned
            S2 r-aaaabbbbcccc row 10: restart attempt 1: the call made is not the one intended
        "#]],
    );
    check_files(
        |folder| {
            for entry in std::fs::read_dir(folder.join("plans")).unwrap() {
                edit(&entry.unwrap().path(), |text| {
                    text.replace("\"population\":3", "\"population\":9")
                });
            }
        },
        expect![[r#"
            S2 r-aaaabbbbcccc row 1: the bytes of the plan sha256:428ee804770c9af49079fe8413f1b926913139410534e14eaae0368230522b1f are not those of its digest
        "#]],
    );
    check_files(
        |folder| std::fs::remove_dir_all(folder.join("plans")).unwrap(),
        expect![[r#"
        S2 r-aaaabbbbcccc row 1: the plan sha256:428ee804770c9af49079fe8413f1b926913139410534e14eaae0368230522b1f is not in the export
    "#]],
    );
}

#[test]
fn s3_every_gate_had_its_people() {
    check(
        story("restart").without(RUN, "approved"),
        expect![[r#"
        S3 r-aaaabbbbcccc row 9: the gate `start` has 0 of 1 when a call is intended
    "#]],
    );
    let approval = |key: &'static str, value: Value| {
        story("restart").with(move |s| s.event(RUN, "approved")["approval"][key] = value)
    };
    check(
        approval("expires", 13_000_000.into()),
        expect![[r#"
        S3 r-aaaabbbbcccc row 10: the gate `start` has 0 of 1 when a call is intended
    "#]],
    );
    check(
        approval("by", json!({"person": "chen"})),
        expect![[r#"
        S3 r-aaaabbbbcccc row 10: the gate `start` has 0 of 1 when a call is intended
    "#]],
    );
    check(
        approval("by", "agent".into()),
        expect![[r#"
        S3 r-aaaabbbbcccc row 10: the gate `start` has 0 of 1 when a call is intended
    "#]],
    );
    check(
        approval("plan", "sha256:00".into()),
        expect![[r#"
        S3 r-aaaabbbbcccc row 10: the gate `start` has 0 of 1 when a call is intended
    "#]],
    );
    check(
        approval("run", OTHER.into()),
        expect![[r#"
        S3 r-aaaabbbbcccc row 10: the gate `start` has 0 of 1 when a call is intended
    "#]],
    );
    check(
        approval("decision", "deny".into()),
        expect![[r#"
        S3 r-aaaabbbbcccc row 10: the gate `start` has 0 of 1 when a call is intended
    "#]],
    );
    check(
        story("restart").with(|s| s.event(RUN, "approved")["type"] = "denied".into()),
        expect![[r#"
            S3 r-aaaabbbbcccc row 10: restart attempt 1 is intended after a no
            S3 r-aaaabbbbcccc row 10: the gate `start` has 0 of 1 when a call is intended
        "#]],
    );
}

#[test]
fn s3_several_people_are_several_and_eligible() {
    let second = |key: &'static str, value: Value| {
        story("two-runs").with(move |s| {
            let at = s.row(OTHER, "approved") + 1;
            s.rows[at]["event"]["approval"][key] = value;
        })
    };
    check(
        second("by", json!({"person": "chen"})),
        expect![[r#"
        S3 r-ddddeeeeffff row 11: the gate `start` has 1 of 2 when a call is intended
    "#]],
    );
    check(
        second("by", json!({"person": "asha"})),
        expect![[r#"
        S3 r-ddddeeeeffff row 11: the gate `start` has 1 of 2 when a call is intended
    "#]],
    );
    check(
        second("team", "team-shop".into()),
        expect![[r#"
        S3 r-ddddeeeeffff row 11: the gate `start` has 1 of 2 when a call is intended
    "#]],
    );
    check(
        second("evidence", json!({"peer_credential": {"uid": 1, "user": "dina"}})),
        expect![[r#"
        S3 r-ddddeeeeffff row 11: the gate `start` has 1 of 2 when a call is intended
    "#]],
    );
    check(
        story("two-runs").without(RUN, "approved"),
        expect![[r#"
        S3 r-aaaabbbbcccc row 11: the gate `start` has 0 of 1 when a call is intended
    "#]],
    );
}

#[test]
fn s4_nothing_is_sent_twice() {
    let twice = |s: &mut Story| {
        let effect = s.world[2].clone();
        s.world.push(effect);
    };
    check(
        story("restart").with(twice),
        expect![[r#"
        S4 r-aaaabbbbcccc: restart attempt 1 was sent 2 times
        S4 r-aaaabbbbcccc: restart took effect 2 times
    "#]],
    );
    check(
        story("restart").with(|s| {
            let mut again = s.rows[s.row(RUN, "intended")].clone();
            again["at"] = 16_000_000.into();
            let place = s.row(RUN, "returned");
            s.rows.insert(place, again);
        }),
        expect![[r#"
            S4 r-aaaabbbbcccc row 11: restart attempt 1 is intended twice
        "#]],
    );
    check(
        story("restart").with(|s| s.world[2]["attempt"]["fence"] = 2.into()),
        expect![[r#"
        S4 r-aaaabbbbcccc row 10: restart attempt 1 was sent under the fence 2, intended under 1
    "#]],
    );
    check(
        story("restart").with(|s| s.event(RUN, "intended")["fence"] = 2.into()),
        expect![[r#"
        S4 r-aaaabbbbcccc row 10: restart attempt 1 is intended under the fence 2, the run's is 1
        S4 r-aaaabbbbcccc row 10: restart attempt 1 was sent under the fence 1, intended under 2
    "#]],
    );
    // Both attempts took effect.
    check(
        retried("busy", 21_000_000).with(|s| s.world[2]["kind"] = "effect".into()),
        expect![[r#"
        S4 r-aaaabbbbcccc: restart attempt 1 is recorded as not done, and took effect at 15000000
        S4 r-aaaabbbbcccc: restart took effect 2 times
    "#]],
    );
}

#[test]
fn s4_unknown_is_not_failed() {
    // Sent again without a probe.
    let unknown = json!({"unknown": {"kind": "lost_reply", "why": "no reply"}});
    check(
        retried("busy", 21_000_000).with(|s| s.event(RUN, "returned")["outcome"] = unknown.clone()),
        expect![[r#"
            S4 r-aaaabbbbcccc row 14: restart attempt 2 is intended while restart attempt 1 is unknown
            S4 r-aaaabbbbcccc row 17: the run ends as succeeded while restart attempt 1 is unknown
        "#]],
    );
    // A not_done that came before the quiet time was over.
    check(
        probed_then_retried(QUIET_UNTIL - 1),
        expect![[r#"
            S4 r-aaaabbbbcccc row 15: restart attempt 2 is intended while restart attempt 1 is unknown
            S4 r-aaaabbbbcccc row 18: the run ends as succeeded while restart attempt 1 is unknown
        "#]],
    );
    // A conflict of a second attempt may be the first one's landing.
    let conflict = json!({"not_done": {"kind": "conflict", "why": "other digest"}});
    check(
        retried("busy", 21_000_000).with(|s| {
            let second = s.row(RUN, "returned") + 4;
            s.rows[second]["event"]["outcome"] = conflict;
            s.rows.truncate(second + 1);
            s.rows.push(json!({"stream": {"run": RUN}, "at": 50_000_000,
                "event": {"type": "finished", "outcome": "failed"}}));
        }),
        expect![[r#"
            S4 r-aaaabbbbcccc row 16: the run ends as failed while restart attempt 2 is unknown
        "#]],
    );
    // The end names an outcome although a call is unknown.
    check(
        story("restart").with(|s| s.event(RUN, "returned")["outcome"] = unknown),
        expect![[r#"
        S4 r-aaaabbbbcccc row 13: the run ends as succeeded while restart attempt 1 is unknown
    "#]],
    );
    // A second attempt after a first that was done.
    check(
        retried("busy", 21_000_000)
            .with(|s| s.event(RUN, "returned")["outcome"] = json!({"done": {"result": {}}})),
        expect![[r#"
            S4 r-aaaabbbbcccc row 14: restart attempt 2 is intended although restart attempt 1 was not refused
        "#]],
    );
}

#[test]
fn s5_nothing_begins_after_a_stop() {
    let stop = |at: i64| {
        let order = json!({"id": "s1", "by": {"person": "asha"}, "reason": "wrong cluster"});
        (at, json!({"type": "stopped", "order": order}))
    };
    let (time, event) = stop(13_000_000);
    check(
        story("restart").after(RUN, "authorised", time, event.clone()),
        expect![[r#"
        S5 r-aaaabbbbcccc row 11: restart attempt 1 is intended after the stop of row 9
    "#]],
    );
    let sent_at = |at: i64| {
        let event = event.clone();
        story("restart").with(move |s| {
            let place = s.row(RUN, "intended");
            s.rows.truncate(place + 1);
            s.rows.push(json!({"stream": {"run": RUN}, "at": 14_000_000, "event": event}));
            s.world[2]["at"] = at.into();
        })
    };
    check(sent_at(29_000_000), expect![""]);
    check(
        sent_at(29_000_001),
        expect![[r#"
        S5 r-aaaabbbbcccc row 11: restart attempt 1 was sent later than 15 s after the stop
    "#]],
    );
}

#[test]
fn s6_effects_stay_within_the_plan() {
    check(
        story("restart").with(|s| s.world[2]["attempt"]["uid"] = "u9".into()),
        expect![[r#"
        S6 r-aaaabbbbcccc: restart attempt 1 changed u9, which is not among its targets
    "#]],
    );
    check(
        story("restart").with(|s| s.plan()["limits"]["targets"] = 0.into()),
        expect![[r#"
        S6 r-aaaabbbbcccc row 1: the plan touches 1 targets, its limit is 0
    "#]],
    );
    check(
        story("restart").with(|s| {
            s.plan()["limits"]["unavailable"] = 333.into();
            s.plan()["radius"]["unavailable"] = 1.into();
        }),
        expect![[r#"
            S6 r-aaaabbbbcccc row 1: the plan touches 1000 thousandths of its population, its limit is 999
        "#]],
    );
    check(
        story("restart").with(|s| {
            s.plan()["limits"]["zones"] = 1.into();
            s.plan()["radius"]["zones"] = json!(["a", "b"]);
        }),
        expect![[r#"
            S6 r-aaaabbbbcccc row 1: the plan touches 2 zones, its limit is 1
        "#]],
    );
    let fails = json!({"fails": {"check": "same template", "operands": []}});
    let purpose = |wanted: &'static str, verdict: Value| {
        story("restart").with(move |s| {
            let row = s.rows.iter_mut().find(|row| row["event"]["purpose"] == wanted).unwrap();
            row["event"]["verdict"] = verdict;
        })
    };
    check(
        purpose("before", fails.clone()),
        expect![[r#"
        S6 r-aaaabbbbcccc row 10: restart attempt 1 is intended without a look before it that held
    "#]],
    );
    check(
        purpose("require", json!({"cannot_tell": {"check": "alert", "why": "no answer"}})),
        expect![[r#"
            S6 r-aaaabbbbcccc row 10: restart attempt 1 is intended although what the runbook requires did not hold
        "#]],
    );
}

#[test]
fn s7_the_chain_is_whole() {
    let journal = |folder: &Path| folder.join("journal.jsonl");
    check_files(
        |folder| {
            edit(&journal(folder), |text| text.replacen("\"at\":11000000", "\"at\":11000001", 1))
        },
        expect![[r#"
            S7 r-aaaabbbbcccc row 3: the hash is not that of the row
            S7 r-aaaabbbbcccc row 4: the time goes back
        "#]],
    );
    check_files(
        |folder| {
            edit(&journal(folder), |text| {
                text.lines()
                    .enumerate()
                    .filter(|(n, _)| *n != 3)
                    .map(|(_, l)| format!("{l}\n"))
                    .collect()
            });
        },
        expect![[r#"
            S7 r-aaaabbbbcccc row 5: row 5 stands where row 4 belongs
            S7 r-aaaabbbbcccc row 5: the hash is not that of the row
            S7 r-aaaabbbbcccc row 5: the row does not follow the one before it
        "#]],
    );
    check_files(
        |folder| {
            edit(&journal(folder), |text| {
                let mut lines: Vec<&str> = text.lines().collect();
                lines.swap(2, 3);
                lines.iter().map(|line| format!("{line}\n")).collect()
            });
        },
        expect![[r#"
            S7 r-aaaabbbbcccc row 3: row 3 stands where row 5 belongs
            S7 r-aaaabbbbcccc row 3: the hash is not that of the row
            S7 r-aaaabbbbcccc row 3: the row does not follow the one before it
            S7 r-aaaabbbbcccc row 4: row 4 stands where row 3 belongs
            S7 r-aaaabbbbcccc row 4: the hash is not that of the row
            S7 r-aaaabbbbcccc row 4: the row does not follow the one before it
            S7 r-aaaabbbbcccc row 5: row 5 stands where row 4 belongs
            S7 r-aaaabbbbcccc row 5: the hash is not that of the row
            S7 r-aaaabbbbcccc row 5: the row does not follow the one before it
        "#]],
    );
    check(
        story("restart").with(|s| s.event(RUN, "began")["type"] = "sent".into()),
        expect![[r#"
        S7 r-aaaabbbbcccc row 5: the event cannot be read: unknown variant `sent`, expected one of `created`, `approved`, `denied`, `gate_satisfied`, `skipped`, `began`, `checked`, `observed`, `authorised`, `leases_taken`, `intended`, `returned`, `probed`, `settled`, `answered`, `notified`, `time_over`, `taken_over`, `continued`, `undo_began`, `cancel_asked`, `paused`, `resumed`, `stopped`, `released`, `finished`
    "#]],
    );
    check(
        story("restart").with(|s| s.event(RUN, "began")["v"] = 2.into()),
        expect![[r#"
        S7 r-aaaabbbbcccc row 5: the event is not of version 1
    "#]],
    );
    check(
        story("restart").without(RUN, "created"),
        expect![[r#"
        S1 r-aaaabbbbcccc: restart attempt 1 was sent for a run that is not in the journal
        S7 r-aaaabbbbcccc: the stream does not begin with the one creation of its run
    "#]],
    );
    let ends_with = |bytes: usize| {
        let bare = json!({"type": "finished", "v": 1, "outcome": "succeeded", "why": ""});
        let spare = bytes - canonical::text(&bare).unwrap().len();
        story("restart").with(move |s| s.event(RUN, "finished")["why"] = "x".repeat(spare).into())
    };
    check(ends_with(16 * 1024), expect![""]);
    check(
        ends_with(16 * 1024 + 1),
        expect![[r#"
            S7 r-aaaabbbbcccc row 13: the event is larger than 16384 bytes
        "#]],
    );
    check(
        story("restart").with(|s| {
            let last = s.rows.len() - 1;
            s.rows[last]["at"] = 1.into();
        }),
        expect![[r#"
            S7 r-aaaabbbbcccc row 13: the time goes back
        "#]],
    );
}

#[test]
fn s8_no_secret_is_in_the_record() {
    let secret = "hunter2\"\n";
    let planted = |s: &mut Story| {
        s.given.canaries = vec![secret.to_owned(), "elsewhere".to_owned()];
        s.event(RUN, "finished")["why"] = format!("could not log in with {secret}").into();
    };
    check(
        story("restart").with(planted),
        expect![[r#"
        S8: journal.jsonl has a planted secret
    "#]],
    );
    check(
        story("restart").with(|s| {
            s.given.canaries = vec!["checkout".to_owned()];
        }),
        expect![[r#"
            S8: 428ee804770c9af49079fe8413f1b926913139410534e14eaae0368230522b1f.json has a planted secret
            S8: world.jsonl has a planted secret
        "#]],
    );
}

#[test]
fn s9_one_run_a_target_at_a_time() {
    // The second run acts while the first one's call is under way.
    let early = |s: &mut Story| {
        let (second, mut rows): (Vec<Value>, Vec<Value>) =
            s.rows.drain(..).partition(|row| row["stream"]["run"] == OTHER);
        let intended = rows.iter().position(|row| row["event"]["type"] == "intended").unwrap();
        rows.splice(intended + 1..intended + 1, second);
        s.rows = rows;
    };
    check(
        story("two-runs").with(early),
        expect![[r#"
        S9 r-ddddeeeeffff row 10: restart attempt 1 takes practice/kubernetes/Deployment/u1, which r-aaaabbbbcccc still holds
    "#]],
    );
    // An unresolved run keeps what it may have changed, until a person settles it.
    let unresolved = |settled: bool| {
        story("two-runs").with(move |s| {
            let (second, mut rows): (Vec<Value>, Vec<Value>) =
                s.rows.drain(..).partition(|row| row["stream"]["run"] == OTHER);
            let returned = rows.iter().position(|row| row["event"]["type"] == "returned").unwrap();
            rows.truncate(returned + 1);
            rows[returned]["event"]["outcome"] =
                json!({"unknown": {"kind": "lost_reply", "why": "no reply"}});
            let row =
                |event: Value| json!({"stream": {"run": RUN}, "at": 20_000_000, "event": event});
            rows.push(row(json!({"type": "finished", "outcome": "unresolved"})));
            if settled {
                rows.push(row(json!({"type": "settled", "at": at("restart", "forward", 1),
                    "by": {"person": "asha"}, "settlement": "done", "reason": "looked"})));
            }
            rows.extend(second);
            s.rows = rows;
            s.world.remove(3);
        })
    };
    check(unresolved(true), expect![""]);
    check(
        unresolved(false),
        expect![[r#"
        S9 r-ddddeeeeffff row 10: restart attempt 1 takes practice/kubernetes/Deployment/u1, which r-aaaabbbbcccc still holds
    "#]],
    );
    check(
        story("restart").without(RUN, "leases_taken"),
        expect![[r#"
        S9 r-aaaabbbbcccc row 9: restart attempt 1 is intended without holding practice/kubernetes/Deployment/u1
    "#]],
    );
}

#[test]
fn l1_every_run_ends_or_waits_on_a_person() {
    let cut = |kind: &'static str| {
        story("restart").with(move |s| {
            let place = s.row(RUN, kind);
            s.rows.truncate(place + 1);
        })
    };
    check(
        cut("returned"),
        expect![[r#"
        L1 r-aaaabbbbcccc: the run neither has ended nor waits on a person
    "#]],
    );
    check(cut("returned").with(|s| s.given.at_rest = false), expect![""]);
    check(
        cut("intended"),
        expect![[r#"
        L1 r-aaaabbbbcccc: the run neither has ended nor waits on a person
    "#]],
    );
    let row = |s: &Story, event: Value| json!({"stream": {"run": RUN}, "at": s.rows.last().unwrap()["at"], "event": event});
    let paused = json!({"type": "paused", "because": {"drift": {"step": "restart"}}});
    check(
        cut("authorised").with(|s| {
            s.world.truncate(2);
            s.rows.push(row(s, paused.clone()));
        }),
        expect![""],
    );
    check(
        cut("authorised").with(|s| {
            s.world.truncate(2);
            s.rows.push(row(s, paused));
            s.rows.push(row(s, json!({"type": "resumed", "by": {"person": "asha"}})));
        }),
        expect![[r#"
            L1 r-aaaabbbbcccc: the run neither has ended nor waits on a person
        "#]],
    );
    // Nobody can find out: a person must.
    let unknown = json!({"unknown": {"kind": "timeout", "why": "no reply"}});
    let probed = json!({"type": "probed", "at": at("restart", "forward", 1),
        "verdict": {"unknown": {"why": "no right to read"}}});
    let puzzled = cut("returned").with(|s| {
        s.event(RUN, "returned")["outcome"] = unknown;
        s.rows.push(row(s, probed));
    });
    check(puzzled, expect![""]);
    let asking = |answered: bool| {
        cut("began").with(move |s| {
            let ask = json!({"id": "ok", "kind": {"ask": {"question": "?"}}});
            s.plan()["steps"].as_array_mut().unwrap().push(ask);
            s.world.truncate(2);
            s.event(RUN, "began")["step"] = "ok".into();
            if answered {
                s.rows.push(row(
                    s,
                    json!({"type": "answered", "step": "ok", "by": "practice", "answer": "yes"}),
                ));
            }
        })
    };
    check(asking(false), expect![""]);
    check(
        asking(true),
        expect![[r#"
        L1 r-aaaabbbbcccc: the run neither has ended nor waits on a person
    "#]],
    );
    check(
        story("restart").with(|s| s.event(RUN, "created")["ends"] = 9_000_000.into()),
        expect![[r#"
            L1 r-aaaabbbbcccc row 1: the run has no time in which to end
        "#]],
    );
    check(
        story("restart").after(
            RUN,
            "finished",
            90_000_000,
            json!({"type": "resumed", "by": {"person": "asha"}}),
        ),
        expect![[r#"
            L1 r-aaaabbbbcccc row 14: the run goes on after its end
        "#]],
    );
}

#[test]
fn what_cannot_be_read_is_not_clean() {
    let journal = |folder: &Path| folder.join("journal.jsonl");
    check_files(
        |folder| std::fs::remove_file(folder.join("world.jsonl")).unwrap(),
        expect![[r#"
        /world.jsonl cannot be read
    "#]],
    );
    check_files(
        |folder| edit(&journal(folder), |text| text.trim_end().to_owned()),
        expect![[r#"
        /journal.jsonl line 13: it has no end
    "#]],
    );
    check_files(
        |folder| edit(&journal(folder), |text| text.replacen("\"v\":1", "\"v\": 1", 1)),
        expect![[r#"
            /journal.jsonl line 1: it is not canonical, up to the order of its keys
        "#]],
    );
    check_files(
        |folder| {
            edit(&journal(folder), |text| text.replacen("\"seq\":1,", "\"seq\":1,\"seq\":1,", 1))
        },
        expect![[r#"
            /journal.jsonl line 1: it is not canonical, up to the order of its keys
        "#]],
    );
    check_files(
        |folder| {
            edit(&folder.join("world.jsonl"), |text| {
                text.lines().skip(1).map(|line| format!("{line}\n")).collect()
            });
        },
        expect![[r#"
            /world.jsonl line 1: a line of the world is missing
        "#]],
    );
    let nowhere = judge(Path::new("no/such/export"), &Given::default());
    assert!(matches!(nowhere, Err(ReadError::File { .. })));
}

/// The product's own golden journals: hashes that this code did not make.
#[test]
fn the_golden_journals_are_whole_chains() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/journals/v1");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let mut prev = format!("sha256:{}", "0".repeat(64));
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let row: Row = serde_json::from_str(line).unwrap();
            assert_eq!(chain::hash(&row, &prev).as_ref(), Some(&row.hash), "{}", path.display());
            prev = row.hash;
            seen += 1;
        }
    }
    assert!(seen > 0);
}
