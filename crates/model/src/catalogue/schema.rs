//! The form of a server's tools on the wire, derived from its table: their names, and JSON Schema 2020-12 of what they
//! take and answer. A host pins these and refuses a server that shows others. An edge, so plain JSON values.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::{ActionSpec, Catalogue, ReadSpec, ServerSpec};
use crate::ids::TypeName;
use crate::types::{Field, Type};
use crate::value::{CANNOT_TELL, INTEGER_MAX};

/// The dialect that every schema here names.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// A duration as people write it.
const DURATION: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";
/// Before the name of a function's tool.
pub const FUNCTION_PREFIX: &str = "fn.";

/// One MCP tool as a server of a table must show it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolForm {
    /// `get_workload`, `fn.owner_of`, `rollout_restart.apply`
    pub name: String,
    pub input: Map<String, Json>,
    pub output: Map<String, Json>,
}

/// The tools of a reader: one for each read and each function.
pub fn reader(spec: &ServerSpec) -> Vec<ToolForm> {
    let catalogue = Catalogue::new(vec![spec.clone()]);
    let form = |name: String, read: &ReadSpec| ToolForm {
        name,
        input: arguments(&given_type(&read.args, &catalogue)),
        output: read_reply(&read.result, &catalogue),
    };
    let reads = spec.reads.iter().map(|read| form(read.name.to_string(), read));
    let functions =
        spec.functions.iter().map(|read| form(format!("{FUNCTION_PREFIX}{}", read.name), read));
    reads.chain(functions).collect()
}

/// The tools of an executor: `plan`, `apply` and `probe` of each action.
pub fn executor(spec: &ServerSpec) -> Vec<ToolForm> {
    let catalogue = Catalogue::new(vec![spec.clone()]);
    let forms = |action: &ActionSpec| {
        let given = given_type(&action.args, &catalogue);
        let call = call_type(action, &catalogue);
        let name = |verb: &str| format!("{}.{verb}", action.id.action);
        [
            ToolForm { name: name("plan"), input: plan_request(&given), output: plan_reply(&call) },
            ToolForm { name: name("apply"), input: apply_request(&call), output: apply_reply() },
            ToolForm { name: name("probe"), input: probe_request(&call), output: probe_reply() },
        ]
    };
    spec.actions.iter().flat_map(forms).collect()
}

/// The form of an action's complete call: what a runbook gives, and what `plan` adds.
pub fn call_type(action: &ActionSpec, catalogue: &Catalogue) -> Type {
    let fields: Vec<Field> = action.args.iter().chain(&action.expects).cloned().collect();
    catalogue.argument(&Type::Record { fields })
}

/// The form of arguments as a runbook gives them.
pub fn given_type(fields: &[Field], catalogue: &Catalogue) -> Type {
    catalogue.argument(&Type::Record { fields: fields.to_vec() })
}

/// Arguments: exact, every field a value.
fn arguments(ty: &Type) -> Map<String, Json> {
    let mut schema = as_map(plain(ty));
    schema.insert("$schema".into(), DIALECT.into());
    schema
}

/// A reader's answer: a value of `result`, in which any part may be `cannot_tell`, or nothing that could be told.
fn read_reply(result: &Type, catalogue: &Catalogue) -> Map<String, Json> {
    let mut named = BTreeSet::new();
    let value = told_or_not(result, &mut named);
    let mut defs = Map::new();
    defs.insert(CANNOT_TELL.into(), exact(&[(CANNOT_TELL, json!({"type": "string"}))], &[]));
    let mut open: Vec<TypeName> = named.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let Some(spec) = catalogue.object(&name) else { continue };
        let mut inner = BTreeSet::new();
        defs.insert(name.to_string(), fields_schema(&spec.fields, &mut inner));
        open.extend(inner.into_iter().filter(|n| named.insert(n.clone())));
    }
    let mut schema = as_map(json!({
        "$schema": DIALECT,
        "type": "object",
        "oneOf": [
            exact(&[("value", value)], &[]),
            exact(&[(CANNOT_TELL, why())], &[]),
        ],
    }));
    schema.insert("$defs".into(), Json::Object(defs));
    schema
}

/// Arguments of `<action>.plan`.
fn plan_request(args: &Type) -> Map<String, Json> {
    rooted(exact(&[("args", plain(args))], &[]))
}

