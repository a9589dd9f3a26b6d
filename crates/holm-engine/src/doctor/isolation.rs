//! Whose database lets in a role that is not its own, and what shuts it out.
//!
//! Promises: each is named with its tenant, what the stranger may do there, and the statement that takes it back; a role of another
//! tenant is worse than one that is none of Holm's, which somebody may have meant. Beyond a few they are counted.

use std::collections::HashMap;

use holm_core::error::Problem;
use holm_store::cluster::Cluster;
use holm_store::tenant;

use super::{Finding, NAMES_SHOWN};
use crate::cluster::inventory::is_tenants;
use crate::cluster::strangers::{May, Stranger, Strangers};
use crate::control::Control;

/// A finding for each of the first few, roles of other tenants before all others, and one for the rest.
pub(super) async fn told(control: &Control, cluster: &Cluster, strangers: &Strangers) -> Result<Vec<Finding>, Problem> {
    if strangers.some.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = control.catalog().transaction().await?;
    let tenants = tenant::of_cluster(&mut tx, cluster.id).await?;
    tx.rollback().await?;
    let named = tenants.into_iter().filter_map(|tenant| {
        let name = tenant.database?.to_string();
        Some((name, format!("tenant `{}` in `{}`", tenant.slug, tenant.environment)))
    });
    let owners: HashMap<String, String> = named.collect();
    let mut some: Vec<&Stranger> = strangers.some.iter().collect();
    some.sort_by_key(|stranger| home(stranger).is_none());
    let check = format!("cluster {}: isolation", cluster.name);
    let mut findings: Vec<Finding> = some.iter().take(NAMES_SHOWN).map(|stranger| finding(&check, stranger, &owners)).collect();
    let rest = strangers.of_all.saturating_sub(findings.len() as u64);
    if rest > 0 {
        let text = format!("{rest} more grants let roles into databases that are not theirs");
        findings.push(Finding::bad(check, text, "take back those that are named, and look again"));
    }
    Ok(findings)
}

fn finding(check: &str, stranger: &Stranger, owners: &HashMap<String, String>) -> Finding {
    let whose = |database: &str| owners.get(database).cloned().unwrap_or_else(|| "nobody yet".to_owned());
    let Stranger { database, who, may, revoke } = stranger;
    let may = match may {
        May::Connect => format!("may connect to database `{database}`"),
        May::ActAs(role) => format!("may act as role `{role}` of database `{database}`"),
    };
    let text = |what: &str| format!("role `{who}`, {what}, {may} of {}", whose(database));
    match home(stranger) {
        Some(home) if home == *database => {
            Finding::bad(check, text("which is to have less there"), format!("take it back on the server: `{revoke}`"))
        }
        Some(home) => Finding::bad(check, text(&format!("which is of {}", whose(home))), format!("take it back on the server: `{revoke}`")),
        None => {
            let next = format!("if nobody meant that, take it back on the server: `{revoke}`");
            Finding::warning(check, text("which is none of Holm's"), next)
        }
    }
}

/// The database that a stranger is a role of, if it is one of Holm's making.
fn home(stranger: &Stranger) -> Option<&str> {
    let (database, level) = stranger.who.rsplit_once('_')?;
    (is_tenants(database) && matches!(level, "owner" | "rw" | "ro")).then_some(database)
}
