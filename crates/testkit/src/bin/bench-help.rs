//! How long `steady --help` takes from its start to its end, beside a program that does nothing.
//!
//! Each profile that was built in this target directory is measured; build the one that counts first:
//! `cargo build --release -p steadyhand-cli`.

use std::ffi::OsStr;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use steadyhand_testkit::bench::figure::{Figure, Goal, Unit, median};
use steadyhand_testkit::bench::{self, BenchError, children};

const STARTS: usize = 60;
/// A program that ends at once: what starting one costs here.
const NOTHING: &str = "true";

fn main() -> ExitCode {
    bench::ended(measure())
}

fn measure() -> Result<(), BenchError> {
    let mut figures = Vec::new();
    for (profile, program) in children::steady_binaries()? {
        let (mut helps, mut floors) = (Vec::new(), Vec::new());
        // The first one reads the binary from the disk and does not count.
        start(program.as_os_str(), &["--help"])?;
        for _ in 0..STARTS {
            helps.push(start(program.as_os_str(), &["--help"])?);
            floors.push(start(OsStr::new(NOTHING), &[])?);
        }
        let help = median(helps);
        figures.push(Figure {
            work: format!("steady --help, {profile} build"),
            measured: format!(
                "median of {STARTS}; `{NOTHING}` takes {:.2} ms here",
                median(floors)
            ),
            score: help,
            unit: Unit::Milliseconds,
            goal: Goal::AtMost(10.0),
        });
    }
    bench::show("cold start", &figures)
}

/// Milliseconds from the start of a program to its end.
fn start(program: &OsStr, args: &[&str]) -> Result<f64, BenchError> {
    let begun = Instant::now();
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(BenchError::io("starting a program"))?;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    if status.success() {
        return Ok(took);
    }
    Err(BenchError::Child { what: program.to_string_lossy().into_owned(), status })
}
