//! Many tasks on one journal at once. Each race gives a tally, so that a test can compare the whole of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadyhand_engine::port::{AppendError, Batch, Journal, LoadError, RateReservation};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::event::{Recorded, StreamId, chain_start};
use steadyhand_model::ids::{IdError, InboxId, RUN_ID_CHARS, RunId, Seq};
use steadyhand_model::plan::TargetKey;
use steadyhand_model::time::{Span, Timestamp};
use tokio::task::{JoinError, JoinSet};

/// How often each kind of answer was given.
pub type Tally = BTreeMap<&'static str, usize>;

#[derive(Debug, thiserror::Error)]
pub enum RaceError {
    #[error("a task of the race ended by a panic")]
    Task {
        #[from]
        source: JoinError,
    },
    #[error("an append of the race failed")]
    Append {
        #[from]
        source: AppendError,
    },
    #[error("a stream of the race cannot be loaded")]
    Load {
        #[from]
        source: LoadError,
    },
    #[error("an id of the race is wrong")]
    Id {
        #[from]
        source: IdError,
    },
}

fn racer(index: u8) -> RunId {
    // A character of an id holds five bits.
    let mut random = [0; RUN_ID_CHARS];
    let [high, low, ..] = &mut random;
    (*high, *low) = (index >> 5, index);
    RunId::from_random(random)
}

fn one_event() -> Batch {
    Batch { events: vec![CanonicalJson::empty()], ..Batch::default() }
}

fn word(result: &Result<Vec<Recorded>, AppendError>) -> &'static str {
    match result {
        Ok(_) => "written",
        Err(AppendError::Conflict { .. }) => "conflict",
        Err(AppendError::AlreadyConsumed { .. }) => "already consumed",
        Err(AppendError::LeaseHeld { .. }) => "lease held",
        Err(AppendError::RateSpent { .. }) => "rate spent",
        Err(AppendError::IntentTwice) => "intent twice",
        Err(AppendError::Unfit { .. }) => "unfit",
        Err(AppendError::Full) => "full",
        Err(AppendError::ReadOnly) => "read-only",
        Err(AppendError::Lost { .. }) => "lost",
    }
}

/// All tasks append at once, each what `make` gives it for its number and at the start of its stream.
async fn all_at_once(
    journal: &Arc<dyn Journal>,
    tasks: u8,
    make: impl Fn(u8) -> (StreamId, Batch),
) -> Result<Tally, RaceError> {
    let mut set = JoinSet::new();
    for index in 0..tasks {
        let journal = Arc::clone(journal);
        let (stream, batch) = make(index);
        set.spawn(async move { word(&journal.append(stream, Seq(0), Timestamp(1), batch).await) });
    }
    let mut tally = Tally::new();
    while let Some(word) = set.join_next().await {
        *tally.entry(word?).or_default() += 1;
    }
    Ok(tally)
}

/// Everyone wants to write the first row of one stream.
pub async fn for_one_row(journal: &Arc<dyn Journal>, tasks: u8) -> Result<Tally, RaceError> {
    all_at_once(journal, tasks, |_| (StreamId::Installation, one_event())).await
}

/// Everyone, each in a stream of its own, wants the same target.
pub async fn for_one_lease(journal: &Arc<dyn Journal>, tasks: u8) -> Result<Tally, RaceError> {
    all_at_once(journal, tasks, |index| {
        let leases_taken = vec![TargetKey("shop/kubernetes/Deployment/1".to_owned())];
        (StreamId::Run(racer(index)), Batch { leases_taken, ..one_event() })
    })
    .await
}

/// Everyone wants one of `count` places in a rate.
pub async fn for_a_rate(
    journal: &Arc<dyn Journal>,
    tasks: u8,
    count: u32,
) -> Result<Tally, RaceError> {
    let rate = |count| RateReservation {
        subject: "runbook restart-workload".to_owned(),
        count,
        window: Span::from_mins(1),
    };
    all_at_once(journal, tasks, |index| {
        (StreamId::Run(racer(index)), Batch { rates: vec![rate(count)], ..one_event() })
    })
    .await
}

/// A client sends one change again and again, to whatever stream.
pub async fn for_one_change(journal: &Arc<dyn Journal>, tasks: u8) -> Result<Tally, RaceError> {
    let id: InboxId = "change-1".parse()?;
    all_at_once(journal, tasks, |index| {
        let consumed = Some((id.clone(), CanonicalJson::empty()));
        (StreamId::Run(racer(index)), Batch { consumed, ..one_event() })
    })
    .await
}

/// Tasks climb the same stream together: each appends `rows` rows, trying again wherever another was first. Another
/// loads it all the while. Gives the stream's length and whether its chain is whole.
pub async fn up_one_stream(
    journal: &Arc<dyn Journal>,
    tasks: u8,
    rows: u32,
) -> Result<(usize, bool), RaceError> {
    let mut set = JoinSet::new();
    for _ in 0..tasks {
        let journal = Arc::clone(journal);
        set.spawn(async move { climb(journal.as_ref(), rows).await });
    }
    let top = usize::from(tasks) * usize::try_from(rows).unwrap_or(usize::MAX);
    let watched = Arc::clone(journal);
    set.spawn(async move { watch(watched.as_ref(), top).await });
    while let Some(climbed) = set.join_next().await {
        climbed??;
    }
    let loaded = journal.load(StreamId::Installation).await?;
    let mut prev = chain_start();
    let mut whole = true;
    for (seq, row) in (1..).zip(&loaded) {
        whole &= row.is_whole() && row.prev == prev && row.seq == Seq(seq);
        prev = row.hash;
    }
    Ok((loaded.len(), whole))
}

/// Loads the stream until it has reached its top. Each state on the way must be whole.
async fn watch(journal: &dyn Journal, top: usize) -> Result<(), RaceError> {
    loop {
        match journal.load(StreamId::Installation).await {
            Ok(rows) if rows.len() >= top => return Ok(()),
            Ok(_) | Err(LoadError::Missing) => tokio::task::yield_now().await,
            Err(other) => return Err(other.into()),
        }
    }
}

async fn climb(journal: &dyn Journal, rows: u32) -> Result<(), RaceError> {
    let mut at = Seq(0);
    let mut left = rows;
    while left > 0 {
        match journal.append(StreamId::Installation, at, Timestamp(1), one_event()).await {
            Ok(written) => {
                at = written.last().map_or(at, |row| row.seq);
                left -= 1;
            }
            Err(AppendError::Conflict { found, .. }) => at = found,
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}
