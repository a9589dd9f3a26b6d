//! A server that wants to see a certificate, as people give Holm one: by command, for the process on the catalog and for a node that
//! only carries sessions.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod serving;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use holm_testkit::certificates::{Authority, Certificate};
use holm_testkit::eventually;
use serde_json::Value;
use serving::{ENVIRONMENT, Installation, PATIENCE, Serving};

fn command(installation: &Installation, by: &Serving, arguments: &[&str]) -> Output {
    let token = installation.path("admin.token");
    let mut command = installation.command();
    command.args(["--url", &by.url(), "--token-file", token.to_str().unwrap()]).args(arguments).output().unwrap()
}

fn file(installation: &Installation, name: &str, text: &str) -> PathBuf {
    let path = installation.path(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// The longest line of a key, which no other key has.
fn needle(certificate: &Certificate) -> String {
    certificate.key_pem().lines().filter(|line| !line.starts_with('-')).max_by_key(|line| line.len()).unwrap().to_owned()
}

/// Whose certificate the server saw in a session of a tenant's, by PostgreSQL's word.
async fn shown(by: &Serving, slug: &str) -> String {
    let client = by.connect(slug).await.unwrap();
    let sql = "SELECT coalesce(client_dn, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// The installation's server lets in over TLS and with a certificate only, but for its superuser; Holm has a role of its own there.
async fn wants_certificates(installation: &Installation, servers: &Authority, clients: &Authority) {
    let superuser = "CREATE ROLE elsewhere SUPERUSER LOGIN PASSWORD 'far away'";
    installation.cluster.connect("postgres").await.batch_execute(superuser).await.unwrap();
    installation.cluster.want_certificates(&servers.issue(&["127.0.0.1"]), &clients.pem()).await;
}

/// What people are told of the second certificate.
fn is_second(told: &Value) {
    let text = |name: &str| told["data"]["client_certificate"][name].as_str().unwrap_or_else(|| panic!("{name}: {told}")).to_owned();
    assert!(text("subject").contains("CN=second") && text("issuer").contains("the clients' authority"), "{told}");
    assert!(text("sha256").len() == 64 && !text("valid_until").is_empty());
}

/// Alone, from its disk, a node shows what it showed; and what that is with cannot be read there, nor in what it or anybody said.
async fn alone(installation: &Installation, directory: &Path, secrets: &[String], said: &[String]) {
    let mut alone = Serving::carry(installation, "alone", directory, &["http://127.0.0.1:1"]).await;
    assert!(alone.log().contains("this node serves the routes on its disk"), "{}", alone.log());
    // One that only adds, as the last tenant does, is written within a second; the renewal was there before it was confirmed.
    assert!(shown(&alone, "malmo").await.contains("CN=second"));
    alone.kill();
    let kept: Vec<Vec<u8>> = fs::read_dir(directory).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    assert!(!kept.is_empty());
    for secret in secrets {
        assert!(!kept.iter().any(|bytes| bytes.windows(secret.len()).any(|window| window == secret.as_bytes())));
        assert!(!alone.log().contains(secret) && !said.iter().any(|said| said.contains(secret)));
    }
}

/// What was asked for, what was done and what is to be answered a second time are there, and no key.
async fn nowhere_in_the_catalog(installation: &Installation, secrets: &[String]) {
    let catalog = installation.catalog().await;
    for table in catalog.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'", &[]).await.unwrap() {
        let table: String = table.get(0);
        for secret in secrets {
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            let sql = format!("SELECT count(*) FROM \"{table}\" t WHERE position($1 IN t::text) > 0 OR position($2 IN t::text) > 0");
            assert_eq!(catalog.query_one(&sql, &[secret, &hex]).await.unwrap().get::<_, i64>(0), 0, "{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_on_a_server_that_wants_a_certificate_is_served_on_every_node_and_a_renewal_needs_no_restart() {
    let installation = Installation::new(3, &["goteborg"]).await;
    let control = installation.serve("control").await;
    let directory = installation.path("stockholm-1");
    fs::create_dir(&directory).unwrap();
    let key = directory.join("node.key");
    assert!(command(&installation, &control, &["node", "add", "stockholm-1", "--key-file", key.to_str().unwrap()]).status.success());
    let mut node = Serving::carry(&installation, "one", &directory, &[&control.url()]).await;

    let (servers, clients) = (Authority::new("the servers' authority"), Authority::new("the clients' authority"));
    wants_certificates(&installation, &servers, &clients).await;
    let (first, second) = (clients.issue_client("first"), clients.issue_client("second"));
    let roots = file(&installation, "servers.crt", &servers.pem());
    let [(first_crt, first_key), (second_crt, second_key)] = [("first", &first), ("second", &second)].map(|(name, certificate)| {
        let chain = file(&installation, &format!("{name}.crt"), &certificate.pem);
        (chain, file(&installation, &format!("{name}.key"), &certificate.key_pem()))
    });
    let url = format!("postgresql://elsewhere:far%20away@{}", installation.cluster.address);
    let set = ["cluster", "set-server", "production-1", "--env", ENVIRONMENT, "--server", &url, "--sslmode", "verify-full"];
    let set_server =
        |more: &[&str]| command(&installation, &control, &[&set, &["--ssl-root-cert", roots.to_str().unwrap()][..], more].concat());

    let none = set_server(&[]);
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(!none.status.success() && said.contains("HOLM-2017") && said.contains("valid client certificate"), "{said}");
    // Others can read the key.
    fs::set_permissions(&first_key, fs::Permissions::from_mode(0o644)).unwrap();
    let both = ["--client-cert", first_crt.to_str().unwrap(), "--client-key", first_key.to_str().unwrap()];
    let open = set_server(&both);
    let said = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(!open.status.success() && said.contains("HOLM-1001") && said.contains("0644") && said.contains("chmod 600"), "{said}");
    fs::set_permissions(&first_key, fs::Permissions::from_mode(0o600)).unwrap();
    let output = set_server(&both);
    assert!(output.status.success(), "{output:?}");

    for by in [&control, &node] {
        assert!(shown(by, "goteborg").await.contains("CN=first"));
    }
    let create = |slug: &str| {
        let output = command(&installation, &control, &["tenant", "create", slug, "--env", ENVIRONMENT, "--timeout", "60"]);
        assert!(output.status.success(), "{output:?}");
    };
    create("malmo");
    for by in [&control, &node] {
        assert!(shown(by, "malmo").await.contains("CN=first"));
    }

    let both = ["--client-cert", second_crt.to_str().unwrap(), "--client-key", second_key.to_str().unwrap()];
    let output =
        command(&installation, &control, &[&["cluster", "set-client-cert", "production-1", "--env", ENVIRONMENT][..], &both].concat());
    assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("CN=second"), "{output:?}");
    // Nobody has a connection for this one yet.
    create("lund");
    for by in [&control, &node] {
        assert!(shown(by, "lund").await.contains("CN=second"));
    }
    let output = command(&installation, &control, &["cluster", "show", "production-1", "-o", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    is_second(&told);

    node.kill();
    let logs = [node.log(), control.log(), told.to_string()];
    alone(&installation, &directory, &[needle(&first), needle(&second)], &logs).await;
    nowhere_in_the_catalog(&installation, &[needle(&first), needle(&second)]).await;
    let refused = command(&installation, &control, &["cluster", "remove-client-cert", "production-1", "--env", ENVIRONMENT]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("valid client certificate"), "{refused:?}");
    installation.cluster.speak_tls(&servers.issue(&["127.0.0.1"])).await;
    let removed = command(&installation, &control, &["cluster", "remove-client-cert", "production-1", "--env", ENVIRONMENT]);
    assert!(removed.status.success(), "{removed:?}");
    create("visby");
    eventually(PATIENCE, "it is served without", async || shown(&control, "visby").await.is_empty().then_some(())).await;
}
