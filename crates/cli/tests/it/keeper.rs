//! A keeper that says what a test wrote down, over a real socket.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use steadyhand_api::listener::{Connection, Listener};
use steadyhand_api::reply::{Reply, Response};
use steadyhand_api::request::Request;
use steadyhand_api::socket::LOCK_NAME;
use steadyhand_api::view::RunView;
use tempfile::TempDir;

/// What it answers to a request; the last one may leave the request open.
pub(crate) type Script = dyn Fn(&Request) -> Vec<Reply> + Send + Sync;

#[derive(Debug)]
pub(crate) struct Keeper {
    state_dir: TempDir,
    requests: Receiver<Request>,
}

impl Keeper {
    /// Listens when this returns. It ends with the process of the test.
    pub(crate) fn new(script: impl Fn(&Request) -> Vec<Reply> + Send + Sync + 'static) -> Self {
        let state_dir = tempfile::tempdir().unwrap();
        let path = state_dir.path().to_owned();
        let (seen, requests) = channel();
        let (ready, listening) = channel();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let lock = File::create(path.join(LOCK_NAME)).unwrap();
                let listener = Listener::bind(&path, &lock).unwrap();
                ready.send(()).unwrap();
                let script: Arc<Script> = Arc::new(script);
                loop {
                    let connection = listener.accept().await.unwrap();
                    tokio::spawn(serve(connection, seen.clone(), Arc::clone(&script)));
                }
            });
        });
        listening.recv().unwrap();
        Self { state_dir, requests }
    }

    pub(crate) fn path(&self) -> &Path {
        self.state_dir.path()
    }

    /// `--state DIR`
    pub(crate) fn state(&self) -> [&str; 2] {
        ["--state", self.path().to_str().unwrap()]
    }

    /// The next request that changes something.
    pub(crate) fn change(&self) -> Request {
        loop {
            let request = self.requests.recv().unwrap();
            if request.is_change() {
                return request;
            }
        }
    }

    /// Every change that was asked for up to now.
    pub(crate) fn changes(&self) -> Vec<Request> {
        self.requests.try_iter().filter(Request::is_change).collect()
    }
}

async fn serve(connection: Connection, seen: Sender<Request>, script: Arc<Script>) {
    let Connection { mut requests, mut replies, .. } = connection;
    while let Ok(Some(frame)) = requests.next().await {
        if matches!(frame.body, Request::Watch { .. }) {
            requests.watches();
        }
        let answers = script(&frame.body);
        // A test that has seen enough does not listen any more.
        if seen.send(frame.body).is_err() {
            return;
        }
        let ended = answers.last().is_some_and(Reply::is_last);
        for answer in answers {
            if replies.send(frame.id, answer).await.is_err() {
                return;
            }
        }
        if !ended {
            // Lives and says so until the client is gone.
            let never = std::future::pending::<Reply>();
            if replies.answer(frame.id, never).await.is_err() {
                return;
            }
        }
    }
}

pub(crate) fn run(view: RunView) -> Vec<Reply> {
    vec![Reply::Response(Response::Run(Box::new(view)))]
}
