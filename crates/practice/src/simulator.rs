//! A world in memory: the same fold and the same lines as a world file, by plain function calls.
//!
//! The simulator of the engine and the tests of this crate stand on it. No file, no capability, no MCP.

use steadyhand_model::canonical::CanonicalError;
use steadyhand_model::time::Timestamp;

use crate::fault::Fault;
use crate::line::{Body, Change, Line, Seed};
use crate::world::{Answered, Ask, World, WorldError};

#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    #[error("the world does not fold")]
    Fold {
        #[from]
        source: WorldError,
    },
    #[error("the call names no target")]
    Call {
        #[from]
        source: CanonicalError,
    },
}

/// A world and the lines that made it.
#[derive(Debug, Clone)]
pub struct Simulator {
    world: World,
    lines: Vec<Line>,
}

impl Simulator {
    /// A new world that begins at `at`.
    pub fn begin(at: Timestamp, seed: Seed) -> Result<Self, SimulatorError> {
        let line = Line { seq: 1, at, body: Body::Seed(seed) };
        Ok(Self { world: World::open(&line)?, lines: vec![line] })
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Answers one request at `now`.
    pub fn ask(&mut self, ask: &Ask, now: Timestamp) -> Result<Answered, SimulatorError> {
        self.go_on(now)?;
        let answered = self.world.ask(ask)?;
        self.write(answered.line.body.clone())?;
        Ok(answered)
    }

    pub fn plant(&mut self, fault: Fault, now: Timestamp) -> Result<(), SimulatorError> {
        self.go_on(now)?;
        self.write(Body::Fault { fault })
    }

    pub fn change(&mut self, change: Change, now: Timestamp) -> Result<(), SimulatorError> {
        self.go_on(now)?;
        self.write(Body::Change { change })
    }

    /// Goes on to `now` and records what became of late effects.
    pub fn go_on(&mut self, now: Timestamp) -> Result<(), SimulatorError> {
        self.world.advance(now)?;
        for landing in self.world.landings() {
            self.world.fold(&landing)?;
            self.lines.push(landing);
        }
        Ok(())
    }

    fn write(&mut self, body: Body) -> Result<(), SimulatorError> {
        let line = Line { seq: self.world.next_seq(), at: self.world.now(), body };
        self.world.fold(&line)?;
        self.lines.push(line);
        Ok(())
    }
}
