//! A small invented world of one provider, of which every fact can be anything, for properties.

use std::sync::LazyLock;

use holm_core::environment::EnvironmentKind;
use holm_policy::copy::{CopyRole, Isolation, KeyHolder};
use holm_policy::evaluate::{Assessment, BackupBy, Paper, Placement};
use holm_policy::registry::Registry;
use proptest::prelude::*;
use proptest::sample::select;

/// The law that is shipped, without the providers, since it is read anew for every world.
pub(crate) static SHIPPED: LazyLock<Registry> = LazyLock::new(|| {
    let law = [
        ("adequacy.toml", include_str!("../../registry/adequacy.toml")),
        ("countries.toml", include_str!("../../registry/countries.toml")),
        ("laws.toml", include_str!("../../registry/laws.toml")),
        ("mechanisms.toml", include_str!("../../registry/mechanisms.toml")),
    ];
    Registry::load(&law).unwrap()
});

/// The facts of the world and what each may be; the first is the most harmless.
pub(crate) const FACTS: &[(&str, &[&str])] = &[
    ("provider:acme.contracting", &["\"acme-as\"", "\"acme-inc\""]),
    ("provider:acme.support_from", &["[\"NO\"]", "[\"@EEA\"]", "[\"GB\"]", "[\"US\"]", "[]"]),
    (
        "provider:acme.sub_processors",
        &[
            "[]",
            "[{ entity = \"host-ab\", purpose = \"infrastructure\", reach = \"content\", countries = [\"SE\"] }]",
            "[{ entity = \"host-inc\", purpose = \"support\", reach = \"support_view\", countries = [\"US\"] }]",
            "[{ entity = \"host-inc\", purpose = \"other\", reach = \"metadata\", countries = [\"US\"] }]",
        ],
    ),
    ("entity:acme-as.country", &["\"NO\"", "\"CH\"", "\"US\""]),
    ("entity:acme-as.parents", &["[]", "[\"owner\"]", "[\"host-inc\", \"owner\"]"]),
    ("entity:acme-as.affiliates", &["[]", "[\"SE\"]", "[\"CA\", \"US\"]"]),
    ("entity:acme-as.exposed_to", &["[]", "[\"us_cloud_act\"]"]),
    ("entity:acme-as.dpf", &["\"listed\"", "\"not_listed\"", "\"listed_without_hr\""]),
    ("entity:acme-inc.country", &["\"US\""]),
    ("entity:acme-inc.parents", &["[]"]),
    ("entity:acme-inc.dpf", &["\"listed\"", "\"not_listed\""]),
    ("entity:acme-inc.exposed_to", &["[]"]),
    ("entity:owner.country", &["\"NO\"", "\"MX\""]),
    ("entity:owner.parents", &["[]"]),
    ("entity:owner.affiliates", &["[]", "[\"IN\"]"]),
    ("entity:owner.exposed_to", &["[]"]),
    ("entity:host-ab.country", &["\"SE\"", "\"US\""]),
    ("entity:host-ab.parents", &["[]", "[\"host-inc\"]"]),
    ("entity:host-ab.exposed_to", &["[]"]),
    ("entity:host-inc.country", &["\"US\""]),
    ("entity:host-inc.parents", &["[]"]),
    ("entity:host-inc.exposed_to", &["[\"us_cloud_act\"]"]),
    ("entity:host-inc.dpf", &["\"listed\"", "\"not_listed\""]),
    ("region:acme/north.countries", &["[\"NO\"]", "[\"FR\"]", "[\"FR\", \"GB\"]", "[\"US\"]"]),
    ("region:acme/north.infrastructure", &["[]", "[\"host-ab\"]", "[\"host-inc\"]"]),
    ("region:acme/north.plans", &["[]", "[\"large\"]", "[\"large\", \"small\"]"]),
    ("region:acme/north.offers", &["[\"postgres\", \"object\"]", "[\"postgres\"]"]),
    ("region:acme/north.colocated_with", &["[]", "[\"acme/west\"]"]),
    ("region:acme/north.backup_regions", &["[\"acme/north\"]", "[\"acme/west\"]"]),
    ("region:acme/west.countries", &["[\"SE\"]", "[\"US\"]"]),
    ("region:acme/west.infrastructure", &["[]"]),
    ("region:acme/west.offers", &["[\"postgres\", \"object\"]", "[\"object\"]"]),
    ("service:acme/postgres.encryption_at_rest", &["true", "false"]),
    ("service:acme/postgres.key_holders", &["[\"provider\", \"customer_external_eea_kms\"]", "[\"provider\"]"]),
    (
        "service:acme/postgres.residue_days",
        &["{ primary = 0, replica = 0, wal = 0, backup = 30, snapshot = 30 }", "{ primary = 0 }", "{ primary = 500, backup = 500 }"],
    ),
    ("service:acme/postgres.pitr", &["\"yes\"", "\"on_request\"", "\"none\""]),
    ("service:acme/postgres.pitr_days", &["30", "7", "0"]),
    ("plan:acme/large.pitr_days", &["30", "7"]),
    ("plan:acme/small.pitr_days", &["7", "0"]),
    ("service:acme/postgres.backup_rule", &["\"same_region\"", "\"cross_country_default\""]),
    ("service:acme/postgres.backup_overridable", &["true", "false"]),
    ("service:acme/object.residue_days", &["{ bucket = 0, bucket_version = 0, export = 0 }"]),
    ("service:acme/object.key_holders", &["[\"provider\"]"]),
    ("certification:acme/hds.status", &["\"held\"", "\"in_progress\""]),
    ("certification:acme/iso27001.status", &["\"held\""]),
    ("certification:acme/secnumcloud-paas.status", &["\"held\"", "\"none\""]),
];

