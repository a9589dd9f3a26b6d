//! A new secret for a credential, without overlap: only it is good, or only the old one.

use std::time::Duration;

use holm_core::credential::{CredentialName, Level};
use holm_core::id::OperationId;
use holm_engine::control::Control;
use holm_engine::credential::rotate;
use holm_testkit::eventually;

use super::{Stage, Subject};
use crate::world::{PATIENCE, by, production, slug};

fn name(number: usize) -> CredentialName {
    format!("app-{number}").parse().unwrap()
}

pub(crate) const SUBJECT: Subject = Subject {
    kind: "credential.rotate",
    alone: false,
    stage: |world, number| {
        Box::pin(async move {
            let tenant = world.create(number).await;
            world.issue(name(number), &slug(number), Level::Rw).await;
            Stage::tenant(number, &tenant)
        })
    },
    request: |control, stage| Box::pin(ask(control, stage.number)),
    succeeded: |world, stage| {
        Box::pin(async move {
            let both = format!("credential WHERE name = '{}' AND second_is IS NOT NULL", name(stage.number));
            assert_eq!(world.count(&both).await, 0, "a second key is left");
        })
    },
};

/// `rotate` waits for the first steps, which nobody carries out yet.
async fn ask(control: &Control, number: usize) -> OperationId {
    let (by, environment, name) = (by(), production(), name(number));
    let asking = rotate::rotate(control, &by, &environment, &name, Duration::ZERO, None);
    let subject = format!("`{name}`");
    let there = eventually(PATIENCE, "the operation", async || {
        let all = holm_engine::operation::show::list(control, &Default::default(), &holm_store::page::Page::first()).await.unwrap();
        all.into_iter().find(|operation| operation.subject.contains(&subject)).map(|operation| operation.id)
    });
    tokio::select! {
        rotation = asking => rotation.unwrap().operation,
        id = there => id,
    }
}
