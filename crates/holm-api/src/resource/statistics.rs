//! `/v1/environments/{environment}/statistics`: numbers about many tenants that tell of none. A `POST`, since it is noted who asks.

use axum::extract::State;
use holm_core::error::{ErrorCode, Problem};
use holm_core::statistics::AtLeast;
use holm_engine::environment::statistics::{self, Wanted};

use crate::Api;
use crate::auth::Signed;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{Body, EnvironmentPath, NoParams, Params};
use crate::refusal;
use crate::view::statistics::{AskStatistics, StatisticsView};

/// Asks every cluster what it counts of its tenants, and tells sums and means of groups that are large enough
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/statistics",
    operation_id = "ask_statistics",
    tag = "health",
    params(("environment" = String, Path, description = "The environment's name")),
    request_body = AskStatistics,
    responses(
        (status = 200, description = "What may be told, and why no more; the audit log has who asked what for", body = Envelope<StatisticsView>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn ask(
    State(api): State<Api>,
    Signed(caller): Signed,
    EnvironmentPath(environment): EnvironmentPath,
    Params(NoParams {}): Params<NoParams>,
    Body(asked): Body<AskStatistics>,
) -> Answer<StatisticsView> {
    let wanted = wanted(&asked)?;
    Ok(Data(statistics::ask(&api.control, &caller.actor, &environment, wanted).await?.into()))
}

fn wanted(asked: &AskStatistics) -> Result<Wanted, Problem> {
    let least = |error| Problem::new(ErrorCode::InvalidValue, "the least size of a group cannot be used").because(error);
    Ok(Wanted {
        purpose: refusal::value("purpose", &asked.purpose)
            .map_err(|problem| problem.next("say in a sentence what the numbers are for; leave out names of customers and people"))?,
        by: asked.by.as_deref().map(|by| refusal::value("grouping", by)).transpose()?,
        at_least: asked.at_least.map(AtLeast::try_from).transpose().map_err(least)?.unwrap_or_default(),
    })
}
