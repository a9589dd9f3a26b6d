//! What the data plane may rely on in a route table.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::cluster::ServerAddress;
use crate::cluster::tls::ServerTls;
use crate::credential::Scope;
use crate::environment::EnvironmentKind;
use crate::placement::{Certificate, Claims};
use crate::scram::Verifier;
use crate::secret::Secret;

fn environment(name: &str) -> RouteChange {
    RouteChange::Environment(Environment {
        name: name.parse().unwrap(),
        kind: EnvironmentKind::Production,
        domain: format!("{name}.example").parse().unwrap(),
        header_key: Secret::new([0; 32]),
    })
}

fn cluster(id: u128, environment: &str) -> RouteChange {
    RouteChange::Cluster(Cluster {
        id: ClusterId::from_uuid(Uuid::from_u128(id)),
        name: format!("{environment}-{id}").parse().unwrap(),
        environment: environment.parse().unwrap(),
        address: ServerAddress { host: "127.0.0.1".into(), port: 5432 },
        tls: ServerTls::Disable,
        client_certificate: None,
        connections_max: 10,
    })
}

fn route(tenant: u128, slug: &str, environment: &str, cluster: u128, epoch: u64) -> Route {
    let database = DatabaseName::generated(Uuid::from_u128(tenant));
    let login = |level| ServerLogin {
        role: RoleName::of(&database, level),
        keys: LoginKeys { client_key: Secret::new([1; 32]), server_key: Secret::new([2; 32]) },
    };
    Route {
        tenant: TenantId::from_uuid(Uuid::from_u128(tenant)),
        slug: slug.parse().unwrap(),
        environment: environment.parse().unwrap(),
        state: RouteState::Serving,
        epoch,
        cluster: ClusterId::from_uuid(Uuid::from_u128(cluster)),
        logins: Level::ALL.map(login).into(),
        next_logins: None,
        database,
        parameters: Box::new([]),
        limits: crate::limits::TenantLimits::default(),
        aliases: Box::new([]),
        placement: certified(tenant, cluster, Allows::All),
    }
}

fn certified(tenant: u128, cluster: u128, allows: Allows) -> Placement {
    let claims = Claims {
        tenant: TenantId::from_uuid(Uuid::from_u128(tenant)),
        cluster: ClusterId::from_uuid(Uuid::from_u128(cluster)),
        server: None,
        judged_by: None,
        allows,
        issued_at: Timestamp::UNIX_EPOCH,
        expires_at: Timestamp::UNIX_EPOCH,
    };
    Placement::Certified(Arc::new(Certificate { claims, signer: [0; 8], signature: [0; 64] }))
}

fn credential(environment: &str, scope: Scope) -> Credential {
    Credential {
        id: CredentialId::from_uuid(Uuid::from_u128(9)),
        name: "app".parse().unwrap(),
        environment: environment.parse().unwrap(),
        scope,
        level: Level::Rw,
        verifier: Verifier { salt: Box::new([]), iterations: 4096, stored_key: Secret::new([0; 32]), server_key: Secret::new([0; 32]) },
        retiring: None,
    }
}

fn table() -> RouteTable {
    RouteTable::default().with(
        RouteVersion(1),
        [
            environment("production"),
            environment("staging"),
            cluster(1, "production"),
            cluster(2, "staging"),
            RouteChange::Route(route(1, "goteborg", "production", 1, 1)),
            RouteChange::Route(route(2, "malmo", "production", 1, 1)),
            RouteChange::Route(route(3, "goteborg", "staging", 2, 1)),
        ],
    )
}

#[test]
fn r1_the_same_slug_in_two_environments_is_two_tenants() {
    let table = table();
    let tenant = |environment| table.admit(&credential(environment, Scope::App), "goteborg").unwrap().route.tenant;
    assert_ne!(tenant("production"), tenant("staging"));
}

#[test]
fn r72_what_a_credential_may_not_use_looks_like_what_does_not_exist() {
    let table = table();
    let own = Scope::Tenant(TenantId::from_uuid(Uuid::from_u128(1)));
    for (credential, name) in [
        (credential("production", own), "malmo"),
        (credential("production", own), "nobody"),
        (credential("staging", own), "goteborg"),
        (credential("staging", Scope::App), "malmo"),
        (credential("production", Scope::App), "admin"),
        (credential("production", Scope::App), "postgres"),
        (credential("production", Scope::App), "Goteborg"),
        (credential("production", Scope::App), ""),
    ] {
        assert_eq!(table.admit(&credential, name).unwrap_err(), Refusal::UnknownTenant, "{credential:?} {name}");
    }
}

