//! The table of the `kubernetes` server. The practice world and the real cluster are served under this one table.
//!
//! **Arguments.** A runbook gives `args`; an object is given by its identity, `{kind, namespace, name, uid}` for a
//! workload. `<action>.plan` answers with the complete call, whose arguments are `args` and `expects` together:
//!
//! ```text
//! rollout_restart  args    {workload}
//!                  expects {mark, template_digest}
//! rollout_undo     args    {to, workload}
//!                  expects {template_digest, to_template_digest}
//! scale            args    {replicas, workload}
//!                  expects {from_replicas}
//! ```
//!
//! `template_digest` is SHA-256 over the normalised pod template that is there before the call. A call whose
//! expectation no longer holds at its target is refused there, which makes all three compare-and-set. `mark` is the
//! value that a restart writes to the template's annotation [`RESTART_ANNOTATION`]: `after-<pod-template-hash>`, so
//! equal plans have equal bytes and the mark is its own probe.
//!
//! **Expressions** see the normalised objects below. A field that the source cannot tell is
//! `{"cannot_tell": "why"}`; absent is never zero.

use super::table::{
    after, choice, count, identity, name, object, planned, read, record, status, wanted,
};
use super::{
    ActionEffect, ActionSpec, Idempotency, PreviewSupport, ReadSpec, ResultField, ServerSpec,
    TypeSpec, UndoSupport, VerifySpec,
};
use crate::time::Span;
use crate::types::{Field, Type};

/// The template annotation that a restart writes.
pub const RESTART_ANNOTATION: &str = "steadyhand.dev/restart";
/// The longest that one call may take, from the moment of sending.
pub const CALL_MAX: Span = Span::from_secs(10);
/// How long after the last moment of a call its effect may still appear.
pub const QUIESCENCE: Span = Span::from_secs(5);
/// Bounds a whole step: a rollout of many pods, and its verification.
pub const STEP_TIMEOUT_MAX: Span = Span::from_mins(20);
/// How long a rollout may take to be verified unless a runbook says otherwise.
pub const VERIFY_WITHIN: Span = Span::from_mins(10);
/// How long a verification must hold without a break.
pub const VERIFY_HOLD: Span = Span::from_secs(60);
/// Most replicas that `scale` accepts.
pub const REPLICAS_MAX: i64 = 10_000;

pub const WORKLOAD: &str = "kubernetes.Workload";
pub const REVISION: &str = "kubernetes.Revision";
pub const POD: &str = "kubernetes.Pod";
pub const NODE: &str = "kubernetes.Node";

const KINDS: [&str; 2] = ["Deployment", "StatefulSet"];

pub fn spec() -> ServerSpec {
    ServerSpec {
        server: name("kubernetes"),
        types: vec![workload(), revision(), pod(), node()],
        reads: reads(),
        functions: functions(),
        actions: vec![rollout_restart(), rollout_undo(), scale()],
    }
}

fn kind() -> Field {
    identity("kind", choice(&KINDS), "the topmost controller's kind")
}

fn namespace() -> Field {
    identity("namespace", Type::String, "")
}

fn uid() -> Field {
    identity("uid", Type::String, "made by the cluster, never used again")
}

fn template_digest(doc: &str) -> Field {
    wanted("template_digest", Type::String, doc)
}

fn workload() -> TypeSpec {
    let mut fields = vec![
        kind(),
        namespace(),
        identity("name", Type::String, ""),
        uid(),
        status("generation", count(), "moves with every change of the spec, an autoscaler's too"),
        template_digest("SHA-256 over the normalised pod template"),
    ];
    fields.extend(workload_numbers());
    fields.extend(workload_rollout());
    fields.extend(workload_surroundings());
    TypeSpec {
        name: name(WORKLOAD),
        fields,
        key: vec![name("kind"), name("namespace"), name("name")],
        get: name("get_workload"),
        list: name("list_workloads"),
        population: "workloads".to_owned(),
    }
}

