//! A parent that is killed by a test: it starts `/bin/sh`, says which process that is, and waits for it.

use std::error::Error;
use std::io::Write;

use steadyhand_process::child::Child;
use steadyhand_process::command::{Command, Input};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // It reads a pipe that stays open: it ends when it is killed, and not otherwise.
    let command = Command::new("/bin/sh", "/")?.arg("-c")?.arg("read never")?.stdin(Input::Piped);
    let child = Child::spawn(command).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", child.pid())?;
    out.flush()?;
    writeln!(out, "{}", child.wait().await)?;
    Ok(())
}
