//! Who gets no session is told why: SQLSTATE, DETAIL, HINT; and nothing before authentication.

use std::fmt::Write as _;

use holm_core::route::{Route, RouteChange, RouteState};
use holm_pgwire::fields;

use crate::raw::{Message, Raw, startup};
use crate::support::{SECRET, World};

/// The one FATAL a login ends with.
async fn refusal(world: &World, password: &str, parameters: &[(&str, &str)]) -> Vec<Message> {
    let mut raw = Raw::connect(world).await;
    raw.send(&startup(0, parameters)).await;
    raw.prove(password).await;
    let messages = raw.until(b'E').await;
    assert_eq!(raw.next().await, None, "a FATAL is the last message");
    messages
}

fn told(messages: &[Message]) -> String {
    let fields = fields::parse(&messages.last().unwrap().1);
    let text = |field: Option<&[u8]>| String::from_utf8_lossy(field.expect("the field is there")).into_owned();
    let mut told = String::new();
    for (name, field) in [
        ("severity", fields.severity),
        ("code", fields.code),
        ("message", fields.message),
        ("detail", fields.detail),
        ("hint", fields.hint),
    ] {
        writeln!(told, "{name}: {}", text(field)).unwrap();
    }
    told
}

#[tokio::test]
async fn a_wrong_password_an_unknown_user_and_an_unknown_database_are_one_error_to_the_last_byte() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let wrong_password = refusal(&world, "wrong", &[("user", "app"), ("database", "malmo")]).await;
    insta::assert_snapshot!(told(&wrong_password));
    for (user, database) in
        [("nobody", "malmo"), ("nobody", "nowhere"), ("app", "nowhere"), ("postgres", "postgres"), ("", "malmo"), ("App", "malmo")]
    {
        let other = refusal(&world, "wrong", &[("user", user), ("database", database)]).await;
        assert_eq!(other, wrong_password, "{user} {database}");
    }
    let right_but_nobody = refusal(&world, SECRET, &[("user", "nobody"), ("database", "malmo")]).await;
    assert_eq!(right_but_nobody, wrong_password);
}

#[tokio::test]
async fn an_unknown_user_gets_the_same_salt_each_time_and_in_the_same_form_as_a_known_one() {
    let world = World::new().await;
    let mut seen = Vec::new();
    for user in ["app", "nobody", "nobody", "somebody"] {
        let mut raw = Raw::connect(&world).await;
        raw.send(&startup(0, &[("user", user)])).await;
        raw.until(b'R').await;
        let mut out = Vec::new();
        holm_pgwire::message::sasl_initial_response(&mut out, "SCRAM-SHA-256", b"n,,n=,r=abc");
        raw.send(&out).await;
        let (_, challenge) = raw.next().await.unwrap();
        let text = String::from_utf8(challenge[4..].to_vec()).unwrap();
        let (nonce, rest) = text.split_once(',').unwrap();
        seen.push((nonce.len(), rest.len(), rest.to_owned()));
    }
    assert!(seen.iter().all(|(nonce, rest, _)| (*nonce, *rest) == (seen[0].0, seen[0].1)), "{seen:?}");
    assert_eq!(seen[1].2, seen[2].2);
    assert_ne!(seen[1].2, seen[3].2);
    assert!(seen[0].2.ends_with("i=4096") && seen[1].2.ends_with("i=4096"));
}

#[tokio::test]
async fn after_authentication_each_refusal_says_what_why_and_what_to_do() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let suspended = world.tenant("stockholm").await;
    world.publish([RouteChange::Route(Route { state: RouteState::Suspended, epoch: 2, ..suspended.route })]);
    let deleted = world.tenant("uppsala").await;
    world.publish([RouteChange::Route(Route { state: RouteState::Deleted, epoch: 2, ..deleted.route })]);
    let renamed = world.tenant("skane").await;
    world.publish([RouteChange::Route(Route { aliases: Box::new(["helsingborg".parse().unwrap()]), epoch: 2, ..renamed.route })]);
    world.tenant_in("staging", "lund", &[]).await;
    let mut table = String::new();
    for (case, parameters) in [
        ("unknown tenant", &[("user", "app"), ("database", "nowhere")][..]),
        ("tenant of another environment", &[("user", "app"), ("database", "lund")]),
        ("database of the tenant by its real name", &[("user", "app"), ("database", malmo.route.database.as_str())]),
        ("postgres", &[("user", "app"), ("database", "postgres")]),
        ("suspended", &[("user", "app"), ("database", "stockholm")]),
        ("deleted", &[("user", "app"), ("database", "uppsala")]),
        ("renamed", &[("user", "app"), ("database", "helsingborg")]),
        ("names disagree", &[("user", "app"), ("database", "malmo"), ("options", "-c holm.tenant=stockholm")]),
        ("replication", &[("user", "app"), ("database", "malmo"), ("replication", "database")]),
    ] {
        let messages = refusal(&world, SECRET, parameters).await;
        let told = told(&messages).replace(malmo.route.database.as_str(), "[malmo's database]");
        write!(table, "{case}\n{told}\n").unwrap();
    }
    insta::assert_snapshot!(table);
}
