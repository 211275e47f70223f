//! One normalised alert event, whatever sent it, and the keys by which the same event is known again.
//!
//! Grouping: one incident for each occurrence. A signal that is sent again has the same [`OccurrenceId`], and so
//! belongs to the incident that the first one opened. Labels and annotations are untrusted text for ever.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use steadyhand_model::canonical::{CanonicalError, CanonicalJson};
use steadyhand_model::digest::Digest;
use steadyhand_model::plan::AlertRef;
use steadyhand_model::time::Timestamp;

use crate::instant;

/// Longest name of a source, in bytes.
pub const SOURCE_BYTES_MAX: usize = 64;
/// Hexadecimal digits of an alert's fingerprint.
pub const FINGERPRINT_DIGITS: usize = 16;
/// The label that names an alert.
pub const NAME_LABEL: &str = "alertname";
/// The label that [`SEVERITIES`] reads.
pub const SEVERITY_LABEL: &str = "severity";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error(
        "the name of a source is 1 to {SOURCE_BYTES_MAX} letters, digits, `-`, `_`, `.` and `/`, \
         beginning with a letter or digit"
    )]
    Source,
    #[error("a fingerprint is {FINGERPRINT_DIGITS} hexadecimal digits in lower case")]
    Fingerprint,
    #[error("an occurrence is a fingerprint, `@` and a time in UTC")]
    Occurrence,
}

/// Who sent a signal: `alertmanager`, `alertmanager/prod`. Given by the operator, never by the body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(String);

/// The source's fingerprint of an alert's labels: 16 hexadecimal digits. Equal for every firing of that label set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertKey(String);

/// One firing of one alert: `1340f7875b4522a5@2026-11-23T15:59:32.642571768Z`. The time is in UTC, to the
/// nanosecond, so that one firing has one spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OccurrenceKey(String);

impl OccurrenceKey {
    pub(crate) fn new(alert: &AlertKey, starts_at: jiff::Timestamp) -> Self {
        Self(format!("{alert}@{starts_at}"))
    }
}

fn source(text: &str) -> Result<(), KeyError> {
    let inside = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let good = text.len() <= SOURCE_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(inside);
    if good { Ok(()) } else { Err(KeyError::Source) }
}

fn fingerprint(text: &str) -> Result<(), KeyError> {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let good = text.len() == FINGERPRINT_DIGITS && text.bytes().all(digit);
    if good { Ok(()) } else { Err(KeyError::Fingerprint) }
}

fn occurrence(text: &str) -> Result<(), KeyError> {
    let (alert, time) = text.split_once('@').ok_or(KeyError::Occurrence)?;
    fingerprint(alert)?;
    match instant::parse(time) {
        Ok(read) if read.exact.to_string() == time => Ok(()),
        Ok(_) | Err(_) => Err(KeyError::Occurrence),
    }
}

macro_rules! text_key {
    ($name:ident, $check:expr) => {
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = KeyError;

            fn from_str(text: &str) -> Result<Self, KeyError> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
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
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_key!(Source, source);
text_key!(AlertKey, fingerprint);
text_key!(OccurrenceKey, occurrence);

/// What an incident is opened for: one occurrence as one source tells it. Equal for a signal that is sent again,
/// and for the `resolved` that ends it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OccurrenceId {
    pub source: Source,
    pub occurrence_key: OccurrenceKey,
}

impl OccurrenceId {
    /// SHA-256 of its canonical JSON: a key of fixed length for a unique index.
    ///
    /// # Errors
    /// None in practice: both parts are text.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        CanonicalJson::of(self).map(|json| json.digest())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalState {
    Firing,
    Resolved,
}

/// How bad the source says that it is, worst first. It orders lists; it decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Critical,
    Warning,
    Info,
    /// The source says that nobody need act.
    None,
    /// No such label, or a word that [`SEVERITIES`] does not list.
    Unlisted,
}

/// Words of the label `severity`, in lower case, and what they mean.
pub const SEVERITIES: [(&str, Severity); 9] = [
    ("critical", Severity::Critical),
    ("page", Severity::Critical),
    ("error", Severity::Critical),
    ("high", Severity::Critical),
    ("warning", Severity::Warning),
    ("warn", Severity::Warning),
    ("ticket", Severity::Warning),
    ("info", Severity::Info),
    ("none", Severity::None),
];

impl Severity {
    pub(crate) fn of(labels: &BTreeMap<String, String>) -> Self {
        let word = labels.get(SEVERITY_LABEL).map(|text| text.to_ascii_lowercase());
        let listed = |word: String| {
            SEVERITIES.iter().find(|(w, _)| *w == word).map(|(_, severity)| *severity)
        };
        word.and_then(listed).unwrap_or(Self::Unlisted)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::None => "none",
            Self::Unlisted => "unlisted",
        }
    }
}

/// One alert event. Serialised as it is wherever a signal is kept or shown as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    pub source: Source,
    pub alert_key: AlertKey,
    pub occurrence_key: OccurrenceKey,
    /// The source's own grouping, as it came.
    pub group_key: String,
    pub state: SignalState,
    pub severity: Severity,
    /// The label `alertname`: what a runbook binds to.
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub starts_at: Timestamp,
    /// `None` while it fires.
    pub ends_at: Option<Timestamp>,
    /// How many alerts of the same group the source left out of the body.
    pub truncated: u64,
    /// SHA-256 of the whole body, as it arrived.
    pub raw_digest: Digest,
}

impl Signal {
    pub fn is_firing(&self) -> bool {
        self.state == SignalState::Firing
    }

    pub fn occurrence(&self) -> OccurrenceId {
        OccurrenceId { source: self.source.clone(), occurrence_key: self.occurrence_key.clone() }
    }

    /// What a plan keeps of it: the alert without its time, so that planning again gives the same digest.
    pub fn alert_ref(&self) -> AlertRef {
        AlertRef {
            key: self.alert_key.to_string(),
            name: self.name.clone(),
            labels: self.labels.clone(),
        }
    }
}
