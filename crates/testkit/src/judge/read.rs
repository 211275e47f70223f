//! Reading an export from its directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::judge::canonical;
use crate::judge::form::{Attempt, Body, Line, Plan, Row};

/// Why an export cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{} cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} line {line} is not of its form", path.display())]
    Form {
        path: PathBuf,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
    #[error("{} line {line}: {what}", path.display())]
    Line { path: PathBuf, line: usize, what: &'static str },
}

/// Everything that one export holds.
#[derive(Debug)]
pub(super) struct History {
    /// In the order in which they were committed, over all streams.
    pub(super) rows: Vec<Row>,
    /// By `sha256:<hex>` of the file's name.
    pub(super) plans: BTreeMap<String, Sealed>,
    pub(super) world: Vec<Line>,
    /// Every file below the directory, for what must not be in any.
    pub(super) files: Vec<(PathBuf, Vec<u8>)>,
}

/// A plan as its file has it.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) plan: Plan,
    /// SHA-256 of the file's bytes, and of the canonical form of what they say.
    pub(super) digests: [String; 2],
}

/// An `apply` that the world took in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Applied<'a> {
    pub(super) attempt: &'a Attempt,
    pub(super) at: i64,
    /// The world became another one, or will.
    pub(super) effect: bool,
    /// When it did.
    pub(super) landed: i64,
}

impl History {
    /// Every `apply` of the world, effects and refusals.
    pub(super) fn applied(&self) -> impl Iterator<Item = Applied<'_>> {
        self.world.iter().filter_map(|line| match &line.body {
            Body::Effect { attempt, due } => {
                let undone = self.world.iter().any(
                    |l| matches!(&l.body, Body::Landed { of, changed: false } if *of == line.seq),
                );
                let landed = due.unwrap_or(line.at);
                Some(Applied { attempt, at: line.at, effect: !undone, landed })
            }
            Body::Request { tool, attempt: Some(attempt) } if tool.ends_with(".apply") => {
                Some(Applied { attempt, at: line.at, effect: false, landed: line.at })
            }
            _ => None,
        })
    }

    pub(super) fn effects(&self) -> impl Iterator<Item = Applied<'_>> {
        self.applied().filter(|applied| applied.effect)
    }
}

pub(super) fn read(directory: &Path) -> Result<History, ReadError> {
    let mut files = Vec::new();
    collect(directory, &mut files)?;
    let journal = directory.join("journal.jsonl");
    let world = directory.join("world.jsonl");
    let rows = lines(&journal, &bytes(&journal)?)?;
    let world = world_lines(&world, &bytes(&world)?)?;
    let mut plans = BTreeMap::new();
    let folder = directory.join("plans");
    for (path, bytes) in files.iter().filter(|(path, _)| path.parent() == Some(&folder)) {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let Some(hex) = stem.filter(|_| path.extension().is_some_and(|e| e == "json")) else {
            let what = "not a plan: its name is not <digest>.json";
            return Err(ReadError::Line { path: path.clone(), line: 0, what });
        };
        plans.insert(format!("sha256:{hex}"), sealed(path, bytes)?);
    }
    Ok(History { rows, plans, world, files })
}

fn sealed(path: &Path, bytes: &[u8]) -> Result<Sealed, ReadError> {
    let form = |source| ReadError::Form { path: path.to_owned(), line: 1, source };
    let json: Value = serde_json::from_slice(bytes).map_err(form)?;
    let canonical =
        canonical::text(&json).map_or_else(String::new, |text| canonical::digest(text.as_bytes()));
    let plan = serde_json::from_value(json).map_err(form)?;
    Ok(Sealed { plan, digests: [canonical::digest(bytes), canonical] })
}

fn bytes(path: &Path) -> Result<Vec<u8>, ReadError> {
    std::fs::read(path).map_err(|source| ReadError::File { path: path.to_owned(), source })
}

/// One JSON document a line, each ended by a newline.
fn lines<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<Vec<T>, ReadError> {
    let mut all = Vec::new();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let refused = |what| ReadError::Line { path: path.to_owned(), line: index + 1, what };
        let line = line.strip_suffix(b"\n").ok_or_else(|| refused("it has no end"))?;
        let form = |source| ReadError::Form { path: path.to_owned(), line: index + 1, source };
        let json: Value = serde_json::from_slice(line).map_err(form)?;
        // Two equal keys, spaces, or another way to write the same text make it longer than its canonical form.
        if canonical::text(&json).map(|text| text.len()) != Some(line.len()) {
            return Err(refused("it is not canonical, up to the order of its keys"));
        }
        all.push(serde_json::from_value(json).map_err(form)?);
    }
    Ok(all)
}

/// A last line that was cut off is not in the world. Everything else follows without a gap.
fn world_lines(path: &Path, bytes: &[u8]) -> Result<Vec<Line>, ReadError> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let world: Vec<Line> = lines(path, bytes.get(..end).unwrap_or(bytes))?;
    let mut before = i64::MIN;
    for (index, line) in world.iter().enumerate() {
        let refused = |what| ReadError::Line { path: path.to_owned(), line: index + 1, what };
        if line.v != 1 {
            return Err(refused("it is not of version 1"));
        }
        if u64::try_from(index + 1) != Ok(line.seq) {
            return Err(refused("a line of the world is missing"));
        }
        if line.at < before {
            return Err(refused("the world's clock went back"));
        }
        if (index == 0) != matches!(line.body, Body::Seed {}) {
            return Err(refused("a world begins with its seed, and has one"));
        }
        before = line.at;
    }
    Ok(world)
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) -> Result<(), ReadError> {
    let failed = |source| ReadError::File { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            let bytes = bytes(&path)?;
            files.push((path, bytes));
        }
    }
    Ok(())
}
