//! `steady history [RUN]`

use serde::Serialize;
use steadyhand_api::exit::ExitCode;
use steadyhand_api::reference::RunRef;
use steadyhand_api::reply::Response;
use steadyhand_api::request::{RUNS_MAX, Request, RunsFilter};
use steadyhand_api::view::RunLine;

use crate::command::{Context, Outcome};
use crate::keeper::Drives;
use crate::screen::history;
use crate::session::Session;
use crate::trouble::CommandError;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A run, for its whole story
    run: Option<RunRef>,
    /// How many runs to list
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(RUNS_MAX)))]
    limit: u32,
}

/// Runs of all installations, the newest first.
#[derive(Debug, Serialize)]
struct Runs {
    runs: Vec<RunLine>,
    more: u64,
}

pub(crate) async fn run(context: &mut Context, args: Args) -> Outcome {
    if let Some(run) = &args.run {
        let (_, view) = context.find(run).await?;
        context.print(&view, &history::one(&view))?;
        return Ok(ExitCode::Ok);
    }
    let mut all = Runs { runs: Vec::new(), more: 0 };
    for state_dir in context.places()?.all().into_iter().filter(|path| path.is_dir()) {
        let mut session = Session::open(state_dir, Drives::No).await?;
        let filter = RunsFilter::Newest { limit: args.limit };
        match session.ask(Request::Runs { filter }).await? {
            Response::Runs { runs, more } => {
                all.runs.extend(runs);
                all.more += more;
            }
            Response::Status(_) | Response::Run(_) | Response::Plan(_) | Response::Handled(_) => {
                return Err(CommandError::OtherAnswer.into());
            }
        }
    }
    all.runs.sort_by_key(|line| std::cmp::Reverse(line.created));
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    all.more += u64::try_from(all.runs.len().saturating_sub(limit)).unwrap_or(0);
    all.runs.truncate(limit);
    context.print(&all, &history::list(&all.runs, all.more))?;
    Ok(ExitCode::Ok)
}
