//! The three actions: what a complete call would change, whether its expectations hold, and what a probe sees.
//!
//! Each call is compare-and-set: it names the uid and the state that it expects, and a call whose expectation does
//! not hold changes nothing, however late it comes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::catalogue::kubernetes::RESTART_ANNOTATION;
use steadyhand_model::digest::Digest;
use steadyhand_model::ids::{ActionId, Uid};
use steadyhand_model::outcome::{ProbeVerdict, Receipt, Refusal, RefusalKind};
use steadyhand_model::reading::Call;

use super::objects::{Key, Revision, Template, Workload};
use super::read::WorkloadRef;
use super::{World, WorldError, control};
use crate::line::AttemptRef;

/// The tag of the image that drift rolls out.
const DRIFT_TAG: &str = "-drift";

/// How a revision is given as an argument.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RevisionRef {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) workload: String,
    pub(super) name: String,
    pub(super) uid: Uid,
}

#[derive(Debug, Deserialize)]
struct RestartCall {
    workload: WorkloadRef,
    mark: String,
    template_digest: Digest,
}

#[derive(Debug, Deserialize)]
struct UndoCall {
    workload: WorkloadRef,
    to: RevisionRef,
    template_digest: Digest,
    to_template_digest: Digest,
}

#[derive(Debug, Deserialize)]
struct ScaleCall {
    workload: WorkloadRef,
    replicas: u32,
    from_replicas: u32,
}

#[derive(Debug, Serialize)]
struct Rolled {
    template_digest: Digest,
    revision: u64,
}

#[derive(Debug, Serialize)]
struct Scaled {
    replicas: u32,
}

enum Patch {
    Template(Template),
    Replicas(u32),
}

/// A call whose expectations hold now.
struct Ready {
    key: Key,
    patch: Patch,
}

/// Why a call does not change anything.
enum Held {
    Refused(Refusal),
    /// The call is not of the action's form.
    Form(CanonicalError),
}

impl From<CanonicalError> for Held {
    fn from(source: CanonicalError) -> Self {
        Self::Form(source)
    }
}

fn conflict(why: impl Into<String>) -> Held {
    Held::Refused(Refusal { kind: RefusalKind::Conflict, why: why.into() })
}

/// The template that a restart puts in place of `template`.
pub(super) fn restarted(template: &Template, mark: &str) -> Template {
    let mut annotations: BTreeMap<String, String> = template.annotations.clone();
    annotations.insert(RESTART_ANNOTATION.to_owned(), mark.to_owned());
    Template { annotations, image: template.image.clone() }
}

/// The uid of the target that a call names.
pub(super) fn target_uid(call: &Call) -> Result<Uid, CanonicalError> {
    #[derive(Deserialize)]
    struct Named {
        workload: WorkloadRef,
    }
    let Named { workload } = call.args.read()?;
    Ok(workload.uid)
}

impl World {
    /// Whether a call would be done now, and with which receipt.
    pub(super) fn would(&self, call: &Call) -> Result<Receipt, Refusal> {
        let invalid =
            |error: CanonicalError| Refusal { kind: RefusalKind::Invalid, why: error.to_string() };
        match self.decide(&call.action, &call.args) {
            Ok(ready) => self.receipt(&ready).map_err(invalid),
            Err(Held::Refused(refusal)) => Err(refusal),
            Err(Held::Form(error)) => Err(invalid(error)),
        }
    }

    fn receipt(&self, ready: &Ready) -> Result<Receipt, CanonicalError> {
        let result = match &ready.patch {
            Patch::Replicas(replicas) => CanonicalJson::of(&Scaled { replicas: *replicas })?,
            Patch::Template(template) => {
                let numbers = self.workloads.get(&ready.key);
                let highest = numbers.and_then(|w| w.revisions.iter().map(|r| r.number).max());
                CanonicalJson::of(&Rolled {
                    template_digest: template.digest()?,
                    revision: highest.unwrap_or(0) + 1,
                })?
            }
        };
        Ok(Receipt { result })
    }

    fn decide(&self, action: &ActionId, args: &CanonicalJson) -> Result<Ready, Held> {
        match action.action.as_str() {
            "rollout_restart" => {
                let RestartCall { workload, mark, template_digest } = args.read()?;
                let found = self.target(&workload)?;
                expect_template(found, template_digest)?;
                rollable(found)?;
                let template = restarted(&found.template, &mark);
                Ok(Ready { key: found.key(), patch: Patch::Template(template) })
            }
            "rollout_undo" => {
                let UndoCall { workload, to, template_digest, to_template_digest } = args.read()?;
                let found = self.target(&workload)?;
                expect_template(found, template_digest)?;
                rollable(found)?;
                let Some(revision) = found.revisions.iter().find(|r| r.name == to.name) else {
                    return Err(conflict("the revision is no longer kept"));
                };
                if revision.digest != to_template_digest {
                    return Err(conflict("the revision holds another template than was planned"));
                }
                let patch = Patch::Template(revision.template.clone());
                Ok(Ready { key: found.key(), patch })
            }
            "scale" => {
                let ScaleCall { workload, replicas, from_replicas } = args.read()?;
                let found = self.target(&workload)?;
                if found.replicas != from_replicas {
                    let now = found.replicas;
                    return Err(conflict(format!("it wants {now} replicas, not {from_replicas}")));
                }
                Ok(Ready { key: found.key(), patch: Patch::Replicas(replicas) })
            }
            other => Err(Held::Refused(Refusal {
                kind: RefusalKind::Invalid,
                why: format!("this world has no action `{other}`"),
            })),
        }
    }

