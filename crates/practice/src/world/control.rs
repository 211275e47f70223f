//! Controllers: what the cluster does by itself, as a sequence of instants at which something can change.

use steadyhand_model::digest::Digest;
use steadyhand_model::time::{Span, Timestamp};

use super::objects::{Fate, Key, Kind, Pod, Revision, StrategyKind, Template, Workload};
use super::{Late, World, WorldError};

/// How long a controller takes to see a changed spec.
const OBSERVE_AFTER: Span = Span::from_millis(400);
/// An autoscaler decides at whole multiples of this.
const AUTOSCALE_EVERY: Span = Span::from_secs(15);
/// A rollout that has not come forward for this long is stuck.
pub(super) const PROGRESS_DEADLINE: Span = Span::from_mins(10);
/// Revisions kept beside the current one.
const REVISIONS_KEPT: usize = 10;

/// The spec of a workload was changed at `now`.
pub(super) fn touched(workload: &mut Workload, now: Timestamp) {
    workload.generation += 1;
    workload.observed_at = now.plus(OBSERVE_AFTER);
}

impl World {
    /// Goes on to `to`; a time that is past does nothing.
    ///
    /// # Errors
    /// If the world's own objects cannot be named.
    pub fn advance(&mut self, to: Timestamp) -> Result<(), WorldError> {
        while let Some(at) = self.next_instant().filter(|at| *at <= to) {
            self.settle(at)?;
        }
        self.now = self.now.max(to);
        Ok(())
    }

    /// When something can change next.
    fn next_instant(&self) -> Option<Timestamp> {
        let late = self.late.iter().map(|l| l.due);
        let workloads = self.workloads.values().filter_map(|w| self.next_of(w));
        let alerts = self.alerts_next();
        late.chain(workloads).chain(alerts).filter(|at| *at > self.now).min()
    }

    fn next_of(&self, workload: &Workload) -> Option<Timestamp> {
        let pods = workload.pods.iter().flat_map(|pod| {
            let ready = match &pod.fate {
                Fate::Runs { ready_at } => {
                    [Some(*ready_at), Some(ready_at.plus(workload.strategy.min_ready))]
                }
                Fate::Crashes { .. } | Fate::Flaps { .. } => [None, None],
            };
            ready.into_iter().flatten().chain(pod.gone_at)
        });
        let stuck = (!workload.complete).then(|| workload.progressed_at.plus(PROGRESS_DEADLINE));
        let scale = autoscaled(workload)
            .filter(|wanted| *wanted != workload.replicas)
            .map(|_| next_multiple(self.now, AUTOSCALE_EVERY));
        pods.chain([workload.observed_at])
            .chain(stuck)
            .chain(scale)
            .filter(|at| *at > self.now)
            .min()
    }

    /// Lets everything happen that is due at `at`.
    pub(super) fn settle(&mut self, at: Timestamp) -> Result<(), WorldError> {
        self.now = at;
        self.land(at)?;
        let keys: Vec<Key> = self.workloads.keys().cloned().collect();
        for key in &keys {
            self.autoscale(key);
            self.reconcile(key)?;
        }
        self.place_waiting();
        self.watch_alerts();
        Ok(())
    }

    fn land(&mut self, at: Timestamp) -> Result<(), WorldError> {
        let (due, rest): (Vec<Late>, Vec<Late>) =
            std::mem::take(&mut self.late).into_iter().partition(|l| l.due <= at);
        self.late = rest;
        for late in due {
            let changed = self.perform(late.of, &late.attempt, late.flapping)?;
            self.landed.push((late.of, late.due, changed));
        }
        Ok(())
    }

    fn autoscale(&mut self, key: &Key) {
        let now = self.now;
        let on_time = now.0 % AUTOSCALE_EVERY.micros() == 0;
        let Some(workload) = self.workloads.get_mut(key) else { return };
        let wanted = autoscaled(workload).filter(|wanted| on_time && *wanted != workload.replicas);
        let Some(wanted) = wanted else { return };
        let message = format!("new size: {wanted}");
        workload.replicas = wanted;
        touched(workload, now);
        let name = workload.hpa.as_ref().map_or_else(String::new, |h| h.name.clone());
        self.note(&key.0, &key.1, "HorizontalPodAutoscaler", name, "SuccessfulRescale", &message);
    }

    /// One look of the controller of one workload. Taking the workload out keeps the rest of the world readable.
    fn reconcile(&mut self, key: &Key) -> Result<(), WorldError> {
        let Some(mut workload) = self.workloads.remove(key) else { return Ok(()) };
        let now = self.now;
        workload.pods.retain(|p| p.gone_at.is_none_or(|gone| gone > now));
        let result = if workload.observed(now) {
            let result = match workload.kind {
                Kind::Deployment => self.reconcile_deployment(&mut workload),
                Kind::StatefulSet => self.reconcile_stateful(&mut workload),
            };
            note_progress(&mut workload, now);
            result
        } else {
            Ok(())
        };
        self.workloads.insert(key.clone(), workload);
        result
    }

