//! The crash sweep: real keepers, real tool servers and real kills. Each scenario is played once undisturbed to learn
//! where a keeper can die, then once for each such point; some of the keepers that come after die as well. In a walk,
//! each keeper dies a few writes after it took over, until the run has come to its end all the same. At the end of
//! every case the judge reads the exported record, and every change that a keeper accepted must be there once.
//!
//! A case goes through these hands:
//! - `scenario`: what is played;
//! - `person`: the client that begins it, says yes and begins again with the next keeper;
//! - `life`: one keeper process as its parent sees it;
//! - `keeper`: that process, composed like the command line's; `points` is where it dies;
//! - `evidence`: what is left when it is over.
//!
//! What is not here: anything that a keeper could notice. It is told over its socket what a terminal would tell it.

mod evidence;
pub mod keeper;
mod life;
mod person;
mod points;
mod random;
mod report;
mod scenario;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use self::evidence::EvidenceError;
use self::life::Birth;
use self::person::{Person, PersonError, Told};
use self::points::{Edge, Kill, Side, Spot};
use self::random::Random;
pub use self::report::{Failure, Report, Row};
use self::scenario::Scenario;

/// Fewest kills of a full sweep, and of a quick one.
pub const FULL_KILLS: u32 = 300;
pub const QUICK_KILLS: u32 = 40;
/// Of points at which nothing is written anywhere, one in so many is tried.
const LOOKS_SAMPLED: u32 = 48;
/// Of the points of scenarios that are not thorough, one in so many is tried in a full sweep.
const OTHERS_SAMPLED: u32 = 8;
/// Cases of a quick sweep, at most.
const QUICK_CASES: usize = 14;
/// Lives after the first that may end by a kill too. Each next one does once in two.
const MORE_KILLS_MAX: usize = 3;
/// Such a later life ends within so many points.
const MORE_KILLS_WITHIN: u32 = 24;
/// Kills of a walk, at most: a case in which each keeper dies a few writes after it took over.
const WALK_KILLS_MAX: usize = 20;
/// Points of taking over: before and after the fence is raised, before and after that is recorded.
const WALK_BEGINS: u32 = 4;
/// Points that a keeper of a walk may come further.
const WALK_STEPS: u32 = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Each scenario once; nothing but the scenario itself kills.
    Undisturbed,
    /// Some points of the thorough scenarios.
    Quick,
    /// Every point of the thorough scenarios at which something is written or called, and a sample of all others.
    Full,
    /// Every such point of every scenario.
    Whole,
}

/// How to sweep.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `crash-sweep` binary: keepers and tool servers are processes of it.
    pub program: PathBuf,
    /// A folder that is there. Each case gets one below it.
    pub folder: PathBuf,
    pub seed: u64,
    pub extent: Extent,
    /// Only scenarios whose name has this text.
    pub only: Option<String>,
    /// Keepers that live at the same time.
    pub jobs: usize,
    /// Keeps the folders of clean cases too.
    pub keep: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error("{} cannot be made or removed", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("a case ended by a panic")]
    Case {
        #[source]
        source: JoinError,
    },
}

/// One play of one scenario.
#[derive(Debug, Clone)]
struct Case {
    number: usize,
    scenario: &'static Scenario,
    /// Where its lives end; none in the undisturbed play.
    kills: Vec<Option<Kill>>,
}

