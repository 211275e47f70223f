//! Who did or asked for something.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::PersonId;

/// Written in events: `{"person":"asha"}`, `{"alert":"alertmanager"}`, `"agent"`, `"practice"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    Person(PersonId),
    /// An alert, by the name of its source.
    Alert(String),
    Agent,
    /// The practice world's own answers in a drill without a terminal.
    Practice,
}

impl Actor {
    pub fn is_person(&self) -> bool {
        matches!(self, Self::Person(_))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "{id}"),
            Self::Alert(source) => {
                write!(f, "an alert from {}", crate::text::Escaped::line(source))
            }
            Self::Agent => f.write_str("the agent"),
            Self::Practice => f.write_str("the practice world"),
        }
    }
}
