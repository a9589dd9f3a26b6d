//! Handing a mail to its server: TLS from the first byte, or STARTTLS; without either only on this machine.

use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::config::{MailConfig, Relay};

/// Of each step with the server.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Of all of them.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends one mail to everybody.
///
/// # Errors
/// [`ErrorCode::MailNotSent`], without an address; [`ErrorCode::InvalidConfig`] for certificates that cannot be used.
///
/// # Cancel safety
/// The mail may have been sent.
pub(super) async fn send(config: &MailConfig, subject: &str, text: &str) -> Result<(), Problem> {
    let mut message = Message::builder().from(config.from.clone()).subject(subject).header(ContentType::TEXT_PLAIN);
    for to in &config.to {
        message = message.to(to.clone());
    }
    let message = message.body(text.to_owned()).map_err(|error| not_sent(&config.relay).because(error))?;
    let transport = transport(config).await?;
    match tokio::time::timeout(SEND_TIMEOUT, transport.send(message)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(not_sent(&config.relay).because(reason(&error))),
        Err(_) => Err(not_sent(&config.relay).because("it does not answer")),
    }
}

async fn transport(config: &MailConfig) -> Result<AsyncSmtpTransport<Tokio1Executor>, Problem> {
    let relay = &config.relay;
    let mut parameters = TlsParameters::builder(relay.host.clone());
    if let Some(path) = &config.authority {
        let unusable = || Problem::new(ErrorCode::InvalidConfig, format!("the certificates in `{}` cannot be used", path.display()));
        let pem = tokio::fs::read(path).await.map_err(|error| unusable().because(error))?;
        parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| unusable().because(error))?);
    }
    let parameters = parameters.build().map_err(|error| not_sent(relay).because(error))?;
    let tls = match (relay.wrapped, relay.is_local() && config.authority.is_none()) {
        (true, _) => Tls::Wrapper(parameters),
        // A catcher of mails on a developer's machine has no certificate that anybody knows.
        (false, true) => Tls::None,
        (false, false) => Tls::Required(parameters),
    };
    let mut transport =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&relay.host).port(relay.port).tls(tls).timeout(Some(STEP_TIMEOUT));
    if let Some((user, password)) = &relay.login {
        transport = transport.credentials(Credentials::new(user.clone(), password.expose().clone()));
    }
    Ok(transport.build())
}

fn not_sent(relay: &Relay) -> Problem {
    Problem::new(ErrorCode::MailNotSent, format!("a mail could not be handed to `{}:{}`", relay.host, relay.port))
        .next("look at `HOLM_SMTP_URL`, `HOLM_MAIL_FROM` and `HOLM_MAIL_TO`; it is tried again")
}

/// What a server says may repeat an address: its code is enough to look it up.
fn reason(error: &lettre::transport::smtp::Error) -> String {
    if let Some(code) = error.status() {
        return format!("it answered {code}");
    }
    let mut source: &dyn std::error::Error = error;
    while let Some(next) = source.source() {
        source = next;
    }
    source.to_string()
}
