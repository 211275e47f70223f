//! Recorded journals, replayed for ever. A journal in `tests/journals/v1` is never edited: a machine that reads it
//! otherwise than before is a broken machine, or a new version.

use std::fmt::Write as _;
use std::path::PathBuf;

use expect_test::expect_file;
use steadyhand_engine::run::Run;
use steadyhand_model::event::Recorded;

use crate::{plans, scenarios};

/// What a journal leads to, in a form that does not follow the machine's own fields.
fn ending(run: &Run) -> String {
    let mut out = String::new();
    for (step, state) in run.steps() {
        writeln!(
            out,
            "{}: {:?} attempt {}, wrote {}",
            step.id, state.state, state.attempt, state.wrote
        )
        .unwrap();
    }
    writeln!(out, "leases: {:?}", run.leases()).unwrap();
    writeln!(out, "outcome: {:?} {:?}", run.outcome(), run.why()).unwrap();
    writeln!(out, "pending: {}", run.pending_digest().unwrap()).unwrap();
    out
}

#[test]
fn journals_are_read_as_they_were() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/journals/v1");
    let plans: std::collections::BTreeMap<_, _> = plans::all().into_iter().collect();
    for (name, plan, script) in scenarios::all() {
        let text: String =
            script.rows.iter().map(|row| serde_json::to_string(row).unwrap() + "\n").collect();
        let file = folder.join(format!("{name}.jsonl"));
        expect_file![&file].assert_eq(&text);
        let rows: Vec<Recorded> = std::fs::read_to_string(&file)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(rows.iter().all(Recorded::is_whole), "{name}: the chain is broken");
        let run = Run::replay(plans[plan].clone(), &rows).unwrap();
        expect_file![folder.join(format!("{name}.end"))].assert_eq(&ending(&run));
    }
}
