//! `steady approve RUN [--plan DIGEST]`: repeats the digest of the plan that was seen.

use steadyhand_api::reference::{PlanRef, RunRef};
use steadyhand_api::request::Request;
use steadyhand_api::view::Need;
use steadyhand_model::ids::GateId;

use crate::command::{Context, Outcome};
use crate::follow::Manner;
use crate::session::run_of;
use crate::trouble::CommandError;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    run: RunRef,
    /// The plan that you saw, such as 9c41-e07a; without it the card is shown and you are asked
    #[arg(long, value_name = "DIGEST")]
    plan: Option<PlanRef>,
    /// The gate [default: the one that is open]
    #[arg(long)]
    gate: Option<GateId>,
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let (mut session, view) = context.find(&args.run).await?;
    let Some(plan) = args.plan else {
        if !context.terminal.asks() {
            return Err(CommandError::NotTerminal.into());
        }
        let waits = view.line.needs.iter().any(|need| matches!(need, Need::Decision { .. }));
        if !waits {
            context.print(&view, &crate::screen::summary::or_progress(&view))?;
            return Ok(view.line.exit());
        }
        let manner = Manner::Decide;
        let view = context.follow(&mut session, view, manner).await?;
        return Ok(view.line.exit());
    };
    let request = Request::Approve { run: RunRef::Id(view.line.run), gate: args.gate, plan };
    let view = run_of(session.change(request).await?)?;
    context.recorded(&view)
}
