//! The world: a fold over lines. Pure; time comes from each line, names and uids from the seed.
//!
//! `advance` is independent of the path: going to a time in one step or in many gives the same world. So a reader
//! and an executor that fold the same file see the same world.

pub mod objects;

mod act;
mod alerts;
mod answer;
mod control;
mod planned;
mod read;
mod room;
mod view;

use std::collections::BTreeMap;

use steadyhand_model::canonical::CanonicalError;
use steadyhand_model::digest::Digest;
use steadyhand_model::ids::{EnvironmentName, Fence, IdError, RunId, Uid};
use steadyhand_model::time::Timestamp;

pub use answer::{Answered, Ask, Kill, Reply};

use crate::fault::{Fault, Verb};
use crate::line::{AttemptRef, Body, Change, Line, Seed};
use crate::scenario;
use alerts::AlertBook;
use objects::{Happening, Key, Node, Revision, Template, Workload};

/// Kept happenings; the oldest are forgotten first.
const HAPPENINGS_MAX: usize = 500;
/// Characters of the random part of a pod's name.
const SUFFIX_CHARS: usize = 5;
const SUFFIX_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    #[error("a world begins with a line of kind `seed`")]
    NoSeed,
    #[error("only the first line of a world is of kind `seed`")]
    SecondSeed,
    #[error("line {found} stands where line {expected} should")]
    Sequence { expected: u64, found: u64 },
    #[error("line {seq} is earlier than the one before it")]
    Backwards { seq: u64 },
    #[error("line {seq} names a workload {key} that is not there")]
    Missing { seq: u64, key: String },
    #[error("a template cannot be written as canonical JSON")]
    Template {
        #[source]
        source: CanonicalError,
    },
    #[error("a name made from the seed is no identifier")]
    Name {
        #[source]
        source: IdError,
    },
    #[error("line {seq} holds a call that is not of the action's form")]
    Call {
        seq: u64,
        #[source]
        source: CanonicalError,
    },
}

/// An effect that has not landed yet.
#[derive(Debug, Clone)]
struct Late {
    of: u64,
    due: Timestamp,
    attempt: AttemptRef,
    flapping: bool,
}

#[derive(Debug, Clone)]
struct Planted {
    fault: Fault,
    /// Matching requests so far.
    seen: u32,
}

/// One practice cluster at one instant.
#[derive(Debug, Clone)]
pub struct World {
    pub(crate) now: Timestamp,
    seq: u64,
    seed: u64,
    pub(crate) environment: EnvironmentName,
    made: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) workloads: BTreeMap<Key, Workload>,
    pub(crate) happenings: Vec<Happening>,
    pub(crate) alerts: AlertBook,
    faults: Vec<Planted>,
    late: Vec<Late>,
    /// Landings since the last line: what became of late effects, not yet written.
    landed: Vec<(u64, Timestamp, bool)>,
    fences: BTreeMap<RunId, Fence>,
}

impl World {
    /// The world after its first line.
    ///
    /// # Errors
    /// If the line is not the seed of a known scenario.
    pub fn open(line: &Line) -> Result<Self, WorldError> {
        let Body::Seed(seed) = &line.body else { return Err(WorldError::NoSeed) };
        if line.seq != 1 {
            return Err(WorldError::Sequence { expected: 1, found: line.seq });
        }
        let mut world = Self::empty(line.at, seed);
        scenario::build(seed.scenario, &mut world)?;
        world.settle(line.at)?;
        Ok(world)
    }

