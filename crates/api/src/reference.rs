//! How people name a run or a plan: by its id, by the beginning of it, or `last`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use steadyhand_model::digest::Digest;
use steadyhand_model::ids::{RUN_ID_ALPHABET, RUN_ID_CHARS, RunId};

/// Fewest hexadecimal digits by which a plan may be named.
pub const PLAN_PREFIX_MIN: usize = 8;
/// Hexadecimal digits of a whole digest.
const DIGEST_DIGITS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error(
        "a run is named by its id, such as `r-4f2k`, by the beginning of it, or by `last`; ids have no l o 0 1"
    )]
    Run,
    #[error(
        "a plan is named by {PLAN_PREFIX_MIN} or more hexadecimal digits of its digest, such as `9c41-e07a`"
    )]
    Plan,
}

/// `r-4f2kabcdefgh`, `r-4f2k`, `last`. A beginning must be unique; whoever looks it up says so if it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunRef {
    Id(RunId),
    /// `r-` and 1 to 11 characters.
    Prefix(String),
    /// The newest.
    Last,
}

impl FromStr for RunRef {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text == "last" {
            return Ok(Self::Last);
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let rest = text.strip_prefix("r-").ok_or(ReferenceError::Run)?;
        let known = |b: u8| RUN_ID_ALPHABET.contains(&b);
        if (1..RUN_ID_CHARS).contains(&rest.len()) && rest.bytes().all(known) {
            Ok(Self::Prefix(text.to_owned()))
        } else {
            Err(ReferenceError::Run)
        }
    }
}

impl fmt::Display for RunRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Prefix(text) => f.write_str(text),
            Self::Last => f.write_str("last"),
        }
    }
}

/// The first 8 to 64 hexadecimal digits of a plan's digest. The dash of the short form and `sha256:` are read away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRef(String);

impl PlanRef {
    /// Hexadecimal digits in lower case.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The whole digest, where all of it was given.
    pub fn is_whole(&self) -> bool {
        self.0.len() == DIGEST_DIGITS
    }

    pub fn names(&self, digest: Digest) -> bool {
        digest.hex().starts_with(&self.0)
    }
}

impl From<Digest> for PlanRef {
    fn from(digest: Digest) -> Self {
        Self(digest.hex())
    }
}

impl FromStr for PlanRef {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let bare = text.strip_prefix("sha256:").unwrap_or(text);
        let digits = match bare.split_once('-') {
            Some((head, rest)) if head.len() == 4 => format!("{head}{rest}"),
            Some(_) => return Err(ReferenceError::Plan),
            None => bare.to_owned(),
        };
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if (PLAN_PREFIX_MIN..=DIGEST_DIGITS).contains(&digits.len()) && digits.bytes().all(hex) {
            Ok(Self(digits))
        } else {
            Err(ReferenceError::Plan)
        }
    }
}

impl fmt::Display for PlanRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(RunRef);
as_text!(PlanRef);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_named_by_id_beginning_or_last() {
        let id: RunId = "r-4f2kabcdefgh".parse().unwrap();
        let cases = [
            ("r-4f2kabcdefgh", Some(RunRef::Id(id))),
            ("r-4f2kabcdefg", Some(RunRef::Prefix("r-4f2kabcdefg".into()))),
            ("r-4", Some(RunRef::Prefix("r-4".into()))),
            ("last", Some(RunRef::Last)),
            ("r-", None),
            ("r-0", None),
            ("4f2k", None),
            ("r-4f2kabcdefghj", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<RunRef>().ok(), want, "{text:?}");
        }
    }

    #[test]
    fn plans_are_named_by_the_beginning_of_their_digest() {
        let digest = Digest::of(b"abc");
        let cases = [
            ("ba78-16bf", true),
            ("ba7816bf", true),
            ("ba7816bf8f", true),
            (&digest.to_string(), true),
            ("ba7816b", false),
            ("BA78-16BF", false),
            ("ba7816bf-8f", false),
            ("ba78-16bg", false),
            ("", false),
        ];
        for (text, good) in cases {
            let read = text.parse::<PlanRef>();
            assert_eq!(read.is_ok_and(|plan| plan.names(digest)), good, "{text:?}");
        }
        assert!(PlanRef::from(digest).is_whole());
        assert!(!PlanRef::from(digest).names(Digest::of(b"abd")));
    }
}
