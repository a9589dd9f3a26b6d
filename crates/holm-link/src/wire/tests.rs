//! What a table that went over the wire may be relied on for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holm_core::cluster::client_certificate::ClientCertificate;
use holm_core::cluster::tls::{RootCertificates, Roots, ServerTls};
use holm_core::cluster::{Cluster, ServerAddress};
use holm_core::credential::{Credential, Level, Scope};
use holm_core::environment::{Environment, EnvironmentKind};
use holm_core::id::{ClusterId, CredentialId, TenantId};
use holm_core::limits::TenantLimits;
use holm_core::parameter::TenantParameter;
use holm_core::placement::{Allows, Authority, Certificate, Claims, JudgedBy, Placement, SystemIdentifier, Withheld};
use holm_core::role::{DatabaseName, RoleName};
use holm_core::route::{Logins, Refusal, Route, RouteChange, RouteState, RouteVersion, ServerLogin};
use holm_core::scram::{LoginKeys, SecondKeys, Verifier};
use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

mod part;

fn key(n: u8) -> Secret<[u8; 32]> {
    Secret::new([n; 32])
}

fn environment(name: &str, kind: EnvironmentKind) -> RouteChange {
    let (name, domain) = (name.parse().unwrap(), format!("{name}.example").parse().unwrap());
    RouteChange::Environment(Environment { name, kind, domain, header_key: key(7) })
}

fn cluster(id: u128) -> RouteChange {
    RouteChange::Cluster(Cluster {
        id: ClusterId::from_uuid(Uuid::from_u128(id)),
        name: format!("production-{id}").parse().unwrap(),
        environment: "production".parse().unwrap(),
        address: ServerAddress { host: "::1".into(), port: 5432 },
        tls: ways()[usize::try_from(id % 4).unwrap()].clone(),
        client_certificate: (id > 4).then(shown),
        connections_max: 10,
    })
}

const ROOT: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

fn ways() -> [ServerTls; 4] {
    let roots: RootCertificates = ROOT.parse().unwrap();
    [
        ServerTls::Disable,
        ServerTls::VerifyCa(roots.clone()),
        ServerTls::VerifyFull(Roots::System),
        ServerTls::VerifyFull(Roots::Given(roots)),
    ]
}

fn shown() -> ClientCertificate {
    let key = Secret::new("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n".to_owned());
    ClientCertificate::given(Some(ROOT), Some(&key)).unwrap().unwrap()
}

fn credential(id: u128, scope: Scope, level: Level, retiring: bool) -> Credential {
    Credential {
        id: CredentialId::from_uuid(Uuid::from_u128(id)),
        name: format!("app-{id}").parse().unwrap(),
        environment: "production".parse().unwrap(),
        scope,
        level,
        verifier: Verifier { salt: Box::new([1, 2, 3]), iterations: 4096, stored_key: key(1), server_key: key(2) },
        retiring: retiring.then(|| SecondKeys { stored_key: key(3), server_key: key(4) }),
    }
}

fn login(database: &DatabaseName, level: Level, n: u8) -> ServerLogin {
    let keys = LoginKeys { client_key: key(n), server_key: key(n.wrapping_add(1)) };
    ServerLogin { role: RoleName::of(database, level), keys }
}

fn each(database: &DatabaseName, n: u8) -> Logins {
    Level::ALL.map(|level| login(database, level, n.wrapping_add(level as u8))).into()
}

fn route(tenant: u128, slug: &str) -> Route {
    let database = DatabaseName::generated(Uuid::from_u128(tenant));
    Route {
        tenant: TenantId::from_uuid(Uuid::from_u128(tenant)),
        slug: slug.parse().unwrap(),
        environment: "production".parse().unwrap(),
        state: RouteState::Serving,
        epoch: 3,
        cluster: ClusterId::from_uuid(Uuid::from_u128(1)),
        logins: each(&database, 20),
        next_logins: None,
        database,
        parameters: Box::new([]),
        limits: TenantLimits::default(),
        aliases: Box::new([]),
        placement: certified(tenant, Some(SystemIdentifier(-7)), Allows::All),
    }
}

