//! One run of pgbench, and what the server says of it.

use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::peers::{Peer, Peers};
use crate::table::Sample;

/// `USER_HZ`, which Linux has promised to user space as 100 on every machine.
const TICK_US: f64 = 10_000.0;

/// Runs once more when a run got nothing done: on a busy machine, logging in can take all of a short run.
pub(crate) async fn pgbench(peers: &Peers, peer: &Peer, protocol: &str, clients: u32, time: Duration) -> Sample {
    for _ in 0..5 {
        if let Some(sample) = once(peers, peer, protocol, clients, time).await {
            return sample;
        }
        println!("{}: a run without one transaction, not counted", peer.name);
    }
    panic!("{} does not get one transaction done", peer.name);
}

async fn once(peers: &Peers, peer: &Peer, protocol: &str, clients: u32, time: Duration) -> Option<Sample> {
    let (commits, rows) = peers.counted().await;
    let before = peer.pid.map_or(0.0, ticks);
    let output = Command::new("pgbench")
        .args(["-n", "-S", "-M", protocol, "-c", &clients.to_string(), "-j", "1", "-T", &time.as_secs().to_string()])
        .args(["-h", "127.0.0.1", "-p", &peer.port.to_string(), "-U", &peer.user, &peer.database])
        .env("PGPASSWORD", &peer.password)
        .env("PGSSLMODE", "disable")
        .output()
        .await
        .expect("pgbench runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {}", peer.name, String::from_utf8_lossy(&output.stderr));
    let cpu = peer.pid.map_or(0.0, ticks) - before;
    let done = after(&said, "number of transactions actually processed: ");
    if done == 0.0 {
        return None;
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let (commits_now, rows_now) = peers.counted().await;
        let (commits, rows) = (commits_now - commits, rows_now - rows);
        if commits >= done && rows >= done {
            break;
        }
        assert!(Instant::now() < deadline, "{}: {done} transactions, but {commits} commits and {rows} rows", peer.name);
        sleep(Duration::from_millis(50)).await;
    }
    Some(Sample { tps: after(&said, "tps = "), cpu_us: cpu * TICK_US / done })
}

/// The number that follows a text.
fn after(said: &str, text: &str) -> f64 {
    let rest = said.split(text).nth(1).unwrap_or_else(|| panic!("pgbench says `{text}`: {said}"));
    let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    number.parse().expect("a number")
}

/// User and system time of a process, all threads, in ticks.
fn ticks(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the proxy runs");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name in parentheses").split_whitespace().collect();
    // proc(5): utime and stime are fields 14 and 15; the state, field 3, is our first.
    [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<f64>().expect("a number")).sum()
}
