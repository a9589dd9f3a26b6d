//! `holm tenant url`: one URL, for an app's `DATABASE_URL` or for psql.

use holm_api::view::TenantView;
use holm_core::credential::Level;
use holm_core::error::Problem;
use serde::Serialize;

use super::Named;
use super::connection::Connection;
use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Which, and for what.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  psql \"$(holm tenant url goteborg --env production)\"
  holm tenant url goteborg --env production --level owner
  DATABASE_URL=$(holm tenant url goteborg --env staging --schema public) npx prisma studio

The URL carries a secret: do not paste it where others read. It is read from the files of `holm dev` on this machine, not from
the server: what reads it is not in the audit log. Of a server elsewhere no secret is stored, and the command is refused.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    /// What its sessions may do: owner, rw or ro
    #[arg(long, default_value = "rw", value_name = "LEVEL")]
    level: Level,
    /// Adds `?schema=`, which Prisma expects and psql refuses
    #[arg(long, value_name = "SCHEMA")]
    schema: Option<String>,
}

#[derive(Serialize)]
struct Url {
    tenant: String,
    environment: String,
    level: Level,
    url: String,
}

impl Row for Url {
    const COLUMNS: &'static [&'static str] = &["TENANT", "ENVIRONMENT", "LEVEL", "URL"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.tenant), Cell::of(&self.environment), Cell::of(self.level), Cell::of(&self.url)]
    }

    fn name(&self) -> String {
        self.url.clone()
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    // Asked first: a URL of a tenant that does not exist would fail later and further away.
    let tenant: TenantView = client.get(&args.tenant.path(&[])).await?;
    let connection = Connection::find(client.server(), tenant.environment.as_str(), args.level)?;
    let url = connection.url(tenant.slug.as_str(), args.schema.as_deref()).expose().clone();
    let shown = Url { tenant: tenant.slug.to_string(), environment: tenant.environment.to_string(), level: args.level, url };
    Ok(Answer::text(format!("{}\n", shown.url), &shown))
}
