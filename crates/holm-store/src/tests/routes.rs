//! The data plane can follow the catalog: versions without gaps, and changes that add up to the whole.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holm_core::credential::Scope;
use holm_core::environment::Environment;
use holm_core::id::{ClusterId, TenantId};
use holm_core::placement::{Certificate, Claims, JudgedBy, Placement, Withheld};
use holm_core::role::RoleName;
use holm_core::route::{Route, RouteChange, RouteState, RouteTable, RouteVersion, ServerLogin};
use holm_core::scram::LoginKeys;
use holm_core::secret::Secret;

use super::world::{World, a_problem, claim_now, environment_name, fill, new_credential, new_tenant, place, serving, slug};
use crate::catalog::Catalog;
use crate::residency::certificate::Said;
use crate::route::{Change, Changes, changes_since, version};
use crate::tenant::claim::Claim;
use crate::{credential, tenant};

/// What the engine does, with keys that nobody sealed.
fn unseal(change: Change) -> RouteChange {
    match change {
        Change::Environment(row) => {
            RouteChange::Environment(Environment { name: row.name, kind: row.kind, domain: row.domain, header_key: Secret::new([0; 32]) })
        }
        Change::Cluster(row) => RouteChange::Cluster(row.cluster),
        Change::ClusterGone(id) => RouteChange::ClusterGone(id),
        Change::Credential(credential) => RouteChange::Credential(credential),
        Change::CredentialGone(id) => RouteChange::CredentialGone(id),
        Change::TenantGone(id) => RouteChange::RouteGone(id),
        Change::Tenant(row) => RouteChange::Route(Route {
            tenant: row.tenant,
            slug: row.slug,
            environment: row.environment,
            state: row.state,
            epoch: row.epoch,
            cluster: row.cluster,
            logins: holm_core::credential::Level::ALL
                .map(|level| ServerLogin {
                    role: RoleName::of(&row.database, level),
                    keys: LoginKeys { client_key: Secret::new([1; 32]), server_key: Secret::new([2; 32]) },
                })
                .into(),
            next_logins: None,
            database: row.database,
            parameters: row.parameters.into(),
            limits: row.limits,
            aliases: row.aliases.into(),
            placement: certified(row.tenant, row.cluster, row.placement),
        }),
    }
}

/// As nobody signs it.
fn certified(tenant: TenantId, cluster: ClusterId, said: Option<Said>) -> Placement {
    let Some(Said { server, judged_by, allows: Some(allows), issued_at, expires_at }) = said else {
        return Placement::Withheld(Withheld::Unjudged);
    };
    let judged_by = judged_by.map(|(profile, registry)| JudgedBy { profile, registry });
    let claims = Claims { tenant, cluster, server, judged_by, allows, issued_at, expires_at };
    Placement::Certified(Arc::new(Certificate { claims, signer: [0; 8], signature: [0; 64] }))
}

async fn follow(catalog: &Catalog, table: RouteTable) -> RouteTable {
    let Changes { version, changes, .. } = changes_since(catalog, table.version()).await.unwrap();
    if version == table.version() { table } else { table.with(version, changes.into_iter().map(unseal)) }
}

#[tokio::test]
async fn an_empty_catalog_makes_an_empty_table_of_version_1() {
    let world = World::new().await;
    let table = follow(&world.catalog, RouteTable::default()).await;
    assert_eq!((table.version(), table.tenant_count()), (RouteVersion(1), 0));
    assert!(changes_since(&world.catalog, RouteVersion(1)).await.unwrap().changes.is_empty());
}

