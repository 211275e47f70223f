//! `steady resume [RUN]`: takes up a paused run, or one that nobody drives.

use steadyhand_api::reference::RunRef;
use steadyhand_api::request::Request;

use crate::command::{Context, Outcome};
use crate::follow::Manner;
use crate::session::run_of;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(default_value = "last")]
    run: RunRef,
    /// Answer a `confirm` of a reversible plan with yes, and nothing else
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let (mut session, view) = context.find_to_drive(&args.run).await?;
    let request = Request::Resume { run: RunRef::Id(view.line.run) };
    let view = run_of(session.change(request).await?)?;
    let manner = Manner::Drive { yes: args.yes };
    let view = context.follow(&mut session, view, manner).await?;
    Ok(view.line.exit())
}
