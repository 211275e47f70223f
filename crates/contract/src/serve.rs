//! Serving a door over a byte stream with `rmcp`. Nothing of `rmcp` is in this crate's public types.

use std::fmt;
use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorCode, ErrorData, Implementation,
    JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, ServiceExt};
use rmcp::{RoleServer, ServerHandler};
use serde_json::Value as Json;
use steadyhand_model::exchange::{LOST_REPLY_CODE, META_NOW};
use steadyhand_model::time::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::capability::AuthorityKey;
use crate::desk::{Desk, Settled};
use crate::door::{Door, Role};
use crate::wire::StrictLines;

pub use crate::desk::RealClock;

/// What an instance is, and what it was given when it was started.
#[derive(Debug)]
pub struct Options {
    pub role: Role,
    /// Without one, an executor refuses every `apply`.
    pub authority: Option<AuthorityKey>,
    /// The real clock, which alone bounds a capability.
    pub real_clock: RealClock,
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the client did not begin as MCP asks")]
    Begin {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the serving task ended by itself")]
    Task {
        #[source]
        source: tokio::task::JoinError,
    },
}

/// Serves one client until its stream ends.
///
/// # Errors
/// If the stream is not that of an MCP client.
pub async fn serve<R, W>(
    door: Box<dyn Door>,
    options: Options,
    read: R,
    write: W,
) -> Result<(), ServeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let Options { role, authority, real_clock } = options;
    let handler = Handler { desk: Arc::new(Desk::new(door, role, authority, real_clock)) };
    let running = handler
        .serve(StrictLines::new(read, write))
        .await
        .map_err(|source| ServeError::Begin { source: Box::new(source) })?;
    let reason = running.waiting().await.map_err(|source| ServeError::Task { source })?;
    tracing::debug!(?reason, "the client has gone");
    Ok(())
}

#[derive(Clone)]
struct Handler {
    desk: Arc<Desk>,
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("desk", &self.desk).finish()
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        let name = self.desk.door.spec().server.to_string();
        info.server_info = Implementation::new(name, env!("CARGO_PKG_VERSION"));
        // No instructions: nothing that a server says may reach a model as an order.
        info.instructions = None;
        info
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.desk.tools.list()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let now = context.meta.get(META_NOW).and_then(Json::as_i64).map(Timestamp);
        let arguments: JsonObject = request.arguments.into_iter().flatten().collect();
        let invalid = |why| ErrorData::new(ErrorCode::INVALID_PARAMS, why, None);
        match self.desk.settle(&request.name, arguments, now).await {
            Settled::Answer(json) => Ok(CallToolResponse::Complete(structured(json))),
            Settled::Lost(lost) => {
                let data = serde_json::to_value(&lost).ok();
                Err(ErrorData::new(ErrorCode(LOST_REPLY_CODE), "the reply is lost", data))
            }
            Settled::UnknownTool => Err(invalid("there is no such tool here".to_owned())),
            Settled::BadArguments(why) => Err(invalid(why)),
            Settled::Broken(why) => Err(ErrorData::new(ErrorCode::INTERNAL_ERROR, why, None)),
        }
    }
}

/// Structured content only: a second copy as text would double every answer.
fn structured(json: Json) -> CallToolResult {
    let mut result = CallToolResult::success(vec![]);
    result.structured_content = Some(json);
    result
}
