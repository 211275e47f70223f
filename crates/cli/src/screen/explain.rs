//! `steady explain`: the page of a code, and the list of all codes.

use super::{Screen, Tone, Words, data, say};

/// The page as it was written: Markdown, made to be read as it is.
pub(crate) fn page(text: &'static str) -> Screen {
    let mut screen = Screen::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            screen.drawn(Tone::Faint, &format!("    {line}"));
        } else if let Some(title) = line.strip_prefix("# ") {
            screen.text(Words::new().data_toned(Tone::Strong, title));
        } else if line.is_empty() {
            screen.blank();
        } else {
            screen.text(say(line));
        }
    }
    screen
}

pub(crate) fn list(pages: &'static [(&'static str, &'static str)]) -> Screen {
    let mut screen = Screen::new();
    let rows = pages.iter().map(|(code, text)| vec![say(code), data(title(code, text))]).collect();
    screen.table(0, rows);
    screen.blank();
    screen.text(say("  steady explain CODE"));
    screen
}

/// The first line of a page, without its code.
fn title(code: &str, text: &'static str) -> &'static str {
    let line = text.lines().next().unwrap_or("").trim_start_matches("# ");
    line.strip_prefix(code).unwrap_or(line).trim_start_matches([':', ' '])
}
