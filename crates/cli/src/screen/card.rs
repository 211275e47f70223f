//! The approval card: what, how bad, why, by whom, limits, undo, unknown, who must act. At most 24 lines with the
//! prompt under it. Every word comes from the plan; what does not fit ends in `…` and stands behind `[d]` and `[w]`.

use steadyhand_api::view::{GateView, RunView};
use steadyhand_model::ids::GateId;
use steadyhand_model::plan::{Plan, PlanBody, Step, StepKind};

use super::times::{Until, left};
use super::{Item, Row, Screen, Tone, Weight, Words, data, say};
use super::{plan as parts, vocabulary};

/// Most lines of a card, with the line of its prompt.
pub(crate) const CARD_LINES_MAX: usize = 24;
/// Most differences shown on the card itself.
const DIFF_SHOWN: usize = 1;
/// Most groups of steps in the row of steps.
const STEPS_SHOWN: usize = 8;

pub(crate) fn screen(view: &RunView, plan: &Plan, gate: &GateId) -> Screen {
    let body = plan.body();
    let open = view.gates.iter().find(|open| open.gate.id == *gate);
    // The prompt of an irreversible plan has the name in it, and may need a second line.
    let prompt = if body.reversible() { 1 } else { 2 };
    let mut screen = Screen::bounded(CARD_LINES_MAX - prompt);
    let place = vocabulary::place(body.environment.class, &body.environment.name);
    screen.push(Row::Rule { left: Words::new().toned(Tone::Strong, "APPROVE?"), right: place });
    let title = Words::new().data_toned(Tone::Strong, &body.runbook.title).say(": ");
    heavy(&mut screen, Item::text(title.join(parts::subject(body))), 2);
    heavy(&mut screen, Item::text(how_bad(body)), 3);
    screen.push(Row::Blank);

    light(&mut screen, Item::fact("WHY", why(view, body)), 1);
    light(&mut screen, Item::fact("CHOSEN", parts::chosen(&view.plan, body)), 1);
    if !body.bindings.is_empty() {
        let bindings = body.bindings.iter().map(|(name, bound)| parts::binding(name, bound));
        let words = Words::new().list(bindings, ", ", parts::LISTED_MAX);
        middle(&mut screen, Item::fact("GIVEN", words), 2);
    }
    middle(&mut screen, Item::fact("STEPS", steps(body)), 2);
    middle(&mut screen, Item::fact("CHANGE", change(body)), 2);
    let risks = parts::risks(body);
    if !risks.is_empty() {
        let words = Words::new().list(risks, "; ", parts::LISTED_MAX);
        heavy(&mut screen, Item::fact("RISK", words).head(parts::risk_head(), 10), 3);
    }
    if !body.radius.dependents.is_empty() {
        let names = body.radius.dependents.iter().map(data);
        let words = Words::new().list(names, ", ", parts::LISTED_MAX);
        middle(&mut screen, Item::fact("SERVES", words), 1);
    }
    let limits = parts::limits(&body.limits, &body.radius);
    middle(&mut screen, Item::fact("LIMITS", limits), 2);
    let undo = parts::undo(body);
    let undo = match (parts::has_inverse(body), body.reversible()) {
        (false, _) => undo,
        (true, true) => undo.say(". Your yes covers it."),
        (true, false) => undo.say(". Your yes covers what can be undone."),
    };
    heavy(&mut screen, Item::fact("UNDO", undo), 3);
    heavy(&mut screen, Item::fact("UNKNOWN", parts::unknown(body)), 2);
    heavy(&mut screen, Item::fact("NEEDS", needs(view, open)), 2);
    let until = open.and_then(|open| open.until).unwrap_or(view.expires);
    let version = data(plan.digest().short())
        .say("  ")
        .data(&body.runbook.name)
        .say(", ")
        .join(vocabulary::library(&body.library));
    let item = Item::fact("PLAN", version);
    heavy(&mut screen, item.right(say("until ").data(Until(until))), 1);
    screen.push(Row::Rule { left: Words::new(), right: Words::new() });
    screen
}

