//! A region that only some plans of its provider have: on which one a cluster is, is said with where it is, and judged (R17).

use holm_core::error::ErrorCode;
use holm_engine::residency::placed::{Claim, set_place};
use holm_engine::residency::places::{self, Words};
use holm_engine::residency::registered::{self, Wanted};
use holm_engine::residency::what_if::{Act, what_if};
use holm_engine::residency::{answer, profile};
use holm_policy::evaluate::verdict::Outcome;
use holm_store::residency::{self, facts};
use uuid::Uuid;

use crate::placing::{another, create, told};
use crate::support::{DEV, Setup, World, production, slug};

/// Regions of the demo's provider are had on one of its plans, and a profile asks for the plan.
async fn only_on_pro(world: &World) {
    told(world).await;
    let mut tx = world.control.catalog().transaction().await.unwrap();
    residency::alone(&mut tx).await.unwrap();
    residency::advance(&mut tx).await.unwrap();
    let nordlys = crate::placing::today(include_str!("../../../../demo/facts/nordlys.toml"));
    let plans = "plans = { is = [\"pro\"], from = \"demo\" }";
    let nordlys = nordlys.replace("plans = { is = [], from = \"demo\" }", plans);
    let service = "[[service.plan]]\nid = \"pro\"\npitr_days = { is = 14, from = \"demo\" }\n\n[[service.plan]]\nid = \"hobby\"\npitr_days = { is = 14, from = \"demo\" }\n";
    facts::keep(&mut tx, Uuid::now_v7(), "nordlys", &format!("{nordlys}\n{service}")).await.unwrap();
    tx.commit().await.unwrap();
    let asks = profile::shipped("eea-jurisdiction").unwrap().replacen("[technical]\n", "[technical]\nplan = true\n", 1);
    // Its cases are of a provider of which nobody knows the plans.
    let (rules, _) = asks.split_once("[[case]]").unwrap();
    let asks = rules.replacen("version = 2", "version = 3", 1);
    profile::keep(&world.control, &DEV, asks).await.unwrap();
}

