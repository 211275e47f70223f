//! A checked runbook.

use std::collections::BTreeMap;

use steadyhand_model::catalogue::{ActionEffect, ActionSpec};
use steadyhand_model::ids::{
    ActionId, EnvironmentName, FieldName, ParamName, RunbookName, StepId, TeamId, TypeName,
};
use steadyhand_model::plan::{Limits, OnFailure};
use steadyhand_model::time::Span;
use steadyhand_model::types::Type;
use steadyhand_model::value::Value;

use super::{Origin, Template};
use crate::expr::check::CheckedExpr;
use crate::source::Place;

/// How long a plan may wait for its first intent unless the runbook says otherwise.
pub const EXPIRES_DEFAULT: Span = Span::from_mins(30);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRunbook {
    pub origin: Origin,
    pub name: RunbookName,
    pub name_place: Place,
    pub title: String,
    pub owner: TeamId,
    pub selection: Selection,
    /// Empty: all environments.
    pub environments: Vec<Spot<EnvironmentName>>,
    /// In an order in which each can be bound after those that it needs.
    pub params: Vec<Param>,
    pub require: Vec<Condition>,
    pub limits: Limits,
    pub expires: Span,
    pub steps: Vec<Step>,
}

impl CheckedRunbook {
    pub fn param(&self, name: &ParamName) -> Option<&Param> {
        self.params.iter().find(|p| p.name == *name)
    }

    pub fn writes(&self) -> bool {
        self.steps.iter().any(|s| matches!(s.kind, StepKind::Action(_)))
    }
}

/// A value that remembers where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot<T> {
    pub value: T,
    pub place: Place,
}

/// What selection reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Only these may start the runbook without a person naming it.
    pub alerts: Vec<Spot<String>>,
    pub when: Option<String>,
    pub unless: Option<String>,
    pub instead: Option<Spot<RunbookName>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    pub name: ParamName,
    pub place: Place,
    pub kind: ParamKind,
    /// Tried in order.
    pub from: Vec<KeySource>,
    /// The parameter that scopes this one.
    pub of: Option<ParamName>,
    pub default: Option<Binding>,
    pub value: Option<CheckedExpr>,
    /// Whether an operator may give it.
    pub operator: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    Expr(CheckedExpr),
    /// Only among candidates that code has listed.
    Model,
}

/// What may be bound. Bounds are inclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamKind {
    Object(TypeName),
    Enum {
        values: Vec<String>,
    },
    /// Shown and chosen by name, typed by value.
    Map {
        values: Vec<(String, Value)>,
        of: Type,
    },
    Set {
        values: Vec<String>,
    },
    Integer {
        min: Option<i64>,
        max: Option<i64>,
    },
    Duration {
        min: Option<Span>,
        max: Option<Span>,
    },
    /// Bytes.
    Size {
        min: Option<i64>,
        max: Option<i64>,
    },
    /// Per mille.
    Percent {
        min: Option<i64>,
        max: Option<i64>,
    },
    Boolean,
    Text {
        max: u32,
    },
}

impl ParamKind {
    /// The type that expressions see.
    pub fn ty(&self) -> Type {
        match self {
            Self::Object(name) => Type::Object { name: name.clone() },
            Self::Enum { values } => Type::Enum { values: values.clone() },
            Self::Map { of, .. } => of.clone(),
            Self::Set { values } => Type::list(Type::Enum { values: values.clone() }),
            Self::Integer { min, max } => Type::Integer { min: *min, max: *max },
            Self::Duration { .. } => Type::Duration,
            Self::Size { .. } => Type::Size,
            Self::Percent { .. } => Type::Percent,
            Self::Boolean => Type::Boolean,
            Self::Text { max } => Type::Text { max: *max },
        }
    }
}

/// A value given in the document: written out, or computed when a plan is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    Literal(Value),
    Computed(CheckedExpr),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub that: CheckedExpr,
    pub otherwise: Template,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub id: StepId,
    pub place: Place,
    pub when: Option<CheckedExpr>,
    /// Bounds checks, attempts and verification together. None: what the action allows.
    pub timeout: Option<Span>,
    pub on_failure: OnFailure,
    pub kind: StepKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepKind {
    Action(Box<ActionStep>),
    Ask(AskStep),
    Wait(WaitStep),
    Notify(NotifyStep),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionStep {
    pub action: ActionId,
    pub effect: ActionEffect,
    pub with: BTreeMap<FieldName, Binding>,
    pub verify: Verify,
    pub undo: StepUndo,
    pub retry: Option<Retry>,
    /// Its own card, when the step is reached.
    pub ask_again: bool,
}

/// How the step is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verify {
    /// The action's own condition, over `after.ARG` and `args.ARG`; none if it has none.
    pub action: Option<CheckedExpr>,
    /// The runbook's condition, over `after.PARAM`. It holds together with the action's own.
    pub runbook: Option<CheckedExpr>,
    pub within: Span,
    pub hold_for: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepUndo {
    /// What the action's `plan` returns.
    Inverse,
    /// Another action, named by the runbook.
    Action {
        action: ActionId,
        with: BTreeMap<FieldName, Binding>,
    },
    NothingToUndo {
        why: String,
    },
    Irreversible {
        reason: String,
    },
}

/// Attempts in all, and the first pause between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    pub attempts: u32,
    pub backoff: Span,
}

/// Who is asked or told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// The team that owns the runbook.
    Owner,
    Team(TeamId),
    /// Whoever of the team is on call; `None`: the owner's team.
    OnCall(Option<TeamId>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskStep {
    pub question: Template,
    pub who: Audience,
    pub answers: Vec<String>,
    pub within: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitStep {
    For(Binding),
    Until { that: CheckedExpr, at_most: Span },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyStep {
    pub to: Audience,
    pub say: Template,
}

/// The type under which an action's own arguments are checked.
pub(crate) fn argument<'a>(
    spec: &'a ActionSpec,
    name: &str,
) -> Option<&'a steadyhand_model::types::Field> {
    spec.args.iter().find(|f| f.name.as_str() == name)
}
