//! For each rule a bad sample that it must catch, and a good one beside it that it must leave alone.

use expect_test::{Expect, expect};
use steadyhand_xtask::tidy::tree::Tree;
use steadyhand_xtask::tidy::{RULES, check};
use steadyhand_xtask::workspace::Metadata;

const NO_PACKAGES: &str = r#"{"packages": [], "workspace_root": "/"}"#;

fn found(rule: &str, metadata: &str, files: &[(&str, &str)], expected: Expect) {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let tree = Tree::of(files, Metadata::parse(metadata).unwrap()).unwrap();
    let rule = RULES.iter().find(|known| known.name == rule).unwrap();
    let lines: Vec<String> = check(&tree, rule).iter().map(|f| format!("{f}\n")).collect();
    expected.assert_eq(&lines.concat());
}

fn in_files(rule: &str, files: &[(&str, &str)], expected: Expect) {
    found(rule, NO_PACKAGES, files, expected);
}

fn in_code(rule: &str, code: &str, expected: Expect) {
    in_files(rule, &[("crates/engine/src/run.rs", code)], expected);
}

/// Packages as cargo describes them: a name and its dependencies, `dev:` before one of tests.
fn packages(list: &[(&str, &[&str])]) -> String {
    let packages: Vec<String> = list
        .iter()
        .map(|(name, dependencies)| {
            let dependencies: Vec<String> = dependencies
                .iter()
                .map(|dependency| match dependency.strip_prefix("dev:") {
                    Some(name) => format!(r#"{{"name": "{name}", "kind": "dev"}}"#),
                    None => format!(r#"{{"name": "{dependency}", "kind": null}}"#),
                })
                .collect();
            format!(
                r#"{{"name": "{name}", "manifest_path": "/x/Cargo.toml", "dependencies": [{}], "targets": [
                    {{"name": "lib", "kind": ["lib"], "doctest": {}}}, {{"name": "{}", "kind": ["test"], "doctest": false}}]}}"#,
                dependencies.join(","),
                *name == "steadyhand-api",
                if *name == "steadyhand-api" { "extra" } else { "it" },
            )
        })
        .collect();
    format!(r#"{{"packages": [{}], "workspace_root": "/"}}"#, packages.join(","))
}

