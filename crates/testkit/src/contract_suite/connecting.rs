//! Handshakes, lists, and lines that are no requests.

use rmcp::ClientLifecycleMode;
use serde_json::{Value as Json, json};
use steadyhand_model::catalogue::{ServerSpec, kubernetes};
use steadyhand_model::exchange::REQUEST_BYTES_MAX;

use super::client::{Failure, Session, ensure, raw, raw_call, same};
use super::{Bench, Case, Instance, rows};

pub(super) const CASES: &[Case] = rows![
    connects_with_the_present_revision,
    connects_with_the_legacy_handshake,
    reader_lists_its_reads_and_functions,
    executor_lists_three_tools_an_action,
    tools_have_schemas_and_annotations,
    tools_are_the_same_for_every_client,
    unknown_tool_is_refused,
    reader_cannot_act,
    executor_does_not_read,
    equal_keys_are_refused,
    oversized_request_is_refused_and_the_next_is_served,
    broken_line_does_not_stop_the_server,
];

async fn connects_with_the_present_revision(bench: &Bench<'_>) -> Result<(), Failure> {
    let reader = bench.reader().await?;
    let named = reader.server_name();
    same("name and instructions", &named, &Some(("kubernetes".to_owned(), None)))
}

async fn connects_with_the_legacy_handshake(bench: &Bench<'_>) -> Result<(), Failure> {
    let mode = ClientLifecycleMode::Initialize;
    let reader = Session::open_as(bench.subject, Instance::Reader, None, mode).await?;
    ensure(!reader.tools().await?.is_empty(), || "no tools".into())?;
    let nodes = reader.read("list_nodes", json!({})).await?;
    ensure(nodes.as_array().is_some_and(|n| !n.is_empty()), || format!("no nodes: {nodes}"))
}

