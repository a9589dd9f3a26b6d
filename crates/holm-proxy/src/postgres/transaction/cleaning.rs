//! A server connection is cleaned (`DISCARD ALL`) while no client has it.
//!
//! Promises: it is clean when the server has said so, and said nothing else: that what was asked is done, what its settings are
//! now, and that no transaction is open. An error, a word too much, a word too few in its time, and it is not.

use std::time::Duration;

use holm_pgwire::frame::{Frame, STARTUP_LENGTH_MAX, scan};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::connection::Connection;
use super::numbers::Numbers;
use super::settings::Settings;

/// A connection that needs longer is closed.
const PATIENCE: Duration = Duration::from_secs(2);

const DISCARD_ALL: &[u8] = b"Q\0\0\0\x10DISCARD ALL\0";

/// Cleans a connection; gives it back as one to be closed if that cannot be done.
///
/// # Cancel safety
/// Not safe: the connection is lost, and its place in the budget free before the server knows.
pub(super) async fn clean(mut connection: Box<Connection>) -> Result<Box<Connection>, Box<Connection>> {
    match timeout(PATIENCE, discard(&mut connection)).await {
        Ok(Some(())) => Ok(connection),
        Ok(None) | Err(_) => Err(connection),
    }
}

async fn discard(connection: &mut Connection) -> Option<()> {
    connection.stream.write_all(DISCARD_ALL).await.ok()?;
    connection.stream.flush().await.ok()?;
    let (mut answer, mut heard, mut said) = (Answer::Owed, Vec::new(), [0; 1024]);
    while answer != Answer::Ready {
        let length = connection.stream.read(&mut said).await.ok().filter(|length| *length > 0)?;
        heard.extend_from_slice(&said[..length]);
        let mut used = 0;
        while let Some(frame) = scan(&heard[used..], STARTUP_LENGTH_MAX).ok()? {
            answer = answer.then(&frame, &mut connection.settings)?;
            used += frame.whole.len();
        }
        heard.drain(..used);
    }
    if !heard.is_empty() {
        return None;
    }
    connection.known.clear();
    connection.numbers = Numbers::Nobodys;
    connection.soiled = false;
    Some(())
}

/// How far the answer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Owed,
    Done,
    Ready,
}

impl Answer {
    /// After one more message; nothing if it may not come here.
    fn then(self, frame: &Frame<'_>, settings: &mut Settings) -> Option<Self> {
        match (self, frame.tag, frame.body) {
            // Before or after it is done, by the version of PostgreSQL.
            (Self::Owed | Self::Done, b'S', body) => {
                settings.note(body);
                Some(self)
            }
            (Self::Owed, b'C', b"DISCARD ALL\0") => Some(Self::Done),
            (Self::Done, b'Z', b"I") => Some(Self::Ready),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &[u8], expected: Option<Answer>) {
        let (mut answer, mut at, mut settings) = (Some(Answer::Owed), 0, Settings::default());
        while let (Some(now), Ok(Some(frame))) = (answer, scan(&said[at..], STARTUP_LENGTH_MAX)) {
            (answer, at) = (now.then(&frame, &mut settings), at + frame.whole.len());
        }
        assert_eq!(answer, expected, "{}", String::from_utf8_lossy(said));
    }

    #[test]
    fn nothing_but_what_was_asked_for_is_clean() {
        let (done, ready) = (b"C\0\0\0\x10DISCARD ALL\0", b"Z\0\0\0\x05I");
        let report = b"S\0\0\0\x11TimeZone\0UTC\0";
        check(&[&done[..], ready].concat(), Some(Answer::Ready));
        check(&[&report[..], done, report, ready].concat(), Some(Answer::Ready));
        check(done, Some(Answer::Done));
        for other in [
            &b"Z\0\0\0\x05I"[..],
            b"C\0\0\0\x10DISCARD SEQ\0",
            b"E\0\0\0\x05\0",
            b"N\0\0\0\x05\0",
            b"A\0\0\0\x0a\0\0\0\x01\0\0",
            b"I\0\0\0\x04",
            b"T\0\0\0\x06\0\0",
        ] {
            check(other, None);
        }
        for other in [b"Z\0\0\0\x05T", b"Z\0\0\0\x05E"] {
            check(&[&done[..], other].concat(), None);
        }
        check(&[&done[..], done].concat(), None);
    }
}
