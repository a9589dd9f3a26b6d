//! Webhooks: receivers that are told what the audit log says, signed.
//!
//! Promises: a secret is shown once, when it is made, and kept sealed; making, rotating, removing and replaying are in the
//! audit log themselves. Delivery is `deliver`'s.

mod address;
pub(crate) mod deliver;
pub(crate) mod post;
pub mod retention;
pub mod signature;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{MessageId, WebhookId};
use holm_core::key::KeyPurpose;
use holm_core::secret::Secret;
use holm_core::webhook::{Patterns, WebhookName};
use holm_store::audit::record;
use holm_store::data_key::KeyOwner;
use holm_store::sealed::Sealed;
use holm_store::webhook::delivery::{self, Attempt, Delivery};
use holm_store::webhook::{self as store, Inserted, NewWebhook as Row, Webhook};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use self::signature::WebhookSecret;
use crate::control::Control;
use crate::environment;
use crate::secret::keys::Sealing;
use crate::secret::seal::Purpose;

/// A webhook to be made.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// What people call it.
    pub name: WebhookName,
    /// Where it listens.
    pub url: String,
    /// What it hears of.
    pub actions: Patterns,
    /// The only environment that it hears of.
    pub environment: Option<EnvironmentName>,
    /// Whether it may be at an address that is not public.
    pub allow_private: bool,
}

/// A webhook and its secret, which is nowhere else.
#[derive(Debug)]
pub struct MadeWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// What its messages are signed with.
    pub secret: Secret<String>,
}

/// Makes a webhook; it hears of what is done from now on.
///
/// # Errors
/// An address that Holm does not send to; [`ErrorCode::WebhookTaken`]; no such environment; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn create(control: &Control, by: &Actor, new: NewWebhook) -> Result<MadeWebhook, Problem> {
    let url = address::read(&new.url, new.allow_private)?.to_string();
    let (control, by) = (control.clone(), by.clone());
    let tasks = control.tasks().clone();
    let act = async move {
        let id = WebhookId::from_uuid(Uuid::now_v7());
        let (secret, sealed, key) = new_secret(&control, id).await?;
        let NewWebhook { name, actions, environment, allow_private, .. } = new;
        let mut tx = control.catalog().transaction().await?;
        key.keep(&mut tx).await?;
        let row = Row { id, name: name.clone(), url, sealed_secret: sealed, actions, environment: environment.clone(), allow_private };
        match store::insert(&mut tx, &row).await? {
            Inserted::Done => {}
            Inserted::Taken => return Err(taken(&name)),
            Inserted::NoEnvironment => return Err(environment::not_found(&environment.expect("without one there is none to look for"))),
        }
        record(&mut tx, NewEntry::new(&by, AuditAction::WebhookCreate, environment.as_ref(), Subject::Webhook(id)));
        tx.commit().await?;
        Ok(MadeWebhook { webhook: show(&control, &name).await?, secret })
    };
    tasks.finish("create a webhook", act).await
}

/// Replaces a webhook's secret; the one before signs as well for a day, so that the receiver can change over meanwhile.
///
/// # Errors
/// [`ErrorCode::WebhookNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn rotate(control: &Control, by: &Actor, name: &WebhookName) -> Result<MadeWebhook, Problem> {
    let (control, by, name) = (control.clone(), by.clone(), name.clone());
    let tasks = control.tasks().clone();
    let act = async move {
        let webhook = show(&control, &name).await?;
        let (secret, sealed, key) = new_secret(&control, webhook.id).await?;
        let mut tx = control.catalog().transaction().await?;
        key.keep(&mut tx).await?;
        // Removed and made anew in between, it is another webhook, which this secret was not sealed for.
        if store::rotate(&mut tx, &name, &sealed).await? != Some(webhook.id) {
            return Err(not_found(&name));
        }
        record(&mut tx, NewEntry::new(&by, AuditAction::WebhookRotate, webhook.environment.as_ref(), Subject::Webhook(webhook.id)));
        tx.commit().await?;
        Ok(MadeWebhook { webhook: show(&control, &name).await?, secret })
    };
    tasks.finish("rotate a webhook's secret", act).await
}

async fn new_secret(control: &Control, id: WebhookId) -> Result<(Secret<String>, Sealed, Sealing), Problem> {
    let secret = WebhookSecret::generate();
    let key = control.keys().for_owner(KeyOwner::Installation, KeyPurpose::Webhooks).await?;
    let sealed = Sealed::new(key.key.seal(Purpose::WebhookSecret(id), secret.as_bytes()));
    Ok((secret.text(), sealed, key))
}