    fn target(&self, given: &WorkloadRef) -> Result<&Workload, Held> {
        self.same_workload(given).ok_or_else(|| {
            conflict(format!(
                "there is no {} {}/{} of that uid",
                given.kind, given.namespace, given.name
            ))
        })
    }

    /// Lets a call take effect, if its expectations hold now. Says whether it did.
    pub(super) fn perform(
        &mut self,
        seq: u64,
        attempt: &AttemptRef,
        flapping: bool,
    ) -> Result<bool, WorldError> {
        let now = self.now;
        match self.decide(&attempt.action, &attempt.args) {
            Err(Held::Refused(_)) => Ok(false),
            Err(Held::Form(source)) => Err(WorldError::Call { seq, source }),
            Ok(Ready { key, patch: Patch::Template(template) }) => {
                let digest = template.digest().map_err(|source| WorldError::Template { source })?;
                if let (true, Some(workload)) = (flapping, self.workloads.get_mut(&key)) {
                    workload.flapping.insert(super::objects::hash_of(digest));
                }
                self.put_template(&key, template)?;
                self.settle(now)?;
                Ok(true)
            }
            Ok(Ready { key, patch: Patch::Replicas(replicas) }) => {
                if let Some(workload) = self.workloads.get_mut(&key) {
                    workload.replicas = replicas;
                    control::touched(workload, now);
                }
                self.settle(now)?;
                Ok(true)
            }
        }
    }

    /// What can be seen, read-only, of whether a call happened.
    pub(super) fn probe(&self, call: &Call) -> ProbeVerdict {
        match self.look(call) {
            Ok(verdict) => verdict,
            Err(error) => ProbeVerdict::Unknown { why: error.to_string() },
        }
    }

    fn look(&self, call: &Call) -> Result<ProbeVerdict, CanonicalError> {
        let gone = || ProbeVerdict::Unknown { why: "the object of that uid is gone".into() };
        match call.action.action.as_str() {
            "rollout_restart" => {
                let RestartCall { workload, mark, template_digest } = call.args.read()?;
                let Some(found) = self.same_workload(&workload) else { return Ok(gone()) };
                let ours = |t: &Template| t.annotations.get(RESTART_ANNOTATION) == Some(&mark);
                if found.digest == template_digest {
                    return Ok(ProbeVerdict::NotDone);
                }
                // Our template would be kept as a revision after the expected one. One that is older is the mark of
                // an earlier restart from the same template.
                let expected = found.revisions.iter().find(|r| r.digest == template_digest);
                let Some(expected) = expected else {
                    let why = "the revisions since then are no longer kept".into();
                    return Ok(ProbeVerdict::Unknown { why });
                };
                let later = |r: &&Revision| r.number > expected.number && ours(&r.template);
                match found.revisions.iter().find(later) {
                    Some(revision) => seen(revision.digest, revision.number),
                    None => Ok(ProbeVerdict::NotDone),
                }
            }
            "rollout_undo" => {
                let UndoCall { workload, template_digest, to_template_digest, .. } =
                    call.args.read()?;
                let Some(found) = self.same_workload(&workload) else { return Ok(gone()) };
                if found.digest == to_template_digest {
                    let number = found.current().map_or(0, |r| r.number);
                    return seen(found.digest, number);
                }
                if found.digest == template_digest {
                    return Ok(ProbeVerdict::NotDone);
                }
                Ok(ProbeVerdict::Unknown { why: "somebody has put a third template there".into() })
            }
            "scale" => {
                let ScaleCall { workload, replicas, from_replicas } = call.args.read()?;
                let Some(found) = self.same_workload(&workload) else { return Ok(gone()) };
                if found.replicas == replicas {
                    let result = CanonicalJson::of(&Scaled { replicas })?;
                    return Ok(ProbeVerdict::Done(Some(Receipt { result })));
                }
                if found.replicas == from_replicas {
                    return Ok(ProbeVerdict::NotDone);
                }
                let now = found.replicas;
                Ok(ProbeVerdict::Unknown { why: format!("somebody made it {now} replicas") })
            }
            other => Ok(ProbeVerdict::Unknown { why: format!("no action `{other}`") }),
        }
    }

    /// Somebody rolls another image out for the workload of a plan that was just made.
    pub(super) fn drift(&mut self, seq: u64, args: &CanonicalJson) -> Result<(), WorldError> {
        #[derive(Deserialize)]
        struct Named {
            workload: WorkloadRef,
        }
        let Named { workload } = args.read().map_err(|source| WorldError::Call { seq, source })?;
        let Some(found) = self.same_workload(&workload) else { return Ok(()) };
        let image = format!("{}{DRIFT_TAG}", found.template.image);
        let template = Template { image, ..found.template.clone() };
        let key = found.key();
        self.put_template(&key, template)?;
        self.settle(self.now)
    }
}

fn seen(template_digest: Digest, revision: u64) -> Result<ProbeVerdict, CanonicalError> {
    let result = CanonicalJson::of(&Rolled { template_digest, revision })?;
    Ok(ProbeVerdict::Done(Some(Receipt { result })))
}

fn expect_template(workload: &Workload, expected: Digest) -> Result<(), Held> {
    if workload.digest == expected {
        return Ok(());
    }
    Err(conflict("its template is not the one that was planned with"))
}

fn rollable(workload: &Workload) -> Result<(), Held> {
    match super::planned::unrollable(workload) {
        None => Ok(()),
        Some(why) => Err(conflict(why)),
    }
}
