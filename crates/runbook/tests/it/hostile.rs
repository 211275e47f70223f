//! Hostile documents are refused fast and small. Time and memory are bounded by construction: what is counted here is
//! the work that is done and the size of what comes back.

use steadyhand_model::catalogue::Catalogue;
use steadyhand_runbook::checker::check_document;
use steadyhand_runbook::code::Code;
use steadyhand_runbook::diagnostic::DIAGNOSTICS_MAX;
use steadyhand_runbook::render::Style;
use steadyhand_runbook::yaml::{DOCUMENT_BYTES_MAX, DOCUMENT_DEPTH_MAX};

/// A report longer than this would flood a terminal, in bytes.
const REPORT_BYTES_MAX: usize = 256 * 1024;

fn first(name: &str, bytes: &[u8]) -> Code {
    let checked = check_document(name, bytes, &Catalogue::built_in());
    assert!(checked.document.is_none(), "{name}");
    assert!(checked.diagnostics.list().len() <= DIAGNOSTICS_MAX, "{name}");
    let report = checked.diagnostics.render(Style::Plain);
    assert!(report.len() <= REPORT_BYTES_MAX, "{name}: {} bytes", report.len());
    assert!(!report.contains(['\u{1b}', '\u{202e}', '\u{0}']), "{name}");
    checked.diagnostics.list()[0].code
}

/// Text of `unit` repeated up to the size limit.
fn full(head: &str, unit: &str) -> Vec<u8> {
    let room = (DOCUMENT_BYTES_MAX - head.len()) / unit.len();
    (head.to_owned() + &unit.repeat(room)).into_bytes()
}

#[test]
fn hostile_documents_are_refused() {
    let bomb = {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..40 {
            let uses = format!("*a{}, ", n - 1).repeat(10);
            text.push_str(&format!("a{n}: &a{n} [{}]\n", uses.trim_end_matches(", ")));
        }
        text.into_bytes()
    };
    let many_keys: Vec<u8> = {
        let mut text = String::new();
        let mut n = 0;
        while text.len() < DOCUMENT_BYTES_MAX - 20 {
            text.push_str(&format!("k{n}: 1\n"));
            n += 1;
        }
        text.into_bytes()
    };
    let cases: Vec<(&str, Vec<u8>, Code)> = vec![
        ("alias bomb", bomb, Code::Alias),
        ("100 MB of zeros", vec![0; 100_000_000], Code::TooLarge),
        ("100 MB of brackets", vec![b'['; 100_000_000], Code::TooLarge),
        ("a megabyte of aliases", full("a: [", "*a,"), Code::Alias),
        ("a megabyte of brackets", full("", "["), Code::TooDeep),
        ("a megabyte of braces", full("", "{a: "), Code::TooDeep),
        ("a megabyte of dashes", full("", "- "), Code::TooDeep),
        ("a megabyte of question marks", full("", "? "), Code::TooDeep),
        ("a megabyte of one key", full("", "a: 1\n"), Code::DuplicateKey),
        ("a megabyte of keys", many_keys, Code::UnknownKey),
        ("a megabyte in one line", full("a: ", "x"), Code::UnknownKey),
        ("a megabyte of quotes", full("a: ", "\""), Code::Syntax),
        ("a megabyte of tags", full("", "!a "), Code::Tag),
        ("a megabyte of documents", full("a: 1\n", "---\n"), Code::OneDocument),
        ("an executable", b"\x7fELF\x02\x01\x01\x00\xff\xfe".to_vec(), Code::NotText),
        ("a picture", b"\x89PNG\r\n\x1a\n".to_vec(), Code::NotText),
        ("a terminal escape", b"a: \x1b[2J".to_vec(), Code::NotText),
        ("a direction mark", "a: \u{202e}x".as_bytes().to_vec(), Code::NotText),
        ("an escaped direction mark as key", b"\"\\u202ex\": 1".to_vec(), Code::UnknownKey),
        ("UTF-16", b"\xff\xfea\x00:\x00".to_vec(), Code::NotText),
        ("nothing", vec![], Code::OneDocument),
    ];
    for (name, bytes, want) in cases {
        assert_eq!(first(name, &bytes), want, "{name}");
    }
}

#[test]
fn the_limits_of_yaml_have_two_sides() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert_eq!(first("deep", nested(DOCUMENT_DEPTH_MAX + 1).as_bytes()), Code::TooDeep);
    assert_eq!(first("fits", nested(DOCUMENT_DEPTH_MAX).as_bytes()), Code::WrongShape);
    let block = |n: usize| {
        (0..n).map(|i| format!("{}a:\n", " ".repeat(i))).collect::<String>() + &" ".repeat(n) + "b"
    };
    assert_eq!(first("deep", block(DOCUMENT_DEPTH_MAX + 1).as_bytes()), Code::TooDeep);
    assert_eq!(first("fits", block(DOCUMENT_DEPTH_MAX).as_bytes()), Code::UnknownKey);
    let long = |n: usize| format!("a: 1\n#{}", "x".repeat(n - 6)).into_bytes();
    assert_eq!(first("large", &long(DOCUMENT_BYTES_MAX + 1)), Code::TooLarge);
    assert_eq!(first("fits", &long(DOCUMENT_BYTES_MAX)), Code::UnknownKey);
}

#[test]
fn mistakes_are_counted_beyond_the_limit() {
    let keys = |n: usize| (0..n).map(|i| format!("k{i}: 1\n")).collect::<String>();
    // Four of them are the keys that every document needs.
    for (n, dropped) in [(DIAGNOSTICS_MAX - 4, 0), (DIAGNOSTICS_MAX - 3, 1)] {
        let checked = check_document("a", keys(n).as_bytes(), &Catalogue::built_in());
        assert_eq!(checked.diagnostics.list().len(), DIAGNOSTICS_MAX);
        assert_eq!(checked.diagnostics.dropped(), dropped);
        let told = checked.diagnostics.render(Style::Plain).contains("more; mend these first");
        assert_eq!(told, dropped > 0);
    }
}

mod random {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the bytes are, there is an answer, and never a panic.
        #[test]
        fn any_text_has_an_answer(text in "(a|: |\\$\\{\\{|\\}\\}|\"|'|\n| |- |\\[|\\]|\\{|\\}|&|\\*|!|x\\.y|#|\\||>|é|\u{202e}|\t){0,60}") {
            let head = "apiVersion: steadyhand.dev/v1\nkind: Runbook\nmetadata: {name: a, title: a, owner: a}\nspec:\n  steps:\n    - id: ";
            for text in [text.clone(), format!("{head}{text}")] {
                let checked = check_document("a", text.as_bytes(), &Catalogue::built_in());
                prop_assert_eq!(checked.document.is_some(), checked.diagnostics.errors() == 0);
                checked.diagnostics.render(Style::Plain);
            }
        }
    }
}
