//! `steady answer RUN STEP VALUE`

use steadyhand_api::reference::RunRef;
use steadyhand_api::request::Request;
use steadyhand_model::event::Answer;
use steadyhand_model::ids::StepId;

use crate::command::{Context, Outcome};
use crate::session::run_of;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    run: RunRef,
    /// The step that asks
    step: StepId,
    /// One of its answers, as it is written there
    value: String,
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let (mut session, view) = context.find(&args.run).await?;
    let request = Request::Answer {
        run: RunRef::Id(view.line.run),
        step: args.step,
        answer: Answer(args.value),
    };
    let view = run_of(session.change(request).await?)?;
    context.recorded(&view)
}
