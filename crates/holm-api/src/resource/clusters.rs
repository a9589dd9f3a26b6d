//! `/v1/clusters`, and what is done with them in their environment

use axum::extract::State;
use holm_core::access::Permission;
use holm_core::audit::Reason;
use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_engine::cluster::add::{self, NewServer};
use holm_engine::cluster::remove::{self, Manner};
use holm_engine::cluster::set_server::Who;
use holm_engine::cluster::url::{Beside, ServerUrl};
use holm_engine::cluster::{self, client_certificate, drain, rotate_roles, set_server};
use holm_engine::environment;

use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Accepted, Answer, Data, Envelope, Failure, Refusal};
use crate::extract::{Body, ClusterNamePath, ClusterPath, EnvironmentPath, NoParams, Params};
use crate::refusal;
use crate::view::cluster::{AddCluster, ClusterDetailView, RemoveCluster, SetClientCertificate, SetClusterServer};
use crate::view::operation::OperationView;
use crate::view::{ClusterView, ListView};

/// Lists the clusters of every environment that the caller may see, all at once
#[utoipa::path(
    get,
    path = "/v1/clusters",
    operation_id = "list_clusters",
    tag = "clusters",
    responses((status = 200, description = "The clusters", body = Envelope<ListView<ClusterView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
) -> Answer<ListView<ClusterView>> {
    let clusters = cluster::list(&api.control).await?;
    let seen = clusters.into_iter().filter(|known| auth::may_see(&api, &caller, Permission::ReadClusters, Some(&known.environment)));
    Ok(Data(ListView { items: seen.map(Into::into).collect(), next: None }))
}

/// Shows a cluster: its state, who is on it, and what it can be used for
#[utoipa::path(
    get,
    path = "/v1/clusters/{name}",
    operation_id = "show_cluster",
    tag = "clusters",
    params(("name" = String, Path, description = "The cluster's name")),
    responses(
        (status = 200, description = "The cluster", body = Envelope<ClusterDetailView>),
        (status = 404, description = "No such cluster", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    Signed(caller): Signed,
    ClusterNamePath(name): ClusterNamePath,
    Params(NoParams {}): Params<NoParams>,
) -> Answer<ClusterDetailView> {
    let (cluster, residents) = cluster::show(&api.control, &name).await?;
    auth::require_in(&api, &caller, Permission::ReadClusters, &cluster.environment).await?;
    Ok(Data((cluster, residents).into()))
}

/// Adds a server as a cluster of an environment
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/clusters",
    operation_id = "add_cluster",
    tag = "clusters",
    params(("environment" = String, Path, description = "The environment's name")),
    request_body = AddCluster,
    responses(
        (status = 202, description = "It is being added", body = Envelope<OperationView>, headers(("Location" = String, description = "The operation"))),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "The name or the server is a cluster already", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        (status = 422, description = "The server cannot be a cluster", body = Failure, content_type = "application/problem+json"),
        (status = 502, description = "The server refused", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn add(
    State(api): State<Api>,
    Signed(caller): Signed,
    EnvironmentPath(environment): EnvironmentPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<AddCluster>,
) -> Result<Accepted, Refusal> {
    let beside = Beside {
        password: wanted.password.map(Secret::new),
        sslmode: wanted.sslmode,
        ssl_root_cert: wanted.ssl_root_cert,
        client_cert: wanted.client_cert,
        client_key: wanted.client_key.map(Secret::new),
    };
    let url = ServerUrl::read(&Secret::new(wanted.url), &beside)?;
    let name = refusal::value("cluster's name", &wanted.name)?;
    let claim = wanted.place.map(Into::into);
    let new = NewServer { name, environment, url, connections_max: wanted.connections_max, claim };
    let begun = add::add(&api.control, &caller.actor, new, None).await?;
    Accepted::of(&api.control, begun).await
}

/// Changes where a cluster's server is and how it is spoken to; it stays the same server, unless another is said to take its place
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/clusters/{name}/set-server",
    operation_id = "set_cluster_server",
    tag = "clusters",
    params(("environment" = String, Path, description = "The environment's name"), ("name" = String, Path, description = "The cluster's name")),
    request_body = SetClusterServer,
    responses(
        (status = 200, description = "It is reached like that from now on", body = Envelope<ClusterDetailView>),
        (status = 404, description = "No such environment or cluster", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "Another server answers there than was said, or the cluster is not there yet", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        (status = 422, description = "The server cannot be a cluster, or lacks something of the one whose place it is to take", body = Failure, content_type = "application/problem+json"),
        (status = 502, description = "The server refused", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn set_server(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: ClusterPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<SetClusterServer>,
) -> Answer<ClusterDetailView> {
    of_environment(&api, &path).await?;
    let beside = Beside {
        password: wanted.password.map(Secret::new),
        sslmode: wanted.sslmode,
        ssl_root_cert: wanted.ssl_root_cert,
        client_cert: wanted.client_cert,
        client_key: wanted.client_key.map(Secret::new),
    };
    let url = ServerUrl::read(&Secret::new(wanted.url), &beside)?;
    let who = who(wanted.replaced, wanted.reason.as_deref())?;
    set_server::set_server(&api.control, &caller.actor, &path.name, url, who).await?;
    Ok(Data(cluster::show(&api.control, &path.name).await?.into()))
}

/// Who the server is said to be.
fn who(replaced: bool, reason: Option<&str>) -> Result<Who, Problem> {
    match (replaced, reason) {
        (false, None) => Ok(Who::TheSame),
        (true, Some(reason)) => Ok(Who::InItsPlace(refusal::value::<Reason>("reason", reason)?)),
        (true, None) => Err(Problem::new(ErrorCode::InvalidValue, "a cluster is not given another server without a reason")
            .because("that everything of the former is on it is somebody's word, which the audit log keeps")
            .next("say why in `reason`")),
        (false, Some(_)) => Err(Problem::new(ErrorCode::InvalidValue, "a reason is given, and nothing is replaced")
            .next("say `replaced` too if the server is another one, or leave the reason out")),
    }
}

/// Has a cluster's server shown another certificate from now on, by connections that begin
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/clusters/{name}/set-client-cert",
    operation_id = "set_cluster_client_cert",
    tag = "clusters",
    params(("environment" = String, Path, description = "The environment's name"), ("name" = String, Path, description = "The cluster's name")),
    request_body = SetClientCertificate,
    responses(
        (status = 200, description = "It is shown that from now on", body = Envelope<ClusterDetailView>),
        (status = 404, description = "No such environment or cluster", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "Another server answers there, or the cluster is not there yet", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        (status = 422, description = "The server cannot be a cluster any more", body = Failure, content_type = "application/problem+json"),
        (status = 502, description = "The server refused", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn set_client_cert(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: ClusterPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<SetClientCertificate>,
) -> Answer<ClusterDetailView> {
    of_environment(&api, &path).await?;
    let shown = client_certificate::given(&wanted.client_cert, &Secret::new(wanted.client_key))?;
    set_server::show_certificate(&api.control, &caller.actor, &path.name, Some(shown)).await?;
    Ok(Data(cluster::show(&api.control, &path.name).await?.into()))
}

/// Has a cluster's server shown no certificate any more, by connections that begin
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/clusters/{name}/remove-client-cert",
    operation_id = "remove_cluster_client_cert",
    tag = "clusters",
    params(("environment" = String, Path, description = "The environment's name"), ("name" = String, Path, description = "The cluster's name")),
    responses(
        (status = 200, description = "It is shown nothing from now on", body = Envelope<ClusterDetailView>),
        (status = 404, description = "No such environment or cluster", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "Another server answers there, or the cluster is not there yet", body = Failure, content_type = "application/problem+json"),
        (status = 422, description = "The server cannot be a cluster any more", body = Failure, content_type = "application/problem+json"),
        (status = 502, description = "The server refused: it wants one still", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn remove_client_cert(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: ClusterPath,
    Params(NoParams {}): Params<NoParams>,
) -> Answer<ClusterDetailView> {
    of_environment(&api, &path).await?;
    set_server::show_certificate(&api.control, &caller.actor, &path.name, None).await?;
    Ok(Data(cluster::show(&api.control, &path.name).await?.into()))
}

/// Gives the roles of all tenants of a cluster new passwords, each by an operation of its own
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/clusters/{name}/rotate-roles",
    operation_id = "rotate_cluster_roles",
    tag = "clusters",
    params(("environment" = String, Path, description = "The environment's name"), ("name" = String, Path, description = "The cluster's name")),
    responses(
        (status = 202, description = "It goes on", body = Envelope<OperationView>, headers(("Location" = String, description = "The operation"))),
        (status = 404, description = "No such environment or cluster", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "Another operation is at work on it as a whole", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn rotate(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: ClusterPath,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Accepted, Refusal> {
    of_environment(&api, &path).await?;
    let begun = rotate_roles::rotate_roles(&api.control, &caller.actor, &path.name).await?;
    Accepted::of(&api.control, begun).await
}

/// Empties a cluster: nothing new is placed on it, and its tenants are waited for
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/clusters/{name}/drain",
    operation_id = "drain_cluster",
    tag = "clusters",
    params(("environment" = String, Path, description = "The environment's name"), ("name" = String, Path, description = "The cluster's name")),
    responses(
        (status = 202, description = "It is being emptied", body = Envelope<OperationView>, headers(("Location" = String, description = "The operation"))),
        (status = 404, description = "No such environment or cluster", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It is not in a state in which that can be done", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn drain(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: ClusterPath,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Accepted, Refusal> {
    of_environment(&api, &path).await?;
    let begun = drain::drain(&api.control, &caller.actor, &path.name, None).await?;
    Accepted::of(&api.control, begun).await
}

/// Forgets a cluster that is drained, or abandons one that is gone for good
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/clusters/{name}/remove",
    operation_id = "remove_cluster",
    tag = "clusters",
    params(("environment" = String, Path, description = "The environment's name"), ("name" = String, Path, description = "The cluster's name")),
    request_body = RemoveCluster,
    responses(
        (status = 202, description = "It is being forgotten", body = Envelope<OperationView>, headers(("Location" = String, description = "The operation"))),
        (status = 404, description = "No such environment or cluster", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "Tenants are on it, or it is not drained", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        (status = 428, description = "Abandoning wants the name once more", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn remove(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: ClusterPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<RemoveCluster>,
) -> Result<Accepted, Refusal> {
    of_environment(&api, &path).await?;
    let manner = if wanted.abandon { Manner::Abandoned } else { Manner::InOrder };
    if wanted.abandon && wanted.confirm.as_deref() != Some(path.name.as_str()) {
        let what = format!("cluster `{}` is not abandoned without its name once more", path.name);
        let goes_with = remove::goes_with(&api.control, &path.name).await?;
        return Err(Problem::new(ErrorCode::ConfirmationNeeded, what).because(goes_with).next("say it in `confirm`").into());
    }
    let begun = remove::remove(&api.control, &caller.actor, &path.name, manner, None).await?;
    Accepted::of(&api.control, begun).await
}

/// One of another environment is not there: the caller's right is for the one in the path.
pub(super) async fn of_environment(api: &Api, path: &ClusterPath) -> Result<(), Problem> {
    environment::show(&api.control, &path.environment).await?;
    let here = cluster::list(&api.control).await?.iter().any(|known| known.name == path.name && known.environment == path.environment);
    if here {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::ClusterNotFound, format!("`{}` has no cluster called `{}`", path.environment, path.name))
        .next("see which there are: `holm cluster list`"))
}
