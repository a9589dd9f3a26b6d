//! `holm cluster set-client-cert` and `remove-client-cert`, and what they share with commands that bring a server: the two files.
//!
//! Promises: the private key is read from a file that nobody else can read, sent, and never printed; of the files nothing else is sent.

use std::path::PathBuf;

use holm_api::view::cluster::{ClusterDetailView, SetClientCertificate};
use holm_core::error::Problem;
use reqwest::Method;

use super::Named;
use crate::cli::context::Context;
use crate::client_certificate;
use crate::output::Answer;

/// What a server is shown, if it is said.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct MayShow {
    /// The file with the certificate, in PEM, that the server is shown if it asks who speaks, and those that lead to its authority
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// The file with its private key, in PEM, that nobody else may read
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
}

impl MayShow {
    /// The texts of both files, or of neither.
    ///
    /// # Errors
    /// As [`client_certificate::read`].
    pub(super) fn read(&self) -> Result<Option<(String, String)>, Problem> {
        let (Some(chain), Some(key)) = (&self.client_cert, &self.client_key) else { return Ok(None) };
        client_certificate::read(chain, key).map(Some)
    }
}

/// Which, and what it is shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm cluster set-client-cert production-2 --env production --client-cert holm.crt --client-key holm.key

Holm logs in with it first, and changes nothing if the server does not take it. Connections that begin show it from then on, on
every node; those that are open go on. It says that Holm speaks, and nothing of tenants: each still logs in as its own role.")]
pub(in crate::cli) struct Set {
    #[command(flatten)]
    cluster: Named,
    /// The file with the certificate, in PEM, and those that lead to its authority
    #[arg(long, value_name = "FILE")]
    client_cert: PathBuf,
    /// The file with its private key, in PEM, that nobody else may read
    #[arg(long, value_name = "FILE")]
    client_key: PathBuf,
}

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm cluster remove-client-cert production-2 --env production

Holm logs in without it first, and changes nothing if the server asks for one.")]
pub(in crate::cli) struct Remove {
    #[command(flatten)]
    cluster: Named,
}

pub(super) async fn set(context: &Context, args: Set) -> Result<Answer, Problem> {
    let (client_cert, client_key) = client_certificate::read(&args.client_cert, &args.client_key)?;
    let wanted = SetClientCertificate { client_cert, client_key };
    let changed: ClusterDetailView = context.client()?.post(&args.cluster.path("set-client-cert"), &[], &wanted).await?;
    if let Some(shown) = &changed.client_certificate {
        context.say(&format!("✓ every node shows {} `{}` now, good until {}", args.cluster.name, shown.subject, shown.valid_until));
    }
    Ok(Answer::one(&changed))
}

pub(super) async fn remove(context: &Context, args: Remove) -> Result<Answer, Problem> {
    let changed: ClusterDetailView = context.client()?.act(Method::POST, &args.cluster.path("remove-client-cert")).await?;
    context.say(&format!("✓ no node shows {} a certificate now", args.cluster.name));
    Ok(Answer::one(&changed))
}
