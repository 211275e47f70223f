//! The fences that this keeper took, in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use steadyhand_engine::port::Fenced;
use steadyhand_model::ids::{Fence, RunId};

/// Written by the writer after each take-over, read just before the wire. A lock and not a message to the writer:
/// the question must not wait behind a disk, and each side holds it for one look at the map.
#[derive(Debug, Default)]
pub(super) struct Fences(Mutex<BTreeMap<RunId, Fence>>);

impl Fences {
    pub(super) fn take(&self, run: RunId, fence: Fence) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(run, fence);
    }

    pub(super) fn check(&self, run: &RunId, held: Fence) -> Result<(), Fenced> {
        let fences = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match fences.get(run).copied() {
            Some(current) if current == held => Ok(()),
            Some(current) => Err(Fenced { held, current }),
            None => Err(Fenced { held, current: Fence::default() }),
        }
    }
}
