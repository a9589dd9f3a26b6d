//! Whether copies are where their profiles allow them, and for how long that is known.
//!
//! Promises: what nobody judges is said too: a tenant without a profile where others have one, a cluster of which nobody said where
//! it is, a copy that was seen and that nobody registered, a tenant that waits and may go nowhere.

use std::collections::BTreeSet;

use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::placement::{Allows, Placement};
use holm_store::cluster;
use holm_store::residency::{assigned, standing};
use jiff::{SignedDuration, Timestamp};

use super::{Finding, names};
use crate::control::Control;
use crate::residency::known::Known;
use crate::tenant::waiting;

/// Long enough to look something up again.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is to be said; little where no profile is in force.
pub(super) async fn examine(control: &Control) -> Vec<Finding> {
    match look(control).await {
        Ok(findings) => findings,
        Err(problem) => {
            // Who waits until it is put right is told of in any case.
            let waits = waits_in_vain(control).await.ok().flatten();
            std::iter::once(Finding::of("residency", &problem)).chain(waits).collect()
        }
    }
}

async fn look(control: &Control) -> Result<Vec<Finding>, Problem> {
    let (known, now) = Known::now(control).await?;
    let mut findings = certificates(control, now);
    if known.profiles().next().is_none() {
        findings.push(Finding::good("residency", "no profile is in force, so that nothing is judged"));
        return Ok(findings);
    }
    let held = assigned::held(control.catalog()).await?;
    let standings = standing::all(control.catalog()).await?;
    let wrong: Vec<_> = standings.iter().filter(|(standing, _)| standing.outcome != "allow").collect();
    let whose: BTreeSet<_> = wrong.iter().map(|(standing, _)| standing.tenant).collect();
    findings.push(if wrong.is_empty() {
        Finding::good("residency", format!("{} copies satisfy the profiles of their tenants", standings.len()))
    } else {
        let named = held.iter().filter(|held| whose.contains(&held.tenant)).map(|held| format!("{} in {}", held.slug, held.environment));
        let text = format!("{} copies do not satisfy the profiles of their tenants: {}", wrong.len(), names(named));
        Finding::bad("residency", text, "see which rules and why: `holm residency explain <tenant> --env <environment>`")
    });
    findings.extend(ends_soon(&standings, now));
    findings.extend(waits_in_vain(control).await?);
    let with: BTreeSet<&EnvironmentName> = held.iter().filter(|held| held.profile.is_some()).map(|held| &held.environment).collect();
    let without = held.iter().filter(|held| held.profile.is_none() && with.contains(&held.environment));
    let without: Vec<String> = without.map(|held| format!("{} in {}", held.slug, held.environment)).collect();
    if !without.is_empty() {
        let text = format!("nobody judges where the data of {} tenants is: {}", without.len(), names(without.into_iter()));
        findings.push(Finding::warning("residency: profiles", text, "give them one: `holm tenant set-profile`"));
    }
    let clusters = cluster::list(control.catalog()).await?;
    let nowhere: Vec<String> = clusters
        .iter()
        .filter(|cluster| with.contains(&cluster.environment))
        .flat_map(|cluster| {
            let itself = cluster.placed.is_none().then(|| cluster.name.to_string());
            let copies = cluster.copies.iter().filter(|copy| copy.placed.is_none());
            itself.into_iter().chain(copies.map(|copy| format!("{} of {}", copy.seen.name, cluster.name)))
        })
        .collect();
    if !nowhere.is_empty() {
        let text = format!("nobody said where these are: {}", names(nowhere.into_iter()));
        findings.push(Finding::warning("residency: places", text, "say so: `holm cluster set-place`"));
    }
    Ok(findings)
}

/// What the data plane is told that is less than all, or that should have been said anew.
fn certificates(control: &Control, now: Timestamp) -> Vec<Finding> {
    let table = control.publisher().table();
    let named = |is: &dyn Fn(&Placement) -> bool| {
        let found = table.routes().filter(|route| is(&route.placement));
        let mut found: Vec<String> = found.map(|route| format!("{} in {}", route.slug, route.environment)).collect();
        found.sort();
        found
    };
    let less = named(&|placement| placement.allows() != Some(Allows::All));
    let late = named(&|placement| matches!(placement, Placement::Certified(certificate) if certificate.claims.expires_at < now));
    let by_address = named(&|placement| matches!(placement, Placement::Certified(certificate) if certificate.claims.server.is_none()));
    let mut findings = Vec::new();
    if !less.is_empty() {
        let text =
            format!("{} tenants may not be used, or not for all, where their databases are: {}", less.len(), names(less.into_iter()));
        findings.push(Finding::bad("residency: certificates", text, "see why: `holm residency explain <tenant> --env <environment>`"));
    }
    if !late.is_empty() {
        let text = format!("the placement certificates of {} tenants were not renewed in time: {}", late.len(), names(late.into_iter()));
        let next = "four days after their time they are good no more: see in the log of the control plane why copies are not judged";
        findings.push(Finding::bad("residency: certificates", text, next));
    }
    if !by_address.is_empty() {
        let text = format!("the servers of {} tenants do not tell which they are: {}", by_address.len(), names(by_address.into_iter()));
        let next = "they are known by address alone: reach them with `--sslmode verify-full`, so that it is theirs";
        findings.push(Finding::warning("residency: certificates", text, next));
    }
    findings
}

/// Who waits for a database, and no cluster may have it.
async fn waits_in_vain(control: &Control) -> Result<Option<Finding>, Problem> {
    let barred = waiting::barred(control).await?;
    if barred.is_empty() {
        return Ok(None);
    }
    let named = barred.iter().map(|barred| format!("{} in {}", barred.tenant.slug, barred.tenant.environment));
    let text = format!("{} tenants wait for a database, and no cluster may have it: {}", barred.len(), names(named));
    Ok(Some(Finding::bad("residency: waiting", text, "see why: `holm tenant show <tenant> --env <environment>`")))
}

/// What allows something now and will not in a month, if nobody looks it up again.
fn ends_soon(standings: &[(standing::Standing, Option<Timestamp>)], now: Timestamp) -> Option<Finding> {
    let soon = now.saturating_add(SOON).unwrap_or(Timestamp::MAX);
    let ends = standings.iter().filter(|(standing, _)| standing.outcome == "allow").filter_map(|(standing, _)| standing.valid_until);
    let first = ends.clone().min().filter(|first| *first <= soon)?;
    let text = format!("what {} copies rest on is known until {first} at the longest", ends.filter(|end| *end <= soon).count());
    Some(Finding::warning(
        "residency: facts",
        text,
        "look it up again before: `holm residency explain` names each fact, the first to end first",
    ))
}
