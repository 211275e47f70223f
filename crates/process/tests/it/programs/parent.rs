//! A parent that is killed by a test: it starts a program, says which process that is, and waits for it.

use std::error::Error;
use std::io::Write;

use steadyhand_process::child::Child;
use steadyhand_process::command::Command;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // It has no pipe of ours whose end could tell it: it ends when it is killed, and not otherwise.
    let command = Command::new("/usr/bin/tail", "/")?.arg("-f")?.arg("/dev/null")?;
    let child = Child::spawn(command).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", child.pid())?;
    out.flush()?;
    writeln!(out, "{}", child.wait().await)?;
    Ok(())
}
