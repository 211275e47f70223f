//! What to start: a checked value, and the errors of starting it. The starting itself is in `spawner`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::output::OutputCap;

/// Where a program's standard input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// `/dev/null`: the program reads the end of its input at once.
    Null,
    /// A pipe, taken with [`crate::child::Child::take_stdin`].
    Piped,
}

/// Where a program's standard output goes. Standard error is always drained into a bounded tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// `/dev/null`.
    Null,
    /// A pipe, taken with [`crate::child::Child::take_stdout`], which refuses to read beyond the cap.
    Piped(OutputCap),
}

/// A program to start. It holds everything that the program gets: nothing is inherited but the user and the umask.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: BTreeMap<OsString, OsString>,
    pub(crate) cwd: PathBuf,
    pub(crate) stdin: Input,
    pub(crate) stdout: Output,
}

impl Command {
    /// A program at an absolute path, run in an absolute directory: no arguments, an empty environment, stdin and
    /// stdout at `/dev/null`.
    ///
    /// # Errors
    /// A relative path (a search would depend on who started us) or a NUL byte.
    pub fn new(program: impl Into<PathBuf>, cwd: impl Into<PathBuf>) -> Result<Self, CommandError> {
        let (program, cwd) = (program.into(), cwd.into());
        for path in [&program, &cwd] {
            if !path.is_absolute() {
                return Err(CommandError::RelativePath { path: path.clone() });
            }
            refuse_nul(path.as_os_str(), Part::Path)?;
        }
        let (args, env) = (Vec::new(), BTreeMap::new());
        Ok(Self { program, args, env, cwd, stdin: Input::Null, stdout: Output::Null })
    }

    /// Appends one argument. It arrives byte for byte as one element of the argument vector.
    ///
    /// # Errors
    /// A NUL byte, which no argument can carry.
    pub fn arg(mut self, value: impl Into<OsString>) -> Result<Self, CommandError> {
        let value = value.into();
        refuse_nul(&value, Part::Argument)?;
        self.args.push(value);
        Ok(self)
    }

    /// Sets one variable of the environment, which is otherwise empty.
    ///
    /// # Errors
    /// A name that is empty, holds `=` or is set already, or a NUL byte in either part. The value is never quoted.
    pub fn env(
        mut self,
        name: impl Into<OsString>,
        value: impl Into<OsString>,
    ) -> Result<Self, CommandError> {
        let (name, value) = (name.into(), value.into());
        refuse_nul(&name, Part::VariableName)?;
        refuse_nul(&value, Part::VariableValue)?;
        if name.is_empty() || name.as_bytes().contains(&b'=') {
            return Err(CommandError::VariableName { name });
        }
        // The last one would win silently; two answers to one question are a mistake of the caller.
        if self.env.contains_key(&name) {
            return Err(CommandError::VariableRepeated { name });
        }
        self.env.insert(name, value);
        Ok(self)
    }

    #[must_use]
    pub fn stdin(mut self, stdin: Input) -> Self {
        self.stdin = stdin;
        self
    }

    #[must_use]
    pub fn stdout(mut self, stdout: Output) -> Self {
        self.stdout = stdout;
        self
    }

    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }
}

/// Arguments and values may be secrets, so a log line gets their number and the names of the variables.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("program", &self.program)
            .field("args", &self.args.len())
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("cwd", &self.cwd)
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .finish()
    }
}

fn refuse_nul(text: &OsStr, part: Part) -> Result<(), CommandError> {
    if text.as_bytes().contains(&0) { Err(CommandError::Nul { part }) } else { Ok(()) }
}

/// The part of a command that an error is about; the bytes themselves may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Path,
    Argument,
    VariableName,
    VariableValue,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "a path",
            Self::Argument => "an argument",
            Self::VariableName => "the name of a variable",
            Self::VariableValue => "the value of a variable",
        })
    }
}

/// A command that can never be started.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    #[error("the path {path:?} is relative: give the absolute path")]
    RelativePath { path: PathBuf },
    #[error("{part} of the command holds a NUL byte")]
    Nul { part: Part },
    #[error("{name:?} cannot name a variable: it is empty or holds `=`")]
    VariableName { name: OsString },
    #[error("the variable {name:?} is set twice")]
    VariableRepeated { name: OsString },
}

/// Nothing was started, and nothing is left of the attempt.
#[derive(Debug, Error)]
pub enum SpawnError {
    #[error("the program {program:?} does not exist")]
    ProgramMissing { program: PathBuf },
    #[error(
        "the program {program:?} may not be run: check that it is a file with read and execute permission"
    )]
    NotPermitted { program: PathBuf, source: io::Error },
    /// The C library would hand such a file to a shell.
    #[error("{program:?} is neither a binary nor a script that names its interpreter")]
    NotAProgram { program: PathBuf },
    #[error("the interpreter or loader that {program:?} names does not exist")]
    InterpreterMissing { program: PathBuf },
    #[error("the working directory {cwd:?} cannot be used")]
    WorkingDirectory { cwd: PathBuf, source: io::Error },
    #[error("the arguments and environment for {program:?} are longer than the kernel takes")]
    TooLong { program: PathBuf },
    #[error("could not start {program:?}")]
    Start { program: PathBuf, source: io::Error },
    #[error("started {program:?} but could not watch it, so it was killed")]
    Watch { program: PathBuf, source: io::Error },
    #[error("could not start the thread that starts and watches programs")]
    Thread { source: io::Error },
    #[error("could not make the pipe to the thread that watches a program")]
    Bell { source: io::Error },
    #[error("this process was started with SIGCHLD ignored: start it without `trap '' CHLD`")]
    SigchldIgnored,
    #[error("/proc/self/status does not say which signals are ignored")]
    SigchldUnknown,
    #[error("could not become the reaper of orphaned processes")]
    Subreaper { source: io::Error },
    #[error("a thread that starts or watches programs has ended: restart this process")]
    ThreadLost,
}
