//! `steady cancel RUN [--undo]`

use steadyhand_api::reference::RunRef;
use steadyhand_api::request::Request;

use crate::command::{Context, Outcome};
use crate::session::run_of;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    run: RunRef,
    /// Undo what was done, instead of leaving it
    #[arg(long)]
    undo: bool,
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let (mut session, view) = context.find(&args.run).await?;
    let request = Request::Cancel { run: RunRef::Id(view.line.run), undo: args.undo };
    let view = run_of(session.change(request).await?)?;
    context.recorded(&view)
}
