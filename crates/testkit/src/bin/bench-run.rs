//! What the engine, the driver and the journal cost: a durable run of three steps alone, and fifty of them at once.
//!
//! Both are measured against floors in the same process, on the same disk, in turn with them: the synced writes
//! that one run needs, in a plain file; the same rows appended by as many tasks with nothing else around them.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use steadyhand_engine::port::Journal;
use steadyhand_testkit::bench::drive::Bench;
use steadyhand_testkit::bench::figure::{Figure, Goal, Unit, median};
use steadyhand_testkit::bench::floor::Disk;
use steadyhand_testkit::bench::watched::{Keep, Watched, Write};
use steadyhand_testkit::bench::{self, BenchError, plans};

/// Runs before anything is measured, so that the write-ahead log has been folded once and is written over from then on.
const WARM_UP_RUNS: usize = 60;
/// Rounds of each measurement; the median of their medians counts.
const ROUNDS: usize = 5;
/// Runs of a round, one at a time.
const RUNS_ALONE: usize = 40;
/// Numbers of the plans whose writes are given to the store alone: no plan that is timed has one of them.
const RECORDED_FROM: usize = 1_000_000;
/// Runs that are under way together.
const TOGETHER: usize = 50;
/// Runs one after another in each of the fifty tasks of a round.
const RUNS_EACH: usize = 4;

#[tokio::main]
async fn main() -> ExitCode {
    bench::ended(measure().await)
}

async fn measure() -> Result<(), BenchError> {
    let directory = bench::directory("run")?;
    let [run, store] = alone(directory.path()).await?;
    let figures = [run, store, together(directory.path()).await?];
    let title = format!(
        "durable runs of three steps, through keeper, driver and SQLite ({})",
        bench::profile()
    );
    bench::show(&title, &figures)
}