fn certified(tenant: u128, server: Option<SystemIdentifier>, allows: Allows) -> Placement {
    let claims = Claims {
        tenant: TenantId::from_uuid(Uuid::from_u128(tenant)),
        cluster: ClusterId::from_uuid(Uuid::from_u128(1)),
        server,
        judged_by: server.map(|_| JudgedBy { profile: [6; 32], registry: [7; 32] }),
        allows,
        issued_at: Timestamp::from_second(1_700_000_000).unwrap(),
        expires_at: Timestamp::from_second(1_700_172_800).unwrap(),
    };
    Placement::Certified(Arc::new(Certificate { claims, signer: [8; 8], signature: [9; 64] }))
}

fn table() -> RouteTable {
    let mut full = route(1, "goteborg");
    full.next_logins = Some(each(&full.database, 40));
    full.parameters = Box::new([TenantParameter::new("work_mem", "8MB").unwrap(), TenantParameter::new("jit", "off").unwrap()]);
    full.limits = TenantLimits::new(2, Some(5), 7).unwrap();
    full.aliases = Box::new(["gbg".parse().unwrap(), "gothenburg".parse().unwrap()]);
    let mut adopted = route(2, "malmo");
    adopted.logins = Logins::Owner(login(&adopted.database, Level::Owner, 60));
    adopted.placement = certified(2, None, Allows::Reading);
    let suspended = Route { state: RouteState::Suspended, placement: certified(3, None, Allows::Finishing), ..route(3, "lund") };
    let placement = Placement::Withheld(Withheld::Blocked);
    let deleted = Route { state: RouteState::Deleted, epoch: u64::MAX, placement, ..route(4, "kalmar") };
    let placement = Placement::Withheld(Withheld::Unjudged);
    let authority = Authority { key: [3; 32], told_at: Timestamp::from_microsecond(1_700_000_000_000_001).unwrap() };
    RouteTable::default().with(
        RouteVersion(17),
        [
            environment("production", EnvironmentKind::Production),
            environment("staging", EnvironmentKind::Staging),
            environment("dev-anna", EnvironmentKind::Development),
            environment("pipeline", EnvironmentKind::Ci),
            cluster(1),
            cluster(2),
            cluster(3),
            cluster(4),
            cluster(5),
            cluster(6),
            cluster(7),
            RouteChange::Credential(credential(1, Scope::App, Level::Rw, true)),
            RouteChange::Credential(credential(2, Scope::Tenant(full.tenant), Level::Owner, false)),
            RouteChange::Credential(credential(3, Scope::App, Level::Ro, false)),
            RouteChange::Route(full),
            RouteChange::Route(adopted),
            RouteChange::Route(suspended),
            RouteChange::Route(deleted),
            RouteChange::Route(Route { state: RouteState::Paused, placement, ..route(5, "ystad") }),
            RouteChange::Authority(authority),
        ],
    )
}

fn there_and_back(table: &RouteTable) -> RouteTable {
    decode(encode(table).expose()).unwrap()
}

/// By every field, apart from what the codec does; a new field does not compile until it is compared here.
fn assert_same(one: &RouteTable, two: &RouteTable) {
    assert_eq!(one.version(), two.version());
    assert_eq!(one.authority(), two.authority());
    assert_eq!(one.tenant_count(), two.tenant_count());
    assert_eq!(one.credentials().count(), two.credentials().count());
    assert_eq!(one.environments().count(), two.environments().count());
    assert_eq!(one.clusters().count(), two.clusters().count());
    for environment in one.environments() {
        let Environment { name, kind, domain, header_key } = &**environment;
        let other = two.environment(name).unwrap();
        assert!(other.kind == *kind && other.domain == *domain && other.header_key == *header_key, "{name}");
    }
    for cluster in one.clusters() {
        let Cluster { id, name, environment, address, tls, client_certificate, connections_max } = &**cluster;
        let other = two.cluster(*id).unwrap();
        assert!(other.name == *name && other.environment == *environment && other.address == *address, "{name}");
        assert_eq!((other.connections_max, &other.tls), (*connections_max, tls));
        let shown =
            |shown: &Option<ClientCertificate>| shown.as_ref().map(|shown| (shown.chain().clone(), shown.key().expose_pem().clone()));
        assert_eq!(shown(&other.client_certificate), shown(&client_certificate.clone().filter(|_| tls.is_encrypted())), "{name}");
    }
    for credential in one.credentials() {
        assert_same_credential(credential, two.credential(credential.name.as_str()).unwrap());
    }
    for route in one.routes() {
        assert_same_route(route, two.route_of(route.tenant).unwrap());
        assert!(Arc::ptr_eq(two.route(&route.environment, &route.slug).unwrap(), two.route_of(route.tenant).unwrap()));
        for alias in &route.aliases {
            assert_eq!(two.renamed(&route.environment, alias).unwrap().tenant, route.tenant);
        }
    }
}

