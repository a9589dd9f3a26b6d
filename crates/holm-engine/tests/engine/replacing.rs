//! A server that was made anew takes its cluster's place when somebody says so, with everything that is a tenant's, or not at all.

use std::collections::BTreeMap;

use holm_core::audit::Reason;
use holm_core::cluster::state::ClusterState;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::placement::{Placement, SystemIdentifier};
use holm_core::role::DatabaseName;
use holm_core::secret::Secret;
use holm_engine::cluster::remove::Manner;
use holm_engine::cluster::set_server::{Who, set_server};
use holm_engine::cluster::url::ServerUrl;
use holm_engine::cluster::{self, drain, remove};
use holm_engine::operation::people::{self, Word};
use holm_engine::operation::show;
use holm_engine::residency::watch;
use holm_engine::tenant::copy::{self, NewTenantCopy};
use holm_link::certificate::check;
use holm_store::cluster::Cluster;
use holm_testkit::{TestServer, eventually, new_server};

use crate::adopting::{adopted, bring};
use crate::placing::{another, place, told};
use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World, production, slug};

fn why() -> Reason {
    "a newer PostgreSQL, change 4711".parse().unwrap()
}

async fn set(world: &World, name: &str, url: &str, who: Who) -> Result<Cluster, Problem> {
    let url = ServerUrl::parse(&Secret::new(url.to_owned()), None).unwrap();
    set_server(&world.control, &DEV, &name.parse().unwrap(), url, who).await
}

async fn replaced(world: &World, url: &str) -> Result<Cluster, Problem> {
    set(world, "production-1", url, Who::InItsPlace(why())).await
}

async fn shown(world: &World, name: &str) -> Cluster {
    cluster::show(&world.control, &name.parse().unwrap()).await.unwrap().0
}

/// Which server each tenant's certificate is for, of certificates that are good now; and the route's epoch.
fn certified(world: &World, names: &[&str]) -> BTreeMap<String, (Option<SystemIdentifier>, u64)> {
    let table = world.control.publisher().table();
    let now = world.control.publisher().routes().now();
    let one = |name: &&str| {
        let route = table.route(&production(), &slug(name)).unwrap();
        (String::from(*name), (check(route, &table, now).unwrap(), route.epoch))
    };
    names.iter().map(one).collect()
}

async fn write(server: &TestServer, database: &DatabaseName, name: &str) {
    let inside = server.connect(database.as_str()).await;
    inside.execute("INSERT INTO musician (name, plays) VALUES ($1, 'viola')", &[&name]).await.unwrap();
}

async fn musicians(world: &World, database: &DatabaseName) -> i64 {
    world.login(database, "owner").await.query_one("SELECT count_musicians()", &[]).await.unwrap().get(0)
}

async fn detail(world: &World, action: &str) -> (Option<String>, String) {
    let sql = "SELECT reason, detail FROM audit_entry WHERE action = $1 ORDER BY seq DESC LIMIT 1";
    let row = world.catalog().await.query_one(sql, &[&action]).await.unwrap();
    (row.get(0), row.get(1))
}

