//! Servers that answer at once: what is left of a run's time is ours.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, ready};
use steadyhand_engine::port::{Answer, Authorized, PreviewError, ReadError, ToolHost};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::capability::Envelope;
use steadyhand_model::exchange::{ApplyReply, StepPreview};
use steadyhand_model::ids::{EnvironmentName, RunId};
use steadyhand_model::outcome::{Outcome, ProbeVerdict, Receipt};
use steadyhand_model::plan::EnvironmentRef;
use steadyhand_model::reading::{Call, ReadCall};
use steadyhand_model::time::Timestamp;
use steadyhand_runtime::place::{Place, PlaceError, Places, WorldSeed};

/// A host whose every condition holds and whose every call is done, in this very process.
#[derive(Debug)]
pub struct InstantHost {
    holds: CanonicalJson,
}

impl InstantHost {
    /// # Errors
    /// Never: `true` is JSON. The caller has a place for the error, this crate has no panic.
    pub fn new() -> Result<Self, super::BenchError> {
        Ok(Self { holds: CanonicalJson::of(&true)? })
    }
}

impl ToolHost for InstantHost {
    fn read(&self, _call: ReadCall, _now: Timestamp) -> Answer<'_, CanonicalJson, ReadError> {
        ready(Ok(self.holds.clone())).boxed()
    }

    fn preview(&self, call: Call, _now: Timestamp) -> Answer<'_, StepPreview, PreviewError> {
        let server = call.action.to_string();
        ready(Err(PreviewError::Refused { server, why: "a bench plans by hand".into() })).boxed()
    }

    fn apply(&self, _call: Authorized<Call>, _now: Timestamp) -> BoxFuture<'_, ApplyReply> {
        let receipt = Receipt { result: CanonicalJson::empty() };
        ready(ApplyReply { outcome: Outcome::Done(receipt), took: None }).boxed()
    }

    fn probe(
        &self,
        _call: Call,
        _envelope: Envelope,
        _now: Timestamp,
    ) -> BoxFuture<'_, ProbeVerdict> {
        ready(ProbeVerdict::Unknown { why: "a bench loses no reply".into() }).boxed()
    }
}

/// One place for every environment.
#[derive(Debug)]
pub struct OnePlace(pub Arc<Place>);

impl Places for OnePlace {
    fn open(
        &self,
        _world: Option<RunId>,
        _environment: EnvironmentRef,
    ) -> BoxFuture<'_, Result<Arc<Place>, PlaceError>> {
        ready(Ok(Arc::clone(&self.0))).boxed()
    }

    fn new_world(
        &self,
        _run: RunId,
        environment: EnvironmentName,
        _seed: WorldSeed,
    ) -> BoxFuture<'_, Result<Arc<Place>, PlaceError>> {
        ready(Err(no_worlds(&environment))).boxed()
    }

    fn lasting_world(
        &self,
        environment: EnvironmentName,
        _seed: WorldSeed,
    ) -> BoxFuture<'_, Result<Arc<Place>, PlaceError>> {
        ready(Err(no_worlds(&environment))).boxed()
    }
}

fn no_worlds(environment: &EnvironmentName) -> PlaceError {
    PlaceError {
        name: environment.to_string(),
        why: "a bench makes no practice worlds".into(),
        source: None,
    }
}
