//! Against a scripted keeper, with the output in a pipe.

use expect_test::{Expect, expect};
use steadyhand_api::exit::ExitCode;
use steadyhand_api::problem::Problem;
use steadyhand_api::reference::RunRef;
use steadyhand_api::reply::{Reply, Response, WatchEnd, WatchEvent};
use steadyhand_api::request::{Fault, LibraryAt, Request, RunOf};
use steadyhand_api::view::{Handled, Puzzle, RunPhase, RunView, StepStage, StepView};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::event::{Event, write_event};
use steadyhand_model::ids::Seq;
use steadyhand_model::outcome::{RunOutcome, Settlement};

use crate::keeper::{Keeper, run};
use crate::sample::{self, PLAIN};
use crate::steady::{Home, Said};

fn waiting() -> RunView {
    let plan = sample::plan(PLAIN);
    sample::run_view(&plan, RunPhase::Waiting, vec![sample::decision()], PLAIN)
}

fn succeeded() -> RunView {
    let mut view = sample::finished(RunOutcome::Succeeded, StepStage::Done, 1);
    view.steps[0].outcome = sample::done();
    view.steps[0].verdict = sample::holds("x");
    view
}

/// Always the same run.
fn keeper_of(view: RunView) -> Keeper {
    Keeper::new(move |_| run(view.clone()))
}

fn say(keeper: &Keeper, args: &[&str]) -> Said {
    Home::new().say(&[&keeper.state(), args].concat())
}

#[test]
fn every_verb_asks_for_what_it_says() {
    let run_id = || RunRef::Id(waiting().line.run);
    let plan = || sample::plan(PLAIN).digest();
    let short = plan().short();
    let cases: Vec<(Vec<&str>, Request)> = vec![
        (
            vec!["approve", "r-4f2k", "--plan", &short],
            Request::Approve { run: run_id(), gate: None, plan: short.parse().unwrap() },
        ),
        (
            vec!["deny", "last", "--reason", "not tonight"],
            Request::Deny { run: run_id(), gate: None, reason: Some("not tonight".into()) },
        ),
        (
            vec!["answer", "last", "repair", "done"],
            Request::Answer {
                run: run_id(),
                step: "repair".parse().unwrap(),
                answer: steadyhand_model::event::Answer("done".into()),
            },
        ),
        (
            vec!["settle", "r-4f2k/restart", "not-done", "--reason", "I looked"],
            Request::Settle {
                run: run_id(),
                step: Some("restart".parse().unwrap()),
                settlement: Settlement::NotDone,
                reason: "I looked".into(),
            },
        ),
        (vec!["cancel", "last", "--undo"], Request::Cancel { run: run_id(), undo: true }),
        (vec!["pause", "last"], Request::Pause { run: run_id() }),
    ];
    for (args, want) in cases {
        let keeper = keeper_of(waiting());
        let said = say(&keeper, &args);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{args:?}: {}", said.out);
        assert_eq!(keeper.changes(), [want], "{args:?}");
        assert!(said.out.starts_with("r-4f2k  restart-workload  PRODUCTION eu1  "), "{}", said.out);
    }
}

#[test]
fn what_drives_is_asked_for_with_its_words() {
    let keeper = keeper_of(succeeded());
    assert_eq!(
        say(&keeper, &["drill", "restart-workload", "--fault", "lost-after", "--seed", "7"]).code,
        0
    );
    let Request::Drill { ask } = keeper.change() else { panic!("not a drill") };
    assert_eq!(ask.library, LibraryAt::BuiltIn);
    assert_eq!((ask.fault, ask.seed), (Some(Fault::LostAfter), Some(7)));

    let args = ["run", "restart-workload", "-e", "practice", "-p", "workload=shop/checkout"];
    assert_eq!(say(&keeper, &args).code, 0);
    let Request::Run { of: RunOf::Fresh(ask) } = keeper.change() else { panic!("not a run") };
    assert_eq!(ask.params.values().collect::<Vec<_>>(), ["shop/checkout"]);
    assert_eq!(ask.environment.unwrap().as_str(), "practice");

    assert_eq!(say(&keeper, &["run", "9c41-e07a"]).code, 0);
    let Request::Run { of: RunOf::Plan(plan) } = keeper.change() else { panic!("not a run") };
    assert_eq!(plan.digits(), "9c41e07a");
    for verb in ["resume", "undo"] {
        assert_eq!(say(&keeper, &[verb, "last"]).code, 0);
        assert!(matches!(keeper.change(), Request::Resume { .. } | Request::Undo { .. }));
    }
}

