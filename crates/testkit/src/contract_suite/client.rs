//! The asking half, small: a session over MCP, a raw line, and a key that signs capabilities.

use std::fmt::Write as _;

use ed25519_dalek::{Signer as _, SigningKey};
use rmcp::model::{CallToolRequestParams, JsonObject, ProtocolVersion, RequestMetaObject, Tool};
use rmcp::service::{RunningService, ServiceError};
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Value as Json, json};
use steadyhand_model::capability::{Capability, Claims, Envelope};
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{At, Leg};
use steadyhand_model::exchange::{
    ApplyReply, ApplyRequest, LOST_REPLY_CODE, LostReply, META_NOW, PlanReply, ProbeReply,
    ProbeRequest, StepPreview,
};
use steadyhand_model::ids::{Attempt, Fence};
use steadyhand_model::outcome::{Outcome, ProbeVerdict};
use steadyhand_model::reading::Call;
use steadyhand_model::time::Span;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::{Instance, Subject, Wire};

/// How long a raw answer is waited for, in real time. Far more than any answer takes; then the server hangs.
const HANGS_AFTER: std::time::Duration = std::time::Duration::from_secs(60);
/// Life of an ordinary capability.
const LIFE: Span = Span::from_secs(10);

/// What a server did otherwise than the contract says.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Wrong(String),
    #[error("the server could not be reached: {what}")]
    Reach {
        what: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the server answered {tool} with something that is not of the contract")]
    Form {
        tool: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the subject could not be changed")]
    Subject {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::Wrong(otherwise())) }
}

pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), Failure> {
    ensure(found == expected, || format!("{what}: found {found:?}, expected {expected:?}"))
}

/// Some fields of an object.
pub(crate) fn part(object: &Json, fields: &[&str]) -> Json {
    let pairs = fields.iter().filter_map(|f| Some(((*f).to_owned(), object.get(*f)?.clone())));
    Json::Object(pairs.collect())
}

/// An error of JSON-RPC.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) data: Option<Json>,
}

/// What an `apply` came to, as the caller sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Reply(ApplyReply),
    Lost(LostReply),
    /// Not an answer of the contract; its size in bytes.
    Noise(usize),
}

impl Told {
    /// `done`, `not_done:conflict`, `unknown:timeout`, `lost`, `noise`.
    pub(crate) fn word(&self) -> String {
        match self {
            Self::Reply(reply) => outcome_word(&reply.outcome),
            Self::Lost(_) => "lost".into(),
            Self::Noise(_) => "noise".into(),
        }
    }
}

fn outcome_word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(_) => "done".into(),
        Outcome::NotDone(refusal) => format!("not_done:{:?}", refusal.kind).to_lowercase(),
        Outcome::Unknown(doubt) => format!("unknown:{:?}", doubt.kind).to_lowercase(),
    }
}

pub(crate) fn verdict_word(verdict: &ProbeVerdict) -> &'static str {
    match verdict {
        ProbeVerdict::Done(_) => "done",
        ProbeVerdict::NotDone => "not_done",
        ProbeVerdict::Unknown { .. } => "unknown",
    }
}

pub(crate) struct Session<'a> {
    subject: &'a dyn Subject,
    client: RunningService<RoleClient, ()>,
}

impl<'a> Session<'a> {
    pub(crate) async fn open(
        subject: &'a dyn Subject,
        instance: Instance,
        authority: Option<&str>,
    ) -> Result<Self, Failure> {
        let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
        let mode = ClientLifecycleMode::Discover { preferred_versions };
        Self::open_as(subject, instance, authority, mode).await
    }

    pub(crate) async fn open_as(
        subject: &'a dyn Subject,
        instance: Instance,
        authority: Option<&str>,
        mode: ClientLifecycleMode,
    ) -> Result<Self, Failure> {
        let Wire { read, write } = subject.connect(instance, authority).await?;
        let client = ().serve_with_lifecycle((read, write), mode).await;
        let client = client
            .map_err(|source| Failure::Reach { what: "handshake", source: Box::new(source) })?;
        Ok(Self { subject, client })
    }

    pub(crate) fn server_name(&self) -> Option<(String, Option<String>)> {
        let info = self.client.peer_info()?;
        Some((info.server_info.as_ref()?.name.clone(), info.instructions.clone()))
    }

    pub(crate) async fn tools(&self) -> Result<Vec<Tool>, Failure> {
        self.client
            .list_all_tools()
            .await
            .map_err(|source| Failure::Reach { what: "tools/list", source: Box::new(source) })
    }

