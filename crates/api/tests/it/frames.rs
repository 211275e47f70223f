//! Frames as bytes: what is written is what is read, and nothing else is.

use std::error::Error as _;

use expect_test::expect;
use proptest::prelude::*;
use steadyhand_api::exit::ExitCode;
use steadyhand_api::frame::{
    FrameError, REPLY_BYTES_MAX, REQUEST_BYTES_MAX, ReplyFrame, RequestFrame, RequestId,
};
use steadyhand_api::problem::Problem;
use steadyhand_api::reply::Reply;
use steadyhand_api::request::{BodyBytes, Fault, RUNS_MAX, Request, RunsFilter};
use steadyhand_api::view::{Handled, Need, PlanViewError, RunPhase};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::Cause;
use steadyhand_model::outcome::RunOutcome;

use crate::samples;
use crate::world::inbox;

fn frame(body: Request) -> RequestFrame {
    let id = body.is_change().then(|| inbox(7));
    RequestFrame::new(RequestId(1), id, body).unwrap()
}

fn text(line: &[u8]) -> &str {
    std::str::from_utf8(line).unwrap().strip_suffix('\n').unwrap()
}

#[test]
fn every_request_has_its_line_and_is_read_back() {
    let mut lines = String::new();
    for body in samples::requests() {
        let frame = frame(body);
        let line = frame.encode().unwrap();
        assert_eq!(RequestFrame::decode(text(&line).as_bytes()).unwrap(), frame);
        let short = text(&line)
            .replace(inbox(7).as_str(), "c-…")
            .replace(&samples::plan().digest().hex(), "9c41…");
        lines.push_str(&short);
        lines.push('\n');
    }
    expect![[r#"
        {"body":{"type":"status"},"id":1,"v":1}
        {"body":{"filter":"open","type":"runs"},"id":1,"v":1}
        {"body":{"filter":{"newest":{"limit":20}},"type":"runs"},"id":1,"v":1}
        {"body":{"run":"last","type":"show"},"id":1,"v":1}
        {"body":{"from":1,"run":"r-4f2kabcdefgh","type":"watch"},"id":1,"v":1}
        {"body":{"ask":{"environment":"practice","library":"built_in","params":{"workload":"shop/checkout"},"runbook":"restart-workload"},"type":"plan"},"id":1,"inbox":"c-…","v":1}
        {"body":{"of":{"plan":"9c41e07a"},"type":"run"},"id":1,"inbox":"c-…","v":1}
        {"body":{"of":{"fresh":{"environment":"practice","library":"built_in","params":{"workload":"shop/checkout"},"runbook":"restart-workload"}},"type":"run"},"id":1,"inbox":"c-…","v":1}
        {"body":{"ask":{"body":"e/99","library":{"folder":"/srv/runbooks"},"params":{},"source":"alertmanager"},"type":"handle"},"id":1,"inbox":"c-…","v":1}
        {"body":{"ask":{"fault":"lost-after","library":"built_in","params":{},"seed":7},"type":"drill"},"id":1,"inbox":"c-…","v":1}
        {"body":{"plan":"9c41…","run":"r-4f2kabcdefgh","type":"approve"},"id":1,"inbox":"c-…","v":1}
        {"body":{"reason":"not tonight","run":"r-4f2kabcdefgh","type":"deny"},"id":1,"inbox":"c-…","v":1}
        {"body":{"answer":"done","run":"r-4f2kabcdefgh","step":"repair","type":"answer"},"id":1,"inbox":"c-…","v":1}
        {"body":{"reason":"seen on the node","run":"r-4f2kabcdefgh","settlement":"hand_over","type":"settle"},"id":1,"inbox":"c-…","v":1}
        {"body":{"run":"r-4f2kabcdefgh","type":"cancel","undo":true},"id":1,"inbox":"c-…","v":1}
        {"body":{"run":"r-4f2kabcdefgh","type":"pause"},"id":1,"inbox":"c-…","v":1}
        {"body":{"run":"r-4f2kabcdefgh","type":"resume"},"id":1,"inbox":"c-…","v":1}
        {"body":{"run":"r-4f2k","type":"undo"},"id":1,"inbox":"c-…","v":1}
    "#]].assert_eq(&lines);
}

#[test]
fn every_reply_is_read_back() {
    for body in samples::replies() {
        let frame = ReplyFrame::new(RequestId(3), body);
        let line = frame.encode().unwrap();
        assert_eq!(ReplyFrame::decode(text(&line).as_bytes()).unwrap(), frame);
    }
}

fn told(error: &FrameError) -> String {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    let first = error.source().and_then(std::error::Error::source);
    format!("{error}{cause}{}", first.map(|source| format!(": {source}")).unwrap_or_default())
}

#[test]
fn a_request_that_is_not_exact_is_refused() {
    let status = r#"{"body":{"type":"status"},"id":1,"v":1}"#;
    assert!(RequestFrame::decode(status.as_bytes()).is_ok());
    let show = r#"{"body":{"run":"last","type":"show"},"id":1,"v":1}"#;
    assert!(RequestFrame::decode(show.as_bytes()).is_ok());
    let cases = [
        "",
        "hello",
        "[]",
        "1",
        r#"{"body":{"type":"status"},"id":1,"v":1} {}"#,
        r#"{"body":{"type":"status"},"id":1}"#,
        r#"{"body":{"type":"status"},"id":1,"v":2}"#,
        r#"{"body":{"type":"status"},"id":1,"v":"1"}"#,
        r#"{"whatever":true,"v":2}"#,
        r#"{"body":{"type":"status"},"id":1,"id":2,"v":1}"#,
        r#"{"body":{"type":"status","type":"status"},"id":1,"v":1}"#,
        r#"{"body":{"type":"status"},"id":1,"v":1,"x":1}"#,
        r#"{"body":{"type":"status","x":1},"id":1,"v":1}"#,
        r#"{"body":{"run":"last","type":"show","x":1},"id":1,"v":1}"#,
        r#"{"body":["show","last"],"id":1,"v":1}"#,
        r#"{"body":{"type":"reboot"},"id":1,"v":1}"#,
        r#"{"body":{"run":"../x","type":"show"},"id":1,"v":1}"#,
        r#"{"body":{"type":"status"},"id":1.0,"v":1}"#,
        r#"{"body":{"type":"status"},"id":-1,"v":1}"#,
        r#"{"body":{"type":"status"},"id":0,"v":1}"#,
        r#"{"body":{"type":"status"},"id":1,"inbox":null,"v":1}"#,
        r#"{"body":{"type":"status"},"id":1,"inbox":"c-1","v":1}"#,
        r#"{"body":{"run":"last","type":"pause"},"id":1,"v":1}"#,
        r#"{"body":{"run":"last","type":"pause"},"id":1,"inbox":"../","v":1}"#,
    ];
    let mut report = String::new();
    for case in cases {
        let error = RequestFrame::decode(case.as_bytes()).unwrap_err();
        report.push_str(&format!("{case}\n  {}\n", told(&error)));
    }
    expect![[r#"

          a frame is not strict JSON: the document is not the JSON that was expected: EOF while parsing a value at line 1 column 0
        hello
          a frame is not strict JSON: the document is not the JSON that was expected: expected value at line 1 column 1
        []
          a frame is not a JSON object
        1
          a frame is not a JSON object
        {"body":{"type":"status"},"id":1,"v":1} {}
          a frame is not strict JSON: the document is not the JSON that was expected: trailing characters at line 1 column 41
        {"body":{"type":"status"},"id":1}
          the other side speaks version none of the protocol, this program speaks version 1
        {"body":{"type":"status"},"id":1,"v":2}
          the other side speaks version 2 of the protocol, this program speaks version 1
        {"body":{"type":"status"},"id":1,"v":"1"}
          the other side speaks version "1" of the protocol, this program speaks version 1
        {"whatever":true,"v":2}
          the other side speaks version 2 of the protocol, this program speaks version 1
        {"body":{"type":"status"},"id":1,"id":2,"v":1}
          a frame is not strict JSON: the document is not the JSON that was expected: the key "id" stands twice at line 1 column 39
        {"body":{"type":"status","type":"status"},"id":1,"v":1}
          a frame is not strict JSON: the document is not the JSON that was expected: the key "type" stands twice at line 1 column 41
        {"body":{"type":"status"},"id":1,"v":1,"x":1}
          a frame is not of a known form: the document is not the JSON that was expected: unknown field `x`, expected one of `v`, `id`, `inbox`, `body` at line 1 column 42
        {"body":{"type":"status","x":1},"id":1,"v":1}
          a frame says more, less or something else than its form has
        {"body":{"run":"last","type":"show","x":1},"id":1,"v":1}
          a frame is not of a known form: the document is not the JSON that was expected: unknown field `x`, expected `run` at line 1 column 42
        {"body":["show","last"],"id":1,"v":1}
          a frame says more, less or something else than its form has
        {"body":{"type":"reboot"},"id":1,"v":1}
          a frame is not of a known form: the document is not the JSON that was expected: unknown variant `reboot`, expected one of `status`, `runs`, `show`, `watch`, `plan`, `run`, `handle`, `drill`, `approve`, `deny`, `answer`, `settle`, `cancel`, `pause`, `resume`, `undo` at line 1 column 24
        {"body":{"run":"../x","type":"show"},"id":1,"v":1}
          a frame is not of a known form: the document is not the JSON that was expected: a run is named by its id, such as `r-4f2k`, by the beginning of it, or by `last`; ids have no l o 0 1 at line 1 column 36
        {"body":{"type":"status"},"id":1.0,"v":1}
          a frame is not strict JSON: the document is not the JSON that was expected: 1 is not a whole number at line 1 column 34
        {"body":{"type":"status"},"id":-1,"v":1}
          a frame is not of a known form: the document is not the JSON that was expected: invalid value: integer `-1`, expected u64 at line 1 column 33
        {"body":{"type":"status"},"id":0,"v":1}
          the id 0 is not for requests
        {"body":{"type":"status"},"id":1,"inbox":null,"v":1}
          a frame says more, less or something else than its form has
        {"body":{"type":"status"},"id":1,"inbox":"c-1","v":1}
          a request that changes nothing came with an inbox id
        {"body":{"run":"last","type":"pause"},"id":1,"v":1}
          a change came without an inbox id
        {"body":{"run":"last","type":"pause"},"id":1,"inbox":"../","v":1}
          a frame is not of a known form: the document is not the JSON that was expected: `../` is not a inbox id: letters, digits and `-`, beginning with a letter or digit at line 1 column 58
    "#]].assert_eq(&report);
}

#[test]
fn sizes_are_bounded_on_both_sides() {
    let padded = |bytes: usize| {
        let mut line = br#"{"body":{"type":"status"},"id":1,"v":1}"#.to_vec();
        line.resize(bytes, b' ');
        line
    };
    assert!(RequestFrame::decode(&padded(REQUEST_BYTES_MAX)).is_ok());
    let error = RequestFrame::decode(&padded(REQUEST_BYTES_MAX + 1)).unwrap_err();
    assert!(matches!(error, FrameError::TooLarge { .. }), "{error}");

    let deny = |reason: usize| {
        let run = "last".parse().unwrap();
        frame(Request::Deny { run, gate: None, reason: Some("x".repeat(reason)) })
    };
    let around = deny(0).encode().unwrap().len() - 1;
    assert!(deny(REQUEST_BYTES_MAX - around).encode().is_ok());
    assert!(deny(REQUEST_BYTES_MAX - around + 1).encode().is_err());

    let problem = |title: usize| {
        let problem = Problem {
            code: "SH0606".parse().unwrap(),
            title: "x".repeat(title),
            causes: Vec::new(),
            help: String::new(),
            exit: ExitCode::Failed,
        };
        ReplyFrame::new(RequestId(1), Reply::Problem(problem)).encode()
    };
    let around = problem(0).unwrap().len() - 1;
    assert!(problem(REPLY_BYTES_MAX - around).is_ok());
    assert!(problem(REPLY_BYTES_MAX - around + 1).is_err());
}

#[test]
fn the_largest_body_of_a_notification_fits_into_a_request() {
    let mut handled = None;
    for request in samples::requests() {
        if let Request::Handle { mut ask } = request {
            ask.body = BodyBytes(vec![b'"'; 1024 * 1024]);
            handled = Some(frame(Request::Handle { ask }));
        }
    }
    let frame = handled.unwrap();
    let line = frame.encode().unwrap();
    assert_eq!(RequestFrame::decode(text(&line).as_bytes()).unwrap(), frame);
}

#[test]
fn lists_are_bounded_on_both_sides() {
    let newest = |limit| {
        let body = Request::Runs { filter: RunsFilter::Newest { limit } };
        RequestFrame::new(RequestId(1), None, body).is_ok()
    };
    assert!(newest(RUNS_MAX));
    assert!(!newest(RUNS_MAX + 1));
}

#[test]
fn the_words_of_faults_are_those_of_the_wire() {
    for fault in Fault::ALL {
        let json = CanonicalJson::of(&fault).unwrap();
        assert_eq!(json.as_str(), format!("{:?}", fault.word()));
    }
}

#[test]
fn a_plan_is_opened_only_under_its_own_digest() {
    let mut view = samples::plan_view();
    assert_eq!(view.open().unwrap().digest(), samples::plan().digest());
    view.digest = Digest::of(b"another");
    assert!(matches!(view.open(), Err(PlanViewError::OtherDigest { .. })));
    view.plan = CanonicalJson::empty();
    assert!(matches!(view.open(), Err(PlanViewError::Plan { .. })));
}

#[test]
fn the_exit_of_a_run_is_that_of_its_outcome_or_its_need() {
    let line = samples::line;
    let resume = Need::Resume { because: Cause::Drift { step: "x".parse().unwrap() } };
    let cases = [
        (line(RunPhase::Finished(RunOutcome::Succeeded), Vec::new()), ExitCode::Ok),
        (line(RunPhase::Finished(RunOutcome::Unresolved), Vec::new()), ExitCode::Unknown),
        (line(RunPhase::Waiting, vec![samples::decision()]), ExitCode::Waiting),
        (line(RunPhase::Running, Vec::new()), ExitCode::Waiting),
        (line(RunPhase::Paused, vec![resume, samples::settlement()]), ExitCode::Unknown),
        (line(RunPhase::Stopped, vec![samples::settlement()]), ExitCode::Stopped),
    ];
    for (line, want) in cases {
        assert_eq!(line.exit(), want, "{line:?}");
    }
    let several = Handled::SeveralAlerts { alerts: Vec::new(), truncated: 0 };
    assert_eq!(several.exit(), ExitCode::Waiting);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(RequestFrame::decode(&bytes).is_err());
        prop_assert!(ReplyFrame::decode(&bytes).is_err());
    }

    #[test]
    fn a_damaged_frame_is_refused_or_means_what_it_says(
        which in 0..100_usize, at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let all = samples::requests();
        let line = frame(all[which % all.len()].clone()).encode().unwrap();
        let mut damaged = line[..line.len() - 1].to_vec();
        let at = at.index(damaged.len());
        damaged[at] = byte;
        if let Ok(read) = RequestFrame::decode(&damaged) {
            // What was accepted, written again, is the same document.
            let again = read.encode().unwrap();
            let same = CanonicalJson::parse(&damaged).unwrap();
            prop_assert_eq!(text(&again), same.as_str());
        }
    }
}
