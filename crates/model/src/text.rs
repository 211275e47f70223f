//! Text that is safe to show. Untrusted text reaches a person or a model only as [`Escaped`].

use std::fmt;

/// Most combining marks kept after one letter.
const COMBINING_RUN_MAX: usize = 2;

/// One line of text with everything that could mislead a reader shown as `\u{..}`.
///
/// Kept as they are: printable ASCII and letters and digits of other scripts. Shown as escapes: controls (ESC, CR,
/// BS, BEL, DEL, C1), line ends, direction marks, zero-width and filler characters, tags, variation selectors,
/// private use, non-characters, and combining marks beyond two in a row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Escaped(String);

impl Escaped {
    /// Escapes one line.
    pub fn line(text: &str) -> Self {
        let mut out = String::with_capacity(text.len());
        let mut combining = 0;
        for c in text.chars() {
            combining = if is_combining(c) { combining + 1 } else { 0 };
            if deceives(c) || combining > COMBINING_RUN_MAX {
                out.extend(c.escape_unicode());
            } else {
                out.push(c);
            }
        }
        Self(out)
    }

    /// Escapes one line and keeps at most `max` characters, the last being `…` where it was cut.
    pub fn short(text: &str, max: usize) -> Self {
        let line = Self::line(text);
        if line.0.chars().count() <= max {
            return line;
        }
        let kept: String = line.0.chars().take(max.saturating_sub(1)).collect();
        Self(format!("{kept}…"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_combining(c: char) -> bool {
    matches!(u32::from(c),
        0x0300..=0x036f | 0x0483..=0x0489 | 0x0591..=0x05bd | 0x0610..=0x061a | 0x064b..=0x065f
        | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0xfe20..=0xfe2f)
}

fn deceives(c: char) -> bool {
    let code = u32::from(c);
    if c.is_control() || code & 0xfffe == 0xfffe {
        return true;
    }
    matches!(code,
        0x00ad | 0x034f | 0x061c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f
        | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x2800 | 0x3164
        | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0xfdd0..=0xfdef
        | 0xe000..=0xf8ff | 0xf0000..=0x10ffff | 0xe0000..=0xe0fff)
        || (c.is_whitespace() && c != ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misleading_characters_are_shown() {
        let cases = [
            ("shop/checkout", "shop/checkout"),
            ("größe 東京", "größe 東京"),
            ("a\nb\u{1b}[2J", "a\\u{a}b\\u{1b}[2J"),
            ("\u{202e}nwod", "\\u{202e}nwod"),
            ("a\u{200b}b\u{2800}", "a\\u{200b}b\\u{2800}"),
            ("x\u{301}\u{301}\u{301}", "x\u{301}\u{301}\\u{301}"),
            ("tab\there\u{a0}", "tab\\u{9}here\\u{a0}"),
            ("\u{e0041}\u{fe0f}", "\\u{e0041}\\u{fe0f}"),
        ];
        for (text, want) in cases {
            assert_eq!(Escaped::line(text).as_str(), want);
        }
    }

    #[test]
    fn short_cuts_at_characters() {
        assert_eq!(Escaped::short("abcdef", 6).as_str(), "abcdef");
        assert_eq!(Escaped::short("abcdefg", 6).as_str(), "abcde…");
    }
}
