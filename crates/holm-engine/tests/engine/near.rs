//! A wish for a place chooses among the clusters that a tenant may be on; so does the way there; and neither allows any.

use std::time::Duration;

use holm_core::error::{Changed, ErrorCode};
use holm_core::operation::OperationState;
use holm_engine::cluster::{self, NewCluster, drain};
use holm_engine::operation::show;
use holm_engine::residency::decision::{Candidate, Decision};
use holm_engine::residency::{answer, decision_record, profile};
use holm_engine::tenant::{self, NewTenant, delete};
use holm_policy::evaluate::verdict::Outcome;
use holm_store::tenant::Tenant;
use holm_testkit::new_server;
use holm_testkit::wire_faults::{Fault, FaultProxy};

use crate::placing::{another, create, place, told};
use crate::support::{DEV, PATIENCE, Setup, World, new_tenant, production, slug};

fn near(name: &str, near: &str) -> NewTenant {
    NewTenant { profile: Some("eea-jurisdiction".to_owned()), near: Some(near.to_owned()), ..new_tenant(name) }
}

async fn made(world: &World, new: NewTenant) -> Tenant {
    tenant::create(&world.control, &DEV, new, PATIENCE).await.unwrap()
}

async fn on(world: &World, new: NewTenant) -> String {
    made(world, new).await.cluster.unwrap().to_string()
}

async fn decided(world: &World, name: &str) -> Decision {
    answer::explain(&world.control, &production(), &slug(name)).await.unwrap().decided.unwrap().1
}

