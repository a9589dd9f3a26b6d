//! Credentials for the proxy.

use holm_core::credential::{Level, Permission};
use holm_core::environment::EnvironmentKind;
use holm_core::error::ErrorCode;
use holm_core::secret::Secret;
use holm_engine::credential::{self, CredentialScope, NewCredential};
use holm_engine::environment::{self, NewEnvironment};
use holm_store::page::Page;

use crate::support::{DEV, Setup, World, production, slug};

fn new(name: &str) -> NewCredential {
    NewCredential { environment: production(), name: name.parse().unwrap(), scope: CredentialScope::App, level: Level::Rw, secret: None }
}

#[tokio::test]
async fn r1_a_credential_is_good_for_its_environment_and_its_tenants_only() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let staging = NewEnvironment {
        name: "staging".parse().unwrap(),
        kind: EnvironmentKind::Staging,
        domain: "staging.localhost".parse().unwrap(),
        ..world.new_environment()
    };
    environment::ensure(&world.control, &DEV, staging).await.unwrap();
    let tenant = world.create("goteborg").await.unwrap();
    let app = credential::issue(&world.control, &DEV, new("app")).await.unwrap();
    let own = NewCredential { scope: CredentialScope::Tenant(slug("goteborg")), ..new("own") };
    credential::issue(&world.control, &DEV, own).await.unwrap();
    let table = world.control.publisher().table();
    let permission = |name: &str, environment: &str| table.credential(name).unwrap().may_use(&environment.parse().unwrap(), tenant.id);
    assert_eq!(permission("app", "production"), Permission::Granted);
    assert_eq!(permission("own", "production"), Permission::Granted);
    assert_eq!(permission("app", "staging"), Permission::OtherEnvironment);
    assert_eq!(permission("own", "staging"), Permission::OtherEnvironment);
    assert!(table.admit(table.credential("app").unwrap(), "goteborg").is_ok());
    // A name is taken in every environment, since the proxy finds the environment by it.
    let again = NewCredential { environment: "staging".parse().unwrap(), ..new("app") };
    assert_eq!(credential::issue(&world.control, &DEV, again).await.unwrap_err().code, ErrorCode::CredentialTaken);
    let foreign =
        NewCredential { environment: "staging".parse().unwrap(), scope: CredentialScope::Tenant(slug("goteborg")), ..new("foreign") };
    assert_eq!(credential::issue(&world.control, &DEV, foreign).await.unwrap_err().code, ErrorCode::TenantNotFound);
    assert!(app.secret.expose().len() >= 43);
}

#[tokio::test]
async fn a_revoked_credential_is_gone_from_the_data_plane_and_its_name_is_free() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    credential::issue(&world.control, &DEV, new("app")).await.unwrap();
    assert_eq!(credential::list(&world.control, &production(), &Page::first()).await.unwrap().len(), 1);
    credential::revoke(&world.control, &DEV, &production(), &"app".parse().unwrap()).await.unwrap();
    assert!(world.control.publisher().table().credential("app").is_none());
    let problem = credential::revoke(&world.control, &DEV, &production(), &"app".parse().unwrap()).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::CredentialNotFound);
    credential::issue(&world.control, &DEV, new("app")).await.unwrap();
}

#[tokio::test]
async fn a_secret_is_kept_nowhere_and_printed_nowhere() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    let given = Secret::new("correct-horse-battery-staple".to_owned());
    let issued = credential::issue(&world.control, &DEV, NewCredential { secret: Some(given.clone()), ..new("app") }).await.unwrap();
    assert_eq!(issued.secret, given);
    let token = world.token(None).await.unwrap();
    assert!(!format!("{issued:?} {token:?} {:?}", world.control).contains("correct-horse"));
    let catalog = world.catalog().await;
    let tables = ["environment", "cluster", "template", "database", "tenant", "credential", "api_token", "principal", "audit_entry"];
    for table in tables {
        let sql = format!("SELECT coalesce(string_agg(t::text || encode(convert_to(t::text, 'UTF8'), 'escape'), ' '), '') FROM {table} t");
        let text: String = catalog.query_one(&sql, &[]).await.unwrap().get(0);
        for secret in [given.expose(), token.expose(), world.server.password.expose()] {
            let as_hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(!text.contains(secret) && !text.contains(&as_hex), "{table}");
        }
    }
    for refused in ["short", "with a blank in it, and long", "nicht-ASCII-aber-länger", "line\nbreak-and-long-enough"] {
        let chosen = NewCredential { secret: Some(Secret::new(refused.to_owned())), ..new("other") };
        let problem = credential::issue(&world.control, &DEV, chosen).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::InvalidValue);
        assert!(!format!("{problem:?}").contains(refused));
    }
}
