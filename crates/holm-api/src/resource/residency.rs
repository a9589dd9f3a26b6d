//! `/v1/residency`, and what is said of places and profiles elsewhere: by what the place of data is judged

use axum::extract::State;
use holm_core::access::Permission;
use holm_core::error::{ErrorCode, Problem};
use holm_engine::access::Caller;
use holm_engine::residency::placed::{self, Claim};
use holm_engine::residency::{assigned, observed, profile};
use holm_engine::{cluster, environment, tenant};

use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{Body, ClusterPath, EnvironmentPath, NoParams, Params, TenantPath};
use crate::view::cluster::ClusterDetailView;
use crate::view::residency::{AddProfile, EnvironmentProfileView, PlaceClaim, ProfileView, SetPlace, SetProfile};
use crate::view::{ListView, TenantView};

/// Lists every version of every profile that is, or was, in force, by name
#[utoipa::path(
    get,
    path = "/v1/residency/profiles",
    operation_id = "list_profiles",
    tag = "residency",
    responses((status = 200, description = "The profiles", body = Envelope<ListView<ProfileView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn profiles(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<ListView<ProfileView>> {
    let kept = profile::list(&api.control).await?;
    let items = kept.iter().enumerate().map(|(i, one)| {
        let in_force = kept.get(i + 1).is_none_or(|next| next.name != one.name);
        ProfileView { in_force, ..one.clone().into() }
    });
    Ok(Data(ListView { items: items.collect(), next: None }))
}

/// Puts a profile in force: one that comes with Holm, or one that is sent
#[utoipa::path(
    post,
    path = "/v1/residency/profiles",
    operation_id = "add_profile",
    tag = "residency",
    request_body = AddProfile,
    responses(
        (status = 200, description = "It is in force", body = Envelope<ProfileView>),
        (status = 404, description = "No such profile comes with Holm", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        (status = 422, description = "It cannot be put in force", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn add_profile(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<AddProfile>,
) -> Answer<ProfileView> {
    let text = match (wanted.shipped, wanted.text) {
        (Some(name), None) => profile::shipped(&name)?.to_owned(),
        (None, Some(text)) => text,
        _ => {
            return Err(Problem::new(ErrorCode::InvalidValue, "a profile is named by `shipped`, or sent as `text`")
                .next("give one of the two")
                .into());
        }
    };
    Ok(Data(profile::keep(&api.control, &caller.actor, text).await?.into()))
}

/// Says where a cluster is, or a copy that was seen there; everything there is judged anew
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/clusters/{name}/set-place",
    operation_id = "set_cluster_place",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name"), ("name" = String, Path, description = "The cluster's name")),
    request_body = SetPlace,
    responses(
        (status = 200, description = "It is said to be there from now on", body = Envelope<ClusterDetailView>),
        (status = 404, description = "No such environment or cluster", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn set_place(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: ClusterPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<SetPlace>,
) -> Answer<ClusterDetailView> {
    super::clusters::of_environment(&api, &path).await?;
    let claim = wanted.place.into();
    match wanted.copy {
        None => placed::set_place(&api.control, &caller.actor, &path.name, claim).await?,
        Some(copy) => observed::set_place(&api.control, &caller.actor, &path.name, &copy, claim).await?,
    };
    Ok(Data(cluster::show(&api.control, &path.name).await?.into()))
}

/// Gives an environment a profile: every tenant that is made there from now on has it, or another one
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/set-profile",
    operation_id = "set_environment_profile",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name")),
    request_body = SetProfile,
    responses(
        (status = 200, description = "It has it", body = Envelope<EnvironmentProfileView>),
        (status = 404, description = "No such environment, or no such profile in force", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn set_environment_profile(
    State(api): State<Api>,
    Signed(caller): Signed,
    EnvironmentPath(environment): EnvironmentPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<SetProfile>,
) -> Answer<EnvironmentProfileView> {
    assigned::set_of_environment(&api.control, &caller.actor, &environment, &wanted.profile).await?;
    Ok(Data(EnvironmentProfileView { environment: environment.to_string(), profile: Some(wanted.profile) }))
}

/// Shows what new tenants of an environment are given
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/profile",
    operation_id = "show_environment_profile",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name")),
    responses(
        (status = 200, description = "The profile", body = Envelope<EnvironmentProfileView>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn environment_profile(
    State(api): State<Api>,
    EnvironmentPath(environment): EnvironmentPath,
    Params(NoParams {}): Params<NoParams>,
) -> Answer<EnvironmentProfileView> {
    let known = environment::show(&api.control, &environment).await?;
    let profile = assigned::of_environment(&api.control, &environment).await?;
    Ok(Data(EnvironmentProfileView { environment: known.name.to_string(), profile }))
}

/// Gives a tenant a profile
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/tenants/{slug}/set-profile",
    operation_id = "set_tenant_profile",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    request_body = SetProfile,
    responses(
        (status = 200, description = "Its copies are judged by it from now on", body = Envelope<TenantView>),
        (status = 404, description = "No such environment or tenant, or no such profile in force", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn set_tenant_profile(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<SetProfile>,
) -> Answer<TenantView> {
    let TenantPath { environment, slug } = path;
    tenant::show(&api.control, &environment, &slug).await?;
    let SetProfile { profile, in_breach } = wanted;
    let set = assigned::set_of_tenant(&api.control, &caller.actor, &environment, &slug, &profile, in_breach).await?;
    Ok(Data(set.into()))
}

/// Who may make tenants takes the profile of the environment; another one is for who says by what data is judged.
pub(super) async fn may_choose(
    api: &Api,
    caller: &Caller,
    environment: &holm_core::environment::EnvironmentName,
    asked: Option<&str>,
) -> Result<(), Problem> {
    let Some(asked) = asked else { return Ok(()) };
    let given = assigned::of_environment(&api.control, environment).await?;
    if assigned::is_choice(Some(asked), given.as_deref()) {
        auth::require_in(api, caller, Permission::ManageResidency, environment).await?;
    }
    Ok(())
}

impl From<PlaceClaim> for Claim {
    fn from(claim: PlaceClaim) -> Self {
        Self { provider: claim.provider, region: claim.region, plan: claim.plan, evidence: claim.evidence }
    }
}
