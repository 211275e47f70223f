//! Which names the expressions of each part of a document may use.

use std::collections::{BTreeMap, BTreeSet};

use steadyhand_model::types::Type;

use crate::expr::check::CheckedExpr;
use crate::expr::flow::not_null;
use crate::expr::scope::{Scope, Shape};

/// The parts of a document that hold expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// `from`
    Source,
    /// `value`, `default`
    Value,
    Require,
    When,
    With,
    Verify,
    /// `say`, `ask`
    Say,
    Wait,
    /// An environment's `match`.
    Match,
}

const BEFORE_ACTING: &str = "it exists only once steps have run";
const NO_STEPS: &str = "no step has run when this is evaluated";
const NO_PARAMS: &str = "an environment has no parameters";

/// Names that are known while one runbook is checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) params: BTreeMap<String, Shape>,
    /// The outputs of the steps so far.
    pub(crate) steps: BTreeMap<String, Shape>,
    /// Outputs (step, field) that are known when the plan is made.
    pub(crate) planned: BTreeSet<(String, String)>,
    /// Paths that are not null wherever a step is planned at all.
    pub(crate) facts: BTreeSet<String>,
}

impl Names {
    /// Parameters that are objects: they can be read again.
    fn objects(&self) -> Shape {
        let objects = self.params.iter().filter(|(_, shape)| {
            matches!(shape, Shape::Value(Type::Object { .. } | Type::Unknown))
        });
        Shape::Fields(objects.map(|(n, s)| (n.clone(), s.clone())).collect())
    }

    /// Learns from a condition that holds from here on. What is read again later (`after`) may differ then.
    pub(crate) fn learn(&mut self, condition: &CheckedExpr) {
        let lasting = |path: &String| !path.starts_with("after.") && !path.starts_with("before.");
        self.facts.extend(not_null(&condition.expr, true).into_iter().filter(lasting));
    }

    pub(crate) fn scope(&self, part: Part) -> Scope {
        let alert = Shape::Fields([("labels".to_owned(), Shape::Value(Type::Labels))].into());
        let scope = Scope::default().with("alert", alert);
        if part == Part::Match {
            return ["params", "steps", "after", "before", "metadata"]
                .into_iter()
                .fold(scope, |scope, root| scope.without(root, NO_PARAMS));
        }
        let scope = scope.given(self.facts.iter().cloned());
        let scope =
            scope.with("params", Shape::Fields(self.params.clone())).with("metadata", metadata());
        let scope = match part {
            Part::When | Part::With | Part::Verify | Part::Say | Part::Wait => {
                scope.with("steps", Shape::Fields(self.steps.clone()))
            }
            _ => scope.without("steps", NO_STEPS),
        };
        let scope = match part {
            Part::When | Part::Verify | Part::Wait => scope.with("after", self.objects()),
            _ => scope.without("after", BEFORE_ACTING),
        };
        let scope = match part {
            Part::Verify => scope.with("before", self.objects()),
            _ => scope.without("before", "only `verify` compares with what was before"),
        };
        ["each", "batch", "triage"].into_iter().fold(scope, |scope, root| {
            scope.without(root, "loops over items and triage are not supported by this version")
        })
    }
}

/// Longest metadata value, in characters.
const METADATA_MAX: u32 = 253;

fn metadata() -> Shape {
    let text = || Shape::Value(Type::Text { max: METADATA_MAX });
    Shape::Fields(["name", "title", "owner"].into_iter().map(|n| (n.to_owned(), text())).collect())
}
