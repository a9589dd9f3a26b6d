//! What an installation's residency engine is told, facts, papers and exceptions, counts from then on, and no longer than it is so.

use holm_core::audit::AuditAction;
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::residency::exception::{self, Wanted};
use holm_engine::residency::facts::{self, FactsName};
use holm_engine::residency::paper::{self, ASSESSMENT, Of};
use holm_engine::residency::placed::{Claim, set_place};
use holm_engine::residency::{assigned, profile};
use holm_engine::tenant::{self, NewTenant};
use holm_store::residency::exception::Listed;
use holm_store::tenant::Tenant;
use holm_testkit::eventually;
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World, new_tenant, production, slug};

/// A provider of the installation's own; where its hall is, nobody wrote down.
const HALL: &str = r#"
[[source]]
id = "lease"
what = "lease of the hall"
on = 2026-11-01
valid_until = 2090-01-01
certainty = "stated"

[[law]]
id = "hall_rules"
name = "Rules of the hall"
status = { is = "in_force", from = "lease" }
reaches = { is = [], from = "lease" }

[provider]
id = "umea-hall"
name = "A hall in Umeå"
contracting = { is = "umea-drift-ab", from = "lease" }
support_from = { is = ["SE"], from = "lease" }
sub_processors = { is = [], from = "lease" }
dpa = { is = true, from = "lease" }
mcp = "unknown"

[[entity]]
id = "umea-drift-ab"
name = "Umeå Drift AB"
country = { is = "SE", from = "lease" }
parents = { is = [], from = "lease" }
affiliates = { is = [], from = "lease" }
exposed_to = { is = [], from = "lease" }
dpf = { is = "not_listed", from = "lease" }

[[region]]
id = "hall-2"
countries = "unknown"
infrastructure = "unknown"
plans = "unknown"
availability = "unknown"
offers = "unknown"
backup_regions = "unknown"
hosts = "unknown"
"#;

/// Laid over it: its name comes after.
const ADDRESS: &str = r#"
[[source]]
id = "visit"
what = "somebody went there"
on = 2026-11-02
valid_until = 2090-01-01
certainty = "stated"

[[fact]]
id = "region:umea-hall/hall-2.countries"
is = ["SE"]
from = "visit"
"#;

/// Made of few rules, so that a test says which one it is about.
fn policy(id: &str, countries: &str, more: &str, case: &str) -> String {
    format!(
        r#"
[profile]
id = "{id}"
version = 1
status = "draft"
date = 2026-11-22
deciders = ["data protection officer"]
basis = ["a test"]
review_by = 2090-01-01

[profile.title]
en = "A test"
nb = "En prøve"
sv = "Ett prov"

[scope]
environments = ["production", "staging"]
copies = ["@all"]

[location]
countries = {countries}

[access]
support_from = ["@any"]

[control]
contracting_entity = ["@any"]
owners = ["@any"]
sub_processors = ["@any"]
depth = "all"
{more}

[evidence]
accept = ["verified", "stated", "third_party", "background", "absent"]
max_age_days = 36500
unknown = "needs_approval"

[[on_breach]]
after_days = 0
step = "alert"

[[case]]
{case}
"#
    )
}

const ALLOWED: &str = "place = \"scalingo/osc-fr1\"\nexpect = \"allow\"";

fn name(text: &str) -> FactsName {
    text.parse().unwrap()
}

impl World {
    /// One whose cluster is in the hall of [`HALL`], with a profile in force.
    async fn in_the_hall(policy: String) -> Self {
        let world = Self::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
        world.know("umea", HALL).await;
        let claim = Claim { provider: "umea-hall".to_owned(), region: "hall-2".to_owned(), plan: None, evidence: None };
        set_place(&world.control, &DEV, &"production-1".parse().unwrap(), claim).await.unwrap();
        profile::keep(&world.control, &DEV, policy).await.unwrap();
        world
    }

    /// Puts facts in force, and returns what comes of it.
    async fn know(&self, called: &str, text: &str) -> Vec<String> {
        facts::keep(&self.control, &DEV, name(called), text.to_owned()).await.unwrap().notes
    }

