//! The questions that change nothing: reads, dry runs and probes. One that got no answer because its server died is
//! asked once more, of a new process.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use steadyhand_engine::port::{PreviewError, ReadError};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::capability::Envelope;
use steadyhand_model::catalogue::schema::{call_type, given_type};
use steadyhand_model::exchange::LOST_REPLY_CODE;
use steadyhand_model::exchange::{
    PlanReply, PlanRequest, ProbeReply, ProbeRequest, ReadReply, StepPreview,
};
use steadyhand_model::outcome::ProbeVerdict;
use steadyhand_model::reading::{Call, ReadCall};
use steadyhand_model::time::{Span, Timestamp};

use crate::arguments;
use crate::connection::{AskError, Connection, Terms};
use crate::host::Host;
use crate::instance::{Instance, Look, ReadyError};
use crate::redact::{told, told_error};
use crate::reply;
use crate::ticket::Unsent;

/// One question: a tool, its arguments, and how long the answer may take.
#[derive(Debug)]
struct Question {
    tool: String,
    arguments: Map<String, Json>,
    now: Timestamp,
    within: Span,
    look: Look,
}

/// Why there is no answer, in the terms of the ports.
#[derive(Debug)]
enum NoAnswer {
    Unreachable(String),
    BadReply(String),
}

impl Host {
    pub(super) async fn look(
        &self,
        call: &ReadCall,
        now: Timestamp,
    ) -> Result<CanonicalJson, ReadError> {
        let server = call.server.to_string();
        let cannot_tell = |why: String| ReadError::CannotTell { server: server.clone(), why };
        let (Some(instance), Some(spec)) =
            (self.readers.get(&call.server), self.read_spec(&call.server, &call.read))
        else {
            let why = format!("there is no read `{}` of it in this environment", call.read);
            return Err(cannot_tell(why));
        };
        let form = given_type(&spec.args, &self.catalogue);
        let arguments = arguments::check(&call.args, &form, &self.catalogue)
            .map_err(|error| cannot_tell(told_error(&error)))?;
        let question = Question {
            tool: call.read.to_string(),
            arguments,
            now,
            within: self.patience.read,
            look: Look::IfStale,
        };
        let bad = |why| ReadError::BadReply { server: server.clone(), why };
        let json = ask(instance, question).await.map_err(|why| match why {
            NoAnswer::Unreachable(why) => ReadError::Unreachable { server: server.clone(), why },
            NoAnswer::BadReply(why) => bad(why),
        })?;
        match reply::exact(json).map_err(|error| bad(told_error(&error)))? {
            ReadReply::CannotTell { why } => Err(cannot_tell(told(&why))),
            ReadReply::Value(value) => reply::value(value, &spec.result, &self.catalogue)
                .map_err(|error| bad(told_error(&error))),
        }
    }

    pub(super) async fn dry_run(
        &self,
        call: &Call,
        now: Timestamp,
    ) -> Result<StepPreview, PreviewError> {
        let server = call.action.server.to_string();
        let refused = |why: String| PreviewError::Refused { server: server.clone(), why };
        let Some((instance, action)) = self.action(call) else {
            let why = format!("there is no executor for `{}` in this environment", call.action);
            return Err(refused(why));
        };
        let form = given_type(&action.args, &self.catalogue);
        arguments::check(&call.args, &form, &self.catalogue)
            .map_err(|error| refused(told_error(&error)))?;
        let request = PlanRequest { args: call.args.clone() };
        let question = Question {
            tool: format!("{}.plan", call.action.action),
            arguments: object(&request).map_err(|error| refused(told_error(&error)))?,
            now,
            within: self.patience.plan,
            look: Look::Always,
        };
        let bad = |why| PreviewError::BadReply { server: server.clone(), why };
        let json = ask(instance, question).await.map_err(|why| match why {
            NoAnswer::Unreachable(why) => PreviewError::Unreachable { server: server.clone(), why },
            NoAnswer::BadReply(why) => bad(why),
        })?;
        match reply::exact(json).map_err(|error| bad(told_error(&error)))? {
            PlanReply::Refused { why } => Err(refused(told(&why))),
            PlanReply::CannotTell { why } => {
                Err(refused(format!("it cannot tell: {}", told(&why))))
            }
            PlanReply::Planned(said) => {
                reply::preview(call, *said, action, &self.catalogue, &self.environment)
                    .map_err(|error| bad(told_error(&error)))
            }
        }
    }