/// Arguments of `<action>.apply`.
fn apply_request(call: &Type) -> Map<String, Json> {
    rooted(exact(
        &[("call", call_schema(call)), ("envelope", envelope()), ("capability", capability())],
        &[],
    ))
}

/// Arguments of `<action>.probe`.
fn probe_request(call: &Type) -> Map<String, Json> {
    rooted(exact(&[("call", call_schema(call)), ("envelope", envelope())], &[]))
}

/// Answer of `<action>.plan`. The parts of a preview are those of the plan format and are checked by the caller.
fn plan_reply(call: &Type) -> Map<String, Json> {
    let object = || json!({"type": "object"});
    let list = || json!({"type": "array", "items": object()});
    let maybe = |schema: Json| json!({"anyOf": [schema, {"type": "null"}]});
    let planned = exact(
        &[
            ("call", call_schema(call)),
            ("targets", list()),
            ("preview", object()),
            ("before", list()),
            ("verify", maybe(object())),
            ("undo", maybe(object())),
            ("radius", object()),
            ("missing_permissions", json!({"type": "array", "items": {"type": "string"}})),
            ("planned", object()),
            ("command", maybe(json!({"type": "string"}))),
            ("nothing_to_do", maybe(json!({"type": "string"}))),
        ],
        &[],
    );
    one_of(&[("planned", planned), ("refused", why()), (CANNOT_TELL, why())])
}

/// Answer of `<action>.apply`.
fn apply_reply() -> Map<String, Json> {
    let kinds = |names: &[&str]| exact(&[("kind", json!({"enum": names})), ("why", text())], &[]);
    let outcome = json!({"oneOf": [
        exact(&[("done", receipt())], &[]),
        exact(
            &[("not_done", kinds(&["not_sent", "busy", "conflict", "forbidden", "invalid"]))],
            &[],
        ),
        exact(
            &[("unknown", kinds(&["timeout", "lost_reply", "driver_lost", "killed", "bad_reply"]))],
            &[],
        ),
    ]});
    rooted(exact(&[("outcome", outcome)], &[("took", duration())]))
}

/// Answer of `<action>.probe`.
fn probe_reply() -> Map<String, Json> {
    let verdict = json!({"oneOf": [
        exact(&[("done", json!({"anyOf": [receipt(), {"type": "null"}]}))], &[]),
        {"const": "not_done"},
        exact(&[("unknown", why())], &[]),
    ]});
    rooted(exact(&[("verdict", verdict)], &[]))
}

fn text() -> Json {
    json!({"type": "string"})
}

fn why() -> Json {
    exact(&[("why", text())], &[])
}

fn receipt() -> Json {
    exact(&[("result", json!({"type": "object"}))], &[])
}

fn duration() -> Json {
    json!({"type": "string", "pattern": DURATION, "minLength": 2})
}

fn digest() -> Json {
    json!({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"})
}

fn natural() -> Json {
    json!({"type": "integer", "minimum": 0, "maximum": INTEGER_MAX})
}

fn at() -> Json {
    exact(
        &[("step", text()), ("leg", json!({"enum": ["forward", "undo"]})), ("attempt", natural())],
        &[],
    )
}

fn envelope() -> Json {
    exact(
        &[
            ("run", text()),
            ("at", at()),
            ("plan", digest()),
            ("fence", natural()),
            ("idempotency_key", text()),
        ],
        &[],
    )
}

fn capability() -> Json {
    let claims = exact(
        &[
            ("audience", text()),
            ("run", text()),
            ("at", at()),
            ("plan", digest()),
            ("call", digest()),
            ("fence", natural()),
            ("not_after", natural()),
            ("nonce", json!({"type": "string", "pattern": "^[0-9a-f]{32}$"})),
        ],
        &[],
    );
    let signature = json!({"type": "string", "pattern": "^[0-9a-f]{128}$"});
    exact(&[("claims", claims), ("signature", signature)], &[])
}

fn call_schema(args: &Type) -> Json {
    exact(&[("action", text()), ("args", plain(args))], &[])
}

fn one_of(arms: &[(&str, Json)]) -> Map<String, Json> {
    let arms: Vec<Json> = arms.iter().map(|(name, s)| exact(&[(name, s.clone())], &[])).collect();
    rooted(json!({"type": "object", "oneOf": arms}))
}

fn rooted(schema: Json) -> Map<String, Json> {
    let mut map = as_map(schema);
    map.insert("$schema".into(), DIALECT.into());
    map
}

fn as_map(schema: Json) -> Map<String, Json> {
    match schema {
        Json::Object(map) => map,
        other => Map::from_iter([("const".to_owned(), other)]),
    }
}

/// An object with exactly these properties.
fn exact(required: &[(&str, Json)], optional: &[(&str, Json)]) -> Json {
    let names: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    let all = required.iter().chain(optional);
    let properties: Map<String, Json> =
        all.map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": false,
    })
}

