//! What every journal must do: one suite over all implementations of the port.
//!
//! Cases are scripts with their whole expected output in `cases/`; what needs several tasks at once is in [`race`].
//! A crate that implements the port runs [`check_cases`] and the races on its own journal; nothing here knows one.

pub mod crashing;
pub mod race;
mod render;
mod script;

use std::fmt;
use std::sync::Arc;

use expect_test::{ExpectFile, expect_file};
use steadyhand_engine::port::Journal;

pub use self::script::ScriptError;

/// Gets the only handle, so that dropping it closes the journal before the next keeper opens it.
pub type Reopen = Box<dyn Fn(Arc<dyn Journal>) -> Arc<dyn Journal>>;

/// A fresh, empty journal, and how its next keeper opens it.
pub struct Subject {
    pub journal: Arc<dyn Journal>,
    pub reopen: Reopen,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("journal", &self.journal).finish_non_exhaustive()
    }
}

fn cases() -> Vec<ExpectFile> {
    vec![
        expect_file!["cases/append.txt"],
        expect_file!["cases/batch.txt"],
        expect_file!["cases/content.txt"],
        expect_file!["cases/due.txt"],
        expect_file!["cases/fences.txt"],
        expect_file!["cases/inbox.txt"],
        expect_file!["cases/intents.txt"],
        expect_file!["cases/leases.txt"],
        expect_file!["cases/rates.txt"],
        expect_file!["cases/runs.txt"],
    ]
}

/// Runs every script, each case on a fresh journal, and compares all output with what the script says.
///
/// # Errors
/// If a script itself is wrong. A difference in the output is a panic that shows it.
pub async fn check_cases(fresh: &dyn Fn() -> Subject) -> Result<(), ScriptError> {
    for case in cases() {
        let got = script::run(&case.data(), fresh).await?;
        case.assert_eq(&got);
    }
    Ok(())
}
