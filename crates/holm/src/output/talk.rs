//! What is said on stderr: progress, next steps, problems. Colour follows `NO_COLOR`, `CLICOLOR_FORCE` and whether a terminal reads.

use std::io::Write;

/// Says it. Nobody listening is no error: the answer is on stdout.
pub(crate) fn say(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}
