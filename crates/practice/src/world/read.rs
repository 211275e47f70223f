//! Reads and functions by name. Arguments were checked against the table by the door; they are typed again here.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::exchange::ReadReply;
use steadyhand_model::ids::Uid;

use super::World;
use super::alerts::AlertState;
use super::objects::{Node, Workload};
use super::view::{AlertView, ListedAlertView};

/// Most events in one answer.
const EVENTS_MAX: usize = 100;

/// How an alert names its workload, the most telling label first.
const WORKLOAD_LABELS: [&str; 3] = ["deployment", "statefulset", "workload"];

/// How a workload is given as an argument.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WorkloadRef {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: Uid,
}

#[derive(Debug, Deserialize)]
struct ByName {
    kind: Option<String>,
    namespace: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct ByRevision {
    kind: Option<String>,
    namespace: String,
    workload: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct InNamespace {
    namespace: Option<String>,
}

#[derive(Debug, Deserialize)]
struct OfWorkload {
    workload: WorkloadRef,
}

#[derive(Debug, Deserialize)]
struct PodsIn {
    namespace: Option<String>,
    workload: Option<WorkloadRef>,
}

#[derive(Debug, Deserialize)]
struct EventsIn {
    namespace: String,
    workload: Option<WorkloadRef>,
}

#[derive(Debug, Deserialize)]
struct PodName {
    namespace: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct NodeName {
    name: String,
}

#[derive(Debug, Deserialize)]
struct OwnerOf {
    namespace: String,
    pod: String,
}

#[derive(Debug, Deserialize)]
struct ByLabels {
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Fits {
    workload: WorkloadRef,
    replicas: u64,
}

#[derive(Debug, Deserialize)]
struct Fingerprint {
    fingerprint: String,
}

impl World {
    /// Answers one read. `name` is that of the table, without the `fn.` of a function's tool.
    pub(super) fn read(&self, name: &str, args: &CanonicalJson) -> ReadReply {
        match self.read_inner(name, args) {
            Ok(Some(value)) => ReadReply::Value(value),
            Ok(None) => ReadReply::CannotTell { why: format!("this world has no read `{name}`") },
            Err(error) => ReadReply::CannotTell { why: error.to_string() },
        }
    }

    fn read_inner(
        &self,
        name: &str,
        args: &CanonicalJson,
    ) -> Result<Option<CanonicalJson>, CanonicalError> {
        let answer = match name {
            "get_workload" => {
                let ByName { kind, namespace, name } = args.read()?;
                let found = self.workload(kind.as_deref(), &namespace, &name);
                value(&found.map(|w| self.view(w)))
            }
            "list_workloads" => {
                let InNamespace { namespace } = args.read()?;
                let all = self.in_namespace(namespace.as_deref());
                value(&all.map(|w| self.view(w)).collect::<Vec<_>>())
            }
            "get_revision" => {
                let ByRevision { kind, namespace, workload, name } = args.read()?;
                let found = self.workload(kind.as_deref(), &namespace, &workload).and_then(|w| {
                    let revision = w.revisions.iter().find(|r| r.name == name)?;
                    Some(self.revision_view(w, revision))
                });
                value(&found)
            }
            "list_revisions" => {
                let OfWorkload { workload } = args.read()?;
                let found = self.same_workload(&workload).into_iter();
                let newest_first =
                    found.flat_map(|w| w.revisions.iter().rev().map(|r| self.revision_view(w, r)));
                value(&newest_first.collect::<Vec<_>>())
            }
            "get_pod" => {
                let PodName { namespace, name } = args.read()?;
                let found = self.in_namespace(Some(&namespace)).find_map(|w| {
                    let pod = w.pods.iter().find(|p| p.name == name)?;
                    Some(self.pod_view(w, pod))
                });
                value(&found)
            }
            "list_pods" => self.list_pods(&args.read()?),
            "get_node" => {
                let NodeName { name } = args.read()?;
                value(&self.node(&name).map(|n| self.node_view(n)))
            }
            "list_nodes" => {
                value(&self.nodes.iter().map(|n| self.node_view(n)).collect::<Vec<_>>())
            }
            "events" => {
                let EventsIn { namespace, workload } = args.read()?;
                let name = workload.map(|w| w.name);
                value(&self.event_views(&namespace, name.as_deref(), EVENTS_MAX))
            }
            _ => return self.function(name, args),
        };
        answer.map(Some)
    }

