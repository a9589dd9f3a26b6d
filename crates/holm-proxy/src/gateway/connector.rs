//! How the gateway gets a connection to the app.
//!
//! Promises: name lookup and connect together have one deadline. Refuses TLS: the app is beside the gateway.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Connects to where a URI points.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) timeout: Duration,
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<TcpStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, app: Uri) -> Self::Future {
        let timeout = self.timeout;
        Box::pin(async move {
            let connected = tokio::time::timeout(timeout, connect(&app)).await;
            connected.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time"))).map(TokioIo::new)
        })
    }
}

async fn connect(app: &Uri) -> io::Result<TcpStream> {
    let host = app.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, app.port_u16().unwrap_or(80))).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
