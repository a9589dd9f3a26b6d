//! Two environments on servers that differ: what is told, what is waived and for how long, and what nobody can say.

use holm_core::audit::AuditAction;
use holm_core::cluster::ServerAddress;
use holm_core::environment::EnvironmentName;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::operation::OperationState;
use holm_core::parity::{Severity, Value, Verdict};
use holm_engine::cluster::{self, NewCluster};
use holm_engine::environment::parity::waiver::{self, Wanted};
use holm_engine::environment::parity::{self, Report, Told};
use holm_engine::operation::show;
use holm_store::parity::Waiver;
use holm_testkit::{TestServer, new_server};
use jiff::{Timestamp, ToSpan};

use crate::adopting::{bring, try_adopt};
use crate::clusters::staging;
use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World, production};

/// Names, and what each has.
type Settings = Vec<(&'static str, &'static str)>;

fn of_staging() -> EnvironmentName {
    "staging".parse().unwrap()
}

/// `production-1` and `staging-1`, on a server each.
async fn two(settings: Settings, of_the_other: Settings, migrations: Settings) -> (World, TestServer) {
    let world = World::start(Setup { pool_size: 1, migrations, settings, ..Setup::default() }).await;
    staging(&world).await;
    let other = new_server(&of_the_other).await;
    let cluster = NewCluster {
        address: ServerAddress { host: other.address.host.clone(), port: other.address.port },
        admin_role: other.superuser.clone(),
        admin_password: other.password.clone(),
        ..world.new_cluster("staging-1", "staging")
    };
    cluster::register(&world.control, &DEV, cluster).await.unwrap();
    world.until_count("template WHERE state = 'ready'", 2).await;
    (world, other)
}

async fn compared(world: &World) -> Report {
    parity::report(&world.control, &of_staging(), &production()).await.unwrap()
}

fn ids(report: &Report) -> Vec<String> {
    report.told.iter().map(|told| format!("{} {}", told.finding.id, told.finding.outcome.as_str())).collect()
}

fn told<'a>(report: &'a Report, id: &str) -> &'a Told {
    report.told.iter().find(|told| told.finding.id.to_string() == id).unwrap_or_else(|| panic!("{id}: {:?}", ids(report)))
}

fn known(told: &[(holm_core::cluster::ClusterName, Value)]) -> Vec<(&str, &Value)> {
    told.iter().map(|(cluster, value)| (cluster.as_str(), value)).collect()
}

async fn in_days(world: &World, days: i64) -> Timestamp {
    let row = world.catalog().await.query_one("SELECT now()", &[]).await.unwrap();
    row.get::<_, Timestamp>(0) + (24 * days).hours()
}

async fn wanted(world: &World, difference: &str) -> Wanted {
    Wanted {
        difference: difference.to_owned(),
        owner: "platform".to_owned(),
        reason: "until production is moved".to_owned(),
        until: in_days(world, 30).await,
    }
}

async fn waive(world: &World, wanted: Wanted) -> Result<Waiver, Problem> {
    waiver::grant(&world.control, &DEV, &of_staging(), &production(), wanted).await
}

