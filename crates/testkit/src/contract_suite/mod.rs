//! The conformance suite of the tool contract: what any server of the `kubernetes` table must do over MCP.
//!
//! Written against the contract, not against one server: a [`Subject`] says how to reach a server, how somebody else
//! changes its cluster, and how to count effects without asking it. The practice world passes it; the real server
//! must pass it later. Cases that need a planted fault are left out where a subject cannot plant one.

#![expect(
    clippy::indexing_slicing,
    reason = "reading a JSON value by a field's name gives null where there is none, and never panics"
)]

mod applying;
mod client;
mod connecting;
mod faulting;
mod planning;
mod probing;
mod reading;

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use serde_json::{Value as Json, json};
use steadyhand_model::time::{Span, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite};

pub use client::{Failure, Signer};
use client::{Session, ensure};

/// Which instance of the server under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instance {
    Reader,
    Executor,
}

/// The two halves of a byte stream to a fresh instance.
pub struct Wire {
    pub read: Box<dyn AsyncRead + Send + Unpin>,
    pub write: Box<dyn AsyncWrite + Send + Unpin>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

/// One workload that the cases act on.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub kind: &'static str,
    pub namespace: &'static str,
    pub name: &'static str,
}

/// What the cluster of a subject must hold, well or ill.
#[derive(Debug, Clone, Copy)]
pub struct Samples {
    /// A Deployment with rolling updates, two revisions at least, and a service.
    pub rolling: Sample,
    /// Another one.
    pub other: Sample,
    /// A StatefulSet of which the strategy is OnDelete.
    pub on_delete: Sample,
}

/// What somebody else does to a sample.
#[derive(Debug, Clone, Copy)]
pub enum Meddling {
    Template,
    Scale(u32),
    /// A status is written; nothing that anybody chose changes.
    Noise,
    /// Deleted, and made again under the same name.
    Replace,
    Pause,
}

/// An effect as the cluster itself recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenEffect {
    pub uid: String,
    /// `run/step/leg/attempt`, where the cluster's record has it.
    pub attempt: Option<String>,
}

/// A server under test and its cluster, fresh for each case.
pub trait Subject: Send + Sync {
    /// Starts an instance. `authority` is a public key as 64 hexadecimal digits, for an executor.
    fn connect<'a>(
        &'a self,
        instance: Instance,
        authority: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Wire, Failure>>;

    fn samples(&self) -> Samples;

    /// The time of the environment's clock where requests must carry it.
    fn now(&self) -> Option<Timestamp>;

    /// The clock that bounds capabilities.
    fn real_now(&self) -> Timestamp;

    /// Lets the environment's clock go on.
    fn pass(&self, span: Span);

    fn meddle(&self, sample: Sample, how: Meddling) -> Result<(), Failure>;

    /// Plants a fault by its name; false where this subject cannot.
    fn plant(&self, fault: &str) -> Result<bool, Failure>;

    /// Effects so far, counted without asking the server.
    fn effects(&self) -> Result<Vec<SeenEffect>, Failure>;
}

/// One case of the suite.
pub struct Case {
    pub name: &'static str,
    run: for<'a> fn(&'a Bench<'a>) -> BoxFuture<'a, Result<(), Failure>>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The row of a case function, under the function's own name.
macro_rules! rows {
    ($($name:ident),* $(,)?) => {
        &[$($crate::contract_suite::Case {
            name: stringify!($name),
            run: |bench| Box::pin($name(bench)),
        }),*]
    };
}
pub(crate) use rows;

/// Every case, in the order of a call's life.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    let groups: [&'static [Case]; 6] = [
        connecting::CASES,
        reading::CASES,
        planning::CASES,
        applying::CASES,
        probing::CASES,
        faulting::CASES,
    ];
    groups.into_iter().flatten()
}

impl Case {
    /// Runs the case on a fresh subject.
    ///
    /// # Errors
    /// What the server did otherwise than the contract says.
    pub async fn run(&self, subject: &dyn Subject) -> Result<(), Failure> {
        let bench = Bench { subject, signer: Signer::new([7; 32]), made: AtomicU64::new(0) };
        (self.run)(&bench).await
    }
}

/// What a case works with.
pub(crate) struct Bench<'a> {
    pub(crate) subject: &'a dyn Subject,
    pub(crate) signer: Signer,
    made: AtomicU64,
}

impl Bench<'_> {
    /// A number that no other call of this case got.
    pub(crate) fn fresh(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) async fn reader(&self) -> Result<Session<'_>, Failure> {
        Session::open(self.subject, Instance::Reader, None).await
    }

    pub(crate) async fn executor(&self) -> Result<Session<'_>, Failure> {
        Session::open(self.subject, Instance::Executor, Some(&self.signer.public())).await
    }

    pub(crate) fn rolling(&self) -> Sample {
        self.subject.samples().rolling
    }

    pub(crate) fn effects(&self) -> Result<usize, Failure> {
        Ok(self.subject.effects()?.len())
    }

    /// The workload of a sample as the reader shows it.
    pub(crate) async fn workload(&self, sample: Sample) -> Result<Json, Failure> {
        let reader = self.reader().await?;
        let args = json!({"kind": sample.kind, "namespace": sample.namespace, "name": sample.name});
        let found = reader.read("get_workload", args).await?;
        ensure(found.is_object(), || format!("{sample:?} is not there"))?;
        Ok(found)
    }

    /// The workload of a sample as an argument.
    pub(crate) async fn identity(&self, sample: Sample) -> Result<Json, Failure> {
        Ok(client::part(&self.workload(sample).await?, &["kind", "namespace", "name", "uid"]))
    }

    /// Arguments of a restart of a sample.
    pub(crate) async fn restart_args(&self, sample: Sample) -> Result<Json, Failure> {
        Ok(json!({"workload": self.identity(sample).await?}))
    }
}