#[test]
fn r13_a_route_into_another_environments_server_is_never_followed() {
    let astray = table().with(RouteVersion(2), [RouteChange::Route(route(2, "malmo", "production", 2, 2))]);
    assert_eq!(astray.admit(&credential("production", Scope::App), "malmo").unwrap_err(), Refusal::UnknownTenant);
}

#[test]
fn a_suspended_tenant_is_refused_by_name_and_lets_sessions_in_again_afterwards() {
    let app = credential("production", Scope::App);
    let suspended = table()
        .with(RouteVersion(2), [RouteChange::Route(Route { state: RouteState::Suspended, ..route(2, "malmo", "production", 1, 2) })]);
    assert_eq!(suspended.admit(&app, "malmo").unwrap_err(), Refusal::Suspended("malmo".parse().unwrap()));
    let resumed = suspended.with(RouteVersion(3), [RouteChange::Route(route(2, "malmo", "production", 1, 3))]);
    assert!(resumed.admit(&app, "malmo").is_ok());
}

#[test]
fn r75_a_new_slug_replaces_the_old_one_and_an_older_epoch_replaces_nothing() {
    let app = credential("production", Scope::App);
    let renamed = table().with(RouteVersion(2), [RouteChange::Route(route(2, "skane", "production", 1, 5))]);
    assert_eq!(renamed.admit(&app, "malmo").unwrap_err(), Refusal::UnknownTenant);
    assert!(renamed.admit(&app, "skane").is_ok());
    let late = renamed.with(RouteVersion(3), [RouteChange::Route(route(2, "malmo", "production", 1, 4))]);
    assert!(late.admit(&app, "skane").is_ok());
    assert!(late.admit(&app, "malmo").is_err());
}

#[test]
fn an_old_name_tells_the_new_one_to_who_may_know_and_is_unknown_to_everybody_else() {
    let aliased = Route { aliases: Box::new(["malmo".parse().unwrap()]), ..route(2, "skane", "production", 1, 2) };
    let renamed = table().with(RouteVersion(2), [RouteChange::Route(aliased)]);
    let (from, to) = ("malmo".parse().unwrap(), "skane".parse().unwrap());
    let app = credential("production", Scope::App);
    assert_eq!(renamed.admit(&app, "malmo").unwrap_err(), Refusal::Renamed { from, to });
    assert!(renamed.admit(&app, "skane").is_ok());
    let other = credential("production", Scope::Tenant(TenantId::from_uuid(Uuid::from_u128(1))));
    assert_eq!(renamed.admit(&other, "malmo").unwrap_err(), Refusal::UnknownTenant);
    assert_eq!(renamed.admit(&credential("staging", Scope::App), "malmo").unwrap_err(), Refusal::UnknownTenant);
    let over = renamed.with(RouteVersion(3), [RouteChange::Route(route(2, "skane", "production", 1, 3))]);
    assert_eq!(over.admit(&app, "malmo").unwrap_err(), Refusal::UnknownTenant, "its time is over");
}

#[test]
fn a_name_that_a_tenant_took_over_is_its_own_in_whatever_order_the_changes_come() {
    let app = credential("production", Scope::App);
    let (first, second) = (route(1, "stockholm", "production", 1, 2), route(2, "goteborg", "production", 1, 2));
    for changes in [[first.clone(), second.clone()], [second, first]] {
        let table = table().with(RouteVersion(2), changes.map(RouteChange::Route));
        assert_eq!(table.admit(&app, "goteborg").unwrap().route.tenant, TenantId::from_uuid(Uuid::from_u128(2)));
        assert_eq!(table.admit(&app, "stockholm").unwrap().route.tenant, TenantId::from_uuid(Uuid::from_u128(1)));
        assert_eq!(table.admit(&app, "malmo").unwrap_err(), Refusal::UnknownTenant);
    }
}

#[test]
fn a_deleted_tenant_is_refused_as_deleted() {
    let deleted = Route { state: RouteState::Deleted, ..route(2, "malmo", "production", 1, 2) };
    let table = table().with(RouteVersion(2), [RouteChange::Route(deleted)]);
    let refused = table.admit(&credential("production", Scope::App), "malmo").unwrap_err();
    assert_eq!(refused, Refusal::Deleted("malmo".parse().unwrap()));
}

#[test]
fn a_reader_of_one_version_never_sees_the_next() {
    let before = table();
    let after = before.with(RouteVersion(2), [RouteChange::RouteGone(TenantId::from_uuid(Uuid::from_u128(1)))]);
    assert_eq!((before.tenant_count(), after.tenant_count()), (3, 2));
    assert!(before.admit(&credential("production", Scope::App), "goteborg").is_ok());
}

#[test]
#[should_panic(expected = "is not after")]
fn a_version_never_goes_back() {
    let _ = table().with(RouteVersion(1), []);
}

