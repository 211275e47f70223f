//! The normalised objects that expressions see, as the table of the `kubernetes` server declares them.

use std::collections::BTreeMap;

use serde::Serialize;
use steadyhand_model::digest::Digest;
use steadyhand_model::ids::Uid;
use steadyhand_model::time::{Span, Timestamp};

use super::World;
use super::control::{PROGRESS_DEADLINE, autoscaled};
use super::objects::{Fate, Kind, Node, Pod, Revision, Workload};

/// The window of `restarts_10m`.
const RESTARTS_WINDOW: Span = Span::from_mins(10);

#[derive(Debug, Serialize)]
pub(super) struct WorkloadView {
    kind: Kind,
    namespace: String,
    name: String,
    uid: Uid,
    generation: u64,
    template_digest: Digest,
    replicas: u32,
    ready: usize,
    available: usize,
    updated: usize,
    unavailable: usize,
    restarts_10m: u64,
    fresh_restarts: u64,
    crash: Option<CrashView>,
    observed: bool,
    rolled_out: bool,
    settled: bool,
    stuck: Option<StuckView>,
    paused: bool,
    strategy: StrategyView,
    revision: NumberView,
    age_of_revision: Span,
    last_good_revision: Option<RevisionView>,
    singleton: bool,
    hpa: Option<HpaView>,
    budgets: Vec<BudgetView>,
    zones: Vec<ZoneView>,
    services: Vec<ServiceView>,
    protected: bool,
}

#[derive(Debug, Serialize)]
struct CrashView {
    reason: &'static str,
    exit_code: i64,
    since: Span,
    pods: usize,
}

#[derive(Debug, Serialize)]
struct StuckView {
    reason: &'static str,
}

#[derive(Debug, Serialize)]
struct StrategyView {
    #[serde(rename = "type")]
    kind: &'static str,
    max_unavailable: u32,
    max_surge: u32,
    partition: u32,
    min_ready: Span,
}

#[derive(Debug, Serialize)]
struct NumberView {
    number: u64,
    image: String,
}

#[derive(Debug, Serialize)]
struct HpaView {
    name: String,
    min: u32,
    max: u32,
    current: u32,
    limited: bool,
}

#[derive(Debug, Serialize)]
struct BudgetView {
    name: String,
    allowed: usize,
    needs: u32,
    has: usize,
}

#[derive(Debug, Serialize)]
struct ZoneView {
    zone: String,
    ready: usize,
}

#[derive(Debug, Serialize)]
struct ServiceView {
    name: String,
    ready: usize,
    total: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct RevisionView {
    kind: Kind,
    namespace: String,
    workload: String,
    name: String,
    uid: Uid,
    number: u64,
    image: String,
    template_digest: Digest,
    age: Span,
    current: bool,
    good: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct PodView {
    namespace: String,
    name: String,
    uid: Uid,
    phase: &'static str,
    ready: bool,
    node: Option<String>,
    template_hash: String,
    restarts: u64,
    reason: Option<&'static str>,
    age: Span,
}

impl PodView {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Debug, Serialize)]
pub(super) struct NodeView {
    name: String,
    uid: Uid,
    zone: String,
    ready: bool,
    schedulable: bool,
    pods: usize,
    pods_max: usize,
    cpu_free_m: u64,
    memory_free: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct EventView {
    age: Span,
    kind: &'static str,
    name: String,
    reason: &'static str,
    message: String,
    count: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct AlertView {
    pub(super) state: &'static str,
    pub(super) since: Option<Span>,
}

#[derive(Debug, Serialize)]
pub(super) struct ListedAlertView {
    pub(super) fingerprint: String,
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) state: &'static str,
    pub(super) since: Option<Span>,
    pub(super) summary: String,
}

impl World {
    pub(super) fn view(&self, w: &Workload) -> WorkloadView {
        let now = self.now;
        let ready = w.ready(now);
        let available = w.available(now);
        let observed = w.observed(now);
        let rolled_out = observed && w.rolled_out();
        let earlier = Timestamp(now.0.saturating_sub(RESTARTS_WINDOW.micros()));
        let stuck = !w.complete && w.progressed_at.plus(PROGRESS_DEADLINE) <= now;
        WorkloadView {
            kind: w.kind,
            namespace: w.namespace.clone(),
            name: w.name.clone(),
            uid: w.uid.clone(),
            generation: w.generation,
            template_digest: w.digest,
            replicas: w.replicas,
            ready,
            available,
            updated: w.updated().count(),
            unavailable: w.wanted().saturating_sub(available),
            restarts_10m: w.living().map(|p| p.restarts(now) - p.restarts(earlier)).sum(),
            fresh_restarts: w.updated().map(|p| p.restarts(now)).sum(),
            crash: crash(w, now),
            observed,
            rolled_out,
            settled: observed && rolled_out,
            stuck: stuck.then_some(StuckView { reason: "ProgressDeadlineExceeded" }),
            paused: w.paused,
            strategy: StrategyView {
                kind: w.strategy.kind.word(),
                max_unavailable: w.strategy.max_unavailable,
                max_surge: w.strategy.max_surge,
                partition: w.strategy.partition,
                min_ready: w.strategy.min_ready,
            },
            revision: NumberView {
                number: w.current().map_or(0, |r| r.number),
                image: w.template.image.clone(),
            },
            age_of_revision: now.since(w.rolled_at),
            last_good_revision: last_good(w).map(|r| self.revision_view(w, r)),
            singleton: w.replicas == 1,
            hpa: w.hpa.as_ref().map(|h| HpaView {
                name: h.name.clone(),
                min: h.min,
                max: h.max,
                current: w.replicas,
                limited: autoscaled(w) == Some(h.max),
            }),
            budgets: w
                .budgets
                .iter()
                .map(|b| BudgetView {
                    name: b.name.clone(),
                    allowed: available
                        .saturating_sub(usize::try_from(b.needs).unwrap_or(usize::MAX)),
                    needs: b.needs,
                    has: available,
                })
                .collect(),
            zones: self.zones_of(w),
            services: w
                .services
                .iter()
                .map(|name| ServiceView { name: name.clone(), ready, total: w.living().count() })
                .collect(),
            protected: w.protected,
        }
    }