#[tokio::test]
async fn a_tenant_has_a_route_once_it_serves_and_not_before() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 1).await;
    let before = follow(&world.catalog, RouteTable::default()).await;
    let Claim::Claimed { tenant, .. } = claim_now(&world.catalog, new_tenant("production", "goteborg")).await else {
        panic!("no database")
    };
    assert_eq!(version(&world.catalog).await.unwrap(), before.version(), "claiming changes no route");

    let mut tx = world.catalog.transaction().await.unwrap();
    let _ = tenant::mark_serving(&mut tx, tenant.id).await.unwrap();
    let committed = tx.commit().await.unwrap().unwrap();
    assert_eq!(committed, RouteVersion(before.version().0 + 1));
    let table = follow(&world.catalog, before).await;
    let route = table.route(&environment_name("production"), &slug("goteborg")).unwrap();
    assert_eq!((route.tenant, route.state, route.cluster), (tenant.id, RouteState::Serving, place.cluster));
    assert_eq!(tenant::by_id(&world.catalog, tenant.id).await.unwrap().unwrap().route_version, committed);
    assert_eq!(route.database, tenant.database.unwrap());
}

#[tokio::test]
async fn a_revoked_credential_and_a_failed_tenant_are_told_to_who_followed_and_not_to_who_begins() {
    let (world, _) = World::with("production").await;
    let app = new_credential("production", "app", Scope::App);
    let mut tx = world.catalog.transaction().await.unwrap();
    let _ = credential::insert(&mut tx, &app).await.unwrap();
    tx.commit().await.unwrap();
    let table = follow(&world.catalog, RouteTable::default()).await;
    assert_eq!(table.credential("app").map(|credential| credential.id), Some(app.id));

    let Claim::Awaiting(tenant) = claim_now(&world.catalog, new_tenant("production", "goteborg")).await else { panic!("no pool") };
    // Rotated: the old one goes and a new one of the same name comes, in one version.
    let rotated = new_credential("production", "app", Scope::App);
    let mut tx = world.catalog.transaction().await.unwrap();
    let _ = credential::revoke(&mut tx, &app.environment, &app.name).await.unwrap();
    let _ = credential::insert(&mut tx, &rotated).await.unwrap();
    let _ = tenant::fail(&mut tx, tenant.id, &a_problem()).await.unwrap();
    tx.commit().await.unwrap();
    let changes = changes_since(&world.catalog, table.version()).await.unwrap().changes;
    let gone = |change: &Change| {
        matches!(change, Change::CredentialGone(id) if *id == app.id) || matches!(change, Change::TenantGone(id) if *id == tenant.id)
    };
    assert_eq!(changes.iter().filter(|change| gone(change)).count(), 2, "{changes:?}");
    let table = follow(&world.catalog, table).await;
    assert_eq!(table.credential("app").map(|credential| credential.id), Some(rotated.id));

    let whole = changes_since(&world.catalog, RouteVersion(0)).await.unwrap().changes;
    assert!(!whole.iter().any(|change| matches!(change, Change::CredentialGone(_) | Change::TenantGone(_))), "{whole:?}");
}

/// One writer: credentials come and go, a tenant is suspended and resumed, some transactions are given up.
async fn write(catalog: Catalog, writer: usize) -> Vec<RouteVersion> {
    let mut versions = Vec::new();
    let production = environment_name("production");
    for round in 0..15 {
        let mut tx = catalog.transaction().await.unwrap();
        let new = new_credential("production", &format!("app-{writer}-{round}"), Scope::App);
        let _ = credential::insert(&mut tx, &new).await.unwrap();
        if round % 5 == 4 {
            // Given up, awaited or not: its version must not be missing from the others'.
            if writer.is_multiple_of(2) {
                tx.rollback().await.unwrap();
            } else {
                drop(tx);
            }
            continue;
        }
        let name = slug(&format!("tenant-{}", writer % 3));
        let _ = if round % 2 == 0 {
            tenant::suspend(&mut tx, &production, &name).await.unwrap()
        } else {
            tenant::resume(&mut tx, &production, &name).await.unwrap()
        };
        versions.push(tx.commit().await.unwrap().unwrap());
    }
    versions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn versions_have_no_gaps_under_eight_writers_and_who_follows_ends_with_the_same_as_who_begins() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 3).await;
    for i in 0..3 {
        serving(&world.catalog, "production", &format!("tenant-{i}")).await;
    }
    world.warm().await;
    let before = version(&world.catalog).await.unwrap();
    let writers: Vec<_> = (0..8).map(|writer| tokio::spawn(write(world.catalog.clone(), writer))).collect();
    let mut table = RouteTable::default();
    let mut steps = 0;
    while writers.iter().any(|writer| !writer.is_finished()) {
        let next = follow(&world.catalog, table.clone()).await;
        steps += usize::from(next.version() > table.version());
        table = next;
    }
    let mut versions = BTreeSet::new();
    for writer in writers {
        for version in writer.await.unwrap() {
            assert!(versions.insert(version.0), "version {version} was given twice");
        }
    }
    assert_eq!(versions, (before.0 + 1..=before.0 + 8 * 12).collect());
    let followed = follow(&world.catalog, table).await;
    let whole = follow(&world.catalog, RouteTable::default()).await;
    assert_eq!(summary(&followed), summary(&whole));
    assert_eq!(whole.tenant_count(), 3);
    assert!(steps > 1, "the follower must have seen versions in between");
}

