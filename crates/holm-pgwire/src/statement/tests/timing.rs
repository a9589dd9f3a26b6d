//! What looking costs. Prints, asserts nothing: `cargo test -p holm-pgwire --release -- --ignored --nocapture looking`.

use std::hint::black_box;
use std::time::Instant;

use super::*;

/// The fastest of many short rounds, in nanoseconds each: what else runs on the machine only adds.
fn best(mut act: impl FnMut(), repeats: u32) -> f64 {
    let round = || {
        let start = Instant::now();
        (0..repeats).for_each(|_| act());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(repeats)
    };
    std::iter::repeat_with(round).take(2_000).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "prints times, which mean something in a release build only"]
fn looking_at_common_texts_costs_little() {
    let row = "(12345, 'a name of somebody', 'somebody@example.com', now(), 'a line of text; it goes on'),";
    let insert = format!("INSERT INTO t (a, b, c, d, e) VALUES {}(1, '', '', now(), '')", row.repeat(10_000));
    let quoted = format!("INSERT INTO t (a) VALUES ('{}')", "x".repeat(900_000));
    for (name, text) in [
        ("60 bytes", "SELECT abalance FROM pgbench_accounts WHERE aid = 12345678;"),
        ("BEGIN", "BEGIN"),
        (
            "ORM, 300 bytes",
            &format!(
                "SELECT \"t0\".\"id\", \"t0\".\"name\" FROM \"public\".\"users\" AS \"t0\" WHERE {}",
                "\"t0\".\"x\" = $1 AND ".repeat(12)
            ),
        ),
        ("upsert with confusing names", "INSERT INTO temp (timestamp) VALUES ($1) ON CONFLICT DO NOTHING"),
        ("SET LOCAL", "SET LOCAL app.tenant = 'somebody'"),
        ("set_config", "SELECT set_config('app.tenant', $1, true)"),
        ("INSERT of 900 KB", &insert),
        ("one string of 900 KB", &quoted),
    ] {
        let repeats = u32::try_from(100_000 / text.len().max(60)).unwrap().max(1);
        let look = best(|| _ = black_box(look(black_box(text.as_bytes()))), repeats);
        let stream = best(|| read_in_pieces(black_box(text.as_bytes()), 16_384, &mut |effect| _ = black_box(effect)), repeats);
        let bytes = text.len() as f64;
        println!("{name:28} {look:10.0} ns {:8.2} GB/s   streamed {stream:10.0} ns {:8.2} GB/s", bytes / look, bytes / stream);
    }
}
