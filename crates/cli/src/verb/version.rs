//! `steady version`

use serde::Serialize;
use steadyhand_api::exit::ExitCode;
use steadyhand_api::frame::PROTOCOL;
use steadyhand_model::event::EVENT_VERSION;
use steadyhand_model::plan::PLAN_FORMAT;

use crate::command::{Context, Outcome};
use crate::screen::{Screen, data, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
struct Version {
    version: &'static str,
    plan: u16,
    event: u64,
    protocol: u64,
}

pub(crate) fn run(context: &mut Context, _args: &Args) -> Outcome {
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        plan: PLAN_FORMAT,
        event: EVENT_VERSION,
        protocol: PROTOCOL,
    };
    let mut screen = Screen::new();
    screen.text(say("steady ").data(version.version));
    let formats =
        say("plan format ").data(version.plan).say(", event version ").data(version.event);
    screen.text(formats.say(", socket protocol ").join(data(version.protocol)));
    context.print(&version, &screen)?;
    Ok(ExitCode::Ok)
}
