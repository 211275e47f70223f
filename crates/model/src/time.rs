//! Instants and durations as integers. Nothing here reads a clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z. Written as an integer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub const MAX: Self = Self(i64::MAX);

    #[must_use]
    pub fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.micros()))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Span {
        Span(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0) / 1000)
    }
}

/// A length of time in whole milliseconds. Written as text: `10m`, `1h30m`, `1500ms`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: write numbers with units, such as `90s`, `10m`, `1h30m`, `2d`")]
pub struct SpanError(pub String);

/// Longest duration accepted: 366 days, in milliseconds.
pub const SPAN_MAX_MS: u64 = 366 * 24 * 60 * 60 * 1000;

const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Span {
    pub const ZERO: Self = Self(0);

    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    pub const fn from_mins(minutes: u64) -> Self {
        Self::from_secs(minutes.saturating_mul(60))
    }

    pub const fn millis(self) -> u64 {
        self.0
    }

    pub fn micros(self) -> i64 {
        i64::try_from(self.0.saturating_mul(1000)).unwrap_or(i64::MAX)
    }

    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    #[must_use]
    pub fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, size) in UNITS {
            let count = rest / size;
            rest %= size;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let wrong = || SpanError(text.chars().take(40).collect());
        let mut rest = text;
        let mut total: u64 = 0;
        let mut smallest = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            let letters = after.bytes().take_while(u8::is_ascii_lowercase).count();
            let (unit, next) = after.split_at(letters);
            let size = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size);
            let (Some(size), Some(count)) = (size, whole_number(number)) else {
                return Err(wrong());
            };
            // Units must fall, so that one length has few spellings and none repeats.
            if size >= smallest {
                return Err(wrong());
            }
            smallest = size;
            total = count.checked_mul(size).and_then(|n| total.checked_add(n)).ok_or_else(wrong)?;
            rest = next;
        }
        if text.is_empty() || total > SPAN_MAX_MS { Err(wrong()) } else { Ok(Self(total)) }
    }
}

fn whole_number(text: &str) -> Option<u64> {
    // `"+5".parse::<u64>()` succeeds; only digits may reach it.
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>()).and_then(Result::ok)
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_parse_and_print() {
        let cases = [
            ("90s", Some("1m30s")),
            ("1h30m", Some("1h30m")),
            ("0s", Some("0s")),
            ("1500ms", Some("1s500ms")),
            ("366d", Some("366d")),
            ("367d", None),
            ("5m1h", None),
            ("5", None),
            ("+5m", None),
            ("5M", None),
            ("", None),
        ];
        for (text, want) in cases {
            let got = text.parse::<Span>().ok().map(|s| s.to_string());
            assert_eq!(got.as_deref(), want, "{text}");
        }
    }
}
