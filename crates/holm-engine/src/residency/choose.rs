//! Chooses the cluster for a tenant's database among those that its profile allows.
//!
//! Promises: what the profile denies, or cannot say, is never chosen, whatever is wished, and the refusal names the rules and the facts'
//! reasons. Of those allowed the one with most merits (`merits`) is chosen, then the first by name: the same input gives the same
//! choice, and each that was not chosen has its reason.

use holm_core::cluster::ClusterName;
use holm_core::cluster::state::ClusterState;
use holm_core::error::{ErrorCode, Problem};
use holm_policy::evaluate::verdict::Outcome;
use holm_policy::profile::Profile;
use holm_store::cluster::Cluster;
use holm_store::residency::standing::Standing;
use holm_store::tenant::claim;
use jiff::Timestamp;

use super::copies::{self, Judged, Whose};
use super::decision::{Candidate, Decision, objections};
use super::known::{self, Known};
use super::merits::{Latency, Merits, away, why_behind};
use super::near::{Near, Nearness};

/// A cluster, and how full it is.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    pub(crate) cluster: Cluster,
    /// Databases that nobody has yet.
    pub(crate) ready: u64,
    /// Tenants that have one there.
    pub(crate) tenants: u64,
}

/// What was chosen.
pub(crate) struct Chosen {
    pub(crate) cluster: Cluster,
    pub(crate) copies: Vec<Judged>,
    pub(crate) decision: Decision,
}

/// What somebody says of where it is to be.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wish<'a> {
    /// This one and no other: then it is judged, and not chosen.
    pub(crate) cluster: Option<&'a ClusterName>,
    /// Near this, if there is a choice.
    pub(crate) near: Option<&'a Near>,
}

/// Chooses; of a cluster that was asked for, only whether it may be.
pub(crate) fn choose(
    known: &Known,
    profile: &Profile,
    whose: Whose<'_>,
    rooms: &[Room],
    wish: Wish<'_>,
    now: Timestamp,
) -> Result<Chosen, Problem> {
    let judged: Vec<(&Room, Vec<Judged>)> =
        rooms.iter().map(|room| (room, copies::on(known, profile, whose, &room.cluster, now))).collect();
    let open = judged.iter().filter(|(room, copies)| {
        room.is_open() && copies::worst(copies) == Outcome::Allow && wish.cluster.is_none_or(|asked| *asked == room.cluster.name)
    });
    let best = open.min_by_key(|(room, _)| (room.merits(known, wish.near, now), room.cluster.name.as_str()));
    let Some((room, copies)) = best else {
        return Err(refused(profile, whose, &judged, wish.cluster));
    };
    let merits = room.merits(known, wish.near, now);
    let others = judged.iter().filter(|(other, _)| other.cluster.id != room.cluster.id);
    let others = others.map(|(other, copies)| {
        let why = why_not(other, copies, wish.cluster)
            .unwrap_or_else(|| why_behind(&other.merits(known, wish.near, now), &merits, wish.near, other.round_trip_us()));
        Candidate::of(&other.cluster, copies, why)
    });
    let others = others.collect();
    let chosen = Candidate::of(&room.cluster, copies, why(room, wish, merits.nearness));
    Ok(Chosen { cluster: room.cluster.clone(), copies: copies.clone(), decision: Decision::of(known, profile, wish, chosen, others) })
}

/// Of clusters among which no profile decides, the one with most merits; none, if none takes tenants.
pub(crate) fn nearest<'a>(known: &Known, rooms: &'a [Room], near: &Near, now: Timestamp) -> Option<&'a Cluster> {
    let open = rooms.iter().filter(|room| room.is_open());
    open.min_by_key(|room| (room.merits(known, Some(near), now), room.cluster.name.as_str())).map(|room| &room.cluster)
}

impl Room {
    /// Whether tenants are placed there.
    pub(crate) fn is_open(&self) -> bool {
        self.cluster.state == ClusterState::Open && self.cluster.adopted.is_none()
    }

    /// Whether a tenant that waits for a database there waits for its trouble to end: none is made, and of those that are ready it gets none.
    pub(crate) fn is_stuck(&self) -> bool {
        self.cluster.trouble.as_ref().is_some_and(|trouble| self.ready == 0 || claim::gives_none(trouble))
    }

    fn merits(&self, known: &Known, near: Option<&Near>, now: Timestamp) -> Merits {
        let place = copies::place_of(&self.cluster);
        Merits {
            in_trouble: self.cluster.trouble.is_some(),
            nearness: near.map_or(Nearness::There, |near| near.nearness(known.registry(), place.as_ref(), now)),
            without_database: self.ready == 0,
            latency: Latency::of(self.round_trip_us()),
            crowd: (self.tenants + 1).saturating_mul(1000) / u64::from(self.cluster.access.connections_max.max(1)),
        }
    }

    fn round_trip_us(&self) -> Option<u64> {
        self.cluster.capability.as_ref().and_then(|seen| seen.round_trip_us)
    }
}

