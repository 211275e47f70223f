//! A person at a terminal: cards, questions, ctrl-c.

use std::sync::atomic::{AtomicBool, Ordering};

use expect_test::expect;
use steadyhand_api::reply::Reply;
use steadyhand_api::request::Request;
use steadyhand_api::view::{Need, RunPhase, RunView, StepStage};
use steadyhand_model::event::Answer;
use steadyhand_model::outcome::RunOutcome;
use steadyhand_model::plan::Plan;

use crate::keeper::{Keeper, run};
use crate::sample::{self, PLAIN};
use crate::steady::Home;
use crate::terminal::Terminal;

const PROMPT: &str = "[q] leave it waiting  >";

fn card(plan: &Plan) -> RunView {
    sample::run_view(plan, RunPhase::Waiting, vec![sample::decision()], PLAIN)
}

/// Waits at a card; a yes ends it well, a no ends it denied.
fn deciding(first: RunView) -> Keeper {
    Keeper::new(move |request| match request {
        Request::Watch { .. } => Vec::new(),
        Request::Approve { .. } => run(sample::finished(RunOutcome::Succeeded, StepStage::Done, 1)),
        Request::Deny { .. } => run(sample::finished(RunOutcome::Denied, StepStage::Waiting, 0)),
        _ => run(first.clone()),
    })
}

fn start(home: &Home, keeper: &Keeper, args: &[&str], before: &str) -> Terminal {
    Terminal::start(home.command(&[&keeper.state(), args].concat()), before)
}

#[test]
fn enter_approves_nothing_and_yes_repeats_the_digest() {
    let plan = sample::plan(PLAIN);
    let (home, keeper) = (Home::new(), deciding(card(&plan)));
    let mut terminal = start(&home, &keeper, &["run", "9c41-e07a"], "");
    terminal.wait_for("APPROVE?");
    for (typed, shown) in [("\n", ""), ("yep\n", ""), ("d\n", "This is plan"), ("w\n", "own words")]
    {
        terminal.wait_for(PROMPT);
        terminal.press(typed);
        terminal.wait_for(shown);
    }
    terminal.wait_for(PROMPT);
    terminal.press("y\n");
    terminal.wait_for("SUCCEEDED");
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    let changes = keeper.changes();
    let want = Request::Approve {
        run: steadyhand_api::reference::RunRef::Id(card(&plan).line.run),
        gate: Some("start".parse().unwrap()),
        plan: plan.digest().into(),
    };
    assert_eq!(changes[1..], [want]);
}

