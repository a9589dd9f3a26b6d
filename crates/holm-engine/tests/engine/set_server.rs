//! A cluster whose server moves, gets another certificate or another password stays the cluster that it is.

use holm_core::cluster::state::ClusterState;
use holm_core::cluster::tls::{Roots, ServerTls};
use holm_core::credential::Level;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_engine::cluster;
use holm_engine::cluster::set_server::{Who, set_server};
use holm_engine::cluster::url::{Beside, ServerUrl};
use holm_engine::residency::placed::{Claim, set_place};
use holm_store::cluster::Cluster;
use holm_testkit::certificates::Authority;
use holm_testkit::new_server;

use crate::adopting::{adopted, bring};
use crate::support::{DEV, SCHEMA, Setup, World, production, slug};

fn read(url: &str, sslmode: &str, root: Option<String>) -> ServerUrl {
    let beside = Beside { sslmode: Some(sslmode.to_owned()), ssl_root_cert: root, ..Beside::default() };
    ServerUrl::read(&Secret::new(url.to_owned()), &beside).unwrap()
}

async fn shown(world: &World) -> Cluster {
    cluster::show(&world.control, &"production-1".parse().unwrap()).await.unwrap().0
}

/// Somebody says where it is.
async fn place(world: &World) {
    let claim = Claim { provider: "scalingo".to_owned(), region: "osc-fr1".to_owned(), plan: None, evidence: None };
    set_place(&world.control, &DEV, &"production-1".parse().unwrap(), claim).await.unwrap();
}

async fn change(world: &World, url: ServerUrl) -> Result<Cluster, Problem> {
    set_server(&world.control, &DEV, &"production-1".parse().unwrap(), url, Who::TheSame).await
}

fn sha256(bytes: &[u8]) -> String {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_gets_another_name_a_certificate_a_password_and_a_new_authority_and_its_tenants_stay() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let first = world.create("goteborg").await.unwrap();
    place(&world).await;
    let before = shown(&world).await;
    world.server.connect("postgres").await.batch_execute("CREATE ROLE elsewhere SUPERUSER LOGIN PASSWORD 'far away'").await.unwrap();
    let url = format!("postgresql://elsewhere:far%20away@localhost:{}", world.server.address.port);
    for (number, tenant) in ["malmo", "uppsala"].into_iter().enumerate() {
        world.until_count("database WHERE state = 'ready'", 1).await;
        let authority = Authority::new(&format!("authority number {number}"));
        let shows = authority.issue(&["localhost"]);
        world.server.speak_tls(&shows).await;
        if number > 0 {
            // The certificates that Holm has lead nowhere any more, which the next in the pool meets.
            world.create("stockholm").await.unwrap();
            assert_eq!(world.trouble().await.code, ErrorCode::TlsTowardsServer);
        }
        let changed = change(&world, read(&url, "verify-full", Some(authority.pem()))).await.unwrap();
        let tls = ServerTls::VerifyFull(Roots::Given(authority.pem().parse().unwrap()));
        assert_eq!(
            (&*changed.access.address.host, changed.access.admin_role.as_str(), &changed.access.tls),
            ("localhost", "elsewhere", &tls)
        );
        assert_eq!((changed.id, changed.system_identifier, changed.state), (before.id, before.system_identifier, ClusterState::Open));
        assert_eq!(changed.access.connections_max, before.access.connections_max);
        // Which key it shows is seen; another one is told, and refuses nothing.
        let seen = &changed.capability.as_ref().unwrap().facts;
        assert_eq!(seen.tls_key.as_deref(), Some(&*sha256(&shows.public_key())));
        let told = changed.changed.as_ref().map(|(before, _)| seen.differences(&before.facts)).unwrap_or_default();
        assert_eq!(told.iter().any(|text| text.starts_with("TLS key")), number > 0, "{told:?}");
        // At another address it may be in another country.
        assert_eq!((changed.placed.is_some(), number > 0), (number > 0, number > 0));
        place(&world).await;
        // Confirmed: the data plane has it, and the pool is filled that way.
        let table = world.control.publisher().table();
        assert!(table.clusters().all(|cluster| cluster.tls == tls && &*cluster.address.host == "localhost"), "{number}");
        let made = world.create(tenant).await.unwrap();
        assert_ne!(made.database, first.database);
        world.untroubled().await;
    }
    // Only the password is said anew: it is spoken to as before.
    world.server.connect("postgres").await.batch_execute("ALTER ROLE elsewhere PASSWORD 'farther away'").await.unwrap();
    let silent = ServerUrl::read(&Secret::new(url.replace("far%20away", "farther%20away")), &Beside::default()).unwrap();
    assert_eq!((&silent.tls, silent.says_tls), (&ServerTls::Disable, false));
    let before = shown(&world).await;
    let changed = change(&world, silent).await.unwrap();
    assert_eq!((&changed.access.tls, &changed.access.address), (&before.access.tls, &before.access.address));
    assert!(changed.access.sealed_admin_password != before.access.sealed_admin_password && changed.changed == before.changed);
    assert_eq!(world.count("audit_entry WHERE action = 'cluster.change'").await, 3);
}

