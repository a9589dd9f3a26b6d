//! Questions about another day: what was in force then, and what Holm had been told by when, are two axes.

use holm_core::error::{ErrorCode, Problem};
use holm_engine::residency::as_of::AsOf;
use holm_engine::residency::{answer, assigned, exception, matrix, observed, paper, processing_record, profile, sub_processors};
use holm_policy::evaluate::verdict::Outcome;
use jiff::{SignedDuration, Timestamp};

use crate::placing::{at, create, place, told};
use crate::residency_answers::{fact, in_oslo, learn};
use crate::support::{DEV, Setup, World, production, slug};

fn asked(about: Timestamp, known: Option<Timestamp>) -> AsOf {
    AsOf::parse(Some(&about.to_string()), known.map(|at| at.to_string()).as_deref()).unwrap()
}

impl World {
    /// Each copy: where it was said to be, and what it came to.
    async fn was(&self, about: Timestamp, known: Option<Timestamp>) -> (Vec<String>, Vec<String>) {
        let told = answer::whereabouts_as_of(&self.control, &production(), &slug("goteborg"), asked(about, known)).await.unwrap();
        let copies = told.copies.iter().map(|copy| {
            let place = copy.placed.as_ref().map_or("nowhere", |placed| placed.place.as_str());
            let outcome = copy.judged.as_ref().map_or("not judged".to_owned(), |judged| judged.outcome().to_string());
            format!("{} {place} {outcome}", copy.copy)
        });
        (copies.collect(), told.notes)
    }

