//! `/v1/node-keys`: nodes of the data plane that have no way to the catalog, and `/link`, where they ask for routes.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_core::error::{ErrorCode, Problem};
use holm_engine::node::{admission, link};

use crate::Api;
use crate::auth::Signed;
use crate::description::Refusals;
use crate::envelope::{Answer, Created, Data, Envelope, Failure, Refusal};
use crate::extract::{Body, NamePath, NoParams, Params};
use crate::refusal;
use crate::view::ListView;
use crate::view::node::{AddNode, AddedNodeView, NodeKeyView};

/// Lists the nodes that are let in by a key, all at once
#[utoipa::path(
    get,
    path = "/v1/node-keys",
    operation_id = "list_node_keys",
    tag = "health",
    responses((status = 200, description = "The nodes, by name", body = Envelope<ListView<NodeKeyView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<ListView<NodeKeyView>> {
    let nodes = admission::list(&api.control).await?;
    Ok(Data(ListView { items: nodes.into_iter().map(Into::into).collect(), next: None }))
}

/// Lets a node of the data plane in by the public half of its key; it may then ask for the routes of all tenants
#[utoipa::path(
    post,
    path = "/v1/node-keys",
    operation_id = "add_node",
    tag = "health",
    request_body = AddNode,
    responses(
        (status = 201, description = "It is let in", body = Envelope<AddedNodeView>, headers(("Location" = String, description = "Its path"))),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "The name is in use", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn add(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<AddNode>,
) -> Result<Created<AddedNodeView>, Refusal> {
    let name: admission::DataNodeName = refusal::value("node's name", &wanted.name)?;
    let key = STANDARD.decode(&wanted.public_key).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        Problem::new(ErrorCode::InvalidValue, "`public_key` is none: 32 bytes of X25519 in base64")
            .next("let the command make it: `holm node add NAME --key-file FILE`")
    })?;
    let environment = wanted.environment.as_deref().map(|name| refusal::value("environment's name", name)).transpose()?;
    let added = admission::add(&api.control, &caller.actor, name.clone(), key, environment.as_ref()).await?;
    Ok(Created {
        location: format!("/v1/node-keys/{name}"),
        data: AddedNodeView {
            name: name.to_string(),
            node: added.node.simple().to_string(),
            installation: added.installation.to_string(),
            control_key: STANDARD.encode(added.control_key),
        },
    })
}

/// Removes a node that was let in by a key; it hears so within seconds, and stops
#[utoipa::path(
    delete,
    path = "/v1/node-keys/{name}",
    operation_id = "remove_node",
    tag = "health",
    params(("name" = String, Path, description = "The node's name")),
    responses(
        (status = 200, description = "It is told nothing any more", body = Envelope<NodeKeyView>),
        (status = 404, description = "No such node", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn remove(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    NamePath(name): NamePath<String>,
) -> Answer<NodeKeyView> {
    Ok(Data(admission::remove(&api.control, &caller.actor, &name).await?.into()))
}

/// Answers a node of the data plane; question and answer are sealed, so that no token is needed and nobody else reads them
#[utoipa::path(
    post,
    path = "/link",
    operation_id = "link",
    tag = "health",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "The answer, after two seconds at most", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 403, description = "No node that was let in has sealed it", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 429, description = "A node that is not known asks too often", body = Failure, content_type = "application/problem+json"),
        (status = 503, description = "The catalog does not answer", body = Failure, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn answer(State(api): State<Api>, Params(NoParams {}): Params<NoParams>, question: Bytes) -> Result<Response, Refusal> {
    if api.config.draining.is_cancelled() {
        return Err(crate::probe::stopping().into());
    }
    let answer = link::answer(&api.control, &question).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], answer).into_response())
}
