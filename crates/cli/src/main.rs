//! `steady`: the command line. Reads what was typed, talks to the keeper, shows screens, leaves with an exit code.
//!
//! Nothing is done before the words are read: `--help` must be there at once.

mod args;
mod command;
mod compose;
mod follow;
mod keeper;
mod pages;
mod place;
mod prompt;
mod screen;
mod session;
mod terminal;
mod trouble;
mod verb;

use std::process;

use steadyhand_api::exit::ExitCode;

use crate::args::Read;
use crate::trouble::{CommandError, Trouble};

fn main() -> process::ExitCode {
    let faulted = std::panic::catch_unwind(|| match args::read() {
        Read::Done(exit) => exit,
        Read::Command(command) => command::run(*command),
    });
    let exit = faulted.unwrap_or_else(|_payload| {
        // The panic's own lines are above; they are what to report.
        let trouble = Trouble::from(CommandError::Bug);
        terminal::complain(&screen::problem::screen(&trouble), false);
        ExitCode::Bug
    });
    process::ExitCode::from(exit.number())
}
