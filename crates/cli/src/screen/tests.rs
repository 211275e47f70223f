//! Whole screens against golden files at 80 columns, and what holds for every screen at every width.

mod sample;

use expect_test::expect_file;
use proptest::prelude::*;
use steadyhand_api::exit::ExitCode;
use steadyhand_api::view::{Handled, Need, Puzzle, RunPhase, RunView, StepStage};
use steadyhand_model::actor::Actor;
use steadyhand_model::approval::{Approval, Decision, Evidence};
use steadyhand_model::event::{Answer, Cause, ClockKind, Leg, Proposer, StopOrder};
use steadyhand_model::outcome::{RunOutcome, Settlement};
use steadyhand_model::plan::{EnvironmentClass, GateKind, Origin, Plan};
use unicode_width::UnicodeWidthStr as _;

use self::sample::{PLAIN, at, run_view, run_with};
use super::summary::Story;
use super::writer::{Look, write, write_over};
use super::{
    Screen, card, changes, explain, handled, history, plan, problem, progress, status, summary, why,
};
use crate::prompt;
use crate::trouble::{CommandError, Trouble};

const PLAIN_LOOK: Look = Look { width: 80, colour: false, ascii: false };

fn check(name: &str, screen: &Screen) {
    expect_file![format!("../../tests/screens/{name}.txt")].assert_eq(&write(screen, PLAIN_LOOK));
}

fn waiting(plan: &Plan, text: &str) -> RunView {
    run_view(plan, RunPhase::Waiting, vec![sample::decision()], text)
}

fn card_of(plan: &Plan, text: &str, gate: &str) -> Screen {
    card::screen(&waiting(plan, text), plan, &gate.parse().unwrap())
}

#[test]
fn cards() {
    let production = sample::plan(PLAIN);
    let mut screen = card_of(&production, PLAIN, "start");
    screen.append(prompt::card(None));
    check("card", &screen);

    let full = Plan::seal(sample::full_body(PLAIN)).unwrap();
    let mut screen = card_of(&full, PLAIN, "revoke");
    screen.append(prompt::card(Some(PLAIN)));
    check("card_irreversible", &screen);

    let mut view = waiting(&full, PLAIN);
    view.gates[1].given = vec![Approval {
        by: Actor::Person("ben".parse().unwrap()),
        evidence: Evidence::PeerCredential { uid: 1000, user: "ben".to_owned() },
        run: view.line.run.clone(),
        plan: full.digest(),
        gate: "revoke".parse().unwrap(),
        decision: Decision::Approve,
        expires: at(1805),
        nonce: "n".to_owned(),
        team: None,
        reason: Some("looks right".to_owned()),
    }];
    check("card_second_person", &card::screen(&view, &full, &"revoke".parse().unwrap()));

    let mut by_model = sample::body(EnvironmentClass::Practice, PLAIN);
    by_model.alert = None;
    by_model.bindings.values_mut().for_each(|bound| bound.chosen_by = Origin::Model);
    check("card_model", &card_of(&Plan::seal(by_model).unwrap(), PLAIN, "start"));
}

#[test]
fn plans() {
    let small = sample::plan(PLAIN);
    check("plan", &plan::screen(&sample::plan_view(&small, PLAIN), &small));
    let full = Plan::seal(sample::full_body(PLAIN)).unwrap();
    check("plan_full", &plan::screen(&sample::plan_view(&full, PLAIN), &full));
    let mut body = sample::body(EnvironmentClass::Staging, PLAIN);
    body.steps.clear();
    body.gates.clear();
    body.radius.affected.clear();
    let nothing = Plan::seal(body).unwrap();
    check("plan_nothing", &plan::screen(&sample::plan_view(&nothing, PLAIN), &nothing));
    let mut held = sample::plan_view(&small, PLAIN);
    held.held_back = Some("mode observe: the line `mode: observe` of eu1.yaml says so".to_owned());
    held.chosen.by = Proposer::Operator;
    check("plan_held_back", &plan::screen(&held, &small));
    check("changes", &changes::screen(&full));
    check("why", &why::screen(&sample::plan_view(&small, PLAIN), &small));
}

