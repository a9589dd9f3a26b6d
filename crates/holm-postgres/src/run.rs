//! Short-lived helper programs, run to their end with a deadline.

use std::io;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal};

/// Runs a program and returns what it printed; kills it when it takes longer than `deadline`.
pub(crate) fn output_within(command: &mut Command, deadline: Duration) -> io::Result<Output> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    let waiter = std::thread::spawn(move || sender.send(child.wait_with_output()));
    let result = match receiver.recv_timeout(deadline) {
        Ok(result) => result,
        Err(_) => {
            // The waiter has not returned, so the process is not reaped and the pid is still its own.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no end after {} s", deadline.as_secs())))
        }
    };
    if result.is_ok() {
        let _ = waiter.join();
    }
    result
}

/// What a program said, for an error: the end of its standard error, or else of its standard output.
pub(crate) fn last_words(output: &Output) -> String {
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    crate::log::tail_of(&String::from_utf8_lossy(said))
}
