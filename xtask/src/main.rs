//! `cargo xtask`: reads the command line, runs one task, and turns its end into an exit code.

use std::io::Write;
use std::process::ExitCode;

use steadyhand_xtask::task::{self, Task};

/// A check did not pass.
const EXIT_FAILED: u8 = 1;
/// The command line is not understood.
const EXIT_USAGE: u8 = 64;
/// A task could not be carried out at all.
const EXIT_BROKEN: u8 = 70;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let task = match Task::parse(&args) {
        Ok(task) => task,
        Err(error) => return report(&error, EXIT_USAGE),
    };
    match task::run(&task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FAILED),
        Err(error) => report(&error, EXIT_BROKEN),
    }
}

/// Writes an error and what it came from, one line each.
fn report(error: &dyn std::error::Error, code: u8) -> ExitCode {
    let mut text = format!("error: {error}\n");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!("  because {cause}\n"));
        source = cause.source();
    }
    // With standard error closed there is nowhere left to say it; the exit code still does.
    match std::io::stderr().write_all(text.as_bytes()) {
        Ok(()) | Err(_) => ExitCode::from(code),
    }
}
