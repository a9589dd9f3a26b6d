//! What becomes of databases: as little asked as possible, nothing guessed.

use std::collections::HashMap;
use std::path::PathBuf;

use holm_core::secret::Secret;

use crate::pgbouncer::config::{Config, Place, Reading};
use crate::pgbouncer::ini;
use crate::pgbouncer::owners::Owners;
use crate::pgbouncer::plan::{Becomes, Beside, Plan, plan, shell};
use crate::pgbouncer::userlist::{self, Proof};

fn config(text: &str) -> Config {
    let mut reading = Reading::default();
    for line in ini::read(text).unwrap() {
        reading.take(line.item, Place { file: "p.ini".to_owned(), line: line.number }).unwrap();
    }
    reading.done()
}

fn planned(text: &str, beside: &Beside) -> Plan {
    plan(config(text), beside, |_| true)
}

fn listed(text: &str) -> HashMap<String, Proof> {
    userlist::read(text).unwrap().into_iter().map(|listed| (listed.name, listed.proof)).collect()
}

/// One line for each: what it becomes, or why not and what to do.
fn said(plan: &Plan) -> Vec<String> {
    let line = |becomes: &Becomes| match becomes {
        Becomes::Tenant(to) => {
            let max = to.max.map_or_else(|| "all".to_owned(), |max| max.to_string());
            format!("{} {}/{} {} {} {} {max}", to.slug, to.at.server(), to.at.database, to.role, to.password.expose(), to.sslmode)
        }
        Becomes::NothingYet(obstacles) => {
            obstacles.iter().map(|obstacle| format!("{} → {}", obstacle.why, obstacle.next)).collect::<Vec<_>>().join(" | ")
        }
    };
    plan.databases.iter().map(|planned| line(&planned.becomes)).collect()
}

/// What becomes of one line of `[databases]` with nothing said beside it.
fn one(line: &str) -> String {
    said(&planned(&format!("[databases]\n{line}\n"), &Beside::default())).remove(0)
}

#[test]
fn a_line_that_says_all_becomes_a_tenant() {
    assert_eq!(
        one("malmo = host=127.0.0.1 dbname=malmo_prod user=malmo password='s e'"),
        "malmo 127.0.0.1:5432/malmo_prod malmo s e disable 20"
    );
    assert_eq!(one("lund = host=::1 port=5433 user=lund password=x pool_size=5"), "lund [::1]:5433/lund lund x disable 5");
}

#[test]
fn a_name_that_is_no_slug_is_never_changed_but_a_command_is_offered() {
    let rest = "host=localhost dbname=m user=u password=p";
    assert_eq!(
        one(&format!("malmo_prod = {rest}")),
        "it is no name of a tenant: `_` is not one of `a` to `z`, `0` to `9` and `-` → give it one: `--rename malmo_prod=malmo-prod`"
    );
    assert!(one(&format!("'Malmö; rm -rf /' = {rest}")).ends_with("`--rename 'Malmö; rm -rf /=malmo-rm-rf'`"));
    assert!(one(&format!("'日本' = {rest}")).ends_with("`--rename '日本=SLUG'`"));
    let beside = Beside { renamed: [("malmo_prod".to_owned(), "malmo".parse().unwrap())].into(), ..Beside::default() };
    assert_eq!(said(&planned(&format!("[databases]\nmalmo_prod = {rest}"), &beside)), ["malmo localhost:5432/m u p disable 20"]);
}

#[test]
fn a_database_that_cannot_be_a_tenant_says_all_that_is_in_the_way() {
    assert!(one("* = host=localhost").starts_with("it stands for every name that is not in the file"));
    assert!(one("a = user=u password=p").starts_with("no `host` is given, and so it is reached by a Unix socket"));
    assert!(one("a = host=/run/postgresql user=u password=p").starts_with("it is reached by a Unix socket"));
    assert!(one("a = host=db1,db2 user=u password=p").starts_with("it has several hosts"));
    let both = one("A_b = host=localhost");
    assert!(both.contains("--rename A_b=a-b") && both.contains("`localhost:5432:A_b:ROLE:PASSWORD`"), "{both}");
    let long = "x".repeat(64);
    assert!(one(&format!("a = host=localhost dbname={long} user=u password=p")).contains("is not a PostgreSQL name"));
}

