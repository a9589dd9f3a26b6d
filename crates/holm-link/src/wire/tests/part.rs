//! What is told to a node of one environment: that environment, and no byte of another.

use super::*;

/// What stands for an environment in every field of what is its own: a byte that is in nothing else here.
const MARKS: [(&str, u8); 2] = [("production", 0xa7), ("staging", 0xb9)];

fn id(mark: u8, number: u8) -> Uuid {
    Uuid::from_bytes([mark, mark, mark, number, mark, mark, mark, mark, mark, mark, mark, mark, mark, mark, mark, mark])
}

fn cluster_of(environment: usize, number: u8) -> Cluster {
    let (name, mark) = MARKS[environment];
    let key = Secret::new(format!("-----BEGIN PRIVATE KEY-----\nkey{name}{number}\n-----END PRIVATE KEY-----\n"));
    let pem = format!("-----BEGIN CERTIFICATE-----\nchain{name}\n-----END CERTIFICATE-----\n");
    Cluster {
        id: ClusterId::from_uuid(id(mark, number)),
        name: format!("{name}-{number}").parse().unwrap(),
        environment: name.parse().unwrap(),
        address: ServerAddress { host: format!("db.{name}.example").into(), port: 5432 },
        tls: ServerTls::VerifyCa(pem.parse().unwrap()),
        client_certificate: ClientCertificate::given(Some(&pem), Some(&key)).unwrap(),
        connections_max: 10,
    }
}

fn credential_of(environment: usize, number: u8) -> Credential {
    let (name, mark) = MARKS[environment];
    Credential {
        id: CredentialId::from_uuid(id(mark, number)),
        name: format!("{name}-app-{number}").parse().unwrap(),
        environment: name.parse().unwrap(),
        verifier: Verifier { salt: Box::new([mark; 4]), iterations: 4096, stored_key: key(mark), server_key: key(mark) },
        ..credential(1, Scope::App, Level::Rw, false)
    }
}

fn route_of(environment: usize, number: u8, epoch: u64) -> Route {
    let (name, mark) = MARKS[environment];
    let database = DatabaseName::generated(id(mark, number));
    let claims = Claims {
        tenant: TenantId::from_uuid(id(mark, number)),
        cluster: ClusterId::from_uuid(id(mark, 0)),
        server: None,
        judged_by: Some(JudgedBy { profile: [mark; 32], registry: [mark; 32] }),
        allows: Allows::All,
        issued_at: Timestamp::UNIX_EPOCH,
        expires_at: Timestamp::UNIX_EPOCH,
    };
    Route {
        tenant: claims.tenant,
        slug: format!("{name}-tenant-{number}").parse().unwrap(),
        aliases: Box::new([format!("{name}-once-{number}").parse().unwrap()]),
        environment: name.parse().unwrap(),
        cluster: claims.cluster,
        epoch,
        logins: each(&database, mark),
        database,
        placement: Placement::Certified(Arc::new(Certificate { claims, signer: [1; 8], signature: [mark; 64] })),
        ..route(1, "nobody")
    }
}

fn environment_of(environment: usize) -> RouteChange {
    let (name, mark) = MARKS[environment];
    let (name, domain) = (name.parse().unwrap(), format!("{name}.example").parse().unwrap());
    RouteChange::Environment(Environment { name, kind: EnvironmentKind::Staging, domain, header_key: key(mark) })
}

/// Whether anything in some bytes is of an environment: its name, or its mark four times in a row, as it is in every id, key and
/// signature. Twice in a row it is in the digest of one table in two thousand.
fn has(bytes: &[u8], environment: usize) -> bool {
    let (name, mark) = MARKS[environment];
    bytes.windows(name.len()).any(|window| window == name.as_bytes())
        || bytes.windows(4).any(|window| window == [mark; 4])
        // Generated names of databases and roles have it in hexadecimal.
        || bytes.windows(4).any(|window| window == format!("{mark:02x}{mark:02x}").as_bytes())
}

fn any_step() -> impl Strategy<Value = Vec<RouteChange>> {
    let change = (0_usize..2, 0_u8..4, 0_u8..7, 1_u64..9).prop_map(|(environment, number, kind, epoch)| match kind {
        0 => RouteChange::Cluster(cluster_of(environment, number)),
        1 => RouteChange::ClusterGone(cluster_of(environment, number).id),
        2 => RouteChange::Credential(credential_of(environment, number)),
        3 => RouteChange::CredentialGone(credential_of(environment, number).id),
        4 => RouteChange::RouteGone(route_of(environment, number, epoch).tenant),
        _ => RouteChange::Route(route_of(environment, number, epoch)),
    });
    prop::collection::vec(change, 0..14)
}

fn begun() -> RouteTable {
    let authority = Authority { key: [3; 32], told_at: Timestamp::UNIX_EPOCH };
    let of = |environment| {
        let cluster = RouteChange::Cluster(cluster_of(environment, 0));
        let rest = [RouteChange::Credential(credential_of(environment, 0)), RouteChange::Route(route_of(environment, 0, 1))];
        [environment_of(environment), cluster].into_iter().chain(rest)
    };
    RouteTable::default().with(RouteVersion(1), [RouteChange::Authority(authority)].into_iter().chain(of(0)).chain(of(1)))
}

#[test]
fn what_is_looked_for_is_there_where_it_should_be() {
    let whole = encode(&begun());
    assert!(has(whole.expose(), 0) && has(whole.expose(), 1));
    for (environment, (name, _)) in MARKS.iter().enumerate() {
        let part = begun().of(&name.parse().unwrap());
        assert_eq!((part.version(), part.tenant_count(), part.clusters().count()), (RouteVersion(1), 1, 1));
        let bytes = encode(&part);
        assert!(has(bytes.expose(), environment) && !has(bytes.expose(), 1 - environment));
        // A credential of the other is as unknown as one that there never was.
        assert!(part.credential(credential_of(1 - environment, 0).name.as_str()).is_none());
        let admins = Credential { environment: name.parse().unwrap(), ..credential_of(environment, 0) };
        let foreign = route_of(1 - environment, 0, 1).slug;
        assert_eq!(part.admit(&admins, foreign.as_str()).unwrap_err(), part.admit(&admins, "nobody-at-all").unwrap_err());
    }
    assert_eq!(RouteTable::default().of(&"staging".parse().unwrap()).version(), RouteVersion::default());
}

proptest! {
    #[test]
    fn a_node_of_one_environment_is_told_all_of_it_and_no_byte_of_another_whatever_changes(steps in prop::collection::vec(any_step(), 1..6)) {
        let staging = "staging".parse().unwrap();
        let mut newest = begun();
        let mut told = decode(encode(&newest.of(&staging)).expose()).unwrap();
        for (step, changes) in (2..).zip(steps) {
            let older = newest.clone();
            newest = older.with(RouteVersion(step), changes);
            let bytes = Changes::between_of(&older, &newest, &staging).encode_after(&[]);
            prop_assert!(!has(bytes.expose(), 0));
            told = Changes::decode(bytes.expose()).unwrap().apply(&told).unwrap();
            let part = newest.of(&staging);
            prop_assert_eq!(encode(&told), encode(&part));
            prop_assert!(!has(encode(&part).expose(), 0));
        }
    }
}
