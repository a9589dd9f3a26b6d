//! Who may do what, as far as the catalog says: roles, tokens, broken glasses and approvals.

use std::time::Duration;

use holm_core::access::{Held, Role, TokenScope};
use holm_core::actor::{Actor, SystemActor};
use holm_core::approval::{ContentHash, NotStanding, Verdict};
use holm_core::id::{ApprovalId, BreakGlassId};
use holm_testkit::{database, server};
use uuid::Uuid;

use super::world::{World, environment_name, migrated, new_environment, new_token, principal, put_environment};
use crate::approval::NewApproval;
use crate::break_glass::NewBreakGlass;
use crate::catalog::Catalog;
use crate::grant::NewGrant;
use crate::principal::{Disabled, NewPrincipal, Principal};
use crate::token::{Bearer, NewToken};
use crate::{approval, break_glass, grant, principal as principals, token};

const HOUR: Duration = Duration::from_secs(3600);

async fn issue(catalog: &Catalog, new: &NewToken) {
    let mut tx = catalog.transaction().await.unwrap();
    assert!(token::insert(&mut tx, new).await.unwrap().is_some());
    tx.commit().await.unwrap();
}

async fn give(catalog: &Catalog, to: &Principal, role: Role, environment: Option<&str>, lifetime: Option<Duration>) {
    let new = NewGrant {
        principal: to.id,
        environment: environment.map(environment_name),
        role,
        granted_by: Actor::system(SystemActor::Dev),
        lifetime,
    };
    let mut tx = catalog.transaction().await.unwrap();
    assert!(grant::upsert(&mut tx, &new).await.unwrap().is_some());
    tx.commit().await.unwrap();
}

async fn bearer(catalog: &Catalog, number: u8) -> Option<Bearer> {
    token::by_hash(catalog, &[number; 32]).await.unwrap()
}

fn held(role: Role, environment: Option<&str>) -> Held {
    Held { role, environment: environment.map(environment_name) }
}

#[tokio::test]
async fn a_token_brings_what_its_principal_holds_now_and_nothing_that_has_ended() {
    let world = World::new().await;
    put_environment(&world.catalog, &new_environment("staging")).await;
    let anna = principal(&world.catalog, "anna").await;
    let scope = TokenScope { environment: Some(environment_name("staging")), role: Some(Role::Operator) };
    issue(&world.catalog, &NewToken { scope: scope.clone(), lifetime: Some(HOUR), ..new_token(&anna, 1) }).await;
    assert_eq!(bearer(&world.catalog, 1).await.unwrap().held, []);
    give(&world.catalog, &anna, Role::Viewer, None, None).await;
    give(&world.catalog, &anna, Role::Operator, Some("staging"), Some(HOUR)).await;
    let mut tx = world.catalog.transaction().await.unwrap();
    let glass = NewBreakGlass {
        id: BreakGlassId::from_uuid(Uuid::now_v7()),
        principal: anna.id,
        environment: environment_name("staging"),
        role: Role::Admin,
        reason: "ticket 1".parse().unwrap(),
        lifetime: HOUR,
    };
    let opened = break_glass::insert(&mut tx, &glass).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let found = bearer(&world.catalog, 1).await.unwrap();
    assert_eq!((found.scope, found.expired), (scope, false));
    let mut roles = found.held;
    roles.sort_by_key(|held| held.role);
    assert_eq!(roles, [held(Role::Viewer, None), held(Role::Operator, Some("staging")), held(Role::Admin, Some("staging"))]);
    let client = world.database.connect().await;
    client
        .batch_execute("UPDATE role_grant SET expires_at = now() WHERE role = 'operator'; UPDATE api_token SET expires_at = now()")
        .await
        .unwrap();
    let mut tx = world.catalog.transaction().await.unwrap();
    assert!(break_glass::end(&mut tx, opened.id, anna.id).await.unwrap().unwrap().ended_at.is_some());
    assert_eq!(break_glass::end(&mut tx, opened.id, anna.id).await.unwrap(), None);
    tx.commit().await.unwrap();
    let later = bearer(&world.catalog, 1).await.unwrap();
    assert_eq!((later.held, later.expired), (vec![held(Role::Viewer, None)], true));
}

#[tokio::test]
async fn a_disabled_principals_token_is_found_no_more_and_the_name_is_never_given_again() {
    let world = World::new().await;
    let anna = principal(&world.catalog, "anna").await;
    issue(&world.catalog, &new_token(&anna, 1)).await;
    let mut tx = world.catalog.transaction().await.unwrap();
    assert!(matches!(principals::disable(&mut tx, &anna.name).await.unwrap(), Disabled::Done(_)));
    tx.commit().await.unwrap();
    assert_eq!(bearer(&world.catalog, 1).await, None);
    let mut tx = world.catalog.transaction().await.unwrap();
    assert!(matches!(principals::disable(&mut tx, &anna.name).await.unwrap(), Disabled::Already(_)));
    assert_eq!(principals::disable(&mut tx, &"ben".parse().unwrap()).await.unwrap(), Disabled::Absent);
    let again = NewPrincipal { id: anna.id, name: anna.name.clone(), kind: anna.kind };
    assert_eq!(principals::insert(&mut tx, &again).await.unwrap(), None);
}