fn workload_numbers() -> Vec<Field> {
    vec![
        wanted("replicas", count(), "wanted"),
        status("ready", count(), "pods that are ready"),
        status("available", count(), "pods ready for the minimum time"),
        status("updated", count(), "pods of the current template"),
        status("unavailable", count(), "wanted and not available"),
        status("restarts_10m", count(), "container restarts within ten minutes, all pods"),
        status("fresh_restarts", count(), "container restarts of the pods of the current template"),
        status(
            "crash",
            record(vec![
                status("reason", Type::String, "such as `CrashLoopBackOff` or `OOMKilled`"),
                status("exit_code", Type::integer(), ""),
                status("since", Type::Duration, "for how long"),
                status("pods", count(), "pods that crash"),
            ])
            .nullable(),
            "null: no container crashes",
        ),
    ]
}

fn workload_rollout() -> Vec<Field> {
    let strategy = record(vec![
        wanted("type", choice(&["RollingUpdate", "Recreate", "OnDelete"]), ""),
        wanted("max_unavailable", count(), "in pods, at the present replicas"),
        wanted("max_surge", count(), "in pods, at the present replicas"),
        wanted("partition", count(), "ordinals below it keep the old template"),
        wanted("min_ready", Type::Duration, "how long a pod is ready before it is available"),
    ]);
    let now = record(vec![
        status("number", count(), "changes when a rollback reuses the revision"),
        wanted("image", Type::String, "of the first container"),
    ]);
    vec![
        status("observed", Type::Boolean, "the controller has seen the present spec"),
        status("rolled_out", Type::Boolean, "every pod that should be is of the current template"),
        status("settled", Type::Boolean, "observed and rolled out; says nothing about health"),
        status(
            "stuck",
            record(vec![status("reason", Type::String, "")]).nullable(),
            "the rollout has passed its deadline",
        ),
        wanted("paused", Type::Boolean, "rollouts are paused"),
        wanted("strategy", strategy, ""),
        wanted("revision", now, "of the current template"),
        status("age_of_revision", Type::Duration, "since the current template was rolled out"),
        wanted(
            "last_good_revision",
            object(REVISION).nullable(),
            "the newest earlier revision that was fully available; null: none is kept",
        ),
    ]
}

fn workload_surroundings() -> Vec<Field> {
    let hpa = record(vec![
        identity("name", Type::String, ""),
        wanted("min", count(), ""),
        wanted("max", count(), ""),
        status("current", count(), ""),
        status("limited", Type::Boolean, "it wants more than `max`"),
    ]);
    let budget = record(vec![
        identity("name", Type::String, ""),
        status("allowed", count(), "evictions that it allows now"),
        wanted("needs", count(), "healthy pods that it needs"),
        status("has", count(), "healthy pods"),
    ]);
    let zone = record(vec![
        identity("zone", Type::String, ""),
        status("ready", count(), "ready pods in it"),
    ]);
    let service = record(vec![
        identity("name", Type::String, ""),
        status("ready", count(), ""),
        status("total", count(), ""),
    ]);
    vec![
        wanted("singleton", Type::Boolean, "one replica: a restart interrupts it"),
        wanted("hpa", hpa.nullable(), "the autoscaler of this workload"),
        wanted("budgets", Type::list(budget), "disruption budgets; they gate evictions only"),
        status("zones", Type::list(zone), "where its pods are"),
        wanted("services", Type::list(service), "services that send it traffic"),
        wanted("protected", Type::Boolean, "must not be addressed by a runbook"),
    ]
}

fn revision() -> TypeSpec {
    TypeSpec {
        name: name(REVISION),
        fields: vec![
            kind(),
            namespace(),
            identity("workload", Type::String, "the workload's name"),
            identity("name", Type::String, "of the ReplicaSet or ControllerRevision"),
            uid(),
            status("number", count(), "changes when a rollback reuses the revision"),
            identity("image", Type::String, "of the first container"),
            identity("template_digest", Type::String, "SHA-256 over the normalised pod template"),
            status("age", Type::Duration, "since it was first rolled out"),
            status("current", Type::Boolean, "it is the workload's present template"),
            status("good", Type::Boolean, "it was fully available once"),
        ],
        key: vec![name("kind"), name("namespace"), name("workload"), name("name")],
        get: name("get_revision"),
        list: name("list_revisions"),
        population: "revisions".to_owned(),
    }
}

