//! One attempt: signed, sent, and what came back, in ten seconds at the most.
//!
//! Promises: no redirect is followed, no proxy of the environment is used, and of an answer the status and the first line of
//! text are kept, not its body. Whatever goes wrong is an attempt that failed and no error.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use holm_core::error::Problem;
use holm_core::id::MessageId;
use holm_store::webhook::Webhook;
use holm_store::webhook::delivery::Attempt;
use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};

use super::address::{REFUSED, Reach};
use super::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookSecret, sign};
use crate::control::Control;
use crate::secret::seal::Purpose;

/// Of a whole attempt. The convention asks for 15 to 30 s; whoever takes longer than this should answer first and work then.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The catalog refuses more.
const LINE_LENGTH_MAX: usize = 200;

/// The clients, made at the first use: reading the machine's certificates takes time.
#[derive(Debug, Default)]
pub(crate) struct Poster {
    public: OnceLock<Client>,
    any: OnceLock<Client>,
    loopback: OnceLock<Client>,
}

impl Poster {
    fn client(&self, reach: Reach) -> &Client {
        let cell = match reach {
            Reach::Public => &self.public,
            Reach::Any => &self.any,
            Reach::Loopback => &self.loopback,
        };
        cell.get_or_init(|| client(reach))
    }
}

fn client(reach: Reach) -> Client {
    let mut builder = Client::builder()
        .user_agent(concat!("holm-webhook/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ATTEMPT_TIMEOUT)
        .redirect(Policy::none())
        .no_proxy()
        // A connection that is kept goes to an address that was checked long ago.
        .pool_max_idle_per_host(0)
        .dns_resolver(Arc::new(reach));
    if reach == Reach::Loopback {
        builder = builder.tls_certs_only([]);
    }
    builder.build().expect("the settings are constants, and rustls has its provider")
}

/// Sends a message once.
///
/// # Errors
/// The webhook's secret cannot be opened.
///
/// # Cancel safety
/// The message may have arrived.
pub(crate) async fn post(control: &Control, webhook: &Webhook, id: MessageId, body: String) -> Result<Attempt, Problem> {
    let secrets = secrets(control, webhook).await?;
    let Ok(url) = Url::parse(&webhook.url) else { return Ok(failed("its URL cannot be read")) };
    let reach = Reach::of(&url, webhook.allow_private);
    if !reach.allows_literal(&url) {
        return Ok(failed(REFUSED));
    }
    let (id, timestamp) = (id.to_string(), Timestamp::now().as_second());
    let signature = sign(&secrets, &id, timestamp, body.as_bytes());
    let request = control.poster().client(reach).post(url).header("content-type", "application/json");
    let request = request.header(ID_HEADER, id).header(TIMESTAMP_HEADER, timestamp).header(SIGNATURE_HEADER, signature);
    Ok(match request.body(body).send().await {
        Ok(response) => answered(response).await,
        Err(error) => failed(&innermost(&error)),
    })
}

async fn secrets(control: &Control, webhook: &Webhook) -> Result<Vec<WebhookSecret>, Problem> {
    let sealed = || std::iter::once(&webhook.sealed_secret).chain(&webhook.sealed_previous).map(|sealed| sealed.as_bytes());
    let ring = control.keys().ring(Vec::new(), sealed()).await?;
    let purpose = Purpose::WebhookSecret(webhook.id);
    let open = |sealed| Ok(WebhookSecret::from_bytes(ring.unseal(purpose, sealed)?));
    sealed().map(open).collect()
}

async fn answered(mut response: Response) -> Attempt {
    let status = response.status();
    let mut bytes = Vec::new();
    while bytes.len() < LINE_LENGTH_MAX && !bytes.contains(&b'\n') {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk[..chunk.len().min(LINE_LENGTH_MAX)]),
            Ok(None) | Err(_) => break,
        }
    }
    Attempt { status: Some(status.as_u16()), line: line(&String::from_utf8_lossy(&bytes)), taken: status.is_success() }
}

fn failed(why: &str) -> Attempt {
    Attempt { status: None, line: line(why), taken: false }
}

/// The first line, as it can be stored and shown anywhere.
fn line(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    first.chars().filter(|char| !char.is_control()).take(LINE_LENGTH_MAX).collect()
}

/// Without the URL, whose path may be a secret.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", ATTEMPT_TIMEOUT.as_secs());
    }
    let mut source: &dyn std::error::Error = error;
    while let Some(next) = source.source() {
        source = next;
    }
    source.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_answer_one_line_is_kept_that_can_be_shown_anywhere() {
        assert_eq!(line("ok\nsecond"), "ok");
        assert_eq!(line("\u{1b}[2Jred\0"), "[2Jred");
        assert_eq!(line(&"å".repeat(500)).chars().count(), LINE_LENGTH_MAX);
        assert_eq!(line(""), "");
    }
}
