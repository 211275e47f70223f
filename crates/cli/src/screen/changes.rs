//! `[d]`: every difference that the plan makes, and the line that a person could type instead.

use steadyhand_model::plan::{Plan, StepKind};

use super::plan as parts;
use super::{Item, Screen, Tone, Words, say};

pub(crate) fn screen(plan: &Plan) -> Screen {
    let mut screen = Screen::new();
    for step in &plan.body().steps {
        let StepKind::Write(write) = &step.kind else {
            continue;
        };
        let title = Words::new().data_toned(Tone::Strong, &step.id).say("  ").data(&step.title);
        screen.text(title);
        for words in parts::diff(write, usize::MAX) {
            screen.item(Item::text(words).indent(2));
        }
        if let Some(words) = parts::preview_kind(&write.preview) {
            screen.item(Item::text(words).indent(2));
        }
        screen.item(
            Item::text(
                say("calls ").data(&write.call.action).say(" ").data(write.call.args.as_str()),
            )
            .indent(2),
        );
        if let Some(command) = &write.command {
            screen.item(Item::text(say("same as: ").data(command)).indent(2));
        }
    }
    if plan.body().writes() {
        screen.blank();
        screen.text(say("This is plan ").data(plan.digest()));
    } else {
        screen.text(say("The plan writes nothing."));
    }
    screen
}
