//! A copy is a tenant of its own with the content of one moment, and what a tenant wrote runs as nobody but the copy.

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_core::role::DatabaseName;
use holm_core::tenant::TenantState;
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::operation::people::{self, Word};
use holm_engine::operation::show;
use holm_engine::tenant::copy::{self, NewTenantCopy};
use holm_engine::tenant::{self, delete};
use holm_store::operation::Operation;
use holm_testkit::{eventually, new_server};
use tokio_postgres::Client;

use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World, production, slug};

async fn world() -> World {
    World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await
}

fn called(name: &str) -> NewTenantCopy {
    NewTenantCopy { slug: slug(name), cluster: None, ttl: None, reason: None }
}

async fn begin(world: &World, from: &str, new: NewTenantCopy) -> Result<OperationId, Problem> {
    copy::copy(&world.control, &DEV, &production(), &slug(from), new).await
}

async fn copied(world: &World, from: &str, to: &str) -> DatabaseName {
    let id = begin(world, from, called(to)).await.unwrap();
    let over = show::wait(&world.control, id, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Succeeded, "{:?}", over.problem);
    tenant::show(&world.control, &production(), &slug(to)).await.unwrap().database.unwrap()
}

async fn undone(world: &World, id: OperationId) -> Operation {
    let over = show::wait(&world.control, id, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Undone, "{:?}", over.problem);
    over
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(&format!("SELECT ({sql})::bigint"), &[]).await.unwrap().get(0)
}

/// Who owns what, and who may do what, without the roles' generated names.
const LAYOUT: &str = "\
SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
    SELECT replace(concat_ws(' ', 'relation', oid::regclass, relkind, pg_get_userbyid(relowner), relacl), $1, 'X') AS line
    FROM pg_class WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema') AND relkind <> 'i'
    UNION ALL SELECT replace(concat_ws(' ', 'schema', nspname, pg_get_userbyid(nspowner)), $1, 'X') FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    UNION ALL SELECT replace(concat_ws(' ', 'routine', oid::regprocedure, pg_get_userbyid(proowner)), $1, 'X') FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT replace(concat_ws(' ', 'default', defaclobjtype, pg_get_userbyid(defaclrole), defaclacl), $1, 'X') FROM pg_default_acl
    UNION ALL SELECT replace(concat_ws(' ', 'database', pg_get_userbyid(datdba), datacl, pg_encoding_to_char(encoding), datcollate, datctype), $1, 'X')
    FROM pg_database WHERE datname = current_database()
) AS lines";

