//! Copies that were seen on a cluster, and where somebody says that they are.
//!
//! Promises: one that nobody registered is a copy of every tenant there, of which it cannot be said where it is; so it blocks, and
//! is told. Refuses to guess a place from an address.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::cluster::ClusterName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::ClusterId;
use holm_store::audit::record;
use holm_store::cluster::Cluster;
use holm_store::residency;
use holm_store::residency::observed::{self, Seen};

use super::known::Known;
use super::placed::{self, Claim};
use super::watch;
use crate::control::Control;

/// Notes what a look saw; if that is news, everything there is judged anew.
pub(crate) async fn note(control: &Control, cluster: ClusterId, seen: &[Seen]) -> Result<(), Problem> {
    let mut tx = control.catalog().transaction().await?;
    if !observed::is_news(&mut tx, cluster, seen).await? {
        observed::looked(&mut tx, cluster).await?;
        tx.commit().await?;
        return Ok(());
    }
    residency::alone(&mut tx).await?;
    residency::advance(&mut tx).await?;
    observed::note(&mut tx, cluster, seen).await?;
    tx.commit().await?;
    watch::soon(control);
    Ok(())
}

/// Says where a copy is that was seen on a cluster: `standby/name`, `slot/name`, `archive/name`.
///
/// # Errors
/// No such cluster, nothing of that name was ever seen there, no such place; nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn set_place(control: &Control, by: &Actor, name: &ClusterName, copy: &str, claim: Claim) -> Result<Cluster, Problem> {
    let act = act(control.clone(), by.clone(), name.clone(), copy.to_owned(), claim);
    control.tasks().finish("say where a copy is", act).await
}

async fn act(control: Control, by: Actor, name: ClusterName, copy: String, claim: Claim) -> Result<Cluster, Problem> {
    let cluster = crate::cluster::named(&control, &name).await?;
    let mut tx = control.catalog().transaction().await?;
    let (known, _) = Known::alone(&control, &mut tx).await?;
    let place = claim.place(known.registry())?;
    residency::advance(&mut tx).await?;
    let which = copy.split_once('/').filter(|_| !copy.contains(char::is_control)).unwrap_or(("", ""));
    if !observed::place(&mut tx, cluster.id, which, &claim.claimed()).await? {
        return Err(never_seen(&cluster, &copy));
    }
    let entry = NewEntry::new(&by, AuditAction::ClusterPlace, Some(&cluster.environment), Subject::Cluster(cluster.id));
    record(
        &mut tx,
        entry.with(Detail::Judged { what: format!("{} {}", which.0, placed::written(&place, claim.plan.as_deref())), before: None }),
    );
    tx.commit().await?;
    watch::soon(&control);
    crate::cluster::named(&control, &name).await
}

fn never_seen(cluster: &Cluster, copy: &str) -> Problem {
    let there: Vec<String> = cluster.copies.iter().map(|copy| format!("`{}/{}`", copy.seen.kind, copy.seen.name)).collect();
    let problem =
        Problem::new(ErrorCode::InvalidValue, format!("no copy `{}` was seen on cluster `{}`", copy.escape_debug(), cluster.name));
    if there.is_empty() {
        problem.because("none was seen there").next("have it looked at again: `holm doctor`")
    } else {
        problem.next(format!("these were: {}", there.join(", ")))
    }
}