/// One at a time, each followed by its writes given to the store alone, and by its floor.
async fn alone(directory: &Path) -> Result<[Figure; 2], BenchError> {
    let recorded = recorded_runs(&directory.join("recorded")).await?;
    let journal: Arc<dyn Journal> = bench::open_journal(&directory.join("alone"))?;
    let mut disk = Disk::create(directory)?;
    let sizing = Bench::new(Watched::new(Arc::clone(&journal), Keep::Sizes), "driver-sizing")?;
    for number in 0..WARM_UP_RUNS {
        sizing.journal.take_sizes();
        sizing.run(plans::three_steps(number)?).await?;
    }
    // The sizes of the last one, when the tables have grown to a usual depth.
    let sizes = sizing.journal.take_sizes();
    let timed = Bench::new(Watched::new(Arc::clone(&journal), Keep::Nothing), "driver-timed")?;
    let (mut runs, mut stores, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    for (number, writes) in recorded.into_iter().enumerate() {
        let plan = plans::three_steps(WARM_UP_RUNS + number)?;
        let begun = Instant::now();
        timed.run(plan).await?;
        runs.push(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        for write in writes {
            write.repeat(&*journal).await?;
        }
        stores.push(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        disk.commit(&sizes)?;
        floors.push(begun.elapsed().as_secs_f64());
    }
    let in_rounds = |values: &[f64]| -> Vec<f64> {
        values.chunks(RUNS_ALONE).map(|round| median(round.iter().copied())).collect()
    };
    let (runs, stores, floors) = (in_rounds(&runs), in_rounds(&stores), in_rounds(&floors));
    let ratio = |of: &[f64], to: &[f64]| median(of.iter().zip(to).map(|(of, to)| of / to));
    let millis = |of: &[f64]| median(of.iter().copied()) * 1000.0;
    let bytes: u64 = sizes.iter().sum();
    Ok([
        Figure {
            work: "a run of 3 steps, one at a time, to its synced writes".to_owned(),
            measured: format!(
                "{:.2} ms a run; floor {:.2} ms for {} writes with fdatasync of together {} KiB",
                millis(&runs),
                millis(&floors),
                sizes.len(),
                bytes / 1024,
            ),
            score: ratio(&runs, &floors),
            unit: Unit::Times,
            goal: Goal::AtMost(1.5),
        },
        Figure {
            work: "of this, the store alone".to_owned(),
            measured: format!(
                "{:.2} ms for the same rows without engine and driver",
                millis(&stores)
            ),
            score: ratio(&stores, &floors),
            unit: Unit::Times,
            goal: Goal::None,
        },
    ])
}

/// The writes of as many runs as are timed, made on a journal of their own, so that their rows are new to another.
async fn recorded_runs(directory: &Path) -> Result<Vec<Vec<Write>>, BenchError> {
    let kept = Watched::new(bench::open_journal(directory)?, Keep::Writes);
    let bench = Bench::new(Arc::clone(&kept), "driver-recorded")?;
    for number in 0..ROUNDS * RUNS_ALONE {
        bench.run(plans::three_steps(RECORDED_FROM + number)?).await?;
    }
    Ok(kept.take_writes())
}

/// Fifty at once, each round followed by its floor, each on a journal of its own.
async fn together(directory: &Path) -> Result<Figure, BenchError> {
    let kept = Watched::new(bench::open_journal(&directory.join("kept"))?, Keep::Writes);
    runs_per_second(&kept).await?;
    let writes = kept.take_writes();
    drop(kept);
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        let journal = bench::open_journal(&directory.join(format!("runs-{round}")))?;
        let runs = runs_per_second(&Watched::new(journal, Keep::Nothing)).await?;
        let journal = bench::open_journal(&directory.join(format!("floor-{round}")))?;
        let floor = writes_per_second(journal, writes.clone()).await?;
        rounds.push((runs, floor));
    }
    let runs = median(rounds.iter().map(|(runs, _)| *runs));
    let floor = median(rounds.iter().map(|(_, floor)| *floor));
    let each = writes.first().map_or(0, Vec::len);
    Ok(Figure {
        work: "50 runs at once, to their writes alone".to_owned(),
        measured: format!(
            "{runs:.0} runs/s; floor {floor:.0} runs/s for the same {each} writes a run with group commit",
        ),
        score: median(rounds.iter().map(|(runs, floor)| runs / floor * 100.0)),
        unit: Unit::Percent,
        goal: Goal::AtLeast(50.0),
    })
}

async fn runs_per_second(journal: &Arc<Watched>) -> Result<f64, BenchError> {
    let bench = Arc::new(Bench::new(Arc::clone(journal), "driver-together")?);
    let mut plans = Vec::new();
    for task in 0..TOGETHER {
        let own = (0..RUNS_EACH).map(|run| plans::three_steps(task * 1000 + run));
        plans.push(own.collect::<Result<Vec<_>, _>>()?);
    }
    let begun = Instant::now();
    let tasks: Vec<_> = plans
        .into_iter()
        .map(|plans| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move {
                for plan in plans {
                    bench.run(plan).await?;
                }
                Ok::<_, BenchError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok((TOGETHER * RUNS_EACH) as f64 / begun.elapsed().as_secs_f64())
}

/// The floor: as many tasks, each with the recorded writes of as many runs, one after another.
async fn writes_per_second(
    journal: Arc<dyn Journal>,
    mut writes: Vec<Vec<Write>>,
) -> Result<f64, BenchError> {
    let runs = writes.len();
    let begun = Instant::now();
    let mut tasks = Vec::new();
    while !writes.is_empty() {
        let own = writes.split_off(writes.len().saturating_sub(RUNS_EACH));
        let journal = Arc::clone(&journal);
        tasks.push(tokio::spawn(async move {
            for write in own.into_iter().flatten() {
                write.repeat(&*journal).await?;
            }
            Ok::<_, BenchError>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(runs as f64 / begun.elapsed().as_secs_f64())
}
