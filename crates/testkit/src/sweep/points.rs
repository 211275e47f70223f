//! The moments at which a keeper of the sweep may die: before and after each write to the journal, before and after
//! each question to a tool server. The two wrappers count them and change nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use rustix::process::{Signal, getpid, kill_process};
use steadyhand_engine::port::{
    Answer, AppendError, Authorized, Batch, Blob, Fenced, Journal, LoadError, PreviewError,
    ReadError, RunFilter, RunRow, ToolHost,
};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::capability::Envelope;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Recorded, StreamId};
use steadyhand_model::exchange::{ApplyReply, StepPreview};
use steadyhand_model::ids::{DriverId, Fence, InboxId, RunId, Seq};
use steadyhand_model::outcome::ProbeVerdict;
use steadyhand_model::plan::{Plan, TargetKey};
use steadyhand_model::reading::{Call, ReadCall};
use steadyhand_model::time::{Span, Timestamp};

/// What the keeper is about to do, or has just done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Spot {
    Append,
    PutPlan,
    PutBlob,
    TakeOver,
    Apply,
    Probe,
    Preview,
    Read,
}

impl Spot {
    const WORDS: [(&'static str, Self); 8] = [
        ("append", Self::Append),
        ("put-plan", Self::PutPlan),
        ("put-blob", Self::PutBlob),
        ("take-over", Self::TakeOver),
        ("apply", Self::Apply),
        ("probe", Self::Probe),
        ("preview", Self::Preview),
        ("read", Self::Read),
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::PutPlan => "put-plan",
            Self::PutBlob => "put-blob",
            Self::TakeOver => "take-over",
            Self::Apply => "apply",
            Self::Probe => "probe",
            Self::Preview => "preview",
            Self::Read => "read",
        }
    }

    /// Changes nothing anywhere, and there are many of them: a sample of these is enough.
    pub(super) fn only_looks(self) -> bool {
        matches!(self, Self::Preview | Self::Read)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    Before,
    After,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// A side of a spot: what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Edge {
    pub(super) side: Side,
    pub(super) spot: Spot,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.side.word(), self.spot.word())
    }
}

/// When a keeper dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kill {
    /// At the nth passing of one edge, from 1.
    At(Edge, u32),
    /// At the nth passing of any edge, from 1.
    Any(u32),
    /// At the nth passing of any edge of a write or a call, from 1.
    Act(u32),
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(edge, nth) => write!(f, "{edge}:{nth}"),
            Self::Any(nth) => write!(f, "any:{nth}"),
            Self::Act(nth) => write!(f, "act:{nth}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a point such as `before-append:3`, `any:7` or `act:7`")]
pub(super) struct PointError {
    text: String,
}

fn edge(text: &str) -> Option<Edge> {
    let (side, spot) = text.split_once('-')?;
    let side = match side {
        "before" => Side::Before,
        "after" => Side::After,
        _ => return None,
    };
    let (_, spot) = Spot::WORDS.into_iter().find(|(word, _)| *word == spot)?;
    Some(Edge { side, spot })
}

impl FromStr for Edge {
    type Err = PointError;

    fn from_str(text: &str) -> Result<Self, PointError> {
        edge(text).ok_or_else(|| PointError { text: text.to_owned() })
    }
}

impl FromStr for Kill {
    type Err = PointError;

    fn from_str(text: &str) -> Result<Self, PointError> {
        let wrong = || PointError { text: text.to_owned() };
        let (place, nth) = text.split_once(':').ok_or_else(wrong)?;
        let nth = match nth.parse() {
            Ok(nth) if nth > 0 => nth,
            _ => return Err(wrong()),
        };
        match place {
            "any" => Ok(Self::Any(nth)),
            "act" => Ok(Self::Act(nth)),
            _ => edge(place).map(|edge| Self::At(edge, nth)).ok_or_else(wrong),
        }
    }
}

/// Counts edges, and ends this process at one of them.
#[derive(Debug)]
pub(super) struct Points {
    kill: Option<Kill>,
    /// Guards the counts; never held over an await.
    passed: Mutex<BTreeMap<Edge, u32>>,
}

impl Points {
    pub(super) fn new(kill: Option<Kill>) -> Self {
        Self { kill, passed: Mutex::default() }
    }

    /// How often each edge was passed.
    pub(super) fn counts(&self) -> BTreeMap<Edge, u32> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn pass(&self, side: Side, spot: Spot) {
        let edge = Edge { side, spot };
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = passed.entry(edge).or_default();
        *nth += 1;
        let nth = *nth;
        let dies = match self.kill {
            Some(Kill::At(place, when)) => place == edge && when == nth,
            Some(Kill::Any(when)) => passed.values().sum::<u32>() == when,
            Some(Kill::Act(when)) => {
                let acts = passed.iter().filter(|(edge, _)| !edge.spot.only_looks());
                !spot.only_looks() && acts.map(|(_, times)| times).sum::<u32>() == when
            }
            None => false,
        };
        if dies {
            die();
        }
    }

