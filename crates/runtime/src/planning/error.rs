//! What stands in the way of a plan. Each has a stable code with a page.

use steadyhand_model::canonical::CanonicalError;
use steadyhand_model::ids::{IdError, ParamName, StepId};
use steadyhand_model::plan::PlanError;
use steadyhand_model::reading::Operand;
use steadyhand_model::time::Span;

use crate::policy::PolicyError;

#[derive(Debug, thiserror::Error)]
pub enum PlanningError {
    #[error("the parameter `{name}` has no value")]
    Unbound { name: ParamName, tried: Vec<String> },
    #[error("`{text}` is not a value of the parameter `{name}`: {expected}")]
    NotAValue { name: ParamName, text: String, expected: String },
    #[error("the runbook has no parameter `{name}`; it has: {known}")]
    NoSuchParameter { name: ParamName, known: String },
    #[error("the parameter `{name}` may not be given by hand")]
    NotByHand { name: ParamName },
    #[error("there is no {kind} `{text}`")]
    NotFound { name: ParamName, kind: String, text: String },
    #[error("the value of `{name}` is {value}, more than its max {max}")]
    OverMax { name: ParamName, value: String, max: String },
    #[error("the value of `{name}` cannot be told: {why}")]
    NoValue { name: ParamName, why: String },
    #[error("{shown} is protected and may not be addressed by a runbook")]
    Protected { shown: String },
    #[error("{shown} is not in the namespace {namespace} of the alert")]
    OutOfScope { shown: String, namespace: String },
    #[error("{title}")]
    Require { title: String, expr: String, operands: Vec<Operand> },
    #[error("cannot tell whether {title}: {why}")]
    CannotTell { title: String, why: String },
    #[error("the step `{step}` cannot be planned: {why}")]
    Refused { step: StepId, why: String },
    #[error("the executor may not do what the step `{step}` needs")]
    Forbidden { step: StepId, missing: Vec<String> },
    #[error("the plan touches {count} {what}, at most {max} are allowed")]
    OverLimit { what: &'static str, count: u64, max: u64 },
    #[error("the plan would make {count} of {population} unavailable, at most {max} are allowed")]
    OverUnavailable { count: u64, population: u64, max: String },
    #[error("the rate for {subject} is spent: {used} of {count} within {window}")]
    RateSpent { subject: String, used: u32, count: u32, window: Span, free_in: Option<Span> },
    #[error("an argument of the step `{step}` is known only after an earlier step has run")]
    Late { step: StepId },
    #[error("two reads of the step `{step}` have the same name `{path}`")]
    SamePath { step: StepId, path: String },
    #[error("the journal could not be read")]
    Journal {
        #[source]
        source: steadyhand_engine::port::LoadError,
    },
    #[error("no policy says who must agree")]
    Policy {
        #[source]
        source: Box<PolicyError>,
    },
    #[error("the plan breaks a rule of plans")]
    Seal {
        #[source]
        source: PlanError,
    },
    #[error("a value cannot be written as canonical JSON")]
    Canonical {
        #[source]
        source: CanonicalError,
    },
    #[error("a name of this program is broken")]
    Name {
        #[source]
        source: IdError,
    },
}

impl PlanningError {
    /// The code of its page, and what to do now.
    pub fn code_and_help(&self) -> (&'static str, String) {
        match self {
            Self::Unbound { name, tried } => (
                "SH0701",
                format!(
                    "give it:  -p {name}=VALUE{}",
                    if tried.is_empty() { String::new() } else { format!("   (tried: {})", tried.join("; ")) }
                ),
            ),
            Self::NotAValue { .. } => ("SH0702", "write it as the runbook says and try again".into()),
            Self::NoSuchParameter { .. } => ("SH0703", "look at the runbook's `parameters`".into()),
            Self::NotByHand { .. } => ("SH0704", "leave it out; it is found by itself".into()),
            Self::NotFound { .. } => {
                ("SH0705", "write it as it is called in the cluster, such as `shop/checkout`".into())
            }
            Self::OverMax { .. } => {
                ("SH0706", "a value over the maximum is refused, never cut; ask the runbook's owner".into())
            }
            Self::NoValue { .. } => ("SH0707", "mend what could not be read, or give the value by hand".into()),
            Self::Protected { .. } => ("SH0708", "protected objects are left alone; act by hand".into()),
            Self::OutOfScope { .. } => {
                ("SH0709", "the alert's labels do not belong together; look before you act".into())
            }
            Self::Require { operands, expr, .. } => (
                "SH0710",
                format!(
                    "the runbook requires:  {expr}{}",
                    operands.iter().map(|o| format!("\n  {} = {}", o.text, o.value)).collect::<String>()
                ),
            ),
            Self::CannotTell { .. } => ("SH0711", "mend what could not be read and plan again".into()),
            Self::Refused { .. } => ("SH0712", "mend what stands in the way and plan again".into()),
            Self::Forbidden { missing, .. } => (
                "SH0713",
                format!("grant the executor's account:{}", missing.iter().map(|m| format!("\n  {m}")).collect::<String>()),
            ),
            Self::OverLimit { .. } | Self::OverUnavailable { .. } => (
                "SH0714",
                "choose a smaller target, or have the limit raised in the runbook and its environment by review".into(),
            ),
            Self::RateSpent { free_in, .. } => (
                "SH0715",
                match free_in {
                    Some(span) => format!("the next is free in {span}; until then a person must look"),
                    None => "a person must look before it is done again".into(),
                },
            ),
            Self::Late { .. } => ("SH0716", "use only results that the action knows when planned".into()),
            Self::SamePath { .. } => ("SH0717", "rename the runbook's parameter".into()),
            Self::Journal { .. } => ("SH0718", "look at the state directory".into()),
            Self::Policy { .. } => ("SH0719", "use an environment of class practice".into()),
            Self::Seal { .. } | Self::Canonical { .. } | Self::Name { .. } => {
                ("SH0720", "this is a fault of Steadyhand; please report it".into())
            }
        }
    }
}
