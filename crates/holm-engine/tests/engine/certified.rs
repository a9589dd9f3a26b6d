//! What the data plane is told of where a tenant's database may be used (R2).

use std::time::{Duration, Instant};

use holm_core::placement::{Allows, Certificate, Placement, SystemIdentifier, Withheld};
use holm_engine::residency::{profile, watch};
use holm_engine::tenant;
use holm_link::certificate::check;

use crate::placing::{create, place, told};
use crate::support::{DEV, PATIENCE, Setup, World, new_tenant, production, slug};

fn placement(world: &World, name: &str) -> Placement {
    let table = world.control.publisher().table();
    table.route(&production(), &slug(name)).unwrap().placement.clone()
}

fn certificate(world: &World, name: &str) -> Certificate {
    match placement(world, name) {
        Placement::Certified(certificate) => (*certificate).clone(),
        Placement::Withheld(why) => panic!("{name}: {why:?}"),
    }
}

async fn until(world: &World, name: &str, what: &str, is: impl Fn(&Placement) -> bool) {
    let look = async || {
        let now = placement(world, name);
        if is(&now) { Ok(()) } else { Err(format!("{now:?}")) }
    };
    holm_testkit::eventually(PATIENCE, what, look).await;
}

fn allows(wanted: Option<Allows>) -> impl Fn(&Placement) -> bool {
    move |placement| placement.allows() == wanted
}

