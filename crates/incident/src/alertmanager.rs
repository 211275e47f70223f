//! The webhook body of Alertmanager, version "4": untrusted bytes in, signals out, or an error that says what to do.
//!
//! Source of the format: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>. The body is not
//! signed, is delivered at least once, and may hold firing and resolved alerts side by side.

use std::collections::BTreeSet;

use steadyhand_model::digest::Digest;
use steadyhand_model::text::Escaped;

use crate::instant::{InstantError, parse as parse_instant, parse_optional};
use crate::signal::{
    AlertKey, KeyError, NAME_LABEL, OccurrenceKey, Severity, Signal, SignalState, Source,
};
use crate::wire::{Alert, Body, Head, Object, Version};

/// Largest body, in bytes: 1 MiB.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// The only version of the form that is read.
pub const BODY_VERSION: &str = "4";
/// Characters of a wrong value that an error repeats.
const SHOWN_CHARS: usize = 40;

/// Everything that one body tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub source: Source,
    pub group_key: String,
    /// How many alerts the source left out of the body.
    pub truncated: u64,
    /// SHA-256 of the body.
    pub raw_digest: Digest,
    /// In the order of the body, never empty.
    pub signals: Vec<Signal>,
}

#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body has {bytes} bytes, at most {BODY_BYTES_MAX} are read")]
    TooLarge { bytes: usize },
    #[error("the body is not JSON")]
    NotJson {
        #[source]
        source: serde_json::Error,
    },
    #[error("the body is not a JSON object")]
    NotObject,
    /// `found` is `None` where there is no version.
    #[error("the body is not of version {BODY_VERSION}: its version is {}", shown_version(.found.as_ref()))]
    Version { found: Option<Escaped> },
    #[error("the body is not of the form of version {BODY_VERSION}")]
    Form {
        #[source]
        source: serde_json::Error,
    },
    #[error("alerts[{index}].labels has no `{NAME_LABEL}`")]
    NoName { index: usize },
    #[error("alerts[{index}].status is `{found}`, not `firing` or `resolved`")]
    Status { index: usize, found: Escaped },
    #[error("alerts[{index}].fingerprint is `{found}`")]
    Fingerprint {
        index: usize,
        found: Escaped,
        #[source]
        source: KeyError,
    },
    #[error("alerts[{index}].{field} is `{found}`")]
    Instant {
        index: usize,
        field: &'static str,
        found: Escaped,
        #[source]
        source: InstantError,
    },
    #[error("the body has no alerts")]
    NoAlerts,
    #[error("nothing fires: {}", shown_resolved(*.resolved))]
    NothingFiring { resolved: usize },
}

fn shown_version(found: Option<&Escaped>) -> &str {
    found.map_or("missing", Escaped::as_str)
}

fn shown_resolved(resolved: usize) -> String {
    match resolved {
        1 => "the alert of the body is resolved".to_owned(),
        n => format!("all {n} alerts of the body are resolved"),
    }
}

impl BodyError {
    /// The stable code; each has a page under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "SH0601",
            Self::NotJson { .. } | Self::NotObject => "SH0602",
            Self::Version { .. } => "SH0603",
            Self::NoAlerts => "SH0604",
            Self::NothingFiring { .. } => "SH0605",
            Self::Form { .. }
            | Self::NoName { .. }
            | Self::Status { .. }
            | Self::Fingerprint { .. }
            | Self::Instant { .. } => "SH0606",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => {
                "give the body of one notification; set `max_alerts` on the receiver if groups are large"
            }
            Self::NotJson { .. } | Self::NotObject => {
                "give the webhook body as Alertmanager posts it, whole and unchanged"
            }
            Self::Version { .. } => {
                "give the webhook body of Alertmanager itself; other senders have other forms"
            }
            Self::NoAlerts => "there is nothing to handle; give a body that lists an alert",
            Self::NothingFiring { .. } => "nothing need be done: only firing alerts lead to work",
            Self::Form { .. } | Self::Status { .. } => {
                "compare the body with the example of `steady explain SH0606`"
            }
            Self::NoName { .. } => "runbooks bind to `alertname`: give the alerting rule a name",
            Self::Fingerprint { .. } | Self::Instant { .. } => {
                "do not edit or template the body: Alertmanager writes this field itself"
            }
        }
    }
}

