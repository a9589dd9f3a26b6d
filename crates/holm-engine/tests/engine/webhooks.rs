//! Webhooks: told everything, in order, signed, by one process; whatever fails in between.

use std::collections::BTreeSet;

use holm_core::actor::PrincipalKind;
use holm_core::error::ErrorCode;
use holm_core::webhook::{Patterns, WebhookName};
use holm_engine::access::principal;
use holm_engine::control::Control;
use holm_engine::webhook::signature::{Headers, Unbelievable, WebhookSecret, verify};
use holm_engine::webhook::{self, MadeWebhook, NewWebhook};
use holm_testkit::hooks::{Hook, HookReceiver, Reply};
use holm_testkit::{eventually, new_server};
use jiff::Timestamp;

use crate::support::{DEV, PATIENCE, Setup, World};

async fn world() -> World {
    World::without_cluster(Setup::default(), new_server(&[]).await).await
}

fn name(text: &str) -> WebhookName {
    text.parse().unwrap()
}

fn new(called: &str, url: &str, actions: &[&str]) -> NewWebhook {
    let actions = Patterns::new(actions.iter().map(|text| (*text).to_owned())).unwrap();
    NewWebhook { name: name(called), url: url.to_owned(), actions, environment: None, allow_private: true }
}

async fn listen(control: &Control, called: &str, receiver: &HookReceiver) -> MadeWebhook {
    webhook::create(control, &DEV, new(called, &receiver.url(), &["principal.create"])).await.unwrap()
}

/// Something that is told: one entry of the log each.
async fn act(control: &Control, names: std::ops::Range<usize>) {
    for n in names {
        let name = format!("robot{n}").parse().unwrap();
        principal::create(control, &DEV, &name, PrincipalKind::Machine).await.unwrap();
    }
}

async fn received(receiver: &HookReceiver, count: usize) -> Vec<Hook> {
    eventually(PATIENCE, "what is told", async || {
        let hooks = receiver.hooks();
        if hooks.len() >= count { Ok(hooks) } else { Err(hooks.len()) }
    })
    .await
}

fn believed(secret: &str, hook: &Hook) -> Result<(), Unbelievable> {
    let headers =
        Headers { id: hook.header("webhook-id"), timestamp: hook.header("webhook-timestamp"), signature: hook.header("webhook-signature") };
    verify(&WebhookSecret::parse(secret).unwrap(), headers, &hook.body, Timestamp::now().as_second())
}

fn seqs(hooks: &[Hook]) -> Vec<i64> {
    hooks.iter().map(|hook| hook.json()["data"]["seq"].as_i64().unwrap()).collect()
}

fn ids(hooks: &[Hook]) -> Vec<&str> {
    hooks.iter().map(|hook| hook.header("webhook-id")).collect()
}

#[tokio::test]
async fn what_the_log_says_is_told_in_order_and_signed() {
    let world = world().await;
    let receiver = HookReceiver::start().await.unwrap();
    let made = listen(&world.control, "ci", &receiver).await;
    act(&world.control, 0..20).await;
    let hooks = received(&receiver, 20).await;
    let told = seqs(&hooks);
    assert!(told.is_sorted() && told.len() == 20, "{told:?}");
    for hook in &hooks {
        assert_eq!(believed(made.secret.expose(), hook), Ok(()));
        let other = webhook_secret();
        assert_eq!(believed(&other, hook), Err(Unbelievable::Signature));
    }
    let body = hooks[0].json();
    assert_eq!((body["type"].as_str(), body["data"]["subject"]["kind"].as_str()), (Some("principal.create"), Some("principal")));
    assert!(!String::from_utf8_lossy(&hooks[0].body).contains("robot"), "a name: {body}");
    // The secret is not in the catalog.
    let stored: String = world.catalog().await.query_one("SELECT w::text FROM webhook w", &[]).await.unwrap().get(0);
    assert!(!stored.contains("whsec_"));
}

fn webhook_secret() -> String {
    use base64::Engine as _;
    format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode([9; 32]))
}

#[tokio::test]
async fn what_was_not_taken_is_told_again_under_the_same_id_and_then_the_rest_in_order() {
    let world = world().await;
    let receiver = HookReceiver::start().await.unwrap();
    receiver
        .reply([Reply::Status("500 Oh no", "first line\nsecond line"), Reply::Status("302 Found\r\nlocation: http://127.0.0.1:1/", "")]);
    listen(&world.control, "ci", &receiver).await;
    act(&world.control, 0..1).await;
    // After the second failure at the latest the rest is there.
    received(&receiver, 1).await;
    let failed = &webhook::deliveries(&world.control, &name("ci"), None).await.unwrap();
    assert_eq!(failed.len(), 1);
    act(&world.control, 1..4).await;
    let hooks = received(&receiver, 6).await;
    assert_eq!(ids(&hooks)[0], ids(&hooks)[1]);
    assert_eq!(ids(&hooks).iter().collect::<BTreeSet<_>>().len(), 4);
    world.until_count("webhook_delivery WHERE state = 'delivered'", 4).await;
    world.until_count("webhook WHERE failures = 0 AND paused_until IS NULL AND died_at IS NULL", 1).await;
}

