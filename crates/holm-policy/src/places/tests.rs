//! Promises of the co-location solver, on an invented market.

use jiff::Timestamp;

use super::*;
use crate::evaluate::exception::{Exception, Request};

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

const SOURCE: &str = "[[source]]\nid = \"s\"\nwhat = \"a page\"\non = 2026-11-01\ncertainty = \"verified\"\nvalid_until = 2027-05-01\n";

/// A seller with one company, and its regions: id, country, what is sold, and anything else that is to be said of it.
fn seller(id: &str, country: &str, regions: &[(&str, &str, &str, &str)]) -> String {
    let fact = |key: &str, value: &str| format!("{key} = {{ is = {value}, from = \"s\" }}\n");
    let mut text = format!("{SOURCE}[provider]\nid = \"{id}\"\nname = \"{id}\"\n");
    text += &fact("contracting", &format!("\"{id}-co\""));
    text += &fact("support_from", &format!("[\"{country}\"]"));
    text += &fact("sub_processors", "[]");
    text += &format!("[[entity]]\nid = \"{id}-co\"\nname = \"{id} Company\"\n");
    text += &fact("country", &format!("\"{country}\""));
    for (key, value) in [("parents", "[]"), ("affiliates", "[]"), ("exposed_to", "[]"), ("dpf", "\"not_listed\"")] {
        text += &fact(key, value);
    }
    for (region, country, offers, more) in regions {
        text += &format!("[[region]]\nid = \"{region}\"\n");
        text += &fact("countries", &format!("[\"{country}\"]"));
        text += &fact("infrastructure", "[]");
        text += &fact("offers", offers);
        text += more;
    }
    text += "[[service]]\nkind = \"postgres\"\n";
    for (key, value) in
        [("residue_days", "{ primary = 0, backup = 30 }"), ("pitr", "\"yes\""), ("pitr_days", "7"), ("backup_rule", "\"same_region\"")]
    {
        text += &fact(key, value);
    }
    for (plan, days) in [("large", "30"), ("small", "7")] {
        text += &format!("[[service.plan]]\nid = \"{plan}\"\n{}", fact("pitr_days", days));
    }
    text + "[[service]]\nkind = \"object\"\n" + &fact("residue_days", "{ bucket = 0 }")
}

const BOTH: &str = "[\"postgres\", \"object\"]";
const DATABASES: &str = "[\"postgres\"]";
const BUCKETS: &str = "[\"object\"]";

/// Nord sells both in Oslo; Svea only databases in Stockholm, in the halls of Hall, which sells only buckets there and in Malmö;
/// Yankee sells both in Frankfurt, and is American.
fn market() -> Registry {
    let next = "colocated_with = { is = [\"hall/sto\"], from = \"s\" }\n";
    let pro = "plans = { is = [\"large\"], from = \"s\" }\n";
    let sellers = [
        ("hall", seller("hall", "SE", &[("sto", "SE", BUCKETS, ""), ("malmo", "SE", BUCKETS, "")])),
        ("nord", seller("nord", "NO", &[("oslo", "NO", BOTH, "")])),
        ("svea", seller("svea", "SE", &[("stockholm", "SE", DATABASES, next), ("kiruna", "SE", DATABASES, pro)])),
        ("yankee", seller("yankee", "US", &[("frankfurt", "DE", BOTH, "")])),
    ];
    let law = Registry::load(&[
        ("adequacy.toml", include_str!("../../registry/adequacy.toml")),
        ("countries.toml", include_str!("../../registry/countries.toml")),
        ("laws.toml", include_str!("../../registry/laws.toml")),
        ("mechanisms.toml", include_str!("../../registry/mechanisms.toml")),
    ]);
    sellers.iter().fold(law.unwrap(), |registry, (name, text)| registry.overlaid((name, text)).unwrap_or_else(|wrong| panic!("{wrong}")))
}

