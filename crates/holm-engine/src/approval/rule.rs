//! Operations that an environment has done only with an approval: demanded by a setting, used up by the act.
//!
//! Promises: nothing is demanded where nobody said so; demanding is one person's word, and no longer demanding needs the
//! agreement of another, or it would bind nobody. What a clock does asks nobody: it was agreed to when its time was set.

use holm_core::actor::Actor;
use holm_core::approval::ApprovalKind;
use holm_core::approval::guarded::{ApprovalContent, Guarded};
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::id::OperationId;
use holm_store::approval::rule;
use holm_store::audit::record;
use holm_store::environment::Environment;
use holm_store::tx::Tx;

use super::{Wanted, spend};
use crate::control::Control;
use crate::environment;

/// The kind of approval that ends a demand.
const WAIVE: &str = "approval.waive";

/// Demands approvals for an operation in an environment from now on, which is shown as it is then.
///
/// # Errors
/// No such environment; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn demand(control: &Control, by: &Actor, name: &EnvironmentName, operation: Guarded) -> Result<Environment, Problem> {
    let here = environment::show(control, name).await?;
    let (catalog, by) = (control.catalog().clone(), by.clone());
    let act = async move {
        let mut tx = catalog.transaction().await?;
        if rule::set(&mut tx, here.id, operation).await? {
            record(&mut tx, entry(&by, AuditAction::ApprovalDemand, &here, operation));
        }
        tx.commit().await?;
        Ok::<_, Problem>(())
    };
    control.tasks().finish("demand approvals", act).await?;
    environment::show(control, name).await
}

/// Demands none any more, if somebody else agrees.
///
/// # Errors
/// No such environment; [`ApprovalMissing`](holm_core::error::ErrorCode::ApprovalMissing) and its kin; the catalog does not
/// answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn waive(control: &Control, by: &Actor, name: &EnvironmentName, operation: Guarded) -> Result<Environment, Problem> {
    let here = environment::show(control, name).await?;
    let (catalog, by) = (control.catalog().clone(), by.clone());
    let act = async move {
        let mut tx = catalog.transaction().await?;
        if rule::unset(&mut tx, here.id, operation).await? {
            let content = words(&format!("demand no approvals for {operation} of {} any more", here.name));
            let kind: ApprovalKind = WAIVE.parse().expect("a constant of letters and a dot");
            let wanted = Wanted { kind: &kind, environment: Some(&here.name), content: &content, operation: None };
            spend(&mut tx, &by, &wanted).await?;
            record(&mut tx, entry(&by, AuditAction::ApprovalWaive, &here, operation));
        }
        tx.commit().await?;
        Ok::<_, Problem>(())
    };
    control.tasks().finish("waive approvals", act).await?;
    environment::show(control, name).await
}

/// An act that may be guarded.
pub(crate) struct Act<'a> {
    pub(crate) by: &'a Actor,
    pub(crate) environment: &'a EnvironmentName,
    /// What it is; the first names the approval, and a demand for any of them is one for it.
    pub(crate) is: &'a [Guarded],
    /// In the words that are approved.
    pub(crate) content: String,
    pub(crate) operation: OperationId,
}

/// Goes on if no approval is demanded, or uses up the one that there is. To be asked in the transaction of the act itself.
///
/// # Errors
/// As with [`spend`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub(crate) async fn heed(tx: &mut Tx, act: Act<'_>) -> Result<(), Problem> {
    if act.by.principal().is_none() || !rule::any(tx, act.environment, act.is).await? {
        return Ok(());
    }
    let (kind, content) = (act.is[0].kind(), words(&act.content));
    let wanted = Wanted { kind: &kind, environment: Some(act.environment), content: &content, operation: Some(act.operation) };
    spend(tx, act.by, &wanted).await.map(drop)
}

/// Names and ids have no quotes; what an operation is about has backticks around names, which a shell would run.
fn words(text: &str) -> ApprovalContent {
    text.replace('`', "").parse().expect("one line of names, ids and words between them")
}

fn entry(by: &Actor, action: AuditAction, here: &Environment, operation: Guarded) -> NewEntry {
    let detail = Detail::Demand { operation: operation.kind() };
    NewEntry::new(by, action, Some(&here.name), Subject::Environment(here.id)).with(detail)
}
