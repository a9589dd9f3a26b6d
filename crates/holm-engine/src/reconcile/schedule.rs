//! What a clock says: tenants that are past their end are deleted, names that were kept long enough are let go.
//!
//! Promises: done once, whichever of the control processes looks first; what fell due while none was running is done when
//! one is. Refuses a clock of its own: the catalog's decides. Takes no input: it looks, and acts on what it sees.

use std::time::Duration;

use holm_core::actor::{Actor, SystemActor};
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::error::{ErrorCode, Problem};
use holm_core::tenant::TenantState;
use holm_store::audit::record;
use holm_store::tenant::{self, Tenant, expiry, name};
use tokio::time::sleep;

use crate::control::Control;
use crate::pulse::{UNHEARD, heard};
use crate::tenant::delete;

/// Signals come in bunches, and what is due cannot always be done at once.
const GAP: Duration = Duration::from_secs(1);

/// At most so many in one pass; the next comes at once.
const BATCH: u32 = 100;

const SCHEDULE: Actor = Actor::system(SystemActor::Schedule);

/// What the audit log has as the reason.
const REASON: &str = "its time is over";

/// Does what falls due, for as long as the process lives.
pub(crate) async fn run(control: Control) {
    let (mut signal, mut looks) = (control.signal(), control.looks());
    loop {
        signal.borrow_and_update();
        let wait = match expiry::next(control.catalog()).await {
            Ok(Some(Duration::ZERO)) => {
                if let Err(problem) = pass(&control).await {
                    tracing::warn!(code = %problem.code, why = problem.why, "what fell due could not be done; tried again soon: {}", problem.what);
                }
                GAP
            }
            Ok(next) => next.unwrap_or(UNHEARD).min(UNHEARD),
            Err(error) => {
                tracing::debug!(%error, "the catalog cannot be asked what is due");
                GAP
            }
        };
        sleep(wait.min(GAP)).await;
        // A sooner end may have come in meanwhile; what another operation had in hand is still due.
        heard(&mut signal, &mut looks, wait.saturating_sub(GAP), |found| found.ends == Some(Duration::ZERO)).await;
    }
}

/// Does what is due now.
///
/// # Cancel safety
/// Safe: each tenant, and all names together, are one transaction.
pub(crate) async fn pass(control: &Control) -> Result<(), Problem> {
    let mut tx = control.catalog().transaction().await?;
    if !expiry::take_turn(&mut tx).await? {
        return Ok(());
    }
    let renamed = name::let_expired_go(&mut tx).await?;
    tx.commit().await?;
    if renamed > 0 {
        control.nudge();
    }
    for tenant in expiry::expired(control.catalog(), BATCH).await? {
        if let Err(problem) = end(control, &tenant).await {
            tracing::warn!(tenant.id = %tenant.id, code = %problem.code, why = problem.why, "a tenant is past its end and still there: {}", problem.what);
        }
    }
    Ok(())
}

async fn end(control: &Control, tenant: &Tenant) -> Result<(), Problem> {
    if tenant.state == TenantState::Creating {
        return give_up(control, tenant).await;
    }
    let reason = REASON.parse().expect("a constant on one line");
    match delete::at_once(control, SCHEDULE, tenant, reason).await {
        // Another process was faster, somebody has it in hand, or put its end off; either way it is looked at again.
        Err(problem) if matches!(problem.code, ErrorCode::OperationInProgress | ErrorCode::TenantState | ErrorCode::PreconditionFailed) => {
            Ok(())
        }
        other => other.map(drop),
    }
}

/// One that was never ready: there is nothing to close, and its database, if it has one, is removed with the condemned.
async fn give_up(control: &Control, tenant: &Tenant) -> Result<(), Problem> {
    let problem = Problem::new(ErrorCode::NoDatabaseInTime, format!("the time of tenant `{}` was over before it was ready", tenant.slug))
        .next("create it again with a longer `--ttl`");
    let mut tx = control.catalog().transaction().await?;
    let _ = tenant::fail(&mut tx, tenant.id, &problem).await?;
    let mut entry = NewEntry::new(&SCHEDULE, AuditAction::TenantDelete, Some(&tenant.environment), Subject::Tenant(tenant.id));
    entry.reason = Some(REASON.parse().expect("a constant on one line"));
    record(&mut tx, entry);
    tx.commit().await?;
    control.nudge();
    Ok(())
}
