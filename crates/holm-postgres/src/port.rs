//! The port of a server: a free one at first, remembered in the data directory.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::path::Path;

use crate::account::Account;
use crate::directory;

/// Where every server of Holm's own listens.
pub(crate) const HOST: &str = "127.0.0.1";
/// In the data directory, where PostgreSQL leaves files alone that it does not know.
const FILE_NAME: &str = "holm.port";

/// Below the ports that systems give to outgoing connections (Linux from 32768, others from 49152), so that the port is
/// still free when a server comes back to it.
const RANGE: RangeInclusive<u16> = 15_000..=32_000;
/// Far more than the servers and other listeners of a machine make necessary.
const ATTEMPTS: u64 = 100;

/// A port that was free a moment ago.
pub(crate) fn free() -> io::Result<u16> {
    let ports = u64::from(RANGE.end() - RANGE.start()) + 1;
    // Randomly keyed: processes that start at once do not all try the same port first.
    let start = RandomState::new().hash_one(std::process::id());
    let candidates = (0..ATTEMPTS).filter_map(|n| u16::try_from(start.wrapping_add(n) % ports).ok()).map(|offset| RANGE.start() + offset);
    let bound = candidates.map(|port| TcpListener::bind((HOST, port))).find_map(Result::ok);
    bound.map_or_else(|| TcpListener::bind((HOST, 0)), Ok)?.local_addr().map(|address| address.port())
}

/// The port that the server of a data directory had last.
pub(crate) fn remembered(data: &Path) -> Option<u16> {
    fs::read_to_string(data.join(FILE_NAME)).ok()?.trim().parse().ok().filter(|port| *port != 0)
}

/// Keeps the port for the next start.
pub(crate) fn remember(data: &Path, port: u16, account: Option<&Account>) -> io::Result<()> {
    if remembered(data) == Some(port) {
        return Ok(());
    }
    let path = data.join(FILE_NAME);
    fs::write(&path, format!("{port}\n"))?;
    directory::hand_over(&path, account)
}
