//! `holm access whoami`

use holm_api::view::access::WhoamiView;
use holm_core::error::Problem;

use super::place;
use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm access whoami\n  holm access whoami -o json")]
pub(in crate::cli) struct Args {}

impl Row for WhoamiView {
    const COLUMNS: &'static [&'static str] = &["PRINCIPAL", "ROLES", "TOKEN", "GOOD", "AT MOST", "UNTIL", "ID"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        let roles: Vec<String> = self.roles.iter().map(|held| format!("{} {}", held.role, place(held.environment.as_ref()))).collect();
        vec![
            Cell::of(&self.name),
            Some(roles.join(", ")).filter(|roles| !roles.is_empty()).into(),
            Cell::of(&self.token.name),
            Cell::Text(place(self.token.environment.as_ref())),
            self.token.role.map(|role| role.to_string()).into(),
            self.token.expires_at.map_or(Cell::Empty, Cell::time),
            Cell::of(self.id),
        ]
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let me: WhoamiView = context.client()?.get(&["whoami"]).await?;
    Ok(Answer::one(&me))
}