#[test]
fn runs_under_way() {
    let plan = sample::plan(PLAIN);
    check("run_waiting", &progress::screen(&waiting(&plan, PLAIN)));
    let mut parked = waiting(&plan, PLAIN);
    parked.line.driven = false;
    check("run_waiting_parked", &progress::screen(&parked));

    let in_flight = run_with(StepStage::InFlight { since: at(20) }, |step| step.sent = 1);
    check("run_in_flight", &progress::screen(&in_flight));
    let mut undriven = in_flight;
    undriven.line.driven = false;
    check("run_nobody_drives", &progress::screen(&undriven));

    let doubtful = StepStage::Doubtful { quiet_until: at(70), next: at(70), probes: 1 };
    let doubtful = run_with(doubtful, |step| {
        step.sent = 1;
        step.outcome = sample::unknown("no reply within 10s");
    });
    check("run_doubtful", &progress::screen(&doubtful));

    let mut settle = run_with(StepStage::Person { puzzle: Puzzle::Unknown }, |step| step.sent = 1);
    settle.line.needs = vec![sample::settlement(Puzzle::Unknown)];
    check("run_needs_settle", &progress::screen(&settle));

    let mut paused = run_with(StepStage::Before, |_| {});
    paused.line.phase = RunPhase::Paused;
    paused.line.needs = vec![sample::drift()];
    check("run_paused", &progress::screen(&paused));

    let mut stopped =
        run_with(StepStage::Doubtful { quiet_until: at(70), next: at(70), probes: 0 }, |_| {});
    stopped.line.phase = RunPhase::Stopped;
    let order = StopOrder {
        id: "s-1".to_owned(),
        by: Actor::Person("ben".parse().unwrap()),
        reason: "wrong cluster".to_owned(),
    };
    stopped.line.needs = vec![Need::Release { order }];
    check("run_stopped", &progress::screen(&stopped));

    let mut undoing = run_with(StepStage::InFlight { since: at(40) }, |step| {
        step.sent = 2;
        step.leg = Leg::Undo;
    });
    undoing.undoing =
        Some(Cause::Failed { step: "restart".parse().unwrap(), why: "2 of 3 ready".to_owned() });
    undoing.clock = ClockKind::Practice { seed: 7 };
    check("run_undoing", &progress::screen(&undoing));

    let mut asking = run_with(StepStage::Asking { until: at(900) }, |_| {});
    asking.line.needs = vec![Need::Answer {
        step: "repair".parse().unwrap(),
        question: "Is node-7 repaired?".to_owned(),
        from: "team-platform".parse().unwrap(),
        answers: vec![Answer("done".to_owned()), Answer("not-now".to_owned())],
        until: at(900),
    }];
    check("run_asking", &progress::screen(&asking));

    let mut every = in_every_stage(PLAIN);
    check("run_every_stage", &progress::screen(&every));
    every.steps.extend(every.steps.clone());
    assert_eq!(write(&progress::screen(&every), PLAIN_LOOK).matches("and 1 more").count(), 1);
}

fn in_every_stage(text: &str) -> RunView {
    let plan = sample::plan(text);
    let mut view = run_view(&plan, RunPhase::Running, Vec::new(), text);
    view.steps = sample::every_stage(text);
    view
}

#[test]
fn runs_that_ended() {
    let check = |outcome: RunOutcome, view: &RunView| {
        check(&format!("ended_{}", outcome.word()), &summary::screen(view, outcome, Story::Untold));
    };
    let mut well = sample::finished(RunOutcome::Succeeded, StepStage::Done, 1);
    well.steps[0].outcome = sample::done();
    well.steps[0].verdict = sample::holds(PLAIN);
    well.observed = sample::observed(PLAIN);
    check(RunOutcome::Succeeded, &well);
    let brief = summary::after(&well, Story::Shown);
    expect_file!["../../tests/screens/ended_succeeded_after_its_story.txt"]
        .assert_eq(&write(&brief, PLAIN_LOOK));

    let nothing = |outcome: RunOutcome, why: Option<&str>| {
        let mut view = sample::finished(outcome, StepStage::Waiting, 0);
        view.why = why.map(str::to_owned);
        view.steps[0].began = None;
        view.told.truncate(1);
        check(outcome, &view);
    };
    nothing(RunOutcome::NothingToDo, None);
    nothing(RunOutcome::Denied, Some("not during the sale"));
    nothing(RunOutcome::Expired, None);
    nothing(RunOutcome::Superseded, Some("restart: template unchanged does not hold"));

    let failed = StepStage::Failed { why: "2 of 3 ready after 10m".to_owned() };
    let mut view = sample::finished(RunOutcome::Failed, failed, 1);
    view.why = Some("nothing could be undone".to_owned());
    view.steps[0].outcome = sample::done();
    check(RunOutcome::Failed, &view);
    view.line.phase = RunPhase::Finished(RunOutcome::HandedOver);
    check(RunOutcome::HandedOver, &view);

    let mut undone = sample::finished(RunOutcome::Undone, StepStage::Undone, 2);
    undone.steps[0].leg = Leg::Undo;
    undone.predecessor = Some("r-7m3qabcdefgh".parse().unwrap());
    check(RunOutcome::Undone, &undone);
    let stage = StepStage::UndoFailed { why: "forbidden".to_owned() };
    let mut undo_failed = sample::finished(RunOutcome::UndoFailed, stage, 2);
    undo_failed.steps[0].leg = Leg::Undo;
    check(RunOutcome::UndoFailed, &undo_failed);

    let stopped = sample::finished(RunOutcome::Stopped, StepStage::Before, 0);
    check(RunOutcome::Stopped, &stopped);
    let mut unresolved =
        sample::finished(RunOutcome::Unresolved, StepStage::Person { puzzle: Puzzle::Unknown }, 1);
    unresolved.steps[0].outcome = sample::unknown("no reply within 10s");
    check(RunOutcome::Unresolved, &unresolved);
}

