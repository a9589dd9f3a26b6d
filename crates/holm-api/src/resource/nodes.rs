//! `/v1/nodes`

use axum::extract::State;
use holm_engine::node;

use crate::Api;
use crate::auth::Signed;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{NamePath, NoParams, Params};
use crate::view::ListView;
use crate::view::node::NodeView;

/// Lists the processes on the catalog, silent ones too
#[utoipa::path(
    get,
    path = "/v1/nodes",
    operation_id = "list_nodes",
    tag = "health",
    responses((status = 200, description = "All of them, by name", body = Envelope<ListView<NodeView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<ListView<NodeView>> {
    let nodes = node::list(&api.control).await?;
    Ok(Data(ListView { items: nodes.into_iter().map(Into::into).collect(), next: None }))
}

/// Gives up a process that is gone for good, so that nothing waits for it
#[utoipa::path(
    delete,
    path = "/v1/nodes/{name}",
    operation_id = "forget_node",
    tag = "health",
    params(("name" = String, Path, description = "The node's name")),
    responses(
        (status = 200, description = "It is forgotten; should it run, it joins again", body = Envelope<NodeView>),
        (status = 404, description = "No such node", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It was heard of a moment ago", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn forget(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    NamePath(name): NamePath<String>,
) -> Answer<NodeView> {
    Ok(Data(node::give_up(&api.control, &caller.actor, &name).await?.into()))
}
