//! `/v1/residency/facts`: what an installation knows besides what Holm ships

use axum::extract::State;
use holm_engine::residency::facts::{self, FactsName};

use crate::Api;
use crate::auth::Signed;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{Body, NamePath, NoParams, Params};
use crate::refusal;
use crate::view::ListView;
use crate::view::residency::record::{AddFacts, ChangedFactsView, FactsView};

/// Lists the texts of facts in force, in the order in which they are laid, all at once
#[utoipa::path(
    get,
    path = "/v1/residency/facts",
    operation_id = "list_facts",
    tag = "residency",
    responses((status = 200, description = "The texts", body = Envelope<ListView<FactsView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<ListView<FactsView>> {
    let kept = facts::list(&api.control).await?;
    Ok(Data(ListView { items: kept.into_iter().map(Into::into).collect(), next: None }))
}

/// Puts a text of facts in force, in the place of the one of that name; everything is judged anew
#[utoipa::path(
    post,
    path = "/v1/residency/facts",
    operation_id = "add_facts",
    tag = "residency",
    request_body = AddFacts,
    responses(
        (status = 200, description = "It is in force, and what comes of it", body = Envelope<ChangedFactsView>),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        (status = 422, description = "It cannot be put in force", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn add(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<AddFacts>,
) -> Answer<ChangedFactsView> {
    let name: FactsName = refusal::value("name of the facts", &wanted.name)?;
    Ok(Data(facts::keep(&api.control, &caller.actor, name, wanted.text).await?.into()))
}

/// Takes a text of facts away; everything is judged anew
#[utoipa::path(
    delete,
    path = "/v1/residency/facts/{name}",
    operation_id = "remove_facts",
    tag = "residency",
    params(("name" = String, Path, description = "The name of the facts")),
    responses(
        (status = 200, description = "It is in force no more, and what comes of that", body = Envelope<ChangedFactsView>),
        (status = 404, description = "No such facts in force", body = Failure, content_type = "application/problem+json"),
        (status = 422, description = "What is in force rests on them", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn remove(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    NamePath(name): NamePath<FactsName>,
) -> Answer<ChangedFactsView> {
    Ok(Data(facts::remove(&api.control, &caller.actor, name).await?.into()))
}
