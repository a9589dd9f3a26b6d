//! The log file of a server: kept small, and its end quoted when the server does not start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The log's name inside the data directory.
pub(crate) const FILE_NAME: &str = "holm.log";
/// At a start, a longer log is set aside; one old log is kept, so that a server's logs stay below some 20 MB.
const KEPT_BYTES_MAX: u64 = 8 << 20;
/// What of a log is worth reading for an error: the last lines are in the last 8 KiB.
const TAIL_BYTES: u64 = 8 << 10;
/// How many lines are quoted.
const TAIL_LINES: usize = 6;
/// How PostgreSQL, its tools and apt mark what is wrong.
const SIGNS: [&str; 7] = ["FATAL:", "PANIC:", "ERROR:", "DETAIL:", "HINT:", "error:", "E: "];

/// Where the log of a data directory is.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join(FILE_NAME)
}

/// Opens a log for appending, readable by its owner only.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|log| log.len() > KEPT_BYTES_MAX) {
        fs::rename(path, path.with_extension("log.old"))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// What was written to a log after `from` bytes, the end of it at most.
pub(crate) fn written_since(path: &Path, from: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.max(length.saturating_sub(TAIL_BYTES))))?;
        let mut text = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut text)?;
        Ok(text)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// The lines of a log that say what is wrong, the last ones, or else simply its last lines; joined into one for a reason.
pub(crate) fn tail_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let wrong: Vec<&str> = lines.iter().copied().filter(|line| SIGNS.iter().any(|sign| line.contains(sign))).collect();
    let quoted = if wrong.is_empty() { lines } else { wrong };
    quoted[quoted.len().saturating_sub(TAIL_LINES)..].join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_quoted_and_progress_is_not() {
        let said =
            "creating directory ... ok\n2026-01-01 UTC [7] FATAL:  no room\n2026-01-01 UTC [7] HINT:  Make some.\nremoving contents\n";
        assert_eq!(tail_of(said), "2026-01-01 UTC [7] FATAL:  no room | 2026-01-01 UTC [7] HINT:  Make some.");
        assert_eq!(tail_of("one\n\n two \n"), "one | two");
        assert_eq!(tail_of(""), "");
    }
}
