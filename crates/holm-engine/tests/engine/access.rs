//! Who may do what, and that it is told.

use std::time::Duration;

use holm_core::access::{Permission, Place, Role, TokenScope};
use holm_core::actor::{Actor, PrincipalKind, PrincipalName};
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::error::ErrorCode;
use holm_core::secret::Secret;
use holm_engine::access::token::NewToken;
use holm_engine::access::{Caller, authenticate, bootstrap, break_glass, principal, role, token};
use holm_engine::control::Control;
use holm_engine::environment::{self, NewEnvironment};

use crate::support::{DEV, Setup, World, production};

async fn world() -> World {
    let world = World::without_cluster(Setup::default(), holm_testkit::new_server(&[]).await).await;
    let staging = NewEnvironment {
        name: "staging".parse().unwrap(),
        kind: EnvironmentKind::Staging,
        domain: "staging.localhost".parse().unwrap(),
        ..world.new_environment()
    };
    environment::ensure(&world.control, &DEV, staging).await.unwrap();
    world
}

fn name(text: &str) -> PrincipalName {
    text.parse().unwrap()
}

fn new(of: &str) -> NewToken {
    NewToken { name: "laptop".to_owned(), principal: name(of), scope: TokenScope::default(), lifetime: None, secret: None }
}

async fn issue(control: &Control, new: NewToken) -> String {
    token::issue(control, &DEV, new).await.unwrap().secret.expose().clone()
}

async fn caller(control: &Control, secret: &str) -> Caller {
    authenticate(control, secret).await.unwrap().expect("the token is good")
}

