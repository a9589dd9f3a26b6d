//! `holm tenant extend`: a later end for a tenant that ends by itself.

use holm_api::view::{ExtendTenant, TenantView};
use holm_core::error::Problem;

use super::Named;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which, and for how long.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm tenant extend run-4711 --env ci --ttl 2h")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    /// How long it lives from now on: 30m, 2h, seven days at the most
    #[arg(long, value_name = "TIME")]
    ttl: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let wanted = ExtendTenant { ttl: args.ttl };
    let tenant: TenantView = context.client()?.post(&args.tenant.path(&["extend"]), &[], &wanted).await?;
    let until = tenant.expires_at.map(|time| format!("{time:.0}")).unwrap_or_default();
    context.say(&format!("✓ {} in {} is deleted by itself at {until}", tenant.slug, tenant.environment));
    Ok(Answer::one(&tenant))
}
