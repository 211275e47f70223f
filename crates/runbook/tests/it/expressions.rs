//! Expressions: one spelling, three-valued results, explanations, lifted calls, and types.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::reading::Verdict;
use steadyhand_model::time::Span;
use steadyhand_model::types::{Stability, Type};
use steadyhand_model::value::Value;
use steadyhand_runbook::checker::action_verify;
use steadyhand_runbook::expr::check::check_text;
use steadyhand_runbook::expr::eval::{Roots, evaluate};
use steadyhand_runbook::expr::explain::{judge, shown};
use steadyhand_runbook::expr::lift::lift;
use steadyhand_runbook::expr::parse;
use steadyhand_runbook::expr::scope::{Scope, Shape};
use steadyhand_runbook::render::Style;
use steadyhand_runbook::source::Place;

use crate::table::{catalogue, field};

fn object(fields: &[(&str, Value)]) -> Value {
    Value::Object(fields.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect())
}

fn int(n: i64) -> Value {
    Value::Integer(n)
}

/// A workload with two of three pods ready; what `stuck` says cannot be told.
fn roots() -> Roots {
    let pod =
        |name: &str, ready: Value| object(&[("name", Value::Text(name.into())), ("ready", ready)]);
    let workload = object(&[
        ("name", Value::Text("checkout".into())),
        ("ready", int(2)),
        ("replicas", int(3)),
        ("settled", Value::Boolean(true)),
        ("hpa", Value::Null),
        ("age", Value::Duration(Span::from_mins(90))),
        ("stuck", Value::CannotTell("the status is older than the spec".into())),
        (
            "pods",
            Value::List(vec![
                pod("a", Value::Boolean(true)),
                pod("b", Value::Boolean(false)),
                pod("c", Value::CannotTell("no such pod now".into())),
            ]),
        ),
    ]);
    Roots::new()
        .with("w", workload)
        .with("alert.labels", object(&[("team", Value::Text("shop".into()))]))
}

