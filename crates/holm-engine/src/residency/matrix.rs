//! Every profile in force at every place that is known: what a tenant's copies would come to there (R10).
//!
//! Promises: a place is judged as it would be judged if a tenant were created there now, with every copy that there would be.
//! Without an environment it is judged as for production, by papers that hold for every environment.

use std::sync::Arc;

use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::error::Problem;
use holm_policy::evaluate::Paper;
use holm_policy::evaluate::verdict::Outcome;
use holm_policy::id::{Place, ProfileId};
use holm_policy::profile::Profile;
use jiff::Timestamp;

use super::copies::{self, Comes, Judged};
use super::decision::Objection;
use super::known::Known;
use super::lies;
use crate::control::Control;
use crate::environment;

/// Everything, as of one moment.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// As of when.
    pub judged_at: Timestamp,
    /// What was known, as a hash.
    pub registry_hash: String,
    /// Whose papers count.
    pub environment: Option<EnvironmentName>,
    /// By profile, then by place.
    pub rows: Vec<Row>,
}

/// A profile at a place.
#[derive(Clone, Debug)]
pub struct Row {
    /// The profile.
    pub profile: String,
    /// Which version.
    pub profile_version: u32,
    /// The place.
    pub place: String,
    /// The countries of it.
    pub countries: Option<Vec<String>>,
    /// What the worst of the copies comes to.
    pub outcome: Outcome,
    /// The first objection that is as bad as that.
    pub objection: Option<Objection>,
}

/// By what a place is judged.
struct Template {
    kind: EnvironmentKind,
    papers: Vec<Paper>,
}

/// Judges.
///
/// # Errors
/// No such environment, no such profile in force; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn matrix(control: &Control, profile: Option<&str>, environment: Option<&EnvironmentName>) -> Result<Matrix, Problem> {
    let kind = match environment {
        Some(name) => environment::show(control, name).await?.kind,
        None => EnvironmentKind::Production,
    };
    let (known, now) = Known::now(control).await?;
    let papers = environment.map_or_else(|| known.papers_everywhere(), |name| known.papers(name));
    let wanted = profile.map(|name| known.profile(name).map(|found| found.metadata().id.clone())).transpose()?;
    let registry_hash = known.registry().hash().as_str().to_owned();
    let rows = tokio::task::spawn_blocking(move || rows(&known, wanted.as_ref(), &Template { kind, papers }, now))
        .await
        .expect("judging does not panic");
    Ok(Matrix { judged_at: now, registry_hash, environment: environment.cloned(), rows })
}

fn rows(known: &Arc<Known>, wanted: Option<&ProfileId>, template: &Template, now: Timestamp) -> Vec<Row> {
    let places: Vec<Place> = known.registry().places().collect();
    let profiles = known.profiles().filter(|profile| wanted.is_none_or(|wanted| *wanted == profile.metadata().id));
    profiles.flat_map(|profile| places.iter().map(move |place| row(known, profile, place, template, now))).collect()
}

fn row(known: &Known, profile: &Profile, place: &Place, template: &Template, now: Timestamp) -> Row {
    let judged = copies::roles(known, Some(place)).into_iter().map(|role| {
        let copy = copies::copy_id(role);
        let placement = copies::with_papers(template.papers.clone(), template.kind, role, copy.clone(), place);
        Judged { copy, role, place: Some(place.clone()), standing: Comes::To(known.judge(profile, &placement, None, now)) }
    });
    let judged: Vec<Judged> = judged.collect();
    let outcome = copies::worst(&judged);
    Row {
        profile: profile.metadata().id.to_string(),
        profile_version: profile.metadata().version,
        place: place.to_string(),
        countries: lies::server(known.registry(), place, now).countries,
        outcome,
        objection: judged.iter().find_map(|judged| first(judged, outcome)),
    }
}

/// The first thing that speaks against a copy and is as bad as the whole.
fn first(judged: &Judged, outcome: Outcome) -> Option<Objection> {
    let Comes::To(verdict) = &judged.standing else { return None };
    let finding = verdict.objections().find(|finding| finding.outcome == outcome)?;
    Some(Objection { copy: judged.copy.to_string(), rule: finding.rule.to_string(), because: finding.because.clone() })
}
