//! What an app keeps elsewhere is a copy of its tenants' data, as soon as somebody says so (R19, R45).

use holm_core::audit::AuditAction;
use holm_core::error::{ErrorCode, Problem};
use holm_engine::residency::exception::{self, Wanted as Exception};
use holm_engine::residency::placed::Claim;
use holm_engine::residency::registered::{self, Wanted};
use holm_engine::residency::what_if::what_if;
use holm_engine::residency::{answer, profile, sub_processors};
use holm_policy::evaluate::verdict::Outcome;
use holm_store::residency::registered::Registered;

use crate::placing::{create, place, told};
use crate::support::{DEV, Setup, World, production, slug};

fn wanted(role: &str, name: &str, provider: &str, region: &str) -> Wanted {
    Wanted {
        environment: production(),
        role: role.to_owned(),
        name: name.to_owned(),
        claim: Claim { provider: provider.to_owned(), region: region.to_owned(), plan: None, evidence: Some("a contract".to_owned()) },
        key_holder: None,
        in_breach: false,
    }
}

impl World {
    async fn keep(&self, wanted: Wanted) -> Result<Registered, Problem> {
        registered::register(&self.control, &DEV, wanted).await
    }

    /// With a tenant on `production-1`, which is where its profile allows it.
    async fn with_goteborg() -> Self {
        let world = Self::start(Setup { pool_size: 2, ..Setup::default() }).await;
        told(&world).await;
        place(&world, "production-1", "nordlys", "no-osl").await;
        create(&world, "goteborg", None).await.expect("its profile allows it there");
        world
    }

