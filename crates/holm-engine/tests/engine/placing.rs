//! A tenant that has a profile is made where that allows it, and nowhere else.

use std::time::Duration;

use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::operation::OperationState;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::operation::show;
use holm_engine::residency::placed::{Claim, set_place};
use holm_engine::residency::{answer, assigned, exception, observed, profile, watch};
use holm_engine::tenant::copy::{self, NewTenantCopy};
use holm_engine::tenant::{self, NewTenant};
use holm_policy::evaluate::verdict::Outcome;
use holm_store::residency::paper::NewPaper;
use holm_store::residency::{self, facts, paper};
use holm_testkit::{TestServer, new_server};
use uuid::Uuid;

use crate::support::{DEV, PATIENCE, Setup, World, new_tenant, production, slug};

const NORDLYS: &str = include_str!("../../../../demo/facts/nordlys.toml");
const SKYLINE: &str = include_str!("../../../../demo/facts/skyline.toml");

/// Facts of the demo, as of today.
pub(crate) fn today(text: &str) -> String {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let until = today.checked_add(jiff::Span::new().days(365)).unwrap();
    text.replace("@today@", &today.to_string()).replace("@until@", &until.to_string())
}

/// Knows of both providers, has contracts with both, and `eea-jurisdiction` in force.
pub(crate) async fn told(world: &World) {
    let mut tx = world.control.catalog().transaction().await.unwrap();
    residency::alone(&mut tx).await.unwrap();
    residency::advance(&mut tx).await.unwrap();
    for (name, text) in [("nordlys", NORDLYS), ("skyline", SKYLINE)] {
        facts::keep(&mut tx, Uuid::now_v7(), name, &today(text)).await.unwrap();
    }
    for entity in ["nordlys-as", "skyline-europe-ab"] {
        paper::keep(&mut tx, &dpa(entity)).await.unwrap();
    }
    tx.commit().await.unwrap();
    profile::keep(&world.control, &DEV, profile::shipped("eea-jurisdiction").unwrap().to_owned()).await.unwrap();
}

pub(crate) fn dpa(entity: &str) -> NewPaper {
    NewPaper {
        id: Uuid::now_v7(),
        environment: None,
        kind: "dpa".to_owned(),
        of: paper::Of::Company(entity.to_owned()),
        signed_on: jiff::civil::date(2026, 1, 10),
        ends_on: None,
        edition: None,
        document_sha256: None,
    }
}

pub(crate) fn at(provider: &str, region: &str) -> Claim {
    Claim { provider: provider.to_owned(), region: region.to_owned(), plan: None, evidence: Some("an invoice".to_owned()) }
}

pub(crate) async fn place(world: &World, cluster: &str, provider: &str, region: &str) {
    set_place(&world.control, &DEV, &cluster.parse().unwrap(), at(provider, region)).await.unwrap();
}

fn judged(name: &str, cluster: Option<&str>) -> NewTenant {
    NewTenant { cluster: cluster.map(|name| name.parse().unwrap()), profile: Some("eea-jurisdiction".to_owned()), ..new_tenant(name) }
}

pub(crate) async fn create(world: &World, name: &str, cluster: Option<&str>) -> Result<String, Problem> {
    let made = tenant::create(&world.control, &DEV, judged(name, cluster), PATIENCE).await?;
    Ok(made.cluster.unwrap().to_string())
}

/// One more cluster, on a server of its own.
pub(crate) async fn another(world: &World, name: &str) -> TestServer {
    let other = new_server(&[]).await;
    let new = NewCluster {
        address: other.address.clone(),
        admin_role: other.superuser.clone(),
        admin_password: other.password.clone(),
        ..world.new_cluster(name, "production")
    };
    cluster::register(&world.control, &DEV, new).await.unwrap();
    other
}

