//! One request to its answer and the line that records it. Nothing changes here: the line does, when it is folded.

use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::catalogue::kubernetes::CALL_MAX;
use steadyhand_model::exchange::{
    ApplyReply, ApplyRequest, LostReply, PlanReply, ProbeReply, ProbeRequest, ReadReply,
};
use steadyhand_model::ids::ActionName;
use steadyhand_model::outcome::{Outcome, ProbeVerdict, Receipt, Refusal, RefusalKind};
use steadyhand_model::reading::Call;
use steadyhand_model::time::{Span, Timestamp};

use super::act::target_uid;
use super::{World, verb_of};
use crate::fault::{FaultKind, Verb};
use crate::line::{AttemptRef, Body, DoorKind, Effect, Line, Request};

/// How long an ordinary patch takes.
const PATCH_TOOK: Span = Span::from_millis(300);

/// What a door is asked. Names are those of tools and tables.
#[derive(Debug, Clone)]
pub enum Ask {
    /// `tool` is the read's name, with `fn.` before a function's.
    Read {
        tool: String,
        args: CanonicalJson,
    },
    Plan {
        action: ActionName,
        args: CanonicalJson,
    },
    Apply(Box<ApplyRequest>),
    Probe(Box<ProbeRequest>),
}

impl Ask {
    pub fn tool(&self) -> String {
        match self {
            Self::Read { tool, .. } => tool.clone(),
            Self::Plan { action, .. } => format!("{action}.plan"),
            Self::Apply(request) => format!("{}.apply", request.call.action.action),
            Self::Probe(request) => format!("{}.probe", request.call.action.action),
        }
    }

    fn door(&self) -> DoorKind {
        match self {
            Self::Read { .. } => DoorKind::Reader,
            Self::Plan { .. } | Self::Apply(_) | Self::Probe(_) => DoorKind::Executor,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Read(ReadReply),
    Plan(PlanReply),
    Apply(ApplyReply),
    Probe(ProbeReply),
    Lost(LostReply),
    Garbage,
    Huge,
}

/// A client that a planted fault kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// The line says only that the fault has fired; the request is not in the world.
    Before,
    /// The request is in the world; its reply is never read.
    After,
}

#[derive(Debug)]
pub struct Answered {
    /// To be written and folded before the reply is sent.
    pub line: Line,
    pub reply: Reply,
    pub kill: Option<Kill>,
}

/// An `apply` before its line is written.
struct Acted {
    reply: Reply,
    word: String,
    /// `Some(None)`: it takes effect at once; `Some(Some(due))`: later; `None`: never.
    effect: Option<Option<Timestamp>>,
}

impl World {
    /// Answers a request at the world's present time.
    ///
    /// # Errors
    /// If a call names no target.
    pub fn ask(&self, ask: &Ask) -> Result<Answered, CanonicalError> {
        let tool = ask.tool();
        let verb = verb_of(&tool);
        let fired = self.fires(verb, &tool).map(|(index, fault)| (index, fault.kind.clone()));
        let word = fired.as_ref().map(|(_, kind)| kind.word().to_owned());
        if let Some((index, FaultKind::KillBefore)) = &fired {
            let fault = FaultKind::KillBefore.word().to_owned();
            let body = Body::Fired { index: *index, door: ask.door(), tool, fault };
            return Ok(self.answered(body, self.lost(), Some(Kill::Before)));
        }
        let kind = fired.map(|(_, kind)| kind);
        let kill = (kind == Some(FaultKind::KillAfter)).then_some(Kill::After);
        let request = |args, attempt, reply| {
            Body::Request(Request {
                door: ask.door(),
                tool: tool.clone(),
                args,
                attempt,
                reply,
                fault: word.clone(),
            })
        };
        Ok(match ask {
            Ask::Read { tool, args } => {
                let name = tool.strip_prefix("fn.").unwrap_or(tool);
                let reply = Reply::Read(match &kind {
                    Some(FaultKind::Failing { refusal }) => {
                        ReadReply::CannotTell { why: format!("the target answered {refusal:?}") }
                    }
                    _ => self.read(name, args),
                });
                let reply = self.spoiled(kind.as_ref(), reply);
                self.answered(request(Some(args.clone()), None, None), reply, kill)
            }
            Ask::Plan { action, args } => {
                let reply = Reply::Plan(match &kind {
                    Some(FaultKind::Failing { refusal }) => {
                        PlanReply::CannotTell { why: format!("the target answered {refusal:?}") }
                    }
                    _ => self.plan(action, args),
                });
                let reply = self.spoiled(kind.as_ref(), reply);
                self.answered(request(Some(args.clone()), None, None), reply, kill)
            }
            Ask::Probe(probe) => {
                let attempt = attempt_of(&probe.call, &probe.envelope)?;
                let verdict = match &kind {
                    Some(FaultKind::Failing { refusal }) => {
                        ProbeVerdict::Unknown { why: format!("the target answered {refusal:?}") }
                    }
                    Some(FaultKind::Lying) => ProbeVerdict::NotDone,
                    _ => self.probe(&probe.call),
                };
                let said = match &verdict {
                    ProbeVerdict::Done(_) => "done",
                    ProbeVerdict::NotDone => "not_done",
                    ProbeVerdict::Unknown { .. } => "unknown",
                };
                let reply = Reply::Probe(ProbeReply { verdict });
                let reply = self.spoiled(kind.as_ref(), reply);
                self.answered(request(None, Some(attempt), Some(said.to_owned())), reply, kill)
            }
            Ask::Apply(apply) => {
                let attempt = attempt_of(&apply.call, &apply.envelope)?;
                let acted = self.act(&apply.call, &attempt, kind.as_ref());
                let said = if kill.is_some() { "killed".to_owned() } else { acted.word };
                let body = match acted.effect {
                    None => request(None, Some(attempt), Some(said)),
                    Some(due) => Body::Effect(Effect {
                        door: ask.door(),
                        tool,
                        attempt,
                        reply: said,
                        fault: word.clone(),
                        due,
                    }),
                };
                self.answered(body, acted.reply, kill)
            }
        })
    }

