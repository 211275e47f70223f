//! `steady pause RUN`

use steadyhand_api::reference::RunRef;
use steadyhand_api::request::Request;

use crate::command::{Context, Outcome};
use crate::session::run_of;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    run: RunRef,
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let (mut session, view) = context.find(&args.run).await?;
    let request = Request::Pause { run: RunRef::Id(view.line.run) };
    let view = run_of(session.change(request).await?)?;
    context.recorded(&view)
}