fn assert_same_credential(one: &Credential, two: &Credential) {
    let Credential { id, name, environment, scope, level, verifier, retiring } = one;
    let Verifier { salt, iterations, stored_key, server_key } = verifier;
    assert!(two.id == *id && two.name == *name && two.environment == *environment && two.scope == *scope && two.level == *level, "{name}");
    assert!(two.verifier.salt == *salt && two.verifier.iterations == *iterations, "{name}");
    assert!(two.verifier.stored_key == *stored_key && two.verifier.server_key == *server_key, "{name}");
    match (retiring, &two.retiring) {
        (None, None) => {}
        (Some(SecondKeys { stored_key, server_key }), Some(two)) => {
            assert!(two.stored_key == *stored_key && two.server_key == *server_key, "{name}");
        }
        _ => panic!("{name}: one password retires, the other does not"),
    }
}

fn assert_same_route(one: &Route, two: &Route) {
    let Route { tenant, slug, environment, state, epoch, cluster, database, logins, next_logins, parameters, limits, aliases, placement } =
        one;
    assert!(two.tenant == *tenant && two.slug == *slug && two.environment == *environment && two.state == *state, "{slug}");
    assert!(two.epoch == *epoch && two.cluster == *cluster && two.database == *database, "{slug}");
    assert!(two.parameters == *parameters && two.limits == *limits && two.aliases == *aliases, "{slug}");
    assert_eq!(two.placement, *placement, "{slug}");
    assert_same_logins(Some(logins), Some(&two.logins));
    assert_same_logins(next_logins.as_ref(), two.next_logins.as_ref());
}

fn assert_same_logins(one: Option<&Logins>, two: Option<&Logins>) {
    assert_eq!(one.is_some(), two.is_some());
    for level in Level::ALL {
        match (one.and_then(|logins| logins.of(level)), two.and_then(|logins| logins.of(level))) {
            (None, None) => {}
            (Some(ServerLogin { role, keys: LoginKeys { client_key, server_key } }), Some(two)) => {
                assert!(two.role == *role && two.keys.client_key == *client_key && two.keys.server_key == *server_key, "{role}");
            }
            _ => panic!("{level}: one can log in, the other cannot"),
        }
    }
}

#[test]
fn a_table_that_comes_back_is_the_same_in_every_field_and_every_byte() {
    let table = table();
    let back = there_and_back(&table);
    assert_same(&table, &back);
    assert_same(&back, &table);
    assert_eq!(encode(&back), encode(&table));
    let app = back.credential("app-1").unwrap();
    assert!(back.admit(app, "goteborg").is_ok());
    assert!(matches!(back.admit(app, "gbg"), Err(Refusal::Renamed { .. })));
    assert!(matches!(back.admit(app, "lund"), Err(Refusal::Suspended(_))));
    assert!(matches!(back.admit(app, "malmo"), Err(Refusal::NoSuchLevel(..))));
    assert_same(&there_and_back(&RouteTable::default()), &RouteTable::default());
}

#[test]
fn a_table_of_a_newer_or_an_older_holm_is_refused_by_its_number() {
    for found in [2, 4] {
        let mut bytes = encode(&table()).expose().clone();
        bytes[8..10].copy_from_slice(&u16::to_be_bytes(found));
        let refused = decode(&bytes).unwrap_err();
        assert_eq!(refused, Refused::OtherVersion { found });
        assert_eq!(refused.to_string(), format!("read a route table of layout {found}, when this Holm reads layout 3"));
    }
}

