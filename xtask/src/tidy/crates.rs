//! Which crate may know which: the table of the architecture, checked against what cargo says.
//!
//! The table lists every crate. A new crate, or a new edge, is a change of this file and of ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::Broken;
use crate::tidy::tree::{Tree, parse};
use crate::workspace::Package;

/// One crate: what its code may depend on, and what its tests may depend on as well.
struct Row {
    name: &'static str,
    normal: &'static [&'static str],
    tests: &'static [&'static str],
}

const PREFIX: &str = "steadyhand-";

const TABLE: [Row; 15] = [
    Row { name: "model", normal: &[], tests: &[] },
    Row { name: "runbook", normal: &["model"], tests: &[] },
    Row { name: "engine", normal: &["model"], tests: &[] },
    Row { name: "store", normal: &["model", "engine"], tests: &["testkit"] },
    Row { name: "contract", normal: &["model"], tests: &[] },
    Row { name: "process", normal: &[], tests: &[] },
    // Git is a program, and only `process` starts programs.
    Row { name: "library", normal: &["model", "runbook", "process"], tests: &[] },
    Row { name: "tools", normal: &["model", "engine", "process"], tests: &["testkit"] },
    Row { name: "practice", normal: &["model", "contract"], tests: &[] },
    Row { name: "incident", normal: &["model"], tests: &[] },
    Row { name: "api", normal: &["model"], tests: &[] },
    Row {
        name: "runtime",
        normal: &["model", "engine", "runbook", "library", "incident", "api"],
        tests: &["testkit", "store"],
    },
    Row {
        name: "cli",
        normal: &[
            "model", "runbook", "engine", "store", "contract", "process", "library", "tools",
            "practice", "incident", "api", "runtime",
        ],
        tests: &["testkit"],
    },
    Row {
        name: "testkit",
        normal: &[
            "model", "runbook", "engine", "store", "contract", "process", "library", "tools",
            "practice", "incident", "api", "runtime",
        ],
        tests: &[],
    },
    Row { name: "xtask", normal: &[], tests: &[] },
];