#[test]
fn what_was_typed_before_the_card_answers_nothing() {
    let (home, keeper) = (Home::new(), deciding(card(&sample::plan(PLAIN))));
    let mut terminal = start(&home, &keeper, &["run", "9c41-e07a"], "y\ny\n");
    terminal.wait_for(PROMPT);
    terminal.press("q\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, 6, "{shown}");
    assert!(shown.contains("Left waiting. Nothing was decided.\n"), "{shown}");
    assert!(shown.contains("steady approve r-4f2k --plan "), "{shown}");
    assert_eq!(keeper.changes().len(), 1);
}

#[test]
fn end_of_input_and_ctrl_c_leave_it_waiting() {
    for interrupt in [false, true] {
        let (home, keeper) = (Home::new(), deciding(card(&sample::plan(PLAIN))));
        let mut terminal = start(&home, &keeper, &["run", "9c41-e07a"], "");
        terminal.wait_for(PROMPT);
        if interrupt {
            terminal.interrupt()
        } else {
            terminal.press("\u{4}")
        }
        let (code, shown) = terminal.end();
        assert_eq!(code, 6, "{shown}");
        assert!(shown.contains("Left waiting."), "{shown}");
        assert_eq!(keeper.changes().len(), 1);
    }
}

#[test]
fn a_no_may_have_its_reason() {
    let (home, keeper) = (Home::new(), deciding(card(&sample::plan(PLAIN))));
    let mut terminal = start(&home, &keeper, &["run", "9c41-e07a"], "");
    terminal.wait_for(PROMPT);
    terminal.press("n not during the sale\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, 3, "{shown}");
    let denied = keeper.changes().pop().unwrap();
    assert!(
        matches!(denied, Request::Deny { reason: Some(reason), .. } if reason == "not during the sale")
    );
}

#[test]
fn the_irreversible_needs_its_name() {
    let plan = Plan::seal(sample::full_body(PLAIN)).unwrap();
    let (home, keeper) = (Home::new(), deciding(card(&plan)));
    let mut terminal = start(&home, &keeper, &["run", "9c41-e07a"], "");
    terminal.wait_for("[q] leave  >");
    terminal.press("y\n");
    terminal.wait_for("[q] leave  >");
    terminal.press("shop/checkout\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(matches!(keeper.changes()[..], [Request::Run { .. }, Request::Approve { .. }]));
}

#[test]
fn a_decision_made_elsewhere_is_noticed() {
    let decided = AtomicBool::new(false);
    let waiting = card(&sample::plan(PLAIN));
    let keeper = Keeper::new(move |request| match request {
        // The other terminal says yes as soon as this one has shown its card.
        Request::Watch { .. } => {
            decided.store(true, Ordering::SeqCst);
            vec![Reply::End(steadyhand_api::reply::WatchEnd {
                head: steadyhand_model::ids::Seq(9),
                phase: RunPhase::Finished(RunOutcome::Succeeded),
            })]
        }
        Request::Show { .. } if decided.load(Ordering::SeqCst) => {
            run(sample::finished(RunOutcome::Succeeded, StepStage::Done, 1))
        }
        _ => run(waiting.clone()),
    });
    let home = Home::new();
    let (code, shown) = start(&home, &keeper, &["run", "9c41-e07a"], "").end();
    assert_eq!(code, 0, "{shown}");
    assert_eq!(keeper.changes().len(), 1);
}

#[test]
fn a_question_is_put_to_the_terminal() {
    let mut asking = sample::run_with(StepStage::Asking { until: sample::at(900) }, |_| {});
    asking.line.needs = vec![Need::Answer {
        step: "repair".parse().unwrap(),
        question: "Is node-7 repaired?".into(),
        from: "team-platform".parse().unwrap(),
        answers: vec![Answer("done".into()), Answer("not-now".into())],
        until: sample::at(900),
    }];
    let keeper = Keeper::new(move |request| match request {
        Request::Watch { .. } => Vec::new(),
        Request::Answer { .. } => run(sample::finished(RunOutcome::HandedOver, StepStage::Done, 1)),
        _ => run(asking.clone()),
    });
    let home = Home::new();
    let mut terminal = start(&home, &keeper, &["resume"], "");
    terminal.wait_for("Is node-7 repaired?");
    terminal.wait_for("[q] leave it waiting  >");
    terminal.press("perhaps\n");
    terminal.wait_for("[q] leave it waiting  >");
    terminal.press("not-now\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, 1, "{shown}");
    let answered = keeper.changes().pop().unwrap();
    assert!(matches!(answered, Request::Answer { answer, .. } if answer.0 == "not-now"));
}

fn running() -> RunView {
    sample::run_with(StepStage::InFlight { since: sample::at(20) }, |step| step.sent = 1)
}

#[test]
fn the_first_ctrl_c_pauses() {
    let keeper = Keeper::new(move |request| match request {
        Request::Watch { .. } => Vec::new(),
        Request::Pause { .. } => {
            let mut paused = running();
            paused.line.phase = RunPhase::Paused;
            paused.line.needs = vec![sample::drift()];
            run(paused)
        }
        _ => run(running()),
    });
    let home = Home::new();
    let mut terminal = start(&home, &keeper, &["run", "9c41-e07a"], "");
    terminal.wait_for("no reply yet");
    terminal.interrupt();
    let (code, shown) = terminal.end();
    assert_eq!(code, 6, "{shown}");
    assert!(shown.contains("the call in flight ends, then the run pauses."), "{shown}");
    assert!(shown.contains("steady resume r-4f2k"), "{shown}");
    assert!(matches!(keeper.changes()[..], [Request::Run { .. }, Request::Pause { .. }]));
}

#[test]
fn the_second_ctrl_c_leaves_at_once() {
    let keeper = Keeper::new(move |request| match request {
        Request::Watch { .. } | Request::Pause { .. } => Vec::new(),
        _ => run(running()),
    });
    let home = Home::new();
    let mut terminal = start(&home, &keeper, &["run", "9c41-e07a"], "");
    terminal.wait_for("no reply yet");
    terminal.interrupt();
    terminal.wait_for("leave at once.");
    assert!(matches!(keeper.change(), Request::Run { .. }));
    assert!(matches!(keeper.change(), Request::Pause { .. }));
    terminal.interrupt();
    let (code, shown) = terminal.end();
    assert_eq!(code, 4, "{shown}");
    assert!(shown.contains("SH0010"), "{shown}");
}

#[test]
fn watching_touches_nothing() {
    let keeper = Keeper::new(move |request| match request {
        Request::Watch { .. } => Vec::new(),
        _ => run(running()),
    });
    let home = Home::new();
    let mut terminal = start(&home, &keeper, &["watch"], "");
    terminal.wait_for("no reply yet");
    terminal.interrupt();
    let (code, shown) = terminal.end();
    assert_eq!(code, 6, "{shown}");
    assert_eq!(keeper.changes(), []);
}

#[test]
fn a_watcher_stays_while_others_decide() {
    let plan = sample::plan(PLAIN);
    let (waiting, asked) = (card(&plan), AtomicBool::new(false));
    let keeper = Keeper::new(move |request| match request {
        // The second time it is watched, the run has ended.
        Request::Watch { .. } => vec![Reply::End(steadyhand_api::reply::WatchEnd {
            head: steadyhand_model::ids::Seq(9),
            phase: RunPhase::Waiting,
        })],
        Request::Show { .. } if asked.swap(true, Ordering::SeqCst) => {
            run(sample::finished(RunOutcome::Succeeded, StepStage::Done, 1))
        }
        _ => run(waiting.clone()),
    });
    let home = Home::new();
    let (code, shown) = start(&home, &keeper, &["watch"], "").end();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("a yes at gate start: 0 of 1 given"), "{shown}");
    assert_eq!(keeper.changes(), []);
}

#[test]
fn a_terminal_without_colour_gets_no_escape_sequence() {
    let (home, keeper) = (Home::new(), deciding(card(&sample::plan(PLAIN))));
    let args = [&keeper.state()[..], &["run", "9c41-e07a"]].concat();
    let mut command = home.command(&args);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(command, "");
    terminal.wait_for(PROMPT);
    terminal.press("y\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, 0);
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let card: String =
        shown.split_inclusive('\n').skip_while(|l| !l.starts_with("==")).take(3).collect();
    expect![[r#"
        == APPROVE? ================================================== PRODUCTION eu1 ==
        Restart a workload: Deployment shop/checkout
        3 pods replaced in turn; 0 of 3 newly unavailable. No data is lost. Reversible.
    "#]]
    .assert_eq(&card);
}
