//! Where a tenant's data is, why, what would break that, and who is concerned when something happens.

use holm_core::error::ErrorCode;
use holm_engine::residency::breach_scope::{self, breach_scope};
use holm_engine::residency::what_if::{Act, what_if};
use holm_engine::residency::{answer, decision_record, matrix, processing_record, profile, sub_processors};
use holm_engine::tenant::{self, NewTenant};
use holm_policy::copy::CopyRole;
use holm_policy::evaluate::verdict::Outcome;
use holm_store::residency::{self, facts};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::placing::{another, create, place, today, told};
use crate::support::{DEV, PATIENCE, Setup, World, new_tenant, production, slug};

/// Lays facts over those of the demo.
pub(crate) async fn learn(world: &World, facts: &str) {
    let source = "[[source]]\nid = \"test\"\nwhat = \"a test\"\non = @today@\ncertainty = \"verified\"\nvalid_until = @until@\n";
    let mut tx = world.control.catalog().transaction().await.unwrap();
    residency::alone(&mut tx).await.unwrap();
    residency::advance(&mut tx).await.unwrap();
    // Laid over in the order of their names.
    facts::keep(&mut tx, Uuid::now_v7(), "zz-test", &today(&format!("{source}{facts}"))).await.unwrap();
    tx.commit().await.unwrap();
}

pub(crate) fn fact(id: &str, is: &str) -> String {
    format!("[[fact]]\nid = \"{id}\"\nis = {is}\nfrom = \"test\"\n")
}

/// Backups of what is in Oslo lie in Stockholm, as the provider does it by itself.
fn backups_go_to_sweden() -> String {
    let rule = fact("service:nordlys/postgres.backup_rule", "\"cross_country_default\"");
    rule + &fact("region:nordlys/no-osl.backup_regions", "[\"nordlys/se-sto\"]")
}

