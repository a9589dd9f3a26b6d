//! `/v1/clusters`

use axum::extract::State;
use holm_engine::cluster;

use crate::Api;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope};
use crate::extract::{NoParams, Params};
use crate::view::{ClusterView, ListView};

/// Lists the clusters of every environment, all at once
#[utoipa::path(
    get,
    path = "/v1/clusters",
    operation_id = "list_clusters",
    tag = "clusters",
    responses((status = 200, description = "The clusters", body = Envelope<ListView<ClusterView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<ListView<ClusterView>> {
    let clusters = cluster::list(&api.control).await?;
    Ok(Data(ListView { items: clusters.into_iter().map(Into::into).collect(), next: None }))
}
