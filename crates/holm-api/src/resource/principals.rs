//! `/v1/principals`

use axum::extract::State;
use holm_core::actor::{PrincipalKind, PrincipalName};
use holm_engine::access::principal;
use holm_store::page::Page;

use crate::Api;
use crate::auth::Signed;
use crate::description::Refusals;
use crate::envelope::{Answer, Created, Data, Envelope, Failure, Refusal};
use crate::extract::{Body, NoParams, Params, PrincipalPath};
use crate::page::PageParams;
use crate::view::ListView;
use crate::view::access::{CreatePrincipal, PrincipalView};
use crate::{page, refusal};

/// Lists principals by name, disabled ones too
#[utoipa::path(
    get,
    path = "/v1/principals",
    operation_id = "list_principals",
    tag = "access",
    params(PageParams),
    responses((status = 200, description = "Some of them", body = Envelope<ListView<PrincipalView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(State(api): State<Api>, Params(params): Params<PageParams>) -> Answer<ListView<PrincipalView>> {
    let page = Page { after: params.after::<PrincipalName>()?, limit: params.limit()? };
    let principals = principal::list(&api.control, &page).await?;
    let next = page::next(page.limit, principals.len(), principals.last().map(|principal| &principal.name));
    Ok(Data(ListView { items: principals.into_iter().map(Into::into).collect(), next }))
}

/// Makes a principal, who may nothing yet
#[utoipa::path(
    post,
    path = "/v1/principals",
    operation_id = "create_principal",
    tag = "access",
    request_body = CreatePrincipal,
    responses(
        (status = 201, description = "It is there", body = Envelope<PrincipalView>, headers(("Location" = String, description = "Its path"))),
        (status = 409, description = "The name is taken, also by a disabled one", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<CreatePrincipal>,
) -> Result<Created<PrincipalView>, Refusal> {
    let name: PrincipalName = refusal::value("principal's name", &wanted.name)?;
    let kind: PrincipalKind = refusal::value("principal's kind", &wanted.kind)?;
    let made = principal::create(&api.control, &caller.actor, &name, kind).await?;
    Ok(Created { location: format!("/v1/principals/{}", made.name.as_str().replace(' ', "%20")), data: made.into() })
}

/// Ends everything that a principal may, for good
#[utoipa::path(
    delete,
    path = "/v1/principals/{name}",
    operation_id = "disable_principal",
    tag = "access",
    params(("name" = String, Path, description = "The principal's name")),
    responses(
        (status = 200, description = "It may nothing any more", body = Envelope<PrincipalView>),
        (status = 404, description = "No such principal", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn disable(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    PrincipalPath(name): PrincipalPath,
) -> Answer<PrincipalView> {
    Ok(Data(principal::disable(&api.control, &caller.actor, &name).await?.into()))
}