    fn answered(&self, body: Body, reply: Reply, kill: Option<Kill>) -> Answered {
        Answered { line: Line { seq: self.next_seq(), at: self.now, body }, reply, kill }
    }

    fn lost(&self) -> Reply {
        Reply::Lost(LostReply { quiet_until: self.now.plus(CALL_MAX) })
    }

    /// Faults that spoil an answer whatever it is.
    fn spoiled(&self, kind: Option<&FaultKind>, reply: Reply) -> Reply {
        match kind {
            Some(
                FaultKind::LostBefore
                | FaultKind::LostAfter
                | FaultKind::Late { .. }
                | FaultKind::KillAfter,
            ) => self.lost(),
            Some(FaultKind::Garbage) => Reply::Garbage,
            Some(FaultKind::Huge) => Reply::Huge,
            Some(_) | None => reply,
        }
    }

    fn act(&self, call: &Call, attempt: &AttemptRef, kind: Option<&FaultKind>) -> Acted {
        if attempt.fence < self.highest_fence(&attempt.run) {
            return refused(RefusalKind::Forbidden, "another driver has taken this run over");
        }
        match kind {
            Some(FaultKind::Failing { refusal }) => {
                return refused(*refusal, "the target refused, as was planted");
            }
            Some(FaultKind::Permission) => {
                return refused(RefusalKind::Forbidden, "the account may not patch");
            }
            Some(FaultKind::LostBefore) => {
                return Acted { reply: self.lost(), word: "lost".into(), effect: None };
            }
            _ => {}
        }
        let receipt = match self.would(call) {
            Ok(receipt) => receipt,
            Err(refusal) => return self.refused_and_spoiled(kind, &refusal),
        };
        let took = match kind {
            Some(FaultKind::Slow { took }) => *took,
            _ => PATCH_TOOK,
        };
        if took >= CALL_MAX {
            // The caller has given the call up by then, and it happens all the same.
            let due = Some(self.now.plus(took));
            return Acted { reply: self.lost(), word: "lost".into(), effect: Some(due) };
        }
        let done = done(receipt, took);
        match kind {
            Some(FaultKind::Lying) => Acted { reply: done, word: "done".into(), effect: None },
            Some(FaultKind::LostAfter | FaultKind::KillAfter) => {
                Acted { reply: self.lost(), word: "lost".into(), effect: Some(None) }
            }
            Some(FaultKind::Late { by }) => {
                let due = self.now.plus(*by);
                Acted { reply: self.lost(), word: "lost".into(), effect: Some(Some(due)) }
            }
            Some(FaultKind::Garbage) => {
                Acted { reply: Reply::Garbage, word: "noise".into(), effect: Some(None) }
            }
            Some(FaultKind::Huge) => {
                Acted { reply: Reply::Huge, word: "noise".into(), effect: Some(None) }
            }
            _ => Acted { reply: done, word: "done".into(), effect: Some(None) },
        }
    }

    fn refused_and_spoiled(&self, kind: Option<&FaultKind>, refusal: &Refusal) -> Acted {
        let acted = refused(refusal.kind, &refusal.why);
        let reply = self.spoiled(kind, acted.reply);
        let word = match &reply {
            Reply::Lost(_) => "lost".to_owned(),
            Reply::Garbage | Reply::Huge => "noise".to_owned(),
            Reply::Read(_) | Reply::Plan(_) | Reply::Apply(_) | Reply::Probe(_) => acted.word,
        };
        Acted { reply, word, effect: None }
    }

    pub(super) fn may_not_patch(&self) -> bool {
        self.faults.iter().any(|p| {
            p.fault.on == Verb::Apply
                && p.fault.kind == FaultKind::Permission
                && p.fault.fires_after(p.seen)
        })
    }
}

fn attempt_of(
    call: &Call,
    envelope: &steadyhand_model::capability::Envelope,
) -> Result<AttemptRef, CanonicalError> {
    Ok(AttemptRef::of(call, envelope, target_uid(call)?))
}

fn done(receipt: Receipt, took: Span) -> Reply {
    Reply::Apply(ApplyReply { outcome: Outcome::Done(receipt), took: Some(took) })
}

fn refused(kind: RefusalKind, why: &str) -> Acted {
    let word = match kind {
        RefusalKind::NotSent => "not_sent",
        RefusalKind::Busy => "busy",
        RefusalKind::Conflict => "conflict",
        RefusalKind::Forbidden => "forbidden",
        RefusalKind::Invalid => "invalid",
    };
    let refusal = Refusal { kind, why: why.to_owned() };
    let reply = ApplyReply { outcome: Outcome::NotDone(refusal), took: Some(PATCH_TOOK) };
    Acted { reply: Reply::Apply(reply), word: format!("not_done:{word}"), effect: None }
}
