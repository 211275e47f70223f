//! One run as the journal tells it: its events in order, its plan, and what is known of each attempt.

use std::collections::BTreeMap;

use crate::judge::form::{
    At, Created, Event, Leg, Outcome, Plan, Probe, Refusal, Row, Settlement, Stream, Undo, micros,
};
use crate::judge::read::History;
use crate::judge::{Finding, Property};

/// A call may leave up to this long after its intent: the longest life of a capability, 10 s.
const CAPABILITY_LIFE: i64 = 10_000_000;

/// An event with the place of its row in the whole journal.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its place among all rows of the export.
    pub(super) place: usize,
    pub(super) seq: u64,
    pub(super) at: i64,
    pub(super) event: Event,
}

#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) id: String,
    pub(super) created: Created,
    /// Missing where the export lacks it; that is a finding of its own.
    pub(super) plan: Option<&'a Plan>,
    pub(super) entries: Vec<Entry>,
}

impl Run<'_> {
    pub(super) fn finding(
        &self,
        property: Property,
        seq: Option<u64>,
        what: impl Into<String>,
    ) -> Finding {
        Finding { property, run: Some(self.id.clone()), seq, what: what.into() }
    }

    /// When nothing of an attempt can appear any more.
    fn quiet_until(&self, at: &At) -> Option<i64> {
        let write = self.plan?.write(&at.step)?;
        let intended = self.entries.iter().find_map(|entry| match &entry.event {
            Event::Intended { at: which, .. } if which == at => Some(entry.at),
            _ => None,
        })?;
        let longest = micros(&write.call_max)?.checked_add(micros(&write.quiescence)?)?;
        intended.checked_add(CAPABILITY_LIFE)?.checked_add(longest)
    }
}

/// What is known of one attempt of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Sent, or may have been; nobody knows.
    Open,
    Done,
    NotDone,
    /// A person closed it without saying that it did not happen.
    Closed,
}

/// Follows the attempts of a run through its events.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    known: BTreeMap<At, Known>,
}

impl Attempts {
    pub(super) fn get(&self, at: &At) -> Option<Known> {
        self.known.get(at).copied()
    }

    pub(super) fn open(&self) -> impl Iterator<Item = &At> {
        self.known.iter().filter(|(_, known)| **known == Known::Open).map(|(at, _)| at)
    }

    pub(super) fn take_in(&mut self, run: &Run<'_>, entry: &Entry) {
        let (at, known) = match &entry.event {
            Event::Intended { at, .. } => (at, Known::Open),
            Event::Returned { at, outcome } => (at, returned(at, outcome)),
            Event::Probed { at, verdict } => match verdict {
                Probe::Done(_) => (at, Known::Done),
                // Before the quiet time is over the effect may still appear.
                Probe::NotDone if run.quiet_until(at).is_some_and(|quiet| entry.at < quiet) => {
                    (at, Known::Open)
                }
                Probe::NotDone => (at, Known::NotDone),
                Probe::Unknown(_) => (at, Known::Open),
            },
            // A settlement of something that is known already says how to go on, not what happened.
            Event::Settled { at, settlement } if self.get(at) == Some(Known::Open) => {
                let known = match settlement {
                    Settlement::Done => Known::Done,
                    Settlement::NotDone | Settlement::Retry => Known::NotDone,
                    Settlement::Skip | Settlement::Undo | Settlement::HandOver => Known::Closed,
                };
                (at, known)
            }
            _ => return,
        };
        self.known.insert(at.clone(), known);
    }
}

/// A conflict on a later attempt may be the landing of an earlier one: that is not known either.
fn returned(at: &At, outcome: &Outcome) -> Known {
    match outcome {
        Outcome::Done(_) => Known::Done,
        Outcome::Unknown(_) => Known::Open,
        Outcome::NotDone { kind: Refusal::Conflict } if at.attempt > 1 => Known::Open,
        Outcome::NotDone { .. } => Known::NotDone,
    }
}

/// The attempt before this one, on the same leg.
pub(super) fn earlier(at: &At) -> Option<At> {
    let attempt = at.attempt.checked_sub(1).filter(|attempt| *attempt > 0)?;
    Some(At { step: at.step.clone(), leg: at.leg, attempt })
}

/// The call that the plan has for a leg of a step.
pub(super) fn planned_call<'a>(
    plan: &'a Plan,
    step: &str,
    leg: Leg,
) -> Option<&'a serde_json::Value> {
    let write = plan.write(step)?;
    match (leg, &write.undo) {
        (Leg::Forward, _) => Some(&write.call),
        (Leg::Undo, Undo::Inverse { call, .. }) => Some(call),
        (Leg::Undo, Undo::Needless(_) | Undo::Irreversible(_)) => None,
    }
}

/// Puts the runs of a journal together. Events that cannot be read are findings: what is not read is not judged.
pub(super) fn runs<'a>(history: &'a History, findings: &mut Vec<Finding>) -> Vec<Run<'a>> {
    let mut streams: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
    for (place, row) in history.rows.iter().enumerate() {
        let Stream::Run(id) = &row.stream else { continue };
        match read_event(row) {
            Ok(event) => {
                let entry = Entry { place, seq: row.seq, at: row.at, event };
                streams.entry(id).or_default().push(entry);
            }
            Err(what) => findings.push(Finding {
                property: Property::S7,
                run: Some(id.clone()),
                seq: Some(row.seq),
                what: told(&what),
            }),
        }
    }
    let mut runs = Vec::new();
    for (id, entries) in streams {
        let finding =
            |property, seq, what: String| Finding { property, run: Some(id.to_owned()), seq, what };
        let created = entries.iter().filter_map(|entry| match &entry.event {
            Event::Created(created) => Some((entry.seq, created)),
            _ => None,
        });
        let created: Vec<(u64, &Created)> = created.collect();
        let created = match created.as_slice() {
            [(1, created)] if created.run == id => (*created).clone(),
            _ => {
                let what = "the stream does not begin with the one creation of its run";
                findings.push(finding(Property::S7, None, what.to_owned()));
                continue;
            }
        };
        let sealed = history.plans.get(&created.plan);
        match sealed {
            Some(sealed) if sealed.digests.iter().all(|digest| *digest == created.plan) => {}
            Some(_) => {
                let what =
                    format!("the bytes of the plan {} are not those of its digest", created.plan);
                findings.push(finding(Property::S2, Some(1), what));
            }
            None => {
                let what = format!("the plan {} is not in the export", created.plan);
                findings.push(finding(Property::S2, Some(1), what));
            }
        }
        let plan = sealed.map(|sealed| &sealed.plan);
        runs.push(Run { id: id.to_owned(), created, plan, entries });
    }
    runs
}

#[derive(Debug, thiserror::Error)]
enum EventError {
    #[error("the event is not of version 1")]
    Version,
    #[error("the event cannot be read")]
    Form {
        #[source]
        source: serde_json::Error,
    },
}

/// An error with its causes on one line.
fn told(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", told(source)),
        None => error.to_string(),
    }
}

fn read_event(row: &Row) -> Result<Event, EventError> {
    if row.event.get("v").and_then(serde_json::Value::as_u64) != Some(1) {
        return Err(EventError::Version);
    }
    serde_json::from_value(row.event.clone()).map_err(|source| EventError::Form { source })
}
