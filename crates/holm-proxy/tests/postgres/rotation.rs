//! Secrets are replaced while traffic runs, on both sides of the proxy (R59).

use std::sync::atomic::{AtomicBool, Ordering};

use holm_core::credential::{Credential, Level, Scope};
use holm_core::route::{Route, RouteChange};
use tokio_postgres::{Client, NoTls};

use crate::support::{SECRET, World, credential, eventually, login_with, rotating};

const NEXT: &str = "battery staple";

async fn with_password(world: &World, user: &str, password: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config: tokio_postgres::Config = world.url(user, "malmo").parse().unwrap();
    let (client, connection) = config.password(password).connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn refused(world: &World, password: &str) {
    let error = with_password(world, "churn", password).await.err().unwrap();
    assert_eq!(error.code().unwrap().code(), "28P01", "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r59_both_secrets_are_good_during_a_rotation_and_the_old_one_takes_its_sessions_along() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let before = credential("churn", "production", Scope::App, Level::Rw);
    refused(&world, NEXT).await;
    let opened_before = with_password(&world, "churn", SECRET).await.unwrap();
    let both = rotating(&before, NEXT);
    world.publish_and_wait([RouteChange::Credential(both.clone())]).await;
    let opened_with_old = with_password(&world, "churn", SECRET).await.unwrap();
    let opened_with_new = with_password(&world, "churn", NEXT).await.unwrap();
    refused(&world, "neither of the two").await;
    for client in [&opened_before, &opened_with_old, &opened_with_new] {
        client.batch_execute("SELECT 1").await.unwrap();
    }
    world.publish_and_wait([RouteChange::Credential(Credential { retiring: None, ..both })]).await;
    refused(&world, SECRET).await;
    assert!(opened_before.batch_execute("SELECT 1").await.is_err() && opened_with_old.batch_execute("SELECT 1").await.is_err());
    opened_with_new.batch_execute("SELECT 1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r59_no_session_fails_while_the_keys_of_a_tenants_roles_are_replaced() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    let (over, opened) = (AtomicBool::new(false), std::sync::atomic::AtomicUsize::new(0));
    let hammer = async || {
        while !over.load(Ordering::SeqCst) {
            world.connect("churn", "malmo").await.batch_execute("SELECT 1").await.unwrap();
            opened.fetch_add(1, Ordering::SeqCst);
        }
    };
    let rotate = async {
        let mut logins = malmo.route.logins.clone();
        for round in 0..5_u64 {
            let next = Level::ALL.map(|level| login_with(&malmo.route.database, level, &format!("{round} {level}")));
            let route =
                Route { logins: logins.clone(), next_logins: Some(next.clone().map(|(login, _)| login).into()), ..malmo.route.clone() };
            world.publish_and_wait([RouteChange::Route(route)]).await;
            let sql: String =
                next.iter().map(|(login, verifier)| format!("ALTER ROLE {} PASSWORD '{verifier}';", login.role.as_ident())).collect();
            admin.batch_execute(&sql).await.unwrap();
            let before = opened.load(Ordering::SeqCst);
            eventually("sessions with the new keys", async || {
                if opened.load(Ordering::SeqCst) > before + 3 { Ok(()) } else { Err("none yet".into()) }
            })
            .await;
            logins = next.map(|(login, _)| login).into();
            world.publish_and_wait([RouteChange::Route(Route { logins: logins.clone(), ..malmo.route.clone() })]).await;
        }
        over.store(true, Ordering::SeqCst);
    };
    tokio::join!(rotate, hammer(), hammer());
}

#[tokio::test]
async fn a_server_that_knows_neither_key_is_asked_with_each_once_and_the_client_is_told() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    for login in holm_core::credential::Level::ALL.map(|level| malmo.route.login(level).unwrap()) {
        admin.batch_execute(&format!("ALTER ROLE {} PASSWORD 'changed by hand'", login.role.as_ident())).await.unwrap();
    }
    let next = Level::ALL.map(|level| login_with(&malmo.route.database, level, "nor this").0);
    world.publish_and_wait([RouteChange::Route(Route { next_logins: Some(next.into()), ..malmo.route.clone() })]).await;
    let error = world.try_connect("churn", "malmo").await.err().unwrap();
    assert!(
        error.as_db_error().unwrap().message().contains("HOLM-5007")
            || error.to_string().contains("HOLM-5007")
            || format!("{error:?}").contains("HOLM-5007"),
        "{error:?}"
    );
}
