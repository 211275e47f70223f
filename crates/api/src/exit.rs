//! Exit codes. They are API: a script may rely on each number for ever.

use serde::{Deserialize, Serialize};
use steadyhand_model::outcome::RunOutcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum ExitCode {
    Ok,
    /// Failed, undone, or handed over: what was asked for is not there.
    Failed,
    /// A plan that would change something.
    ChangesPending,
    /// By a person.
    Denied,
    /// An outcome is unknown, or a run is unresolved.
    Unknown,
    Stopped,
    /// At a gate, or for a person's choice.
    Waiting,
    /// By policy, a limit, time or drift. Nothing was changed.
    Refused,
    /// Evidence: changed after it was made.
    Tampered,
    /// Evidence: a part is missing.
    Incomplete,
    /// Evidence: it cannot be checked here.
    Unverifiable,
    Usage,
    /// A fault of this program.
    Bug,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not an exit code of this program")]
pub struct ExitCodeError(pub u8);

impl ExitCode {
    pub const ALL: [Self; 13] = [
        Self::Ok,
        Self::Failed,
        Self::ChangesPending,
        Self::Denied,
        Self::Unknown,
        Self::Stopped,
        Self::Waiting,
        Self::Refused,
        Self::Tampered,
        Self::Incomplete,
        Self::Unverifiable,
        Self::Usage,
        Self::Bug,
    ];

    pub const fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::ChangesPending => 2,
            Self::Denied => 3,
            Self::Unknown => 4,
            Self::Stopped => 5,
            Self::Waiting => 6,
            Self::Refused => 7,
            Self::Tampered => 10,
            Self::Incomplete => 11,
            Self::Unverifiable => 12,
            Self::Usage => 64,
            Self::Bug => 70,
        }
    }
}

impl From<ExitCode> for u8 {
    fn from(code: ExitCode) -> Self {
        code.number()
    }
}

impl TryFrom<u8> for ExitCode {
    type Error = ExitCodeError;

    fn try_from(number: u8) -> Result<Self, ExitCodeError> {
        Self::ALL.into_iter().find(|code| code.number() == number).ok_or(ExitCodeError(number))
    }
}

impl From<RunOutcome> for ExitCode {
    fn from(outcome: RunOutcome) -> Self {
        match outcome {
            RunOutcome::Succeeded | RunOutcome::NothingToDo => Self::Ok,
            RunOutcome::HandedOver
            | RunOutcome::Failed
            | RunOutcome::Undone
            | RunOutcome::UndoFailed => Self::Failed,
            RunOutcome::Denied => Self::Denied,
            RunOutcome::Expired | RunOutcome::Superseded => Self::Refused,
            RunOutcome::Stopped => Self::Stopped,
            RunOutcome::Unresolved => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_fixed() {
        let numbers: Vec<u8> = ExitCode::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 64, 70]);
        for code in ExitCode::ALL {
            assert_eq!(ExitCode::try_from(code.number()), Ok(code));
        }
        assert_eq!(ExitCode::try_from(8), Err(ExitCodeError(8)));
    }

    #[test]
    fn every_outcome_has_its_exit() {
        let exits: Vec<(&str, u8)> = RunOutcome::ALL
            .iter()
            .map(|outcome| (outcome.word(), ExitCode::from(*outcome).number()))
            .collect();
        let want = [
            ("succeeded", 0),
            ("nothing_to_do", 0),
            ("handed_over", 1),
            ("denied", 3),
            ("expired", 7),
            ("superseded", 7),
            ("failed", 1),
            ("undone", 1),
            ("undo_failed", 1),
            ("stopped", 5),
            ("unresolved", 4),
        ];
        assert_eq!(exits, want);
    }
}
