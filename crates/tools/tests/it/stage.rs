//! Where a host meets servers that follow a script.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use steadyhand_model::catalogue::schema::{ToolForm, executor, reader};
use steadyhand_model::catalogue::{Catalogue, kubernetes};
use steadyhand_model::time::{Span, Timestamp};
use steadyhand_tools::authority::Authority;
use steadyhand_tools::host::{Host, HostConfig, Patience, ServerCommand};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// Nothing in these tests may fail because the machine is slow.
const LONG: Span = Span::from_mins(10);
pub(crate) const PATIENT: Patience = Patience { start: LONG, read: LONG, plan: LONG, probe: LONG };
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// What servers do: for `NAME METHOD` or `NAME TOOL`, one instruction after the other; the last one stays.
type Script = BTreeMap<String, VecDeque<Json>>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Said {
        name: String,
        pid: i64,
        env: Json,
        message: Json,
    },
    /// The process behind a socket has gone.
    Gone {
        pid: i64,
    },
}

pub(crate) struct Stage {
    dir: tempfile::TempDir,
    events: mpsc::UnboundedReceiver<Event>,
}

pub(crate) fn reply(structured: &Json) -> Json {
    json!({"do": "reply", "result": {"content": [], "structuredContent": structured}})
}

pub(crate) fn error(code: i32, message: &str, data: &Json) -> Json {
    json!({"do": "error", "error": {"code": code, "message": message, "data": data}})
}

/// The tools of an instance, as a server of the table lists them.
pub(crate) fn tools(name: &str) -> Vec<Json> {
    let spec = kubernetes::spec();
    let forms = if name == "reader" { reader(&spec) } else { executor(&spec) };
    let tool = |ToolForm { name, input, output }: ToolForm| json!({"name": name, "description": "what it does", "inputSchema": input, "outputSchema": output});
    forms.into_iter().map(tool).collect()
}

pub(crate) fn list(tools: &[Json]) -> Json {
    json!({"do": "reply", "result": {"tools": tools, "ttlMs": 3_600_000, "cacheScope": "public"}})
}

fn python() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let shims = |dir: &PathBuf| dir.components().any(|part| part.as_os_str() == "shims");
    std::env::split_paths(&path)
        .filter(|dir| dir.is_absolute() && !shims(dir))
        .map(|dir| dir.join("python3"))
        .find(|program| program.is_file())
        .expect("the tests need python3")
}

impl Stage {
    pub(crate) fn open(script: &[(&str, Vec<Json>)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("test.sock")).unwrap();
        let script = script.iter().map(|(on, what)| ((*on).to_owned(), what.clone().into()));
        // Guards the script: each process takes its next instruction from it.
        let script = Arc::new(Mutex::new(script.collect::<Script>()));
        let (sender, events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(follow(stream, Arc::clone(&script), sender.clone()));
            }
        });
        Self { dir, events }
    }

    pub(crate) fn command(&self, name: &str, era: &str) -> ServerCommand {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/programs/server.py");
        let socket = self.dir.path().join("test.sock");
        let args = ["-ISB".into(), script.into(), socket.into_os_string(), name.into(), era.into()];
        ServerCommand {
            program: python(),
            args: args.into_iter().collect::<Vec<OsString>>(),
            env: BTreeMap::from([("ONLY".into(), "this".into())]),
            cwd: self.dir.path().to_path_buf(),
        }
    }

    pub(crate) fn config(&self, patience: Patience) -> HostConfig {
        let server = "kubernetes".parse().unwrap();
        let other = "kubernetes".parse().unwrap();
        HostConfig {
            environment: "practice".parse().unwrap(),
            catalogue: Catalogue::built_in(),
            readers: vec![(server, self.command("reader", "modern"))],
            executors: vec![(other, self.command("executor", "modern"))],
            authority: Authority::generate().unwrap(),
            patience,
        }
    }

    pub(crate) fn host(&self) -> Host {
        Host::start(self.config(PATIENT)).unwrap()
    }

    pub(crate) async fn event(&mut self) -> Event {
        self.events.recv().await.unwrap()
    }

    /// Waits for a message of this method, or a call of this tool.
    pub(crate) async fn wait_for(&mut self, what: &str) -> (i64, Json) {
        loop {
            if let Event::Said { pid, message, .. } = self.event().await
                && subject(&message) == what
            {
                return (pid, message);
            }
        }
    }

    /// What was said so far: for each message the process, numbered from 1, and the method or tool.
    pub(crate) fn said(&mut self) -> Vec<String> {
        let mut pids: Vec<i64> = Vec::new();
        let mut lines = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            let Event::Said { name, pid, message, .. } = event else { continue };
            if !pids.contains(&pid) {
                pids.push(pid);
            }
            let number = pids.iter().position(|known| *known == pid).unwrap() + 1;
            lines.push(format!("{name} {number} {}", subject(&message)));
        }
        lines
    }
}

pub(crate) fn subject(message: &Json) -> &str {
    match message["method"].as_str() {
        Some("tools/call") => message["params"]["name"].as_str().unwrap(),
        Some(method) => method,
        None => "an answer",
    }
}

async fn follow(
    stream: UnixStream,
    script: Arc<Mutex<Script>>,
    events: mpsc::UnboundedSender<Event>,
) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut last = None;
    while let Ok(Some(line)) = lines.next_line().await {
        let event: Json = serde_json::from_str(&line).unwrap();
        let name = event["name"].as_str().unwrap().to_owned();
        let pid = event["pid"].as_i64().unwrap();
        let (env, message) = (event["env"].clone(), event["message"].clone());
        last = Some(pid);
        let scripted = matches!(message["method"].as_str(), Some("tools/list" | "tools/call"));
        let what = instruction(&script, &name, subject(&message));
        if events.send(Event::Said { name, pid, env, message }).is_err() {
            return;
        }
        if scripted && write.write_all(format!("{what}\n").as_bytes()).await.is_err() {
            break;
        }
    }
    // The test may be over.
    if let Some(pid) = last {
        drop(events.send(Event::Gone { pid }));
    }
}

fn instruction(script: &Mutex<Script>, name: &str, subject: &str) -> Json {
    let mut script = script.lock().unwrap();
    match script.get_mut(&format!("{name} {subject}")) {
        Some(queue) if queue.len() > 1 => queue.pop_front().unwrap(),
        Some(queue) => queue.front().unwrap().clone(),
        None if subject == "tools/list" => list(&tools(name)),
        None => error(-32603, "not in the script", &Json::Null),
    }
}
