//! One request from its tool name to its structured answer: checks, then the door, then caps.
//!
//! Every fault of an `apply` is an outcome in the answer, never a protocol error: a caller must be able to tell
//! "it provably did not happen" from everything else.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value as Json};
use steadyhand_model::catalogue::{ActionSpec, Catalogue, ReadSpec};
use steadyhand_model::exchange::{
    ApplyReply, ApplyRequest, LostReply, PlanReply, PlanRequest, ProbeReply, ProbeRequest,
    REPLY_BYTES_MAX, ReadReply,
};
use steadyhand_model::outcome::{Doubt, DoubtKind, Outcome, ProbeVerdict, Refusal, RefusalKind};
use steadyhand_model::reading::Call;
use steadyhand_model::text::Escaped;
use steadyhand_model::time::Timestamp;
use steadyhand_model::types::Type;
use steadyhand_model::value::Value;

use crate::arguments::{self, ArgumentError, exact};
use crate::capability::{AuthorityKey, Guard};
use crate::door::{Door, Noise, Role, Served};
use crate::toolbox::{Request, Toolbox, Verb};

/// Left of a reply for what MCP puts around an answer, in bytes.
const AROUND_BYTES: usize = 4 * 1024;
/// Longest reason passed on, in characters.
const WHY_CHARS_MAX: usize = 500;

/// Reads the real clock, in microseconds since 1970. Given by the composition root.
pub type RealClock = fn() -> Timestamp;

/// What a request comes to.
#[derive(Debug)]
pub(crate) enum Settled {
    /// Structured content.
    Answer(Json),
    Lost(LostReply),
    UnknownTool,
    /// A read or a plan with arguments that are not of the declared form.
    BadArguments(String),
    /// A broken table or clock of ours.
    Broken(&'static str),
}

#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) door: Box<dyn Door>,
    pub(crate) tools: Toolbox,
    catalogue: Catalogue,
    /// Several requests may be under way; what was used is one set for all of them.
    guard: Mutex<Guard>,
    real_clock: RealClock,
}

impl Desk {
    pub(crate) fn new(
        door: Box<dyn Door>,
        role: Role,
        authority: Option<AuthorityKey>,
        real_clock: RealClock,
    ) -> Self {
        let catalogue = Catalogue::new(vec![door.spec().clone()]);
        let guard = Guard::new(door.spec().server.clone(), authority);
        let tools = Toolbox::of(door.spec(), role, &catalogue);
        Self { door, tools, catalogue, guard: Mutex::new(guard), real_clock }
    }

    pub(crate) async fn settle(
        &self,
        tool: &str,
        arguments: Map<String, Json>,
        now: Option<Timestamp>,
    ) -> Settled {
        let arguments = Json::Object(arguments);
        match self.tools.find(tool) {
            None => Settled::UnknownTool,
            Some(Request::Read { read, args }) => self.read(read, args, &arguments, now).await,
            Some(Request::Action { verb, action, given, call }) => match verb {
                Verb::Plan => self.plan(action, given, arguments, now).await,
                Verb::Apply => {
                    let served = self.apply(action, call, arguments, now).await;
                    settled(served, |reply| reply)
                }
                Verb::Probe => {
                    let served = self.probe(action, call, arguments, now).await;
                    settled(served, |reply| reply)
                }
            },
        }
    }

    async fn read(
        &self,
        read: &ReadSpec,
        args: &Type,
        arguments: &Json,
        now: Option<Timestamp>,
    ) -> Settled {
        match arguments::check(arguments, args, &self.catalogue) {
            Err(error) => Settled::BadArguments(told(&error)),
            Ok(args) => {
                let served = self.door.read(read, args, now).await;
                settled(served, |reply| self.declared(read, reply))
            }
        }
    }

    /// A server whose answer is not of its own declared form has told nothing.
    fn declared(&self, read: &ReadSpec, reply: ReadReply) -> ReadReply {
        let ReadReply::Value(value) = &reply else { return reply };
        match Value::from_json(&value.to_json(), &read.result, &self.catalogue) {
            Err(error) => ReadReply::CannotTell { why: reason(&error.to_string()) },
            Ok(_) if value.as_str().len() > REPLY_BYTES_MAX - AROUND_BYTES => {
                ReadReply::CannotTell { why: format!("more than {REPLY_BYTES_MAX} bytes") }
            }
            Ok(_) => reply,
        }
    }