    async fn create_by(&self, slug: &str, profile: &str) -> Result<Tenant, Problem> {
        let new = NewTenant { profile: Some(profile.to_owned()), ..new_tenant(slug) };
        tenant::create(&self.control, &DEV, new, PATIENCE).await
    }

    async fn staging(&self) -> EnvironmentName {
        let name: EnvironmentName = "staging".parse().unwrap();
        let new = NewEnvironment {
            name: name.clone(),
            kind: EnvironmentKind::Staging,
            domain: "staging.localhost".parse().unwrap(),
            pool_size: 0,
            migrations: None,
            seed: None,
        };
        environment::ensure(&self.control, &DEV, new).await.unwrap();
        name
    }

    /// Everything that a refusal must leave as it was.
    async fn told(&self) -> Vec<i64> {
        let mut told = Vec::new();
        for from in [
            "residency_facts",
            "residency_facts WHERE removed_at IS NOT NULL",
            "residency_paper",
            "residency_paper WHERE removed_at IS NOT NULL",
            "residency_exception",
            "residency_exception WHERE removed_at IS NOT NULL",
            "audit_entry WHERE action ~ '^(facts|paper|exception)[.]'",
            "tenant",
        ] {
            told.push(self.count(from).await);
        }
        told.push(self.catalog().await.query_one("SELECT epoch FROM residency", &[]).await.unwrap().get(0));
        told
    }

