//! The contract suite over the practice world: in this process through MCP, and over a real process boundary.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use steadyhand_contract::capability::AuthorityKey;
use steadyhand_contract::door::Role;
use steadyhand_model::ids::ServerId;
use steadyhand_model::time::{Span, Timestamp};
use steadyhand_practice::fault::Fault;
use steadyhand_practice::line::{AttemptRef, Body, Change, Line, Seed};
use steadyhand_practice::scenario::ScenarioName;
use steadyhand_practice::serve::{Options, serve};
use steadyhand_practice::world_file::WorldFile;
use steadyhand_testkit::contract_suite::{
    Case, Failure, Instance, Meddling, Sample, Samples, SeenEffect, Subject, Wire, cases,
};
use tempfile::TempDir;

const BEGIN: Timestamp = Timestamp(1_795_835_524_000_000);
/// Room in a pipe of this process, in bytes.
const PIPE_BYTES: usize = 64 * 1024;

fn fixed_clock() -> Timestamp {
    BEGIN
}

fn system_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_micros()).unwrap())
}

#[derive(Clone, Copy, PartialEq)]
enum Where {
    Here,
    Child,
}

struct Practice {
    _dir: TempDir,
    world: PathBuf,
    place: Where,
    now: Mutex<Timestamp>,
    children: Mutex<Vec<tokio::process::Child>>,
}

fn subject(source: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Subject { source: Box::new(source) }
}

impl Practice {
    fn new(place: Where) -> Self {
        let dir = TempDir::new().unwrap();
        let world = dir.path().join("world.jsonl");
        let seed = Seed {
            scenario: ScenarioName::Default,
            seed: 7,
            environment: "practice".parse().unwrap(),
            faults: vec![],
        };
        WorldFile::create(&world, BEGIN, seed).unwrap();
        let (now, children) = (Mutex::new(BEGIN), Mutex::default());
        Self { _dir: dir, world, place, now, children }
    }

    fn file(&self) -> Result<WorldFile, Failure> {
        WorldFile::open(&self.world).map_err(subject)
    }

    fn here(&self, role: Role, authority: Option<&str>) -> Result<Wire, Failure> {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let (read, write) = tokio::io::split(theirs);
        let options = Options {
            server: kubernetes(),
            role,
            world: self.world.clone(),
            authority: authority.map(AuthorityKey::parse).transpose().map_err(subject)?,
            client: None,
            real_clock: fixed_clock,
        };
        tokio::spawn(serve(options, read, write));
        let (read, write) = tokio::io::split(ours);
        Ok(Wire { read: Box::new(read), write: Box::new(write) })
    }

    fn child(&self, role: Role, authority: Option<&str>, client: u32) -> Result<Wire, Failure> {
        let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_practice-door"))
            .arg("kubernetes")
            .arg(if role == Role::Reader { "reader" } else { "executor" })
            .arg(&self.world)
            .arg(authority.unwrap_or("-"))
            .arg(client.to_string())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(subject)?;
        let (read, write) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        self.children.lock().unwrap().push(child);
        Ok(Wire { read: Box::new(read), write: Box::new(write) })
    }

    fn lines(&self) -> Vec<Line> {
        let text = std::fs::read_to_string(&self.world).unwrap();
        text.lines().map(|line| Line::parse(line.as_bytes()).unwrap()).collect()
    }
}

fn kubernetes() -> ServerId {
    "kubernetes".parse().unwrap()
}

fn attempt(a: &AttemptRef) -> String {
    format!("{}/{}/{:?}/{}", a.run, a.step, a.leg, a.attempt).to_lowercase()
}

impl Subject for Practice {
    fn connect<'a>(
        &'a self,
        instance: Instance,
        authority: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Wire, Failure>> {
        let role = match instance {
            Instance::Reader => Role::Reader,
            Instance::Executor => Role::Executor,
        };
        async move {
            match self.place {
                Where::Here => self.here(role, authority),
                Where::Child => self.child(role, authority, std::process::id()),
            }
        }
        .boxed()
    }

    fn samples(&self) -> Samples {
        let deployment = |name| Sample { kind: "Deployment", namespace: "shop", name };
        Samples {
            rolling: deployment("checkout"),
            other: deployment("payments"),
            on_delete: Sample { kind: "StatefulSet", namespace: "jobs", name: "archive" },
        }
    }

    fn now(&self) -> Option<Timestamp> {
        Some(*self.now.lock().unwrap())
    }

    fn real_now(&self) -> Timestamp {
        match self.place {
            Where::Here => fixed_clock(),
            Where::Child => system_clock(),
        }
    }

    fn pass(&self, span: Span) {
        let mut now = self.now.lock().unwrap();
        *now = now.plus(span);
    }

