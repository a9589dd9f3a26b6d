//! A WebSocket's bytes, both ways, untouched, after both sides have changed the protocol.
//!
//! Promises: a tunnel ends when its tenant is suspended, when the gateway stops, when either side closes, and when nothing
//! has moved in either direction for the idle time. Both sockets are closed before its session is over.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// What a WebSocket message of the usual size fits in, a few at once.
const BUFFER_BYTES: usize = 16 * 1024;
/// After one side has ended, the other may finish what it is sending.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// Both heads have been exchanged already, so that the sockets are there at once or never.
const HANDOVER: Duration = Duration::from_secs(10);

/// The two ends.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) client: OnUpgrade,
    pub(super) app: OnUpgrade,
}

/// Carries bytes until the tunnel ends; says why it did.
pub(super) async fn carry(ends: Ends, stop: CancellationToken, idle_timeout: Duration) -> &'static str {
    tokio::select! {
        () = stop.cancelled() => "stopped",
        end = async {
            match timeout(HANDOVER, async { tokio::try_join!(ends.client, ends.app) }).await {
                Ok(Ok((client, app))) => exchange(client, app, idle_timeout).await,
                Ok(Err(_)) | Err(_) => "not opened",
            }
        } => end,
    }
}

async fn exchange(client: Upgraded, app: Upgraded, idle_timeout: Duration) -> &'static str {
    let (client_reads, client_writes) = tokio::io::split(TokioIo::new(client));
    let (app_reads, app_writes) = tokio::io::split(TokioIo::new(app));
    let moved = AtomicU64::new(0);
    let mut up = std::pin::pin!(copy(client_reads, app_writes, &moved));
    let mut down = std::pin::pin!(copy(app_reads, client_writes, &moved));
    tokio::select! {
        up = &mut up => { if up.is_ok() { let _ = timeout(LAST_WORDS, down).await; } "closed by the client" }
        down = &mut down => { if down.is_ok() { let _ = timeout(LAST_WORDS, up).await; } "closed by the app" }
        () = idle(&moved, idle_timeout) => "idle",
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, moved: &AtomicU64) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
        to.flush().await?;
        moved.fetch_add(1, Ordering::Relaxed);
    }
}

/// Done when nothing has moved for one whole period, so between one and two of them after the last byte.
async fn idle(moved: &AtomicU64, period: Duration) {
    let mut seen = moved.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(period).await;
        let now = moved.load(Ordering::Relaxed);
        if now == seen {
            return;
        }
        seen = now;
    }
}