#[tokio::test]
async fn of_an_answer_a_line_is_kept_and_a_receiver_that_is_silent_holds_up_nobody_else() {
    let world = world().await;
    let (silent, quick) = (HookReceiver::start().await.unwrap(), HookReceiver::start().await.unwrap());
    silent.reply(std::iter::repeat_n(Reply::Silence, 100));
    quick.reply([Reply::Status("200 OK", "thank you\nand more")]);
    listen(&world.control, "silent", &silent).await;
    listen(&world.control, "quick", &quick).await;
    act(&world.control, 0..3).await;
    received(&quick, 3).await;
    assert!(silent.hooks().len() <= 1, "one at a time");
    world.until_count("webhook_delivery WHERE state = 'delivered' AND last_status = 200 AND last_line = 'thank you'", 1).await;
}

#[tokio::test]
async fn two_processes_tell_everything_once() {
    let world = world().await;
    let twin = world.second_control().await;
    twin.start();
    let receiver = HookReceiver::start().await.unwrap();
    listen(&world.control, "ci", &receiver).await;
    tokio::join!(act(&world.control, 0..25), act(&twin, 25..50));
    let hooks = received(&receiver, 50).await;
    world.until_count("webhook_delivery WHERE state = 'delivered' AND attempts = 1", 50).await;
    assert_eq!(receiver.hooks().len(), 50, "told twice");
    assert!(seqs(&hooks).is_sorted());
    twin.shutdown().await;
}

#[tokio::test]
async fn who_is_cut_off_between_telling_and_writing_it_down_is_repeated_by_another_under_the_same_id() {
    let world = world().await;
    let twin = world.second_control().await;
    let receiver = HookReceiver::start().await.unwrap();
    // It has the message and never says so: this is where the process ends.
    receiver.reply([Reply::Silence]);
    listen(&world.control, "ci", &receiver).await;
    act(&world.control, 0..3).await;
    received(&receiver, 1).await;
    world.control.shutdown().await;
    twin.start();
    let hooks = received(&receiver, 4).await;
    assert_eq!(ids(&hooks)[0], ids(&hooks)[1], "repeated under its id");
    assert_eq!(ids(&hooks).iter().collect::<BTreeSet<_>>().len(), 3, "nothing is lost");
    assert!(seqs(&hooks).is_sorted());
    world.until_count("webhook_delivery WHERE state = 'delivered'", 3).await;
    twin.shutdown().await;
}

#[tokio::test]
async fn after_a_day_a_message_is_given_up_which_the_log_says_once_and_a_replay_tells_it_again() {
    let world = world().await;
    let receiver = HookReceiver::start().await.unwrap();
    receiver.reply([Reply::Status("503 Closed", "closed")]);
    listen(&world.control, "ci", &receiver).await;
    let catalog = world.catalog().await;
    act(&world.control, 0..1).await;
    received(&receiver, 1).await;
    // A day passes.
    receiver.reply([Reply::Status("503 Closed", "closed"), Reply::Status("503 Closed", "closed")]);
    catalog.batch_execute("UPDATE webhook_delivery SET until = now()").await.unwrap();
    world.until_count("webhook_delivery WHERE state = 'dead' AND last_line = 'closed'", 1).await;
    world.until_count("audit_entry WHERE action = 'webhook.die'", 1).await;
    assert_eq!(world.complaints().await.iter().filter(|finding| finding.check == "webhook ci").count(), 1);
    let dead = webhook::deliveries(&world.control, &name("ci"), Some("dead")).await.unwrap().remove(0);
    webhook::replay(&world.control, &DEV, &name("ci"), dead.id).await.unwrap();
    world.until_count("webhook_delivery WHERE state = 'delivered'", 1).await;
    world.until_count("webhook WHERE died_at IS NULL", 1).await;
    let hooks = receiver.hooks();
    assert_eq!(ids(&hooks).iter().collect::<BTreeSet<_>>().len(), 1);
}

