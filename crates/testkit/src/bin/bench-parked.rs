//! 100,000 runs that wait for an approval: what they cost the keeper that made them, and one that starts again.
//!
//! The keepers are processes of their own, this same program with other words: `fill DIR` makes the runs and is then
//! killed, `keep DIR` starts on what it left. Both end when their standard input does.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use steadyhand_api::listener::Listener;
use steadyhand_runtime::clock::wall;
use steadyhand_runtime::service::{Options as ServiceOptions, Service};
use steadyhand_store::sqlite::SqliteJournal;
use steadyhand_store::state::StateDir;
use steadyhand_testkit::bench::drive::Bench;
use steadyhand_testkit::bench::figure::{Figure, Goal, Unit, median};
use steadyhand_testkit::bench::watched::{Keep, Watched};
use steadyhand_testkit::bench::{self, BenchError, children, plans};

const RUNS: usize = 100_000;
/// Runs that are made at the same time, so that they share the syncs of the journal.
const MADE_TOGETHER: usize = 256;
/// Restarts that are measured.
const RESTARTS: usize = 5;
/// How long an idle keeper is looked at. Longer than its longest sleep of 30 s, so that one look at what is due is in.
const IDLE: Duration = Duration::from_secs(31);
/// What a child says when it is ready.
const READY: &str = "ready";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    bench::ended(match words.as_slice() {
        ["fill", directory] => child(fill(Path::new(directory))),
        ["keep", directory] => child(keep(Path::new(directory))),
        _ => measure(),
    })
}

fn measure() -> Result<(), BenchError> {
    let directory = bench::directory("parked")?;
    let state = directory.path().join("state");
    let begun = Instant::now();
    let mut filled = Keeper::start("fill", &state)?;
    let made_in = begun.elapsed();
    let memory_after_making = filled.resident()?;
    // Not closed: a keeper that was killed leaves its write-ahead log to the next one.
    filled.kill()?;
    let disk = std::fs::metadata(state.join("journal.db"));
    let disk = disk.map_err(BenchError::io("looking at the journal"))?.len();
    let mut restarts = Vec::new();
    for _ in 1..RESTARTS {
        let begun = Instant::now();
        let mut keeper = Keeper::start("keep", &state)?;
        restarts.push(begun.elapsed().as_secs_f64());
        keeper.kill()?;
    }
    let begun = Instant::now();
    let keeper = Keeper::start("keep", &state)?;
    restarts.push(begun.elapsed().as_secs_f64());
    let memory = keeper.resident()?;
    let (before, begun) = (keeper.processor_time()?, Instant::now());
    std::thread::sleep(IDLE);
    let worked = keeper.processor_time()?.saturating_sub(before);
    let idle = worked.as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
    keeper.end()?;
    let figures = [
        Figure {
            work: "resident memory after a restart".to_owned(),
            measured: format!("{} KiB", memory / 1024),
            score: megabytes(memory),
            unit: Unit::Megabytes,
            goal: Goal::AtMost(150.0),
        },
        Figure {
            work: "resident memory of the keeper that made them".to_owned(),
            measured: format!(
                "{} KiB; made in {:.0} s; {:.1} KiB each on disk",
                memory_after_making / 1024,
                made_in.as_secs_f64(),
                disk as f64 / 1024.0 / RUNS as f64,
            ),
            score: megabytes(memory_after_making),
            unit: Unit::Megabytes,
            goal: Goal::AtMost(150.0),
        },
        Figure {
            work: "idle processor time".to_owned(),
            measured: format!(
                "{} us in {} s, one core = 100 %",
                worked.as_micros(),
                IDLE.as_secs()
            ),
            score: idle,
            unit: Unit::Percent,
            goal: Goal::AtMost(1.0),
        },
        Figure {
            work: "from a kill to ready, what is due read once".to_owned(),
            measured: format!("median of {RESTARTS} restarts, all: {restarts:.3?} s"),
            score: median(restarts),
            unit: Unit::Seconds,
            goal: Goal::AtMost(3.0),
        },
    ];
    bench::show(&format!("{RUNS} runs parked at an approval ({})", bench::profile()), &figures)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A keeper in a process of its own.
struct Keeper {
    process: Child,
    /// Its end tells the child to end.
    input: Option<ChildStdin>,
}

impl Keeper {
    /// Comes back when the child is ready.
    fn start(word: &str, state: &Path) -> Result<Self, BenchError> {
        let program = std::env::current_exe().map_err(BenchError::io("finding this program"))?;
        let mut process = Command::new(program)
            .arg(word)
            .arg(state)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(BenchError::io("starting a keeper"))?;
        let input = process.stdin.take();
        let mut said = String::new();
        if let Some(output) = process.stdout.take() {
            let read = BufReader::new(output).read_line(&mut said);
            read.map_err(BenchError::io("hearing a keeper"))?;
        }
        if said.trim_end() == READY {
            return Ok(Self { process, input });
        }
        drop(input);
        let status = process.wait().map_err(BenchError::io("waiting for a keeper"))?;
        Err(BenchError::Child { what: format!("the keeper for `{word}`"), status })
    }

    fn resident(&self) -> Result<u64, BenchError> {
        children::resident_bytes(self.process.id())
    }

    fn processor_time(&self) -> Result<Duration, BenchError> {
        children::processor_time(self.process.id())
    }

    fn kill(&mut self) -> Result<(), BenchError> {
        self.process.kill().map_err(BenchError::io("killing a keeper"))?;
        self.process.wait().map_err(BenchError::io("waiting for a keeper"))?;
        Ok(())
    }

    fn end(mut self) -> Result<(), BenchError> {
        drop(self.input.take());
        let status = self.process.wait().map_err(BenchError::io("waiting for a keeper"))?;
        if status.success() {
            Ok(())
        } else {
            Err(BenchError::Child { what: "the idle keeper".to_owned(), status })
        }
    }
}

fn child(keeper: impl Future<Output = Result<Bench, BenchError>>) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(BenchError::io("starting the runtime"))?;
    let _keeper = runtime.block_on(keeper)?;
    let mut output = std::io::stdout();
    let said = writeln!(output, "{READY}").and_then(|()| output.flush());
    said.map_err(BenchError::io("saying that the keeper is ready"))?;
    // The runtime's own threads go on; this one waits for the parent.
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).map_err(BenchError::io("waiting for the parent"))?;
    Ok(())
}

