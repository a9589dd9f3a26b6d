//! How answers about many tenants or many places are shown.

use std::fmt::Display;

use holm_engine::residency::breach_scope::{Affected, Copy, Scope};
use holm_engine::residency::matrix::{Matrix, Otherwise, Row};
use holm_engine::residency::what_if::{self, Act, Changed, Unplaced, WhatIf, Why};
use holm_store::residency::affected::Elsewhere;

use crate::view::surveys::{
    AffectedCopyView, AffectedView, BreachScopeView, ChangeView, ElsewhereView, MatrixRowView, MatrixView, OtherwiseView, PlanStepView,
    RefusedView, RuleDifferenceView, SupposedView, UnplacedView, WhatIfView,
};

impl From<Matrix> for MatrixView {
    fn from(matrix: Matrix) -> Self {
        Self {
            judged_at: matrix.judged_at,
            registry_hash: matrix.registry_hash,
            environment: matrix.environment,
            rows: matrix.rows.into_iter().map(Into::into).collect(),
            notes: matrix.notes,
        }
    }
}

impl From<Row> for MatrixRowView {
    fn from(row: Row) -> Self {
        Self {
            profile: row.profile,
            profile_version: row.profile_version,
            place: row.place,
            countries: row.countries,
            outcome: row.outcome.to_string(),
            objection: row.objection.map(Into::into),
            otherwise: row.otherwise.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Otherwise> for OtherwiseView {
    fn from(one: Otherwise) -> Self {
        Self { cluster: one.cluster, outcome: one.outcome.to_string(), objection: one.objection.map(Into::into) }
    }
}

impl From<WhatIf> for WhatIfView {
    fn from(answer: WhatIf) -> Self {
        Self {
            judged_at: answer.judged_at,
            registry_hash: answer.registry_hash,
            supposed_hash: answer.supposed_hash,
            supposed: answer.supposed.into_iter().map(|(fact, is)| SupposedView { fact, is }).collect(),
            changes_count: number(answer.changes.len()),
            plan_count: number(answer.plan.len()),
            next: None,
            changes: answer.changes.into_iter().map(Into::into).collect(),
            unchanged: number(answer.unchanged),
            plan: answer.plan.into_iter().map(Into::into).collect(),
            without_profile: number(answer.without_profile),
            without_place: number(answer.without_place),
            unplaced: answer.unplaced.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Unplaced> for UnplacedView {
    fn from(Unplaced { environment, cluster, copy }: Unplaced) -> Self {
        Self { environment, cluster, copy }
    }
}

impl From<Changed> for ChangeView {
    fn from(Changed { environment, cluster, change }: Changed) -> Self {
        Self {
            environment,
            tenant: change.tenant,
            copy: change.copy.to_string(),
            cluster,
            place: change.place.to_string(),
            profile: change.profile.to_string(),
            before: change.before.to_string(),
            after: change.after.to_string(),
            differences: change
                .differences
                .into_iter()
                .map(|one| RuleDifferenceView {
                    rule: one.rule.to_string(),
                    before: one.before.to_string(),
                    after: one.after.to_string(),
                    because: one.because,
                    facts: texts(&one.facts),
                })
                .collect(),
        }
    }
}

impl From<what_if::Step> for PlanStepView {
    fn from(what_if::Step { environment, cluster, step }: what_if::Step) -> Self {
        let (to, or, refused) = match step.act {
            Act::Move { to, or } => (Some(to.label.to_string()), or.iter().map(|one| one.label.to_string()).collect(), Vec::new()),
            Act::NoPlace { refused } => {
                let refused =
                    refused.into_iter().map(|one| RefusedView { cluster: one.candidate.label.to_string(), because: why(&one.why) });
                (None, Vec::new(), refused.collect())
            }
        };
        let (copies, left) = (texts(&step.copies), texts(&step.left));
        Self { environment, tenant: step.tenant, copies, left, cluster, from: step.from.to_string(), to, or, refused }
    }
}

fn why(why: &Why) -> Vec<String> {
    match why {
        Why::OfEnvironment(kind) => vec![format!("it is of {kind}")],
        Why::Keeps(kind) => vec![format!("it keeps {kind}")],
        Why::Objections(objections) => {
            objections.iter().map(|(role, one)| format!("{} of the {role}: {}", one.rule, one.because)).collect()
        }
    }
}

impl From<Scope> for BreachScopeView {
    fn from(scope: Scope) -> Self {
        let copies = |on: bool| scope.tenants.iter().flat_map(|tenant| &tenant.copies).filter(|copy| copy.on_server == on).count();
        Self {
            as_of: scope.as_of,
            countries: scope.lies.countries,
            tenants_count: number(scope.tenants.len()),
            copies_on_server: number(copies(true)),
            copies_made_from_it: scope.unknown.is_none().then(|| number(copies(false))),
            databases_to_be_dropped: scope.condemned,
            known_since: scope.notify.map(|notify| notify.known_since),
            notify_by: scope.notify.map(|notify| notify.by),
            is_over: scope.notify.map(|notify| notify.is_over),
            not_known: scope.unknown,
            next: None,
            tenants: scope.tenants.into_iter().map(Into::into).collect(),
            elsewhere: scope.elsewhere.into_iter().map(Into::into).collect(),
            cluster: scope.cluster.name,
            environment: scope.cluster.environment,
            placed: scope.cluster.placed.map(Into::into),
        }
    }
}

impl From<Affected> for AffectedView {
    fn from(Affected { tenant, copies }: Affected) -> Self {
        Self {
            tenant: tenant.slug,
            state: tenant.state.to_string(),
            profile: tenant.profile,
            database: tenant.database.to_string(),
            created_at: tenant.created_at,
            copies: copies.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Copy> for AffectedCopyView {
    fn from(copy: Copy) -> Self {
        Self { role: copy.role.to_string(), on_server: copy.on_server, places: texts(&copy.lies.places), countries: copy.lies.countries }
    }
}

impl From<Elsewhere> for ElsewhereView {
    fn from(one: Elsewhere) -> Self {
        let Elsewhere { kind, name, place, first_seen_at, seen_at, gone_at } = one;
        Self { kind, name, place, first_seen_at, seen_at, gone_at }
    }
}

pub(super) fn texts(all: &[impl Display]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
