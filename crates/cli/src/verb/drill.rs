//! `steady drill`: an incident in a practice world of its own; without a runbook, the guided one.

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use steadyhand_api::request::{DrillAsk, Fault, Request};
use steadyhand_model::ids::RunbookName;
use steadyhand_model::plan::EnvironmentClass;

use crate::args::Params;
use crate::command::{Context, Outcome};
use crate::follow::Manner;
use crate::keeper::Drives;
use crate::screen::history;
use crate::session::{Session, run_of};

/// Largest seed: what a JSON number carries exactly.
const SEED_MAX: u64 = (1 << 53) - 1;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The runbook to practise [default: the guided incident, with a lost reply in it]
    runbook: Option<RunbookName>,
    /// What the practice world does wrong
    #[arg(long, value_parser = PossibleValuesParser::new(Fault::ALL.map(Fault::word)).try_map(fault))]
    fault: Option<Fault>,
    /// The same seed plays the same incident
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=SEED_MAX))]
    seed: Option<u64>,
    #[command(flatten)]
    params: Params,
    /// Answer a `confirm` of a reversible plan with yes, and nothing else
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("not one of the faults")]
struct NoFault;

fn fault(word: String) -> Result<Fault, NoFault> {
    Fault::ALL.into_iter().find(|known| known.word() == word).ok_or(NoFault)
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let params = args.params.by_name()?;
    let library = context.library()?;
    let places = context.places()?;
    let mut session = Session::open(places.of(EnvironmentClass::Practice), Drives::Yes).await?;
    let ask =
        DrillAsk { library, runbook: args.runbook, seed: args.seed, fault: args.fault, params };
    let view = run_of(session.begin(Request::Drill { ask: Box::new(ask) }).await?)?;
    context.terminal.show(&history::opening(&view))?;
    let manner = Manner::Drive { yes: args.yes };
    let view = context.follow(&mut session, view, manner).await?;
    Ok(view.line.exit())
}
