//! Running programs: to the terminal, captured, or both, with a limit of time where one is needed.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("{program} could not be started")]
    Start {
        program: String,
        #[source]
        source: std::io::Error,
    },
    #[error("what {program} wrote could not be read")]
    Read {
        program: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{program} could not be stopped")]
    Stop {
        program: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{program} failed: {said}")]
    Failed { program: String, said: String },
    #[error("what {program} wrote is not text")]
    NotText {
        program: String,
        #[source]
        source: std::string::FromUtf8Error,
    },
    #[error("standard output is closed")]
    Output {
        #[source]
        source: std::io::Error,
    },
}

/// The cargo that runs this program.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Runs with the terminal's own output and tells whether it ended well.
///
/// # Errors
/// If the program cannot be started.
pub fn passes(command: &mut Command) -> Result<bool, ProgramError> {
    let status = command
        .status()
        .map_err(|source| ProgramError::Start { program: name(command), source })?;
    Ok(status.success())
}

/// Runs and returns what was written to standard output.
///
/// # Errors
/// If the program cannot be started, fails, or writes something that is not text.
pub fn capture(command: &mut Command) -> Result<String, ProgramError> {
    let program = name(command);
    let output = command
        .output()
        .map_err(|source| ProgramError::Start { program: program.clone(), source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(ProgramError::Failed { program, said });
    }
    String::from_utf8(output.stdout).map_err(|source| ProgramError::NotText { program, source })
}

/// Runs, passes every line of standard output on and shows it to `look` too.
///
/// # Errors
/// If the program cannot be started or read.
pub fn tee(command: &mut Command, mut look: impl FnMut(&str)) -> Result<ExitStatus, ProgramError> {
    let program = name(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| ProgramError::Start { program: program.clone(), source })?;
    let read = |source| ProgramError::Read { program: program.clone(), source };
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let mut line = line.map_err(read)?;
            look(&String::from_utf8_lossy(&line));
            line.push(b'\n');
            let written = std::io::stdout().write_all(&line);
            written.map_err(|source| ProgramError::Output { source })?;
        }
    }
    child.wait().map_err(read)
}

/// How a program with a limit of time ended, and what it wrote.
#[derive(Debug)]
pub struct Ended {
    /// `None`: it was stopped because its time was over.
    pub status: Option<ExitStatus>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs in a process group of its own, which is killed as a whole when the time is over.
///
/// # Errors
/// If the program cannot be started, read or stopped.
pub fn within(command: &mut Command, limit: Duration) -> Result<Ended, ProgramError> {
    let program = name(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|source| ProgramError::Start { program: program.clone(), source })?;
    let (done, outputs) = mpsc::channel();
    for (index, output) in readers(&mut child) {
        let done = done.clone();
        std::thread::spawn(move || {
            // The other end is gone only if the limit was hit and the answer is no longer wanted.
            match done.send((index, to_text(output))) {
                Ok(()) | Err(_) => (),
            }
        });
    }
    drop(done);
    let deadline = std::time::Instant::now() + limit;
    let mut texts = [String::new(), String::new()];
    let mut over = false;
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        match outputs.recv_timeout(left) {
            Ok((index, text)) => {
                let text =
                    text.map_err(|source| ProgramError::Read { program: program.clone(), source })?;
                if let Some(slot) = texts.get_mut(index) {
                    *slot = text;
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                over = true;
                stop(&child, &program)?;
                break;
            }
        }
    }
    let status =
        child.wait().map_err(|source| ProgramError::Read { program: program.clone(), source })?;
    let [stdout, stderr] = texts;
    Ok(Ended { status: (!over).then_some(status), stdout, stderr })
}

fn readers(child: &mut Child) -> Vec<(usize, Box<dyn Read + Send>)> {
    let mut readers: Vec<(usize, Box<dyn Read + Send>)> = Vec::new();
    if let Some(output) = child.stdout.take() {
        readers.push((0, Box::new(output)));
    }
    if let Some(output) = child.stderr.take() {
        readers.push((1, Box::new(output)));
    }
    readers
}

fn to_text(mut output: Box<dyn Read + Send>) -> Result<String, std::io::Error> {
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn stop(child: &Child, program: &str) -> Result<(), ProgramError> {
    kill_process_group(Pid::from_child(child), Signal::KILL)
        .map_err(|errno| ProgramError::Stop { program: program.to_owned(), source: errno.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_group_ends_when_the_time_is_over() {
        let mut command = Command::new("sh");
        // The child of the child holds the pipe open: only killing the group ends this test.
        command.args(["-c", "tail -f /dev/null & tail -f /dev/null"]);
        let ended = within(&mut command, Duration::from_millis(50)).unwrap();
        assert!(ended.status.is_none());
    }

    #[test]
    fn both_outputs_are_kept() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let ended = within(&mut command, Duration::from_secs(600)).unwrap();
        let code = ended.status.and_then(|status| status.code());
        assert_eq!(
            (code, ended.stdout.as_str(), ended.stderr.as_str()),
            (Some(3), "out\n", "err\n")
        );
    }

    #[test]
    fn a_failing_program_is_an_error_with_its_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no >&2; exit 1"]);
        let error = capture(&mut command).unwrap_err();
        assert_eq!(error.to_string(), "sh -c echo no >&2; exit 1 failed: no");
        assert!(capture(&mut Command::new("no-such-program-here")).is_err());
    }
}