#[derive(Debug)]
struct Played {
    case: Case,
    /// Its own findings, or why it could not be played to its end.
    result: Result<(Told, evidence::Shown), Box<Broken>>,
    folder: PathBuf,
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Person(#[from] PersonError),
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    #[error("the evidence ended by a panic")]
    Panic(#[from] JoinError),
}

/// Sweeps.
///
/// # Errors
/// If folders cannot be made. What a case shows, and a case that cannot be played, is in the report.
pub async fn sweep(options: &Options) -> Result<Report, SweepError> {
    let named = |s: &&Scenario| options.only.as_ref().is_none_or(|text| s.name.contains(text));
    let quick =
        |s: &&Scenario| options.extent != Extent::Quick || options.only.is_some() || s.thorough;
    let scenarios: Vec<&'static Scenario> =
        scenario::ALL.iter().filter(named).filter(quick).collect();
    let mut report = Report::new(options.seed, scenarios.iter().map(|s| s.name));
    let undisturbed = scenarios.iter().enumerate();
    let undisturbed = undisturbed
        .map(|(number, scenario)| Case { number, scenario, kills: Vec::new() })
        .collect();
    let mut points: BTreeMap<&'static str, BTreeMap<Edge, u32>> = BTreeMap::new();
    for played in play_all(undisturbed, options).await? {
        if let Ok((told, _)) = &played.result {
            points.insert(played.case.scenario.name, told.counts.clone());
        }
        report.take_in(played);
    }
    if options.extent == Extent::Undisturbed {
        return Ok(report);
    }
    let mut cases = Vec::new();
    for scenario in &scenarios {
        let Some(counts) = points.get(scenario.name) else { continue };
        let every =
            if scenario.thorough || options.extent == Extent::Whole { 1 } else { OTHERS_SAMPLED };
        let kills = kills_of(counts, every, options.seed);
        report.has_points(scenario.name, counts);
        cases.extend(kills.into_iter().map(|kill| (*scenario, Some(kill))));
    }
    if options.extent == Extent::Quick {
        cases = spread(cases, QUICK_CASES);
    }
    cases.extend(scenarios.iter().map(|scenario| (*scenario, None)));
    let begun = scenarios.len();
    let cases = cases.into_iter().enumerate().map(|(index, (scenario, kill))| {
        let number = begun + index;
        let salt = u64::try_from(number).unwrap_or(u64::MAX);
        let mut random = Random::new(options.seed, salt);
        let kills = match kill {
            Some(kill) => lives(kill, &mut random),
            None => walk(&mut random),
        };
        Case { number, scenario, kills }
    });
    for played in play_all(cases.collect(), options).await? {
        report.take_in(played);
    }
    Ok(report)
}

/// One in `every` of the points at which something may be written or called, and a sample of the others.
fn kills_of(counts: &BTreeMap<Edge, u32>, every: u32, seed: u64) -> Vec<Kill> {
    let mut random = Random::new(seed, 0);
    let mut kills = Vec::new();
    for looks in [false, true] {
        let of = counts.iter().filter(|(edge, _)| edge.spot.only_looks() == looks);
        let all = of.flat_map(|(edge, times)| (1..=*times).map(|nth| Kill::At(*edge, nth)));
        let every = if looks { every * LOOKS_SAMPLED } else { every };
        let offset = usize::try_from(random.upto(every) - 1).unwrap_or(0);
        kills.extend(all.skip(offset).step_by(usize::try_from(every).unwrap_or(1)));
    }
    kills
}

/// At most so many of them, evenly.
fn spread<T>(all: Vec<T>, most: usize) -> Vec<T> {
    let step = all.len().div_ceil(most).max(1);
    all.into_iter().step_by(step).collect()
}

/// The first life ends at the point of the case; the next ones, by chance.
fn lives(first: Kill, random: &mut Random) -> Vec<Option<Kill>> {
    let mut lives = vec![Some(first)];
    while lives.len() <= MORE_KILLS_MAX && random.coin() {
        lives.push(Some(Kill::Any(random.upto(MORE_KILLS_WITHIN))));
    }
    lives
}

/// The first life ends when its run was taken up, each next one a few points after it took the run over.
fn walk(random: &mut Random) -> Vec<Option<Kill>> {
    let taken_up = Edge { side: Side::After, spot: Spot::TakeOver };
    let mut lives = vec![Some(Kill::At(taken_up, 1))];
    while lives.len() < WALK_KILLS_MAX {
        lives.push(Some(Kill::Act(WALK_BEGINS + random.upto(WALK_STEPS))));
    }
    lives
}

/// Plays all cases, some at a time, and gives them back in their order.
async fn play_all(cases: Vec<Case>, options: &Options) -> Result<Vec<Played>, SweepError> {
    let slots = Arc::new(Semaphore::new(options.jobs.max(1)));
    let mut playing = JoinSet::new();
    for case in cases {
        let slots = Arc::clone(&slots);
        let options = options.clone();
        playing.spawn(async move {
            // The semaphore is never closed.
            let _slot = slots.acquire_owned().await;
            play(case, &options).await
        });
    }
    let mut all = Vec::new();
    while let Some(played) = playing.join_next().await {
        all.push(played.map_err(|source| SweepError::Case { source })??);
    }
    all.sort_by_key(|played| played.case.number);
    Ok(all)
}

async fn play(case: Case, options: &Options) -> Result<Played, SweepError> {
    let folder = options.folder.join(format!("case-{:04}", case.number));
    std::fs::create_dir_all(&folder)
        .map_err(|source| SweepError::Folder { path: folder.clone(), source })?;
    let birth = Birth {
        program: options.program.clone(),
        state: folder.join("practice"),
        log: folder.join("keepers.log"),
        fault: case.scenario.planted,
    };
    let state = birth.state.clone();
    let person = Person::new(case.scenario, birth, case.kills.iter().copied());
    let result = match person.play().await {
        Ok(told) => shown(folder.clone(), state, told).await,
        Err(error) => Err(Box::new(error.into())),
    };
    let clean = result.as_ref().is_ok_and(|(_, shown)| shown.findings.is_empty());
    if clean && !options.keep {
        std::fs::remove_dir_all(&folder)
            .map_err(|source| SweepError::Folder { path: folder.clone(), source })?;
    }
    Ok(Played { case, result, folder })
}

async fn shown(
    folder: PathBuf,
    state: PathBuf,
    told: Told,
) -> Result<(Told, evidence::Shown), Box<Broken>> {
    let examined = tokio::task::spawn_blocking(move || {
        let shown = evidence::examine(&folder, &state, &told)?;
        Ok::<_, EvidenceError>((told, shown))
    });
    match examined.await {
        Ok(Ok(both)) => Ok(both),
        Ok(Err(error)) => Err(Box::new(error.into())),
        Err(error) => Err(Box::new(error.into())),
    }
}

/// The export of a kept case.
pub fn export_of(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("case-{number:04}")).join(evidence::EXPORT)
}