fn pod() -> TypeSpec {
    TypeSpec {
        name: name(POD),
        fields: vec![
            namespace(),
            identity("name", Type::String, ""),
            uid(),
            status(
                "phase",
                choice(&["Pending", "Running", "Succeeded", "Failed", "Terminating"]),
                "",
            ),
            status("ready", Type::Boolean, ""),
            identity("node", Type::String.nullable(), "null: not placed yet"),
            identity("template_hash", Type::String, "of its ReplicaSet or ControllerRevision"),
            status("restarts", count(), "container restarts since it started"),
            status("reason", Type::String.nullable(), "why it is not ready"),
            status("age", Type::Duration, ""),
        ],
        key: vec![name("namespace"), name("name")],
        get: name("get_pod"),
        list: name("list_pods"),
        population: "pods".to_owned(),
    }
}

fn node() -> TypeSpec {
    TypeSpec {
        name: name(NODE),
        fields: vec![
            identity("name", Type::String, ""),
            uid(),
            identity("zone", Type::String, ""),
            status("ready", Type::Boolean, ""),
            wanted("schedulable", Type::Boolean, ""),
            status("pods", count(), "pods on it"),
            wanted("pods_max", count(), "pods that it can hold"),
            status("cpu_free_m", count(), "thousandths of a core not asked for"),
            status("memory_free", Type::Size, "bytes not asked for"),
        ],
        key: vec![name("name")],
        get: name("get_node"),
        list: name("list_nodes"),
        population: "nodes".to_owned(),
    }
}

fn reads() -> Vec<ReadSpec> {
    let any_kind = || identity("kind", choice(&KINDS).nullable(), "null: whichever kind it is");
    let within = || identity("namespace", Type::String.nullable(), "null: all namespaces");
    let of = || identity("workload", object(WORKLOAD), "");
    let maybe_of = || identity("workload", object(WORKLOAD).nullable(), "null: all workloads");
    let event = record(vec![
        status("age", Type::Duration, ""),
        status("kind", Type::String, "of the object"),
        status("name", Type::String, "of the object"),
        status("reason", Type::String, ""),
        status("message", Type::String, ""),
        status("count", count(), ""),
    ]);
    vec![
        read(
            "get_workload",
            "One workload, null if there is none",
            vec![any_kind(), namespace(), identity("name", Type::String, "")],
            object(WORKLOAD).nullable(),
        ),
        read(
            "list_workloads",
            "Workloads by namespace and name",
            vec![within()],
            Type::list(object(WORKLOAD)),
        ),
        read(
            "get_revision",
            "One kept revision of a workload, null if there is none",
            vec![
                any_kind(),
                namespace(),
                identity("workload", Type::String, "the workload's name"),
                identity("name", Type::String, ""),
            ],
            object(REVISION).nullable(),
        ),
        read(
            "list_revisions",
            "Kept revisions of a workload, the newest first",
            vec![of()],
            Type::list(object(REVISION)),
        ),
        read(
            "get_pod",
            "One pod, null if there is none",
            vec![namespace(), identity("name", Type::String, "")],
            object(POD).nullable(),
        ),
        read(
            "list_pods",
            "Pods by namespace and name",
            vec![within(), maybe_of()],
            Type::list(object(POD)),
        ),
        read(
            "get_node",
            "One node, null if there is none",
            vec![identity("name", Type::String, "")],
            object(NODE).nullable(),
        ),
        read("list_nodes", "Nodes by name", vec![], Type::list(object(NODE))),
        read(
            "events",
            "Events of a namespace, the newest first, at most 100",
            vec![namespace(), maybe_of()],
            Type::list(event),
        ),
    ]
}

