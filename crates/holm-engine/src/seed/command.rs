//! A seed that is a command: it gets the tenant's own URL in its environment, and little else.
//!
//! Promises: no secret of Holm's own is in its environment; it and its children end within the deadline, or with us; of
//! its output the end is kept, without the password. Its working directory is Holm's.

use std::process::Stdio;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{DEADLINE, SeedError, Target, failed, node_env};
use crate::child::{Group, Keep, Said, confine};
use crate::cluster::program_tls::ProgramTls;

pub(super) async fn run(target: &Target<'_>, argv: &[String]) -> Result<(), SeedError> {
    let refused = |why: String| SeedError::Failed(failed(target.tenant, why));
    let Some((program, arguments)) = argv.split_first() else { return Err(refused("its command is empty".to_owned())) };
    // Lives as long as the program, which may log in again at its end.
    let tls = ProgramTls::of(&target.access.tls, target.access.client_certificate.as_ref()).await;
    let tls = tls.map_err(|error| refused(format!("the certificates: {error}")))?;
    let mut child = start(target, &tls, program, arguments).map_err(|error| refused(format!("`{program}` cannot be started: {error}")))?;
    let group = Group::of(&child);
    let mut said = Said::new(Keep::Last);
    said.follow(child.stdout.take());
    said.follow(child.stderr.take());
    let ended = timeout(DEADLINE, child.wait()).await;
    // Also when it has ended: what it left running would keep the database in use.
    drop(group);
    let said = shown(target, &said.text().await);
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(refused(format!("`{program}` ended with {status}; its output ends: {said}"))),
        Ok(Err(error)) => Err(refused(format!("`{program}` could not be waited for: {error}"))),
        Err(_) => Err(refused(format!("`{program}` ran for longer than {} s; its output ends: {said}", DEADLINE.as_secs()))),
    }
}

fn start(target: &Target<'_>, tls: &ProgramTls, program: &str, arguments: &[String]) -> std::io::Result<Child> {
    let Target { owner, password, access, database, .. } = target;
    let url = format!("postgresql://{owner}:{}@{}/{database}{}", password.expose(), access.address, tls.query());
    let mut command = Command::new(program);
    confine(command.args(arguments));
    // Beside the URL: drivers on libpq bind their login by it.
    tls.tell(&mut command);
    command
        .env("HOLM_ENV", target.kind.as_str())
        .env("HOLM_TENANT", target.tenant.slug.as_str())
        .env("NODE_ENV", node_env(target.kind))
        .env("DATABASE_URL", url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// On one line, without the password, which some programs print with their URL.
fn shown(target: &Target<'_>, said: &str) -> String {
    let text = said.replace(target.password.expose(), "[redacted]");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