async fn names(session: &Session<'_>) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> =
        session.tools().await?.iter().map(|t| t.name.to_string()).collect();
    names.sort();
    Ok(names)
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

async fn reader_lists_its_reads_and_functions(bench: &Bench<'_>) -> Result<(), Failure> {
    let ServerSpec { reads, functions, .. } = kubernetes::spec();
    let functions = functions.iter().map(|f| format!("fn.{}", f.name));
    let expected = sorted(reads.iter().map(|r| r.name.to_string()).chain(functions));
    same("tools", &names(&bench.reader().await?).await?, &expected)
}

async fn executor_lists_three_tools_an_action(bench: &Bench<'_>) -> Result<(), Failure> {
    let spec = kubernetes::spec();
    let verbs = ["plan", "apply", "probe"];
    let all = spec.actions.iter().flat_map(|a| verbs.map(|v| format!("{}.{v}", a.id.action)));
    same("tools", &names(&bench.executor().await?).await?, &sorted(all))
}

async fn tools_have_schemas_and_annotations(bench: &Bench<'_>) -> Result<(), Failure> {
    let mut tools = bench.reader().await?.tools().await?;
    tools.extend(bench.executor().await?.tools().await?);
    for tool in tools {
        let dialect = |schema: &serde_json::Map<String, Json>| {
            let named = schema.get("$schema").and_then(Json::as_str);
            named == Some("https://json-schema.org/draft/2020-12/schema")
                && schema.get("type").and_then(Json::as_str) == Some("object")
        };
        let output = tool.output_schema.as_ref().is_some_and(|s| dialect(s));
        ensure(dialect(&tool.input_schema) && output, || format!("schemas of {}", tool.name))?;
        let closed = tool.input_schema.get("additionalProperties") == Some(&Json::Bool(false));
        ensure(closed, || format!("{} takes more than its schema says", tool.name))?;
        let acts = tool.name.ends_with(".apply");
        let hints = tool
            .annotations
            .as_ref()
            .map(|a| (a.read_only_hint, a.destructive_hint, a.idempotent_hint, a.open_world_hint));
        let expected = (Some(!acts), Some(acts), Some(!acts), Some(false));
        same(&format!("hints of {}", tool.name), &hints, &Some(expected))?;
    }
    Ok(())
}

async fn tools_are_the_same_for_every_client(bench: &Bench<'_>) -> Result<(), Failure> {
    let listed = |tools: Vec<rmcp::model::Tool>| serde_json::to_string(&tools);
    let form = |source| Failure::Form { tool: "tools/list".into(), source };
    let first = listed(bench.executor().await?.tools().await?).map_err(form)?;
    let second = listed(bench.executor().await?.tools().await?).map_err(form)?;
    same("tools", &second, &first)
}

async fn unknown_tool_is_refused(bench: &Bench<'_>) -> Result<(), Failure> {
    for tool in ["drop_everything", "rollout_restart", "get_workload ", ""] {
        bench.reader().await?.refuses(tool, json!({})).await?;
        bench.executor().await?.refuses(tool, json!({})).await?;
    }
    Ok(())
}

async fn reader_cannot_act(bench: &Bench<'_>) -> Result<(), Failure> {
    let args = bench.restart_args(bench.rolling()).await?;
    let plan = bench.executor().await?.plan("rollout_restart", args).await?;
    let request = bench.request(&plan.call, 1)?;
    let request = serde_json::to_value(&request)
        .map_err(|source| Failure::Form { tool: "apply".into(), source })?;
    let reader = bench.reader().await?;
    for tool in ["rollout_restart.plan", "rollout_restart.apply", "rollout_restart.probe"] {
        reader.refuses(tool, request.clone()).await?;
    }
    same("effects", &bench.effects()?, &0)
}

async fn executor_does_not_read(bench: &Bench<'_>) -> Result<(), Failure> {
    let executor = bench.executor().await?;
    executor.refuses("list_nodes", json!({})).await?;
    executor.refuses("fn.owner_of", json!({"namespace": "a", "pod": "b"})).await
}

async fn equal_keys_are_refused(bench: &Bench<'_>) -> Result<(), Failure> {
    let arguments = r#"{"kind":null,"namespace":"shop","name":"a","namespace":"kube-system"}"#;
    let line = raw_call(bench.subject, 5, "get_workload", arguments);
    let wire = bench.subject.connect(Instance::Reader, None).await?;
    let answer = raw(wire, &[line], 5).await?;
    same("code", &answer.pointer("/error/code").and_then(Json::as_i64), &Some(-32600))
}

async fn oversized_request_is_refused_and_the_next_is_served(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let name = "x".repeat(REQUEST_BYTES_MAX);
    let large = raw_call(bench.subject, 5, "get_node", &format!(r#"{{"name":"{name}"}}"#));
    let fits_by = large.len() - REQUEST_BYTES_MAX;
    let name = name.get(fits_by..).unwrap_or_default();
    let fits = raw_call(bench.subject, 6, "get_node", &format!(r#"{{"name":"{name}"}}"#));
    same("size", &fits.len(), &REQUEST_BYTES_MAX)?;
    let wire = bench.subject.connect(Instance::Reader, None).await?;
    let answer = raw(wire, &[large.clone(), fits.clone()], 5).await?;
    same("code", &answer.pointer("/error/code").and_then(Json::as_i64), &Some(-32600))?;
    let wire = bench.subject.connect(Instance::Reader, None).await?;
    let answer = raw(wire, &[large, fits], 6).await?;
    same(
        "no such node",
        &answer.pointer("/result/structuredContent"),
        &Some(&json!({"value": null})),
    )
}

async fn broken_line_does_not_stop_the_server(bench: &Bench<'_>) -> Result<(), Failure> {
    let good = raw_call(bench.subject, 9, "list_nodes", "{}");
    let broken = [
        b"{".to_vec(),
        b"\xff\xfe".to_vec(),
        vec![],
        b"[]".to_vec(),
        br#"{"jsonrpc":"2.0","id":3,"method":7}"#.to_vec(),
        raw_call(bench.subject, 4, "get_node", r#"{"name":1.5}"#),
        "[".repeat(500_000).into_bytes(),
    ];
    let lines: Vec<Vec<u8>> = broken.into_iter().chain([good]).collect();
    let wire = bench.subject.connect(Instance::Reader, None).await?;
    let answer = raw(wire, &lines, 9).await?;
    ensure(answer.get("result").is_some(), || format!("not served: {answer}"))
}