    async fn around<T>(&self, spot: Spot, work: impl Future<Output = T>) -> T {
        self.pass(Side::Before, spot);
        let done = work.await;
        self.pass(Side::After, spot);
        done
    }
}

/// As the kernel's out-of-memory killer would do it: nothing of this process runs any more.
fn die() -> ! {
    if kill_process(getpid(), Signal::KILL).is_err() {
        std::process::abort();
    }
    loop {
        std::thread::park();
    }
}

/// A journal whose keeper may die around each write.
#[derive(Debug)]
pub(super) struct CrashingJournal {
    pub(super) inner: Arc<dyn Journal>,
    pub(super) points: Arc<Points>,
}

impl Journal for CrashingJournal {
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        now: Timestamp,
        batch: Batch,
    ) -> Answer<'_, Vec<Recorded>, AppendError> {
        let work = self.inner.append(stream, expected, now, batch);
        Box::pin(self.points.around(Spot::Append, work))
    }

    fn load(&self, stream: StreamId) -> Answer<'_, Vec<Recorded>, LoadError> {
        self.inner.load(stream)
    }

    fn pendings(&self, stream: StreamId) -> Answer<'_, Vec<(Seq, Digest)>, LoadError> {
        self.inner.pendings(stream)
    }

    fn put_plan(&self, plan: Arc<Plan>) -> Answer<'_, (), AppendError> {
        Box::pin(self.points.around(Spot::PutPlan, self.inner.put_plan(plan)))
    }

    fn plan(&self, digest: Digest) -> Answer<'_, Arc<Plan>, LoadError> {
        self.inner.plan(digest)
    }

    fn plans_by_prefix(&self, hex: String) -> Answer<'_, Vec<Digest>, LoadError> {
        self.inner.plans_by_prefix(hex)
    }

    fn put_blob(&self, blob: Blob) -> Answer<'_, (), AppendError> {
        Box::pin(self.points.around(Spot::PutBlob, self.inner.put_blob(blob)))
    }

    fn blob(&self, digest: Digest) -> Answer<'_, Arc<[u8]>, LoadError> {
        self.inner.blob(digest)
    }

    fn take_over(&self, run: RunId, driver: DriverId) -> Answer<'_, Fence, AppendError> {
        Box::pin(self.points.around(Spot::TakeOver, self.inner.take_over(run, driver)))
    }

    fn dispatch(&self, run: RunId, fence: Fence) -> Answer<'_, (), Fenced> {
        self.inner.dispatch(run, fence)
    }

    fn runs(&self, filter: RunFilter) -> Answer<'_, Vec<RunRow>, LoadError> {
        self.inner.runs(filter)
    }

    fn due(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Answer<'_, (Vec<RunId>, Option<Timestamp>), LoadError> {
        self.inner.due(now, limit)
    }

    fn answered(&self, id: InboxId) -> Answer<'_, Option<CanonicalJson>, LoadError> {
        self.inner.answered(id)
    }

    fn used(
        &self,
        subject: String,
        window: Span,
        now: Timestamp,
    ) -> Answer<'_, (u32, Option<Timestamp>), LoadError> {
        self.inner.used(subject, window, now)
    }

    fn holders(&self, targets: Vec<TargetKey>) -> Answer<'_, Vec<(TargetKey, RunId)>, LoadError> {
        self.inner.holders(targets)
    }
}

/// A tool host whose keeper may die around each question.
#[derive(Debug)]
pub(super) struct CrashingHost {
    pub(super) inner: Arc<dyn ToolHost>,
    pub(super) points: Arc<Points>,
}

impl ToolHost for CrashingHost {
    fn read(&self, call: ReadCall, now: Timestamp) -> Answer<'_, CanonicalJson, ReadError> {
        Box::pin(self.points.around(Spot::Read, self.inner.read(call, now)))
    }

    fn preview(&self, call: Call, now: Timestamp) -> Answer<'_, StepPreview, PreviewError> {
        Box::pin(self.points.around(Spot::Preview, self.inner.preview(call, now)))
    }

    fn apply(&self, call: Authorized<Call>, now: Timestamp) -> BoxFuture<'_, ApplyReply> {
        Box::pin(self.points.around(Spot::Apply, self.inner.apply(call, now)))
    }

    fn probe(&self, call: Call, envelope: Envelope, now: Timestamp) -> BoxFuture<'_, ProbeVerdict> {
        Box::pin(self.points.around(Spot::Probe, self.inner.probe(call, envelope, now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_read_as_they_are_written() {
        for (word, spot) in Spot::WORDS {
            assert_eq!(spot.word(), word);
            for side in [Side::Before, Side::After] {
                let kill = Kill::At(Edge { side, spot }, 3);
                assert_eq!(kill.to_string().parse(), Ok(kill));
            }
        }
        for kill in [Kill::Any(7), Kill::Act(7)] {
            assert_eq!(kill.to_string().parse(), Ok(kill));
        }
        for text in ["any", "any:0", "any:-1", "before-append", "during-append:1", "before-x:1", ""]
        {
            assert!(text.parse::<Kill>().is_err(), "{text}");
        }
    }
}
