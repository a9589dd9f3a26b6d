//! `/v1/keys`: master keys, by name; no key is ever in an answer.

use axum::extract::State;
use holm_engine::key;

use crate::Api;
use crate::auth::Signed;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope};
use crate::extract::{NoParams, Params};
use crate::view::{KeyRotationView, KeyView, ListView, RewrapView};

/// Lists the master keys that the catalog was used with, the current one first
#[utoipa::path(
    get,
    path = "/v1/keys",
    operation_id = "list_keys",
    tag = "keys",
    responses((status = 200, description = "The master keys", body = Envelope<ListView<KeyView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<ListView<KeyView>> {
    let keys = key::list(&api.control).await?;
    Ok(Data(ListView { items: keys.into_iter().map(Into::into).collect(), next: None }))
}

/// Makes another master key the current one; data keys keep their wrapping until they are wrapped anew
#[utoipa::path(
    post,
    path = "/v1/keys/rotate",
    operation_id = "rotate_keys",
    tag = "keys",
    responses((status = 200, description = "There is a new current key", body = Envelope<KeyRotationView>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn rotate(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
) -> Answer<KeyRotationView> {
    Ok(Data(key::rotate::rotate(&api.control, &caller.actor).await?.into()))
}

/// Wraps some data keys with the current master key; repeat it until `left` is 0
#[utoipa::path(
    post,
    path = "/v1/keys/rewrap",
    operation_id = "rewrap_keys",
    tag = "keys",
    responses((status = 200, description = "Some are wrapped anew", body = Envelope<RewrapView>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn rewrap(State(api): State<Api>, Signed(caller): Signed, Params(NoParams {}): Params<NoParams>) -> Answer<RewrapView> {
    Ok(Data(key::rewrap::rewrap(&api.control, &caller.actor).await?.into()))
}
