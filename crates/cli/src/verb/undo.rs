//! `steady undo RUN`: turns an unfinished run back, or plans a successor that takes a finished one back.

use steadyhand_api::exit::ExitCode;
use steadyhand_api::reference::RunRef;
use steadyhand_api::request::Request;
use steadyhand_api::view::RunPhase;
use steadyhand_model::outcome::RunOutcome;

use crate::command::{Context, Outcome};
use crate::follow::Manner;
use crate::session::run_of;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    run: RunRef,
    /// Answer a `confirm` of a reversible plan with yes, and nothing else
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let (mut session, view) = context.find_to_drive(&args.run).await?;
    let request = Request::Undo { run: RunRef::Id(view.line.run) };
    let view = run_of(session.change(request).await?)?;
    let manner = Manner::Drive { yes: args.yes };
    let view = context.follow(&mut session, view, manner).await?;
    // Undone is what was asked for here.
    if view.line.phase == RunPhase::Finished(RunOutcome::Undone) {
        return Ok(ExitCode::Ok);
    }
    Ok(view.line.exit())
}
