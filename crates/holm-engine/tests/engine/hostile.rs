//! A tenant that sets traps for Holm's own statements.

use holm_core::role::DatabaseName;
use holm_engine::environment;
use holm_engine::{doctor, tenant};

use crate::support::{DEV, SCHEMA, Setup, World, production, slug};

/// Everything that an owner can make and that somebody else could set off without meaning to. Each trap writes down who
/// ran it.
const TRAPS: &str = r#"
CREATE TABLE public.canary (who text, what text);
GRANT ALL ON public.canary TO PUBLIC;
CREATE FUNCTION public.trap(what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.canary VALUES (current_user, what);
    RETURN true;
END $$;
-- Functions called like PostgreSQL's own.
CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('quote_ident')::text $$;
CREATE FUNCTION public.to_regclass(text) RETURNS regclass LANGUAGE sql AS $$ SELECT NULL::regclass WHERE public.trap('to_regclass') $$;
CREATE FUNCTION public.pg_advisory_lock(integer) RETURNS boolean LANGUAGE sql AS $$ SELECT public.trap('pg_advisory_lock') $$;
CREATE FUNCTION public.current_setting(name) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('current_setting')::text $$;
CREATE FUNCTION public.pg_is_in_recovery(VARIADIC integer[] DEFAULT '{}') RETURNS boolean LANGUAGE sql AS $$ SELECT public.trap('recovery') $$;
-- Operators that fit better than PostgreSQL's own.
CREATE FUNCTION public.same(name, text) RETURNS boolean LANGUAGE sql AS $$ SELECT public.trap('name = text') $$;
CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.same);
CREATE FUNCTION public.same(name, varchar) RETURNS boolean LANGUAGE sql AS $$ SELECT public.trap('name = varchar') $$;
CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = varchar, FUNCTION = public.same);
CREATE FUNCTION public.differs(name, text) RETURNS boolean LANGUAGE sql AS $$ SELECT public.trap('name <> text') $$;
CREATE OPERATOR public.<> (LEFTARG = name, RIGHTARG = text, FUNCTION = public.differs);
CREATE OPERATOR public.~ (LEFTARG = name, RIGHTARG = text, FUNCTION = public.differs);
-- Tables and views called like catalogs.
CREATE VIEW public.pg_database AS SELECT 'x'::name AS datname, public.trap('pg_database') AS datallowconn;
CREATE VIEW public.pg_roles AS SELECT 'x'::name AS rolname, public.trap('pg_roles') AS rolsuper;
CREATE VIEW public.pg_namespace AS SELECT 'x'::name AS nspname, public.trap('pg_namespace') AS n;
-- Casts.
CREATE TYPE public.bait AS (x text);
CREATE FUNCTION public.unbait(public.bait) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('cast')::text $$;
CREATE CAST (public.bait AS text) WITH FUNCTION public.unbait(public.bait) AS IMPLICIT;
-- On the ledger: triggers, a default, a rule, an index.
CREATE FUNCTION public.on_ledger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.trap('trigger'); RETURN NEW; END $$;
CREATE TRIGGER trap BEFORE INSERT OR UPDATE OR DELETE ON public._prisma_migrations FOR EACH STATEMENT EXECUTE FUNCTION public.on_ledger();
ALTER TABLE public._prisma_migrations ALTER COLUMN logs SET DEFAULT public.trap('default')::text;
CREATE RULE trap AS ON INSERT TO public.musician DO ALSO SELECT public.trap('rule');
-- Settings that every session of this database or this role begins with.
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());
    EXECUTE format('ALTER ROLE %I SET search_path = public, pg_catalog', current_user);
    EXECUTE format('GRANT ALL ON DATABASE %I TO PUBLIC', current_database());
END $$;
"#;

/// What an owner must not be able to make at all.
const FORBIDDEN: &[&str] = &[
    "CREATE EVENT TRIGGER trap ON ddl_command_start EXECUTE FUNCTION public.on_ledger()",
    "ALTER DATABASE CURRENT SET session_preload_libraries = 'trap'",
    "ALTER ROLE CURRENT_USER SET session_preload_libraries = 'trap'",
    "CREATE FUNCTION public.c() RETURNS int LANGUAGE c AS 'trap', 'trap'",
    "ALTER FUNCTION pg_catalog.quote_ident(text) RENAME TO gone",
    "CREATE FUNCTION pg_catalog.trap() RETURNS int LANGUAGE sql AS 'SELECT 1'",
];

