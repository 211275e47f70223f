//! "Did you mean": the nearest of some known words.

/// Longest word for which a suggestion is looked for, in bytes: bounds the work on hostile input.
const WORD_BYTES_MAX: usize = 64;
/// Below this likeness a suggestion would only confuse.
const LIKENESS_MIN: f64 = 0.78;

pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let folded = word.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|k| (strsim::jaro_winkler(&folded, &k.to_lowercase().replace('-', "_")), k))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

/// At most this many names are listed in a message.
const LISTED_MAX: usize = 30;

/// `a, b, c` or `a, b and 30 more`.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown: Vec<&str> = names.iter().take(LISTED_MAX).copied().collect();
    match names.len().checked_sub(LISTED_MAX) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["ready", "replicas", "settled", "timeout", "on_failure"];
        let cases = [
            ("redy", Some("ready")),
            ("onfailure", Some("on_failure")),
            ("on-failure", Some("on_failure")),
            ("Timeout", Some("timeout")),
            ("zebra", None),
        ];
        for (word, want) in cases {
            assert_eq!(nearest(word, known), want, "{word}");
        }
        let (longest, longer) = ("r".repeat(WORD_BYTES_MAX), "r".repeat(WORD_BYTES_MAX + 1));
        assert!(nearest(&longest, [longest.as_str()]).is_some());
        assert!(nearest(&longer, [longer.as_str()]).is_none());
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..32).map(|n| format!("n{n}")).collect();
        let all = |n: usize| listed(names.iter().take(n).map(String::as_str));
        assert!(all(30).ends_with("n29"));
        assert!(all(31).ends_with("n29 and 1 more"));
    }
}
