//! The demo's regions: three clusters of production with two providers that do not exist, of which one has an owner in the United
//! States, and the profile that the demo's tenants are judged by.
//!
//! Everything here goes through the same doors as an operator's own words: facts, papers, places, a profile in force. What is so
//! already is not said again.

use holm_core::actor::Actor;
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::control::Control;
use holm_engine::residency::facts;
use holm_engine::residency::paper::{self, Of, Wanted};
use holm_engine::residency::placed::{self, Claim};
use holm_engine::residency::{assigned, profile};
use jiff::civil::Date;

use super::servers::{SUPERUSER, Servers};

/// What nobody looked at again for so long is unknown.
const KNOWN_FOR_DAYS: i32 = 365;

/// The profile of the demo's tenants.
const PROFILE: &str = "eea-jurisdiction";

const FACTS: &[(&str, &str)] =
    &[("nordlys", include_str!("../../../../demo/facts/nordlys.toml")), ("skyline", include_str!("../../../../demo/facts/skyline.toml"))];

/// Who signs for each of them.
const SIGNED_WITH: &[&str] = &["nordlys-as", "skyline-europe-ab"];

/// Each cluster, its server here, and where that is said to be.
const CLUSTERS: &[(&str, &str, &str, &str)] = &[
    ("production", "production-1", "env-production", "nordlys/no-osl"),
    ("production", "production-2", "env-production-2", "nordlys/se-sto"),
    ("production", "production-3", "env-production-3", "skyline/se-sto"),
    ("staging", "staging-1", "env-staging", "nordlys/se-sto"),
];

/// Servers beside the one that each environment has.
pub(super) fn more_servers() -> impl Iterator<Item = String> {
    ["env-production-2", "env-production-3"].into_iter().map(str::to_owned)
}

/// Says all of it, and registers the clusters that are not there yet.
///
/// # Errors
/// The first thing that was refused; the next start tries again.
pub(super) async fn ensure(control: &Control, by: &Actor, servers: &Servers) -> Result<(), Problem> {
    know(control, by).await?;
    for (environment, name, server, place) in CLUSTERS {
        let environment: EnvironmentName = environment.parse().expect("a constant that is a name");
        let known = cluster::list(control).await?.into_iter().find(|known| known.name.as_str() == *name);
        if *name != "production-1" && *name != "staging-1" {
            cluster::register(control, by, new_cluster(&environment, name, server, servers)).await?;
        }
        if known.and_then(|known| known.placed).is_none_or(|placed| placed.place != *place) {
            let (provider, region) = place.split_once('/').expect("a constant that is a place");
            let evidence = Some("the demo says so".to_owned());
            let claim = Claim { provider: provider.to_owned(), region: region.to_owned(), plan: None, evidence };
            placed::set_place(control, by, &name.parse().expect("a constant that is a name"), claim).await?;
        }
    }
    // Its owner may have put a newer version in force.
    if !profile::list(control).await?.iter().any(|kept| kept.name == PROFILE) {
        profile::keep(control, by, profile::shipped(PROFILE)?.to_owned()).await?;
    }
    for environment in ["production", "staging"] {
        let environment = environment.parse().expect("a constant that is a name");
        if assigned::of_environment(control, &environment).await?.is_none() {
            assigned::set_of_environment(control, by, &environment, PROFILE).await?;
        }
    }
    Ok(())
}

/// Facts of today and contracts with everybody, where they are missing or half of their time is over.
async fn know(control: &Control, by: &Actor) -> Result<(), Problem> {
    // In UTC, as papers and facts count their days.
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let kept = facts::list(control).await?;
    for (name, text) in FACTS {
        let known = kept.iter().find(|kept| kept.name == *name);
        let is_fresh = known.is_some_and(|kept| days_between(kept.kept_at.to_zoned(jiff::tz::TimeZone::UTC).date(), today) < 30);
        if !is_fresh {
            let name = name.parse().expect("a constant that is a name");
            facts::keep(control, by, name, on(text, today)).await?;
        }
    }
    let papers = paper::list(control).await?;
    for entity in SIGNED_WITH {
        if !papers.iter().any(|paper| paper.of.company() == Some(entity) && paper.kind == "dpa") {
            let wanted = Wanted {
                kind: "dpa".to_owned(),
                of: Of::Company((*entity).to_owned()),
                signed_on: today,
                ends_on: None,
                edition: None,
                document_sha256: None,
                environment: None,
            };
            paper::keep(control, by, wanted).await?;
        }
    }
    Ok(())
}

fn days_between(from: Date, to: Date) -> i32 {
    to.since(from).map_or(i32::MAX, |span| span.get_days())
}

/// The facts of a demo that begins on a day.
fn on(text: &str, today: Date) -> String {
    let until = today.saturating_add(jiff::Span::new().days(KNOWN_FOR_DAYS));
    text.replace("@today@", &today.to_string()).replace("@until@", &until.to_string())
}

fn new_cluster(environment: &EnvironmentName, name: &str, server: &str, servers: &Servers) -> NewCluster {
    NewCluster {
        name: name.parse().expect("a constant that is a name"),
        environment: environment.clone(),
        address: servers.named(server).address().clone(),
        admin_role: SUPERUSER.parse().expect("a constant that is a name"),
        admin_password: servers.password(server),
        connections_max: None,
    }
}