fn profile(registry: &Registry, from: &str, to: &str) -> Profile {
    let text = Profile::SHIPPED.iter().find(|(file, _)| *file == "eea-jurisdiction.toml").unwrap().1;
    assert!(text.contains(from), "{from}");
    Profile::parse("mine", &text.replacen(from, to, 1), registry).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn plain(registry: &Registry) -> Profile {
    profile(registry, "countries", "countries")
}

fn ask() -> Ask {
    Ask {
        environment: EnvironmentKind::Production,
        isolation: Isolation::DatabasePerTenant,
        database: None,
        bucket: None,
        backup: BackupBy::ProviderDefault,
        bucket_keys: KeyHolder::Provider,
        plans: BTreeMap::new(),
        papers: Vec::new(),
        assessments: Vec::new(),
        far: Far::WhereNothingIsNearer,
    }
}

fn lines(answer: &Answer) -> String {
    let needs = |needs: &[Need]| needs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let pairs = answer.pairs.iter().map(|pair| format!("{} {} + {}: {}\n", pair.near, pair.database, pair.bucket, needs(&pair.needs)));
    let refused = answer.refused.iter().map(|one| {
        let first = &one.against[0];
        let rule = first.rule.map_or("-", RuleId::as_str);
        format!("{} {} {} {} {rule}: {}\n", one.outcome, one.kept, one.place, first.copy, first.because)
    });
    format!("{}left out: {}\n{}", pairs.collect::<String>(), answer.left_out, refused.collect::<String>())
}

#[test]
fn r103_a_database_and_a_bucket_are_told_nearest_first_with_what_must_still_be_signed() {
    let registry = market();
    insta::assert_snapshot!(lines(&places(&registry, &plain(&registry), &ask(), now())), @r"
    same_region nord/oslo + nord/oslo: dpa with nord-co
    colocated svea/stockholm + hall/sto: dpa with hall-co, dpa with svea-co
    same_country svea/kiruna + hall/malmo: plan large of svea for the database, dpa with hall-co, dpa with svea-co
    same_country svea/kiruna + hall/sto: plan large of svea for the database, dpa with hall-co, dpa with svea-co
    same_country svea/stockholm + hall/malmo: dpa with hall-co, dpa with svea-co
    left out: 4
    deny database yankee/frankfurt primary access.support: staff of `yankee` is in US, outside @EEA
    deny bucket yankee/frankfurt bucket access.support: staff of `yankee` is in US, outside @EEA
    ");
}

#[test]
fn r103_all_that_is_allowed_is_told_to_who_asks_for_it() {
    let registry = market();
    let near = places(&registry, &plain(&registry), &ask(), now());
    let all = places(&registry, &plain(&registry), &Ask { far: Far::All, ..ask() }, now());
    assert_eq!((all.left_out, all.pairs.len()), (0, near.pairs.len() + near.left_out));
    assert_eq!(all.pairs.len(), all.databases.len() * all.buckets.len());
    assert!(near.pairs.iter().all(|pair| all.pairs.contains(pair)));
}

#[test]
fn r103_another_country_is_documented_where_the_profile_wants_the_bucket_beside_the_database() {
    let registry = market();
    let together = profile(&registry, "countries = [\"@EEA\"]", "countries = [\"@EEA\"]\nsame_country_for = [\"bucket\"]");
    let wanted = Ask { database: Some("nord".parse().unwrap()), bucket: Some("hall/sto".parse().unwrap()), ..ask() };
    insta::assert_snapshot!(lines(&places(&registry, &together, &wanted, now())), @r"
    elsewhere nord/oslo + hall/sto: dpa with hall-co, dpa with nord-co, exception from location.same_country for the bucket (documented_other_region)
    left out: 0
    ");
    // Without the rule there is nothing to except.
    assert_eq!(places(&registry, &plain(&registry), &wanted, now()).pairs[0].needs.len(), 2);
}

#[test]
fn r103_r17_a_region_that_only_some_plans_have_is_told_with_the_plan_and_refused_on_another() {
    let registry = market();
    let on = |plan: Option<&str>| {
        let plans = plan.map(|plan| ("svea".parse().unwrap(), plan.parse().unwrap())).into_iter().collect();
        let wanted = Ask { database: Some("svea/kiruna".parse().unwrap()), bucket: Some("hall/sto".parse().unwrap()), plans, ..ask() };
        lines(&places(&registry, &plain(&registry), &wanted, now()))
    };
    insta::assert_snapshot!(on(None), @r"
    same_country svea/kiruna + hall/sto: plan large of svea for the database, dpa with hall-co, dpa with svea-co
    left out: 0
    ");
    insta::assert_snapshot!(on(Some("large")), @r"
    same_country svea/kiruna + hall/sto: dpa with hall-co, dpa with svea-co
    left out: 0
    ");
    insta::assert_snapshot!(on(Some("small")), @r"
    left out: 0
    deny database svea/kiruna primary technical.plan: `svea/kiruna` is had on plan large, not on `small`
    ");
}

#[test]
fn r103_a_plan_that_makes_the_difference_is_needed() {
    let registry = market();
    let longer = profile(&registry, "pitr_days_min = { production = 7 }", "pitr_days_min = { production = 14 }");
    let answer = places(&registry, &longer, &Ask { database: Some("nord".parse().unwrap()), ..ask() }, now());
    let plan = Need::Plan { kept: Kept::Database, provider: "nord".parse().unwrap(), any_of: vec!["large".parse().unwrap()] };
    assert!(answer.databases[0].needs.contains(&plan), "{:?}", answer.databases);
}

#[test]
fn r103_what_is_signed_already_is_not_needed_any_more() {
    let registry = market();
    let paper =
        Paper { kind: "dpa".parse().unwrap(), with: "nord-co".parse().unwrap(), signed_on: "2026-01-01".parse().unwrap(), ends_on: None };
    let wanted = Ask { database: Some("nord".parse().unwrap()), bucket: Some("nord".parse().unwrap()), papers: vec![paper], ..ask() };
    let answer = places(&registry, &plain(&registry), &wanted, now());
    assert_eq!(answer.pairs.iter().map(|pair| pair.needs.len()).collect::<Vec<_>>(), [0]);
}

#[test]
fn r103_no_more_copies_are_judged_than_there_are_places_papers_and_pairs_to_keep_together() {
    let registry = Registry::shipped();
    let all = registry.places().count();
    for (file, text) in Profile::SHIPPED {
        let profile = Profile::parse(file, text, &registry).unwrap();
        let answer = places(&registry, &profile, &Ask { far: Far::All, ..ask() }, now());
        let allowed = answer.databases.len() + answer.buckets.len();
        let together = if profile.location.same_country_for.contains(&CopyRole::Bucket) { answer.pairs.len() } else { 0 };
        // Each place: a database with its backup, by at most three plans, and a bucket. Each that is allowed: two copies, without each of
        // the papers and assessments that could be needed, of which there are fewer than twenty.
        let most = all * (2 * 3 + 1) + allowed * 2 * 20 + together;
        assert!(answer.judged <= most, "{file}: {} of {most}", answer.judged);
        assert_eq!(answer.pairs.len(), answer.databases.len() * answer.buckets.len(), "{file}");
    }
}

#[test]
fn r103_what_nobody_knows_is_said_with_the_fact_that_is_missing() {
    let registry = Registry::shipped();
    let text = Profile::SHIPPED.iter().find(|(file, _)| *file == "eea-jurisdiction.toml").unwrap();
    let profile = Profile::parse(text.0, text.1, &registry).unwrap();
    let wanted = Ask { database: Some("scalingo/osc-fr1".parse().unwrap()), bucket: Some("cleura".parse().unwrap()), ..ask() };
    let answer = places(&registry, &profile, &wanted, now());
    assert_eq!(answer.databases.iter().map(|one| one.place.to_string()).collect::<Vec<_>>(), ["scalingo/osc-fr1"]);
    assert!(!answer.refused.is_empty());
    for refused in &answer.refused {
        assert_eq!((refused.kept, refused.outcome), (Kept::Bucket, Outcome::Unknown));
        assert!(refused.against.iter().all(|one| !one.facts.is_empty()), "{refused:?}");
    }
    let none = Ask { bucket: Some("scalingo/osc-fr1".parse().unwrap()), ..wanted };
    let against = &places(&registry, &profile, &none, now()).refused[0].against[0];
    insta::assert_snapshot!(against.because, @"no `object` is sold in `scalingo/osc-fr1`");
    assert_eq!(against.facts[0].as_str(), "region:scalingo/osc-fr1.offers");
}

#[test]
fn r103_halls_that_are_shared_are_nearer_than_a_country_whichever_of_the_two_says_so() {
    let registry = Registry::shipped();
    let (_, region) = registry.region(&"scalingo/osc-fr1".parse().unwrap()).unwrap();
    assert!(region.colocated_with.at(now()).unwrap().value.contains(&"outscale/eu-west-2".parse().unwrap()));
    let registry = market();
    let says = |of: &str, with: &str| {
        let table: toml::Table = format!("is = [{with}]").parse().unwrap();
        let fact = format!("region:{of}.colocated_with").into();
        let supposed = [crate::registry::Supposition { fact, is: table["is"].clone() }];
        let registry = registry.supposing(&supposed, "2026-11-22".parse().unwrap()).unwrap();
        let wanted = Ask { database: Some("svea/stockholm".parse().unwrap()), bucket: Some("hall".parse().unwrap()), ..ask() };
        let answer = places(&registry, &plain(&registry), &wanted, now());
        answer.pairs.iter().map(|pair| format!("{} {}", pair.near, pair.bucket)).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(says("svea/stockholm", ""), "same_country hall/malmo, same_country hall/sto");
    assert_eq!(says("hall/malmo", "\"svea/stockholm\""), "colocated hall/malmo, colocated hall/sto");
}

/// The copies of a pair, with what it says is needed, and no more.
fn copies(pair: &Pair, ask: &Ask, registry: &Registry) -> Vec<Placement> {
    let mut papers = ask.papers.clone();
    let mut assessments = ask.assessments.clone();
    let mut plans = BTreeMap::new();
    let day = "2026-11-22".parse().unwrap();
    for need in &pair.needs {
        match need {
            Need::Plan { kept, any_of, .. } => drop(plans.insert(*kept, any_of[0].clone())),
            Need::Paper { paper, with } => papers.push(Paper { kind: paper.clone(), with: with.clone(), signed_on: day, ends_on: None }),
            Need::Assessment { country } => assessments.push(Assessment { country: *country, done_on: day }),
            Need::Consent { .. } | Need::DocumentedOtherRegion { .. } => {}
        }
    }
    let kept = |role| if role == CopyRole::Bucket { Kept::Bucket } else { Kept::Database };
    let copy = |role: CopyRole, place: &Place, backup: &BackupBy, key_holder: KeyHolder| Placement {
        copy: role.as_str().parse().unwrap(),
        environment: ask.environment,
        role,
        place: place.clone(),
        plan: plans.get(&kept(role)).or_else(|| ask.plans.get(&place.provider)).cloned(),
        backup: backup.clone(),
        key_holder,
        isolation: ask.isolation,
        primary: Some(pair.database.clone()),
        papers: papers.clone(),
        assessments: assessments.clone(),
    };
    let keeps = registry.provider(&pair.database.provider).unwrap().services.contains_key(&ServiceKind::Postgres);
    let mut copies = vec![
        copy(CopyRole::Primary, &pair.database, &ask.backup, KeyHolder::Provider),
        copy(CopyRole::Bucket, &pair.bucket, &BackupBy::ProviderDefault, ask.bucket_keys),
    ];
    copies.extend(keeps.then(|| copy(CopyRole::Backup, &pair.database, &ask.backup, KeyHolder::Provider)));
    copies
}

#[test]
fn r103_every_answer_is_allowed_by_the_evaluator_with_what_it_says_is_needed_and_nothing_of_that_is_idle() {
    let together = Profile::SHIPPED[1].1.replacen("countries = [\"@EEA\"]", "countries = [\"@EEA\"]\nsame_country_for = [\"bucket\"]", 1);
    let texts: Vec<(&str, &str)> = Profile::SHIPPED.iter().copied().chain([("together", together.as_str())]).collect();
    let mut answers = BTreeMap::new();
    for (market, registry) in [("shipped", Registry::shipped()), ("invented", market())] {
        for (file, text) in &texts {
            let profile = Profile::parse(file, text, &registry).unwrap();
            let environment = profile.scope.environments.first().unwrap().0;
            for bucket_keys in [KeyHolder::Provider, KeyHolder::ClientSide] {
                let wanted = Ask { bucket_keys, environment, far: Far::All, ..ask() };
                let answer = places(&registry, &profile, &wanted, now());
                *answers.entry((market, *file)).or_default() += answer.pairs.len();
                for pair in &answer.pairs {
                    is_enough_and_not_idle(&registry, &profile, &wanted, pair);
                }
            }
        }
    }
    let some = |market, file| answers.get(&(market, file)).copied().unwrap_or(0_usize);
    assert!(some("shipped", "unrestricted.toml") > 100, "{answers:?}");
    assert!(some("invented", "together") > 4 && some("invented", "eea-jurisdiction.toml") > 4, "{answers:?}");
}

fn is_enough_and_not_idle(registry: &Registry, profile: &Profile, wanted: &Ask, pair: &Pair) {
    allowed(registry, profile, wanted, pair).unwrap_or_else(|why| panic!("{pair:?}: {why}"));
    for (i, need) in pair.needs.iter().enumerate() {
        let mut less = pair.clone();
        less.needs.remove(i);
        // The profile asks for neither: one is the seller's to give, and the other decides what is sold.
        let is_sellers = matches!(need, Need::Consent { .. } | Need::Plan { .. });
        assert!(is_sellers || allowed(registry, profile, wanted, &less).is_err(), "{pair:?}: {need:?}");
    }
}

fn allowed(registry: &Registry, profile: &Profile, ask: &Ask, pair: &Pair) -> Result<(), String> {
    let excepted = pair.needs.iter().filter_map(|need| match need {
        Need::DocumentedOtherRegion { rule, copy } => Some(Request {
            copy: copy.as_str().parse().unwrap(),
            rule: *rule,
            owner: "DPO".into(),
            reason: "the bucket is there".into(),
            measure: "it is documented".into(),
            until: "2026-12-01T00:00:00Z".parse().unwrap(),
        }),
        _ => None,
    });
    let exceptions: Vec<Exception> = excepted.map(|request| Exception::grant(request, now()).unwrap()).collect();
    for copy in copies(pair, ask, registry) {
        let verdict = judge(registry, profile, &copy, &exceptions, now());
        if !verdict.allows() {
            return Err(format!("{}: {:?}", copy.role, verdict.objections().collect::<Vec<_>>()));
        }
    }
    Ok(())
}
