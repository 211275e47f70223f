//! A plan, whole: what it would do, where, how much, under which limits, and how it is taken back.

use std::collections::BTreeSet;

use steadyhand_api::view::PlanView;
use steadyhand_model::actor::Actor;
use steadyhand_model::ids::StepId;
use steadyhand_model::plan::{
    BlastRadius, Bound, Gate, GateBefore, GateKind, Limits, Plan, PlanBody, Preview, PreviewKind,
    Step, StepKind, Undo, WriteStep,
};
use steadyhand_model::types::Type;

use super::{Item, Mark, Screen, Tone, Words, data, facts, say, vocabulary};

/// Most names in one list of a card; a plan lists more.
pub(crate) const LISTED_MAX: usize = 6;
/// Most differences of one step in a plan.
const DIFF_SHOWN: usize = 12;
/// Most steps whose calls are shown one by one.
const STEPS_SHOWN: usize = 40;

pub(crate) fn screen(view: &PlanView, plan: &Plan) -> Screen {
    let body = plan.body();
    let mut screen = Screen::new();
    head(&mut screen, view, body);
    screen.blank();
    screen.fact("EFFECT", effect(&body.radius));
    screen.fact("RADIUS", radius(body));
    given(&mut screen, body);
    let mut before: Option<&StepId> = None;
    for step in body.steps.iter().take(STEPS_SHOWN) {
        // The items of a group differ in what they are about, which their titles say.
        let like_the_one_before = step.group.is_some() && before == step.group.as_ref();
        one_step(&mut screen, step, !like_the_one_before);
        before = step.group.as_ref();
    }
    if body.steps.len() > STEPS_SHOWN {
        let more = body.steps.len() - STEPS_SHOWN;
        screen.fact("", say("and ").data(more).say(" steps more, all of them in -o json"));
    }
    for left in &body.left_out {
        let why = Words::new().mark(Mark::Idle).say(" ").data(&left.step).say("  not needed: ");
        screen.fact("NOT DONE", why.data(&left.why));
    }
    screen.fact("UNDO", undo(body));
    checks(&mut screen, body);
    screen.fact("LIMITS", limits(&body.limits, &body.radius));
    for risk in risks(body) {
        screen.item(Item::fact("RISK", risk).head(risk_head(), 10));
    }
    screen.fact("UNKNOWN", unknown(body));
    screen.fact("NEEDS", needs(&body.gates, &view.requester));
    if let Some(why) = &view.held_back {
        screen.fact("HELD BACK", Words::new().toned(Tone::Doubt, "").data(why));
    }
    screen.blank();
    let valid = say("Valid for ").data(body.valid_for).say(" once it is run. Nothing was changed.");
    screen.text(valid);
    if view.held_back.is_none() && body.writes() {
        screen.text(say("  steady run ").data(plan.digest().short()));
    }
    screen
}

pub(crate) fn risk_head() -> Words {
    Words::new().toned(Tone::Strong, "RISK").say("    ").mark(Mark::Careful)
}

fn head(screen: &mut Screen, view: &PlanView, body: &PlanBody) {
    let title = Words::new()
        .toned(Tone::Strong, "PLAN ")
        .data_toned(Tone::Strong, view.digest.short())
        .say("  ")
        .data(&body.runbook.name)
        .say(", ")
        .join(vocabulary::library(&body.library));
    screen.text(title);
    let place = vocabulary::place(body.environment.class, &body.environment.name);
    screen.text(Words::new().toned(Tone::Strong, "ON   ").join(place));
    screen.blank();
    if let Some(alert) = &body.alert {
        screen.fact("WHY", say("alert ").data(&alert.name));
    }
    screen.fact("ASKED BY", vocabulary::actor(&view.requester));
    screen.fact("CHOSEN", chosen(view, body));
    for target in body.radius.targets.iter().take(LISTED_MAX) {
        let words = data(&target.kind).say(" ").data(&target.name).say("  uid ").data(&target.uid);
        screen.fact("TARGET", words);
    }
    if body.radius.targets.len() > LISTED_MAX {
        let more = body.radius.targets.len() - LISTED_MAX;
        screen.fact("", say("and ").data(more).say(" more"));
    }
    for (name, fact) in &view.facts {
        let name = name.strip_prefix("params.").unwrap_or(name);
        screen.item(Item::fact("NOW", data(name).say(": ").join(facts::line(fact))).lines(2));
    }
}

