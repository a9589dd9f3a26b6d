//! Judges every copy anew when something changed, or when the time of the last verdicts is over, and tells what is different.
//!
//! Promises: what no longer satisfies its profile is in the audit log, and so told to whoever listens, once: with the copy and
//! the rules. It can be dropped anywhere, and another process goes on.

use std::collections::{BTreeMap, HashMap};

use holm_core::actor::{Actor, SystemActor};
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::id::{ClusterId, TenantId};
use holm_store::audit::record;
use holm_store::cluster::{self, Cluster};
use holm_store::residency;
use holm_store::residency::assigned::{self, Held};
use holm_store::residency::standing::{self, Standing};
use jiff::{SignedDuration, Timestamp};

use super::choose::standings;
use super::copies::{self, Whose};
use super::known::Known;
use crate::control::Control;

/// Everything is judged once in this time, whatever else happens.
const AT_LEAST_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// So many changes are written at once.
const BATCH: usize = 200;

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
    if !residency::is_due(control.catalog()).await? {
        return Ok(());
    }
    let mut alone = control.catalog().transaction().await?;
    if residency::judging(&mut alone).await? {
        // What changes meanwhile is of another epoch, and due again.
        while residency::is_due(control.catalog()).await? {
            all(&control).await?;
        }
    }
    // It may have been ended for its idleness; then somebody else may have found the same, and wrote it.
    drop(alone);
    Ok(())
}

/// Judges at once, since something that it rests on was changed here. What comes of it, the next look finds too.
pub(crate) fn soon(control: &Control) {
    let judging = control.clone();
    control.tasks().spawn("judge copies", async move {
        if let Err(problem) = judge(judging).await {
            tracing::warn!(code = %problem.code, why = problem.why, "copies were not judged at once: {}", problem.what);
        }
    });
}

async fn all(control: &Control) -> Result<(), Problem> {
    let (known, now) = Known::now(control).await?;
    let clusters: HashMap<ClusterId, Cluster> =
        cluster::list(control.catalog()).await?.into_iter().map(|cluster| (cluster.id, cluster)).collect();
    // In this order: a tenant that is made between the two is judged once more, and not forgotten.
    let before = standing::all(control.catalog()).await?;
    let held = assigned::held(control.catalog()).await?;
    let epoch = known.epoch();
    let (news, until) =
        tokio::task::spawn_blocking(move || compare(&known, &clusters, &held, before, now)).await.expect("judging does not panic");
    for batch in news.chunks(BATCH) {
        let mut tx = control.catalog().transaction().await?;
        for one in batch {
            match &one.standing {
                Some(standing) => standing::set(&mut tx, standing).await?,
                None => standing::forget(&mut tx, one.tenant, &one.copy).await?,
            }
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
fn compare(
    known: &Known,
    clusters: &HashMap<ClusterId, Cluster>,
    held: &[Held],
    before: Vec<(Standing, Timestamp)>,
    now: Timestamp,
) -> (Vec<News>, Timestamp) {
    let mut until = now.saturating_add(AT_LEAST_EVERY).unwrap_or(Timestamp::MAX);
    let mut before: BTreeMap<(TenantId, String), Standing> =
        before.into_iter().map(|(standing, _)| ((standing.tenant, standing.copy.clone()), standing)).collect();
    let mut news = Vec::new();
    for held in held {
        let Some((profile, cluster)) = held.profile.as_ref().and_then(|name| known.profile(name).ok()).zip(clusters.get(&held.cluster))
        else {
            continue;
        };
        let whose = Whose { environment: &held.environment, kind: held.kind, tenant: Some(held.tenant) };
        for standing in standings(held.tenant, &copies::on(known, profile, whose, cluster, now)) {
            until = until.min(standing.valid_until.unwrap_or(until));
            let last = before.remove(&(held.tenant, standing.copy.clone()));
            if last.as_ref() != Some(&standing) {
                let (copy, tells) = (standing.copy.clone(), action(last.as_ref(), &standing));
                news.push(News { environment: Some(held.environment.clone()), tenant: held.tenant, standing: Some(standing), copy, tells });
            }
        }
    }
    let environments: HashMap<TenantId, &EnvironmentName> = held.iter().map(|held| (held.tenant, &held.environment)).collect();
    for ((tenant, copy), last) in before {
        // Of a tenant that is gone nobody is told: that was told when it went.
        let tells = environments.get(&tenant).filter(|_| last.outcome != "allow").map(|_| AuditAction::ResidencySettle);
        let environment = environments.get(&tenant).map(|name| (*name).clone());
        news.push(News { environment, tenant, standing: None, copy, tells });
    }
    (news, until)
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
