//! How the documents of a library stand to git: which commit, and whether they are the bytes of that commit.
//!
//! `git status` is not used: it may run filters, hooks and monitors that the repository's own configuration names.
//! Instead the listing and the bytes of the commit are read from the object store and compared with what was loaded,
//! which also leaves no moment in which a file could change between the two.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use steadyhand_model::text::Escaped;
use steadyhand_process::child::{Child, Exit};
use steadyhand_process::command::{Command, CommandError, Input, Output, SpawnError};
use steadyhand_process::output::OutputCap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::document::Folder;
use crate::library::Library;
use crate::read::LIBRARY_BYTES_MAX;
use crate::tree::{self, OutputError};

/// Longest time that one question to git may take.
pub const GIT_WITHIN: Duration = Duration::from_secs(10);
/// Most bytes that git may print: all documents of a library, and as much again for what stands around them.
pub const OUTPUT_BYTES_MAX: usize = 2 * LIBRARY_BYTES_MAX;
/// Characters of git's own message that an error repeats.
const MESSAGE_CHARS: usize = 200;

/// How a library stands to git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitState {
    /// The commit of `HEAD`; `None` outside a repository and before the first commit.
    pub commit: Option<String>,
    /// The documents are not exactly those of the commit. Before the first commit: always.
    pub dirty: bool,
}

impl GitState {
    /// Outside every repository: there is nothing to differ from.
    pub const NONE: Self = Self { commit: None, dirty: false };
}

#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("git cannot be asked like this")]
    Command {
        #[source]
        source: CommandError,
    },
    #[error("git cannot be started")]
    Start {
        #[source]
        source: SpawnError,
    },
    #[error("git did not answer within {} s", GIT_WITHIN.as_secs())]
    Slow,
    #[error("git's answer cannot be read")]
    Read {
        #[source]
        source: io::Error,
    },
    /// `message` is what git wrote, cut short.
    #[error("git {exit}; it said `{message}`")]
    Failed { exit: Exit, message: Escaped },
    #[error("git's answer is not of the expected form")]
    Output {
        #[source]
        source: OutputError,
    },
}

impl GitError {
    /// The stable code; it has a page under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        "SH0627"
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Command { .. } | Self::Start { .. } => "install git, and see that it is in PATH",
            Self::Slow | Self::Read { .. } | Self::Failed { .. } | Self::Output { .. } => {
                "see what `git -C LIBRARY log -1` and `git -C LIBRARY fsck` say"
            }
        }
    }
}

/// Finds `git` in a search path as `PATH` has it. Relative entries are passed over: they depend on where one stands.
pub fn locate(search: &OsStr) -> Option<PathBuf> {
    search
        .as_bytes()
        .split(|b| *b == b':')
        .map(|entry| Path::new(OsStr::from_bytes(entry)))
        .filter(|entry| entry.is_absolute())
        .map(|entry| entry.join("git"))
        .find(|program| program.is_file())
}

/// Asks `git` (an absolute path) how a library that was read from `root` (an absolute path) stands. Needs a tokio
/// runtime.
///
/// # Errors
/// If git cannot be run or says something else than expected. Being outside a repository is no error.
pub async fn state(git: &Path, root: &Path, library: &Library) -> Result<GitState, GitError> {
    let head =
        Question::new(&["rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}"]);
    let commit = match head.ask(git, root).await? {
        Said { exit: Exit::Code(0), output, .. } => {
            tree::commit(&output).map_err(|source| GitError::Output { source })?
        }
        // Before the first commit.
        Said { exit: Exit::Code(1), .. } => return Ok(GitState { commit: None, dirty: true }),
        Said { exit: Exit::Code(128), message, .. } if message.contains("not a git repository") => {
            return Ok(GitState::NONE);
        }
        said => return Err(said.failed()),
    };
    let dirty = !is_commit(git, root, &commit, library).await?;
    Ok(GitState { commit: Some(commit), dirty })
}

