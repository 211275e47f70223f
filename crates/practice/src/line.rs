//! The lines of a world file, as `FORMAT.md` describes them: the one edge between typed lines and JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use steadyhand_model::canonical::{CanonicalError, CanonicalJson, parse_strict};
use steadyhand_model::capability::Envelope;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::Leg;
use steadyhand_model::ids::{ActionId, Attempt, EnvironmentName, Fence, RunId, StepId, Uid};
use steadyhand_model::reading::Call;
use steadyhand_model::time::Timestamp;

use crate::fault::Fault;
use crate::scenario::ScenarioName;

/// Version of every line.
pub const LINE_VERSION: u64 = 1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub seq: u64,
    pub at: Timestamp,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    Seed(Seed),
    Request(Request),
    Effect(Effect),
    Landed { of: u64, changed: bool },
    Fault { fault: Fault },
    Fired { index: usize, door: DoorKind, tool: String, fault: String },
    Change { change: Change },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    pub scenario: ScenarioName,
    pub seed: u64,
    /// The environment that the world stands for: part of every target's key.
    pub environment: EnvironmentName,
    pub faults: Vec<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoorKind {
    Reader,
    Executor,
}

/// Which attempt a probe or an `apply` is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttemptRef {
    pub run: RunId,
    pub step: StepId,
    pub leg: Leg,
    pub attempt: Attempt,
    pub plan: Digest,
    pub fence: Fence,
    /// Digest of the call.
    pub call: Digest,
    pub action: ActionId,
    pub args: CanonicalJson,
    /// Of the target that the call names.
    pub uid: Uid,
}

impl AttemptRef {
    pub fn of(call: &Call, envelope: &Envelope, uid: Uid) -> Self {
        Self {
            run: envelope.run.clone(),
            step: envelope.at.step.clone(),
            leg: envelope.at.leg,
            attempt: envelope.at.attempt,
            plan: envelope.plan,
            fence: envelope.fence,
            call: call.digest(),
            action: call.action.clone(),
            args: call.args.clone(),
            uid,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub door: DoorKind,
    pub tool: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<CanonicalJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    pub door: DoorKind,
    pub tool: String,
    pub attempt: AttemptRef,
    pub reply: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// When it lands, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
}

/// What somebody other than Steadyhand does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// Rolls another image out.
    Template {
        namespace: String,
        name: String,
        image: String,
    },
    Scale {
        namespace: String,
        name: String,
        replicas: u32,
    },
    /// Status noise: nothing that anybody chose changes.
    Status {
        namespace: String,
        name: String,
    },
    /// That many running pods crash-loop until they are replaced.
    Crash {
        namespace: String,
        name: String,
        pods: u32,
    },
    /// Deletes the workload and makes another of the same name.
    Replace {
        namespace: String,
        name: String,
    },
    Pause {
        namespace: String,
        name: String,
        paused: bool,
    },
    /// How much work comes in.
    Load {
        namespace: String,
        name: String,
        load: u64,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("the line is not strict JSON")]
    Json {
        #[source]
        source: CanonicalError,
    },
    #[error("the line is not of the form of a world file")]
    Form {
        #[source]
        source: serde_json::Error,
    },
    #[error("the line has no `{0}`")]
    Missing(&'static str),
    #[error("the line is of version {found}, this program writes {LINE_VERSION}")]
    Version { found: u64 },
}

impl Line {
    /// Reads one line without its newline.
    pub fn parse(bytes: &[u8]) -> Result<Self, LineError> {
        let json = parse_strict(bytes).map_err(|source| LineError::Json { source })?;
        let Json::Object(mut object) = json else { return Err(LineError::Missing("kind")) };
        let mut take = |name: &'static str| object.remove(name).ok_or(LineError::Missing(name));
        let version = take("v")?.as_u64().ok_or(LineError::Missing("v"))?;
        if version != LINE_VERSION {
            return Err(LineError::Version { found: version });
        }
        let seq = take("seq")?.as_u64().ok_or(LineError::Missing("seq"))?;
        let at = take("at")?.as_i64().ok_or(LineError::Missing("at"))?;
        let body = serde_json::from_value(Json::Object(object))
            .map_err(|source| LineError::Form { source })?;
        Ok(Self { seq, at: Timestamp(at), body })
    }

    /// Canonical JSON, without a newline.
    pub fn write(&self) -> Result<CanonicalJson, LineError> {
        let json = serde_json::to_value(&self.body).map_err(|source| LineError::Form { source })?;
        let Json::Object(mut object) = json else { return Err(LineError::Missing("kind")) };
        object.insert("v".into(), LINE_VERSION.into());
        object.insert("seq".into(), self.seq.into());
        object.insert("at".into(), self.at.0.into());
        CanonicalJson::of(&object).map_err(|source| LineError::Json { source })
    }

    /// Whether the world is another one after this line, so that it must be on the disk.
    pub fn matters(&self) -> bool {
        !matches!(self.body, Body::Request(Request { attempt: None, fault: None, .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_as_they_were_written_and_nothing_else_is_read() {
        let text = br#"{"at":5,"change":{"scale":{"name":"web","namespace":"shop","replicas":4}},"kind":"change","seq":2,"v":1}"#;
        let line = Line::parse(text).unwrap();
        assert_eq!(line.write().unwrap().as_str().as_bytes(), text);
        let bad: [&str; 6] = [
            r#"{"at":5,"kind":"change","seq":2,"v":2}"#,
            r#"{"at":5,"kind":"landed","of":1,"changed":true,"seq":2}"#,
            r#"{"at":5,"kind":"landed","of":1,"changed":true,"seq":2,"v":1,"more":1}"#,
            r#"{"at":5,"kind":"landed","of":1,"of":1,"changed":true,"seq":2,"v":1}"#,
            r#"{"at":5,"kind":"unheard","seq":2,"v":1}"#,
            "[]",
        ];
        for text in bad {
            assert!(Line::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
