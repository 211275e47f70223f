//! Requests that change nothing: status, lists, one run, a run as it goes on.

use std::collections::BTreeMap;

use steadyhand_api::frame::RequestId;
use steadyhand_api::listener::{Replies, SendError};
use steadyhand_api::reference::RunRef;
use steadyhand_api::reply::{Reply, Response, WatchEnd, WatchEvent};
use steadyhand_api::request::{RUNS_MAX, RunsFilter};
use steadyhand_api::view::{
    Day, EnvironmentLine, KeeperView, Mode, RunLine, RunView, StatusView, StepView,
};
use steadyhand_engine::port::{RunFilter, RunRow};
use steadyhand_engine::run::Run;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{Event, Recorded, StreamId, chain_start, read_event};
use steadyhand_model::ids::{RunId, Seq};
use steadyhand_model::outcome::RunOutcome;
use steadyhand_model::plan::EnvironmentRef;
use steadyhand_model::reading::Facts;
use steadyhand_model::time::{Span, Timestamp};
use steadyhand_runbook::document::environment::{CheckedEnvironment, Mode as CheckedMode};

use super::{Service, ServiceError};
use crate::clock::wall;
use crate::keeper::{Change, OpenError};
use crate::view::{self, History};

/// Fewest characters of a run's id that are shown, with its `r-`.
const SHORT_MIN: usize = 6;
/// Newest runs that the figures of the last day look at.
const DAY_RUNS_MAX: u32 = 1000;
const DAY: Span = Span::from_mins(24 * 60);

impl Service {
    pub(crate) async fn rows(&self, run: &RunId) -> Result<Vec<Recorded>, ServiceError> {
        let journal = &self.keeper().shared.journal;
        journal
            .load(StreamId::Run(run.clone()))
            .await
            .map_err(|source| ServiceError::Open(OpenError::Load { source }))
    }

    /// The shortest beginning of an id that is unique now, of at least four characters.
    async fn short(&self, run: &RunId) -> Result<String, ServiceError> {
        let journal = &self.keeper().shared.journal;
        let whole = run.as_str();
        for end in SHORT_MIN..whole.len() {
            let Some(prefix) = whole.get(..end) else {
                break;
            };
            let rows = journal
                .runs(RunFilter::Prefix(prefix.to_owned()))
                .await
                .map_err(|source| ServiceError::Load { source })?;
            if rows.len() <= 1 {
                return Ok(prefix.to_owned());
            }
        }
        Ok(whole.to_owned())
    }

    /// `driven` must have been found out before the run was loaded: a driver that has ended since left it finished,
    /// which the loaded run may not show yet.
    pub(crate) async fn line(&self, run: &Run, driven: bool) -> Result<RunLine, ServiceError> {
        let now = self.now_of(run).await;
        Ok(view::line(run, self.short(run.id()).await?, driven, now))
    }