/// A value of which every part is known.
fn plain(ty: &Type) -> Json {
    match ty {
        Type::Nullable { of } => json!({"anyOf": [plain(of), {"type": "null"}]}),
        Type::List { of } => json!({"type": "array", "items": plain(of)}),
        Type::Record { fields } => record(fields, plain),
        other => leaf(other),
    }
}

/// A value of which every part may be `cannot_tell`; objects are named and defined beside.
fn told_or_not(ty: &Type, named: &mut BTreeSet<TypeName>) -> Json {
    let inner = match ty {
        Type::Nullable { of } => {
            return json!({"anyOf": [told_or_not(of, named), {"type": "null"}]});
        }
        Type::List { of } => json!({"type": "array", "items": told_or_not(of, named)}),
        Type::Object { name } => {
            named.insert(name.clone());
            json!({"$ref": format!("#/$defs/{name}")})
        }
        Type::Record { fields } => fields_schema(fields, named),
        other => leaf(other),
    };
    json!({"anyOf": [inner, {"$ref": format!("#/$defs/{CANNOT_TELL}")}]})
}

fn fields_schema(fields: &[Field], named: &mut BTreeSet<TypeName>) -> Json {
    record(fields, |ty| told_or_not(ty, named))
}

fn record(fields: &[Field], mut schema_of: impl FnMut(&Type) -> Json) -> Json {
    let mut properties = Map::new();
    let mut required: Vec<&str> = Vec::new();
    for field in fields {
        let mut schema = schema_of(&field.ty);
        if let (Json::Object(map), false) = (&mut schema, field.doc.is_empty()) {
            map.insert("description".into(), field.doc.clone().into());
        }
        properties.insert(field.name.to_string(), schema);
        if !matches!(field.ty, Type::Nullable { .. }) {
            required.push(field.name.as_str());
        }
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn leaf(ty: &Type) -> Json {
    match ty {
        Type::Boolean => json!({"type": "boolean"}),
        Type::Integer { min, max } => json!({
            "type": "integer",
            "minimum": min.unwrap_or(-INTEGER_MAX),
            "maximum": max.unwrap_or(INTEGER_MAX),
        }),
        Type::Percent => json!({"type": "integer", "minimum": 0, "maximum": 1000}),
        Type::Duration => duration(),
        Type::Size => natural(),
        Type::String => text(),
        Type::Labels => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Type::Text { max } => json!({"type": "string", "maxLength": max}),
        Type::Enum { values } => json!({"enum": values}),
        Type::Null => json!({"type": "null"}),
        // Not a leaf, or not a type at all: nothing is accepted.
        Type::List { .. }
        | Type::Object { .. }
        | Type::Record { .. }
        | Type::Nullable { .. }
        | Type::Unknown => json!({"not": {}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{alerts, kubernetes};

    #[test]
    fn a_table_gives_its_tools() {
        let names = |forms: Vec<ToolForm>| -> Vec<String> {
            forms.into_iter().map(|form| form.name).collect()
        };
        assert_eq!(names(reader(&alerts::spec())), ["alert", "list_alerts"]);
        assert_eq!(names(executor(&alerts::spec())), [""; 0]);
        let reads = names(reader(&kubernetes::spec()));
        assert_eq!(reads.first().map(String::as_str), Some("get_workload"));
        assert_eq!(reads.last().map(String::as_str), Some("fn.cluster.fits"));
        let acts = names(executor(&kubernetes::spec()));
        assert_eq!(
            acts[..3],
            ["rollout_restart.plan", "rollout_restart.apply", "rollout_restart.probe"]
        );
    }

    #[test]
    fn schemas_are_closed() {
        for form in executor(&kubernetes::spec()).into_iter().chain(reader(&kubernetes::spec())) {
            let text = serde_json::to_string(&(&form.input, &form.output)).unwrap();
            let open = text.matches(r#""properties":"#).count();
            assert_eq!(
                open,
                text.matches(r#""additionalProperties":false"#).count(),
                "{}",
                form.name
            );
        }
    }
}
