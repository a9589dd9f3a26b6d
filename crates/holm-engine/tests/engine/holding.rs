//! What one operation has in hand no other one gets: who comes second is told which it is, and nothing is changed.

use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_engine::operation::show;
use holm_engine::tenant::copy::{self, NewTenantCopy};
use holm_engine::tenant::rename::{self, NewName};
use holm_engine::tenant::{delete, rotate_roles};

use crate::support::{DEV, PATIENCE, Setup, World, production, slug};

/// All that a refused change could have changed.
async fn everything(world: &World) -> String {
    let sql = "SELECT concat_ws(E'\\n',
        (SELECT string_agg(t::text, E'\\n' ORDER BY t.id) FROM tenant t),
        (SELECT string_agg(d::text, E'\\n' ORDER BY d.id) FROM database d),
        (SELECT string_agg(o::text, E'\\n' ORDER BY o.id) FROM operation o),
        (SELECT string_agg(s::text, E'\\n' ORDER BY s.operation_id, s.subject_id) FROM operation_subject s),
        (SELECT string_agg(e::text, E'\\n' ORDER BY e.operation_id, e.seq) FROM operation_event e),
        (SELECT string_agg(a::text, E'\\n' ORDER BY a.slug) FROM tenant_alias a),
        (SELECT count(*)::text FROM audit_entry))";
    world.catalog().await.query_one(sql, &[]).await.unwrap().get(0)
}

/// Refused, with the name of what is in the way.
fn names(refused: &Problem, kind: &str, id: OperationId) {
    assert_eq!(refused.code, ErrorCode::OperationInProgress, "{refused:?}");
    let why = refused.why.as_deref().unwrap_or_default();
    assert!(why.contains(kind) && why.contains(&id.to_string()), "{refused:?}");
    assert!(refused.next.iter().any(|next| next.contains(&format!("holm op watch {id}"))), "{refused:?}");
}

/// The story: a tenant is being rotated, renamed or copied, and somebody deletes it meanwhile, or does the same once more.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_deletes_a_tenant_that_an_operation_has_in_hand_is_told_which_one_and_changes_nothing() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    for name in ["rotated", "renamed", "copied"] {
        world.create(name).await.unwrap();
    }
    world.settled().await;
    // From here on nothing is carried out: what is asked for stays in hand.
    world.control.shutdown().await;
    let twin = world.second_control().await;
    let here = production();
    let new_name = || NewName { to: slug("renamed-now"), grace: rename::GRACE, reason: None };
    let new_copy = || NewTenantCopy { slug: slug("a-copy"), cluster: None, ttl: None, reason: None };
    let rotated = rotate_roles::rotate_roles(&twin, &DEV, &here, &slug("rotated")).await.unwrap();
    let renamed = rename::rename(&twin, &DEV, &here, &slug("renamed"), new_name()).await.unwrap();
    let copied = copy::copy(&twin, &DEV, &here, &slug("copied"), new_copy()).await.unwrap();
    let before = everything(&world).await;
    for (name, kind, id) in
        [("rotated", "tenant.rotate-roles", rotated), ("renamed", "tenant.rename", renamed), ("copied", "tenant.copy", copied)]
    {
        for grace in [Duration::ZERO, delete::GRACE] {
            names(&delete::delete(&twin, &DEV, &here, &slug(name), grace, None).await.unwrap_err(), kind, id);
        }
        names(&rotate_roles::rotate_roles(&twin, &DEV, &here, &slug(name)).await.unwrap_err(), kind, id);
        names(&rename::rename(&twin, &DEV, &here, &slug(name), NewName { to: slug("other"), ..new_name() }).await.unwrap_err(), kind, id);
    }
    assert_eq!(everything(&world).await, before);
    twin.start();
    for id in [rotated, renamed, copied] {
        show::succeeded(&twin, id, PATIENCE).await.unwrap();
    }
    // Free again.
    let id = delete::delete(&twin, &DEV, &here, &slug("rotated"), Duration::ZERO, None).await.unwrap();
    show::succeeded(&twin, id, PATIENCE).await.unwrap();
    twin.shutdown().await;
}
