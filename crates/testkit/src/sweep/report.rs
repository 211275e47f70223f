//! What a sweep found, as a table.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use steadyhand_model::outcome::RunOutcome;

use super::points::{Edge, Kill};
use super::{Broken, Played};

/// One scenario's cases, counted.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub name: &'static str,
    /// Points of the undisturbed play, around writes and calls.
    pub points: u32,
    /// Points of the undisturbed play, around reads and previews.
    pub looks: u32,
    pub cases: u32,
    pub kills: u32,
    pub succeeded: u32,
    pub undone: u32,
    /// Runs that ended in any other way.
    pub otherwise: u32,
    /// Runs that needed a person beyond their gates.
    pub waited: u32,
    pub effects: u32,
    pub twice: u32,
    pub inputs: u32,
    pub lost: u32,
}

/// A case that is not clean.
#[derive(Debug)]
pub struct Failure {
    pub scenario: &'static str,
    pub lives: String,
    pub findings: Vec<String>,
    pub folder: PathBuf,
}

#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    pub rows: Vec<Row>,
    pub failures: Vec<Failure>,
    /// Runs that ended otherwise than done or undone: how, and how many.
    pub otherwise: BTreeMap<RunOutcome, u32>,
}

impl Report {
    pub(super) fn new(seed: u64, names: impl Iterator<Item = &'static str>) -> Self {
        let rows = names.map(|name| Row { name, ..Row::default() }).collect();
        Self { seed, rows, failures: Vec::new(), otherwise: BTreeMap::new() }
    }

    pub fn kills(&self) -> u32 {
        self.rows.iter().map(|row| row.kills).sum()
    }

    /// Nothing was found, and enough was tried.
    pub fn is_clean(&self, least_kills: u32) -> bool {
        self.failures.is_empty() && self.kills() >= least_kills
    }

    pub(super) fn has_points(&mut self, name: &str, counts: &BTreeMap<Edge, u32>) {
        for row in self.rows.iter_mut().filter(|row| row.name == name) {
            for (edge, times) in counts {
                let sum = if edge.spot.only_looks() { &mut row.looks } else { &mut row.points };
                *sum += times;
            }
        }
    }

    pub(super) fn take_in(&mut self, played: Played) {
        let Played { case, result, folder } = played;
        let scenario = case.scenario.name;
        let findings = match result {
            Ok((told, shown)) => {
                let Some(row) = self.rows.iter_mut().find(|row| row.name == scenario) else {
                    return;
                };
                row.cases += 1;
                row.kills += told.kills;
                row.waited += told.waited;
                row.inputs += u32::try_from(told.accepted.len()).unwrap_or(u32::MAX);
                row.effects += shown.effects;
                row.twice += shown.twice;
                row.lost += shown.lost;
                for (_, outcome) in told.runs {
                    match outcome {
                        RunOutcome::Succeeded => row.succeeded += 1,
                        RunOutcome::Undone => row.undone += 1,
                        other => {
                            row.otherwise += 1;
                            *self.otherwise.entry(other).or_default() += 1;
                        }
                    }
                }
                shown.findings
            }
            Err(broken) => vec![chain(&broken)],
        };
        if !findings.is_empty() {
            let lives = lives(&case.kills);
            self.failures.push(Failure { scenario, lives, findings, folder });
        }
    }
}

fn chain(error: &Broken) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn lives(kills: &[Option<Kill>]) -> String {
    if kills.is_empty() {
        return "no kill".to_owned();
    }
    let words = kills.iter().map(|kill| kill.map_or_else(|| "lives".to_owned(), |k| k.to_string()));
    words.collect::<Vec<_>>().join(", then ")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "crash sweep, seed {}", self.seed)?;
        writeln!(
            f,
            "{:<34} {:>6} {:>5} {:>5} {:>5} {:>9} {:>6} {:>5} {:>6} {:>7} {:>5} {:>6} {:>4}",
            "scenario",
            "points",
            "looks",
            "cases",
            "kills",
            "succeeded",
            "undone",
            "other",
            "person",
            "effects",
            "twice",
            "inputs",
            "lost"
        )?;
        let mut sum = Row { name: "all", ..Row::default() };
        for row in &self.rows {
            line(f, row)?;
            sum.points += row.points;
            sum.looks += row.looks;
            sum.cases += row.cases;
            sum.kills += row.kills;
            sum.succeeded += row.succeeded;
            sum.undone += row.undone;
            sum.otherwise += row.otherwise;
            sum.waited += row.waited;
            sum.effects += row.effects;
            sum.twice += row.twice;
            sum.inputs += row.inputs;
            sum.lost += row.lost;
        }
        line(f, &sum)?;
        for (outcome, times) in &self.otherwise {
            writeln!(f, "other: {times} {outcome}")?;
        }
        for failure in &self.failures {
            writeln!(f)?;
            writeln!(f, "NOT CLEAN  {}: {}", failure.scenario, failure.lives)?;
            for finding in &failure.findings {
                writeln!(f, "  {finding}")?;
            }
            writeln!(f, "  kept in {}", failure.folder.display())?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    writeln!(
        f,
        "{:<34} {:>6} {:>5} {:>5} {:>5} {:>9} {:>6} {:>5} {:>6} {:>7} {:>5} {:>6} {:>4}",
        row.name,
        row.points,
        row.looks,
        row.cases,
        row.kills,
        row.succeeded,
        row.undone,
        row.otherwise,
        row.waited,
        row.effects,
        row.twice,
        row.inputs,
        row.lost
    )
}
