//! What `postmaster.pid` says: whether a server is ready, and whether an earlier, killed process left one behind, which is
//! then verified to be that directory's and stopped.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, test_kill_process};
use tokio::time::{Instant, sleep};

/// Between two looks at a process that is not ours and cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What is sent, and how long each has to work: a fast shutdown checkpoints, an immediate one only ends processes.
const ESCALATION: [(Signal, Duration); 3] =
    [(Signal::INT, Duration::from_secs(20)), (Signal::QUIT, Duration::from_secs(5)), (Signal::KILL, Duration::from_secs(5))];

/// Where a postmaster is in its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// It replays its log, or is about to.
    Recovering,
    /// It lets sessions in.
    Ready,
}

/// What the postmaster with that pid has written into the file; `None` before it has, or when the file is another's.
pub(crate) fn state(data: &Path, pid: u32) -> Option<State> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    // PostgreSQL, `pidfile.h`: pid in line 1, status in line 8, padded with blanks.
    let mut lines = text.lines().map(str::trim);
    if lines.next()?.parse() != Ok(pid) {
        return None;
    }
    match lines.nth(6)? {
        "ready" => Some(State::Ready),
        "starting" => Some(State::Recovering),
        _ => None,
    }
}

/// Stops the postmaster of a data directory if one runs. Only a process that works in that very directory is signalled.
///
/// # Errors
/// The pid of a process that is still there after all signals.
///
/// # Cancel safety
/// Safe; the postmaster may have been told to stop.
pub async fn stop_leftover(data: &Path) -> Result<(), i32> {
    let Some(pid) = leftover(data) else { return Ok(()) };
    tracing::warn!(pid = pid.as_raw_nonzero().get(), data = %data.display(), "stopping a PostgreSQL server that a killed process left behind");
    for (signal, patience) in ESCALATION {
        let _ = rustix::process::kill_process(pid, signal);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if test_kill_process(pid).is_err() || !works_in(pid, data) {
                return Ok(());
            }
            sleep(LOOK_AGAIN).await;
        }
    }
    Err(pid.as_raw_nonzero().get())
}

/// The postmaster that `postmaster.pid` names, if it lives and is this directory's; the pid may be anyone's by now.
fn leftover(data: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = Pid::from_raw(text.lines().next()?.trim().parse::<i32>().ok()?.abs())?;
    (test_kill_process(pid).is_ok() && works_in(pid, data)).then_some(pid)
}

/// Whether a process has the data directory as its working directory, which a postmaster has (PostgreSQL, `ChangeToDataDir`).
#[cfg(target_os = "linux")]
fn works_in(pid: Pid, data: &Path) -> bool {
    let directory = PathBuf::from(format!("/proc/{}/cwd", pid.as_raw_nonzero()));
    match (std::fs::read_link(directory), data.canonicalize()) {
        (Ok(working), Ok(data)) => working == data,
        _ => false,
    }
}

/// Whether a process was started with `-D` and the data directory.
#[cfg(not(target_os = "linux"))]
fn works_in(pid: Pid, data: &Path) -> bool {
    let mut ps = std::process::Command::new("ps");
    let output =
        crate::run::output_within(ps.args(["-ww", "-o", "command=", "-p", &pid.as_raw_nonzero().to_string()]), Duration::from_secs(5));
    let wanted = format!("-D {}", PathBuf::from(data).display());
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&wanted))
}
