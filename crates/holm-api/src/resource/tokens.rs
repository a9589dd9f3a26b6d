//! `/v1/tokens`

use axum::extract::State;
use holm_core::access::{Role, TokenScope};
use holm_core::id::TokenId;
use holm_engine::access::token::{self, NewToken};

use super::roles::{environment, hours};
use crate::Api;
use crate::auth::Signed;
use crate::description::Refusals;
use crate::envelope::{Answer, Created, Data, Envelope, Failure, Refusal};
use crate::extract::{Body, IdPath, NoParams, Params};
use crate::refusal;
use crate::view::ListView;
use crate::view::access::{CreateToken, IssuedTokenView, TokenView};

/// Lists tokens, oldest first, revoked and ended ones too, without their secrets, all at once
#[utoipa::path(
    get,
    path = "/v1/tokens",
    operation_id = "list_tokens",
    tag = "access",
    responses((status = 200, description = "The tokens", body = Envelope<ListView<TokenView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<ListView<TokenView>> {
    let tokens = token::list(&api.control).await?;
    Ok(Data(ListView { items: tokens.into_iter().map(Into::into).collect(), next: None }))
}

/// Makes a token; its secret is in the answer and nowhere else
#[utoipa::path(
    post,
    path = "/v1/tokens",
    operation_id = "create_token",
    tag = "access",
    request_body = CreateToken,
    responses(
        (status = 201, description = "It can be used", body = Envelope<IssuedTokenView>, headers(("Location" = String, description = "Its path"))),
        (status = 404, description = "No such principal or environment", body = Failure, content_type = "application/problem+json"),
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
    Body(wanted): Body<CreateToken>,
) -> Result<Created<IssuedTokenView>, Refusal> {
    let role: Option<Role> = wanted.role.as_deref().map(|role| refusal::value("role", role)).transpose()?;
    let new = NewToken {
        principal: refusal::value("principal's name", &wanted.principal)?,
        scope: TokenScope { environment: environment(wanted.environment.as_deref())?, role },
        lifetime: hours(wanted.hours)?,
        name: wanted.name,
        secret: None,
    };
    let issued = token::issue(&api.control, &caller.actor, new).await?;
    Ok(Created { location: format!("/v1/tokens/{}", issued.token.id), data: issued.into() })
}

/// Revokes a token, from the next request on
#[utoipa::path(
    delete,
    path = "/v1/tokens/{id}",
    operation_id = "revoke_token",
    tag = "access",
    params(("id" = String, Path, description = "The token's id")),
    responses(
        (status = 200, description = "It is good for nothing any more", body = Envelope<TokenView>),
        (status = 404, description = "No such token that is not revoked", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn revoke(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    IdPath(id): IdPath<TokenId>,
) -> Answer<TokenView> {
    Ok(Data(token::revoke(&api.control, &caller.actor, id).await?.into()))
}
