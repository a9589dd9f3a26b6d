//! What is known of providers, profiles of where data may lie, and what is refused by them.

use std::fs;
use std::path::Path;

use crate::installation::{WHOLE, fresh, holm, installation, json, ok};

#[test]
fn r4_r5_the_four_of_the_decision_stand_side_by_side_in_the_order_in_which_they_were_named() {
    let (code, answer) = json(&["provider", "compare", "vercel", "scalingo", "railway", "fly"]);
    assert_eq!(code, 0, "{answer}");
    let names: Vec<&str> = answer["data"].as_array().unwrap().iter().map(|row| row["provider"].as_str().unwrap()).collect();
    assert_eq!(names, ["vercel", "scalingo", "railway", "fly"]);
    let said = String::from_utf8(holm(&["provider", "compare", "oracle"]).stderr).unwrap();
    assert!(said.contains("oracle") && said.contains("holm provider list"), "{said}");
}

#[test]
fn r103_r17_where_a_database_and_a_bucket_can_lie_is_answered_without_a_server_with_rules_and_facts() {
    let ask = |more: &[&str]| json(&[&["residency", "places", "--profile"][..], more].concat());
    let (code, answer) = ask(&["eea-jurisdiction", "--database", "scalingo/osc-fr1", "--bucket", "outscale"]);
    assert_eq!(code, 0, "{answer}");
    let data = &answer["data"];
    assert_eq!(data["databases"][0]["needs"][0]["what"], "dpa with scalingo-sas", "it is not on file, and that is no refusal: {answer}");
    for refused in data["refused"].as_array().unwrap() {
        assert!(refused["kept"] == "bucket" && refused["against"][0]["facts"][0].is_string(), "{refused}");
    }
    let text = ok(&["residency", "places", "--profile", "eea-jurisdiction", "--database", "scalingo/osc-fr1", "--bucket", "outscale"]);
    assert!(text.contains("a database alone: scalingo/osc-fr1, needs: dpa with scalingo-sas"), "{text}");
    assert!(
        text.contains("Not known, which blocks")
            && text.contains("outscale/eu-west-2")
            && text.contains("[region:outscale/eu-west-2.infrastructure, "),
        "{text}"
    );

    let (_, anywhere) = ask(&["unrestricted", "--database", "clever-cloud/ldn"]);
    let near: Vec<&str> = anywhere["data"]["pairs"].as_array().unwrap().iter().map(|pair| pair["near"].as_str().unwrap()).collect();
    assert!(!near.is_empty() && near.iter().all(|near| *near == "same_country"), "a zone without a bucket: {anywhere}");
    assert!(anywhere["data"]["left_out"].as_u64().unwrap() > 10);

    let railway = ["unrestricted", "--database", "railway", "--bucket", "railway"];
    let (_, asked) = ask(&railway);
    let pair = &asked["data"]["pairs"][0];
    assert_eq!((&pair["near"], &pair["needs"][0]["kind"]), (&"same_region".into(), &"plan".into()), "{asked}");
    assert_eq!(pair["needs"][0]["what"], "plan pro of railway for the database");
    let (_, on_pro) = ask(&[&railway[..], &["--plan", "railway=pro"]].concat());
    assert_eq!(on_pro["data"]["pairs"][0]["needs"].as_array().unwrap().len(), 0, "{on_pro}");
    for wrong in [
        &["eea-jurisdiction", "--database", "scalngo"][..],
        &["eea-jurisdiction", "--bucket", "ovh/GRAV"],
        &["eea-jurisdiction", "--plan", "railway=hobbyist"],
        &["eea-jurisdiction", "--plan", "railway"],
        &["eea-jurisdiction", "--key-holder", "me"],
        &["nobodys"],
    ] {
        let (code, refused) = ask(wrong);
        assert_eq!((code, &refused["error"]["code"]), (64, &"HOLM-1001".into()), "{wrong:?}: {refused}");
    }
    let (code, nobody) = json(&["residency", "places"]);
    assert_eq!((code, &nobody["error"]["code"]), (64, &"HOLM-1001".into()), "{nobody}");
}

#[test]
fn r31_every_fact_that_is_claimed_has_a_source_a_date_and_an_end() {
    let (_, answer) = json(&["provider", "show", "scalingo"]);
    let facts = answer["data"].as_array().unwrap();
    assert!(facts.len() > 20 && facts.iter().any(|fact| fact["fact"] == "entity:scalingo-sas.country"), "{answer}");
    for fact in facts {
        let is_claimed = !fact["value"].is_null();
        for key in ["source", "checked_on", "valid_until", "certainty"] {
            assert_eq!(!fact[key].is_null(), is_claimed, "{key}: {fact}");
        }
    }
}

