//! Makes a data directory: SCRAM for everyone, UTF-8, a password that is never on a command line.
//!
//! Promises: a data directory exists whole or not at all; `initdb` works beside it and the result is moved into place.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use holm_core::role::RoleName;
use holm_core::secret::Secret;
use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use crate::account::Account;
use crate::child::Child;
use crate::directory;
use crate::installation::Installation;
use crate::log;

/// `initdb` takes one to two seconds; a busy machine with a slow disk may need many times that.
const DEADLINE: Duration = Duration::from_secs(120);
/// Two seconds in all, for processes that end as soon as they next look at their input.
const CLEAR_ATTEMPTS: u32 = 40;
/// Between two of them.
const CLEAR_AGAIN: Duration = Duration::from_millis(50);

/// What a new data directory needs.
pub(crate) struct Initdb<'a> {
    pub(crate) installation: &'a Installation,
    pub(crate) account: Option<&'a Account>,
    pub(crate) data: &'a Path,
    pub(crate) superuser: &'a RoleName,
    pub(crate) password: &'a Secret<String>,
    /// Whether the files must survive a power failure.
    pub(crate) durable: bool,
}

/// A file with the password that is gone when this is.
struct PasswordFile(PathBuf);

impl Drop for PasswordFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Initdb<'_> {
    /// Makes the data directory; the text of an error is `initdb`'s own.
    ///
    /// # Cancel safety
    /// Safe: nothing is left but a directory that the next attempt removes.
    pub(crate) async fn run(&self) -> Result<(), String> {
        // PostgreSQL before 17 has no locale of its own; a libc without C.UTF-8 (older macOS) still sorts by code point with C.
        let locales: &[&[&str]] = if self.installation.version.major >= 17 {
            &[&["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]]
        } else {
            &[&["--locale=C.UTF-8"], &["--locale=C"]]
        };
        let mut refusal = String::new();
        for locale in locales {
            match self.attempt(locale).await {
                Err(said) if said.contains("invalid locale") => refusal = said,
                result => return result,
            }
        }
        Err(refusal)
    }

    async fn attempt(&self, locale: &[&str]) -> Result<(), String> {
        let partial = self.beside("new");
        let said = self.beside("initdb.log");
        let _ = fs::remove_file(&said);
        clear(&partial).await.map_err(|error| format!("`{}`: {error}", partial.display()))?;
        directory::create_private(&partial, self.account).map_err(|error| format!("`{}`: {error}", partial.display()))?;
        let result = self.fill(&partial, &said, locale).await;
        let _ = fs::remove_file(&said);
        let moved = result.and_then(|()| self.move_into_place(&partial).map_err(|error| format!("`{}`: {error}", self.data.display())));
        if moved.is_err() {
            let _ = fs::remove_dir_all(&partial);
        }
        moved
    }

    fn move_into_place(&self, partial: &Path) -> io::Result<()> {
        fs::rename(partial, self.data)?;
        match self.data.parent() {
            // `initdb` has made the files durable; the name is ours to.
            Some(parent) if self.durable => fs::File::open(parent)?.sync_all(),
            _ => Ok(()),
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.data.as_os_str().to_owned();
        name.push(".");
        name.push(suffix);
        name.into()
    }

    async fn fill(&self, partial: &Path, said: &Path, locale: &[&str]) -> Result<(), String> {
        let file_problem = |error: io::Error| format!("`{}`: {error}", partial.display());
        let password = self.password_file().map_err(file_problem)?;
        let output = log::open(said).map_err(file_problem)?;
        let mut command = self.installation.command("initdb");
        command
            .arg("-D")
            .arg(partial)
            .arg(format!("--username={}", self.superuser))
            .arg({
                let mut argument = std::ffi::OsString::from("--pwfile=");
                argument.push(&password.0);
                argument
            })
            .args(["--auth-host=scram-sha-256", "--auth-local=scram-sha-256", "--encoding=UTF8", "--no-instructions"])
            .args(locale)
            .args((!self.durable).then_some("--no-sync"))
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(file_problem)?)
            .stderr(output);
        if let Some(account) = self.account {
            account.apply(&mut command);
        }
        let child = Child::spawn(command, Signal::KILL).await.map_err(|error| format!("`initdb`: {error}"))?;
        let ended = timeout(DEADLINE, child.exited()).await;
        if ended.is_err() {
            child.signal(Signal::KILL);
            return Err(format!("`initdb` has not finished in {} s", DEADLINE.as_secs()));
        }
        let succeeded = child.status().is_some_and(|status| status.success());
        if succeeded { Ok(()) } else { Err(log::tail_of(&log::written_since(said, 0))) }
    }

    fn password_file(&self) -> io::Result<PasswordFile> {
        let file = PasswordFile(self.beside("password"));
        let _ = fs::remove_file(&file.0);
        let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file.0)?;
        open.write_all(self.password.expose().as_bytes())?;
        open.write_all(b"\n")?;
        directory::hand_over(&file.0, self.account)?;
        Ok(file)
    }
}

/// Removes what an earlier attempt left. A server that its `initdb` had started may still write there for a moment, in which
/// the directory is not empty when it is to go.
async fn clear(partial: &Path) -> io::Result<()> {
    for _ in 0..CLEAR_ATTEMPTS {
        match fs::remove_dir_all(partial) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => sleep(CLEAR_AGAIN).await,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => return result,
        }
    }
    fs::remove_dir_all(partial)
}