#[tokio::test(flavor = "multi_thread")]
async fn r20_what_differs_between_the_servers_of_two_environments_is_told_with_both_values_and_why() {
    let settings = vec![("timezone", "Europe/Oslo"), ("statement_timeout", "30s"), ("work_mem", "8MB")];
    let (world, _other) = two(settings, vec![("timezone", "UTC"), ("work_mem", "4MB")], vec![SCHEMA]).await;
    let report = compared(&world).await;
    let expected =
        ["database.migrations differs", "parameter/TimeZone differs", "parameter/statement_timeout differs", "parameter/work_mem differs"];
    assert_eq!(ids(&report), expected);
    assert_eq!((report.verdict(), report.compared.len()), (Verdict::MayBreak, 2));
    let zone = &told(&report, "parameter/TimeZone").finding;
    assert_eq!(known(&zone.here), [("staging-1", &Value::known("UTC"))]);
    assert_eq!(known(&zone.there), [("production-1", &Value::known("Europe/Oslo"))]);
    // What Holm's own sessions set for themselves is not taken for the server's.
    let timeout = &told(&report, "parameter/statement_timeout").finding;
    assert_eq!(known(&timeout.here), [("staging-1", &Value::known("0 ms"))]);
    assert_eq!(known(&timeout.there), [("production-1", &Value::known("30000 ms"))]);
    assert_eq!(told(&report, "parameter/work_mem").finding.id.severity(), Severity::MayDiffer);
    // The other way round it is the same.
    let turned = parity::report(&world.control, &production(), &of_staging()).await.unwrap();
    assert_eq!(ids(&turned), expected);
    let turned = &told(&turned, "parameter/TimeZone").finding;
    assert_eq!((&turned.here, &turned.there), (&zone.there, &zone.here));
    // Looking changes nothing.
    world.until_count("cluster WHERE trouble IS NOT NULL", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r20_a_waiver_covers_what_differed_when_it_was_granted_until_its_day_and_no_longer() {
    let (world, other) = two(vec![("timezone", "Europe/Oslo")], vec![("timezone", "UTC")], vec![]).await;
    assert_eq!(ids(&compared(&world).await), ["parameter/TimeZone differs"]);
    let granted = waive(&world, wanted(&world, "parameter/TimeZone").await).await.unwrap();
    assert_eq!((granted.here, granted.there), (vec![Some("UTC".to_owned())], vec![Some("Europe/Oslo".to_owned())]));
    for (one, with) in [(of_staging(), production()), (production(), of_staging())] {
        let report = parity::report(&world.control, &one, &with).await.unwrap();
        assert_eq!(told(&report, "parameter/TimeZone").waiver.as_ref().map(|waiver| waiver.id), Some(granted.id));
        assert_eq!(report.verdict(), Verdict::Clear);
    }
    // Another value is another difference; the one that was accepted still is.
    let admin = other.connect("postgres").await;
    admin.batch_execute("ALTER ROLE ALL SET timezone = 'Europe/Paris'").await.unwrap();
    assert_eq!(compared(&world).await.verdict(), Verdict::MayBreak);
    admin.batch_execute("ALTER ROLE ALL RESET timezone").await.unwrap();
    assert_eq!(compared(&world).await.verdict(), Verdict::Clear);
    // It ends by itself, and is still listed.
    world.catalog().await.execute("UPDATE parity_waiver SET until = now()", &[]).await.unwrap();
    assert_eq!(compared(&world).await.verdict(), Verdict::MayBreak);
    assert!(waiver::list(&world.control).await.unwrap()[0].ended);
    world.catalog().await.execute("UPDATE parity_waiver SET until = now() + interval '1 day'", &[]).await.unwrap();
    assert_eq!(compared(&world).await.verdict(), Verdict::Clear);
    // And is revoked once.
    waiver::revoke(&world.control, &DEV, granted.id).await.unwrap();
    assert_eq!(compared(&world).await.verdict(), Verdict::MayBreak);
    let again = waiver::revoke(&world.control, &DEV, granted.id).await.unwrap_err();
    assert_eq!((again.code, waiver::list(&world.control).await.unwrap()), (ErrorCode::RecordNotFound, vec![]));
    // The log has what was accepted, and none of the words that may name somebody.
    for action in [AuditAction::ParityWaive, AuditAction::ParityRevoke] {
        let row = world.catalog().await.query_one("SELECT detail FROM audit_entry WHERE action = $1", &[&action.as_str()]).await.unwrap();
        let detail: String = row.get(0);
        assert!(detail.contains("parameter/TimeZone production until") && !detail.contains("moved"), "{detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r20_a_server_that_does_not_answer_is_named_and_nothing_is_guessed_of_it() {
    let (world, other) = two(vec![("timezone", "Europe/Oslo")], vec![("timezone", "UTC")], vec![]).await;
    // What is set for Holm's own role is not what tenants are given.
    let admin = other.connect("postgres").await;
    admin.batch_execute(&format!("ALTER ROLE {} SET datestyle = 'German'", other.superuser.as_ident())).await.unwrap();
    let report = compared(&world).await;
    let style = &told(&report, "parameter/DateStyle").finding;
    assert_eq!((style.outcome.as_str(), matches!(style.here[0].1, Value::Unknown(_))), ("unknown", true), "{style:?}");
    drop(admin);
    other.stop().await;
    let report = compared(&world).await;
    assert_eq!((ids(&report), report.verdict()), (vec!["server.seen/staging-1 unknown".to_owned()], Verdict::Unknown));
    assert!(
        matches!(&told(&report, "server.seen/staging-1").finding.here[0].1, Value::Unknown(why) if why.contains(&other.address.to_string()))
    );
    assert_eq!(report.compared.iter().filter(|one| one.seen.is_err()).count(), 1);
    let refused = waive(&world, wanted(&world, "server.seen/staging-1").await).await.unwrap_err();
    assert_eq!((refused.code, refused.changed, refused.next.len()), (ErrorCode::InvalidValue, Changed::Nothing, 1), "{refused:?}");
    assert_eq!(world.count("parity_waiver").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r20_a_database_that_somebody_brought_is_compared_and_its_migrations_are_unknown() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    staging(&world).await;
    world.until_count("template WHERE state = 'ready'", 1).await;
    let other = new_server(&[]).await;
    let url = bring(&other, "app").await;
    other.connect("postgres").await.batch_execute("ALTER DATABASE app SET timezone = 'Europe/Paris'").await.unwrap();
    let id = try_adopt(&world, "goteborg", "staging", &url).await.unwrap();
    assert_eq!(show::succeeded(&world.control, id, PATIENCE).await.unwrap().state, OperationState::Succeeded);
    let report = compared(&world).await;
    let found = ids(&report);
    // Its own setting is what its tenant has; what only a superuser may read, nobody read.
    for expected in
        ["database.migrations unknown", "parameter/TimeZone differs", "parameter/shared_preload_libraries unknown", "server.suits differs"]
    {
        assert!(found.iter().any(|one| one == expected), "{expected}: {found:?}");
    }
    assert!(matches!(&told(&report, "parameter/TimeZone").finding.here[..], [(_, Value::Known(zone))] if zone == "Europe/Paris"));
    assert_eq!(report.verdict(), Verdict::MayBreak);
    // What nobody can ever say is waived like a difference.
    for one in report.told.iter().filter(|told| told.finding.id.severity() == Severity::MayBreak) {
        waive(&world, wanted(&world, &one.finding.id.to_string()).await).await.unwrap();
    }
    assert_eq!(compared(&world).await.verdict(), Verdict::Clear);
}

#[tokio::test(flavor = "multi_thread")]
async fn r20_what_cannot_be_compared_or_waived_is_refused_with_the_reason_and_changes_nothing() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    staging(&world).await;
    let nowhere: EnvironmentName = "nowhere".parse().unwrap();
    for (one, with, code) in [
        (production(), production(), ErrorCode::InvalidValue),
        (production(), nowhere.clone(), ErrorCode::EnvironmentNotFound),
        (nowhere, production(), ErrorCode::EnvironmentNotFound),
    ] {
        let problem = parity::report(&world.control, &one, &with).await.unwrap_err();
        assert_eq!((problem.code, problem.changed, problem.next.is_empty()), (code, Changed::Nothing, false), "{problem:?}");
    }
    let report = compared(&world).await;
    assert_eq!((ids(&report), report.verdict()), (vec!["server.seen/staging unknown".to_owned()], Verdict::Unknown));
    let good = wanted(&world, "parameter/TimeZone").await;
    for wrong in [
        good.clone(),
        Wanted { difference: "parameter/port".to_owned(), ..good.clone() },
        Wanted { difference: "server.seen/staging".to_owned(), ..good.clone() },
        Wanted { owner: " ".to_owned(), ..good.clone() },
        Wanted { reason: "two\nlines".to_owned(), ..good.clone() },
        Wanted { reason: "x".repeat(2001), ..good.clone() },
    ] {
        let problem = waive(&world, wrong.clone()).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (ErrorCode::InvalidValue, Changed::Nothing), "{wrong:?}: {problem:?}");
    }
    assert_eq!(world.count("parity_waiver").await, 0);
}