#[tokio::test]
async fn during_a_rotation_both_secrets_sign_and_a_removed_webhook_hears_nothing_more() {
    let world = world().await;
    let receiver = HookReceiver::start().await.unwrap();
    let made = listen(&world.control, "ci", &receiver).await;
    let rotated = webhook::rotate(&world.control, &DEV, &name("ci")).await.unwrap();
    webhook::test(&world.control, &name("ci")).await.unwrap();
    let hook = receiver.hooks().remove(0);
    for secret in [&made.secret, &rotated.secret] {
        assert_eq!(believed(secret.expose(), &hook), Ok(()));
    }
    // The overlap is over.
    world.catalog().await.batch_execute("UPDATE webhook SET previous_until = now()").await.unwrap();
    webhook::test(&world.control, &name("ci")).await.unwrap();
    let hook = receiver.hooks().remove(1);
    assert_eq!(believed(rotated.secret.expose(), &hook), Ok(()));
    assert_eq!(believed(made.secret.expose(), &hook), Err(Unbelievable::Signature));
    webhook::delete(&world.control, &DEV, &name("ci")).await.unwrap();
    act(&world.control, 0..1).await;
    listen(&world.control, "ci", &receiver).await;
    act(&world.control, 1..2).await;
    assert_eq!(seqs(&received(&receiver, 3).await[2..]).len(), 1);
    world.until_count("webhook_delivery", 1).await;
}

/// What was told is forgotten by the schedule after a month, what was given up after three; what waits is not, nor is anything of
/// the last month.
#[tokio::test]
async fn what_was_told_is_forgotten_after_its_time_and_nothing_that_is_still_to_be_told() {
    let world = world().await;
    let (receiver, silent) = (HookReceiver::start().await.unwrap(), HookReceiver::start().await.unwrap());
    silent.reply(std::iter::repeat_n(Reply::Silence, 100));
    listen(&world.control, "ci", &receiver).await;
    act(&world.control, 0..4).await;
    world.until_count("webhook_delivery WHERE state = 'delivered'", 4).await;
    listen(&world.control, "silent", &silent).await;
    act(&world.control, 4..5).await;
    world.until_count("webhook_delivery WHERE state = 'delivered'", 5).await;
    world.until_count("webhook_delivery WHERE state = 'pending'", 1).await;
    let catalog = world.catalog().await;
    let aged = "UPDATE webhook_delivery d SET created_at = now() - interval '100 days', ended_at = now() - o.age::interval, state = o.state
        FROM (SELECT id, row_number() OVER (ORDER BY seq) AS n FROM webhook_delivery WHERE state = 'delivered') r
        JOIN (VALUES (1, '31 days', 'delivered'), (2, '29 days', 'delivered'), (3, '31 days', 'dead'), (4, '91 days', 'dead')) o (n, age, state)
            ON o.n = r.n
        WHERE d.id = r.id";
    assert_eq!(catalog.execute(aged, &[]).await.unwrap(), 4);
    catalog.batch_execute("UPDATE webhook_delivery SET created_at = now() - interval '100 days' WHERE state = 'pending'").await.unwrap();
    catalog.batch_execute("UPDATE schedule SET due_at = now() WHERE name = 'forget messages'").await.unwrap();
    world.until_count("webhook_delivery", 4).await;
    let left = "SELECT string_agg(state, ' ' ORDER BY seq, state) FROM webhook_delivery";
    let left: String = catalog.query_one(left, &[]).await.unwrap().get(0);
    assert_eq!(left, "delivered dead delivered pending");
}

#[tokio::test]
async fn what_cannot_be_done_says_why_and_changes_nothing() {
    let world = world().await;
    let receiver = HookReceiver::start().await.unwrap();
    let code = async |wanted: NewWebhook| webhook::create(&world.control, &DEV, wanted).await.unwrap_err().code;
    let inside = NewWebhook { allow_private: false, ..new("ci", &receiver.url(), &["*"]) };
    assert_eq!(code(inside).await, ErrorCode::WebhookAddress);
    let nowhere = NewWebhook { environment: Some("nowhere".parse().unwrap()), ..new("ci", &receiver.url(), &["*"]) };
    assert_eq!(code(nowhere).await, ErrorCode::EnvironmentNotFound);
    assert_eq!(world.count("webhook").await, 0);
    listen(&world.control, "ci", &receiver).await;
    assert_eq!(code(new("ci", &receiver.url(), &["*"])).await, ErrorCode::WebhookTaken);
    assert_eq!(webhook::test(&world.control, &name("other")).await.unwrap_err().code, ErrorCode::WebhookNotFound);
    receiver.reply([Reply::Status("401 No", "who are you")]);
    let refused = webhook::test(&world.control, &name("ci")).await.unwrap_err();
    assert_eq!((refused.code, refused.why.as_deref()), (ErrorCode::WebhookRefused, Some("it answered 401: who are you")));
}
