//! What went wrong, for a tired person: what happened, what to do, a stable code, the exit code.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::exit::ExitCode;

/// Longest chain of causes that is told.
pub const CAUSES_MAX: usize = 8;

/// `SH` and four digits. Each has a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProblemCode(u16);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a code is `SH` and four digits")]
pub struct ProblemCodeError;

impl ProblemCode {
    /// The code of this number; at most four digits are written.
    pub const fn of(number: u16) -> Self {
        Self(number % 10_000)
    }

    pub(crate) const SILENT: Self = Self(641);
    pub(crate) const LOST: Self = Self(642);
    pub(crate) const OTHER_VERSION: Self = Self(643);
    pub(crate) const BAD_FRAME: Self = Self(644);
    pub(crate) const TOO_LARGE: Self = Self(645);
    pub(crate) const BUSY: Self = Self(646);
    pub(crate) const SOCKET: Self = Self(647);
    pub(crate) const NO_KEEPER: Self = Self(648);
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SH{:04}", self.0)
    }
}

impl FromStr for ProblemCode {
    type Err = ProblemCodeError;

    fn from_str(text: &str) -> Result<Self, ProblemCodeError> {
        let digits = text.strip_prefix("SH").ok_or(ProblemCodeError)?;
        if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ProblemCodeError);
        }
        Ok(Self(digits.bytes().fold(0, |n, digit| n * 10 + u16::from(digit - b'0'))))
    }
}

impl Serialize for ProblemCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProblemCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The texts may quote untrusted text: whoever shows them escapes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    pub code: ProblemCode,
    /// What happened, in one line.
    pub title: String,
    /// Why, from the nearest cause to the first. May be empty.
    pub causes: Vec<String>,
    /// What to do now.
    pub help: String,
    pub exit: ExitCode,
}

impl Problem {
    /// A problem told from an error and its sources.
    pub fn of(
        code: ProblemCode,
        error: &(dyn Error + 'static),
        help: &str,
        exit: ExitCode,
    ) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(source) = next {
            if causes.len() == CAUSES_MAX {
                break;
            }
            causes.push(source.to_string());
            next = source.source();
        }
        Self { code, title: error.to_string(), causes, help: help.to_owned(), exit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_accept_and_refuse() {
        for (text, good) in [
            ("SH0641", true),
            ("SH9999", true),
            ("SH641", false),
            ("sh0641", false),
            ("SH+641", false),
            ("SH06411", false),
            ("", false),
        ] {
            let code = text.parse::<ProblemCode>();
            assert_eq!(code.as_ref().map(ToString::to_string).ok(), good.then(|| text.to_owned()));
        }
        assert_eq!("SH0641".parse(), Ok(ProblemCode::SILENT));
    }

    #[derive(Debug, thiserror::Error)]
    #[error("layer {depth}")]
    struct Layer {
        depth: usize,
        #[source]
        below: Option<Box<Layer>>,
    }

    #[test]
    fn the_chain_of_causes_is_bounded() {
        let layers = |count: usize| {
            (0..=count).fold(None, |below, depth| Some(Box::new(Layer { depth, below })))
        };
        let told = |count: usize| {
            let error = layers(count).unwrap();
            Problem::of(ProblemCode::SILENT, error.as_ref(), "help", ExitCode::Failed)
        };
        assert_eq!(told(2).title, "layer 2");
        assert_eq!(told(2).causes, ["layer 1", "layer 0"]);
        assert_eq!(told(CAUSES_MAX).causes.len(), CAUSES_MAX);
        assert_eq!(told(CAUSES_MAX + 1).causes.len(), CAUSES_MAX);
    }
}
