//! `steady plan RUNBOOK`: reads only, and shows what would be done.

use steadyhand_api::exit::ExitCode;
use steadyhand_api::reply::Response;
use steadyhand_api::request::{PlanAsk, Request};
use steadyhand_model::ids::RunbookName;

use crate::args::{InEnvironment, Params};
use crate::command::{Context, Outcome};
use crate::keeper::Drives;
use crate::screen::plan;
use crate::session::Session;
use crate::trouble::CommandError;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    runbook: RunbookName,
    #[command(flatten)]
    environment: InEnvironment,
    #[command(flatten)]
    params: Params,
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let params = args.params.by_name()?;
    let library = context.library()?;
    let environment = args.environment.environment;
    let class = crate::place::class(&library, environment.as_ref())?;
    let mut session = Session::open(context.places()?.of(class), Drives::No).await?;
    let ask = PlanAsk { library, runbook: args.runbook, environment, params };
    let view = match session.change(Request::Plan { ask }).await? {
        Response::Plan(view) => view,
        Response::Status(_) | Response::Runs { .. } | Response::Run(_) | Response::Handled(_) => {
            return Err(CommandError::OtherAnswer.into());
        }
    };
    let sealed = view.open().map_err(|source| CommandError::Plan { source })?;
    context.print(&*view, &plan::screen(&view, &sealed))?;
    Ok(if sealed.body().writes() { ExitCode::ChangesPending } else { ExitCode::Ok })
}