/// Reads a body.
///
/// # Errors
/// The first thing that is wrong with it. Bytes of the body appear in an error only escaped and cut short, or inside
/// the source, which must be escaped by whoever shows it.
pub fn parse(source: &Source, bytes: &[u8]) -> Result<Notification, BodyError> {
    if bytes.len() > BODY_BYTES_MAX {
        return Err(BodyError::TooLarge { bytes: bytes.len() });
    }
    check_version(bytes)?;
    let Object(body): Object<Body> =
        serde_json::from_slice(bytes).map_err(|source| BodyError::Form { source })?;
    if body.alerts.is_empty() {
        return Err(BodyError::NoAlerts);
    }
    let mut notification = Notification {
        source: source.clone(),
        group_key: body.group_key,
        truncated: body.truncated_alerts,
        raw_digest: Digest::of(bytes),
        signals: Vec::with_capacity(body.alerts.len()),
    };
    for (index, Object(alert)) in body.alerts.into_iter().enumerate() {
        let signal = signal(&notification, index, alert)?;
        notification.signals.push(signal);
    }
    Ok(notification)
}

impl Notification {
    /// The alerts that lead to work, each occurrence once, in the order of the body. With several it is the caller's
    /// to list them and ask: nothing here guesses.
    ///
    /// # Errors
    /// [`BodyError::NothingFiring`].
    pub fn firing(&self) -> Result<Vec<&Signal>, BodyError> {
        let mut seen = BTreeSet::new();
        let firing: Vec<&Signal> = self
            .signals
            .iter()
            .filter(|signal| signal.is_firing() && seen.insert(signal.occurrence()))
            .collect();
        if firing.is_empty() {
            return Err(BodyError::NothingFiring { resolved: self.signals.len() });
        }
        Ok(firing)
    }
}

/// A body of another version has another form: its version is what to complain of, not the form.
fn check_version(bytes: &[u8]) -> Result<(), BodyError> {
    let head = match serde_json::from_slice::<Object<Head>>(bytes) {
        Ok(Object(head)) => head,
        Err(source) if source.is_data() => {
            let begins = bytes.iter().find(|b| !b.is_ascii_whitespace());
            return Err(match begins {
                Some(b'{') => BodyError::Form { source },
                Some(_) | None => BodyError::NotObject,
            });
        }
        Err(source) => return Err(BodyError::NotJson { source }),
    };
    match head.version {
        Some(Version::Text(text)) if text == BODY_VERSION => Ok(()),
        Some(Version::Text(text)) => {
            let quoted = format!("{text:?}");
            Err(BodyError::Version { found: Some(Escaped::short(&quoted, SHOWN_CHARS)) })
        }
        Some(Version::Other(_)) => {
            Err(BodyError::Version { found: Some(Escaped::line("not a text")) })
        }
        None => Err(BodyError::Version { found: None }),
    }
}

fn signal(notification: &Notification, index: usize, alert: Alert) -> Result<Signal, BodyError> {
    let shown = |text: &str| Escaped::short(text, SHOWN_CHARS);
    let state = match alert.status.as_str() {
        "firing" => SignalState::Firing,
        "resolved" => SignalState::Resolved,
        other => return Err(BodyError::Status { index, found: shown(other) }),
    };
    let wrong_time = |field: &'static str, text: &str, source: InstantError| BodyError::Instant {
        index,
        field,
        found: shown(text),
        source,
    };
    let alert_key: AlertKey = alert.fingerprint.parse().map_err(|source| {
        BodyError::Fingerprint { index, found: shown(&alert.fingerprint), source }
    })?;
    let starts_at = parse_instant(&alert.starts_at)
        .map_err(|source| wrong_time("startsAt", &alert.starts_at, source))?;
    let ends_at = match alert.ends_at.as_deref() {
        Some(text) => parse_optional(text).map_err(|source| wrong_time("endsAt", text, source))?,
        None => None,
    };
    let labels = alert.labels.0;
    let name = labels.get(NAME_LABEL).filter(|name| !name.is_empty()).cloned();
    Ok(Signal {
        source: notification.source.clone(),
        occurrence_key: OccurrenceKey::new(&alert_key, starts_at.exact),
        alert_key,
        group_key: notification.group_key.clone(),
        state,
        severity: Severity::of(&labels),
        name: name.ok_or(BodyError::NoName { index })?,
        labels,
        annotations: alert.annotations.0,
        starts_at: starts_at.kept,
        ends_at: ends_at.map(|instant| instant.kept),
        truncated: notification.truncated,
        raw_digest: notification.raw_digest,
    })
}
