//! Judges every copy anew when something changed, or when the time of the last verdicts is over, and tells what is different.
//!
//! Promises: what no longer satisfies its profile is in the audit log, and so told to whoever listens, once: with the copy and
//! the rules; what may be done with a tenant's database follows from it, and goes to the data plane before anything else. It can be
//! dropped anywhere, and another process goes on.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use holm_core::actor::{Actor, SystemActor};
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::id::{ClusterId, TenantId};
use holm_core::placement::Allows;
use holm_store::audit::record;
use holm_store::cluster::{self, Cluster};
use holm_store::residency;
use holm_store::residency::assigned::{self, Held};
use holm_store::residency::certificate::{self as said, Last, Saying};
use holm_store::residency::standing::{self, Standing};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use super::certificate;
use super::choose::standings;
use super::copies::{self, Whose};
use super::known::Known;
use crate::control::Control;
use crate::reconcile::backoff::jittered;

/// Everything is judged once in this time, whatever else happens.
const AT_LEAST_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// While another process judges.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// So many changes are written at once: few enough that nobody who waits for a tenant's row, or for the end of the audit log,
/// notices.
const BATCH: usize = 500;

/// What was noted last.
struct Before {
    /// With since when they are denied, whatever was not known between.
    standings: Vec<(Standing, Option<Timestamp>)>,
    said: HashMap<TenantId, Last>,
}

/// What is different from what was noted last.
struct Found {
    news: Vec<News>,
    /// Whoever may do less first.
    sayings: Vec<(Option<EnvironmentName>, Saying)>,
    /// When it is all to be judged again.
    until: Timestamp,
}

/// A change of what a copy comes to.
struct News {
    /// `None`: the tenant is gone too.
    environment: Option<EnvironmentName>,
    tenant: TenantId,
    /// `None`: it is no more.
    standing: Option<Standing>,
    copy: String,
    tells: Option<AuditAction>,
}

/// Judges, if that is due and nobody else does.
///
/// # Errors
/// The catalog does not answer, or what is in force cannot be understood; what was found before is kept.
///
/// # Cancel safety
/// Safe: what was not written is found again.
pub async fn judge(control: Control) -> Result<(), Problem> {
    let due = residency::is_due(control.catalog()).await?;
    if due.copies {
        judge_then_renew(&control).await
    } else if due.certificates {
        certificate::renew(&control).await
    } else {
        Ok(())
    }
}

/// Judges for as long as that is due. While another process does, it is asked again: that one may be on its way out, or die, and what
/// changed since it last looked would wait for the schedule.
async fn judge_alone(control: &Control) -> Result<(), Problem> {
    let _turn = control.turn_to_judge().await;
    while residency::copies_are_due(control.catalog()).await? {
        let mut alone = control.catalog().transaction().await?;
        let is_alone = residency::judging(&mut alone).await?;
        // What changes meanwhile is of another epoch, and due again.
        while is_alone && residency::copies_are_due(control.catalog()).await? {
            all(control).await?;
        }
        // It may have been ended for its idleness; then somebody else may have found the same, and wrote it.
        let _ = alone.rollback().await;
        if !is_alone {
            sleep(jittered(LOOK_AGAIN)).await;
        }
    }
    Ok(())
}

/// Judges at once, since something that it rests on was changed here. What comes of it, the next look finds too.
pub(crate) fn soon(control: &Control) {
    let judging = control.clone();
    control.tasks().spawn("judge copies", async move {
        if let Err(problem) = judge_then_renew(&judging).await {
            tracing::warn!(code = %problem.code, why = problem.why, "copies were not judged at once: {}", problem.what);
        }
    });
}

/// Those that were judged anew may be made up for, and whatever comes of it, tenants that nobody judges go on.
async fn judge_then_renew(control: &Control) -> Result<(), Problem> {
    let judged = judge_alone(control).await;
    certificate::renew(control).await?;
    judged
}