#[tokio::test]
async fn a_role_is_taken_back_where_it_was_given_and_nowhere_else() {
    let world = World::new().await;
    for name in ["staging", "ci"] {
        put_environment(&world.catalog, &new_environment(name)).await;
    }
    let anna = principal(&world.catalog, "anna").await;
    give(&world.catalog, &anna, Role::Viewer, None, None).await;
    give(&world.catalog, &anna, Role::Viewer, Some("staging"), None).await;
    give(&world.catalog, &anna, Role::Viewer, Some("staging"), Some(HOUR)).await;
    let grants = grant::list(&world.catalog, anna.id).await.unwrap();
    let shown: Vec<_> =
        grants.iter().map(|grant| (grant.environment.as_ref().map(ToString::to_string), grant.expires_at.is_some())).collect();
    assert_eq!(shown, [(None, false), (Some("staging".to_owned()), true)], "given again, it has another end");
    let mut tx = world.catalog.transaction().await.unwrap();
    for nowhere in ["ci", "unheard-of"] {
        assert!(!grant::delete(&mut tx, anna.id, Role::Viewer, Some(&environment_name(nowhere))).await.unwrap(), "{nowhere}");
    }
    assert!(grant::delete(&mut tx, anna.id, Role::Viewer, Some(&environment_name("staging"))).await.unwrap());
    assert!(grant::delete(&mut tx, anna.id, Role::Viewer, None).await.unwrap());
    assert!(!grant::delete(&mut tx, anna.id, Role::Viewer, None).await.unwrap());
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_catalog_itself_refuses_a_glass_broken_for_a_day_and_a_decision_by_who_asked() {
    let world = World::new().await;
    put_environment(&world.catalog, &new_environment("production")).await;
    let (anna, ben) = (principal(&world.catalog, "anna").await, principal(&world.catalog, "ben").await);
    let client = world.database.connect().await;
    let day = "INSERT INTO break_glass (id, principal_id, environment_id, role, reason, until)
        SELECT gen_random_uuid(), p.id, e.id, 'admin', 'x', now() + interval '1 day' FROM principal p, environment e";
    assert!(format!("{:?}", client.batch_execute(day).await.unwrap_err()).contains("break_glass_is_short"));

    let hash = ContentHash::of(b"delete goteborg");
    let new = NewApproval {
        id: ApprovalId::from_uuid(Uuid::now_v7()),
        kind: "tenant.delete".parse().unwrap(),
        hash,
        content: None,
        environment: Some(environment_name("production")),
        requested_by: anna.id,
        reason: "contract ended".parse().unwrap(),
        lifetime: HOUR,
    };
    let mut tx = world.catalog.transaction().await.unwrap();
    let asked = approval::insert(&mut tx, &new).await.unwrap().unwrap();
    assert_eq!(asked.standing().lets(&hash, asked.read_at), Err(NotStanding::Undecided));
    assert_eq!(approval::decide(&mut tx, new.id, anna.id, Verdict::Approved).await.unwrap(), None);
    tx.commit().await.unwrap();
    let own = "UPDATE approval SET decided_by = requested_by, decided_at = now(), verdict = 'approved'";
    assert!(format!("{:?}", client.batch_execute(own).await.unwrap_err()).contains("approval_by_another"));

    let mut tx = world.catalog.transaction().await.unwrap();
    let decided = approval::decide(&mut tx, new.id, ben.id, Verdict::Approved).await.unwrap().unwrap();
    assert_eq!(decided.standing().lets(&hash, decided.read_at).unwrap().by, ben.id);
    assert_eq!(approval::decide(&mut tx, new.id, ben.id, Verdict::Rejected).await.unwrap(), None, "decided once");
    let find = async |tx: &mut crate::tx::Tx, environment: Option<&str>, hash: &ContentHash| {
        let environment = environment.map(environment_name);
        approval::find(tx, &new.kind, environment.as_ref(), hash).await.unwrap().map(|found| found.id)
    };
    assert_eq!(find(&mut tx, Some("production"), &hash).await, Some(new.id));
    assert_eq!(
        find(&mut tx, Some("production"), &ContentHash::of(b"other")).await,
        Some(new.id),
        "the nearest, to say what is wrong with it"
    );
    assert_eq!(find(&mut tx, None, &hash).await, None);
}

/// The story: an installation of the release before is started by this one, and for a moment both run.
#[tokio::test]
async fn tokens_of_the_release_before_are_holm_devs_with_everything_and_its_new_ones_nobodys_until_told() {
    let old = database(server().await).await;
    let client = old.connect().await;
    let first = include_str!("../../migrations/0001_catalog.sql");
    client.batch_execute(first).await.unwrap();
    client.batch_execute("CREATE TABLE holm_migration (version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())").await.unwrap();
    let record = "INSERT INTO holm_migration VALUES (1, '0001_catalog', encode(sha256(convert_to($1, 'UTF8')), 'hex'))";
    client.execute(record, &[&first]).await.unwrap();
    let issue_as_before = "INSERT INTO api_token (id, name, hash) VALUES (gen_random_uuid(), 'holm dev', $1)";
    client.execute(issue_as_before, &[&[1u8; 32].as_slice()]).await.unwrap();
    let catalog = migrated(&old.url()).await;
    let found = bearer(&catalog, 1).await.unwrap();
    assert_eq!((found.name.as_str(), found.held), ("holm dev", vec![held(Role::Admin, None)]));

    client.execute(issue_as_before, &[&[2u8; 32].as_slice()]).await.unwrap();
    assert_eq!(bearer(&catalog, 2).await, None);
    let holm_dev = principals::by_name(&catalog, &found.name).await.unwrap().unwrap();
    issue(&catalog, &new_token(&holm_dev, 2)).await;
    assert_eq!(bearer(&catalog, 2).await.unwrap().name, found.name);
}