    /// The catalog's clock, between what was and what comes.
    async fn moment(&self) -> Timestamp {
        let row = self.catalog().await.query_one("SELECT clock_timestamp()", &[]).await.unwrap();
        row.get(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r52_r53_where_it_was_by_what_was_known_then_and_by_what_is_known_now_are_two_answers() {
    let world = in_oslo("").await;
    let march = world.moment().await;
    // What was thought of the place was wrong; what was thought of its owner too.
    place(&world, "production-1", "nordlys", "se-sto").await;
    let corrected = world.moment().await;
    learn(&world, &fact("entity:nordlys-as.parents", "[\"skyline-inc\"]")).await;
    let (then, notes) = world.was(march, Some(march)).await;
    assert_eq!(then, ["primary nordlys/no-osl allow", "backup nordlys/no-osl allow"]);
    assert!(notes.iter().any(|note| note.contains("the facts that come with Holm")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("on what the claim rested where cluster `production-1` is")), "{notes:?}");
    let (between, _) = world.was(march, Some(corrected)).await;
    assert_eq!(between, ["primary nordlys/se-sto allow", "backup nordlys/se-sto allow"], "the same day, by what was known later");
    let (now, notes) = world.was(march, None).await;
    assert_eq!(now, ["primary nordlys/se-sto deny", "backup nordlys/se-sto deny"]);
    assert!(notes.iter().any(|note| note.contains("not since when")), "{notes:?}");
    let tenant = answer::whereabouts(&world.control, &production(), &slug("goteborg")).await.unwrap().0;
    let (before, notes) = world.was(tenant.created_at - SignedDuration::from_micros(1), None).await;
    assert!(before.is_empty() && notes.iter().any(|note| note.contains("`goteborg` was not there yet")), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_papers_and_exceptions_count_as_they_did_and_a_decision_is_the_one_of_then() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    create(&world, "goteborg", None).await.unwrap();
    let first = world.moment().await;
    let strict = profile::shipped("eea-jurisdiction").unwrap().replace("version = 2", "version = 3");
    let strict = strict.replace("[location]\ncountries = [\"@EEA\"]", "[location]\ncountries = [\"FR\"]");
    profile::keep(&world.control, &DEV, strict[..strict.find("[[case]]").unwrap()].to_owned()).await.unwrap();
    let second = world.moment().await;
    let mut granted = Vec::new();
    for copy in ["primary", "backup"] {
        let wanted = exception::Wanted {
            copy: copy.to_owned(),
            rule: "location.countries".to_owned(),
            owner: "data protection officer".to_owned(),
            reason: "until the hall in Lyon is ready".to_owned(),
            measure: "no names in free text".to_owned(),
            until: Timestamp::now() + SignedDuration::from_hours(2),
        };
        let one = exception::grant(&world.control, &DEV, &production(), &slug("goteborg"), wanted).await.unwrap();
        granted.push(one.granted.exception.id);
    }
    let third = world.moment().await;
    for id in granted {
        exception::revoke(&world.control, &DEV, id).await.unwrap();
    }
    profile::keep(&world.control, &DEV, profile::shipped("unrestricted").unwrap().to_owned()).await.unwrap();
    assigned::set_of_tenant(&world.control, &DEV, &production(), &slug("goteborg"), "unrestricted", true).await.unwrap();
    let fourth = world.moment().await;
    for one in paper::list(&world.control).await.unwrap() {
        paper::remove(&world.control, &DEV, one.id).await.unwrap();
    }
    let explain = async |about, known| {
        let told = answer::explain_as_of(&world.control, &production(), &slug("goteborg"), asked(about, known)).await.unwrap();
        let worst = told.here.iter().map(holm_engine::residency::copies::Judged::outcome).max();
        (told.profile.unwrap(), worst.unwrap(), told.decided.map(|(at, _)| at))
    };
    let ours = |version| ("eea-jurisdiction".to_owned(), version);
    let (profile, outcome, decided) = explain(first, Some(first)).await;
    assert_eq!((profile, outcome), (ours(2), Outcome::Allow));
    assert!(decided.unwrap() < first);
    assert_eq!(explain(second, Some(second)).await.0, ours(3));
    assert_eq!(explain(second, Some(second)).await.1, Outcome::Deny);
    assert_eq!(explain(third, Some(third)).await.1, Outcome::Allow, "an exception covered it");
    assert_eq!(explain(fourth, Some(fourth)).await.0.0, "unrestricted");
    // A contract that is off file by now was on file then; by what is known now it is not.
    let (profile, outcome, _) = explain(first, None).await;
    assert_eq!((profile, outcome), (ours(2), Outcome::Deny));
    // The matrix knows the versions of then too.
    let all = matrix::matrix_as_of(&world.control, None, Some(&production()), asked(second, Some(second))).await.unwrap();
    assert!(all.rows.iter().all(|row| (row.profile.as_str(), row.profile_version) == ("eea-jurisdiction", 3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_counts_while_it_was_there_and_reports_are_of_the_day() {
    let world = in_oslo("").await;
    let admin = world.server.connect("postgres").await;
    let look = async || holm_engine::cluster::observe_now(&world.control, &"production-1".parse().unwrap()).await.unwrap();
    let before = world.moment().await;
    admin.execute("SELECT pg_create_physical_replication_slot('reporting')", &[]).await.unwrap();
    look().await;
    let unplaced = world.moment().await;
    observed::set_place(&world.control, &DEV, &"production-1".parse().unwrap(), "slot/reporting", at("skyline", "se-sto")).await.unwrap();
    let there = world.moment().await;
    admin.execute("SELECT pg_drop_replication_slot('reporting')", &[]).await.unwrap();
    look().await;
    let gone = world.moment().await;
    let primary = ["primary nordlys/no-osl allow", "backup nordlys/no-osl allow"].map(str::to_owned).to_vec();
    let with = |slot: &str| [primary.clone(), vec![format!("slot-reporting {slot}")]].concat();
    assert_eq!(world.was(before, Some(before)).await.0, primary);
    let (copies, notes) = world.was(unplaced, Some(unplaced)).await;
    assert_eq!(copies, with("nowhere unknown"));
    assert!(notes.iter().any(|note| note.contains("`slot/reporting` of cluster `production-1` was said to be before")), "{notes:?}");
    assert_eq!(world.was(unplaced, None).await.0, with("skyline/se-sto deny"), "it is known now where it was");
    assert_eq!(world.was(there, Some(there)).await.0, with("skyline/se-sto deny"));
    assert_eq!(world.was(gone, Some(gone)).await.0, primary);
    let places = async |about| {
        let list = sub_processors::sub_processors_as_of(&world.control, &production(), asked(about, Some(about))).await.unwrap();
        (list.places, list.as_of)
    };
    assert_eq!(places(there).await, (vec!["nordlys/no-osl".to_owned(), "skyline/se-sto".to_owned()], there));
    assert_eq!(places(gone).await.0, ["nordlys/no-osl"]);
    let record = async |about| processing_record::record_as_of(&world.control, &production(), asked(about, None)).await.unwrap();
    assert_eq!(record(there).await.tenants[0].copies.len(), 3);
    // Who was there and is not any more, is told as not kept.
    world
        .catalog()
        .await
        .execute("UPDATE tenant SET state = 'dropped', database_id = NULL, updated_at = clock_timestamp() WHERE slug = 'malmo'", &[])
        .await
        .unwrap();
    let after = record(there).await;
    assert_eq!(after.tenants.len(), 1);
    assert!(after.notes.iter().any(|note| note.starts_with("1 tenants of `production`")), "{:?}", after.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_which_nothing_can_be_known_is_refused_and_one_that_is_to_come_is_judged_by_now() {
    let world = in_oslo("").await;
    let ask = async |about: &str, known: Option<&str>| -> Result<_, Problem> {
        answer::whereabouts_as_of(&world.control, &production(), &slug("goteborg"), AsOf::parse(Some(about), known)?).await
    };
    let tomorrow = (Timestamp::now() + SignedDuration::from_hours(30)).to_string();
    for (about, known, why) in [
        ("2026-03-03", None, "there is this installation since"),
        (tomorrow.as_str(), Some(tomorrow.as_str()), "is not there yet"),
        (&tomorrow[..10], Some(&tomorrow[..10]), "is not there yet"),
        (tomorrow.as_str(), Some("2026-03-03"), "there is this installation since"),
        ("3 March", None, "accepted: a day such as"),
    ] {
        let problem = ask(about, known).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::InvalidValue, "{about} {known:?}");
        assert!(problem.why.as_ref().unwrap().contains(why), "{problem:?}");
    }
    let coming = ask(&tomorrow, None).await.unwrap();
    assert_eq!(coming.copies.len(), 2);
    assert!(coming.notes.iter().any(|note| note.contains("nobody knows")), "{:?}", coming.notes);
    // In two years nobody will know any more what is known today.
    let late = (Timestamp::now() + SignedDuration::from_hours(24 * 730)).to_string();
    let late = ask(&late, None).await.unwrap();
    assert!(late.copies.iter().all(|copy| copy.judged.as_ref().unwrap().outcome() != Outcome::Allow), "{late:?}");
}