async fn all(control: &Control) -> Result<(), Problem> {
    let (known, now) = Known::now(control).await?;
    let catalog = control.catalog();
    let (standings, said, clusters) = tokio::try_join!(standing::all(catalog), said::all(catalog), cluster::list(catalog))?;
    let clusters: HashMap<ClusterId, Cluster> = clusters.into_iter().map(|cluster| (cluster.id, cluster)).collect();
    // After what was noted: a tenant that is made between the two is judged once more, and not forgotten.
    let held = assigned::held(catalog).await?;
    let before = Before { standings, said: said.into_iter().collect() };
    let (epoch, registry) = (known.epoch(), certificate::hash(known.registry().hash().as_str()));
    let Found { news, sayings, until } =
        tokio::task::spawn_blocking(move || compare(&known, &clusters, &held, &before, now)).await.expect("judging does not panic");
    let mut tx = control.catalog().transaction().await?;
    said::known_by(&mut tx, &registry).await?;
    tx.commit().await?;
    for batch in sayings.chunks(BATCH) {
        let mut tx = control.catalog().transaction().await?;
        // Held until this is committed: what somebody judged by a later state is not said over.
        if residency::share(&mut tx).await?.0 != epoch {
            return Ok(());
        }
        let there = said::say(&mut tx, &batch.iter().map(|(_, saying)| *saying).collect::<Vec<_>>()).await?;
        for (environment, saying) in batch.iter().filter(|(_, saying)| there.contains(&saying.tenant)) {
            tell_saying(&mut tx, environment.as_ref(), saying);
        }
        tx.commit().await?;
    }
    for batch in news.chunks(BATCH) {
        let mut tx = control.catalog().transaction().await?;
        let gone = |is_held: bool| -> Vec<(TenantId, &str)> {
            let those = batch.iter().filter(|one| one.standing.is_none() && one.environment.is_some() == is_held);
            those.map(|one| (one.tenant, one.copy.as_str())).collect()
        };
        // One that waited when it was looked at may have been given a database since, and with it what its copies come to.
        standing::forget_unheld(&mut tx, &gone(false)).await?;
        let found: Vec<Standing> = batch.iter().filter_map(|one| one.standing.clone()).collect();
        standing::set(&mut tx, &found).await?;
        standing::forget(&mut tx, &gone(true)).await?;
        for one in batch {
            tell(&mut tx, one);
        }
        tx.commit().await?;
    }
    let mut tx = control.catalog().transaction().await?;
    residency::judged(&mut tx, epoch, until).await?;
    tx.commit().await?;
    Ok(())
}

/// What is different from what was noted last, and when it is all to be judged again.
fn compare(known: &Known, clusters: &HashMap<ClusterId, Cluster>, held: &[Held], noted: &Before, now: Timestamp) -> Found {
    let said = &noted.said;
    let mut until = now.saturating_add(AT_LEAST_EVERY).unwrap_or(Timestamp::MAX);
    let registry = certificate::hash(known.registry().hash().as_str());
    let mut before: BTreeMap<(TenantId, String), (&Standing, Option<Timestamp>)> =
        noted.standings.iter().map(|(standing, denied)| ((standing.tenant, standing.copy.clone()), (standing, *denied))).collect();
    let (mut news, mut sayings) = (Vec::new(), Vec::new());
    let mut alike: HashMap<(&String, ClusterId), Vec<Standing>> = HashMap::new();
    for held in held {
        let mut saying = Saying { tenant: held.tenant, cluster: held.cluster, judged_by: None, allows: Some(Allows::All), outruns: false };
        let Some(name) = &held.profile else {
            sayings.extend(differs(said, saying).map(|told| (told.then(|| held.environment.clone()), Saying { outruns: told, ..saying })));
            continue;
        };
        let Some((profile, cluster)) = known.profile(name).ok().zip(clusters.get(&held.cluster)) else {
            continue;
        };
        saying.judged_by = Some((certificate::hash(profile.hash().as_str()), registry));
        let whose = Whose { environment: &held.environment, kind: held.kind, tenant: Some(held.tenant) };
        let judge = |whose| standings(held.tenant, &copies::on(known, profile, whose, cluster, now));
        // Tenants of one profile on one cluster have the same copies, and differ by their exceptions alone.
        let found = if known.has_exceptions(held.tenant) {
            judge(whose)
        } else {
            let same = alike.entry((name, held.cluster)).or_insert_with(|| judge(Whose { tenant: None, ..whose }));
            same.iter().map(|standing| Standing { tenant: held.tenant, ..standing.clone() }).collect()
        };
        for standing in found {
            until = until.min(standing.valid_until.unwrap_or(until));
            let (last, denied) = before.remove(&(held.tenant, standing.copy.clone())).unzip();
            match standing.outcome.as_str() {
                "deny" => {
                    let (allows, less_at) = certificate::left(profile, denied.flatten().unwrap_or(now), now);
                    saying.allows = both(saying.allows, allows);
                    until = until.min(less_at.unwrap_or(until));
                }
                // What was taken away is not given back because nobody can say any more.
                "unknown" => {
                    let had = said.get(&held.tenant).filter(|had| had.cluster == held.cluster);
                    saying.allows = both(saying.allows, had.map_or(saying.allows, |had| had.allows));
                }
                _ => {}
            }
            if last != Some(&standing) {
                let (copy, tells) = (standing.copy.clone(), action(last, &standing));
                news.push(News { environment: Some(held.environment.clone()), tenant: held.tenant, standing: Some(standing), copy, tells });
            }
        }
        sayings.extend(differs(said, saying).map(|told| (told.then(|| held.environment.clone()), Saying { outruns: told, ..saying })));
    }
    sayings.sort_by_key(|(_, saying)| (std::cmp::Reverse(width(saying.allows)), saying.tenant));
    let environments: HashMap<TenantId, &EnvironmentName> = held.iter().map(|held| (held.tenant, &held.environment)).collect();
    for ((tenant, copy), (last, _)) in before {
        // Of a tenant that is gone nobody is told: that was told when it went.
        let tells = environments.get(&tenant).filter(|_| last.outcome != "allow").map(|_| AuditAction::ResidencySettle);
        let environment = environments.get(&tenant).map(|name| (*name).clone());
        news.push(News { environment, tenant, standing: None, copy, tells });
    }
    Found { news, sayings, until }
}

