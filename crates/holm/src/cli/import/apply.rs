//! Carries a plan out: every database that is ready is adopted, and gets its maximum.
//!
//! Promises: one after the other, and each whole before the next; a tenant that is there with that database is left alone, but
//! for a maximum that nobody has set yet, so that running it again changes nothing and finishes what was cut. A failure of
//! one database is no reason to leave out the others; a server or a token that cannot be used is.

use std::time::Duration;

use holm_api::view::cluster::{AdoptTenant, ClusterDetailView};
use holm_api::view::operation::OperationView;
use holm_api::view::{LimitTenant, LimitsView, TenantView};
use holm_core::error::{ErrorCode, ErrorKind, Problem};
use reqwest::Method;

use super::view::{DatabaseView, State, url};
use crate::cli::context::Context;
use crate::cli::waiting::{self, Until};
use crate::client::Client;
use crate::exit::Exit;
use crate::pgbouncer::plan::{Adoption, Plan};
use crate::{client_certificate, root_certificates};

/// Adopts what is ready, and says in `databases` what came of each.
///
/// # Errors
/// No server is found to ask; nothing was changed.
///
/// # Cancel safety
/// Safe: an adoption that was begun goes on without us, and the next run finds it.
pub(super) async fn apply(
    context: &Context,
    plan: &Plan,
    databases: &mut [DatabaseView],
    environment: &str,
    patience: Duration,
) -> Result<Exit, Problem> {
    let client = context.client()?;
    let mut ended = false;
    for (planned, database) in plan.databases.iter().zip(databases.iter_mut()) {
        let Some(adoption) = planned.adoption() else { continue };
        if ended {
            database.state = State::Untried;
            continue;
        }
        match one(context, &client, adoption, environment, patience).await {
            Ok(state) => {
                context.say(&format!("✓ {} is {}", adoption.slug, if state == State::There { "there" } else { "adopted" }));
                database.state = state;
            }
            Err(problem) => {
                context.say(&format!("✗ {}: {}", adoption.slug, problem.what));
                ended = is_everyones(&problem);
                (database.state, database.problem) = (State::Failed, Some(problem));
            }
        }
    }
    Ok(exit(databases))
}

fn exit(databases: &[DatabaseView]) -> Exit {
    let is_there = |database: &&DatabaseView| matches!(database.state, State::Adopted | State::There);
    match databases.iter().filter(is_there).count() {
        there if there == databases.len() => Exit::Done,
        0 => databases.iter().find_map(|database| database.problem.as_ref()).map_or(Exit::Failed, Exit::from),
        _ => Exit::Partly,
    }
}

/// Whether the next database would fail for the same reason.
fn is_everyones(problem: &Problem) -> bool {
    use ErrorCode as E;
    matches!(
        problem.code,
        E::ServerNotFound
            | E::NotSignedIn
            | E::TokenExpired
            | E::NotAllowed
            | E::EnvironmentNotFound
            | E::RequestTooSlow
            | E::CatalogUnavailable
    ) || problem.code.kind() == ErrorKind::Bug
}

async fn one(context: &Context, client: &Client, adoption: &Adoption, environment: &str, patience: Duration) -> Result<State, Problem> {
    let slug = adoption.slug.as_str();
    let path = ["environments", environment, "tenants", slug];
    let (state, tenant) = match client.get::<TenantView>(&path).await {
        Ok(tenant) => (State::There, same(client, tenant, adoption, environment).await?),
        Err(problem) if problem.code == ErrorCode::TenantNotFound => {
            adopt(context, client, adoption, environment, patience).await?;
            (State::Adopted, client.get(&path).await?)
        }
        Err(problem) => return Err(problem),
    };
    // What an operator has said since is not changed.
    if tenant.limits == LimitsView::default()
        && let Some(max) = adoption.max
    {
        let wanted = LimitTenant { reset: false, min: None, max: Some(Some(max)), weight: None };
        let body = serde_json::to_value(wanted).expect("three numbers are JSON");
        let path = ["environments", environment, "tenants", slug, "limits"];
        let _: TenantView = client.change(Method::PATCH, &path, &[], Some(body)).await?;
    }
    Ok(state)
}

async fn adopt(context: &Context, client: &Client, adoption: &Adoption, environment: &str, patience: Duration) -> Result<(), Problem> {
    let ssl_root_cert = adoption.root_cert.as_deref().map(root_certificates::read).transpose()?.map(Into::into);
    let shown = adoption.shown.as_ref().map(|(chain, key)| client_certificate::read(chain, key)).transpose()?;
    let (client_cert, client_key) = shown.unzip();
    let wanted = AdoptTenant {
        url: url(adoption),
        password: Some(adoption.password.expose().clone()),
        cluster: None,
        sslmode: Some(adoption.sslmode.to_string()),
        ssl_root_cert,
        client_cert,
        client_key,
        place: None,
        profile: None,
    };
    let path = ["environments", environment, "tenants", adoption.slug.as_str(), "adopt"];
    let begun: OperationView = client.post(&path, &[], &wanted).await?;
    let waited = waiting::follow(context, client, begun, Some(patience), Until::Over).await?;
    match waited.shown.why() {
        Some(problem) => Err(problem.clone()),
        None => Ok(()),
    }
}

/// A tenant that has the name already: the same database, or another one.
async fn same(client: &Client, tenant: TenantView, adoption: &Adoption, environment: &str) -> Result<TenantView, Problem> {
    let another = |what: String| {
        let show = format!("see it: `holm tenant show {} --env {environment}`", adoption.slug);
        Problem::new(ErrorCode::SlugTaken, format!("`{}` is another tenant of {environment}", adoption.slug))
            .because(what)
            .next("give this one another name: `--rename NAME=SLUG`")
            .next(show)
    };
    let Some(cluster) = tenant.cluster.as_ref().filter(|_| tenant.database.as_ref() == Some(&adoption.at.database)) else {
        return Err(another("its database is another one".to_owned()));
    };
    let cluster: ClusterDetailView = client.get(&["clusters", cluster.as_str()]).await?;
    let address = cluster.cluster.address;
    if address == adoption.at.server() { Ok(tenant) } else { Err(another(format!("its database is at {address}"))) }
}