    fn reconcile_deployment(&mut self, workload: &mut Workload) -> Result<(), WorldError> {
        let now = self.now;
        let wanted = workload.wanted();
        let hash = workload.hash();
        if workload.paused && !workload.complete {
            return Ok(());
        }
        let (surge, least) = match workload.strategy.kind {
            StrategyKind::Recreate | StrategyKind::OnDelete => (0, 0),
            StrategyKind::RollingUpdate => (
                usize::try_from(workload.strategy.max_surge).unwrap_or(usize::MAX),
                wanted.saturating_sub(
                    usize::try_from(workload.strategy.max_unavailable).unwrap_or(usize::MAX),
                ),
            ),
        };
        let fresh = workload.updated().count();
        let old = workload.living().filter(|p| p.hash != hash).count();
        if old > 0 {
            let min_ready = workload.strategy.min_ready;
            let fresh_away = workload.updated().filter(|p| !p.available(now, min_ready)).count();
            let spare = (fresh + old).saturating_sub(least).saturating_sub(fresh_away);
            // Broken old pods go first, then working ones as far as enough pods stay available.
            let broken = end(workload, spare, now, |p| p.hash != hash && !p.ready(now));
            let healthy = workload.available(now).saturating_sub(least).min(spare - broken);
            end(workload, healthy, now, |p| p.hash != hash);
        } else if fresh > wanted {
            let surplus = fresh - wanted;
            let broken = end(workload, surplus, now, |p| !p.ready(now));
            end(workload, surplus - broken, now, |_| true);
        }
        let waiting_for_end = workload.strategy.kind == StrategyKind::Recreate
            && workload.pods.iter().any(|p| p.hash != hash);
        while !waiting_for_end
            && workload.updated().count() < wanted
            && workload.living().count() < wanted.saturating_add(surge)
        {
            let name = format!("{}-{hash}-{}", workload.name, self.new_suffix());
            self.create(workload, name, None, hash.clone())?;
        }
        Ok(())
    }

    /// Ordered and ready: one pod at a time, and never past one that is not ready.
    fn reconcile_stateful(&mut self, workload: &mut Workload) -> Result<(), WorldError> {
        let now = self.now;
        for ordinal in 0..workload.replicas {
            match workload.pods.iter().find(|p| p.ordinal == Some(ordinal)) {
                Some(pod) if pod.ready(now) => {}
                Some(_) => return Ok(()),
                None => {
                    let name = format!("{}-{ordinal}", workload.name);
                    let hash = self.stateful_hash(workload, ordinal);
                    return self.create(workload, name, Some(ordinal), hash);
                }
            }
        }
        let surplus = workload.living().filter_map(|p| p.ordinal).max();
        if let Some(highest) = surplus.filter(|o| *o >= workload.replicas) {
            end(workload, 1, now, |p| p.ordinal == Some(highest));
            return Ok(());
        }
        if workload.strategy.kind == StrategyKind::OnDelete {
            return Ok(());
        }
        let hash = workload.hash();
        let partition = workload.strategy.partition;
        let stale = workload
            .living()
            .filter(|p| p.hash != hash)
            .filter_map(|p| p.ordinal)
            .filter(|o| *o >= partition)
            .max();
        if let Some(ordinal) = stale {
            end(workload, 1, now, |p| p.ordinal == Some(ordinal));
        }
        Ok(())
    }

    /// The template of a new pod: the present one, but for ordinals that a partition keeps back.
    fn stateful_hash(&self, workload: &Workload, ordinal: u32) -> String {
        let kept_back = ordinal < workload.strategy.partition;
        let earlier = workload.revisions.iter().filter(|r| r.digest != workload.digest);
        match earlier.max_by_key(|r| r.number) {
            Some(revision) if kept_back && !workload.complete => revision.hash(),
            _ => workload.hash(),
        }
    }

    fn create(
        &mut self,
        workload: &mut Workload,
        name: String,
        ordinal: Option<u32>,
        hash: String,
    ) -> Result<(), WorldError> {
        let now = self.now;
        let image = workload.revisions.iter().find(|r| r.hash() == hash).map(|r| &r.template.image);
        let bad = image.is_some_and(|image| workload.bad_images.contains(image));
        let ready_at = now.plus(workload.startup);
        let fate = if bad {
            Fate::Crashes { reason: "CrashLoopBackOff", exit_code: 1, since: now }
        } else if workload.flapping.contains(&hash) {
            Fate::Flaps { since: now }
        } else {
            Fate::Runs { ready_at }
        };
        let node = self.choose_node(workload);
        self.note(
            &workload.namespace,
            &workload.name,
            "Pod",
            name.clone(),
            if node.is_some() { "Scheduled" } else { "FailedScheduling" },
            node.as_deref().unwrap_or("no node has room"),
        );
        let uid = self.new_uid()?;
        workload.pods.push(Pod {
            name,
            uid,
            ordinal,
            hash,
            node,
            created: now,
            fate,
            gone_at: None,
        });
        Ok(())
    }

