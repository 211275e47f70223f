//! `plan`: the complete call, what it would change, what must hold, and how it is taken back. Nothing here is a
//! clock value, an id of a request or a moving number: planning the same thing again gives the same bytes.

use serde::{Deserialize, Serialize};
use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::catalogue::kubernetes::{self, RESTART_ANNOTATION, REVISION, WORKLOAD};
use steadyhand_model::digest::Digest;
use steadyhand_model::exchange::{PlanReply, StepPreview};
use steadyhand_model::ids::{ActionId, ActionName, IdError, TypeName, Uid};
use steadyhand_model::plan::{
    Affected, BlastRadius, DataLoss, DiffLine, Inverse, Preview, PreviewKind, Target, TargetKey,
};
use steadyhand_model::reading::{Call, Check, Given, ReadCall, Slot};
use steadyhand_model::time::Span;
use steadyhand_model::types::Type;

use super::World;
use super::act::{RevisionRef, restarted};
use super::objects::{Kind, Revision, StrategyKind, Template, Workload};
use super::read::WorkloadRef;

/// A workload as an argument of a call.
#[derive(Debug, Clone, Serialize)]
struct WorkloadArg {
    kind: Kind,
    namespace: String,
    name: String,
    uid: Uid,
}

#[derive(Debug, Clone, Serialize)]
struct RevisionArg {
    kind: Kind,
    namespace: String,
    workload: String,
    name: String,
    uid: Uid,
}

#[derive(Debug, Serialize)]
struct RestartArgs {
    workload: WorkloadArg,
    mark: String,
    template_digest: Digest,
}

#[derive(Debug, Serialize)]
struct UndoArgs {
    workload: WorkloadArg,
    to: RevisionArg,
    template_digest: Digest,
    to_template_digest: Digest,
}

#[derive(Debug, Serialize)]
struct ScaleArgs {
    workload: WorkloadArg,
    replicas: u32,
    from_replicas: u32,
}

#[derive(Debug, Serialize)]
struct PlannedTemplate {
    template_digest: Digest,
}

#[derive(Debug, Serialize)]
struct PlannedReplicas {
    replicas: u32,
}

#[derive(Debug, Deserialize)]
struct RestartGiven {
    workload: WorkloadRef,
}

#[derive(Debug, Deserialize)]
struct UndoGiven {
    workload: WorkloadRef,
    to: RevisionRef,
}

#[derive(Debug, Deserialize)]
struct ScaleGiven {
    workload: WorkloadRef,
    replicas: u32,
}

#[derive(Debug, thiserror::Error)]
enum Unplanned {
    #[error("{0}")]
    Refused(String),
    #[error("the call cannot be written")]
    Form {
        #[from]
        source: CanonicalError,
    },
    #[error("a name of the table is no identifier")]
    Name {
        #[from]
        source: IdError,
    },
}

/// What stands in the way of any rollout of this workload.
pub(super) fn unrollable(workload: &Workload) -> Option<&'static str> {
    if workload.paused {
        return Some("its rollouts are paused");
    }
    if workload.strategy.kind == StrategyKind::OnDelete {
        return Some("its strategy is OnDelete, so a new template replaces no pod");
    }
    None
}

/// What the three actions have in common.
struct Draft<'a> {
    workload: &'a Workload,
    action: &'static str,
    args: CanonicalJson,
    diff: Vec<DiffLine>,
    /// The action's own preconditions, beside that of the same object.
    before: Vec<Check>,
    verify: Check,
    undo: Option<Inverse>,
    affected: Vec<Affected>,
    unavailable: u64,
    owners: Vec<String>,
    planned: CanonicalJson,
    command: String,
    nothing_to_do: Option<String>,
}