fn refused(problem: &Problem, rule: &str) {
    assert_eq!((problem.code, problem.changed), (ErrorCode::ResidencyRefused, Changed::Nothing), "{problem:?}");
    assert!(problem.why.as_ref().unwrap().contains(rule), "{problem:?}");
    assert!(!problem.next.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_a_cluster_of_which_nobody_said_where_it_is_and_one_that_the_profile_denies_take_no_tenant_that_has_it() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    refused(&create(&world, "goteborg", Some("production-1")).await.unwrap_err(), "nobody said where its cluster is");
    place(&world, "production-1", "skyline", "se-sto").await;
    let denied = create(&world, "goteborg", Some("production-1")).await.unwrap_err();
    refused(&denied, "control.owners");
    assert!(denied.what.contains("denies") && denied.what.contains("skyline/se-sto"), "{denied:?}");
    refused(&create(&world, "goteborg", None).await.unwrap_err(), "control.owners");
    assert_eq!(world.count("tenant").await, 0);
    // Who asks for no profile, in an environment that has none, is judged by none.
    world.create("malmo").await.unwrap();
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r29_of_three_clusters_the_allowed_one_is_chosen_and_why_not_the_others_is_kept() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    let _servers = (another(&world, "production-2").await, another(&world, "production-3").await);
    world.until_count("database WHERE state = 'ready'", 3).await;
    place(&world, "production-1", "skyline", "se-sto").await;
    place(&world, "production-3", "nordlys", "no-osl").await;
    assert_eq!(create(&world, "goteborg", None).await.unwrap(), "production-3");
    let explained = answer::explain(&world.control, &production(), &slug("goteborg")).await.unwrap();
    assert_eq!(explained.profile, Some(("eea-jurisdiction".to_owned(), 2)));
    assert!(explained.here.iter().all(|copy| copy.outcome() == Outcome::Allow), "{:?}", explained.here);
    let copies: Vec<&str> = explained.here.iter().map(|judged| judged.copy.as_str()).collect();
    assert_eq!(copies, ["primary", "backup"], "what the provider makes by itself is a copy");
    let (_, decision) = explained.decided.unwrap();
    assert_eq!(decision.chosen.cluster, "production-3");
    let others: Vec<(&str, Outcome)> = decision.others.iter().map(|other| (other.cluster.as_str(), other.outcome)).collect();
    assert_eq!(others, [("production-1", Outcome::Deny), ("production-2", Outcome::Unknown)]);
    assert!(decision.others[0].objections.iter().any(|objection| objection.rule == "control.owners" && objection.copy == "primary"));
    assert!(explained.rests_on.iter().any(|ground| ground.fact.as_str() == "entity:nordlys-as.parents" && ground.until.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_are_allowed_the_one_with_more_room_takes_it() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    let _server = another(&world, "production-2").await;
    world.until_count("database WHERE state = 'ready'", 2).await;
    place(&world, "production-1", "nordlys", "se-sto").await;
    place(&world, "production-2", "nordlys", "no-osl").await;
    let first = create(&world, "goteborg", None).await.unwrap();
    world.until_count("database WHERE state = 'ready'", 2).await;
    let second = create(&world, "malmo", None).await.unwrap();
    assert_ne!(first, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn r60_in_an_environment_that_has_a_profile_no_tenant_is_made_without_one() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let not_yet = assigned::set_of_environment(&world.control, &DEV, &production(), "eea-jurisdiction").await.unwrap_err();
    assert_eq!((not_yet.code, not_yet.changed), (ErrorCode::ProfileNotFound, Changed::Nothing));
    assert!(not_yet.next[0].contains("holm residency profile add eea-jurisdiction"));
    told(&world).await;
    assigned::set_of_environment(&world.control, &DEV, &production(), "eea-jurisdiction").await.unwrap();
    refused(&world.create("goteborg").await.unwrap_err(), "nobody said where");
    place(&world, "production-1", "nordlys", "no-osl").await;
    let made = world.create("goteborg").await.unwrap();
    assert_eq!(made.profile.as_deref(), Some("eea-jurisdiction"));
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_tenant_has_its_profile_and_goes_nowhere_where_that_denies_it() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    create(&world, "goteborg", None).await.unwrap();
    let _server = another(&world, "production-2").await;
    world.until_count("database WHERE state = 'ready'", 2).await;
    place(&world, "production-2", "skyline", "se-sto").await;
    let called = |cluster: Option<&str>| NewTenantCopy {
        slug: slug("copy"),
        cluster: cluster.map(|name| name.parse().unwrap()),
        ttl: None,
        reason: None,
    };
    let denied = copy::copy(&world.control, &DEV, &production(), &slug("goteborg"), called(Some("production-2"))).await.unwrap_err();
    refused(&denied, "control.owners");
    let id = copy::copy(&world.control, &DEV, &production(), &slug("goteborg"), called(None)).await.unwrap();
    let over = show::wait(&world.control, id, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Succeeded, "{:?}", over.problem);
    let made = tenant::show(&world.control, &production(), &slug("copy")).await.unwrap();
    assert_eq!(made.profile.as_deref(), Some("eea-jurisdiction"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_not_given_a_profile_that_it_does_not_satisfy_unless_that_is_said_and_then_it_is_told() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    place(&world, "production-1", "skyline", "se-sto").await;
    world.create("goteborg").await.unwrap();
    let give = async |in_breach| {
        assigned::set_of_tenant(&world.control, &DEV, &production(), &slug("goteborg"), "eea-jurisdiction", in_breach).await
    };
    refused(&give(false).await.unwrap_err(), "control.owners");
    assert_eq!(tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap().profile, None);
    assert_eq!(give(true).await.unwrap().profile.as_deref(), Some("eea-jurisdiction"));
    world.until_count("audit_entry WHERE action = 'residency.breach' AND detail::jsonb ->> 'copy' = 'primary'", 1).await;
    let complaint = async || world.complaints().await.into_iter().find(|finding| finding.check == "residency");
    let found = complaint().await.unwrap();
    assert!(found.text.contains("goteborg in production") && found.next.unwrap().contains("holm residency explain"), "{}", found.text);
    // What was wrong is mended by the truth about the place, and that is told too.
    place(&world, "production-1", "nordlys", "se-sto").await;
    world.until_count("residency_standing WHERE outcome = 'allow'", 2).await;
    world.until_count("audit_entry WHERE action = 'residency.settle' AND detail::jsonb ->> 'copy' = 'primary'", 1).await;
    assert_eq!(complaint().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_that_changes_has_every_copy_judged_anew_and_the_breach_told_with_its_rules() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    create(&world, "goteborg", None).await.unwrap();
    assert_eq!(world.count("residency_standing WHERE outcome = 'allow'").await, 2);
    // Somebody buys the provider.
    let buyer = "[[entity]]\nid = \"buyer\"\nname = \"Buyer\"\ncountry = { is = \"US\", from = \"demo\" }\nparents = { is = [], from = \"demo\" }\n";
    let sold = today(NORDLYS).replace("parents = { is = [], from", "parents = { is = [\"buyer\"], from") + buyer;
    let mut tx = world.control.catalog().transaction().await.unwrap();
    residency::alone(&mut tx).await.unwrap();
    residency::advance(&mut tx).await.unwrap();
    facts::keep(&mut tx, Uuid::now_v7(), "nordlys", &sold).await.unwrap();
    tx.commit().await.unwrap();
    watch::judge(world.control.clone()).await.unwrap();
    let told = "audit_entry WHERE action = 'residency.breach' AND detail::jsonb -> 'rules' ? 'control.owners'";
    world.until_count(told, 2).await;
    let (_, copies) = answer::whereabouts(&world.control, &production(), &slug("goteborg")).await.unwrap();
    assert!(copies.iter().all(|copy| copy.judged.as_ref().unwrap().outcome() == Outcome::Deny && copy.since.is_some()), "{copies:?}");
    refused(&create(&world, "malmo", None).await.unwrap_err(), "control.owners");
    // Told once, however often it is looked at.
    assert_eq!(world.count(told).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_edited_while_a_tenant_is_made_is_the_one_that_counts_or_is_not_yet() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    // Somebody judges: until that ends, nobody changes what is judged by.
    let mut judging = world.control.catalog().transaction().await.unwrap();
    let (epoch, _) = residency::share(&mut judging).await.unwrap();
    let stricter = profile::shipped("eea-jurisdiction").unwrap().replace("version = 2", "version = 3");
    let stricter = stricter.replace("[location]\ncountries = [\"@EEA\"]", "[location]\ncountries = [\"SE\"]");
    let stricter = stricter[..stricter.find("[[case]]").unwrap()].to_owned();
    let (control, text) = (world.control.clone(), stricter.clone());
    let edit = tokio::spawn(async move { profile::keep(&control, &DEV, text).await });
    world.until_count("pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())", 1).await;
    assert_eq!(residency::share(&mut judging).await.unwrap().0, epoch);
    judging.rollback().await.unwrap();
    assert_eq!(edit.await.unwrap().unwrap().version, 3);
    refused(&create(&world, "goteborg", None).await.unwrap_err(), "location.countries");
    let same = profile::keep(&world.control, &DEV, stricter.clone()).await.unwrap();
    assert_eq!(same.version, 3);
    let other = profile::keep(&world.control, &DEV, stricter.replace("[\"SE\"]", "[\"NO\"]")).await.unwrap_err();
    assert_eq!((other.code, other.changed), (ErrorCode::ProfileRefused, Changed::Nothing));
    assert!(other.next[0].contains('4'), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn places_and_profiles_that_there_are_not_are_refused_with_those_that_there_are() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    told(&world).await;
    let cluster = "production-1".parse().unwrap();
    for (claim, hint) in [
        (at("nordly", "no-osl"), "holm provider list"),
        (at("nordlys", "no-brg"), "no-osl"),
        (at("nordlys", ""), "region"),
        (at("nord lys", "no-osl"), "provider"),
    ] {
        let problem = set_place(&world.control, &DEV, &cluster, claim).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (ErrorCode::InvalidValue, Changed::Nothing));
        assert!(format!("{problem:?}").contains(hint), "{problem:?}");
    }
    let nowhere = set_place(&world.control, &DEV, &"nowhere".parse().unwrap(), at("nordlys", "no-osl")).await.unwrap_err();
    assert_eq!(nowhere.code, ErrorCode::ClusterNotFound);
    for wrong in ["no toml", "[profile]\nid = \"x\"\n"] {
        let problem = profile::keep(&world.control, &DEV, wrong.to_owned()).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (ErrorCode::ProfileRefused, Changed::Nothing));
    }
    // One that does not do what its own cases say.
    let failing = profile::shipped("eea-jurisdiction").unwrap().replacen("expect = \"allow\"", "expect = \"deny\"", 1);
    let problem = profile::keep(&world.control, &DEV, failing.replace("version = 2", "version = 3")).await.unwrap_err();
    assert!(problem.why.unwrap().contains("case 1"));
    assert_eq!(world.count("residency_profile").await, 1);
    assert_eq!(world.count("cluster WHERE place IS NOT NULL").await, 0);
    let unknown = NewTenant { profile: Some("eea-juristiction".to_owned()), ..new_tenant("goteborg") };
    let problem = tenant::create(&world.control, &DEV, unknown, Duration::from_secs(5)).await.unwrap_err();
    assert_eq!((problem.code, problem.changed), (ErrorCode::ProfileNotFound, Changed::Nothing));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_and_an_archive_that_nobody_registered_are_copies_of_every_tenant_there_and_block_until_somebody_says_where_they_are() {
    let archive = [("archive_mode", "on"), ("archive_command", "true %p token=not-for-anybodys-eyes")];
    let world = World::start(Setup { pool_size: 1, settings: archive.to_vec(), ..Setup::default() }).await;
    told(&world).await;
    let name = "production-1".parse().unwrap();
    place(&world, "production-1", "nordlys", "no-osl").await;
    let look = async || cluster::observe_now(&world.control, &name).await.unwrap().copies;
    let seen = look().await;
    let [archive] = seen.as_slice() else { panic!("{seen:?}") };
    assert!(archive.seen.kind == "archive" && !format!("{archive:?}").contains("anybody"), "{archive:?}");
    let archive = format!("archive/{}", archive.seen.name);
    refused(&create(&world, "goteborg", None).await.unwrap_err(), "it was seen, and nobody said where it is");
    let register =
        async |copy: &str, provider: &str, region: &str| observed::set_place(&world.control, &DEV, &name, copy, at(provider, region)).await;
    let never = register("slot/reporting", "nordlys", "se-sto").await.unwrap_err();
    assert_eq!((never.code, never.changed), (ErrorCode::InvalidValue, Changed::Nothing));
    assert!(never.next[0].contains(&archive), "{never:?}");
    register(&archive, "nordlys", "se-sto").await.unwrap();
    create(&world, "goteborg", None).await.unwrap();
    // Somebody takes the log along.
    let admin = world.server.connect("postgres").await;
    admin.execute("SELECT pg_create_physical_replication_slot('reporting')", &[]).await.unwrap();
    assert_eq!(look().await.len(), 2);
    watch::judge(world.control.clone()).await.unwrap();
    let breach = "residency_standing WHERE copy = 'slot-reporting' AND outcome";
    world.until_count(&format!("{breach} = 'unknown'"), 1).await;
    world.until_count("audit_entry WHERE action = 'residency.breach' AND detail::jsonb ->> 'copy' = 'slot-reporting'", 1).await;
    register("slot/reporting", "skyline", "se-sto").await.unwrap();
    world.until_count(&format!("{breach} = 'deny'"), 1).await;
    admin.execute("SELECT pg_drop_replication_slot('reporting')", &[]).await.unwrap();
    assert_eq!(look().await.len(), 1);
    world.until_count(breach.split(" AND").next().unwrap(), 0).await;
    assert_eq!(
        world.count("cluster_copy WHERE gone_at IS NOT NULL AND place = 'skyline/se-sto'").await,
        1,
        "what was there is not forgotten"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_waits_for_a_database_is_judged_again_when_there_is_one() {
    let world = World::without_cluster(Setup { pool_size: 1, ..Setup::default() }, new_server(&[]).await).await;
    told(&world).await;
    let waits = tenant::create(&world.control, &DEV, new_tenant("goteborg"), Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(waits.code, ErrorCode::NoDatabaseInTime);
    let give = assigned::set_of_tenant(&world.control, &DEV, &production(), &slug("goteborg"), "eea-jurisdiction", false).await;
    assert_eq!(give.unwrap().profile.as_deref(), Some("eea-jurisdiction"));
    world.register().await;
    world.until_count("database WHERE state = 'ready'", 1).await;
    // There is a database, and nobody said where: it goes to somebody whom nobody judges, and not to who has waited longer.
    assert_eq!(world.create("malmo").await.unwrap().cluster.unwrap().as_str(), "production-1");
    world.until_count("database WHERE state = 'ready'", 1).await;
    assert_eq!(world.count("tenant WHERE slug = 'goteborg' AND database_id IS NULL").await, 1);
    place(&world, "production-1", "nordlys", "no-osl").await;
    world.until_count("tenant WHERE slug = 'goteborg' AND state = 'serving'", 1).await;
    world.until_count("residency_standing WHERE outcome = 'allow'", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_waits_is_placed_again_when_its_cluster_is_not_allowed_any_more_and_who_may_go_nowhere_is_told() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    let _server = another(&world, "production-2").await;
    world.until_count("database WHERE state = 'ready'", 2).await;
    place(&world, "production-1", "skyline", "se-sto").await;
    // As it is when a place or a profile changes while somebody waits: one that Holm placed there, and one whose cluster was named.
    let catalog = world.catalog().await;
    for (name, asked) in [("goteborg", "false"), ("malmo", "true")] {
        let waits = "WITH made AS (
                INSERT INTO tenant (id, environment_id, slug, wanted_cluster_id, state, seeded, epoch, parameters, profile)
                SELECT gen_random_uuid(), environment_id, $1, id, 'creating', true, 1, '[]', 'eea-jurisdiction' FROM cluster WHERE name = 'production-1'
                RETURNING id
            )
            INSERT INTO residency_decision (id, tenant_id, decision) SELECT gen_random_uuid(), id, jsonb_build_object('asked_for', $2::text::boolean) FROM made";
        catalog.execute(waits, &[&name, &asked]).await.unwrap();
    }
    let barred = async || {
        let found = world.complaints().await.into_iter().find(|finding| finding.check == "residency: waiting");
        found.map_or_else(String::new, |finding| finding.text)
    };
    let text = barred().await;
    assert!(text.contains("2 tenants") && text.contains("goteborg in production") && text.contains("malmo in production"), "{text}");
    place(&world, "production-2", "nordlys", "no-osl").await;
    world.until_count("tenant t JOIN database d ON d.id = t.database_id JOIN cluster c ON c.id = d.cluster_id WHERE t.slug = 'goteborg' AND t.state = 'serving' AND c.name = 'production-2'", 1).await;
    world.until_count("residency_standing WHERE outcome = 'allow'", 2).await;
    let (_, decision) = answer::explain(&world.control, &production(), &slug("goteborg")).await.unwrap().decided.unwrap();
    assert_eq!((decision.chosen.cluster.as_str(), decision.asked_for), ("production-2", false));
    assert_eq!(decision.others[0].outcome, Outcome::Deny);
    // Nobody asked for another cluster for the one, and nothing is made for it where it may not be.
    let text = barred().await;
    assert!(text.contains("1 tenants") && text.contains("malmo in production"), "{text}");
    let why = tenant::waiting::barred(&world.control).await.unwrap();
    assert!(why[0].why.why.as_ref().unwrap().contains("control.owners"), "{why:?}");
    let made = "database d JOIN cluster c ON c.id = d.cluster_id WHERE c.name = 'production-1'";
    assert_eq!(world.count(made).await, 1, "the one of the pool");
    place(&world, "production-1", "nordlys", "se-sto").await;
    world.until_count("tenant WHERE slug = 'malmo' AND state = 'serving'", 1).await;
    assert_eq!(barred().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_is_for_a_copy_where_it_is_and_ends_when_it_is_said_to_be_elsewhere() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    let strict = profile::shipped("eea-jurisdiction").unwrap().replace("version = 2", "version = 3");
    let strict = strict.replace("[location]\ncountries = [\"@EEA\"]", "[location]\ncountries = [\"FR\"]");
    create(&world, "goteborg", None).await.unwrap();
    for copy in ["primary", "backup"] {
        let wanted = exception::Wanted {
            copy: copy.to_owned(),
            rule: "location.countries".to_owned(),
            owner: "data protection officer".to_owned(),
            reason: "until the hall in Lyon is ready".to_owned(),
            measure: "no names in free text".to_owned(),
            until: jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(24)).unwrap(),
        };
        exception::grant(&world.control, &DEV, &production(), &slug("goteborg"), wanted).await.unwrap();
    }
    profile::keep(&world.control, &DEV, strict[..strict.find("[[case]]").unwrap()].to_owned()).await.unwrap();
    watch::judge(world.control.clone()).await.unwrap();
    world.until_count("residency_standing WHERE outcome = 'allow'", 2).await;
    place(&world, "production-1", "nordlys", "se-sto").await;
    world.until_count("residency_standing WHERE outcome = 'deny'", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_cannot_be_understood_is_put_right_by_a_newer_version() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    // As another Holm may have kept it.
    let catalog = world.catalog().await;
    catalog.batch_execute("UPDATE residency_profile SET text = 'no toml'; UPDATE residency SET epoch = epoch + 1").await.unwrap();
    assert_eq!(create(&world, "goteborg", None).await.unwrap_err().code, ErrorCode::InForceUnreadable);
    let newer = profile::shipped("eea-jurisdiction").unwrap().replace("version = 2", "version = 3");
    assert_eq!(profile::keep(&world.control, &DEV, newer).await.unwrap().version, 3);
    create(&world, "goteborg", None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_waits_for_what_it_is_judged_by_holds_nothing_that_whoever_changes_it_needs() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    // Whoever judges anew waits for the same: let that be over.
    world.until_count("residency WHERE judged = epoch", 1).await;
    // Somebody is going to give the environment a profile, and a tenant is asked for.
    // By a session of its own: one of Holm's is ended when it rests for some seconds within a transaction.
    let changing = world.catalog().await;
    changing.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(x'48726573'::integer)").await.unwrap();
    let control = world.control.clone();
    let creation = tokio::spawn(async move { tenant::create(&control, &DEV, new_tenant("goteborg"), PATIENCE).await });
    let own = "database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    world.until_count(&format!("pg_locks WHERE locktype = 'advisory' AND NOT granted AND {own}"), 1).await;
    let catalog = world.catalog().await;
    catalog.batch_execute("BEGIN; SELECT FROM environment FOR UPDATE NOWAIT; ROLLBACK").await.unwrap();
    changing.batch_execute("ROLLBACK").await.unwrap();
    creation.await.unwrap().unwrap();
}
