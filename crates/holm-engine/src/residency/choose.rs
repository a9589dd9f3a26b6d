//! Chooses the cluster for a tenant's database among those that its profile allows.
//!
//! Promises: what the profile denies, or cannot say, is never chosen, and the refusal names the rules and the facts' reasons. Of
//! those allowed, one without trouble before one with, one with a database ready before one without, then the one with most room
//! for each tenant, then the first by name: the same input gives the same choice. Refuses to choose for a tenant without a profile.

use holm_core::cluster::ClusterName;
use holm_core::cluster::state::ClusterState;
use holm_core::error::{ErrorCode, Problem};
use holm_policy::evaluate::verdict::Outcome;
use holm_policy::profile::Profile;
use holm_store::cluster::Cluster;
use holm_store::residency::standing::Standing;
use jiff::Timestamp;

use super::copies::{self, Judged, Whose};
use super::decision::{Candidate, Decision, objections};
use super::known::{self, Known};

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

/// Chooses; of `asked`, only whether it may be.
pub(crate) fn choose(
    known: &Known,
    profile: &Profile,
    whose: Whose<'_>,
    rooms: &[Room],
    asked: Option<&ClusterName>,
    now: Timestamp,
) -> Result<Chosen, Problem> {
    let judged: Vec<(&Room, Vec<Judged>)> =
        rooms.iter().map(|room| (room, copies::on(known, profile, whose, &room.cluster, now))).collect();
    let mut open: Vec<&(&Room, Vec<Judged>)> = judged
        .iter()
        .filter(|(room, copies)| {
            room.cluster.state == ClusterState::Open
                && room.cluster.adopted.is_none()
                && copies::worst(copies) == Outcome::Allow
                && asked.is_none_or(|asked| *asked == room.cluster.name)
        })
        .collect();
    open.sort_by(|(a, _), (b, _)| preference(a).cmp(&preference(b)));
    let Some((room, copies)) = open.first() else {
        return Err(refused(profile, whose, &judged, asked));
    };
    let why = match asked {
        Some(_) => "it was asked for, and the profile allows it".to_owned(),
        None => format!(
            "{} databases are ready there, and {} tenants share {} connections",
            room.ready, room.tenants, room.cluster.access.connections_max
        ),
    };
    let others = judged.iter().filter(|(other, _)| other.cluster.id != room.cluster.id);
    let others = others.map(|(other, copies)| Candidate::of(&other.cluster, copies, why_not(other, copies, asked))).collect();
    let chosen = Candidate::of(&room.cluster, copies, why);
    Ok(Chosen {
        cluster: room.cluster.clone(),
        copies: copies.clone(),
        decision: Decision::of(known, profile, asked.is_some(), chosen, others),
    })
}

/// Smaller is better. Tenants for each thousand connections, so that a large cluster is not full sooner than a small one.
fn preference(room: &Room) -> (bool, bool, u64, &str) {
    let crowd = (room.tenants + 1).saturating_mul(1000) / u64::from(room.cluster.access.connections_max.max(1));
    (room.cluster.trouble.is_some(), room.ready == 0, crowd, room.cluster.name.as_str())
}

fn why_not(room: &Room, copies: &[Judged], asked: Option<&ClusterName>) -> String {
    match copies::worst(copies) {
        Outcome::Deny => "the profile denies it".to_owned(),
        Outcome::Unknown => "it cannot be said whether it satisfies the profile".to_owned(),
        Outcome::Allow if room.cluster.adopted.is_some() => "it is there for one database that somebody brought".to_owned(),
        Outcome::Allow if room.cluster.state != ClusterState::Open => format!("it takes no tenants: it is {}", room.cluster.state),
        Outcome::Allow if asked.is_some() => "another was asked for".to_owned(),
        Outcome::Allow if room.cluster.trouble.is_some() => "it is in trouble".to_owned(),
        Outcome::Allow => "another has more room".to_owned(),
    }
}

fn refused(profile: &Profile, whose: Whose<'_>, judged: &[(&Room, Vec<Judged>)], asked: Option<&ClusterName>) -> Problem {
    let id = &profile.metadata().id;
    match asked {
        Some(name) => {
            let found = judged.iter().find(|(room, _)| room.cluster.name == *name);
            let copies = found.map_or(&[][..], |(_, copies)| copies);
            not_there(profile, name, copies)
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

fn why_not_written(room: &Room, copies: &[Judged]) -> String {
    match objections(copies).into_iter().next() {
        Some(first) => format!("{}: {}", first.rule, first.because),
        None => why_not(room, copies, None),
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
