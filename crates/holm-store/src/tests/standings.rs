//! What copies came to is forgotten of tenants that have none, and of nobody who got one meanwhile.

use holm_core::id::TenantId;

use super::world::{World, fill, new_tenant, serving};
use crate::residency::standing::{self, Standing};
use crate::tenant::claim::{Claim, claim};

fn allowed(tenant: TenantId) -> Standing {
    Standing { tenant, copy: "primary".to_owned(), outcome: "allow".to_owned(), objections: serde_json::json!([]), valid_until: None }
}

/// The story: whoever judges saw that a tenant waited, and writes after it was given a database and what its copies come to.
#[tokio::test]
async fn what_copies_come_to_is_not_forgotten_of_a_tenant_that_waited_when_it_was_looked_at_and_has_a_database_now() {
    let (world, here) = World::with("staging").await;
    fill(&world.catalog, here, 1).await;
    let served = serving(&world.catalog, "staging", "goteborg").await.id;
    let mut tx = world.catalog.transaction().await.unwrap();
    let Claim::Awaiting(waits) = claim(&mut tx, new_tenant("staging", "malmo")).await.unwrap() else { panic!("there is no database left") };
    standing::set(&mut tx, &[allowed(served), allowed(waits.id)]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = world.catalog.transaction().await.unwrap();
    standing::forget_unheld(&mut tx, &[(served, "primary"), (waits.id, "primary")]).await.unwrap();
    tx.commit().await.unwrap();
    let left: Vec<TenantId> = standing::all(&world.catalog).await.unwrap().into_iter().map(|(standing, _)| standing.tenant).collect();
    assert_eq!(left, [served]);
}
