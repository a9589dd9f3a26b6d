//! Shapes of webhooks and of what was told to them.

use holm_core::environment::EnvironmentName;
use holm_core::id::{MessageId, WebhookId};
use holm_core::webhook::WebhookName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A receiver that is told what was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// Its identity.
    #[schema(value_type = String, example = "whk_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: WebhookId,
    /// What people call it.
    #[schema(value_type = String, example = "ci")]
    pub name: WebhookName,
    /// Where it listens.
    #[schema(example = "https://hooks.example.com/holm")]
    pub url: String,
    /// What it hears of: actions of the audit log, nouns such as `tenant.*`, or `*`.
    pub actions: Vec<String>,
    /// The only environment that it hears of; null for everything.
    #[schema(value_type = Option<String>, example = "production")]
    pub environment: Option<EnvironmentName>,
    /// Whether it may be at an address that is not public.
    pub allow_private: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Failures in a row; 0 while it takes what it is told.
    pub failures: u32,
    /// Until when it is left alone for them.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paused_until: Option<Timestamp>,
    /// Since when it has missed something for good; null when it takes what it is told.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub died_at: Option<Timestamp>,
}

/// A webhook and its secret, which is shown this once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MadeWebhookView {
    /// The webhook.
    pub webhook: WebhookView,
    /// What its messages are signed with.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    pub secret: String,
}

/// What a new webhook is to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhook {
    /// What to call it.
    #[schema(example = "ci")]
    pub name: String,
    /// Where it listens: `https`, or `http` on this machine.
    #[schema(example = "https://hooks.example.com/holm")]
    pub url: String,
    /// What it is to hear of; everything when absent.
    pub actions: Option<Vec<String>>,
    /// The only environment that it is to hear of.
    pub environment: Option<String>,
    /// Whether it may be at an address that is not public; no when absent.
    pub allow_private: Option<bool>,
}

/// One thing that was told, or is to be told, to a webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookDeliveryView {
    /// Sent as `webhook-id`, the same in every attempt.
    #[schema(value_type = String, example = "msg_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: MessageId,
    /// The number of the entry in the audit log.
    pub seq: i64,
    /// What was done.
    #[schema(example = "tenant.create")]
    pub action: String,
    /// `pending`, `delivered` or `dead`.
    #[schema(example = "delivered")]
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was noticed.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it is tried next; null when it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
    /// When it was delivered or given up.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// The status of the last answer; null without one.
    pub last_status: Option<i32>,
    /// Its first line, or why there was none.
    pub last_line: Option<String>,
}

/// How a receiver answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WebhookAnswerView {
    /// The status.
    pub status: Option<u16>,
    /// The first line of the body.
    pub line: String,
}
