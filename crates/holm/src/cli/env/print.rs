//! `holm env print`: a line for each tenant, for apps that were written with one variable per customer (R73).
//!
//! Promises: the form that Prisma documents, `?schema=public` included (R33); lines that a shell and dotenv read alike; two
//! tenants never share a variable.

use std::collections::BTreeMap;

use holm_api::view::TenantView;
use holm_core::credential::Level;
use holm_core::error::{ErrorCode, Problem};
use serde::Serialize;

use crate::cli::context::{Context, Environment};
use crate::cli::tenant::connection::Connection;
use crate::output::{Answer, Cell, Row};

/// Which variables.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm env print --env production
  holm env print --env production --tenant goteborg >> .env
  set -a; . <(holm env print --env staging --level ro); set +a

The secrets are read from the files of `holm dev` on this machine, not from the server: the read is not in the audit log.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    environment: Environment,
    /// Sets `DATABASE_URL` too, to this tenant
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// What its sessions may do: owner, rw or ro
    #[arg(long, default_value = "rw", value_name = "LEVEL")]
    level: Level,
    /// How the variables begin
    #[arg(long, default_value = "DATABASE_URL", value_name = "PREFIX", value_parser = prefix)]
    prefix: String,
    /// What `?schema=` says, as Prisma expects it; empty leaves it out, as psql wants
    #[arg(long, default_value = "public", value_name = "SCHEMA")]
    schema: String,
}

/// A name that every shell takes.
fn prefix(text: &str) -> Result<String, String> {
    let fits = text.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if fits { Ok(text.to_owned()) } else { Err("a variable is `A` to `Z`, `0` to `9` and `_`, and begins with no digit".to_owned()) }
}

/// One line.
#[derive(Serialize)]
struct Variable {
    name: String,
    value: String,
}

impl Row for Variable {
    const COLUMNS: &'static [&'static str] = &["NAME", "VALUE"];
    const BRIEF: usize = 2;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.name), Cell::of(&self.value)]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let environment = &args.environment.name;
    let tenants: Vec<TenantView> = client.list(&["environments", environment, "tenants"]).await?;
    let connection = Connection::find(client.server(), environment, args.level)?;
    let schema = Some(args.schema.as_str()).filter(|schema| !schema.is_empty());
    let url = |tenant: &TenantView| connection.url(tenant.slug.as_str(), schema).expose().clone();

    let mut variables = Vec::new();
    if let Some(slug) = &args.tenant {
        let tenant: TenantView = client.get(&["environments", environment, "tenants", slug]).await?;
        variables.push(Variable { name: args.prefix.clone(), value: url(&tenant) });
    }
    let usable = tenants.iter().filter(|tenant| tenant.state.is_established());
    variables.extend(usable.map(|tenant| Variable { name: variable(&args.prefix, tenant), value: url(tenant) }));
    distinct(&variables)?;
    // Percent-encoding leaves nothing in a URL that double quotes do not hold, in a shell or in dotenv.
    let text = variables.iter().map(|variable| format!("{}=\"{}\"\n", variable.name, variable.value)).collect();
    Ok(Answer::texts(text, &variables))
}

/// `DATABASE_URL_GOTEBORG`, with the prefix that was asked for.
fn variable(prefix: &str, tenant: &TenantView) -> String {
    let standard = tenant.slug.env_variable();
    format!("{prefix}{}", standard.strip_prefix("DATABASE_URL").unwrap_or(&standard))
}

/// Slugs never share a variable; this holds it true whatever slugs may become.
fn distinct(variables: &[Variable]) -> Result<(), Problem> {
    let mut seen = BTreeMap::new();
    for variable in variables {
        if seen.insert(&variable.name, &variable.value).is_some_and(|other| *other != variable.value) {
            return Err(Problem::new(ErrorCode::InvalidValue, format!("two tenants become `{}`", variable.name)).next("rename one of them"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_name_that_every_shell_takes() {
        for fits in ["DATABASE_URL", "_X", "PG2"] {
            assert_eq!(prefix(fits), Ok(fits.to_owned()));
        }
        for wrong in ["", "2PG", "A-B", "A B", "a", "A=$(rm -rf /)", "Ä"] {
            assert!(prefix(wrong).is_err(), "{wrong}");
        }
    }
}
