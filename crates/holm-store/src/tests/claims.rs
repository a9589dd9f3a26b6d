//! Names and databases are given out once, whoever asks at the same time.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::task::Poll;

use holm_core::error::{ErrorCode, Problem};
use holm_core::tenant::TenantState;

use super::world::{
    World, a_problem, claim_now, environment_name, fill, new_environment, new_tenant, on_cluster, place, put_environment, serving, slug,
};
use crate::database::DatabaseState;
use crate::environment::Seed;
use crate::page::Page;
use crate::state::Update;
use crate::tenant::claim::{Claim, assign_waiting, claim};
use crate::{cluster, database, template, tenant};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_creators_of_one_slug_one_gets_it_and_the_other_is_told() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 2).await;
    for round in 0..20 {
        let name = format!("orchestra-{round}");
        let race = (0..2).map(|_| {
            let (catalog, new) = (world.catalog.clone(), new_tenant("production", &name));
            tokio::spawn(async move { claim_now(&catalog, new).await })
        });
        let mut won = 0;
        for racer in race.collect::<Vec<_>>() {
            match racer.await.unwrap() {
                Claim::Claimed { .. } | Claim::Awaiting(_) => won += 1,
                Claim::SlugTaken => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(won, 1, "{name}");
    }
    assert_eq!(database::ready_count(&world.catalog, place.template).await.unwrap(), 0, "the losers took nothing: two winners had two");
}

#[tokio::test]
async fn the_second_creator_waits_for_the_first_and_gets_the_slug_if_the_first_goes_back() {
    let (world, _) = World::with("production").await;
    let client = world.database.connect().await;
    for first_commits in [true, false] {
        let name = format!("first-commits-{first_commits}");
        let mut first = world.catalog.transaction().await.unwrap();
        let _ = claim(&mut first, new_tenant("production", &name)).await.unwrap();
        let second = tokio::spawn({
            let (catalog, new) = (world.catalog.clone(), new_tenant("production", &name));
            async move { claim_now(&catalog, new).await }
        });
        // A value of the server's: the second creator is waiting for the first.
        holm_testkit::eventually(super::world::LIMIT, "the second creator waits", async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let count: i64 = client.query_one(waiting, &[]).await.unwrap().get(0);
            (count == 1).then_some(())
        })
        .await;
        assert!(!second.is_finished());
        if first_commits {
            first.commit().await.unwrap();
        } else {
            first.rollback().await.unwrap();
        }
        let second = second.await.unwrap();
        assert_eq!(matches!(second, Claim::SlugTaken), first_commits, "{second:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_claims_at_once_on_twenty_members_give_twenty_databases_and_thirty_who_wait() {
    let (world, place) = World::with("production").await;
    world.warm().await;
    let members: BTreeSet<_> = fill(&world.catalog, place, 20).await.into_iter().collect();
    let claims = (0..50).map(|i| {
        let (catalog, new) = (world.catalog.clone(), new_tenant("production", &format!("tenant-{i}")));
        tokio::spawn(async move { claim_now(&catalog, new).await })
    });
    let (mut given, mut waiting) = (BTreeSet::new(), 0);
    for claim in claims.collect::<Vec<_>>() {
        match claim.await.unwrap() {
            Claim::Claimed { tenant, database } => {
                assert_eq!(tenant.database_id, Some(database.id));
                assert_eq!(database.state, DatabaseState::Claimed);
                assert!(given.insert(database.id), "{} was given twice", database.id);
            }
            Claim::Awaiting(_) => waiting += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((given, waiting), (members, 30));
    assert_eq!(tenant::awaiting(&world.catalog, 100).await.unwrap().len(), 30);
}

#[tokio::test]
async fn who_waits_gets_the_next_databases_in_the_order_of_coming() {
    let (world, place) = World::with("production").await;
    let mut order = Vec::new();
    for i in 0..5 {
        let Claim::Awaiting(tenant) = claim_now(&world.catalog, new_tenant("production", &format!("tenant-{i}"))).await else {
            panic!("no pool, and yet a database");
        };
        order.push(tenant.id);
    }
    let members = fill(&world.catalog, place, 3).await;
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(
        assign_waiting(&mut tx, place.cluster, &[]).await.unwrap().into_iter().map(|given| given.tenant).collect::<BTreeSet<_>>(),
        order[..3].iter().copied().collect()
    );
    tx.commit().await.unwrap();
    let still: Vec<_> = tenant::awaiting(&world.catalog, 100).await.unwrap().iter().map(|tenant| tenant.id).collect();
    assert_eq!(still, order[3..]);
    let given: Vec<_> =
        tenant::unfinished(&world.catalog, 100).await.unwrap().into_iter().filter_map(|tenant| tenant.database_id).collect();
    assert_eq!(given, members, "oldest database to the one that waited longest");
    let claimed = database::of_state(&world.catalog, place.cluster, DatabaseState::Claimed, 100).await.unwrap();
    assert_eq!(claimed.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_who_give_out_databases_at_once_give_each_once() {
    let (world, place) = World::with("production").await;
    world.warm().await;
    for i in 0..30 {
        let _ = claim_now(&world.catalog, new_tenant("production", &format!("tenant-{i}"))).await;
    }
    fill(&world.catalog, place, 30).await;
    let givers = (0..6).map(|_| {
        let catalog = world.catalog.clone();
        tokio::spawn(async move {
            let mut tx = catalog.transaction().await.unwrap();
            let given = assign_waiting(&mut tx, place.cluster, &[]).await.unwrap();
            tx.commit().await.unwrap();
            given
        })
    });
    let mut given = Vec::new();
    for giver in givers.collect::<Vec<_>>() {
        given.extend(giver.await.unwrap());
    }
    // One that found rows locked left them; whoever is woken by the commits finds the rest.
    let mut tx = world.catalog.transaction().await.unwrap();
    given.extend(assign_waiting(&mut tx, place.cluster, &[]).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!((given.len(), given.iter().map(|given| given.tenant).collect::<BTreeSet<_>>().len()), (30, 30));
    let databases = tenant::unfinished(&world.catalog, 100).await.unwrap();
    assert_eq!(databases.iter().filter_map(|tenant| tenant.database_id).collect::<BTreeSet<_>>().len(), 30);
}

#[tokio::test]
async fn r13_a_waiting_tenant_gets_nothing_of_another_environment_or_of_a_cluster_it_did_not_ask_for() {
    let (world, first) = World::with("production").await;
    let second = place(&world.catalog, "production").await;
    let staging = place(&world.catalog, "staging").await;
    let wants_second = on_cluster(new_tenant("production", "choosy"), "production-2");
    assert!(matches!(claim_now(&world.catalog, wants_second).await, Claim::Awaiting(_)));
    for elsewhere in [first, staging] {
        fill(&world.catalog, elsewhere, 1).await;
        let mut tx = world.catalog.transaction().await.unwrap();
        assert_eq!(assign_waiting(&mut tx, elsewhere.cluster, &[]).await.unwrap(), []);
        tx.commit().await.unwrap();
    }
    fill(&world.catalog, second, 1).await;
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(assign_waiting(&mut tx, second.cluster, &[]).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    let choosy = tenant::by_slug(&world.catalog, &environment_name("production"), &slug("choosy")).await.unwrap().unwrap();
    assert_eq!(choosy.cluster.unwrap().as_str(), "production-2");
}

#[tokio::test]
async fn absent_and_taken_are_told_apart_and_change_nothing() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 2).await;
    super::world::place(&world.catalog, "staging").await;
    serving(&world.catalog, "production", "goteborg").await;
    let check = async |new| {
        let mut tx = world.catalog.transaction().await.unwrap();
        let claimed = claim(&mut tx, new).await.unwrap();
        assert_eq!(tx.commit().await.unwrap(), None, "{claimed:?}");
        claimed
    };
    assert_eq!(check(new_tenant("production", "goteborg")).await, Claim::SlugTaken);
    assert_eq!(check(on_cluster(new_tenant("production", "goteborg"), "production-1")).await, Claim::SlugTaken);
    assert_eq!(check(new_tenant("qa", "malmo")).await, Claim::NoSuchEnvironment);
    assert_eq!(check(on_cluster(new_tenant("production", "malmo"), "nowhere")).await, Claim::NoSuchCluster);
    assert_eq!(check(on_cluster(new_tenant("production", "malmo"), "staging-1")).await, Claim::NoSuchCluster, "R13");
    assert_eq!(database::ready_count(&world.catalog, place.template).await.unwrap(), 1);
    // R1: the same name in another environment is another tenant.
    assert!(matches!(check(new_tenant("staging", "goteborg")).await, Claim::Awaiting(_)));
}

#[tokio::test]
async fn members_of_a_retired_template_or_of_a_cluster_that_is_down_are_not_handed_out() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 3).await;
    let down = Problem::new(ErrorCode::ClusterUnreachable, "`production-1` does not answer");
    assert!(cluster::set_trouble(&world.catalog, place.cluster, Some(&down)).await.unwrap());
    assert!(!cluster::set_trouble(&world.catalog, place.cluster, Some(&down)).await.unwrap(), "no news");
    assert!(matches!(claim_now(&world.catalog, new_tenant("production", "one")).await, Claim::Awaiting(_)));
    let full = Problem::new(ErrorCode::ClusterFull, "`production-1` has no room for more");
    cluster::set_trouble(&world.catalog, place.cluster, Some(&full)).await.unwrap();
    assert!(matches!(claim_now(&world.catalog, new_tenant("production", "two")).await, Claim::Claimed { .. }));

    let mut tx = world.catalog.transaction().await.unwrap();
    let next = template::NewTemplate {
        id: template::TemplateId::from_uuid(uuid::Uuid::now_v7()),
        cluster: place.cluster,
        fingerprint: "f2".to_owned(),
        database: "tpl_next".parse().unwrap(),
    };
    template::plan(&mut tx, &next).await.unwrap();
    assert_eq!(template::retire_others(&mut tx, place.cluster, next.id).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(matches!(claim_now(&world.catalog, new_tenant("production", "three")).await, Claim::Awaiting(_)));

    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(database::condemn_stale(&mut tx, place.cluster).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let counts = database::counts(&world.catalog).await.unwrap();
    assert_eq!((counts.len(), counts[0].ready, counts[0].claimed, counts[0].condemned), (1, 0, 1, 2));
}

#[tokio::test]
async fn only_an_environment_without_a_seed_makes_tenants_that_may_serve_at_once() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 1).await;
    let Claim::Claimed { tenant, .. } = claim_now(&world.catalog, new_tenant("production", "unseeded")).await else {
        panic!("no database")
    };
    assert!(tenant.seeded);

    let seeded = crate::environment::NewEnvironment { seed: Some(Seed::SqlFile("/srv/seed.sql".into())), ..new_environment("staging") };
    put_environment(&world.catalog, &seeded).await;
    let place = super::world::place(&world.catalog, "staging").await;
    fill(&world.catalog, place, 1).await;
    let Claim::Claimed { tenant, .. } = claim_now(&world.catalog, new_tenant("staging", "seeded")).await else { panic!("no database") };
    assert!(!tenant.seeded);
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(tenant::mark_serving(&mut tx, tenant.id).await.unwrap(), Update::Refused(TenantState::Creating));
    assert_eq!(tenant::mark_seeded(&mut tx, tenant.id).await.unwrap(), Update::Done);
    assert_eq!(tenant::mark_serving(&mut tx, tenant.id).await.unwrap(), Update::Done);
    assert!(tx.commit().await.unwrap().is_some());
}

#[tokio::test]
async fn a_failed_creation_frees_the_name_and_condemns_the_database() {
    let (world, place) = World::with("production").await;
    let members = fill(&world.catalog, place, 1).await;
    let Claim::Claimed { tenant: first, .. } = claim_now(&world.catalog, new_tenant("production", "goteborg")).await else {
        panic!("no database")
    };
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(tenant::fail(&mut tx, first.id, &a_problem()).await.unwrap(), Update::Done);
    tx.commit().await.unwrap();
    let failed = tenant::by_id(&world.catalog, first.id).await.unwrap().unwrap();
    assert_eq!((failed.state, failed.database, failed.failure), (TenantState::Failed, None, Some(a_problem())));
    assert_eq!(database::by_id(&world.catalog, members[0]).await.unwrap().unwrap().state, DatabaseState::Condemned);

    let Claim::Awaiting(second) = claim_now(&world.catalog, new_tenant("production", "goteborg")).await else {
        panic!("the name is not free")
    };
    let listed = tenant::list(&world.catalog, &environment_name("production"), &Page::first()).await.unwrap();
    assert_eq!(listed.iter().map(|tenant| tenant.id).collect::<Vec<_>>(), [second.id], "the failed one is no tenant any more");
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(tenant::fail(&mut tx, first.id, &a_problem()).await.unwrap(), Update::Refused(TenantState::Failed));
    assert_eq!(database::forget(&mut tx, members[0]).await.unwrap(), Update::Done);
    assert_eq!(database::forget(&mut tx, members[0]).await.unwrap(), Update::Absent);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_creation_that_is_dropped_after_any_number_of_polls_is_whole_or_never_was() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 30).await;
    let client = world.database.connect().await;
    let (mut whole, mut never) = (0, 0);
    for polls in 0..30 {
        let new = new_tenant("production", &format!("polls-{polls}"));
        let id = new.id;
        let mut creation = Box::pin(async {
            let mut tx = world.catalog.transaction().await.unwrap();
            let Claim::Claimed { tenant, .. } = claim(&mut tx, new).await.unwrap() else { panic!("no database") };
            assert_eq!(tenant::mark_serving(&mut tx, tenant.id).await.unwrap(), Update::Done);
            tx.commit().await.unwrap();
        });
        // One poll more each time it is woken: how many there are does not depend on how fast the machine is.
        let mut polled = 0;
        let over = poll_fn(|context| {
            if polled == polls {
                return Poll::Ready(false);
            }
            polled += 1;
            creation.as_mut().poll(context).map(|()| true)
        })
        .await;
        drop(creation);
        // A commit that was under way is over once its row can be locked, or is gone.
        client.execute("SELECT 1 FROM tenant WHERE id = $1 FOR UPDATE", &[&id.as_uuid()]).await.unwrap();
        match tenant::by_id(&world.catalog, id).await.unwrap() {
            Some(tenant) => {
                assert_eq!(tenant.state, TenantState::Serving);
                whole += 1;
            }
            None => {
                assert!(!over, "it was told that there is a tenant");
                never += 1;
            }
        }
    }
    assert!(whole > 0 && never > 0, "{whole} whole, {never} never: not every kind was tried");
    let count = "SELECT count(*) FROM database d WHERE state = 'claimed' AND NOT EXISTS (SELECT FROM tenant t WHERE t.database_id = d.id)";
    let orphans: i64 = client.query_one(count, &[]).await.unwrap().get(0);
    assert_eq!(orphans, 0);
}