fn other<'a>(decision: &'a Decision, cluster: &str) -> &'a Candidate {
    decision.others.iter().find(|other| other.cluster == cluster).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_chooses_among_what_the_profile_allows_and_allows_nothing() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    let _servers = (another(&world, "production-2").await, another(&world, "production-3").await);
    place(&world, "production-1", "skyline", "se-sto").await;
    place(&world, "production-2", "nordlys", "no-osl").await;
    place(&world, "production-3", "nordlys", "se-sto").await;
    // Whatever room there is: the second finds the first there, and perhaps no database ready.
    for name in ["bergen", "oslo"] {
        assert_eq!(on(&world, near(name, "NO")).await, "production-2");
    }
    assert_eq!(on(&world, near("goteborg", "SE")).await, "production-3");
    let decision = decided(&world, "goteborg").await;
    assert_eq!(decision.near.as_deref(), Some("SE"));
    assert!(decision.chosen.because.contains("near SE, which was wished"), "{decision:?}");
    assert_eq!(other(&decision, "production-1").outcome, Outcome::Deny, "a wish is no permission");
    assert!(other(&decision, "production-1").because.contains("denies"), "{decision:?}");
    assert_eq!(other(&decision, "production-2").because, "it is not near SE, which was wished");
    // A region that is denied is near another of its country.
    assert_eq!(on(&world, near("malmo", "skyline/se-sto")).await, "production-3");
    let decision = decided(&world, "malmo").await;
    assert!(decision.chosen.because.contains("in the country of skyline/se-sto"), "{decision:?}");
    let record = decision_record::record(&world.control, &production(), &slug("malmo")).await.unwrap();
    assert!(record.markdown.contains("Near `skyline/se-sto` was wished"), "{}", record.markdown);
    assert!(record.markdown.contains("it is not near skyline/se-sto"), "{}", record.markdown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_nobody_knows_is_refused_with_those_that_are_known_and_so_is_a_wish_beside_a_named_cluster() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    told(&world).await;
    for (wished, hint) in [
        ("no", "NO"),
        ("VA", "NO"),
        ("EEA", "@EEA"),
        ("", "NO"),
        ("oslo'; --", "NO"),
        ("nordlys/no-brg", "no-osl"),
        ("nordly/no-osl", "holm provider list"),
    ] {
        let problem = tenant::create(&world.control, &DEV, near("goteborg", wished), PATIENCE).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (ErrorCode::InvalidValue, Changed::Nothing), "{problem:?}");
        let text = format!("{} {} {}", problem.what, problem.why.as_deref().unwrap_or_default(), problem.next.join(" "));
        assert!(text.contains(hint), "{wished}: {text}");
    }
    // Also where no profile asks for the registry.
    let without = NewTenant { profile: None, ..near("goteborg", "nordlys/no-brg") };
    assert_eq!(tenant::create(&world.control, &DEV, without, PATIENCE).await.unwrap_err().code, ErrorCode::InvalidValue);
    let both = NewTenant { cluster: Some("production-1".parse().unwrap()), ..near("goteborg", "NO") };
    let problem = tenant::create(&world.control, &DEV, both, PATIENCE).await.unwrap_err();
    assert_eq!((problem.code, problem.changed), (ErrorCode::InvalidValue, Changed::Nothing));
    assert!(problem.next[0].contains("leave one"), "{problem:?}");
    assert_eq!(world.count("tenant").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_counts_where_no_profile_does_and_nothing_is_judged_for_it() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    let _server = another(&world, "production-2").await;
    place(&world, "production-2", "skyline", "se-sto").await;
    for name in ["goteborg", "malmo"] {
        let made = made(&world, NewTenant { profile: None, ..near(name, "SE") }).await;
        assert_eq!((made.cluster.unwrap().as_str(), made.profile, made.near.as_deref()), ("production-2", None, Some("SE")));
    }
    assert_eq!(world.count("residency_decision").await + world.count("residency_standing").await, 0);
    let none = decision_record::record(&world.control, &production(), &slug("malmo")).await.unwrap_err();
    assert_eq!(none.code, ErrorCode::RecordNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_are_allowed_the_one_that_answers_sooner_takes_it_though_it_has_less_room() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    let far = new_server(&[]).await;
    let way = FaultProxy::start(far.address.to_string()).await.unwrap();
    // Two ways each: 120 ms and more, on another continent; the other server is on this machine.
    way.set(Fault::Delay(Duration::from_millis(60)));
    let mut address = far.address.clone();
    (address.host, address.port) = ("127.0.0.1".into(), way.address().port());
    let new = NewCluster {
        address,
        admin_role: far.superuser.clone(),
        admin_password: far.password.clone(),
        ..world.new_cluster("production-2", "production")
    };
    cluster::register(&world.control, &DEV, new).await.unwrap();
    place(&world, "production-1", "nordlys", "no-osl").await;
    place(&world, "production-2", "nordlys", "no-osl").await;
    assert_eq!(create(&world, "bergen", Some("production-1")).await.unwrap(), "production-1");
    world.until_count("database WHERE state = 'ready'", 2).await;
    let measured = async |name: &str| {
        let seen = cluster::observe_now(&world.control, &name.parse().unwrap()).await.unwrap();
        let seen = seen.capability.unwrap();
        (seen.round_trip_us.unwrap(), seen.observed_at)
    };
    let ((close, _), (far, at)) = (measured("production-1").await, measured("production-2").await);
    assert!(close < far && far >= 120_000, "{close} {far}");
    assert!(jiff::Timestamp::now().duration_since(at).as_secs().abs() < 3600, "it has its date");
    assert_eq!(create(&world, "oslo", None).await.unwrap(), "production-1");
    let decision = decided(&world, "oslo").await;
    assert_eq!(decision.chosen.round_trip_us, Some(close));
    let behind = other(&decision, "production-2");
    assert_eq!(behind.round_trip_us, Some(far));
    assert_eq!(behind.because, format!("another is nearer to Holm: this one answers in {} ms", far / 1000));
    // Where nothing that is allowed is near, it is elsewhere all the same: a wish is no condition.
    let elsewhere = made(&world, near("goteborg", "SE")).await;
    assert_eq!(elsewhere.near.as_deref(), Some("SE"));
    assert!(decided(&world, "goteborg").await.chosen.because.contains("none that is allowed and without trouble is near SE"));
    // A measurement that is not the last one's is no change of the server.
    way.set(Fault::Pass);
    measured("production-2").await;
    let seen = cluster::observe_now(&world.control, &"production-2".parse().unwrap()).await.unwrap();
    assert_eq!(seen.changed, None);
}

/// As when somebody began to wait while its cluster was open: `asked` is what its decision says, if there is one.
pub(crate) async fn waits(world: &World, name: &str, cluster: &str, profile: Option<&str>, near: Option<&str>, asked: Option<bool>) {
    let waits = "WITH made AS (
            INSERT INTO tenant (id, environment_id, slug, wanted_cluster_id, state, seeded, epoch, parameters, profile, near)
            SELECT gen_random_uuid(), environment_id, $1, id, 'creating', true, 1, '[]', $3, $4 FROM cluster WHERE name = $2
            RETURNING id
        )
        INSERT INTO residency_decision (id, tenant_id, decision)
        SELECT gen_random_uuid(), id, jsonb_build_object('asked_for', $5::boolean) FROM made WHERE $5 IS NOT NULL";
    world.catalog().await.execute(waits, &[&name, &cluster, &profile, &near, &asked]).await.unwrap();
}

