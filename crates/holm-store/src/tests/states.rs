//! States change by their one transition function; absent, refused and done are three answers.

use holm_core::cluster::ServerAddress;
use holm_core::cluster::state::ClusterEvent;
use holm_core::cluster::tls::{RootCertificates, Roots, ServerTls};
use holm_core::error::ErrorCode;
use holm_core::id::{DatabaseId, TenantId, TokenId};
use holm_core::tenant::{TenantEvent, TenantState};
use uuid::Uuid;

use super::world::{
    World, a_problem, claim_now, environment_name, fill, new_cluster, new_database, new_environment, new_tenant, new_token, principal,
    put_environment, serving, slug,
};
use crate::cluster::{Access, Inserted, NewCluster, SealedClientCertificate};
use crate::database::DatabaseState;
use crate::environment::{NewEnvironment, Seed, Upserted};
use crate::sealed::Sealed;
use crate::state::Update;
use crate::template::{NewTemplate, TemplateId, TemplateState};
use crate::tenant::Told;
use crate::token::NewToken;
use crate::{cluster, database, environment, route, template, tenant, token};

#[tokio::test]
async fn ensuring_an_environment_twice_changes_it_only_if_something_is_different() {
    let world = World::new().await;
    let first = new_environment("production");
    put_environment(&world.catalog, &first).await;
    let ensure = async |new: &NewEnvironment| {
        let mut tx = world.catalog.transaction().await.unwrap();
        let upserted = environment::upsert(&mut tx, new).await.unwrap();
        (upserted, tx.commit().await.unwrap().is_some())
    };
    // Another process would bring another id and another key; the first ones stay.
    let again = NewEnvironment { sealed_header_key: crate::sealed::Sealed::new(*b"another"), ..new_environment("production") };
    let (Upserted::Unchanged(same), false) = ensure(&again).await else { panic!("changed without a reason") };
    assert_eq!((same.id, &same.sealed_header_key), (first.id, &first.sealed_header_key));

    let seed = Some(Seed::Command(vec!["npm".into(), "run".into(), "seed; rm -rf /".into()]));
    let other = NewEnvironment { pool_size: 9, seed: seed.clone(), migrations: Some("/srv/prisma".into()), ..again.clone() };
    let (Upserted::Changed(changed), true) = ensure(&other).await else { panic!("not changed") };
    assert_eq!((changed.id, changed.pool_size, &changed.seed), (first.id, 9, &seed));
    assert_eq!(environment::by_name(&world.catalog, &first.name).await.unwrap().unwrap(), changed);

    let staging = NewEnvironment { domain: first.domain.clone(), ..new_environment("staging") };
    assert_eq!(ensure(&staging).await, (Upserted::DomainTaken(first.name.clone()), false));
    let kind = holm_core::environment::EnvironmentKind::Ci;
    assert_eq!(ensure(&NewEnvironment { kind, ..other }).await, (Upserted::OtherKind(first.kind), false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_ensure_one_environment_at_once_agree_on_one() {
    let world = World::new().await;
    let racers = (0..6).map(|_| {
        let catalog = world.catalog.clone();
        tokio::spawn(async move {
            let mut tx = catalog.transaction().await.unwrap();
            let upserted = environment::upsert(&mut tx, &new_environment("production")).await.unwrap();
            tx.commit().await.unwrap();
            matches!(upserted, Upserted::Created(_))
        })
    });
    let mut created = 0;
    for racer in racers.collect::<Vec<_>>() {
        created += usize::from(racer.await.unwrap());
    }
    assert_eq!((created, environment::list(&world.catalog).await.unwrap().len()), (1, 1));
}

#[tokio::test]
async fn a_cluster_that_moves_to_another_port_stays_the_same_cluster() {
    let (world, place) = World::with("production").await;
    let known = cluster::by_id(&world.catalog, place.cluster).await.unwrap().unwrap();
    let access = Access { address: ServerAddress { host: "::1".into(), port: 65535 }, server_version: 160_001, ..known.access.clone() };
    let mut tx = world.catalog.transaction().await.unwrap();
    assert!(cluster::set_access(&mut tx, place.cluster, &access, None).await.unwrap());
    assert!(tx.commit().await.unwrap().is_some(), "the data plane must hear of it");
    assert_eq!(cluster::by_id(&world.catalog, place.cluster).await.unwrap().unwrap(), cluster::Cluster { access, ..known.clone() });
    let mut tx = world.catalog.transaction().await.unwrap();
    assert!(!cluster::set_access(&mut tx, holm_core::id::ClusterId::from_uuid(Uuid::nil()), &known.access, None).await.unwrap());
    assert_eq!(tx.commit().await.unwrap(), None);
}

#[tokio::test]
async fn how_a_cluster_is_spoken_to_comes_back_as_it_went_and_reaches_the_routes() {
    let (world, place) = World::with("production").await;
    let known = cluster::by_id(&world.catalog, place.cluster).await.unwrap().unwrap();
    const ROOT: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    let roots: RootCertificates = ROOT.parse().unwrap();
    for tls in [
        ServerTls::VerifyCa(roots.clone()),
        ServerTls::VerifyFull(Roots::Given(roots)),
        ServerTls::VerifyFull(Roots::System),
        ServerTls::Disable,
    ] {
        let before = route::version(&world.catalog).await.unwrap();
        let shown = SealedClientCertificate { chain: ROOT.parse().unwrap(), sealed_key: Sealed::new(vec![2; 40]) };
        let client_certificate = tls.is_encrypted().then_some(shown);
        let access = Access { tls: tls.clone(), client_certificate: client_certificate.clone(), ..known.access.clone() };
        let mut tx = world.catalog.transaction().await.unwrap();
        assert!(cluster::set_access(&mut tx, place.cluster, &access, None).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(cluster::by_id(&world.catalog, place.cluster).await.unwrap().unwrap().access, access);
        let changes = route::changes_since(&world.catalog, before).await.unwrap().changes;
        assert!(matches!(&changes[..], [route::Change::Cluster(routed)] if routed.cluster.tls == tls), "{changes:?}");
        assert!(matches!(&changes[..], [route::Change::Cluster(routed)] if routed.client_certificate == client_certificate));
        // A server that is registered anew, too.
        let new =
            NewCluster { access, ..new_cluster("production", &format!("new-{}", tls.mode()), i64::try_from(before.0).unwrap() + 1000) };
        let mut tx = world.catalog.transaction().await.unwrap();
        if let Inserted::Done(inserted) = cluster::insert(&mut tx, &new).await.unwrap() {
            assert_eq!((inserted.access.tls, inserted.access.client_certificate), (tls, client_certificate));
        }
        tx.commit().await.unwrap();
    }
    let client = world.database.connect().await;
    for wrong in [
        "sslmode = 'require'",
        "sslmode = 'verify-ca'",
        "ssl_root_cert = 'x'",
        "sslmode = 'verify-full', ssl_root_cert = ''",
        // In the clear nobody asks for one, and without its key none can be shown.
        "client_cert = 'x', sealed_client_key = 'x'",
        "sslmode = 'verify-full', client_cert = 'x'",
        "sslmode = 'verify-full', sealed_client_key = 'x'",
    ] {
        let error =
            client.batch_execute(&format!("UPDATE cluster SET {wrong} WHERE id = '{}'", place.cluster.as_uuid())).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "23514", "{wrong}");
    }
}

#[tokio::test]
async fn two_who_plan_a_template_for_the_same_migrations_share_one() {
    let (world, place) = World::with("production").await;
    let plan = async |fingerprint: &str| {
        let id = TemplateId::from_uuid(Uuid::now_v7());
        let database = holm_core::role::DatabaseName::template(id.as_uuid());
        let mut tx = world.catalog.transaction().await.unwrap();
        let planned = template::plan(&mut tx, &NewTemplate { id, cluster: place.cluster, fingerprint: fingerprint.to_owned(), database })
            .await
            .unwrap();
        tx.commit().await.unwrap();
        planned.unwrap()
    };
    let (first, second) = (plan("f2").await, plan("f2").await);
    assert_eq!(first, second);
    assert_eq!(template::current(&world.catalog, place.cluster, "f2").await.unwrap(), Some(first.clone()));
    assert!(template::set_trouble(&world.catalog, first.id, Some(&a_problem())).await.unwrap());
    assert_eq!(template::current(&world.catalog, place.cluster, "f2").await.unwrap().unwrap().trouble, Some(a_problem()));

    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(
        database::plan(&mut tx, &super::world::new_database(first.id)).await.unwrap(),
        None,
        "not from a template that is not ready"
    );
    assert_eq!(template::mark_ready(&mut tx, first.id).await.unwrap(), Update::Done);
    assert_eq!(template::mark_ready(&mut tx, first.id).await.unwrap(), Update::Done);
    assert_eq!(template::mark_ready(&mut tx, TemplateId::from_uuid(Uuid::nil())).await.unwrap(), Update::Absent);
    assert_eq!(template::retire_others(&mut tx, place.cluster, first.id).await.unwrap(), 1);
    assert_eq!(template::mark_ready(&mut tx, place.template).await.unwrap(), Update::Refused(TemplateState::Retired));
    tx.commit().await.unwrap();
    assert!(!template::set_trouble(&world.catalog, first.id, Some(&a_problem())).await.unwrap(), "by who comes late");
    assert_eq!(template::current(&world.catalog, place.cluster, "f2").await.unwrap().unwrap().trouble, None);
    assert_eq!(template::current(&world.catalog, place.cluster, "f1").await.unwrap(), None);
    assert!(!template::mark_dropped(&world.catalog, first.id).await.unwrap(), "it is in use");
    assert!(template::mark_dropped(&world.catalog, place.template).await.unwrap());
    assert!(!template::mark_dropped(&world.catalog, place.template).await.unwrap(), "no news");
    let retired: Vec<_> = template::list(&world.catalog, place.cluster).await.unwrap().iter().map(|t| t.dropped_at.is_some()).collect();
    assert_eq!(retired, [true, false]);
    // Back to the old migrations: a retired template is not taken up again, a new one is planned.
    assert_ne!(plan("f1").await.id, place.template);
}

#[tokio::test]
async fn a_database_that_a_tenant_has_cannot_be_condemned_or_forgotten() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 1).await;
    let tenant = serving(&world.catalog, "production", "goteborg").await;
    let id = tenant.database_id.unwrap();
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(database::condemn(&mut tx, id).await.unwrap(), Update::Refused(DatabaseState::Claimed));
    assert_eq!(database::forget(&mut tx, id).await.unwrap(), Update::Refused(DatabaseState::Claimed));
    assert_eq!(database::mark_ready(&mut tx, id).await.unwrap(), Update::Refused(DatabaseState::Claimed));
    assert_eq!(database::condemn(&mut tx, DatabaseId::from_uuid(Uuid::nil())).await.unwrap(), Update::Absent);
    tx.commit().await.unwrap();
    let kept = database::of_tenant(&world.catalog, tenant.id).await.unwrap().unwrap();
    assert_eq!((kept.id, kept.state), (id, DatabaseState::Claimed));
}

#[tokio::test]
async fn pausing_suspending_and_resuming_grow_the_epoch_once_and_twice_is_the_same_as_once() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 1).await;
    let before = serving(&world.catalog, "production", "goteborg").await;
    let (production, goteborg) = (environment_name("production"), slug("goteborg"));
    let mut epoch = before.epoch;
    let mut seen = before.route_version;
    for (event, state) in [
        (TenantEvent::Pause, TenantState::Paused),
        (TenantEvent::Suspend, TenantState::Suspended),
        (TenantEvent::Resume, TenantState::Serving),
        (TenantEvent::Pause, TenantState::Paused),
        (TenantEvent::Resume, TenantState::Serving),
    ] {
        for already in [false, true] {
            let mut tx = world.catalog.transaction().await.unwrap();
            let told = match event {
                TenantEvent::Pause => tenant::pause(&mut tx, &production, &goteborg).await.unwrap(),
                TenantEvent::Suspend => tenant::suspend(&mut tx, &production, &goteborg).await.unwrap(),
                _ => tenant::resume(&mut tx, &production, &goteborg).await.unwrap(),
            };
            let version = tx.commit().await.unwrap();
            match told {
                Told::Changed(tenant) if !already => {
                    epoch += 1;
                    seen = version.unwrap();
                    assert_eq!((tenant.state, tenant.epoch), (state, epoch));
                }
                Told::Unchanged(tenant) if already => {
                    assert_eq!((tenant.state, tenant.epoch, tenant.route_version, version), (state, epoch, seen, None));
                }
                other => panic!("{other:?}, already: {already}"),
            }
        }
    }
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(tenant::suspend(&mut tx, &production, &slug("malmo")).await.unwrap(), Told::Absent);
    assert_eq!(tenant::suspend(&mut tx, &environment_name("staging"), &goteborg).await.unwrap(), Told::Absent);
    tx.commit().await.unwrap();
    let _ = claim_now(&world.catalog, new_tenant("production", "malmo")).await;
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(tenant::suspend(&mut tx, &production, &slug("malmo")).await.unwrap(), Told::Refused(TenantState::Creating));
    let nobody = TenantId::from_uuid(Uuid::nil());
    assert_eq!(tenant::mark_seeded(&mut tx, nobody).await.unwrap(), Update::Absent);
    assert_eq!(tenant::mark_serving(&mut tx, nobody).await.unwrap(), Update::Absent);
    assert_eq!(tenant::mark_serving(&mut tx, before.id).await.unwrap(), Update::Refused(TenantState::Serving));
    assert_eq!(tenant::fail(&mut tx, before.id, &a_problem()).await.unwrap(), Update::Refused(TenantState::Serving));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_token_is_found_by_its_hash_until_it_is_revoked_and_its_use_is_noted_once_a_minute() {
    let world = World::new().await;
    let anna = principal(&world.catalog, "anna").await;
    let new = new_token(&anna, 7);
    let insert = async |new: &NewToken| {
        let mut tx = world.catalog.transaction().await.unwrap();
        let inserted = token::insert(&mut tx, new).await.unwrap();
        tx.commit().await.unwrap();
        inserted
    };
    assert_eq!(insert(&new).await.unwrap().last_used_at, None);
    let twin = NewToken { id: TokenId::from_uuid(Uuid::now_v7()), ..new.clone() };
    assert_eq!(insert(&twin).await, None, "a stored token may be given again at every start");
    let found = token::by_hash(&world.catalog, &[7; 32]).await.unwrap().unwrap();
    assert_eq!((found.token, found.id, found.held), (new.id, anna.id, Vec::new()));
    assert_eq!(token::by_hash(&world.catalog, &[8; 32]).await.unwrap(), None);
    assert!(token::touch(&world.catalog, new.id).await.unwrap());
    assert!(!token::touch(&world.catalog, new.id).await.unwrap(), "within the minute");
    let client = world.database.connect().await;
    client.execute("UPDATE api_token SET last_used_at = now() - interval '61 s'", &[]).await.unwrap();
    assert!(token::touch(&world.catalog, new.id).await.unwrap());
    let mut tx = world.catalog.transaction().await.unwrap();
    assert!(token::revoke(&mut tx, new.id).await.unwrap().is_some());
    assert!(token::revoke(&mut tx, new.id).await.unwrap().is_none());
    tx.commit().await.unwrap();
    assert_eq!(token::by_hash(&world.catalog, &[7; 32]).await.unwrap(), None);
    assert!(token::list(&world.catalog).await.unwrap()[0].revoked_at.is_some());
}

