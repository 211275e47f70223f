//! Alerts: what would be firing. A condition begins an alert; its end lags, as looking back over a window makes it.

use std::collections::BTreeMap;

use steadyhand_model::time::{Span, Timestamp};

use super::World;
use super::control::{PROGRESS_DEADLINE, autoscaled};
use super::objects::{Fate, Workload};

/// A pod must crash for this long before an alert fires.
const CRASH_FOR: Span = Span::from_mins(5);
/// How long after its condition ended an alert of a window of five minutes still fires.
const CRASH_LAG: Span = Span::from_mins(5);
/// The same for alerts without a window: two evaluations and a group interval.
const PLAIN_LAG: Span = Span::from_mins(2);

pub(super) type Labels = BTreeMap<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Firing {
        since: Timestamp,
    },
    /// The condition has ended; the alert ends at `until`.
    Ending {
        since: Timestamp,
        until: Timestamp,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Alert {
    pub(super) labels: Labels,
    pub(super) summary: String,
    lag: Span,
    phase: Phase,
}

/// What an alert is at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AlertState {
    Firing { since: Timestamp },
    Resolved { since: Timestamp },
}

impl Alert {
    pub(super) fn at(&self, now: Timestamp) -> AlertState {
        match self.phase {
            Phase::Firing { since } => AlertState::Firing { since },
            Phase::Ending { since, until } if until > now => AlertState::Firing { since },
            Phase::Ending { until, .. } => AlertState::Resolved { since: until },
        }
    }
}

/// All alerts that ever fired, by fingerprint.
#[derive(Debug, Clone, Default)]
pub(crate) struct AlertBook {
    pub(super) alerts: BTreeMap<String, Alert>,
}

struct Wanted {
    labels: Labels,
    summary: String,
    lag: Span,
    since: Timestamp,
}

impl World {
    /// When an alert can begin next. Ends need no instant: they are read off the clock.
    pub(super) fn alerts_next(&self) -> Option<Timestamp> {
        let crashes =
            self.workloads.values().flat_map(|w| w.living()).filter_map(|p| match p.fate {
                Fate::Crashes { since, .. } => Some(since.plus(CRASH_FOR)),
                Fate::Runs { .. } | Fate::Flaps { .. } => None,
            });
        crashes.filter(|at| *at > self.now).min()
    }

    pub(super) fn watch_alerts(&mut self) {
        let now = self.now;
        let wanted: BTreeMap<String, Wanted> = self
            .workloads
            .values()
            .flat_map(|w| wanted(w, now))
            .map(|mut w| {
                // As an external label names the cluster that a real alert comes from.
                w.labels.insert("cluster".into(), self.environment.to_string());
                (fingerprint(&w.labels), w)
            })
            .collect();
        for (key, alert) in &mut self.alerts.alerts {
            let still = wanted.contains_key(key);
            alert.phase = match alert.phase {
                Phase::Firing { since } if !still => {
                    Phase::Ending { since, until: now.plus(alert.lag) }
                }
                Phase::Ending { since, until } if still && until > now => Phase::Firing { since },
                Phase::Ending { .. } if still => Phase::Firing { since: now },
                phase => phase,
            };
        }
        for (key, Wanted { labels, summary, lag, since }) in wanted {
            let phase = Phase::Firing { since };
            self.alerts.alerts.entry(key).or_insert(Alert { labels, summary, lag, phase });
        }
    }
}

fn wanted(workload: &Workload, now: Timestamp) -> Vec<Wanted> {
    let mut all = Vec::new();
    for pod in workload.living() {
        let Fate::Crashes { since, .. } = pod.fate else { continue };
        if since.plus(CRASH_FOR) <= now {
            let mut labels = labels("KubePodCrashLooping", "critical", workload);
            labels.insert("pod".into(), pod.name.clone());
            all.push(Wanted {
                labels,
                summary: format!("Pod {}/{} is crash looping", workload.namespace, pod.name),
                lag: CRASH_LAG,
                since: since.plus(CRASH_FOR),
            });
        }
    }
    let mut plain = |name: &str, severity: &str, summary: &str, since: Timestamp| {
        all.push(Wanted {
            labels: {
                let mut labels = labels(name, severity, workload);
                labels.insert(workload.kind.resource().into(), workload.name.clone());
                labels
            },
            summary: format!("{} {summary}", workload.shown()),
            lag: PLAIN_LAG,
            since,
        });
    };
    let stuck_at = workload.progressed_at.plus(PROGRESS_DEADLINE);
    if !workload.complete && stuck_at <= now {
        plain(
            "KubeDeploymentRolloutStuck",
            "warning",
            "has a rollout that does not go on",
            stuck_at,
        );
    }
    if let Some(load) = workload.load {
        let ready = u64::try_from(workload.ready(now)).unwrap_or(u64::MAX);
        if load.total > load.per_pod.saturating_mul(ready) && workload.hpa.is_none() {
            plain("ServiceSaturated", "warning", "has more work than its pods can do", now);
        }
        let capped = workload.hpa.as_ref().is_some_and(|h| {
            autoscaled(workload) == Some(h.max) && load.total > load.per_pod * u64::from(h.max)
        });
        if capped {
            plain(
                "KubeHpaMaxedOut",
                "warning",
                "wants more replicas than its autoscaler allows",
                now,
            );
        }
    }
    all
}

fn labels(name: &str, severity: &str, workload: &Workload) -> Labels {
    [("alertname", name), ("namespace", &workload.namespace), ("severity", severity)]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

/// As Prometheus and Alertmanager compute it: FNV-1a of 64 bits over the sorted labels, each name and value ended
/// by the byte 0xff.
pub(super) fn fingerprint(labels: &Labels) -> String {
    const OFFSET: u64 = 14_695_981_039_346_656_037;
    const PRIME: u64 = 1_099_511_628_211;
    let bytes = labels
        .iter()
        .flat_map(|(name, value)| name.bytes().chain([0xff]).chain(value.bytes()).chain([0xff]));
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}