impl World {
    pub(super) fn plan(&self, action: &ActionName, args: &CanonicalJson) -> PlanReply {
        let planned = match action.as_str() {
            "rollout_restart" => self.plan_restart(args),
            "rollout_undo" => self.plan_undo(args),
            "scale" => self.plan_scale(args),
            other => Err(Unplanned::Refused(format!("this world has no action `{other}`"))),
        };
        match planned {
            Ok(preview) => PlanReply::Planned(Box::new(preview)),
            Err(Unplanned::Refused(why)) => PlanReply::Refused { why },
            Err(error @ (Unplanned::Form { .. } | Unplanned::Name { .. })) => {
                PlanReply::CannotTell { why: error.to_string() }
            }
        }
    }

    fn planned_target(&self, given: &WorkloadRef) -> Result<&Workload, Unplanned> {
        self.same_workload(given).ok_or_else(|| {
            Unplanned::Refused(format!(
                "there is no {} {}/{} of that uid",
                given.kind, given.namespace, given.name
            ))
        })
    }

    fn plan_restart(&self, args: &CanonicalJson) -> Result<StepPreview, Unplanned> {
        let RestartGiven { workload } = args.read()?;
        let found = self.planned_target(&workload)?;
        if let Some(why) = unrollable(found) {
            return Err(Unplanned::Refused(why.to_owned()));
        }
        let mark = format!("after-{}", found.hash());
        let after = restarted(&found.template, &mark);
        let after_digest = after.digest()?;
        let call_args = CanonicalJson::of(&RestartArgs {
            workload: argument(found),
            mark: mark.clone(),
            template_digest: found.digest,
        })?;
        let undo = found.current().map(|now| undo_call(found, after_digest, now)).transpose()?;
        let patch = annotation_patch(found, &mark);
        self.preview(Draft {
            workload: found,
            action: "rollout_restart",
            args: call_args,
            diff: template_diff(&found.template, &after),
            before: vec![template_check(found, found.digest)?, rollable_check(found)?],
            verify: verify("rollout_restart", found, None, vec![])?,
            undo,
            affected: replaced(found),
            unavailable: found.taken_at_once(),
            owners: vec![],
            planned: CanonicalJson::of(&PlannedTemplate { template_digest: after_digest })?,
            command: kubectl_patch(found, "", &patch),
            nothing_to_do: (found.replicas == 0).then(|| "it has no replicas".to_owned()),
        })
    }

    fn plan_undo(&self, args: &CanonicalJson) -> Result<StepPreview, Unplanned> {
        let UndoGiven { workload, to } = args.read()?;
        let found = self.planned_target(&workload)?;
        if let Some(why) = unrollable(found) {
            return Err(Unplanned::Refused(why.to_owned()));
        }
        let of_target = to.kind == found.kind.word()
            && to.namespace == found.namespace
            && to.workload == found.name;
        let revision =
            found.revisions.iter().find(|r| of_target && r.name == to.name && r.uid == to.uid);
        let Some(revision) = revision else {
            let why = format!("{} keeps no revision {}", found.shown(), to.name);
            return Err(Unplanned::Refused(why));
        };
        let undo = found.current().map(|now| undo_call(found, revision.digest, now)).transpose()?;
        let same = revision.digest == found.digest;
        self.preview(Draft {
            workload: found,
            action: "rollout_undo",
            args: undo_args(found, found.digest, revision)?,
            diff: template_diff(&found.template, &revision.template),
            before: vec![template_check(found, found.digest)?, rollable_check(found)?],
            verify: verify("rollout_undo", found, Some(revision), vec![])?,
            undo,
            affected: replaced(found),
            unavailable: found.taken_at_once(),
            owners: vec![],
            planned: CanonicalJson::of(&PlannedTemplate { template_digest: revision.digest })?,
            command: format!(
                "kubectl -n {} rollout undo {}/{} --to-revision={}",
                found.namespace,
                found.kind.resource(),
                found.name,
                revision.number
            ),
            nothing_to_do: same.then(|| "that revision is there already".to_owned()),
        })
    }

