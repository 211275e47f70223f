//! The things of a world, and what can be read off them at an instant.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::digest::Digest;
use steadyhand_model::ids::Uid;
use steadyhand_model::time::{Span, Timestamp};

use crate::fault::FLAP_PERIOD;

/// Hexadecimal digits of a template's digest in the names made from it.
const HASH_CHARS: usize = 10;
/// First pause between restarts of a crashing container; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_FIRST: Span = Span::from_secs(10);
const BACKOFF_MAX: Span = Span::from_mins(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Kind {
    Deployment,
    StatefulSet,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
        }
    }

    /// The resource in a line that a person types.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
        }
    }
}

/// Namespace and name: unique over both kinds in a practice world.
pub type Key = (String, String);

/// A normalised pod template. Its canonical form is what a template digest covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Template {
    pub annotations: BTreeMap<String, String>,
    pub image: String,
}

impl Template {
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        Ok(CanonicalJson::of(self)?.digest())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrategyKind {
    RollingUpdate,
    Recreate,
    OnDelete,
}

impl StrategyKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::RollingUpdate => "RollingUpdate",
            Self::Recreate => "Recreate",
            Self::OnDelete => "OnDelete",
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Strategy {
    pub kind: StrategyKind,
    pub max_unavailable: u32,
    pub max_surge: u32,
    pub partition: u32,
    pub min_ready: Span,
}

/// A ReplicaSet or a ControllerRevision.
#[derive(Debug, Clone)]
pub struct Revision {
    pub name: String,
    pub uid: Uid,
    pub number: u64,
    pub template: Template,
    pub digest: Digest,
    pub created: Timestamp,
    /// It was fully available once.
    pub good: bool,
}

impl Revision {
    pub fn hash(&self) -> String {
        hash_of(self.digest)
    }
}

/// The `pod-template-hash` of a template.
pub fn hash_of(digest: Digest) -> String {
    digest.hex().chars().take(HASH_CHARS).collect()
}

/// What becomes of a pod's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Ready from this time on.
    Runs {
        ready_at: Timestamp,
    },
    Crashes {
        reason: &'static str,
        exit_code: i64,
        since: Timestamp,
    },
    /// Ready by turns.
    Flaps {
        since: Timestamp,
    },
}

#[derive(Debug, Clone)]
pub struct Pod {
    pub name: String,
    pub uid: Uid,
    /// Of a StatefulSet.
    pub ordinal: Option<u32>,
    pub hash: String,
    /// None: no node has room.
    pub node: Option<String>,
    pub created: Timestamp,
    pub fate: Fate,
    /// When it is gone, if it was told to end.
    pub gone_at: Option<Timestamp>,
}

impl Pod {
    pub fn lives(&self) -> bool {
        self.gone_at.is_none()
    }

    pub fn ready(&self, now: Timestamp) -> bool {
        self.lives()
            && self.node.is_some()
            && match &self.fate {
                Fate::Runs { ready_at } => *ready_at <= now,
                Fate::Crashes { .. } => false,
                Fate::Flaps { since } => flaps(*since, now) % 2 == 1,
            }
    }

    pub fn available(&self, now: Timestamp, min_ready: Span) -> bool {
        self.ready(now)
            && match &self.fate {
                Fate::Runs { ready_at } => ready_at.plus(min_ready) <= now,
                Fate::Crashes { .. } => false,
                Fate::Flaps { .. } => min_ready <= FLAP_PERIOD,
            }
    }

    pub fn crashing(&self, now: Timestamp) -> bool {
        self.lives() && matches!(&self.fate, Fate::Crashes { since, .. } if *since <= now)
    }

    /// Container restarts until `now`.
    pub fn restarts(&self, now: Timestamp) -> u64 {
        match &self.fate {
            Fate::Runs { .. } => 0,
            Fate::Crashes { since, .. } => crashes(*since, now),
            Fate::Flaps { since } => flaps(*since, now) / 2,
        }
    }
}

/// How many half turns a flapping pod has made.
fn flaps(since: Timestamp, now: Timestamp) -> u64 {
    now.since(since).millis() / FLAP_PERIOD.millis()
}

/// Restarts of a crash loop with the kubelet's back-off.
fn crashes(since: Timestamp, now: Timestamp) -> u64 {
    let mut left = now.since(since);
    let mut pause = BACKOFF_FIRST;
    let mut count = 0;
    while pause < BACKOFF_MAX {
        if left < pause {
            return count;
        }
        left = Span::from_millis(left.millis() - pause.millis());
        count += 1;
        pause = pause.times(2);
    }
    count + left.millis() / BACKOFF_MAX.millis()
}

#[derive(Debug, Clone)]
pub struct Autoscaler {
    pub name: String,
    pub min: u32,
    pub max: u32,
}

