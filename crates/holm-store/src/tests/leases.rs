//! Leases of operations, as one process holds many.

use std::time::Duration;

use holm_core::id::OperationId;
use uuid::Uuid;

use super::world::World;
use crate::operation::claim;

const LEASED: &str = "\
INSERT INTO operation (id, kind, kind_version, subject, requested_by, state, steps, step, last_seq, head, lease_owner, lease_until, lease_epoch)
SELECT md5('op' || i)::uuid, 'tenant.delete', 1, 'tenant', '{}', 'active', 6, 0, 1, decode(repeat('00', 32), 'hex'), 'me',
    now() + interval '1 s', 3
FROM generate_series(1, 3) i
RETURNING id";

#[tokio::test]
async fn an_operation_that_is_locked_keeps_no_other_lease_from_being_renewed_and_is_not_taken_for_lost() {
    let world = World::new().await;
    let client = world.database.connect().await;
    let ids: Vec<Uuid> = client.query(LEASED, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    client.batch_execute("BEGIN").await.unwrap();
    client.query("SELECT FROM operation WHERE id = $1 FOR UPDATE", &[&ids[0]]).await.unwrap();
    // The third is of an epoch that is over.
    let mine: Vec<_> = ids.iter().zip([3, 3, 2]).map(|(id, epoch)| (OperationId::from_uuid(*id), epoch)).collect();
    let mut renewed = claim::renew(&world.catalog, "me", Duration::from_secs(60), &mine).await.unwrap();
    renewed.sort_by_key(|(id, _)| mine.iter().position(|(mine, _)| mine == id));
    assert_eq!(renewed, [(mine[0].0, false), (mine[1].0, true)]);
    client.batch_execute("COMMIT").await.unwrap();
    let long = "SELECT count(*) FROM operation WHERE lease_until > now() + interval '30 s'";
    assert_eq!(client.query_one(long, &[]).await.unwrap().get::<_, i64>(0), 1);
}
