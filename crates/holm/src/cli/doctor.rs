//! `holm doctor`: looks at everything, from this machine to the databases, and says what is wrong and what to do.
//!
//! Promises: it answers also when no server does, since that is when people ask.

use holm_api::view::{FindingView, Verdict};
use holm_core::error::Problem;

use super::context::Context;
use crate::exit::Exit;
use crate::output::{Answer, Cell, Row};

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm doctor\n  holm doctor -o json\n\nExit code 1 when anything is bad.")]
pub(super) struct Args {}

impl Row for FindingView {
    const COLUMNS: &'static [&'static str] = &["CHECK", "VERDICT", "FOUND", "NEXT"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.check), Cell::of(self.verdict.as_str()), Cell::of(&self.text), self.next.clone().into()]
    }

    fn name(&self) -> String {
        self.check.clone()
    }
}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let findings = match examine(context).await {
        Ok(findings) => findings,
        Err(problem) => vec![unreachable(&problem)],
    };
    let bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(Answer::list(&findings).exit(if bad { Exit::Failed } else { Exit::Done }))
}

async fn examine(context: &Context) -> Result<Vec<FindingView>, Problem> {
    let client = context.client()?;
    let found: Vec<FindingView> = client.items(&["doctor"]).await?;
    let reached =
        FindingView { check: "server".to_owned(), verdict: Verdict::Good, text: format!("`{}` answers", client.server().url), next: None };
    Ok(std::iter::once(reached).chain(found).collect())
}

fn unreachable(problem: &Problem) -> FindingView {
    let why = problem.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    FindingView {
        check: "server".to_owned(),
        verdict: Verdict::Bad,
        text: format!("{} {}{why}", problem.code, problem.what),
        next: problem.next.first().cloned(),
    }
}
