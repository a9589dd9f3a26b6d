//! `holm tenant limits`: how many of its cluster's connections a tenant may have.

use std::str::FromStr;

use holm_api::view::{LimitTenant, TenantView};
use holm_core::error::Problem;
use reqwest::Method;

use super::{Named, limits_text};
use crate::cli::context::Context;
use crate::output::Answer;

/// Which, and what is to be different.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm tenant limits goteborg --env production --max 20
  holm tenant limits goteborg --env production --min 2 --weight 3
  holm tenant limits goteborg --env production --max all
  holm tenant limits goteborg --env production --reset
  holm tenant limits goteborg --env production

What is not named stays, and with nothing named it only shows what there is. A change is in force when the command is
done, and no session is closed for it.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    /// Connections that nobody takes from it; those of a cluster's tenants fit together into what these share
    #[arg(long, value_name = "NUMBER")]
    min: Option<u32>,
    /// As many as it may have at most; `all` for all that the cluster has
    #[arg(long, value_name = "NUMBER")]
    max: Option<Most>,
    /// Its share against other tenants that wait, 1 to 100
    #[arg(long, value_name = "NUMBER")]
    weight: Option<u32>,
    /// As with a new tenant, but for what is named: no minimum, all that the cluster has, weight 1
    #[arg(long)]
    reset: bool,
}

/// A maximum, or none.
#[derive(Debug, Clone, Copy)]
struct Most(Option<u32>);

impl FromStr for Most {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(None));
        }
        text.parse().map(|most| Self(Some(most))).map_err(|_| "give a number, or `all`".to_owned())
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    if !args.reset && args.min.is_none() && args.max.is_none() && args.weight.is_none() {
        let tenant: TenantView = client.get(&args.tenant.path(&[])).await?;
        context.say(&format!("{} in {} has {}", tenant.slug, tenant.environment, limits_text(tenant.limits)));
        return Ok(Answer::one(&tenant));
    }
    let wanted = LimitTenant { reset: args.reset, min: args.min, max: args.max.map(|most| most.0), weight: args.weight };
    let body = serde_json::to_value(wanted).expect("three numbers are JSON");
    let tenant: TenantView = client.change(Method::PATCH, &args.tenant.path(&["limits"]), &[], Some(body)).await?;
    context.say(&format!("✓ {} in {} has {}", tenant.slug, tenant.environment, limits_text(tenant.limits)));
    Ok(Answer::one(&tenant))
}
