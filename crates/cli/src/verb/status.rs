//! `steady status`: of every installation that is there. As JSON: a list, one status for each.

use steadyhand_api::exit::ExitCode;
use steadyhand_api::reply::Response;
use steadyhand_api::request::Request;

use crate::command::{Context, Outcome};
use crate::keeper::Drives;
use crate::screen::status;
use crate::session::Session;
use crate::trouble::CommandError;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(context: &mut Context, _args: Args) -> Outcome {
    let mut views = Vec::new();
    for state_dir in context.places()?.all().into_iter().filter(|path| path.is_dir()) {
        let mut session = Session::open(state_dir, Drives::No).await?;
        match session.ask(Request::Status).await? {
            Response::Status(view) => views.push(*view),
            Response::Runs { .. } | Response::Run(_) | Response::Plan(_) | Response::Handled(_) => {
                return Err(CommandError::OtherAnswer.into());
            }
        }
    }
    let screen = if views.is_empty() { status::nothing() } else { status::screen(&views) };
    context.print(&views, &screen)?;
    Ok(ExitCode::Ok)
}