    async fn lines(&self, rows: &[RunRow]) -> Result<Vec<RunLine>, ServiceError> {
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            let driven = self.keeper().is_active(&row.run);
            let run = self.keeper().load(&row.run).await?;
            lines.push(self.line(&run, driven).await?);
        }
        Ok(lines)
    }

    pub(crate) async fn runs(&self, filter: RunsFilter) -> Result<Response, ServiceError> {
        let (filter, most) = match filter {
            RunsFilter::Open => (RunFilter::Open, RUNS_MAX),
            RunsFilter::Newest { limit } => {
                let most = limit.min(RUNS_MAX);
                (RunFilter::Newest { limit: most.saturating_add(1) }, most)
            }
        };
        let journal = &self.keeper().shared.journal;
        let mut rows =
            journal.runs(filter).await.map_err(|source| ServiceError::Load { source })?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let more = rows.len().saturating_sub(most);
        rows.truncate(most);
        Ok(Response::Runs {
            runs: self.lines(&rows).await?,
            more: u64::try_from(more).unwrap_or(u64::MAX),
        })
    }

    pub(crate) async fn shown(&self, reference: &RunRef) -> Result<Response, ServiceError> {
        let run = self.find(reference).await?;
        Ok(Response::Run(Box::new(self.run_view(&run).await?)))
    }

    /// A run, whole.
    pub(crate) async fn run_view(&self, id: &RunId) -> Result<RunView, ServiceError> {
        let driven = self.keeper().is_active(id);
        let rows = self.rows(id).await?;
        let run = self.keeper().load(id).await?;
        let history = History::of(&rows);
        let blobs = self.blobs(&history).await;
        let (predecessor, head, head_hash) = ends(&rows);
        let incident = match run.incident() {
            Some(incident) => incident.clone(),
            None => return Err(ServiceError::NoRun { text: id.to_string() }),
        };
        Ok(RunView {
            line: self.line(&run, driven).await?,
            plan: self.plan_view(run.plan().digest(), &incident).await?,
            requester: run.requester().clone(),
            predecessor,
            successor: None,
            expires: run.expires(),
            ends: run.ends(),
            clock: run.clock(),
            now: self.now_of(&run).await,
            gates: view::gates(&run, &history),
            steps: view::steps(&run, &history),
            observed: view::observed(&history, |digest| blobs.get(&digest).cloned()),
            undoing: run.undoing().cloned(),
            why: run.why().map(str::to_owned),
            told: view::told(&rows),
            head,
            head_hash,
        })
    }

    async fn now_of(&self, run: &Run) -> Timestamp {
        if self.keeper().is_active(run.id())
            && let Ok(place) = self.keeper().place_of(run).await
        {
            return place.clock.now();
        }
        match run.clock() {
            steadyhand_model::event::ClockKind::Real => wall(),
            steadyhand_model::event::ClockKind::Practice { .. } => run.last(),
        }
    }

    async fn blobs(&self, history: &History) -> BTreeMap<Digest, Facts> {
        let mut blobs = BTreeMap::new();
        let digests: Vec<Digest> =
            history.observed.values().flat_map(|(a, b)| [*a, *b]).flatten().collect();
        for digest in digests {
            if let Some(facts) = self.facts(digest).await {
                blobs.insert(digest, facts);
            }
        }
        blobs
    }

    pub(crate) async fn facts(&self, digest: Digest) -> Option<Facts> {
        match self.keeper().shared.journal.blob(digest).await {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(error) => {
                tracing::debug!(%error, "facts are no longer kept");
                None
            }
        }
    }

    pub(crate) async fn status(&self) -> Result<StatusView, ServiceError> {
        let journal = &self.keeper().shared.journal;
        let mut rows =
            journal.runs(RunFilter::Open).await.map_err(|source| ServiceError::Load { source })?;
        rows.sort_by_key(|row| (!row.needs_person, row.changed));
        let most = usize::try_from(RUNS_MAX).unwrap_or(usize::MAX);
        let more = rows.len().saturating_sub(most);
        rows.truncate(most);
        let shelf = match &self.options.library {
            Some(at) => {
                let catalogue = &self.keeper().shared.catalogue;
                Some(crate::shelf::open(at, self.options.git.as_deref(), catalogue).await?)
            }
            None => None,
        };
        let environments = shelf
            .iter()
            .flat_map(|s| &s.environments)
            .map(|e| EnvironmentLine { environment: environment_ref(e), mode: mode(e.mode) })
            .collect();
        Ok(StatusView {
            keeper: KeeperView {
                pid: std::process::id(),
                version: self.options.version.clone(),
                installation: self.options.installation.clone(),
                since: self.options.started,
                now: wall(),
            },
            library: shelf.map(|s| s.reference),
            environments,
            open: self.lines(&rows).await?,
            open_more: u64::try_from(more).unwrap_or(u64::MAX),
            day: self.day().await?,
        })
    }

    /// What ended within the last day, by each run's own clock.
    async fn day(&self) -> Result<Day, ServiceError> {
        let journal = &self.keeper().shared.journal;
        let rows = journal
            .runs(RunFilter::Newest { limit: DAY_RUNS_MAX })
            .await
            .map_err(|source| ServiceError::Load { source })?;
        let newest = rows.iter().map(|r| r.changed).max().unwrap_or(Timestamp(0));
        let mut day = Day::default();
        let mut answers = Vec::new();
        let recent: Vec<&RunRow> =
            rows.iter().filter(|r| r.finished && newest.since(r.changed) <= DAY).collect();
        for row in recent {
            if let Some(outcome) = RunOutcome::ALL.into_iter().find(|o| o.word() == row.phase) {
                *day.outcomes.entry(outcome).or_default() += 1;
            }
            answers.extend(yes_after(&self.rows(&row.run).await?));
        }
        answers.sort();
        day.yes = answers.get(answers.len() / 2).copied();
        Ok(day)
    }

    /// Sends a run's events as they come, until it has finished.
    pub(crate) async fn follow(
        &self,
        id: &RunId,
        from: Seq,
        request: RequestId,
        replies: &mut Replies,
    ) -> Result<Result<(), SendError>, ServiceError> {
        // Subscribe first, then read, then follow: nothing is missed between.
        let mut changes = self.keeper().changes();
        let mut next = from.max(Seq(1));
        loop {
            let rows = self.rows(id).await?;
            let run = self.keeper().load(id).await?;
            for event in watched(&run, &rows, next)? {
                next = event.seq.next();
                if let Err(error) = replies.send(request, Reply::Event(Box::new(event))).await {
                    return Ok(Err(error));
                }
            }
            if run.outcome().is_some() {
                let end = WatchEnd { head: run.seq(), phase: view::phase(&run) };
                return Ok(replies.send(request, Reply::End(end)).await);
            }
            loop {
                let heard =
                    tokio::time::timeout(steadyhand_api::listener::HEARTBEAT, changes.recv()).await;
                match heard {
                    Ok(Ok(Change::Recorded { run, .. })) if run == *id => break,
                    Ok(Ok(Change::Note { run, step, text })) if run == *id => {
                        if let Err(error) = replies.send(request, Reply::Note { step, text }).await
                        {
                            return Ok(Err(error));
                        }
                    }
                    Ok(Ok(_)) => {}
                    // Behind, or the keeper ends: the journal knows.
                    Ok(Err(_)) => break,
                    Err(_silence) => {
                        if let Err(error) = replies.send(request, Reply::Working).await {
                            return Ok(Err(error));
                        }
                    }
                }
            }
        }
    }
}

