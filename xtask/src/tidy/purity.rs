//! What a crate's code may not name: the crates that decide do no IO, and some doors have one owner.

use crate::tidy::tree::{File, Tree};
use crate::tidy::{Broken, rust};

/// A crate that decides, with the files that may do more.
struct Pure {
    name: &'static str,
    /// Files that are the crate's own thin shell, by the beginning of their path below `src/`.
    door: &'static [&'static str],
}

const PURE: [Pure; 5] = [
    Pure { name: "model", door: &[] },
    Pure { name: "runbook", door: &[] },
    Pure { name: "engine", door: &[] },
    Pure { name: "incident", door: &[] },
    // The world is a file, and a process serves it; what happens in the world is decided elsewhere.
    Pure { name: "practice", door: &["door", "serve", "world_file"] },
];

/// What is IO: a clock, a disk, a wire, randomness, a thread, a program.
const IMPURE: [&str; 20] = [
    "tokio",
    "async_std",
    "getrandom",
    "rand",
    "rustix",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "std::os",
    "std::path::Path::exists",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::io::Stdin",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::time::UNIX_EPOCH",
    "jiff::Timestamp::now",
];

/// Names that say the same through an import of the module above them.
const IMPURE_TAILS: [&str; 6] = [
    "SystemTime::now",
    "Instant::now",
    "Zoned::now",
    "Timestamp::now",
    "time::SystemTime",
    "time::Instant",
];

/// `engine::port` is the one place of a pure crate with futures.
const PORT: &str = "crates/engine/src/port";

/// Crates that decide name no clock, no disk, no wire, no randomness, and have no async code.
pub(super) fn purity(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in tree.rust() {
        if !is_pure(file) {
            continue;
        }
        for named in file.named() {
            let impure = IMPURE.iter().any(|path| named.is_under(path))
                || IMPURE_TAILS
                    .iter()
                    .any(|tail| named.path == *tail || named.path.ends_with(&format!("::{tail}")));
            if impure {
                let what = format!("a crate that decides names `{}`", named.path);
                broken.push(Broken::new(&file.path, named.line, what));
            }
        }
        for (_, token) in file.code() {
            if token.kind == rust::Kind::Word && matches!(token.text.as_str(), "async" | "await") {
                let what = "async code in a crate that decides";
                broken.push(Broken::new(&file.path, token.line, what));
            }
            let future = matches!(token.text.as_str(), "Future" | "BoxFuture" | "Poll");
            if token.kind == rust::Kind::Word && future && !file.path.starts_with(PORT) {
                let what = format!("`{}` outside engine::port", token.text);
                broken.push(Broken::new(&file.path, token.line, what));
            }
        }
    }
    broken
}

fn is_pure(file: &File) -> bool {
    let Some(pure) = PURE.iter().find(|pure| file.crate_name() == Some(pure.name)) else {
        return false;
    };
    let below = file.path.split_once("/src/").map_or("", |(_, below)| below);
    let in_door = pure.door.iter().any(|door| {
        below.strip_prefix(door).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    });
    !below.is_empty() && !in_door
}

/// Crates that may start programs: the one that owns it, and the ones that only help development.
const SPAWNERS: [&str; 3] = ["process", "testkit", "xtask"];
const SPAWNING: [&str; 4] =
    ["std::process::Command", "tokio::process", "process_wrap", "std::os::unix::process"];

/// Only `process` starts programs.
pub(super) fn spawn(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in tree.rust() {
        if file.crate_name().is_none_or(|name| SPAWNERS.contains(&name)) {
            continue;
        }
        for named in file.named() {
            let tail = named.path.ends_with("process::Command");
            if tail || SPAWNING.iter().any(|path| named.is_under(path)) {
                let what = format!("`{}`: only `process` starts programs", named.path);
                broken.push(Broken::new(&file.path, named.line, what));
            }
        }
    }
    broken
}

const JUDGE: &str = "crates/testkit/src/judge";

/// The judge shares no code with what it judges, tests included.
pub(super) fn judge(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    let belongs = |path: &str| {
        path.strip_prefix(JUDGE).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    };
    for file in tree.rust().filter(|file| belongs(&file.path)) {
        for named in rust::named(&file.tokens) {
            let ours = named.path.starts_with("steadyhand_");
            let sibling = named.is_under("crate") && !named.is_under("crate::judge");
            if ours || (sibling && named.path != "crate") {
                let what = format!("the judge names `{}`", named.path);
                broken.push(Broken::new(&file.path, named.line, what));
            }
        }
    }
    broken
}

/// Crates at an edge: what they read or write is JSON of somebody else, or of a format.
const EDGES: [&str; 6] = ["contract", "tools", "api", "cli", "testkit", "xtask"];

/// Untyped JSON stays at the edges; inside, values have types.
pub(super) fn untyped_json(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in tree.rust() {
        if file.crate_name().is_none_or(|name| EDGES.contains(&name)) {
            continue;
        }
        for named in file.named().iter().filter(|named| named.is_under("serde_json::Value")) {
            let what = "untyped JSON inside: read it into a type";
            broken.push(Broken::new(&file.path, named.line, what));
        }
    }
    broken
}

/// Where a call becomes one that may be made, and where that type stands.
const AUTHORIZES: &str = "crates/engine/src/pending.rs";
const AUTHORIZED: &str = "crates/engine/src/port.rs";

/// Only `pending` makes an `Authorized` call, and none is ever read from bytes.
pub(super) fn authorized(tree: &Tree) -> Vec<Broken> {
    let mut broken = Vec::new();
    for file in tree.rust() {
        let made = file.named().into_iter().filter(|named| named.path.ends_with("Authorized::new"));
        for named in made.filter(|_| file.path != AUTHORIZES) {
            let what = format!("an authorized call is made outside {AUTHORIZES}");
            broken.push(Broken::new(&file.path, named.line, what));
        }
        let Some(at) = (0..file.tokens.len())
            .find(|at| rust::reads(&file.tokens, *at, &["struct", "Authorized"]))
        else {
            continue;
        };
        let line = file.tokens.get(at).map_or(0, |token| token.line);
        if file.path != AUTHORIZED {
            broken.push(Broken::new(&file.path, line, "a second type called `Authorized`"));
        }
        // From the struct back to the end of the item before it: its attributes.
        let attributes = file.tokens.iter().take(at).rev();
        let attributes = attributes.take_while(|token| !matches!(token.text.as_str(), ";" | "}"));
        if attributes.into_iter().any(|token| token.text == "Deserialize") {
            let what = "an authorized call can be read from bytes";
            broken.push(Broken::new(&file.path, line, what));
        }
        let open = (at..file.tokens.len()).find(|at| rust::reads(&file.tokens, *at, &["{"]));
        let end = open.map_or(at, |open| rust::after_group(&file.tokens, open));
        if file.tokens.iter().take(end).skip(at).any(|token| token.text == "pub") {
            let what = "a field of an authorized call is public";
            broken.push(Broken::new(&file.path, line, what));
        }
    }
    broken
}
