//! A TCP proxy that misbehaves on purpose, in front of a real server.
//!
//! Promises: bytes are never changed, only late, few or missing. A fault applies to connections made after it was set, and
//! [`Fault::Refuse`] and [`Fault::BlackHole`] also to those that exist, as a network that goes down does.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing.
    Pass,
    /// Each piece of data is late.
    Delay(Duration),
    /// The connection is reset after so many bytes from the server.
    CutAfter(u64),
    /// Connections are accepted and nothing more is heard; existing ones fall silent.
    BlackHole,
    /// Every byte is a segment of its own.
    OneByteWrites,
    /// New connections are closed at once, existing ones are cut.
    Refuse,
}

/// The proxy; gone with its connections when dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    accepted: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.fault.send_replace(Fault::Refuse);
    }
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1 and passes everything on to `host:port`, until told otherwise.
    ///
    /// # Errors
    /// No port could be listened on.
    pub async fn start(target: impl Into<String>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (fault, _) = watch::channel(Fault::Pass);
        let accepted = Arc::new(AtomicU64::new(0));
        let accepting = tokio::spawn(accept(listener, target.into(), fault.clone(), Arc::clone(&accepted)));
        Ok(Self { address, fault, accepted, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets what goes wrong from now on.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many connections it has accepted so far, refused ones included.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, target: String, fault: watch::Sender<Fault>, accepted: Arc<AtomicU64>) {
    while let Ok((client, _)) = listener.accept().await {
        accepted.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(serve(client, target.clone(), fault.subscribe()));
    }
}

/// Carries one connection; its end resets both sides, so that a cut is never taken for a polite close.
async fn serve(mut client: TcpStream, target: String, mut faults: watch::Receiver<Fault>) {
    let fault = *faults.borrow_and_update();
    if fault == Fault::Refuse {
        return reset(&client);
    }
    if fault == Fault::BlackHole {
        return silence(client, faults).await;
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return reset(&client) };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let down_max = if let Fault::CutAfter(bytes) = fault { bytes } else { u64::MAX };
    let both = async {
        tokio::try_join!(
            carry(&mut from_client, &mut to_server, Pace::of(fault), u64::MAX),
            carry(&mut from_server, &mut to_client, Pace::of(fault), down_max),
        )
    };
    let cut = tokio::select! {
        // A fault that was set before data arrived must win over the data.
        biased;
        fault = worse(&mut faults) => {
            if fault == Fault::BlackHole {
                // The sockets stay open and unread.
                let _ = faults.wait_for(|fault| *fault == Fault::Refuse).await;
            }
            true
        }
        // A close in one direction is passed on and the other goes on; a cut ends both.
        result = both => result.is_err(),
    };
    if cut {
        reset(&client);
        reset(&server);
    }
}

/// Waits for a fault that also hits existing connections; for ever, when the proxy is gone without one.
async fn worse(faults: &mut watch::Receiver<Fault>) -> Fault {
    faults.wait_for(|fault| matches!(fault, Fault::BlackHole | Fault::Refuse)).await.map_or(Fault::Refuse, |fault| *fault)
}

async fn silence(client: TcpStream, mut faults: watch::Receiver<Fault>) {
    let _ = faults.wait_for(|fault| *fault == Fault::Refuse).await;
    reset(&client);
}

/// Makes the close of a socket a reset (`SO_LINGER` 0).
fn reset(socket: &TcpStream) {
    let _ = socket.set_zero_linger();
}

/// The allowance is used up, or the connection broke.
struct Cut;

#[derive(Clone, Copy)]
struct Pace {
    pause: Duration,
    piece: usize,
}

impl Pace {
    fn of(fault: Fault) -> Self {
        match fault {
            Fault::Delay(pause) => Self { pause, piece: usize::MAX },
            Fault::OneByteWrites => Self { pause: Duration::ZERO, piece: 1 },
            _ => Self { pause: Duration::ZERO, piece: usize::MAX },
        }
    }
}

async fn carry(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, pace: Pace, mut allowance: u64) -> Result<(), Cut> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await.map_err(|_| Cut)?;
        if read == 0 {
            return to.shutdown().await.map_err(|_| Cut);
        }
        if !pace.pause.is_zero() {
            sleep(pace.pause).await;
        }
        let allowed = read.min(usize::try_from(allowance).unwrap_or(usize::MAX));
        for piece in buffer[..allowed].chunks(pace.piece) {
            to.write_all(piece).await.map_err(|_| Cut)?;
        }
        allowance = allowance.saturating_sub(read as u64);
        if allowance == 0 {
            return Err(Cut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = client.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn through(fault: Fault) -> (FaultProxy, TcpStream) {
        let proxy = FaultProxy::start(echo().await.to_string()).await.unwrap();
        proxy.set(fault);
        let client = TcpStream::connect(proxy.address()).await.unwrap();
        (proxy, client)
    }

    /// Says something and hears what comes back until the end, within 5 s.
    async fn converse(client: &mut TcpStream) -> (Vec<u8>, io::Result<()>) {
        let mut heard = Vec::new();
        client.write_all(b"hello there").await.unwrap();
        client.shutdown().await.unwrap();
        let end = tokio::time::timeout(Duration::from_secs(5), client.read_to_end(&mut heard)).await;
        (heard, end.map_or_else(|late| Err(late.into()), |read| read.map(|_| ())))
    }

    #[tokio::test]
    async fn bytes_arrive_whole_whatever_their_pace() {
        for fault in [Fault::Pass, Fault::Delay(Duration::from_millis(20)), Fault::OneByteWrites, Fault::CutAfter(1000)] {
            let (_proxy, mut client) = through(fault).await;
            let (heard, end) = converse(&mut client).await;
            assert_eq!((heard.as_slice(), end.is_ok()), (b"hello there".as_slice(), true), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_cut_comes_after_that_many_bytes_and_is_no_polite_close() {
        let (_proxy, mut client) = through(Fault::CutAfter(5)).await;
        let (heard, end) = converse(&mut client).await;
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert!(heard.is_empty() || heard == b"hello", "{heard:?}");
    }

    #[tokio::test]
    async fn a_connection_falls_silent_in_a_black_hole_and_is_cut_by_a_refusal() {
        let (proxy, mut client) = through(Fault::Pass).await;
        client.write_all(b"a").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'a');
        proxy.set(Fault::BlackHole);
        client.write_all(b"b").await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(200), client.read_u8()).await.is_err());
        proxy.set(Fault::Refuse);
        assert_eq!(client.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        let mut second = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(second.read_u8().await.is_err());
        assert_eq!(proxy.accepted(), 2);
    }
}
