//! The journal in memory: the second implementation of the port, for tests and simulation.
//!
//! It decides by itself, without a line of the SQL one, so that the suite over both means something. What a keeper
//! finds after its predecessor died is [`MemoryJournal::reopen`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{FutureExt, lazy};
use steadyhand_engine::port::{
    Answer, AppendError, Batch, Blob, Fenced, Journal, LoadError, RateReservation, RunFilter,
    RunRow,
};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{At, Recorded, StreamId};
use steadyhand_model::ids::{DriverId, Fence, InboxId, RunId, Seq};
use steadyhand_model::plan::{Plan, TargetKey};
use steadyhand_model::time::{Span, Timestamp};

use crate::batch::{Head, chain_rows, check_batch, check_blob, run_of};
use crate::export::{Export, ExportError, Exported};

/// Most plans that a prefix answers with.
const PLANS_BY_PREFIX_MAX: usize = 10;

/// A journal that lives as long as its last handle.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    /// What would be on the disk. Locked for the length of one call, never over an await.
    disk: Arc<Mutex<Disk>>,
    /// Fences taken through this handle, as a keeper has them in its memory.
    held: Mutex<BTreeMap<RunId, Fence>>,
}

#[derive(Debug, Default)]
struct Stream {
    /// Place of its first row in the order of commits.
    began: usize,
    rows: Vec<Recorded>,
    pendings: Vec<(Seq, Digest)>,
}

#[derive(Debug, Default)]
struct Disk {
    streams: BTreeMap<StreamId, Stream>,
    committed: Vec<(StreamId, Seq)>,
    intents: BTreeSet<(RunId, At)>,
    leases: BTreeMap<TargetKey, RunId>,
    inbox: BTreeMap<InboxId, CanonicalJson>,
    /// Times of the reservations of a subject, rising.
    rates: BTreeMap<String, Vec<Timestamp>>,
    plans: BTreeMap<Digest, Arc<Plan>>,
    blobs: BTreeMap<Digest, Arc<[u8]>>,
    /// By the place of the run's first row in `committed`.
    runs: BTreeMap<usize, RunRow>,
    due: BTreeMap<RunId, Timestamp>,
    fences: BTreeMap<RunId, Fence>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here panics between two changes that belong together.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryJournal {
    pub fn new() -> Self {
        Self::default()
    }

    /// The journal as the next keeper finds it: the same rows, no fence in its memory.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self { disk: Arc::clone(&self.disk), held: Mutex::default() }
    }

    /// Writes the journal in the form that the judge reads.
    pub fn export(&self, into: &Path) -> Result<Exported, ExportError> {
        let disk = locked(&self.disk);
        let mut export = Export::begin(into)?;
        for (stream, seq) in &disk.committed {
            // A stream's rows are numbered from 1 without a gap.
            let index = usize::try_from(seq.0.saturating_sub(1)).unwrap_or(usize::MAX);
            if let Some(row) = disk.streams.get(stream).and_then(|s| s.rows.get(index)) {
                export.row(row)?;
            }
        }
        for (digest, plan) in &disk.plans {
            export.plan(*digest, plan.bytes())?;
        }
        export.end()
    }
}

impl Disk {
    fn append(
        &mut self,
        stream: StreamId,
        expected: Seq,
        now: Timestamp,
        batch: Batch,
    ) -> Result<Vec<Recorded>, AppendError> {
        check_batch(&stream, &batch)?;
        if let Some((id, _)) = &batch.consumed
            && let Some(answer) = self.inbox.get(id)
        {
            return Err(AppendError::AlreadyConsumed { answer: answer.clone() });
        }
        let last = self.streams.get(&stream).and_then(|s| s.rows.last());
        let head = last.map_or_else(Head::none, Head::of);
        if head.seq != expected {
            return Err(AppendError::Conflict { expected, found: head.seq });
        }
        let rows = chain_rows(&stream, head, now, &batch)?;
        if let Some(run) = run_of(&stream) {
            self.check_leases(run, &batch)?;
            self.check_intents(run, &batch)?;
        }
        for rate in &batch.rates {
            self.check_rate(rate, now)?;
        }
        self.write(stream, now, batch, &rows);
        Ok(rows)
    }