/// All that a table says of credentials and tenants of that test.
fn summary(table: &RouteTable) -> String {
    let credentials = (0..8).flat_map(|writer| (0..15).map(move |round| format!("app-{writer}-{round}")));
    let credentials: Vec<_> = credentials.map(|name| table.credential(&name).map(|credential| credential.id)).collect();
    let routes: Vec<_> = (0..3).map(|i| table.route(&environment_name("production"), &slug(&format!("tenant-{i}")))).collect();
    format!("{:?}\n{credentials:#?}\n{routes:#?}", table.version())
}

#[tokio::test]
async fn a_reader_sees_a_version_and_its_rows_as_of_one_moment() {
    let (world, _) = World::with("production").await;
    let mut open = world.catalog.transaction().await.unwrap();
    let _ = credential::insert(&mut open, &new_credential("production", "late", Scope::App)).await.unwrap();
    let table = follow(&world.catalog, RouteTable::default()).await;
    assert!(table.credential("late").is_none(), "not committed");
    let committed = open.commit().await.unwrap().unwrap();
    assert!(committed > table.version(), "a version that was read can get nothing more");
    assert!(follow(&world.catalog, table).await.credential("late").is_some());
}

#[tokio::test]
async fn twenty_thousand_tenants_load_in_a_moment() {
    let (world, production) = World::with("production").await;
    place(&world.catalog, "staging").await;
    let client = world.database.connect().await;
    let many = format!(
        "INSERT INTO database (id, cluster_id, environment_id, template_id, name, state, sealed_logins, ready_at)
         SELECT md5('db' || i)::uuid, c.id, c.environment_id, '{}', 't_' || i, 'claimed', decode(repeat('ab', 400), 'hex'), now()
         FROM cluster c, generate_series(1, 20000) i WHERE c.name = 'production-1';
         INSERT INTO tenant (id, environment_id, slug, database_id, state, seeded, epoch, parameters, route_version)
         SELECT md5('ten' || i)::uuid, e.id, 'tenant-' || i, md5('db' || i)::uuid, 'serving', true, 1, '[]', 2
         FROM environment e, generate_series(1, 20000) i WHERE e.name = 'production';
         ANALYZE",
        production.template.as_uuid()
    );
    client.batch_execute(&many).await.unwrap();
    let begun = Instant::now();
    let changes = changes_since(&world.catalog, RouteVersion(0)).await.unwrap();
    let took = begun.elapsed();
    println!("20,000 tenants were read in {} ms", took.as_millis());
    assert_eq!(changes.changes.iter().filter(|change| matches!(change, Change::Tenant(_))).count(), 20_000);
    // About 0.2 s without optimisation on two cores of a virtual machine; the limit leaves room for a busy one.
    assert!(took < Duration::from_secs(5), "{took:?}");
}
