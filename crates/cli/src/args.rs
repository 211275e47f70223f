//! The words of the command line, read with clap. Wrong words end with exit 64; help and version with 0.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use steadyhand_api::exit::ExitCode;
use steadyhand_model::ids::{EnvironmentName, IdError, ParamName};

use crate::screen::{Screen, Tone};
use crate::terminal::{self, Stream, Surroundings};
use crate::verb;

/// Widest help, in columns.
const HELP_WIDTH_MAX: usize = 100;

/// Runs approved runbooks: shows the exact change, asks, does it once, checks, undoes.
#[derive(Debug, Parser)]
#[command(
    name = "steady",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = HELP_WIDTH_MAX,
    after_help = "Begin with: steady drill\n\
        A run is named by its id, the beginning of it (r-4f2k), or `last`.\n\
        Exit: 0 ok, 1 failed or undone, 2 changes pending, 3 denied, 4 unknown, 5 stopped, 6 waiting, \
        7 refused, 64 usage, 70 fault"
)]
pub(crate) struct Words {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Shared {
    /// What to print: screens for people, or one JSON document
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Output,
    /// State directory [default: $XDG_STATE_HOME/steadyhand/default, and practice beside it]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Library [default: found upward from here, else the built-in practice library]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) library: Option<PathBuf>,
    /// ASCII marks: + x ? ! - > (also in a pipe and where the locale is not UTF-8)
    #[arg(long, global = true)]
    pub(crate) ascii: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Output {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Play an incident in the practice world: nothing real is touched
    Drill(verb::drill::Args),
    /// Show what a runbook would change; changes nothing
    Plan(verb::plan::Args),
    /// Run a plan: card, yes, acts, checks
    Run(verb::run::Args),
    /// Take an alert, choose its runbook, plan it, ask
    Handle(verb::handle::Args),
    /// Say yes to a run that waits
    Approve(verb::approve::Args),
    /// Say no to a run that waits
    Deny(verb::deny::Args),
    /// Answer a question that a run asks
    Answer(verb::answer::Args),
    /// What needs a person, what is unknown, what runs
    Status(verb::status::Args),
    /// Follow a run without touching it
    Watch(verb::watch::Args),
    /// Take up a run that is paused or that nobody drives
    Resume(verb::resume::Args),
    /// Hold a run after the call in flight
    Pause(verb::pause::Args),
    /// End a run; what was done stays, or is undone
    Cancel(verb::cancel::Args),
    /// Say what became of a call that nobody could find out
    Settle(verb::settle::Args),
    /// Take back what a run did, in reverse
    Undo(verb::undo::Args),
    /// Check runbooks and environments, all mistakes at once
    Check(verb::check::Args),
    /// Runs so far, or the whole story of one
    History(verb::history::Args),
    /// Serve a tool server on standard input and output
    Tool(verb::tool::Args),
    /// The version, and the versions of its formats
    Version(verb::version::Args),
    /// The page of an error code
    Explain(verb::explain::Args),
}

/// `-e ENVIRONMENT`
#[derive(Debug, Clone, Args)]
pub(crate) struct InEnvironment {
    /// Environment to act on [default: the only one that fits]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) environment: Option<EnvironmentName>,
}

/// `-p name=value`
#[derive(Debug, Clone, Args)]
pub(crate) struct Params {
    /// A parameter's value, such as workload=shop/checkout; may be repeated
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = param)]
    params: Vec<(ParamName, String)>,
}

impl Params {
    /// # Errors
    /// If a name was given twice.
    pub(crate) fn by_name(self) -> Result<BTreeMap<ParamName, String>, ParamError> {
        let mut params = BTreeMap::new();
        for (name, value) in self.params {
            if let Some(_earlier) = params.insert(name.clone(), value) {
                return Err(ParamError::Twice { name });
            }
        }
        Ok(params)
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ParamError {
    #[error("a parameter is given as name=value")]
    NoValue,
    #[error("it is not a parameter's name")]
    Name {
        #[source]
        source: IdError,
    },
    #[error("the parameter `{name}` is given twice")]
    Twice { name: ParamName },
}

fn param(text: &str) -> Result<(ParamName, String), ParamError> {
    let (name, value) = text.split_once('=').ok_or(ParamError::NoValue)?;
    let name = name.parse().map_err(|source| ParamError::Name { source })?;
    Ok((name, value.to_owned()))
}

/// What the words came to.
pub(crate) enum Read {
    Command(Box<Words>),
    /// Help or a mistake: shown already.
    Done(ExitCode),
}

pub(crate) fn read() -> Read {
    let around = Surroundings::of_process();
    let width = terminal::look(&around, true, None, false).width.min(HELP_WIDTH_MAX);
    let command = Words::command().term_width(width);
    let words = command.try_get_matches().and_then(|matches| Words::from_arg_matches(&matches));
    match words {
        Ok(words) => Read::Command(Box::new(words)),
        Err(error) => Read::Done(tell(&error)),
    }
}

/// Shows help on the output, a mistake on the error stream. What was typed is quoted in it, so it is escaped.
pub(crate) fn tell(error: &clap::Error) -> ExitCode {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let mut screen = Screen::new();
    for line in error.render().to_string().lines() {
        screen.drawn(Tone::Plain, line);
    }
    if asked {
        let text = crate::screen::writer::write(&screen, terminal::look_of(Stream::Out, false));
        match io::Write::write_all(&mut io::stdout().lock(), text.as_bytes()) {
            // Whoever asked for help and does not read it has what they want.
            Ok(()) | Err(_) => {}
        }
        return ExitCode::Ok;
    }
    terminal::complain(&screen, false);
    ExitCode::Usage
}

/// A mistake that is found after clap has read the words.
pub(crate) fn mistake(message: impl std::fmt::Display) -> clap::Error {
    Words::command().error(ErrorKind::ValueValidation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_every_verb_are_sound() {
        Words::command().debug_assert();
        assert_eq!(Words::command().get_subcommands().count(), 19);
    }

    #[test]
    fn parameters_have_a_name_and_a_value() {
        let cases = [
            ("a=b", Some(("a", "b"))),
            ("a=", Some(("a", ""))),
            ("a=b=c", Some(("a", "b=c"))),
            ("a", None),
            ("=b", None),
            ("a b=c", None),
        ];
        for (text, want) in cases {
            let got = param(text).ok().map(|(name, value)| (name.to_string(), value));
            assert_eq!(got, want.map(|(n, v)| (n.to_owned(), v.to_owned())), "{text:?}");
        }
        let twice = vec![param("a=1").unwrap(), param("a=2").unwrap()];
        assert!(matches!(Params { params: twice }.by_name(), Err(ParamError::Twice { .. })));
    }
}
