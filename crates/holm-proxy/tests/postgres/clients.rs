//! Programs that people use, unchanged, against two tenants at once.

use std::process::{Output, Stdio};

use crate::support::{SECRET, World};

fn command(world: &World, program: &str) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(world.server.installation().bin.join(program));
    command.env("PGPASSWORD", SECRET).stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn run(mut command: tokio::process::Command) -> Output {
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[tokio::test]
async fn psql_sees_the_tenant_it_names_and_says_its_own_errors() {
    let world = World::new().await;
    let (goteborg, malmo) = tokio::join!(world.tenant("goteborg"), world.tenant("malmo"));
    for (slug, tenant) in [("goteborg", &goteborg), ("malmo", &malmo)] {
        let mut psql = command(&world, "psql");
        psql.args(["-XAtqc", "SELECT current_database() || ' ' || current_user", &world.url("app", slug)]);
        let said = String::from_utf8(run(psql).await.stdout).unwrap();
        assert_eq!(said.trim(), format!("{0} {0}_rw", tenant.route.database));
    }
    let mut psql = command(&world, "psql");
    psql.args(["-XAtqc", "SELECT 1/0", &world.url("app", "malmo")]);
    let failed = psql.output().await.unwrap();
    assert!(String::from_utf8_lossy(&failed.stderr).contains("division by zero"));
}

#[tokio::test]
async fn a_dump_of_one_tenant_is_restored_into_another_while_both_are_used() {
    let world = World::new().await;
    let (from, to) = tokio::join!(world.tenant("goteborg"), world.tenant("malmo"));
    let (one, two) = tokio::join!(world.connect("app_owner", "goteborg"), world.connect("app_owner", "malmo"));
    one.batch_execute("CREATE TABLE gig AS SELECT i AS id, repeat('ton', i % 50) AS note FROM generate_series(1, 5000) i").await.unwrap();
    let archive = tempfile::NamedTempFile::new().unwrap();
    let mut dump = command(&world, "pg_dump");
    dump.args(["-Fc", "--no-owner", "-d", &world.url("app_owner", "goteborg"), "-f"]).arg(archive.path());
    let mut restore = command(&world, "pg_restore");
    restore.args(["--no-owner", "-d", &world.url("app_owner", "malmo")]).arg(archive.path());
    run(dump).await;
    run(restore).await;
    let sum = "SELECT count(*), sum(hashtext(id || note)) FROM gig";
    let (a, b) = tokio::join!(one.query_one(sum, &[]), two.query_one(sum, &[]));
    let pair = |row: tokio_postgres::Row| (row.get::<_, i64>(0), row.get::<_, i64>(1));
    assert_eq!(pair(a.unwrap()), pair(b.unwrap()));
    assert_ne!(from.route.database, to.route.database);
}

#[tokio::test]
async fn r94_one_url_a_tenant_serves_a_program_with_many_statements_at_once() {
    let world = World::new().await;
    let tenants = ["goteborg", "malmo"];
    for slug in tenants {
        world.tenant(slug).await;
    }
    for slug in tenants {
        let client = world.connect("app", slug).await;
        let statement = client.prepare("SELECT $1::int4 + 1, $2::text").await.unwrap();
        let (statement, client) = (&statement, &client);
        let asked = (0..100).map(|i: i32| async move { client.query_one(statement, &[&i, &slug]).await.unwrap() });
        for (i, row) in futures_util::future::join_all(asked).await.into_iter().enumerate() {
            assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (i32::try_from(i).unwrap() + 1, slug));
        }
    }
}