fn heavy(screen: &mut Screen, item: Item, lines: usize) {
    screen.item(item.lines(lines).weight(Weight::Heavy));
}

fn middle(screen: &mut Screen, item: Item, lines: usize) {
    screen.item(item.lines(lines).weight(Weight::Middle));
}

fn light(screen: &mut Screen, item: Item, lines: usize) {
    screen.item(item.lines(lines).weight(Weight::Light));
}

/// How much, whether data is lost, whether it can be taken back.
fn how_bad(body: &PlanBody) -> Words {
    let words = parts::effect(&body.radius).say(". ");
    let words = words.join(vocabulary::data_loss(body.radius.data_loss)).say(" ");
    if body.reversible() {
        words.say("Reversible.")
    } else {
        words.toned(Tone::Bad, "IRREVERSIBLE.")
    }
}

fn why(view: &RunView, body: &PlanBody) -> Words {
    match &body.alert {
        Some(alert) => say("alert ").data(&alert.name),
        None => say("asked for by ").join(vocabulary::actor(&view.requester)),
    }
}

/// `silence > cordon > evict 14 > repair > uncordon`
fn steps(body: &PlanBody) -> Words {
    let mut groups: Vec<(&Step, u64)> = Vec::new();
    for step in &body.steps {
        match groups.last_mut() {
            Some((first, count)) if step.group.is_some() && first.group == step.group => {
                *count += 1;
            }
            _ => groups.push((step, 1)),
        }
    }
    let words = groups.into_iter().map(|(step, count)| {
        let words = match step.kind {
            StepKind::Ask(_) => say("ask ").data(parts::group(step)),
            StepKind::Write(_) | StepKind::Wait(_) | StepKind::Notify(_) => {
                data(parts::group(step))
            }
        };
        let words = if count > 1 { words.say(" ").data(count) } else { words };
        if step.when.is_some() { words.say(" (may run)") } else { words }
    });
    let words = Words::new().list(words, " > ", STEPS_SHOWN);
    let words = if words.is_empty() { say("none: nothing has to be done") } else { words };
    let left_out: Vec<Words> = body.left_out.iter().map(|left| data(&left.step)).collect();
    if left_out.is_empty() {
        words
    } else {
        words.say("; not needed: ").list(left_out, ", ", parts::LISTED_MAX)
    }
}

fn change(body: &PlanBody) -> Words {
    let writes: Vec<_> = body
        .steps
        .iter()
        .filter_map(|step| match &step.kind {
            StepKind::Write(write) => Some(write),
            StepKind::Ask(_) | StepKind::Wait(_) | StepKind::Notify(_) => None,
        })
        .collect();
    let fields: usize = writes.iter().map(|write| write.preview.diff.len()).sum();
    match writes.as_slice() {
        [] => say("nothing"),
        [write] if fields == DIFF_SHOWN => {
            Words::new().list(parts::diff(write, DIFF_SHOWN), " ", 3)
        }
        all => {
            let calls = u64::try_from(all.len()).unwrap_or(u64::MAX);
            let fields = u64::try_from(fields).unwrap_or(u64::MAX);
            let words = Words::new().count(fields, "field", "fields").say(" in ");
            words.count(calls, "call", "calls").say(": [d] shows each")
        }
    }
}

fn needs(view: &RunView, open: Option<&GateView>) -> Words {
    let Some(open) = open else {
        return parts::needs(&[], &view.requester);
    };
    let words = parts::need(&open.gate, &view.requester);
    let words = if open.given.is_empty() {
        words
    } else {
        let given =
            open.given.iter().map(|approval| vocabulary::actor(&approval.by).say(" said yes"));
        words.say(": ").list(given, ", ", parts::LISTED_MAX)
    };
    match open.until {
        Some(until) => words.say("; ").data(left(until, view.now)).say(" left"),
        None => words,
    }
}