#[test]
fn printing_is_one_spelling() {
    let cases = [
        ("a&&b||c", "a && b || c"),
        ("a&&(b||c)", "a && (b || c)"),
        ("a - (b - c)", "a - (b - c)"),
        ("(a - b) - c", "a - b - c"),
        ("!(a == b)", "!(a == b)"),
        ("- - 5", "-(-5)"),
        ("-(5)", "-(5)"),
        ("a?b:c?d:e", "a ? b : c ? d : e"),
        ("(a?b:c)?d:e", "(a ? b : c) ? d : e"),
        ("a ? (b ? c : d) : e", "a ? (b ? c : d) : e"),
        ("xs.filter(x,x.y>1).map(x,x.y)", "xs.filter(x, x.y > 1).map(x, x.y)"),
        ("cluster.fits( a , 3 )[0].b", "cluster.fits(a, 3)[0].b"),
        ("'it''s' == \"x\"", ""),
        (r#"'a"b\n' + "é""#, r#""a\"b\n" + "é""#),
        ("x in [1,2] == true", "x in [1, 2] == true"),
        ("has(a.b) && a.b[0] != null", "has(a.b) && a.b[0] != null"),
        (
            "-9223372036854775808 < 9223372036854775807",
            "-9223372036854775808 < 9223372036854775807",
        ),
    ];
    for (text, want) in cases {
        match parse(text) {
            Ok(expr) => {
                assert_eq!(expr.to_string(), want, "{text}");
                assert_eq!(parse(want).unwrap().to_string(), want);
            }
            Err(_) => assert_eq!(want, "", "{text}"),
        }
    }
}

#[test]
fn places_are_exact() {
    let text = "a.b &&  xs.all(x, x.ready == 3)";
    let expr = parse(text).unwrap();
    let mut out = String::new();
    fn walk(
        expr: &steadyhand_runbook::expr::ast::Expr,
        text: &str,
        depth: usize,
        out: &mut String,
    ) {
        let Place { start, end } = expr.place;
        out.push_str(&format!("{}{start}..{end} {}\n", "  ".repeat(depth), &text[start..end]));
        expr.parts().into_iter().for_each(|part| walk(part, text, depth + 1, out));
    }
    walk(&expr, text, 0, &mut out);
    expect![[r#"
        0..31 a.b &&  xs.all(x, x.ready == 3)
          0..3 a.b
            0..1 a
          8..31 xs.all(x, x.ready == 3)
            8..10 xs
            18..30 x.ready == 3
              18..25 x.ready
                18..19 x
              29..30 3
    "#]]
    .assert_eq(&out);
}

#[test]
fn evaluation_is_three_valued() {
    let cases = [
        ("w.ready == w.replicas", "false"),
        ("w.ready * 150 / 100", "3"),
        ("-7 / 2", "-3"),
        ("-7 % 2", "-1"),
        ("false && w.stuck", "false"),
        ("w.stuck && false", "false"),
        ("true || w.stuck", "true"),
        ("w.stuck || true", "true"),
        ("true && w.stuck", "cannot tell: the status is older than the spec"),
        ("false || w.stuck", "cannot tell: the status is older than the spec"),
        ("!w.stuck", "cannot tell: the status is older than the spec"),
        ("w.stuck == w.stuck", "cannot tell: the status is older than the spec"),
        ("w.stuck != null", "cannot tell: the status is older than the spec"),
        ("w.stuck ? 1 : 1", "cannot tell: the status is older than the spec"),
        ("w.hpa == null", "true"),
        ("w.hpa != null && w.hpa.max > 3", "false"),
        ("w.hpa.max > 3", "cannot tell: `w.hpa` is null"),
        ("w.pods.all(p, p.ready)", "false"),
        ("w.pods.exists(p, p.ready)", "true"),
        ("w.pods.exists(p, p.name == \"d\")", "false"),
        ("w.pods.filter(p, p.ready)", "cannot tell: no such pod now"),
        ("size(w.pods.map(p, p.name))", "3"),
        ("w.pods[1].name", "\"b\""),
        ("w.pods[3].name", "cannot tell: `w.pods` has 3 items, none at position 3"),
        ("\"b\" in w.pods.map(p, p.name)", "true"),
        ("9223372036854775807 + 1", "cannot tell: `9223372036854775807 + 1` is too large a number"),
        ("-(-9223372036854775808)", "cannot tell: `-(-9223372036854775808)` is too large a number"),
        ("w.ready / 0 == 1", "cannot tell: `w.ready / 0` divides by zero"),
        ("w.ready / 0 == 1 && false", "false"),
        ("w.age < duration(\"24h\")", "true"),
        ("w.age * 2", "3h"),
        (
            "w.age - d(\"2h\")",
            "cannot tell: `w.age - d(\"2h\")` is not a length of time between 0 and 366 days",
        ),
        ("percent(w.ready, w.replicas) >= percent(\"66.6%\")", "true"),
        ("percent(1, 0)", "cannot tell: 1 of 0 is no percentage"),
        ("max(1, 3, 2) + min(4, 2)", "5"),
        ("has(alert.labels.team)", "true"),
        ("has(alert.labels.pod)", "false"),
        ("alert.labels.pod == \"x\"", "cannot tell: `alert.labels` has no `pod`"),
        ("nothing.here", "cannot tell: `nothing` is not known here"),
        ("owner_of(\"a\", \"b\") == null", "cannot tell: `owner_of` was not read"),
        ("size(\"größe\")", "5"),
        ("\"a\" + \"b\" == 'ab'", "true"),
    ];
    for (text, want) in cases {
        assert_eq!(shown(&evaluate(&parse(text).unwrap(), &roots())), want, "{text}");
    }
}

fn explains(text: &str, want: &Expect) {
    let verdict = judge(text, &parse(text).unwrap(), &roots());
    let lines: Vec<String> = match &verdict {
        Verdict::Holds { operands } | Verdict::Fails { operands, .. } => {
            operands.iter().map(|o| format!("  {} = {}", o.text, o.value)).collect()
        }
        Verdict::CannotTell { why, .. } => vec![format!("  {why}")],
    };
    let word = match verdict {
        Verdict::Holds { .. } => "holds",
        Verdict::Fails { .. } => "fails",
        Verdict::CannotTell { .. } => "cannot tell",
    };
    want.assert_eq(&format!("{word}\n{}\n", lines.join("\n")));
}

#[test]
fn the_operands_that_decided_are_named() {
    explains(
        "w.settled && w.ready == w.replicas",
        &expect![[r#"
            fails
              w.ready = 2
              w.replicas = 3
        "#]],
    );
    explains(
        "w.settled && w.ready >= 1",
        &expect![[r#"
            holds
              w.settled = true
              w.ready = 2
        "#]],
    );
    explains(
        "w.settled && w.pods.all(p, p.ready && p.name != \"c\")",
        &expect![[r#"
            fails
              w.pods[1].ready = false
        "#]],
    );
    explains(
        "w.hpa != null || w.ready * 2 < 3",
        &expect![[r#"
            fails
              w.hpa = null
              w.ready = 2
        "#]],
    );
    explains(
        "w.settled && w.stuck",
        &expect![[r#"
            cannot tell
              the status is older than the spec
        "#]],
    );
    explains(
        "size(w.pods) > 5 ? true : w.name == \"web\"",
        &expect![[r#"
            fails
              w.pods = 3 items
              w.name = "checkout"
        "#]],
    );
    explains(
        "w.pods.exists(p, p.name == \"z\")",
        &expect![[r#"
            fails
              size(w.pods) = 3
        "#]],
    );
}

#[test]
fn untrusted_text_is_escaped_in_an_explanation() {
    let roots = Roots::new().with("w.name", Value::Text("x\u{1b}[2J\u{202e}".into()));
    let verdict = judge("name", &parse("w.name == \"y\"").unwrap(), &roots);
    let Verdict::Fails { operands, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(operands[0].value, r#""x\u{1b}[2J\u{202e}""#);
}

#[test]
fn calls_are_lifted_inner_first_and_once() {
    let expr = parse("a(b(x.y), 1) > 2 && b( x.y ) == 3 && size(xs) > 0").unwrap();
    let calls = lift(&expr);
    let texts: Vec<&str> = calls.iter().map(|c| c.into.as_str()).collect();
    assert_eq!(texts, ["b(x.y)", "a(b(x.y), 1)"]);
    let mut roots = Roots::new().with("xs", Value::List(vec![int(1)])).with("x.y", int(9));
    for call in &calls {
        let args: Vec<Value> = call.args.iter().map(|a| evaluate(a, &roots)).collect();
        assert!(!args.iter().any(|a| matches!(a, Value::CannotTell(_))), "{args:?}");
        roots.set(&call.into, int(3));
    }
    assert_eq!(evaluate(&expr, &roots), Value::Boolean(true));
    let verdict = judge("room", &parse("a(b(x.y), 1) > 5").unwrap(), &roots);
    let Verdict::Fails { operands, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!((operands[0].text.as_str(), operands[0].value.as_str()), ("a(b(x.y), 1)", "3"));
}

#[test]
fn every_action_verifies_itself_with_a_typed_condition() {
    let mut count = 0;
    for catalogue in [Catalogue::built_in(), catalogue()] {
        for spec in catalogue.servers().iter().flat_map(|s| &s.actions) {
            match action_verify(spec, &catalogue) {
                Ok(Some(expr)) => assert_eq!(expr.ty, Type::Boolean, "{}", spec.id),
                Ok(None) => assert!(spec.verify.is_none()),
                Err(mistakes) => panic!("{}", mistakes.render(Style::Plain)),
            }
            count += 1;
        }
    }
    assert!(count > 6);
}

#[test]
fn a_checked_expression_knows_its_type_and_what_it_reads() {
    let record = Type::Record {
        fields: vec![
            field("ready", Type::integer(), Stability::Status),
            field("wanted", Type::Integer { min: Some(0), max: Some(9) }, Stability::Spec),
            field("note", Type::String.nullable(), Stability::Spec),
        ],
    };
    let scope = Scope::default().with("w", Shape::Value(record)).with(
        "alert",
        Shape::Fields(BTreeMap::from([("labels".to_owned(), Shape::Value(Type::Labels))])),
    );
    let check = |text: &str| {
        let expr = check_text("test", text, &scope, &Catalogue::built_in())
            .map_err(|d| d.render(Style::Plain))
            .unwrap();
        let reads: Vec<String> = expr
            .references
            .iter()
            .map(|r| format!("{} {:?}", r.path.join("."), r.stability))
            .collect();
        format!("{}: {} [{}]", expr.ty.shown(), reads.join(", "), expr.functions.join(", "))
    };
    let cases = [
        ("w.ready + 1", "integer: w.ready Some(Status) []"),
        ("min(w.wanted, 5)", "integer: w.wanted Some(Spec) []"),
        ("w.note != null ? w.note : \"none\"", "string: w.note Some(Spec) []"),
        ("w.note == null || w.note == \"x\"", "boolean: w.note Some(Spec) []"),
        ("workload_of(alert.labels)", "kubernetes.Workload?: alert.labels None [workload_of]"),
        ("[1, 2].filter(x, x > w.ready)", "list<integer>: w.ready Some(Status) []"),
        ("null", "null:  []"),
    ];
    for (text, want) in cases {
        assert_eq!(check(text), want, "{text}");
    }
    let expr = check_text("t", "min(w.wanted, 5)", &scope, &Catalogue::built_in()).unwrap();
    assert_eq!(expr.ty, Type::Integer { min: Some(0), max: Some(5) });
}
