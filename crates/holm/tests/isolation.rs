//! Isolation as a table: every kind of credential against every tenant, by every way we know of.
//!
//! A cell says whose data was reached, or how the way was closed. The table is a snapshot: a changed cell is a decision,
//! and a row or column that goes missing fails by its count.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod running;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::routing::get;
use holm_postgres::installation::Installation;
use running::Holm;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, NoTls};

const ENVIRONMENTS: [(&str, &str); 2] = [("production", "localhost"), ("staging", "staging.localhost")];
const SCOPES: [&str; 2] = ["app", "tenant"];
const LEVELS: [&str; 3] = ["owner", "rw", "ro"];
/// Every credential's own tenant is `goteborg` in its environment; `lund` is on the server of production's; the last target does not exist.
const TARGETS: [(&str, &str); 4] = [("goteborg", "production"), ("lund", "production"), ("goteborg", "staging"), ("nobody", "production")];
const WAYS: [&str; 8] = ["login", "options", "sni", "cancel", "pg_terminate_backend", "dblink", "notify", "gateway header"];

#[tokio::test(flavor = "multi_thread")]
async fn r72_no_credential_reaches_another_tenant_by_any_way() {
    let world = World::start().await;
    let mut table = String::new();
    let mut cells = 0;
    for (environment, domain) in ENVIRONMENTS {
        for scope in SCOPES {
            for level in LEVELS {
                let attacker = world.attacker(environment, domain, scope, level).await;
                for target in TARGETS {
                    let row = world.row(&attacker, target).await;
                    cells += row.len();
                    writeln!(table, "{environment} {scope} {level} -> {}@{}", target.0, target.1).unwrap();
                    for (way, cell) in row {
                        writeln!(table, "    {way:<21} {cell}").unwrap();
                    }
                }
            }
        }
    }
    assert_eq!(cells, ENVIRONMENTS.len() * SCOPES.len() * LEVELS.len() * TARGETS.len() * WAYS.len());
    insta::assert_snapshot!("isolation", table);
}

struct Attacker {
    environment: &'static str,
    domain: &'static str,
    credential: (String, String),
    session: Client,
}

impl Attacker {
    fn owns(&self, target: (&str, &str)) -> bool {
        target == ("goteborg", self.environment)
    }
}

/// A tenant that is attacked: one session in the middle of a long statement, one that listens.
struct Victim {
    busy: JoinHandle<Result<(), tokio_postgres::Error>>,
    busy_pid: i32,
    tenant_id: String,
    listener: Client,
    heard: tokio::sync::Mutex<UnboundedReceiver<String>>,
}

struct World {
    holm: Holm,
    postgres: Installation,
    victims: BTreeMap<(&'static str, &'static str), Victim>,
}