    fn zones_of(&self, w: &Workload) -> Vec<ZoneView> {
        let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
        for pod in w.living() {
            let node = self.nodes.iter().find(|n| Some(&n.name) == pod.node.as_ref());
            if let Some(node) = node {
                *zones.entry(&node.zone).or_default() += usize::from(pod.ready(self.now));
            }
        }
        zones.into_iter().map(|(zone, ready)| ZoneView { zone: zone.to_owned(), ready }).collect()
    }

    pub(super) fn revision_view(&self, w: &Workload, r: &Revision) -> RevisionView {
        RevisionView {
            kind: w.kind,
            namespace: w.namespace.clone(),
            workload: w.name.clone(),
            name: r.name.clone(),
            uid: r.uid.clone(),
            number: r.number,
            image: r.template.image.clone(),
            template_digest: r.digest,
            age: self.now.since(r.created),
            current: r.digest == w.digest,
            good: r.good,
        }
    }

    pub(super) fn pod_view(&self, w: &Workload, p: &Pod) -> PodView {
        let phase = match (p.lives(), &p.node) {
            (false, _) => "Terminating",
            (true, None) => "Pending",
            (true, Some(_)) => "Running",
        };
        let reason = match &p.fate {
            _ if p.node.is_none() => Some("Unschedulable"),
            Fate::Crashes { reason, .. } if p.crashing(self.now) => Some(*reason),
            Fate::Flaps { .. } if !p.ready(self.now) => Some("ReadinessProbeFailed"),
            Fate::Crashes { .. } | Fate::Runs { .. } | Fate::Flaps { .. } => None,
        };
        PodView {
            namespace: w.namespace.clone(),
            name: p.name.clone(),
            uid: p.uid.clone(),
            phase,
            ready: p.ready(self.now),
            node: p.node.clone(),
            template_hash: p.hash.clone(),
            restarts: p.restarts(self.now),
            reason,
            age: self.now.since(p.created),
        }
    }

    pub(super) fn node_view(&self, n: &Node) -> NodeView {
        let taken = self.taken(&n.name, None);
        NodeView {
            name: n.name.clone(),
            uid: n.uid.clone(),
            zone: n.zone.clone(),
            ready: true,
            schedulable: true,
            pods: taken.pods,
            pods_max: n.pods_max,
            cpu_free_m: n.cpu_m.saturating_sub(taken.cpu_m),
            memory_free: n.memory.saturating_sub(taken.memory),
        }
    }

    /// Equal happenings are one event with a count.
    pub(super) fn event_views(
        &self,
        namespace: &str,
        workload: Option<&str>,
        most: usize,
    ) -> Vec<EventView> {
        let mut events: Vec<EventView> = Vec::new();
        let here =
            self.happenings.iter().rev().filter(|h| {
                h.namespace == namespace && workload.is_none_or(|name| h.workload == name)
            });
        for h in here {
            let same = |e: &&mut EventView| {
                e.kind == h.kind
                    && e.name == h.name
                    && e.reason == h.reason
                    && e.message == h.message
            };
            let full = events.len() >= most;
            match events.iter_mut().find(same) {
                Some(event) => event.count += 1,
                None if !full => events.push(EventView {
                    age: self.now.since(h.at),
                    kind: h.kind,
                    name: h.name.clone(),
                    reason: h.reason,
                    message: h.message.clone(),
                    count: 1,
                }),
                None => {}
            }
        }
        events
    }
}

fn crash(w: &Workload, now: Timestamp) -> Option<CrashView> {
    let crashing: Vec<&Pod> = w.living().filter(|p| p.crashing(now)).collect();
    let (reason, exit_code, since) = crashing
        .iter()
        .filter_map(|p| match &p.fate {
            Fate::Crashes { reason, exit_code, since } => Some((*reason, *exit_code, *since)),
            Fate::Runs { .. } | Fate::Flaps { .. } => None,
        })
        .min_by_key(|(_, _, since)| *since)?;
    Some(CrashView { reason, exit_code, since: now.since(since), pods: crashing.len() })
}

fn last_good(w: &Workload) -> Option<&Revision> {
    w.revisions.iter().filter(|r| r.good && r.digest != w.digest).max_by_key(|r| r.number)
}
