//! Asking before something that cannot be undone; where nobody can answer, the question is refused instead of waited on.

use std::io::{BufRead, IsTerminal, Write};

use holm_core::error::{ErrorCode, Problem};

/// Whether `--yes` was given.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Yes {
    /// Does not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

impl Yes {
    /// Goes on when it was confirmed by flag or by a person.
    ///
    /// # Errors
    /// Nobody said yes.
    pub(super) fn confirm(self, question: &str) -> Result<(), Problem> {
        if self.yes {
            return Ok(());
        }
        let refused = |what: String| Problem::new(ErrorCode::ConfirmationNeeded, what).next("say it in the command: `--yes`");
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Err(refused(format!("not done without a confirmation: {question}")).because("there is no terminal to ask on"));
        }
        let mut stderr = std::io::stderr();
        let mut line = String::new();
        let _ = write!(stderr, "{question}? [y/N] ").and_then(|()| stderr.flush());
        let _ = std::io::stdin().lock().read_line(&mut line);
        if matches!(line.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(refused(format!("not confirmed: {question}"))) }
    }
}
