//! Principals: people and machines, made once and disabled for good.

use holm_core::actor::{Actor, PrincipalKind, PrincipalName};
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::PrincipalId;
use holm_store::audit::record;
use holm_store::page::Page;
use holm_store::principal::{self, Disabled, NewPrincipal, Principal};
use uuid::Uuid;

use crate::control::Control;

/// Makes a principal, who may nothing yet.
///
/// # Errors
/// [`ErrorCode::PrincipalTaken`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn create(control: &Control, by: &Actor, name: &PrincipalName, kind: PrincipalKind) -> Result<Principal, Problem> {
    let (catalog, by) = (control.catalog().clone(), by.clone());
    let new = NewPrincipal { id: PrincipalId::from_uuid(Uuid::now_v7()), name: name.clone(), kind };
    control
        .tasks()
        .finish("create a principal", async move {
            let mut tx = catalog.transaction().await?;
            let made = principal::insert(&mut tx, &new).await?.ok_or_else(|| taken(&new.name))?;
            record(&mut tx, NewEntry::new(&by, AuditAction::PrincipalCreate, None, Subject::Principal(made.id)));
            tx.commit().await?;
            Ok(made)
        })
        .await
}

/// Ends everything that a principal may. Doing it twice is the same as once.
///
/// # Errors
/// [`ErrorCode::PrincipalNotFound`]; [`ErrorCode::InvalidValue`] for oneself; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn disable(control: &Control, by: &Actor, name: &PrincipalName) -> Result<Principal, Problem> {
    if by.principal().is_some() && by.name() == name.as_str() {
        return Err(Problem::new(ErrorCode::InvalidValue, format!("`{name}` cannot disable itself")).next("let another admin do it"));
    }
    let (catalog, by, name) = (control.catalog().clone(), by.clone(), name.clone());
    control
        .tasks()
        .finish("disable a principal", async move {
            let mut tx = catalog.transaction().await?;
            let disabled = match principal::disable(&mut tx, &name).await? {
                Disabled::Already(principal) => return Ok(principal),
                Disabled::Absent => return Err(not_found(&name)),
                Disabled::Done(principal) => principal,
            };
            record(&mut tx, NewEntry::new(&by, AuditAction::PrincipalDisable, None, Subject::Principal(disabled.id)));
            tx.commit().await?;
            Ok(disabled)
        })
        .await
}

/// A page of them by name, disabled ones too.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control, page: &Page<PrincipalName>) -> Result<Vec<Principal>, Problem> {
    Ok(principal::list(control.catalog(), page).await?)
}

/// The one of a name.
///
/// # Errors
/// [`ErrorCode::PrincipalNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn show(control: &Control, name: &PrincipalName) -> Result<Principal, Problem> {
    principal::by_name(control.catalog(), name).await?.ok_or_else(|| not_found(name))
}

/// The one of a name, if it is not disabled: nothing new is given to one that is.
pub(super) async fn active(control: &Control, name: &PrincipalName) -> Result<Principal, Problem> {
    let principal = show(control, name).await?;
    if principal.disabled_at.is_none() {
        return Ok(principal);
    }
    let what = format!("principal `{name}` is disabled");
    Err(Problem::new(ErrorCode::InvalidValue, what).next("make another one; a disabled one stays so, and so does its name"))
}

fn not_found(name: &PrincipalName) -> Problem {
    Problem::new(ErrorCode::PrincipalNotFound, format!("there is no principal called `{name}`"))
        .next("see which there are: `holm access principal list`")
}

fn taken(name: &PrincipalName) -> Problem {
    Problem::new(ErrorCode::PrincipalTaken, format!("a principal called `{name}` exists already"))
        .because("names are never given again, so that the audit log means one principal by one name")
        .next("choose another name")
}