/// A heavy dependency and the crates that may have it. `testkit` plays the other side in tests and may have any.
const HEAVY: [(&str, &[&str]); 9] = [
    ("rusqlite", &["store"]),
    ("rmcp", &["tools", "contract"]),
    ("process-wrap", &["process"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("ed25519-dalek", &["contract", "tools"]),
    ("granit-parser", &["runbook"]),
    ("annotate-snippets", &["runbook"]),
    // The oracle of a differential test, never part of the product.
    ("cel", &[]),
];

/// Packages that may not be in the lock file at all.
const BANNED: [(&str, &str); 7] = [
    ("aws-lc-sys", "a second cryptography library, and minutes of building"),
    ("openssl-sys", "a second cryptography library, from outside"),
    ("mockall", "mocks restate the code: use the real thing or a second implementation"),
    ("serde_yaml", "no spans, and no longer maintained"),
    ("async-std", "a second runtime"),
    ("native-tls", "a second cryptography library, from outside"),
    ("anyhow", "an error is an enum"),
];

/// Packages that may be there once only.
const ONCE: [&str; 6] = ["reqwest", "libsqlite3-sys", "rusqlite", "tokio", "rmcp", "ed25519-dalek"];

fn short(package: &str) -> Option<&str> {
    package.strip_prefix(PREFIX)
}

fn manifest_of(package: &Package) -> String {
    match short(&package.name) {
        Some("xtask") => "xtask/Cargo.toml".to_owned(),
        Some(name) => format!("crates/{name}/Cargo.toml"),
        None => package.manifest_path.display().to_string(),
    }
}

/// A crate depends on what the table gives it, and on nothing else of ours.
pub(super) fn direction(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for package in &tree.packages {
        let manifest = manifest_of(package);
        let row = short(&package.name).and_then(|name| TABLE.iter().find(|row| row.name == name));
        let Some(row) = row else {
            broken.push(Broken::new(manifest, 0, format!("{} is not in the table", package.name)));
            continue;
        };
        for dependency in &package.dependencies {
            let Some(name) = short(&dependency.name) else { continue };
            let normal = row.normal.contains(&name);
            let allowed = match dependency.kind.as_deref() {
                None => normal,
                Some("dev") => normal || row.tests.contains(&name),
                Some(_) => false,
            };
            if !allowed {
                let kind = dependency.kind.as_deref().unwrap_or("normal");
                let what = format!("{} may not depend on {name} ({kind} dependency)", row.name);
                broken.push(Broken::new(manifest.clone(), 0, what));
            }
        }
    }
    broken
}

/// A heavy dependency stays with the crates that it was given to.
pub(super) fn heavy(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for package in &tree.packages {
        let name = short(&package.name).unwrap_or(&package.name);
        for dependency in &package.dependencies {
            let Some((_, crates)) = HEAVY.iter().find(|(heavy, _)| *heavy == dependency.name)
            else {
                continue;
            };
            let for_tests = dependency.kind.as_deref() == Some("dev");
            if crates.contains(&name) || for_tests || name == "testkit" {
                continue;
            }
            let owners = if crates.is_empty() { "tests".to_owned() } else { crates.join(" and ") };
            let what = format!("{} is for {owners} only", dependency.name);
            broken.push(Broken::new(manifest_of(package), 0, what));
        }
    }
    broken
}

/// Nothing in the lock file that was decided against, and no second one of what is large.
pub(super) fn banned(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for (name, why) in BANNED {
        if tree.lock.package.iter().any(|package| package.name == name) {
            broken.push(Broken::new("Cargo.lock", 0, format!("{name} is not wanted: {why}")));
        }
    }
    for name in ONCE {
        let versions: Vec<&str> = tree
            .lock
            .package
            .iter()
            .filter(|package| package.name == name)
            .map(|package| package.version.as_str())
            .collect();
        if versions.len() > 1 {
            let what = format!("{name} is there more than once: {}", versions.join(", "));
            broken.push(Broken::new("Cargo.lock", 0, what));
        }
    }
    broken
}

const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Every manifest takes lints and versions from the workspace, and no crate has tests in its documentation.
pub(super) fn manifest(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in &tree.files {
        let member = file.path.starts_with("crates/") || file.path.starts_with("xtask/");
        if !member || !file.path.ends_with("/Cargo.toml") {
            continue;
        }
        let Ok(manifest) = parse::<toml::Table>(&file.path, &file.text) else {
            broken.push(Broken::new(&file.path, 0, "not a TOML document"));
            continue;
        };
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        if lints.and_then(toml::Value::as_bool) != Some(true) {
            broken.push(Broken::new(&file.path, 0, "lacks `[lints] workspace = true`"));
        }
        for table in TABLES {
            let entries = manifest.get(table).and_then(toml::Value::as_table);
            for (name, value) in entries.into_iter().flatten() {
                let inherited = value.get("workspace").and_then(toml::Value::as_bool);
                if inherited != Some(true) {
                    let what = format!("{name}: versions stand in the workspace's manifest only");
                    broken.push(Broken::new(&file.path, 0, what));
                }
            }
        }
    }
    for package in &tree.packages {
        for target in package.targets.iter().filter(|t| t.doctest) {
            let what = format!("lacks `doctest = false` for {}", target.name);
            broken.push(Broken::new(manifest_of(package), 0, what));
        }
    }
    broken
}

/// A version in the workspace's manifest that no crate uses is a dependency that nobody asked for.
pub(super) fn unused_version(tree: &Tree) -> Vec<Broken> {
    let Some(root) = tree.files.iter().find(|file| file.path == "Cargo.toml") else {
        return Vec::new();
    };
    let Ok(manifest) = parse::<toml::Table>(&root.path, &root.text) else {
        return vec![Broken::new(&root.path, 0, "not a TOML document")];
    };
    let listed: BTreeMap<&str, &toml::Value> = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    let used: BTreeSet<&str> = tree
        .packages
        .iter()
        .flat_map(|package| &package.dependencies)
        .map(|dependency| dependency.name.as_str())
        .collect();
    listed
        .keys()
        .filter(|name| !name.starts_with(PREFIX) && !used.contains(*name))
        .map(|name| Broken::new(&root.path, 0, format!("no crate uses {name}")))
        .collect()
}