    fn check_leases(&self, run: &RunId, batch: &Batch) -> Result<(), AppendError> {
        for target in &batch.leases_taken {
            match self.leases.get(target) {
                Some(by) if by != run => {
                    return Err(AppendError::LeaseHeld { target: target.clone(), by: by.clone() });
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    fn check_intents(&self, run: &RunId, batch: &Batch) -> Result<(), AppendError> {
        let mut new = BTreeSet::new();
        for intent in &batch.intents {
            let key = (run.clone(), intent.at.clone());
            if self.intents.contains(&key) || !new.insert(key) {
                return Err(AppendError::IntentTwice);
            }
        }
        Ok(())
    }

    /// Times of a subject that count within a window, oldest first.
    fn counted(&self, subject: &str, window: Span, now: Timestamp) -> Vec<Timestamp> {
        let times = self.rates.get(subject).map_or(&[][..], Vec::as_slice);
        let now = times.last().map_or(now, |last| now.max(*last));
        let from = now.0.saturating_sub(window.micros());
        times.iter().copied().filter(|at| at.0 >= from).collect()
    }

    fn check_rate(&self, rate: &RateReservation, now: Timestamp) -> Result<(), AppendError> {
        let counted = self.counted(&rate.subject, rate.window, now);
        let count = usize::try_from(rate.count).unwrap_or(usize::MAX);
        if counted.len() < count {
            return Ok(());
        }
        // One place is free when only `count - 1` of them are left in the window.
        let leaves = counted.iter().rev().nth(count.saturating_sub(1)).filter(|_| count > 0);
        Err(AppendError::RateSpent {
            subject: rate.subject.clone(),
            used: u32::try_from(counted.len()).unwrap_or(u32::MAX),
            count: rate.count,
            window: rate.window,
            free_at: leaves.map_or(Timestamp::MAX, |at| out_of_window(*at, rate.window)),
        })
    }

    fn write(&mut self, stream: StreamId, now: Timestamp, batch: Batch, rows: &[Recorded]) {
        if let Some((id, answer)) = batch.consumed {
            self.inbox.insert(id, answer);
        }
        if let Some(run) = run_of(&stream) {
            self.leases.retain(|target, by| by != run || !batch.leases_released.contains(target));
            for target in batch.leases_taken {
                self.leases.insert(target, run.clone());
            }
            self.intents.extend(batch.intents.into_iter().map(|i| (run.clone(), i.at)));
            if !rows.is_empty() {
                match batch.due {
                    Some(at) => self.due.insert(run.clone(), at),
                    None => self.due.remove(run),
                };
            }
        }
        let subjects: BTreeSet<String> = batch.rates.into_iter().map(|r| r.subject).collect();
        for subject in subjects {
            let times = self.rates.entry(subject).or_default();
            times.push(times.last().map_or(now, |last| now.max(*last)));
        }
        for blob in batch.blobs {
            self.blobs.insert(blob.digest, blob.bytes);
        }
        if let Some(last) = rows.last() {
            let began = self.committed.len();
            self.committed.extend(rows.iter().map(|row| (stream.clone(), row.seq)));
            let kept = self
                .streams
                .entry(stream.clone())
                .or_insert_with(|| Stream { began, ..Stream::default() });
            kept.rows.extend_from_slice(rows);
            kept.pendings.extend(batch.pending.map(|pending| (last.seq, pending)));
        }
        if let (Some(row), Some(kept)) = (batch.row, self.streams.get(&stream)) {
            self.runs.insert(kept.began, row);
        }
    }

    fn runs(&self, filter: &RunFilter) -> Vec<RunRow> {
        let newest = self.runs.values().rev();
        match filter {
            RunFilter::Open => newest.filter(|r| !r.finished).cloned().collect(),
            RunFilter::Newest { limit } => {
                newest.take(usize::try_from(*limit).unwrap_or(usize::MAX)).cloned().collect()
            }
            RunFilter::Prefix(text) => {
                newest.filter(|r| r.run.as_str().starts_with(text)).cloned().collect()
            }
            RunFilter::One(run) => newest.filter(|r| r.run == *run).cloned().collect(),
        }
    }

    fn due(&self, now: Timestamp, limit: u32) -> (Vec<RunId>, Option<Timestamp>) {
        let mut times: Vec<(Timestamp, &RunId)> =
            self.due.iter().map(|(run, at)| (*at, run)).collect();
        times.sort();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let come = times.iter().take(limit).take_while(|(at, _)| *at <= now).count();
        let runs = times.iter().take(come).map(|(_, run)| (*run).clone()).collect();
        (runs, times.get(come).map(|(at, _)| *at))
    }
}

/// The first moment at which a reservation no longer counts: the window has both its ends.
fn out_of_window(at: Timestamp, window: Span) -> Timestamp {
    Timestamp(at.plus(window).0.saturating_add(1))
}

fn missing<T>(found: Option<T>) -> Result<T, LoadError> {
    found.ok_or(LoadError::Missing)
}

/// Nothing happens before the first poll, as with a real disk: a future that is dropped unpolled wrote nothing.
fn when_polled<'a, T: Send + 'a, E: Send + 'a>(
    work: impl FnOnce() -> Result<T, E> + Send + 'a,
) -> Answer<'a, T, E> {
    lazy(move |_| work()).boxed()
}

impl Journal for MemoryJournal {
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        now: Timestamp,
        batch: Batch,
    ) -> Answer<'_, Vec<Recorded>, AppendError> {
        when_polled(move || locked(&self.disk).append(stream, expected, now, batch))
    }

