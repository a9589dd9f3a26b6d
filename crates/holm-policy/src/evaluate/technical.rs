//! Technical minima: isolation, encryption, recovery, residue, keys, and a plan that has the region.

use crate::copy::{CopyRole, ServiceKind};
use crate::evaluate::Bench;
use crate::evaluate::control::holds_keys;
use crate::evaluate::evidence::{Inquiry, conclude};
use crate::evaluate::verdict::{Finding, RuleId};
use crate::id::PlanId;
use crate::profile::Kind;
use crate::registry::service::{Pitr, PostgresFacts, Service};

pub(super) fn all(bench: &Bench<'_>) -> Vec<Finding> {
    let wanted = &bench.profile.technical;
    let role = bench.placement.role;
    let mut findings = Vec::new();
    if let Some(least) = wanted.isolation.filter(|_| role.kept_by() == ServiceKind::Postgres) {
        let has = bench.placement.isolation;
        let mut inquiry = Inquiry::default();
        if has < least {
            inquiry.object(format!("`{has}` is weaker than `{least}`"));
        }
        findings.push(conclude(RuleId::TechnicalIsolation, inquiry, || format!("`{has}` is at least `{least}`")));
    }
    if wanted.encryption_at_rest {
        findings.push(conclude(RuleId::TechnicalEncryption, encryption(bench), || "it is encrypted where it lies".to_owned()));
    }
    let days = wanted.pitr_days_min.get(&Kind(bench.placement.environment)).filter(|days| **days > 0 && role == CopyRole::Primary);
    if let Some(days) = days {
        findings.push(conclude(RuleId::TechnicalPitr, pitr(bench, *days), || format!("recovery reaches back {days} days or more")));
    }
    if let Some(days) = wanted.residue_days_max {
        findings
            .push(conclude(RuleId::TechnicalResidue, residue(bench, days), || format!("gone {days} days after deletion at the latest")));
    }
    if let Some(holders) = wanted.key_holder.get(&role) {
        let holder = bench.placement.key_holder;
        let mut inquiry = Inquiry::default();
        if !holders.contains(&holder) {
            let accepted: Vec<&str> = holders.iter().map(|holder| holder.as_str()).collect();
            inquiry.object(format!("the keys are with `{holder}`, not with {}", accepted.join(" or ")));
        } else if !bench.is_sealed_before_it_is_sent() {
            holds_keys(bench, &mut inquiry);
        }
        findings.push(conclude(RuleId::TechnicalKeyHolder, inquiry, || format!("the keys are with `{holder}`")));
    }
    if wanted.plan {
        findings.push(conclude(RuleId::TechnicalPlan, plan(bench), || "the plan that is used has the region".to_owned()));
    }
    findings
}

fn service<'a>(bench: &Bench<'a>, inquiry: &mut Inquiry) -> Option<&'a Service> {
    let kind = bench.kind();
    let service = bench.provider.services.get(&kind);
    if service.is_none() {
        inquiry.doubt(format!("the registry says nothing of `{kind}` at `{}`", bench.provider.id));
    }
    service
}

fn encryption(bench: &Bench<'_>) -> Inquiry {
    let mut inquiry = Inquiry::default();
    if bench.is_sealed_before_it_is_sent() {
        return inquiry;
    }
    if let Some(service) = service(bench, &mut inquiry)
        && inquiry.ask(bench, &service.encryption_at_rest) == Some(&false)
    {
        inquiry.object("it is not encrypted where it lies");
    }
    inquiry
}

fn pitr(bench: &Bench<'_>, least: u32) -> Inquiry {
    let mut inquiry = Inquiry::default();
    let Some(postgres) = service(bench, &mut inquiry).and_then(|service| service.postgres.as_ref()) else { return inquiry };
    match inquiry.ask(bench, &postgres.pitr) {
        Some(Pitr::None) => inquiry.object("there is no point-in-time recovery"),
        Some(Pitr::OnRequest) => inquiry.object("point-in-time recovery is only on request"),
        Some(Pitr::Yes) | None => {}
    }
    if let Some(days) = pitr_days(bench, postgres, &mut inquiry).filter(|days| *days < least) {
        inquiry.object(format!("recovery reaches back {days} days, {least} are wanted"));
    }
    inquiry
}

fn pitr_days(bench: &Bench<'_>, postgres: &PostgresFacts, inquiry: &mut Inquiry) -> Option<u32> {
    let Some(id) = &bench.placement.plan else { return inquiry.ask(bench, &postgres.pitr_days).copied() };
    match postgres.plans.get(id) {
        Some(plan) => inquiry.ask(bench, &plan.pitr_days).copied(),
        // Nobody tells plans apart there: what holds on every plan holds on this one.
        None if postgres.plans.is_empty() => inquiry.ask(bench, &postgres.pitr_days).copied(),
        None => {
            inquiry.doubt(format!("the registry knows no plan `{id}` of `{}`", bench.provider.id));
            None
        }
    }
}

/// A region that a plan does not have cannot be where the copy is, whoever says so; and where one has to be on a plan, somebody has
/// to have said on which one is.
fn plan(bench: &Bench<'_>) -> Inquiry {
    let mut inquiry = Inquiry::default();
    let Some(needed) = inquiry.ask(bench, &bench.region.plans).filter(|needed| !needed.is_empty()) else { return inquiry };
    let names: Vec<&str> = needed.iter().map(PlanId::as_str).collect();
    let had = format!("`{}/{}` is had on plan {}", bench.provider.id, bench.region.id, names.join(" or "));
    match &bench.placement.plan {
        None => inquiry.doubt(format!("{had}, and nobody said on which plan it is")),
        Some(plan) if !needed.contains(plan) => inquiry.object(format!("{had}, not on `{plan}`")),
        Some(_) => {}
    }
    inquiry
}

fn residue(bench: &Bench<'_>, most: u32) -> Inquiry {
    let mut inquiry = Inquiry::default();
    // To the provider, a backup that Holm makes is a file.
    let role = if bench.is_made_by_holm() { CopyRole::Bucket } else { bench.placement.role };
    if let Some(service) = service(bench, &mut inquiry)
        && let Some(residue) = inquiry.ask(bench, &service.residue_days)
    {
        match residue.0.get(&role) {
            None => inquiry.doubt(format!("it is not known how long a deleted `{role}` stays")),
            Some(days) if *days > most => inquiry.object(format!("a deleted `{role}` stays up to {days} days, {most} are allowed")),
            Some(_) => {}
        }
    }
    inquiry
}
