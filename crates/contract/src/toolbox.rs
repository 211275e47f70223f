//! The MCP tools of a table: their names, schemas and annotations, and which request a name stands for.

use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};
use steadyhand_model::catalogue::schema::{self, ToolForm};
use steadyhand_model::catalogue::{ActionEffect, ActionSpec, Catalogue, ReadSpec, ServerSpec};
use steadyhand_model::types::Type;

use crate::door::Role;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Plan,
    Apply,
    Probe,
}

impl Verb {
    /// In the order of the table's forms.
    const ALL: [Self; 3] = [Self::Plan, Self::Apply, Self::Probe];
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
    /// Names and schemas come from the table, where a host takes its pins from as well.
    pub(crate) fn of(spec: &ServerSpec, role: Role, catalogue: &Catalogue) -> Self {
        let tools: Vec<(Tool, Request)> = match role {
            Role::Reader => {
                let reads = spec.reads.iter().chain(&spec.functions);
                let forms = schema::reader(spec).into_iter().zip(reads);
                forms.map(|(form, read)| read_tool(form, read, catalogue)).collect()
            }
            Role::Executor => {
                let actions = spec.actions.iter().flat_map(|a| Verb::ALL.map(|verb| (a, verb)));
                let forms = schema::executor(spec).into_iter().zip(actions);
                forms.map(|(form, (a, verb))| action_tool(form, a, verb, catalogue)).collect()
            }
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

fn read_tool(form: ToolForm, read: &ReadSpec, catalogue: &Catalogue) -> (Tool, Request) {
    let args = schema::given_type(&read.args, catalogue);
    let tool = tool(form, &read.title, looking(&read.title));
    (tool, Request::Read { read: read.clone(), args })
}

fn action_tool(
    form: ToolForm,
    action: &ActionSpec,
    verb: Verb,
    catalogue: &Catalogue,
) -> (Tool, Request) {
    let given = schema::given_type(&action.args, catalogue);
    let call = schema::call_type(action, catalogue);
    let title = match verb {
        Verb::Plan => format!("Say what it would do: {}", action.title),
        Verb::Apply => action.title.clone(),
        Verb::Probe => format!("Look whether an attempt happened: {}", action.title),
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
    let tool = tool(form, &title, annotations);
    (tool, Request::Action { verb, action: Box::new(action.clone()), given, call })
}

fn tool(form: ToolForm, title: &str, annotations: ToolAnnotations) -> Tool {
    let ToolForm { name, input, output } = form;
    Tool::new(name, title.to_owned(), Arc::new(input))
        .with_title(title)
        .with_raw_output_schema(Arc::new(output))
        .with_annotations(annotations)
}
