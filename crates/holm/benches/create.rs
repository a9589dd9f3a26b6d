//! From `POST …/tenants` to the first row through the proxy, with a warm pool and with a cold one.
//!
//! Runs the real binary with the demo's schema and seed-free tenants of its own; asserts every row, prints figures, judges nothing.
//! `cargo bench -p holm --bench create -- [tenants]`

#[path = "../tests/running/mod.rs"]
mod running;

use std::time::{Duration, Instant};

use running::Holm;

/// Enough for a 99th percentile that is a value and not the maximum.
const TENANTS: usize = 200;

/// What one tenant took.
struct Sample {
    create: Duration,
    first_row: Duration,
}

#[tokio::main]
async fn main() {
    let tenants = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(TENANTS);
    let holm = Holm::start(&["--migrations", concat!(env!("CARGO_MANIFEST_DIR"), "/../../demo/prisma/migrations")]).await;
    let credential = holm.credential("development", "rw");

    let mut cold = Vec::new();
    // The first start builds the template: the first tenant waits for it and for its own database.
    cold.push(create(&holm, &credential, "cold-0").await);
    let mut warm = Vec::new();
    for i in 0..tenants {
        pool_is_full(&holm).await;
        warm.push(create(&holm, &credential, &format!("warm-{i}")).await);
    }
    // As fast as one client can ask: the pool runs dry and every tenant waits for a database of its own.
    for i in 1..=30 {
        cold.push(create(&holm, &credential, &format!("cold-{i}")).await);
    }
    println!("tenant create to first row through the proxy, ms (login with PBKDF2 in the client included)");
    print("warm, answer to create", warm.iter().map(|sample| sample.create));
    print("warm, first row", warm.iter().map(|sample| sample.create + sample.first_row));
    print("cold, answer to create", cold.iter().map(|sample| sample.create));
    print("cold, first row", cold.iter().map(|sample| sample.create + sample.first_row));
}

async fn create(holm: &Holm, credential: &(String, String), slug: &str) -> Sample {
    let start = Instant::now();
    holm.create("development", slug).await;
    let create = start.elapsed();
    let start = Instant::now();
    let client = running::connect(&holm.config(credential, slug)).await.expect("a created tenant takes sessions");
    let row =
        client.query_one("SELECT count(*), current_database()::text LIKE 't\\_%' FROM musicians", &[]).await.expect("the schema is there");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1)), (0, true));
    Sample { create, first_row: start.elapsed() }
}

async fn pool_is_full(holm: &Holm) {
    let catalog = holm.server("catalog").await;
    let full = "SELECT count(*) >= (SELECT pool_size FROM environment) FROM database WHERE state = 'ready'";
    while !catalog.query_one(full, &[]).await.expect("the catalog answers").get::<_, bool>(0) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn print(what: &str, durations: impl Iterator<Item = Duration>) {
    let mut ms: Vec<f64> = durations.map(|duration| duration.as_secs_f64() * 1e3).collect();
    ms.sort_by(f64::total_cmp);
    // Nearest rank: the smallest value that p percent of the samples do not exceed.
    let rank = |p: usize| ms[(ms.len() * p).div_ceil(100).max(1) - 1];
    println!("{what:<26} n={:<4} p50={:<8.2} p99={:<8.2} min={:<8.2} max={:.2}", ms.len(), rank(50), rank(99), ms[0], ms[ms.len() - 1]);
}
