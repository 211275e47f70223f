//! `steady tool SERVER`: one instance of a tool server on standard input and output. A keeper starts these itself.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Subcommand, ValueEnum};
use steadyhand_api::exit::ExitCode;
use steadyhand_contract::capability::AuthorityKey;
use steadyhand_contract::door::Role;
use steadyhand_model::ids::ServerId;
use steadyhand_model::time::Timestamp;
use steadyhand_practice::serve::{self, Options};

use crate::command::Outcome;
use crate::trouble::CommandError;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    /// A server of a practice world
    Practice(Practice),
}

#[derive(Debug, clap::Args)]
struct Practice {
    /// `kubernetes` or `alerts`
    #[arg(long)]
    server: ServerId,
    /// Reads only, or plans, applies and probes
    #[arg(long, value_enum)]
    role: Instance,
    /// The world's file
    #[arg(long, value_name = "FILE")]
    world: PathBuf,
    /// Public half of the keeper's authority key, in hexadecimal; without it every apply is refused
    #[arg(long, value_name = "HEX", value_parser = AuthorityKey::parse)]
    authority: Option<AuthorityKey>,
    /// Process that a planted kill ends
    #[arg(long, value_name = "PID")]
    client: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Instance {
    Reader,
    Executor,
}

impl From<Instance> for Role {
    fn from(instance: Instance) -> Self {
        match instance {
            Instance::Reader => Self::Reader,
            Instance::Executor => Self::Executor,
        }
    }
}

pub(crate) async fn run(args: Args) -> Outcome {
    let Tool::Practice(practice) = args.tool;
    let server = practice.server.clone();
    let options = Options {
        server: practice.server,
        role: practice.role.into(),
        world: practice.world,
        authority: practice.authority,
        client: practice.client,
        real_clock,
    };
    serve::serve(options, tokio::io::stdin(), tokio::io::stdout())
        .await
        .map_err(|source| CommandError::Tool { server, source })?;
    Ok(ExitCode::Ok)
}

/// The wall clock; a time before 1970 counts as 1970, which no capability is good for.
fn real_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    Timestamp(i64::try_from(since).unwrap_or(i64::MAX))
}
