//! `/v1/webhooks`

use axum::extract::State;
use holm_core::id::MessageId;
use holm_core::webhook::{Patterns, WebhookName};
use holm_engine::webhook::{self, NewWebhook};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Api;
use crate::auth::Signed;
use crate::description::Refusals;
use crate::envelope::{Answer, Created, Data, Envelope, Failure, Refusal};
use crate::extract::{Body, MessagePath, NamePath, NoParams, Params};
use crate::refusal;
use crate::view::ListView;
use crate::view::webhook::{CreateWebhook, MadeWebhookView, WebhookAnswerView, WebhookDeliveryView, WebhookView};

/// Which messages are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryParams {
    /// `pending`, `delivered` or `dead`; all when absent.
    state: Option<String>,
}

/// Lists webhooks by name, all at once
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    operation_id = "list_webhooks",
    tag = "webhooks",
    responses((status = 200, description = "The webhooks", body = Envelope<ListView<WebhookView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<ListView<WebhookView>> {
    let webhooks = webhook::list(&api.control).await?;
    Ok(Data(ListView { items: webhooks.into_iter().map(Into::into).collect(), next: None }))
}

/// Makes a webhook, which hears of what is done from now on; its secret is in the answer and nowhere else
#[utoipa::path(
    post,
    path = "/v1/webhooks",
    operation_id = "create_webhook",
    tag = "webhooks",
    request_body = CreateWebhook,
    responses(
        (status = 201, description = "It is told from now on", body = Envelope<MadeWebhookView>, headers(("Location" = String, description = "Its path"))),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "The name is in use", body = Failure, content_type = "application/problem+json"),
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
    Body(wanted): Body<CreateWebhook>,
) -> Result<Created<MadeWebhookView>, Refusal> {
    let actions = Patterns::new(wanted.actions.unwrap_or_else(|| vec!["*".to_owned()]));
    let actions = actions.map_err(|error| {
        let problem = holm_core::error::Problem::new(holm_core::error::ErrorCode::InvalidValue, "the actions cannot be used");
        problem.because(error).next("see which were done: `holm audit search`")
    })?;
    let new = NewWebhook {
        name: refusal::value("webhook's name", &wanted.name)?,
        url: wanted.url,
        actions,
        environment: wanted.environment.as_deref().map(refusal::environment).transpose()?,
        allow_private: wanted.allow_private.unwrap_or_default(),
    };
    let made = webhook::create(&api.control, &caller.actor, new).await?;
    Ok(Created { location: format!("/v1/webhooks/{}", made.webhook.name), data: made.into() })
}

/// Removes a webhook; what was not told yet is not told any more
#[utoipa::path(
    delete,
    path = "/v1/webhooks/{name}",
    operation_id = "delete_webhook",
    tag = "webhooks",
    params(("name" = String, Path, description = "The webhook")),
    responses(
        (status = 200, description = "It is told nothing any more", body = Envelope<WebhookView>),
        (status = 404, description = "No such webhook", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    NamePath(name): NamePath<WebhookName>,
) -> Answer<WebhookView> {
    Ok(Data(webhook::delete(&api.control, &caller.actor, &name).await?.into()))
}

/// Replaces a webhook's secret; the one before signs as well for 24 hours
#[utoipa::path(
    post,
    path = "/v1/webhooks/{name}/rotate",
    operation_id = "rotate_webhook",
    tag = "webhooks",
    params(("name" = String, Path, description = "The webhook")),
    responses(
        (status = 200, description = "Both secrets sign for a day", body = Envelope<MadeWebhookView>),
        (status = 404, description = "No such webhook", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn rotate(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    NamePath(name): NamePath<WebhookName>,
) -> Answer<MadeWebhookView> {
    Ok(Data(webhook::rotate(&api.control, &caller.actor, &name).await?.into()))
}

/// Sends a message that means nothing, once, now
#[utoipa::path(
    post,
    path = "/v1/webhooks/{name}/test",
    operation_id = "test_webhook",
    tag = "webhooks",
    params(("name" = String, Path, description = "The webhook")),
    responses(
        (status = 200, description = "It was taken", body = Envelope<WebhookAnswerView>),
        (status = 404, description = "No such webhook", body = Failure, content_type = "application/problem+json"),
        (status = 502, description = "It was not taken", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn test(
    State(api): State<Api>,
    Params(NoParams {}): Params<NoParams>,
    NamePath(name): NamePath<WebhookName>,
) -> Answer<WebhookAnswerView> {
    Ok(Data(webhook::test(&api.control, &name).await?.into()))
}

/// Lists the newest hundred messages of a webhook
#[utoipa::path(
    get,
    path = "/v1/webhooks/{name}/deliveries",
    operation_id = "list_webhook_deliveries",
    tag = "webhooks",
    params(("name" = String, Path, description = "The webhook"), DeliveryParams),
    responses(
        (status = 200, description = "The newest first", body = Envelope<ListView<WebhookDeliveryView>>),
        (status = 404, description = "No such webhook", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn deliveries(
    State(api): State<Api>,
    Params(params): Params<DeliveryParams>,
    NamePath(name): NamePath<WebhookName>,
) -> Answer<ListView<WebhookDeliveryView>> {
    let state = params.state.as_deref();
    if state.is_some_and(|state| !["pending", "delivered", "dead"].contains(&state)) {
        let problem = holm_core::error::Problem::new(holm_core::error::ErrorCode::InvalidValue, "the state cannot be used");
        return Err(problem.because("it is `pending`, `delivered` or `dead`").into());
    }
    let deliveries = webhook::deliveries(&api.control, &name, state).await?;
    Ok(Data(ListView { items: deliveries.into_iter().map(Into::into).collect(), next: None }))
}

/// Tells a message again, under the same id
#[utoipa::path(
    post,
    path = "/v1/webhooks/{name}/deliveries/{id}/replay",
    operation_id = "replay_webhook_delivery",
    tag = "webhooks",
    params(("name" = String, Path, description = "The webhook"), ("id" = String, Path, description = "The message's id")),
    responses(
        (status = 200, description = "It is told again, as soon as it is its turn", body = Envelope<WebhookView>),
        (status = 404, description = "No such webhook, or no such message of it", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn replay(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    MessagePath { webhook: name, id }: MessagePath,
) -> Answer<WebhookView> {
    let id: MessageId = id;
    webhook::replay(&api.control, &caller.actor, &name, id).await?;
    Ok(Data(webhook::show(&api.control, &name).await?.into()))
}
