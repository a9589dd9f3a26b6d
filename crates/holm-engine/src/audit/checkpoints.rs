//! Checkpoints: where the chain ended at some time, signed, one line each, in a file outside of the catalog.
//!
//! Promises: a line is written whole and to the disk, or it is no line; none is ever changed. Who can write to the catalog
//! but not to the file, or not sign, cannot make the log say something else about the time before the last line. Refuses to
//! be more than that: whoever has the master key and the file can write both anew, so keep a copy of the file elsewhere.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::hmac;
use holm_core::approval::ContentHash;
use holm_core::audit::checkpoint::{Checkpoint, Line};
use holm_core::error::{ErrorCode, Problem};
use holm_store::audit;
use jiff::Timestamp;

use crate::control::Control;

/// What can be cut off unseen is what was done since the last line.
const EVERY: Duration = Duration::from_secs(10 * 60);

/// What the signing key is derived for.
const PURPOSE: &str = "audit checkpoints";

/// What a file of checkpoints says.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// Those whose signature is right.
    pub(super) good: Vec<Checkpoint>,
    /// Lines that cannot be read, or are signed by another key.
    pub(super) unreadable: usize,
}

/// Notes now and then where the chain ends, as long as it grows.
pub(crate) async fn run(control: Control) {
    if control.checkpoints().is_none() {
        return;
    }
    loop {
        if let Err(problem) = append(&control).await {
            tracing::error!(code = %problem.code, why = problem.why, "no checkpoint of the audit log: {}", problem.what);
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Notes where the chain ends; a line that says the same as the last one is not written again. `None` where no file is kept.
///
/// # Errors
/// The catalog does not answer, or the file cannot be written.
///
/// # Cancel safety
/// Safe: a line is there or not.
pub async fn append(control: &Control) -> Result<Option<Checkpoint>, Problem> {
    let Some(path) = control.checkpoints() else { return Ok(None) };
    let Some(head) = audit::head(control.catalog()).await? else {
        return Err(Problem::new(ErrorCode::AuditBroken, "the audit log has no end to make a checkpoint of")
            .next("see what is wrong: `holm audit verify`"));
    };
    let hash = <[u8; 32]>::try_from(&*head.hash).map_err(|_| Problem::new(ErrorCode::AuditBroken, "the audit log ends with no hash"))?;
    let checkpoint = Checkpoint { seq: head.seq, hash: ContentHash::from_bytes(hash), at: Timestamp::now() };
    let known = read(control).await?;
    if known.good.last().is_some_and(|last| (last.seq, last.hash) == (checkpoint.seq, checkpoint.hash)) {
        return Ok(known.good.into_iter().next_back());
    }
    let (path, line) = (path.to_owned(), checkpoint.line(sign(control, &checkpoint)));
    tokio::task::spawn_blocking(move || write(&path, &line)).await.expect("writing does not panic")?;
    Ok(Some(checkpoint))
}

/// Every line of the file; no file is no lines.
///
/// # Errors
/// The file cannot be read.
pub(super) async fn read(control: &Control) -> Result<Checkpoints, Problem> {
    let Some(path) = control.checkpoints().map(PathBuf::from) else { return Ok(Checkpoints::default()) };
    let text = match tokio::fs::read_to_string(&path).await {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(unusable(&path, &error)),
    };
    let mut found = Checkpoints::default();
    for line in text.lines() {
        match line.parse::<Line>() {
            Ok(line) if is_ours(control, &line) => found.good.push(line.checkpoint()),
            Ok(_) | Err(_) => found.unreadable += 1,
        }
    }
    Ok(found)
}

fn key(control: &Control) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, control.derived_key(PURPOSE).expose())
}

fn sign(control: &Control, checkpoint: &Checkpoint) -> [u8; 32] {
    let mac = hmac::sign(&key(control), &checkpoint.signed());
    mac.as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
}

fn is_ours(control: &Control, line: &Line) -> bool {
    hmac::verify(&key(control), &line.checkpoint().signed(), line.mac.as_bytes()).is_ok()
}

/// Appending is one write, so that lines of two processes do not mix. A line that a crash cut off is ended first, so that it
/// spoils no other.
fn write(path: &Path, line: &str) -> Result<(), Problem> {
    let append = || {
        let whole = std::fs::read(path).map_or(true, |bytes| bytes.last().is_none_or(|last| *last == b'\n'));
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let text = if whole { line.to_owned() } else { format!("\n{line}") };
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    append().map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, format!("the checkpoints of the audit log in `{}` cannot be used", path.display()))
        .because(error)
        .next("see to it that Holm's user can read the file and write to it")
}