/// A keeper as the command line composes it: socket, journal, service, and the look at what is due.
async fn compose(state: &Path, driver: &str) -> Result<Bench, BenchError> {
    let state = StateDir::open(state)?;
    let lock = state.lock()?;
    let listener = Listener::bind(state.path(), &lock)?;
    let journal = Watched::new(Arc::new(SqliteJournal::open(lock)?), Keep::Nothing);
    let bench = Bench::new(journal, driver)?;
    let service = Service::new(ServiceOptions {
        keeper: Arc::clone(&bench.keeper),
        installation: "bench".parse()?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        library: None,
        git: None,
        started: wall(),
    });
    tokio::spawn(service.serve(listener));
    tokio::spawn(Arc::clone(&bench.keeper).take_up_due());
    Ok(bench)
}

async fn keep(state: &Path) -> Result<Bench, BenchError> {
    let bench = compose(state, &format!("keeper-{}", std::process::id())).await?;
    bench.journal.first_due().await;
    Ok(bench)
}

async fn fill(state: &Path) -> Result<Bench, BenchError> {
    let bench = Arc::new(compose(state, "keeper-that-made-them").await?);
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..MADE_TOGETHER {
        let (bench, next) = (Arc::clone(&bench), Arc::clone(&next));
        tasks.push(tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= RUNS {
                    return Ok::<_, BenchError>(());
                }
                bench.park(plans::parked(number)?).await?;
            }
        }));
    }
    for task in tasks {
        task.await??;
    }
    Arc::into_inner(bench).ok_or(BenchError::Unheard)
}
