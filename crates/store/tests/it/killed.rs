//! A keeper that is killed while it writes: what it was told is durable is there, and nothing is half there.
//!
//! SIGKILL leaves the system's own cache alone: this shows that nothing is acknowledged before it is written and
//! that recovery is whole, not that the disk keeps what it was told to sync.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use steadyhand_engine::port::{Batch, IntentRow, Journal};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{At, Leg, StreamId};
use steadyhand_model::ids::{Attempt, Fence, InboxId, RUN_ID_CHARS, RunId, Seq};
use steadyhand_model::time::Timestamp;
use steadyhand_store::sqlite::file::JournalFile;
use tempfile::TempDir;

use crate::opening::keeper;

/// Where the child finds its state directory. Set, it makes this test the child.
const CHILD: &str = "STEADYHAND_STORE_KILLED_IN";
const WRITERS: u8 = 8;
/// How many acknowledgements each child is let live for; the last ones come while a commit is under way.
const LIVES: [usize; 8] = [1, 2, 3, 10, 37, 100, 301, 800];

#[test]
fn every_acknowledged_append_survives_a_kill() {
    if let Some(path) = std::env::var_os(CHILD) {
        write_until_killed(Path::new(&path));
    }
    let dir = TempDir::new().unwrap();
    let mut acknowledged: BTreeMap<RunId, u64> = BTreeMap::new();
    for life in LIVES {
        live_and_die(dir.path(), life, &mut acknowledged);
        check(dir.path(), &acknowledged);
    }
    assert!(acknowledged.values().sum::<u64>() >= LIVES.iter().sum::<usize>() as u64);
}

/// Appends for ever in several streams and says on standard output what is durable.
fn write_until_killed(path: &Path) -> ! {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let journal: Arc<dyn Journal> = Arc::new(keeper(path));
    runtime.block_on(async move {
        let writers: Vec<_> = (0..WRITERS)
            .map(|letter| {
                let journal = Arc::clone(&journal);
                tokio::spawn(async move { append_for_ever(journal.as_ref(), letter).await })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
    unreachable!("writers never end")
}

async fn append_for_ever(journal: &dyn Journal, letter: u8) {
    let run = RunId::from_random([letter; RUN_ID_CHARS]);
    let stream = StreamId::Run(run.clone());
    let mut at = journal.load(stream.clone()).await.map_or(0, |rows| rows.len() as u64);
    loop {
        let next = at + 1;
        let batch = batch(&run, next);
        journal.append(stream.clone(), Seq(at), Timestamp(1), batch).await.unwrap();
        at = next;
        // Not `println!`: the test harness would keep it.
        let mut out = std::io::stdout().lock();
        writeln!(out, "ack {run} {at}").unwrap();
        out.flush().unwrap();
    }
}

fn change(run: &RunId, seq: u64) -> InboxId {
    format!("{run}-{seq}").parse().unwrap()
}

/// One row, its change, its intent, its due time and its blob: all of it or none.
fn batch(run: &RunId, seq: u64) -> Batch {
    let attempt = Attempt(u32::try_from(seq).unwrap());
    let at = At { step: "restart".parse().unwrap(), leg: Leg::Forward, attempt };
    Batch {
        consumed: Some((change(run, seq), CanonicalJson::of(&seq).unwrap())),
        events: vec![CanonicalJson::of(&format!("{run} {seq}")).unwrap()],
        intents: vec![IntentRow { at, call: Digest::of(b"call"), fence: Fence(1) }],
        due: Some(Timestamp(i64::try_from(seq).unwrap())),
        ..Batch::default()
    }
}

fn live_and_die(path: &Path, life: usize, acknowledged: &mut BTreeMap<RunId, u64>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::every_acknowledged_append_survives_a_kill", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut heard = 0;
    // The harness may leave its own words at the beginning of the first line.
    let mut hear = |line: String| {
        let Some((_, ack)) = line.split_once("ack ") else { return 0 };
        // The last line may be cut off by the kill: only a whole one is an acknowledgement.
        let Some((run, seq)) = ack.split_once(' ') else { return 0 };
        let known = acknowledged.entry(run.parse().unwrap()).or_default();
        *known = (*known).max(seq.parse().unwrap());
        1
    };
    while heard < life {
        heard += hear(lines.next().expect("the writer ended by itself").unwrap());
    }
    child.kill().unwrap();
    // What was acknowledged before the kill is still in the pipe.
    for line in lines {
        hear(line.unwrap());
    }
    assert!(!child.wait().unwrap().success());
}

#[tokio::main(flavor = "current_thread")]
async fn check(path: &Path, acknowledged: &BTreeMap<RunId, u64>) {
    let journal = keeper(path);
    let (due, _) = journal.due(Timestamp::MAX, u32::MAX).await.unwrap();
    for (run, acked) in acknowledged {
        // Loading verifies the chain.
        let rows = journal.load(StreamId::Run(run.clone())).await.unwrap();
        let durable = rows.len() as u64;
        assert!(durable >= *acked, "{run}: {acked} acknowledged, {durable} durable");
        for (seq, row) in (1..).zip(&rows) {
            assert_eq!(row.event.read::<String>().unwrap(), format!("{run} {seq}"));
            let answer = journal.answered(change(run, seq)).await.unwrap();
            assert_eq!(answer, Some(CanonicalJson::of(&seq).unwrap()), "{run} {seq}");
        }
        assert_eq!(journal.answered(change(run, durable + 1)).await.unwrap(), None);
        assert!(due.contains(run));
    }
    drop(journal);
    JournalFile::open(&path.join("journal.db")).unwrap().verify_all().unwrap();
}
