//! What a tenant's roles can reach of others on the same server.

use holm_core::credential::Level;
use holm_core::role::DatabaseName;

use crate::support::{SCHEMA, Setup, World};

#[tokio::test]
async fn r72_no_role_of_a_tenant_connects_to_anything_but_its_own_database() {
    let world = World::start(Setup { pool_size: 2, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let own = world.create("goteborg").await.unwrap().database.unwrap();
    let other = world.create("malmo").await.unwrap().database.unwrap();
    world.settled().await;
    let catalog = world.catalog().await;
    let name = async |sql: &str| catalog.query_one(sql, &[]).await.unwrap().get::<_, String>(0);
    let member = name("SELECT name FROM database WHERE state = 'ready' LIMIT 1").await;
    let template = name("SELECT database_name FROM template WHERE state = 'ready'").await;
    let mut table = String::new();
    for level in Level::ALL {
        for (target, database) in [
            ("own", own.as_str()),
            ("other tenant", other.as_str()),
            ("pool member", &member),
            ("template", &template),
            ("postgres", "postgres"),
            ("template1", "template1"),
            ("template0", "template0"),
        ] {
            let answer = match world.try_login(&own, level.as_str(), database).await {
                Ok(_) => "in".to_owned(),
                Err(error) => error.code().unwrap().code().to_owned(),
            };
            table += &format!("{level} {target}: {answer}\n");
        }
    }
    // 42501 is no privilege to connect, 55000 a database that nobody connects to.
    insta::assert_snapshot!(table, @r"
    owner own: in
    owner other tenant: 42501
    owner pool member: 42501
    owner template: 55000
    owner postgres: 42501
    owner template1: 42501
    owner template0: 55000
    rw own: in
    rw other tenant: 42501
    rw pool member: 42501
    rw template: 55000
    rw postgres: 42501
    rw template1: 42501
    rw template0: 55000
    ro own: in
    ro other tenant: 42501
    ro pool member: 42501
    ro template: 55000
    ro postgres: 42501
    ro template1: 42501
    ro template0: 55000
    ");
}

#[tokio::test]
async fn r72_no_role_of_a_tenant_acts_as_another_or_on_anothers_sessions() {
    let world = World::start(Setup { pool_size: 2, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let own = world.create("goteborg").await.unwrap().database.unwrap();
    let other = world.create("malmo").await.unwrap().database.unwrap();
    let victim = world.login(&other, "rw").await;
    let pid: i32 = victim.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let secret = "SELECT 'a secret of malmo'";
    victim.batch_execute(secret).await.unwrap();
    let mut table = String::new();
    for level in Level::ALL {
        let session = world.login(&own, level.as_str()).await;
        for (act, sql) in acts(&other, pid) {
            let answer = match session.batch_execute(&sql).await {
                Ok(()) => "done".to_owned(),
                Err(error) => error.code().unwrap().code().to_owned(),
            };
            table += &format!("{level} {act}: {answer}\n");
        }
        let seen: String =
            session.query_one("SELECT coalesce(string_agg(query, ' '), '') FROM pg_stat_activity", &[]).await.unwrap().get(0);
        assert!(!seen.contains("a secret of malmo"), "{level} reads another's statements");
    }
    victim.batch_execute("SELECT 1").await.unwrap();
    let expected: String =
        Level::ALL.iter().flat_map(|level| acts(&other, pid).map(|(act, _)| format!("{level} {act}: 42501\n"))).collect();
    assert_eq!(table, expected);
}

/// What a tenant might try on another: its database, its roles, its session with this process id.
fn acts(other: &DatabaseName, pid: i32) -> [(&'static str, String); 16] {
    [
        ("terminate", format!("SELECT pg_terminate_backend({pid})")),
        ("cancel", format!("SELECT pg_cancel_backend({pid})")),
        ("set role", format!("SET ROLE \"{other}_ro\"")),
        ("set role holm", "SET ROLE holm".to_owned()),
        ("set session authorization", format!("SET SESSION AUTHORIZATION \"{other}_ro\"")),
        ("grant", format!("GRANT \"{other}_owner\" TO CURRENT_USER")),
        ("alter role", format!("ALTER ROLE \"{other}_owner\" PASSWORD 'x'")),
        ("drop role", format!("DROP ROLE \"{other}_ro\"")),
        ("alter database", format!("ALTER DATABASE \"{other}\" SET search_path = x")),
        ("grant connect", format!("GRANT CONNECT ON DATABASE \"{other}\" TO PUBLIC")),
        ("drop database", format!("DROP DATABASE \"{other}\"")),
        ("clone", format!("CREATE DATABASE mine TEMPLATE \"{other}\"")),
        ("verifiers", "SELECT rolpassword FROM pg_authid".to_owned()),
        ("files", "SELECT pg_ls_dir('.')".to_owned()),
        ("dblink", "CREATE EXTENSION dblink".to_owned()),
        ("fdw", "CREATE EXTENSION postgres_fdw".to_owned()),
    ]
}

#[tokio::test]
async fn names_that_every_role_can_read_tell_nothing_of_the_tenants() {
    let world = World::start(Setup { pool_size: 2, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let own = world.create("goteborg").await.unwrap().database.unwrap();
    world.create("malmo").await.unwrap();
    let session = world.login(&own, "ro").await;
    let sql = "SELECT string_agg(x, ' ') FROM (
                   SELECT d::text FROM pg_database d UNION ALL SELECT r::text FROM pg_roles r
                   UNION ALL SELECT s::text FROM pg_db_role_setting s UNION ALL SELECT description FROM pg_shdescription
                   UNION ALL SELECT concat_ws(' ', datname, usename, application_name) FROM pg_stat_activity
               ) AS everything (x)";
    let text: String = session.query_one(sql, &[]).await.unwrap().get(0);
    assert!(text.contains(own.as_str()));
    for word in ["goteborg", "malmo", "production"] {
        assert!(!text.contains(word), "`{word}` in {text}");
    }
}