    fn plan_scale(&self, args: &CanonicalJson) -> Result<StepPreview, Unplanned> {
        let ScaleGiven { workload, replicas } = args.read()?;
        let found = self.planned_target(&workload)?;
        let from = found.replicas;
        let call_args = scale_args(found, replicas, from)?;
        let inverse = Inverse {
            call: call("scale", scale_args(found, from, replicas)?)?,
            verify: Some(verify("scale", found, None, vec![given_replicas(from)?])?),
            shown: format!("scale back to {from}"),
        };
        let (how, count) = if replicas >= from {
            ("added", replicas - from)
        } else {
            ("removed", from - replicas)
        };
        let patch = format!(
            r#"[{{"op":"test","path":"/metadata/uid","value":"{}"}},{{"op":"test","path":"/spec/replicas","value":{from}}},{{"op":"replace","path":"/spec/replicas","value":{replicas}}}]"#,
            found.uid
        );
        let owners = found.hpa.as_ref().map(|hpa| {
            format!("HorizontalPodAutoscaler {} changes replicas back within 15s", hpa.name)
        });
        self.preview(Draft {
            workload: found,
            action: "scale",
            args: call_args,
            diff: vec![DiffLine {
                path: "spec.replicas".into(),
                before: Some(from.to_string()),
                after: Some(replicas.to_string()),
            }],
            before: vec![replicas_check(found)?],
            verify: verify("scale", found, None, vec![given_replicas(replicas)?])?,
            undo: Some(inverse),
            affected: vec![Affected {
                what: "pods".into(),
                count: u64::from(count),
                how: how.into(),
            }],
            unavailable: u64::from(from.saturating_sub(replicas)),
            owners: owners.into_iter().collect(),
            planned: CanonicalJson::of(&PlannedReplicas { replicas })?,
            command: kubectl_patch(found, "--subresource=scale ", &patch),
            nothing_to_do: (replicas == from).then(|| format!("it wants {from} replicas already")),
        })
    }

    fn preview(&self, draft: Draft<'_>) -> Result<StepPreview, Unplanned> {
        let workload = draft.workload;
        let target = self.target_of(workload);
        let mut before = vec![same_object(workload)?];
        before.extend(draft.before);
        let missing = if self.may_not_patch() {
            let sub = if draft.action == "scale" { "/scale" } else { "" };
            vec![format!("patch {}s{sub} in {}", workload.kind.resource(), workload.namespace)]
        } else {
            vec![]
        };
        let mut zones: Vec<String> = self
            .nodes
            .iter()
            .filter(|n| workload.living().any(|p| p.node.as_deref() == Some(&n.name)))
            .map(|n| n.zone.clone())
            .collect();
        zones.sort();
        zones.dedup();
        Ok(StepPreview {
            call: call(draft.action, draft.args)?,
            targets: vec![target.clone()],
            preview: Preview { kind: PreviewKind::Server, diff: draft.diff },
            before,
            verify: Some(draft.verify),
            undo: draft.undo,
            radius: BlastRadius {
                targets: vec![target],
                affected: draft.affected,
                unavailable: draft.unavailable,
                population: u64::from(workload.replicas),
                zones,
                data_loss: DataLoss::None,
                dependents: workload
                    .services
                    .iter()
                    .map(|s| format!("Service {}/{s}", workload.namespace))
                    .collect(),
                owners: draft.owners,
                unknowns: vec![],
            },
            missing_permissions: missing,
            planned: draft.planned,
            command: Some(draft.command),
            nothing_to_do: draft.nothing_to_do,
        })
    }

    fn target_of(&self, workload: &Workload) -> Target {
        let kind = workload.kind.word();
        Target {
            key: TargetKey(format!("{}/kubernetes/{kind}/{}", self.environment, workload.uid)),
            kind: kind.to_owned(),
            name: workload.shown(),
            uid: workload.uid.clone(),
        }
    }
}

fn argument(workload: &Workload) -> WorkloadArg {
    WorkloadArg {
        kind: workload.kind,
        namespace: workload.namespace.clone(),
        name: workload.name.clone(),
        uid: workload.uid.clone(),
    }
}

