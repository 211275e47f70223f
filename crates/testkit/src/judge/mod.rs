//! The judge: reads an exported journal, its plans and the practice world's own log, and says which of the safety
//! properties S1-S9 and L1 do not hold. No finding means that the history is clean.
//!
//! It shares no code with what it judges, not even the digest: it has its own canonical JSON, its own reading of every
//! format and its own idea of what a run may do, so that a mistake of the product cannot hide in it. A tidy rule sees to
//! it. What is not here: any way to make a history.

mod canonical;
mod chain;
mod form;
mod intents;
mod leases;
mod life;
mod people;
mod read;
mod run;
mod scope;
mod secrets;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

pub use read::ReadError;

/// A safety property of the design. S5 and S7 are judged as far as one export shows them: processes and signatures are
/// not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// Every effect has an earlier durable intent.
    S1,
    /// The call made is the call planned, byte for byte.
    S2,
    /// Every gate was satisfied when a call was intended.
    S3,
    /// A call is sent at most once for each attempt; unknown until probed or settled.
    S4,
    /// Nothing is begun after a stop.
    S5,
    /// Effects stay within planned targets and limits; a surprise blocks.
    S6,
    /// The hash chain is whole.
    S7,
    /// No secret is in the record.
    S8,
    /// Two runs never write to the same target at once.
    S9,
    /// Every run ends, or waits on a person.
    L1,
}

/// One place where a property does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub property: Property,
    /// The run that it is about, where it is about one.
    pub run: Option<String>,
    /// The row of the run's stream that shows it, where one does.
    pub seq: Option<u64>,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.property)?;
        if let Some(run) = &self.run {
            write!(f, " {run}")?;
        }
        if let Some(seq) = self.seq {
            write!(f, " row {seq}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// What the judge is told beside the export.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Texts that were planted as secrets: they may occur nowhere in the export.
    pub canaries: Vec<String>,
    /// Nothing drives the runs any more: each must have ended or wait on a person (L1).
    pub at_rest: bool,
}

/// Judges the export in `directory`: `journal.jsonl`, `plans/<hex>.json` and `world.jsonl`.
///
/// # Errors
/// If something is missing or cannot be read at all: what cannot be read is not clean.
pub fn judge(directory: &Path, given: &Given) -> Result<Vec<Finding>, ReadError> {
    let history = read::read(directory)?;
    let mut findings = chain::check(&history);
    let runs = run::runs(&history, &mut findings);
    for run in &runs {
        intents::check(run, &history, &mut findings);
        people::check(run, &mut findings);
        scope::check(run, &history, &mut findings);
        life::check(run, &history, given.at_rest, &mut findings);
    }
    intents::strangers(&runs, &history, &mut findings);
    leases::check(&runs, &mut findings);
    secrets::check(&history, &given.canaries, &mut findings);
    findings.sort();
    findings.dedup();
    Ok(findings)
}
