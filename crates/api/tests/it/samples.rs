//! One of everything that goes over the wire.

use std::collections::BTreeMap;

use steadyhand_api::exit::ExitCode;
use steadyhand_api::problem::Problem;
use steadyhand_api::reply::{Reply, Response, WatchEnd, WatchEvent};
use steadyhand_api::request::{
    BodyBytes, DrillAsk, Fault, HandleAsk, LibraryAt, PlanAsk, Request, RunOf, RunsFilter,
};
use steadyhand_api::view::{
    AlertLine, Candidate, Chosen, Day, EnvironmentLine, GateView, Handled, KeeperView, Mode, Need,
    Observed, PlanView, Puzzle, RunLine, RunPhase, RunView, StatusView, StepStage, StepView, Told,
};
use steadyhand_model::actor::Actor;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Answer, Cause, ClockKind, Event, Leg, Proposer, write_event};
use steadyhand_model::ids::{Attempt, Seq};
use steadyhand_model::outcome::{Doubt, DoubtKind, Outcome, RunOutcome, Settlement};
use steadyhand_model::plan::{
    EnvironmentClass, EnvironmentRef, Gate, GateBefore, GateKind, LibraryRef, LibraryStatus, Plan,
};
use steadyhand_model::time::{Span, Timestamp};

pub(crate) const RUN: &str = "r-4f2kabcdefgh";

fn ask() -> PlanAsk {
    PlanAsk {
        library: LibraryAt::BuiltIn,
        runbook: "restart-workload".parse().unwrap(),
        environment: Some("practice".parse().unwrap()),
        params: BTreeMap::from([("workload".parse().unwrap(), "shop/checkout".to_owned())]),
    }
}

pub(crate) fn approve() -> Request {
    Request::Approve { run: RUN.parse().unwrap(), gate: None, plan: plan().digest().into() }
}

/// Every kind of request, and those of its forms that differ.
pub(crate) fn requests() -> Vec<Request> {
    let run = || RUN.parse().unwrap();
    let handle = HandleAsk {
        library: LibraryAt::Folder("/srv/runbooks".to_owned()),
        source: "alertmanager".to_owned(),
        body: BodyBytes(b"{\xff}".to_vec()),
        alert: None,
        runbook: None,
        environment: None,
        params: BTreeMap::new(),
    };
    let drill = DrillAsk {
        library: LibraryAt::BuiltIn,
        runbook: None,
        seed: Some(7),
        fault: Some(Fault::LostAfter),
        params: BTreeMap::new(),
    };
    vec![
        Request::Status,
        Request::Runs { filter: RunsFilter::Open },
        Request::Runs { filter: RunsFilter::Newest { limit: 20 } },
        Request::Show { run: "last".parse().unwrap() },
        Request::Watch { run: RUN.parse().unwrap(), from: Seq(1) },
        Request::Plan { ask: ask() },
        Request::Run { of: RunOf::Plan("9c41-e07a".parse().unwrap()) },
        Request::Run { of: RunOf::Fresh(ask()) },
        Request::Handle { ask: Box::new(handle) },
        Request::Drill { ask: Box::new(drill) },
        approve(),
        Request::Deny { run: run(), gate: None, reason: Some("not tonight".to_owned()) },
        Request::Answer {
            run: run(),
            step: "repair".parse().unwrap(),
            answer: Answer("done".to_owned()),
        },
        Request::Settle {
            run: run(),
            step: None,
            settlement: Settlement::HandOver,
            reason: "seen on the node".to_owned(),
        },
        Request::Cancel { run: run(), undo: true },
        Request::Pause { run: run() },
        Request::Resume { run: run() },
        Request::Undo { run: "r-4f2k".parse().unwrap() },
    ]
}

fn environment() -> EnvironmentRef {
    EnvironmentRef {
        name: "practice".parse().unwrap(),
        title: "Practice".to_owned(),
        class: EnvironmentClass::Practice,
        digest: Digest::of(b"environment"),
    }
}

fn library() -> LibraryRef {
    LibraryRef {
        commit: None,
        dirty: false,
        status: LibraryStatus::Draft,
        digest: Digest::of(b"library"),
    }
}

pub(crate) fn plan() -> Plan {
    let digest = Digest::of(b"x");
    let body = format!(
        r#"{{"format":1,"bindings":{{}},"require":[],"steps":[],"limits":{{}},"gates":[],
        "environment":{{"name":"practice","title":"Practice","class":"practice","digest":"{digest}"}},
        "library":{{"dirty":false,"status":"draft","digest":"{digest}"}},
        "runbook":{{"name":"restart-workload","title":"Restart","owner":"team-a","path":"p","digest":"{digest}"}},
        "radius":{{"targets":[],"affected":[],"unavailable":0,"population":3,"data_loss":"none"}},
        "valid_for":"30m","run_within":"2h"}}"#
    );
    Plan::parse(body.as_bytes()).unwrap()
}

pub(crate) fn plan_view() -> PlanView {
    PlanView {
        digest: plan().digest(),
        plan: plan().bytes().clone(),
        planned: Timestamp(1),
        requester: Actor::Person("asha".parse().unwrap()),
        incident: "i-4f2kabcdefgh".parse().unwrap(),
        chosen: Chosen { by: Proposer::Binding, reasons: vec!["the only one bound".to_owned()] },
        facts: BTreeMap::from([("workload".to_owned(), CanonicalJson::empty())]),
        held_back: None,
    }
}

pub(crate) fn line(phase: RunPhase, needs: Vec<Need>) -> RunLine {
    RunLine {
        run: RUN.parse().unwrap(),
        short: "r-4f2k".to_owned(),
        plan: plan().digest(),
        runbook: "restart-workload".parse().unwrap(),
        environment: "practice".parse().unwrap(),
        class: EnvironmentClass::Practice,
        subject: "shop/checkout".to_owned(),
        phase,
        needs,
        driven: true,
        now: Timestamp(1_795_489_931_000_000),
        created: Timestamp(1),
        changed: Timestamp(2),
    }
}