/// How the runbook was chosen, and whether a model had any part in it.
pub(crate) fn chosen(view: &PlanView, body: &PlanBody) -> Words {
    use steadyhand_model::event::Proposer;
    use steadyhand_model::plan::Origin;
    let words = say(vocabulary::chosen(view.chosen.by));
    let by_model =
        |bound: &&Bound| bound.chosen_by == Origin::Model || bound.origin == Origin::Model;
    let modelled = body.bindings.values().filter(by_model).count();
    match (view.chosen.by, modelled) {
        (Proposer::Model, _) => words,
        (Proposer::Binding | Proposer::Operator, 0) => words.say("; no model involved"),
        (Proposer::Binding | Proposer::Operator, _) => words.say("; a model filled in parameters"),
    }
}

fn given(screen: &mut Screen, body: &PlanBody) {
    for (name, bound) in &body.bindings {
        screen.fact("GIVEN", binding(name, bound));
    }
}

/// `workload: Deployment shop/checkout (from the inventory, chosen by the operator)`
pub(crate) fn binding(name: impl std::fmt::Display, bound: &Bound) -> Words {
    let words =
        data(name).say(": ").data(&bound.shown).say(" (").say(vocabulary::origin(bound.origin));
    if bound.origin == bound.chosen_by {
        words.say(")")
    } else {
        words.say(", chosen by ").say(vocabulary::origin(bound.chosen_by)).say(")")
    }
}

/// How a value is typed after `-p name=`.
pub(crate) fn typed(bound: &Bound) -> &str {
    match (&bound.ty, bound.shown.rsplit_once(' ')) {
        (Type::Object { .. }, Some((_kind, name))) => name,
        _ => &bound.shown,
    }
}

/// `3 pods replaced in turn: 0 of 3 newly unavailable`
pub(crate) fn effect(radius: &BlastRadius) -> Words {
    let parts = radius.affected.iter().map(|affected| {
        data(affected.count).say(" ").data(&affected.what).say(" ").data(&affected.how)
    });
    let words = if radius.affected.is_empty() {
        say("nothing beyond the targets")
    } else {
        Words::new().list(parts, ", ", LISTED_MAX)
    };
    words
        .say("; ")
        .data(radius.unavailable)
        .say(" of ")
        .data(radius.population)
        .say(" newly unavailable")
}

fn radius(body: &PlanBody) -> Words {
    let radius = &body.radius;
    let targets = u64::try_from(radius.targets.len()).unwrap_or(u64::MAX);
    let words = Words::new().count(targets, "target", "targets");
    let words = if radius.zones.is_empty() {
        words
    } else {
        words.say(", zones ").list(radius.zones.iter().map(data), " ", LISTED_MAX)
    };
    let words = words.say(". ").join(vocabulary::data_loss(radius.data_loss));
    if radius.dependents.is_empty() {
        words.say(" No dependents are known.")
    } else {
        words.say(" Dependents: ").list(radius.dependents.iter().map(data), ", ", LISTED_MAX)
    }
}

fn one_step(screen: &mut Screen, step: &Step, whole: bool) {
    screen
        .fact("STEP", Words::new().data_toned(Tone::Strong, &step.id).say("  ").data(&step.title));
    if !whole {
        return;
    }
    let under = |screen: &mut Screen, words: Words| {
        screen.item(Item::text(words).indent(12));
    };
    if let Some(when) = &step.when {
        under(screen, say("may run: when ").data(&when.title));
    }
    match &step.kind {
        StepKind::Write(write) => {
            for words in diff(write, DIFF_SHOWN) {
                under(screen, words);
            }
            if let Some(words) = preview_kind(&write.preview) {
                under(screen, words);
            }
            if let Some(command) = &write.command {
                under(screen, say("same as: ").data(command));
            }
            if let Some(verify) = &write.verify {
                let words = say("verified by: ").data(&verify.title);
                let words = if verify.hold_for.is_zero() {
                    words
                } else {
                    words.say(", for ").data(verify.hold_for)
                };
                under(screen, words.say(", within ").data(verify.within));
            } else {
                under(screen, say("nothing verifies it"));
            }
        }
        StepKind::Ask(ask) => {
            let words = say("asks ").data(&ask.who).say(": ").data(&ask.question).say("  ");
            under(screen, words.list(ask.answers.iter().map(data), " | ", LISTED_MAX));
        }
        StepKind::Wait(wait) => {
            let words = say("waits at most ").data(wait.at_most);
            under(
                screen,
                match &wait.until {
                    Some(check) => words.say(" until ").data(&check.title),
                    None => words,
                },
            );
        }
        StepKind::Notify(notify) => {
            under(screen, say("tells ").data(&notify.to).say(": ").data(&notify.say));
        }
    }
}

