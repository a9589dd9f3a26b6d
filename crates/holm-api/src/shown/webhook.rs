//! From webhooks of the catalog to what the API shows: never a secret that is sealed.

use holm_engine::webhook::MadeWebhook;
use holm_store::webhook::Webhook;
use holm_store::webhook::delivery::{Attempt, Delivery};

use crate::view::webhook::{MadeWebhookView, WebhookAnswerView, WebhookDeliveryView, WebhookView};

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            name: webhook.name,
            url: webhook.url,
            actions: webhook.actions.as_slice().to_vec(),
            environment: webhook.environment,
            allow_private: webhook.allow_private,
            created_at: webhook.created_at,
            failures: webhook.failures,
            paused_until: webhook.paused_until,
            died_at: webhook.died_at,
        }
    }
}

impl From<MadeWebhook> for MadeWebhookView {
    fn from(made: MadeWebhook) -> Self {
        Self { webhook: made.webhook.into(), secret: made.secret.expose().clone() }
    }
}

impl From<Delivery> for WebhookDeliveryView {
    fn from(delivery: Delivery) -> Self {
        let Delivery { id, seq, action, state, attempts, created_at, next_at, ended_at, last_status, last_line } = delivery;
        Self { id, seq, action, state, attempts, created_at, next_at, ended_at, last_status, last_line }
    }
}

impl From<Attempt> for WebhookAnswerView {
    fn from(attempt: Attempt) -> Self {
        Self { status: attempt.status, line: attempt.line }
    }
}
