//! Numbers about tenants on real servers: what is told of many, what is withheld, who is named as not counted, and what the log has.

use holm_core::audit::AuditAction;
use holm_core::error::{Changed, ErrorCode};
use holm_core::role::DatabaseName;
use holm_core::statistics::{AtLeast, By, Figure, Folded, Measure, Told, Withheld};
use holm_engine::environment::statistics::{self, Answered, Wanted};
use holm_engine::tenant::{self, NewTenant, delete};
use holm_testkit::{TestServer, eventually};

use crate::adopting::{adopted, bring};
use crate::placing::{another, place, told as facts};
use crate::support::{DEV, PATIENCE, Setup, World, new_tenant, production, slug};

/// Nothing is written but by the test: sizes and counts stand still.
const STILL: [(&str, &str); 1] = [("autovacuum", "off")];

/// More than making a database writes by far.
const ROWS: i64 = 20_000;

async fn world() -> World {
    World::start(Setup { pool_size: 1, settings: STILL.to_vec(), ..Setup::default() }).await
}

fn wanted(by: Option<By>, at_least: u32) -> Wanted {
    Wanted { purpose: "capacity for 2027".parse().unwrap(), by, at_least: AtLeast::try_from(at_least).unwrap() }
}

async fn ask(world: &World, by: Option<By>, at_least: u32) -> Answered {
    statistics::ask(&world.control, &DEV, &production(), wanted(by, at_least)).await.unwrap()
}

/// Tenants on a cluster, and their databases.
async fn tenants(world: &World, cluster: &str, names: &[&str]) -> Vec<DatabaseName> {
    let mut made = Vec::new();
    for name in names {
        let new = NewTenant { cluster: Some(cluster.parse().unwrap()), ..new_tenant(name) };
        made.push(tenant::create(&world.control, &DEV, new, PATIENCE).await.unwrap().database.unwrap());
    }
    made
}

/// Rows in a tenant's database, which its server has counted.
async fn write_rows(server: &TestServer, database: &DatabaseName) {
    let inside = server.connect(database.as_str()).await;
    inside
        .batch_execute(&format!("CREATE TABLE t AS SELECT 1 AS one; INSERT INTO t SELECT 1 FROM generate_series(2, {ROWS})"))
        .await
        .unwrap();
    drop(inside);
    let admin = server.connect("postgres").await;
    eventually(PATIENCE, "the rows are counted", async || {
        let row = admin.query_one("SELECT tup_inserted FROM pg_stat_database WHERE datname = $1", &[&database.as_str()]).await.unwrap();
        let counted: i64 = row.get(0);
        if counted >= ROWS - 1 { Ok(()) } else { Err(counted) }
    })
    .await;
}

async fn size(server: &TestServer, databases: &[DatabaseName]) -> u64 {
    let names: Vec<&str> = databases.iter().map(DatabaseName::as_str).collect();
    let sql = "SELECT sum(pg_database_size(oid))::bigint FROM pg_database WHERE datname = ANY ($1)";
    let row = server.connect("postgres").await.query_one(sql, &[&names]).await.unwrap();
    row.get::<_, i64>(0).try_into().unwrap()
}

fn figure(told: &Told, measure: Measure) -> Figure {
    told.figures[measure as usize]
}

fn sum(told: &Told, measure: Measure) -> u64 {
    match figure(told, measure) {
        Figure::Told { sum, .. } => sum,
        Figure::Withheld(why) => panic!("{measure:?} is withheld: {why:?}"),
    }
}

fn groups(answered: &Answered) -> Vec<(&str, usize)> {
    answered.statistics.groups.iter().map(|group| (group.name.as_deref().unwrap_or("-"), group.told.tenants)).collect()
}

