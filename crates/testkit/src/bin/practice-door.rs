//! One instance of a practice server over standard input and output, for tests across a real process boundary.
//!
//! `practice-door SERVER reader|executor WORLD [AUTHORITY [CLIENT-PID]]`; `-` stands for no authority.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use steadyhand_contract::capability::AuthorityKey;
use steadyhand_contract::door::Role;
use steadyhand_model::time::Timestamp;
use steadyhand_practice::serve::{Options, serve};

fn real_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
}

fn options() -> Option<Options> {
    let mut args = std::env::args().skip(1);
    let server = args.next()?.parse().ok()?;
    let role = match args.next()?.as_str() {
        "reader" => Role::Reader,
        "executor" => Role::Executor,
        _ => return None,
    };
    let world = PathBuf::from(args.next()?);
    let authority = match args.next().as_deref() {
        None | Some("-") => None,
        Some(hex) => Some(AuthorityKey::parse(hex).ok()?),
    };
    let client = match args.next() {
        None => None,
        Some(pid) => Some(pid.parse().ok()?),
    };
    Some(Options { server, role, world, authority, client, real_clock })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(options) = options() else { return ExitCode::from(64) };
    match serve(options, tokio::io::stdin(), tokio::io::stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_told_by_the_exit_code) => ExitCode::FAILURE,
    }
}
