//! `holm tenant create`: a new customer, ready when the command ends.

use std::collections::BTreeMap;
use std::time::Instant;

use holm_api::view::{CreateTenant, TenantView};
use holm_core::error::Problem;

use super::Named;
use crate::cli::context::Context;
use crate::output::Answer;

/// What it is to be.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm tenant create uppsala --env production
  holm tenant create uppsala --env staging --cluster staging-1
  holm tenant create uppsala --env production --profile eea-jurisdiction
  holm tenant create bergen --env production --profile eea-jurisdiction --near NO
  holm tenant create uppsala --env production --set work_mem=16MB --set statement_timeout=30s
  holm tenant create run-4711 --env ci --ttl 30m")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    /// The cluster to place it on [default: of those that its profile allows, the nearest to what is wished, with room]
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// A PostgreSQL parameter of its own; may be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    set: Vec<(String, String)>,
    /// Have it deleted by itself after this time: 1h, 2d; not in production [default where pipelines run: 1h]
    #[arg(long, value_name = "TIME")]
    ttl: Option<String>,
    /// By which profile its copies are judged, and so where it may be [default: its environment's, if that has one]
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Near what it is wished: a country (`NO`) or a region of a provider (`scalingo/osc-fr1`); its profile goes first
    #[arg(long, value_name = "PLACE", conflicts_with = "cluster")]
    near: Option<String>,
    /// How long to wait for it, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "write it as `name=value`".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let began = Instant::now();
    let (slug, environment) = (&args.tenant.slug, &args.tenant.environment.name);
    let parameters: BTreeMap<String, String> = args.set.into_iter().collect();
    let Args { cluster, ttl, profile, near, .. } = args;
    let wanted = CreateTenant { slug: slug.clone(), cluster, parameters, ttl, profile, near };
    let wait = args.timeout.to_string();
    let tenant: TenantView = context.client()?.post(&["environments", environment, "tenants"], &[("wait", &wait)], &wanted).await?;
    let place = tenant.cluster.as_ref().map(|cluster| format!(" on {cluster}")).unwrap_or_default();
    context.say(&format!("✓ {slug} is ready in {environment}{place} after {:.3} s", began.elapsed().as_secs_f64()));
    context.say(&format!("  next: holm tenant psql {slug} --env {environment} · holm tenant url {slug} --env {environment}"));
    Ok(Answer::one(&tenant))
}