/// Removes a webhook; what was not told yet is not told any more.
///
/// # Errors
/// [`ErrorCode::WebhookNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn delete(control: &Control, by: &Actor, name: &WebhookName) -> Result<Webhook, Problem> {
    let webhook = show(control, name).await?;
    let (catalog, by, name) = (control.catalog().clone(), by.clone(), name.clone());
    let act = async move {
        let mut tx = catalog.transaction().await?;
        let id = store::disable(&mut tx, &name).await?.ok_or_else(|| not_found(&name))?;
        record(&mut tx, NewEntry::new(&by, AuditAction::WebhookDelete, webhook.environment.as_ref(), Subject::Webhook(id)));
        tx.commit().await?;
        Ok(webhook)
    };
    control.tasks().finish("delete a webhook", act).await
}

/// All of them, by name.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<Webhook>, Problem> {
    Ok(store::list(control.catalog()).await?)
}

/// The one of a name.
///
/// # Errors
/// [`ErrorCode::WebhookNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn show(control: &Control, name: &WebhookName) -> Result<Webhook, Problem> {
    store::by_name(control.catalog(), name).await?.ok_or_else(|| not_found(name))
}

/// The newest hundred messages of a webhook, all or of one state.
///
/// # Errors
/// [`ErrorCode::WebhookNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn deliveries(control: &Control, name: &WebhookName, state: Option<&str>) -> Result<Vec<Delivery>, Problem> {
    show(control, name).await?;
    Ok(delivery::list(control.catalog(), name, state).await?)
}

/// Sends a message that means nothing, once, now.
///
/// # Errors
/// [`ErrorCode::WebhookNotFound`]; [`ErrorCode::WebhookRefused`] if it was not taken; the catalog does not answer.
///
/// # Cancel safety
/// The message may have arrived.
pub async fn test(control: &Control, name: &WebhookName) -> Result<Attempt, Problem> {
    let webhook = show(control, name).await?;
    let data = json!({ "webhook": webhook.id, "name": webhook.name });
    let body = json!({ "type": "webhook.test", "timestamp": Timestamp::now(), "data": data }).to_string();
    let attempt = post::post(control, &webhook, MessageId::from_uuid(Uuid::now_v7()), body).await?;
    if attempt.taken {
        return Ok(attempt);
    }
    let problem = Problem::new(ErrorCode::WebhookRefused, format!("webhook `{name}` did not take a test message"));
    let why = match attempt.status {
        Some(status) => format!("it answered {status}: {}", attempt.line),
        None => attempt.line,
    };
    Err(problem.because(why).next("a receiver answers 200 to 299 within 10 s; try one here: `holm webhook listen`"))
}

/// Tells a message again, under the same id, whether it was taken or given up.
///
/// # Errors
/// [`ErrorCode::WebhookNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn replay(control: &Control, by: &Actor, name: &WebhookName, id: MessageId) -> Result<(), Problem> {
    let webhook = show(control, name).await?;
    let (catalog, by, name) = (control.catalog().clone(), by.clone(), name.clone());
    let act = async move {
        let mut tx = catalog.transaction().await?;
        if delivery::replay(&mut tx, &name, id).await?.is_none() {
            return Err(Problem::new(ErrorCode::WebhookNotFound, format!("nothing of id `{id}` was told to webhook `{name}`"))
                .next(format!("see what was: `holm webhook deliveries {name}`")));
        }
        record(&mut tx, NewEntry::new(&by, AuditAction::WebhookReplay, webhook.environment.as_ref(), Subject::Webhook(webhook.id)));
        tx.commit().await?;
        Ok(())
    };
    let replayed = control.tasks().finish("replay a message", act).await;
    control.nudge();
    replayed
}

fn not_found(name: &WebhookName) -> Problem {
    Problem::new(ErrorCode::WebhookNotFound, format!("there is no webhook called `{name}`"))
        .next("see which there are: `holm webhook list`")
}

fn taken(name: &WebhookName) -> Problem {
    Problem::new(ErrorCode::WebhookTaken, format!("a webhook called `{name}` exists already"))
        .next(format!("choose another name, or remove that one: `holm webhook delete {name}`"))
}
