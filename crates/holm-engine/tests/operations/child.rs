//! Real processes that carry operations out: this test binary once more, told by its environment what to be.
//!
//! A child ends with its standard input, or with its parent; what it logs is kept for the parent to read.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holm_engine::programs::Programs;
use holm_testkit::eventually;
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::order::{Gate, Obedience};
use crate::world::{self, PATIENCE, World};

const ROLE: &str = "HOLM_TEST_OPERATIONS_CHILD";

/// Fewer than a process of its own would have: there may be dozens, stopped, at the same time.
const CONNECTIONS: usize = 5;

/// Not a test of its own: what a child runs, and nothing where nobody asked for one.
#[test]
fn carries_operations_out_when_it_is_a_child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    // A child that is stopped would outlive its parent.
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let mut parts = role.split('\n');
    let mut part = || parts.next().expect("a url, a directory, a lease and the programs").to_owned();
    let (url, directory, lease) = (part(), PathBuf::from(part()), Duration::from_millis(part().parse().unwrap()));
    let programs = Programs { directory: part().into(), library_path: Some(part()).filter(|path| !path.is_empty()).map(OsString::from) };
    log_to(&directory.join(format!("child-{}.log", std::process::id())));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let probe = Obedience::new(directory.join("orders"), Arc::<Gate>::default());
        let control = world::open(&url, lease, CONNECTIONS, programs, Some(Arc::new(probe))).await;
        control.start();
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
        control.shutdown().await;
    });
}

fn log_to(path: &Path) {
    let file = Mutex::new(fs::File::create(path).unwrap());
    tracing_subscriber::fmt().with_writer(file).with_ansi(false).init();
}

/// A process that carries operations out.
pub(crate) struct Runner {
    child: Child,
    log: PathBuf,
}

impl Runner {
    /// Starts one over a world's catalog.
    pub(crate) fn start(world: &World) -> Self {
        let directory = world.directory.path();
        let (programs, lease) = (world.programs(), world.lease.as_millis());
        let libraries = programs.library_path.unwrap_or_default();
        let parts = [world.url(), directory.display().to_string(), lease.to_string(), programs.directory.display().to_string()];
        let role = format!("{}\n{}", parts.join("\n"), libraries.display());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["child::carries_operations_out_when_it_is_a_child", "--exact", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let log = directory.join(format!("child-{}.log", child.id()));
        Self { child, log }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Has it end in good order, and waits for it.
    pub(crate) async fn end(mut self) {
        drop(self.child.stdin.take());
        let status = eventually(PATIENCE, "the end of a child", async || self.child.try_wait().unwrap()).await;
        assert!(status.success(), "a child ended with {status}; it said:\n{}", self.log());
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