    /// Calls a tool: structured content, or an error of JSON-RPC.
    pub(crate) async fn call(
        &self,
        tool: &str,
        args: Json,
    ) -> Result<Result<Json, Refused>, Failure> {
        let Json::Object(args) = args else {
            return Err(Failure::Wrong("arguments are an object".into()));
        };
        let mut params = CallToolRequestParams::new(tool.to_owned());
        params.arguments = Some(args);
        if let Some(now) = self.subject.now() {
            let meta = JsonObject::from_iter([(META_NOW.to_owned(), Json::from(now.0))]);
            params.meta = Some(RequestMetaObject::from(meta));
        }
        match self.client.call_tool(params).await {
            Ok(result) => match result.structured_content {
                Some(content) => Ok(Ok(content)),
                None => Err(Failure::Wrong(format!("{tool} answered without structured content"))),
            },
            Err(ServiceError::McpError(error)) => Ok(Err(Refused {
                code: error.code.0,
                message: error.message.into_owned(),
                data: error.data,
            })),
            Err(source) => Err(Failure::Reach { what: "tools/call", source: Box::new(source) }),
        }
    }

    async fn answer(&self, tool: &str, args: Json) -> Result<Json, Failure> {
        match self.call(tool, args).await? {
            Ok(json) => Ok(json),
            Err(refused) => Err(Failure::Wrong(format!("{tool} was refused: {}", refused.message))),
        }
    }

    /// The value of a read.
    pub(crate) async fn read(&self, tool: &str, args: Json) -> Result<Json, Failure> {
        let mut reply = self.answer(tool, args).await?;
        match reply.get_mut("value") {
            Some(value) => Ok(value.take()),
            None => Err(Failure::Wrong(format!("{tool} told nothing: {reply}"))),
        }
    }

    /// Sees that arguments are refused as such.
    pub(crate) async fn refuses(&self, tool: &str, args: Json) -> Result<(), Failure> {
        match self.call(tool, args.clone()).await? {
            Ok(answer) => Err(Failure::Wrong(format!("{tool} took {args} and said {answer}"))),
            Err(refused) => same("code", &refused.code, &-32602),
        }
    }

    pub(crate) async fn plan_reply(&self, action: &str, args: Json) -> Result<PlanReply, Failure> {
        let tool = format!("{action}.plan");
        let json = self.answer(&tool, json!({"args": args})).await?;
        serde_json::from_value(json).map_err(|source| Failure::Form { tool, source })
    }

    pub(crate) async fn plan(&self, action: &str, args: Json) -> Result<StepPreview, Failure> {
        match self.plan_reply(action, args).await? {
            PlanReply::Planned(preview) => Ok(*preview),
            other => Err(Failure::Wrong(format!("{action} was not planned: {other:?}"))),
        }
    }

    pub(crate) async fn apply(&self, request: &ApplyRequest) -> Result<Told, Failure> {
        let tool = format!("{}.apply", request.call.action.action);
        let args = serde_json::to_value(request)
            .map_err(|source| Failure::Form { tool: tool.clone(), source })?;
        self.apply_json(&tool, args).await
    }

    pub(crate) async fn apply_json(&self, tool: &str, args: Json) -> Result<Told, Failure> {
        match self.call(tool, args).await? {
            Ok(json) => {
                let size = json.to_string().len();
                Ok(serde_json::from_value(json).map_or(Told::Noise(size), Told::Reply))
            }
            Err(Refused { code: LOST_REPLY_CODE, data: Some(data), .. }) => {
                serde_json::from_value(data)
                    .map(Told::Lost)
                    .map_err(|source| Failure::Form { tool: tool.to_owned(), source })
            }
            Err(refused) => Err(Failure::Wrong(format!(
                "every fault of an apply is an outcome, not error {}: {}",
                refused.code, refused.message
            ))),
        }
    }

    pub(crate) async fn probe(&self, request: &ProbeRequest) -> Result<ProbeVerdict, Failure> {
        let tool = format!("{}.probe", request.call.action.action);
        let args = serde_json::to_value(request)
            .map_err(|source| Failure::Form { tool: tool.clone(), source })?;
        self.probe_json(&tool, args).await
    }

    pub(crate) async fn probe_json(&self, tool: &str, args: Json) -> Result<ProbeVerdict, Failure> {
        let json = self.answer(tool, args).await?;
        let reply: ProbeReply = serde_json::from_value(json)
            .map_err(|source| Failure::Form { tool: tool.to_owned(), source })?;
        Ok(reply.verdict)
    }
}

