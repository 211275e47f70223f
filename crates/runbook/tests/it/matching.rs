//! Alerts find runbooks by declared bindings, and environments by their condition; never by a guess.

use std::collections::BTreeMap;

use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::ids::EnvironmentName;
use steadyhand_runbook::checker::{Document, check_document};
use steadyhand_runbook::document::environment::CheckedEnvironment;
use steadyhand_runbook::document::runbook::CheckedRunbook;
use steadyhand_runbook::matcher::{
    EnvironmentMatch, Match, Reason, match_alert, match_environment,
};

use crate::table::good;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn alerts_find_runbooks() {
    let documents = good(&Catalogue::built_in());
    let runbooks: Vec<&CheckedRunbook> = documents
        .iter()
        .filter_map(|d| match d {
            Document::Runbook(r) => Some(r.as_ref()),
            Document::Environment(_) => None,
        })
        .collect();
    let say = |pairs: &[(&str, &str)], environment: &str| {
        let environment: EnvironmentName = environment.parse().unwrap();
        let names = |list: Vec<steadyhand_runbook::matcher::Candidate>| {
            list.iter()
                .map(|c| format!("{} {:?}", c.runbook, c.reason))
                .collect::<Vec<_>>()
                .join(", ")
        };
        match match_alert(&runbooks, &environment, &labels(pairs)) {
            Match::One(one) => format!("one: {}", names(vec![one])),
            Match::Several(list) => format!("several: {}", names(list)),
            Match::None(list) => format!("none: {}", names(list)),
        }
    };
    let cases = [
        (vec![("alertname", "ServiceSaturated")], "practice", "one: scale-workload Bound"),
        (
            vec![("alertname", "KubePodCrashLooping")],
            "practice",
            "several: restart-workload Bound, rollback-release Bound",
        ),
        (
            vec![("alertname", "KubeHpaMaxedOut")],
            "practice",
            "several: every-part Bound, scale-workload Bound",
        ),
        (vec![("alertname", "KubeHpaMaxedOut")], "other", "one: scale-workload Bound"),
        (vec![("alertname", "kubepodcrashlooping")], "practice", "none: "),
        (vec![("alertname", "")], "practice", "none: "),
        (vec![("pod", "x")], "practice", "none: "),
    ];
    for (pairs, environment, want) in cases {
        assert_eq!(say(&pairs, environment), want, "{pairs:?}");
    }
    let only_here: Vec<&CheckedRunbook> =
        runbooks.iter().filter(|r| r.name.as_str() == "every-part").copied().collect();
    let found = match_alert(
        &only_here,
        &"other".parse().unwrap(),
        &labels(&[("alertname", "KubeHpaMaxedOut")]),
    );
    assert!(matches!(found, Match::None(list) if list[0].reason == Reason::NotInEnvironment));
}

fn environment(name: &str, condition: &str) -> CheckedEnvironment {
    let text = format!(
        "apiVersion: steadyhand.dev/v1\nkind: Environment\nmetadata: {{name: {name}, title: t}}\nspec:\n  class: practice\n  \
         mode: auto\n  library: draft\n  evidence: oidc\n  servers: {{}}\n{condition}"
    );
    let checked = check_document("a.yaml", text.as_bytes(), &Catalogue::built_in());
    match checked.document {
        Some(Document::Environment(environment)) => *environment,
        other => panic!("{other:?} {:?}", checked.diagnostics),
    }
}

#[test]
fn alerts_belong_to_one_environment() {
    let all = [
        environment("eu", "  match: alert.labels.cluster == \"prod-eu1\"\n"),
        environment("shop", "  match: has(alert.labels.team) && alert.labels.team == \"shop\"\n"),
        environment("never", ""),
    ];
    let all: Vec<&CheckedEnvironment> = all.iter().collect();
    let name = |n: &str| n.parse().unwrap();
    let cases = [
        (vec![("cluster", "prod-eu1")], EnvironmentMatch::One(name("eu"))),
        (vec![("team", "shop")], EnvironmentMatch::One(name("shop"))),
        (
            vec![("team", "shop"), ("cluster", "prod-eu1")],
            EnvironmentMatch::Several(vec![name("eu"), name("shop")]),
        ),
        (vec![("cluster", "prod-us1")], EnvironmentMatch::None),
        (vec![], EnvironmentMatch::None),
    ];
    for (pairs, want) in cases {
        assert_eq!(match_environment(&all, &labels(&pairs)), want, "{pairs:?}");
    }
}
