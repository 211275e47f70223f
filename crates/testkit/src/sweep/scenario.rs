//! What is played while keepers are killed.

use steadyhand_api::request::Fault;

/// One story. Each is played once undisturbed, and then once for each point at which its keeper can die.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// None is the guided incident.
    pub(super) runbook: Option<&'static str>,
    pub(super) drill: Option<Fault>,
    /// A fault of the practice world that drills have no word for, planted instead.
    pub(super) planted: Option<&'static str>,
    pub(super) turn: Turn,
    /// Every point is tried in a full sweep, and some in a quick one. Of the others, a sample.
    pub(super) thorough: bool,
}

/// What the person does beside approving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Nothing,
    /// Asks for the undo as soon as a call was intended.
    UndoDuring,
    /// Asks for the undo of the finished run.
    UndoAfter,
}

const PLAIN: Scenario = Scenario {
    name: "",
    runbook: None,
    drill: None,
    planted: None,
    turn: Turn::Nothing,
    thorough: false,
};

pub(super) const ALL: [Scenario; 12] = [
    Scenario { name: "guided restart, reply lost after", thorough: true, ..PLAIN },
    Scenario { name: "restart, reply lost before", drill: Some(Fault::LostBefore), ..PLAIN },
    Scenario { name: "restart, late effect", drill: Some(Fault::Late), ..PLAIN },
    Scenario { name: "restart, garbled reply", drill: Some(Fault::Garbage), ..PLAIN },
    Scenario { name: "restart, killed by the world", drill: Some(Fault::Kill), ..PLAIN },
    Scenario { name: "restart that flaps", planted: Some("flapping"), ..PLAIN },
    Scenario { name: "restart that is a lie", planted: Some("lying"), ..PLAIN },
    // A restart that is turned back half-way leaves the pod that was ill before: its undo cannot be verified.
    Scenario {
        name: "undo during a restart",
        drill: Some(Fault::Slow),
        turn: Turn::UndoDuring,
        ..PLAIN
    },
    Scenario {
        name: "undo during a scaling",
        runbook: Some("scale-workload"),
        drill: Some(Fault::LostAfter),
        turn: Turn::UndoDuring,
        thorough: true,
        ..PLAIN
    },
    Scenario { name: "rollback of a release", runbook: Some("rollback-release"), ..PLAIN },
    Scenario { name: "more replicas", runbook: Some("scale-workload"), ..PLAIN },
    Scenario {
        name: "undo of a finished scaling",
        runbook: Some("scale-workload"),
        turn: Turn::UndoAfter,
        ..PLAIN
    },
];
