//! `steady watch [RUN]`: follows a run and touches nothing.

use steadyhand_api::reference::RunRef;

use crate::command::{Context, Outcome};
use crate::follow::Manner;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(default_value = "last")]
    run: RunRef,
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let (mut session, view) = context.find(&args.run).await?;
    let manner = Manner::Watch;
    let view = context.follow(&mut session, view, manner).await?;
    Ok(view.line.exit())
}
