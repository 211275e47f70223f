//! Incidents: what people work on. Each plan is made in one, and each run belongs to one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steadyhand_api::view::{Chosen, PlanView};
use steadyhand_engine::port::{AppendError, Batch, Blob};
use steadyhand_model::actor::Actor;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{
    IncidentEvent, IncidentKind, Proposer, Recorded, StreamId, read_event, write_event,
};
use steadyhand_model::ids::{InboxId, IncidentId, RunId, RunbookName, Seq};
use steadyhand_model::plan::Plan;
use steadyhand_model::time::Timestamp;

use super::{Service, ServiceError};
use crate::planning::Planned;

/// Most plans of one digest that are kept apart by when they were made.
const PLANNED_MAX: u32 = 1000;

/// What a change was answered with: enough to answer it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Recalled {
    Run(RunId),
    Plan { plan: Digest, incident: IncidentId },
}

impl Recalled {
    pub(crate) fn written(&self) -> Result<CanonicalJson, ServiceError> {
        CanonicalJson::of(self).map_err(|source| ServiceError::Canonical { source })
    }
}

/// What an incident begins with.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(crate) kind: IncidentKind,
    pub(crate) title: String,
    pub(crate) alert_key: Option<String>,
    pub(crate) raw: Option<Arc<[u8]>>,
    pub(crate) by: Actor,
    /// Taken once for each firing of an alert, so that a repeated notification leads to the same incident.
    pub(crate) occurrence: Option<InboxId>,
}

/// An incident that is open, and its last row.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) id: IncidentId,
    pub(crate) seq: Seq,
}

impl Service {
    /// Opens an incident.
    pub(crate) async fn open_incident(
        &self,
        opening: Opening,
        now: Timestamp,
    ) -> Result<Open, ServiceError> {
        let id = crate::keeper::new_incident().map_err(|source| ServiceError::Random { source })?;
        let blob = opening.raw.map(|bytes| Blob { digest: Digest::of(&bytes), bytes });
        let seen = IncidentEvent::SignalSeen {
            kind: opening.kind,
            title: opening.title,
            alert_key: opening.alert_key,
            raw: blob.as_ref().map(|b| b.digest),
            by: opening.by,
        };
        let consumed = match opening.occurrence {
            Some(inbox) => Some((
                inbox,
                CanonicalJson::of(&id).map_err(|source| ServiceError::Canonical { source })?,
            )),
            None => None,
        };
        let batch = Batch { blobs: blob.into_iter().collect(), consumed, ..Batch::default() };
        let seq = self.append(&id, Seq(0), &[seen], batch, now).await?;
        Ok(Open { id, seq })
    }

    async fn append(
        &self,
        id: &IncidentId,
        expected: Seq,
        events: &[IncidentEvent],
        mut batch: Batch,
        now: Timestamp,
    ) -> Result<Seq, ServiceError> {
        for event in events {
            let written = write_event(event).map_err(|error| match error {
                steadyhand_model::event::EventError::Form { source } => {
                    ServiceError::Canonical { source }
                }
                too_large => ServiceError::Append {
                    source: AppendError::Unfit { source: Box::new(too_large) },
                },
            })?;
            batch.events.push(written);
        }
        let journal = &self.keeper().shared.journal;
        let rows = journal
            .append(StreamId::Incident(id.clone()), expected, now, batch)
            .await
            .map_err(|source| ServiceError::Append { source })?;
        Ok(rows.last().map_or(expected, |row| row.seq))
    }

    pub(crate) async fn record(
        &self,
        open: &mut Open,
        event: IncidentEvent,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        open.seq = self.append(&open.id, open.seq, &[event], Batch::default(), now).await?;
        Ok(())
    }

    pub(crate) async fn proposed(
        &self,
        open: &mut Open,
        runbook: &RunbookName,
        by: Proposer,
        reasons: Vec<String>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let event = IncidentEvent::Proposed { runbook: runbook.clone(), by, reasons };
        self.record(open, event, now).await
    }

    /// Stores a plan with the facts beside it, and how to find its incident again.
    pub(crate) async fn planned(
        &self,
        open: &mut Open,
        planned: &Planned,
        answer: Option<InboxId>,
    ) -> Result<(), ServiceError> {
        let journal = &self.keeper().shared.journal;
        let canonical = |source| ServiceError::Canonical { source };
        let append = |source| ServiceError::Append { source };
        journal.put_plan(Arc::clone(&planned.plan)).await.map_err(append)?;
        let facts = CanonicalJson::of(&planned.facts).map_err(canonical)?;
        let blob = Blob { digest: facts.digest(), bytes: Arc::from(facts.as_str().as_bytes()) };
        journal.put_blob(blob).await.map_err(append)?;
        let digest = planned.plan.digest();
        let event = IncidentEvent::Planned { digest, facts: facts.digest() };
        let consumed = match answer {
            Some(inbox) => {
                let recalled = Recalled::Plan { plan: digest, incident: open.id.clone() };
                Some((inbox, recalled.written()?))
            }
            None => None,
        };
        let batch = Batch { consumed, ..Batch::default() };
        open.seq = self.append(&open.id, open.seq, &[event], batch, planned.at).await?;
        self.remember_plan(digest, open, planned.at).await
    }

