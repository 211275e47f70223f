//! One running tool server and the MCP client that speaks to it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, CancelledNotificationParam,
    ClientCapabilities, ClientConfig, ClientRequest, ContentBlock, ElicitRequestParams,
    ElicitResult, ErrorData, Implementation, ListToolsRequest, PaginatedRequestParams,
    ProtocolVersion, RequestId, RequestMetaObject, ServerResult, Tool,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, Peer, PeerRequestOptions,
    RequestContext, RunningService, ServiceError,
};
use rmcp::{ClientHandler, RoleClient};
use serde_json::{Map, Value as Json};
use steadyhand_model::exchange::META_NOW;
use steadyhand_model::time::{Span, Timestamp};
use steadyhand_process::child::Child;
use steadyhand_process::command::{Command, Input, Output, SpawnError};
use steadyhand_process::ladder::{Ladder, StopReport};
use steadyhand_process::output::OutputCap;
use tokio::time::Instant;

use crate::redact::told;
use crate::ticket::{Ticket, Unsent};
use crate::wire::{BAD_LINE_CODE, LINE_BYTES_DROPPED_MAX, News, Wire};

/// How long the end of a process is waited for when its pipe has closed, to say how it ended. Real time.
const EXIT_WAIT: Duration = Duration::from_secs(1);
/// Most tools that a server may list.
const TOOLS_MAX: usize = 1000;
/// Most pages of a list of tools.
const PAGES_MAX: usize = 100;

/// Why no connection came about. Nothing that matters was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("the server could not be started")]
    Spawn {
        #[source]
        source: SpawnError,
    },
    #[error("the server was started without pipes")]
    Pipes,
    #[error("the server did not begin as MCP asks ({how})")]
    Begin {
        how: String,
        #[source]
        source: Box<ClientInitializeError>,
    },
    #[error("the server was not ready within {within}")]
    Slow { within: Span },
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// Not a byte of it was written.
    #[error(transparent)]
    Unsent(Unsent),
    #[error("no answer within {within}")]
    Timeout { within: Span },
    /// It was sent, and the server went away.
    #[error("the server went away before it answered: it {how}")]
    Lost { how: String },
    /// Something came that is no answer.
    #[error("{why}")]
    Bad { why: String },
    /// A JSON-RPC error with a code of its own meaning.
    #[error("the server answered with error {code}: {message}")]
    Refused { code: i32, message: String, data: Option<Json> },
}

/// What a question is bounded by, on the real clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// It is not sent after this moment.
    pub(crate) start_by: Instant,
    /// The longest wait for the answer, from its first byte.
    pub(crate) within: Span,
}

impl Terms {
    /// A question that may as well be asked again.
    pub(crate) fn within(within: Span) -> Self {
        Self { start_by: Instant::now() + duration(within), within }
    }
}

pub(crate) fn duration(span: Span) -> Duration {
    Duration::from_millis(span.millis())
}

/// A process and its client. Dropping it kills the process.
pub(crate) struct Connection {
    child: Child,
    running: RunningService<RoleClient, Ears>,
    news: Arc<News>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("pid", &self.child.pid()).finish_non_exhaustive()
    }
}

impl Connection {
    /// Starts the program and shakes hands, in revision 2026-07-28 or else in the legacy way.
    pub(crate) async fn open(command: &Command, within: Span) -> Result<Self, OpenError> {
        let command = command
            .clone()
            .stdin(Input::Piped)
            .stdout(Output::Piped(OutputCap::Line(LINE_BYTES_DROPPED_MAX)));
        let mut child =
            Child::spawn(command).await.map_err(|source| OpenError::Spawn { source })?;
        let (Some(stdin), Some(stdout)) = (child.take_stdin(), child.take_stdout()) else {
            return Err(OpenError::Pipes);
        };
        let news = Arc::new(News::default());
        let lifecycle = ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
        };
        let begun =
            Ears.serve_with_lifecycle(Wire::new(stdout, stdin, Arc::clone(&news)), lifecycle);
        match tokio::time::timeout(duration(within), begun).await {
            Ok(Ok(running)) => Ok(Self { child, running, news }),
            Ok(Err(source)) => {
                let how = how_it_ended(&child, &news).await;
                Err(OpenError::Begin { how, source: Box::new(source) })
            }
            Err(_elapsed) => Err(OpenError::Slow { within }),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.running.peer().is_transport_closed() && self.news.fault.get().is_none()
    }

    /// Whether the server said that its tools have changed, since this was last asked.
    pub(crate) fn take_stale(&self) -> bool {
        self.news.stale.swap(false, Ordering::AcqRel)
    }