    fn empty(at: Timestamp, seed: &Seed) -> Self {
        let planted = |fault: &Fault| Planted { fault: fault.clone(), seen: 0 };
        Self {
            now: at,
            seq: 1,
            seed: seed.seed,
            environment: seed.environment.clone(),
            made: 0,
            nodes: Vec::new(),
            workloads: BTreeMap::new(),
            happenings: Vec::new(),
            alerts: AlertBook::default(),
            faults: seed.faults.iter().map(planted).collect(),
            late: Vec::new(),
            landed: Vec::new(),
            fences: BTreeMap::new(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The number that the next line gets.
    pub fn next_seq(&self) -> u64 {
        self.seq + 1
    }

    /// Folds one line.
    ///
    /// # Errors
    /// If the line does not follow the one before it.
    pub fn fold(&mut self, line: &Line) -> Result<(), WorldError> {
        if line.seq != self.next_seq() {
            return Err(WorldError::Sequence { expected: self.next_seq(), found: line.seq });
        }
        if line.at < self.now {
            // A landing is written after the moment that it tells of.
            if !matches!(line.body, Body::Landed { .. }) {
                return Err(WorldError::Backwards { seq: line.seq });
            }
        }
        self.advance(line.at)?;
        self.seq = line.seq;
        self.take(line)
    }

    fn take(&mut self, line: &Line) -> Result<(), WorldError> {
        match &line.body {
            Body::Seed(_) => Err(WorldError::SecondSeed),
            Body::Request(request) => {
                let verb = verb_of(&request.tool);
                let fired = self.count(verb, &request.tool);
                if let Some(attempt) = &request.attempt {
                    self.raise_fence(attempt);
                }
                if let (Some(crate::fault::FaultKind::Drift), Some(args)) = (fired, &request.args) {
                    self.drift(line.seq, args)?;
                }
                Ok(())
            }
            Body::Effect(effect) => {
                let fired = self.count(Verb::Apply, &effect.tool);
                let flapping = fired == Some(crate::fault::FaultKind::Flapping);
                self.raise_fence(&effect.attempt);
                match effect.due {
                    None => self.perform(line.seq, &effect.attempt, flapping).map(|_changed| ()),
                    Some(due) => {
                        let attempt = effect.attempt.clone();
                        self.late.push(Late { of: line.seq, due, attempt, flapping });
                        Ok(())
                    }
                }
            }
            Body::Landed { of, .. } => {
                self.landed.retain(|(seq, ..)| seq != of);
                Ok(())
            }
            Body::Fault { fault } => {
                self.faults.push(Planted { fault: fault.clone(), seen: 0 });
                Ok(())
            }
            Body::Fired { tool, .. } => {
                self.count(verb_of(tool), tool);
                Ok(())
            }
            Body::Change { change } => self.change(line.seq, change),
        }
    }

    /// Counts a request against every fault that it matches, and gives the one that fires.
    fn count(&mut self, verb: Verb, tool: &str) -> Option<crate::fault::FaultKind> {
        let fired = self.fires(verb, tool).map(|(_, fault)| fault.kind.clone());
        for planted in self.faults.iter_mut().filter(|p| p.fault.matches(verb, tool)) {
            planted.seen = planted.seen.saturating_add(1);
        }
        fired
    }

    /// The fault that meets the next such request: the first planted one.
    fn fires(&self, verb: Verb, tool: &str) -> Option<(usize, &Fault)> {
        let mut planted = self.faults.iter().enumerate();
        let hit = planted.find(|(_, p)| p.fault.matches(verb, tool) && p.fault.fires_after(p.seen));
        hit.map(|(index, p)| (index, &p.fault))
    }

    fn raise_fence(&mut self, attempt: &AttemptRef) {
        let highest = self.fences.entry(attempt.run.clone()).or_default();
        *highest = (*highest).max(attempt.fence);
    }

    fn highest_fence(&self, run: &RunId) -> Fence {
        self.fences.get(run).copied().unwrap_or_default()
    }

    /// Lines that tell what became of late effects, due before the next request is answered.
    pub fn landings(&self) -> Vec<Line> {
        let numbered = self.landed.iter().zip(self.next_seq()..);
        numbered
            .map(|((of, at, changed), seq)| Line {
                seq,
                at: *at,
                body: Body::Landed { of: *of, changed: *changed },
            })
            .collect()
    }

    fn change(&mut self, seq: u64, change: &Change) -> Result<(), WorldError> {
        let now = self.now;
        match change {
            Change::Template { namespace, name, image } => {
                let workload = self.find(seq, namespace, name)?;
                let template = Template { image: image.clone(), ..workload.template.clone() };
                self.put_template(&(namespace.clone(), name.clone()), template)?;
            }
            Change::Scale { namespace, name, replicas } => {
                let workload = self.find(seq, namespace, name)?;
                workload.replicas = *replicas;
                control::touched(workload, now);
            }
            Change::Status { namespace, name } => {
                self.find(seq, namespace, name)?;
                self.note(
                    namespace,
                    name,
                    "Pod",
                    name.clone(),
                    "Noise",
                    "a condition was rewritten",
                );
            }
            Change::Crash { namespace, name, pods } => {
                let workload = self.find(seq, namespace, name)?;
                let count = usize::try_from(*pods).unwrap_or(usize::MAX);
                for pod in workload.pods.iter_mut().filter(|p| p.ready(now)).take(count) {
                    pod.fate = objects::Fate::Crashes {
                        reason: "CrashLoopBackOff",
                        exit_code: 1,
                        since: now,
                    };
                }
            }
            Change::Replace { namespace, name } => {
                let uid = self.new_uid()?;
                let workload = self.find(seq, namespace, name)?;
                workload.uid = uid;
                control::touched(workload, now);
            }
            Change::Pause { namespace, name, paused } => {
                let workload = self.find(seq, namespace, name)?;
                workload.paused = *paused;
                control::touched(workload, now);
            }
            Change::Load { namespace, name, load } => {
                let workload = self.find(seq, namespace, name)?;
                let per_pod = workload.load.map_or(100, |l| l.per_pod);
                workload.load = Some(objects::Load { total: *load, per_pod });
            }
        }
        self.settle(now)
    }

    fn find(&mut self, seq: u64, namespace: &str, name: &str) -> Result<&mut Workload, WorldError> {
        let key = (namespace.to_owned(), name.to_owned());
        self.workloads
            .get_mut(&key)
            .ok_or_else(|| WorldError::Missing { seq, key: format!("{namespace}/{name}") })
    }

    /// Bytes that depend on the seed and on how many were made before.
    fn draw(&mut self) -> Digest {
        self.made += 1;
        Digest::of(format!("steadyhand practice {} {}", self.seed, self.made).as_bytes())
    }

    pub(crate) fn new_uid(&mut self) -> Result<Uid, WorldError> {
        let hex = self.draw().hex();
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        let text = format!(
            "{}-{}-4{}-a{}-{}",
            part(0, 8),
            part(8, 12),
            part(13, 16),
            part(17, 20),
            part(20, 32)
        );
        text.parse().map_err(|source| WorldError::Name { source })
    }

    pub(crate) fn new_suffix(&mut self) -> String {
        let digest = self.draw();
        let letters = digest.bytes().iter().take(SUFFIX_CHARS);
        letters
            .filter_map(|b| SUFFIX_ALPHABET.get(usize::from(*b) % SUFFIX_ALPHABET.len()))
            .map(|b| char::from(*b))
            .collect()
    }

    pub(crate) fn note(
        &mut self,
        namespace: &str,
        workload: &str,
        kind: &'static str,
        name: String,
        reason: &'static str,
        message: &str,
    ) {
        self.happenings.push(Happening {
            at: self.now,
            namespace: namespace.to_owned(),
            workload: workload.to_owned(),
            kind,
            name,
            reason,
            message: message.to_owned(),
        });
        let over = self.happenings.len().saturating_sub(HAPPENINGS_MAX);
        self.happenings.drain(..over);
    }

    pub(crate) fn new_revision(
        &mut self,
        workload: &str,
        number: u64,
        template: Template,
        created: Timestamp,
        good: bool,
    ) -> Result<Revision, WorldError> {
        let digest = template.digest().map_err(|source| WorldError::Template { source })?;
        let name = format!("{workload}-{}", objects::hash_of(digest));
        Ok(Revision { name, uid: self.new_uid()?, number, template, digest, created, good })
    }
}

/// What a tool's name says about it.
pub(crate) fn verb_of(tool: &str) -> Verb {
    match tool.rsplit_once('.') {
        Some((_, "plan")) => Verb::Plan,
        Some((_, "apply")) => Verb::Apply,
        Some((_, "probe")) => Verb::Probe,
        _ => Verb::Read,
    }
}
