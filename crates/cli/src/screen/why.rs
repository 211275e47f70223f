//! `[w]`: why this runbook and these values. The alert's own text stands here and nowhere else, quoted.

use steadyhand_api::view::PlanView;
use steadyhand_model::plan::{Plan, StepKind};

use super::plan as parts;
use super::{Item, Screen, Tone, Words, data, say, vocabulary};

/// The label in which Alertmanager keeps an alert's name.
const ALERT_NAME: &str = "alertname";

pub(crate) fn screen(view: &PlanView, plan: &Plan) -> Screen {
    let body = plan.body();
    let mut screen = Screen::new();
    screen.fact("CHOSEN", parts::chosen(view, body));
    for reason in &view.chosen.reasons {
        screen.fact("", data(reason));
    }
    screen.fact("ASKED BY", vocabulary::actor(&view.requester));
    screen.fact("INCIDENT", data(&view.incident));
    for (name, bound) in &body.bindings {
        let words = parts::binding(name, bound);
        let words = match &bound.uid {
            Some(uid) => words.say("  uid ").data(uid),
            None => words,
        };
        screen.fact("GIVEN", words);
    }
    for check in &body.require {
        screen.fact("REQUIRES", data(&check.title).say(":  ").data(&check.expr));
    }
    for step in &body.steps {
        if let StepKind::Write(write) = &step.kind {
            for check in &write.before {
                let words = data(&step.id).say(": ").data(&check.title).say(":  ");
                screen.fact("BEFORE", words.data(&check.expr));
            }
        }
    }
    if let Some(alert) = &body.alert {
        screen.blank();
        let title = say("The alert's own words, from outside and not checked:");
        screen.item(Item::text(Words::new().toned(Tone::Faint, "").join(title)));
        if !alert.labels.contains_key(ALERT_NAME) {
            screen.item(Item::text(say("| alertname = ").data(&alert.name)).indent(2));
        }
        for (name, value) in &alert.labels {
            screen.item(Item::text(say("| ").data(name).say(" = ").data(value)).indent(2));
        }
        screen.item(Item::text(say("| fingerprint ").data(&alert.key)).indent(2));
    }
    screen
}