#[test]
fn a_revoked_credential_is_unknown_and_a_renamed_one_answers_to_one_name() {
    let named = |name: &str| Credential { name: name.parse().unwrap(), ..credential("production", Scope::App) };
    let first = table().with(RouteVersion(2), [RouteChange::Credential(named("one"))]);
    let second = first.with(RouteVersion(3), [RouteChange::Credential(named("two"))]);
    assert!(second.credential("one").is_none() && second.credential("two").is_some());
    let gone = second.with(RouteVersion(4), [RouteChange::CredentialGone(CredentialId::from_uuid(Uuid::from_u128(9)))]);
    assert!(gone.credential("two").is_none());
}

proptest! {
    #[test]
    fn both_ways_to_a_route_agree_after_any_changes(changes in prop::collection::vec((0u128..6, 0usize..6, 0u64..8, any::<bool>()), 0..60)) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut table = RouteTable::default();
        for (i, (tenant, name, epoch, gone)) in changes.into_iter().enumerate() {
            let change = if gone {
                RouteChange::RouteGone(TenantId::from_uuid(Uuid::from_u128(tenant)))
            } else {
                // A slug belongs to one tenant at a time, as the catalog guarantees.
                let slug = names[(usize::try_from(tenant).unwrap() + 6 * name) % 6];
                RouteChange::Route(route(tenant, &format!("{slug}{tenant}"), "production", 1, epoch))
            };
            table = table.with(RouteVersion(u64::try_from(i).unwrap() + 1), [change]);
            for tenant in 0..6 {
                if let Some(found) = table.route_of(TenantId::from_uuid(Uuid::from_u128(tenant))) {
                    prop_assert!(Arc::ptr_eq(found, table.route(&found.environment, &found.slug).unwrap()));
                }
            }
        }
    }
}

/// Whoever keeps tables on disk must not lag behind one that closes something, and may behind one that only adds.
#[test]
fn a_table_that_only_adds_is_told_from_one_that_may_forbid_something() {
    let before = table();
    let next = |change| before.with(RouteVersion(2), [change]);
    assert!(before.only_adds_to(&before) && before.only_adds_to(&RouteTable::default()));
    assert!(next(RouteChange::Route(route(4, "lund", "production", 1, 1))).only_adds_to(&before));
    assert!(next(RouteChange::Credential(credential("production", Scope::App))).only_adds_to(&before));
    assert!(next(cluster(3, "production")).only_adds_to(&before));
    let with_credential = next(RouteChange::Credential(credential("production", Scope::App)));
    let revoked = with_credential.with(RouteVersion(3), [RouteChange::CredentialGone(CredentialId::from_uuid(Uuid::from_u128(9)))]);
    assert!(!revoked.only_adds_to(&with_credential));
    for change in [
        RouteChange::Route(Route { state: RouteState::Suspended, ..route(1, "goteborg", "production", 1, 2) }),
        RouteChange::Route(route(1, "gbg", "production", 1, 2)),
        RouteChange::Route(route(9, "goteborg", "production", 1, 1)),
        RouteChange::RouteGone(TenantId::from_uuid(Uuid::from_u128(3))),
        RouteChange::ClusterGone(ClusterId::from_uuid(Uuid::from_u128(1))),
        cluster(1, "production"),
        environment("staging"),
    ] {
        let said = format!("{change:?}");
        assert!(!next(change).only_adds_to(&before), "{said}");
    }
}

#[test]
fn a_tenant_that_may_not_be_where_it_is_lets_nobody_in_and_is_told_why() {
    let at = |placement| table().with(RouteVersion(2), [RouteChange::Route(Route { placement, ..route(2, "malmo", "production", 1, 2) })]);
    let app = credential("production", Scope::App);
    for why in [Withheld::Unjudged, Withheld::Blocked] {
        let refused = at(Placement::Withheld(why)).admit(&app, "malmo").unwrap_err();
        assert_eq!(refused, Refusal::Withheld("malmo".parse().unwrap(), why));
    }
    let refused = at(certified(2, 1, Allows::Finishing)).admit(&app, "malmo").unwrap_err();
    assert_eq!(refused, Refusal::Finishing("malmo".parse().unwrap()));
}

#[test]
fn where_only_reading_is_allowed_every_session_has_the_role_that_only_reads() {
    let change = RouteChange::Route(Route { placement: certified(2, 1, Allows::Reading), ..route(2, "malmo", "production", 1, 2) });
    let table = table().with(RouteVersion(2), [change]);
    for level in Level::ALL {
        let app = Credential { level, ..credential("production", Scope::App) };
        let admission = table.admit(&app, "malmo").unwrap();
        assert_eq!(admission.level, Level::Ro);
        assert_eq!(admission.login.role, RoleName::of(&admission.route.database, Level::Ro));
    }
}
