//! Content from one database to another: `pg_dump` as the one's owner into `pg_restore` as the other's.
//!
//! Promises: whatever the content holds runs as the owner of the database that it comes into, and as nobody else; neither
//! program is told a secret but in its environment, nor meets a shell or `psql`, whose commands a crafted name could
//! reach (CVE-2025-8715). What is dumped is one snapshot. Both programs end when this does.
//! Refuses privileges, owners, tablespaces, publications and subscriptions: those belong to the place, not to the content.

use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use holm_core::cluster::ServerAddress;
use holm_core::cluster::client_certificate::ClientCertificate;
use holm_core::cluster::tls::ServerTls;
use holm_core::role::{DatabaseName, RoleName};
use holm_core::secret::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::sleep;

use super::program_tls::ProgramTls;
use crate::child::{Group, Keep, Said, confine};
use crate::programs::Programs;

/// Longer than any copy that somebody waits for; what takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// Far more than one read of a pipe gives.
const BUFFER_BYTES: usize = 256 * 1024;

/// Little of a message, and nothing of what PostgreSQL adds to it: DETAIL and CONTEXT quote rows.
const MESSAGE_CHARS: usize = 500;

/// How `pg_dump` begins the line on which it repeats the server's message.
const SERVER_SAID: &str = "detail: Error message from server: ";

/// A server that is gone is noticed after 5 + 3 * 2 s, as on our own connections.
const CONNECTION: &str = "keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=65000";

/// `--lock-wait-timeout`: a table that somebody alters for longer is tried again later.
const DUMP: &[&str] = &["--format=custom", "--compress=0", "--lock-wait-timeout=30s"];
const RESTORE: &[&str] = &["--exit-on-error"];
const BOTH: &[&str] = &[
    "--no-owner",
    "--no-privileges",
    "--no-tablespaces",
    "--no-publications",
    "--no-subscriptions",
    "--no-security-labels",
    "--no-password",
];

/// One end.
pub(crate) struct End<'a> {
    pub(crate) address: &'a ServerAddress,
    pub(crate) tls: &'a ServerTls,
    pub(crate) client_certificate: Option<&'a ClientCertificate>,
    pub(crate) database: &'a DatabaseName,
    pub(crate) owner: &'a RoleName,
    pub(crate) password: &'a Secret<String>,
}

/// What is to be done.
pub(crate) struct Transfer<'a> {
    pub(crate) programs: &'a Programs,
    /// What `pg_stat_activity` shows, so that a takeover finds both sessions.
    pub(crate) application_name: &'a str,
    pub(crate) from: End<'a>,
    pub(crate) to: End<'a>,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    /// A program does not start.
    #[error("`{program}` cannot be run: {source}")]
    Program {
        program: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// Root certificates, or what a server is shown, cannot be given to a program.
    #[error("certificates cannot be written to a file: {0}")]
    Roots(#[source] std::io::Error),
    /// A program says what is wrong.
    #[error("`{program}`: {said}")]
    Failed { program: &'static str, said: String },
    /// Whoever waited said that it is enough.
    #[error("it was stopped")]
    Stopped,
    /// It hangs.
    #[error("it took longer than {} h", DEADLINE.as_secs() / 3600)]
    TooLong,
}

/// Messages of libpq and PostgreSQL for what may pass: connections, locks, room. Crafted into a name they cost a retry.
const PASSING: &[&str] = &[
    "connection to server",
    "could not connect",
    "could not receive data",
    "could not send data",
    "no connection to the server",
    "Connection reset",
    "closed the connection",
    "terminating connection",
    "the database system is",
    "lock timeout",
    "deadlock detected",
    "No space left",
    "out of memory",
    "connection slots",
    "too many connections",
    // Killed by the system, for want of memory.
    "it ended with signal",
];

impl TransferError {
    /// Whether the same may work later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Failed { said, .. } => PASSING.iter().any(|passing| said.contains(passing)),
            Self::Program { .. } | Self::Roots(_) | Self::Stopped => true,
            Self::TooLong => false,
        }
    }
}

/// A program that runs.
struct Running {
    /// Goes when it has ended.
    _tls: ProgramTls,
    program: &'static str,
    child: Child,
    said: Said,
    group: Group,
}

