//! COPY each way: how fast, and what a proxy holds while somebody reads slowly.
//!
//! psql carries it, so that every target has the same client. What is copied to the server is counted there and stored nowhere.

use std::pin::pin;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::interval;

use crate::peers::{Peer, Peers, Setup};
use crate::plan::Plan;
use crate::process::{cpu_us, resident_kb};
use crate::table::{Column, Table};

/// Of a line with its end.
const LINE: u64 = 1_000;
/// 1 GB.
const FAST: u64 = 1_000_000;
/// A fifth of it: what a proxy holds shows at once, or never.
const SLOW: u64 = 200_000;
/// What the reader who is slow reads, and then does for a while.
const SIP: usize = 1 << 20;
const REST: Duration = Duration::from_millis(10);

/// How the server takes a line: it counts it, or rests as the slow reader does too.
const COUNTED: &str = "nextval('arrived') < 0";
const HESITATING: &str = "hesitates(nextval('arrived'))";

const SPEED: &[Column] = &[
    Column { name: "to the client, MB/s", digits: 0 },
    Column { name: "proxy CPU ms/GB", digits: 0 },
    Column { name: "to the server, MB/s", digits: 0 },
    Column { name: "proxy CPU ms/GB", digits: 0 },
];
const HELD: &[Column] = &[Column { name: "to the client, KB more", digits: 0 }, Column { name: "to the server, KB more", digits: 0 }];

pub(crate) async fn each_way(plan: &Plan) {
    let peers = Peers::start(plan, Setup::default()).await;
    peers.prepare_copy().await;
    let mut speed = Table::new(SPEED);
    let mut held = Table::new(HELD);
    // What an allocator keeps of former copies counts too.
    let at_start: Vec<f64> = peers.all().iter().map(|peer| peer.pid.map_or(f64::NAN, resident_kb)).collect();
    for _ in 0..plan.rounds {
        for (peer, &at_start) in peers.all().iter().zip(&at_start) {
            let (out, out_cpu) = measured(peer, to_client(peer, FAST, Duration::ZERO)).await;
            let (back, back_cpu) = measured(peer, to_server(&peers, peer, FAST, COUNTED)).await;
            speed.add(peer.name, vec![out, out_cpu, back, back_cpu]);
            let Some(pid) = peer.pid else { continue };
            let out = growth(pid, at_start, to_client(peer, SLOW, REST)).await;
            let back = growth(pid, at_start, to_server(&peers, peer, SLOW, HESITATING)).await;
            held.add(peer.name, vec![out, back]);
        }
    }
    println!("\nCOPY of 1 GB in lines of {LINE} bytes, {} rounds, taking turns", plan.rounds);
    speed.print("pgbouncer");
    println!("\nresident memory, at most, beyond what it was at start: COPY of 0.2 GB to who rests 10 ms after each MiB");
    held.print("pgbouncer");
}

/// Megabytes a second, and milliseconds of the proxy's CPU for all of it.
async fn measured(peer: &Peer, copy: impl Future<Output = ()>) -> (f64, f64) {
    let cpu = || peer.pid.map_or(f64::NAN, cpu_us);
    let (begun, before) = (Instant::now(), cpu());
    copy.await;
    let megabytes = (FAST * LINE) as f64 / 1e6;
    (megabytes / begun.elapsed().as_secs_f64(), (cpu() - before) / 1000.0)
}

/// The most that a process held beyond what it held before, in kilobytes.
async fn growth(pid: u32, before: f64, copy: impl Future<Output = ()>) -> f64 {
    let mut most = before;
    let mut copy = pin!(copy);
    let mut looks = interval(Duration::from_millis(10));
    loop {
        // A tick is nothing that could be lost, and the copy goes on where it was.
        tokio::select! {
            () = &mut copy => return most.max(resident_kb(pid)) - before,
            _ = looks.tick() => most = most.max(resident_kb(pid)),
        }
    }
}

async fn to_client(peer: &Peer, lines: u64, rest: Duration) {
    let mut psql = psql(peer, &format!("COPY (SELECT repeat('x', {LINE} - 1) FROM generate_series(1, {lines})) TO STDOUT"));
    let mut stdout = psql.stdout.take().expect("piped");
    let mut buffer = vec![0; 1 << 16];
    let (mut bytes, mut sipped) = (0, 0);
    loop {
        let read = stdout.read(&mut buffer).await.expect("psql writes");
        if read == 0 {
            break;
        }
        (bytes, sipped) = (bytes + read as u64, sipped + read);
        if sipped >= SIP && !rest.is_zero() {
            sipped = 0;
            tokio::time::sleep(rest).await;
        }
    }
    assert!(psql.wait().await.expect("psql ends").success(), "{}: the copy failed", peer.name);
    assert_eq!(bytes, lines * LINE, "{}: bytes that came", peer.name);
}

/// Counts on the server what arrives whole, and keeps nothing of it.
async fn to_server(peers: &Peers, peer: &Peer, lines: u64, counted: &str) {
    let before = peers.arrived().await;
    let mut psql = psql(peer, &format!("COPY sink FROM STDIN WHERE length(line) <> {LINE} - 1 OR {counted}"));
    let mut stdin = psql.stdin.take().expect("piped");
    // A hundred lines at a time.
    let block = format!("{}\n", "x".repeat(usize::try_from(LINE).expect("small") - 1)).repeat(100);
    for _ in 0..lines / 100 {
        stdin.write_all(block.as_bytes()).await.expect("psql reads");
    }
    drop(stdin);
    let output = psql.wait_with_output().await.expect("psql ends");
    // None was damaged, or it would have been kept.
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "COPY 0", "{}", peer.name);
    assert_eq!(peers.arrived().await - before, i64::try_from(lines).expect("few"), "{}: lines that arrived", peer.name);
}

fn psql(peer: &Peer, sql: &str) -> Child {
    Command::new("psql")
        .args(["-X", "-h", "127.0.0.1", "-p", &peer.port.to_string(), "-U", &peer.user, "-d", &peer.database(0), "-c", sql])
        .env("PGPASSWORD", &peer.password)
        .env("PGSSLMODE", "disable")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("psql runs")
}
