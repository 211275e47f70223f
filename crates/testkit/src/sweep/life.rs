//! One life of a keeper process as its parent sees it: started, spoken to, and found dead.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::future::Future;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::keeper::{KEEPER, UP};
use super::points::{Edge, Kill};

/// What every life of one case has in common.
#[derive(Debug, Clone)]
pub(super) struct Birth {
    pub(super) program: PathBuf,
    pub(super) state: PathBuf,
    /// Where all lives write what they have to complain about.
    pub(super) log: PathBuf,
    pub(super) fault: Option<&'static str>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum LifeError {
    #[error("a keeper cannot be started")]
    Start {
        #[source]
        source: std::io::Error,
    },
    #[error("a keeper cannot be listened to")]
    Listen {
        #[source]
        source: std::io::Error,
    },
    #[error("a keeper ended by itself, {status}; see {}", log.display())]
    Ended { status: ExitStatus, log: PathBuf },
    #[error("a keeper said `{line}`, which is not how often it passed a point")]
    Said { line: String },
}

/// How something that a keeper was asked for came out.
#[derive(Debug)]
pub(super) enum Heard<T> {
    Answer(T),
    /// It was killed first.
    Killed,
}

#[derive(Debug)]
pub(super) struct Life {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Life {
    /// Starts a keeper and waits until its socket accepts, or until it is dead.
    pub(super) async fn begin(birth: &Birth, kill: Option<Kill>) -> Result<Heard<Self>, LifeError> {
        let start = |source| LifeError::Start { source };
        let log = OpenOptions::new().create(true).append(true).open(&birth.log).map_err(start)?;
        let mut command = Command::new(&birth.program);
        command.arg(KEEPER).arg(&birth.state);
        command.args(kill.map(|kill| format!("kill={kill}")));
        command.args(birth.fault.map(|fault| format!("fault={fault}")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().map_err(start)?;
        let missing = || LifeError::Start { source: std::io::ErrorKind::BrokenPipe.into() };
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stdin = child.stdin.take();
        let log = birth.log.clone();
        let mut life = Self { child, stdin, stdout: BufReader::new(stdout), log };
        match life.line().await? {
            Some(line) if line == UP => Ok(Heard::Answer(life)),
            Some(line) => Err(LifeError::Said { line }),
            None => {
                life.end().await?;
                Ok(Heard::Killed)
            }
        }
    }

    async fn line(&mut self) -> Result<Option<String>, LifeError> {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line).await;
        let bytes = read.map_err(|source| LifeError::Listen { source })?;
        Ok((bytes > 0).then(|| line.trim_end().to_owned()))
    }

    /// Waits for an answer as long as the keeper lives. An answer that was there before its end is heard.
    pub(super) async fn during<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<Heard<T>, LifeError> {
        tokio::select! {
            biased;
            answer = work => Ok(Heard::Answer(answer)),
            status = self.child.wait() => {
                killed(status.map_err(|source| LifeError::Listen { source })?, &self.log)?;
                Ok(Heard::Killed)
            }
        }
    }

    /// Waits for the end that was planned for it.
    pub(super) async fn end(&mut self) -> Result<(), LifeError> {
        let status = self.child.wait().await.map_err(|source| LifeError::Listen { source })?;
        killed(status, &self.log)
    }

    /// Lets the keeper go, and hears how often it passed each point.
    pub(super) async fn leave(mut self) -> Result<Heard<BTreeMap<Edge, u32>>, LifeError> {
        drop(self.stdin.take());
        let mut counts = BTreeMap::new();
        while let Some(line) = self.line().await? {
            let said = || LifeError::Said { line: line.clone() };
            let (edge, times) = line.split_once(' ').ok_or_else(said)?;
            match (edge.parse(), times.parse()) {
                (Ok(edge), Ok(times)) => counts.insert(edge, times),
                _ => return Err(said()),
            };
        }
        let status = self.child.wait().await.map_err(|source| LifeError::Listen { source })?;
        if status.success() {
            return Ok(Heard::Answer(counts));
        }
        killed(status, &self.log)?;
        Ok(Heard::Killed)
    }
}

/// The only end that a keeper may have before it is let go.
fn killed(status: ExitStatus, log: &Path) -> Result<(), LifeError> {
    if status.signal() == Some(Signal::KILL.as_raw()) {
        return Ok(());
    }
    Err(LifeError::Ended { status, log: log.to_owned() })
}
