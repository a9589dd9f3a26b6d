//! Every profile in force at every place that is known: what a tenant's copies would come to there (R10).
//!
//! Promises: a place is judged as it would be judged if a tenant were created there now, with every copy that there would be.
//! Clusters of the environment there that come to something else, by what was seen on them, are named beside it. Without an
//! environment a place is judged as for production, by papers that hold for every environment.

use std::sync::Arc;

use holm_core::cluster::ClusterName;
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::error::Problem;
use holm_policy::evaluate::verdict::Outcome;
use holm_policy::id::{Place, ProfileId};
use holm_policy::profile::Profile;
use holm_store::cluster::Cluster;
use jiff::Timestamp;

use super::as_of::{AsOf, Moment};
use super::copies::{self, Comes, Judged, Terms};
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
    /// What is not known of then.
    pub notes: Vec<String>,
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
    /// Clusters of the environment at the place that would come to something else, by what was seen there.
    pub otherwise: Vec<Otherwise>,
}

/// A cluster that comes to something else than its place.
#[derive(Clone, Debug)]
pub struct Otherwise {
    /// Which.
    pub cluster: ClusterName,
    /// What the worst of the copies there comes to.
    pub outcome: Outcome,
    /// The first objection that is as bad as that.
    pub objection: Option<Objection>,
}

/// By what places are judged.
struct Bench {
    known: Arc<Known>,
    terms: Terms,
    clusters: Vec<Cluster>,
    now: Timestamp,
}

/// Judges.
///
/// # Errors
/// No such environment, no such profile in force; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn matrix(control: &Control, profile: Option<&str>, environment: Option<&EnvironmentName>) -> Result<Matrix, Problem> {
    matrix_as_of(control, profile, environment, AsOf::default()).await
}

/// Judges as one would have on another day.
///
/// # Errors
/// As [`matrix`]; a time of which nothing is known.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn matrix_as_of(
    control: &Control,
    profile: Option<&str>,
    environment: Option<&EnvironmentName>,
    asked: AsOf,
) -> Result<Matrix, Problem> {
    let kind = match environment {
        Some(name) => environment::show(control, name).await?.kind,
        None => EnvironmentKind::Production,
    };
    let mut moment = Moment::of(control, asked).await?;
    if let Some(name) = environment {
        moment.note_gone(control, name).await?;
    }
    let (known, now) = (moment.known.clone(), moment.now);
    let papers = known.papers(environment);
    let registered = environment.map(|name| known.registered(name)).unwrap_or_default();
    let wanted = profile.map(|name| known.profile(name).map(|found| found.metadata().id.clone())).transpose()?;
    let registry_hash = known.registry().hash().as_str().to_owned();
    let mut clusters = match environment {
        Some(_) => moment.clusters(control).await?,
        None => Vec::new(),
    };
    clusters.retain(|cluster| environment.is_some_and(|name| *name == cluster.environment) && cluster.adopted.is_none());
    let bench = Bench { known, terms: Terms { kind, papers, registered }, clusters, now };
    let rows = tokio::task::spawn_blocking(move || rows(&bench, wanted.as_ref())).await.expect("judging does not panic");
    Ok(Matrix { judged_at: now, registry_hash, environment: environment.cloned(), rows, notes: moment.notes() })
}

fn rows(bench: &Bench, wanted: Option<&ProfileId>) -> Vec<Row> {
    let places: Vec<Place> = bench.known.registry().places().collect();
    let profiles = bench.known.profiles().filter(|profile| wanted.is_none_or(|wanted| *wanted == profile.metadata().id));
    profiles.flat_map(|profile| places.iter().map(move |place| row(bench, profile, place))).collect()
}

fn row(bench: &Bench, profile: &Profile, place: &Place) -> Row {
    let Bench { known, terms, clusters, now } = bench;
    let judge =
        |copies: Vec<copies::There>| -> Vec<Judged> { copies.into_iter().map(|copy| copy.judged(known, profile, None, *now)).collect() };
    let judged = judge(copies::own(known, terms, (Some(place), None)));
    let outcome = copies::worst(&judged);
    let at_place = clusters.iter().filter(|cluster| copies::place_of(cluster).as_ref() == Some(place));
    let otherwise = at_place.filter_map(|cluster| {
        let judged = judge(copies::there(known, terms, cluster));
        let worst = copies::worst(&judged);
        let objection = judged.iter().find_map(|judged| first(judged, worst));
        (worst != outcome).then(|| Otherwise { cluster: cluster.name.clone(), outcome: worst, objection })
    });
    Row {
        profile: profile.metadata().id.to_string(),
        profile_version: profile.metadata().version,
        place: place.to_string(),
        countries: lies::server(known.registry(), place, *now).countries,
        outcome,
        objection: judged.iter().find_map(|judged| first(judged, outcome)),
        otherwise: otherwise.collect(),
    }
}

/// The first thing that speaks against a copy and is as bad as the whole.
fn first(judged: &Judged, outcome: Outcome) -> Option<Objection> {
    let found = match &judged.standing {
        Comes::To(verdict) => {
            let finding = verdict.objections().find(|finding| finding.outcome == outcome)?;
            (finding.rule.to_string(), finding.because.clone())
        }
        Comes::Nowhere if outcome == Outcome::Unknown => judged.objections().into_iter().next()?,
        Comes::Nowhere => return None,
    };
    Some(Objection { copy: judged.copy.to_string(), rule: found.0, because: found.1 })
}
