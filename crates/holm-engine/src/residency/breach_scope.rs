//! What is on a server to which something happened: whose data, which copies, in which countries (GDPR Art. 33).
//!
//! Promises: every tenant with a database there is in it, whatever its state, judged or not; what was copied off the server is told
//! beside it, also what is there no more, with the time until when it was. It answers also while what is in force cannot be read: whose data
//! is there are rows of the catalog, and what rests on facts is then said not to be known. Refuses to say whether there is a duty to notify: it says by when, if there is one, counted from when somebody knew.

use std::collections::BTreeMap;
use std::sync::Arc;

use holm_core::cluster::ClusterName;
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::error::{ErrorCode, Problem};
use holm_policy::copy::CopyRole;
use holm_store::cluster::Cluster;
use holm_store::residency::affected::{self, Elsewhere};
use jiff::{SignedDuration, Timestamp};

use super::copies::{self, Terms, Whose};
use super::known::Known;
use super::lies::{self, Lies};
use crate::cluster::identity;
use crate::control::Control;
use crate::environment;

/// GDPR Art. 33(1): where feasible, not later than 72 hours after having become aware of it.
const NOTIFY_WITHIN: SignedDuration = SignedDuration::from_hours(72);

/// Clocks of two machines may differ by this.
const CLOCKS_DIFFER_MAX: SignedDuration = SignedDuration::from_mins(5);

/// What is on a server.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The server.
    pub cluster: Cluster,
    /// As of when.
    pub as_of: Timestamp,
    /// Where it is, as far as somebody said so.
    pub lies: Lies,
    /// Whose data is there, by name.
    pub tenants: Vec<Affected>,
    /// Databases there that nobody has any more, and that are not dropped yet.
    pub condemned: u64,
    /// What was seen to copy the whole server, what is gone included.
    pub elsewhere: Vec<Elsewhere>,
    /// From when the time runs, and when it is over.
    pub notify: Option<Notify>,
    /// Why countries, and copies that were made from what is there, are not known, if that is so.
    pub unknown: Option<Problem>,
}

/// By when a supervisory authority must hear of it, if it must.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notify {
    /// Since when somebody knows.
    pub known_since: Timestamp,
    /// 72 hours later.
    pub by: Timestamp,
    /// Whether that is over.
    pub is_over: bool,
}

/// A tenant with a database there.
#[derive(Clone, Debug)]
pub struct Affected {
    /// As the catalog has it.
    pub tenant: affected::Affected,
    /// Its copies: the one on the server, and those that are made from it.
    pub copies: Vec<Copy>,
}

/// A copy of a tenant's data.
#[derive(Clone, Debug)]
pub struct Copy {
    /// What it is.
    pub role: CopyRole,
    /// Whether it is on the server itself; one that is not was made from what is.
    pub on_server: bool,
    /// Where it lies.
    pub lies: Lies,
}

/// In which environment a cluster is, for whoever asks whether a caller may know.
///
/// # Errors
/// [`ErrorCode::ClusterNotFound`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn environment_of(control: &Control, name: &ClusterName) -> Result<EnvironmentName, Problem> {
    Ok(crate::cluster::named(control, name).await?.environment)
}

/// Says what is on a server.
///
/// # Errors
/// [`ErrorCode::ClusterNotFound`]; [`ErrorCode::InvalidValue`]: somebody is said to know since a time that is not there yet; the
/// catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn breach_scope(control: &Control, name: &ClusterName, known_since: Option<Timestamp>) -> Result<Scope, Problem> {
    let cluster = crate::cluster::named(control, name).await?;
    let kind = environment::show(control, &cluster.environment).await?.kind;
    let (known, now) = known_or_why(control).await?;
    let notify = known_since.map(|since| notify(since, now)).transpose()?;
    let tenants = affected::tenants(control.catalog(), cluster.id).await?;
    // Where copies lie is the same for all that are judged by one profile.
    let mut by_profile: BTreeMap<Option<String>, Vec<Copy>> = BTreeMap::new();
    let tenants = tenants.into_iter().map(|tenant| {
        let copies = by_profile.entry(tenant.profile.clone());
        let profile = tenant.profile.as_deref();
        let copies = copies.or_insert_with(|| match &known {
            Ok(known) => copies_by(known, &cluster, kind, profile, now),
            Err(_) => vec![Copy { role: CopyRole::Primary, on_server: true, lies: claimed(&cluster) }],
        });
        let copies = copies.clone();
        Affected { tenant, copies }
    });
    let tenants = tenants.collect();
    let lies = match &known {
        Ok(known) => copies::place_of(&cluster).map(|place| lies::server(known.registry(), &place, now)).unwrap_or_default(),
        Err(_) => claimed(&cluster),
    };
    Ok(Scope {
        as_of: now,
        lies,
        tenants,
        condemned: affected::condemned(control.catalog(), cluster.id).await?,
        elsewhere: affected::elsewhere(control.catalog(), cluster.id).await?,
        notify,
        unknown: known.err(),
        cluster,
    })
}

/// What is in force, or why it cannot be read: somebody put texts there that this Holm does not understand.
async fn known_or_why(control: &Control) -> Result<(Result<Arc<Known>, Problem>, Timestamp), Problem> {
    match Known::now(control).await {
        Ok((known, now)) => Ok((Ok(known), now)),
        Err(problem) if problem.code == ErrorCode::InForceUnreadable => Ok((Err(problem), identity::now(control).await?)),
        Err(problem) => Err(problem),
    }
}

/// Where somebody said that it is; what that is in countries, only facts can tell.
fn claimed(cluster: &Cluster) -> Lies {
    Lies { places: copies::place_of(cluster).into_iter().collect(), countries: None }
}

fn notify(known_since: Timestamp, now: Timestamp) -> Result<Notify, Problem> {
    let wrong = |why: &str| Problem::new(ErrorCode::InvalidValue, format!("nobody knows of it since {known_since}")).because(why);
    if known_since > now.saturating_add(CLOCKS_DIFFER_MAX).unwrap_or(Timestamp::MAX) {
        return Err(wrong("that is not there yet"));
    }
    let by = known_since.checked_add(NOTIFY_WITHIN).map_err(|_| wrong("72 hours later is no time"))?;
    Ok(Notify { known_since, by, is_over: now >= by })
}

fn copies_by(known: &Known, cluster: &Cluster, kind: EnvironmentKind, profile: Option<&str>, now: Timestamp) -> Vec<Copy> {
    let profile = profile.and_then(|name| known.profile(name).ok());
    let whose = Whose { environment: &cluster.environment, kind, tenant: None };
    let place = copies::place_of(cluster);
    // What was seen to copy the whole server is told once, and not of each tenant.
    let at = (place.as_ref(), copies::plan_of(cluster));
    let copies = copies::own(known, &Terms::of(known, whose), (at.0, at.1.as_ref())).into_iter().map(|copy| Copy {
        role: copy.role,
        on_server: copy.role == CopyRole::Primary,
        lies: match (&copy.placement, profile) {
            (Some(placement), None) if copy.role == CopyRole::Primary => lies::server(known.registry(), &placement.place, now),
            // Which facts count is a profile's to say.
            (None, _) | (Some(_), None) => Lies::default(),
            (Some(placement), Some(profile)) => lies::copy(known.registry(), profile, placement, now),
        },
    });
    copies.collect()
}