/// What a run prints into a pipe, and its exit code.
fn check_run(view: RunView, code: i32, want: &Expect) {
    let said = say(&keeper_of(view), &["run", "9c41-e07a"]);
    assert_eq!((said.code, said.err.as_str()), (code, ""));
    assert!(said.out.is_ascii() && !said.out.contains('\u{1b}'));
    want.assert_eq(&said.out);
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    check_run(
        waiting(),
        6,
        &expect![[r#"
            == APPROVE? ================================================== PRODUCTION eu1 ==
            Restart a workload: Deployment shop/checkout
            3 pods replaced in turn; 0 of 3 newly unavailable. No data is lost. Reversible.

            WHY       alert KubePodCrashLooping
            CHOSEN    by alert binding; no model involved
            GIVEN     workload: Deployment shop/checkout (inventory, chosen by alert)
            STEPS     restart; not needed: scale
            CHANGE    spec.template.metadata.annotations["steadyhand.dev/restart"]   +
                      after-6d9f
            SERVES    Service shop/checkout
            LIMITS    1 of 1 target, 3 of 60 affected, 0 % of 34 % unavailable, at most 2 in
                      1h for each target, at most 10 in 1h in this environment
            UNDO      the inverse patch, revision 41. Your yes covers it.
            UNKNOWN   nothing that the plan knows of
            NEEDS     1 person: asha, who asked for it; 29m left
            PLAN      a1bb-d8e2  restart-workload, commit 1f3c09a, draft     until 03:42 UTC
            ================================================================================

            r-4f2k  restart-workload  PRODUCTION eu1  shop/checkout             waiting  47s
              - restart   waits for its turn

            NEEDS     a yes at gate start: 0 of 1 given, from whoever asked for it

              steady approve r-4f2k --plan a1bb-d8e2  29m left
              steady deny r-4f2k
        "#]],
    );
}

#[test]
fn a_run_that_ended_is_summed_up() {
    check_run(
        succeeded(),
        0,
        &expect![[r#"

            SUCCEEDED  r-4f2k  restart-workload  PRODUCTION eu1  shop/checkout        7m 02s
            every step was done and verified; each call was sent once.

            03:12:09  + run         asked for by asha; may begin until 03:42 UTC
            03:12:15  + yes         asha, for exactly plan a1bb-d8e2
            03:12:16  + re-check    holds: ready is 3, name is shop/checkout
            03:12:18  ? restart     reply lost, outcome UNKNOWN: shop/checkout
            03:12:20  + probe       read-only: restart happened, it is not sent again
            03:13:21  + verify      holds: ready is 3, name is shop/checkout
            03:19:07  x at the end  does not hold: shop/checkout

              + restart   done, sent once, verified: ready is 3, name is x               12s

            EVIDENCE  9 events recorded, the last one 9f2e-6d33; begun 2026-11-24 03:12 UTC

              steady undo r-4f2k                plan its undo
              steady history r-4f2k             what happened, line by line
        "#]],
    );
}

#[test]
fn exits_are_those_of_the_run() {
    let outcomes = [
        (RunOutcome::NothingToDo, 0),
        (RunOutcome::Failed, 1),
        (RunOutcome::Denied, 3),
        (RunOutcome::Unresolved, 4),
        (RunOutcome::Stopped, 5),
        (RunOutcome::Superseded, 7),
    ];
    for (outcome, code) in outcomes {
        let keeper = keeper_of(sample::finished(outcome, StepStage::Waiting, 0));
        for verb in ["run", "watch", "resume"] {
            let what = if verb == "run" { "9c41-e07a" } else { "last" };
            assert_eq!(say(&keeper, &[verb, what]).code, code, "{verb}: {outcome}");
        }
    }
    let undone = keeper_of(sample::finished(RunOutcome::Undone, StepStage::Undone, 2));
    assert_eq!(say(&undone, &["watch", "last"]).code, 1);
    assert_eq!(say(&undone, &["undo", "last"]).code, 0);
    let mut unknown = sample::run_with(StepStage::Person { puzzle: Puzzle::Unknown }, |_| {});
    unknown.line.needs = vec![sample::settlement(Puzzle::Unknown)];
    assert_eq!(say(&keeper_of(unknown), &["resume", "last"]).code, 4);
}

fn event(seq: u64, step: StepView, phase: RunPhase) -> Reply {
    let event = Event::Began { step: step.step.clone() };
    Reply::Event(Box::new(WatchEvent {
        seq: Seq(seq),
        at: sample::at(seq.try_into().unwrap()),
        event: write_event(&event).unwrap(),
        phase,
        changed: vec![step],
    }))
}

#[test]
fn steps_are_told_one_line_each() {
    let keeper = Keeper::new(|request| match request {
        Request::Watch { .. } => {
            let running = sample::run_with(StepStage::InFlight { since: sample::at(20) }, |_| {});
            let step = |stage: StepStage| {
                let mut step = sample::step_view(&sample::restart(PLAIN), stage, PLAIN);
                step.sent = 1;
                step.outcome = sample::unknown(PLAIN);
                step
            };
            let doubt =
                StepStage::Doubtful { quiet_until: sample::at(9), next: sample::at(9), probes: 0 };
            vec![
                event(10, running.steps[0].clone(), RunPhase::Running),
                event(11, step(doubt), RunPhase::Running),
                Reply::Note { step: None, text: "2 of 3".into() },
                event(12, step(StepStage::Verifying), RunPhase::Running),
                event(13, succeeded().steps[0].clone(), RunPhase::Running),
                Reply::End(WatchEnd {
                    head: Seq(13),
                    phase: RunPhase::Finished(RunOutcome::Succeeded),
                }),
            ]
        }
        Request::Run { .. } => run(sample::run_with(StepStage::Before, |_| {})),
        _ => run(succeeded()),
    });
    let said = say(&keeper, &["run", "9c41-e07a"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let steps: String =
        said.out.lines().take(2).map(|line| format!("{}\n", line.trim_start())).collect();
    expect![[r#"
          ? restart   reply lost, outcome UNKNOWN; next probe 03:12:13              3.0s
          + restart   done, sent once, verified: ready is 3, name is x               12s
    "#]]
    .assert_eq(&steps);
    assert!(said.out.contains("\n\nSUCCEEDED  r-4f2k"), "{}", said.out);
}

#[test]
fn yes_answers_a_confirm_and_nothing_else() {
    let approving = |first: RunView| {
        Keeper::new(move |request| match request {
            Request::Approve { .. } => run(succeeded()),
            _ => run(first.clone()),
        })
    };
    let keeper = approving(waiting());
    assert_eq!(say(&keeper, &["run", "9c41-e07a", "--yes"]).code, 0);
    let want = Request::Approve {
        run: RunRef::Id(waiting().line.run),
        gate: Some("start".parse().unwrap()),
        plan: sample::plan(PLAIN).digest().into(),
    };
    assert_eq!(keeper.changes()[1..], [want]);

    // A gate of other people, and a plan that cannot be undone.
    let mut others = waiting();
    others.line.needs = vec![steadyhand_api::view::Need::Decision {
        gate: "start".parse().unwrap(),
        from: Some("team-data".parse().unwrap()),
        given: 0,
        count: 1,
        until: sample::at(1805),
    }];
    let full = steadyhand_model::plan::Plan::seal(sample::full_body(PLAIN)).unwrap();
    let irreversible = sample::run_view(&full, RunPhase::Waiting, vec![sample::decision()], PLAIN);
    for view in [others, irreversible] {
        let keeper = approving(view);
        assert_eq!(say(&keeper, &["run", "9c41-e07a", "--yes"]).code, 6);
        assert_eq!(keeper.changes().len(), 1);
    }
}

#[test]
fn a_plan_with_another_digest_is_not_shown() {
    let mut view = waiting();
    view.plan.digest = steadyhand_model::digest::Digest::of(b"another");
    let said = say(&keeper_of(view), &["run", "9c41-e07a", "--yes"]);
    assert_eq!((said.code, said.out.as_str()), (70, ""));
    assert!(said.err.starts_with("error[SH0007]: "), "{}", said.err);
}

#[test]
fn json_is_the_view() {
    let keeper = keeper_of(waiting());
    let said = say(&keeper, &["run", "9c41-e07a", "-o", "json"]);
    assert_eq!((said.code, said.err.as_str()), (6, ""));
    assert_eq!(said.out, format!("{}\n", CanonicalJson::of(&waiting()).unwrap().as_str()));
    let said = say(&keeper, &["history", "last", "-o", "json"]);
    assert_eq!(said.out, format!("{}\n", CanonicalJson::of(&waiting()).unwrap().as_str()));
}

#[test]
fn a_problem_of_the_keeper_is_shown_with_its_exit() {
    let keeper = Keeper::new(|request| match request {
        Request::Show { .. } => run(waiting()),
        _ => vec![Reply::Problem(Problem {
            code: "SH0641".parse().unwrap(),
            title: "no \u{1b}[2J".into(),
            causes: vec!["because".into()],
            help: "do this\nand that".into(),
            exit: ExitCode::Refused,
        })],
    });
    let said = say(&keeper, &["deny", "last"]);
    assert_eq!((said.code, said.out.as_str()), (7, ""));
    expect![[r#"
        error[SH0641]: no \u{1b}[2J
          because  because
          do       do this
        and that
          more     steady explain SH0641
    "#]]
    .assert_eq(&said.err);
    // An answer to another question.
    let keeper = keeper_of(waiting());
    let said = say(&keeper, &["status"]);
    assert_eq!(said.code, 70);
    assert!(said.err.starts_with("error[SH0006]: "), "{}", said.err);
}

#[test]
fn alerts_are_handled_from_a_file_and_from_the_input() {
    let handled = Handled::SeveralAlerts { alerts: vec![sample::alert("x")], truncated: 0 };
    let keeper =
        Keeper::new(move |_| vec![Reply::Response(Response::Handled(Box::new(handled.clone())))]);
    let home = Home::new();
    std::fs::write(home.path().join("alert.json"), b"{\"version\":\"4\"}").unwrap();
    let args = |more: &[&'static str]| [&["handle"], more].concat();
    for (more, input) in [(&["alert.json", "--alert", "f"][..], ""), (&["-"], "{}"), (&[], "{}")] {
        let mut command = home.command(&[&keeper.state(), &args(more)[..]].concat());
        if !input.is_empty() {
            let path = home.path().join("input");
            std::fs::write(&path, input).unwrap();
            command.stdin(std::fs::File::open(path).unwrap());
        }
        let said = crate::steady::said(command.output().unwrap());
        assert_eq!((said.code, said.err.as_str()), (6, ""), "{more:?}");
        assert!(said.out.contains("Nothing was chosen, nothing was changed."), "{}", said.out);
        let Request::Handle { ask } = keeper.change() else { panic!("not an alert") };
        let want: &[u8] = if input.is_empty() { b"{\"version\":\"4\"}" } else { input.as_bytes() };
        assert_eq!((ask.body.0.as_slice(), ask.source.as_str()), (want, "alertmanager"));
        assert_eq!(ask.alert.is_some(), input.is_empty());
    }
}

#[test]
fn both_installations_are_looked_at() {
    let real = keeper_of(waiting());
    let mut other = waiting();
    other.line.run = "r-7m3qabcdefgh".parse().unwrap();
    other.line.short = "r-7m3q".into();
    other.line.created = sample::at(100);
    let practice = keeper_of(other);
    let home = Home::new();
    let root = home.path().join(".local/state/steadyhand");
    std::fs::create_dir_all(&root).unwrap();
    std::os::unix::fs::symlink(real.path(), root.join("default")).unwrap();
    std::os::unix::fs::symlink(practice.path(), root.join("practice")).unwrap();
    let said = home.say(&["deny", "last"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!((real.changes().len(), practice.changes().len()), (0, 1));
    let said = home.say(&["deny", "r-4f2k"]);
    assert_eq!(said.code, 64);
    assert!(said.err.starts_with("error[SH0004]: "), "{}", said.err);
}