    /// Pods that found no room before are placed when there is some.
    fn place_waiting(&mut self) {
        let now = self.now;
        let waiting: Vec<(Key, String)> = self
            .workloads
            .values()
            .flat_map(|w| {
                w.living().filter(|p| p.node.is_none()).map(|p| (w.key(), p.name.clone()))
            })
            .collect();
        for (key, name) in waiting {
            let node = self.workloads.get(&key).and_then(|w| self.choose_node(w));
            let (Some(node), Some(workload)) = (node, self.workloads.get_mut(&key)) else {
                continue;
            };
            let startup = workload.startup;
            if let Some(pod) = workload.pods.iter_mut().find(|p| p.name == name) {
                pod.node = Some(node);
                if let Fate::Runs { ready_at } = &mut pod.fate {
                    *ready_at = now.plus(startup);
                }
            }
        }
    }

    /// Puts a template in place, as a new revision or as an earlier one with a new number.
    pub(super) fn put_template(&mut self, key: &Key, template: Template) -> Result<(), WorldError> {
        let now = self.now;
        let Some(workload) = self.workloads.get(key) else { return Ok(()) };
        let digest = template.digest().map_err(|source| WorldError::Template { source })?;
        if digest == workload.digest {
            return Ok(());
        }
        let number = 1 + workload.revisions.iter().map(|r| r.number).max().unwrap_or(0);
        let known = workload.revisions.iter().any(|r| r.digest == digest);
        let made = if known {
            None
        } else {
            let name = workload.name.clone();
            Some(self.new_revision(&name, number, template.clone(), now, false)?)
        };
        let Some(workload) = self.workloads.get_mut(key) else { return Ok(()) };
        renumber(workload, digest, number, made);
        workload.template = template;
        workload.digest = digest;
        workload.rolled_at = now;
        workload.progressed_at = now;
        workload.complete = false;
        touched(workload, now);
        let (namespace, name) = (key.0.clone(), key.1.clone());
        let message = format!("revision {number}");
        let kind = workload.kind.word();
        self.note(&namespace, &name, kind, name.clone(), "TemplateChanged", &message);
        Ok(())
    }
}

fn renumber(workload: &mut Workload, digest: Digest, number: u64, made: Option<Revision>) {
    workload.revisions.extend(made);
    for revision in workload.revisions.iter_mut().filter(|r| r.digest == digest) {
        revision.number = number;
    }
    workload.revisions.sort_by_key(|r| r.number);
    let over = workload.revisions.len().saturating_sub(REVISIONS_KEPT + 1);
    workload.revisions.drain(..over);
}

/// Tells at most `count` living pods to end, in the order in which they stand, and says how many there were.
fn end(
    workload: &mut Workload,
    count: usize,
    now: Timestamp,
    which: impl Fn(&Pod) -> bool,
) -> usize {
    let gone = now.plus(workload.grace);
    let mut ended = 0;
    for pod in workload.pods.iter_mut().filter(|p| p.lives() && which(p)).take(count) {
        pod.gone_at = Some(gone);
        ended += 1;
    }
    ended
}

fn note_progress(workload: &mut Workload, now: Timestamp) {
    if workload.complete {
        return;
    }
    let min_ready = workload.strategy.min_ready;
    let newest = workload.updated().filter(|p| p.available(now, min_ready)).map(|p| match p.fate {
        Fate::Runs { ready_at } => ready_at.plus(min_ready),
        Fate::Crashes { .. } | Fate::Flaps { .. } => p.created,
    });
    workload.progressed_at =
        newest.max().map_or(workload.progressed_at, |at| at.max(workload.progressed_at));
    let wanted = workload.wanted();
    let expected = wanted.saturating_sub(workload.partition());
    let on_delete = workload.strategy.kind == StrategyKind::OnDelete;
    let updated = workload.updated().filter(|p| p.available(now, min_ready)).count();
    if (updated >= expected || on_delete)
        && workload.living().count() == wanted
        && workload.available(now) >= wanted
    {
        workload.complete = true;
        let digest = workload.digest;
        for revision in workload.revisions.iter_mut().filter(|r| r.digest == digest) {
            revision.good = true;
        }
    }
}

/// What an autoscaler wants, where there is one and it has something to measure.
pub(super) fn autoscaled(workload: &Workload) -> Option<u32> {
    let hpa = workload.hpa.as_ref()?;
    let load = workload.load?;
    if workload.replicas == 0 {
        return None;
    }
    let pods = load.total.div_ceil(load.per_pod.max(1));
    Some(u32::try_from(pods).unwrap_or(u32::MAX).clamp(hpa.min, hpa.max))
}

fn next_multiple(after: Timestamp, every: Span) -> Timestamp {
    Timestamp((after.0.div_euclid(every.micros()) + 1) * every.micros())
}
