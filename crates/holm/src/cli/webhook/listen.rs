//! `holm webhook listen`: a receiver for whoever writes one; runs until it is stopped.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use holm_core::error::{ErrorCode, Problem};
use holm_engine::webhook::signature::{self, Headers, WebhookSecret};
use tokio::net::TcpListener;

use crate::cli::context::Context;
use crate::output::{self, Answer};

/// Where, and with which secret.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm webhook listen --port 9000 --secret-file secret
  HOLM_WEBHOOK_SECRET=whsec_… holm webhook listen
  holm webhook create here http://127.0.0.1:9000 --allow-private   # in another terminal")]
pub(in crate::cli) struct Args {
    /// The port on 127.0.0.1; 0 for any free one
    #[arg(long, default_value_t = 9000, value_name = "PORT")]
    port: u16,
    /// The file with the webhook's secret [env: HOLM_WEBHOOK_SECRET for the secret itself]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let secret = secret(args.secret_file)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let failed = |error| Problem::new(ErrorCode::CannotListen, format!("`{address}` cannot be listened on")).because(error);
    let listener = TcpListener::bind(address).await.map_err(|error| failed(error).next("choose another one with `--port`"))?;
    let local = listener.local_addr().map_err(failed)?;
    context.say(&format!("listening on http://{local}; tell it something: holm webhook create here http://{local} --allow-private"));
    if secret.is_none() {
        context.say("no secret was given, so that signatures are not checked");
    }
    let secret = Arc::new(secret);
    let app = Router::new().fallback(move |headers: HeaderMap, body: Bytes| {
        let secret = Arc::clone(&secret);
        async move { take(secret.as_ref().as_ref(), &headers, &body) }
    });
    axum::serve(listener, app).await.map_err(failed)?;
    Err(Problem::new(ErrorCode::Internal, "the receiver ended by itself"))
}

/// Prints it, and answers as a receiver should: 401 to what is not to be believed.
fn take(secret: Option<&WebhookSecret>, headers: &HeaderMap, body: &Bytes) -> StatusCode {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, timestamp) = (header(signature::ID_HEADER), header(signature::TIMESTAMP_HEADER));
    let parts = Headers { id, timestamp, signature: header(signature::SIGNATURE_HEADER) };
    let now = jiff::Timestamp::now().as_second();
    let (mark, status) = match secret.map(|secret| signature::verify(secret, parts, body, now)) {
        None => ("? not checked".to_owned(), StatusCode::OK),
        Some(Ok(())) => ("✓ signed".to_owned(), StatusCode::OK),
        Some(Err(error)) => (format!("✗ {error}"), StatusCode::UNAUTHORIZED),
    };
    let text: String = String::from_utf8_lossy(body).chars().filter(|char| !char.is_control()).collect();
    // A reader that is gone is no reason to refuse what was told.
    let _ = output::print(&format!("{mark}  {id}  {text}\n"));
    status
}

fn secret(file: Option<PathBuf>) -> Result<Option<WebhookSecret>, Problem> {
    let text = match file {
        Some(path) => Some(std::fs::read_to_string(&path).map_err(|error| {
            Problem::new(ErrorCode::InvalidConfig, format!("the secret in `{}` cannot be read", path.display())).because(error)
        })?),
        None => std::env::var("HOLM_WEBHOOK_SECRET").ok().filter(|text| !text.is_empty()),
    };
    let parse = |text: String| {
        WebhookSecret::parse(&text).map_err(|error| {
            Problem::new(ErrorCode::InvalidValue, "the secret cannot be used")
                .because(error)
                .next("make another one: `holm webhook rotate`")
        })
    };
    text.map(parse).transpose()
}