pub(crate) fn serves_on(name: &str, cluster: &str) -> String {
    format!(
        "tenant t JOIN database d ON d.id = t.database_id JOIN cluster c ON c.id = d.cluster_id
         WHERE t.slug = '{name}' AND t.state = 'serving' AND c.name = '{cluster}'"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_on_a_cluster_that_is_emptied_is_placed_again_near_what_was_wished_unless_that_cluster_was_named() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    let _servers = (another(&world, "production-2").await, another(&world, "production-3").await);
    place(&world, "production-1", "nordlys", "no-osl").await;
    place(&world, "production-2", "nordlys", "no-osl").await;
    place(&world, "production-3", "nordlys", "se-sto").await;
    create(&world, "bergen", Some("production-1")).await.unwrap();
    let draining = drain::drain(&world.control, &DEV, &"production-1".parse().unwrap(), None).await.unwrap();
    world.until_count("operation WHERE kind = 'cluster.drain' AND step_name = 'tenants'", 1).await;
    let named = create(&world, "lund", Some("production-1")).await.unwrap_err();
    assert_eq!((named.code, named.changed), (ErrorCode::ClusterClosed, Changed::Nothing), "the profile has nothing against it: {named:?}");
    waits(&world, "goteborg", "production-1", Some("eea-jurisdiction"), Some("SE"), Some(false)).await;
    waits(&world, "oslo", "production-1", None, Some("NO"), None).await;
    waits(&world, "malmo", "production-1", Some("eea-jurisdiction"), None, Some(true)).await;
    world.until_count(&serves_on("goteborg", "production-3"), 1).await;
    world.until_count(&serves_on("oslo", "production-2"), 1).await;
    world.until_count("tenant WHERE slug = 'malmo' AND state = 'failed'", 1).await;
    let decision = decided(&world, "goteborg").await;
    assert_eq!((decision.chosen.cluster.as_str(), decision.near.as_deref(), decision.asked_for), ("production-3", Some("SE"), false));
    assert_eq!(other(&decision, "production-1").because, "it takes no tenants: it is draining");
    delete::delete(&world.control, &DEV, &production(), &slug("bergen"), Duration::ZERO, None).await.unwrap();
    let over = show::wait(&world.control, draining, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Succeeded, "{:?}", over.problem);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_where_no_other_cluster_may_take_it_keeps_none_from_being_emptied_and_is_placed_when_there_is_one() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    create(&world, "bergen", Some("production-1")).await.unwrap();
    let draining = drain::drain(&world.control, &DEV, &"production-1".parse().unwrap(), None).await.unwrap();
    world.until_count("operation WHERE kind = 'cluster.drain' AND step_name = 'tenants'", 1).await;
    waits(&world, "goteborg", "production-1", Some("eea-jurisdiction"), Some("SE"), Some(false)).await;
    waits(&world, "oslo", "production-1", None, Some("NO"), None).await;
    world.until_count("tenant WHERE slug IN ('goteborg', 'oslo') AND state = 'creating' AND wanted_cluster_id IS NULL", 2).await;
    let barred = tenant::waiting::barred(&world.control).await.unwrap();
    let whose: Vec<&str> = barred.iter().map(|barred| barred.tenant.slug.as_str()).collect();
    assert_eq!(whose, ["goteborg", "oslo"], "who waits in vain can be told");
    delete::delete(&world.control, &DEV, &production(), &slug("bergen"), Duration::ZERO, None).await.unwrap();
    let over = show::wait(&world.control, draining, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Succeeded, "{:?}", over.problem);
    let _server = another(&world, "production-2").await;
    place(&world, "production-2", "nordlys", "se-sto").await;
    for name in ["goteborg", "oslo"] {
        world.until_count(&serves_on(name, "production-2"), 1).await;
    }
    assert_eq!(decided(&world, "goteborg").await.chosen.cluster, "production-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_on_a_cluster_that_is_out_of_reach_is_placed_again_on_one_without_trouble_unless_that_cluster_was_named() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    let _server = another(&world, "production-2").await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    place(&world, "production-2", "nordlys", "se-sto").await;
    world.until_count("database WHERE state = 'ready'", 2).await;
    world.cluster_faults.set(Fault::Refuse);
    let unreachable = ErrorCode::ClusterUnreachable;
    world.until_count(&format!("cluster WHERE name = 'production-1' AND trouble ->> 'code' = '{unreachable}'"), 1).await;
    // There is a database ready there, of which nobody can have any use now.
    waits(&world, "bergen", "production-1", Some("eea-jurisdiction"), None, Some(true)).await;
    waits(&world, "goteborg", "production-1", Some("eea-jurisdiction"), Some("NO"), Some(false)).await;
    waits(&world, "oslo", "production-1", None, Some("NO"), None).await;
    for name in ["goteborg", "oslo"] {
        world.until_count(&serves_on(name, "production-2"), 1).await;
    }
    let decision = decided(&world, "goteborg").await;
    assert_eq!((decision.chosen.cluster.as_str(), decision.near.as_deref()), ("production-2", Some("NO")));
    assert_eq!(other(&decision, "production-1").because, "it is in trouble");
    // Somebody named it for the one: it waits there, and is served when the cluster is back.
    assert_eq!(world.count("tenant WHERE slug = 'bergen' AND state = 'creating' AND wanted_cluster_id IS NOT NULL").await, 1);
    assert_eq!(
        world.count("residency_decision x JOIN tenant t ON t.id = x.tenant_id WHERE t.slug = 'goteborg'").await,
        2,
        "placed again once"
    );
    world.cluster_faults.set(Fault::Pass);
    world.until_count(&serves_on("bergen", "production-1"), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_while_nobody_can_judge_keeps_no_cluster_from_being_emptied_and_is_told_why() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    create(&world, "bergen", Some("production-1")).await.unwrap();
    let draining = drain::drain(&world.control, &DEV, &"production-1".parse().unwrap(), None).await.unwrap();
    world.until_count("operation WHERE kind = 'cluster.drain' AND step_name = 'tenants'", 1).await;
    // As another Holm may have kept it.
    let catalog = world.catalog().await;
    catalog.batch_execute("UPDATE residency_profile SET text = 'no toml'; UPDATE residency SET epoch = epoch + 1").await.unwrap();
    waits(&world, "goteborg", "production-1", Some("eea-jurisdiction"), Some("SE"), Some(false)).await;
    waits(&world, "oslo", "production-1", None, Some("NO"), None).await;
    world.until_count("tenant WHERE slug IN ('goteborg', 'oslo') AND state = 'creating' AND wanted_cluster_id IS NULL", 2).await;
    let barred = tenant::waiting::barred(&world.control).await.unwrap();
    let why: Vec<_> = barred.iter().map(|barred| (barred.tenant.slug.as_str(), barred.why.code)).collect();
    assert_eq!(why, [("goteborg", ErrorCode::InForceUnreadable)]);
    let told = world.complaints().await;
    let waiting = told.iter().find(|finding| finding.check == "residency: waiting").unwrap();
    assert!(waiting.text.contains("goteborg in production"), "{told:?}");
    delete::delete(&world.control, &DEV, &production(), &slug("bergen"), Duration::ZERO, None).await.unwrap();
    let over = show::wait(&world.control, draining, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Succeeded, "{:?}", over.problem);
    let newer = profile::shipped("eea-jurisdiction").unwrap().replace("version = 2", "version = 3");
    profile::keep(&world.control, &DEV, newer).await.unwrap();
    let _server = another(&world, "production-2").await;
    place(&world, "production-2", "nordlys", "se-sto").await;
    for name in ["goteborg", "oslo"] {
        world.until_count(&serves_on(name, "production-2"), 1).await;
    }
}
