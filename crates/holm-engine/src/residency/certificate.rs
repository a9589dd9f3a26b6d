//! Placement certificates: what copies came to, as the data plane is told it, and that it goes on being told.
//!
//! Promises: a tenant whose copy is denied keeps what its profile's `on_breach` leaves it, by the days since; one of which nobody
//! can say is told of and keeps what it had, since what was lawful yesterday is not cut off because a fact was not looked up, and
//! what was denied is not given back for that. Whoever may do less is told of first. Signed when routes are given out, by a key
//! that every process over one catalog has.

use std::sync::Arc;

use holm_core::error::Problem;
use holm_core::placement::{Allows, Claims, Hash, JudgedBy, Placement, Withheld};
use holm_link::certificate::SigningKey;
use holm_policy::profile::{BreachStep, Profile, Step};
use holm_store::residency::certificate;
use holm_store::route::TenantRow;
use jiff::{SignedDuration, Timestamp};

use crate::control::Control;

/// What certificates of this installation are signed with.
pub(crate) fn key(control: &Control) -> SigningKey {
    SigningKey::from_seed(&control.derived_key("placement certificates"))
}

/// A tenant's certificate, signed; or why it has none.
pub(crate) fn placement(key: &SigningKey, row: &TenantRow) -> Placement {
    let Some(said) = &row.placement else { return Placement::Withheld(Withheld::Unjudged) };
    let Some(allows) = said.allows else { return Placement::Withheld(Withheld::Blocked) };
    let claims = Claims {
        tenant: row.tenant,
        cluster: row.cluster,
        server: said.server,
        judged_by: said.judged_by.map(|(profile, registry)| JudgedBy { profile, registry }),
        allows,
        // As they are signed.
        issued_at: whole(said.issued_at),
        expires_at: whole(said.expires_at),
    };
    Placement::Certified(Arc::new(key.sign(claims, &row.environment, &row.database)))
}

fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).expect("a time of the catalog's, less a fraction")
}

/// What a profile leaves a tenant that it denies since then; and when it will be less, if it will.
pub(crate) fn left(profile: &Profile, denied_since: Timestamp, now: Timestamp) -> (Option<Allows>, Option<Timestamp>) {
    let due = |step: &BreachStep| {
        let days = SignedDuration::from_hours(24 * i64::from(step.after_days));
        denied_since.saturating_add(days).unwrap_or(Timestamp::MAX)
    };
    // What an earlier step took away stays away.
    let reached: Vec<Step> = profile.on_breach().iter().filter(|step| due(step) <= now).map(|step| step.step).collect();
    let next = profile.on_breach().iter().map(due).filter(|due| *due > now).min();
    let left = Allows::of(reached.contains(&Step::ReadOnly), reached.contains(&Step::Drain));
    ((!reached.contains(&Step::Block)).then_some(left), next)
}

/// As bytes. What is not 64 digits would be a fault of ours, and is the hash of nothing.
pub(crate) fn hash(digits: &str) -> Hash {
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or(0);
    }
    hash
}

/// Says again what was said, before its time is over.
///
/// # Errors
/// The catalog does not answer; what was renewed before is.
///
/// # Cancel safety
/// Safe: what was not renewed is found again.
pub(crate) async fn renew(control: &Control) -> Result<(), Problem> {
    loop {
        // One after the other: each locks tenants in the order of their ids.
        let mut tx = control.catalog().transaction().await?;
        let made_up = certificate::make_up(&mut tx).await?;
        tx.commit().await?;
        let mut tx = control.catalog().transaction().await?;
        let renewed = certificate::renew(&mut tx).await?;
        tx.commit().await?;
        if made_up + renewed == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holm_policy::registry::Registry;

    fn profile() -> Profile {
        let registry = Registry::shipped();
        let (file, text) = Profile::SHIPPED.iter().find(|(file, _)| file.starts_with("eea-jurisdiction")).unwrap();
        Profile::parse(file, text, &registry).unwrap()
    }

    #[test]
    fn a_tenant_that_is_denied_keeps_what_its_profile_leaves_it_on_that_day() {
        let profile = profile();
        let since = Timestamp::from_second(1_700_000_000).unwrap();
        let day = |days: u32| since + SignedDuration::from_hours(24 * i64::from(days));
        let order = |allows: Option<Allows>| allows.map_or(4, |allows| Allows::ALL.iter().position(|one| *one == allows).unwrap());
        let (first, mut next) = left(&profile, since, since);
        assert_eq!(first, Some(Allows::All), "the first day is for telling");
        let mut last = order(first);
        while let Some(due) = next {
            let before = left(&profile, since, due - SignedDuration::from_secs(1)).0;
            assert_eq!(order(before), last, "not a second early");
            let (allows, then) = left(&profile, since, due);
            assert!(order(allows) > last, "{due}");
            (last, next) = (order(allows), then);
        }
        let days: Vec<u32> = profile.on_breach().iter().map(|step| step.after_days).collect();
        assert_eq!(order(left(&profile, since, day(*days.last().unwrap())).0), last);
    }

    #[test]
    fn a_hash_is_its_digits() {
        let digits = profile().hash().to_string();
        let back: String = hash(&digits).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(back, digits);
    }
}