#[test]
fn direction() {
    let list = packages(&[
        ("steadyhand-engine", &["steadyhand-model", "serde"]),
        ("steadyhand-store", &["steadyhand-engine", "dev:steadyhand-testkit"]),
        ("steadyhand-model", &["steadyhand-engine", "dev:steadyhand-testkit"]),
        ("steadyhand-practice", &["steadyhand-tools"]),
        ("steadyhand-runtime", &["steadyhand-testkit"]),
        ("steadyhand-extra", &[]),
    ]);
    found(
        "direction",
        &list,
        &[],
        expect![[r#"
        crates/extra/Cargo.toml: [direction] steadyhand-extra is not in the table
        crates/model/Cargo.toml: [direction] model may not depend on engine (normal dependency)
        crates/model/Cargo.toml: [direction] model may not depend on testkit (dev dependency)
        crates/practice/Cargo.toml: [direction] practice may not depend on tools (normal dependency)
        crates/runtime/Cargo.toml: [direction] runtime may not depend on testkit (normal dependency)
    "#]],
    );
}

#[test]
fn heavy() {
    let list = packages(&[
        ("steadyhand-store", &["rusqlite"]),
        ("steadyhand-runtime", &["rusqlite", "dev:rmcp"]),
        ("steadyhand-practice", &["rmcp"]),
        ("steadyhand-runbook", &["cel", "dev:cel"]),
        ("steadyhand-testkit", &["rmcp"]),
    ]);
    found(
        "heavy",
        &list,
        &[],
        expect![[r#"
        crates/practice/Cargo.toml: [heavy] rmcp is for tools and contract only
        crates/runbook/Cargo.toml: [heavy] cel is for tests only
        crates/runtime/Cargo.toml: [heavy] rusqlite is for store only
    "#]],
    );
}

#[test]
fn banned() {
    let lock =
        "[[package]]\nname='mockall'\nversion='1.0.0'\n[[package]]\nname='tokio'\nversion='1.0.0'\n
        [[package]]\nname='tokio'\nversion='2.0.0'\n[[package]]\nname='serde'\nversion='1.0.0'\n";
    in_files(
        "banned",
        &[("Cargo.lock", lock)],
        expect![[r#"
        Cargo.lock: [banned] mockall is not wanted: mocks restate the code: use the real thing or a second implementation
        Cargo.lock: [banned] tokio is there more than once: 1.0.0, 2.0.0
    "#]],
    );
}

#[test]
fn manifest() {
    let good = "[lints]\nworkspace = true\n[dependencies]\nserde.workspace = true\n[dev-dependencies]\nx = { workspace = true }\n";
    let bad = "[dependencies]\nserde = '1'\n[dev-dependencies]\nx = { version = '2' }\n";
    found(
        "manifest",
        &packages(&[("steadyhand-api", &[]), ("steadyhand-model", &[])]),
        &[("crates/api/Cargo.toml", good), ("crates/model/Cargo.toml", bad)],
        expect![[r#"
            crates/api/Cargo.toml: [manifest] lacks `doctest = false` for lib
            crates/model/Cargo.toml: [manifest] lacks `[lints] workspace = true`
            crates/model/Cargo.toml: [manifest] serde: versions stand in the workspace's manifest only
            crates/model/Cargo.toml: [manifest] x: versions stand in the workspace's manifest only
        "#]],
    );
}

#[test]
fn unused_version() {
    let root = "[workspace.dependencies]\nserde = '1'\nleft-pad = '1'\nsteadyhand-model = '1'\n";
    found(
        "unused-version",
        &packages(&[("steadyhand-model", &["serde"])]),
        &[("Cargo.toml", root)],
        expect![[r#"
            Cargo.toml: [unused-version] no crate uses left-pad
        "#]],
    );
}

#[test]
fn purity() {
    let bad = "//! Says std::fs in words.
use std::{collections::BTreeMap, fs::File, time::{Duration, SystemTime}};
use std::time;
async fn run() { time::Instant::now(); \"tokio::spawn\"; }
type Answer = BoxFuture<'static, ()>;
#[cfg(test)]
mod tests { use std::fs; }
";
    in_files(
        "purity",
        &[
            ("crates/engine/src/run.rs", bad),
            ("crates/engine/src/port.rs", "type Answer = BoxFuture<'static, ()>;"),
            ("crates/engine/tests/it/main.rs", bad),
            ("crates/practice/src/world.rs", "use std::fs;"),
            ("crates/practice/src/world_file.rs", "use std::fs;"),
            ("crates/practice/src/door/mod.rs", "use tokio::io; async fn serve() {}"),
            ("crates/runtime/src/lib.rs", bad),
        ],
        expect![[r#"
            crates/engine/src/run.rs:2: [purity] a crate that decides names `std::fs::File`
            crates/engine/src/run.rs:2: [purity] a crate that decides names `std::time::SystemTime`
            crates/engine/src/run.rs:4: [purity] a crate that decides names `time::Instant::now`
            crates/engine/src/run.rs:4: [purity] async code in a crate that decides
            crates/engine/src/run.rs:5: [purity] `BoxFuture` outside engine::port
            crates/practice/src/world.rs:1: [purity] a crate that decides names `std::fs`
        "#]],
    );
}

#[test]
fn spawn() {
    let bad = "use std::process::{Command, ExitCode};\nfn run() { tokio::process::Command::new(\"ls\"); std::process::exit(1) }";
    in_files(
        "spawn",
        &[
            ("crates/cli/src/main.rs", bad),
            ("crates/process/src/lib.rs", bad),
            ("crates/cli/tests/it/main.rs", bad),
        ],
        expect![[r#"
            crates/cli/src/main.rs:1: [spawn] `std::process::Command`: only `process` starts programs
            crates/cli/src/main.rs:2: [spawn] `tokio::process::Command::new`: only `process` starts programs
        "#]],
    );
}

#[test]
fn authorized() {
    let good = "#[derive(Serialize, Deserialize)] pub struct Other;\n#[derive(Debug)]\npub struct Authorized<T> { inner: T }";
    let bad = "#[derive(Debug, Deserialize)]\npub struct Authorized<T> { pub inner: T }";
    let makes = "fn call() { Authorized::new(call); }";
    let engine = |file: &str| format!("crates/engine/src/{file}.rs");
    in_files("authorized", &[(&engine("port"), good), (&engine("pending"), makes)], expect![""]);
    in_files(
        "authorized",
        &[
            (&engine("port"), bad),
            ("crates/runtime/src/driver.rs", makes),
            ("crates/tools/src/host.rs", "struct Authorized(u8);"),
        ],
        expect![[r#"
            crates/engine/src/port.rs:2: [authorized] a field of an authorized call is public
            crates/engine/src/port.rs:2: [authorized] an authorized call can be read from bytes
            crates/runtime/src/driver.rs:1: [authorized] an authorized call is made outside crates/engine/src/pending.rs
            crates/tools/src/host.rs:1: [authorized] a second type called `Authorized`
        "#]],
    );
}

#[test]
fn judge() {
    let bad = "use steadyhand_model::event::Event;\nuse crate::clock::Fake;\nuse crate::judge::history;\nuse super::chain;\n
        #[cfg(test)] mod tests { use steadyhand_engine::run::Run; }";
    in_files(
        "judge",
        &[("crates/testkit/src/judge/mod.rs", bad), ("crates/testkit/src/clock.rs", bad)],
        expect![[r#"
            crates/testkit/src/judge/mod.rs:1: [judge] the judge names `steadyhand_model::event::Event`
            crates/testkit/src/judge/mod.rs:2: [judge] the judge names `crate::clock::Fake`
            crates/testkit/src/judge/mod.rs:6: [judge] the judge names `steadyhand_engine::run::Run`
        "#]],
    );
}

#[test]
fn untyped_json() {
    let bad = "use serde_json::{Value, Map};\nfn read(json: &serde_json::Value) {}\n#[cfg(test)] mod tests { use serde_json::Value; }";
    in_files(
        "untyped-json",
        &[("crates/runbook/src/lib.rs", bad), ("crates/contract/src/lib.rs", bad)],
        expect![[r#"
            crates/runbook/src/lib.rs:1: [untyped-json] untyped JSON inside: read it into a type
            crates/runbook/src/lib.rs:2: [untyped-json] untyped JSON inside: read it into a type
        "#]],
    );
}

#[test]
fn module_doc() {
    in_files(
        "module-doc",
        &[
            ("crates/model/src/a.rs", "//! Owns a.\n"),
            ("crates/model/src/b.rs", "// Owns b.\nuse x;\n"),
            ("crates/model/src/c.rs", "#![allow(x)]\n\n//! Owns c.\n"),
            ("crates/model/src/d.rs", ""),
            ("fixtures/e.rs", ""),
        ],
        expect![[r#"
            crates/model/src/b.rs:1: [module-doc] does not begin with a module doc
            crates/model/src/d.rs:1: [module-doc] does not begin with a module doc
        "#]],
    );
}

#[test]
fn file_length() {
    let long = "fn a() {}\n".repeat(801);
    let fits = "fn a() {}\n".repeat(800);
    let tested = format!("{fits}#[cfg(test)]\nmod tests {{\n{fits}}}\n");
    in_files(
        "file-length",
        &[
            ("crates/model/src/long.rs", &long),
            ("crates/model/src/fits.rs", &fits),
            ("crates/model/src/tested.rs", &tested),
            ("crates/model/tests/it/long.rs", &long),
        ],
        expect![[r#"
            crates/model/src/long.rs: [file-length] 801 lines outside tests, at most 800
        "#]],
    );
}

#[test]
fn name() {
    in_files(
        "name",
        &[
            ("crates/model/src/string_utils.rs", ""),
            ("crates/model/src/common/mod.rs", ""),
            (
                "crates/model/src/lease.rs",
                "struct LeaseManager; struct Lease; enum Commonplace {}\nmod helpers {}",
            ),
        ],
        expect![[r#"
            crates/model/src/common/mod.rs: [name] `common` names no noun
            crates/model/src/lease.rs:1: [name] `LeaseManager` names no noun
            crates/model/src/lease.rs:2: [name] `helpers` names no noun
            crates/model/src/string_utils.rs: [name] `string_utils.rs` names no noun
        "#]],
    );
}

#[test]
fn one_test_binary() {
    let list = packages(&[("steadyhand-api", &[]), ("steadyhand-model", &[])]);
    found(
        "one-test-binary",
        &list,
        &[],
        expect![[r#"
        /x/Cargo.toml: [one-test-binary] the test binary `extra` of steadyhand-api: put it into tests/it
    "#]],
    );
}

#[test]
fn swallowed() {
    in_code(
        "swallowed",
        "fn a() {
    let _ = send();
    let _kept = lock();
    send().ok();
    let read = text.parse::<u8>().ok();
    if x { let found = list.iter().map(|a| { b(a).ok() }).next().ok(); }
    drop(x); file.write(&[1; 2]).ok();
    text.parse().unwrap_or_default(); list.get(1..).unwrap_or_default(); id.map(RunId::as_str).unwrap_or_default();
    text.parse().map_err(|_| Wrong);

    x: Arc<std::sync::Mutex<u8>>, y: Arc<Plan>, z: Mutex<u8>;
    // Guards the one counter that two threads add to.
    x: Arc<RwLock<u8>>,
}
#[cfg(test)] mod tests { fn b() { let _ = send(); } }
",
        expect![[r#"
            crates/engine/src/run.rs:2: [swallowed] the value is thrown away: handle it, or say why it does not matter
            crates/engine/src/run.rs:4: [swallowed] the error is thrown away
            crates/engine/src/run.rs:7: [swallowed] the error is thrown away
            crates/engine/src/run.rs:8: [swallowed] a default stands in for what was not understood: name the case
            crates/engine/src/run.rs:9: [swallowed] the source of the error is thrown away
            crates/engine/src/run.rs:11: [swallowed] a shared lock: give the state one owner, or say above it what the lock guards
        "#]],
    );
}

#[test]
fn string_error() {
    in_code(
        "string-error",
        "fn a() -> Result<u8, String> {}
fn b() -> Result<Vec<(u8, u8)>, &'static str> {}
fn c() -> Result<BTreeMap<u8, String>, Wrong> {}
fn d() -> Result<String, Wrong> {}
fn e() -> Result<String> {}
fn f() { x.map_err(|e| e.to_string()); x.map_err(|e| format!(\"no: {e}\")); x.map_err(|source| Wrong { source }); }
type G = Result<fn(u8) -> u8, String>;
enum H { #[error(\"no: {source}\")] A { source: X }, #[error(\"no\")] B { source: X }, #[error(\"no {what}\", what = 1)] C }
",
        expect![[r#"
            crates/engine/src/run.rs:1: [string-error] a text as error: make an enum named after the operation
            crates/engine/src/run.rs:2: [string-error] a text as error: make an enum named after the operation
            crates/engine/src/run.rs:6: [string-error] an error is turned into a text: keep it as the source
            crates/engine/src/run.rs:6: [string-error] an error is turned into a text: keep it as the source
            crates/engine/src/run.rs:7: [string-error] a text as error: make an enum named after the operation
            crates/engine/src/run.rs:8: [string-error] the message repeats its source, which is printed after it
        "#]],
    );
}

#[test]
fn unfinished() {
    let words = [
        "FIXME",
        "TODO",
        "For now this is enough",
        "a constant, for now",
        "refused for now: busy",
        "Placeholder",
        "XXX: later",
        "mastodon todo",
    ];
    let text = words.map(|word| format!("// {word}\n")).concat();
    in_files(
        "unfinished",
        &[
            ("crates/model/src/lib.rs", &text),
            ("README.md", "It is a placeholder.\n"),
            ("fixtures/alert.yaml", "TODO"),
        ],
        expect![[r#"
            README.md:1: [unfinished] `placeholder`: finish it or leave it out
            crates/model/src/lib.rs:1: [unfinished] `FIXME`: finish it or leave it out
            crates/model/src/lib.rs:2: [unfinished] `TODO`: finish it or leave it out
            crates/model/src/lib.rs:3: [unfinished] `// for now`: finish it or leave it out
            crates/model/src/lib.rs:4: [unfinished] `, for now`: finish it or leave it out
            crates/model/src/lib.rs:6: [unfinished] `placeholder`: finish it or leave it out
            crates/model/src/lib.rs:7: [unfinished] `XXX:`: finish it or leave it out
        "#]],
    );
}

#[test]
fn paused_clock() {
    in_code(
        "test-habit",
        "#[tokio::test(start_paused = true)] async fn a() { tokio::time::sleep(x).await; assert!(x); std::thread::sleep(x); }",
        expect![[r#"
            crates/engine/src/run.rs:1: [test-habit] a test sleeps: drive the clock, or wait for the event itself
        "#]],
    );
}

#[test]
fn test_habit() {
    in_code(
        "test-habit",
        "fn a() { sleep(1) }
#[cfg(test)] mod tests {
    #[test] #[ignore] fn b() { assert!(true); }
    #[test] #[should_panic] fn c() { panic!() }
    #[test] fn d() { std::thread::sleep(x); assert!(true); clock.sleep_until(x); }
    #[test] fn e() { run(); println!(\"assert\") }
    #[test] fn f() { check(\"x\"); }
}
",
        expect![[r#"
            crates/engine/src/run.rs:3: [test-habit] an ignored test shows nothing: make it run or delete it
            crates/engine/src/run.rs:4: [test-habit] a panic is not a result: compare the error
            crates/engine/src/run.rs:5: [test-habit] a test sleeps: drive the clock, or wait for the event itself
            crates/engine/src/run.rs:6: [test-habit] the test asserts nothing
        "#]],
    );
}

#[test]
fn outside() {
    let paths = ["/work/x", "/tmp/brief", "see design/08", "/root/x", "design of 1"];
    let text = paths.map(|path| format!("// {path}\n")).concat();
    in_files(
        "outside",
        &[
            ("crates/model/src/lib.rs", &text),
            ("docs/a.md", "10-settled.md"),
            ("a.json", "\"/work/\""),
        ],
        expect![[r#"
            a.json:1: [outside] `/work/` is outside this repository
            crates/model/src/lib.rs:1: [outside] `/work/` is outside this repository
            crates/model/src/lib.rs:2: [outside] `/tmp/brief` is outside this repository
            crates/model/src/lib.rs:3: [outside] `design/0` is outside this repository
            crates/model/src/lib.rs:4: [outside] `/root/` is outside this repository
            docs/a.md:1: [outside] `10-settled` is outside this repository
        "#]],
    );
}

#[test]
fn error_page() {
    in_files(
        "error-page",
        &[
            (
                "crates/model/src/code.rs",
                "/// Like SH9999.\nconst A: &str = \"SH0001\"; const B: &str = \"SH0002\";
                 const C: &str = \"SH0001\"; const D: &str = \"see SH0003\"; const E: &str = \"SH00011\";
                 #[cfg(test)] mod tests { const F: &str = \"SH0004\"; }",
            ),
            ("crates/engine/src/code.rs", "const A: &str = \"SH0001\";"),
            (
                "crates/api/src/problem.rs",
                "struct ProblemCode(u16); impl ProblemCode { const A: Self = Self(6); const B: Self = Self(7); }",
            ),
            ("docs/errors/SH0006.md", "# SH0006: six\n"),
            ("docs/errors/SH0001.md", "# SH0001: wrong\n"),
            ("docs/errors/SH0003.md", "# SH0003: also wrong\n"),
            ("docs/errors/SH0005.md", "wrong\n"),
        ],
        expect![[r#"
            crates/api/src/problem.rs:1: [error-page] SH0007 has no page docs/errors/SH0007.md
            crates/engine/src/code.rs:1: [error-page] SH0001 is defined in crates/model/src/code.rs already
            crates/model/src/code.rs:2: [error-page] SH0002 has no page docs/errors/SH0002.md
            docs/errors/SH0003.md: [error-page] no code SH0003 is defined
            docs/errors/SH0005.md: [error-page] no code SH0005 is defined
            docs/errors/SH0005.md:1: [error-page] does not begin with `# SH0005: `
        "#]],
    );
}

#[test]
fn exceptions_only_shrink() {
    let allowed = |count: usize, reason: &str| {
        format!(
            "[[allowed]]\nrule='swallowed'\nfile='crates/a/src/lib.rs'\ncount={count}\nreason='{reason}'\n"
        )
    };
    let code = "fn a() { let _ = b(); let _ = c(); }";
    for (list, expected) in [
        (allowed(2, "both are infallible"), expect![[r#""#]]),
        (
            allowed(1, "one is infallible"),
            expect![[r#"
            crates/a/src/lib.rs:1: [swallowed] the value is thrown away: handle it, or say why it does not matter
            crates/a/src/lib.rs:1: [swallowed] the value is thrown away: handle it, or say why it does not matter
        "#]],
        ),
        (
            allowed(3, "three are infallible"),
            expect![[r#"
            xtask/allowed.toml: [swallowed] the exception for crates/a/src/lib.rs allows 3, only 2 are there: write 2
        "#]],
        ),
        (
            allowed(2, ""),
            expect![[r#"
            xtask/allowed.toml: [swallowed] the exception for crates/a/src/lib.rs gives no reason
        "#]],
        ),
    ] {
        in_files(
            "swallowed",
            &[("crates/a/src/lib.rs", code), ("xtask/allowed.toml", &list)],
            expected,
        );
    }
}

#[test]
fn reference() {
    let page = "[a](b.md) [c](../README.md#top) [d](gone.md) [e](https://example.org/f) [g](#here)
Code: `crates/model/src/ids.rs::kept`, `crates/model`, `crates/model/src/ids.rs::gone`, `crates/none`, `x/y`.
```text
`crates/none`
```
";
    in_files(
        "reference",
        &[
            ("README.md", "[a](docs/a.md)\n"),
            ("docs/a.md", page),
            ("docs/b.md", ""),
            ("crates/model/src/ids.rs", "fn kept() {}"),
        ],
        expect![[r#"
            docs/a.md:1: [reference] there is no `gone.md`
            docs/a.md:2: [reference] there is no `crates/model/src/ids.rs::gone`
            docs/a.md:2: [reference] there is no `crates/none`
        "#]],
    );
}
