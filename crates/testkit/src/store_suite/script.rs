//! The scripts of the suite: `== name` begins a case, `> command` is done, the lines below it are its output.
//!
//! Streams are `ra` … `rz` (runs), `ia` … (incidents) and `installation`. Times are microseconds, windows
//! milliseconds.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadyhand_engine::port::{
    Batch, Blob, IntentRow, Journal, RateReservation, RunFilter, RunRow,
};
use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{At, EVENT_BYTES_MAX, Leg, StreamId};
use steadyhand_model::ids::{Attempt, Fence, IdError, RUN_ID_CHARS, RunId, Seq};
use steadyhand_model::plan::{
    BlastRadius, DataLoss, EnvironmentClass, EnvironmentRef, LibraryRef, LibraryStatus, Limits,
    PLAN_FORMAT, Plan, PlanBody, PlanError, RunbookRef, TargetKey,
};
use steadyhand_model::time::{Span, Timestamp};

use super::{Subject, render};

/// A mistake in a script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("`{0}` is not a command of the suite")]
    Command(String),
    #[error("the word {0} is missing")]
    Missing(&'static str),
    #[error("`{0}` is not a number")]
    Number(String),
    #[error("an id of the script is wrong")]
    Id {
        #[from]
        source: IdError,
    },
    #[error("a text of the script is no JSON")]
    Json {
        #[from]
        source: CanonicalError,
    },
    #[error("the plan of the script cannot be sealed")]
    Plan {
        #[from]
        source: PlanError,
    },
}

/// Runs a script; the result is the script with the output that was seen.
pub(super) async fn run(script: &str, fresh: &dyn Fn() -> Subject) -> Result<String, ScriptError> {
    let mut out = String::new();
    let mut subject = None;
    for line in script.lines() {
        if line.starts_with("== ") {
            let gap = if out.is_empty() { "" } else { "\n" };
            out.push_str(gap);
            out.push_str(line);
            out.push('\n');
            subject = Some(fresh());
        } else if line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        } else if let Some(command) = line.strip_prefix("> ") {
            out.push_str(line);
            out.push('\n');
            let Subject { journal, reopen } = subject.take().unwrap_or_else(fresh);
            if command == "reopen" {
                subject = Some(Subject { journal: reopen(journal), reopen });
            } else {
                out.push_str(&perform(&Words::of(command), journal.as_ref()).await?);
                subject = Some(Subject { journal, reopen });
            }
        }
    }
    Ok(out)
}

