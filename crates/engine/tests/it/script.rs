//! A run that is driven by hand: every input goes through `decide`, every event through the chain and `apply`.

use std::sync::Arc;

use steadyhand_engine::effect::{Effect, EffectId, EffectKind};
use steadyhand_engine::input::{Input, Rejected};
use steadyhand_engine::run::{Request, Run};
use steadyhand_model::actor::Actor;
use steadyhand_model::approval::{Approval, Decision, Evidence};
use steadyhand_model::event::{ClockKind, Event, Recorded, StreamId, chain_start, write_event};
use steadyhand_model::ids::{Fence, Seq};
use steadyhand_model::plan::Plan;
use steadyhand_model::time::{Span, Timestamp};

#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) run: Run,
    pub(crate) rows: Vec<Recorded>,
    pub(crate) events: Vec<Event>,
    pub(crate) now: Timestamp,
}

pub(crate) fn person(id: &str) -> Actor {
    Actor::Person(id.parse().unwrap())
}

impl Script {
    /// A fresh run, taken over by its first driver.
    pub(crate) fn open(plan: &Arc<Plan>) -> Self {
        let now = Timestamp(1_000_000);
        let request = Request {
            run: "r-4f2kabcdefgh".parse().unwrap(),
            requester: person("asha"),
            incident: None,
            predecessor: None,
            world: None,
            clock: ClockKind::Practice { seed: 7 },
        };
        let created = Run::open(plan, request, now);
        let run = Run::begin(plan.clone(), now, &created).unwrap();
        let mut script = Self { run, rows: vec![], events: vec![], now };
        script.record(created);
        script.tell(Input::TakenOver("driver-1".parse().unwrap(), Fence(1))).unwrap();
        script
    }

    fn record(&mut self, event: Event) {
        let prev = self.rows.last().map_or_else(chain_start, |r| r.hash);
        let seq = Seq(self.rows.len() as u64 + 1);
        let stream = StreamId::Run(self.run.id().clone());
        let row =
            Recorded::chain(stream, seq, self.now, prev, write_event(&event).unwrap()).unwrap();
        self.rows.push(row);
        self.events.push(event);
    }

    pub(crate) fn tell(&mut self, input: Input) -> Result<usize, Rejected> {
        let events = self.run.decide(input, self.now)?;
        for event in &events {
            self.run.apply(self.run.seq().next(), self.now, event).unwrap();
            self.record(event.clone());
            crate::exhaustive::prefix_holds(&self.run, &self.events, self.now);
        }
        Ok(events.len())
    }

    pub(crate) fn pending(&self) -> Vec<Effect> {
        self.run.pending(self.run.fence())
    }

    /// The only pending effect of a kind.
    pub(crate) fn id(&self, kind: EffectKind) -> EffectId {
        let all: Vec<EffectId> =
            self.pending().into_iter().map(|e| e.id).filter(|id| id.kind == kind).collect();
        assert_eq!(all.len(), 1, "one {kind:?} in {:#?}", self.pending());
        all[0].clone()
    }

    pub(crate) fn later(&mut self, span: Span) {
        self.now = self.now.plus(span);
    }

    pub(crate) fn decision(&self, by: Actor, gate: &str, decision: Decision) -> Input {
        Input::Approval(Approval {
            by,
            evidence: Evidence::PeerCredential { uid: 1000, user: "asha".into() },
            run: self.run.id().clone(),
            plan: self.run.plan().digest(),
            gate: gate.parse().unwrap(),
            decision,
            expires: self.now.plus(Span::from_mins(20)),
            nonce: "0".repeat(32),
            team: Some("team-platform".parse().unwrap()),
            reason: None,
        })
    }

    /// The run as its journal alone gives it.
    pub(crate) fn replayed(&self) -> Run {
        Run::replay(self.run.plan().clone(), &self.rows).unwrap()
    }
}
