//! What a request may run into, as a problem for a tired person.

use steadyhand_api::exit::ExitCode;
use steadyhand_api::problem::{Problem, ProblemCode};
use steadyhand_engine::input::Rejected;
use steadyhand_engine::port::{AppendError, LoadError, ReadError};
use steadyhand_incident::alertmanager::BodyError;
use steadyhand_incident::signal::KeyError;
use steadyhand_model::canonical::CanonicalError;
use steadyhand_model::ids::IdError;

use crate::driver::TellError;
use crate::keeper::OpenError;
use crate::place::PlaceError;
use crate::planning::PlanningError;
use crate::record::RecordError;
use crate::shelf::ShelfError;

#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("there is no run `{text}` here")]
    NoRun { text: String },
    #[error("several runs begin with `{text}`: {found}")]
    SeveralRuns { text: String, found: String },
    #[error("there is no plan `{text}` here")]
    NoPlan { text: String },
    #[error("several plans begin with `{text}`")]
    SeveralPlans { text: String },
    #[error("the library has no runbook `{text}`; it has: {known}")]
    NoRunbook { text: String, known: String },
    #[error("the library has no environment `{text}`; it has: {known}")]
    NoEnvironment { text: String, known: String },
    #[error("the runbook may be used in several environments: {known}")]
    WhichEnvironment { known: String },
    #[error("the alert belongs to no environment of the library")]
    AlertNowhere,
    #[error("the alert belongs to several environments: {known}")]
    AlertInSeveral { known: String },
    #[error("the body has no firing alert `{text}`")]
    NoAlert { text: String },
    #[error("no alert of the practice world is bound to the runbook `{runbook}`")]
    NothingFires { runbook: String },
    #[error("the environment `{environment}` is in mode {mode}: {what}")]
    HeldBack { environment: String, mode: &'static str, what: &'static str },
    #[error("a drill needs an environment of class practice; the library has none")]
    NoPractice,
    #[error("the environment `{environment}` has no tool servers in this version")]
    NoServers { environment: String },
    #[error("nothing of the run `{run}` was written that could be undone")]
    NothingToUndo { run: String },
    #[error("the request has no id of its own")]
    NoInbox,
    #[error("the system has no randomness")]
    Random {
        #[source]
        source: getrandom::Error,
    },
    #[error(transparent)]
    Planning(#[from] PlanningError),
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Tell(#[from] TellError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("the name of the source cannot be used")]
    Source {
        #[source]
        source: KeyError,
    },
    #[error("the journal could not be read")]
    Load {
        #[source]
        source: LoadError,
    },
    #[error("the journal could not be written")]
    Append {
        #[source]
        source: AppendError,
    },
    #[error("the alerts could not be read")]
    Alerts {
        #[source]
        source: ReadError,
    },
    #[error("the alerts cannot be understood")]
    AlertForm {
        #[source]
        source: serde_json::Error,
    },
    #[error("a value cannot be written or read as canonical JSON")]
    Canonical {
        #[source]
        source: CanonicalError,
    },
    #[error("a name of this program is broken")]
    Name {
        #[source]
        source: IdError,
    },
}

/// The number of the code for faults of this program, below.
const FAULT: u16 = 749;

struct Told {
    code: &'static str,
    help: String,
    exit: ExitCode,
}

fn told(code: &'static str, help: impl Into<String>, exit: ExitCode) -> Told {
    Told { code, help: help.into(), exit }
}

impl ServiceError {
    /// The problem that the client is told.
    pub(crate) fn problem(&self) -> Problem {
        let Told { code, help, exit } = self.told();
        match code.parse::<ProblemCode>() {
            Ok(code) => Problem::of(code, self, &help, exit),
            // A code of this program that is no code: the words are still worth more than silence.
            Err(_broken) => Problem {
                code: ProblemCode::of(FAULT),
                title: self.to_string(),
                causes: Vec::new(),
                help,
                exit: ExitCode::Bug,
            },
        }
    }

    fn told(&self) -> Told {
        match self {
            Self::NoRun { .. } => {
                told("SH0731", "see `steady status` and `steady history`", ExitCode::Failed)
            }
            Self::SeveralRuns { .. } => told("SH0732", "give more of its id", ExitCode::Failed),
            Self::NoPlan { .. } => {
                told("SH0733", "make it again:  steady plan RUNBOOK", ExitCode::Failed)
            }
            Self::SeveralPlans { .. } => {
                told("SH0733", "give more of its digest", ExitCode::Failed)
            }
            Self::NoRunbook { .. } => told("SH0735", "name one of these", ExitCode::Failed),
            Self::NoEnvironment { .. } => {
                told("SH0736", "name one of these:  -e NAME", ExitCode::Failed)
            }
            Self::WhichEnvironment { .. } => {
                told("SH0736", "name one of them:  -e NAME", ExitCode::Failed)
            }
            Self::AlertNowhere => told(
                "SH0737",
                "an environment's `match` decides; name one yourself:  -e NAME",
                ExitCode::Refused,
            ),
            Self::AlertInSeveral { .. } => told(
                "SH0737",
                "make their `match` exclude each other, or name one:  -e NAME",
                ExitCode::Refused,
            ),
            Self::NoAlert { .. } => {
                told("SH0738", "give the fingerprint of one that fires", ExitCode::Failed)
            }
            Self::NothingFires { .. } => told(
                "SH0739",
                "start it by hand with -p, or bind it to an alert of the practice world",
                ExitCode::Failed,
            ),
            Self::HeldBack { .. } => {
                told("SH0740", "a reviewed change of `mode` allows it", ExitCode::Refused)
            }
            Self::NoPractice => told("SH0741", "add one, or leave --library out", ExitCode::Failed),
            Self::NoServers { .. } => {
                told("SH0741", "use an environment whose servers are practice", ExitCode::Failed)
            }
            Self::NothingToUndo { .. } => {
                told("SH0742", "there is nothing to do", ExitCode::Refused)
            }
            Self::NoInbox => told("SH0743", "use a client of this version", ExitCode::Failed),
            Self::Planning(error) => {
                let (code, help) = error.code_and_help();
                told(code, help, ExitCode::Refused)
            }
            Self::Shelf(error) => shelf(error),
            Self::Place(_) => {
                told("SH0745", "look at the tool servers of that environment", ExitCode::Failed)
            }
            Self::Open(error) => open(error),
            Self::Tell(error) => tell(error),
            Self::Body(error) => told(error.code(), error.help(), ExitCode::Failed),
            Self::Source { .. } => {
                told("SH0738", "give a plain name, such as `alertmanager`", ExitCode::Usage)
            }
            Self::Load { .. } => told("SH0746", "look at the state directory", ExitCode::Failed),
            Self::Append { source } => append(source),
            Self::Alerts { .. } | Self::AlertForm { .. } => {
                told("SH0745", "look at the tool server `alerts`", ExitCode::Failed)
            }
            Self::Random { .. } | Self::Canonical { .. } | Self::Name { .. } => told(
                "SH0749",
                "this is a fault of Steadyhand or of this machine; please report it",
                ExitCode::Bug,
            ),
        }
    }
}

fn shelf(error: &ShelfError) -> Told {
    let help = match error {
        ShelfError::Mistakes { shown, .. } => {
            format!("see them all:  steady check\n\n{}", shown.join("\n"))
        }
        ShelfError::Read { source, .. } => {
            return told(source.code(), source.help(), ExitCode::Failed);
        }
        ShelfError::Git { source, .. } => {
            return told(source.code(), source.help(), ExitCode::Failed);
        }
        ShelfError::BuiltIn { .. } | ShelfError::GivenUp => {
            "this is a fault of Steadyhand; please report it".to_owned()
        }
    };
    told("SH0744", help, ExitCode::Failed)
}

fn open(error: &OpenError) -> Told {
    match error {
        OpenError::Load { .. } | OpenError::Replay { .. } => told(
            "SH0746",
            "the record of this run is damaged; nothing more is done with it. Keep the state directory",
            ExitCode::Failed,
        ),
        OpenError::OtherMachine { .. } => {
            told("SH0747", "finish this run with the version that made it", ExitCode::Failed)
        }
        OpenError::Place { .. } => {
            told("SH0745", "look at the tool servers of that environment", ExitCode::Failed)
        }
        OpenError::Record { source } => record(source),
    }
}

fn record(error: &RecordError) -> Told {
    match error {
        RecordError::Append { source } => append(source),
        RecordError::Event { .. } | RecordError::Canonical { .. } => {
            told("SH0749", "this is a fault of Steadyhand; please report it", ExitCode::Bug)
        }
    }
}

fn append(error: &AppendError) -> Told {
    let help = match error {
        AppendError::Full => "make room on the disk; nothing was written and nothing is lost",
        AppendError::ReadOnly => "make the state directory writable; nothing was written",
        AppendError::LeaseHeld { .. } => "another run acts on it; wait for it, or cancel it",
        AppendError::RateSpent { .. } => "a person must look before it is done again",
        _ => "type it again; what was recorded is kept",
    };
    told("SH0748", help, ExitCode::Failed)
}

fn tell(error: &TellError) -> Told {
    match error {
        TellError::Rejected { source } => rejected(source),
        TellError::Record { source } => record(source),
        TellError::NothingWaits => {
            told("SH0734", "see what it waits for:  steady status", ExitCode::Refused)
        }
        TellError::Several { .. } => told("SH0734", "name the one that is meant", ExitCode::Failed),
        TellError::OtherPlan { .. } => told(
            "SH0734",
            "look at the card again; a yes counts for exactly one plan",
            ExitCode::Refused,
        ),
        TellError::DriverGone => {
            told("SH0748", "type it again; the same change is not made twice", ExitCode::Failed)
        }
        TellError::Load { source } => open(source),
    }
}

fn rejected(error: &Rejected) -> Told {
    match error {
        Rejected::Illegal { .. } => {
            told("SH0749", "this is a fault of Steadyhand; please report it", ExitCode::Bug)
        }
        _ => told("SH0734", "see what it waits for:  steady status", ExitCode::Refused),
    }
}
