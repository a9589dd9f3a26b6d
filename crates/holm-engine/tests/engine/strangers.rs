//! Whoever is let into a tenant's database beside its own roles is told of: whose it is, and what shuts them out.

use holm_engine::doctor::{Finding, Verdict};

use crate::support::{SCHEMA, Setup, World};

async fn isolation(world: &World) -> Vec<Finding> {
    let mut found = world.complaints().await;
    found.retain(|finding| finding.check == "cluster production-1: isolation");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn r72_who_is_let_into_a_tenants_database_is_told_of_with_whose_it_is_and_the_statement_that_shuts_them_out() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let goteborg = world.create("goteborg").await.unwrap().database.unwrap();
    let malmo = world.create("malmo").await.unwrap().database.unwrap();
    world.settled().await;
    let admin = world.server.connect("postgres").await;
    admin.batch_execute("CREATE ROLE \"an analyst\" LOGIN; CREATE ROLE root LOGIN SUPERUSER").await.unwrap();
    let (owner, rw) = (world.login(&goteborg, "owner").await, world.login(&goteborg, "rw").await);
    owner.batch_execute(&format!("GRANT CONNECT ON DATABASE {goteborg} TO root, {goteborg}_rw WITH GRANT OPTION")).await.unwrap();
    assert_eq!(isolation(&world).await, vec![], "a superuser gains nothing, and its own role is to connect");
    let of_malmo = "which is of tenant `malmo` in `production`";
    let cases = [
        (
            &owner,
            format!("GRANT CONNECT ON DATABASE {goteborg} TO \"an analyst\""),
            Verdict::Warning,
            "may connect",
            "which is none of Holm's",
        ),
        (
            &rw,
            format!("GRANT CONNECT ON DATABASE {goteborg} TO \"an analyst\""),
            Verdict::Warning,
            "may connect",
            "which is none of Holm's",
        ),
        (&owner, format!("GRANT CONNECT ON DATABASE {goteborg} TO {malmo}_ro"), Verdict::Bad, "may connect", of_malmo),
        (&admin, format!("GRANT {goteborg}_owner TO \"an analyst\""), Verdict::Warning, "may act as role", "which is none of Holm's"),
        (&admin, format!("GRANT {goteborg}_ro TO {malmo}_rw WITH ADMIN OPTION"), Verdict::Bad, "may act as role", of_malmo),
        (&admin, format!("GRANT {goteborg}_owner TO {goteborg}_ro"), Verdict::Bad, "may act as role", "which is to have less there"),
    ];
    for (whose, grant, verdict, may, which) in cases {
        whose.batch_execute(&grant).await.unwrap();
        let found = isolation(&world).await;
        let [told] = found.as_slice() else { panic!("{grant}: {found:?}") };
        assert_eq!(told.verdict, verdict, "{grant}: {told:?}");
        for says in [may, which, "of tenant `goteborg` in `production`"] {
            assert!(told.text.contains(says), "{grant}: {told:?}");
        }
        let revoke = told.next.as_ref().unwrap().split('`').nth(1).unwrap();
        admin.batch_execute(revoke).await.unwrap();
        assert_eq!(isolation(&world).await, vec![], "{grant}: {revoke}");
    }
    // Let in by one who was let do so by another, of what the owner granted to the first.
    let ro = world.login(&goteborg, "ro").await;
    let option = |to: &str| format!("GRANT CONNECT ON DATABASE {goteborg} TO {to} WITH GRANT OPTION");
    owner.batch_execute(&option(&format!("{goteborg}_rw"))).await.unwrap();
    rw.batch_execute(&option(&format!("{goteborg}_ro"))).await.unwrap();
    ro.batch_execute(&format!("GRANT CONNECT ON DATABASE {goteborg} TO \"an analyst\"")).await.unwrap();
    let found = isolation(&world).await;
    let [told] = found.as_slice() else { panic!("{found:?}") };
    admin.batch_execute(told.next.as_ref().unwrap().split('`').nth(1).unwrap()).await.unwrap();
    assert_eq!(isolation(&world).await, vec![], "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_lets_in_a_crowd_hides_nobody_who_is_let_in_elsewhere() {
    let world = World::start(Setup { pool_size: 0, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let mut names = Vec::new();
    for name in ["goteborg", "malmo", "stockholm"] {
        names.push(world.create(name).await.unwrap().database.unwrap());
    }
    // By name the first of a server comes first.
    names.sort_by_key(ToString::to_string);
    let [crowded, victim, neighbour] = names.as_slice() else { panic!("{names:?}") };
    let admin = world.server.connect("postgres").await;
    let crowd = "DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('CREATE ROLE guest_%s', i);
                 EXECUTE format('GRANT CONNECT ON DATABASE CROWDED TO guest_%s', i); END LOOP; END $$";
    admin.batch_execute(&crowd.replace("CROWDED", crowded.as_str())).await.unwrap();
    admin.batch_execute(&format!("GRANT {victim}_owner TO {neighbour}_rw")).await.unwrap();
    let found = isolation(&world).await;
    assert_eq!(found.len(), 6, "{found:?}");
    assert!(found[0].verdict == Verdict::Bad && found[0].text.contains(&format!("{victim}_owner")), "{found:?}");
    assert!(found[5].text.starts_with("296 more grants"), "{found:?}");
}