/// What the audit log says, oldest first.
async fn told(world: &World) -> Vec<(String, String)> {
    let rows = world.catalog().await.query("SELECT actor_name, action FROM audit_entry ORDER BY seq", &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_token_is_known_by_its_hash_and_nothing_else_is() {
    let world = world().await;
    let secret = world.token(None).await.unwrap();
    assert_eq!(caller(&world.control, secret.expose()).await.actor.name(), "ci");
    for wrong in ["", "x", &secret.expose()[1..], &format!("{} ", secret.expose()), "' OR true; --"] {
        assert!(authenticate(&world.control, wrong).await.unwrap().is_none(), "{wrong}");
    }
    assert_eq!(world.token(Some(secret)).await.unwrap_err().code, ErrorCode::InvalidValue, "known already");
    assert_eq!(world.token(Some(Secret::new("guess".to_owned()))).await.unwrap_err().code, ErrorCode::InvalidValue);
    assert_eq!(world.count("api_token").await, 1);
}

/// The story: somebody is made, given a role in staging, and asks for this and that; then it ends in three ways.
#[tokio::test]
async fn r61_a_principal_may_what_its_roles_say_and_each_way_of_ending_ends_it() {
    let world = world().await;
    let control = &world.control;
    let (staging, production): (EnvironmentName, _) = ("staging".parse().unwrap(), production());
    principal::create(control, &DEV, &name("anna"), PrincipalKind::Person).await.unwrap();
    let again = principal::create(control, &DEV, &name("anna"), PrincipalKind::Person).await.unwrap_err();
    assert_eq!(again.code, ErrorCode::PrincipalTaken);
    role::grant(control, &DEV, &name("anna"), Role::Operator, Some(&staging), None).await.unwrap();
    let secret = issue(control, new("anna")).await;
    let anna = caller(control, &secret).await;
    let here = Place::Environment(&staging, Some(EnvironmentKind::Staging));
    let there = Place::Environment(&production, Some(EnvironmentKind::Production));
    anna.require(control, Permission::ChangeTenants, here).await.unwrap();
    let denied = anna.require(control, Permission::ReadTenants, there).await.unwrap_err();
    assert_eq!((denied.code, denied.why.as_deref()), (ErrorCode::NotAllowed, Some("no role is held there")));
    assert_eq!(anna.require(control, Permission::ManageAccess, Place::Installation).await.unwrap_err().code, ErrorCode::NotAllowed);

    role::revoke(control, &DEV, &name("anna"), Role::Operator, Some(&staging)).await.unwrap();
    let twice = role::revoke(control, &DEV, &name("anna"), Role::Operator, Some(&staging)).await.unwrap_err();
    assert_eq!(twice.code, ErrorCode::GrantNotFound);
    assert!(!caller(control, &secret).await.may(Permission::ReadTenants, here));
    principal::disable(control, &DEV, &name("anna")).await.unwrap();
    assert!(authenticate(control, &secret).await.unwrap().is_none(), "a disabled principal's token is as good as none");
    for refused in [
        token::issue(control, &DEV, new("anna")).await.unwrap_err(),
        role::grant(control, &DEV, &name("anna"), Role::Viewer, None, None).await.unwrap_err(),
    ] {
        assert_eq!(refused.code, ErrorCode::InvalidValue, "{refused:?}");
    }
    assert_eq!(principal::disable(control, &DEV, &name("ben")).await.unwrap_err().code, ErrorCode::PrincipalNotFound);

    let told = told(&world).await;
    let words: Vec<&str> = told.iter().map(|(_, action)| action.as_str()).skip_while(|action| action.starts_with("environment")).collect();
    assert_eq!(
        words,
        ["principal.create", "role.grant", "token.issue", "access.denied", "access.denied", "role.revoke", "principal.disable"]
    );
    assert_eq!(told[5].0, "anna");
}

#[tokio::test]
async fn a_token_of_staging_is_refused_in_production_and_one_that_is_over_everywhere() {
    let world = world().await;
    let control = &world.control;
    let (staging, production): (EnvironmentName, _) = ("staging".parse().unwrap(), production());
    principal::create(control, &DEV, &name("ci"), PrincipalKind::Machine).await.unwrap();
    role::grant(control, &DEV, &name("ci"), Role::Admin, None, None).await.unwrap();
    let scope = TokenScope { environment: Some(staging.clone()), role: None };
    let of_staging = caller(control, &issue(control, NewToken { scope, ..new("ci") }).await).await;
    of_staging.require(control, Permission::ChangeTenants, Place::Environment(&staging, None)).await.unwrap();
    let denied = of_staging.require(control, Permission::ReadTenants, Place::Environment(&production, None)).await.unwrap_err();
    assert_eq!(denied.code, ErrorCode::NotAllowed);
    assert!(denied.why.unwrap().contains("the token is good for one environment only"));

    let short = issue(control, NewToken { lifetime: Some(Duration::from_secs(3600)), ..new("ci") }).await;
    caller(control, &short).await;
    world.catalog().await.execute("UPDATE api_token SET expires_at = now() WHERE expires_at IS NOT NULL", &[]).await.unwrap();
    assert_eq!(authenticate(control, &short).await.unwrap_err().code, ErrorCode::TokenExpired);

    let revoked = issue(control, new("ci")).await;
    let id = caller(control, &revoked).await.bearer.token;
    token::revoke(control, &DEV, id).await.unwrap();
    assert_eq!(token::revoke(control, &DEV, id).await.unwrap_err().code, ErrorCode::GrantNotFound);
    assert!(authenticate(control, &revoked).await.unwrap().is_none());
    let unheard_of = TokenScope { environment: Some("unheard-of".parse().unwrap()), role: None };
    let refused = token::issue(control, &DEV, NewToken { scope: unheard_of, ..new("ci") }).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::EnvironmentNotFound);
}

/// The story: support needs to act in production at night.
#[tokio::test]
async fn r88_breaking_the_glass_gives_a_role_for_a_time_with_a_reason_and_is_told_in_any_case() {
    let world = world().await;
    let control = &world.control;
    let production = production();
    principal::create(control, &DEV, &name("anna"), PrincipalKind::Person).await.unwrap();
    role::grant(control, &DEV, &name("anna"), Role::Support, None, None).await.unwrap();
    let secret = issue(control, new("anna")).await;
    let anna = caller(control, &secret).await;
    let there = Place::Environment(&production, Some(EnvironmentKind::Production));
    assert!(!anna.may(Permission::ChangeTenants, there));
    let reason = "page 4711: tenants cannot log in".parse().unwrap();
    let open = async |hours: f64| {
        break_glass::open(control, &anna.actor, &production, Role::Operator, &reason, Duration::from_secs_f64(hours * 3600.0)).await
    };
    for wrong in [0.0, 0.01, 8.01, 24.0] {
        assert_eq!(open(wrong).await.unwrap_err().code, ErrorCode::InvalidValue, "{wrong} hours");
    }
    let glass = open(8.0).await.unwrap();
    let with = caller(control, &secret).await;
    assert!(with.may(Permission::ChangeTenants, there));
    assert!(!with.may(Permission::ManageAccess, Place::Installation), "it gives nobody the keys to the house");
    let other = Actor::Principal { id: holm_core::id::PrincipalId::from_uuid(uuid::Uuid::nil()), name: name("ben") };
    assert_eq!(break_glass::close(control, &other, glass.id).await.unwrap_err().code, ErrorCode::GrantNotFound);
    break_glass::close(control, &anna.actor, glass.id).await.unwrap();
    assert!(!caller(control, &secret).await.may(Permission::ChangeTenants, there));
    open(1.0).await.unwrap();
    world.catalog().await.execute("UPDATE break_glass SET opened_at = now() - interval '2 h', until = now()", &[]).await.unwrap();
    assert!(!caller(control, &secret).await.may(Permission::ChangeTenants, there), "it ends by itself");
    let row = world.catalog().await;
    let row =
        row.query_one("SELECT actor_name, environment, reason, detail FROM audit_entry WHERE action = 'break_glass.open' LIMIT 1", &[]);
    let row = row.await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("anna", "production"));
    assert_eq!(row.get::<_, &str>(2), "page 4711: tenants cannot log in");
    assert!(row.get::<_, &str>(3).starts_with(r#"{"role":"operator","until":"#));
}

#[tokio::test]
async fn nobody_fills_the_audit_log_by_asking_for_what_is_denied() {
    let world = world().await;
    let secret = world.token(None).await.unwrap();
    let ci = caller(&world.control, secret.expose()).await;
    for _ in 0..50 {
        assert!(ci.require(&world.control, Permission::ReadTenants, Place::Installation).await.is_err());
    }
    assert_eq!(world.count("audit_entry WHERE action = 'access.denied'").await, 20);
}

#[tokio::test]
async fn r88_every_act_is_told_with_who_where_and_to_what_and_a_refused_one_is_not() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let before = told(&world).await;
    assert_eq!(before, [("dev".to_owned(), "environment.create".to_owned()), ("dev".to_owned(), "cluster.register".to_owned())]);
    let by = bootstrap::ensure(&world.control, &name("holm dev"), Secret::new("a-token-of-this-test-0123456789".to_owned())).await.unwrap();
    let again = bootstrap::ensure(&world.control, &name("holm dev"), Secret::new("a-token-of-this-test-0123456789".to_owned())).await;
    assert_eq!(again.unwrap(), by, "done again, it changes nothing");
    let tenant =
        holm_engine::tenant::create(&world.control, &by, crate::support::new_tenant("goteborg"), crate::support::PATIENCE).await.unwrap();
    let taken = holm_engine::tenant::create(&world.control, &by, crate::support::new_tenant("goteborg"), crate::support::PATIENCE).await;
    assert_eq!(taken.unwrap_err().code, ErrorCode::SlugTaken);
    let slug = crate::support::slug("goteborg");
    for _ in 0..2 {
        holm_engine::tenant::suspend(&world.control, &by, &production(), &slug).await.unwrap();
    }
    environment::ensure(&world.control, &by, world.new_environment()).await.unwrap();
    let told = told(&world).await;
    let words: Vec<_> = told[2..].iter().map(|(actor, action)| format!("{actor}: {action}")).collect();
    assert_eq!(
        words,
        ["dev: principal.create", "dev: role.grant", "dev: token.issue", "holm dev: tenant.create", "holm dev: tenant.suspend"],
        "twice suspended is once changed, and nothing was changed of the environment"
    );
    let row = world.catalog().await;
    let row = row.query_one("SELECT environment, subject_id FROM audit_entry WHERE action = 'tenant.create'", &[]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, String>(1)), ("production", tenant.id.to_string()));
}