/// A command's words: those with a `=` by name, the others by place.
struct Words<'a> {
    placed: Vec<&'a str>,
    named: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    fn of(command: &'a str) -> Self {
        let (mut placed, mut named) = (Vec::new(), BTreeMap::new());
        for word in command.split_whitespace() {
            match word.split_once('=') {
                Some((name, value)) => {
                    named.insert(name, value);
                }
                None => placed.push(word),
            }
        }
        Self { placed, named }
    }

    fn place(&self, index: usize) -> Result<&'a str, ScriptError> {
        self.placed.get(index).copied().ok_or(ScriptError::Missing("of that place"))
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.named.get(name).into_iter().flat_map(|list| list.split(','))
    }

    fn time(&self, name: &'static str) -> Result<Timestamp, ScriptError> {
        let text = self.named.get(name).ok_or(ScriptError::Missing(name))?;
        number(text).map(Timestamp)
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, ScriptError> {
    text.parse().or(Err(ScriptError::Number(text.to_owned())))
}

fn run_id(name: &str) -> Result<RunId, ScriptError> {
    Ok(spoken(name)?.parse()?)
}

/// `ra` is `r-aaaaaaaaaaaa`.
fn spoken(name: &str) -> Result<String, ScriptError> {
    let (kind, letter) = name.split_at_checked(1).ok_or(ScriptError::Missing("of a stream"))?;
    Ok(format!("{kind}-{}", letter.repeat(RUN_ID_CHARS)))
}

fn stream(name: &str) -> Result<StreamId, ScriptError> {
    Ok(match name {
        "installation" => StreamId::Installation,
        _ if name.starts_with('i') => StreamId::Incident(spoken(name)?.parse()?),
        _ => StreamId::Run(run_id(name)?),
    })
}

fn json(text: &str) -> Result<CanonicalJson, ScriptError> {
    Ok(CanonicalJson::of(text)?)
}

/// `big` and `huge` are the largest event and one more byte.
fn event(name: &str) -> Result<CanonicalJson, ScriptError> {
    // Two bytes are the quotes.
    match name {
        "big" => json(&"x".repeat(EVENT_BYTES_MAX - 2)),
        "huge" => json(&"x".repeat(EVENT_BYTES_MAX - 1)),
        _ => json(name),
    }
}

fn blob(text: &str) -> Blob {
    Blob { digest: Digest::of(text.as_bytes()), bytes: text.as_bytes().into() }
}

fn target(name: &str) -> TargetKey {
    TargetKey(name.to_owned())
}

/// `restart/forward/1`
fn intent(text: &str) -> Result<IntentRow, ScriptError> {
    let parts: Vec<&str> = text.split('/').collect();
    let [step, leg, attempt] = parts.as_slice() else {
        return Err(ScriptError::Missing("step/leg/attempt"));
    };
    let leg = if *leg == "undo" { Leg::Undo } else { Leg::Forward };
    let at = At { step: step.parse()?, leg, attempt: Attempt(number(attempt)?) };
    Ok(IntentRow { at, call: Digest::of(text.as_bytes()), fence: Fence(1) })
}

/// `restart:2/60000`: two in a minute.
fn rate(text: &str) -> Result<RateReservation, ScriptError> {
    let (subject, rest) = text.split_once(':').ok_or(ScriptError::Missing("subject:"))?;
    let (count, window) = rest.split_once('/').ok_or(ScriptError::Missing("count/window"))?;
    Ok(RateReservation {
        subject: subject.to_owned(),
        count: number(count)?,
        window: Span::from_millis(number(window)?),
    })
}

/// `waiting`, `succeeded!` (finished) or `paused?` (needs a person).
fn run_row(run: &RunId, phase: &str, now: Timestamp) -> Result<RunRow, ScriptError> {
    Ok(RunRow {
        run: run.clone(),
        plan: Digest::of(b"plan"),
        environment: "shop".to_owned(),
        runbook: "restart-workload".to_owned(),
        subject: "Deployment shop/checkout".to_owned(),
        phase: phase.trim_end_matches(['!', '?']).to_owned(),
        finished: phase.ends_with('!'),
        needs_person: phase.ends_with('?'),
        created: Timestamp(1),
        changed: now,
        detail: json(phase)?,
    })
}

fn batch(words: &Words<'_>, now: Timestamp) -> Result<Batch, ScriptError> {
    let consumed = match words.named.get("consumed").and_then(|text| text.split_once(':')) {
        Some((id, answer)) => Some((id.parse()?, json(answer)?)),
        None => None,
    };
    // `row=waiting` is the stream's own run, `row=rb:waiting` another's.
    let row = match words.named.get("row") {
        Some(text) => {
            let (run, phase) = match text.split_once(':') {
                Some((run, phase)) => (run, phase),
                None => (words.place(1)?, *text),
            };
            Some(run_row(&run_id(run)?, phase, now)?)
        }
        None => None,
    };
    let mut blobs: Vec<Blob> = words.list("blobs").map(blob).collect();
    blobs.extend(words.list("wrong-blob").map(|t| Blob { digest: Digest::of(b""), ..blob(t) }));
    Ok(Batch {
        consumed,
        events: words.list("events").map(event).collect::<Result<_, _>>()?,
        intents: words.list("intents").map(intent).collect::<Result<_, _>>()?,
        leases_taken: words.list("take").map(target).collect(),
        leases_released: words.list("release").map(target).collect(),
        rates: words.list("rates").map(rate).collect::<Result<_, _>>()?,
        blobs,
        due: words.list("due").map(number).next().transpose()?.map(Timestamp),
        pending: words.named.get("pending").map(|text| Digest::of(text.as_bytes())),
        row,
    })
}

/// A small sealed plan whose digest depends on its title.
fn plan(title: &str) -> Result<Arc<Plan>, ScriptError> {
    let digest = Digest::of(title.as_bytes());
    let body = PlanBody {
        format: PLAN_FORMAT,
        environment: EnvironmentRef {
            name: "shop".parse()?,
            title: "Shop".to_owned(),
            class: EnvironmentClass::Practice,
            digest,
        },
        library: LibraryRef { commit: None, dirty: false, status: LibraryStatus::Draft, digest },
        runbook: RunbookRef {
            name: "restart-workload".parse()?,
            title: title.to_owned(),
            owner: "team-shop".parse()?,
            path: "runbooks/restart-workload.yaml".to_owned(),
            digest,
        },
        alert: None,
        bindings: BTreeMap::new(),
        require: Vec::new(),
        steps: Vec::new(),
        left_out: Vec::new(),
        radius: BlastRadius {
            targets: Vec::new(),
            affected: Vec::new(),
            unavailable: 0,
            population: 0,
            zones: Vec::new(),
            data_loss: DataLoss::None,
            dependents: Vec::new(),
            owners: Vec::new(),
            unknowns: Vec::new(),
        },
        limits: Limits::default(),
        gates: Vec::new(),
        done: None,
        valid_for: Span::from_mins(30),
        run_within: Span::from_mins(60),
    };
    Ok(Arc::new(Plan::seal(body)?))
}

async fn append(words: &Words<'_>, journal: &dyn Journal) -> Result<String, ScriptError> {
    let expected = words.place(2)?;
    let expected = Seq(number(expected.trim_start_matches('@'))?);
    let now = words.time("now")?;
    let batch = batch(words, now)?;
    Ok(render::appended(&journal.append(stream(words.place(1)?)?, expected, now, batch).await))
}

async fn perform(words: &Words<'_>, journal: &dyn Journal) -> Result<String, ScriptError> {
    let first = words.place(0)?;
    let second = words.place(1);
    match first {
        "append" => append(words, journal).await,
        "load" => Ok(render::loaded(&journal.load(stream(second?)?).await)),
        "pendings" => Ok(render::pendings(&journal.pendings(stream(second?)?).await)),
        "put-plan" => Ok(render::stored(&journal.put_plan(plan(second?)?).await)),
        "plan" => {
            let digest = plan(second?)?.digest();
            Ok(render::found(&journal.plan(digest).await, |p| p.body().runbook.title.clone()))
        }
        "put-blob" => Ok(render::stored(&journal.put_blob(blob(second?)).await)),
        "blob" => {
            let digest = blob(second?).digest;
            Ok(render::found(&journal.blob(digest).await, |b| b.escape_ascii().to_string()))
        }
        "take-over" => {
            let driver = words.place(2)?.parse()?;
            Ok(render::fence(&journal.take_over(run_id(second?)?, driver).await))
        }
        "dispatch" => {
            let fence = Fence(number(words.place(2)?)?);
            Ok(render::dispatched(&journal.dispatch(run_id(second?)?, fence).await))
        }
        _ => ask(words, journal).await,
    }
}

/// The commands that ask for lists and counts.
async fn ask(words: &Words<'_>, journal: &dyn Journal) -> Result<String, ScriptError> {
    let second = words.place(1);
    match words.place(0)? {
        "plans" => {
            // `plans first 3` asks for the first three digits of the plan `first`.
            let digits: usize = number(words.place(2)?)?;
            let hex: String = plan(second?)?.digest().hex().chars().take(digits).collect();
            Ok(render::digests(&journal.plans_by_prefix(hex).await))
        }
        "plans-by-text" => {
            let hex = words.placed.get(1).copied().unwrap_or_default().to_owned();
            Ok(render::digests(&journal.plans_by_prefix(hex).await))
        }
        "runs" => {
            let filter = match second? {
                "open" => RunFilter::Open,
                "newest" => RunFilter::Newest { limit: number(words.place(2)?)? },
                "prefix" => RunFilter::Prefix(words.place(2)?.to_owned()),
                _ => RunFilter::One(run_id(words.place(2)?)?),
            };
            Ok(render::runs(&journal.runs(filter).await))
        }
        "due" => {
            let limit = number(second?)?;
            Ok(render::due(&journal.due(words.time("now")?, limit).await))
        }
        "answered" => Ok(render::answered(&journal.answered(second?.parse()?).await)),
        "used" => {
            let window = Span::from_millis(number(words.place(2)?)?);
            let now = words.time("now")?;
            Ok(render::used(&journal.used(second?.to_owned(), window, now).await))
        }
        "holders" => {
            let targets = second?.split(',').map(target).collect();
            Ok(render::holders(&journal.holders(targets).await))
        }
        other => Err(ScriptError::Command(other.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_places_or_names() {
        let words = Words::of("append ra @0 now=5 events=a,b");
        assert_eq!(words.placed, ["append", "ra", "@0"]);
        assert_eq!(words.time("now").unwrap(), Timestamp(5));
        assert_eq!(words.list("events").collect::<Vec<_>>(), ["a", "b"]);
        assert!(words.time("due").is_err());
        assert!(words.place(3).is_err());
    }
}
