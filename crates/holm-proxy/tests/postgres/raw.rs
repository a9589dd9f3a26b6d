//! A client that speaks bytes, for what no driver would send.

use holm_pgwire::frame::{MESSAGE_LENGTH_MAX, scan};
use holm_pgwire::message;
use holm_pgwire::scram::client::Opening;
use holm_pgwire::scram::keys::LoginKeys;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, World};

pub(crate) struct Raw<S = TcpStream> {
    pub(crate) stream: S,
    inbox: Vec<u8>,
}

/// Of a client that is always the same.
pub(crate) const NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";

/// A message: type and body.
pub(crate) type Message = (u8, Vec<u8>);

/// A StartupMessage of any version.
pub(crate) fn startup(minor: u16, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut packet = Vec::new();
    message::startup(&mut packet, parameters.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    packet[6..8].copy_from_slice(&minor.to_be_bytes());
    packet
}

impl Raw {
    pub(crate) async fn connect(world: &World) -> Self {
        Self::over(TcpStream::connect(world.proxy.local_addr()).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) const fn over(stream: S) -> Self {
        Self { stream, inbox: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next message, or `None` when the connection was closed.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(frame) = scan(&self.inbox, MESSAGE_LENGTH_MAX).unwrap() {
                let (message, length) = ((frame.tag, frame.body.to_vec()), frame.whole.len());
                self.inbox.drain(..length);
                return Some(message);
            }
            match timeout(PATIENCE, self.stream.read_buf(&mut self.inbox)).await.expect("an answer in time") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Every byte until the connection is closed.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.inbox);
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await.expect("closed in time");
        bytes
    }

    /// Messages up to and with the first of a type.
    pub(crate) async fn until(&mut self, tag: u8) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            let found = message.0 == tag;
            messages.push(message);
            if found {
                return messages;
            }
        }
        panic!("no `{}` in {messages:?}", char::from(tag));
    }

    /// The SCRAM exchange, after the startup packet was sent; gives what came before the challenge.
    pub(crate) async fn prove(&mut self, password: &str) -> Vec<Message> {
        let before = self.until(b'R').await;
        self.prove_with("SCRAM-SHA-256", Opening::new(NONCE.to_owned()), password).await;
        before
    }

    /// The SCRAM exchange from the client's first message on.
    pub(crate) async fn prove_with(&mut self, mechanism: &str, (opening, first): (Opening, String), password: &str) {
        let mut out = Vec::new();
        message::sasl_initial_response(&mut out, mechanism, first.as_bytes());
        self.send(&out).await;
        let (_, challenge) = self.next().await.unwrap();
        let text = String::from_utf8(challenge[4..].to_vec()).unwrap();
        let salt = base64_of(text.split(",s=").nth(1).unwrap().split(',').next().unwrap());
        let keys = LoginKeys::derive(password.as_bytes(), &salt, 4096.try_into().unwrap());
        let (_, proof) = opening.respond(text.as_bytes(), &keys).unwrap();
        let mut out = Vec::new();
        message::sasl_response(&mut out, proof.as_bytes());
        self.send(&out).await;
    }
}

fn base64_of(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

pub(crate) fn query(sql: &str) -> Vec<u8> {
    let length = u32::try_from(sql.len() + 5).unwrap();
    [b"Q", &length.to_be_bytes()[..], sql.as_bytes(), b"\0"].concat()
}