impl World {
    async fn start() -> Self {
        let app = echo_app().await;
        let keys = tempfile::tempdir().unwrap();
        let issued = rcgen::generate_simple_self_signed(vec!["*.localhost".into(), "*.staging.localhost".into()]).unwrap();
        let (certificate, key) = (keys.path().join("cert.pem"), keys.path().join("key.pem"));
        std::fs::write(&certificate, issued.cert.pem()).unwrap();
        std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
        let holm =
            Holm::start(&["--demo", "--app", &app, "--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]).await;
        let (_, own) = holm.api("GET", "/v1/environments/production/tenants/goteborg", None).await;
        let neighbour = json!({ "slug": "lund", "cluster": own["data"]["cluster"] });
        let (status, answer) = holm.api("POST", "/v1/environments/production/tenants", Some(neighbour)).await;
        assert_eq!(status, 201, "{answer}");
        let postgres = running::postgres().await;
        let mut victims = BTreeMap::new();
        for target in TARGETS.into_iter().filter(|target| target.0 != "nobody") {
            victims.insert(target, Victim::of(&holm, target).await);
        }
        Self { holm, postgres, victims }
    }

    async fn attacker(&self, environment: &'static str, domain: &'static str, scope: &str, level: &str) -> Attacker {
        let name = format!("attacker-{environment}-{scope}-{level}");
        let body = match scope {
            "app" => json!({ "name": name, "level": level }),
            _ => json!({ "name": name, "level": level, "tenant": "goteborg" }),
        };
        let (status, answer) = self.holm.api("POST", &format!("/v1/environments/{environment}/credentials"), Some(body)).await;
        assert_eq!(status, 201, "{answer}");
        let credential = (name, answer["data"]["secret"].as_str().unwrap().to_owned());
        let session = running::connect(&self.holm.config(&credential, "goteborg")).await.unwrap();
        Attacker { environment, domain, credential, session }
    }

    async fn row(&self, attacker: &Attacker, target: (&'static str, &'static str)) -> Vec<(&'static str, String)> {
        let mut cells = Vec::new();
        for way in WAYS {
            let cell = match way {
                "login" => self.login(attacker, target).await,
                "options" => self.options(attacker, target).await,
                "sni" => self.server_name(attacker, target),
                "gateway header" => self.gateway(attacker, target).await,
                // Inside the own tenant it is heard, which shows that the listener would hear others.
                "notify" => self.notify(attacker, target).await,
                // Inside the own tenant these are PostgreSQL's ordinary rights.
                _ if attacker.owns(target) => "own tenant".to_owned(),
                "cancel" => self.cancel(attacker, target).await,
                "pg_terminate_backend" => self.terminate(attacker, target).await,
                "dblink" => self.dblink(attacker, target).await,
                other => unreachable!("{other} has no trial"),
            };
            cells.push((way, cell));
        }
        cells
    }

    async fn login(&self, attacker: &Attacker, (slug, _): (&str, &str)) -> String {
        reached(running::connect(&self.holm.config(&attacker.credential, slug)).await).await
    }

    /// Only `options` names a tenant: libpq then sends the user's name as the database, which names none.
    async fn options(&self, attacker: &Attacker, (slug, _): (&str, &str)) -> String {
        let mut config = self.holm.config(&attacker.credential, &attacker.credential.0);
        config.options(format!("-c holm.tenant={slug}"));
        reached(running::connect(&config).await).await
    }

    fn server_name(&self, attacker: &Attacker, (slug, environment): (&str, &str)) -> String {
        let domain = ENVIRONMENTS.iter().find(|(name, _)| *name == environment).unwrap().1;
        let output = self
            .postgres
            .command("psql")
            .arg(format!(
                "host={slug}.{domain} hostaddr=127.0.0.1 port={} user={} sslmode=require connect_timeout=10",
                self.holm.port("proxy"),
                attacker.credential.0
            ))
            .args(["-XqAt", "-c", "SELECT tenant FROM canary"])
            .env("PGPASSWORD", &attacker.credential.1)
            .output()
            .unwrap();
        if output.status.success() {
            return String::from_utf8(output.stdout).unwrap().trim().to_owned();
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = said.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').find(|word| word.starts_with("HOLM-"));
        format!("refused {}", code.unwrap_or(&said))
    }

    /// The attacker's own key, and keys that it guesses: the victim's statement goes on.
    async fn cancel(&self, attacker: &Attacker, target: (&'static str, &'static str)) -> String {
        attacker.session.cancel_token().cancel_query(NoTls).await.unwrap();
        for guess in 0..20u32 {
            let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", self.holm.port("proxy"))).await.unwrap();
            // CancelRequest, protocol 3.0: length, request code, process id, secret key.
            let mut packet = Vec::new();
            for word in [16, 80_877_102, guess, guess.wrapping_mul(2_654_435_761)] {
                packet.extend_from_slice(&u32::to_be_bytes(word));
            }
            socket.write_all(&packet).await.unwrap();
        }
        let Some(victim) = self.victims.get(&target) else { return "no such tenant".to_owned() };
        // A round trip of the victim's neighbour proves that the server has had the time to act.
        victim.listener.simple_query("SELECT 1").await.unwrap();
        if victim.busy.is_finished() { "CANCELLED".to_owned() } else { "untouched".to_owned() }
    }

    async fn terminate(&self, attacker: &Attacker, target: (&'static str, &'static str)) -> String {
        let Some(victim) = self.victims.get(&target) else { return "no such tenant".to_owned() };
        let mut cells = Vec::new();
        for function in ["pg_cancel_backend", "pg_terminate_backend"] {
            cells.push(match attacker.session.query_one(&format!("SELECT {function}({})", victim.busy_pid), &[]).await {
                // On another server the number is nobody's, or some other process's that is not ours to signal.
                Ok(row) => {
                    if row.get::<_, bool>(0) && victim.busy.is_finished() {
                        "TERMINATED".to_owned()
                    } else {
                        "no such process".to_owned()
                    }
                }
                Err(error) => state(&error),
            });
        }
        assert!(!victim.busy.is_finished(), "the victim's statement goes on");
        cells.dedup();
        if attacker.environment == target.1 { cells.join(" ") } else { "another server".to_owned() }
    }

    async fn dblink(&self, attacker: &Attacker, (_, environment): (&str, &str)) -> String {
        for extension in ["dblink", "postgres_fdw"] {
            attacker.session.batch_execute(&format!("CREATE EXTENSION {extension}")).await.unwrap_err();
        }
        // Without a link, the server itself: files and programs are a superuser's.
        let port = self.holm.server_port(&format!("env-{environment}"));
        let program = format!("CREATE TEMP TABLE out_there (line text); COPY out_there FROM PROGRAM 'psql -p {port}'");
        let refused = attacker.session.batch_execute(&program).await.unwrap_err();
        format!("refused {}", state(&refused))
    }

    async fn notify(&self, attacker: &Attacker, target: (&'static str, &'static str)) -> String {
        // Its own tenant's listener hears it, in earlier rows too: only this very attack counts.
        let attack = format!("{} at {}@{}", attacker.credential.0, target.0, target.1);
        attacker.session.batch_execute(&format!("NOTIFY canary, '{attack}'")).await.unwrap();
        let Some(victim) = self.victims.get(&target) else { return "no such tenant".to_owned() };
        // The server delivers what is pending before it is ready for the next query (protocol, "Asynchronous Operations").
        victim.listener.simple_query("SELECT 1").await.unwrap();
        let mut heard = victim.heard.lock().await;
        let mut reached = false;
        while let Ok(payload) = heard.try_recv() {
            reached |= payload == attack;
        }
        if reached { "heard".to_owned() } else { "not heard".to_owned() }
    }

    async fn gateway(&self, attacker: &Attacker, target: (&'static str, &'static str)) -> String {
        let id = self.victims.get(&target).map_or("ten_00000000000000000000000000000000", |victim| &victim.tenant_id);
        let response = reqwest::Client::new()
            .get(format!("http://{}/", self.holm.address("gateway")))
            .header("host", format!("goteborg.{}:{}", attacker.domain, self.holm.port("gateway")))
            .header("x-subdomain", target.0)
            .header("X-SubDomain", target.0)
            .header("x-holm-tenant", id)
            .header("x-holm-environment", target.1)
            .header("x-holm-signature", "t=1,v1=00")
            .send()
            .await
            .unwrap();
        response.text().await.unwrap()
    }
}

impl Victim {
    async fn of(holm: &Holm, (slug, environment): (&'static str, &'static str)) -> Self {
        let owner = holm.connect(environment, "owner", slug).await.unwrap();
        owner
            .batch_execute(&format!("CREATE TABLE canary (tenant text); INSERT INTO canary VALUES ('{slug}@{environment}')"))
            .await
            .unwrap();
        let busy_pid = owner.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        let busy = tokio::spawn(async move { owner.batch_execute("SELECT pg_sleep(3600)").await });
        let (client, mut connection) = holm.config(&holm.credential(environment, "rw"), slug).connect(NoTls).await.unwrap();
        let (tell, heard) = unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notification) = message {
                    let _ = tell.send(notification.payload().to_owned());
                }
            }
        });
        client.batch_execute("LISTEN canary").await.unwrap();
        let (_, answer) = holm.api("GET", &format!("/v1/environments/{environment}/tenants/{slug}"), None).await;
        let tenant_id = answer["data"]["id"].as_str().unwrap().to_owned();
        Self { busy, busy_pid, tenant_id, listener: client, heard: heard.into() }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for victim in self.victims.values() {
            victim.busy.abort();
        }
    }
}

async fn reached(connected: Result<Client, tokio_postgres::Error>) -> String {
    match connected {
        Err(error) => format!("refused {}", state(&error)),
        Ok(client) => client.query_one("SELECT tenant FROM canary", &[]).await.unwrap().get(0),
    }
}

fn state(error: &tokio_postgres::Error) -> String {
    error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned())
}

/// An app that answers with the tenant it was told.
async fn echo_app() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = |headers: &HeaderMap, name: &str| {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>().join("+")
    };
    let answer =
        move |headers: HeaderMap| async move { format!("{}@{}", seen(&headers, "x-subdomain"), seen(&headers, "x-holm-environment")) };
    let app = axum::Router::new().route("/", get(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    tokio::time::timeout(Duration::from_secs(5), tokio::net::TcpStream::connect(address)).await.unwrap().unwrap();
    format!("http://{address}")
}