/// A switch to another machine while the one before still works: a copy of the server would have all of Holm's rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_not_reached_elsewhere_while_another_server_answers_at_its_address() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let other = new_server(&[]).await;
    let (role, password) = (world.server.superuser.as_ident(), world.server.password.expose());
    // As if the cluster had been there: the identifier is that of the server at the new address.
    let catalog = world.catalog().await;
    catalog.execute("UPDATE cluster SET port = $1", &[&i32::from(other.address.port)]).await.unwrap();
    let elsewhere = read(&world.server.url("postgres"), "disable", None);
    for can_be_seen in [false, true] {
        if can_be_seen {
            let sql = format!("ALTER ROLE {role} PASSWORD '{password}'");
            other.connect("postgres").await.batch_execute(&sql).await.unwrap();
        }
        let problem = change(&world, elsewhere.clone()).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (ErrorCode::ClusterElsewhere, Changed::Nothing), "{problem:?}");
        assert!(problem.next[0].contains("stop the server") && !format!("{problem:?}").contains(password.as_str()), "{problem:?}");
        assert_eq!(problem.why.unwrap().contains("cannot be seen"), !can_be_seen);
    }
    drop(other);
    assert_eq!(change(&world, elsewhere).await.unwrap().access.address.port, world.server.address.port);
    world.create("goteborg").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_server_takes_a_clusters_place_and_what_fails_changes_nothing() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let (before, other) = (shown(&world).await, new_server(&[]).await);
    let admin = world.server.connect("postgres").await;
    admin.batch_execute("CREATE ROLE modest LOGIN PASSWORD 'humble'; GRANT CONNECT ON DATABASE postgres TO modest").await.unwrap();
    let at = |login: &str| format!("postgresql://{login}@127.0.0.1:{}", world.server.address.port);
    let ours = world.server.url("postgres");
    for (url, sslmode, code) in [
        (other.url("postgres"), "disable", ErrorCode::ClusterElsewhere),
        (at("modest:humble"), "disable", ErrorCode::ServerUnsuitable),
        (at("modest:hunter22"), "disable", ErrorCode::ClusterRefused),
        (ours.clone(), "verify-full", ErrorCode::TlsTowardsServer),
        (ours.replace("/postgres", "/template1"), "disable", ErrorCode::InvalidValue),
    ] {
        let problem = change(&world, read(&url, sslmode, None)).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (code, Changed::Nothing), "{problem:?}");
        for secret in ["humble", "hunter22", world.server.password.expose(), other.password.expose()] {
            assert!(!format!("{problem:?}").contains(secret), "{problem:?}");
        }
        assert!(!problem.next.is_empty(), "{problem:?}");
    }
    assert_eq!(shown(&world).await.access, before.access);
    assert_eq!(world.count("audit_entry WHERE action = 'cluster.change'").await, 0);
    let nowhere =
        set_server(&world.control, &DEV, &"nowhere".parse().unwrap(), read(&ours, "disable", None), Who::TheSame).await.unwrap_err();
    assert_eq!(nowhere.code, ErrorCode::ClusterNotFound);
}

/// What the data plane logs in with, as the server would know it: the role, and base64 of H(ClientKey).
fn login(world: &World) -> (String, String) {
    let table = world.control.publisher().table();
    let route = table.route(&production(), &slug("malmo")).unwrap();
    let login = route.login(Level::Owner).unwrap();
    let stored = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, login.keys.client_key.expose());
    (login.role.to_string(), base64::Engine::encode(&base64::engine::general_purpose::STANDARD, stored.as_ref()))
}

async fn is_on_the_server(admin: &tokio_postgres::Client, (role, stored): &(String, String)) -> bool {
    let verifier: String = admin.query_one("SELECT rolpassword FROM pg_authid WHERE rolname = $1", &[role]).await.unwrap().get(0);
    verifier.contains(&format!("${stored}:"))
}