    async fn plan(
        &self,
        action: &ActionSpec,
        given: &Type,
        arguments: Json,
        now: Option<Timestamp>,
    ) -> Settled {
        let request: PlanRequest = match exact(arguments) {
            Ok(request) => request,
            Err(error) => return Settled::BadArguments(told(&error)),
        };
        match arguments::check(&request.args.to_json(), given, &self.catalogue) {
            Err(error) => Settled::BadArguments(told(&error)),
            Ok(args) => settled(self.door.plan(action, args, now).await, capped_plan),
        }
    }

    async fn apply(
        &self,
        action: &ActionSpec,
        call: &Type,
        arguments: Json,
        now: Option<Timestamp>,
    ) -> Served<ApplyReply> {
        let request: ApplyRequest = match exact(arguments) {
            Ok(request) => request,
            Err(error) => return refused(RefusalKind::Invalid, &told(&error)),
        };
        if let Err(error) = self.check_call(action, call, &request.call) {
            return refused(RefusalKind::Invalid, &told(&error));
        }
        let admitted = {
            // A poisoned guard still remembers what was used, and that is all that it is for.
            let mut guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
            guard.admit(&request, (self.real_clock)())
        };
        if let Err(error) = admitted {
            return refused(RefusalKind::Forbidden, &error.to_string());
        }
        let limit = Duration::from_millis(action.call_max.millis());
        match tokio::time::timeout(limit, self.door.apply(action, request, now)).await {
            Ok(served) => served,
            Err(_elapsed) => Served::Reply(ApplyReply {
                outcome: Outcome::Unknown(Doubt {
                    kind: DoubtKind::Timeout,
                    why: format!("no answer from the target within {}", action.call_max),
                }),
                took: None,
            }),
        }
    }

    async fn probe(
        &self,
        action: &ActionSpec,
        call: &Type,
        arguments: Json,
        now: Option<Timestamp>,
    ) -> Served<ProbeReply> {
        let unknown = |why: String| {
            Served::Reply(ProbeReply { verdict: ProbeVerdict::Unknown { why: reason(&why) } })
        };
        let request: ProbeRequest = match exact(arguments) {
            Ok(request) => request,
            Err(error) => return unknown(told(&error)),
        };
        match self.check_call(action, call, &request.call) {
            Err(error) => unknown(told(&error)),
            Ok(()) => self.door.probe(action, request, now).await,
        }
    }

    fn check_call(&self, action: &ActionSpec, ty: &Type, call: &Call) -> Result<(), ArgumentError> {
        if call.action != action.id {
            return Err(ArgumentError::Action {
                found: call.action.to_string(),
                expected: action.id.to_string(),
            });
        }
        arguments::check(&call.args.to_json(), ty, &self.catalogue).map(|_canonical| ())
    }
}

fn refused(kind: RefusalKind, why: &str) -> Served<ApplyReply> {
    let refusal = Refusal { kind, why: reason(why) };
    Served::Reply(ApplyReply { outcome: Outcome::NotDone(refusal), took: None })
}

/// The whole chain: it is the answer, and the caller has nothing else to look at.
fn told(error: &ArgumentError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    reason(&text)
}

/// Reasons may quote the caller's own bytes.
fn reason(text: &str) -> String {
    Escaped::short(text, WHY_CHARS_MAX).to_string()
}

fn capped_plan(reply: PlanReply) -> PlanReply {
    match serde_json::to_string(&reply) {
        Ok(text) if text.len() <= REPLY_BYTES_MAX - AROUND_BYTES => reply,
        Ok(_) => PlanReply::CannotTell { why: format!("more than {REPLY_BYTES_MAX} bytes") },
        Err(error) => PlanReply::CannotTell { why: reason(&error.to_string()) },
    }
}

fn settled<T: serde::Serialize>(served: Served<T>, check: impl FnOnce(T) -> T) -> Settled {
    match served {
        Served::Reply(reply) => match serde_json::to_value(check(reply)) {
            Ok(json) => Settled::Answer(json),
            Err(_unwritable) => Settled::Broken("the answer cannot be written as JSON"),
        },
        Served::Lost(lost) => Settled::Lost(lost),
        Served::Noise(noise) => Settled::Answer(noisy(noise)),
    }
}

fn noisy(noise: Noise) -> Json {
    let (name, text) = match noise {
        Noise::Garbage => ("\u{202e}ok", "\u{1b}[2J\u{0}everything is done".to_owned()),
        Noise::Huge => ("filler", "x".repeat(REPLY_BYTES_MAX + 1)),
    };
    Json::Object(Map::from_iter([(name.to_owned(), Json::String(text))]))
}
