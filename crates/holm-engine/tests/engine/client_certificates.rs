//! Servers that want to see a certificate (`clientcert=verify-ca`): added with one, used for everything that Holm does there, and the
//! private key is nowhere but sealed.

use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_core::secret::Secret;
use holm_engine::cluster::add::{self, NewServer};
use holm_engine::cluster::client_certificate::{given, particulars};
use holm_engine::cluster::set_server::{Who, set_server, show_certificate};
use holm_engine::cluster::url::{Beside, ServerUrl};
use holm_engine::doctor::{self, Verdict};
use holm_engine::operation::show;
use holm_engine::tenant;
use holm_engine::tenant::adopt::{self, NewAdoption};
use holm_engine::tenant::copy::{self, NewTenantCopy};
use holm_store::environment::Seed;
use holm_testkit::certificates::{Authority, Certificate};
use holm_testkit::new_server;

use crate::adopting::bring;
use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World, production, slug};

/// Who issues what is shown, on both sides.
struct Authorities {
    servers: Authority,
    clients: Authority,
}

/// A server with a superuser that is let in with a certificate only.
async fn world(setup: Setup) -> (World, Authorities) {
    let server = new_server(&[]).await;
    let by = Authorities { servers: Authority::new("the servers' authority"), clients: Authority::new("the clients' authority") };
    server.connect("postgres").await.batch_execute("CREATE ROLE elsewhere SUPERUSER LOGIN PASSWORD 'far away'").await.unwrap();
    server.want_certificates(&by.servers.issue(&["127.0.0.1"]), &by.clients.pem()).await;
    (World::without_cluster(setup, server).await, by)
}

fn read(url: &str, by: &Authorities, shown: Option<&Certificate>) -> ServerUrl {
    try_read(url, by, shown.map(|shown| (shown.pem.clone(), shown.key_pem()))).unwrap()
}

fn try_read(url: &str, by: &Authorities, shown: Option<(String, String)>) -> Result<ServerUrl, Problem> {
    let (client_cert, client_key) = shown.unzip();
    let (sslmode, ssl_root_cert) = (Some("verify-ca".to_owned()), Some(by.servers.pem()));
    let beside = Beside { password: None, sslmode, ssl_root_cert, client_cert, client_key: client_key.map(Secret::new) };
    ServerUrl::read(&Secret::new(url.to_owned()), &beside)
}

fn url(world: &World) -> String {
    format!("postgresql://elsewhere:far%20away@{}", world.server.address)
}

async fn try_add(world: &World, url: ServerUrl) -> Result<OperationId, Problem> {
    let new = NewServer { name: "production-1".parse().unwrap(), environment: production(), url, connections_max: None, claim: None };
    add::add(&world.control, &DEV, new, None).await
}

async fn succeeded(world: &World, id: OperationId) {
    let over = show::wait(&world.control, id, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Succeeded, "{:?}", over.problem);
}

/// A line of the key, and not of any key: the longest that it has.
fn needle(certificate: &Certificate) -> String {
    certificate.key_pem().lines().filter(|line| !line.starts_with('-')).max_by_key(|line| line.len()).unwrap().to_owned()
}

