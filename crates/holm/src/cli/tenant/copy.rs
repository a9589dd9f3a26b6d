//! `holm tenant copy`: a new tenant with the content of another one.

use holm_api::view::CopyTenant;
use holm_api::view::operation::OperationView;
use holm_core::error::Problem;
use reqwest::Method;

use super::Named;
use crate::cli::context::Context;
use crate::cli::waiting::{self, Until, Waiting};
use crate::output::Answer;

/// Which, and what the copy is to be.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm tenant copy goteborg goteborg-test --env staging
  holm tenant copy goteborg goteborg-test --env staging --ttl 2d
  holm tenant copy goteborg goteborg-test --env production --cluster production-2 --no-wait

The tenant that is copied stays in use; the copy has what it had at one moment. It gets a database and roles of its own
and no credential: make one with `holm credential create`. A copy stays in its environment.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    /// The copy's name
    #[arg(value_name = "NEW")]
    copy: String,
    /// The cluster to place it on [default: that of the tenant that is copied]
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Have it deleted by itself after this time: 1h, 2d; not in production
    #[arg(long, value_name = "TIME")]
    ttl: Option<String>,
    /// Why; kept with the operation
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let wanted = CopyTenant { slug: args.copy, cluster: args.cluster, ttl: args.ttl, reason: args.reason };
    let body = serde_json::to_value(wanted).expect("four texts are JSON");
    let client = context.client()?;
    let begun: OperationView = client.change(Method::POST, &args.tenant.path(&["copy"]), &[], Some(body)).await?;
    Ok(waiting::after(context, &client, begun, &args.waiting, Until::Over).await?.shown)
}