    /// The details of the audit log's entries of an action, oldest first.
    async fn details(&self, action: AuditAction) -> Vec<String> {
        let catalog = self.catalog().await;
        let rows = catalog.query("SELECT detail FROM audit_entry WHERE action = $1 ORDER BY seq", &[&action.as_str()]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The clock that counts.
    async fn now(&self) -> Timestamp {
        self.catalog().await.query_one("SELECT clock_timestamp()", &[]).await.unwrap().get(0)
    }

    async fn breaches(&self, expected: i64) {
        self.until_count("audit_entry WHERE action = 'residency.breach'", expected).await;
    }
}

fn dpa(environment: Option<EnvironmentName>) -> paper::Wanted {
    paper::Wanted {
        kind: "dpa".to_owned(),
        of: Of::Company("umea-drift-ab".to_owned()),
        signed_on: date(2026, 11, 1),
        ends_on: None,
        edition: None,
        document_sha256: None,
        environment,
    }
}

fn from_rule(rule: &str, until: Timestamp) -> Wanted {
    Wanted {
        copy: "primary".to_owned(),
        rule: rule.to_owned(),
        owner: "data protection officer".to_owned(),
        reason: "the hall in Narvik opens in spring".to_owned(),
        measure: "nobody writes names into free text".to_owned(),
        until,
    }
}

async fn grant(world: &World, wanted: Wanted) -> Result<Listed, Problem> {
    exception::grant(&world.control, &DEV, &production(), &slug("goteborg"), wanted).await
}

fn refused(problem: &Problem, code: ErrorCode, why: &str) {
    let text = format!("{} {}", problem.what, problem.why.as_deref().unwrap_or_default());
    assert_eq!((problem.code, problem.changed), (code, Changed::Nothing), "{problem:?}");
    assert!(text.contains(why), "{why}: {problem:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r31_a_fact_of_ones_own_makes_a_place_allowed_that_was_unknown_and_its_end_is_a_breach_that_is_told() {
    let world = World::in_the_hall(policy("hall", "[\"@EEA\"]", "", ALLOWED)).await;
    let problem = world.create_by("goteborg", "hall").await.unwrap_err();
    refused(&problem, ErrorCode::ResidencyRefused, "location.countries");
    assert_eq!(world.count("tenant WHERE state <> 'failed'").await, 0);
    assert_eq!(world.know("umea-address", ADDRESS).await, [""; 0]);
    let tenant = world.create_by("goteborg", "hall").await.unwrap();
    // Said again, it is as it was: nothing to judge, nothing to tell.
    let before = world.told().await;
    assert_eq!(world.know("umea-address", ADDRESS).await, [""; 0]);
    assert_eq!(world.told().await, before);
    world.until_count("residency_standing WHERE outcome = 'allow'", 1).await;

    let removed = facts::remove(&world.control, &DEV, name("umea-address")).await.unwrap();
    assert_eq!((removed.facts.text.as_str(), removed.notes.len()), (ADDRESS, 0));
    world.breaches(1).await;
    world.until_count("residency_standing WHERE outcome = 'unknown'", 1).await;
    let catalog = world.catalog().await;
    let row = catalog.query_one("SELECT subject_id, detail FROM audit_entry WHERE action = 'residency.breach'", &[]).await.unwrap();
    let (subject, detail): (String, String) = (row.get(0), row.get(1));
    assert_eq!(subject, tenant.id.to_string());
    for word in ["primary", "unknown", "location.countries"] {
        assert!(detail.contains(word), "{word}: {detail}");
    }
    // Nothing was taken from the tenant; nobody else comes there.
    assert_eq!(tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap().state, tenant.state);
    refused(&world.create_by("malmo", "hall").await.unwrap_err(), ErrorCode::ResidencyRefused, "location.countries");
    let kept = world.details(AuditAction::FactsKeep).await;
    assert!(kept.len() == 2 && kept[1].contains("umea-address") && !kept.concat().contains("hall-2"), "{kept:?}");
    assert_eq!(world.details(AuditAction::FactsRemove).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r31_facts_are_refused_with_every_fault_and_leave_what_is_in_force_in_force() {
    let needs = "refuse_laws = [\"hall_rules\"]";
    let world = World::in_the_hall(policy("hall", "[\"@EEA\"]", needs, "place = \"umea-hall/hall-2\"\nexpect = \"unknown\"")).await;
    world.know("umea-address", ADDRESS).await;
    let before = world.told().await;
    let wrong = HALL.replace("umea-hall", "other-hall").replace("\"lease\"", "\"tenancy\"");
    for (text, whys) in [
        ("this is [not", &["not TOML"][..]),
        ("[[fact]]\nid = \"region:umea-hall/hall-9.countries\"\nis = [\"SE\"]\nfrom = \"x\"", &["hall-9"]),
        (ADDRESS.replace("[\"SE\"]", "[\"Sweden\"]").replace("2026-11-02", "2095-01-01").as_str(), &["Sweden", "2095-01-01"]),
        (HALL.replace("parents = { is = []", "parents = { is = [\"nobody\"]").replace("umea-hall", "x").as_str(), &["nobody"]),
        (wrong.replacen("contracting", "contarcting", 1).as_str(), &["umea-drift-ab", "contarcting"]),
        (
            "[[source]]\nid = \"x\"\nwhat = \"x\"\non = 2026-11-01\nvalid_until = 2090-01-01\ncertainty = \"stated\"\n
             [[fact]]\nid = \"entity:umea-drift-ab.parents\"\nis = [\"umea-drift-ab\"]\nfrom = \"x\"",
            &["circle"],
        ),
        ("# long\n".repeat(10_000).as_str(), &["49152"]),
    ] {
        let problem = facts::keep(&world.control, &DEV, name("umea-wrong"), text.to_owned()).await.unwrap_err();
        for why in whys {
            refused(&problem, ErrorCode::FactsRefused, why);
        }
        assert!(!problem.next.is_empty(), "{problem:?}");
    }
    // A text that others rest on: another text, a profile.
    let problem = facts::remove(&world.control, &DEV, name("umea")).await.unwrap_err();
    refused(&problem, ErrorCode::FactsRefused, "region:umea-hall/hall-2");
    facts::remove(&world.control, &DEV, name("umea-address")).await.unwrap();
    let after = world.told().await;
    let problem = facts::remove(&world.control, &DEV, name("umea")).await.unwrap_err();
    refused(&problem, ErrorCode::FactsRefused, "hall_rules");
    let problem = facts::keep(&world.control, &DEV, name("umea"), String::new()).await.unwrap_err();
    refused(&problem, ErrorCode::FactsRefused, "hall_rules");
    refused(&facts::remove(&world.control, &DEV, name("nowhere")).await.unwrap_err(), ErrorCode::RecordNotFound, "nowhere");
    assert_eq!(world.told().await, after);
    assert_eq!(after[1], before[1] + 1, "only the one that could be removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_change_what_a_profile_says_of_its_cases_are_put_in_force_and_the_cases_named() {
    let world = World::in_the_hall(policy("hall", "[\"@EEA\"]", "", "place = \"umea-hall/hall-2\"\nexpect = \"unknown\"")).await;
    let notes = world.know("umea-address", ADDRESS).await;
    assert!(
        notes.len() == 1 && notes[0].contains("case 1 of profile `hall` version 1") && notes[0].contains("comes to `allow`"),
        "{notes:?}"
    );
    // In the place of the text before, and the log says of which.
    let notes = world.know("umea-address", &ADDRESS.replace("SE", "US")).await;
    assert!(notes.len() == 1 && notes[0].contains("came to `allow`") && notes[0].contains("comes to `deny`"), "{notes:?}");
    let kept = world.details(AuditAction::FactsKeep).await;
    assert!(kept[2].contains("\"before\":\"umea-address "), "{kept:?}");
    facts::remove(&world.control, &DEV, name("umea-address")).await.unwrap();
    // Nobody knows the place any more where the cluster is said to be, and with whom the paper is: allowed, and told.
    let signed = paper::keep(&world.control, &DEV, dpa(None)).await.unwrap();
    let removed = facts::remove(&world.control, &DEV, name("umea")).await.unwrap();
    for words in ["`production-1`", "`umea-hall/hall-2`", &signed.id.to_string()] {
        assert!(removed.notes.iter().any(|note| note.contains(words)), "{words}: {:?}", removed.notes);
    }
    refused(&world.create_by("goteborg", "hall").await.unwrap_err(), ErrorCode::ResidencyRefused, "umea-hall/hall-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_force_and_cannot_be_understood_is_put_right_by_taking_it_away() {
    let world = World::in_the_hall(policy("hall", "[\"@EEA\"]", "", ALLOWED)).await;
    world.know("zz-later", "# what another Holm understood\n").await;
    let catalog = world.catalog().await;
    catalog.execute("UPDATE residency_facts SET text = 'from = \"another Holm\"' WHERE name = 'zz-later'", &[]).await.unwrap();
    catalog.execute("UPDATE residency SET epoch = epoch + 1", &[]).await.unwrap();
    refused(&world.create_by("goteborg", "hall").await.unwrap_err(), ErrorCode::InForceUnreadable, "zz-later");
    // Nor is it the fault of whoever gives another text.
    let other = facts::keep(&world.control, &DEV, name("umea-address"), ADDRESS.to_owned()).await.unwrap_err();
    refused(&other, ErrorCode::InForceUnreadable, "zz-later");
    facts::remove(&world.control, &DEV, name("zz-later")).await.unwrap();
    world.know("umea-address", ADDRESS).await;
    world.create_by("goteborg", "hall").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r6_a_paper_of_staging_does_not_count_in_production_and_one_that_is_off_file_counts_nowhere() {
    let world = World::in_the_hall(policy("signed", "[\"@EEA\"]", "[contract]\ndpa = true", ALLOWED)).await;
    world.know("umea-address", ADDRESS).await;
    let staging = world.staging().await;
    refused(&world.create_by("goteborg", "signed").await.unwrap_err(), ErrorCode::ResidencyRefused, "contract.dpa");
    paper::keep(&world.control, &DEV, dpa(Some(staging.clone()))).await.unwrap();
    refused(&world.create_by("goteborg", "signed").await.unwrap_err(), ErrorCode::ResidencyRefused, "contract.dpa");
    // Nor one that holds only from a day that is not yet, nor one that is over.
    let later = paper::Wanted { signed_on: date(2089, 1, 1), ..dpa(None) };
    let over = paper::Wanted { signed_on: date(2020, 1, 1), ends_on: Some(date(2021, 1, 1)), ..dpa(None) };
    for wanted in [later, over] {
        paper::keep(&world.control, &DEV, wanted).await.unwrap();
        refused(&world.create_by("goteborg", "signed").await.unwrap_err(), ErrorCode::ResidencyRefused, "contract.dpa");
    }
    let wanted = paper::Wanted { edition: Some(" 3 of May ".to_owned()), document_sha256: Some([7; 32]), ..dpa(Some(production())) };
    let signed = paper::keep(&world.control, &DEV, wanted).await.unwrap();
    assert_eq!(
        (signed.edition.as_deref(), signed.document_sha256, &signed.environment),
        (Some("3 of May"), Some([7; 32]), &Some(production()))
    );
    world.create_by("goteborg", "signed").await.unwrap();
    assert_eq!(paper::list(&world.control).await.unwrap().len(), 4);

    paper::remove(&world.control, &DEV, signed.id).await.unwrap();
    world.breaches(1).await;
    assert!(world.details(AuditAction::ResidencyBreach).await[0].contains("contract.dpa"));
    let before = world.told().await;
    refused(&paper::remove(&world.control, &DEV, signed.id).await.unwrap_err(), ErrorCode::RecordNotFound, &signed.id.to_string());
    assert_eq!(world.told().await, before);
    let (kept, removed) = (world.details(AuditAction::PaperKeep).await, world.details(AuditAction::PaperRemove).await);
    assert!(kept.len() == 4 && removed.len() == 1 && removed[0].contains(&format!("dpa umea-drift-ab {}", signed.id)), "{removed:?}");
    assert!(!kept.concat().contains("May"), "{kept:?}");
}

/// A profile that asks for an assessment can be satisfied, by a recent one of that country, and by no other.
#[tokio::test(flavor = "multi_thread")]
async fn r6_a_transfer_that_was_assessed_is_allowed_for_as_long_as_its_profile_counts_the_assessment() {
    let asks = r#"
[transfer]
mechanisms = ["scc_m2"]
assessment_for = ["scc_m2"]
assessment_max_age_days = 365
"#;
    let world = World::in_the_hall(policy("assessed", "[\"@EEA\"]", asks, "place = \"umea-hall/hall-2\"\nexpect = \"unknown\"")).await;
    let called_from_there = "[[fact]]\nid = \"provider:umea-hall.support_from\"\nis = [\"SE\", \"US\"]\nfrom = \"visit\"\n";
    let its_own = "[[fact]]\nid = \"region:umea-hall/hall-2.infrastructure\"\nis = []\nfrom = \"visit\"\n";
    world.know("visit", &format!("{ADDRESS}\n{called_from_there}\n{its_own}")).await;
    let clauses = paper::Wanted { kind: "scc_m2".to_owned(), ..dpa(None) };
    paper::keep(&world.control, &DEV, clauses).await.unwrap();
    let today = world.now().await.to_zoned(jiff::tz::TimeZone::UTC).date();
    let of = |country: &str, days_ago: i32| paper::Wanted {
        kind: ASSESSMENT.to_owned(),
        of: Of::Country(country.to_owned()),
        signed_on: today.checked_sub(jiff::Span::new().days(days_ago)).unwrap(),
        ..dpa(Some(production()))
    };
    for too_little in [None, Some(of("GB", 1)), Some(of("US", 366))] {
        if let Some(wanted) = too_little {
            paper::keep(&world.control, &DEV, wanted).await.unwrap();
        }
        refused(&world.create_by("goteborg", "assessed").await.unwrap_err(), ErrorCode::ResidencyRefused, "transfer.assessment");
    }
    let counts = paper::keep(&world.control, &DEV, of("US", 1)).await.unwrap();
    assert_eq!(counts.of, Of::Country("US".to_owned()));
    world.create_by("goteborg", "assessed").await.unwrap();
    paper::remove(&world.control, &DEV, counts.id).await.unwrap();
    world.breaches(1).await;
    assert!(world.details(AuditAction::ResidencyBreach).await[0].contains("transfer.assessment"));
    let told = world.details(AuditAction::PaperRemove).await.concat();
    assert!(told.contains(&format!("assessment US {}", counts.id)), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r6_a_paper_is_with_somebody_who_is_known_from_a_day_that_was_and_changes_nothing_otherwise() {
    let world = World::in_the_hall(policy("hall", "[\"@EEA\"]", "", ALLOWED)).await;
    let before = world.told().await;
    let wanted = dpa(None);
    let assessment = paper::Wanted { kind: ASSESSMENT.to_owned(), of: Of::Country("US".to_owned()), ..dpa(None) };
    for (wanted, why) in [
        (paper::Wanted { of: Of::Company("umea-drifft-ab".to_owned()), ..wanted.clone() }, "did you mean `umea-drift-ab`?"),
        (paper::Wanted { of: Of::Company("'; DROP TABLE residency_paper".to_owned()), ..wanted.clone() }, "knows no company"),
        (paper::Wanted { kind: "data processing".to_owned(), ..wanted.clone() }, "a paper's id"),
        (paper::Wanted { kind: String::new(), ..wanted.clone() }, "a paper's id"),
        (paper::Wanted { ends_on: Some(date(2026, 11, 1)), ..wanted.clone() }, "not after 2026-11-01"),
        (paper::Wanted { signed_on: date(-5000, 1, 1), ..wanted.clone() }, "before 1900-01-01"),
        (paper::Wanted { edition: Some("x".repeat(201)), ..wanted.clone() }, "200 characters"),
        (paper::Wanted { edition: Some("two\u{0}".to_owned()), ..wanted.clone() }, "one line"),
        (paper::Wanted { edition: Some("  ".to_owned()), ..wanted.clone() }, "one line"),
        (paper::Wanted { kind: ASSESSMENT.to_owned(), ..wanted.clone() }, "of the country"),
        (paper::Wanted { of: Of::Country("US".to_owned()), ..wanted.clone() }, "with a company"),
        (paper::Wanted { of: Of::Country("usa".to_owned()), ..assessment.clone() }, "country"),
        (paper::Wanted { of: Of::Country("EU".to_owned()), ..assessment.clone() }, "country"),
        (paper::Wanted { ends_on: Some(date(2027, 1, 1)), ..assessment.clone() }, "by the profile"),
    ] {
        refused(&paper::keep(&world.control, &DEV, wanted).await.unwrap_err(), ErrorCode::InvalidValue, why);
    }
    let nowhere = paper::Wanted { environment: Some("nowhere".parse().unwrap()), ..wanted };
    refused(&paper::keep(&world.control, &DEV, nowhere).await.unwrap_err(), ErrorCode::EnvironmentNotFound, "nowhere");
    assert_eq!(world.told().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn r16_an_exception_that_says_too_little_is_over_or_covers_what_has_none_changes_nothing() {
    let world = World::in_the_hall(policy("hall", "[\"NO\"]", "", "place = \"scalingo/osc-fr1\"\nexpect = \"deny\"")).await;
    world.create("goteborg").await.unwrap();
    let (before, now) = (world.told().await, world.now().await);
    let wanted = from_rule("location.countries", now + SignedDuration::from_hours(1));
    for (wanted, why) in [
        (Wanted { owner: String::new(), ..wanted.clone() }, "has no owner"),
        (Wanted { reason: " \t".to_owned(), ..wanted.clone() }, "has no reason"),
        (Wanted { measure: "\n".to_owned(), ..wanted.clone() }, "has no compensating measure"),
        (Wanted { until: now - SignedDuration::from_secs(1), ..wanted.clone() }, "not after now"),
        (Wanted { rule: "control.running_database".to_owned(), ..wanted.clone() }, "no exception covers"),
        (Wanted { rule: "location.country".to_owned(), ..wanted.clone() }, "did you mean `location.countries`?"),
        (Wanted { copy: "primry".to_owned(), ..wanted.clone() }, "it has: primary"),
        (Wanted { copy: "../primary".to_owned(), ..wanted.clone() }, "a copy's id"),
        (Wanted { owner: "x".repeat(201), ..wanted.clone() }, "200 characters"),
        (Wanted { reason: "x".repeat(2001), ..wanted.clone() }, "2000 characters"),
        (Wanted { measure: "one\u{0}two".to_owned(), ..wanted.clone() }, "one line"),
    ] {
        refused(&grant(&world, wanted).await.unwrap_err(), ErrorCode::InvalidValue, why);
    }
    let nobody = exception::grant(&world.control, &DEV, &production(), &slug("nobody"), wanted.clone()).await;
    refused(&nobody.unwrap_err(), ErrorCode::TenantNotFound, "nobody");
    let nowhere = exception::grant(&world.control, &DEV, &"nowhere".parse().unwrap(), &slug("goteborg"), wanted).await;
    refused(&nowhere.unwrap_err(), ErrorCode::EnvironmentNotFound, "nowhere");
    let id = Uuid::now_v7();
    refused(&exception::revoke(&world.control, &DEV, id).await.unwrap_err(), ErrorCode::RecordNotFound, &id.to_string());
    assert_eq!(world.told().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn r16_an_exception_lets_one_copy_of_one_tenant_be_until_it_is_revoked() {
    let world = World::in_the_hall(policy("norway", "[\"NO\"]", "", "place = \"scalingo/osc-fr1\"\nexpect = \"deny\"")).await;
    world.know("umea-address", ADDRESS).await;
    world.create("goteborg").await.unwrap();
    let judged = async || assigned::set_of_tenant(&world.control, &DEV, &production(), &slug("goteborg"), "norway", false).await;
    refused(&judged().await.unwrap_err(), ErrorCode::ResidencyRefused, "location.countries");
    let granted = grant(&world, from_rule("location.countries", world.now().await + SignedDuration::from_hours(1))).await.unwrap();
    assert_eq!((granted.slug.as_str(), granted.ended), ("goteborg", false));
    judged().await.unwrap();
    world.until_count("residency_standing WHERE outcome = 'allow'", 1).await;
    // It is of this tenant alone.
    refused(&world.create_by("malmo", "norway").await.unwrap_err(), ErrorCode::ResidencyRefused, "location.countries");
    assert_eq!(exception::list(&world.control).await.unwrap(), std::slice::from_ref(&granted));

    let id = granted.granted.exception.id;
    exception::revoke(&world.control, &DEV, id).await.unwrap();
    world.breaches(1).await;
    assert_eq!(exception::list(&world.control).await.unwrap(), []);
    let before = world.told().await;
    refused(&exception::revoke(&world.control, &DEV, id).await.unwrap_err(), ErrorCode::RecordNotFound, &id.to_string());
    assert_eq!(world.told().await, before);
    // In the log are ids and words, and none of what people wrote: it is kept for ever.
    let log = [world.details(AuditAction::ExceptionGrant).await, world.details(AuditAction::ExceptionRevoke).await].concat();
    assert!(
        log.len() == 2 && log.iter().all(|detail| detail.contains("location.countries primary until") && detail.contains(&id.to_string())),
        "{log:?}"
    );
    assert!(!log.concat().contains("Narvik") && !log.concat().contains("officer") && !log.concat().contains("goteborg"), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r16_an_exception_ends_by_itself_and_that_is_told_as_a_breach() {
    let world = World::in_the_hall(policy("norway", "[\"NO\"]", "", "place = \"scalingo/osc-fr1\"\nexpect = \"deny\"")).await;
    world.know("umea-address", ADDRESS).await;
    world.create("goteborg").await.unwrap();
    // Long enough to be given the profile under it, which a busy machine may need more than one try for.
    let mut lasts = SignedDuration::from_secs(2);
    loop {
        let until = world.now().await + lasts;
        grant(&world, from_rule("location.countries", until)).await.unwrap();
        match assigned::set_of_tenant(&world.control, &DEV, &production(), &slug("goteborg"), "norway", false).await {
            Ok(_) => break,
            Err(problem) => refused(&problem, ErrorCode::ResidencyRefused, "location.countries"),
        }
        assert!(world.now().await >= until, "refused under an exception that is not over");
        lasts *= 2;
    }
    // Nobody does anything from here on.
    world.breaches(1).await;
    world.until_count("residency_standing WHERE outcome = 'deny'", 1).await;
    let ended = eventually(PATIENCE, "an exception that is over", async || {
        let last = exception::list(&world.control).await.unwrap().pop().unwrap();
        if last.ended { Ok(last) } else { Err(last) }
    });
    assert!(ended.await.granted.exception.until <= world.now().await);
}