#[test]
fn every_profile_that_comes_with_holm_passes_its_cases_and_says_itself_in_three_languages() {
    let (_, answer) = json(&["residency", "profile", "list"]);
    let profiles = answer["data"].as_array().unwrap();
    assert!(profiles.len() >= 4);
    for profile in profiles {
        let (name, hash) = (profile["profile"].as_str().unwrap(), profile["hash"].as_str().unwrap());
        let (code, cases) = json(&["residency", "profile", "check", name]);
        assert_eq!(code, 0, "{cases}");
        let texts = ["en", "nb", "sv"].map(|language| ok(&["residency", "profile", "show", name, "--language", language]));
        assert!(texts.iter().all(|text| text.contains(hash)) && texts[0] != texts[1] && texts[1] != texts[2], "{name}");
    }
}

#[test]
fn a_profile_of_ones_own_is_read_from_a_file_and_refused_with_everything_that_is_wrong_with_it() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(fresh("profile")).with_extension("toml");
    let path = path.to_str().unwrap();
    let shipped = include_str!("../../../holm-policy/profiles/eea-jurisdiction.toml");
    fs::write(path, shipped.replacen("expect = \"allow\"", "expect = \"deny\"", 1)).unwrap();
    let (code, cases) = json(&["residency", "profile", "check", path]);
    assert_eq!((code, &cases["data"][0]["passed"], &cases["data"][0]["came"]), (4, &false.into(), &"allow".into()), "{cases}");
    fs::write(path, shipped.replace("\"@EEA\"", "\"@EAE\"").replacen("[control]", "[contorl]", 1)).unwrap();
    let refused = holm(&["residency", "profile", "check", path]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(64) && said.contains("@EAE") && said.contains("contorl"), "{said}");
    // What is cut off would not be asked for.
    fs::write(path, format!("{shipped}\n{}", "# long\n".repeat(200_000))).unwrap();
    let refused = holm(&["residency", "profile", "check", path]);
    assert!(!refused.status.success() && String::from_utf8(refused.stderr).unwrap().contains("longer than 1 MiB"));
    for nowhere in ["eea-jurisdication", "./nowhere.toml"] {
        let refused = holm(&["residency", "profile", "show", nowhere]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains(nowhere), "{said}");
    }
}

/// The story of the decision: a provider of another continent, and what the profile says to it.
#[test]
fn r2_a_tenant_is_refused_where_its_profile_denies_with_exit_code_4_the_rules_and_what_to_do() {
    installation();
    let _whole = WHOLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = runtime.block_on(holm_testkit::new_server(&[]));
    let name = fresh("server");
    let add = ["cluster", "add", &name, "--env", "production", "--server", &server.url("postgres"), "--provider"];
    let (code, nowhere) = json(&[&add[..], &["railwy", "--region", "europe-west4-drams3a"]].concat());
    assert_eq!((code, &nowhere["error"]["code"], &nowhere["error"]["changed"]), (64, &"HOLM-1001".into(), &"nothing".into()), "{nowhere}");
    assert_eq!(holm(&[&add[..], &["railway"]].concat()).status.code(), Some(64), "a region is never filled in");
    ok(&[&add[..], &["railway", "--region", "europe-west4-drams3a", "--evidence", "their console"]].concat());
    let (_, shown) = json(&["cluster", "show", &name]);
    assert_eq!(shown["data"]["place"]["place"], "railway/europe-west4-drams3a", "{shown}");

    ok(&["residency", "profile", "add", "eea-jurisdiction"]);
    let slug = fresh("goteborg");
    let create = ["tenant", "create", &slug, "--env", "production", "--cluster", &name, "--profile", "eea-jurisdiction"];
    let (code, refused) = json(&create);
    assert_eq!((code, &refused["error"]["code"], &refused["error"]["changed"]), (4, &"HOLM-4001".into(), &"nothing".into()), "{refused}");
    let why = refused["error"]["why"].as_str().unwrap();
    assert!(why.contains("control.contracting_entity of the primary"), "{why}");
    assert!(refused["error"]["next"].as_array().unwrap().iter().any(|next| next.as_str().unwrap().contains("holm provider show railway")));
    assert_eq!(holm(&["tenant", "show", &slug, "--env", "production"]).status.code(), Some(6));
    let (code, unknown) = json(&["tenant", "create", &slug, "--env", "production", "--profile", "eea-juristiction"]);
    assert_eq!((code, &unknown["error"]["code"]), (6, &"HOLM-4002".into()), "{unknown}");

    // Tenants of other tests may be there by now: it lasts as long as they do.
    std::mem::forget((runtime, server));
}