/// The story: somebody plans next year's machines, and one customer writes more than all others of its cluster.
#[tokio::test(flavor = "multi_thread")]
async fn r98_r104_sums_of_groups_that_are_large_enough_are_told_and_what_one_tenant_does_is_not() {
    let world = world().await;
    let other = another(&world, "production-2").await;
    let admin = other.connect("postgres").await;
    for still in ["ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()"] {
        admin.batch_execute(still).await.unwrap();
    }
    let here = tenants(&world, "production-1", &["arvika", "bergen", "goteborg", "malmo"]).await;
    let there = tenants(&world, "production-2", &["oslo", "turku", "umea"]).await;
    write_rows(&world.server, &here[0]).await;
    for database in &there {
        write_rows(&other, database).await;
    }
    // Kept whole, and counted; closed, and not counted.
    tenant::suspend(&world.control, &DEV, &production(), &slug("bergen")).await.unwrap();
    tenants(&world, "production-1", &["vaasa"]).await;
    delete::delete(&world.control, &DEV, &production(), &slug("vaasa"), delete::GRACE, None).await.unwrap();
    world.until_count("tenant WHERE state = 'deleted'", 1).await;

    let by_cluster = ask(&world, Some(By::Cluster), 3).await;
    assert_eq!(groups(&by_cluster), [("production-1", 4), ("production-2", 3)]);
    assert_eq!((by_cluster.statistics.total.tenants, by_cluster.statistics.others.as_ref(), by_cluster.not_counted.len()), (7, None, 0));
    let [one, two] = [&by_cluster.statistics.groups[0].told, &by_cluster.statistics.groups[1].told];
    assert_eq!(sum(one, Measure::Size), size(&world.server, &here).await);
    assert_eq!(sum(two, Measure::Size), size(&other, &there).await);
    assert_eq!(sum(&by_cluster.statistics.total, Measure::Size), sum(one, Measure::Size) + sum(two, Measure::Size));
    // Nearly all that was written on one cluster is one tenant's; the other's sum, taken from the total, would tell it.
    assert_eq!(figure(one, Measure::RowsWritten), Figure::Withheld(Withheld::Dominated));
    assert_eq!(figure(two, Measure::RowsWritten), Figure::Withheld(Withheld::WouldTell));
    assert!(sum(&by_cluster.statistics.total, Measure::RowsWritten) >= 4 * u64::try_from(ROWS - 1).unwrap());

    // As one, it is the same total, and there are no groups.
    let as_one = ask(&world, None, 3).await;
    assert_eq!((as_one.statistics.groups.len(), as_one.statistics.others), (0, None));
    assert_eq!(figure(&as_one.statistics.total, Measure::RowsWritten), figure(&by_cluster.statistics.total, Measure::RowsWritten));
    // Three of four wanted: with them goes the only other group.
    let folded = ask(&world, Some(By::Cluster), 4).await;
    let others = folded.statistics.others.as_ref().unwrap();
    assert_eq!((groups(&folded), others.groups, others.folded, others.told.tenants), (vec![], 2, Folded::WithTheSmallest, 7));
    let nothing = ask(&world, Some(By::Cluster), 8).await;
    assert_eq!((groups(&nothing), nothing.statistics.total.tenants), (vec![], 7));
    assert_eq!(nothing.statistics.total.figures, [Figure::Withheld(Withheld::TooFew); 5]);

    facts(&world).await;
    place(&world, "production-1", "nordlys", "no-osl").await;
    assert_eq!(groups(&ask(&world, Some(By::Region), 3).await), [("-", 3), ("nordlys/no-osl", 4)]);
    assert_eq!(groups(&ask(&world, Some(By::Profile), 3).await), [("-", 7)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r98_a_cluster_that_does_not_answer_is_named_with_how_many_tenants_are_not_counted_for_that() {
    let world = world().await;
    let other = another(&world, "production-2").await;
    tenants(&world, "production-1", &["arvika", "bergen", "goteborg"]).await;
    tenants(&world, "production-2", &["oslo", "turku"]).await;
    other.stop().await;
    let answered = ask(&world, Some(By::Cluster), 3).await;
    assert_eq!((groups(&answered), answered.statistics.total.tenants), (vec![("production-1", 3)], 3));
    let [not] = &answered.not_counted[..] else { panic!("{:?}", answered.not_counted) };
    assert_eq!((not.cluster.as_str(), not.tenants), ("production-2", 2));
    assert!(not.because.contains(&other.address.to_string()), "{not:?}");
    other.restart().await;
    let answered = ask(&world, Some(By::Cluster), 3).await;
    assert_eq!((answered.statistics.total.tenants, answered.not_counted), (5, vec![]));
    // A database that is gone from its server is not taken for an empty one.
    let database = tenants(&world, "production-2", &["umea"]).await.remove(0);
    other.connect("postgres").await.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", database.as_ident())).await.unwrap();
    let answered = ask(&world, None, 3).await;
    assert_eq!((answered.statistics.total.tenants, answered.not_counted.len(), answered.not_counted[0].tenants), (5, 1, 1));
}

/// A cluster of a database that somebody brought has one tenant, and may be called like it.
#[tokio::test(flavor = "multi_thread")]
async fn r104_databases_that_were_brought_are_counted_and_their_clusters_are_not_named() {
    let world = World::without_cluster(Setup { pool_size: 1, ..Setup::default() }, holm_testkit::new_server(&[]).await).await;
    for name in ["goteborg", "malmo", "oslo"] {
        let url = bring(&world.server, name).await;
        adopted(&world, name, &url).await;
    }
    let answered = ask(&world, Some(By::Cluster), 3).await;
    let others = answered.statistics.others.as_ref().unwrap();
    assert_eq!((groups(&answered), others.groups, others.folded, others.told.tenants), (vec![], 3, Folded::TooFew, 3));
    assert!(sum(&others.told, Measure::Size) > 3_000_000, "a role that may connect may read the size");
    let told = format!("{:?}", answered.statistics);
    assert!(["goteborg", "malmo", "oslo"].iter().all(|name| !told.contains(name)), "{told}");
    assert_eq!(answered.not_counted, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn r104_the_audit_log_says_who_asked_what_for_by_what_and_of_how_many_and_without_it_there_is_no_answer() {
    let world = world().await;
    tenants(&world, "production-1", &["arvika", "bergen", "goteborg"]).await;
    ask(&world, Some(By::Region), 3).await;
    ask(&world, None, 5).await;
    let sql = "SELECT reason, detail, environment, actor_name FROM audit_entry WHERE action = $1 ORDER BY seq";
    let rows = world.catalog().await.query(sql, &[&AuditAction::StatisticsAsk.as_str()]).await.unwrap();
    let noted: Vec<[String; 3]> = rows.iter().map(|row| [row.get("reason"), row.get("detail"), row.get("environment")]).collect();
    let entry = |detail: &str| ["capacity for 2027", detail, "production"].map(str::to_owned);
    // Also where nothing could be told.
    assert_eq!(noted, [entry(r#"{"by":"region","at_least":3,"tenants":3}"#), entry(r#"{"by":null,"at_least":5,"tenants":3}"#)]);
    assert!(rows.iter().all(|row| !row.get::<_, String>("actor_name").is_empty()));

    let nowhere = "nowhere".parse().unwrap();
    let problem = statistics::ask(&world.control, &DEV, &nowhere, wanted(None, 3)).await.unwrap_err();
    assert_eq!((problem.code, problem.changed), (ErrorCode::EnvironmentNotFound, Changed::Nothing));
    world.catalog().await.batch_execute("ALTER TABLE audit_entry ADD CHECK (action <> 'statistics.ask') NOT VALID").await.unwrap();
    assert!(statistics::ask(&world.control, &DEV, &production(), wanted(None, 3)).await.is_err());
}
