//! Instants of a body: RFC 3339 to the letter. `jiff` alone would accept more spellings than the format has.

use steadyhand_model::time::Timestamp;
use steadyhand_model::value::INTEGER_MAX;

/// What Go writes for a time that was never set; `endsAt` of a firing alert.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Debug, thiserror::Error)]
pub enum InstantError {
    #[error("it is not an RFC 3339 time such as 2026-11-23T15:59:32Z")]
    Form,
    #[error("it is not a time of the calendar")]
    Calendar {
        #[source]
        source: jiff::Error,
    },
    #[error("it is outside the years 1684 to 2255, which are all that can be kept exactly")]
    Range,
}

/// An instant to the nanosecond, and as it is kept, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant {
    pub(crate) exact: jiff::Timestamp,
    pub(crate) kept: Timestamp,
}

pub(crate) fn parse(text: &str) -> Result<Instant, InstantError> {
    if !has_form(text.as_bytes()) {
        return Err(InstantError::Form);
    }
    let exact: jiff::Timestamp =
        text.parse().map_err(|source| InstantError::Calendar { source })?;
    let micros = exact.as_microsecond();
    // Canonical JSON carries integers within ±(2^53 - 1) only.
    if !(-INTEGER_MAX..=INTEGER_MAX).contains(&micros) {
        return Err(InstantError::Range);
    }
    Ok(Instant { exact, kept: Timestamp(micros) })
}

/// As [`parse`], with `None` for the time that was never set.
pub(crate) fn parse_optional(text: &str) -> Result<Option<Instant>, InstantError> {
    if text == NEVER { Ok(None) } else { parse(text).map(Some) }
}

/// `YYYY-MM-DDTHH:MM:SS`, a fraction of one to nine digits if there is one, `Z` or `±HH:MM`.
fn has_form(text: &[u8]) -> bool {
    let (Some(date_time), Some(rest)) = (text.get(..19), text.get(19..)) else {
        return false;
    };
    let zone = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            match fraction.get(digits..) {
                Some(zone) if (1..=9).contains(&digits) => zone,
                Some(_) | None => return false,
            }
        }
        None => rest,
    };
    matches_form(date_time, b"dddd-dd-ddTdd:dd:dd")
        && (zone == b"Z" || matches_form(zone, b"+dd:dd") || matches_form(zone, b"-dd:dd"))
}

/// `d` stands for a digit, everything else for itself.
fn matches_form(text: &[u8], form: &[u8]) -> bool {
    text.len() == form.len()
        && text.iter().zip(form).all(|(c, f)| if *f == b'd' { c.is_ascii_digit() } else { c == f })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rfc_3339_within_range_is_an_instant() {
        let cases = [
            ("2026-11-23T15:59:32Z", Some(1_795_449_572_000_000)),
            ("2026-11-23T15:59:32.642571768Z", Some(1_795_449_572_642_571)),
            ("2026-11-23T17:59:32.5+02:00", Some(1_795_449_572_500_000)),
            ("1970-01-01T00:00:00-00:30", Some(1_800_000_000)),
            ("2026-11-23 15:59:32Z", None),
            ("2026-11-23t15:59:32z", None),
            ("2026-11-23T15:59:32", None),
            ("2026-11-23T15:59:32.Z", None),
            ("2026-11-23T15:59:32.1234567890Z", None),
            ("2026-11-23T15:59:32,5Z", None),
            ("2026-11-23T15:59:32Z[Europe/Berlin]", None),
            ("2026-02-30T15:59:32Z", None),
            ("2026-11-23T25:59:32Z", None),
            ("2255-06-05T23:47:34.740991Z", Some(INTEGER_MAX)),
            ("2255-06-05T23:47:34.740992Z", None),
            ("0001-01-01T00:00:00Z", None),
            ("", None),
            ("２026-11-23T15:59:32Z", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text).ok().map(|i| i.kept.0), want, "{text}");
        }
    }

    #[test]
    fn the_time_never_set_is_none() {
        assert_eq!(parse_optional(NEVER).unwrap(), None);
        assert!(parse_optional("2026-11-23T15:59:32Z").unwrap().is_some());
        assert!(parse_optional("0001-01-02T00:00:00Z").is_err());
    }
}