fn open_runs(text: &str) -> Vec<steadyhand_api::view::RunLine> {
    let plan = sample::plan(text);
    let line = |short: &str, phase: RunPhase, needs: Vec<Need>| {
        let mut line = sample::run_line(&plan, phase, needs, text);
        line.short = short.to_owned();
        line
    };
    let approvals = Need::Decision {
        gate: "start".parse().unwrap(),
        from: Some("team-data".parse().unwrap()),
        given: 1,
        count: 2,
        until: at(3112),
    };
    vec![
        line("r-7m3q", RunPhase::Waiting, vec![sample::decision()]),
        line("r-6x9d", RunPhase::Waiting, vec![approvals]),
        line("r-8p2w", RunPhase::Paused, vec![sample::drift()]),
        line("r-2b9t", RunPhase::Running, vec![sample::settlement(Puzzle::Unknown)]),
        line("r-4f2k", RunPhase::Running, Vec::new()),
    ]
}

#[test]
fn lists() {
    let real = sample::status("default", open_runs(PLAIN));
    let practice = sample::status("practice", Vec::new());
    check("status", &status::screen(&[real, practice]));
    check("status_nothing", &status::nothing());
    check("history", &history::list(&open_runs(PLAIN), 3));
    check("history_empty", &history::list(&[], 0));
    let mut view = sample::finished(RunOutcome::Succeeded, StepStage::Done, 1);
    view.clock = ClockKind::Practice { seed: 7 };
    check("history_run", &history::one(&view));
    check("opening", &history::opening(&view));
}

fn all_handled(text: &str) -> Vec<(&'static str, Handled)> {
    let incident = || "i-4f2kabcdefgh".parse().unwrap();
    let candidates = || {
        vec![
            sample::candidate("restart-workload", true, text),
            sample::candidate("rollback-release", true, text),
            sample::candidate("scale-workload", false, text),
        ]
    };
    let plan = sample::plan(text);
    let alert = || sample::alert(text);
    vec![
        ("alerts", Handled::SeveralAlerts { alerts: vec![alert(), alert()], truncated: 4 }),
        (
            "runbooks",
            Handled::SeveralRunbooks {
                alert: alert(),
                incident: incident(),
                candidates: candidates(),
            },
        ),
        (
            "none",
            Handled::NoRunbook {
                alert: alert(),
                incident: incident(),
                candidates: candidates()[2..].to_vec(),
            },
        ),
        ("before", Handled::Before(Box::new(waiting(&plan, text)))),
        ("plan", Handled::Plan(Box::new(sample::plan_view(&plan, text)))),
    ]
}

#[test]
fn alerts_that_were_handled() {
    for (name, handled) in all_handled(PLAIN) {
        check(&format!("handled_{name}"), &handled::screen(&handled));
    }
}

fn trouble(text: &str) -> Trouble {
    Trouble {
        title: format!("there is no run `{text}` here"),
        causes: vec![format!("the journal has no {text}")],
        help: "see `steady status` and `steady history`".to_owned(),
        exit: ExitCode::Failed,
        ..Trouble::from(CommandError::NoRuns)
    }
}