/// `goteborg` judged and in Oslo, `malmo` judged by nobody, on the one cluster.
pub(crate) async fn in_oslo(extra: &str) -> World {
    let world = World::start(Setup { pool_size: 2, ..Setup::default() }).await;
    told(&world).await;
    if !extra.is_empty() {
        learn(&world, extra).await;
    }
    place(&world, "production-1", "nordlys", "no-osl").await;
    world.settled().await;
    create(&world, "goteborg", None).await.unwrap();
    world.create("malmo").await.unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn r32_r52_every_copy_says_where_it_lies_by_whose_word_and_a_backup_of_a_provider_is_where_the_provider_puts_it() {
    let world = in_oslo(&backups_go_to_sweden()).await;
    let (_, copies) = answer::whereabouts(&world.control, &production(), &slug("goteborg")).await.unwrap();
    let told: Vec<_> = copies.iter().map(|copy| (copy.role.as_str(), copy.lies.countries.clone().unwrap().join(" "))).collect();
    assert_eq!(told, [("primary", "NO".to_owned()), ("backup", "SE".to_owned())]);
    for copy in &copies {
        let placed = copy.placed.as_ref().unwrap();
        assert_eq!((placed.place.as_str(), placed.evidence.as_deref()), ("nordlys/no-osl", Some("an invoice")));
        assert!(placed.placed_at < Timestamp::now());
        assert_eq!((copy.contracting.as_deref(), copy.judged.as_ref().unwrap().outcome()), (Some("nordlys-as"), Outcome::Allow));
        assert!(copy.since.is_some(), "since it was placed");
    }
    // Whom nobody judges is somewhere all the same.
    let (_, bare) = answer::whereabouts(&world.control, &production(), &slug("malmo")).await.unwrap();
    assert_eq!((bare.len(), bare[0].judged.is_none(), &bare[0].lies.countries), (1, true, &Some(vec!["NO".to_owned()])));
}

#[tokio::test(flavor = "multi_thread")]
async fn r10_r21_an_explanation_says_what_it_rests_on_and_what_would_come_of_the_fall_of_the_law_among_that() {
    let british = [
        fact("provider:nordlys.support_from", "[\"NO\", \"GB\"]"),
        fact("adequacy:GB.status", "\"in_force\""),
        fact("adequacy:GB.scope", "\"all\""),
        fact("mechanism:adequacy.status", "\"in_force\""),
    ];
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    learn(&world, &british.concat()).await;
    profile::keep(&world.control, &DEV, profile::shipped("eea-region-adequate").unwrap().to_owned()).await.unwrap();
    let _server = another(&world, "production-2").await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    world.until_count("database WHERE state = 'ready'", 2).await;
    let new = NewTenant { profile: Some("eea-region-adequate".to_owned()), ..new_tenant("goteborg") };
    tenant::create(&world.control, &DEV, new, PATIENCE).await.unwrap();
    let explained = answer::explain(&world.control, &production(), &slug("goteborg")).await.unwrap();
    let ends: Vec<_> = explained.rests_on.iter().filter_map(|ground| ground.until).collect();
    assert!(ends.is_sorted() && ends.len() > 5, "the first to end is first: {ends:?}");
    let ground = explained.rests_on.iter().find(|ground| ground.fact.as_str() == "adequacy:GB.status").unwrap();
    assert_eq!((ground.value.as_deref(), ground.source.as_deref()), (Some("in_force"), Some("a test")));
    let fall = explained.falls.iter().find(|fall| fall.supposed == "adequacy:GB=annulled").unwrap();
    assert_ne!(fall.outcome, Outcome::Allow);
    assert!(fall.objections.iter().any(|one| one.copy == "primary" && one.because.contains("GB")), "{fall:?}");
    // What is told of a fall is what comes when it falls.
    let asked = what_if(&world.control, &["adequacy:GB=annulled".to_owned()], |_| true).await.unwrap();
    assert_eq!(asked.changes.iter().map(|one| one.change.after).max(), Some(fall.outcome));
    assert_eq!(explained.elsewhere.len(), 1);
    assert_eq!((explained.elsewhere[0].cluster.as_str(), explained.elsewhere[0].outcome), ("production-2", Outcome::Unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn r29_r30_a_decision_is_a_record_with_status_date_deciders_alternatives_and_the_reason_against_each() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    let _server = another(&world, "production-2").await;
    world.until_count("database WHERE state = 'ready'", 2).await;
    place(&world, "production-1", "skyline", "se-sto").await;
    place(&world, "production-2", "nordlys", "no-osl").await;
    create(&world, "goteborg", None).await.unwrap();
    let record = decision_record::record(&world.control, &production(), &slug("goteborg")).await.unwrap();
    let text = &record.markdown;
    for expected in [
        "# The data of `goteborg` in `production` lies on `production-2`",
        "- Status: accepted",
        &format!("- Date: {}", record.decided_at.to_zoned(jiff::tz::TimeZone::UTC).date()),
        "- Deciders: data protection officer",
        "## Context",
        "`eea-jurisdiction` version 2",
        "## Decision",
        "Its database is on cluster `production-2` at `nordlys/no-osl`.",
        "## Alternatives",
        "- `production-1` at `skyline/se-sto`: the profile denies it (deny)",
        "`control.owners` of the primary",
        "## Consequences",
    ] {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }
    // It is what was decided, whatever came after; what came after is told beside it.
    place(&world, "production-2", "skyline", "se-sto").await;
    let later = decision_record::record(&world.control, &production(), &slug("goteborg")).await.unwrap();
    let (then, since) = text.split_once("## Since then").unwrap();
    assert!(later.markdown.starts_with(then) && since.contains("primary on `production-2` (nordlys/no-osl): allow"), "{since}");
    assert!(later.markdown.contains("primary on `production-2` (skyline/se-sto): deny"), "{}", later.markdown);
    world.create("malmo").await.unwrap();
    let none = decision_record::record(&world.control, &production(), &slug("malmo")).await.unwrap_err();
    assert_eq!(none.code, ErrorCode::RecordNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn r10_the_matrix_says_of_a_place_what_a_creation_there_comes_to() {
    let world = in_oslo("").await;
    let all = matrix::matrix(&world.control, None, Some(&production())).await.unwrap();
    let at = |place: &str| all.rows.iter().find(|row| row.place == place).unwrap();
    assert_eq!((at("nordlys/no-osl").outcome, &at("nordlys/no-osl").objection), (Outcome::Allow, &None));
    let denied = at("skyline/se-sto");
    assert_eq!((denied.outcome, denied.objection.as_ref().unwrap().rule.as_str()), (Outcome::Deny, "control.owners"));
    place(&world, "production-1", "skyline", "se-sto").await;
    let refused = create(&world, "uppsala", None).await.unwrap_err();
    assert!(refused.why.unwrap().contains(&denied.objection.as_ref().unwrap().because));
    let one = matrix::matrix(&world.control, Some("eea-jurisdiction"), None).await.unwrap();
    assert!(one.rows.len() > 50 && one.rows.iter().all(|row| row.profile == "eea-jurisdiction"));
    let none = matrix::matrix(&world.control, Some("eea-juristiction"), None).await.unwrap_err();
    assert_eq!(none.code, ErrorCode::ProfileNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn r21_what_if_names_the_tenants_and_copies_that_change_and_a_cluster_of_their_environment_to_move_to() {
    let world = in_oslo("").await;
    let _servers = (another(&world, "production-2").await, another(&world, "production-3").await);
    place(&world, "production-2", "nordlys", "se-sto").await;
    place(&world, "production-3", "skyline", "se-sto").await;
    let moved = ["region:nordlys/no-osl.countries=[\"NO\", \"RU\"]".to_owned()];
    let asked = what_if(&world.control, &moved, |_| true).await.unwrap();
    let changes: Vec<_> =
        asked.changes.iter().map(|one| (one.change.tenant.as_str(), one.change.copy.as_str(), one.change.after)).collect();
    assert_eq!(changes, [("goteborg", "primary", Outcome::Deny), ("goteborg", "backup", Outcome::Deny)]);
    assert_eq!(asked.changes[0].cluster.as_str(), "production-1");
    assert_eq!((asked.without_profile, asked.without_place, asked.plan.len()), (1, 0, 1), "nobody judges malmo, and that is said");
    match &asked.plan[0].step.act {
        Act::Move { to, or } => assert_eq!((&*to.label, or.len()), ("production-2", 0), "the one that denies is no place to go"),
        Act::NoPlace { refused } => panic!("{refused:?}"),
    }
    // Whoever may not see an environment hears nothing of it.
    let unseen = what_if(&world.control, &moved, |_| false).await.unwrap();
    assert_eq!((unseen.changes.len(), unseen.plan.len(), unseen.without_profile), (0, 0, 0));
    for wrong in [vec![], vec!["eu-us-dfp=annulled"], vec!["dpf=gone"], vec!["dpf=annulled", "mechanism:dpf=in_force"]] {
        let wrong: Vec<String> = wrong.into_iter().map(str::to_owned).collect();
        assert_eq!(what_if(&world.control, &wrong, |_| true).await.unwrap_err().code, ErrorCode::InvalidValue, "{wrong:?}");
    }
    // It was a question.
    assert_eq!(answer::explain(&world.control, &production(), &slug("goteborg")).await.unwrap().here[0].outcome(), Outcome::Allow);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scope_of_a_breach_is_everybody_on_the_server_suspended_or_judged_by_nobody_and_nobody_else() {
    let world = in_oslo(&backups_go_to_sweden()).await;
    let other = another(&world, "production-2").await;
    world.until_count("database WHERE state = 'ready'", 4).await;
    let elsewhere = NewTenant { cluster: Some("production-2".parse().unwrap()), ..new_tenant("uppsala") };
    tenant::create(&world.control, &DEV, elsewhere, PATIENCE).await.unwrap();
    tenant::suspend(&world.control, &DEV, &production(), &slug("malmo")).await.unwrap();
    let hour = SignedDuration::from_hours(1);
    let known_since = Timestamp::now() - hour * 71;
    let server = "production-1".parse().unwrap();
    let scope = breach_scope(&world.control, &server, Some(known_since)).await.unwrap();
    let tenants: Vec<_> = scope.tenants.iter().map(|one| (one.tenant.slug.as_str(), one.tenant.state.to_string())).collect();
    assert_eq!(tenants, [("goteborg", "serving".to_owned()), ("malmo", "suspended".to_owned())]);
    assert_eq!(scope.lies.countries, Some(vec!["NO".to_owned()]));
    let copies = &scope.tenants[0].copies;
    assert_eq!(
        (copies[0].role, copies[0].on_server, copies[1].role, copies[1].on_server),
        (CopyRole::Primary, true, CopyRole::Backup, false)
    );
    assert_eq!(copies[1].lies.countries, Some(vec!["SE".to_owned()]), "made from it, and in another country");
    let notify = scope.notify.unwrap();
    assert!(!notify.is_over);
    assert_eq!((notify.known_since, notify.by.duration_since(known_since)), (known_since, hour * 72));
    let late = breach_scope(&world.control, &server, Some(known_since - hour * 2)).await.unwrap();
    assert!(late.notify.unwrap().is_over);
    let tomorrow = breach_scope(&world.control, &server, Some(Timestamp::now() + hour * 24));
    assert_eq!(tomorrow.await.unwrap_err().code, ErrorCode::InvalidValue);
    // A server that does not answer can still be asked about: that is when it matters.
    drop(other);
    let gone = breach_scope(&world.control, &"production-2".parse().unwrap(), None).await.unwrap();
    assert_eq!((gone.tenants.len(), gone.lies.places.len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breach_is_answered_also_while_nobody_can_read_what_is_in_force() {
    let world = in_oslo("").await;
    let server = "production-1".parse().unwrap();
    let before = breach_scope(&world.control, &server, None).await.unwrap();
    assert_eq!(before.unknown, None);
    // As another Holm may have kept them: first a profile, then facts.
    let known_since = Timestamp::now();
    for table in ["residency_profile", "residency_facts"] {
        let catalog = world.catalog().await;
        catalog.batch_execute(&format!("UPDATE {table} SET text = 'no toml'; UPDATE residency SET epoch = epoch + 1")).await.unwrap();
        let scope = breach_scope(&world.control, &server, Some(known_since)).await.unwrap();
        assert_eq!(scope.unknown.unwrap().code, ErrorCode::InForceUnreadable);
        assert_eq!(scope.notify.unwrap().known_since, known_since);
        assert!(!scope.tenants.is_empty());
        let whose = |tenants: &[breach_scope::Affected]| tenants.iter().map(|one| one.tenant.clone()).collect::<Vec<_>>();
        assert_eq!(whose(&scope.tenants), whose(&before.tenants));
        for tenant in scope.tenants {
            let [primary] = tenant.copies.as_slice() else { panic!("{tenant:?}") };
            assert_eq!((primary.role, primary.on_server), (CopyRole::Primary, true));
            assert_eq!(primary.lies.places, ["nordlys/no-osl".parse().unwrap()], "what somebody said is in the catalog");
            assert_eq!(primary.lies.countries, None, "which country that is, only facts can tell");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r9_reports_cite_the_fact_of_each_line_and_tell_what_is_not_known_and_nobody_is_called_compliant() {
    let linked = "[[entity]]\nid = \"hamar-drift\"\nname = \"Hamar Drift AS\"\ncountry = { is = \"NO\", from = \"test\" }\nparents = { is = [], from = \"test\" }\naffiliates = { is = [], from = \"test\" }\nexposed_to = { is = [], from = \"test\" }\ndpf = { is = \"not_listed\", from = \"test\" }\n";
    let processor = fact(
        "provider:nordlys.sub_processors",
        "[{ entity = \"hamar-drift\", purpose = \"support\", reach = \"support_view\", countries = [\"NO\"] }]",
    );
    let world = in_oslo(&format!("{linked}{processor}{}", backups_go_to_sweden())).await;
    let list = sub_processors::sub_processors(&world.control, &production()).await.unwrap();
    assert_eq!(list.places, ["nordlys/no-osl", "nordlys/se-sto"]);
    let lines: Vec<_> = list.companies.iter().map(|one| (one.entity.as_str(), one.link, one.purpose.as_str(), one.fact.as_str())).collect();
    assert_eq!(
        lines,
        [("nordlys-as", 0, "contract", "provider:nordlys.contracting"), ("hamar-drift", 1, "support", "provider:nordlys.sub_processors"),]
    );
    assert!(list.companies.iter().all(|one| !one.source.is_empty() && one.established_in.as_deref() == Some("NO")));
    assert_eq!(list.gaps, ["the registry does not say who processes for `hamar-drift`"]);
    let record = processing_record::record(&world.control, &production()).await.unwrap();
    let told: Vec<_> = record.tenants.iter().map(|one| (one.tenant.as_str(), one.copies.len())).collect();
    assert_eq!(told, [("goteborg", 2), ("malmo", 1)]);
    let backup = &record.tenants[0].copies[1];
    assert_eq!((backup.outcome, backup.lies.countries.clone()), (Some(Outcome::Allow), Some(vec!["SE".to_owned()])));
    assert!(backup.retention.iter().any(|one| one.fact.ends_with("residue_days") && one.value.contains("backup 30 d")), "{backup:?}");
    assert!(backup.facts.iter().any(|fact| fact == "entity:nordlys-as.parents"));
    assert_eq!(record.tenants[1].copies[0].outcome, None);
}
