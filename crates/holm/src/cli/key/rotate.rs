//! `holm key rotate`: nothing is lost by it, since the former key stays where it is.

use holm_api::view::KeyRotationView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Whether to ask.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm key rotate\n  holm key rotate --yes && holm key rewrap\n\n\
With several Holms over one catalog, give each the new key first: see docs/how-to/keys.md")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    yes: Yes,
}

impl Row for KeyRotationView {
    const COLUMNS: &'static [&'static str] = &["CURRENT", "FORMER"];
    const BRIEF: usize = 2;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.current), Cell::of(&self.former)]
    }

    fn name(&self) -> String {
        self.current.clone()
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    args.yes.confirm("make a new master key current")?;
    let rotated: KeyRotationView = context.client()?.act(Method::POST, &["keys", "rotate"]).await?;
    context.say(&format!("✓ master key {} is current; keep a copy of it apart from the catalog's backups", rotated.current));
    context.say(&format!("  {} is still needed: run `holm key rewrap`", rotated.former));
    Ok(Answer::one(&rotated))
}
