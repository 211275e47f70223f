//! The reference implementation of CEL as an oracle: the same result wherever both have one.

use cel::{Context, Program};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use steadyhand_model::value::Value;
use steadyhand_runbook::expr::eval::{Roots, evaluate};
use steadyhand_runbook::expr::parse;

fn roots() -> Roots {
    let ints = |items: &[i64]| Value::List(items.iter().map(|n| Value::Integer(*n)).collect());
    Roots::new()
        .with("i", Value::Integer(7))
        .with("j", Value::Integer(-3))
        .with("t", Value::Boolean(true))
        .with("f", Value::Boolean(false))
        .with("s", Value::Text("shop".into()))
        .with("xs", ints(&[1, 2, 3]))
        .with("ys", ints(&[]))
}

fn context() -> Context<'static, 'static> {
    let mut context = Context::default();
    let ints = |items: Vec<i64>| cel::Value::from(items);
    context.add_variable_from_value("i", 7i64);
    context.add_variable_from_value("j", -3i64);
    context.add_variable_from_value("t", true);
    context.add_variable_from_value("f", false);
    context.add_variable_from_value("s", "shop");
    context.add_variable_from_value("xs", ints(vec![1, 2, 3]));
    context.add_variable_from_value("ys", ints(vec![]));
    context
}

fn ours(value: &cel::Value) -> Option<Value> {
    Some(match value {
        cel::Value::Int(n) => Value::Integer(*n),
        cel::Value::Bool(b) => Value::Boolean(*b),
        cel::Value::Null => Value::Null,
        cel::Value::String(text) => Value::Text(text.as_str().to_owned()),
        cel::Value::List(items) => Value::List(items.iter().map(ours).collect::<Option<_>>()?),
        _ => return None,
    })
}

fn integer(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (-9i64..100).prop_map(|n| n.to_string()),
        Just(i64::MAX.to_string()),
        Just(i64::MIN.to_string()),
        Just("i".to_owned()),
        Just("j".to_owned()),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let (a, b) = (integer(depth - 1), integer(depth - 1));
    prop_oneof![
        2 => leaf,
        4 => (a.clone(), prop_oneof!["\\+", "-", "\\*", "/", "%"], b.clone()).prop_map(|(a, o, b)| format!("{a} {o} {b}")),
        1 => a.clone().prop_map(|a| format!("({a})")),
        1 => a.clone().prop_map(|a| format!("-({a})")),
        1 => list(depth - 1).prop_map(|xs| format!("size({xs})")),
        1 => text(depth - 1).prop_map(|s| format!("size({s})")),
        1 => (list(depth - 1), 0..3usize).prop_map(|(xs, n)| format!("{xs}[{n}]")),
        1 => (prop_oneof!["max", "min"], a.clone(), b.clone()).prop_map(|(f, a, b)| format!("{f}({a}, {b})")),
        1 => (boolean(depth - 1), a, b).prop_map(|(c, a, b)| format!("(({c}) ? {a} : {b})")),
    ]
    .boxed()
}

fn text(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("s".to_owned()),
        "[a-zé]{0,3}".prop_map(|s| format!("\"{s}\"")),
        Just(r#"'q"\\\n\u00e9'"#.to_owned()),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    prop_oneof![
        3 => leaf,
        1 => (text(depth - 1), text(depth - 1)).prop_map(|(a, b)| format!("({a} + {b})")),
    ]
    .boxed()
}

fn list(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![Just("xs".to_owned()), Just("ys".to_owned())];
    if depth == 0 {
        return leaf.boxed();
    }
    prop_oneof![
        3 => leaf,
        1 => proptest::collection::vec(integer(depth - 1), 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
        1 => boolean(depth - 1).prop_map(|b| format!("xs.filter(x, x > 1 || {b})")),
        1 => integer(depth - 1).prop_map(|n| format!("xs.map(x, x + {n})")),
    ]
    .boxed()
}

fn boolean(depth: u32) -> BoxedStrategy<String> {
    let leaf =
        prop_oneof![Just("t"), Just("f"), Just("true"), Just("false")].prop_map(str::to_owned);
    if depth == 0 {
        return leaf.boxed();
    }
    let (a, b) = (boolean(depth - 1), boolean(depth - 1));
    let order = prop_oneof!["<", "<=", ">", ">=", "==", "!="];
    prop_oneof![
        1 => leaf,
        4 => (a.clone(), prop_oneof![Just("&&"), Just("||")], b.clone()).prop_map(|(a, o, b)| format!("{a} {o} {b}")),
        1 => a.clone().prop_map(|a| format!("!({a})")),
        1 => a.clone().prop_map(|a| format!("({a})")),
        4 => (integer(depth - 1), order, integer(depth - 1)).prop_map(|(a, o, b)| format!("({a}) {o} {b}")),
        1 => (text(depth - 1), prop_oneof!["==", "!="], text(depth - 1)).prop_map(|(a, o, b)| format!("{a} {o} {b}")),
        1 => (list(depth - 1), prop_oneof!["==", "!="], list(depth - 1)).prop_map(|(a, o, b)| format!("{a} {o} {b}")),
        1 => (integer(depth - 1), list(depth - 1)).prop_map(|(a, xs)| format!("({a}) in {xs}")),
        1 => (list(depth - 1), prop_oneof!["all", "exists"], b).prop_map(|(xs, m, b)| format!("{xs}.{m}(x, x > 2 && {b})")),
    ]
    .boxed()
}

/// Expressions tried. Bounded by count, never by time.
const CASES: u32 = 3000;

#[test]
fn same_result_as_the_reference_where_both_have_one() {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let strategy = prop_oneof![boolean(3), integer(3), list(3), text(3)];
    let (roots, context) = (roots(), context());
    let both = std::cell::Cell::new(0u32);
    let outcome = runner.run(&strategy, |source| {
        let Ok(expr) = parse(&source) else {
            // Only our limits may refuse what this grammar makes.
            let code = parse(&source).unwrap_err().code;
            prop_assert_eq!(code, steadyhand_runbook::code::Code::ExpressionTooLarge, "{}", source);
            return Ok(());
        };
        // Printing and reading back changes nothing.
        prop_assert_eq!(parse(&expr.to_string()).unwrap().to_string(), expr.to_string());
        let program =
            Program::compile(&source).map_err(|e| TestCaseError::fail(format!("{source}: {e}")))?;
        let value = evaluate(&expr, &roots);
        let defined = !format!("{value:?}").contains("CannotTell");
        if let (true, Some(theirs)) =
            (defined, program.execute(&context).ok().as_ref().and_then(ours))
        {
            both.set(both.get() + 1);
            prop_assert_eq!(&value, &theirs, "{}", source);
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    assert!(both.get() > CASES / 2, "only {} of {CASES} expressions had two results", both.get());
}

#[test]
fn the_same_texts_are_refused() {
    let texts = [
        "",
        "1 +",
        "(1",
        "a b",
        "1 ? 2",
        "x.",
        "[1",
        "'a",
        "a..b",
        "&& a",
        "a &&",
        "007x",
        "f(,)",
        "x.all(1, true)",
    ];
    for text in texts {
        assert!(parse(text).is_err(), "{text}");
        assert!(Program::compile(text).is_err(), "{text}");
    }
}
