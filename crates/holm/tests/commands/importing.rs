//! From PgBouncer to Holm by command.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::installation::{WHOLE, fresh, holm, installation, json, ok};

/// A file of this run, and where it is.
pub(crate) fn file(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn states(answer: &Value) -> Vec<(&str, &str)> {
    let databases = answer["data"]["databases"].as_array().unwrap();
    databases.iter().map(|database| (database["name"].as_str().unwrap(), database["state"].as_str().unwrap())).collect()
}

#[test]
fn a_plan_needs_no_server_and_prints_no_secret() {
    let users = file("plan.users", "\"listed\" \"hemligt-listed\"\n");
    let owners = file("plan.owners", "10.0.0.2:*:*:owner:hemligt-owned\n");
    let text = format!(
        "[databases]\nmalmo = host=10.0.0.1 dbname=malmo_prod user=app password='hemligt-line' pool_size=7\nLund = host=10.0.0.2\n\
         ystad = host=10.0.0.3 user=listed connect_query='SELECT hemligt'\n* = host=10.0.0.4 password=hemligt\n\
         [pgbouncer]\nauth_file={users}\nserver_tls_sslmode = verify-full\nauth_ldap_options = hemligt\nnew_setting = hemligt\nquery_timeout = 5\n"
    );
    let ini = file("plan.ini", &text);
    let line = ["--url", "http://127.0.0.1:1", "import", "pgbouncer", &ini, "--env", "production", "--owners", &owners];
    let mut all = String::new();
    for format in ["table", "json", "yaml", "csv", "name"] {
        let output = crate::installation::program().args(line).args(["-o", format]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        all += &format!("{}{}", String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    }
    assert!(!all.contains("hemligt"), "{all}");
    for said in [
        "holm tenant adopt malmo --env production --server postgresql://app@10.0.0.1:5432/malmo_prod --password-file FILE --sslmode verify-full",
        "holm tenant limits malmo --env production --max 7",
        "`--rename Lund=lund`",
        "holm tenant adopt ystad --env production --server postgresql://listed@10.0.0.3:5432/ystad",
        "[pgbouncer] new_setting: PgBouncer 1.25 has no such setting",
        "[pgbouncer] query_timeout: the server has it",
        "options=-c holm.pooling=transaction",
    ] {
        assert!(all.contains(said), "{said} is not in\n{all}");
    }
}

#[test]
fn what_is_said_beside_a_file_has_to_be_about_it() {
    let ini = file("beside.ini", "[databases]\nmalmo = host=h\n");
    for (more, why) in [
        (["--only", "lund"], "has no database `lund`"),
        (["--rename", "lund=lund"], "has no database `lund`"),
        (["--rename", "malmo=Malmö"], "is not one of"),
        (["--rename", "malmo"], "NAME=SLUG"),
        (["--sslmode", "prefer"], "lets whoever stands between read along"),
        (["--owners", "/nowhere/owners"], "/nowhere/owners"),
    ] {
        let output = holm(&[&["import", "pgbouncer", &ini, "--env", "production"][..], &more].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(64) && said.contains(why), "{more:?}: {said}");
    }
    let users = file("beside-users.ini", "[databases]\nmalmo = host=h\n[pgbouncer]\nauth_file = /nowhere/users\n");
    let output = holm(&["import", "pgbouncer", &users, "--env", "production"]);
    assert!(
        output.status.success() && String::from_utf8(output.stderr).unwrap().contains("warning: `auth_file` is not used"),
        "it is asked for"
    );
}

/// The story: a team moves a PgBouncer's databases over, in two goes; what an operator says in between stays.
#[test]
fn databases_behind_pgbouncer_become_tenants_once_and_what_failed_is_taken_up_again() {
    installation();
    let _whole = WHOLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let other = runtime.block_on(holm_testkit::new_server(&[]));
    runtime.block_on(async {
        let admin = other.connect("postgres").await;
        for name in ["first", "second"] {
            for sql in [
                format!("CREATE ROLE {name} LOGIN PASSWORD 'hemligt {name}'"),
                format!("CREATE DATABASE {name} OWNER {name}"),
                format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"),
            ] {
                admin.batch_execute(&sql).await.unwrap();
            }
        }
    });
    let (first, second) = (fresh("first"), fresh("second"));
    let address = format!("host={} port={}", other.address.host, other.address.port);
    let ini = file(
        "import.ini",
        &format!(
            "[databases]\nFirst = {address} dbname=first user=first password='hemligt first' pool_size=9\n\
             {second} = {address} dbname=second user={} password='{}'\nthird = host=/run/postgresql\n",
            other.superuser,
            other.password.expose(),
        ),
    );
    let rename = format!("First={first}");
    let import =
        |more: &[&str]| json(&[&["import", "pgbouncer", &ini, "--env", "production", "--rename", &rename, "--apply"], more].concat());

    let (exit, once) = import(&[]);
    assert_eq!((exit, states(&once)), (3, vec![("First", "adopted"), (second.as_str(), "failed"), ("third", "blocked")]), "{once}");
    assert_eq!(once["data"]["databases"][1]["problem"]["code"], "HOLM-2018", "a superuser is too powerful");
    assert!(!once.to_string().contains("hemligt"));
    let limits = |slug: &str| json(&["tenant", "show", slug, "--env", "production"]).1["data"]["limits"]["max"].clone();
    assert_eq!(limits(&first), 9);

    ok(&["tenant", "limits", &first, "--env", "production", "--max", "4"]);
    let owners = file("import.owners", &format!("*:*:second:second:hemligt second\n{}:*:nothing:x:y\n", other.address.host));
    let (exit, twice) = import(&["--owners", &owners]);
    assert_eq!((exit, states(&twice)), (3, vec![("First", "there"), (second.as_str(), "adopted"), ("third", "blocked")]), "{twice}");
    assert_eq!((limits(&first), limits(&second)), (4.into(), 20.into()), "what an operator said is not changed");

    let (exit, again) = import(&["--owners", &owners, "--only", "First", "--only", &second]);
    assert_eq!((exit, states(&again)), (0, vec![("First", "there"), (second.as_str(), "there")]), "{again}");

    // Another database under a name that is in use.
    let taken = format!("{second}={first}");
    let (exit, clash) =
        json(&["import", "pgbouncer", &ini, "--env", "production", "--only", &second, "--rename", &taken, "--owners", &owners, "--apply"]);
    assert_eq!((exit, &clash["data"]["databases"][0]["problem"]["code"]), (1, &"HOLM-1102".into()), "{clash}");

    let (exit, nowhere) = json(&["import", "pgbouncer", &ini, "--env", "nowhere", "--rename", &rename, "--owners", &owners, "--apply"]);
    assert_eq!((exit, states(&nowhere)), (6, vec![("First", "failed"), (second.as_str(), "untried"), ("third", "blocked")]), "{nowhere}");

    abandon(&[first, second]);
}

/// Their server is about to be gone.
fn abandon(slugs: &[String]) {
    for slug in slugs {
        let cluster = format!("production-{slug}");
        ok(&["cluster", "remove", &cluster, "--env", "production", "--abandon", "--confirm", &cluster]);
        let begun = std::time::Instant::now();
        while json(&["cluster", "show", &cluster]).0 != 6 {
            assert!(begun.elapsed().as_secs() < 60, "{cluster}");
        }
    }
}

/// The story: one role has all databases, as with most PgBouncers; what the how-to page says gives each an owner, and the old
/// role goes on working meanwhile.
#[test]
fn a_role_that_had_all_databases_is_replaced_by_one_for_each_as_the_page_says() {
    installation();
    let _whole = WHOLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let other = runtime.block_on(holm_testkit::new_server(&[]));
    let slugs = [fresh("shared"), fresh("shared")];
    let run = |database: &str, statements: &[String]| {
        runtime.block_on(async {
            let admin = other.connect(database).await;
            for sql in statements {
                admin.batch_execute(sql).await.unwrap();
            }
        });
    };
    run("postgres", &["CREATE ROLE app LOGIN PASSWORD 'app'".to_owned()]);
    for slug in &slugs {
        run("postgres", &[format!("CREATE DATABASE \"{slug}\" OWNER app")]);
        run(slug, &["SET ROLE app; CREATE SCHEMA mine; CREATE TABLE mine.t AS SELECT 1 AS n".to_owned()]);
    }
    let line = |slug: &String| format!("{slug} = host={} port={} user=app password=app\n", other.address.host, other.address.port);
    let ini = file("shared.ini", &format!("[databases]\n{}", slugs.each_ref().map(line).concat()));
    let (_, plan) = json(&["import", "pgbouncer", &ini, "--env", "production"]);
    assert!(plan.to_string().contains("role `app` would be 2 tenants'"), "{plan}");

    for slug in &slugs {
        let made = [
            format!("CREATE ROLE \"{slug}_owner\" LOGIN PASSWORD 'owned'"),
            format!("GRANT \"{slug}_owner\" TO app"),
            format!("ALTER DATABASE \"{slug}\" OWNER TO \"{slug}_owner\""),
            format!("REVOKE CONNECT ON DATABASE \"{slug}\" FROM PUBLIC"),
        ];
        run("postgres", &made);
    }
    for slug in &slugs {
        run(slug, &[format!("REASSIGN OWNED BY app TO \"{slug}_owner\"")]);
        let as_app = format!("host={} port={} dbname={slug} user=app password=app", other.address.host, other.address.port);
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&as_app, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute("INSERT INTO mine.t VALUES (2)").await.unwrap();
        });
    }
    let owners = file("shared.owners", &slugs.each_ref().map(|slug| format!("*:*:{slug}:{slug}_owner:owned\n")).concat());
    let (exit, done) = json(&["import", "pgbouncer", &ini, "--env", "production", "--owners", &owners, "--apply"]);
    assert_eq!((exit, states(&done).iter().map(|(_, state)| *state).collect::<Vec<_>>()), (0, vec!["adopted", "adopted"]), "{done}");
    abandon(&slugs);
}