pub(crate) fn decision() -> Need {
    Need::Decision {
        gate: "start".parse().unwrap(),
        from: None,
        given: 0,
        count: 1,
        until: Timestamp(9),
    }
}

pub(crate) fn settlement() -> Need {
    Need::Settlement {
        step: "restart".parse().unwrap(),
        leg: Leg::Forward,
        attempt: Attempt(1),
        puzzle: Puzzle::Unknown,
        possible: vec![Settlement::Done, Settlement::NotDone],
        since: Timestamp(5),
    }
}

fn step() -> StepView {
    StepView {
        step: "restart".parse().unwrap(),
        title: "restart Deployment shop/checkout".to_owned(),
        stage: StepStage::Doubtful { quiet_until: Timestamp(7), next: Timestamp(7), probes: 0 },
        leg: Leg::Forward,
        attempt: Attempt(1),
        since: Timestamp(5),
        began: Some(Timestamp(4)),
        sent: 1,
        verdict: None,
        outcome: Some(Outcome::Unknown(Doubt {
            kind: DoubtKind::LostReply,
            why: "no reply within 10s".to_owned(),
        })),
        answer: None,
    }
}

fn told() -> Told {
    let event = Event::Began { step: "restart".parse().unwrap() };
    Told { seq: Seq(3), at: Timestamp(4), event: write_event(&event).unwrap() }
}

pub(crate) fn run_view() -> RunView {
    let gate = Gate {
        id: "start".parse().unwrap(),
        before: GateBefore::Start,
        within: Span::from_mins(30),
        kind: GateKind::Confirm { why: Vec::new() },
    };
    RunView {
        line: line(RunPhase::Running, vec![settlement()]),
        plan: plan_view(),
        requester: Actor::Person("asha".parse().unwrap()),
        predecessor: None,
        successor: None,
        expires: Timestamp(10),
        ends: Timestamp(20),
        clock: ClockKind::Practice { seed: 7 },
        now: Timestamp(6),
        gates: vec![GateView { gate, until: None, given: Vec::new(), satisfied: true }],
        steps: vec![step()],
        observed: vec![Observed {
            step: "restart".parse().unwrap(),
            before: Some(BTreeMap::new()),
            after: None,
        }],
        undoing: Some(Cause::Drift { step: "restart".parse().unwrap() }),
        why: None,
        told: vec![told()],
        head: Seq(3),
        head_hash: Digest::of(b"head"),
    }
}

pub(crate) fn status() -> Response {
    Response::Status(Box::new(StatusView {
        keeper: KeeperView {
            pid: 17,
            version: "0.1.0".to_owned(),
            installation: "practice".parse().unwrap(),
            since: Timestamp(1),
            now: Timestamp(2),
        },
        library: Some(library()),
        environments: vec![EnvironmentLine { environment: environment(), mode: Mode::Approve }],
        open: vec![line(RunPhase::Waiting, vec![decision()])],
        open_more: 0,
        day: Day {
            outcomes: BTreeMap::from([(RunOutcome::Succeeded, 11)]),
            yes: Some(Span::from_secs(38)),
        },
    }))
}

pub(crate) fn event(seq: u64) -> Reply {
    Reply::Event(Box::new(WatchEvent {
        seq: Seq(seq),
        at: Timestamp(4),
        event: told().event,
        phase: RunPhase::Running,
        changed: vec![step()],
    }))
}

pub(crate) fn end(seq: u64) -> Reply {
    Reply::End(WatchEnd { head: Seq(seq), phase: RunPhase::Finished(RunOutcome::Succeeded) })
}

/// Every kind of reply, and those of its forms that differ.
pub(crate) fn replies() -> Vec<Reply> {
    let alert = || AlertLine {
        key: "1340f7875b4522a5".to_owned(),
        name: "KubePodCrashLooping".to_owned(),
        severity: "critical".to_owned(),
        labels: BTreeMap::new(),
        since: Timestamp(1),
    };
    let candidate = Candidate {
        runbook: "restart-workload".parse().unwrap(),
        title: "Restart".to_owned(),
        fits: false,
        reasons: Vec::new(),
    };
    let incident = || "i-4f2kabcdefgh".parse().unwrap();
    let handled = [
        Handled::Run(Box::new(run_view())),
        Handled::Plan(Box::new(plan_view())),
        Handled::SeveralAlerts { alerts: vec![alert(), alert()], truncated: 1 },
        Handled::SeveralRunbooks {
            alert: alert(),
            incident: incident(),
            candidates: vec![candidate.clone()],
        },
        Handled::NoRunbook { alert: alert(), incident: incident(), candidates: vec![candidate] },
        Handled::Before(Box::new(run_view())),
    ];
    let problem = Problem {
        code: "SH0606".parse().unwrap(),
        title: "what".to_owned(),
        causes: vec!["why".to_owned()],
        help: "do".to_owned(),
        exit: ExitCode::Refused,
    };
    let mut all = vec![
        Reply::Working,
        Reply::Problem(problem),
        event(3),
        end(4),
        Reply::Response(status()),
        Reply::Response(Response::Runs {
            runs: vec![line(RunPhase::Finished(RunOutcome::Undone), Vec::new())],
            more: 3,
        }),
        Reply::Response(Response::Run(Box::new(run_view()))),
        Reply::Response(Response::Plan(Box::new(plan_view()))),
    ];
    all.extend(handled.map(|handled| Reply::Response(Response::Handled(Box::new(handled)))));
    all
}
