//! `holm residency certificate`: what the data plane is told of where a tenant's database may be used.

use holm_api::view::certificate::CertificateView;
use holm_core::error::Problem;
use jiff::Timestamp;

use super::Named;
use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Whose.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency certificate goteborg --env production
  holm residency certificate goteborg --env production -o json   # with what was signed, the signature and the key")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let certificate: CertificateView = context.client()?.get(&args.tenant.path("certificate")).await?;
    Ok(Answer::one(&certificate))
}

impl Row for CertificateView {
    const COLUMNS: &'static [&'static str] =
        &["TENANT", "ENVIRONMENT", "CLUSTER", "ALLOWS", "SERVER", "ISSUED", "EXPIRES", "GOOD-UNTIL", "WITHHELD"];
    const BRIEF: usize = 8;

    fn cells(&self) -> Vec<Cell> {
        let signed = self.certificate.as_ref();
        vec![
            Cell::of(&self.tenant),
            Cell::of(&self.environment),
            Cell::of(&self.cluster),
            Cell::of(&self.allows),
            signed.and_then(|signed| signed.server.clone()).into(),
            time(signed.map(|signed| signed.issued_at)),
            time(signed.map(|signed| signed.expires_at)),
            time(signed.map(|signed| signed.good_until)),
            self.withheld.clone().into(),
        ]
    }

    fn name(&self) -> String {
        self.tenant.to_string()
    }
}

fn time(at: Option<Timestamp>) -> Cell {
    at.map_or(Cell::Empty, Cell::time)
}
