//! What needs no keeper.

use expect_test::expect;

use crate::steady::{Home, Said};

#[test]
fn help_names_every_verb() {
    let home = Home::new();
    for args in [&["--help"][..], &["help"], &["-h"]] {
        let said = home.say(args);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        for verb in [
            "drill", "plan", "run", "handle", "approve", "deny", "answer", "status", "watch",
            "resume", "pause", "cancel", "settle", "undo", "check", "history", "tool", "version",
            "explain",
        ] {
            assert!(said.out.contains(&format!("\n  {verb} ")), "{verb}:\n{}", said.out);
        }
        assert!(said.out.is_ascii() && !said.out.contains('\u{1b}'));
        assert!(said.out.lines().all(|line| line.len() <= 80), "{}", said.out);
    }
    let said = home.say(&["settle", "--help"]);
    assert_eq!(said.code, 0);
    assert!(said.out.contains("done, not-done, retry, skip, undo, hand-over"), "{}", said.out);
}

#[test]
fn wrong_words_are_64() {
    let home = Home::new();
    let cases: &[&[&str]] = &[
        &[],
        &["nonsense"],
        &["--nonsense"],
        &["plan"],
        &["plan", "a b"],
        &["plan", "restart-workload", "-p", "workload"],
        &["plan", "restart-workload", "-p", "a=1", "-p", "a=2"],
        &["run", "9c41-e07a", "-p", "a=1"],
        &["approve", "4f2k"],
        &["approve", "last", "--plan", "9c41"],
        &["settle", "last", "perhaps", "--reason", "x"],
        &["settle", "last", "done"],
        &["drill", "--fault", "flood"],
        &["drill", "--seed", "9007199254740992"],
        &["history", "--limit", "0"],
        &["history", "--limit", "501"],
        &["status", "-o", "yaml"],
        &["tool", "practice", "--server", "kubernetes", "--role", "king", "--world", "w"],
        &["explain", "SH9999"],
        &["approve", "last"],
        &["handle", "/none/such.json"],
        &["check", "--library", "/none/such"],
    ];
    for args in cases {
        let said = home.say(args);
        assert_eq!((said.code, said.out.as_str()), (64, ""), "{args:?}: {}", said.err);
        assert!(!said.err.is_empty() && !said.err.contains("panicked"), "{args:?}: {}", said.err);
    }
}

#[test]
fn what_was_typed_is_quoted_escaped() {
    let said = Home::new().say(&["plan", "\u{1b}[2J\u{202e}x"]);
    assert_eq!(said.code, 64);
    // The escape sequence is gone, what deceives is shown.
    assert!(said.err.contains("`\\u{202e}x`"), "{}", said.err);
    assert!(!said.err.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn versions() {
    let home = Home::new();
    let version = env!("CARGO_PKG_VERSION");
    let said = home.say(&["version", "-o", "json"]);
    let want = format!("{{\"event\":1,\"plan\":1,\"protocol\":1,\"version\":\"{version}\"}}\n");
    assert_eq!(said, Said { code: 0, out: want, err: String::new() });
    assert!(home.say(&["version"]).out.starts_with(&format!("steady {version}\n")));
    assert_eq!(home.say(&["--version"]).out, format!("steady {version}\n"));
}

#[test]
fn pages_are_explained() {
    let home = Home::new();
    let said = home.say(&["explain", "sh0010"]);
    assert_eq!(said.code, 0);
    assert!(
        said.out.starts_with("SH0010: interrupted before the keeper answered\n\n"),
        "{}",
        said.out
    );
    let json = home.say(&["explain", "SH0010", "-o", "json"]).out;
    assert!(json.starts_with(r##"{"code":"SH0010","page":"# SH0010: "##), "{json}");
    let list = home.say(&["explain"]).out;
    assert!(list.contains("\nSH0010  interrupted before the keeper answered\n"), "{list}");
    expect![[r#"
        error[SH0009]: `SH9999` is no code of this program
          do       `steady explain` lists all codes
          more     steady explain SH0009
    "#]]
    .assert_eq(&home.say(&["explain", "SH9999"]).err);
}

#[test]
fn where_nothing_was_run() {
    let home = Home::new();
    expect![[r#"
        No run was ever made here.

          steady drill
    "#]]
    .assert_eq(&home.say(&["status"]).out);
    assert_eq!(home.say(&["status", "-o", "json"]).out, "[]\n");
    assert_eq!(home.say(&["history", "-o", "json"]).out, "{\"more\":0,\"runs\":[]}\n");
    let said = home.say(&["watch", "-o", "json"]);
    assert_eq!(said.code, 64);
    expect![[r#"
        {"causes":[],"code":"SH0005","exit":64,"help":"steady drill","title":"no run was ever made here"}
    "#]]
    .assert_eq(&said.out);
    assert!(!home.path().join(".local").exists(), "looking made a state directory");
}

#[test]
fn documents_are_checked() {
    let home = Home::new();
    let said = home.say(&["check"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    assert!(said.out.starts_with("+ "), "{}", said.out);

    let bad = home.path().join("bad.yaml");
    std::fs::write(&bad, "apiVersion: steadyhand.dev/v1\nkind: Runbok\n").unwrap();
    let said = home.say(&["check", "bad.yaml"]);
    assert_eq!(said.code, 1);
    assert!(
        said.out.contains("error[SH0116]: there is no document of kind `Runbok`\n"),
        "{}",
        said.out
    );
    assert!(said.out.contains("did you mean `Runbook`?"));
    let json = home.say(&["check", "bad.yaml", "-o", "json"]).out;
    assert!(
        json.starts_with(r#"{"documents":1,"dropped":0,"errors":3,"found":[{"code":"SH0112""#),
        "{json}"
    );

    let said = home.say(&["check", "none.yaml"]);
    assert_eq!(said.code, 64);
    assert!(said.err.starts_with("error[SH0626]: "), "{}", said.err);
}