/// Events from `next` on, each with the steps that it changed.
fn watched(run: &Run, rows: &[Recorded], next: Seq) -> Result<Vec<WatchEvent>, ServiceError> {
    let replay = |source| ServiceError::Open(OpenError::Replay { source });
    let mut state: Option<Run> = None;
    let mut shown: Vec<StepView> = Vec::new();
    let mut events = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let event: Event = read_event(&row.event).map_err(|source| {
            replay(steadyhand_engine::run::IllegalEvent::Form { seq: row.seq, source })
        })?;
        let current = match state.take() {
            None => Run::begin(run.plan().clone(), row.at, &event).map_err(replay)?,
            Some(mut state) => {
                state.apply(row.seq, row.at, &event).map_err(replay)?;
                state
            }
        };
        if row.seq >= next {
            let upto = rows.get(..=index).unwrap_or(rows);
            let steps = view::steps(&current, &History::of(upto));
            let changed = steps.iter().filter(|s| !shown.contains(s)).cloned().collect();
            events.push(WatchEvent {
                seq: row.seq,
                at: row.at,
                event: row.event.clone(),
                phase: view::phase(&current),
                changed,
            });
            shown = steps;
        }
        state = Some(current);
    }
    Ok(events)
}

fn ends(rows: &[Recorded]) -> (Option<RunId>, Seq, Digest) {
    let first = rows.first().and_then(|row| read_event::<Event>(&row.event).ok());
    let predecessor = match first {
        Some(Event::Created { predecessor, .. }) => predecessor,
        _ => None,
    };
    let head = rows.last();
    (predecessor, head.map_or(Seq(0), |r| r.seq), head.map_or_else(chain_start, |r| r.hash))
}

/// How long it took from the opening of the first gate to the yes that satisfied it.
fn yes_after(rows: &[Recorded]) -> Option<Span> {
    let first = rows.first()?.at;
    rows.iter().find_map(|row| match read_event::<Event>(&row.event) {
        Ok(Event::GateSatisfied { .. }) => Some(row.at.since(first)),
        _ => None,
    })
}

pub(crate) fn environment_ref(environment: &CheckedEnvironment) -> EnvironmentRef {
    EnvironmentRef {
        name: environment.name.clone(),
        title: environment.title.clone(),
        class: environment.class,
        digest: environment.origin.digest,
    }
}

pub(crate) fn mode(mode: CheckedMode) -> Mode {
    match mode {
        CheckedMode::Observe => Mode::Observe,
        CheckedMode::Suggest => Mode::Suggest,
        CheckedMode::Approve => Mode::Approve,
        CheckedMode::Auto => Mode::Auto,
    }
}