    async fn told_of(&self, action: AuditAction) -> i64 {
        self.count(&format!("audit_entry WHERE action = '{}'", action.as_str())).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r45_a_log_sink_that_a_profile_denies_is_refused_before_anything_goes_there() {
    let world = World::with_goteborg().await;
    let refused = world.keep(wanted("log", "sink", "skyline", "se-sto")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ResidencyRefused, "{refused:?}");
    let text = format!("{refused:?}");
    assert!(text.contains("log-sink") && text.contains("skyline/se-sto") && text.contains("control.owners"), "{text}");
    assert!(registered::list(&world.control, &production()).await.unwrap().is_empty());
    assert_eq!(world.told_of(AuditAction::CopyRegister).await, 0);

    // It is there all the same: a breach of everybody there whose profile denies it, and said so in every answer.
    let there = world.keep(Wanted { in_breach: true, ..wanted("log", "sink", "skyline", "se-sto") }).await.unwrap();
    assert_eq!((there.copy.as_str(), there.place.as_str()), ("log-sink", "skyline/se-sto"));
    world.until_count("residency_standing WHERE copy = 'log-sink' AND outcome = 'deny'", 1).await;
    world.until_count("audit_entry WHERE action = 'residency.breach'", 1).await;
    let (_, copies) = answer::whereabouts(&world.control, &production(), &slug("goteborg")).await.unwrap();
    let sink = copies.iter().find(|copy| copy.copy == "log-sink").unwrap();
    let said = sink.placed.as_ref().unwrap();
    assert_eq!((said.place.as_str(), said.evidence.as_deref(), sink.observed_at), ("skyline/se-sto", Some("a contract"), None));
    assert_eq!(sink.judged.as_ref().unwrap().outcome(), Outcome::Deny);
    let primary = copies.iter().find(|copy| copy.copy == "primary").unwrap();
    assert_eq!(primary.judged.as_ref().unwrap().outcome(), Outcome::Allow, "a copy is judged by itself");
    let chain = sub_processors::sub_processors(&world.control, &production()).await.unwrap();
    assert!(chain.companies.iter().any(|company| format!("{company:?}").contains("skyline-europe-ab")), "{chain:?}");
    // Nobody else is made beside it by that profile.
    let refused = create(&world, "malmo", None).await.unwrap_err();
    assert!(refused.code == ErrorCode::ResidencyRefused && format!("{refused:?}").contains("log"), "{refused:?}");

    registered::forget(&world.control, &DEV, &production(), "log-sink").await.unwrap();
    world.until_count("residency_standing WHERE copy = 'log-sink'", 0).await;
    create(&world, "malmo", None).await.unwrap();
    assert_eq!((world.told_of(AuditAction::CopyRegister).await, world.told_of(AuditAction::CopyForget).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_r101_what_an_app_keeps_elsewhere_is_judged_by_itself_and_anew_when_a_fact_changes() {
    let world = World::with_goteborg().await;
    // In the EEA with a company of it; which machines it offers, nobody wrote down, and what is not known blocks.
    let refused = world.keep(wanted("processing", "app", "nordlys", "se-sto")).await.unwrap_err();
    assert!(format!("{refused:?}").contains("cannot say") && !format!("{refused:?}").contains("scope.copies"), "{refused:?}");
    world.keep(Wanted { in_breach: true, ..wanted("processing", "app", "nordlys", "se-sto") }).await.unwrap();
    let (_, copies) = answer::whereabouts(&world.control, &production(), &slug("goteborg")).await.unwrap();
    let app = copies.iter().find(|copy| copy.copy == "processing-app").unwrap();
    assert_eq!(app.role, "processing");
    let judged = app.judged.as_ref().unwrap();
    let location = judged.objections().into_iter().filter(|(rule, _)| rule == "location.countries").count();
    assert_eq!(location, 0, "it is in the EEA: {judged:?}");
    // One that nobody speaks against needs no more words; and is judged anew with the rest.
    world.keep(wanted("snapshot", "volume", "nordlys", "se-sto")).await.unwrap();
    let supposed = what_if(&world.control, &["region:nordlys/se-sto.countries=[\"US\"]".to_owned()], |_| true).await.unwrap();
    let changed = supposed.changes.iter().find(|change| format!("{change:?}").contains("snapshot-volume"));
    assert!(changed.is_some(), "{supposed:?}");
    // An exception for it is for where it is.
    let granted = exception::grant(
        &world.control,
        &DEV,
        &production(),
        &slug("goteborg"),
        Exception {
            copy: "processing-app".to_owned(),
            rule: "control.affiliates".to_owned(),
            owner: "dpo".to_owned(),
            reason: "until the app is moved".to_owned(),
            measure: "no names in free text".to_owned(),
            until: "2089-01-01T00:00:00Z".parse().unwrap(),
        },
    )
    .await
    .unwrap();
    assert_eq!(granted.granted.exception.place.as_deref(), Some("nordlys/se-sto"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_or_is_there_already_changes_nothing() {
    let world = World::with_goteborg().await;
    let good = Wanted { in_breach: true, ..wanted("bucket", "files", "nordlys", "no-osl") };
    world.keep(good.clone()).await.unwrap();
    let before = (world.count("residency_copy").await, world.told_of(AuditAction::CopyRegister).await);
    for (wanted, why) in [
        (good.clone(), "has a copy `bucket-files` already"),
        (Wanted { role: "primary".to_owned(), ..good.clone() }, "made by Holm, or seen"),
        (Wanted { role: "temp_move".to_owned(), ..good.clone() }, "made by Holm, or seen"),
        (Wanted { role: "buckets".to_owned(), ..good.clone() }, "bucket"),
        (Wanted { name: String::new(), ..good.clone() }, "lower-case"),
        (Wanted { name: "Files".to_owned(), ..good.clone() }, "lower-case"),
        (Wanted { name: "../files".to_owned(), ..good.clone() }, "lower-case"),
        (Wanted { name: "x".repeat(80), ..good.clone() }, "at most 64"),
        (Wanted { key_holder: Some("nobody".to_owned()), ..good.clone() }, "key holder"),
        (Wanted { claim: Claim { region: "no-brg".to_owned(), ..good.claim.clone() }, ..good.clone() }, "no region `no-brg`"),
        (Wanted { claim: Claim { provider: "nordlis".to_owned(), ..good.claim.clone() }, ..good.clone() }, "no provider"),
        (Wanted { claim: Claim { evidence: Some("x".repeat(2001)), ..good.claim.clone() }, ..good.clone() }, "2000"),
    ] {
        let refused = world.keep(wanted).await.unwrap_err();
        assert!(refused.code == ErrorCode::InvalidValue && format!("{refused:?}").contains(why), "{why}: {refused:?}");
    }
    let nowhere = Wanted { environment: "nowhere".parse().unwrap(), ..good };
    assert_eq!(world.keep(nowhere).await.unwrap_err().code, ErrorCode::EnvironmentNotFound);
    for copy in ["bucket-other", "primary", "'; DROP TABLE residency_copy", ""] {
        let refused = registered::forget(&world.control, &DEV, &production(), copy).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::RecordNotFound, "{copy}");
    }
    assert_eq!((world.count("residency_copy").await, world.told_of(AuditAction::CopyRegister).await), before);
    assert_eq!(world.count("residency_copy WHERE removed_at IS NOT NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r103_a_copy_that_has_to_be_in_the_country_of_its_database_is_accepted_there_and_nowhere_else() {
    let world = World::with_goteborg().await;
    let shipped = profile::shipped("eea-jurisdiction").unwrap().replace("version = 2", "version = 3");
    let same_country = shipped.replace("countries = [\"@EEA\"]", "countries = [\"@EEA\"]\nsame_country_for = [\"snapshot\"]");
    profile::keep(&world.control, &DEV, same_country).await.unwrap();
    // Another copy in breach does not make the database's place one that does not count.
    world.keep(Wanted { in_breach: true, ..wanted("log", "sink", "skyline", "se-sto") }).await.unwrap();
    let abroad = world.keep(wanted("snapshot", "volume", "nordlys", "se-sto")).await.unwrap_err();
    assert!(abroad.code == ErrorCode::ResidencyRefused && format!("{abroad:?}").contains("location.same_country"), "{abroad:?}");
    world.keep(wanted("snapshot", "volume", "nordlys", "no-osl")).await.unwrap();
}
