//! The decision on where a tenant's data lies, as an architecture decision record in Markdown (R29, R30).
//!
//! Promises: it says what was decided then, by which version of the profile and by whom that was decided, with every alternative and
//! the reason against it; only what stands under "Since then" is of today. Refuses to fill in what nobody wrote down.

use std::fmt::Write as _;

use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::slug::TenantSlug;
use holm_policy::evaluate::verdict::Outcome;
use holm_policy::profile::{Metadata, Profile};
use holm_store::residency::{decision as kept, profile};
use jiff::Timestamp;

use super::answer::{self, Where};
use super::decision::{Candidate, Decision};
use super::known::Known;
use super::markdown;
use super::merits::milliseconds;
use crate::control::Control;
use crate::tenant;

/// A decision that is kept.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where.
    pub environment: EnvironmentName,
    /// Of whom.
    pub tenant: TenantSlug,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// What.
    pub decision: Decision,
    /// What that version of the profile says of itself, if it can be read still.
    pub profile: Option<Metadata>,
    /// As of when the rest is told.
    pub as_of: Timestamp,
    /// All of it, in words.
    pub markdown: String,
}

/// The latest decision on a tenant.
///
/// # Errors
/// No such tenant; [`ErrorCode::RecordNotFound`]: nobody decided, since it was made without a profile; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn record(control: &Control, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Record, Problem> {
    let tenant = tenant::show(control, environment, slug).await?;
    let Some((decided_at, value)) = kept::latest(control.catalog(), tenant.id).await? else {
        return Err(Problem::new(ErrorCode::RecordNotFound, format!("there is no decision on where `{slug}` of `{environment}` lies"))
            .because("it was made without a profile, and so nothing was judged")
            .next(format!("see where it is: `holm residency where {slug} --env {environment}`")));
    };
    let decision: Decision = serde_json::from_value(value).map_err(|error| {
        Problem::new(ErrorCode::Internal, format!("the decision on `{slug}` cannot be read")).because(error.to_string())
    })?;
    let (known, as_of) = Known::now(control).await?;
    let versions = profile::all(control.catalog()).await?;
    let version = versions.iter().find(|one| one.name == decision.profile && one.version == decision.profile_version);
    // Facts may have changed since so that an old text is refused; the decision is told all the same.
    let profile = version.and_then(|one| Profile::parse("profile", &one.text, known.registry()).ok()).map(|one| one.metadata().clone());
    let (_, now) = answer::whereabouts(control, environment, slug).await?;
    let mut record =
        Record { environment: environment.clone(), tenant: slug.clone(), decided_at, decision, profile, as_of, markdown: String::new() };
    record.markdown = markdown(&record, &now);
    Ok(record)
}

fn markdown(record: &Record, now: &[Where]) -> String {
    let Decision { profile, profile_version, profile_hash, registry_hash, asked_for, near, chosen, others } = &record.decision;
    let (tenant, environment) = (&record.tenant, &record.environment);
    let mut text = format!("# The data of `{tenant}` in `{environment}` lies on `{}`\n\n", chosen.cluster);
    let _ = writeln!(text, "- Status: accepted");
    let _ = writeln!(text, "- Date: {}", day(record.decided_at));
    let deciders = match &record.profile {
        Some(metadata) => line(&metadata.deciders.join(", ")),
        None => "not known: that version of the profile cannot be read".to_owned(),
    };
    let _ = writeln!(text, "- Deciders: {deciders} (of profile `{profile}` version {profile_version}); applied by Holm");
    let _ = writeln!(text, "\n## Context\n");
    match &record.profile {
        Some(metadata) => {
            let (title, status, date) = (line(&metadata.title.en), metadata.status, metadata.date);
            let _ = writeln!(
                text,
                "The tenant is judged by profile `{profile}` version {profile_version}: {title}. It is {status} since {date},"
            );
            let _ =
                writeln!(text, "rests on {}, and is to be looked at again by {}.", line(&metadata.basis.join("; ")), metadata.review_by);
        }
        None => {
            let _ = writeln!(text, "The tenant is judged by profile `{profile}` version {profile_version}.");
        }
    }
    let _ = writeln!(text, "What the profile says has the hash `{profile_hash}`, and what was known then `{registry_hash}`.");
    let _ = writeln!(text, "\n## Decision\n");
    let _ = writeln!(text, "Its database is on cluster `{}`{}.", chosen.cluster, at(chosen));
    let who = if *asked_for { "Somebody named that cluster" } else { "Holm chose it" };
    let _ = writeln!(text, "{who}: {}. By the profile every copy there came to: {}.", line(&chosen.because), chosen.outcome);
    if let Some(near) = near {
        let _ = writeln!(text, "Near `{near}` was wished; a wish chooses among what the profile allows, and allows nothing.");
    }
    let _ = writeln!(text, "\n## Alternatives\n");
    if others.is_empty() {
        let _ = writeln!(text, "The environment had no other cluster.");
    }
    for other in others {
        let away = other.round_trip_us.map(|us| format!(", {} from Holm", milliseconds(us))).unwrap_or_default();
        let _ = writeln!(text, "- `{}`{}{away}: {} ({})", other.cluster, at(other), line(&other.because), other.outcome);
        for objection in &other.objections {
            let _ = writeln!(text, "  - `{}` of the {}: {}", objection.rule, objection.copy, line(&objection.because));
        }
    }
    let _ = writeln!(text, "\n## Consequences\n");
    let _ = writeln!(text, "- Every copy is judged anew when a fact, a paper, a profile or a place changes, and when a fact ends.");
    let _ = writeln!(text, "- What does not satisfy the profile any more is told in the audit log; no copy is made where it does not.");
    if let Some(metadata) = &record.profile {
        let _ = writeln!(text, "- The profile is to be looked at again by {}.", metadata.review_by);
    }
    let _ = writeln!(text, "\n## Since then\n\nAs of {}:\n", record.as_of.round(jiff::Unit::Second).unwrap_or(record.as_of));
    if now.is_empty() {
        let _ = writeln!(text, "- there is no copy");
    }
    for copy in now {
        let outcome = copy.judged.as_ref().map_or_else(|| "not judged".to_owned(), |judged| judged.outcome().to_string());
        let place = copy.placed.as_ref().map_or("nobody said where", |placed| placed.place.as_str());
        let _ = writeln!(text, "- {} on `{}` ({place}): {outcome}", copy.copy, copy.cluster);
    }
    text
}

fn at(candidate: &Candidate) -> String {
    match &candidate.place {
        Some(place) => format!(" at `{place}`"),
        None if candidate.outcome == Outcome::Allow => String::new(),
        None => ", of which nobody said where it is".to_owned(),
    }
}

fn day(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

/// Text that somebody wrote, on one line, with nothing in it that Markdown would read as HTML.
fn line(text: &str) -> String {
    markdown::line(text)
}
