//! `steady settle RUN[/STEP] SETTLEMENT --reason TEXT`: a person's word about what nobody could find out.

use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use steadyhand_api::reference::{ReferenceError, RunRef};
use steadyhand_api::request::Request;
use steadyhand_model::ids::{IdError, StepId};
use steadyhand_model::outcome::Settlement;

use crate::command::{Context, Outcome};
use crate::session::run_of;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run, and its step where several wait: r-4f2k/restart
    #[arg(value_name = "RUN[/STEP]")]
    what: What,
    /// What became of the call, or what to do about it
    #[arg(value_parser = PossibleValuesParser::new(Settlement::ALL.map(Settlement::word)).try_map(settlement))]
    settlement: Settlement,
    /// How you know; kept with the run
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct What {
    run: RunRef,
    step: Option<StepId>,
}

#[derive(Debug, thiserror::Error)]
enum WhatError {
    #[error(transparent)]
    Run(#[from] ReferenceError),
    #[error(transparent)]
    Step(#[from] IdError),
}

impl FromStr for What {
    type Err = WhatError;

    fn from_str(text: &str) -> Result<Self, WhatError> {
        match text.split_once('/') {
            Some((run, step)) => Ok(Self { run: run.parse()?, step: Some(step.parse()?) }),
            None => Ok(Self { run: text.parse()?, step: None }),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not one of the settlements")]
struct NoSettlement;

fn settlement(word: String) -> Result<Settlement, NoSettlement> {
    Settlement::ALL.into_iter().find(|known| known.word() == word).ok_or(NoSettlement)
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    let (mut session, view) = context.find(&args.what.run).await?;
    let request = Request::Settle {
        run: RunRef::Id(view.line.run),
        step: args.what.step,
        settlement: args.settlement,
        reason: args.reason,
    };
    let view = run_of(session.change(request).await?)?;
    context.recorded(&view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_and_its_step_are_read() {
        let step = |text: &str| Some(text.parse::<StepId>().unwrap());
        let run = || RunRef::Prefix("r-4f2k".into());
        let cases = [
            ("r-4f2k", Some(What { run: run(), step: None })),
            ("r-4f2k/evict[2]", Some(What { run: run(), step: step("evict[2]") })),
            ("last/a", Some(What { run: RunRef::Last, step: step("a") })),
            ("r-4f2k/", None),
            ("x", None),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<What>().ok(), want, "{text:?}");
        }
    }
}