/// Sends one line, byte for byte, and gives the next answer with that id.
pub(crate) async fn raw(wire: Wire, lines: &[Vec<u8>], id: i64) -> Result<Json, Failure> {
    let Wire { read, mut write } = wire;
    let io = |source| Failure::Reach { what: "raw line", source: Box::new(source) };
    for line in lines {
        write.write_all(line).await.map_err(io)?;
        write.write_all(b"\n").await.map_err(io)?;
    }
    write.flush().await.map_err(io)?;
    let mut answers = BufReader::new(read).lines();
    loop {
        let next = tokio::time::timeout(HANGS_AFTER, answers.next_line()).await;
        let Ok(next) = next else {
            return Err(Failure::Wrong("the server does not answer".into()));
        };
        let Some(line) = next.map_err(io)? else {
            return Err(Failure::Wrong("the server hung up".into()));
        };
        let json: Json = serde_json::from_str(&line)
            .map_err(|source| Failure::Form { tool: "raw line".into(), source })?;
        if json.get("id").and_then(Json::as_i64) == Some(id) {
            return Ok(json);
        }
    }
}

/// A `tools/call` as one line, with `arguments` as they are.
pub(crate) fn raw_call(subject: &dyn Subject, id: i64, tool: &str, arguments: &str) -> Vec<u8> {
    let now = subject.now().map_or_else(String::new, |now| format!(r#","{META_NOW}":{}"#, now.0));
    let meta = format!(
        r#"{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}{now}}}"#
    );
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments},"_meta":{meta}}}}}"#
    )
    .into_bytes()
}

/// A keeper's authority key and the requests that it makes.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
}

impl Signer {
    pub fn new(secret: [u8; 32]) -> Self {
        Self { key: SigningKey::from_bytes(&secret) }
    }

    /// 64 hexadecimal digits.
    pub fn public(&self) -> String {
        hex(self.key.verifying_key().as_bytes())
    }

    /// Signs claims as they are, right or wrong.
    pub(crate) fn sign(&self, claims: Claims) -> Result<Capability, Failure> {
        let bytes = claims
            .bytes_to_sign()
            .map_err(|source| Failure::Subject { source: Box::new(source) })?;
        let signature = self.key.sign(bytes.as_str().as_bytes());
        Ok(Capability { claims, signature: hex(&signature.to_bytes()) })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        if write!(text, "{byte:02x}").is_err() {
            text.clear();
        }
        text
    })
}

impl super::Bench<'_> {
    /// The envelope of an attempt.
    pub(crate) fn envelope(&self, attempt: u32, fence: u64, leg: Leg) -> Result<Envelope, Failure> {
        let named = |source| Failure::Subject { source };
        Ok(Envelope {
            run: "r-4f2kabcdefgh".parse().map_err(|e| named(Box::new(e)))?,
            at: At {
                step: "act".parse().map_err(|e| named(Box::new(e)))?,
                leg,
                attempt: Attempt(attempt),
            },
            plan: Digest::of(b"a plan"),
            fence: Fence(fence),
            idempotency_key: format!("r-4f2kabcdefgh/act/{leg:?}/{attempt}").to_lowercase(),
        })
    }

    pub(crate) fn claims(&self, call: &Call, envelope: &Envelope) -> Result<Claims, Failure> {
        Ok(Claims {
            audience: call.action.server.clone(),
            run: envelope.run.clone(),
            at: envelope.at.clone(),
            plan: envelope.plan,
            call: call.digest(),
            fence: envelope.fence,
            not_after: self.subject.real_now().plus(LIFE),
            nonce: format!("{:032x}", self.fresh()),
        })
    }

    /// A good request for an attempt.
    pub(crate) fn request(&self, call: &Call, attempt: u32) -> Result<ApplyRequest, Failure> {
        self.request_under(call, attempt, 1, Leg::Forward)
    }

    pub(crate) fn request_under(
        &self,
        call: &Call,
        attempt: u32,
        fence: u64,
        leg: Leg,
    ) -> Result<ApplyRequest, Failure> {
        let envelope = self.envelope(attempt, fence, leg)?;
        let capability = self.signer.sign(self.claims(call, &envelope)?)?;
        Ok(ApplyRequest { call: call.clone(), envelope, capability })
    }

    pub(crate) fn probe_request(&self, call: &Call) -> Result<ProbeRequest, Failure> {
        Ok(ProbeRequest { call: call.clone(), envelope: self.envelope(1, 1, Leg::Forward)? })
    }
}