/// Whether the documents are exactly those of the commit.
async fn is_commit(
    git: &Path,
    root: &Path,
    commit: &str,
    library: &Library,
) -> Result<bool, GitError> {
    let output = |source| GitError::Output { source };
    let mut list = Question::new(&["ls-tree", "-r", "-l", "-z", commit, "--"]);
    list.args.extend(Folder::ALL.map(|folder| format!("{}/", folder.name())));
    let listed = list.ask(git, root).await?.output()?;
    let listed = tree::documents_of(&listed).map_err(output)?;
    let Some(pairs) = tree::pairs(&listed, library.documents()) else { return Ok(false) };
    let mut content = Question::new(&["cat-file", "--batch"]);
    content.input = pairs.iter().flat_map(|(blob, _)| [blob.name.as_str(), "\n"]).collect();
    let content = content.ask(git, root).await?.output()?;
    tree::same(&pairs, &content).map_err(output)
}

/// One question to git.
struct Question {
    args: Vec<String>,
    input: String,
}

/// What git said.
struct Said {
    exit: Exit,
    output: Vec<u8>,
    message: String,
}

impl Said {
    fn output(self) -> Result<Vec<u8>, GitError> {
        if self.exit == Exit::Code(0) { Ok(self.output) } else { Err(self.failed()) }
    }

    fn failed(self) -> GitError {
        GitError::Failed { exit: self.exit, message: Escaped::short(&self.message, MESSAGE_CHARS) }
    }
}

impl Question {
    fn new(args: &[&str]) -> Self {
        Self { args: args.iter().map(|arg| (*arg).to_owned()).collect(), input: String::new() }
    }

    /// Nothing of the caller's environment and configuration reaches git, and nothing that the repository's own
    /// configuration could name is run: no hook, no monitor, no transport.
    fn command(&self, git: &Path, root: &Path) -> Result<Command, CommandError> {
        let mut command = Command::new(git, root)?
            .env("LC_ALL", "C")?
            .env("GIT_CONFIG_NOSYSTEM", "1")?
            .env("GIT_CONFIG_GLOBAL", "/dev/null")?
            .env("GIT_ATTR_NOSYSTEM", "1")?
            .env("GIT_OPTIONAL_LOCKS", "0")?
            .env("GIT_TERMINAL_PROMPT", "0")?
            .env("GIT_NO_REPLACE_OBJECTS", "1")?
            .env("GIT_NO_LAZY_FETCH", "1")?
            .env("GIT_ALLOW_PROTOCOL", "none")?
            .stdin(Input::Piped)
            .stdout(Output::Piped(OutputCap::Total(
                u64::try_from(OUTPUT_BYTES_MAX).unwrap_or(u64::MAX),
            )));
        let fixed = [
            "--no-pager",
            "--no-optional-locks",
            "--literal-pathspecs",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "safe.bareRepository=explicit",
            // A shared library belongs to somebody else. Git's own refusal protects from what is switched off here.
            "-c",
            "safe.directory=*",
        ];
        for arg in fixed.into_iter().chain(self.args.iter().map(String::as_str)) {
            command = command.arg(arg)?;
        }
        Ok(command)
    }

    async fn ask(&self, git: &Path, root: &Path) -> Result<Said, GitError> {
        let command = self.command(git, root).map_err(|source| GitError::Command { source })?;
        let child = Child::spawn(command).await.map_err(|source| GitError::Start { source })?;
        // A child that is dropped is killed with everything that it started.
        match timeout(GIT_WITHIN, self.converse(child)).await {
            Ok(said) => said,
            Err(_elapsed) => Err(GitError::Slow),
        }
    }

    async fn converse(&self, mut child: Child) -> Result<Said, GitError> {
        let (stdin, stdout) = (child.take_stdin(), child.take_stdout());
        let write = async {
            let Some(mut stdin) = stdin else { return Ok(()) };
            match stdin.write_all(self.input.as_bytes()).await {
                // It ended without reading all of it: its exit says why.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                other => other,
            }
        };
        let read = async {
            let mut output = Vec::new();
            match stdout {
                Some(mut stdout) => stdout.read_to_end(&mut output).await.map(|_| output),
                None => Ok(output),
            }
        };
        let (written, output) = tokio::join!(write, read);
        written.map_err(|source| GitError::Read { source })?;
        let output = output.map_err(|source| GitError::Read { source })?;
        let exit = child.wait().await;
        let tail = child.stderr_tail();
        let lines: Vec<_> = tail.lines().map(String::from_utf8_lossy).collect();
        Ok(Said { exit, output, message: lines.join(" ") })
    }
}
