//! Reads and functions: of the declared types, strict about arguments, agreeing with one another.

use serde_json::{Value as Json, json};
use steadyhand_model::catalogue::{Catalogue, kubernetes};
use steadyhand_model::value::Value;

use super::client::{Failure, ensure, part, same};
use super::{Bench, Case, rows};

pub(super) const CASES: &[Case] = rows![
    arguments_are_strict,
    what_is_not_there_is_null,
    lists_are_of_their_declared_types,
    get_and_list_agree,
    kind_may_be_left_open,
    functions_find_the_workload,
    room_is_told,
    reads_change_nothing,
];

async fn arguments_are_strict(bench: &Bench<'_>) -> Result<(), Failure> {
    let reader = bench.reader().await?;
    let bad = [
        json!({"kind": null, "namespace": "shop", "name": "a", "more": 1}),
        json!({"namespace": "shop"}),
        json!({"kind": null, "namespace": 1, "name": "a"}),
        json!({"kind": "Secret", "namespace": "shop", "name": "a"}),
        json!({"kind": null, "namespace": {"cannot_tell": "x"}, "name": "a"}),
        json!({"kind": null, "namespace": null, "name": "a"}),
    ];
    for args in bad {
        reader.refuses("get_workload", args).await?;
    }
    let mut extra = bench.identity(bench.rolling()).await?;
    if let Json::Object(map) = &mut extra {
        map.insert("ready".into(), 3.into());
    }
    reader.refuses("list_revisions", json!({"workload": extra})).await
}

async fn what_is_not_there_is_null(bench: &Bench<'_>) -> Result<(), Failure> {
    let reader = bench.reader().await?;
    let asked = [
        ("get_workload", json!({"kind": null, "namespace": "nowhere", "name": "nothing"})),
        ("get_pod", json!({"namespace": "nowhere", "name": "nothing"})),
        ("get_node", json!({"name": "nothing"})),
        ("fn.owner_of", json!({"namespace": "nowhere", "pod": "nothing"})),
        ("fn.workload_of", json!({"labels": {"namespace": "nowhere", "deployment": "nothing"}})),
        ("fn.workload_of", json!({"labels": {}})),
        ("fn.node_of", json!({"labels": {"node": "nothing"}})),
    ];
    for (tool, args) in asked {
        same(tool, &reader.read(tool, args).await?, &Json::Null)?;
    }
    Ok(())
}

async fn lists_are_of_their_declared_types(bench: &Bench<'_>) -> Result<(), Failure> {
    let spec = kubernetes::spec();
    let catalogue = Catalogue::new(vec![spec.clone()]);
    let reader = bench.reader().await?;
    let workload = bench.identity(bench.rolling()).await?;
    let asked = [
        ("list_workloads", json!({"namespace": null})),
        ("list_revisions", json!({"workload": workload})),
        ("list_pods", json!({"namespace": null, "workload": workload})),
        ("list_nodes", json!({})),
        ("events", json!({"namespace": bench.rolling().namespace, "workload": null})),
    ];
    for (tool, args) in asked {
        let value = reader.read(tool, args).await?;
        let declared = spec.reads.iter().find(|r| r.name.as_str() == tool);
        let Some(declared) = declared else { return Err(Failure::Wrong(tool.into())) };
        let typed = Value::from_json(&value, &declared.result, &catalogue);
        ensure(typed.is_ok(), || format!("{tool}: {typed:?}"))?;
        let filled = tool == "events" || value.as_array().is_some_and(|items| !items.is_empty());
        ensure(filled, || format!("{tool} is empty"))?;
    }
    Ok(())
}

async fn get_and_list_agree(bench: &Bench<'_>) -> Result<(), Failure> {
    let sample = bench.rolling();
    let reader = bench.reader().await?;
    let one = bench.workload(sample).await?;
    let all = reader.read("list_workloads", json!({"namespace": sample.namespace})).await?;
    let listed = all.as_array().and_then(|all| all.iter().find(|w| w["uid"] == one["uid"]));
    let fixed = ["kind", "namespace", "name", "uid", "template_digest", "replicas", "strategy"];
    same("listed", &listed.map(|w| part(w, &fixed)), &Some(part(&one, &fixed)))?;
    let workload = part(&one, &["kind", "namespace", "name", "uid"]);
    let revisions = reader.read("list_revisions", json!({"workload": workload})).await?;
    let current: Vec<&Json> =
        revisions.as_array().into_iter().flatten().filter(|r| r["current"] == true).collect();
    same("current revisions", &current.len(), &1)?;
    let digests = current.first().map(|r| &r["template_digest"]);
    same("its template", &digests, &Some(&one["template_digest"]))
}

async fn kind_may_be_left_open(bench: &Bench<'_>) -> Result<(), Failure> {
    let sample = bench.rolling();
    let reader = bench.reader().await?;
    let args = json!({"kind": null, "namespace": sample.namespace, "name": sample.name});
    let found = reader.read("get_workload", args).await?;
    same("kind", &found["kind"], &Json::from(sample.kind))?;
    let other = json!({"kind": "StatefulSet", "namespace": sample.namespace, "name": sample.name});
    same("another kind", &reader.read("get_workload", other).await?, &Json::Null)
}

async fn functions_find_the_workload(bench: &Bench<'_>) -> Result<(), Failure> {
    let sample = bench.rolling();
    let reader = bench.reader().await?;
    let workload = bench.identity(sample).await?;
    let pods = reader
        .read("list_pods", json!({"namespace": sample.namespace, "workload": workload}))
        .await?;
    let Some(pod) = pods.get(0) else { return Err(Failure::Wrong("no pods".into())) };
    let asked = [
        ("fn.owner_of", json!({"namespace": sample.namespace, "pod": pod["name"]})),
        ("fn.workload_of", json!({"labels": {"namespace": sample.namespace, "pod": pod["name"]}})),
        (
            "fn.workload_of",
            json!({"labels": {"namespace": sample.namespace, "deployment": sample.name}}),
        ),
    ];
    for (tool, args) in asked {
        let found = reader.read(tool, args).await?;
        same(tool, &found["uid"], &workload["uid"])?;
    }
    let node = reader.read("fn.node_of", json!({"labels": {"node": pod["node"]}})).await?;
    same("node", &node["name"], &pod["node"])
}

async fn room_is_told(bench: &Bench<'_>) -> Result<(), Failure> {
    let reader = bench.reader().await?;
    let workload = bench.workload(bench.rolling()).await?;
    let named = part(&workload, &["kind", "namespace", "name", "uid"]);
    let asked = |replicas: Json| json!({"workload": named, "replicas": replicas});
    let as_now = reader.read("fn.cluster.fits", asked(workload["replicas"].clone())).await?;
    let too_many = reader.read("fn.cluster.fits", asked(kubernetes::REPLICAS_MAX.into())).await?;
    same("as now, too many", &(as_now, too_many), &(Json::Bool(true), Json::Bool(false)))?;
    reader.refuses("fn.cluster.fits", asked((kubernetes::REPLICAS_MAX + 1).into())).await?;
    reader.refuses("fn.cluster.fits", asked((-1).into())).await
}

async fn reads_change_nothing(bench: &Bench<'_>) -> Result<(), Failure> {
    let before = bench.workload(bench.rolling()).await?;
    let reader = bench.reader().await?;
    for _ in 0..20 {
        reader.read("list_workloads", json!({"namespace": null})).await?;
    }
    let after = bench.workload(bench.rolling()).await?;
    same("generation", &after["generation"], &before["generation"])?;
    same("effects", &bench.effects()?, &0)
}