    /// All tools that it lists, from the server itself and never from a cache.
    pub(crate) async fn tools(&self, within: Span) -> Result<Vec<Tool>, AskError> {
        let mut tools = Vec::new();
        let mut cursor = None;
        for _page in 0..PAGES_MAX {
            let params = PaginatedRequestParams::default().with_cursor(cursor.take());
            let request = ListToolsRequest {
                method: Default::default(),
                params: Some(params),
                extensions: Default::default(),
            };
            let options = PeerRequestOptions::no_options();
            let request = ClientRequest::ListToolsRequest(request);
            let page = match self.settle(request, options, Terms::within(within)).await? {
                ServerResult::ListToolsResult(page) => page,
                _ => return Err(bad("the answer is not a list of tools")),
            };
            tools.extend(page.tools);
            if tools.len() > TOOLS_MAX {
                return Err(bad("the server lists too many tools"));
            }
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(tools),
            }
        }
        Err(bad("the list of tools has no end"))
    }

    /// Asks one tool, once. Gives the structured content of the answer.
    pub(crate) async fn ask(
        &self,
        tool: String,
        arguments: Map<String, Json>,
        now: Timestamp,
        terms: Terms,
    ) -> Result<Json, AskError> {
        let params = CallToolRequestParams::new(tool).with_arguments(arguments);
        let request = CallToolRequest::new(params);
        let mut meta = RequestMetaObject::new();
        meta.insert(META_NOW.to_owned(), Json::from(now.0));
        let options = PeerRequestOptions::no_options().with_meta(meta);
        match self.settle(ClientRequest::CallToolRequest(request), options, terms).await? {
            ServerResult::CallToolResult(result) => structured(result),
            _ => Err(bad("the answer is not the result of a tool")),
        }
    }

    async fn settle(
        &self,
        mut request: ClientRequest,
        options: PeerRequestOptions,
        terms: Terms,
    ) -> Result<ServerResult, AskError> {
        use rmcp::model::GetExtensions as _;

        let ticket = Arc::new(Ticket::new(terms.start_by));
        request.extensions_mut().insert(Arc::clone(&ticket));
        let peer = self.running.peer();
        let asking = async {
            let handle = peer.send_request_with_option(request, options).await?;
            let mut abandoned = Abandoned { peer, id: Some(handle.id), ticket: &ticket };
            let answer = handle.rx.await;
            abandoned.id = None;
            answer.unwrap_or(Err(ServiceError::TransportClosed))
        };
        let answer = tokio::select! {
            biased;
            answer = asking => answer,
            () = ticket.over(duration(terms.within)) => {
                return Err(match ticket.give_up(Unsent::GivenUp) {
                    Some(why) => AskError::Unsent(why),
                    None => AskError::Timeout { within: terms.within },
                });
            }
        };
        match answer {
            Ok(result) => Ok(result),
            Err(ServiceError::McpError(error)) => Err(refused(error)),
            Err(_gone) => Err(match ticket.give_up(Unsent::Closed) {
                Some(why) => AskError::Unsent(why),
                None => match self.news.fault.get() {
                    Some(why) => AskError::Bad { why: why.clone() },
                    None => AskError::Lost { how: how_it_ended(&self.child, &self.news).await },
                },
            }),
        }
    }

    pub(crate) async fn stop(&self, ladder: &Ladder) -> StopReport {
        self.child.stop(ladder).await
    }
}

fn bad(why: &str) -> AskError {
    AskError::Bad { why: why.to_owned() }
}

fn refused(error: ErrorData) -> AskError {
    let message = told(&error.message);
    if error.code == BAD_LINE_CODE {
        return AskError::Bad { why: message };
    }
    AskError::Refused { code: error.code.0, message, data: error.data }
}

fn structured(result: CallToolResult) -> Result<Json, AskError> {
    if result.is_error == Some(true) {
        let said = result.content.iter().find_map(ContentBlock::as_text);
        let said = said.map_or_else(|| "nothing".to_owned(), |text| told(&text.text));
        return Err(AskError::Bad { why: format!("the server calls its answer an error: {said}") });
    }
    match result.structured_content {
        Some(json @ Json::Object(_)) => Ok(json),
        Some(_) | None => Err(bad("the answer has no structured content")),
    }
}

/// How a process went away, with its last words. It is given a moment to do so.
async fn how_it_ended(child: &Child, news: &News) -> String {
    if let Some(fault) = news.fault.get() {
        return fault.clone();
    }
    let how = match tokio::time::timeout(EXIT_WAIT, child.wait()).await {
        Ok(exit) => exit.to_string(),
        Err(_elapsed) => "closed its pipe".to_owned(),
    };
    let tail = child.stderr_tail();
    match tail.lines().filter(|line| !line.is_empty()).last() {
        Some(line) => format!("{how}, its last words: {}", told(&String::from_utf8_lossy(line))),
        None => how,
    }
}

/// Tells the server that nobody waits any more, when the wait for an answer is dropped.
struct Abandoned<'a> {
    peer: &'a Peer<RoleClient>,
    id: Option<RequestId>,
    ticket: &'a Ticket,
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        if self.ticket.give_up(Unsent::GivenUp).is_some() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let peer = self.peer.clone();
        runtime.spawn(async move {
            let reason = Some("nobody waits for it any more".to_owned());
            let cancelled = CancelledNotificationParam::new(Some(id), reason);
            if let Err(error) = peer.notify_cancelled(cancelled).await {
                tracing::debug!(%error, "the server could not be told that nobody waits");
            }
        });
    }
}

/// What the host hears. It offers nothing: no sampling, no elicitation, no roots.
#[derive(Debug, Clone, Copy)]
struct Ears;

impl ClientHandler for Ears {
    fn get_info(&self) -> ClientConfig {
        let name = Implementation::new("steady", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), name)
    }

    #[expect(deprecated, reason = "its default answer offers an empty list; this refuses")]
    async fn list_roots(
        &self,
        _context: RequestContext<RoleClient>,
    ) -> Result<rmcp::model::ListRootsResult, ErrorData> {
        Err(not_offered())
    }

    async fn create_elicitation(
        &self,
        _request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Err(not_offered())
    }
}

fn not_offered() -> ErrorData {
    let code = rmcp::model::ErrorCode::METHOD_NOT_FOUND;
    ErrorData::new(code, "this host offers nothing to servers", None)
}