#[tokio::test]
async fn nothing_that_a_tenant_plants_runs_under_a_privileged_role_whatever_holm_does() {
    let seed = "INSERT INTO musician (name, plays) SELECT 'Ada', 'violin' WHERE NOT EXISTS (SELECT 1 FROM musician);";
    let settings = vec![("log_connections", "on")];
    let world = World::start(Setup { pool_size: 2, migrations: vec![SCHEMA], seed: Some(seed), settings }).await;
    let hostile = world.create("goteborg").await.unwrap().database.unwrap();
    let owner = world.login(&hostile, "owner").await;
    owner.batch_execute(TRAPS).await.unwrap();
    for sql in FORBIDDEN {
        let sql = sql.replace("DATABASE CURRENT", &format!("DATABASE \"{hostile}\""));
        assert_eq!(owner.batch_execute(&sql).await.expect_err(&sql).code().unwrap().code(), "42501", "{sql}");
    }
    world.settled().await;
    let log = world.server.log().len();
    // Everything that Holm does while a tenant is there.
    world.create("malmo").await.unwrap();
    tenant::suspend(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
    tenant::resume(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
    tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap();
    world.write_migrations(&[("20260401090000_next", "CREATE TABLE next (id int)")]);
    world.create("stockholm").await.unwrap();
    world.until_count("template WHERE state = 'retired' AND dropped_at IS NOT NULL", 1).await;
    world.settled().await;
    let findings = doctor::examine(&world.control).await;
    let complaint = findings.iter().find(|finding| finding.check.ends_with("isolation")).unwrap();
    assert!(complaint.text.contains(hostile.as_str()), "the doctor does not see the open door: {complaint:?}");
    let condemned = fails_to_seed(&world).await;
    world.settled().await;
    assert!(!world.server.log().contains(&format!("DROP DATABASE \"{hostile}\"")) && condemned != hostile);
    // Nobody privileged was ever in, so that nothing of it can have run.
    let new = &world.server.log()[log..];
    assert!(new.contains("user=holm"), "connections are not logged: {new}");
    assert!(!new.contains(&format!("user=holm database={hostile}")), "a privileged session in a tenant's database");
    let caught = "SELECT count(*) FROM public.canary WHERE who !~ '^t_'";
    assert_eq!(owner.query_one(caught, &[]).await.unwrap().get::<_, i64>(0), 0);
    // The traps do catch: a superuser who comes in carelessly is written down.
    let careless = world.server.connect(hostile.as_str()).await;
    careless.batch_execute("SELECT quote_ident('x'::name); SELECT datname FROM pg_database WHERE datname = 'x'::text").await.unwrap();
    assert!(owner.query_one(caught, &[]).await.unwrap().get::<_, i64>(0) > 0);
}

/// A tenant that fails, so that its database is condemned and removed.
async fn fails_to_seed(world: &World) -> DatabaseName {
    let path = world.directory.path().join("broken.sql");
    std::fs::write(&path, "SELECT 1 / 0").unwrap();
    let broken = environment::NewEnvironment { seed: Some(holm_store::environment::Seed::SqlFile(path)), ..world.new_environment() };
    environment::ensure(&world.control, &DEV, broken).await.unwrap();
    world.create("uppsala").await.unwrap_err();
    let sql = "SELECT name FROM database ORDER BY created_at DESC LIMIT 1";
    let name: String = world.catalog().await.query_one(sql, &[]).await.unwrap().get(0);
    environment::ensure(&world.control, &DEV, world.new_environment()).await.unwrap();
    name.parse().unwrap()
}

/// Another tenant grants a doomed role something in its own database, so that PostgreSQL refuses to drop the role.
#[tokio::test]
async fn a_role_that_another_tenant_holds_on_to_is_locked_and_stops_nothing() {
    let seed = "SELECT 1 / 0";
    let mut world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let holder = world.create("goteborg").await.unwrap().database.unwrap();
    world.settled().await;
    let doomed: String = world.catalog().await.query_one("SELECT name FROM database WHERE state = 'ready'", &[]).await.unwrap().get(0);
    let owner = world.login(&holder, "owner").await;
    owner.batch_execute(&format!("GRANT SELECT ON musician TO \"{doomed}_rw\"")).await.unwrap();
    let path = world.directory.path().join("broken.sql");
    std::fs::write(&path, seed).unwrap();
    world.seed = Some(holm_store::environment::Seed::SqlFile(path));
    environment::ensure(&world.control, &DEV, world.new_environment()).await.unwrap();
    world.create("malmo").await.unwrap_err();
    world.seed = None;
    environment::ensure(&world.control, &DEV, world.new_environment()).await.unwrap();
    world.create("stockholm").await.unwrap();
    let admin = world.server.connect("postgres").await;
    let roles = "SELECT rolname::text, rolcanlogin FROM pg_roles WHERE starts_with(rolname, $1)";
    holm_testkit::eventually(crate::support::PATIENCE, "one locked role", async || {
        let rows = admin.query(roles, &[&doomed]).await.unwrap();
        let left: Vec<(String, bool)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        if left == [(format!("{doomed}_rw"), false)] { Ok(()) } else { Err(left) }
    })
    .await;
    assert_eq!(world.orphans().await, Vec::<String>::new());
    world.untroubled().await;
    // Let go, it is removed.
    owner.batch_execute(&format!("REVOKE ALL ON musician FROM \"{doomed}_rw\"")).await.unwrap();
    world.assert_whole_but_for_logins().await;
}
