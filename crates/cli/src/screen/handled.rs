//! What became of an alert where nothing was run: several alerts, several runbooks, none. Nothing is guessed.

use steadyhand_api::view::{AlertLine, Candidate, Handled};

use super::times::Day;
use super::{Item, Mark, Screen, Tone, Words, data, say, summary};

/// Most labels of an alert in a list.
const LABELS_SHOWN: usize = 5;

pub(crate) fn screen(handled: &Handled) -> Screen {
    let mut screen = Screen::new();
    match handled {
        Handled::Run(view) => screen.append(summary::or_progress(view)),
        Handled::Plan(view) => match view.open() {
            Ok(plan) => screen.append(super::plan::screen(view, &plan)),
            Err(error) => screen.text(data(error)),
        },
        Handled::Before(view) => {
            screen
                .text(say("This alert was handled before, by this run. It is not handled twice."));
            screen.blank();
            screen.append(summary::or_progress(view));
        }
        Handled::SeveralAlerts { alerts, truncated } => {
            several_alerts(&mut screen, alerts, *truncated)
        }
        Handled::SeveralRunbooks { alert, incident, candidates } => {
            head(&mut screen, alert);
            let fit = candidates.iter().filter(|candidate| candidate.fits).count();
            screen.text(
                say("Several runbooks fit: ")
                    .data(fit)
                    .say(". Nothing was chosen, nothing was changed."),
            );
            screen.blank();
            list(&mut screen, candidates);
            screen.fact("INCIDENT", data(incident));
            screen.blank();
            screen.text(say("Say which one:"));
            for candidate in candidates.iter().filter(|candidate| candidate.fits) {
                screen.text(say("  steady handle FILE --runbook ").data(&candidate.runbook));
            }
        }
        Handled::NoRunbook { alert, incident, candidates } => {
            head(&mut screen, alert);
            screen.text(say("No runbook is bound to this alert. Nothing was changed."));
            screen.blank();
            list(&mut screen, candidates);
            screen.fact("INCIDENT", data(incident));
            screen.blank();
            screen.text(say("Say which one, if you know better:"));
            screen.text(say("  steady handle FILE --runbook NAME -p name=value"));
        }
    }
    screen
}

fn several_alerts(screen: &mut Screen, alerts: &[AlertLine], truncated: u64) {
    let words =
        Words::new().count(u64::try_from(alerts.len()).unwrap_or(u64::MAX), "alert", "alerts");
    screen.text(words.say(" in this notification. Nothing was chosen, nothing was changed."));
    screen.blank();
    for alert in alerts {
        head(screen, alert);
        let labels = alert.labels.iter().map(|(name, value)| data(name).say("=").data(value));
        screen.item(Item::text(Words::new().list(labels, " ", LABELS_SHOWN)).indent(4));
    }
    if truncated > 0 {
        screen.text(
            Words::new()
                .mark(Mark::Careful)
                .say(" the sender left out ")
                .data(truncated)
                .say(" more"),
        );
    }
    screen.blank();
    screen.text(say("Say which one:"));
    for alert in alerts {
        screen.text(say("  steady handle FILE --alert ").data(&alert.key));
    }
}

fn head(screen: &mut Screen, alert: &AlertLine) {
    let words = Words::new().data_toned(Tone::Strong, &alert.name).say("  ").data(&alert.severity);
    let since = say("since ").data(Day(alert.since)).say(" UTC");
    screen.item(Item::text(words).right(since));
}

fn list(screen: &mut Screen, candidates: &[Candidate]) {
    for candidate in candidates {
        let (mark, word) = if candidate.fits { (Mark::Good, "fits") } else { (Mark::Bad, "no") };
        let name = Words::new().mark(mark).say(" ").say(word).say("  ").data(&candidate.runbook);
        screen.item(Item::text(name.say("  ").data(&candidate.title)).indent(2));
        for reason in &candidate.reasons {
            screen.item(Item::text(data(reason)).indent(6));
        }
    }
}