async fn layout(world: &World, database: &DatabaseName) -> String {
    let client = world.server.connect(database.as_str()).await;
    client.query_one(LAYOUT, &[&database.as_str()]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_the_content_and_is_laid_out_as_every_tenant_is_with_roles_of_its_own() {
    let world = world().await;
    let source = world.create("goteborg").await.unwrap().database.unwrap();
    let filled = world.server.connect(source.as_str()).await;
    filled.batch_execute("INSERT INTO musician (name, plays) SELECT 'Ada ' || i, 'viola' FROM generate_series(1, 1000) i").await.unwrap();
    let copy = copied(&world, "goteborg", "goteborg-copy").await;
    assert_eq!(layout(&world, &source).await, layout(&world, &copy).await);
    let inside = world.server.connect(copy.as_str()).await;
    assert_eq!(number(&inside, "SELECT count(*) FROM musician").await, 1000);
    assert_eq!(number(&inside, "SELECT count(*) FROM _prisma_migrations").await, 1, "the ledger goes with it");
    let made = tenant::show(&world.control, &production(), &slug("goteborg-copy")).await.unwrap();
    assert_eq!((made.state, made.made_by, made.seeded), (TenantState::Serving, None, true));
    // What an app may do is what it may do everywhere.
    let rw = world.login(&copy, "rw").await;
    rw.batch_execute("INSERT INTO musician (name, plays) VALUES ('Bo', 'violin')").await.unwrap();
    for forbidden in ["DELETE FROM _prisma_migrations", "CREATE TABLE x (id int)"] {
        assert_eq!(rw.batch_execute(forbidden).await.unwrap_err().code().unwrap().code(), "42501", "{forbidden}");
    }
    for (of, to) in [(&source, &copy), (&copy, &source)] {
        assert!(world.try_login(of, "owner", to.as_str()).await.is_err(), "a role of the one is let in to the other");
    }
    world.assert_whole_but_for_logins().await;
}

/// Two tables that a writer always changes together.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_is_one_moment_of_a_source_that_stays_in_use() {
    let world = world().await;
    let source = world.create("goteborg").await.unwrap().database.unwrap();
    let writer = owner(&world, &source).await;
    writer
        .batch_execute(
            "CREATE TABLE a (id serial, pad text); CREATE TABLE z (id serial, pad text);
        INSERT INTO a (pad) SELECT repeat('x', 500) FROM generate_series(1, 20000); INSERT INTO z SELECT * FROM a",
        )
        .await
        .unwrap();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let writing = tokio::spawn(async move {
        let mut written = 0;
        while stopped.try_recv().is_err() {
            writer.batch_execute("BEGIN; INSERT INTO a (pad) VALUES ('x'); INSERT INTO z (pad) VALUES ('x'); COMMIT").await.unwrap();
            written += 1;
        }
        written
    });
    let id = begin(&world, "goteborg", called("copy")).await.unwrap();
    let over = show::wait(&world.control, id, None, PATIENCE).await.unwrap();
    stop.send(()).unwrap();
    assert_eq!(over.state, OperationState::Succeeded, "{:?}", over.problem);
    assert!(writing.await.unwrap() > 10, "the source was not in use");
    let copy = tenant::show(&world.control, &production(), &slug("copy")).await.unwrap().database.unwrap();
    let inside = world.server.connect(copy.as_str()).await;
    let (a, z) = (number(&inside, "SELECT count(*) FROM a").await, number(&inside, "SELECT count(*) FROM z").await);
    assert!(a == z && a >= 20_000, "{a} and {z}");
}

/// Everything that an owner can write and that a restore sets off. Each trap writes down who ran it.
const TRAPS: &str = r#"
CREATE TABLE public.canary (who text, what text);
CREATE FUNCTION public.trap(what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.canary VALUES (current_user || '/' || session_user, what);
    BEGIN EXECUTE 'CREATE ROLE escaped SUPERUSER'; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
    BEGIN EXECUTE 'RESET ROLE; RESET SESSION AUTHORIZATION'; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE format('GRANT ALL ON DATABASE %I TO PUBLIC', current_database()); EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE format('ALTER ROLE %I PASSWORD ''known''', current_user); EXCEPTION WHEN OTHERS THEN NULL; END;
    RETURN true;
END $$;
CREATE FUNCTION public.number(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM public.trap('index'); RETURN i; END $$;
CREATE FUNCTION public.checked(i int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN public.trap('check'); END $$;
CREATE TABLE public.bait (id int DEFAULT public.number(1), CHECK (public.checked(id)));
INSERT INTO public.bait VALUES (1), (2);
CREATE INDEX bait_number ON public.bait (public.number(id));
CREATE MATERIALIZED VIEW public.view AS SELECT public.trap('view') AS x;
CREATE FUNCTION public.on_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.trap('trigger'); RETURN NEW; END $$;
CREATE TRIGGER trap BEFORE INSERT ON public.bait FOR EACH ROW EXECUTE FUNCTION public.on_insert();
ALTER TABLE public.bait ENABLE ALWAYS TRIGGER trap;
-- Names that could leave their place in a script.
CREATE TABLE public."x
\! touch /tmp/holm-escaped
CREATE ROLE escaped SUPERUSER; --" (id int);
CREATE TABLE public."""; DROP SCHEMA public CASCADE; --" (id int);
CREATE SCHEMA "$user";
DO $$ BEGIN
    EXECUTE format('CREATE SCHEMA %I', current_user);
    EXECUTE format('CREATE TABLE %I (id int)', replace(current_user, '_owner', '_rw'));
    EXECUTE format('COMMENT ON TABLE public.bait IS %L', E'x\n\\! touch /tmp/holm-escaped\n');
    EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());
    EXECUTE format('ALTER ROLE %I SET search_path = public, pg_catalog', current_user);
END $$;
-- Stand-ins for what Holm and PostgreSQL's programs ask.
CREATE VIEW public.pg_extension AS SELECT 'x'::name AS extname, public.trap('pg_extension') AS t;
CREATE FUNCTION public.to_regclass(text) RETURNS regclass LANGUAGE sql AS $$ SELECT NULL::regclass WHERE public.trap('to_regclass') $$;
CREATE DOMAIN public.text AS pg_catalog.text;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_tenant_wrote_runs_only_as_the_owner_of_the_copy() {
    let settings = vec![("log_connections", "on")];
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], settings, ..Setup::default() }).await;
    let source = world.create("goteborg").await.unwrap().database.unwrap();
    let verifier = verifier(&world, &source).await;
    owner(&world, &source).await.batch_execute(TRAPS).await.unwrap();
    // One of the traps has changed it.
    put_back(&world, &source, &verifier).await;
    world.settled().await;
    let before = world.server.log().len();
    let copy = copied(&world, "goteborg", "copy").await;
    let log = world.server.log()[before..].to_owned();
    assert!(log.contains(&format!("user={copy}_owner")), "connections are not logged");
    for database in [&source, &copy] {
        assert!(!log.contains(&format!("user=holm database={database}")), "a privileged session in a tenant's database");
    }
    assert!(!std::path::Path::new("/tmp/holm-escaped").exists(), "a name became a command of psql");
    let inside = world.server.connect(copy.as_str()).await;
    let who: Vec<String> =
        inside.query("SELECT DISTINCT who FROM public.canary", &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(who.contains(&format!("{copy}_owner/{copy}_owner")), "no trap was set off: {who:?}");
    assert!(
        who.iter().all(|who| *who == format!("{copy}_owner/{copy}_owner") || *who == format!("{source}_owner/{source}_owner")),
        "{who:?}"
    );
    assert_eq!(number(&inside, "SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) 'escaped'::name").await, 0);
    // What it did to its own roles and its own door while it was restored is put right; what the source did is its own.
    let admin = world.server.connect("postgres").await;
    admin.batch_execute(&format!("REVOKE ALL ON DATABASE \"{source}\" FROM PUBLIC")).await.unwrap();
    world.assert_whole().await;
}

/// Set off in a copy only, by the first row. What it sets is for sessions that come later: Holm's own.
const SHUTS_ITSELF_IN: &str = "\
CREATE FUNCTION public.shuts() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF current_database() <> 'SOURCE' THEN
        EXECUTE format('ALTER ROLE %I SET default_transaction_read_only = on', current_user);
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = nowhere', current_user, current_database());
        EXECUTE format('ALTER DATABASE %I SET statement_timeout = 1', current_database());
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), current_user);
    END IF;
    RETURN true;
END $$;
CREATE TABLE public.once (id int CHECK (public.shuts()));
INSERT INTO public.once VALUES (1)";

#[tokio::test(flavor = "multi_thread")]
async fn what_content_sets_for_later_sessions_while_it_comes_is_neither_in_the_way_nor_left() {
    let world = world().await;
    let source = world.create("goteborg").await.unwrap().database.unwrap();
    owner(&world, &source).await.batch_execute(&SHUTS_ITSELF_IN.replace("SOURCE", source.as_str())).await.unwrap();
    let copy = copied(&world, "goteborg", "copy").await;
    let inside = world.server.connect(copy.as_str()).await;
    assert_eq!(number(&inside, "SELECT count(*) FROM once").await, 1);
    assert_eq!(number(&inside, "SELECT count(*) FROM pg_db_role_setting").await, 0);
    world.login(&copy, "owner").await.batch_execute("CREATE TABLE works (id int)").await.unwrap();
    world.assert_whole_but_for_logins().await;
}

/// A login as the owner, as Holm itself may need one afterwards: its own password is put back.
async fn owner(world: &World, database: &DatabaseName) -> Client {
    let verifier = verifier(world, database).await;
    let owner = world.login(database, "owner").await;
    put_back(world, database, &verifier).await;
    owner
}

async fn verifier(world: &World, database: &DatabaseName) -> String {
    let admin = world.server.connect("postgres").await;
    let sql = "SELECT rolpassword FROM pg_authid WHERE rolname = $1 || '_owner'";
    admin.query_one(sql, &[&database.as_str()]).await.unwrap().get(0)
}

async fn put_back(world: &World, database: &DatabaseName, verifier: &str) {
    let admin = world.server.connect("postgres").await;
    admin.batch_execute(&format!("ALTER ROLE \"{database}_owner\" PASSWORD '{verifier}'")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_cancelled_while_content_is_coming_stops_at_once_and_leaves_nothing() {
    let world = world().await;
    let source = world.create("goteborg").await.unwrap().database.unwrap();
    // Sleeps in the copy only.
    owner(&world, &source)
        .await
        .batch_execute(&format!(
            "CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
         BEGIN IF current_user <> '{source}_owner' THEN PERFORM pg_sleep(1000); END IF; RETURN i; END $$;
         CREATE TABLE t (id int); INSERT INTO t VALUES (1); CREATE INDEX ON t (public.slow(id))"
        ))
        .await
        .unwrap();
    let id = begin(&world, "goteborg", called("copy")).await.unwrap();
    let admin = world.server.connect("postgres").await;
    eventually(PATIENCE, "the restore sleeps", async || {
        number(&admin, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").await.eq(&1).then_some(())
    })
    .await;
    let name = number(&admin, &format!("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'holm {id} %'")).await;
    assert!(name >= 2, "the sessions of the programs bear the operation's name");
    let progress = eventually(PATIENCE, "it tells how far it is", async || show::show(&world.control, id).await.unwrap().progress).await;
    assert!(progress["unit"] == "bytes" && progress["done"].as_u64() > Some(0) && progress["done"].as_u64() < progress["of"].as_u64());
    let shown = tenant::show(&world.control, &production(), &slug("copy")).await.unwrap();
    assert_eq!((shown.state, shown.made_by), (TenantState::Creating, Some(id)));
    assert_eq!(world.complaints().await, Vec::new(), "what is being made is not missing");
    for refused in [
        delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), delete::GRACE, None).await.unwrap_err(),
        begin(&world, "goteborg", called("another")).await.unwrap_err(),
    ] {
        assert_eq!(refused.code, ErrorCode::OperationInProgress, "the source is held");
    }
    assert_eq!(begin(&world, "copy", called("another")).await.unwrap_err().code, ErrorCode::OperationInProgress);
    assert_eq!(world.create("copy").await.unwrap_err().code, ErrorCode::SlugTaken);
    people::tell(&world.control, &DEV, id, Word::Cancel { reason: None }).await.unwrap();
    undone(&world, id).await;
    let left = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'holm {id} %'");
    assert_eq!(number(&admin, &left).await, 0);
    assert_eq!(tenant::show(&world.control, &production(), &slug("copy")).await.unwrap_err().code, ErrorCode::TenantNotFound);
    world.assert_whole().await;
    assert_eq!(world.count("database WHERE state = 'claimed'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenant_is_copied_and_the_copy_serves() {
    let world = world().await;
    world.create("goteborg").await.unwrap();
    tenant::suspend(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
    copied(&world, "goteborg", "copy").await;
    assert_eq!(tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap().state, TenantState::Suspended);
    assert_eq!(tenant::show(&world.control, &production(), &slug("copy")).await.unwrap().state, TenantState::Serving);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_copied_is_refused_with_the_reason_and_leaves_nothing() {
    let world = world().await;
    let source = world.create("goteborg").await.unwrap().database.unwrap();
    world.create("malmo").await.unwrap();
    assert_eq!(begin(&world, "goteborg", called("malmo")).await.unwrap_err().code, ErrorCode::SlugTaken);
    assert_eq!(begin(&world, "nobody", called("copy")).await.unwrap_err().code, ErrorCode::TenantNotFound);
    let elsewhere = |name: &str| NewTenantCopy { cluster: Some(name.parse().unwrap()), ..called("copy") };
    assert_eq!(begin(&world, "goteborg", elsewhere("nowhere")).await.unwrap_err().code, ErrorCode::ClusterNotFound);
    let staging = NewEnvironment {
        name: "staging".parse().unwrap(),
        kind: holm_core::environment::EnvironmentKind::Staging,
        domain: "staging.localhost".parse().unwrap(),
        pool_size: 0,
        ..world.new_environment()
    };
    environment::ensure(&world.control, &DEV, staging).await.unwrap();
    let other = new_server(&[]).await;
    let registered = holm_engine::cluster::NewCluster {
        address: other.address.clone(),
        admin_role: other.superuser.clone(),
        admin_password: other.password.clone(),
        ..world.new_cluster("staging-1", "staging")
    };
    holm_engine::cluster::register(&world.control, &DEV, registered).await.unwrap();
    let refused = begin(&world, "goteborg", elsewhere("staging-1")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ClusterElsewhere);
    assert!(refused.why.unwrap().contains("stays in its environment"));
    assert_eq!(world.count("operation").await, 0);
    // Made there by somebody who may.
    let superuser = world.server.connect(source.as_str()).await;
    superuser.batch_execute("CREATE EXTENSION dblink SCHEMA public").await.unwrap();
    let id = begin(&world, "goteborg", called("copy")).await.unwrap();
    let problem = undone(&world, id).await.problem.unwrap();
    assert_eq!(problem.code, ErrorCode::CopyRefused);
    assert!(problem.why.as_ref().unwrap().contains("`dblink`"), "{problem:?}");
    superuser.batch_execute("DROP EXTENSION dblink; CREATE TABLE secret (id int); REVOKE ALL ON secret FROM PUBLIC").await.unwrap();
    let id = begin(&world, "goteborg", called("copy")).await.unwrap();
    let problem = undone(&world, id).await.problem.unwrap();
    assert!(problem.why.as_ref().unwrap().contains("permission denied for table secret"), "read as its own owner only: {problem:?}");
    world.until_count("database WHERE state = 'condemned'", 0).await;
    assert_eq!(world.orphans().await, Vec::<String>::new());
}