/// Who is in it, without facts.
const CAST: &str = "
[provider]
id = \"acme\"
name = \"Acme\"
[[entity]]
id = \"acme-as\"
name = \"Acme AS\"
[[entity]]
id = \"acme-inc\"
name = \"Acme Inc.\"
[[entity]]
id = \"owner\"
name = \"Owner\"
[[entity]]
id = \"host-ab\"
name = \"Host AB\"
[[entity]]
id = \"host-inc\"
name = \"Host Inc.\"
[[region]]
id = \"north\"
[[region]]
id = \"west\"
[[service]]
kind = \"postgres\"
[[service.plan]]
id = \"large\"
[[service.plan]]
id = \"small\"
[[service]]
kind = \"object\"
[[certification]]
id = \"hds\"
scheme = \"hds\"
[[certification]]
id = \"iso27001\"
scheme = \"iso27001\"
[[certification]]
id = \"secnumcloud-paas\"
scheme = \"secnumcloud-paas\"
";

/// What each fact is and how sure; `None` is unknown.
pub(crate) type Choice = Option<(usize, &'static str)>;

pub(crate) fn choices() -> impl Strategy<Value = Vec<Choice>> {
    // Mostly known, mostly harmless, mostly sure: else nothing would ever be allowed.
    let sure = prop_oneof![12 => Just("verified"), 1 => Just("background"), 1 => Just("absent"), 1 => Just("old"), 1 => Just("over")];
    let which = prop_oneof![12 => Just(0_usize), 2 => Just(1), 1 => Just(2), 1 => Just(3)];
    prop::collection::vec(prop::option::weighted(0.97, (which, sure)), FACTS.len())
}

/// The world that some choices make, laid over the law that is shipped.
pub(crate) fn world(shipped: &Registry, choices: &[Choice]) -> Registry {
    let mut text = String::from(CAST);
    for (id, certainty, on, until) in [
        ("verified", "verified", "2026-11-01", "2027-05-01"),
        ("background", "background", "2026-11-01", "2027-05-01"),
        ("absent", "absent", "2026-11-01", "2027-05-01"),
        ("old", "verified", "2025-01-01", "2027-05-01"),
        ("over", "verified", "2026-10-01", "2026-11-22"),
    ] {
        text += &format!("[[source]]\nid = \"{id}\"\nwhat = \"{id}\"\non = {on}\nvalid_until = {until}\ncertainty = \"{certainty}\"\n");
    }
    let cast = shipped.overlaid(("cast", &text)).unwrap();
    let mut facts = String::new();
    for ((id, values), choice) in FACTS.iter().zip(choices) {
        if let Some((which, source)) = choice {
            facts += &format!("[[fact]]\nid = \"{id}\"\nis = {}\nfrom = \"cast#{source}\"\n", values[which % values.len()]);
        }
    }
    cast.overlaid(("facts", &facts)).unwrap()
}

pub(crate) fn placement() -> impl Strategy<Value = Placement> {
    (
        prop_oneof![5 => Just(EnvironmentKind::Production), 1 => Just(EnvironmentKind::Staging), 1 => Just(EnvironmentKind::Development)],
        prop_oneof![4 => Just(CopyRole::Primary), 3 => Just(CopyRole::Backup), 3 => select(CopyRole::ALL)],
        prop_oneof![3 => Just(BackupBy::ProviderDefault), 1 => Just(BackupBy::Holm), 1 => Just(BackupBy::ProviderIn("acme/west".parse().unwrap()))],
        select(KeyHolder::ALL),
        prop_oneof![4 => Just(Isolation::InstancePerTenant), 1 => select(Isolation::ALL)],
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.5),
        prop_oneof![3 => Just(None), 2 => Just(Some("large")), 1 => Just(Some("small")), 1 => Just(Some("unheard-of"))],
    )
        .prop_map(|(environment, role, backup, key_holder, isolation, signed, assessed, plan)| Placement {
            copy: "copy-1".parse().unwrap(),
            environment,
            role,
            place: "acme/north".parse().unwrap(),
            plan: plan.map(|plan| plan.parse().unwrap()),
            backup,
            key_holder,
            isolation,
            primary: Some("acme/north".parse().unwrap()),
            papers: papers(signed, assessed),
            assessments: if assessed { vec![Assessment { country: "US".parse().unwrap(), done_on: "2026-11-01".parse().unwrap() }] } else { Vec::new() },
        })
}

fn papers(signed: bool, clauses: bool) -> Vec<Paper> {
    let kinds = ["dpa", "hds_contract"].into_iter().filter(|_| signed).chain(["scc_m2"].into_iter().filter(|_| clauses));
    let paper = |kind: &str, with: &str| Paper {
        kind: kind.parse().unwrap(),
        with: with.parse().unwrap(),
        signed_on: "2026-01-01".parse().unwrap(),
        ends_on: None,
    };
    kinds.flat_map(|kind| [paper(kind, "acme-as"), paper(kind, "acme-inc")]).collect()
}
