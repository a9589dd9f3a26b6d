//! A child process that ends when this process does.
//!
//! Promises: a signal never reaches a stranger that got the same pid, and Ctrl-C in a terminal does not reach the child.
//! The thread that starts the child waits for it: Linux sends the parent-death signal when the *thread* that forked ends
//! (prctl(2), `PR_SET_PDEATHSIG`), and a thread of an async runtime may end long before the process. Elsewhere than on
//! Linux a child outlives a killed parent; the next start on the same data directory stops it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::sync::{oneshot, watch};

/// A running, or ended, child.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    /// Whether the pid may have been given to another process; held while signalling and while reaping.
    reaped: Arc<Mutex<bool>>,
    exit: watch::Receiver<Option<ExitStatus>>,
    orphaned: Signal,
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(self.orphaned);
    }
}

impl Child {
    /// Starts a command in a process group of its own; `orphaned` is what it is sent when this process dies or drops it.
    ///
    /// # Cancel safety
    /// Safe: a process that nobody waits for any more is sent `orphaned`.
    pub(crate) async fn spawn(mut command: Command, orphaned: Signal) -> io::Result<Self> {
        command.process_group(0);
        end_with_parent(&mut command, orphaned);
        let (started, spawned) = oneshot::channel();
        let (exited, exit) = watch::channel(None);
        let reaped = Arc::new(Mutex::new(false));
        let reaped_by_thread = Arc::clone(&reaped);
        std::thread::Builder::new().name("holm-postgres".to_owned()).spawn(move || {
            let child = command.spawn();
            // Its descriptors, the log among them, are the child's now.
            drop(command);
            match child {
                Ok(child) => {
                    if started.send(Ok(Pid::from_child(&child))).is_err() {
                        // The caller gave up meanwhile; the process is not reaped before `wait`.
                        let _ = rustix::process::kill_process(Pid::from_child(&child), orphaned);
                    }
                    wait(child, &reaped_by_thread, &exited);
                }
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        let pid = spawned.await.map_err(|_| io::Error::other("the thread that starts processes ended"))??;
        Ok(Self { pid, reaped, exit, orphaned })
    }

    /// The process id; meaningful while the child runs.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Sends a signal, unless the child has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped {
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }

    /// How it ended, if it has.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits for its end.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn exited(&self) {
        // An error means that the waiting thread is gone, and with it the child.
        let _ = self.exit.clone().wait_for(Option::is_some).await;
    }
}

fn wait(mut child: std::process::Child, reaped: &Mutex<bool>, exited: &watch::Sender<Option<ExitStatus>>) {
    let pid = Pid::from_child(&child);
    // The child stays a zombie here, so that its pid stays its own until the flag is set.
    while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
    let mut reaped = reaped.lock().unwrap_or_else(PoisonError::into_inner);
    *reaped = true;
    let status = child.wait();
    drop(reaped);
    exited.send_replace(status.ok());
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn end_with_parent(command: &mut Command, orphaned: Signal) {
    let parent = rustix::process::getpid();
    let prepare = move || {
        // std has changed the user by now; doing it later would clear the signal again (prctl(2)).
        rustix::process::set_parent_process_death_signal(Some(orphaned))?;
        if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. `prepare` makes two system calls, directly,
    // takes no lock and allocates nothing: its errors are an errno and an `ErrorKind`.
    unsafe {
        command.pre_exec(prepare);
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: &mut Command, _: Signal) {}