#[tokio::test]
async fn a_commit_after_a_failed_statement_is_an_error_and_not_a_silent_rollback() {
    let (world, place) = World::with("production").await;
    let mut tx = world.catalog.transaction().await.unwrap();
    let new = super::world::new_database(place.template);
    database::plan(&mut tx, &new).await.unwrap().unwrap();
    database::plan(&mut tx, &new).await.unwrap_err();
    let error = tx.commit().await.unwrap_err();
    assert_eq!(holm_core::error::Problem::from(error).code, ErrorCode::Internal);
    assert_eq!(database::by_id(&world.catalog, new.id).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planned_while_a_cluster_is_being_drained_is_not_planned() {
    let (world, place) = World::with("production").await;
    let mut draining = world.catalog.transaction().await.unwrap();
    assert_eq!(cluster::life::tell(&mut draining, place.cluster, ClusterEvent::Drain).await.unwrap(), Update::Done);
    let catalog = world.catalog.clone();
    let planning = tokio::spawn(async move {
        let mut tx = catalog.transaction().await.unwrap();
        let planned = database::plan(&mut tx, &new_database(place.template)).await.unwrap();
        tx.commit().await.unwrap();
        planned.is_some()
    });
    let looking = world.database.connect().await;
    holm_testkit::eventually(super::world::LIMIT, "the planner waits", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let waiting: i64 = looking.query_one(sql, &[]).await.unwrap().get(0);
        (waiting > 0).then_some(())
    })
    .await;
    draining.commit().await.unwrap();
    assert!(!planning.await.unwrap(), "it would be planned for ever");
}

#[tokio::test]
async fn a_cluster_has_no_trouble_with_a_pool_that_is_not_kept_any_more() {
    let (world, place) = World::with("production").await;
    for event in [ClusterEvent::Drain, ClusterEvent::Emptied, ClusterEvent::Forget] {
        let _ = cluster::set_trouble(&world.catalog, place.cluster, Some(&a_problem())).await.unwrap();
        let mut tx = world.catalog.transaction().await.unwrap();
        assert_eq!(cluster::life::tell(&mut tx, place.cluster, event).await.unwrap(), Update::Done);
        tx.commit().await.unwrap();
        // Of a process that looked at it before.
        assert!(!cluster::set_trouble(&world.catalog, place.cluster, Some(&a_problem())).await.unwrap());
        let troubled = "SELECT count(*) FROM cluster WHERE trouble IS NOT NULL";
        let count: i64 = world.database.connect().await.query_one(troubled, &[]).await.unwrap().get(0);
        assert_eq!(count, 0, "after {event:?}");
    }
}
