//! Faults that a world plants in itself: which request they meet, and what goes wrong.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use steadyhand_model::outcome::RefusalKind;
use steadyhand_model::time::Span;

/// How long a late effect takes to appear: after the call would have been given up, within its quiescence.
pub const LATE_BY: Span = Span::from_secs(12);
/// How long a slow call takes unless the fault says otherwise.
pub const SLOW_TOOK: Span = Span::from_secs(8);
/// A pod that flaps is ready for this long, then not ready for this long.
pub const FLAP_PERIOD: Span = Span::from_secs(20);

/// Which requests a fault meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Reads and functions.
    Read,
    Plan,
    Apply,
    Probe,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The answer says that it took this long.
    Slow { took: Span },
    /// The target refuses: nothing happens.
    Failing { refusal: RefusalKind },
    /// Nothing happens, and no answer comes.
    LostBefore,
    /// It happens, and no answer comes.
    LostAfter,
    /// No answer comes, and it happens after `by`.
    Late { by: Span },
    /// Somebody changes the template of the planned target just after the plan was made.
    Drift,
    /// The executor's account may not patch. It stays so.
    Permission,
    /// It happens, and the answer is not of the declared form.
    Garbage,
    /// It happens, and the answer is too large.
    Huge,
    /// The answer says that it is done; nothing happens.
    Lying,
    /// It happens, and the new pods are ready by turns only.
    Flapping,
    /// The client is killed before the request is in the world.
    KillBefore,
    /// The client is killed when the request is in the world, before the answer.
    KillAfter,
}

impl FaultKind {
    /// The word in lines and on the command line.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Slow { .. } => "slow",
            Self::Failing { refusal } => match refusal {
                RefusalKind::NotSent | RefusalKind::Busy => "busy",
                RefusalKind::Conflict => "conflict",
                RefusalKind::Forbidden => "forbidden",
                RefusalKind::Invalid => "invalid",
            },
            Self::LostBefore => "lost_before",
            Self::LostAfter => "lost_after",
            Self::Late { .. } => "late",
            Self::Drift => "drift",
            Self::Permission => "permission",
            Self::Garbage => "garbage",
            Self::Huge => "huge",
            Self::Lying => "lying",
            Self::Flapping => "flapping",
            Self::KillBefore => "kill_before",
            Self::KillAfter => "kill_after",
        }
    }
}

/// One planted fault: it meets the `nth` matching request and the `times - 1` after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub on: Verb,
    /// Only this tool, such as `rollout_restart.apply`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// From 1.
    pub nth: u32,
    pub times: u32,
    pub kind: FaultKind,
}

impl Fault {
    pub fn once(on: Verb, kind: FaultKind) -> Self {
        Self { on, tool: None, nth: 1, times: 1, kind }
    }

    pub(crate) fn matches(&self, verb: Verb, tool: &str) -> bool {
        self.on == verb && self.tool.as_deref().is_none_or(|t| t == tool)
    }

    /// Whether it fires on a matching request after `seen` earlier ones.
    pub(crate) fn fires_after(&self, seen: u32) -> bool {
        let number = seen.saturating_add(1);
        number >= self.nth && number - self.nth < self.times
    }
}

/// Why a text is not a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    #[error("there is no fault `{name}`: one of {}", FAULT_NAMES.join(", "))]
    Name { name: String },
    #[error("`{text}` is not the number of a request, from 1")]
    Nth { text: String },
    #[error("`{text}` is not a duration such as `8s`")]
    Took { text: String },
}

/// The names that [`Fault::from_str`] knows.
pub const FAULT_NAMES: [&str; 18] = [
    "slow",
    "busy",
    "conflict",
    "forbidden",
    "invalid",
    "lost",
    "lost-before",
    "lost-after",
    "late",
    "drift",
    "permission",
    "garbage",
    "huge",
    "lying",
    "flapping",
    "kill",
    "kill-before",
    "unreadable",
];

/// `NAME`, `NAME@NTH`, and for `slow` and `late` also `NAME:DURATION`: `lost`, `kill@2`, `slow:3s@1`.
impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (rest, nth) = match text.split_once('@') {
            None => (text, 1),
            Some((rest, number)) => (rest, nth(number)?),
        };
        let (name, length) = match rest.split_once(':') {
            None => (rest, None),
            Some((name, length)) => (name, Some(length)),
        };
        let failing = |refusal| FaultKind::Failing { refusal };
        let mut times = 1;
        let mut on = Verb::Apply;
        let kind = match name {
            "slow" => FaultKind::Slow { took: span(length, SLOW_TOOK)? },
            "late" => FaultKind::Late { by: span(length, LATE_BY)? },
            _ if length.is_some() => return Err(FaultError::Name { name: rest.to_owned() }),
            "busy" => failing(RefusalKind::Busy),
            "conflict" => failing(RefusalKind::Conflict),
            "forbidden" => failing(RefusalKind::Forbidden),
            "invalid" => failing(RefusalKind::Invalid),
            "lost" | "lost-after" => FaultKind::LostAfter,
            "lost-before" => FaultKind::LostBefore,
            "drift" => {
                on = Verb::Plan;
                FaultKind::Drift
            }
            "unreadable" => {
                on = Verb::Read;
                failing(RefusalKind::Forbidden)
            }
            "permission" => {
                times = u32::MAX;
                FaultKind::Permission
            }
            "garbage" => FaultKind::Garbage,
            "huge" => FaultKind::Huge,
            "lying" => FaultKind::Lying,
            "flapping" => FaultKind::Flapping,
            "kill" | "kill-after" => FaultKind::KillAfter,
            "kill-before" => FaultKind::KillBefore,
            _ => return Err(FaultError::Name { name: name.to_owned() }),
        };
        Ok(Self { on, tool: None, nth, times, kind })
    }
}

fn nth(text: &str) -> Result<u32, FaultError> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && number > 0 => Ok(number),
        _ => Err(FaultError::Nth { text: text.to_owned() }),
    }
}

fn span(text: Option<&str>, otherwise: Span) -> Result<Span, FaultError> {
    let Some(text) = text else { return Ok(otherwise) };
    match text.parse() {
        Ok(span) => Ok(span),
        Err(_span_error) => Err(FaultError::Took { text: text.to_owned() }),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.kind.word(), self.nth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_words() {
        let cases = [
            ("lost", Some("lost_after@1")),
            ("lost-before@3", Some("lost_before@3")),
            ("slow:3s", Some("slow@1")),
            ("late:12s@2", Some("late@2")),
            ("kill", Some("kill_after@1")),
            ("drift", Some("drift@1")),
            ("kill@0", None),
            ("kill@+1", None),
            ("kill:3s", None),
            ("slow:x", None),
            ("nothing", None),
            ("", None),
        ];
        for (text, want) in cases {
            let got = text.parse::<Fault>().ok().map(|f| f.to_string());
            assert_eq!(got.as_deref(), want, "{text}");
        }
        for name in FAULT_NAMES {
            assert!(name.parse::<Fault>().is_ok(), "{name}");
        }
    }

    #[test]
    fn a_fault_fires_on_its_own_requests_only() {
        let fault = Fault { nth: 2, times: 2, ..Fault::once(Verb::Apply, FaultKind::Lying) };
        let fired: Vec<bool> = (0..5).map(|seen| fault.fires_after(seen)).collect();
        assert_eq!(fired, [false, true, true, false, false]);
        assert!(fault.matches(Verb::Apply, "scale.apply") && !fault.matches(Verb::Probe, "x"));
    }
}
