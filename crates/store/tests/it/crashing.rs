//! The crashing journal that other crates test with: what it leaves behind is all of a write or nothing of it.

use futures_util::future::FutureExt;
use steadyhand_engine::port::{AppendError, Batch, Blob, Journal};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::StreamId;
use steadyhand_model::ids::{Fence, Seq};
use steadyhand_model::time::Timestamp;
use steadyhand_store::memory::MemoryJournal;
use steadyhand_testkit::store_suite::crashing::{CrashPoint, CrashingJournal, Moment};

const RUN: &str = "r-aaaaaaaaaaaa";

fn stream() -> StreamId {
    StreamId::Run(RUN.parse().unwrap())
}

async fn append(journal: &dyn Journal, expected: u64) -> Result<(), AppendError> {
    let batch = Batch { events: vec![CanonicalJson::empty()], ..Batch::default() };
    journal.append(stream(), Seq(expected), Timestamp(1), batch).await.map(drop)
}

fn blob() -> Blob {
    Blob { digest: Digest::of(b"x"), bytes: (*b"x").into() }
}

/// Five writes, as far as they get; how many were acknowledged.
async fn work(journal: &dyn Journal) -> usize {
    let writes = [
        append(journal, 0).boxed(),
        journal
            .take_over(RUN.parse().unwrap(), "keeper-1".parse().unwrap())
            .map(|r| r.map(drop))
            .boxed(),
        journal.put_blob(blob()).boxed(),
        append(journal, 1).boxed(),
        append(journal, 2).boxed(),
    ];
    let mut acknowledged = 0;
    for write in writes {
        match write.await {
            Ok(()) => acknowledged += 1,
            Err(AppendError::Lost { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    acknowledged
}

/// Rows, the fence that the next take-over gets, and whether the blob is there.
async fn left(journal: &dyn Journal) -> (usize, Fence, bool) {
    let rows = journal.load(stream()).await.map_or(0, |rows| rows.len());
    let fence = journal.take_over(RUN.parse().unwrap(), "keeper-2".parse().unwrap()).await.unwrap();
    (rows, fence, journal.blob(blob().digest).await.is_ok())
}

#[tokio::test]
async fn a_crash_leaves_all_of_its_write_or_nothing() {
    use Moment::{AnswerLost, Before};
    let cases = [
        (1, Before, 0, (0, Fence(1), false)),
        (1, AnswerLost, 0, (1, Fence(1), false)),
        (2, Before, 1, (1, Fence(1), false)),
        (2, AnswerLost, 1, (1, Fence(2), false)),
        (3, Before, 2, (1, Fence(2), false)),
        (3, AnswerLost, 2, (1, Fence(2), true)),
        (4, Before, 3, (1, Fence(2), true)),
        (4, AnswerLost, 3, (2, Fence(2), true)),
        (5, Before, 4, (2, Fence(2), true)),
        (5, AnswerLost, 4, (3, Fence(2), true)),
        (6, Before, 5, (3, Fence(2), true)),
    ];
    for (write, moment, acknowledged, want) in cases {
        let point = CrashPoint { write, moment };
        let journal = CrashingJournal::new(MemoryJournal::new(), point);
        assert_eq!(work(&journal).await, acknowledged, "{point:?}");
        assert_eq!(journal.is_dead(), write <= 5, "{point:?}");
        if journal.is_dead() {
            assert!(journal.load(stream()).await.is_err(), "{point:?}");
            assert!(journal.dispatch(RUN.parse().unwrap(), Fence(1)).await.is_err(), "{point:?}");
        }
        assert_eq!(left(&journal.into_inner().reopen()).await, want, "{point:?}");
    }
}
