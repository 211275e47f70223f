//! A world to ask, with the words that the cases use.

use serde_json::{Value as Json, json};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::capability::{Capability, Claims, Envelope};
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{At, Leg};
use steadyhand_model::exchange::{ApplyRequest, PlanReply, ProbeRequest, ReadReply, StepPreview};
use steadyhand_model::ids::{Attempt, Fence};
use steadyhand_model::reading::Call;
use steadyhand_model::time::{Span, Timestamp};
use steadyhand_practice::fault::Fault;
use steadyhand_practice::line::{Body, Change, Seed};
use steadyhand_practice::scenario::ScenarioName;
use steadyhand_practice::simulator::Simulator;
use steadyhand_practice::world::{Ask, Reply};

/// 2026-11-24T03:12:04Z.
pub(crate) const BEGIN: Timestamp = Timestamp(1_795_835_524_000_000);

pub(crate) fn seed(faults: &[&str]) -> Seed {
    Seed {
        scenario: ScenarioName::Default,
        seed: 7,
        environment: "practice".parse().unwrap(),
        faults: faults.iter().map(|f| f.parse().unwrap()).collect(),
    }
}

pub(crate) struct Sim {
    pub(crate) simulator: Simulator,
    pub(crate) now: Timestamp,
}

impl Sim {
    pub(crate) fn new(faults: &[&str]) -> Self {
        Self { simulator: Simulator::begin(BEGIN, seed(faults)).unwrap(), now: BEGIN }
    }

    pub(crate) fn wait(&mut self, span: &str) -> &mut Self {
        self.now = self.now.plus(span.parse::<Span>().unwrap());
        self
    }

    pub(crate) fn ask(&mut self, ask: &Ask) -> Reply {
        self.simulator.ask(ask, self.now).unwrap().reply
    }

    pub(crate) fn change(&mut self, change: Change) {
        self.simulator.change(change, self.now).unwrap();
    }

    pub(crate) fn plant(&mut self, fault: &str) {
        self.simulator.plant(fault.parse::<Fault>().unwrap(), self.now).unwrap();
    }

    pub(crate) fn read(&mut self, tool: &str, args: Json) -> Json {
        let ask = Ask::Read { tool: tool.into(), args: CanonicalJson::of(&args).unwrap() };
        match self.ask(&ask) {
            Reply::Read(ReadReply::Value(value)) => value.to_json(),
            other => panic!("{tool}: {other:?}"),
        }
    }

    pub(crate) fn workload(&mut self, namespace: &str, name: &str) -> Json {
        self.read("get_workload", json!({"kind": null, "namespace": namespace, "name": name}))
    }

    /// The identity of a workload, as an argument.
    pub(crate) fn named(&mut self, namespace: &str, name: &str) -> Json {
        identity(&self.workload(namespace, name), &["kind", "namespace", "name", "uid"])
    }

    pub(crate) fn plan_reply(&mut self, action: &str, args: Json) -> PlanReply {
        let args = CanonicalJson::of(&args).unwrap();
        match self.ask(&Ask::Plan { action: action.parse().unwrap(), args }) {
            Reply::Plan(reply) => reply,
            other => panic!("{action}: {other:?}"),
        }
    }

    pub(crate) fn plan(&mut self, action: &str, args: Json) -> StepPreview {
        match self.plan_reply(action, args) {
            PlanReply::Planned(preview) => *preview,
            other => panic!("{action}: {other:?}"),
        }
    }

    pub(crate) fn restart_plan(&mut self, namespace: &str, name: &str) -> StepPreview {
        let workload = self.named(namespace, name);
        self.plan("rollout_restart", json!({"workload": workload}))
    }

    /// What became of an `apply`, in a word.
    pub(crate) fn apply(&mut self, call: &Call, attempt: u32) -> String {
        self.apply_under(call, attempt, 1, Leg::Forward)
    }

    pub(crate) fn apply_under(
        &mut self,
        call: &Call,
        attempt: u32,
        fence: u64,
        leg: Leg,
    ) -> String {
        let envelope = envelope(attempt, fence, leg);
        let request =
            ApplyRequest { call: call.clone(), capability: unsigned(call, &envelope), envelope };
        word(&self.ask(&Ask::Apply(Box::new(request))))
    }

    pub(crate) fn probe(&mut self, call: &Call) -> String {
        let envelope = envelope(1, 1, Leg::Forward);
        word(&self.ask(&Ask::Probe(Box::new(ProbeRequest { call: call.clone(), envelope }))))
    }

    /// Effects that were recorded and did not come to nothing.
    pub(crate) fn effects(&self) -> usize {
        let lines = self.simulator.lines();
        let nothing =
            lines.iter().filter(|l| matches!(l.body, Body::Landed { changed: false, .. })).count();
        lines.iter().filter(|l| matches!(l.body, Body::Effect(_))).count() - nothing
    }

    /// One workload in a line: what a verification looks at.
    pub(crate) fn state(&mut self, namespace: &str, name: &str) -> String {
        let w = self.workload(namespace, name);
        format!(
            "{} of {} ready, {} updated, settled {}, fresh restarts {}, revision {}",
            w["ready"],
            w["replicas"],
            w["updated"],
            w["settled"],
            w["fresh_restarts"],
            w["revision"]["number"]
        )
    }
}

pub(crate) fn identity(object: &Json, fields: &[&str]) -> Json {
    fields
        .iter()
        .map(|f| ((*f).to_owned(), object[*f].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

pub(crate) fn envelope(attempt: u32, fence: u64, leg: Leg) -> Envelope {
    Envelope {
        run: "r-4f2kabcdefgh".parse().unwrap(),
        at: At { step: "act".parse().unwrap(), leg, attempt: Attempt(attempt) },
        plan: Digest::of(b"plan"),
        fence: Fence(fence),
        idempotency_key: format!("r-4f2kabcdefgh/act/{leg:?}/{attempt}"),
    }
}

/// The world itself does not look at capabilities: the door does.
fn unsigned(call: &Call, envelope: &Envelope) -> Capability {
    Capability {
        claims: Claims {
            audience: "kubernetes".parse().unwrap(),
            run: envelope.run.clone(),
            at: envelope.at.clone(),
            plan: envelope.plan,
            call: call.digest(),
            fence: envelope.fence,
            not_after: BEGIN,
            nonce: String::new(),
        },
        signature: String::new(),
    }
}

pub(crate) fn word(reply: &Reply) -> String {
    let json = match reply {
        Reply::Apply(reply) => serde_json::to_value(&reply.outcome).unwrap(),
        Reply::Probe(reply) => serde_json::to_value(&reply.verdict).unwrap(),
        Reply::Lost(_) => return "lost".into(),
        Reply::Garbage => return "garbage".into(),
        Reply::Huge => return "huge".into(),
        Reply::Read(_) | Reply::Plan(_) => panic!("{reply:?}"),
    };
    match &json {
        Json::String(word) => word.clone(),
        other => {
            let (word, inner) = other.as_object().unwrap().iter().next().unwrap();
            match inner.get("kind").and_then(Json::as_str) {
                Some(kind) => format!("{word}:{kind}"),
                None => word.clone(),
            }
        }
    }
}
