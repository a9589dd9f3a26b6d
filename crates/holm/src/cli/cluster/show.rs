//! `holm cluster show`

use holm_api::view::cluster::ClusterDetailView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm cluster show production-1\n  holm cluster show production-1 -o yaml")]
pub(in crate::cli) struct Args {
    /// The cluster's name
    #[arg(value_name = "CLUSTER")]
    name: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let shown: ClusterDetailView = context.client()?.get(&["clusters", &args.name]).await?;
    for line in told(&shown) {
        context.say(&line);
    }
    Ok(Answer::one(&shown))
}

/// What a table has no room for: why it is good for no more, what works less well, what changed, who is there.
fn told(shown: &ClusterDetailView) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(seen) = &shown.capability {
        lines.push(format!("good for {} (seen {})", seen.suits.as_str(), seen.observed_at));
        lines.extend(seen.because.iter().map(|why| format!("  no more, since {why}")));
        lines.extend(seen.notes.iter().map(|note| format!("  note: {note}")));
        let facts = &seen.facts;
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        lines.push(format!(
            "  superuser {} · CREATEDB {} · CREATEROLE {} · REPLICATION {} · wal_level {} · TLS {}",
            yes(facts.superuser),
            yes(facts.createdb),
            yes(facts.createrole),
            yes(facts.replication),
            facts.wal_level,
            if facts.tls { "offered" } else { "not offered" }
        ));
        lines.extend(facts.tls_key.as_ref().map(|key| format!("  TLS key {key} (SHA-256 of the public key)")));
        lines.push(format!(
            "  max_connections {} ({} reserved) · {} {} by {} · lets Holm in by {} · {} extensions",
            facts.connections_max,
            facts.connections_reserved,
            facts.encoding,
            facts.collation,
            facts.locale_provider,
            facts.authentication.as_str(),
            facts.extensions.len()
        ));
    }
    lines.extend(shown.ssl_root_cert.as_ref().map(|pem| {
        format!("its certificate must lead to one of {} given: `-o yaml` shows them", pem.matches("-----BEGIN CERTIFICATE-----").count())
    }));
    lines.extend(shown.client_certificate.as_ref().map(|shown| {
        format!(
            "it is shown the certificate `{}`, issued by `{}`, good until {}\n  SHA-256 {}",
            shown.subject, shown.issuer, shown.valid_until, shown.sha256
        )
    }));
    lines.extend(shown.changes.iter().map(|change| format!("  changed: {change}")));
    if shown.tenants > 0 {
        let names: Vec<String> = shown.some_tenants.iter().map(ToString::to_string).collect();
        lines.push(format!(
            "{} tenants: {}{}",
            shown.tenants,
            names.join(", "),
            if shown.tenants > names.len() as u64 { ", …" } else { "" }
        ));
    }
    lines
}
