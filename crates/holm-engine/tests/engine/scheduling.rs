//! Scheduled work of several processes on one catalog.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::schedule::Job;
use holm_engine::secret::master_key::MasterKey;
use holm_link::Publisher;
use holm_store::catalog::Catalog;
use holm_store::schedule;
use holm_testkit::{database, eventually, server};

use crate::support::KEY;

static OFTEN: AtomicUsize = AtomicUsize::new(0);
static ONCE: AtomicUsize = AtomicUsize::new(0);
static STUBBORN: AtomicUsize = AtomicUsize::new(0);

fn jobs() -> Vec<Job> {
    let job = |name, every, run| Job { name, every: Duration::from_millis(every), at_most: Duration::from_secs(20), run };
    vec![
        job("often", 200, |_| {
            OFTEN.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(()) })
        }),
        job("once", 3_600_000, |_| {
            ONCE.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(()) })
        }),
        job("stubborn", 3_600_000, |_| {
            STUBBORN.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Err(Problem::new(ErrorCode::CatalogUnavailable, "it did not work")) })
        }),
    ]
}

/// Two processes on one catalog: each piece of work that was due ran exactly once, in one of them.
#[tokio::test]
async fn each_piece_of_work_that_is_due_runs_once_over_all_processes() {
    let empty = database(server().await).await;
    let mut controls = Vec::new();
    for _ in 0..2 {
        let catalog = Catalog::open(&empty.url(), 4).unwrap();
        catalog.migrate().await.unwrap();
        let config = ControlConfig::new(catalog, MasterKey::from_bytes(KEY), Publisher::default());
        controls.push(Control::open(ControlConfig { jobs: jobs(), ..config }).await.unwrap());
    }
    controls.iter().for_each(Control::start);
    eventually(Duration::from_secs(60), "often has run ten times", async || (OFTEN.load(Ordering::SeqCst) >= 10).then_some(())).await;
    for control in &controls {
        control.shutdown().await;
    }
    let turns = schedule::list(controls[0].catalog()).await.unwrap();
    let of = |name: &str| turns.iter().find(|job| job.name == name).unwrap();
    assert_eq!(usize::try_from(of("often").turns).unwrap(), OFTEN.load(Ordering::SeqCst), "as often as it was due, and no more");
    assert_eq!((of("once").turns, ONCE.load(Ordering::SeqCst)), (1, 1));
    assert!(of("once").problem.is_none());
    assert_eq!(of("stubborn").problem.as_ref().unwrap().code, ErrorCode::CatalogUnavailable, "why is kept");
    assert_eq!(usize::try_from(of("stubborn").turns).unwrap(), STUBBORN.load(Ordering::SeqCst));
}

/// A process dies with work in hand: another takes it up when its time is over, and the dead one's word no longer counts.
#[tokio::test]
async fn work_of_a_process_that_died_is_taken_up_by_another_when_its_time_is_over() {
    let empty = database(server().await).await;
    let catalog = Catalog::open(&empty.url(), 4).unwrap();
    catalog.migrate().await.unwrap();
    schedule::add(&catalog, &["work"]).await.unwrap();
    let names = ["work"];
    let dead = schedule::take(&catalog, &names, "one", Duration::ZERO).await.unwrap().unwrap();
    let taken = schedule::take(&catalog, &names, "two", Duration::from_secs(60)).await.unwrap().unwrap();
    assert!(schedule::take(&catalog, &names, "three", Duration::ZERO).await.unwrap().is_none());
    assert!(!schedule::done(&catalog, &dead, Duration::ZERO, None).await.unwrap());
    assert!(schedule::done(&catalog, &taken, Duration::from_secs(60), None).await.unwrap());
    assert!(schedule::due_in(&catalog, &names).await.unwrap().unwrap() > Duration::from_secs(50));
}
