//! `holm access role revoke`: can be given again, so nothing is asked.

use holm_api::view::access::RevokedRoleView;
use holm_core::error::Problem;

use super::{Where, place};
use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// What, from whom and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm access role revoke anna operator --env staging\n  holm access role revoke petra privacy")]
pub(in crate::cli) struct Args {
    /// The principal
    principal: String,
    /// viewer, support, operator, privacy or admin
    role: String,
    #[command(flatten)]
    place: Where,
}

impl Row for RevokedRoleView {
    const COLUMNS: &'static [&'static str] = &["PRINCIPAL", "ROLE", "ENVIRONMENT"];
    const BRIEF: usize = 3;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.principal), Cell::of(self.role), Cell::Text(place(self.environment.as_ref()))]
    }

    fn name(&self) -> String {
        self.role.to_string()
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let mut query = vec![("role", args.role.as_str())];
    query.extend(args.place.environment.as_deref().map(|name| ("environment", name)));
    let revoked: RevokedRoleView = context.client()?.delete(&["principals", &args.principal, "roles"], &query).await?;
    context.say(&format!("✓ {} is no longer {} {}", revoked.principal, revoked.role, place(revoked.environment.as_ref())));
    Ok(Answer::one(&revoked))
}
