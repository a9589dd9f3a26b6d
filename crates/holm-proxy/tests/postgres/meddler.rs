//! A server in front of the real one, which changes what goes by.

use holm_core::cluster::ServerAddress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Which way a piece goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// What becomes of the connection when the piece was passed on.
pub(crate) enum Then {
    GoesOn,
    Ends,
}

/// Starts one for the life of the test.
pub(crate) async fn meddler(
    real: ServerAddress,
    meddle: impl Fn(Way, &mut Vec<u8>) -> Then + Clone + Send + Sync + 'static,
) -> ServerAddress {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect((&*real.host, real.port)).await.unwrap();
            let ((from_server, to_server), (from_client, to_client)) = (server.into_split(), client.into_split());
            tokio::spawn(pass(Way::ToServer, from_client, to_server, meddle.clone()));
            tokio::spawn(pass(Way::ToClient, from_server, to_client, meddle.clone()));
        }
    });
    ServerAddress { host: "127.0.0.1".into(), port }
}

async fn pass(
    way: Way,
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    meddle: impl Fn(Way, &mut Vec<u8>) -> Then,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let mut piece = bytes[..length].to_vec();
        let then = meddle(way, &mut piece);
        if to.write_all(&piece).await.is_err() || matches!(then, Then::Ends) {
            return;
        }
    }
}