#[derive(Debug, Clone)]
pub struct Budget {
    pub name: String,
    /// Healthy pods that must stay.
    pub needs: u32,
}

/// Work that comes in, and how much of it one ready pod can do, in the same unit.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub total: u64,
    pub per_pod: u64,
}

#[derive(Debug, Clone)]
pub struct Workload {
    pub kind: Kind,
    pub namespace: String,
    pub name: String,
    pub uid: Uid,
    pub generation: u64,
    pub replicas: u32,
    pub template: Template,
    pub digest: Digest,
    pub revisions: Vec<Revision>,
    pub strategy: Strategy,
    pub paused: bool,
    /// How long a new pod takes to be ready.
    pub startup: Span,
    /// How long a pod takes to end.
    pub grace: Span,
    pub cpu_m: u64,
    pub memory: u64,
    pub services: Vec<String>,
    pub budgets: Vec<Budget>,
    pub hpa: Option<Autoscaler>,
    pub load: Option<Load>,
    pub protected: bool,
    /// Images of which every pod crashes.
    pub bad_images: BTreeSet<String>,
    /// Template hashes of which every pod flaps.
    pub flapping: BTreeSet<String>,
    /// The controller sees the present spec from this time on.
    pub observed_at: Timestamp,
    /// When the present template was put there.
    pub rolled_at: Timestamp,
    /// When the rollout last came forward.
    pub progressed_at: Timestamp,
    /// Every pod has been of the present template and available since it was put there.
    pub complete: bool,
    pub pods: Vec<Pod>,
}

impl Workload {
    pub fn key(&self) -> Key {
        (self.namespace.clone(), self.name.clone())
    }

    pub fn shown(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    pub fn hash(&self) -> String {
        hash_of(self.digest)
    }

    pub fn current(&self) -> Option<&Revision> {
        self.revisions.iter().find(|r| r.digest == self.digest)
    }

    pub fn living(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(|p| p.lives())
    }

    pub fn updated(&self) -> impl Iterator<Item = &Pod> {
        let hash = self.hash();
        self.living().filter(move |p| p.hash == hash)
    }

    pub fn ready(&self, now: Timestamp) -> usize {
        self.pods.iter().filter(|p| p.ready(now)).count()
    }

    pub fn available(&self, now: Timestamp) -> usize {
        self.pods.iter().filter(|p| p.available(now, self.strategy.min_ready)).count()
    }

    pub fn wanted(&self) -> usize {
        usize::try_from(self.replicas).unwrap_or(usize::MAX)
    }

    pub fn observed(&self, now: Timestamp) -> bool {
        self.observed_at <= now
    }

    pub fn rolled_out(&self) -> bool {
        let updated = self.updated().count();
        let expected = self.wanted().saturating_sub(self.partition());
        self.complete && updated >= expected && self.living().count() <= self.wanted()
    }

    /// Pods that keep an older template on purpose.
    pub fn partition(&self) -> usize {
        usize::try_from(self.strategy.partition).unwrap_or(usize::MAX)
    }

    /// The largest number of pods that a replacement takes away at once.
    pub fn taken_at_once(&self) -> u64 {
        match (self.kind, self.strategy.kind) {
            (_, StrategyKind::Recreate) => u64::from(self.replicas),
            (Kind::StatefulSet, _) => u64::from(self.replicas.min(1)),
            (Kind::Deployment, _) => u64::from(self.strategy.max_unavailable.min(self.replicas)),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Node {
    pub name: String,
    pub uid: Uid,
    pub zone: String,
    pub cpu_m: u64,
    pub memory: u64,
    pub pods_max: usize,
}

/// A Kubernetes event.
#[derive(Debug, Clone)]
pub struct Happening {
    pub at: Timestamp,
    pub namespace: String,
    pub workload: String,
    pub kind: &'static str,
    pub name: String,
    pub reason: &'static str,
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_loop_backs_off() {
        let at = |seconds: u64| crashes(Timestamp(0), Timestamp(0).plus(Span::from_secs(seconds)));
        let counts: Vec<u64> = [0, 9, 10, 30, 70, 150, 310, 609, 610, 910].map(at).into();
        assert_eq!(counts, [0, 0, 1, 2, 3, 4, 5, 5, 6, 7]);
    }

    #[test]
    fn a_flapping_pod_is_ready_by_turns() {
        let pod = Pod {
            name: "web-x".into(),
            uid: "u".parse().unwrap(),
            ordinal: None,
            hash: "h".into(),
            node: Some("node-1".into()),
            created: Timestamp(0),
            fate: Fate::Flaps { since: Timestamp(0) },
            gone_at: None,
        };
        let ready: Vec<bool> =
            (0..6).map(|n| pod.ready(Timestamp(0).plus(FLAP_PERIOD.times(n)))).collect();
        assert_eq!(ready, [false, true, false, true, false, true]);
    }
}