fn why(room: &Room, wish: Wish<'_>, nearness: Nearness) -> String {
    if wish.cluster.is_some() {
        return "it was asked for, and the profile allows it".to_owned();
    }
    let near = match (wish.near, nearness) {
        (Some(near), Nearness::There) => format!("it is near {near}, which was wished; "),
        (Some(Near::Country(near)), Nearness::SameCountry) => format!("a part of it is in {near}, which was wished; "),
        (Some(Near::Place(near)), Nearness::SameCountry) => format!("it is in the country of {near}, which was wished; "),
        (Some(near), Nearness::Elsewhere) => format!("none that is allowed and without trouble is near {near}, which was wished; "),
        (None, _) => String::new(),
    };
    let Room { cluster, ready, tenants } = room;
    let connections = cluster.access.connections_max;
    format!(
        "{near}{ready} databases are ready there, {tenants} tenants share {connections} connections, and {}",
        away(room.round_trip_us())
    )
}

/// Why it cannot be chosen; none, if it could be.
fn why_not(room: &Room, copies: &[Judged], asked: Option<&ClusterName>) -> Option<String> {
    match copies::worst(copies) {
        Outcome::Deny => Some("the profile denies it".to_owned()),
        Outcome::Unknown => Some("it cannot be said whether it satisfies the profile".to_owned()),
        Outcome::Allow if room.cluster.adopted.is_some() => Some("it is there for one database that somebody brought".to_owned()),
        Outcome::Allow if room.cluster.state != ClusterState::Open => Some(format!("it takes no tenants: it is {}", room.cluster.state)),
        Outcome::Allow if asked.is_some() => Some("another was asked for".to_owned()),
        Outcome::Allow => None,
    }
}

fn refused(profile: &Profile, whose: Whose<'_>, judged: &[(&Room, Vec<Judged>)], asked: Option<&ClusterName>) -> Problem {
    let id = &profile.metadata().id;
    match asked {
        Some(name) => {
            let found = judged.iter().find(|(room, _)| room.cluster.name == *name);
            match found {
                // The profile has nothing against it.
                Some((room, copies)) if copies::worst(copies) == Outcome::Allow => closed(&room.cluster),
                Some((_, copies)) => not_there(profile, name, copies),
                None => not_there(profile, name, &[]),
            }
        }
        None => {
            let allowed = judged.iter().filter(|(_, copies)| copies::worst(copies) == Outcome::Allow).count();
            let each = judged.iter().map(|(room, copies)| format!("`{}`: {}", room.cluster.name, why_not_written(room, copies)));
            let environment = whose.environment;
            let what = format!("no cluster of `{environment}` takes a tenant of profile `{id}`");
            let because = if judged.is_empty() { format!("`{environment}` has no cluster") } else { each.collect::<Vec<_>>().join("; ") };
            let problem = Problem::new(ErrorCode::ResidencyRefused, what).because(because);
            if allowed == 0 {
                problem.next(format!("add a cluster where it allows one: `holm residency matrix --profile {id}` shows the places"))
            } else {
                problem.next("see how the clusters are: `holm cluster list`")
            }
        }
    }
}

fn closed(cluster: &Cluster) -> Problem {
    let (name, state) = (&cluster.name, cluster.state);
    Problem::new(ErrorCode::ClusterClosed, format!("cluster `{name}` takes no tenants: it is {state}"))
        .next(format!("see how far it is: `holm cluster show {name}`, or place the tenant elsewhere"))
}

fn why_not_written(room: &Room, copies: &[Judged]) -> String {
    match objections(copies).into_iter().next() {
        Some(first) if first.copy == "primary" => format!("{}: {}", first.rule, first.because),
        Some(first) => format!("{} of the {}: {}", first.rule, first.copy, first.because),
        // It is asked of those among which there was nothing to choose.
        None => why_not(room, copies, None).unwrap_or_else(|| "it is allowed".to_owned()),
    }
}

/// What a profile says against a cluster that was named.
pub(crate) fn not_there(profile: &Profile, cluster: &ClusterName, copies: &[Judged]) -> Problem {
    let id = &profile.metadata().id;
    let place = copies.first().and_then(Judged::place).map(|place| format!(" ({place})")).unwrap_or_default();
    let what = match copies::worst(copies) {
        Outcome::Deny => format!("profile `{id}` denies cluster `{cluster}`{place}"),
        _ => format!("profile `{id}` cannot say whether cluster `{cluster}`{place} satisfies it, and what is not known blocks"),
    };
    let each =
        objections(copies).into_iter().map(|objection| format!("{} of the {}: {}", objection.rule, objection.copy, objection.because));
    let problem = Problem::new(ErrorCode::ResidencyRefused, what).because(each.collect::<Vec<_>>().join("; "));
    let problem = match copies.first().and_then(Judged::place) {
        Some(place) if known::comes_with_holm(&place.provider) => {
            problem.next(format!("see the facts and their sources: `holm provider show {}`", place.provider))
        }
        Some(_) => problem.next("see the installation's own facts: `holm residency facts list`"),
        None => problem.next(format!("say where it is: `holm cluster set-place {cluster} --provider … --region …`")),
    };
    problem.next(format!("see what the profile asks for: `holm residency profile show {id}`"))
}

/// As the catalog keeps what copies came to.
pub(crate) fn standings(tenant: holm_core::id::TenantId, copies: &[Judged]) -> Vec<Standing> {
    let of = |judged: &Judged| Standing {
        tenant,
        copy: judged.copy.to_string(),
        outcome: judged.outcome().to_string(),
        objections: serde_json::to_value(objections(std::slice::from_ref(judged))).expect("words are JSON"),
        valid_until: judged.valid_until(),
    };
    copies.iter().map(of).collect()
}