#[test]
fn a_password_comes_from_the_owners_then_the_line_then_the_list_of_users() {
    let text = "[databases]\na = host=localhost user=u password=line\nb = host=localhost port=5433 user=u";
    let users = || listed("\"u\" \"listed before\"\n\"u\" \"listed\"");
    assert_eq!(
        said(&planned(text, &Beside { users: users(), ..Beside::default() })),
        ["a localhost:5432/a u line disable 20", "b localhost:5433/b u listed disable 20"]
    );
    let owners = || Owners::read("localhost:*:a:owner_of_a:owned").unwrap();
    let beside = Beside { users: users(), owners: owners(), ..Beside::default() };
    assert_eq!(said(&planned(text, &beside))[0], "a localhost:5432/a owner_of_a owned disable 20");
    for (users, why) in [
        ("\"u\" \"md5d41d8cd98f00b204e9800998ecf8427e\"", "MD5"),
        ("\"u\" \"SCRAM-SHA-256$4096:x$y:z\"", "with which nobody can log in"),
        ("\"v\" \"hemligt\"", "no password is known"),
    ] {
        let beside = Beside { users: listed(users), ..Beside::default() };
        let said = said(&planned("[databases]\nb = host=db:1 user=u", &beside)).remove(0);
        assert!(said.contains(why) && said.contains(r"`db\:1:5432:b:u:PASSWORD`") && !said.contains("hemligt"), "{said}");
    }
}

#[test]
fn tls_is_never_less_than_the_file_says_and_asked_for_where_it_says_nothing() {
    let with = |settings: &str, host: &str, beside: &Beside| {
        said(&planned(&format!("[pgbouncer]\n{settings}\n[databases]\na = host={host} user=u password=p"), beside)).remove(0)
    };
    let none = Beside::default();
    assert!(with("", "10.0.0.1", &none).starts_with("`server_tls_sslmode` is not set, which means `prefer`"));
    for weak in ["allow", "prefer", "require"] {
        assert!(with(&format!("server_tls_sslmode={weak}"), "10.0.0.1", &none).contains("--sslmode verify-full"), "{weak}");
    }
    assert!(with("server_tls_sslmode=require", "localhost", &none).contains("--sslmode verify-full"));
    assert!(with("server_tls_sslmode=prefer", "localhost", &none).ends_with(" disable 20"));
    assert!(with("server_tls_sslmode=disable", "10.0.0.1", &none).ends_with(" disable 20"));
    assert!(with("server_tls_sslmode=verify-full\nserver_tls_ca_file=/ca.pem", "10.0.0.1", &none).ends_with(" verify-full 20"));
    assert!(with("server_tls_sslmode=verify-ca", "10.0.0.1", &none).contains("--ssl-root-cert FILE"));
    // What PgBouncer shows its servers is shown to them still.
    let shown = |settings: &str| {
        let text = format!("[pgbouncer]\nserver_tls_sslmode=verify-full\n{settings}\n[databases]\na = host=10.0.0.1 user=u password=p");
        match planned(&text, &none).databases.remove(0).becomes {
            Becomes::Tenant(adoption) => Ok(adoption.shown),
            Becomes::NothingYet(obstacles) => Err(obstacles[0].why.clone()),
        }
    };
    assert_eq!(shown(""), Ok(None));
    let both = Some((PathBuf::from("/c.pem"), PathBuf::from("/k.pem")));
    assert_eq!(shown("server_tls_cert_file=/c.pem\nserver_tls_key_file=/k.pem"), Ok(both));
    assert!(shown("server_tls_cert_file=/c.pem").unwrap_err().contains("without each other"));
    let said = Beside { sslmode: Some("verify-ca".parse().unwrap()), root_cert: Some(PathBuf::from("/ca.pem")), ..Beside::default() };
    assert!(with("server_tls_sslmode=nonsense", "10.0.0.1", &said).ends_with(" verify-ca 20"));
    assert!(with("server_tls_sslmode=nonsense", "10.0.0.1", &none).contains("is no `sslmode`"));
}

#[test]
fn a_tenant_may_have_as_many_connections_as_its_pool_had() {
    let with = |settings: &str, line: &str, users: &str| {
        let text = format!("[pgbouncer]\n{settings}\n[databases]\na = host=localhost user=u password=p {line}\n[users]\n{users}");
        said(&planned(&text, &Beside::default())).remove(0).rsplit_once(' ').unwrap().1.to_owned()
    };
    assert_eq!(with("", "", ""), "20");
    assert_eq!(with("default_pool_size=7\nreserve_pool_size=3", "", ""), "10");
    assert_eq!(with("default_pool_size=7", "pool_size=50 reserve_pool=5", ""), "55");
    assert_eq!(with("", "pool_size=50", "u = pool_size=8"), "8");
    assert_eq!(with("max_db_connections=30", "pool_size=50", ""), "30");
    assert_eq!(with("max_db_connections=30", "pool_size=50 max_db_connections=40", ""), "40");
    assert_eq!(with("", "pool_size=0", ""), "all");
    assert_eq!(with("max_db_connections=30", "pool_size=0", ""), "30");
    assert_eq!(with("", "pool_size=4294967295 reserve_pool_size=4294967295", ""), "all");
}

