//! `steady handle [FILE]`: an Alertmanager notification becomes an incident, a choice, a plan, a card.

use std::io::Read as _;
use std::path::PathBuf;

use steadyhand_api::reply::Response;
use steadyhand_api::request::{BodyBytes, HandleAsk, Request};
use steadyhand_api::view::Handled;
use steadyhand_model::ids::RunbookName;

use crate::args::{InEnvironment, Params};
use crate::command::{Context, Outcome};
use crate::follow::Manner;
use crate::keeper::Drives;
use crate::screen::{handled, history};
use crate::session::Session;
use crate::trouble::CommandError;

/// Bytes read of a notification: one more than the largest that is taken, so that a larger one is seen to be.
const BODY_READ_MAX: u64 = 1024 * 1024 + 1;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The notification, as its sender wrote it; `-` reads standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Fingerprint of the alert that is meant, where several fire
    #[arg(long, value_name = "KEY")]
    alert: Option<String>,
    /// The runbook that is meant, where several fit
    #[arg(long, value_name = "NAME")]
    runbook: Option<RunbookName>,
    /// Who sent it
    #[arg(long, default_value = "alertmanager", value_name = "NAME")]
    source: String,
    #[command(flatten)]
    environment: InEnvironment,
    #[command(flatten)]
    params: Params,
    /// Answer a `confirm` of a reversible plan with yes, and nothing else
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let params = args.params.by_name()?;
    let body = read(args.file)?;
    let library = context.library()?;
    let environment = args.environment.environment;
    let class = crate::place::class(&library, environment.as_ref())?;
    let mut session = Session::open(context.places()?.of(class), Drives::Yes).await?;
    let ask = HandleAsk {
        library,
        source: args.source,
        body: BodyBytes(body),
        alert: args.alert,
        runbook: args.runbook,
        environment,
        params,
    };
    let handled = match session.begin(Request::Handle { ask: Box::new(ask) }).await? {
        Response::Handled(handled) => *handled,
        Response::Status(_) | Response::Runs { .. } | Response::Run(_) | Response::Plan(_) => {
            return Err(CommandError::OtherAnswer.into());
        }
    };
    match handled {
        Handled::Run(view) => {
            context.terminal.show(&history::opening(&view))?;
            let manner = Manner::Drive { yes: args.yes };
            let view = context.follow(&mut session, *view, manner).await?;
            Ok(view.line.exit())
        }
        // What cannot be opened is not shown as if it were the plan.
        Handled::Plan(view) => {
            view.open().map_err(|source| CommandError::Plan { source })?;
            let handled = Handled::Plan(view);
            context.print(&handled, &handled::screen(&handled))?;
            Ok(handled.exit())
        }
        other => {
            context.print(&other, &handled::screen(&other))?;
            Ok(other.exit())
        }
    }
}

fn read(path: PathBuf) -> Result<Vec<u8>, CommandError> {
    let mut body = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(BODY_READ_MAX).read_to_end(&mut body)
    } else {
        std::fs::File::open(&path).and_then(|file| file.take(BODY_READ_MAX).read_to_end(&mut body))
    };
    match read {
        Ok(_) => Ok(body),
        Err(source) => Err(CommandError::Input { path, source }),
    }
}
