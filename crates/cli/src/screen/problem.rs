//! What went wrong: what, why, what to do, and the code of its page.

use super::{Item, Screen, Tone, Words, data, say};
use crate::trouble::Trouble;

pub(crate) fn screen(trouble: &Trouble) -> Screen {
    let mut screen = Screen::new();
    let head = Words::new()
        .toned(Tone::Bad, "error[")
        .data_toned(Tone::Bad, trouble.code)
        .toned(Tone::Bad, "]")
        .say(": ")
        .data_toned(Tone::Strong, &trouble.title);
    screen.text(head);
    for cause in &trouble.causes {
        screen.item(Item::text(data(cause)).head(say("  because"), 11));
    }
    let mut help = trouble.help.lines();
    let first = help.next().unwrap_or("");
    screen.item(Item::text(data(first)).head(say("  do"), 11));
    for line in help {
        screen.drawn(Tone::Plain, line);
    }
    screen.item(Item::text(say("steady explain ").data(trouble.code)).head(say("  more"), 11));
    screen
}