fn functions() -> Vec<ReadSpec> {
    let text = |n: &str| identity(n, Type::String, "");
    vec![
        read(
            "owner_of",
            "The workload that a pod belongs to, also a pod that is gone",
            vec![text("namespace"), text("pod")],
            object(WORKLOAD).nullable(),
        ),
        read(
            "workload_of",
            "The one workload that an alert's labels name",
            vec![identity("labels", Type::Labels, "")],
            object(WORKLOAD).nullable(),
        ),
        read(
            "node_of",
            "The node that an alert's labels name",
            vec![identity("labels", Type::Labels, "")],
            object(NODE).nullable(),
        ),
        read(
            "cluster.fits",
            "Whether a placement for that many replicas was found; false proves nothing",
            vec![
                identity("workload", object(WORKLOAD), ""),
                identity("replicas", replicas_type(), "in all"),
            ],
            Type::Boolean,
        ),
    ]
}

fn replicas_type() -> Type {
    Type::Integer { min: Some(0), max: Some(REPLICAS_MAX) }
}

/// What the three actions share: guarded patches through the API.
fn guarded(action: &str, title: &str, that: &str) -> ActionSpec {
    ActionSpec {
        id: name(action),
        title: title.to_owned(),
        effect: ActionEffect::Change,
        args: vec![],
        expects: vec![],
        result: vec![],
        preview: PreviewSupport::Full,
        probe: true,
        verify: Some(VerifySpec {
            that: that.to_owned(),
            hold_for: VERIFY_HOLD,
            within: VERIFY_WITHIN,
        }),
        undo: UndoSupport::Inverse,
        idempotency: Idempotency::CompareAndSet,
        call_max: CALL_MAX,
        timeout_max: STEP_TIMEOUT_MAX,
        quiescence: QUIESCENCE,
        lapses: false,
        expands_to: None,
        permissions: vec![],
    }
}

fn target() -> Field {
    identity("workload", object(WORKLOAD), "what is acted on")
}

fn rolled() -> Vec<ResultField> {
    vec![planned("template_digest", Type::String), after("revision", count())]
}

fn patches() -> Vec<String> {
    vec!["get deployments, statefulsets".into(), "patch deployments, statefulsets".into()]
}

fn rollout_restart() -> ActionSpec {
    ActionSpec {
        args: vec![target()],
        expects: vec![
            wanted("mark", Type::String, "the annotation's value, `after-<pod-template-hash>`"),
            template_digest("the template that is there before the call"),
        ],
        result: rolled(),
        permissions: patches(),
        ..guarded(
            "kubernetes.rollout_restart",
            "Replace the pods of a workload in turn",
            "after.workload.settled && after.workload.available >= after.workload.replicas \
             && after.workload.fresh_restarts == 0",
        )
    }
}

fn rollout_undo() -> ActionSpec {
    ActionSpec {
        args: vec![target(), identity("to", object(REVISION), "the revision to go back to")],
        expects: vec![
            template_digest("the template that is there before the call"),
            wanted("to_template_digest", Type::String, "the template that is there after it"),
        ],
        result: rolled(),
        permissions: patches(),
        ..guarded(
            "kubernetes.rollout_undo",
            "Put an earlier template of a workload back",
            "after.workload.template_digest == after.to.template_digest \
             && after.workload.settled && after.workload.available >= after.workload.replicas \
             && after.workload.fresh_restarts == 0",
        )
    }
}

fn scale() -> ActionSpec {
    ActionSpec {
        args: vec![target(), wanted("replicas", replicas_type(), "wanted after the call")],
        expects: vec![wanted("from_replicas", replicas_type(), "wanted before the call")],
        result: vec![planned("replicas", replicas_type())],
        permissions: vec![
            "get deployments, statefulsets".into(),
            "patch deployments/scale, statefulsets/scale".into(),
        ],
        ..guarded(
            "kubernetes.scale",
            "Change how many replicas a workload wants",
            "after.workload.replicas == args.replicas && after.workload.observed \
             && after.workload.available >= args.replicas",
        )
    }
}