    fn load(&self, stream: StreamId) -> Answer<'_, Vec<Recorded>, LoadError> {
        when_polled(move || {
            missing(locked(&self.disk).streams.get(&stream).map(|s| s.rows.clone()))
        })
    }

    fn pendings(&self, stream: StreamId) -> Answer<'_, Vec<(Seq, Digest)>, LoadError> {
        when_polled(move || {
            missing(locked(&self.disk).streams.get(&stream).map(|s| s.pendings.clone()))
        })
    }

    fn put_plan(&self, plan: Arc<Plan>) -> Answer<'_, (), AppendError> {
        when_polled(move || {
            locked(&self.disk).plans.insert(plan.digest(), plan);
            Ok(())
        })
    }

    fn plan(&self, digest: Digest) -> Answer<'_, Arc<Plan>, LoadError> {
        when_polled(move || missing(locked(&self.disk).plans.get(&digest).cloned()))
    }

    fn plans_by_prefix(&self, hex: String) -> Answer<'_, Vec<Digest>, LoadError> {
        when_polled(move || {
            let disk = locked(&self.disk);
            let fitting = disk.plans.keys().filter(|digest| digest.hex().starts_with(&hex));
            Ok(fitting.take(PLANS_BY_PREFIX_MAX).copied().collect())
        })
    }

    fn put_blob(&self, blob: Blob) -> Answer<'_, (), AppendError> {
        when_polled(move || {
            check_blob(&blob)?;
            locked(&self.disk).blobs.insert(blob.digest, blob.bytes);
            Ok(())
        })
    }

    fn blob(&self, digest: Digest) -> Answer<'_, Arc<[u8]>, LoadError> {
        when_polled(move || missing(locked(&self.disk).blobs.get(&digest).cloned()))
    }

    fn take_over(&self, run: RunId, _driver: DriverId) -> Answer<'_, Fence, AppendError> {
        when_polled(move || {
            let mut disk = locked(&self.disk);
            let fence = disk.fences.entry(run.clone()).or_default();
            *fence = fence.next();
            locked(&self.held).insert(run, *fence);
            Ok(*fence)
        })
    }

    fn dispatch(&self, run: RunId, fence: Fence) -> Answer<'_, (), Fenced> {
        when_polled(move || {
            let current = locked(&self.held).get(&run).copied().unwrap_or_default();
            let fresh = current == fence && current != Fence::default();
            if fresh { Ok(()) } else { Err(Fenced { held: fence, current }) }
        })
    }

    fn runs(&self, filter: RunFilter) -> Answer<'_, Vec<RunRow>, LoadError> {
        when_polled(move || Ok(locked(&self.disk).runs(&filter)))
    }

    fn due(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Answer<'_, (Vec<RunId>, Option<Timestamp>), LoadError> {
        when_polled(move || Ok(locked(&self.disk).due(now, limit)))
    }

    fn answered(&self, id: InboxId) -> Answer<'_, Option<CanonicalJson>, LoadError> {
        when_polled(move || Ok(locked(&self.disk).inbox.get(&id).cloned()))
    }

    fn used(
        &self,
        subject: String,
        window: Span,
        now: Timestamp,
    ) -> Answer<'_, (u32, Option<Timestamp>), LoadError> {
        when_polled(move || {
            let counted = locked(&self.disk).counted(&subject, window, now);
            let used = u32::try_from(counted.len()).unwrap_or(u32::MAX);
            Ok((used, counted.first().map(|at| out_of_window(*at, window))))
        })
    }

    fn holders(&self, targets: Vec<TargetKey>) -> Answer<'_, Vec<(TargetKey, RunId)>, LoadError> {
        when_polled(move || {
            let disk = locked(&self.disk);
            let held = targets.into_iter().filter_map(|target| {
                let run = disk.leases.get(&target)?.clone();
                Some((target, run))
            });
            Ok(held.collect())
        })
    }
}