#[test]
fn problems_and_pages() {
    check("problem", &problem::screen(&trouble(PLAIN)));
    check("problem_own", &problem::screen(&CommandError::Interrupted.into()));
    let page = "# SH0000: a title\n\nA paragraph that is longer than the eighty columns which a \
                screen has, so it is broken.\n\n```text\n$ steady  watch   last\n```\n\n## To mend it\n\n- one\n";
    check("explain", &explain::page(page));
    check(
        "explain_list",
        &explain::list(&[("SH0001", "# SH0001: one\n"), ("SH0002", "# SH0002: two\n")]),
    );
    check("question", &prompt::question(&[Answer("done".into()), Answer("not-now".into())]));
}

#[test]
fn a_report_of_checks() {
    use super::check::{Report, screen};
    use steadyhand_model::catalogue::Catalogue;
    let yaml = b"apiVersion: steadyhand.dev/v1\nkind: Runbok\n";
    let checked =
        steadyhand_runbook::checker::check_document("a.yaml", yaml, &Catalogue::built_in());
    let report = Report {
        documents: 1,
        found: checked.diagnostics.list().to_vec(),
        dropped: checked.diagnostics.dropped(),
    };
    assert!(!report.found.is_empty());
    let took = std::time::Duration::from_millis(123);
    let text = write(&screen(&report, took), PLAIN_LOOK);
    assert!(text.starts_with("error[SH0"), "{text}");
    assert!(
        text.contains(" 1 document, 3 errors, 0 warnings in 0.1s\n  steady explain SH0"),
        "{text}"
    );
    let clean = write(&screen(&Report { documents: 3, ..Report::default() }, took), PLAIN_LOOK);
    assert_eq!(clean, "✓ 3 documents, 0 errors, 0 warnings in 0.1s\n");
}

#[test]
fn wide_narrow_and_ascii() {
    let full = Plan::seal(sample::full_body(PLAIN)).unwrap();
    let wide = Look { width: 120, ..PLAIN_LOOK };
    let ascii = Look { ascii: true, ..PLAIN_LOOK };
    let coloured = Look { colour: true, ..PLAIN_LOOK };
    let view = in_every_stage("größe");
    expect_file!["../../tests/screens/card_irreversible_120.txt"]
        .assert_eq(&write(&card_of(&full, PLAIN, "revoke"), wide));
    expect_file!["../../tests/screens/run_every_stage_ascii.txt"]
        .assert_eq(&write(&progress::screen(&view), ascii));
    let card = card_of(&sample::plan(PLAIN), PLAIN, "start");
    expect_file!["../../tests/screens/card_coloured.txt"]
        .assert_eq(&write(&card, coloured).replace('\u{1b}', "ESC"));
}

/// Every screen whose lines the writer lays out itself, with one text wherever something is quoted.
fn every_screen(text: &str) -> Vec<Screen> {
    let small = sample::plan(text);
    let full = Plan::seal(sample::full_body(text)).unwrap();
    let mut screens = vec![
        card_of(&small, text, "start"),
        card_of(&full, text, "revoke"),
        plan::screen(&sample::plan_view(&small, text), &small),
        plan::screen(&sample::plan_view(&full, text), &full),
        changes::screen(&full),
        why::screen(&sample::plan_view(&full, text), &full),
        progress::screen(&in_every_stage(text)),
        status::screen(&[sample::status("default", open_runs(text))]),
        history::list(&open_runs(text), 0),
        history::one(&waiting(&small, text)),
        history::opening(&waiting(&small, text)),
        problem::screen(&trouble(text)),
        prompt::card(Some(text)),
        prompt::question(&[Answer(text.to_owned())]),
    ];
    screens.extend(all_handled(text).iter().map(|(_, handled)| handled::screen(handled)));
    let mut needs = waiting(&full, text);
    needs.line.needs = vec![
        sample::decision(),
        sample::settlement(Puzzle::Unverified),
        Need::Answer {
            step: "repair".parse().unwrap(),
            question: text.to_owned(),
            from: "team-platform".parse().unwrap(),
            answers: vec![Answer(text.to_owned())],
            until: at(900),
        },
    ];
    screens.push(progress::screen(&needs));
    for outcome in RunOutcome::ALL {
        let mut view = in_every_stage(text);
        view.line.phase = RunPhase::Finished(outcome);
        view.why = Some(text.to_owned());
        view.observed = sample::observed(text);
        view.undoing =
            Some(Cause::Policy { step: "restart".parse().unwrap(), why: text.to_owned() });
        screens.push(summary::screen(&view, outcome, Story::Untold));
    }
    screens
}

/// Takes the escape sequences of our own styles away.
fn without_style(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        let end = after.find('m').unwrap();
        assert!(after[..end].bytes().all(|b| b.is_ascii_digit() || b == b';'), "{after:?}");
        rest = &after[end + 1..];
    }
    out + rest
}

