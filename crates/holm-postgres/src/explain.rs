//! What a person is told when a server does not start: the reason in PostgreSQL's or the system's words, and what helps.

use std::path::Path;

use holm_core::error::{ErrorCode, Problem};

/// Words that a reason contains, in lower case, and the step that helps then.
const REMEDIES: [(&[&str], &str); 4] = [
    (&["no space left", "disk quota exceeded"], "make room on that disk, or use a directory on another one"),
    (&["read-only file system", "permission denied"], "make the directory writable for the user that runs PostgreSQL, or use another one"),
    (&["password authentication failed"], "use the password that the data directory was made with, or another directory"),
    (&["could not create shared memory", "could not map anonymous shared memory", "cannot allocate memory"], "free some memory"),
];

/// The problem of a server on a data directory that did not start; the reason is still to be added.
pub(crate) fn not_started(data: &Path) -> Problem {
    Problem::new(ErrorCode::PostgresNotStarted, format!("the PostgreSQL server on `{}` did not start", data.display()))
}

/// Adds the reason, and the step that helps where the reason is a known one.
pub(crate) fn explain(problem: Problem, why: String) -> Problem {
    let said = why.to_lowercase();
    let step = REMEDIES.iter().find(|(signs, _)| signs.iter().any(|sign| said.contains(sign))).map(|(_, step)| *step);
    let problem = problem.because(why);
    match step {
        Some(step) => problem.next(step),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_reason_comes_with_what_helps_and_an_unknown_one_is_only_quoted() {
        let steps = |why: &str| explain(not_started(Path::new("/data")), why.to_owned()).next;
        assert!(steps("FATAL: could not write: No space left on device")[0].contains("make room"));
        assert!(steps("`/data.lock`: Permission denied (os error 13)")[0].contains("writable"));
        assert!(steps("FATAL: password authentication failed for user \"holm\"")[0].contains("password"));
        assert!(steps("FATAL: something new").is_empty());
    }
}
