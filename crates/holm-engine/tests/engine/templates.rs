//! Templates: an environment's migrations on a cluster.

use holm_core::error::{Changed, ErrorCode};
use holm_testkit::eventually;

use crate::support::{PATIENCE, SCHEMA, Setup, World};

const INDEX: (&str, &str) = (
    "20260302090000_index",
    "CREATE INDEX CONCURRENTLY musician_name ON musician (name);\nINSERT INTO musician (name, plays) VALUES ('; -- Ada', 'viola');",
);

#[tokio::test]
async fn the_ledger_is_the_one_that_prisma_would_have_written() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA, INDEX], ..Setup::default() }).await;
    let database = world.create("goteborg").await.unwrap().database.unwrap();
    let owner = world.login(&database, "owner").await;
    let sql = "SELECT migration_name, checksum, applied_steps_count, logs IS NULL AND rolled_back_at IS NULL,
                      started_at <= finished_at, id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
               FROM _prisma_migrations ORDER BY started_at";
    let rows = owner.query(sql, &[]).await.unwrap();
    assert_eq!(rows.len(), 2);
    for (row, (name, script)) in rows.iter().zip([SCHEMA, INDEX]) {
        assert_eq!(row.get::<_, String>(0), name);
        assert_eq!(row.get::<_, String>(1), holm_migrate::Checksum::of(script).as_str());
        assert_eq!(row.get::<_, i32>(2), 1);
        assert!(row.get::<_, bool>(3) && row.get::<_, bool>(4) && row.get::<_, bool>(5), "{row:?}");
    }
    // Everything belongs to the tenant's owner, so that the next migration can change it.
    let sql = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname IN ('public', 'Old \"stuff') AND pg_get_userbyid(c.relowner) <> current_user";
    assert_eq!(owner.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
    owner
        .batch_execute("ALTER TABLE musician ADD COLUMN born date; DROP VIEW violinist; ALTER TYPE instrument ADD VALUE 'cello'")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_failing_migration_is_reported_with_its_place_and_the_old_template_goes_on_serving() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    world.settled().await;
    world.write_migrations(&[("20260303090000_bad", "SELECT 'å';\n\nALTER TABLE absent ADD COLUMN x int;")]);
    let problem = tokio::time::timeout(PATIENCE, world.trouble()).await.unwrap();
    assert_eq!(problem.code, ErrorCode::TemplateFailed);
    assert!(problem.what.contains("20260303090000_bad"), "{problem:?}");
    let why = problem.why.unwrap();
    assert!(why.contains("\"absent\" does not exist") && why.contains("42P01"), "{why}");
    // The old template: a tenant gets yesterday's schema rather than none.
    let database = world.create("goteborg").await.unwrap().database.unwrap();
    let owner = world.login(&database, "owner").await;
    assert_eq!(owner.query_one("SELECT count(*) FROM _prisma_migrations", &[]).await.unwrap().get::<_, i64>(0), 1);
    world.until_count("database WHERE state = 'ready'", 1).await;
    // Corrected, the new one takes over, and members of the old one are replaced.
    world.write_migrations(&[("20260303090000_bad", "ALTER TABLE musician ADD COLUMN x int;")]);
    world.untroubled().await;
    world.settled().await;
    let database = world.create("malmo").await.unwrap().database.unwrap();
    let owner = world.login(&database, "owner").await;
    assert_eq!(owner.query_one("SELECT count(*) FROM _prisma_migrations", &[]).await.unwrap().get::<_, i64>(0), 2);
    world.assert_whole_but_for_logins().await;
}

#[tokio::test]
async fn a_syntax_error_has_its_line() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![("1_a", "SELECT 1;\nSELECT 'å' FRM x;\n")], ..Setup::default() }).await;
    let problem = world.trouble().await;
    assert_eq!(problem.code, ErrorCode::TemplateFailed);
    assert!(problem.what.contains("line 2"), "{problem:?}");
}

#[tokio::test]
async fn a_script_that_takes_itself_out_of_the_ledger_is_refused() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![("1_a", "DELETE FROM _prisma_migrations")], ..Setup::default() }).await;
    let problem = world.trouble().await;
    assert_eq!(problem.code, ErrorCode::TemplateFailed);
    assert!(problem.what.contains("ledger"), "{problem:?}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_as_migrations_is_the_clusters_trouble_and_stops_nobody() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    world.settled().await;
    std::fs::create_dir(world.migrations().join("20260304090000_empty")).unwrap();
    assert_eq!(world.trouble().await.code, ErrorCode::InvalidMigrations);
    world.create("goteborg").await.unwrap();
    std::fs::remove_dir(world.migrations().join("20260304090000_empty")).unwrap();
    world.untroubled().await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_migration_can_do_nothing_that_only_a_privileged_role_may() {
    // One script tries each and goes on only if it is refused. What cannot run in a function is tried with the role's
    // successor, the tenant's owner, in `creating`.
    let script = "DO $$
         DECLARE attempt text;
         BEGIN
             FOREACH attempt IN ARRAY ARRAY[
                 'CREATE ROLE accomplice SUPERUSER', 'ALTER ROLE CURRENT_USER SUPERUSER', 'SET ROLE holm', 'SET SESSION AUTHORIZATION holm',
                 'CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()',
                 $a$COPY (SELECT 1) TO PROGRAM 'cat'$a$, $a$SELECT pg_read_file('/etc/passwd')$a$, $a$SELECT lo_import('/etc/passwd')$a$,
                 'SELECT rolpassword FROM pg_authid', 'GRANT holm TO CURRENT_USER', 'ALTER ROLE holm NOLOGIN'
             ] LOOP
                 BEGIN
                     EXECUTE attempt;
                 EXCEPTION WHEN insufficient_privilege THEN CONTINUE;
                 END;
                 RAISE EXCEPTION 'it may: %', attempt;
             END LOOP;
         END $$";
    let world = World::start(Setup { pool_size: 1, migrations: vec![("1_a", script)], ..Setup::default() }).await;
    world.assert_whole().await;
    world.write_migrations(&[("2_b", "COPY (SELECT 1) TO PROGRAM 'cat'")]);
    let problem = world.trouble().await;
    assert_eq!((problem.code, problem.changed), (ErrorCode::TemplateFailed, Changed::Nothing), "{problem:?}");
}

#[tokio::test]
async fn a_template_is_closed_to_everyone_and_belongs_to_holm() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    world.settled().await;
    let admin = world.server.connect("postgres").await;
    let sql = "SELECT d.datistemplate, d.datallowconn, pg_get_userbyid(d.datdba)::text, r.rolcanlogin, r.rolsuper
               FROM pg_database d JOIN pg_roles r ON r.rolname = d.datname || '_owner' WHERE d.datname ~ '^tpl_'";
    let row = admin.query_one(sql, &[]).await.unwrap();
    assert!(row.get::<_, bool>(0) && !row.get::<_, bool>(1) && !row.get::<_, bool>(3) && !row.get::<_, bool>(4));
    assert_eq!(row.get::<_, String>(2), "holm");
}

#[tokio::test]
async fn a_directory_that_goes_back_to_what_it_was_gets_its_template_again() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    world.settled().await;
    world.write_migrations(&[("20260303090000_bad", "SELECT 1 / 0;")]);
    assert_eq!(world.trouble().await.code, ErrorCode::TemplateFailed);
    std::fs::remove_dir_all(world.migrations().join("20260303090000_bad")).unwrap();
    world.untroubled().await;
    world.assert_whole().await;
    eventually(PATIENCE, "one template", async || (world.count("template WHERE state <> 'retired'").await == 1).then_some(())).await;
}