/// Text that somebody outside would like a person to misread.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "shop/checkout",
        " ",
        "\u{1b}[2J",
        "\u{1b}]0;x\u{7}",
        "\n",
        "\r",
        "\t",
        "\u{202e}",
        "\u{200b}",
        "\u{9b}31m",
        "\u{7f}",
        "東京",
        "é",
        "e\u{301}\u{301}\u{301}",
        "\u{2066}",
        "\u{e0041}",
        "✓ SUCCEEDED",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "== APPROVE? ==",
        "\u{2028}",
        "   ",
        "🜨",
    ]);
    prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_screen_keeps_to_its_look(
        text in hostile(),
        width in 60..=200usize,
        ascii in any::<bool>(),
        colour in any::<bool>(),
    ) {
        let look = Look { width, colour, ascii };
        for screen in every_screen(&text) {
            let written = write(&screen, look);
            prop_assert!(colour || !written.contains('\u{1b}'), "{written}");
            let bare = without_style(&written);
            prop_assert!(!ascii || bare.is_ascii(), "{bare}");
            prop_assert!(bare.ends_with('\n'));
            for line in bare.lines() {
                prop_assert!(line.width() <= width, "{} columns of {width}: {line}", line.width());
                prop_assert!(!line.ends_with(' '), "{line:?}");
                let raw = line.chars().find(|c| c.is_control() || steadyhand_model::text::Escaped::line(&c.to_string()).as_str() != c.to_string());
                prop_assert!(raw.is_none(), "{raw:?} in {line}");
            }
        }
    }

    #[test]
    fn a_card_fits_a_terminal(text in hostile(), width in 60..=200usize, ascii in any::<bool>()) {
        let look = Look { width, colour: false, ascii };
        let small = sample::plan(&text);
        let full = Plan::seal(sample::full_body(&text)).unwrap();
        for (plan, gate) in [(&small, "start"), (&full, "revoke")] {
            let written = write(&card_of(plan, &text, gate), look);
            prop_assert!(written.lines().count() < card::CARD_LINES_MAX, "{written}");
            for label in ["APPROVE?", "UNDO", "UNKNOWN", "NEEDS", "PLAN", "LIMITS"] {
                prop_assert!(written.contains(label), "{label} is missing:\n{written}");
            }
            prop_assert!(written.contains("PRODUCTION"));
            prop_assert!(written.contains(&plan.digest().short()));
        }
    }

    #[test]
    fn a_line_that_is_written_over_stays_one_line(text in hostile(), width in 40..=200usize) {
        let look = Look { width, colour: false, ascii: false };
        let steps = sample::every_stage(&text);
        for step in &steps {
            let item = super::run::line(step, at(60), super::run::facts_at(&steps));
            let written = write_over(&item, look);
            let raw = written[1..].contains(['\r', '\n', '\u{1b}']);
            prop_assert!(written.starts_with('\r') && !raw);
            prop_assert_eq!(written[1..].width(), look.width.min(super::writer::WIDTH_MAX) - 1);
        }
    }
}

#[test]
fn colour_only_repeats() {
    let look = |colour: bool| Look { colour, ..PLAIN_LOOK };
    for screen in every_screen(PLAIN) {
        assert_eq!(without_style(&write(&screen, look(true))), write(&screen, look(false)));
    }
}

#[test]
fn every_gate_kind_and_settlement_has_words() {
    let mut body = sample::full_body(PLAIN);
    body.gates.reverse();
    let kinds: Vec<bool> =
        body.gates.iter().map(|gate| matches!(gate.kind, GateKind::Approvals { .. })).collect();
    assert_eq!(kinds, [true, false]);
    let needs = plan::needs(&body.gates, &sample::asha());
    let mut screen = Screen::new();
    screen.text(needs);
    let written = write(&screen, Look { width: 120, ..PLAIN_LOOK });
    assert_eq!(
        written,
        "2 people of team-data, not whoever asked for it, again before revoke; 1 person: asha, who asked for it\n"
    );
    let words: Vec<&str> = Settlement::ALL.iter().map(|settlement| settlement.word()).collect();
    let screen = progress::screen(&{
        let mut view = waiting(&sample::plan(PLAIN), PLAIN);
        view.line.needs = vec![sample::settlement(Puzzle::NotRepeatable)];
        view
    });
    let written = write(&screen, Look { width: 120, ..PLAIN_LOOK });
    assert!(written.contains(&words.join(", ")), "{written}");
}
