//! Times and lengths of time as people read them. Times of day are UTC.

use std::fmt;

use steadyhand_model::time::{Span, Timestamp};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

fn civil(at: Timestamp) -> jiff::civil::DateTime {
    // Years beyond the calendar cannot be shown; the nearest end of it stands for them.
    let instant = jiff::Timestamp::from_microsecond(at.0).unwrap_or(if at.0 < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    });
    jiff::tz::TimeZone::UTC.to_datetime(instant)
}

/// `03:12:04`
pub(crate) struct Clock(pub(crate) Timestamp);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = civil(self.0);
        write!(f, "{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
    }
}

/// `03:42 UTC`
pub(crate) struct Until(pub(crate) Timestamp);

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = civil(self.0);
        write!(f, "{:02}:{:02} UTC", at.hour(), at.minute())
    }
}

/// `2026-11-24 03:12`
pub(crate) struct Day(pub(crate) Timestamp);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = civil(self.0);
        let (year, month, day) = (at.year(), at.month(), at.day());
        write!(f, "{year:04}-{month:02}-{day:02} {:02}:{:02}", at.hour(), at.minute())
    }
}

/// `0.2s`, `61s`, `5m 04s`, `2h 05m`, `3d 04h`: two figures at most.
pub(crate) struct Lasted(pub(crate) Span);

impl fmt::Display for Lasted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.millis();
        if ms < 10 * SECOND {
            write!(f, "{}.{}s", ms / SECOND, ms % SECOND / 100)
        } else if ms < 2 * MINUTE {
            write!(f, "{}s", ms / SECOND)
        } else if ms < HOUR {
            write!(f, "{}m {:02}s", ms / MINUTE, ms % MINUTE / SECOND)
        } else if ms < DAY {
            write!(f, "{}h {:02}m", ms / HOUR, ms % HOUR / MINUTE)
        } else {
            write!(f, "{}d {:02}h", ms / DAY, ms % DAY / HOUR)
        }
    }
}

/// `14m`, `51s`, `2h 05m`: what is left, without false precision.
pub(crate) struct Left(pub(crate) Span);

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.millis();
        if ms < 2 * MINUTE {
            write!(f, "{}s", ms / SECOND)
        } else if ms < HOUR {
            write!(f, "{}m", ms / MINUTE)
        } else {
            Lasted(self.0).fmt(f)
        }
    }
}

/// What is left of the time until `until`.
pub(crate) fn left(until: Timestamp, now: Timestamp) -> Left {
    Left(until.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short() {
        let cases = [
            (0, "0.0s", "0s"),
            (149, "0.1s", "0s"),
            (9_999, "9.9s", "9s"),
            (61_000, "61s", "61s"),
            (304_000, "5m 04s", "5m"),
            (7_500_000, "2h 05m", "2h 05m"),
            (273_600_000, "3d 04h", "3d 04h"),
        ];
        for (ms, lasted, left) in cases {
            let span = Span::from_millis(ms);
            assert_eq!(
                (Lasted(span).to_string(), Left(span).to_string()),
                (lasted.into(), left.into())
            );
        }
    }

    #[test]
    fn times_are_those_of_the_day() {
        let at = Timestamp(1_795_489_924_000_000);
        assert_eq!(Clock(at).to_string(), "03:12:04");
        assert_eq!(Until(at).to_string(), "03:12 UTC");
        assert_eq!(Day(at).to_string(), "2026-11-24 03:12");
        assert_eq!(Day(Timestamp(i64::MAX)).to_string(), "9999-12-30 22:00");
    }
}
