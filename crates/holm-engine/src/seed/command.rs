//! A seed that is a command: it gets the tenant's own URL in its environment, and little else.
//!
//! Promises: no secret of Holm's own is in its environment; it and its children end within the deadline, or with us; of
//! its output the end is kept, without the password. Its working directory is Holm's.

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::{DEADLINE, SeedError, Target, failed, node_env};

/// What a program needs to run at all; anything else of Holm's environment may be a secret.
const PASSED_ON: &[&str] = &["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// Enough for the last lines of a stack trace, little enough for an error.
const TAIL_BYTES: usize = 2048;

/// After a command has ended, for what it wrote last.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The last bytes of a command's output, both streams as they came.
#[derive(Clone, Default)]
struct Tail(Arc<Mutex<VecDeque<u8>>>);

/// Kills a command with all that it started, however we leave.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // An error means that nothing of it is left.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

pub(super) async fn run(target: &Target<'_>, argv: &[String]) -> Result<(), SeedError> {
    let refused = |why: String| SeedError::Failed(failed(target.tenant, why));
    let Some((program, arguments)) = argv.split_first() else { return Err(refused("its command is empty".to_owned())) };
    let mut child = start(target, program, arguments).map_err(|error| refused(format!("`{program}` cannot be started: {error}")))?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let tail = Tail::default();
    let readers =
        [child.stdout.take().map(|stream| follow(tail.clone(), stream)), child.stderr.take().map(|stream| follow(tail.clone(), stream))];
    let ended = timeout(DEADLINE, child.wait()).await;
    // Also when it has ended: what it left running would keep the database in use.
    drop(group);
    let _ = timeout(LAST_WORDS, async {
        for reader in readers.into_iter().flatten() {
            let _ = reader.await;
        }
    })
    .await;
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(refused(format!("`{program}` ended with {status}; its output ends: {}", tail.text(target)))),
        Ok(Err(error)) => Err(refused(format!("`{program}` could not be waited for: {error}"))),
        Err(_) => Err(refused(format!("`{program}` ran for longer than {} s; its output ends: {}", DEADLINE.as_secs(), tail.text(target)))),
    }
}

fn start(target: &Target<'_>, program: &str, arguments: &[String]) -> std::io::Result<Child> {
    let url = format!("postgresql://{}:{}@{}/{}", target.owner, target.password.expose(), target.access.address, target.database);
    Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .env("HOLM_ENV", target.kind.as_str())
        .env("HOLM_TENANT", target.tenant.slug.as_str())
        .env("NODE_ENV", node_env(target.kind))
        .env("DATABASE_URL", url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

fn follow(tail: Tail, mut stream: impl AsyncRead + Unpin + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            tail.push(&buffer[..read]);
        }
    }))
}

impl Tail {
    fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(bytes);
        let excess = kept.len().saturating_sub(TAIL_BYTES);
        kept.drain(..excess);
    }

    /// On one line, without the password, which some programs print with their URL.
    fn text(&self, target: &Target<'_>) -> String {
        let bytes: Vec<u8> = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes).replace(target.password.expose(), "[redacted]");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
