//! What a person typed at a card or a question, read strictly. Enter answers nothing; nothing is guessed.

use steadyhand_model::event::Answer;

use crate::screen::{Screen, Tone, Words, data, say};

/// What was typed at a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    Approve,
    Deny {
        reason: Option<String>,
    },
    Diff,
    Why,
    Leave,
    /// Nothing, or nothing that is known here: it is asked again.
    Again,
}

/// Reads an answer at a card. With `name` the plan is irreversible, and only the name approves.
pub(crate) fn choice(typed: &str, name: Option<&str>) -> Choice {
    let typed = typed.trim();
    if let Some(name) = name
        && typed == name
    {
        return Choice::Approve;
    }
    let (word, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let rest = rest.trim();
    match (word.to_ascii_lowercase().as_str(), rest.is_empty()) {
        ("y" | "yes", true) if name.is_none() => Choice::Approve,
        ("n" | "no", true) => Choice::Deny { reason: None },
        ("n" | "no", false) => Choice::Deny { reason: Some(rest.to_owned()) },
        ("d", true) => Choice::Diff,
        ("w", true) => Choice::Why,
        ("q", true) => Choice::Leave,
        _ => Choice::Again,
    }
}

/// The line under a card.
pub(crate) fn card(name: Option<&str>) -> Screen {
    let mut screen = Screen::new();
    screen.text(match name {
        None => say("[y] approve  [n] deny  [d] diff  [w] why  [q] leave it waiting  >"),
        Some(name) => Words::new()
            .say("Type ")
            .data_toned(Tone::Strong, name)
            .say(" to approve. [n] deny  [d] diff  [w] why  [q] leave  >"),
    });
    screen
}

/// One of the declared answers of a question, or nothing.
pub(crate) fn answer<'a>(typed: &str, answers: &'a [Answer]) -> Option<&'a Answer> {
    let typed = typed.trim();
    answers.iter().find(|Answer(text)| text == typed)
}

/// The line under a question.
pub(crate) fn question(answers: &[Answer]) -> Screen {
    let mut screen = Screen::new();
    let given = answers.iter().map(|Answer(text)| data(text));
    screen.text(say("type ").list(given, " | ", 10).say("  or [q] leave it waiting  >"));
    screen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clear_words_decide() {
        let deny = |reason: &str| Choice::Deny { reason: Some(reason.into()) };
        let cases = [
            ("y", Choice::Approve),
            ("Yes", Choice::Approve),
            ("", Choice::Again),
            ("   ", Choice::Again),
            ("y please", Choice::Again),
            ("yy", Choice::Again),
            ("shop/checkout", Choice::Again),
            ("n", Choice::Deny { reason: None }),
            ("n not during the sale", deny("not during the sale")),
            ("d", Choice::Diff),
            ("w", Choice::Why),
            ("q", Choice::Leave),
            ("\u{1b}y", Choice::Again),
        ];
        for (typed, want) in cases {
            assert_eq!(choice(typed, None), want, "{typed:?}");
        }
    }

    #[test]
    fn the_irreversible_needs_its_name() {
        let name = Some("orders-db");
        assert_eq!(choice("y", name), Choice::Again);
        assert_eq!(choice("orders-d", name), Choice::Again);
        assert_eq!(choice(" orders-db ", name), Choice::Approve);
        assert_eq!(choice("n", name), Choice::Deny { reason: None });
    }

    #[test]
    fn questions_take_their_own_answers_only() {
        let answers = [Answer("done".into()), Answer("not now".into())];
        assert_eq!(answer("done ", &answers), answers.first());
        assert_eq!(answer("not now", &answers), answers.get(1));
        assert_eq!(answer("Done", &answers), None);
        assert_eq!(answer("", &answers), None);
    }
}