/// As if that many days had passed since the copies were denied.
async fn denied_for(world: &World, days: u32) {
    let sql = format!("UPDATE residency_standing SET denied_since = now() - interval '{days} days 1 minute' WHERE outcome = 'deny'");
    world.catalog().await.execute(&sql, &[]).await.unwrap();
    world.catalog().await.execute("UPDATE residency SET judge_by = now()", &[]).await.unwrap();
    watch::judge(world.control.clone()).await.unwrap();
    // Somebody else may be at it.
    world.until_count("residency WHERE judge_by > now() AND judged = epoch", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_every_tenant_serves_under_a_certificate_for_its_database_on_its_server_and_what_it_was_judged_by() {
    let world = World::start(Setup { pool_size: 2, ..Setup::default() }).await;
    world.create("malmo").await.unwrap();
    let unjudged = certificate(&world, "malmo");
    assert_eq!(unjudged.claims.judged_by, None, "nobody judges it");
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    watch::judge(world.control.clone()).await.unwrap();
    create(&world, "goteborg", None).await.unwrap();
    let table = world.control.publisher().table();
    for name in ["malmo", "goteborg"] {
        let route = table.route(&production(), &slug(name)).unwrap();
        let server = check(route, &table, world.control.publisher().routes().now()).unwrap();
        assert_eq!(server, Some(world.server.system_identifier()), "{name}");
    }
    let judged = certificate(&world, "goteborg").claims;
    let by = judged.judged_by.unwrap();
    let kept: String = world.catalog().await.query_one("SELECT hash FROM residency_profile", &[]).await.unwrap().get(0);
    let digits = |hash: &[u8; 32]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(digits(&by.profile), kept);
    assert_ne!(by.registry, [0; 32]);
    let hours = judged.expires_at.duration_since(judged.issued_at).as_hours();
    assert!((35..=48).contains(&hours), "{hours}");
    // A tenant that is given a profile is certified by it.
    holm_engine::residency::assigned::set_of_tenant(&world.control, &DEV, &production(), &slug("malmo"), "eea-jurisdiction", false)
        .await
        .unwrap();
    until(&world, "malmo", "its profile is in it", |now| match now {
        Placement::Certified(now) => now.claims.judged_by.is_some_and(|now| digits(&now.profile) == kept),
        Placement::Withheld(_) => false,
    })
    .await;
    // A second process signs the same.
    let second = world.second_control().await;
    let same = second.publisher().table();
    assert_eq!(same.authority().unwrap().key, table.authority().unwrap().key);
    assert_eq!(same.route(&production(), &slug("goteborg")).unwrap().placement, placement(&world, "goteborg"));
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_denied_where_it_is_keeps_what_its_profile_leaves_it_and_gets_all_back_when_that_is_mended() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    create(&world, "goteborg", None).await.unwrap();
    place(&world, "production-1", "skyline", "se-sto").await;
    world.until_count("residency_standing WHERE outcome = 'deny'", 2).await;
    // The first 30 days are for telling.
    denied_for(&world, 29).await;
    assert_eq!(placement(&world, "goteborg").allows(), Some(Allows::All));
    denied_for(&world, 30).await;
    until(&world, "goteborg", "it is drained", allows(Some(Allows::Finishing))).await;
    denied_for(&world, 90).await;
    until(&world, "goteborg", "it is blocked", |now| *now == Placement::Withheld(Withheld::Blocked)).await;
    for word in ["finishing", "nothing"] {
        world.until_count(&format!("audit_entry WHERE action = 'residency.enforce' AND detail::jsonb ->> 'allows' = '{word}'"), 1).await;
    }
    // Nobody can say any more where it is: what was taken away is not given back, and its days are not counted anew.
    let catalog = world.catalog().await;
    catalog.execute("UPDATE cluster SET place = NULL, placed_at = NULL, place_evidence = NULL", &[]).await.unwrap();
    catalog.execute("UPDATE residency SET judge_by = now()", &[]).await.unwrap();
    watch::judge(world.control.clone()).await.unwrap();
    world.until_count("residency_standing WHERE outcome = 'unknown' AND denied_since IS NOT NULL", 1).await;
    assert_eq!(placement(&world, "goteborg"), Placement::Withheld(Withheld::Blocked));
    place(&world, "production-1", "skyline", "se-sto").await;
    world.until_count("residency_standing WHERE outcome = 'deny'", 2).await;
    assert_eq!(placement(&world, "goteborg"), Placement::Withheld(Withheld::Blocked));
    // Looked at again, nothing is said again.
    denied_for(&world, 91).await;
    assert_eq!(world.count("audit_entry WHERE action = 'residency.enforce'").await, 2);
    let begun = Instant::now();
    place(&world, "production-1", "nordlys", "no-osl").await;
    until(&world, "goteborg", "it is let in again", allows(Some(Allows::All))).await;
    println!("let in {:?} after the place was mended", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_another_process_judges_is_judged_when_that_one_is_gone_and_not_by_the_schedule() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    let another = world.catalog().await;
    for (provider, region) in [("nordlys", "no-osl"), ("skyline", "se-sto")].repeat(3) {
        world.until_count("residency WHERE judged = epoch", 1).await;
        another.execute("SELECT pg_advisory_lock(x'486a6467'::integer)", &[]).await.unwrap();
        place(&world, "production-1", provider, region).await;
        assert_eq!(world.count("residency WHERE judged = epoch").await, 0, "two judged at once");
        another.execute("SELECT pg_advisory_unlock(x'486a6467'::integer)", &[]).await.unwrap();
        let begun = Instant::now();
        world.until_count("residency WHERE judged = epoch", 1).await;
        // The schedule looks twice a minute.
        assert!(begun.elapsed() < Duration::from_secs(10), "it was judged {:?} later", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_a_profile_that_blocks_at_once_is_enforced_when_a_place_is_denied_and_not_where_nobody_can_say() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    profile::keep(&world.control, &DEV, with_steps(&[(0, "block")])).await.unwrap();
    place(&world, "production-1", "nordlys", "no-osl").await;
    create(&world, "goteborg", None).await.unwrap();
    // A region that nobody knows anything of: no verdict, and nobody is cut off for that.
    let begun = Instant::now();
    place(&world, "production-1", "skyline", "se-sto").await;
    until(&world, "goteborg", "it is blocked", |now| *now == Placement::Withheld(Withheld::Blocked)).await;
    println!("blocked {:?} after the change was confirmed and before", begun.elapsed());
    place(&world, "production-1", "nordlys", "no-osl").await;
    until(&world, "goteborg", "it is let in again", allows(Some(Allows::All))).await;
    world.catalog().await.execute("UPDATE cluster SET place = NULL, placed_at = NULL, place_evidence = NULL", &[]).await.unwrap();
    world.catalog().await.execute("UPDATE residency SET judge_by = now()", &[]).await.unwrap();
    watch::judge(world.control.clone()).await.unwrap();
    world.until_count("residency_standing WHERE outcome = 'unknown'", 1).await;
    assert_eq!(placement(&world, "goteborg").allows(), Some(Allows::All));
}

/// The shipped profile, with steps of its own.
fn with_steps(steps: &[(u32, &str)]) -> String {
    let text = profile::shipped("eea-jurisdiction").unwrap().replace("version = 2\n", "version = 3\n");
    let (before, rest) = text.split_once("[[on_breach]]").unwrap();
    let cases = rest.split_once("[[case]]").unwrap().1;
    let steps: String = steps.iter().map(|(days, step)| format!("[[on_breach]]\nafter_days = {days}\nstep = \"{step}\"\n\n")).collect();
    format!("{before}{steps}[[case]]{cases}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_step_took_away_the_next_does_not_give_back() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    profile::keep(&world.control, &DEV, with_steps(&[(0, "alert"), (10, "read_only"), (20, "drain")])).await.unwrap();
    place(&world, "production-1", "nordlys", "no-osl").await;
    create(&world, "goteborg", None).await.unwrap();
    place(&world, "production-1", "skyline", "se-sto").await;
    world.until_count("residency_standing WHERE outcome = 'deny'", 2).await;
    for (days, left) in [(9, Allows::All), (10, Allows::Reading), (20, Allows::FinishingReading)] {
        denied_for(&world, days).await;
        until(&world, "goteborg", "its step", allows(Some(left))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_a_day_before_they_end_under_the_sessions_that_use_them() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let made = tenant::create(&world.control, &DEV, new_tenant("goteborg"), PATIENCE).await.unwrap();
    let catalog = world.catalog().await;
    let ends_in = async |interval: &str| {
        let sql =
            format!("UPDATE placement_certificate SET issued_at = now() - interval '1 day', expires_at = now() + interval '{interval}'");
        catalog.execute(&sql, &[]).await.unwrap();
    };
    watch::judge(world.control.clone()).await.unwrap();
    let first = certificate(&world, "goteborg").claims;
    let epoch = || world.control.publisher().table().route_of(made.id).unwrap().epoch;
    let (before, renewed) = (epoch(), "placement_certificate WHERE expires_at > now() + interval '35 hours'");
    ends_in("23 hours").await;
    watch::judge(world.control.clone()).await.unwrap();
    world.until_count(renewed, 1).await;
    until(&world, "goteborg", "it is out", |now| matches!(now, Placement::Certified(now) if now.claims.expires_at != first.expires_at))
        .await;
    assert_eq!(epoch(), before, "no pool is made anew for it");
    // One that lasts is left alone.
    ends_in("25 hours").await;
    watch::judge(world.control.clone()).await.unwrap();
    assert_eq!(world.count(renewed).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_an_older_holm_made_is_certified_and_one_that_is_gone_is_forgotten() {
    let world = World::start(Setup { pool_size: 2, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    world.create("malmo").await.unwrap();
    let catalog = world.catalog().await;
    catalog.execute("DELETE FROM placement_certificate", &[]).await.unwrap();
    watch::judge(world.control.clone()).await.unwrap();
    assert_eq!(world.count("placement_certificate WHERE allows = 'all'").await, 2);
    until(&world, "goteborg", "it is certified", allows(Some(Allows::All))).await;
    catalog.execute("UPDATE tenant SET state = 'dropped', database_id = NULL WHERE slug = 'malmo'", &[]).await.unwrap();
    catalog.execute("UPDATE placement_certificate SET expires_at = now()", &[]).await.unwrap();
    watch::judge(world.control.clone()).await.unwrap();
    assert_eq!(world.count("placement_certificate").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_became_another_server_in_the_catalog_alone_has_no_certificates_until_its_tenants_are_judged() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    let catalog = world.catalog().await;
    catalog.execute("UPDATE cluster SET system_identifier = system_identifier + 1", &[]).await.unwrap();
    let second = world.second_control().await;
    let route = second.publisher().table().route(&production(), &slug("goteborg")).unwrap().clone();
    assert_eq!(route.placement, Placement::Withheld(Withheld::Unjudged));
    second.shutdown().await;
    catalog.execute("UPDATE residency SET judge_by = now()", &[]).await.unwrap();
    watch::judge(world.control.clone()).await.unwrap();
    let other = SystemIdentifier(world.server.system_identifier().0 + 1);
    until(&world, "goteborg", "it is judged there", |now| matches!(now, Placement::Certified(now) if now.claims.server == Some(other)))
        .await;
}
