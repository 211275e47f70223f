//! Documents in `fixtures/runbooks`: the good ones are clean, the bad ones give exactly their golden report.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use steadyhand_model::catalogue::Catalogue;
use steadyhand_runbook::checker::{
    Checked, Document, check_document, check_environment, check_library, check_runbook,
};
use steadyhand_runbook::code::Code;
use steadyhand_runbook::diagnostic::Severity;
use steadyhand_runbook::render::Style;
use steadyhand_runbook::yaml::DOCUMENT_BYTES_MAX;

use crate::table::{catalogue, good};

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/runbooks").join(folder)
}

/// The YAML files of a folder, by name, sorted.
pub(crate) fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut out: Vec<(String, Vec<u8>)> = std::fs::read_dir(fixtures(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect();
    out.sort();
    out
}

/// Library-level rules need other documents: a bad document whose name begins with `library-` is checked together
/// with the good ones.
fn report(name: &str, bytes: &[u8], catalogue: &Catalogue) -> (String, BTreeSet<Code>, usize) {
    let Checked { document, diagnostics } = check_document(name, bytes, catalogue);
    let mut codes: BTreeSet<Code> = diagnostics.list().iter().map(|d| d.code).collect();
    let mut errors = diagnostics.errors();
    let mut text = diagnostics.render(Style::Plain);
    if name.starts_with("library-") {
        let document = document.expect("clean by itself");
        let others = good(catalogue);
        let all: Vec<&Document> = others.iter().chain([&document]).collect();
        for diagnostic in check_library(&all) {
            codes.insert(diagnostic.code);
            errors += 1;
            text.push_str(&diagnostic.render(Style::Plain));
            text.push('\n');
        }
    }
    (text, codes, errors)
}

#[test]
fn good_documents_are_clean() {
    for catalogue in [Catalogue::built_in(), catalogue()] {
        for (name, bytes) in files("good") {
            let checked = check_document(&name, &bytes, &catalogue);
            assert_eq!(checked.diagnostics.render(Style::Plain), "", "{name}");
            assert!(checked.document.is_some(), "{name}");
            let lines = bytes.iter().filter(|b| **b == b'\n').count();
            assert!(lines <= 60 || name == "every-part.yaml", "{name} has {lines} lines");
        }
        let documents = good(&catalogue);
        let all: Vec<&Document> = documents.iter().collect();
        assert_eq!(check_library(&all), vec![]);
    }
}

#[test]
fn bad_documents_give_their_golden_report() {
    let catalogue = catalogue();
    let mut files = files("bad");
    // A megabyte does not belong into a repository.
    files.push(("too-large.yaml".to_owned(), vec![b'#'; DOCUMENT_BYTES_MAX + 1]));
    assert!(files.len() >= 45, "{} bad documents", files.len());
    let mut hit = BTreeSet::new();
    for (name, bytes) in files {
        let (text, codes, errors) = report(&name, &bytes, &catalogue);
        let warning = name.starts_with("warning-");
        assert_eq!(errors == 0, warning, "{name}:\n{text}");
        hit.extend(codes);
        let golden = fixtures("bad").join(name.replace(".yaml", ".stderr"));
        expect_file![golden].assert_eq(&text);
    }
    let missed: Vec<&Code> = Code::ALL.iter().filter(|c| !hit.contains(c)).collect();
    assert_eq!(missed, Vec::<&Code>::new(), "codes that no bad document has");
}

#[test]
fn every_code_has_a_page() {
    for code in Code::ALL {
        let page = code.page();
        assert!(page.starts_with(&format!("# {code}: ")), "{code} has no title");
        assert!(
            page.contains("```yaml") && page.contains("\n## How to mend it\n"),
            "{code} lacks a part"
        );
        assert_eq!(code.as_str().to_lowercase().parse(), Ok(*code));
    }
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let known: BTreeSet<&str> = Code::ALL.iter().map(|c| c.as_str()).collect();
    let mine = |name: &str| ["SH01", "SH02", "SH03", "SH04"].iter().any(|p| name.starts_with(p));
    for entry in std::fs::read_dir(pages).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let code = name.trim_end_matches(".md");
        assert!(!mine(code) || known.contains(code), "{name} explains no code");
    }
    assert!("SH9999".parse::<Code>().is_err());
}