    /// Keeps the way from a plan's digest to the incident in which it was made last.
    async fn remember_plan(
        &self,
        plan: Digest,
        open: &mut Open,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let number = self.plans_remembered(plan).await?;
        let answer =
            CanonicalJson::of(&open.id).map_err(|source| ServiceError::Canonical { source })?;
        let batch = Batch { consumed: Some((plan_key(plan, number)?, answer)), ..Batch::default() };
        open.seq = self.append(&open.id, open.seq, &[], batch, now).await?;
        Ok(())
    }

    async fn plans_remembered(&self, plan: Digest) -> Result<u32, ServiceError> {
        let journal = &self.keeper().shared.journal;
        for number in 0..PLANNED_MAX {
            let known = journal
                .answered(plan_key(plan, number)?)
                .await
                .map_err(|source| ServiceError::Load { source })?;
            if known.is_none() {
                return Ok(number);
            }
        }
        Ok(PLANNED_MAX)
    }

    /// The incident in which a plan was made last.
    pub(crate) async fn incident_of(&self, plan: Digest) -> Result<IncidentId, ServiceError> {
        let none = || ServiceError::NoPlan { text: plan.short() };
        let last = self.plans_remembered(plan).await?.checked_sub(1).ok_or_else(none)?;
        let journal = &self.keeper().shared.journal;
        let answer = journal
            .answered(plan_key(plan, last)?)
            .await
            .map_err(|source| ServiceError::Load { source })?
            .ok_or_else(none)?;
        answer.read().map_err(|source| ServiceError::Canonical { source })
    }

    pub(crate) async fn incident_rows(
        &self,
        id: &IncidentId,
    ) -> Result<Vec<Recorded>, ServiceError> {
        let journal = &self.keeper().shared.journal;
        journal
            .load(StreamId::Incident(id.clone()))
            .await
            .map_err(|source| ServiceError::Load { source })
    }

    /// An incident as it stands, to go on with.
    pub(crate) async fn reopen(&self, id: &IncidentId) -> Result<Open, ServiceError> {
        let rows = self.incident_rows(id).await?;
        let seq = rows.last().map_or(Seq(0), |row| row.seq);
        Ok(Open { id: id.clone(), seq })
    }

    /// The run that an incident led to last.
    pub(crate) async fn run_of(&self, id: &IncidentId) -> Result<Option<RunId>, ServiceError> {
        let rows = self.incident_rows(id).await?;
        Ok(rows.iter().rev().find_map(|row| match read(row) {
            Some(IncidentEvent::RunLinked { run }) => Some(run),
            _ => None,
        }))
    }

    /// A plan and what is shown beside it.
    pub(crate) async fn plan_view(
        &self,
        digest: Digest,
        incident: &IncidentId,
    ) -> Result<PlanView, ServiceError> {
        let journal = &self.keeper().shared.journal;
        let plan: Arc<Plan> =
            journal.plan(digest).await.map_err(|source| ServiceError::Load { source })?;
        let rows = self.incident_rows(incident).await?;
        let mut requester = None;
        let mut chosen = None;
        let mut made = None;
        for row in &rows {
            match read(row) {
                Some(IncidentEvent::SignalSeen { by, .. }) => requester = Some(by),
                Some(IncidentEvent::Proposed { by, reasons, .. }) => {
                    chosen = Some(Chosen { by, reasons })
                }
                Some(IncidentEvent::Planned { digest: planned, facts }) if planned == digest => {
                    made = Some((row.at, facts));
                }
                _ => {}
            }
        }
        let missing = || ServiceError::NoPlan { text: digest.short() };
        let (planned, facts) = made.ok_or_else(missing)?;
        Ok(PlanView {
            digest,
            plan: plan.bytes().clone(),
            planned,
            requester: requester.ok_or_else(missing)?,
            incident: incident.clone(),
            chosen: chosen.unwrap_or(Chosen { by: Proposer::Operator, reasons: Vec::new() }),
            facts: self.facts(facts).await.unwrap_or_else(steadyhand_model::reading::Facts::new),
            held_back: None,
        })
    }
}

fn read(row: &Recorded) -> Option<IncidentEvent> {
    read_event(&row.event).ok()
}

fn plan_key(plan: Digest, number: u32) -> Result<InboxId, ServiceError> {
    format!("plan-{}-{number}", plan.hex()).parse().map_err(|source| ServiceError::Name { source })
}
