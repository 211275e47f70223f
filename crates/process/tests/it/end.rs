//! How programs end: by themselves, by the ladder, with their parent, and what they leave.

use std::time::Duration;

use expect_test::{Expect, expect};
use steadyhand_process::child::{Child, Exit};
use steadyhand_process::ladder::{Ladder, MAX_GRACE, MIN_KILL_GRACE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;

use crate::{
    LONG, SHORT, Watched, command, ladder, python, read_line, read_pid, shell, spawn, told,
};

/// Waits for the program's `ready`, stops it, and compares the whole report.
async fn check_stop(script: &str, ladder: Ladder, expected: Expect) {
    let (child, mut stdout) = spawn(python(script)).await;
    let leader = Watched::new(child.pid());
    assert_eq!(read_line(&mut stdout).await, "ready");
    expected.assert_eq(&told(&child.stop(&ladder).await));
    assert!(leader.is_reaped());
}

#[tokio::test]
async fn each_rung_is_climbed_only_if_the_one_before_did_not_help() {
    // Blocked and awaited, since a handler would miss a signal that comes just before `pause`.
    let answers = |heard: &str| {
        format!(
            "import signal,sys\n\
             I, T = signal.SIGINT, signal.SIGTERM\n\
             for s in (I, T): signal.signal(s, signal.SIG_IGN)\n\
             signal.pthread_sigmask(signal.SIG_BLOCK, {heard})\n\
             for s in {heard}: signal.signal(s, signal.SIG_DFL)\n\
             print('ready', flush=True)\n\
             sys.exit({{I: 7, T: 8}}[signal.sigwait({heard} or [signal.SIGUSR1])])"
        )
    };
    let (both, term, none) = ("[I, T]", "[T]", "[]");
    let interrupt = expect!["ended with code 7; Interrupt; nothing left"];
    check_stop(&answers(both), ladder(LONG, LONG), interrupt).await;
    let terminate = expect!["ended with code 8; Terminate; nothing left"];
    check_stop(&answers(term), ladder(SHORT, LONG), terminate).await;
    let kill = expect!["ended by signal 9; Kill; nothing left"];
    check_stop(&answers(none), ladder(SHORT, SHORT), kill).await;
    // A rung of zero is left out, and its signal is not sent.
    let skipped = expect!["ended with code 8; Terminate; nothing left"];
    check_stop(&answers(both), ladder(Duration::ZERO, LONG), skipped).await;
    let hard = expect!["ended by signal 9; Kill; nothing left"];
    check_stop(&answers(both), Ladder::HARD, hard).await;
}

/// A program that has to write a lot before it can end is not stuck on a pipe that nobody empties.
#[tokio::test]
async fn stderr_is_drained_on_every_rung() {
    let script = "import signal,sys\n\
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n\
        print('ready', flush=True)\n\
        signal.sigwait([signal.SIGINT])\n\
        sys.stderr.write('x' * 1000000)\n\
        sys.exit(7)";
    let expected = expect!["ended with code 7; Interrupt; nothing left"];
    check_stop(script, ladder(LONG, LONG), expected).await;
}

#[tokio::test]
async fn a_second_stop_hurries_the_first() {
    let script = "trap '' INT TERM; echo ready; read never";
    let (mut child, mut stdout) = spawn(shell(script)).await;
    let _stdin = child.take_stdin().unwrap();
    assert_eq!(read_line(&mut stdout).await, "ready");
    let patient = ladder(LONG, LONG);
    let (first, second) = tokio::join!(child.stop(&patient), child.stop(&Ladder::HARD));
    let expected = "ended by signal 9; Kill; nothing left";
    assert_eq!((told(&first).as_str(), told(&second).as_str()), (expected, expected));
}

/// An orphan of which nothing shows whose it was counts for every stop, so one test at a time makes or misses them.
static ORPHANS: Mutex<()> = Mutex::const_new(());

/// Leaves its session twice, ignores all that can be ignored, says its pid, and holds no pipe open.
const DAEMON: &str = r#"
import os, signal, sys
def daemon():
    if os.fork(): return os.wait()
    os.setsid()
    if os.fork(): os._exit(0)
    os.setsid()
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)
    print(os.getpid(), flush=True)
    for fd in (0, 1, 2): os.close(fd)
    while True: signal.pause()
"#;

#[tokio::test]
async fn a_daemon_of_a_living_program_is_stopped_with_it() {
    let script = format!(
        "{DAEMON}\nfor s in (signal.SIGINT, signal.SIGTERM): signal.signal(s, signal.SIG_IGN)\n\
         daemon(); daemon(); signal.pause()"
    );
    let (child, mut stdout) = spawn(python(&script)).await;
    let daemons = [read_pid(&mut stdout).await, read_pid(&mut stdout).await];
    let report = child.stop(&ladder(SHORT, SHORT)).await;
    expect!["ended by signal 9; Kill; nothing left"].assert_eq(&told(&report));
    assert!(daemons.iter().all(|daemon| daemon.is_dead() && daemon.is_reaped()));
}

#[tokio::test]
async fn a_daemon_of_a_dead_program_is_found_all_the_same() {
    let _alone = ORPHANS.lock().await;
    let script = format!("{DAEMON}\ndaemon(); sys.stdin.read()");
    let (mut child, mut stdout) = spawn(python(&script)).await;
    let daemon = read_pid(&mut stdout).await;
    drop(child.take_stdin());
    assert_eq!(child.wait().await, Exit::Code(0));
    let report = child.stop(&ladder(SHORT, SHORT)).await;
    // Which rung it took is not compared: another test's program may have ended and taken the orphan with it.
    let told = told(&report);
    assert!(told.starts_with("ended with code 0; ") && told.ends_with("; nothing left"), "{told}");
    assert!(daemon.is_dead());
}