const SPREAD: &str = r#"
# The same runbook in another layout.
kind: "Runbook"
apiVersion: steadyhand.dev/v1
spec:
  steps:
    - with: {workload: '${{ params.workload }}'}
      verify:
        within: 10m
      id: restart
      action: kubernetes.rollout_restart
  limits:
    rate: 2 per 1h per target
    unavailable: 34%
    affected: 50
    targets: 1
  require:
    - {else: A rollout is in progress., that: params.workload.settled}
  parameters:
    workload: {from: "owner_of(alert.labels.namespace, alert.labels.pod)", type: kubernetes.Workload}
  use:
    instead: rollback-release
    when: Pods of one workload crash-loop and no new release is rolling out.
    alerts: [KubePodCrashLooping,
             KubePodNotReady]
    unless: >-
      The crash began right
      after a rollout.
metadata:
  owner: team-platform
  title: Restart a crash-looping workload
  name: restart-workload
"#;

#[test]
fn digest_is_equal_for_equal_meaning_only() {
    let catalogue = catalogue();
    let (_, bytes) = files("good").into_iter().find(|(n, _)| n == "restart-workload.yaml").unwrap();
    let check = |bytes: &[u8]| check_runbook("a.yaml", bytes, &catalogue).document.unwrap();
    let (one, two) = (check(&bytes), check(SPREAD.as_bytes()));
    assert_eq!(one.origin.canonical, two.origin.canonical);
    assert_eq!(one.origin.digest, two.origin.digest);
    let changed = String::from_utf8(bytes).unwrap().replace("affected: 50", "affected: 51");
    assert_ne!(one.origin.digest, check(changed.as_bytes()).origin.digest);
}

#[test]
fn kinds_are_not_mixed_up() {
    let catalogue = catalogue();
    let good = files("good");
    let bytes = |name: &str| &good.iter().find(|(n, _)| n == name).unwrap().1;
    let wrong = check_environment("a.yaml", bytes("restart-workload.yaml"), &catalogue);
    assert!(wrong.document.is_none());
    assert_eq!(wrong.diagnostics.list()[0].code, Code::UnknownDocument);
    assert!(check_runbook("a.yaml", bytes("practice.yaml"), &catalogue).document.is_none());
    assert!(check_environment("a.yaml", bytes("practice.yaml"), &catalogue).document.is_some());
}

#[test]
fn a_mistake_as_json() {
    let (_, bytes) = files("bad").into_iter().find(|(n, _)| n == "unknown-field.yaml").unwrap();
    let checked = check_document("runbooks/a.yaml", &bytes, &catalogue());
    let first = &checked.diagnostics.list()[0];
    assert_eq!(first.severity, Severity::Error);
    let json = serde_json::to_string_pretty(&first.json()).unwrap();
    expect_test::expect![[r#"
        {
          "code": "SH0214",
          "severity": "error",
          "file": "runbooks/a.yaml",
          "line": 9,
          "column": 29,
          "end_line": 9,
          "end_column": 33,
          "message": "kubernetes.Workload has no field `redy`",
          "label": "did you mean `ready`?",
          "help": [
            "fields: kind, namespace, name, uid, generation, template_digest, replicas, ready, available, updated, unavailable, restarts_10m, fresh_restarts, crash, observed, rolled_out, settled, stuck, paused, strategy, revision, age_of_revision, last_good_revision, singleton, hpa, budgets, zones, services, protected"
          ],
          "suggestion": "ready"
        }"#]].assert_eq(&json);
}
