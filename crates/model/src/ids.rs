//! Newtypes for every identifier. A string that names something is parsed once, here, and cannot be wrong afterwards.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: {expected}")]
pub struct IdError {
    pub kind: &'static str,
    pub text: String,
    pub expected: &'static str,
}

/// Longest identifier accepted anywhere, in bytes.
pub const ID_BYTES_MAX: usize = 253;

fn simple(text: &str, more: fn(char) -> bool) -> bool {
    !text.is_empty()
        && text.len() <= ID_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || more(c))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:expr, $valid:expr, $expected:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text as it is written everywhere.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { kind: $kind, text: text.to_owned(), expected: $expected })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

const DASHED: &str = "letters, digits and `-`, beginning with a letter or digit";
const NAMED: &str = "letters, digits, `-` and `_`, beginning with a letter or digit";

fn dashed(text: &str) -> bool {
    simple(text, |c| c == '-')
}

fn named(text: &str) -> bool {
    simple(text, |c| c == '-' || c == '_')
}

/// Characters of a run id: no `l`, `o`, `0`, `1`, so that it can be read out over a phone.
pub const RUN_ID_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters in a run id after its `r-`.
pub const RUN_ID_CHARS: usize = 12;

fn run_id_text(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        rest.len() == RUN_ID_CHARS && rest.bytes().all(|b| RUN_ID_ALPHABET.contains(&b))
    })
}

fn spoken(prefix: &str, random: [u8; RUN_ID_CHARS]) -> String {
    let letters = random.iter().filter_map(|b| RUN_ID_ALPHABET.get(usize::from(b % 32)));
    prefix.chars().chain(letters.map(|b| char::from(*b))).collect()
}

text_id!(
    /// One execution of one plan: `r-` and 12 characters, shown as the shortest unique prefix of at least 4.
    RunId, "run id", |t| run_id_text(t, "r-"), "`r-` and 12 letters or digits without l o 0 1"
);
text_id!(
    /// The thing that people work on: `i-` and 12 characters.
    IncidentId, "incident id", |t| run_id_text(t, "i-"), "`i-` and 12 letters or digits without l o 0 1"
);

impl RunId {
    /// Makes an id from random bytes; the caller owns the randomness.
    pub fn from_random(random: [u8; RUN_ID_CHARS]) -> Self {
        Self(spoken("r-", random))
    }
}

impl IncidentId {
    /// Makes an id from random bytes; the caller owns the randomness.
    pub fn from_random(random: [u8; RUN_ID_CHARS]) -> Self {
        Self(spoken("i-", random))
    }
}

text_id!(
    /// A step of a plan. After expansion an item carries its number: `evict[2]`, `restart[2].restart`.
    StepId, "step id", |t| simple(t, |c| "-_[].".contains(c)), "a name such as `restart` or `evict[2]`"
);
text_id!(GateId, "gate id", |t| simple(t, |c| "-_[].:".contains(c)), NAMED);
text_id!(ParamName, "parameter name", named, NAMED);
text_id!(RunbookName, "runbook name", dashed, DASHED);
text_id!(EnvironmentName, "environment name", dashed, DASHED);
text_id!(TeamId, "team id", dashed, DASHED);
text_id!(
    PersonId,
    "person id",
    |t| simple(t, |c| "-_.@".contains(c)),
    "a person's id such as `asha`"
);
text_id!(PolicyId, "policy id", |t| simple(t, |c| "-_.".contains(c)), NAMED);
text_id!(ServerId, "server name", dashed, DASHED);
text_id!(ActionName, "action name", named, NAMED);
text_id!(
    /// A tool of a reader: `get_workload`, `fn.owner_of`.
    ReadName, "read name", |t| simple(t, |c| "_.".contains(c)), "a name such as `get_workload`"
);
text_id!(FieldName, "field name", named, NAMED);
text_id!(
    /// The identity that the system acted on gives an object, never reused there.
    Uid, "uid", |t| simple(t, |c| "-_.:/".contains(c)), "an identifier made by the server"
);
text_id!(DriverId, "driver id", |t| simple(t, |c| "-_.:".contains(c)), NAMED);
text_id!(
    /// Made by a client for each change that it asks for; a known id gets its recorded answer.
    InboxId, "inbox id", dashed, DASHED
);
text_id!(InstallationName, "installation name", dashed, DASHED);

number_id!(
    /// Position in a stream, from 1.
    Seq, u64
);
number_id!(
    /// Number of a try of one leg of one step, from 1.
    Attempt, u32
);
number_id!(
    /// Rises with each take-over of a run; a call is pending only under the fence of its own intent.
    Fence, u64
);
number_id!(MachineVersion, u32);

/// `server.action`, for example `kubernetes.rollout_restart`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId {
    pub server: ServerId,
    pub action: ActionName,
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.server, self.action)
    }
}

impl fmt::Debug for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for ActionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError {
            kind: "action",
            text: text.to_owned(),
            expected: "`server.action`, such as `kubernetes.rollout_restart`",
        };
        let (server, action) = text.split_once('.').ok_or_else(wrong)?;
        Ok(Self { server: server.parse()?, action: action.parse()? })
    }
}

impl Serialize for ActionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ActionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// `server.Type`, for example `kubernetes.Workload`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeName {
    pub server: ServerId,
    pub name: String,
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.server, self.name)
    }
}

impl fmt::Debug for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for TypeName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError {
            kind: "type",
            text: text.to_owned(),
            expected: "`server.Type`, such as `kubernetes.Workload`",
        };
        let (server, name) = text.split_once('.').ok_or_else(wrong)?;
        let capital = name.starts_with(|c: char| c.is_ascii_uppercase());
        if !capital || !named(name) {
            return Err(wrong());
        }
        Ok(Self { server: server.parse()?, name: name.to_owned() })
    }
}

impl Serialize for TypeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TypeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_accept_and_refuse() {
        let cases: &[(&str, bool)] = &[
            ("restart", true),
            ("evict[2]", true),
            ("restart[2].restart", true),
            ("", false),
            ("-x", false),
            ("a b", false),
            ("a\u{202e}b", false),
        ];
        for (text, good) in cases {
            assert_eq!(text.parse::<StepId>().is_ok(), *good, "{text:?}");
        }
        assert!("r-4f2kabcdefgh".parse::<RunId>().is_ok());
        assert!("r-4f2kabcdefg0".parse::<RunId>().is_err());
        assert!("a".repeat(ID_BYTES_MAX).parse::<RunbookName>().is_ok());
        assert!("a".repeat(ID_BYTES_MAX + 1).parse::<RunbookName>().is_err());
    }

    #[test]
    fn random_bytes_make_a_valid_run_id() {
        let id = RunId::from_random([0, 31, 32, 255, 7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
    }
}
