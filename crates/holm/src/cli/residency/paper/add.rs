//! `holm residency paper add`: who signed what with whom from when, or which transfers were assessed.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context as Digest, SHA256};
use holm_api::view::residency::record::{AddPaper, PaperView};
use holm_core::error::{ErrorCode, Problem};
use jiff::civil::Date;

use super::called;
use crate::cli::context::Context;
use crate::output::Answer;

/// What it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency paper add dpa --with scalingo-sas --signed-on 2026-03-12 --document dpa.pdf
  holm residency paper add scc_m2 --with umea-drift-ab --signed-on 2026-03-12 --ends-on 2028-03-12 --edition 2021/914 --env production
  holm residency paper add assessment --country US --signed-on 2026-03-12 --document tia.pdf

Of the document only the SHA-256 is sent, so that whoever has it can show later that it is the one.")]
pub(in crate::cli) struct Args {
    /// What it is: dpa, scc_m2, or what a profile asks for by name; assessment is one of transfers to a country
    kind: String,
    /// The company that signed it, as the registry calls it: `holm provider show`
    #[arg(long, value_name = "COMPANY", conflicts_with = "country")]
    with: Option<String>,
    /// Of an assessment, the country that data is transferred to
    #[arg(long, value_name = "COUNTRY")]
    country: Option<String>,
    /// The first day on which it holds; of an assessment, when it was done
    #[arg(long, value_name = "DATE")]
    signed_on: Date,
    /// The first day on which it no longer does [default: it has no end]
    #[arg(long, value_name = "DATE")]
    ends_on: Option<Date>,
    /// Which edition of it
    #[arg(long, value_name = "TEXT")]
    edition: Option<String>,
    /// The document, which is not sent
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// The only environment that it is for [default: all]
    #[arg(id = "environment", long = "env", value_name = "ENVIRONMENT")]
    environment: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Args { kind, with, country, signed_on, ends_on, edition, document, environment } = args;
    let document_sha256 = document.as_deref().map(|path| sha256(path).map_err(|error| unreadable(path, &error))).transpose()?;
    let wanted = AddPaper { kind, with, country, signed_on, ends_on, edition, document_sha256, environment };
    let kept: PaperView = context.client()?.post(&["residency", "papers"], &[], &wanted).await?;
    let everywhere = kept.environment.as_ref().map_or_else(|| "every environment".to_owned(), ToString::to_string);
    context.say(&format!("✓ {} is on file for {everywhere}, from {}", called(&kept), kept.signed_on));
    Ok(Answer::one(&kept))
}

fn sha256(path: &Path) -> io::Result<String> {
    let (mut file, mut digest) = (File::open(path)?, Digest::new(&SHA256));
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => digest.update(&buffer[..read]),
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let shown = path.display().to_string();
    Problem::new(ErrorCode::InvalidValue, format!("the document `{}` cannot be read", shown.escape_debug())).because(error)
}