    pub(super) async fn look_back(
        &self,
        call: Call,
        envelope: Envelope,
        now: Timestamp,
    ) -> ProbeVerdict {
        let Some((instance, action)) = self.action(&call) else {
            let why = format!("there is no executor for `{}` in this environment", call.action);
            return ProbeVerdict::Unknown { why };
        };
        let name = &instance.name;
        let form = call_type(action, &self.catalogue);
        if let Err(error) = arguments::check(&call.args, &form, &self.catalogue) {
            return ProbeVerdict::Unknown { why: told_error(&error) };
        }
        let tool = format!("{}.probe", call.action.action);
        let arguments = match object(&ProbeRequest { call, envelope }) {
            Ok(arguments) => arguments,
            Err(error) => return ProbeVerdict::Unknown { why: told_error(&error) },
        };
        let within = self.patience.probe;
        let question = Question { tool, arguments, now, within, look: Look::Always };
        let said = match ask(instance, question).await {
            Ok(json) => json,
            Err(NoAnswer::Unreachable(why) | NoAnswer::BadReply(why)) => {
                return ProbeVerdict::Unknown { why };
            }
        };
        let read = reply::exact::<ProbeReply>(said)
            .and_then(|reply| reply::verdict(reply.verdict, action, &self.catalogue));
        match read {
            Ok(verdict) => verdict,
            Err(error) => ProbeVerdict::Unknown { why: format!("{name}: {}", told_error(&error)) },
        }
    }
}

/// Requests of the contract are objects.
#[derive(Debug, thiserror::Error)]
enum RequestError {
    #[error("the request cannot be written as JSON")]
    Form {
        #[source]
        source: serde_json::Error,
    },
    #[error("the request is not an object")]
    NotAnObject,
}

fn object<T: serde::Serialize>(request: &T) -> Result<Map<String, Json>, RequestError> {
    match serde_json::to_value(request).map_err(|source| RequestError::Form { source })? {
        Json::Object(map) => Ok(map),
        _ => Err(RequestError::NotAnObject),
    }
}

/// Asks, and asks a new process once more if the one that was asked has gone.
async fn ask(instance: &Instance, question: Question) -> Result<Json, NoAnswer> {
    let Question { tool, arguments, now, within, look } = question;
    let mut again = true;
    loop {
        let connection = match instance.ready(look).await {
            Ok(connection) => connection,
            Err(error) => return Err(not_ready(instance, &error)),
        };
        let terms = Terms::within(within);
        let error = match connection.ask(tool.clone(), arguments.clone(), now, terms).await {
            Ok(json) => return Ok(json),
            Err(error) => error,
        };
        if has_gone(&error) {
            instance.give_up(&connection).await;
            if std::mem::take(&mut again) && !instance.is_stopping() {
                tracing::warn!(instance = %instance.name, %error, "asking a new process");
                continue;
            }
        }
        if matches!(error, AskError::Timeout { .. }) {
            give_up_silent(instance, &connection).await;
        }
        return Err(no_answer(instance, &error));
    }
}

fn has_gone(error: &AskError) -> bool {
    match error {
        AskError::Lost { .. } | AskError::Unsent(Unsent::Closed | Unsent::Pipe(_)) => true,
        AskError::Unsent(Unsent::GivenUp | Unsent::Late | Unsent::TooLong { .. })
        | AskError::Timeout { .. }
        | AskError::Bad { .. }
        | AskError::Refused { .. } => false,
    }
}

/// A server that is silent to a question may be silent for ever: the next question goes to another process.
async fn give_up_silent(instance: &Instance, connection: &Arc<Connection>) {
    tracing::warn!(instance = %instance.name, "a silent tool server is given up");
    instance.give_up(connection).await;
}

fn not_ready(instance: &Instance, error: &ReadyError) -> NoAnswer {
    NoAnswer::Unreachable(format!("{}: {}", instance.name, told_error(error)))
}

fn no_answer(instance: &Instance, error: &AskError) -> NoAnswer {
    let why = format!("{}: {}", instance.name, told_error(error));
    match error {
        // A practice server loses an answer on purpose: as if nothing had come.
        AskError::Refused { code: LOST_REPLY_CODE, .. } => {
            NoAnswer::Unreachable(format!("{}: no answer came", instance.name))
        }
        AskError::Refused { .. } | AskError::Bad { .. } => NoAnswer::BadReply(why),
        AskError::Unsent(_) | AskError::Timeout { .. } | AskError::Lost { .. } => {
            NoAnswer::Unreachable(why)
        }
    }
}
