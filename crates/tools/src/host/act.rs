//! The one question that acts. It is sent once, and every fault of it is one of three outcomes: what provably never
//! left or was provably turned away is `not_done`, everything else is `unknown`.

use serde_json::{Map, Value as Json};
use steadyhand_engine::port::Authorized;
use steadyhand_model::capability::CAPABILITY_LIFE;
use steadyhand_model::catalogue::ActionSpec;
use steadyhand_model::catalogue::schema::call_type;
use steadyhand_model::exchange::{ApplyReply, ApplyRequest, LOST_REPLY_CODE, LostReply};
use steadyhand_model::outcome::{DoubtKind, Outcome, RefusalKind};
use steadyhand_model::reading::Call;
use steadyhand_model::time::{Span, Timestamp};
use tokio::time::Instant;

use crate::arguments;
use crate::connection::{AskError, Terms, duration};
use crate::host::Host;
use crate::instance::{Instance, Look, ReadyError};
use crate::redact::told_error;
use crate::reply::{self, not_done, unknown};
use crate::ticket::Unsent;

/// JSON-RPC's own codes for a request that was turned away before anybody saw it: invalid request, no such method,
/// invalid parameters. By the contract, every other fault of an `apply` is an outcome in the answer.
const TURNED_AWAY: [i32; 3] = [-32600, -32601, -32602];

impl Host {
    pub(super) async fn act(&self, authorized: &Authorized<Call>, now: Timestamp) -> ApplyReply {
        let call = authorized.get();
        let plain = |outcome| ApplyReply { outcome, took: None };
        let Some((instance, action)) = self.action(call) else {
            let why = format!("there is no executor for `{}` in this environment", call.action);
            return plain(not_done(RefusalKind::Invalid, &why));
        };
        let form = call_type(action, &self.catalogue);
        if let Err(error) = arguments::check(&call.args, &form, &self.catalogue) {
            return plain(not_done(RefusalKind::Invalid, &told_error(&error)));
        }
        let connection = match instance.ready(Look::Always).await {
            Ok(connection) => connection,
            Err(error) => return plain(not_ready(instance, &error)),
        };
        // From here on the real clock runs: the capability ends on its own.
        let start_by = Instant::now() + duration(CAPABILITY_LIFE);
        let arguments = match self.request(instance, authorized) {
            Ok(arguments) => arguments,
            Err(outcome) => return plain(outcome),
        };
        let terms = Terms { start_by, within: authorized.call_max() };
        let tool = format!("{}.apply", call.action.action);
        let said = connection.ask(tool, arguments, now, terms).await;
        self.heard(said, instance, action, Moment { now, call_max: authorized.call_max() })
    }

    /// Everything that is sent, signed just before it is.
    fn request(
        &self,
        instance: &Instance,
        authorized: &Authorized<Call>,
    ) -> Result<Map<String, Json>, Outcome> {
        let (call, envelope) = (authorized.get(), authorized.envelope());
        let capability = self
            .authority
            .grant(&instance.name.server, call, envelope)
            .map_err(|error| not_done(RefusalKind::NotSent, &told_error(&error)))?;
        let request = ApplyRequest { call: call.clone(), envelope: envelope.clone(), capability };
        match serde_json::to_value(&request) {
            Ok(Json::Object(arguments)) => Ok(arguments),
            Ok(_) => Err(not_done(RefusalKind::Invalid, "the call is not an object")),
            Err(error) => Err(not_done(RefusalKind::Invalid, &told_error(&error))),
        }
    }

    fn heard(
        &self,
        said: Result<Json, AskError>,
        instance: &Instance,
        action: &ActionSpec,
        moment: Moment,
    ) -> ApplyReply {
        let name = &instance.name;
        match said {
            Ok(json) => self.answered(json, instance, action, moment),
            Err(AskError::Refused { code: LOST_REPLY_CODE, data, .. }) => {
                lost_on_purpose(data, moment)
            }
            Err(error) => {
                let why = format!("{name}: {}", told_error(&error));
                let outcome = match error {
                    AskError::Unsent(Unsent::TooLong { .. }) => {
                        not_done(RefusalKind::Invalid, &why)
                    }
                    AskError::Unsent(_) => not_done(RefusalKind::NotSent, &why),
                    AskError::Timeout { .. } => unknown(DoubtKind::Timeout, &why),
                    AskError::Lost { .. } if instance.is_stopping() => {
                        unknown(DoubtKind::Killed, &why)
                    }
                    AskError::Lost { .. } => unknown(DoubtKind::LostReply, &why),
                    AskError::Refused { code, .. } if TURNED_AWAY.contains(&code) => {
                        not_done(RefusalKind::Invalid, &why)
                    }
                    AskError::Refused { .. } | AskError::Bad { .. } => {
                        unknown(DoubtKind::BadReply, &why)
                    }
                };
                ApplyReply { outcome, took: None }
            }
        }
    }

    fn answered(
        &self,
        json: Json,
        instance: &Instance,
        action: &ActionSpec,
        moment: Moment,
    ) -> ApplyReply {
        let read = reply::exact::<ApplyReply>(json).and_then(|ApplyReply { outcome, took }| {
            Ok(ApplyReply { outcome: reply::outcome(outcome, action, &self.catalogue)?, took })
        });
        match read {
            Ok(ApplyReply { took: Some(took), .. }) if took > moment.call_max => ApplyReply {
                outcome: unknown(
                    DoubtKind::Timeout,
                    &format!("{}: no answer within {}", instance.name, moment.call_max),
                ),
                took: Some(moment.call_max),
            },
            Ok(reply) => reply,
            Err(error) => {
                let why = format!("{}: {}", instance.name, told_error(&error));
                ApplyReply { outcome: unknown(DoubtKind::BadReply, &why), took: None }
            }
        }
    }
}

/// When the call was made on the environment's clock, and how long it could take.
#[derive(Debug, Clone, Copy)]
struct Moment {
    now: Timestamp,
    call_max: Span,
}

/// A practice server says that its answer is lost, instead of keeping everybody waiting. The caller would have given
/// the call up after `call_max` at the latest.
fn lost_on_purpose(data: Option<Json>, Moment { now, call_max }: Moment) -> ApplyReply {
    let quiet = data.map(reply::exact::<LostReply>).and_then(Result::ok);
    let took = quiet.map_or(call_max, |lost| lost.quiet_until.since(now).min(call_max));
    ApplyReply { outcome: unknown(DoubtKind::LostReply, "no answer came"), took: Some(took) }
}

fn not_ready(instance: &Instance, error: &ReadyError) -> Outcome {
    let kind = match error {
        // It will not pass by itself: a person must look.
        ReadyError::Pins(_) => RefusalKind::Forbidden,
        ReadyError::Stopped | ReadyError::Open(_) | ReadyError::List { .. } => RefusalKind::NotSent,
    };
    not_done(kind, &format!("{}: {}", instance.name, told_error(error)))
}
