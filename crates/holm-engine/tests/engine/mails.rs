//! Mails: what needs a person arrives, over STARTTLS, once for a storm, and says nothing private.

use std::time::Duration;

use holm_core::access::Role;
use holm_core::actor::{Actor, PrincipalKind};
use holm_core::error::ErrorCode;
use holm_core::secret::Secret;
use holm_engine::access::{break_glass, principal};
use holm_engine::mail::{self, MailConfig};
use holm_testkit::smtp::{MailServer, PASSWORD};
use holm_testkit::{eventually, new_server};

use crate::support::{DEV, PATIENCE, Setup, World, production};

async fn world() -> (World, MailServer, MailConfig) {
    let world = World::without_cluster(Setup::default(), new_server(&[]).await).await;
    let server = MailServer::start().await.unwrap();
    let config = config(&world, &server, PASSWORD);
    (world, server, config)
}

fn config(world: &World, server: &MailServer, password: &str) -> MailConfig {
    let authority = world.directory.path().join("mail.pem");
    std::fs::write(&authority, server.certificate()).unwrap();
    let url = Secret::new(format!("smtp://holm%40example.com:{password}@localhost:{}", server.port()));
    let mut config = MailConfig::new(&url, "holm@example.com", "ops@example.com, anna@example.com").unwrap();
    (config.authority, config.gather) = (Some(authority), Duration::from_millis(500));
    config
}

async fn break_the_glass(world: &World, times: usize) {
    let name = "anna".parse().unwrap();
    let anna = principal::create(&world.control, &DEV, &name, PrincipalKind::Person).await.unwrap();
    let by = Actor::Principal { id: anna.id, name };
    let reason = "customer Bengtsson cannot log in".parse().unwrap();
    for _ in 0..times {
        let minute = Duration::from_secs(60);
        break_glass::open(&world.control, &by, &production(), Role::Operator, &reason, minute).await.unwrap();
    }
}

#[tokio::test]
async fn a_storm_of_what_needs_a_person_is_one_mail_with_a_count_over_tls() {
    let (world, server, config) = world().await;
    break_the_glass(&world, 30).await;
    let writing = world.control_with_mail(config).await;
    writing.start();
    let mail = eventually(PATIENCE, "a mail", async || server.mails().first().cloned()).await;
    assert_eq!(mail.to, ["ops@example.com", "anna@example.com"]);
    assert!(mail.data.contains("the glass was broken (30 times)"), "{}", mail.data);
    assert!(mail.data.contains("Next: holm access break-glass list"), "{}", mail.data);
    assert!(!mail.data.contains("Bengtsson"), "free text: {}", mail.data);
    world.until_count("mail_head m JOIN audit_head h ON m.seq = h.seq WHERE m.leased_until IS NULL", 1).await;
    assert_eq!(server.mails().len(), 1);
    // No address is in the catalog.
    let catalog = world.catalog().await;
    let entries: i64 =
        catalog.query_one("SELECT count(*) FROM audit_entry a WHERE a::text LIKE '%example.com%'", &[]).await.unwrap().get(0);
    assert_eq!(entries, 0);
    writing.shutdown().await;
}

#[tokio::test]
async fn a_server_that_refuses_loses_nothing_and_is_told_without_addresses_and_passwords() {
    let (world, server, right) = world().await;
    let wrong = world.control_with_mail(config(&world, &server, "another-password")).await;
    let refused = mail::test(&wrong).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::MailNotSent);
    assert!(!format!("{refused:?}").contains("example.com") && !format!("{refused:?}").contains("another-password"), "{refused:?}");
    // A certificate that nobody vouches for is no TLS.
    let untrusted = world.directory.path().join("other.pem");
    std::fs::write(&untrusted, MailServer::start().await.unwrap().certificate()).unwrap();
    let mut doubtful = right.clone();
    doubtful.authority = Some(untrusted);
    let doubtful = world.control_with_mail(doubtful).await;
    assert_eq!(mail::test(&doubtful).await.unwrap_err().code, ErrorCode::MailNotSent);
    assert_eq!(server.mails(), []);
    let right = world.control_with_mail(right).await;
    assert_eq!(mail::test(&right).await.unwrap(), 2);
    assert_eq!(server.mails().len(), 1);
    assert_eq!(mail::test(&world.control).await.unwrap_err().code, ErrorCode::InvalidConfig);
}
