//! Performs a check: reads what it names, evaluates its expression, again and again until it holds or its time is over.

use std::sync::Arc;

use steadyhand_engine::port::{ReadError, ToolHost};
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::reading::{Check, Facts, Slot, Verdict};
use steadyhand_model::time::{Span, Timestamp};
use steadyhand_model::types::Type;
use steadyhand_model::value::Value;
use steadyhand_runbook::expr::eval::Roots;
use steadyhand_runbook::expr::{explain, parse};

use crate::clock::{Busy, Clock};

/// Pause between two looks at a condition that has time to come true.
pub(crate) const POLL: Span = Span::from_secs(2);
/// Looks at a condition without time of its own when a read fails, so that one lost packet is not an answer.
pub(crate) const LOOKS_MAX: u32 = 3;

/// What a check may use beside its own reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// `steps.repair.answer`, and what was measured before a step, as paths.
    pub(crate) values: Vec<(String, Value)>,
}

/// Where reads go, by which clock, and what their types mean.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) host: Arc<dyn ToolHost>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalogue: Arc<Catalogue>,
}

impl Reader {
    /// Reads one slot. What cannot be read is a value that cannot tell.
    pub(crate) async fn slot(&self, slot: &Slot) -> (Value, Option<CanonicalJson>) {
        match self.host.read(slot.read.clone(), self.clock.now()).await {
            Ok(json) => (self.typed(&json, &slot.ty), Some(json)),
            Err(error) => (Value::CannotTell(read_words(&error)), None),
        }
    }

    pub(crate) fn typed(&self, json: &CanonicalJson, ty: &Type) -> Value {
        Value::from_json(&json.to_json(), ty, &self.catalogue)
            .unwrap_or_else(|error| Value::CannotTell(format!("not of its declared type: {error}")))
    }

    /// One look.
    pub(crate) async fn look(&self, check: &Check, known: &Known) -> Verdict {
        let cannot = |why: String| Verdict::CannotTell { check: check.title.clone(), why };
        let expr = match parse(&check.expr) {
            Ok(expr) => expr,
            Err(error) => return cannot(format!("its expression cannot be read: {error}")),
        };
        let mut roots = Roots::new();
        for given in &check.given {
            roots.set(&given.into, self.typed(&given.value, &given.ty));
        }
        for (path, value) in &known.values {
            roots.set(path, value.clone());
        }
        for slot in &check.reads {
            let (value, _) = self.slot(slot).await;
            roots.set(&slot.into, value);
        }
        explain::judge(&check.title, &expr, &roots)
    }

    /// Looks until the check has held for its time, or its time is over. Sleeps on the environment's clock.
    /// `told` hears each verdict that is not the last.
    pub(crate) async fn perform(
        &self,
        check: &Check,
        known: &Known,
        mut busy: Busy,
        told: &(dyn Fn(&Verdict) + Send + Sync),
    ) -> (Verdict, Busy) {
        let start = self.clock.now();
        let mut held_since: Option<Timestamp> = None;
        let mut looks = 0;
        loop {
            let verdict = self.look(check, known).await;
            let now = self.clock.now();
            looks += 1;
            let over = now >= start.plus(check.within);
            match &verdict {
                Verdict::Holds { .. } => {
                    let since = *held_since.get_or_insert(now);
                    if now >= since.plus(check.hold_for) {
                        return (verdict, busy);
                    }
                }
                Verdict::Fails { .. } => {
                    held_since = None;
                    if over {
                        return (verdict, busy);
                    }
                }
                Verdict::CannotTell { .. } => {
                    held_since = None;
                    if over && (looks >= LOOKS_MAX || !check.within.is_zero()) {
                        return (verdict, busy);
                    }
                }
            }
            told(&verdict);
            let next = match held_since {
                Some(since) => now.plus(POLL).min(since.plus(check.hold_for)),
                None => now.plus(POLL),
            };
            busy = self.clock.sleep_until(busy, next).await;
        }
    }

    /// Reads kept for the record: what could not be read is left out, and said where it would be used.
    pub(crate) async fn facts(&self, slots: &[Slot]) -> Facts {
        let mut facts = Facts::new();
        for slot in slots {
            if let (_, Some(json)) = self.slot(slot).await {
                facts.insert(slot.into.clone(), json);
            }
        }
        facts
    }
}

/// A read that failed, in words for a person.
pub(crate) fn read_words(error: &ReadError) -> String {
    steadyhand_model::text::Escaped::short(&error.to_string(), 200).as_str().to_owned()
}
