//! Scenarios: the world as it stands when it begins. Data, and the small builder that turns it into objects.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use steadyhand_model::time::{Span, Timestamp};

use crate::world::objects::{
    Autoscaler, Budget, Fate, Kind, Load, Node, Pod, Strategy, StrategyKind, Template, Workload,
};
use crate::world::{World, WorldError};

/// A closed set: a scenario is part of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioName {
    /// 3 nodes, 14 workloads. A restart heals `shop/checkout`, a rollback `shop/cart`, more replicas
    /// `shop/recommend`; the others are well.
    Default,
    /// As the default one, but only `shop/checkout` is ill.
    CrashLoop,
    /// As the default one, but only `shop/cart` is ill.
    BadRelease,
    /// As the default one, but only `shop/recommend` is short of replicas.
    Saturated,
}

impl ScenarioName {
    pub const WORDS: [(&'static str, Self); 4] = [
        ("default", Self::Default),
        ("crash-loop", Self::CrashLoop),
        ("bad-release", Self::BadRelease),
        ("saturated", Self::Saturated),
    ];

    /// The scenario in which only this workload is ill.
    fn of(workload: &str) -> Option<Self> {
        match workload {
            "checkout" => Some(Self::CrashLoop),
            "cart" => Some(Self::BadRelease),
            "recommend" => Some(Self::Saturated),
            _ => None,
        }
    }
}

/// There is no scenario of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scenario of this name; known: {}", ScenarioName::WORDS.map(|(word, _)| word).join(", "))]
pub struct ScenarioError;

impl std::str::FromStr for ScenarioName {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        Self::WORDS
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, name)| *name)
            .ok_or(ScenarioError)
    }
}

const GIB: u64 = 1024 * 1024 * 1024;
const MIB: u64 = 1024 * 1024;

/// Node, zone.
const NODES: [(&str, &str); 3] = [("node-1", "a"), ("node-2", "b"), ("node-3", "c")];
const NODE_CPU_M: u64 = 8_000;
const NODE_MEMORY: u64 = 32 * GIB;
const NODE_PODS_MAX: usize = 110;

/// What is wrong with a workload when the world begins.
#[derive(Debug, Clone, Copy)]
enum Ill {
    No,
    /// One old pod crash-loops; a new pod of the same template is well.
    OnePod {
        since: Span,
    },
    /// The newest image crashes; the one before it is well. The rollout is stuck.
    NewImage {
        image: &'static str,
        since: Span,
    },
}

/// One workload of a scenario.
struct Row {
    kind: Kind,
    namespace: &'static str,
    name: &'static str,
    replicas: u32,
    image: &'static str,
    age: Span,
    startup: Span,
    cpu_m: u64,
    memory_mib: u64,
    ill: Ill,
    more: fn(&mut Workload),
}

const fn row(
    kind: Kind,
    namespace: &'static str,
    name: &'static str,
    replicas: u32,
    image: &'static str,
) -> Row {
    Row {
        kind,
        namespace,
        name,
        replicas,
        image,
        age: days(20),
        startup: Span::from_secs(15),
        cpu_m: 250,
        memory_mib: 512,
        ill: Ill::No,
        more: |_| {},
    }
}

const fn days(count: u64) -> Span {
    Span::from_mins(count * 24 * 60)
}

/// Each workload of the default scenario, by namespace and name.
fn rows() -> Vec<Row> {
    use Kind::{Deployment, StatefulSet};
    vec![
        Row {
            age: days(40),
            more: |w| w.protected = true,
            ..row(Deployment, "kube-system", "coredns", 2, "registry.example/coredns:1.13.1")
        },
        Row {
            more: |w| w.strategy.kind = StrategyKind::OnDelete,
            ..row(StatefulSet, "jobs", "archive", 1, "registry.example/archive:0.9.2")
        },
        row(Deployment, "platform", "ingress", 2, "registry.example/ingress:4.2.0"),
        Row {
            startup: Span::from_secs(30),
            cpu_m: 500,
            memory_mib: 2048,
            more: |w| w.budgets = vec![Budget { name: "kafka".into(), needs: 2 }],
            ..row(StatefulSet, "platform", "kafka", 3, "registry.example/kafka:4.1.0")
        },
        row(Deployment, "platform", "metrics", 1, "registry.example/metrics:0.8.1"),
        Row {
            age: days(9),
            ill: Ill::NewImage { image: "registry.example/cart:3.2.0", since: Span::from_mins(22) },
            ..row(Deployment, "shop", "cart", 3, "registry.example/cart:3.1.4")
        },
        row(Deployment, "shop", "catalog", 2, "registry.example/catalog:5.0.3"),
        Row {
            age: days(9),
            startup: Span::from_secs(20),
            ill: Ill::OnePod { since: Span::from_mins(11) },
            more: |w| w.budgets = vec![Budget { name: "checkout".into(), needs: 2 }],
            ..row(Deployment, "shop", "checkout", 3, "registry.example/checkout:2.8.1")
        },
        row(Deployment, "shop", "mailer", 1, "registry.example/mailer:1.4.0"),
        Row {
            startup: Span::from_secs(45),
            cpu_m: 1000,
            memory_mib: 4096,
            ..row(StatefulSet, "shop", "orders-db", 1, "registry.example/postgres:18.1")
        },
        row(Deployment, "shop", "payments", 2, "registry.example/payments:2.2.7"),
        Row {
            more: |w| w.load = Some(Load { total: 540, per_pod: 100 }),
            ..row(Deployment, "shop", "recommend", 4, "registry.example/recommend:1.12.0")
        },
        Row {
            startup: Span::from_secs(30),
            cpu_m: 500,
            memory_mib: 2048,
            ..row(StatefulSet, "shop", "search", 3, "registry.example/search:9.1.0")
        },
        Row {
            more: |w| {
                w.load = Some(Load { total: 380, per_pod: 100 });
                w.hpa = Some(Autoscaler { name: "web".into(), min: 3, max: 8 });
            },
            ..row(Deployment, "shop", "web", 4, "registry.example/web:7.3.0")
        },
    ]
}