/// Whether something else is to be said than was; and whether people are told, since other things are allowed.
fn differs(said: &HashMap<TenantId, Last>, now: Saying) -> Option<bool> {
    let profile = now.judged_by.map(|by| by.0);
    match said.get(&now.tenant) {
        // What is not said yet is said when it serves, unless it is not all.
        None => (now.allows != Some(Allows::All)).then_some(true),
        Some(last) if last.allows != now.allows => Some(true),
        Some(last) => (last.profile != profile || last.cluster != now.cluster || !last.same_server).then_some(false),
    }
}

/// Larger is less.
fn width(allows: Option<Allows>) -> usize {
    Allows::ALL.iter().position(|one| allows == Some(*one)).unwrap_or(Allows::ALL.len())
}

/// What is left by one copy and by another.
fn both(one: Option<Allows>, other: Option<Allows>) -> Option<Allows> {
    Some(one?.and(other?))
}

fn tell_saying(tx: &mut holm_store::tx::Tx, environment: Option<&EnvironmentName>, saying: &Saying) {
    let Some(environment) = environment else { return };
    let allows = saying.allows.map_or("nothing", Allows::as_str).to_owned();
    let actor = Actor::system(SystemActor::Reconciler);
    let entry = NewEntry::new(&actor, AuditAction::ResidencyEnforce, Some(environment), Subject::Tenant(saying.tenant));
    record(tx, entry.with(Detail::Placement { allows }));
}

/// What is told of a copy that was judged anew.
fn action(last: Option<&Standing>, now: &Standing) -> Option<AuditAction> {
    let was = last.map_or("allow", |last| last.outcome.as_str());
    match (was, now.outcome.as_str()) {
        ("allow", "allow") => None,
        (_, "allow") => Some(AuditAction::ResidencySettle),
        (was, is) if was == is => None,
        _ => Some(AuditAction::ResidencyBreach),
    }
}

fn tell(tx: &mut holm_store::tx::Tx, news: &News) {
    let Some(action) = news.tells else { return };
    let (outcome, rules) = match &news.standing {
        Some(standing) => (standing.outcome.clone(), rules(standing)),
        None => ("gone".to_owned(), Vec::new()),
    };
    let detail = Detail::Standing { copy: news.copy.clone(), outcome, rules };
    let entry = NewEntry::new(&Actor::system(SystemActor::Reconciler), action, news.environment.as_ref(), Subject::Tenant(news.tenant));
    record(tx, entry.with(detail));
}

fn rules(standing: &Standing) -> Vec<String> {
    let all = standing.objections.as_array().into_iter().flatten();
    all.filter_map(|objection| objection.get("rule").and_then(|rule| rule.as_str()).map(ToOwned::to_owned)).collect()
}