impl Running {
    async fn start(
        programs: &Programs,
        program: &'static str,
        arguments: &[&str],
        end: &End<'_>,
        name: &str,
    ) -> Result<Self, TransferError> {
        let tls = ProgramTls::of(end.tls, end.client_certificate).await.map_err(TransferError::Roots)?;
        let mut command = Command::new(programs.path(program));
        confine(command.args(arguments).args(BOTH).arg(format!("--dbname={CONNECTION}")))
            // Messages that we read.
            .env("LC_ALL", "C")
            .env("PGHOST", &*end.address.host)
            .env("PGPORT", end.address.port.to_string())
            .env("PGUSER", end.owner.as_str())
            .env("PGDATABASE", end.database.as_str())
            .env("PGPASSWORD", end.password.expose())
            .env("PGAPPNAME", name)
            .env("PGCONNECT_TIMEOUT", "10")
            .env("PGGSSENCMODE", "disable")
            .env("PGPASSFILE", "/dev/null")
            .stderr(Stdio::piped());
        tls.tell(&mut command);
        if let Some(libraries) = &programs.library_path {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        match program {
            "pg_dump" => command.stdin(Stdio::null()).stdout(Stdio::piped()),
            _ => command.stdin(Stdio::piped()).stdout(Stdio::null()),
        };
        let mut child = command.spawn().map_err(|source| TransferError::Program { program, source })?;
        let mut said = Said::new(Keep::First);
        said.follow(child.stderr.take());
        let group = Group::of(&child);
        Ok(Self { _tls: tls, program, child, said, group })
    }

    /// Waits until it has ended by itself.
    async fn ended(mut self) -> Result<(), TransferError> {
        let program = self.program;
        let status = self.child.wait().await.map_err(|source| TransferError::Program { program, source })?;
        drop(self.group);
        let said = self.said.text().await;
        if status.success() { Ok(()) } else { Err(TransferError::Failed { program, said: complaint(&said, &status.to_string()) }) }
    }
}

/// Copies all of it, unless `enough` is over first; `moved` counts the bytes meanwhile.
///
/// # Cancel safety
/// Safe: both programs are killed, and what is in the target is of no use.
pub(crate) async fn run(transfer: &Transfer<'_>, moved: &AtomicU64, enough: impl Future<Output = ()> + Send) -> Result<(), TransferError> {
    tokio::select! {
        // All safe to drop: the programs go with the first, the others only look.
        done = carry(transfer, moved) => done,
        () = enough => Err(TransferError::Stopped),
        () = sleep(DEADLINE) => Err(TransferError::TooLong),
    }
}

async fn carry(transfer: &Transfer<'_>, moved: &AtomicU64) -> Result<(), TransferError> {
    let Transfer { programs, application_name, from, to } = transfer;
    let mut restore = Running::start(programs, "pg_restore", RESTORE, to, application_name).await?;
    let mut dump = Running::start(programs, "pg_dump", DUMP, from, application_name).await?;
    let (mut out, mut into) =
        (dump.child.stdout.take().expect("it was given a pipe"), restore.child.stdin.take().expect("it was given a pipe"));
    if pump(&mut out, &mut into, moved).await.is_err() {
        // The reader is gone and knows why; if it does not, its writer does.
        drop((out, into));
        return restore.ended().await.and(dump.ended().await);
    }
    // A dump that broke off must not look to the restore like one that is over.
    dump.ended().await?;
    drop(into);
    restore.ended().await
}

async fn pump(out: &mut ChildStdout, into: &mut ChildStdin, moved: &AtomicU64) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = out.read(&mut buffer).await?;
        if read == 0 {
            return into.flush().await;
        }
        into.write_all(&buffer[..read]).await?;
        moved.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
    }
}

/// The first error that a program told, without the statement and the rows that it quotes below. Where a table's content was
/// being read, what the server said is on the next line.
fn complaint(said: &str, status: &str) -> String {
    let mut lines = said.lines();
    let Some(error) = lines.find_map(|line| Some(line.split_once("error: ")?.1.trim())) else { return format!("it ended with {status}") };
    let server = lines.next().and_then(|line| Some(line.split_once(SERVER_SAID)?.1.trim()));
    let whole = server.map_or_else(|| error.to_owned(), |server| format!("{error} {server}"));
    whole.chars().take(MESSAGE_CHARS).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_program_says_the_error_is_told_and_no_row() {
        let said = "pg_restore: warning: something\npg_restore: error: COPY failed for table \"musician\": ERROR:  value too long\nCONTEXT:  COPY musician, line 1: \"Ada, secret\"\n";
        assert_eq!(complaint(said, "exit status: 1"), "COPY failed for table \\\"musician\\\": ERROR:  value too long");
        let said = "pg_dump: error: Dumping the contents of table \"musician\" failed: PQgetCopyData() failed.\npg_dump: detail: Error message from server: server closed the connection unexpectedly\n\tThis probably means\npg_dump: detail: Command was: COPY";
        assert_eq!(
            complaint(said, "exit status: 1"),
            "Dumping the contents of table \\\"musician\\\" failed: PQgetCopyData() failed. server closed the connection unexpectedly"
        );
        assert_eq!(complaint("", "signal: 9 (SIGKILL)"), "it ended with signal: 9 (SIGKILL)");
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        let failed = |said: &str| TransferError::Failed { program: "pg_dump", said: said.to_owned() };
        assert!(failed("connection to server at \"127.0.0.1\", port 1 failed: Connection refused").may_pass());
        assert!(!failed("could not execute query: ERROR:  permission denied to create extension \"file_fdw\"").may_pass());
        assert!(failed(&complaint("", "signal: 9 (SIGKILL)")).may_pass());
        assert!(!TransferError::TooLong.may_pass());
    }
}
