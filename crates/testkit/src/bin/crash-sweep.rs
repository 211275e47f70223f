//! Kills keepers at every point where something may be half done, and judges what is left.
//!
//! `crash-sweep [--undisturbed | --quick | --whole] [--seed N] [--only TEXT] [--jobs N] [--keep DIR]`
//!
//! Exit 0: nothing was found; 1: something was, and the folder of each such case is kept; 64: usage. As
//! `crash-sweep keeper …` and `crash-sweep tool …` it is the processes that are killed.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use steadyhand_testkit::sweep::keeper::{self, KeeperError};
use steadyhand_testkit::sweep::{Extent, FULL_KILLS, Options, QUICK_KILLS, SweepError, sweep};

/// The sweep of one day is that of the next, unless somebody wants another.
const SEED: u64 = 7;
/// A case mostly waits for its processes to start and for the disk: more of them than cores are of use.
const JOBS: usize = 4;

#[derive(Debug, thiserror::Error)]
enum MainError {
    #[error(
        "usage: crash-sweep [--undisturbed | --quick | --whole] [--seed N] [--only TEXT] [--jobs N] [--keep DIR]"
    )]
    Usage,
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    #[error(transparent)]
    Sweep(#[from] SweepError),
    #[error("this program cannot find itself, or a folder to work in")]
    Place {
        #[source]
        source: std::io::Error,
    },
    #[error("standard output is closed")]
    Output {
        #[source]
        source: std::io::Error,
    },
}

/// What was asked for, and where clean cases are kept if they are.
fn options(args: &[String]) -> Result<Options, MainError> {
    let place = |source| MainError::Place { source };
    let program = std::env::current_exe().map_err(place)?;
    let mut options = Options {
        program,
        folder: PathBuf::new(),
        seed: SEED,
        extent: Extent::Full,
        only: None,
        jobs: JOBS,
        keep: false,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(MainError::Usage);
        match arg.as_str() {
            "--undisturbed" => options.extent = Extent::Undisturbed,
            "--quick" => options.extent = Extent::Quick,
            "--whole" => options.extent = Extent::Whole,
            "--seed" => options.seed = number(value()?)?,
            "--only" => options.only = Some(value()?.clone()),
            "--jobs" => options.jobs = number(value()?)?,
            "--keep" => {
                options.folder = PathBuf::from(value()?);
                options.keep = true;
            }
            _ => return Err(MainError::Usage),
        }
    }
    Ok(options)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, MainError> {
    match text.parse() {
        Ok(number) => Ok(number),
        Err(_not_a_number) => Err(MainError::Usage),
    }
}

async fn sweep_all(args: &[String]) -> Result<bool, MainError> {
    let place = |source| MainError::Place { source };
    let mut options = options(args)?;
    let temporary = match options.keep {
        true => {
            std::fs::create_dir_all(&options.folder).map_err(place)?;
            options.folder = options.folder.canonicalize().map_err(place)?;
            None
        }
        false => {
            let folder = tempfile::Builder::new().prefix("crash-sweep-").tempdir();
            let folder = folder.map_err(place)?;
            options.folder = folder.path().to_owned();
            Some(folder)
        }
    };
    let began = Instant::now();
    let report = sweep(&options).await?;
    let least = match (options.extent, &options.only) {
        (Extent::Undisturbed, _) => 0,
        (_, Some(_)) => 1,
        (Extent::Full | Extent::Whole, None) => FULL_KILLS,
        (Extent::Quick, None) => QUICK_KILLS,
    };
    let clean = report.is_clean(least);
    if let Some(folder) = temporary
        && !report.failures.is_empty()
    {
        // Whoever looks into it removes it.
        drop(folder.keep());
    }
    let word = if clean { "clean" } else { "NOT CLEAN" };
    let seconds = began.elapsed().as_secs();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{report}{word}: {} kills, at least {least}, in {seconds} s", report.kills())
        .and_then(|()| out.flush())
        .map_err(|source| MainError::Output { source })?;
    Ok(clean)
}

async fn work(args: &[String]) -> Result<bool, MainError> {
    match args.split_first() {
        Some((word, rest)) if word == keeper::KEEPER => {
            keeper::keep(rest).await?;
            Ok(true)
        }
        Some((word, rest)) if word == keeper::TOOL => {
            keeper::serve_tool(rest).await?;
            Ok(true)
        }
        _ => sweep_all(args).await,
    }
}

fn complain(error: &MainError) -> std::io::Result<()> {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    writeln!(std::io::stderr(), "crash-sweep: {text}")
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match work(&args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            if complain(&error).is_err() {
                return ExitCode::FAILURE;
            }
            ExitCode::from(if matches!(error, MainError::Usage) { 64 } else { 1 })
        }
    }
}
