//! The MCP tools of a table: their names, schemas and annotations, and which request a name stands for.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use steadyhand_model::catalogue::{ActionEffect, ActionSpec, Catalogue, ReadSpec, ServerSpec};
use steadyhand_model::types::Type;

use crate::arguments::{call_type, given_type};
use crate::door::Role;
use crate::schema;

/// Before the name of a function's tool.
const FUNCTION_PREFIX: &str = "fn.";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Plan,
    Apply,
    Probe,
}

impl Verb {
    const ALL: [Self; 3] = [Self::Plan, Self::Apply, Self::Probe];

    fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Probe => "probe",
        }
    }
}

/// What a tool name stands for.
#[derive(Debug)]
pub(crate) enum Request {
    Read { read: ReadSpec, args: Type },
    Action { verb: Verb, action: Box<ActionSpec>, given: Type, call: Type },
}

/// The tools of one instance, by name.
#[derive(Debug)]
pub(crate) struct Toolbox {
    tools: Vec<(Tool, Request)>,
}

impl Toolbox {
    pub(crate) fn of(spec: &ServerSpec, role: Role, catalogue: &Catalogue) -> Self {
        let tools = match role {
            Role::Reader => {
                let reads = spec.reads.iter().map(|r| read_tool(r.name.to_string(), r, catalogue));
                let functions = spec
                    .functions
                    .iter()
                    .map(|f| read_tool(format!("{FUNCTION_PREFIX}{}", f.name), f, catalogue));
                reads.chain(functions).collect()
            }
            Role::Executor => spec
                .actions
                .iter()
                .flat_map(|a| Verb::ALL.map(|verb| action_tool(a, verb, catalogue)))
                .collect(),
        };
        Self { tools }
    }

    pub(crate) fn list(&self) -> Vec<Tool> {
        self.tools.iter().map(|(tool, _)| tool.clone()).collect()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Request> {
        self.tools.iter().find(|(tool, _)| tool.name == name).map(|(_, request)| request)
    }
}

fn looking(title: &str) -> ToolAnnotations {
    ToolAnnotations::from_raw(
        Some(title.to_owned()),
        Some(true),
        Some(false),
        Some(true),
        Some(false),
    )
}

fn read_tool(name: String, read: &ReadSpec, catalogue: &Catalogue) -> (Tool, Request) {
    let args = given_type(&read.args, catalogue);
    let tool = tool(
        name,
        &read.title,
        schema::arguments(&args),
        schema::read_reply(&read.result, catalogue),
        looking(&read.title),
    );
    (tool, Request::Read { read: read.clone(), args })
}

fn action_tool(action: &ActionSpec, verb: Verb, catalogue: &Catalogue) -> (Tool, Request) {
    let given = given_type(&action.args, catalogue);
    let call = call_type(action, catalogue);
    let title = match verb {
        Verb::Plan => format!("Say what it would do: {}", action.title),
        Verb::Apply => action.title.clone(),
        Verb::Probe => format!("Look whether an attempt happened: {}", action.title),
    };
    let (input, output) = match verb {
        Verb::Plan => (schema::plan_request(&given), schema::plan_reply(&call)),
        Verb::Apply => (schema::apply_request(&call), schema::apply_reply()),
        Verb::Probe => (schema::probe_request(&call), schema::probe_reply()),
    };
    let annotations = match verb {
        Verb::Plan | Verb::Probe => looking(&title),
        // Never called idempotent: a used capability is refused, so a second call is not a second success.
        Verb::Apply => ToolAnnotations::from_raw(
            Some(title.clone()),
            Some(action.effect == ActionEffect::Read),
            Some(action.effect != ActionEffect::Read),
            Some(false),
            Some(false),
        ),
    };
    let name = format!("{}.{}", action.id.action, verb.word());
    let tool = tool(name, &title, input, output, annotations);
    (tool, Request::Action { verb, action: Box::new(action.clone()), given, call })
}

fn tool(
    name: String,
    title: &str,
    input: JsonObject,
    output: JsonObject,
    annotations: ToolAnnotations,
) -> Tool {
    Tool::new(name, title.to_owned(), Arc::new(input))
        .with_title(title)
        .with_raw_output_schema(Arc::new(output))
        .with_annotations(annotations)
}