fn claim(plan: Option<&str>) -> Claim {
    Claim { provider: "nordlys".to_owned(), region: "no-osl".to_owned(), plan: plan.map(str::to_owned), evidence: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_a_cluster_in_a_region_that_one_plan_has_takes_tenants_when_it_is_said_to_be_on_that_plan() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    only_on_pro(&world).await;
    let name = "production-1".parse().unwrap();
    for (plan, said) in [(None, "nobody said on which plan"), (Some("hobby"), "not on `hobby`")] {
        let cluster = set_place(&world.control, &DEV, &name, claim(plan)).await.unwrap();
        assert_eq!(cluster.placed.unwrap().plan.as_deref(), plan, "the truth is not refused");
        let refused = create(&world, "goteborg", None).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::ResidencyRefused);
        let why = refused.why.unwrap();
        assert!(why.contains("technical.plan") && why.contains(said), "{why}");
    }
    let unheard = set_place(&world.control, &DEV, &name, claim(Some("enterprise"))).await.unwrap_err();
    let why = format!("{unheard:?}");
    assert!(unheard.code == ErrorCode::InvalidValue && why.contains("hobby, pro"), "{why}");
    set_place(&world.control, &DEV, &name, claim(Some("pro"))).await.unwrap();
    assert_eq!(create(&world, "goteborg", None).await.unwrap(), "production-1");

    let (_, copies) = answer::whereabouts(&world.control, &production(), &slug("goteborg")).await.unwrap();
    assert_eq!(copies[0].placed.as_ref().unwrap().plan.as_deref(), Some("pro"));
    let explained = answer::explain(&world.control, &production(), &slug("goteborg")).await.unwrap();
    let placement = explained.here[0].placement.as_ref().unwrap();
    assert_eq!(placement.plan.as_ref().unwrap().as_str(), "pro");

    // Somebody says otherwise: what is there is judged anew, and told.
    set_place(&world.control, &DEV, &name, claim(Some("hobby"))).await.unwrap();
    world.until_count("residency_standing WHERE copy = 'primary' AND outcome = 'deny'", 1).await;
    assert_eq!(world.count("audit_entry WHERE detail::jsonb ->> 'what' = 'nordlys/no-osl@hobby'").await, 2);
    assert_eq!(world.count("audit_entry WHERE detail::jsonb ->> 'before' = 'nordlys/no-osl@pro'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_a_move_is_judged_by_the_plan_of_the_cluster_that_it_leads_to() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    only_on_pro(&world).await;
    let _other = another(&world, "production-2").await;
    set_place(&world.control, &DEV, &"production-1".parse().unwrap(), claim(Some("pro"))).await.unwrap();
    assert_eq!(create(&world, "goteborg", Some("production-1")).await.unwrap(), "production-1");
    let falls = ["region:nordlys/no-osl.countries=[\"US\"]".to_owned()];
    let beside = "production-2".parse().unwrap();
    let stockholm = |plan| Claim { region: "se-sto".to_owned(), ..claim(plan) };
    let mut fingerprints = Vec::new();
    for (plan, to) in [(None, None), (Some("hobby"), None), (Some("pro"), Some("production-2"))] {
        set_place(&world.control, &DEV, &beside, stockholm(plan)).await.unwrap();
        let found = what_if(&world.control, &falls, |_| true).await.unwrap();
        let led = match &found.plan[0].step.act {
            Act::Move { to, .. } => Some(to.label.to_string()),
            Act::NoPlace { .. } => None,
        };
        assert_eq!(led.as_deref(), to, "on {plan:?}: {:?}", found.plan);
        fingerprints.push(found.fingerprint());
        let again = what_if(&world.control, &falls, |_| true).await.unwrap();
        assert_eq!(fingerprints.last(), Some(&again.fingerprint()), "the same question has the same answer");
    }
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 3, "what is to be done for the same tenants is another thing each time, or for another reason");
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_a_copy_that_somebody_registers_is_judged_by_the_plan_that_it_is_on() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    only_on_pro(&world).await;
    set_place(&world.control, &DEV, &"production-1".parse().unwrap(), claim(Some("pro"))).await.unwrap();
    create(&world, "goteborg", None).await.unwrap();
    let wanted = |plan| Wanted {
        environment: production(),
        role: "key".to_owned(),
        name: "vault".to_owned(),
        claim: claim(plan),
        key_holder: None,
        in_breach: true,
    };
    for (plan, outcome) in [(Some("hobby"), Outcome::Deny), (None, Outcome::Unknown)] {
        let kept = registered::register(&world.control, &DEV, wanted(plan)).await.unwrap();
        assert_eq!(kept.plan.as_deref(), plan);
        let explained = answer::explain(&world.control, &production(), &slug("goteborg")).await.unwrap();
        let vault = explained.here.iter().find(|judged| judged.copy.as_str() == "key-vault").unwrap();
        let holm_engine::residency::copies::Comes::To(verdict) = &vault.standing else { panic!("{vault:?}") };
        let finding = verdict.findings.iter().find(|finding| finding.rule.as_str() == "technical.plan").unwrap();
        assert_eq!(finding.outcome, outcome, "{finding:?}");
        registered::forget(&world.control, &DEV, &production(), "key-vault").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r103_an_installation_is_asked_by_its_own_facts_and_papers() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    only_on_pro(&world).await;
    let environment = production();
    let words = |database: &str| Words { database: Some(database.to_owned()), ..Words::default() };
    let ask = |words: Words| places::places(&world.control, &environment, Some("eea-jurisdiction"), words);
    let found = ask(words("nordlys/no-osl")).await.unwrap();
    assert_eq!(found.environment, Some(production()));
    let needs: Vec<String> = found.found.databases[0].needs.iter().map(ToString::to_string).collect();
    assert_eq!(needs, ["plan pro of nordlys for the database"], "what is signed is not needed any more");
    let on_pro = ask(Words { plans: vec!["nordlys=pro".to_owned()], ..words("nordlys/no-osl") }).await.unwrap();
    assert!(on_pro.found.databases[0].needs.is_empty());
    assert_ne!(found.fingerprint(), on_pro.fingerprint());
    for wrong in [
        words("nordlis"),
        words("nordlys/no-brg"),
        words("nord lys"),
        Words { plans: vec!["nordlys".to_owned()], ..words("nordlys") },
        Words { plans: vec!["nordlys=enterprise".to_owned()], ..words("nordlys") },
        Words { plans: vec!["nordlys=pro".to_owned(), "nordlys=hobby".to_owned()], ..words("nordlys") },
        Words { backup: Some("nordlys".to_owned()), ..words("nordlys") },
        Words { key_holder: Some("nobody".to_owned()), ..words("nordlys") },
    ] {
        let refused = ask(wrong.clone()).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidValue, "{wrong:?}: {refused:?}");
    }
    let none = places::places(&world.control, &production(), None, Words::default()).await.unwrap_err();
    assert!(none.code == ErrorCode::InvalidValue && format!("{none:?}").contains("no profile of its own"), "{none:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_a_provider_of_which_no_plans_are_known_changes_nothing_that_was_allowed() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    told(&world).await;
    set_place(&world.control, &DEV, &"production-1".parse().unwrap(), claim(Some("basic"))).await.unwrap();
    assert_eq!(create(&world, "goteborg", None).await.unwrap(), "production-1");
    assert_eq!(world.count("residency_standing WHERE outcome <> 'allow'").await, 0);
}
