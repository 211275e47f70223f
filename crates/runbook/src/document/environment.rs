//! A checked environment: a named place to act on.

use std::collections::BTreeMap;

use steadyhand_model::approval::EvidenceKind;
use steadyhand_model::ids::{EnvironmentName, ServerId};
use steadyhand_model::plan::{EnvironmentClass, LibraryStatus, Limits};

use super::Origin;
use crate::expr::check::CheckedExpr;
use crate::source::Place;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedEnvironment {
    pub origin: Origin,
    pub name: EnvironmentName,
    pub name_place: Place,
    pub title: String,
    pub class: EnvironmentClass,
    pub mode: Mode,
    /// Which alerts belong to it; none: no alert does.
    pub matches: Option<CheckedExpr>,
    pub servers: BTreeMap<ServerId, Connection>,
    pub limits: Limits,
    pub protected: Vec<Protected>,
    /// The least library status that it accepts.
    pub library: LibraryStatus,
    /// The least approval evidence that it accepts.
    pub evidence: EvidenceKind,
}

/// The most that may happen without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Plan and report only.
    Observe,
    /// An alert yields a plan; a person may run it.
    Suggest,
    /// The run is made and waits for its gates.
    Approve,
    Auto,
}

impl Mode {
    pub const WORDS: [(&'static str, Self); 4] = [
        ("observe", Self::Observe),
        ("suggest", Self::Suggest),
        ("approve", Self::Approve),
        ("auto", Self::Auto),
    ];

    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, mode)| *mode == self).map_or("", |(word, _)| word)
    }
}

/// How a tool server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// A door to the lasting practice world of this environment.
    Practice { scenario: String, seed: u64 },
}

/// Objects that no runbook may address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protected {
    pub server: ServerId,
    pub namespaces: Vec<String>,
}
