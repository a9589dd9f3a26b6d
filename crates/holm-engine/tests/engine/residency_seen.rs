//! What was seen on a cluster counts in every answer: as a copy where somebody said where it is, and as a gap where nobody did.

use holm_engine::cluster;
use holm_engine::residency::breach_scope::breach_scope;
use holm_engine::residency::what_if::{Act, Why, what_if};
use holm_engine::residency::{answer, matrix, observed, processing_record, profile, sub_processors};
use holm_engine::tenant::{self, NewTenant};
use holm_policy::evaluate::verdict::Outcome;
use holm_testkit::TestServer;

use crate::placing::{another, at, place, told};
use crate::residency_answers::{fact, in_oslo, learn};
use crate::support::{DEV, PATIENCE, Setup, World, new_tenant, production, slug};

/// Somebody takes the log of a server along, or does no more.
async fn slot(world: &World, server: &TestServer, cluster: &str, made: bool) {
    let sql = if made { "SELECT pg_create_physical_replication_slot('reporting')" } else { "SELECT pg_drop_replication_slot('reporting')" };
    server.connect("postgres").await.execute(sql, &[]).await.unwrap();
    cluster::observe_now(&world.control, &cluster.parse().unwrap()).await.unwrap();
}

async fn said(world: &World, cluster: &str, provider: &str, region: &str) {
    observed::set_place(&world.control, &DEV, &cluster.parse().unwrap(), "slot/reporting", at(provider, region)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r21_what_if_judges_what_was_seen_and_moves_a_tenant_away_from_it_to_no_server_that_has_the_like() {
    let world = in_oslo("").await;
    let two = another(&world, "production-2").await;
    place(&world, "production-2", "nordlys", "no-osl").await;
    slot(&world, &world.server, "production-1", true).await;
    let russian = ["region:nordlys/se-sto.countries=[\"SE\", \"RU\"]".to_owned()];
    let ask = async || what_if(&world.control, &russian, |_| true).await.unwrap();
    let nowhere = ask().await;
    let unplaced: Vec<_> = nowhere.unplaced.iter().map(|one| (one.cluster.as_str(), one.copy.as_str())).collect();
    assert_eq!((unplaced.as_slice(), nowhere.changes.len()), (&[("production-1", "slot-reporting")][..], 0), "not silence");
    said(&world, "production-1", "nordlys", "se-sto").await;
    let placed = ask().await;
    let changes: Vec<_> = placed.changes.iter().map(|one| (one.change.copy.as_str(), one.change.before, one.change.after)).collect();
    assert_eq!((changes.as_slice(), placed.unplaced.len()), (&[("slot-reporting", Outcome::Allow, Outcome::Deny)][..], 0));
    let [step] = placed.plan.as_slice() else { panic!("{:?}", placed.plan) };
    let names = |copies: &[holm_policy::id::CopyId]| copies.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    assert_eq!((names(&step.step.copies), names(&step.step.left)), ("primary backup".to_owned(), "slot-reporting".to_owned()));
    assert!(matches!(&step.step.act, Act::Move { to, .. } if &*to.label == "production-2"), "{:?}", step.step.act);
    // The other server has one too, and nobody said where: then where it is said.
    slot(&world, &two, "production-2", true).await;
    for said_there in [false, true] {
        if said_there {
            said(&world, "production-2", "nordlys", "se-sto").await;
        }
        let asked = ask().await;
        let Act::NoPlace { refused } = &asked.plan[0].step.act else { panic!("{:?}", asked.plan) };
        let [only] = refused.as_slice() else { panic!("{refused:?}") };
        let Why::Objections(objections) = &only.why else { panic!("{only:?}") };
        let (_, objection) = &objections[0];
        let expected = if said_there { "RU" } else { "nobody said where `slot-reporting` is" };
        assert!(&*only.candidate.label == "production-2" && objection.because.contains(expected), "{objection:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r10_what_would_break_it_counts_the_law_that_only_a_copy_that_was_seen_rests_on() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    let british = [
        fact("region:nordlys/se-sto.countries", "[\"GB\"]"),
        fact("adequacy:GB.status", "\"in_force\""),
        fact("adequacy:GB.scope", "\"all\""),
        fact("mechanism:adequacy.status", "\"in_force\""),
    ];
    learn(&world, &british.concat()).await;
    profile::keep(&world.control, &DEV, profile::shipped("eea-region-adequate").unwrap().to_owned()).await.unwrap();
    place(&world, "production-1", "nordlys", "no-osl").await;
    let new = NewTenant { profile: Some("eea-region-adequate".to_owned()), ..new_tenant("goteborg") };
    tenant::create(&world.control, &DEV, new, PATIENCE).await.unwrap();
    let fall = async || {
        let explained = answer::explain(&world.control, &production(), &slug("goteborg")).await.unwrap();
        explained.falls.into_iter().find(|fall| fall.supposed == "adequacy:GB=annulled")
    };
    assert_eq!(fall().await, None);
    slot(&world, &world.server, "production-1", true).await;
    said(&world, "production-1", "nordlys", "se-sto").await;
    let found = fall().await.unwrap();
    assert_ne!(found.outcome, Outcome::Allow);
    assert!(found.objections.iter().all(|one| one.copy == "slot-reporting") && !found.objections.is_empty(), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r9_reports_and_the_matrix_count_what_was_seen_and_a_copy_that_nobody_placed_is_a_gap() {
    let world = in_oslo("").await;
    let list = async || sub_processors::sub_processors(&world.control, &production()).await.unwrap();
    assert!(!list().await.gaps.iter().any(|gap| gap.contains("slot")));
    slot(&world, &world.server, "production-1", true).await;
    let gap = "nobody said where `slot-reporting` is, which was seen to copy cluster `production-1`";
    assert!(list().await.gaps.iter().any(|one| one == gap), "{:?}", list().await.gaps);
    let otherwise = async || {
        let all = matrix::matrix(&world.control, None, Some(&production())).await.unwrap();
        let row = all.rows.into_iter().find(|row| row.place == "nordlys/no-osl").unwrap();
        assert_eq!(row.outcome, Outcome::Allow, "the place by itself");
        row.otherwise
    };
    let unknown = otherwise().await;
    assert_eq!((unknown[0].cluster.as_str(), unknown[0].outcome), ("production-1", Outcome::Unknown));
    assert_eq!(unknown[0].objection.as_ref().unwrap().copy, "slot-reporting");
    said(&world, "production-1", "skyline", "se-sto").await;
    let told = list().await;
    assert_eq!(told.places, ["nordlys/no-osl", "skyline/se-sto"]);
    assert!(told.companies.iter().any(|one| one.entity == "skyline-europe-ab") && !told.gaps.contains(&gap.to_owned()));
    assert_eq!(otherwise().await[0].outcome, Outcome::Deny);
    // Of a tenant that nobody judges it is a copy too.
    let record = processing_record::record(&world.control, &production()).await.unwrap();
    let copies: Vec<_> = record.tenants.iter().map(|one| (one.tenant.as_str(), one.copies.len())).collect();
    assert_eq!(copies, [("goteborg", 3), ("malmo", 2)]);
    let (_, bare) = answer::whereabouts(&world.control, &production(), &slug("malmo")).await.unwrap();
    assert_eq!(bare.iter().map(|copy| copy.copy.as_str()).collect::<Vec<_>>(), ["primary", "slot-reporting"]);
    said(&world, "production-1", "nordlys", "se-sto").await;
    assert_eq!(otherwise().await.len(), 0, "it is allowed as the place is");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scope_of_a_breach_names_a_copy_that_is_gone_and_until_when_it_was_there() {
    let world = in_oslo("").await;
    slot(&world, &world.server, "production-1", true).await;
    said(&world, "production-1", "skyline", "se-sto").await;
    let scope = async || breach_scope(&world.control, &"production-1".parse().unwrap(), None).await.unwrap().elsewhere;
    let there = scope().await;
    assert_eq!((there.len(), there[0].gone_at), (1, None));
    slot(&world, &world.server, "production-1", false).await;
    let gone = scope().await;
    assert_eq!((gone.len(), gone[0].name.as_str(), gone[0].place.as_deref()), (1, "reporting", Some("skyline/se-sto")));
    assert!(gone[0].gone_at.unwrap() > gone[0].first_seen_at);
}
