//! How long the README's first command takes on a fresh machine: from an empty target directory to the first line of
//! the incident. What cargo has downloaded already is not downloaded again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use steadyhand_testkit::bench::figure::{Figure, Goal, Unit};
use steadyhand_testkit::bench::{self, BenchError};

/// The repository's root, where the alias `drill` is known.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn main() -> ExitCode {
    bench::ended(measure())
}

fn measure() -> Result<(), BenchError> {
    let directory = bench::directory("cold")?;
    let cold = first_line(directory.path())?;
    let warm = first_line(directory.path())?;
    let load =
        std::fs::read_to_string("/proc/loadavg").map_err(BenchError::io("reading the load"))?;
    let figure = Figure {
        work: "`cargo drill`, cold, to its first line".to_owned(),
        measured: format!(
            "the same again, built: {warm:.2} s; load averages of 1, 5, 15 minutes at its end: {}",
            load.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
        ),
        score: cold,
        unit: Unit::Seconds,
        goal: Goal::AtMost(120.0),
    };
    bench::show("first command of the README", &[figure])
}

/// Seconds until the drill shows its first line. Its end is not waited for: nobody answers its card here.
fn first_line(directory: &Path) -> Result<f64, BenchError> {
    let begun = Instant::now();
    let mut drill = Command::new(env!("CARGO"))
        .arg("drill")
        .current_dir(ROOT)
        .env("CARGO_TARGET_DIR", directory.join("target"))
        .env("XDG_STATE_HOME", directory.join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(BenchError::io("starting cargo"))?;
    let mut line = String::new();
    if let Some(output) = drill.stdout.take() {
        let mut output = BufReader::new(output);
        output.read_line(&mut line).map_err(BenchError::io("hearing the drill"))?;
        let took = begun.elapsed().as_secs_f64();
        if !line.is_empty() {
            // The rest is read, so that the drill can come to its own end.
            std::io::copy(&mut output, &mut std::io::sink())
                .map_err(BenchError::io("hearing the drill"))?;
            drill.wait().map_err(BenchError::io("waiting for the drill"))?;
            return Ok(took);
        }
    }
    let status = drill.wait().map_err(BenchError::io("waiting for the drill"))?;
    Err(BenchError::Child { what: "`cargo drill` before its first line".to_owned(), status })
}