fn undo_args(
    workload: &Workload,
    from: Digest,
    to: &Revision,
) -> Result<CanonicalJson, CanonicalError> {
    CanonicalJson::of(&UndoArgs {
        workload: argument(workload),
        to: RevisionArg {
            kind: workload.kind,
            namespace: workload.namespace.clone(),
            workload: workload.name.clone(),
            name: to.name.clone(),
            uid: to.uid.clone(),
        },
        template_digest: from,
        to_template_digest: to.digest,
    })
}

fn scale_args(
    workload: &Workload,
    replicas: u32,
    from_replicas: u32,
) -> Result<CanonicalJson, CanonicalError> {
    CanonicalJson::of(&ScaleArgs { workload: argument(workload), replicas, from_replicas })
}

/// The complete call that puts `to` back, when `from` is the template that is there by then.
fn undo_call(workload: &Workload, from: Digest, to: &Revision) -> Result<Inverse, Unplanned> {
    Ok(Inverse {
        call: call("rollout_undo", undo_args(workload, from, to)?)?,
        verify: Some(verify("rollout_undo", workload, Some(to), vec![])?),
        shown: format!("the inverse patch, back to template {}", to.name),
    })
}

fn call(action: &str, args: CanonicalJson) -> Result<Call, IdError> {
    let action = ActionId { server: "kubernetes".parse()?, action: action.parse()? };
    Ok(Call { action, args })
}

fn replaced(workload: &Workload) -> Vec<Affected> {
    let how = if workload.strategy.kind == StrategyKind::Recreate {
        "replaced at once"
    } else {
        "replaced in turn"
    };
    vec![Affected { what: "pods".into(), count: u64::from(workload.replicas), how: how.into() }]
}

fn template_diff(before: &Template, after: &Template) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    let names = before.annotations.keys().chain(after.annotations.keys());
    let mut names: Vec<&String> = names.collect();
    names.sort();
    names.dedup();
    for name in names {
        let (old, new) = (before.annotations.get(name), after.annotations.get(name));
        if old != new {
            lines.push(DiffLine {
                path: format!("spec.template.metadata.annotations[\"{name}\"]"),
                before: old.cloned(),
                after: new.cloned(),
            });
        }
    }
    if before.image != after.image {
        lines.push(DiffLine {
            path: "spec.template.spec.containers[0].image".into(),
            before: Some(before.image.clone()),
            after: Some(after.image.clone()),
        });
    }
    lines
}

fn annotation_patch(workload: &Workload, mark: &str) -> String {
    let uid = &workload.uid;
    let path = "/spec/template/metadata/annotations";
    let key = RESTART_ANNOTATION.replace('/', "~1");
    let change = if workload.template.annotations.is_empty() {
        // Without the map, adding a key to it is refused by the server.
        format!(
            r#"{{"op":"test","path":"{path}","value":null}},{{"op":"add","path":"{path}","value":{{"{RESTART_ANNOTATION}":"{mark}"}}}}"#
        )
    } else {
        format!(r#"{{"op":"add","path":"{path}/{key}","value":"{mark}"}}"#)
    };
    format!(r#"[{{"op":"test","path":"/metadata/uid","value":"{uid}"}},{change}]"#)
}

/// The field manager is ours: a GitOps tool strips fields of managers that begin with `kubectl`.
fn kubectl_patch(workload: &Workload, more: &str, patch: &str) -> String {
    format!(
        "kubectl -n {} patch {}/{} {more}--type=json --field-manager=steadyhand -p '{patch}'",
        workload.namespace,
        workload.kind.resource(),
        workload.name
    )
}

fn workload_slot(workload: &Workload, nullable: bool) -> Result<Slot, Unplanned> {
    #[derive(Serialize)]
    struct Args<'a> {
        kind: Kind,
        namespace: &'a str,
        name: &'a str,
    }
    let args = Args { kind: workload.kind, namespace: &workload.namespace, name: &workload.name };
    let object = Type::Object { name: WORKLOAD.parse::<TypeName>()? };
    Ok(Slot {
        into: "after.workload".into(),
        read: read_call("get_workload", CanonicalJson::of(&args)?)?,
        ty: if nullable { object.nullable() } else { object },
    })
}

fn revision_slot(workload: &Workload, revision: &Revision) -> Result<Slot, Unplanned> {
    #[derive(Serialize)]
    struct Args<'a> {
        kind: Kind,
        namespace: &'a str,
        workload: &'a str,
        name: &'a str,
    }
    let args = Args {
        kind: workload.kind,
        namespace: &workload.namespace,
        workload: &workload.name,
        name: &revision.name,
    };
    Ok(Slot {
        into: "after.to".into(),
        read: read_call("get_revision", CanonicalJson::of(&args)?)?,
        ty: Type::Object { name: REVISION.parse()? },
    })
}