/// Nothing changed, nothing secret is said, and there is a next step.
fn is_refused(found: Result<Cluster, Problem>, code: ErrorCode, says: &str) {
    let problem = found.unwrap_err();
    assert_eq!((problem.code, problem.changed), (code, Changed::Nothing), "{problem:?}");
    let text = format!("{problem:?}");
    assert!(text.contains(says) && !problem.next.is_empty(), "{says}: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_a_server_that_was_made_anew_takes_its_clusters_place_and_its_tenants_go_on_there() {
    let mut world = World::start(Setup { pool_size: 2, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let (goteborg, malmo) = (world.create("goteborg").await.unwrap(), world.create("malmo").await.unwrap());
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    world.settled().await;
    let database = goteborg.database.unwrap();
    write(&world.server, &database, "Ann").await;
    let (before, epochs) = (shown(&world, "production-1").await, certified(&world, &["goteborg", "malmo"]));
    let anew = world.server.made_anew().await;
    let url = anew.url("postgres");
    is_refused(set(&world, "production-1", &url, Who::TheSame).await, ErrorCode::ClusterElsewhere, "--replaced");
    is_refused(replaced(&world, &url).await, ErrorCode::ClusterElsewhere, "stop the server");
    world.server.stop().await;

    let changed = replaced(&world, &url).await.unwrap();
    assert_eq!((changed.id, changed.state, &changed.access.address), (before.id, ClusterState::Open, &anew.address));
    assert_eq!(changed.system_identifier, anew.system_identifier().0);
    assert!(before.placed.is_some() && changed.placed.is_none(), "at another address it may be in another country");
    // In the version of the routes that was waited for: nobody was withheld in between.
    for (name, (server, epoch)) in certified(&world, &["goteborg", "malmo"]) {
        assert_eq!(server, Some(anew.system_identifier()), "{name}");
        assert!(epoch > epochs[&name].1, "pools of the former server are of no use");
    }
    let (reason, text) = detail(&world, "cluster.replace").await;
    let (was, is) = (world.server.system_identifier(), anew.system_identifier());
    assert_eq!((reason.as_deref(), text), (Some(why().as_str()), format!(r#"{{"before":"{was}","after":"{is}"}}"#)));
    drop(std::mem::replace(&mut world.server, anew));
    assert_eq!(musicians(&world, &database).await, 1);
    // What nobody had is made anew, and the next tenant gets one of these.
    let uppsala = world.create("uppsala").await.unwrap();
    assert!(![malmo.database, Some(database)].contains(&uppsala.database));
    world.assert_whole_but_for_logins().await;
    // Judging finds nothing to say of it.
    let said = certified(&world, &["goteborg", "malmo"]);
    watch::judge(world.control.clone()).await.unwrap();
    assert_eq!(certified(&world, &["goteborg", "malmo"]), said);
}

/// What a removal gives back was taken from that server, and not from the one that was there before.
#[tokio::test(flavor = "multi_thread")]
async fn what_everyone_had_on_the_new_server_they_have_again_when_its_cluster_is_removed() {
    let mut world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    world.settled().await;
    let anew = world.server.made_anew().await;
    let admin = anew.connect("postgres").await;
    for sql in ["REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC", "GRANT CONNECT ON DATABASE postgres TO PUBLIC"] {
        admin.batch_execute(sql).await.unwrap();
    }
    let everyone = async || {
        let sql = "SELECT d.datname || ' ' || acl.privilege_type
                   FROM pg_database d, LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) acl
                   WHERE d.datname IN ('postgres', 'template1') AND acl.grantee = 0
                   ORDER BY 1";
        admin.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    assert_eq!(everyone().await, ["postgres CONNECT"]);
    let url = anew.url("postgres");
    is_refused(replaced(&world, &url).await, ErrorCode::ClusterElsewhere, "stop the server");
    assert_eq!(everyone().await, ["postgres CONNECT"], "a server that is refused is left as it was");
    world.server.stop().await;
    replaced(&world, &url).await.unwrap();
    assert_eq!(everyone().await, Vec::<String>::new());
    drop(std::mem::replace(&mut world.server, anew));
    let name = "production-1".parse().unwrap();
    let draining = drain::drain(&world.control, &DEV, &name, None).await.unwrap();
    show::succeeded(&world.control, draining, PATIENCE).await.unwrap();
    let removing = remove::remove(&world.control, &DEV, &name, Manner::InOrder, None).await.unwrap();
    show::succeeded(&world.control, removing, PATIENCE).await.unwrap();
    assert_eq!(everyone().await, ["postgres CONNECT"]);
}

/// `pg_upgrade` and a provider's restore leave a server where it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_made_anew_at_its_own_address_stays_where_it_was_said_to_be() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    told(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    world.settled().await;
    let former = world.server.system_identifier();
    world.server.become_another(world.server.made_anew().await).await;
    assert_ne!(world.server.system_identifier(), former);
    let trouble = cluster::observe_now(&world.control, &"production-1".parse().unwrap()).await.unwrap_err();
    let says = |text: &str| text.contains("set-server production-1 --env production --server …") && text.contains("--replaced");
    assert!(says(&trouble.next[0]), "{trouble:?}");
    let found = world.complaints().await;
    assert!(found.iter().any(|found| found.check.ends_with(": server") && says(found.next.as_deref().unwrap_or_default())), "{found:?}");
    let url = world
        .server
        .url("postgres")
        .replace(&world.server.address.to_string(), &shown(&world, "production-1").await.access.address.to_string());
    let changed = replaced(&world, &url).await.unwrap();
    assert_eq!(changed.placed.unwrap().place, "nordlys/no-osl");
    assert_eq!(certified(&world, &["goteborg"])["goteborg"].0, Some(world.server.system_identifier()));
    world.untroubled().await;
    world.assert_whole().await;
    // Said again, it is not another one.
    is_refused(replaced(&world, &url).await, ErrorCode::InvalidValue, "leave out `--replaced`");
    assert_eq!(world.count("audit_entry WHERE action = 'cluster.replace'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lacks_anything_of_a_tenants_takes_no_place_and_what_it_lacks_is_named() {
    let mut world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let names = [world.create("goteborg").await.unwrap(), world.create("malmo").await.unwrap()].map(|tenant| tenant.database.unwrap());
    let [goteborg, malmo] = &names;
    world.settled().await;
    let anew = world.server.made_anew().await;
    world.server.stop().await;
    let (url, admin) = (anew.url("postgres"), anew.connect("postgres").await);
    let before = (shown(&world, "production-1").await, certified(&world, &["goteborg", "malmo"]));
    let verifier = async |role: &str| -> String {
        admin.query_one("SELECT rolpassword FROM pg_authid WHERE rolname = $1", &[&role]).await.unwrap().get(0)
    };
    let login = verifier(&format!("{goteborg}_rw")).await;
    let cases = [
        (format!("ALTER DATABASE {goteborg} RENAME TO gone"), format!("ALTER DATABASE gone RENAME TO {goteborg}"), goteborg.as_str()),
        (
            format!("ALTER DATABASE {malmo} OWNER TO {goteborg}_owner"),
            format!("ALTER DATABASE {malmo} OWNER TO {malmo}_owner"),
            "belong to another",
        ),
        (
            format!("GRANT CONNECT ON DATABASE {malmo} TO PUBLIC"),
            format!("REVOKE CONNECT ON DATABASE {malmo} FROM PUBLIC"),
            "open to others",
        ),
        (
            format!("GRANT CONNECT ON DATABASE {malmo} TO {goteborg}_ro"),
            format!("REVOKE CONNECT ON DATABASE {malmo} FROM {goteborg}_ro"),
            "open to others",
        ),
        (
            format!("REVOKE CONNECT ON DATABASE {malmo} FROM {malmo}_ro"),
            format!("GRANT CONNECT ON DATABASE {malmo} TO {malmo}_ro"),
            "closed to their own",
        ),
        (
            format!("ALTER ROLE {goteborg}_rw PASSWORD 'another'"),
            format!("ALTER ROLE {goteborg}_rw PASSWORD '{login}'"),
            "the login that Holm gave them",
        ),
        (format!("ALTER ROLE {malmo}_ro NOLOGIN"), format!("ALTER ROLE {malmo}_ro LOGIN"), "may not log in"),
        (format!("GRANT {goteborg}_ro TO {malmo}_ro"), format!("REVOKE {goteborg}_ro FROM {malmo}_ro"), "more than was given"),
        // Roles that are none of Holm's come along with a whole server.
        (
            format!("GRANT CONNECT ON DATABASE {malmo} TO analyst"),
            format!("REVOKE CONNECT ON DATABASE {malmo} FROM analyst"),
            "1 databases are open to others",
        ),
        (
            format!("CREATE ROLE {malmo}_admin; GRANT CONNECT ON DATABASE {malmo} TO {malmo}_admin"),
            format!("DROP OWNED BY {malmo}_admin; DROP ROLE {malmo}_admin"),
            "1 databases are open to others",
        ),
        (format!("GRANT {malmo}_owner TO analyst"), format!("REVOKE {malmo}_owner FROM analyst"), "1 roles may be acted as by others"),
        (format!("GRANT {goteborg}_ro TO analyst"), format!("REVOKE {goteborg}_ro FROM analyst"), "1 roles may be acted as by others"),
    ];
    admin.batch_execute("CREATE ROLE analyst LOGIN").await.unwrap();
    for (spoil, mend, says) in &cases {
        admin.batch_execute(spoil).await.unwrap();
        is_refused(replaced(&world, &url).await, ErrorCode::ServerUnsuitable, says);
        admin.batch_execute(mend).await.unwrap();
    }
    assert_eq!((shown(&world, "production-1").await, certified(&world, &["goteborg", "malmo"])), before);
    assert_eq!(world.count("audit_entry WHERE action = 'cluster.replace'").await, 0);
    // Whoever may do everything there gains nothing by this.
    admin.batch_execute(&format!("GRANT {malmo}_owner TO CURRENT_USER")).await.unwrap();
    // A dump leaves them open to everyone; whoever takes the server up does not.
    admin.batch_execute("GRANT CONNECT ON DATABASE postgres TO PUBLIC").await.unwrap();
    replaced(&world, &url).await.unwrap();
    let open = "SELECT has_database_privilege($1, 'postgres', 'CONNECT')";
    assert!(!admin.query_one(open, &[&format!("{goteborg}_owner")]).await.unwrap().get::<_, bool>(0));
    drop(std::mem::replace(&mut world.server, anew));
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_server_takes_a_clusters_place_that_is_the_catalogs_or_another_clusters_or_that_holm_could_not_work_on() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    let other = another(&world, "production-2").await;
    let third = new_server(&[]).await;
    third.connect("postgres").await.batch_execute("CREATE ROLE modest LOGIN PASSWORD 'humble'").await.unwrap();
    let ours = world.server.url("postgres");
    is_refused(replaced(&world, &ours).await, ErrorCode::InvalidValue, "already");
    world.server.stop().await;
    is_refused(replaced(&world, &holm_testkit::server().await.url("postgres")).await, ErrorCode::CatalogItself, "catalog");
    is_refused(replaced(&world, &other.url("postgres")).await, ErrorCode::ClusterTaken, "production-2");
    let modest = format!("postgresql://modest:humble@{}", third.address);
    is_refused(replaced(&world, &modest).await, ErrorCode::ServerUnsuitable, "not a superuser");
    is_refused(replaced(&world, &third.url("postgres")).await, ErrorCode::ServerUnsuitable, "1 databases are not there");
    is_refused(replaced(&world, &ours).await, ErrorCode::ClusterUnreachable, "does not answer");
    assert_eq!(world.count("audit_entry WHERE action = 'cluster.replace'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_somebody_brought_is_replaced_by_one_of_its_name_wherever_it_was_restored() {
    let world = World::without_cluster(Setup { pool_size: 1, ..Setup::default() }, new_server(&[]).await).await;
    let url = bring(&world.server, "app").await;
    adopted(&world, "malmo", &url).await;
    bring(&world.server, "other").await;
    let again = async |url: &str| set(&world, "production-malmo", url, Who::InItsPlace(why())).await;
    let before = shown(&world, "production-malmo").await;
    is_refused(again(&url).await, ErrorCode::InvalidValue, "already");
    is_refused(again(&url.replace("/app", "/other")).await, ErrorCode::InvalidValue, "another database");
    // Dropped and restored where it was: the same server, another number.
    let admin = world.server.connect("postgres").await;
    admin.batch_execute("DROP DATABASE app WITH (FORCE)").await.unwrap();
    admin.batch_execute("CREATE DATABASE app OWNER app TEMPLATE template0").await.unwrap();
    admin.batch_execute("REVOKE ALL ON DATABASE app FROM PUBLIC").await.unwrap();
    is_refused(set(&world, "production-malmo", &url, Who::TheSame).await, ErrorCode::ClusterElsewhere, "--replaced");
    is_refused(again(&world.server.url("app")).await, ErrorCode::TooPowerful, "superuser");
    let restored = again(&url).await.unwrap();
    assert_eq!(restored.system_identifier, before.system_identifier);
    let oid = |cluster: &Cluster| cluster.adopted.clone().unwrap().oid;
    assert_ne!(oid(&restored), oid(&before));
    assert_eq!(world.complaints().await, vec![]);
    // And on another server.
    let anew = world.server.made_anew().await;
    let url = url.replace(&world.server.address.to_string(), &anew.address.to_string());
    is_refused(again(&url).await, ErrorCode::ClusterElsewhere, "stop the server");
    world.server.stop().await;
    let moved = again(&url).await.unwrap();
    assert_eq!((moved.system_identifier, moved.id), (anew.system_identifier().0, before.id));
    let table = world.control.publisher().table();
    let route = table.route(&production(), &slug("malmo")).unwrap();
    assert_eq!(check(route, &table, world.control.publisher().routes().now()).unwrap(), Some(anew.system_identifier()));
    assert_eq!(world.complaints().await, vec![]);
}

const SECRETIVE: &str = "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_control_system() FROM PUBLIC";
const TELLING: &str = "GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO app";

/// A database `app` whose role may not ask which server it is on.
async fn by_address() -> (World, String) {
    let world = World::without_cluster(Setup { pool_size: 1, ..Setup::default() }, new_server(&[]).await).await;
    let url = bring(&world.server, "app").await;
    world.server.connect("app").await.batch_execute(SECRETIVE).await.unwrap();
    adopted(&world, "malmo", &url).await;
    assert_eq!(certified(&world, &["malmo"])["malmo"].0, None, "the address is all there is");
    (world, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_known_by_its_address_stays_itself_when_its_role_may_read_which_server_it_is() {
    let (world, _) = by_address().await;
    world.server.connect("app").await.batch_execute(TELLING).await.unwrap();
    let seen = cluster::observe_now(&world.control, &"production-malmo".parse().unwrap()).await.unwrap();
    assert_eq!(seen.system_identifier, world.server.system_identifier().0);
    let is = world.server.system_identifier();
    assert_eq!(detail(&world, "cluster.identify").await, (None, format!(r#"{{"before":"by address","after":"{is}"}}"#)));
    eventually(PATIENCE, "the certificate is for that server", async || {
        let found = certified(&world, &["malmo"])["malmo"].0;
        if found == Some(is) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    assert_eq!(world.complaints().await.iter().map(|found| found.text.clone()).collect::<Vec<_>>(), Vec::<String>::new());
    cluster::observe_now(&world.control, &"production-malmo".parse().unwrap()).await.unwrap();
    assert_eq!(world.count("audit_entry WHERE action = 'cluster.identify'").await, 1, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_known_by_its_address_is_reached_at_another_while_both_lead_to_one_server() {
    let (world, url) = by_address().await;
    let elsewhere = url.replace("127.0.0.1", "localhost");
    let first = shown(&world, "production-malmo").await;
    let changed = set(&world, "production-malmo", &elsewhere, Who::TheSame).await.unwrap();
    assert!(changed.system_identifier != first.system_identifier && &*changed.access.address.host == "localhost");
    cluster::observe_now(&world.control, &"production-malmo".parse().unwrap()).await.unwrap();
    // A copy of it on another server is none of it.
    let anew = world.server.made_anew().await;
    anew.connect("app").await.batch_execute(SECRETIVE).await.unwrap();
    let copy = url.replace(&world.server.address.to_string(), &anew.address.to_string());
    is_refused(set(&world, "production-malmo", &copy, Who::TheSame).await, ErrorCode::ClusterElsewhere, "--replaced");
    world.server.stop().await;
    is_refused(set(&world, "production-malmo", &copy, Who::TheSame).await, ErrorCode::ClusterElsewhere, "--replaced");
    let replaced = set(&world, "production-malmo", &copy, Who::InItsPlace(why())).await.unwrap();
    assert_eq!(&*replaced.access.address.host, &*anew.address.host);
    let (_, text) = detail(&world, "cluster.replace").await;
    assert_eq!(text, r#"{"before":"by address","after":"by address"}"#);
    assert!(matches!(world.control.publisher().table().route(&production(), &slug("malmo")).unwrap().placement, Placement::Certified(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_server_tells_no_more_which_it_is_is_known_by_its_address_only_when_somebody_says_so() {
    let world = World::without_cluster(Setup { pool_size: 1, ..Setup::default() }, new_server(&[]).await).await;
    adopted(&world, "malmo", &bring(&world.server, "app").await).await;
    let is = Some(world.server.system_identifier());
    let before = (shown(&world, "production-malmo").await, certified(&world, &["malmo"]));
    assert_eq!(before.1["malmo"].0, is);
    let inside = world.server.connect("app").await;
    inside.batch_execute(SECRETIVE).await.unwrap();
    let refused = cluster::observe_now(&world.control, &"production-malmo".parse().unwrap()).await;
    let problem = refused.unwrap_err();
    assert_eq!(problem.code, ErrorCode::ClusterRefused, "{problem:?}");
    assert!(problem.what.contains("does not say any more") && problem.next[0].contains("pg_control_system"), "{problem:?}");
    // Judging says nothing else of it than what was seen before.
    watch::judge(world.control.clone()).await.unwrap();
    let seen = |cluster: Cluster| (cluster.system_identifier, cluster.capability, cluster.changed);
    assert_eq!(seen(shown(&world, "production-malmo").await), seen(before.0));
    assert_eq!(certified(&world, &["malmo"])["malmo"].0, is, "a certificate for whoever has that address");
    assert_eq!(world.count("audit_entry WHERE action = 'cluster.identify'").await, 0);
    inside.batch_execute(TELLING).await.unwrap();
    let again = cluster::observe_now(&world.control, &"production-malmo".parse().unwrap()).await.unwrap();
    assert_eq!(Some(SystemIdentifier(again.system_identifier)), is);
    assert_eq!(world.complaints().await, vec![]);
}

/// The copy's content was on its way to the server that is gone, and the operation would go on as if it were on this one.
#[tokio::test(flavor = "multi_thread")]
async fn no_server_takes_the_place_of_one_on_which_a_tenant_is_being_made() {
    let mut world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let goteborg = world.create("goteborg").await.unwrap().database.unwrap();
    world.settled().await;
    let anew = world.server.made_anew().await;
    // Whoever copies it waits for this one.
    let holding = world.server.connect(goteborg.as_str()).await;
    holding.batch_execute("BEGIN; LOCK TABLE musician IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let new = NewTenantCopy { slug: slug("goteborg-copy"), cluster: None, ttl: None, reason: None };
    let copying = copy::copy(&world.control, &DEV, &production(), &slug("goteborg"), new).await.unwrap();
    eventually(PATIENCE, "the copy waits for the lock", async || {
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'musician'::regclass";
        let count: i64 = holding.query_one(waits, &[]).await.unwrap().get(0);
        if count > 0 { Ok(()) } else { Err(count) }
    })
    .await;
    world.server.stop().await;
    let url = anew.url("postgres");
    is_refused(replaced(&world, &url).await, ErrorCode::OperationInProgress, "a tenant is being made");
    assert_eq!(world.count("audit_entry WHERE action = 'cluster.replace'").await, 0);
    // What it was making is nobody's then, and is not looked for.
    people::tell(&world.control, &DEV, copying, Word::Abandon { reason: why() }).await.unwrap();
    world.until_count("tenant WHERE state = 'creating'", 0).await;
    replaced(&world, &url).await.unwrap();
    drop(std::mem::replace(&mut world.server, anew));
    assert_eq!(musicians(&world, &goteborg).await, 0);
}
