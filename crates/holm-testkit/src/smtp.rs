//! A small SMTP server (RFC 5321) with STARTTLS (RFC 3207) and AUTH PLAIN (RFC 4616): keeps the mails that it is given.
//!
//! Promises: without TLS it takes neither a login nor a mail; with another password no mail either.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, crypto};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The only login that it knows.
pub const USER: &str = "holm@example.com";
/// Its password.
pub const PASSWORD: &str = "a-password-of-the-test-mail-server";

/// What it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// `MAIL FROM`
    pub from: String,
    /// `RCPT TO`
    pub to: Vec<String>,
    /// Headers and body, as they came, without the dots that were stuffed.
    pub data: String,
}

/// The server; gone when dropped.
#[derive(Debug)]
pub struct MailServer {
    address: SocketAddr,
    certificate: String,
    mails: Arc<Mutex<Vec<Mail>>>,
    accepting: JoinHandle<()>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl MailServer {
    /// Listens on a free port of 127.0.0.1, with a certificate for `localhost`.
    ///
    /// # Errors
    /// No port could be listened on.
    ///
    /// # Panics
    /// The machine has no randomness.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS 1.2 and 1.3");
        let config = builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).expect("a key of its own");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mails = Arc::<Mutex<Vec<Mail>>>::default();
        let shared = Arc::clone(&mails);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, acceptor.clone(), Arc::clone(&shared)));
            }
        });
        Ok(Self { address, certificate: cert.pem(), mails, accepting })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its certificate, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// What it was given so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(client: TcpStream, acceptor: TlsAcceptor, mails: Arc<Mutex<Vec<Mail>>>) {
    let mut client = BufReader::new(client);
    if client.write_all(b"220 localhost ESMTP\r\n").await.is_err() {
        return;
    }
    // What was sent ahead of TLS is not answered after it (CVE-2011-0411): the buffer goes with the plain half.
    if let Ok(true) = speak(&mut client, None, &mails).await
        && let Ok(tls) = acceptor.accept(client.into_inner()).await
    {
        let _ = speak(&mut BufReader::new(tls), Some(()), &mails).await;
    }
}

/// Returns whether TLS is to be started.
async fn speak<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut BufReader<S>,
    tls: Option<()>,
    mails: &Mutex<Vec<Mail>>,
) -> io::Result<bool> {
    let (mut mail, mut signed_in) = (Mail::default(), false);
    loop {
        let mut line = String::new();
        if client.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let line = line.trim_end();
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" if tls.is_some() => "250-localhost\r\n250 AUTH PLAIN",
            "EHLO" => "250-localhost\r\n250 STARTTLS",
            "STARTTLS" if tls.is_none() => {
                client.write_all(b"220 go on\r\n").await?;
                return Ok(true);
            }
            "AUTH" if tls.is_some() => {
                signed_in = is_right(line);
                if signed_in { "235 welcome" } else { "535 wrong user or password" }
            }
            "MAIL" if signed_in => {
                mail.from = address(line);
                "250 ok"
            }
            "RCPT" if signed_in => {
                mail.to.push(address(line));
                "250 ok"
            }
            "DATA" if signed_in && !mail.to.is_empty() => {
                client.write_all(b"354 go on\r\n").await?;
                mail.data = data(client).await?;
                mails.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut mail));
                "250 taken"
            }
            "RSET" | "NOOP" => "250 ok",
            "QUIT" => {
                client.write_all(b"221 bye\r\n").await?;
                return Ok(false);
            }
            _ => "530 not so",
        };
        client.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

fn is_right(line: &str) -> bool {
    let expected = STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
    line.split(' ').nth(2).is_some_and(|given| given == expected)
}

fn address(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(address, _)| address.to_owned()).unwrap_or_default()
}

async fn data<S: AsyncRead + Unpin>(client: &mut BufReader<S>) -> io::Result<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if client.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.strip_prefix('.') {
            Some("\r\n") => return Ok(data),
            Some(stuffed) => data.push_str(stuffed),
            None => data.push_str(&line),
        }
    }
}
