//! Pins: a server's tools must have the form that our table gives them, and must stay what they were at first sight.
//!
//! A pin is over everything that a tool says of itself: name, title, description, both schemas and annotations. Tools
//! that the table does not have do not exist: they are neither pinned nor ever called.

use std::collections::BTreeMap;

use rmcp::model::Tool;
use serde_json::{Map, Value as Json, json};
use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::catalogue::ServerSpec;
use steadyhand_model::catalogue::schema::{self, ToolForm};
use steadyhand_model::digest::Digest;

use crate::host::Role;

/// The parts of a tool that are pinned, by their names on the wire.
const PARTS: [&str; 6] =
    ["name", "title", "description", "inputSchema", "outputSchema", "annotations"];

/// The tools as they were when they were first seen: a digest over the whole, and one over each part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pins(BTreeMap<String, Pin>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pin {
    whole: Digest,
    parts: Vec<Digest>,
}

/// Why a server is refused. Nothing is sent to it any more until the host is started again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PinError {
    #[error("the server has no tool `{tool}`, which its table demands")]
    Missing { tool: String },
    #[error("the server lists the tool `{tool}` twice")]
    Twice { tool: String },
    #[error(
        "the {part} of the tool `{tool}` is not the one of its table: program and server are of different versions, or the server is not what it says"
    )]
    OtherForm { tool: String, part: &'static str },
    #[error(
        "the tool `{tool}` has changed since it was first seen ({parts}; {was} then, {is} now): find out who changed the server, then restart it"
    )]
    Changed { tool: String, parts: String, was: String, is: String },
    #[error("the tool `{tool}` cannot be hashed: it is not strict JSON")]
    NotStrict { tool: String },
}

/// The tools that a table demands of one instance.
pub(crate) fn demanded(spec: &ServerSpec, role: Role) -> Vec<ToolForm> {
    match role {
        Role::Reader => schema::reader(spec),
        Role::Executor => schema::executor(spec),
    }
}

/// Compares a list of tools with the table, and with the pins of an earlier list if there was one.
pub(crate) fn check(
    demanded: &[ToolForm],
    listed: &[Tool],
    known: Option<&Pins>,
) -> Result<Pins, PinError> {
    let mut pins = BTreeMap::new();
    for form in demanded {
        let tool = only(&form.name, listed)?;
        // What was pinned first says more: an attack looks like a change, a new version like another form.
        let pin = pin(tool).map_err(|error| {
            tracing::warn!(tool = form.name, %error, "a tool cannot be hashed");
            PinError::NotStrict { tool: form.name.clone() }
        })?;
        if let Some(was) = known.and_then(|known| known.0.get(&form.name))
            && *was != pin
        {
            return Err(changed(&form.name, was, &pin));
        }
        if *tool.input_schema != form.input {
            return Err(PinError::OtherForm { tool: form.name.clone(), part: "inputSchema" });
        }
        if tool.output_schema.as_deref() != Some(&form.output) {
            return Err(PinError::OtherForm { tool: form.name.clone(), part: "outputSchema" });
        }
        pins.insert(form.name.clone(), pin);
    }
    Ok(Pins(pins))
}

fn only<'a>(name: &str, listed: &'a [Tool]) -> Result<&'a Tool, PinError> {
    let mut found = listed.iter().filter(|tool| tool.name == name);
    match (found.next(), found.next()) {
        (Some(tool), None) => Ok(tool),
        (None, _) => Err(PinError::Missing { tool: name.to_owned() }),
        (Some(_), Some(_)) => Err(PinError::Twice { tool: name.to_owned() }),
    }
}

fn changed(tool: &str, was: &Pin, is: &Pin) -> PinError {
    let differ = PARTS.iter().zip(was.parts.iter().zip(&is.parts));
    let parts: Vec<&str> =
        differ.filter(|(_, (was, is))| was != is).map(|(part, _)| *part).collect();
    PinError::Changed {
        tool: tool.to_owned(),
        parts: parts.join(", "),
        was: was.whole.short(),
        is: is.whole.short(),
    }
}

fn pin(tool: &Tool) -> Result<Pin, CanonicalError> {
    let schema = |map: &Map<String, Json>| Json::Object(map.clone());
    let values = [
        json!(tool.name),
        json!(tool.title),
        json!(tool.description),
        schema(&tool.input_schema),
        tool.output_schema.as_deref().map_or(Json::Null, schema),
        json!(tool.annotations),
    ];
    let mut parts = Vec::new();
    for value in &values {
        parts.push(CanonicalJson::of(value)?.digest());
    }
    let whole: Map<String, Json> =
        PARTS.iter().map(|part| (*part).to_owned()).zip(values).collect();
    Ok(Pin { whole: CanonicalJson::of(&whole)?.digest(), parts })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use expect_test::expect;
    use rmcp::model::ToolAnnotations;
    use steadyhand_model::catalogue::kubernetes;

    use super::*;

    fn listed() -> Vec<Tool> {
        demanded(&kubernetes::spec(), Role::Executor)
            .into_iter()
            .map(|form| {
                Tool::new(form.name, "what it does", Arc::new(form.input))
                    .with_raw_output_schema(Arc::new(form.output))
                    .with_annotations(ToolAnnotations::new().read_only(true))
            })
            .collect()
    }

    fn against(known: Option<&Pins>, change: impl FnOnce(&mut Vec<Tool>)) -> String {
        let mut tools = listed();
        change(&mut tools);
        match check(&demanded(&kubernetes::spec(), Role::Executor), &tools, known) {
            Ok(pins) => format!("{} tools", pins.0.len()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_list_is_held_against_the_table_and_against_itself() {
        let first = check(&demanded(&kubernetes::spec(), Role::Executor), &listed(), None).unwrap();
        let said: Vec<String> = vec![
            against(Some(&first), |_| {}),
            against(Some(&first), |tools| tools.reverse()),
            against(Some(&first), |tools| tools.push(Tool::new("rm", "all", Arc::default()))),
            against(None, |tools| tools[0].description = Some("another".into())),
            against(Some(&first), |tools| tools[0].description = Some("anothe\u{440}".into())),
            against(Some(&first), |tools| tools[4].annotations = None),
            against(None, |tools| tools[1].input_schema = Arc::default()),
            against(Some(&first), |tools| tools[1].input_schema = Arc::default()),
            against(None, |tools| tools[1].output_schema = None),
            against(None, |tools| drop(tools.remove(2))),
            against(None, |tools| tools.push(tools[3].clone())),
        ];
        expect![[r#"
            9 tools
            9 tools
            9 tools
            9 tools
            the tool `rollout_restart.plan` has changed since it was first seen (description; b618-5ca3 then, 10cd-50d9 now): find out who changed the server, then restart it
            the tool `rollout_undo.apply` has changed since it was first seen (annotations; 3bb6-c3c7 then, 8c5a-92a0 now): find out who changed the server, then restart it
            the inputSchema of the tool `rollout_restart.apply` is not the one of its table: program and server are of different versions, or the server is not what it says
            the tool `rollout_restart.apply` has changed since it was first seen (inputSchema; cc79-eaa4 then, 60d9-d99d now): find out who changed the server, then restart it
            the outputSchema of the tool `rollout_restart.apply` is not the one of its table: program and server are of different versions, or the server is not what it says
            the server has no tool `rollout_restart.probe`, which its table demands
            the server lists the tool `rollout_undo.plan` twice
        "#]]
        .assert_eq(&(said.join("\n") + "\n"));
    }
}
