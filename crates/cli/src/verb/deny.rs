//! `steady deny RUN`

use steadyhand_api::reference::RunRef;
use steadyhand_api::request::Request;
use steadyhand_model::ids::GateId;

use crate::command::{Context, Outcome};
use crate::session::run_of;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    run: RunRef,
    /// Why not; kept with the run
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The gate [default: the one that is open]
    #[arg(long)]
    gate: Option<GateId>,
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let (mut session, view) = context.find(&args.run).await?;
    let run = RunRef::Id(view.line.run);
    let request = Request::Deny { run, gate: args.gate, reason: args.reason };
    let view = run_of(session.change(request).await?)?;
    context.recorded(&view)
}
