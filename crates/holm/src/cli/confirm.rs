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

/// Whether the name was given of what is to be done away with.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ByName {
    /// Does not ask, if this is the tenant's name
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    yes: Yes,
}

impl ByName {
    /// Goes on when the name was given, by flag or by a person; for what is severe.
    ///
    /// # Errors
    /// Nobody gave it, or it was another.
    pub(super) fn confirm_severe(&self, name: &str, question: &str) -> Result<(), Problem> {
        let refused = |what: String| {
            Problem::new(ErrorCode::ConfirmationNeeded, what).next(format!("say it in the command: `--confirm {}`", name.escape_debug()))
        };
        match &self.confirm {
            Some(given) if given == name => return Ok(()),
            Some(given) => return Err(refused(format!("not done: `{}` is not the name of what is meant", given.escape_debug()))),
            None if !somebody_is_there() => {
                let problem = refused(format!("not done without a confirmation: {question}"));
                return Err(problem.because("there is no terminal to ask on, and `--yes` is not enough for this"));
            }
            None => {}
        }
        let typed = ask(&format!("{question}. Type the name to go on: "));
        if typed == name { Ok(()) } else { Err(refused(format!("not confirmed: {question}"))) }
    }

    /// As [`Yes::confirm`]; the name is as good as a yes.
    ///
    /// # Errors
    /// Nobody said yes.
    pub(super) fn confirm(&self, name: &str, question: &str) -> Result<(), Problem> {
        if self.confirm.is_some() { self.confirm_severe(name, question) } else { self.yes.confirm(question) }
    }
}

fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// One line, without what surrounds it.
fn ask(question: &str) -> String {
    let mut stderr = std::io::stderr();
    let mut line = String::new();
    let _ = write!(stderr, "{question}").and_then(|()| stderr.flush());
    let _ = std::io::stdin().lock().read_line(&mut line);
    line.trim().to_owned()
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
        if !somebody_is_there() {
            return Err(refused(format!("not done without a confirmation: {question}")).because("there is no terminal to ask on"));
        }
        if matches!(ask(&format!("{question}? [y/N] ")).as_str(), "y" | "Y" | "yes") {
            Ok(())
        } else {
            Err(refused(format!("not confirmed: {question}")))
        }
    }
}
