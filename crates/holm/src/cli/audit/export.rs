//! `holm audit export`: the whole log, a line of JSON for each entry, with everything that its hash covers.

use holm_api::view::ListView;
use holm_api::view::audit::AuditEntryView;
use holm_core::error::{ErrorCode, Problem};

use crate::cli::context::Context;
use crate::output::Answer;

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm audit export > audit.jsonl\n  holm audit export -o csv > audit.csv")]
pub(in crate::cli) struct Args {}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let mut entries: Vec<AuditEntryView> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let query: Vec<(&str, &str)> = cursor.as_deref().map(|cursor| ("cursor", cursor)).into_iter().collect();
        let part: ListView<AuditEntryView> = client.get_where(&["audit", "export"], &query).await?;
        let stuck = part.next == cursor;
        entries.extend(part.items);
        match part.next {
            Some(_) if stuck => return Err(Problem::new(ErrorCode::Internal, "the server's log does not go on after a part")),
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let line = |entry: &AuditEntryView| format!("{}\n", serde_json::to_string(entry).expect("a struct of texts and numbers is JSON"));
    Ok(Answer::texts(entries.iter().map(line).collect(), &entries))
}
