//! Runs a test suite of others directly and through Holm in both poolings, and compares the runs with each other.
//!
//! Nothing of a suite is in this project: whoever runs it says where its files are, and what was built of them. What may differ
//! is in `NAME/differences.toml`, with the reason; anything else that differs is a failure, and so is a line there that says
//! of something that it differs when it does not.

mod access;
mod differences;
mod door;
mod driver;
mod judge;
mod libpq_pipeline;
mod outcome;
mod regress;
mod served;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::access::Way;
use crate::differences::Differences;
use crate::outcome::Outcomes;

/// What a suite is told.
pub(crate) struct Told {
    pub(crate) name: String,
    /// Where the files of the suite are.
    pub(crate) source: Option<PathBuf>,
    /// What was built of them.
    pub(crate) programs: Vec<PathBuf>,
    /// These tests and no others; all, if there are none.
    pub(crate) only: Vec<String>,
    /// What is not run.
    pub(crate) skipped: Vec<String>,
    /// Where outputs are kept for whoever reads of a failure.
    pub(crate) out: PathBuf,
}

impl Told {
    fn read() -> anyhow::Result<Self> {
        let mut args = std::env::args().skip(1);
        let name = args.next().context("which suite? `libpq-pipeline`, `regress`, `tokio-postgres` or `sqlx`")?;
        let out = std::env::var_os("HOLM_SUITES_OUT").context("start this with `suites/run`")?;
        let out = PathBuf::from(out).join(&name);
        let mut told = Self { name, source: None, programs: Vec::new(), only: Vec::new(), skipped: Vec::new(), out };
        while let Some(flag) = args.next() {
            let value = args.next().with_context(|| format!("`{flag}` wants a value"))?;
            match flag.as_str() {
                "--source" => told.source = Some(std::fs::canonicalize(&value).with_context(|| value)?),
                "--program" => told.programs.push(std::fs::canonicalize(&value).with_context(|| value)?),
                "--only" => told.only.push(value),
                _ => bail!("`{flag}` is none of `--source`, `--program` and `--only`"),
            }
        }
        Ok(told)
    }

    /// Whether a test is to be run.
    pub(crate) fn wants(&self, test: &str) -> bool {
        (self.only.is_empty() || self.only.iter().any(|one| one == test)) && !self.skipped.iter().any(|one| one == test)
    }
}

fn run(told: &Told, way: Way) -> anyhow::Result<Outcomes> {
    match told.name.as_str() {
        "libpq-pipeline" => libpq_pipeline::run(told, way),
        "regress" => regress::run(told, way),
        "tokio-postgres" => driver::tokio_postgres(told, way),
        "sqlx" => driver::sqlx(told, way),
        other => bail!("there is no suite `{other}`: `libpq-pipeline`, `regress`, `tokio-postgres` or `sqlx`"),
    }
}

fn main() -> anyhow::Result<ExitCode> {
    if let Some(ended) = door::inside() {
        return ended;
    }
    let mut told = Told::read()?;
    let suites = PathBuf::from(std::env::var_os("HOLM_SUITES").context("start this with `suites/run`")?);
    let differences = Differences::read(&suites.join(&told.name).join("differences.toml"))?;
    told.skipped = differences.skipped();
    let mut runs = Vec::new();
    for way in Way::ALL {
        println!("{}: {way}", told.name);
        runs.push((way, run(&told, way)?));
    }
    let verdict = judge::judge(&told, &differences, &runs);
    println!("{verdict}");
    Ok(if verdict.is_green() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
