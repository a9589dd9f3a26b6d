//! Denials: every one is logged; the audit log takes a bounded number, so that nobody fills it by asking.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use holm_core::access::{Permission, Place, Why};
use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::id::PrincipalId;
use holm_store::audit::record;
use tokio::time::Instant;

use crate::control::Control;

/// More than a person makes by mistake; with a thousand principals, ten megabytes an hour at the very worst.
const IN_AUDIT_MAX: u32 = 20;

const WINDOW: Duration = Duration::from_secs(3600);

/// How many denials of each principal this process has told of. There is an entry for each principal with a token, which
/// admins make: it does not grow by asking.
#[derive(Default)]
pub(crate) struct Denials(Mutex<HashMap<PrincipalId, Window>>);

struct Window {
    began: Instant,
    told: u32,
}

impl Denials {
    /// Whether one more is to be told.
    fn take(&self, principal: PrincipalId, now: Instant) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(principal).or_insert(Window { began: now, told: 0 });
        if now.duration_since(window.began) >= WINDOW {
            *window = Window { began: now, told: 0 };
        }
        window.told = window.told.saturating_add(1);
        window.told <= IN_AUDIT_MAX
    }
}

/// Notes a denial. That it cannot be told, because the catalog is away, makes it no less of a denial.
pub(crate) async fn note(control: &Control, actor: &Actor, permission: Permission, place: Place<'_>, why: Why) {
    let environment = match place {
        Place::Environment(name, _) => Some(name),
        Place::Installation => None,
    };
    let shown = environment.map_or("-", |name| name.as_str());
    tracing::warn!(actor = %actor, permission = %permission, environment = shown, why = %why, "a request was denied");
    let Some(principal) = actor.principal() else { return };
    if !control.denials().take(principal, Instant::now()) {
        return;
    }
    let entry = NewEntry::new(actor, AuditAction::AccessDenied, environment, Subject::Principal(principal));
    let written = async {
        let mut tx = control.catalog().transaction().await?;
        record(&mut tx, entry.with(Detail::Denied { permission: permission.as_str() }));
        tx.commit().await
    };
    if let Err(error) = written.await {
        tracing::error!(actor = %actor, %error, "a denial could not be told in the audit log");
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn nobody_fills_the_audit_log_by_asking_and_another_is_told_all_the_same() {
        let (denials, now) = (Denials::default(), Instant::now());
        let (one, two) = (PrincipalId::from_uuid(Uuid::from_u128(1)), PrincipalId::from_uuid(Uuid::from_u128(2)));
        assert_eq!((0..1000).filter(|_| denials.take(one, now)).count(), 20);
        assert!(denials.take(two, now));
        assert!(!denials.take(one, now + WINDOW - Duration::from_secs(1)));
        assert!(denials.take(one, now + WINDOW));
    }
}
