//! Examines an installation: what is there against what should be.
//!
//! Promises: it changes nothing, it ends soon whatever does not answer, and each finding that is not good says what to do.
//! It looks only at catalogs that all databases of a server share, and never into a tenant's database.

mod cluster;
mod isolation;
mod keys;
mod nodes;
mod notify;
mod operations;
mod residency;

use std::time::Duration;

use holm_core::error::Problem;
use holm_store::{route, tenant};

use crate::control::Control;

pub(crate) use keys::examine as master_key;

/// How long the data plane may take to confirm what it should have long confirmed.
const DATA_PLANE_PATIENCE: Duration = Duration::from_secs(2);

/// More than this many names help nobody.
const NAMES_SHOWN: usize = 5;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and a person should look at it.
    Warning,
    /// Something does not work, or is not safe.
    Bad,
}

/// What one check found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What was checked: `catalog`, `cluster production-1: pool`.
    pub check: String,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found, as a sentence.
    pub text: String,
    /// What to do about it.
    pub next: Option<String>,
}

impl Finding {
    fn good(check: impl Into<String>, text: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Good, text: text.into(), next: None }
    }

    fn warning(check: impl Into<String>, text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Warning, text: text.into(), next: Some(next.into()) }
    }

    fn bad(check: impl Into<String>, text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Bad, text: text.into(), next: Some(next.into()) }
    }

    fn of(check: impl Into<String>, problem: &Problem) -> Self {
        let text = match &problem.why {
            Some(why) => format!("{}: {why}", problem.what),
            None => problem.what.clone(),
        };
        Self { check: check.into(), verdict: Verdict::Bad, text, next: problem.next.first().cloned() }
    }
}

/// Examines everything; a part that cannot be examined is a finding too.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn examine(control: &Control) -> Vec<Finding> {
    let mut findings = Vec::new();
    match route::version(control.catalog()).await {
        Ok(version) => {
            findings.push(Finding::good("catalog", format!("it answers, at route version {version}")));
            findings.push(match control.confirmed(version, DATA_PLANE_PATIENCE).await {
                Ok(()) => Finding::good("data plane", format!("every node uses route version {version} or a newer one")),
                Err(problem) => Finding::of("data plane", &problem),
            });
            findings.extend(nodes::examine(control, version).await);
        }
        // Everything else is read from it.
        Err(error) => return vec![Finding::of("catalog", &error.into())],
    }
    findings.push(keys::examine(control).await);
    findings.extend(notify::examine(control).await);
    findings.extend(operations::examine(control).await);
    findings.extend(residency::examine(control).await);
    match examine_tenants(control).await {
        Ok(finding) => findings.push(finding),
        Err(problem) => findings.push(Finding::of("tenants", &problem)),
    }
    match holm_store::cluster::list(control.catalog()).await {
        Ok(clusters) if clusters.is_empty() => {
            findings.push(Finding::warning(
                "clusters",
                "there are none, so that no tenant can be created",
                "register one for each environment",
            ));
        }
        Ok(clusters) => {
            for cluster in clusters {
                findings.extend(cluster::examine(control, &cluster).await);
            }
        }
        Err(error) => findings.push(Finding::of("clusters", &error.into())),
    }
    findings
}

async fn examine_tenants(control: &Control) -> Result<Finding, Problem> {
    const SOME: u32 = 100;
    let mut open = tenant::awaiting(control.catalog(), SOME).await?;
    open.extend(tenant::unfinished(control.catalog(), SOME).await?);
    if open.is_empty() {
        return Ok(Finding::good("tenants", "none is unfinished"));
    }
    let names = names(open.iter().map(|tenant| format!("{} in {}", tenant.slug, tenant.environment)));
    let text = format!("{} are being created: {names}", open.len());
    Ok(Finding::warning("tenants", text, "if this stays so, see the findings on their clusters"))
}

/// A few names, and how many more there are.
pub(crate) fn names(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    let shown = all.iter().take(NAMES_SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMES_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