    fn meddle(&self, sample: Sample, how: Meddling) -> Result<(), Failure> {
        let (namespace, name) = (sample.namespace.to_owned(), sample.name.to_owned());
        let change = match how {
            Meddling::Template => {
                Change::Template { namespace, name, image: "registry.example/other:1".into() }
            }
            Meddling::Scale(replicas) => Change::Scale { namespace, name, replicas },
            Meddling::Noise => Change::Status { namespace, name },
            Meddling::Replace => Change::Replace { namespace, name },
            Meddling::Pause => Change::Pause { namespace, name, paused: true },
        };
        self.file()?.change(change, self.now()).map_err(subject)
    }

    fn plant(&self, fault: &str) -> Result<bool, Failure> {
        let fault: Fault = fault.parse().map_err(subject)?;
        self.file()?.plant(fault, self.now()).map_err(subject)?;
        Ok(true)
    }

    fn effects(&self) -> Result<Vec<SeenEffect>, Failure> {
        let lines = self.lines();
        let nothing: Vec<u64> = lines
            .iter()
            .filter_map(|l| match l.body {
                Body::Landed { of, changed: false } => Some(of),
                _ => None,
            })
            .collect();
        let effects = lines.iter().filter(|l| !nothing.contains(&l.seq)).filter_map(|l| {
            let Body::Effect(effect) = &l.body else { return None };
            let uid = effect.attempt.uid.to_string();
            Some(SeenEffect { uid, attempt: Some(attempt(&effect.attempt)) })
        });
        Ok(effects.collect())
    }
}

fn report(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

async fn run(chosen: impl Iterator<Item = &'static Case>, place: Where) -> String {
    let mut text = String::new();
    for case in chosen {
        let subject = Practice::new(place);
        let line = match case.run(&subject).await {
            Ok(()) => format!("{}: ok\n", case.name),
            Err(error) => format!("{}: {}\n", case.name, report(&error)),
        };
        text += &line;
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_practice_world_conforms() {
    let text = run(cases(), Where::Here).await;
    expect_test::expect_file!["contract.txt"].assert_eq(&text);
}

/// The cases in which a process boundary can make a difference: handshakes, raw lines, lost and broken replies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_practice_world_conforms_over_a_real_pipe() {
    let chosen = [
        "connects_with_the_present_revision",
        "connects_with_the_legacy_handshake",
        "oversized_request_is_refused_and_the_next_is_served",
        "broken_line_does_not_stop_the_server",
        "preview_of_a_restart_is_what_happens",
        "no_key_refuses_everything",
        "used_capability_is_forbidden",
        "lost_after_the_effect",
        "huge_is_larger_than_a_host_takes",
    ];
    let chosen = cases().filter(|case| chosen.contains(&case.name));
    let text = run(chosen, Where::Child).await;
    assert!(text.lines().count() == 9 && text.lines().all(|l| l.ends_with(": ok")), "{text}");
}

/// A planted kill ends the client, not the world: what was written before is what is there afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_kill_ends_the_client_and_the_world_stays() {
    for (fault, effects, kinds) in
        [("kill-before", 0, "fired"), ("kill-after", 1, "effect"), ("kill-after@2", 1, "effect")]
    {
        let subject = Practice::new(Where::Child);
        subject.plant(fault).unwrap();
        let mut victim = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let case = cases().find(|case| case.name == "late_duplicate_is_a_conflict").unwrap();
        // The case goes on with a client that is still there; the door has killed another in its place.
        let door = Doomed { subject, victim: victim.id() };
        let outcome = case.run(&door).await;
        assert!(outcome.is_err(), "{fault}: the reply of a killed client is lost");
        let status = victim.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{fault}");
        assert_eq!(door.subject.effects().unwrap().len(), effects, "{fault}");
        let lines = std::fs::read_to_string(&door.subject.world).unwrap();
        assert!(lines.contains(&format!("\"kind\":\"{kinds}\"")), "{fault}: {lines}");
    }
}

/// A practice world of which the doors take another process for their client.
struct Doomed {
    subject: Practice,
    victim: u32,
}

impl Subject for Doomed {
    fn connect<'a>(
        &'a self,
        instance: Instance,
        authority: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Wire, Failure>> {
        let role = match instance {
            Instance::Reader => Role::Reader,
            Instance::Executor => Role::Executor,
        };
        async move { self.subject.child(role, authority, self.victim) }.boxed()
    }

    fn samples(&self) -> Samples {
        self.subject.samples()
    }

    fn now(&self) -> Option<Timestamp> {
        self.subject.now()
    }

    fn real_now(&self) -> Timestamp {
        self.subject.real_now()
    }

    fn pass(&self, span: Span) {
        self.subject.pass(span);
    }

    fn meddle(&self, sample: Sample, how: Meddling) -> Result<(), Failure> {
        self.subject.meddle(sample, how)
    }

    fn plant(&self, fault: &str) -> Result<bool, Failure> {
        self.subject.plant(fault)
    }

    fn effects(&self) -> Result<Vec<SeenEffect>, Failure> {
        self.subject.effects()
    }
}