fn read_call(read: &str, args: CanonicalJson) -> Result<ReadCall, IdError> {
    Ok(ReadCall { server: "kubernetes".parse()?, read: read.parse()?, args })
}

/// A precondition over the workload as it is now, which may be gone.
fn precondition(
    workload: &Workload,
    title: &str,
    that: &str,
    given: Vec<Given>,
    otherwise: &str,
) -> Result<Check, Unplanned> {
    Ok(Check {
        title: title.to_owned(),
        expr: format!("after.workload != null && {that}"),
        reads: vec![workload_slot(workload, true)?],
        given,
        outputs: vec![],
        otherwise: Some(otherwise.to_owned()),
        hold_for: Span::ZERO,
        within: Span::ZERO,
        informs: false,
    })
}

fn given<T: Serialize>(into: &str, ty: Type, value: &T) -> Result<Given, CanonicalError> {
    Ok(Given { into: into.to_owned(), ty, value: CanonicalJson::of(value)? })
}

fn given_replicas(replicas: u32) -> Result<Given, CanonicalError> {
    given("args.replicas", Type::integer(), &replicas)
}

fn same_object(workload: &Workload) -> Result<Check, Unplanned> {
    precondition(
        workload,
        "it is the same object",
        "after.workload.uid == args.workload.uid",
        vec![given("args.workload.uid", Type::String, &workload.uid)?],
        "Another object has that name now, or none has.",
    )
}

fn template_check(workload: &Workload, digest: Digest) -> Result<Check, Unplanned> {
    precondition(
        workload,
        "its template is unchanged",
        "after.workload.template_digest == args.template_digest",
        vec![given("args.template_digest", Type::String, &digest)?],
        "Somebody has changed its template since the plan.",
    )
}

fn rollable_check(workload: &Workload) -> Result<Check, Unplanned> {
    precondition(
        workload,
        "its rollouts are not paused",
        "!after.workload.paused",
        vec![],
        "Its rollouts are paused, so nothing would be replaced.",
    )
}

fn replicas_check(workload: &Workload) -> Result<Check, Unplanned> {
    precondition(
        workload,
        "its replicas are unchanged",
        "after.workload.replicas == args.from_replicas",
        vec![given("args.from_replicas", Type::integer(), &workload.replicas)?],
        "Somebody has scaled it since the plan.",
    )
}

fn verify(
    action: &str,
    workload: &Workload,
    to: Option<&Revision>,
    given: Vec<Given>,
) -> Result<Check, Unplanned> {
    let table = kubernetes::spec();
    let spec = table.action(&action.parse()?).and_then(|a| a.verify.clone());
    let Some(spec) = spec else {
        return Err(Unplanned::Refused(format!("the table gives `{action}` no verification")));
    };
    let mut reads = vec![workload_slot(workload, false)?];
    if let Some(revision) = to {
        reads.push(revision_slot(workload, revision)?);
    }
    Ok(Check {
        title: match action {
            "scale" => "it has the replicas, and they are available".to_owned(),
            _ => "it is rolled out, available, and no new pod has restarted".to_owned(),
        },
        expr: spec.that,
        reads,
        given,
        outputs: vec![],
        otherwise: None,
        hold_for: spec.hold_for,
        within: spec.within,
        informs: false,
    })
}