/// Fills an empty world.
pub(crate) fn build(scenario: ScenarioName, world: &mut World) -> Result<(), WorldError> {
    for (name, zone) in NODES {
        let node = Node {
            name: name.to_owned(),
            uid: world.new_uid()?,
            zone: zone.to_owned(),
            cpu_m: NODE_CPU_M,
            memory: NODE_MEMORY,
            pods_max: NODE_PODS_MAX,
        };
        world.nodes.push(node);
    }
    rows().into_iter().try_for_each(|row| add(world, &within(scenario, row)))
}

/// A row as it is in a scenario: well, unless the scenario is about it.
fn within(scenario: ScenarioName, row: Row) -> Row {
    let own = ScenarioName::of(row.name);
    if scenario == ScenarioName::Default || own.is_none() || own == Some(scenario) {
        return row;
    }
    let more = match own {
        Some(ScenarioName::Saturated) => {
            |w: &mut Workload| w.load = Some(Load { total: 300, per_pod: 100 })
        }
        _ => row.more,
    };
    Row { ill: Ill::No, more, ..row }
}

fn ago(now: Timestamp, span: Span) -> Timestamp {
    Timestamp(now.0.saturating_sub(span.micros()))
}

fn add(world: &mut World, row: &Row) -> Result<(), WorldError> {
    let now = world.now();
    let began = ago(now, row.age);
    let template = |image: &str| Template { annotations: BTreeMap::new(), image: image.to_owned() };
    let first =
        world.new_revision(row.name, 11, template(&older(row.image)), ago(began, row.age), true)?;
    let good = world.new_revision(row.name, 12, template(row.image), began, true)?;
    let mut revisions = vec![first, good.clone()];
    let mut current = good.clone();
    let mut bad_images = BTreeSet::new();
    if let Ill::NewImage { image, since } = row.ill {
        current = world.new_revision(row.name, 13, template(image), ago(now, since), false)?;
        bad_images.insert(image.to_owned());
        revisions.push(current.clone());
    }
    let rolled_at = current.created;
    let complete = current.good;
    let mut workload = Workload {
        kind: row.kind,
        namespace: row.namespace.to_owned(),
        name: row.name.to_owned(),
        uid: world.new_uid()?,
        generation: 17,
        replicas: row.replicas,
        digest: current.digest,
        template: current.template.clone(),
        revisions,
        strategy: strategy(row.kind),
        paused: false,
        startup: row.startup,
        grace: Span::from_secs(5),
        cpu_m: row.cpu_m,
        memory: row.memory_mib * MIB,
        services: vec![row.name.to_owned()],
        budgets: vec![],
        hpa: None,
        load: None,
        protected: false,
        bad_images,
        flapping: BTreeSet::new(),
        observed_at: rolled_at,
        rolled_at,
        progressed_at: rolled_at,
        complete,
        pods: vec![],
    };
    (row.more)(&mut workload);
    for ordinal in 0..row.replicas {
        let fate = match row.ill {
            Ill::OnePod { since } if ordinal == 0 => {
                Fate::Crashes { reason: "CrashLoopBackOff", exit_code: 137, since: ago(now, since) }
            }
            Ill::OnePod { .. } | Ill::NewImage { .. } | Ill::No => Fate::Runs { ready_at: began },
        };
        add_pod(world, &mut workload, &good.hash(), ordinal, began, fate)?;
    }
    if let Ill::NewImage { since, .. } = row.ill {
        let since = ago(now, since);
        let fate = Fate::Crashes { reason: "CrashLoopBackOff", exit_code: 1, since };
        let hash = current.hash();
        add_pod(world, &mut workload, &hash, row.replicas, since, fate)?;
    }
    world.workloads.insert(workload.key(), workload);
    Ok(())
}

/// Image `name:2.8.1` had the tag `2.8.1-previous` before: another template, which is all that matters.
fn older(image: &str) -> String {
    format!("{image}-previous")
}

fn strategy(kind: Kind) -> Strategy {
    Strategy {
        kind: StrategyKind::RollingUpdate,
        max_unavailable: u32::from(kind == Kind::StatefulSet),
        max_surge: u32::from(kind == Kind::Deployment),
        partition: 0,
        min_ready: Span::ZERO,
    }
}

fn add_pod(
    world: &mut World,
    workload: &mut Workload,
    hash: &str,
    ordinal: u32,
    created: Timestamp,
    fate: Fate,
) -> Result<(), WorldError> {
    let stateful = workload.kind == Kind::StatefulSet;
    let name = if stateful {
        format!("{}-{ordinal}", workload.name)
    } else {
        format!("{}-{hash}-{}", workload.name, world.new_suffix())
    };
    let pod = Pod {
        name,
        uid: world.new_uid()?,
        ordinal: stateful.then_some(ordinal),
        hash: hash.to_owned(),
        node: world.choose_node(workload),
        created,
        fate,
        gone_at: None,
    };
    workload.pods.push(pod);
    Ok(())
}