/// The differences that a step makes, a line each.
pub(crate) fn diff(write: &WriteStep, most: usize) -> Vec<Words> {
    let mut lines: Vec<Words> = Vec::new();
    for line in write.preview.diff.iter().take(most) {
        lines.push(data(&line.path));
        if let Some(before) = &line.before {
            lines.push(Words::new().toned(Tone::Bad, "  -  ").data_toned(Tone::Bad, before));
        }
        if let Some(after) = &line.after {
            lines.push(Words::new().toned(Tone::Good, "  +  ").data_toned(Tone::Good, after));
        }
    }
    if write.preview.diff.len() > most {
        let more = write.preview.diff.len() - most;
        lines.push(say("and ").data(more).say(" fields more"));
    }
    lines
}

/// Where a preview is not the server's own, that is said.
pub(crate) fn preview_kind(preview: &Preview) -> Option<Words> {
    match &preview.kind {
        PreviewKind::Server => None,
        PreviewKind::Client { why } => Some(say("computed here, not by the server: ").data(why)),
        PreviewKind::None { why } => {
            Some(Words::new().toned(Tone::Doubt, "no preview: ").data(why))
        }
    }
}

/// What takes the plan back, and what does not come back.
pub(crate) fn undo(body: &PlanBody) -> Words {
    let mut parts: Vec<Words> = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for step in &body.steps {
        let StepKind::Write(write) = &step.kind else {
            continue;
        };
        let (key, words) = match &write.undo {
            Undo::Inverse(inverse) => (inverse.shown.clone(), data(&inverse.shown)),
            Undo::NothingToUndo { why } => {
                (why.clone(), say("nothing to undo for ").data(group(step)).say(": ").data(why))
            }
            Undo::Irreversible { reason } => {
                let words = Words::new().toned(Tone::Bad, "IRREVERSIBLE from ").data(group(step));
                (reason.clone(), words.say(" on: ").data(reason))
            }
        };
        if seen.insert(key) {
            parts.push(words);
        }
    }
    if parts.is_empty() {
        return say("nothing is written");
    }
    Words::new().list(parts, "; ", LISTED_MAX)
}

/// Whether the plan has a step that an undo call takes back.
pub(crate) fn has_inverse(body: &PlanBody) -> bool {
    body.steps.iter().any(|step| match &step.kind {
        StepKind::Write(write) => matches!(write.undo, Undo::Inverse(_)),
        StepKind::Ask(_) | StepKind::Wait(_) | StepKind::Notify(_) => false,
    })
}

/// The step of the runbook that this one comes from.
pub(crate) fn group(step: &Step) -> &StepId {
    step.group.as_ref().unwrap_or(&step.id)
}

fn checks(screen: &mut Screen, body: &PlanBody) {
    let before = body.steps.iter().flat_map(|step| match &step.kind {
        StepKind::Write(write) => write.before.as_slice(),
        StepKind::Ask(_) | StepKind::Wait(_) | StepKind::Notify(_) => &[],
    });
    let mut seen = BTreeSet::new();
    let titles = body.require.iter().chain(before).filter(|check| seen.insert(check.title.clone()));
    let parts: Vec<Words> = titles.map(|check| data(&check.title)).collect();
    if !parts.is_empty() {
        screen.fact("CHECKS", say("again before acting: ").list(parts, ", ", 12));
    }
}