    fn function(
        &self,
        name: &str,
        args: &CanonicalJson,
    ) -> Result<Option<CanonicalJson>, CanonicalError> {
        let answer = match name {
            "owner_of" => {
                let OwnerOf { namespace, pod } = args.read()?;
                value(&self.owner_of(&namespace, &pod).map(|w| self.view(w)))
            }
            "workload_of" => {
                let ByLabels { labels } = args.read()?;
                value(&self.workload_of(&labels).map(|w| self.view(w)))
            }
            "node_of" => {
                let ByLabels { labels } = args.read()?;
                let found = labels.get("node").and_then(|name| self.node(name));
                value(&found.map(|n| self.node_view(n)))
            }
            "cluster.fits" => {
                let Fits { workload, replicas } = args.read()?;
                value(&self.same_workload(&workload).is_some_and(|w| self.fits(w, replicas)))
            }
            "alert" => {
                let Fingerprint { fingerprint } = args.read()?;
                value(&self.alert(&fingerprint))
            }
            "list_alerts" => value(&self.list_alerts()),
            _ => return Ok(None),
        };
        answer.map(Some)
    }

    fn workload(&self, kind: Option<&str>, namespace: &str, name: &str) -> Option<&Workload> {
        let found = self.workloads.get(&(namespace.to_owned(), name.to_owned()))?;
        kind.is_none_or(|kind| found.kind.word() == kind).then_some(found)
    }

    /// The workload of that identity: another object under the same name is not it.
    pub(super) fn same_workload(&self, given: &WorkloadRef) -> Option<&Workload> {
        self.workload(Some(&given.kind), &given.namespace, &given.name)
            .filter(|w| w.uid == given.uid)
    }

    fn in_namespace<'a>(
        &'a self,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Workload> {
        self.workloads.values().filter(move |w| namespace.is_none_or(|n| w.namespace == n))
    }

    fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|n| n.name == name)
    }

    fn list_pods(&self, args: &PodsIn) -> Result<CanonicalJson, CanonicalError> {
        let pods = self
            .in_namespace(args.namespace.as_deref())
            .filter(|w| args.workload.as_ref().is_none_or(|given| w.uid == given.uid))
            .flat_map(|w| {
                let mut pods: Vec<_> = w.pods.iter().map(|p| self.pod_view(w, p)).collect();
                pods.sort_by(|a, b| a.name().cmp(b.name()));
                pods
            });
        value(&pods.collect::<Vec<_>>())
    }

    /// Also for a pod that is gone: its name still tells the template, and so the workload.
    fn owner_of(&self, namespace: &str, pod: &str) -> Option<&Workload> {
        self.workloads.values().find(|w| {
            w.namespace == namespace
                && (w.pods.iter().any(|p| p.name == pod)
                    || w.revisions.iter().any(|r| pod.starts_with(&format!("{}-", r.name))))
        })
    }

    fn workload_of(&self, labels: &BTreeMap<String, String>) -> Option<&Workload> {
        let namespace = labels.get("namespace")?;
        if let Some(pod) = labels.get("pod") {
            return self.owner_of(namespace, pod);
        }
        let name = WORKLOAD_LABELS.iter().find_map(|label| labels.get(*label))?;
        self.workload(None, namespace, name)
    }

    fn alert(&self, fingerprint: &str) -> AlertView {
        match self.alerts.alerts.get(fingerprint).map(|a| a.at(self.now)) {
            None => AlertView { state: "absent", since: None },
            Some(AlertState::Firing { since }) => {
                AlertView { state: "firing", since: Some(self.now.since(since)) }
            }
            Some(AlertState::Resolved { since }) => {
                AlertView { state: "resolved", since: Some(self.now.since(since)) }
            }
        }
    }

    fn list_alerts(&self) -> Vec<ListedAlertView> {
        let firing =
            self.alerts.alerts.iter().filter_map(|(key, alert)| match alert.at(self.now) {
                AlertState::Resolved { .. } => None,
                AlertState::Firing { since } => Some(ListedAlertView {
                    fingerprint: key.clone(),
                    name: alert.labels.get("alertname").map_or_else(String::new, Clone::clone),
                    labels: alert.labels.clone(),
                    state: "firing",
                    since: Some(self.now.since(since)),
                    summary: alert.summary.clone(),
                }),
            });
        firing.collect()
    }
}

fn value<T: Serialize>(value: &T) -> Result<CanonicalJson, CanonicalError> {
    CanonicalJson::of(value)
}
