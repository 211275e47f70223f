//! `steady run PLAN` or `steady run RUNBOOK -p …`: card, yes, acts, checks.

use std::str::FromStr;

use steadyhand_api::reference::PlanRef;
use steadyhand_api::request::{PlanAsk, Request, RunOf};
use steadyhand_api::view::RunView;
use steadyhand_model::ids::{IdError, RunbookName};

use crate::args::{InEnvironment, Params, mistake};
use crate::command::{Context, Ended, Outcome};
use crate::follow::Manner;
use crate::keeper::Drives;
use crate::session::{Session, run_of};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A plan that you saw (9c41-e07a), or a runbook to plan now
    #[arg(value_name = "PLAN|RUNBOOK")]
    what: What,
    #[command(flatten)]
    environment: InEnvironment,
    #[command(flatten)]
    params: Params,
    /// Answer a `confirm` of a reversible plan with yes, and nothing else
    #[arg(long)]
    yes: bool,
}

/// Eight or more hexadecimal digits name a plan; anything else is a runbook.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Plan(PlanRef),
    Runbook(RunbookName),
}

impl FromStr for What {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.parse() {
            Ok(plan) => Ok(Self::Plan(plan)),
            Err(_not_a_plan) => text.parse().map(Self::Runbook),
        }
    }
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let environment = args.environment.environment;
    let params = args.params.by_name()?;
    let (mut session, view) = match args.what {
        What::Plan(plan) => {
            if environment.is_some() || !params.is_empty() {
                let message = "a plan has its environment and its values already";
                return Err(mistake(message).into());
            }
            of_plan(context, plan).await?
        }
        What::Runbook(runbook) => {
            let library = context.library()?;
            let class = crate::place::class(&library, environment.as_ref())?;
            let mut session = Session::open(context.places()?.of(class), Drives::Yes).await?;
            let ask = PlanAsk { library, runbook, environment, params };
            let view = run_of(session.begin(Request::Run { of: RunOf::Fresh(ask) }).await?)?;
            (session, view)
        }
    };
    let manner = Manner::Drive { yes: args.yes };
    let view = context.follow(&mut session, view, manner).await?;
    Ok(view.line.exit())
}

/// A plan is in the installation that made it. The other one does not know it, and says so.
async fn of_plan(context: &Context, plan: PlanRef) -> Result<(Session, RunView), Ended> {
    let mut refused = None;
    for state_dir in context.places()?.all().into_iter().filter(|path| path.is_dir()) {
        let mut session = Session::open(state_dir, Drives::Yes).await?;
        let request = Request::Run { of: RunOf::Plan(plan.clone()) };
        match session.begin(request).await {
            Ok(answer) => return Ok((session, run_of(answer)?)),
            // The refusal that says most is that of the installation which knows the plan.
            Err(trouble) if refused.is_none() || !trouble.is_unknown_plan() => {
                refused = Some(trouble);
            }
            Err(_unknown_here_too) => {}
        }
    }
    Err(refused.map_or_else(|| crate::trouble::CommandError::NoRuns.into(), Ended::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_and_runbooks_are_told_apart() {
        let plan = |text: &str| Some(What::Plan(text.parse().unwrap()));
        let runbook = |text: &str| Some(What::Runbook(text.parse().unwrap()));
        assert_eq!("9c41-e07a".parse().ok(), plan("9c41e07a"));
        assert_eq!("9c41e07a".parse().ok(), plan("9c41e07a"));
        assert_eq!("scale".parse().ok(), runbook("scale"));
        assert_eq!("9c41-e07".parse().ok(), runbook("9c41-e07"));
        assert_eq!("a b".parse::<What>().ok(), None);
    }
}
