//! Room: which node takes a pod, and whether a placement for more pods can be found.

use super::World;
use super::objects::{Node, Workload};

/// What is taken on one node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) cpu_m: u64,
    pub(super) memory: u64,
    pub(super) pods: usize,
}

impl Taken {
    fn with(self, workload: &Workload) -> Self {
        Self {
            cpu_m: self.cpu_m + workload.cpu_m,
            memory: self.memory + workload.memory,
            pods: self.pods + 1,
        }
    }

    fn fits(self, node: &Node) -> bool {
        self.cpu_m <= node.cpu_m && self.memory <= node.memory && self.pods <= node.pods_max
    }
}

impl World {
    /// What is taken on a node: pods that end count until they are gone.
    pub(super) fn taken(&self, node: &str, also: Option<&Workload>) -> Taken {
        let workloads = self.workloads.values().chain(also);
        workloads.fold(Taken::default(), |taken, workload| {
            let here = workload.pods.iter().filter(|p| p.node.as_deref() == Some(node));
            here.fold(taken, |taken, _| taken.with(workload))
        })
    }

    /// The node with room that has the fewest pods of this workload, then the fewest pods. The workload may stand
    /// in the world or outside of it, but not both.
    pub(crate) fn choose_node(&self, workload: &Workload) -> Option<String> {
        let inside = self.workloads.contains_key(&workload.key());
        let also = (!inside).then_some(workload);
        let open = self.nodes.iter().filter_map(|node| {
            let taken = self.taken(&node.name, also);
            let own = own_pods(workload, &node.name);
            taken.with(workload).fits(node).then_some((own, taken.pods, &node.name))
        });
        open.min().map(|(_, _, name)| name.clone())
    }

    /// Whether a placement is found for as many pods as `replicas` asks in all. Greedy: a found placement proves
    /// room, none found proves nothing.
    pub(super) fn fits(&self, workload: &Workload, replicas: u64) -> bool {
        let present = u64::try_from(workload.living().count()).unwrap_or(u64::MAX);
        let mut taken: Vec<(&Node, Taken)> =
            self.nodes.iter().map(|n| (n, self.taken(&n.name, None))).collect();
        for _ in present..replicas {
            let open = taken.iter_mut().filter(|(node, taken)| taken.with(workload).fits(node));
            match open.min_by_key(|(_, taken)| taken.pods) {
                Some((_, least)) => *least = least.with(workload),
                None => return false,
            }
        }
        true
    }
}

fn own_pods(workload: &Workload, node: &str) -> usize {
    workload.living().filter(|p| p.node.as_deref() == Some(node)).count()
}
