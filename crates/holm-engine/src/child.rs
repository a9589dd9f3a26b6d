//! Programs that Holm runs: what of them is kept, and that they end with us.
//!
//! Promises: a program and all that it started are killed however we leave; nothing of Holm's environment reaches it but
//! what a program needs to run at all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// What a program needs to run at all; anything else of Holm's environment may be a secret.
const PASSED_ON: &[&str] = &["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// Enough for the last lines of a stack trace, little enough for an error.
const LAST_BYTES: usize = 2048;

/// Enough for an error after some warnings; what follows it may be the whole text of a statement.
const FIRST_BYTES: usize = 16 * 1024;

/// After a program has ended, for what it wrote last.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Gives a command the little of our environment that it needs, a group of its own, and an end when it is dropped.
pub(crate) fn confine(command: &mut Command) -> &mut Command {
    command.env_clear().envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?)))).process_group(0).kill_on_drop(true)
}

/// Kills a program with all that it started, however we leave.
pub(crate) struct Group(Option<Pid>);

impl Group {
    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // An error means that nothing of it is left.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Which end of what a program says is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// The beginning: what fails first is the cause.
    First,
    /// The end.
    Last,
}

/// What a program says, from several streams as they come.
pub(crate) struct Said {
    keep: Keep,
    kept: Arc<Mutex<VecDeque<u8>>>,
    readers: Vec<AbortOnDropHandle<()>>,
}

impl Said {
    pub(crate) fn new(keep: Keep) -> Self {
        Self { keep, kept: Arc::default(), readers: Vec::new() }
    }

    /// Reads a stream from now on.
    pub(crate) fn follow(&mut self, stream: Option<impl AsyncRead + Unpin + Send + 'static>) {
        let Some(mut stream) = stream else { return };
        let (keep, kept) = (self.keep, Arc::clone(&self.kept));
        self.readers.push(AbortOnDropHandle::new(tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(&buffer[..read]);
                match keep {
                    Keep::First => kept.truncate(FIRST_BYTES),
                    Keep::Last => {
                        let excess = kept.len().saturating_sub(LAST_BYTES);
                        kept.drain(..excess);
                    }
                }
            }
        })));
    }

    /// What was kept, once the program has ended.
    pub(crate) async fn text(self) -> String {
        let _ = timeout(LAST_WORDS, async {
            for reader in self.readers {
                let _ = reader.await;
            }
        })
        .await;
        let bytes: Vec<u8> = self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