async fn change_malmo(world: &World, url: ServerUrl) -> Result<Cluster, Problem> {
    set_server(&world.control, &DEV, &"production-malmo".parse().unwrap(), url, Who::TheSame).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_somebody_brought_gets_another_password_a_role_and_a_certificate_and_its_tenant_stays() {
    let world = World::without_cluster(Setup { pool_size: 1, ..Setup::default() }, new_server(&[]).await).await;
    let url = bring(&world.server, "app").await;
    adopted(&world, "malmo", &url).await;
    let (admin, first) = (world.server.connect("postgres").await, login(&world));
    assert!(is_on_the_server(&admin, &first).await);
    let tenant = world.control.publisher().table().route(&production(), &slug("malmo")).unwrap().tenant;

    // Its owner has changed the password, as one does once a year.
    admin.batch_execute("ALTER ROLE app PASSWORD 'of this year'").await.unwrap();
    let url = url.replace("brought%20by%20app", "of%20this%20year");
    change_malmo(&world, read(&url, "disable", None)).await.unwrap();
    let second = login(&world);
    assert!(second.0 == "app" && second != first && is_on_the_server(&admin, &second).await);

    // Then it has another owner. Its name is not believed to be another's as well: at the old address nobody can look any more.
    admin.batch_execute("CREATE ROLE successor LOGIN PASSWORD 'the third'; ALTER DATABASE app OWNER TO successor").await.unwrap();
    let url = |host: &str| format!("postgresql://successor:the%20third@{host}:{}/app", world.server.address.port);
    let both = change_malmo(&world, read(&url("localhost"), "disable", None)).await.unwrap_err();
    assert_eq!((both.code, both.changed, login(&world)), (ErrorCode::ClusterElsewhere, Changed::Nothing, second));
    change_malmo(&world, read(&url(&world.server.address.host), "disable", None)).await.unwrap();
    let authority = Authority::new("theirs");
    world.server.speak_tls(&authority.issue(&["localhost", &world.server.address.host])).await;
    change_malmo(&world, read(&url(&world.server.address.host), "verify-full", Some(authority.pem()))).await.unwrap();
    let changed = change_malmo(&world, read(&url("localhost"), "verify-full", None)).await.unwrap_err();
    assert_eq!(changed.code, ErrorCode::TlsTowardsServer, "the roots are said with the mode, or neither is: {changed:?}");
    let changed = change_malmo(&world, read(&url("localhost"), "verify-full", Some(authority.pem()))).await.unwrap();
    let third = login(&world);
    assert!(third.0 == "successor" && is_on_the_server(&admin, &third).await);
    assert_eq!((&*changed.access.address.host, changed.access.tls.is_encrypted(), changed.state), ("localhost", true, ClusterState::Open));
    let table = world.control.publisher().table();
    let route = table.route(&production(), &slug("malmo")).unwrap();
    assert_eq!((route.tenant, route.database.as_str()), (tenant, "app"));
    assert!(table.clusters().all(|cluster| &*cluster.address.host == "localhost" && cluster.tls.is_encrypted()));
    assert_eq!(world.count("audit_entry WHERE action = 'cluster.change'").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_takes_the_place_of_a_database_that_somebody_brought_and_nobody_with_more_power() {
    let world = World::without_cluster(Setup { pool_size: 1, ..Setup::default() }, new_server(&[]).await).await;
    let url = bring(&world.server, "app").await;
    adopted(&world, "malmo", &url).await;
    let elsewhere = new_server(&[]).await;
    let copy = bring(&elsewhere, "app").await;
    let other = bring(&world.server, "other").await;
    let admin = world.server.connect("postgres").await;
    admin.batch_execute("CREATE ROLE guest LOGIN PASSWORD 'humble'; GRANT CONNECT ON DATABASE app TO guest").await.unwrap();
    let (before, known) = (login(&world), cluster::show(&world.control, &"production-malmo".parse().unwrap()).await.unwrap().0.access);
    let guest = format!("postgresql://guest:humble@{}/app", world.server.address);
    for (url, code) in [
        (copy, ErrorCode::ClusterElsewhere),
        (other, ErrorCode::InvalidValue),
        (world.server.url("app"), ErrorCode::TooPowerful),
        (guest, ErrorCode::ServerUnsuitable),
        (url.replace("brought%20by", "guessed%20by"), ErrorCode::ClusterRefused),
    ] {
        let problem = change_malmo(&world, read(&url, "disable", None)).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (code, Changed::Nothing), "{problem:?}");
        assert!(!problem.next.is_empty() && !format!("{problem:?}").contains("brought by") && !format!("{problem:?}").contains("humble"));
    }
    // One of the same name that was made anew is another database.
    admin.batch_execute("DROP DATABASE app WITH (FORCE)").await.unwrap();
    admin.batch_execute("CREATE DATABASE app OWNER app TEMPLATE template0; ").await.unwrap();
    let problem = change_malmo(&world, read(&url, "disable", None)).await.unwrap_err();
    assert!(problem.code == ErrorCode::ClusterElsewhere && problem.why.as_deref().is_some_and(|why| why.contains("number")), "{problem:?}");
    assert_eq!(login(&world), before);
    assert_eq!(cluster::show(&world.control, &"production-malmo".parse().unwrap()).await.unwrap().0.access, known);
    assert_eq!(world.count("audit_entry WHERE action = 'cluster.change'").await, 0);
}