/// Each generation is in a session of its own and lives for less than a look at the process table. Only the last one
/// stays, so that a broken stop leaves one process and not a storm. The pipe ends with the last holder: that nothing is
/// left is seen, not believed.
#[tokio::test]
async fn a_program_that_runs_from_the_stop_is_caught() {
    let _alone = ORPHANS.lock().await;
    let script = "import os, signal\n\
        signal.signal(signal.SIGINT, signal.SIG_IGN)\n\
        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
        print('ready', flush=True)\n\
        for _ in range(500):\n\
        \x20   if os.fork(): os._exit(0)\n\
        \x20   os.setsid()\n\
        while True: signal.pause()";
    let (child, mut stdout) = spawn(python(script)).await;
    assert_eq!(read_line(&mut stdout).await, "ready");
    let report = child.stop(&ladder(Duration::ZERO, Duration::ZERO)).await;
    assert!(told(&report).ends_with("; nothing left"), "{}", told(&report));
    assert_eq!(stdout.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn stopping_the_dead_is_fine_and_may_be_repeated() {
    let _alone = ORPHANS.lock().await;
    let (mut child, _stdout) = spawn(shell("read never; exit 3")).await;
    let leader = Watched::new(child.pid());
    drop(child.take_stdin());
    assert_eq!(child.wait().await, Exit::Code(3));
    assert!(leader.is_reaped());
    for _ in 0..2 {
        let report = child.stop(&Ladder::DEFAULT).await;
        assert_eq!(told(&report), "ended with code 3; no rung; nothing left");
    }
    assert_eq!(child.wait().await, Exit::Code(3));
}

/// Not even a daemon of another program is touched: it belongs to a program that lives.
#[tokio::test]
async fn a_stop_leaves_other_programs_alone() {
    let (child, _stdout) = spawn(shell("read never")).await;
    let script = "import os\n\
        if not os.fork():\n\
        \x20   os.setsid()\n\
        \x20   if os.fork(): os._exit(0)\n\
        \x20   print(input(), flush=True)\n\
        \x20   os._exit(5)\n\
        os.wait()\n\
        print('the daemon is an orphan', flush=True)\n\
        os._exit(os.waitstatus_to_exitcode(os.wait()[1]))";
    let (mut other, mut answers) = spawn(python(script)).await;
    assert_eq!(read_line(&mut answers).await, "the daemon is an orphan");
    assert!(told(&child.stop(&Ladder::HARD).await).ends_with("nothing left"));
    let mut stdin = other.take_stdin().unwrap();
    stdin.write_all(b"still here\n").await.unwrap();
    assert_eq!(read_line(&mut answers).await, "still here");
    assert_eq!(other.wait().await, Exit::Code(5));
}

#[tokio::test]
async fn a_dropped_program_is_killed_with_its_daemons() {
    let (child, mut stdout) = spawn(python(&format!("{DAEMON}\ndaemon(); signal.pause()"))).await;
    let leader = Watched::new(child.pid());
    let daemon = read_pid(&mut stdout).await;
    drop(child);
    leader.wait_dead();
    daemon.wait_dead();
}

#[tokio::test]
async fn an_exit_tells_code_from_signal() {
    let exit = async |script| Child::spawn(shell(script)).await.unwrap().wait().await;
    assert_eq!(exit("exit 255").await, Exit::Code(255));
    assert_eq!(exit("kill -9 $$").await, Exit::Signal(9));
}

/// A shell stands between, since it adopts the orphan: otherwise another test's stop might be what killed it.
#[tokio::test]
async fn a_child_dies_with_its_parent() {
    let parent = env!("CARGO_BIN_EXE_steadyhand-process-parent");
    let script = "\"$0\" & echo $!; wait; read never";
    let (mut child, mut stdout) = spawn(command("/bin/sh", &["-c", script, parent])).await;
    let _stdin = child.take_stdin().unwrap();
    let parent = read_pid(&mut stdout).await;
    let grandchild = read_pid(&mut stdout).await;
    assert!(!grandchild.is_dead());
    parent.kill();
    grandchild.wait_dead();
    assert_eq!(told(&child.stop(&Ladder::HARD).await), "ended by signal 9; Kill; nothing left");
    assert_ne!(parent.pid, grandchild.pid);
}

#[test]
fn a_ladder_is_bounded() {
    let beyond = MAX_GRACE + Duration::from_nanos(1);
    let zero = Duration::ZERO;
    let told = |ladder: Result<Ladder, _>| match ladder {
        Ok(_) => "fine".to_owned(),
        Err(error) => std::string::ToString::to_string(&error),
    };
    let long = "a grace of 300.000000001s is longer than 300s";
    assert_eq!(told(Ladder::new(MAX_GRACE, MAX_GRACE, MAX_GRACE)), "fine");
    assert_eq!(told(Ladder::new(beyond, zero, MAX_GRACE)), long);
    assert_eq!(told(Ladder::new(zero, beyond, MAX_GRACE)), long);
    assert_eq!(told(Ladder::new(zero, zero, beyond)), long);
    assert_eq!(told(Ladder::new(zero, zero, MIN_KILL_GRACE)), "fine");
    let short = "a grace of 999.999999ms after the kill is shorter than 1s";
    assert_eq!(told(Ladder::new(zero, zero, MIN_KILL_GRACE - Duration::from_nanos(1))), short);
}