#[test]
fn a_table_that_is_cut_anywhere_is_refused() {
    let bytes = encode(&table());
    for length in 0..bytes.expose().len() {
        let refused = decode(&bytes.expose()[..length]).unwrap_err();
        assert_eq!(refused, if length < 10 { Refused::NotATable } else { Refused::Damaged }, "{length}");
    }
    let longer = [bytes.expose().as_slice(), &[0]].concat();
    assert_eq!(decode(&longer).unwrap_err(), Refused::Damaged);
}

#[test]
fn a_table_with_one_bit_changed_anywhere_is_refused() {
    let mut bytes = encode(&table()).expose().clone();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

/// The digest put right, as by somebody who writes tables of his own.
fn with_digest(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - DIGEST_LENGTH;
    let sum = digest(&SHA256, &bytes[..end]);
    bytes[end..].copy_from_slice(sum.as_ref());
    bytes
}

/// `content` between the route version and the digest.
fn written(version: u64, content: &[&[u8]]) -> Vec<u8> {
    let mut bytes = [MAGIC.as_slice(), &VERSION.to_be_bytes(), &version.to_be_bytes()].concat();
    content.iter().for_each(|part| bytes.extend_from_slice(part));
    with_digest([bytes, vec![0; DIGEST_LENGTH]].concat())
}

fn environment_bytes(name: &str, kind: u8) -> Vec<u8> {
    let text = |text: &str| [u32::try_from(text.len()).unwrap().to_be_bytes().as_slice(), text.as_bytes()].concat();
    [text(name), vec![kind], text("example.com"), vec![0; 32]].concat()
}

#[test]
fn what_no_holm_writes_is_refused_by_name_though_its_digest_is_right() {
    let none = 0_u32.to_be_bytes();
    let (one, two) = (1_u32.to_be_bytes(), 2_u32.to_be_bytes());
    let rest: &[u8] = &[0; 13];
    let (a, b) = (environment_bytes("a", 1), environment_bytes("b", 1));
    assert!(decode(&written(1, &[&two, &a, &b, rest])).is_ok());
    let cases: [(&str, Vec<u8>); 9] = [
        ("bytes after the end", written(1, &[&none, rest, &[0]])),
        ("content of no version", written(0, &[&one, &a, rest])),
        ("two of one name, or another order", written(1, &[&two, &a, &a, rest])),
        ("two of one name, or another order", written(1, &[&two, &b, &a, rest])),
        ("an unknown kind of environment", written(1, &[&one, &environment_bytes("a", 5), rest])),
        ("an environment's name that is none", written(1, &[&one, &environment_bytes("A", 1), rest])),
        ("a length that is not there", written(1, &[&one, &u32::MAX.to_be_bytes(), &a, rest])),
        ("a length that is not there", written(1, &[&u32::MAX.to_be_bytes(), &a])),
        ("a text that is not UTF-8", written(1, &[&one, &one, &[0xff], &a, rest])),
    ];
    for (what, bytes) in cases {
        assert_eq!(decode(&bytes).unwrap_err(), Refused::Malformed { what });
    }
}

#[test]
fn a_cluster_that_is_spoken_to_in_a_way_that_no_holm_writes_is_refused() {
    let none = 0_u32.to_be_bytes();
    let text = |text: &str| [u32::try_from(text.len()).unwrap().to_be_bytes().as_slice(), text.as_bytes()].concat();
    let cluster = |way: &[u8]| {
        let begin = [vec![1; 16], text("production-1"), text("production"), text("::1"), vec![21, 56]].concat();
        written(1, &[&none, &1_u32.to_be_bytes(), &begin, way, &[0, 0, 0, 9], &none, &none, &[0]])
    };
    let key = shown().key().expose_pem().expose().clone();
    let (chain, key) = (text(ROOT), text(&key));
    for way in [
        vec![0],
        vec![2],
        [vec![1], text(ROOT)].concat(),
        [vec![3], text(ROOT)].concat(),
        [vec![5], chain.clone(), key.clone()].concat(),
        [vec![6], text(ROOT), chain.clone(), key.clone()].concat(),
    ] {
        assert!(decode(&cluster(&way)).is_ok(), "{way:?}");
    }
    for (way, what) in [
        (vec![7], "an unknown way to speak to a cluster"),
        (vec![255], "an unknown way to speak to a cluster"),
        ([vec![5], text("AAAA"), key.clone()].concat(), "a client certificate or its key that is none"),
        ([vec![5], chain.clone(), text("AAAA")].concat(), "a client certificate or its key that is none"),
        ([vec![5], chain.clone(), chain].concat(), "a client certificate or its key that is none"),
        ([vec![1], text("")].concat(), "root certificates that are none"),
        ([vec![3], text("AAAA")].concat(), "root certificates that are none"),
        ([vec![3], text(&format!("{ROOT}\n"))].concat(), "root certificates that are none"),
    ] {
        assert_eq!(decode(&cluster(&way)).unwrap_err(), Refused::Malformed { what });
    }
}

/// A row that could not be opened leaves its tenant under the name that another has by now: nobody is let in by it here, and
/// nobody is there.
#[test]
fn a_route_that_its_name_does_not_lead_to_is_left_out() {
    let renamed = Route { aliases: Box::new(["malmo".parse().unwrap()]), ..route(5, "goteborg") };
    let table = table().with(RouteVersion(18), [RouteChange::Route(renamed)]);
    let back = there_and_back(&table);
    assert_eq!(back.tenant_count(), table.tenant_count() - 1);
    let environment = "production".parse().unwrap();
    assert_eq!(back.route(&environment, &"goteborg".parse().unwrap()).unwrap().tenant, TenantId::from_uuid(Uuid::from_u128(5)));
    assert_eq!(back.route(&environment, &"malmo".parse().unwrap()).unwrap().tenant, TenantId::from_uuid(Uuid::from_u128(2)));
}

/// What a start from disk and a write to it cost.
#[test]
fn twenty_thousand_tenants_are_written_and_read_in_well_under_a_second() {
    let routes = (0..20_000_u128).map(|n| RouteChange::Route(route(n, &format!("tenant-{n}"))));
    let table = RouteTable::default().with(RouteVersion(1), routes.chain([environment("production", EnvironmentKind::Production)]));
    let begun = Instant::now();
    let bytes = encode(&table);
    let wrote = begun.elapsed();
    let begun = Instant::now();
    let back = decode(bytes.expose()).unwrap();
    let read = begun.elapsed();
    println!("20,000 tenants are {} bytes, written in {wrote:?} and read in {read:?}", bytes.expose().len());
    assert_same(&table, &back);
    let most = if cfg!(debug_assertions) { Duration::from_secs(10) } else { Duration::from_millis(500) };
    assert!(wrote + read < most, "{:?}", wrote + read);
}

/// Changes as they come about: on changes, names that go from one tenant to another.
fn any_changes() -> impl Strategy<Value = Vec<RouteChange>> {
    let names = || prop::sample::select(NAMES.to_vec());
    let change = (0_u128..6, names(), prop::collection::vec(names(), 0..3), any::<(u8, u8, bool, u32)>());
    let change = change.prop_map(|(tenant, slug, aliases, (kind, n, flag, number))| {
        let scope = if flag { Scope::App } else { Scope::Tenant(TenantId::from_uuid(Uuid::from_u128(tenant))) };
        let level = Level::ALL[usize::from(n % 3)];
        let mut next = route(tenant, slug);
        next.state = RouteState::ALL[usize::from(n % 4)];
        next.epoch = number.into();
        next.limits = TenantLimits::new(number % 9, flag.then_some(9 + number % 9), 1 + u32::from(n % 100)).unwrap();
        next.aliases = aliases.into_iter().map(|alias| alias.parse().unwrap()).collect();
        next.next_logins = flag.then(|| each(&next.database, n));
        match kind % 6 {
            0 => RouteChange::Credential(credential(tenant, scope, level, flag)),
            1 => RouteChange::CredentialGone(CredentialId::from_uuid(Uuid::from_u128(tenant))),
            2 => RouteChange::RouteGone(next.tenant),
            _ => RouteChange::Route(next),
        }
    });
    prop::collection::vec(change, 0..12)
}

const NAMES: [&str; 5] = ["goteborg", "malmo", "lund", "kalmar", "ystad"];

fn any_table() -> impl Strategy<Value = RouteTable> {
    any_changes().prop_map(|changes| {
        let all = [environment("production", EnvironmentKind::Production), cluster(1)];
        RouteTable::default().with(RouteVersion(5), all.into_iter().chain(changes))
    })
}

/// Two tenants of one name, which no catalog has: what the one that is left out was called until lately is forgotten.
fn verdict(table: &RouteTable, name: &str) -> Result<(TenantId, RouteState, u64), Refusal> {
    let admins = credential(99, Scope::App, Level::Owner, false);
    let forgotten = |refusal| if matches!(refusal, Refusal::Renamed { .. }) { Refusal::UnknownTenant } else { refusal };
    let admitted = table.admit(&admins, name);
    admitted.map(|admission| (admission.route.tenant, admission.route.state, admission.route.epoch)).map_err(forgotten)
}

proptest! {
    #[test]
    fn any_table_comes_back_with_whom_it_lets_in_and_whom_not(table in any_table()) {
        let bytes = encode(&table);
        let back = decode(bytes.expose()).unwrap();
        prop_assert_eq!(encode(&back), bytes);
        for name in NAMES.into_iter().chain(["nobody"]) {
            prop_assert_eq!(verdict(&table, name), verdict(&back, name));
        }
        for credential in table.credentials() {
            assert_same_credential(credential, back.credential(credential.name.as_str()).unwrap());
        }
    }

    #[test]
    fn who_is_told_only_what_is_new_decides_as_who_is_told_everything(first in any_table(), steps in prop::collection::vec(any_changes(), 1..5)) {
        let (mut newest, mut told) = (first.clone(), there_and_back(&first));
        for (step, changes) in (6..).zip(steps) {
            let older = newest.clone();
            newest = older.with(RouteVersion(step * 10), changes);
            let bytes = Changes::between(&older, &newest).encode_after(&[]);
            let read = Changes::decode(bytes.expose()).unwrap();
            prop_assert!(read.apply(&newest).is_none(), "only to what it was made from");
            told = read.apply(&told).unwrap();
            prop_assert_eq!(told.version(), newest.version());
            for name in NAMES.into_iter().chain(["nobody"]) {
                prop_assert_eq!(verdict(&newest, name), verdict(&told, name), "{}", name);
            }
            prop_assert_eq!(newest.credentials().count(), told.credentials().count());
            for credential in newest.credentials() {
                assert_same_credential(credential, told.credential(credential.name.as_str()).unwrap());
            }
            for cut in [0, 7, 11, bytes.expose().len() - 1] {
                prop_assert!(Changes::decode(&bytes.expose()[..cut]).is_err());
            }
        }
    }

    #[test]
    fn no_input_panics_or_is_read_as_another_table(table in any_table(), place in any::<prop::sample::Index>(), byte in 1_u8.., right in any::<bool>()) {
        let mut bytes = encode(&table).expose().clone();
        let place = place.index(bytes.len());
        bytes[place] ^= byte;
        if right && place < bytes.len() - DIGEST_LENGTH {
            // Whoever writes tables of his own is understood, or refused; nothing in between.
            if let Ok(read) = decode(&with_digest(bytes.clone())) {
                prop_assert_eq!(with_digest(bytes), encode(&read).expose().clone());
            }
        } else {
            prop_assert!(decode(&bytes).is_err());
        }
    }
}

/// Seeds of another layout are refused at their second byte, and the fuzzer finds nothing behind that. `UPDATE_SEEDS=1` writes them.
#[test]
fn the_fuzzers_seeds_are_of_this_layout() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/link_routes");
    let without_digest = |table: &RouteTable| {
        let bytes = encode(table);
        let (content, _) = bytes.expose().split_last_chunk::<DIGEST_LENGTH>().unwrap();
        content.to_vec()
    };
    let whole = without_digest(&table());
    let seeds = [
        ("with_digest", encode(&table()).expose().clone()),
        ("whole", whole.clone()),
        ("bytes_left_over", [whole.as_slice(), &[0]].concat()),
        ("empty", without_digest(&RouteTable::default())),
    ];
    for (name, seed) in seeds {
        let file = corpus.join(name);
        if std::env::var_os("UPDATE_SEEDS").is_some() {
            std::fs::write(&file, &seed).unwrap();
        }
        assert_eq!(std::fs::read(&file).unwrap(), seed, "{name}: see `UPDATE_SEEDS`");
    }
}