/// Tables of the catalog in which a text stands, as it is or as bytes.
async fn tables_with(world: &World, needle: &str) -> Vec<String> {
    let catalog = world.catalog().await;
    let hex: String = needle.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut found = Vec::new();
    let tables = catalog.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'", &[]).await.unwrap();
    assert!(tables.len() > 20);
    for table in tables.iter().map(|row| row.get::<_, String>(0)) {
        let sql = format!("SELECT count(*) FROM \"{table}\" t WHERE position($1 IN t::text) > 0 OR position($2 IN t::text) > 0");
        if catalog.query_one(&sql, &[&needle, &hex]).await.unwrap().get::<_, i64>(0) > 0 {
            found.push(table);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_or_nobody_takes_is_refused_with_the_reason_before_anything_changes() {
    let (world, by) = world(Setup::default()).await;
    let (good, other, over) = (by.clients.issue_client("holm"), by.clients.issue_client("other"), by.clients.issue_client_expired("holm"));
    let stranger = Authority::new("somebody else").issue_client("holm");
    let both = |chain: &Certificate, key: &Certificate| Some((chain.pem.clone(), key.key_pem()));
    for (shown, code, why) in [
        (None, ErrorCode::TlsTowardsServer, "requires a valid client certificate"),
        (both(&stranger, &stranger), ErrorCode::TlsTowardsServer, "unknown_ca"),
        (both(&good, &other), ErrorCode::InvalidValue, "not the one of the client certificate"),
        (both(&over, &over), ErrorCode::InvalidValue, "was good until"),
    ] {
        let url = try_read(&url(&world), &by, shown).unwrap();
        let problem = try_add(&world, url).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (code, Changed::Nothing), "{problem:?}");
        assert!(problem.why.as_ref().unwrap().contains(why) && !problem.next.is_empty(), "{why}: {problem:?}");
    }
    let encrypted = good.key_pem().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for (shown, why) in [
        ((good.pem.clone(), encrypted), "is encrypted"),
        ((good.pem.clone(), "nothing".to_owned()), "no private key"),
        (("nothing".to_owned(), good.key_pem()), "no certificate"),
        ((good.pem.clone() + &good.key_pem(), good.key_pem()), "private key in it"),
    ] {
        let problem = try_read(&url(&world), &by, Some(shown)).unwrap_err();
        assert_eq!((problem.code, problem.changed), (ErrorCode::InvalidValue, Changed::Nothing));
        assert!(problem.why.as_ref().unwrap().contains(why) && !format!("{problem:?}").contains(&needle(&good)), "{problem:?}");
    }
    // A server that is spoken to in the clear asks for none.
    let beside = Beside { client_cert: Some(good.pem.clone()), client_key: Some(Secret::new(good.key_pem())), ..Beside::default() };
    let clear = ServerUrl::read(&Secret::new(format!("{}?sslmode=disable", url(&world))), &beside).unwrap();
    let problem = try_add(&world, clear).await.unwrap_err();
    assert!(problem.code == ErrorCode::InvalidValue && problem.why.unwrap().contains("sslmode=disable"));
    assert_eq!(world.count("cluster").await + world.count("operation").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_server_that_wants_a_certificate_tenants_are_created_seeded_and_copied_and_the_key_is_only_sealed() {
    let seed = "INSERT INTO musician (name, plays) VALUES ('Ada', 'viola')";
    let (world, by) = world(Setup { pool_size: 2, migrations: vec![SCHEMA], seed: Some(seed), ..Setup::default() }).await;
    let holm = by.clients.issue_client("holm");
    let id = try_add(&world, read(&url(&world), &by, Some(&holm))).await.unwrap();
    succeeded(&world, id).await;

    world.create("goteborg").await.unwrap();
    world.until_count("database WHERE state = 'ready'", 2).await;
    let new = NewTenantCopy { slug: slug("copy"), cluster: None, ttl: None, reason: None };
    let id = copy::copy(&world.control, &DEV, &production(), &slug("goteborg"), new).await.unwrap();
    succeeded(&world, id).await;
    let made = tenant::show(&world.control, &production(), &slug("copy")).await.unwrap().database.unwrap();
    let inside = world.server.connect(made.as_str()).await;
    assert_eq!(inside.query_one("SELECT name FROM musician", &[]).await.unwrap().get::<_, &str>(0), "Ada");

    let table = world.control.publisher().table();
    let shown = table.clusters().next().unwrap().client_certificate.clone().unwrap();
    assert_eq!((shown.chain().as_pem(), shown.key().expose_pem().expose().as_str()), (holm.pem.as_str(), holm.key_pem().as_str()));
    assert!(!format!("{table:?}").contains(&needle(&holm)));
    let told = particulars(shown.chain()).unwrap();
    assert!(told.subject.contains("CN=holm") && told.issuer.contains("the clients' authority"));
    // Neither in the journal nor in the audit log nor anywhere else; the certificate is where clusters are.
    assert_eq!(tables_with(&world, &needle(&holm)).await, Vec::<String>::new());
    let public = holm.pem.lines().nth(1).unwrap().to_owned();
    assert!(tables_with(&world, &public).await.contains(&"cluster".to_owned()));
    let finding = |findings: Vec<doctor::Finding>| findings.into_iter().find(|finding| finding.check.ends_with("client certificate"));
    assert_eq!(finding(doctor::examine(&world.control).await).unwrap().verdict, Verdict::Good);
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_and_taken_away_alone_and_only_when_the_server_lets_in() {
    let (world, by) = world(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let name = "production-1".parse().unwrap();
    let (first, second) = (by.clients.issue_client("first"), by.clients.issue_client_for("second", 20));
    let id = try_add(&world, read(&url(&world), &by, Some(&first))).await.unwrap();
    succeeded(&world, id).await;
    let shown_now = || {
        let table = world.control.publisher().table();
        let cluster = table.clusters().next().unwrap();
        cluster.client_certificate.as_ref().map(|shown| particulars(shown.chain()).unwrap().subject)
    };
    let shows = async |certificate: Option<&Certificate>| {
        let certificate = certificate.map(|shown| given(&shown.pem, &Secret::new(shown.key_pem())).unwrap());
        show_certificate(&world.control, &DEV, &name, certificate).await
    };
    // One that the server does not take changes nothing, and so does none.
    let stranger = Authority::new("somebody else").issue_client("holm");
    for refused in [shows(Some(&stranger)).await.unwrap_err(), shows(None).await.unwrap_err()] {
        assert_eq!((refused.code, refused.changed), (ErrorCode::TlsTowardsServer, Changed::Nothing), "{refused:?}");
    }
    assert!(shown_now().unwrap().contains("CN=first"));
    shows(Some(&second)).await.unwrap();
    assert!(shown_now().unwrap().contains("CN=second"));
    world.create("malmo").await.unwrap();
    let finding = |findings: Vec<doctor::Finding>| findings.into_iter().find(|finding| finding.check.ends_with("client certificate"));
    let soon = finding(doctor::examine(&world.control).await).unwrap();
    assert!(soon.verdict == Verdict::Warning && soon.next.unwrap().contains("set-client-cert"), "{}", soon.text);
    shows(Some(&by.clients.issue_client_for("third", 5))).await.unwrap();
    assert_eq!(finding(doctor::examine(&world.control).await).unwrap().verdict, Verdict::Bad);
    // What is said of the server alone leaves it; in the clear it would be of no use.
    set_server(&world.control, &DEV, &name, read(&url(&world), &by, None), Who::TheSame).await.unwrap();
    assert!(shown_now().unwrap().contains("CN=third"));
    let clear = ServerUrl::read(&Secret::new(format!("{}?sslmode=disable", url(&world))), &Beside::default()).unwrap();
    let problem = set_server(&world.control, &DEV, &name, clear, Who::TheSame).await.unwrap_err();
    assert!(problem.code == ErrorCode::InvalidValue && problem.next.iter().any(|next| next.contains("remove-client-cert")), "{problem:?}");
    // A server that asks no more.
    world.server.speak_tls(&by.servers.issue(&["127.0.0.1"])).await;
    shows(None).await.unwrap();
    assert_eq!(shown_now(), None);
    assert!(finding(doctor::examine(&world.control).await).is_none());
    world.create("lund").await.unwrap();
    for certificate in [&first, &second] {
        assert_eq!(tables_with(&world, &needle(certificate)).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_seeds_shows_what_holm_shows() {
    let (world, by) = world(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let psql = world.server.installation().bin.join("psql");
    let sql = "INSERT INTO musician (name, plays) SELECT client_dn, 'viola' FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let script = format!("\"{}\" -qXc \"{sql}\" \"$DATABASE_URL\"", psql.display());
    let environment = holm_engine::environment::NewEnvironment {
        seed: Some(Seed::Command(vec!["sh".to_owned(), "-c".to_owned(), script])),
        ..world.new_environment()
    };
    holm_engine::environment::ensure(&world.control, &DEV, environment).await.unwrap();
    let id = try_add(&world, read(&url(&world), &by, Some(&by.clients.issue_client("holm")))).await.unwrap();
    succeeded(&world, id).await;
    let database = world.create("goteborg").await.unwrap().database.unwrap();
    let inside = world.server.connect(database.as_str()).await;
    assert!(inside.query_one("SELECT name FROM musician", &[]).await.unwrap().get::<_, &str>(0).contains("CN=holm"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_brought_is_adopted_with_a_certificate_and_not_without() {
    let (world, by) = world(Setup::default()).await;
    let brought = bring(&world.server, "app").await;
    let adopt = async |shown: Option<&Certificate>| {
        let url = read(&brought, &by, shown);
        let new = NewAdoption { environment: production(), slug: slug("malmo"), url, cluster: None, claim: None, profile: None };
        adopt::adopt(&world.control, &DEV, new, None).await
    };
    let problem = adopt(None).await.unwrap_err();
    assert!(problem.code == ErrorCode::TlsTowardsServer && problem.next.iter().any(|next| next.contains("--client-cert")), "{problem:?}");
    let holm = by.clients.issue_client("app");
    succeeded(&world, adopt(Some(&holm)).await.unwrap()).await;
    let table = world.control.publisher().table();
    assert!(table.clusters().all(|cluster| cluster.client_certificate.is_some()));
    assert_eq!(tables_with(&world, &needle(&holm)).await, Vec::<String>::new());
}
