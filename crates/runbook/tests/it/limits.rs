//! Every named limit of expressions and documents, on both sides.

use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::value::Value;
use steadyhand_runbook::checker::check_document;
use steadyhand_runbook::code::Code;
use steadyhand_runbook::document::bounds::*;
use steadyhand_runbook::expr::eval::{Roots, evaluate};
use steadyhand_runbook::expr::explain::{OPERANDS_MAX, explain, shown};
use steadyhand_runbook::expr::{
    EVALUATION_STEPS_MAX, EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_NODES_MAX,
    LOOP_ITEMS_MAX, LOOPS_MAX, LOOPS_NESTED_MAX, parse,
};
use steadyhand_runbook::render::{QUOTED_BYTES_MAX, QUOTED_LINE_BYTES_MAX, Style};

#[test]
fn expressions() {
    let long = |n: usize| format!("a{}", " ".repeat(n - 1));
    let wide = |n: usize| vec!["a"; n.div_ceil(2)].join("+");
    let deep = |n: usize| format!("{}a{}", "(".repeat(n - 1), ")".repeat(n - 1));
    let loops = |n: usize| vec!["x.all(a, b)"; n].join("&&");
    let nested = |n: usize| (0..n).fold("b".to_owned(), |inner, i| format!("x.all(a{i}, {inner})"));
    type Make<'a> = &'a dyn Fn(usize) -> String;
    let cases: [(Make<'_>, usize, usize); 5] = [
        (&long, EXPRESSION_BYTES_MAX, 1),
        (&wide, EXPRESSION_NODES_MAX - 1, 2),
        (&deep, EXPRESSION_DEPTH_MAX, 1),
        (&loops, LOOPS_MAX, 1),
        (&nested, LOOPS_NESTED_MAX, 1),
    ];
    for (make, max, step) in cases {
        assert!(parse(&make(max)).is_ok(), "{}", make(max));
        let error = parse(&make(max + step)).unwrap_err();
        assert_eq!(error.code, Code::ExpressionTooLarge, "{error}");
    }
}

#[test]
fn evaluation() {
    let list = |n: usize| Roots::new().with("x", Value::List(vec![Value::Integer(1); n]));
    let loop_over = parse("x.all(a, a == 1)").unwrap();
    assert_eq!(evaluate(&loop_over, &list(LOOP_ITEMS_MAX)), Value::Boolean(true));
    assert!(matches!(evaluate(&loop_over, &list(LOOP_ITEMS_MAX + 1)), Value::CannotTell(_)));
    // Each round costs four steps and the copy of one item.
    let square = parse("x.all(a, x.all(b, b == 1))").unwrap();
    assert_eq!(evaluate(&square, &list(500)), Value::Boolean(true));
    let side = (1..).find(|n| n * n * 4 > EVALUATION_STEPS_MAX).unwrap();
    assert!(matches!(evaluate(&square, &list(side)), Value::CannotTell(_)));
    let operands = |n: usize| {
        let text = (0..n).map(|i| format!("x{i} == 1")).collect::<Vec<_>>().join(" || ");
        let roots = (0..n).fold(Roots::new(), |r, i| r.with(&format!("x{i}"), Value::Integer(0)));
        explain(&parse(&text).unwrap(), &roots).1.len()
    };
    assert_eq!((operands(OPERANDS_MAX), operands(OPERANDS_MAX + 1)), (OPERANDS_MAX, OPERANDS_MAX));
    assert_eq!(shown(&Value::Text("x".repeat(78))).chars().count(), 80);
    assert!(shown(&Value::Text("x".repeat(79))).ends_with('…'));
}

/// The runbook with one part replaced.
fn with(from: &str, to: &str) -> Vec<u8> {
    let text = r#"apiVersion: steadyhand.dev/v1
kind: Runbook
metadata: {name: a, title: TITLE, owner: team-a}
spec:
  use: {alerts: [A], when: WHEN}
  parameters:
    workload: {type: kubernetes.Workload, from: workload_of(alert.labels)}
    word: {type: enum, values: [WORDS], default: w0}
    named: {type: enum, values: {n0: 0}, default: n0}
    note: {type: text, max: TEXTMAX, default: x}
  require:
    - {that: "params.word == \"w0\" && params.named > 0 && params.note != \"y\"", else: ELSE}
  limits: {targets: COUNT, rate: [RATES]}
  steps:
    - id: s
      action: kubernetes.rollout_restart
      with: {workload: "${{ params.workload }}"}
      retry: {attempts: ATTEMPTS, backoff: 1s}
    - id: q
      ask: Well?
      who: owner
      answers: [ANSWERS]
      within: 1h
"#;
    let usual = [
        ("TITLE", "t"),
        ("WHEN", "w"),
        ("WORDS", "w0"),
        ("TEXTMAX", "9"),
        ("ELSE", "No."),
        ("COUNT", "1"),
        ("RATES", "1 per 1h"),
        ("ATTEMPTS", "1"),
        ("ANSWERS", "a0"),
    ];
    let text = text.replace(from, to);
    usual.iter().fold(text, |text, (from, to)| text.replace(from, to)).into_bytes()
}

fn numbered(prefix: &str, n: usize, join: &str) -> String {
    (0..n).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>().join(join)
}

#[test]
fn documents() {
    let x = |n: usize| "x".repeat(n);
    type Make<'a> = Box<dyn Fn(usize) -> Vec<u8> + 'a>;
    let cases: Vec<(&str, usize, Make<'_>)> = vec![
        ("title", TITLE_CHARS_MAX, Box::new(|n| with("TITLE", &x(n)))),
        ("when", SELECTION_CHARS_MAX, Box::new(|n| with("WHEN", &x(n)))),
        ("else", SAY_CHARS_MAX, Box::new(|n| with("ELSE", &x(n)))),
        ("say", SAY_CHARS_MAX, Box::new(|n| with("ask: Well?", &format!("ask: {}", x(n))))),
        (
            "alerts",
            ALERTS_MAX,
            Box::new(|n| with("alerts: [A]", &format!("alerts: [{}]", numbered("A", n, ", ")))),
        ),
        ("words", ENUM_VALUES_MAX, Box::new(|n| with("WORDS", &numbered("w", n, ", ")))),
        (
            "names",
            ENUM_VALUES_MAX,
            Box::new(|n| {
                let map = (0..n).map(|i| format!("n{i}: {i}")).collect::<Vec<_>>().join(", ");
                with("{n0: 0}", &format!("{{{map}}}"))
            }),
        ),
        ("text", TEXT_CHARS_MAX as usize, Box::new(|n| with("TEXTMAX", &n.to_string()))),
        ("count", COUNT_MAX as usize, Box::new(|n| with("COUNT", &n.to_string()))),
        ("rates", RATES_MAX, Box::new(|n| with("RATES", &vec!["1 per 1h"; n].join(", ")))),
        ("attempts", ATTEMPTS_MAX as usize, Box::new(|n| with("ATTEMPTS", &n.to_string()))),
        ("answers", ANSWERS_MAX, Box::new(|n| with("ANSWERS", &numbered("a", n, ", ")))),
        (
            "params",
            PARAMS_MAX,
            Box::new(|n| {
                // Four are there already.
                let more = numbered("    p", n - 4, ": {type: boolean, default: true}\n")
                    + ": {type: boolean, default: true}\n  require:\n";
                let used =
                    (0..n - 4).map(|i| format!("params.p{i}")).collect::<Vec<_>>().join(" && ");
                let more = format!("{more}    - {{that: \"{used}\", else: No.}}\n");
                with("  require:\n", &more)
            }),
        ),
        (
            "conditions",
            CONDITIONS_MAX,
            Box::new(|n| {
                let more = "    - {that: params.workload.settled, else: No.}\n".repeat(n - 1);
                with("  require:\n", &format!("  require:\n{more}"))
            }),
        ),
        (
            "steps",
            STEPS_MAX,
            Box::new(|n| {
                let more: String = (0..n - 2)
                    .map(|i| format!("    - {{id: w{i}, wait: {{for: 1s}}}}\n"))
                    .collect();
                with("    - id: s\n", &format!("{more}    - id: s\n"))
            }),
        ),
    ];
    for (name, max, make) in cases {
        let errors = |bytes: &[u8]| {
            let checked = check_document("a.yaml", bytes, &Catalogue::built_in());
            (checked.diagnostics.errors(), checked.diagnostics.render(Style::Plain))
        };
        let (count, report) = errors(&make(max));
        assert_eq!(count, 0, "{name}:\n{report}");
        assert!(errors(&make(max + 1)).0 > 0, "{name}");
    }
}

#[test]
fn irreversible_reasons() {
    let catalogue = crate::table::catalogue();
    let errors = |n: usize| {
        let text = format!(
            "apiVersion: steadyhand.dev/v1\nkind: Runbook\nmetadata: {{name: a, title: t, owner: team-a}}\nspec:\n  \
             parameters:\n    queue: {{type: queue.Queue}}\n  limits: {{targets: 1}}\n  steps:\n    - id: s\n      action: \
             queue.purge\n      with: {{queue: \"${{{{ params.queue }}}}\"}}\n      verify: {{that: after.queue.depth == 0, \
             within: 1m}}\n      irreversible: {}\n",
            "x".repeat(n)
        );
        check_document("a.yaml", text.as_bytes(), &catalogue).diagnostics.errors()
    };
    assert_eq!((errors(REASON_CHARS_MAX), errors(REASON_CHARS_MAX + 1)), (0, 1));
}

#[test]
fn environments() {
    let errors = |scenario: usize, namespaces: usize, signatures: usize| {
        let text = format!(
            "apiVersion: steadyhand.dev/v1\nkind: Environment\nmetadata: {{name: a, title: t}}\nspec:\n  class: practice\n  \
             mode: auto\n  library: released({signatures})\n  evidence: oidc\n  servers: {{kubernetes: {{practice: \
             {{scenario: {}, seed: 1}}}}}}\n  protected:\n    - kubernetes: {{namespaces: [{}]}}\n",
            "x".repeat(scenario),
            numbered("n", namespaces, ", ")
        );
        check_document("a.yaml", text.as_bytes(), &Catalogue::built_in()).diagnostics.errors()
    };
    let signatures = usize::from(SIGNATURES_MAX);
    assert_eq!(errors(NAME_CHARS_MAX, PROTECTED_MAX, signatures), 0);
    assert_eq!(errors(NAME_CHARS_MAX + 1, PROTECTED_MAX + 1, signatures + 1), 3);
}

#[test]
fn long_lines_are_not_quoted() {
    let report = |n: usize| {
        let line = format!("kind: \"{}\"", "x".repeat(n - 8));
        assert_eq!(line.len(), n);
        check_document("a.yaml", line.as_bytes(), &Catalogue::built_in())
            .diagnostics
            .render(Style::Plain)
    };
    assert!(report(QUOTED_LINE_BYTES_MAX).contains(" | "));
    assert!(!report(QUOTED_LINE_BYTES_MAX + 1).contains(" | "));
}

#[test]
fn far_apart_places_are_not_quoted() {
    let report = |n: usize| {
        // From the first line to the last there are `n` bytes.
        let fill = n - "a: 1\n".len() - "a: 2".len();
        let lines = format!("{}\n", "#".repeat(999)).repeat(fill / 1000);
        let rest = "\n".repeat(fill % 1000);
        let text = format!("a: 1\n{lines}{rest}a: 2");
        assert_eq!(text.len(), n);
        check_document("a.yaml", text.as_bytes(), &Catalogue::built_in()).diagnostics
    };
    let quoted = |n: usize| {
        let found = report(n);
        let twice = found.list().iter().find(|d| d.code == Code::DuplicateKey).unwrap();
        let text = twice.render(Style::Plain);
        assert!(text.contains("first here"), "{text}");
        text.contains(" | ")
    };
    assert!(quoted(QUOTED_BYTES_MAX));
    assert!(!quoted(QUOTED_BYTES_MAX + 1));
}