#[test]
fn tenants_that_would_share_a_role_a_name_or_a_database_are_held_back() {
    let shared = "a = host=db user=app password=p\nb = host=DB user=app password=p\nc = host=db port=1 user=app password=p";
    let beside = || Beside { sslmode: Some("disable".parse().unwrap()), ..Beside::default() };
    let plan = planned(&format!("[databases]\n{shared}"), &beside());
    let [a, b, c] = &said(&plan)[..] else { panic!() };
    assert!(a.starts_with("role `app` would be 2 tenants' at db:5432") && b.starts_with("role `app` would be 2 tenants'"), "{a}\n{b}");
    assert!(c.starts_with("c db:1/c app p"), "another server has another role of that name: {c}");
    let alone = super::super::plan::plan(config(&format!("[databases]\n{shared}")), &beside(), |name| name == "a");
    assert!(said(&alone)[0].starts_with("a db:5432/a app p"), "{:?}", said(&alone));

    let plan = planned("[databases]\na = host=db dbname=x user=u password=p\nb = host=db dbname=x user=u password=p", &beside());
    assert!(said(&plan).iter().all(|said| said.starts_with("2 names lead to database `x` at db:5432")), "{:?}", said(&plan));

    let renamed = [("A".to_owned(), "a".parse().unwrap())].into();
    let plan = planned("[databases]\na = host=db user=u password=p\nA = host=db user=v password=p", &Beside { renamed, ..beside() });
    assert!(said(&plan).iter().all(|said| said.starts_with("2 databases would be tenant `a`")), "{:?}", said(&plan));
}

#[test]
fn databases_on_one_server_are_told_what_they_have_to_do_there() {
    let text = "[databases]\na = host=localhost dbname='a\"b' user=u password=p\nc = host=localhost user=v password=p pool_size=7";
    let plan = planned(text, &Beside::default());
    assert_eq!(plan.databases[0].before.as_deref(), Some(r#"REVOKE CONNECT ON DATABASE "a""b" FROM PUBLIC"#));
    assert!(plan.notes[0].contains("the 2 at localhost:5432 may have 27 connections together"), "{:?}", plan.notes);
    let alone = planned("[databases]\na = host=localhost user=u password=p", &Beside::default());
    assert!(alone.databases[0].before.is_none() && alone.notes.is_empty());
}

#[test]
fn what_is_said_twice_counts_as_it_is_said_last_and_the_plan_says_so() {
    let plan =
        planned("[databases]\na = host=localhost user=u password=p\na = host=localhost port=1 user=u password=p", &Beside::default());
    assert_eq!(said(&plan), ["a localhost:1/a u p disable 20"]);
    assert_eq!(plan.databases[0].notes, ["it is in the file twice; what stands at p.ini:2 does not count"]);
}

#[test]
fn no_plan_prints_a_password() {
    let users = listed("\"u\" \"hemligt\"");
    let owners = Owners::read("*:*:*:*:hemligt").unwrap();
    let text = "[databases]\na = host=localhost user=u password=hemligt\nb = host=/tmp user=u password=hemligt";
    let (config, beside) = (config(text), Beside { users, owners, ..Beside::default() });
    let before = format!("{config:?}{beside:?}");
    let plan = plan(config, &beside, |_| true);
    assert!(!format!("{before}{plan:?}").contains("hemligt"));
    assert_eq!(plan.databases[0].adoption().unwrap().password, Secret::new("hemligt".to_owned()), "and has it");
}

#[test]
fn a_word_of_a_command_means_itself_to_a_shell() {
    assert_eq!(shell("postgresql://u@h:5432/d"), "postgresql://u@h:5432/d");
    assert_eq!(shell("it's $(x)"), r"'it'\''s $(x)'");
    assert_eq!(shell(""), "''");
}

#[test]
fn a_hundred_thousand_databases_are_planned_while_one_waits() {
    let mut text = "[databases]\n".to_owned();
    for number in 0..100_000 {
        text += &format!("t{number} = host=db{} user=u{number} password=p\n", number % 500);
    }
    let begun = std::time::Instant::now();
    let plan = planned(&text, &Beside { sslmode: Some("disable".parse().unwrap()), ..Beside::default() });
    assert_eq!(plan.databases.iter().filter_map(|planned| planned.adoption()).count(), 100_000);
    // A walk over all for each would take minutes.
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}
