//! One command from its words to its exit code: the surroundings that every verb shares, and the way out.

use serde::Serialize;
use steadyhand_api::exit::ExitCode;
use steadyhand_api::reference::RunRef;
use steadyhand_api::request::LibraryAt;
use steadyhand_api::view::RunView;
use steadyhand_model::canonical::CanonicalJson;

use crate::args::{Output, ParamError, Shared, Verb, Words};
use crate::follow::{Follower, Manner};
use crate::keeper::Drives;
use crate::place::{self, Homes, Places};
use crate::screen::summary::Story;
use crate::screen::{Row, Screen, problem, summary};
use crate::session::{self, Session};
use crate::terminal::Terminal;
use crate::trouble::{CommandError, Trouble};
use crate::verb;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The words do not go together.
    Words(Box<clap::Error>),
    Trouble(Box<Trouble>),
}

impl From<Trouble> for Ended {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(Box::new(trouble))
    }
}

impl From<CommandError> for Ended {
    fn from(error: CommandError) -> Self {
        Trouble::from(error).into()
    }
}

impl From<clap::Error> for Ended {
    fn from(error: clap::Error) -> Self {
        Self::Words(Box::new(error))
    }
}

impl From<ParamError> for Ended {
    fn from(error: ParamError) -> Self {
        crate::args::mistake(error).into()
    }
}

pub(crate) type Outcome = Result<ExitCode, Ended>;

/// What a verb works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) terminal: Terminal,
    shared: Shared,
}

impl Context {
    pub(crate) fn places(&self) -> Result<Places, CommandError> {
        Places::find(self.shared.state.clone(), Homes::of_process())
    }

    pub(crate) fn library(&self) -> Result<LibraryAt, CommandError> {
        place::library(self.shared.library.clone())
    }

    pub(crate) fn is_json(&self) -> bool {
        self.shared.output == Output::Json
    }

    /// Prints the screen, or the value as one JSON document.
    pub(crate) fn print<T: Serialize>(
        &mut self,
        value: &T,
        screen: &Screen,
    ) -> Result<(), CommandError> {
        if self.is_json() {
            let document =
                CanonicalJson::of(value).map_err(|source| CommandError::Json { source })?;
            self.terminal.json(&document)
        } else {
            self.terminal.show(screen)
        }
    }

    /// Finds a run for a verb that only asks or records.
    pub(crate) async fn find(&self, run: &RunRef) -> Result<(Session, RunView), Ended> {
        Ok(session::find(&self.places()?, run, Drives::No).await?)
    }

    /// Finds a run for a verb that drives it on.
    pub(crate) async fn find_to_drive(&self, run: &RunRef) -> Result<(Session, RunView), Ended> {
        Ok(session::find(&self.places()?, run, Drives::Yes).await?)
    }

    /// Follows a run, then prints how it stands.
    pub(crate) async fn follow(
        &mut self,
        session: &mut Session,
        view: RunView,
        manner: Manner,
    ) -> Result<RunView, Ended> {
        let follower = Follower::new(session, &mut self.terminal, manner)?;
        let view = follower.follow(view).await?;
        let above = if self.terminal.is_live() { Story::Shown } else { Story::Untold };
        let mut screen = Screen::new();
        screen.push(Row::Blank);
        screen.append(summary::after(&view, above));
        self.print(&view, &screen)?;
        Ok(view)
    }

    /// Prints what a change led to. What was asked for was recorded: that is all that exit 0 says.
    pub(crate) fn recorded(&mut self, view: &RunView) -> Outcome {
        self.print(view, &summary::or_progress(view))?;
        Ok(ExitCode::Ok)
    }
}

pub(crate) fn run(words: Words) -> ExitCode {
    let Words { shared, verb } = words;
    let ascii = shared.ascii;
    let json = shared.output == Output::Json;
    let mut context = Context { terminal: Terminal::new(ascii, json), shared };
    match dispatch(&mut context, verb) {
        Ok(exit) => exit,
        Err(Ended::Words(error)) => crate::args::tell(&error),
        Err(Ended::Trouble(trouble)) => {
            match context.terminal.close() {
                Ok(()) | Err(_) => {}
            }
            if json && let Ok(document) = CanonicalJson::of(&*trouble) {
                match context.terminal.json(&document) {
                    Ok(()) | Err(_) => {}
                }
            }
            crate::terminal::complain(&problem::screen(&trouble), ascii);
            trouble.exit
        }
    }
}

fn dispatch(context: &mut Context, verb: Verb) -> Outcome {
    match verb {
        Verb::Version(args) => verb::version::run(context, &args),
        Verb::Explain(args) => verb::explain::run(context, &args),
        Verb::Check(args) => verb::check::run(context, args),
        Verb::Drill(args) => wait(verb::drill::run(context, args)),
        Verb::Plan(args) => wait(verb::plan::run(context, args)),
        Verb::Run(args) => wait(verb::run::run(context, args)),
        Verb::Handle(args) => wait(verb::handle::run(context, args)),
        Verb::Approve(args) => wait(verb::approve::run(context, args)),
        Verb::Deny(args) => wait(verb::deny::run(context, args)),
        Verb::Answer(args) => wait(verb::answer::run(context, args)),
        Verb::Status(args) => wait(verb::status::run(context, args)),
        Verb::Watch(args) => wait(verb::watch::run(context, args)),
        Verb::Resume(args) => wait(verb::resume::run(context, args)),
        Verb::Pause(args) => wait(verb::pause::run(context, args)),
        Verb::Cancel(args) => wait(verb::cancel::run(context, args)),
        Verb::Settle(args) => wait(verb::settle::run(context, args)),
        Verb::Undo(args) => wait(verb::undo::run(context, args)),
        Verb::History(args) => wait(verb::history::run(context, args)),
        Verb::Tool(args) => wait(verb::tool::run(args)),
    }
}

/// Runs a verb that waits for something. The runtime is made only for these.
fn wait(verb: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CommandError::Runtime { source })?;
    let outcome = runtime.block_on(verb);
    // A thread that waits for a line of the terminal must not hold up the way out.
    runtime.shutdown_background();
    outcome
}