/// `1 of 1 target, 3 of 60 affected, at most 2 in 1h for each target`
pub(crate) fn limits(limits: &Limits, radius: &BlastRadius) -> Words {
    let mut parts: Vec<Words> = Vec::new();
    if let Some(most) = limits.targets {
        parts.push(data(radius.targets.len()).say(" of ").count(most, "target", "targets"));
    }
    if let Some(most) = limits.affected {
        let count: u64 = radius.affected.iter().map(|affected| affected.count).sum();
        parts.push(data(count).say(" of ").data(most).say(" affected"));
    }
    if let Some(most) = limits.unavailable {
        let share = radius.unavailable.saturating_mul(1000).checked_div(radius.population);
        let share = share.map_or_else(|| say("unknown"), percent);
        parts.push(share.say(" of ").join(percent(most)).say(" unavailable"));
    }
    if let Some(most) = limits.zones {
        parts.push(data(radius.zones.len()).say(" of ").count(most, "zone", "zones"));
    }
    for rate in &limits.rates {
        let words = say("at most ").data(rate.count).say(" in ").data(rate.window);
        parts.push(if rate.per_target { words.say(" for each target") } else { words });
    }
    for rate in &limits.environment_rates {
        let words = say("at most ").data(rate.count).say(" in ").data(rate.window);
        parts.push(words.say(" in this environment"));
    }
    if parts.is_empty() { say("none") } else { Words::new().list(parts, ", ", LISTED_MAX) }
}

fn percent(per_mille: u64) -> Words {
    let (whole, tenth) = (per_mille / 10, per_mille % 10);
    if tenth == 0 { data(whole).say(" %") } else { data(whole).say(".").data(tenth).say(" %") }
}

/// What may hurt, most first.
pub(crate) fn risks(body: &PlanBody) -> Vec<Words> {
    use steadyhand_model::plan::DataLoss;
    let mut risks = Vec::new();
    if body.radius.data_loss != DataLoss::None {
        risks.push(vocabulary::data_loss(body.radius.data_loss));
    }
    if body.radius.unavailable > 0 {
        let words = data(body.radius.unavailable).say(" of ").data(body.radius.population);
        risks.push(words.say(" are newly unavailable at the worst moment"));
    }
    risks.extend(body.radius.owners.iter().map(data));
    for step in &body.steps {
        if let StepKind::Write(write) = &step.kind
            && !matches!(write.preview.kind, PreviewKind::Server)
            && let Some(words) = preview_kind(&write.preview)
        {
            risks.push(data(&step.id).say(": ").join(words));
        }
    }
    risks
}

pub(crate) fn unknown(body: &PlanBody) -> Words {
    if body.radius.unknowns.is_empty() {
        say("nothing that the plan knows of")
    } else {
        Words::new().list(body.radius.unknowns.iter().map(data), "; ", LISTED_MAX)
    }
}

/// Who has to say yes.
pub(crate) fn needs(gates: &[Gate], requester: &Actor) -> Words {
    let parts: Vec<Words> = gates.iter().map(|gate| need(gate, requester)).collect();
    if parts.is_empty() { say("nobody's yes") } else { Words::new().list(parts, "; ", LISTED_MAX) }
}

pub(crate) fn need(gate: &Gate, requester: &Actor) -> Words {
    let words = match &gate.kind {
        GateKind::Confirm { .. } => {
            say("1 person: ").join(vocabulary::actor(requester)).say(", who asked for it")
        }
        GateKind::Approvals { count, from, others, .. } => {
            let words = Words::new().count(u64::from(*count), "person", "people");
            let words = words.say(" of ").data(from);
            if *others { words.say(", not whoever asked for it") } else { words }
        }
    };
    match &gate.before {
        GateBefore::Start => words,
        GateBefore::Step(step) => words.say(", again before ").data(step),
    }
}

/// What the plan acts on, in one name.
pub(crate) fn subject(body: &PlanBody) -> Words {
    match body.radius.targets.as_slice() {
        [] => data(&body.runbook.name),
        targets => Words::new().list(
            targets.iter().map(|target| data(&target.kind).say(" ").data(&target.name)),
            ", ",
            2,
        ),
    }
}
