//! Lists come in bounded pages that begin where the last one ended, whatever changes in between.

use holm_core::credential::Scope;

use super::world::{World, claim_now, environment_name, fill, new_credential, new_tenant, place, serving, slug};
use crate::credential::{self, NamedScope};
use crate::page::Page;
use crate::tenant;

#[tokio::test]
async fn pages_of_an_environment_show_every_tenant_once_in_the_order_of_bytes() {
    let (world, _) = World::with("production").await;
    place(&world.catalog, "staging").await;
    // A locale would sort `a-b` after `ab`.
    let sorted = ["a-b", "a1", "ab", "b", "goteborg"];
    for name in sorted.iter().rev() {
        let _ = claim_now(&world.catalog, new_tenant("production", name)).await;
        let _ = claim_now(&world.catalog, new_tenant("staging", name)).await;
    }
    let production = environment_name("production");
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = tenant::list(&world.catalog, &production, &Page { after, limit: 2 }).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.slug.clone());
        seen.extend(page.iter().map(|tenant| tenant.slug.as_str().to_owned()));
        // A name before the page's end is on no later page.
        let _ = claim_now(&world.catalog, new_tenant("production", &format!("a0-{}", seen.len()))).await;
    }
    assert_eq!(seen, sorted);
    assert!(tenant::list(&world.catalog, &environment_name("qa"), &Page::first()).await.unwrap().is_empty());
}

#[tokio::test]
async fn pages_over_all_environments_show_every_tenant_once() {
    let (world, _) = World::with("production").await;
    place(&world.catalog, "staging").await;
    for (environment, name) in [("production", "a"), ("production", "b"), ("production", "c"), ("staging", "a"), ("staging", "b")] {
        let _ = claim_now(&world.catalog, new_tenant(environment, name)).await;
    }
    for limit in 1..=6 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = tenant::list_all(&world.catalog, &Page { after, limit }).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.environment.clone(), last.slug.clone()));
            seen.extend(page.iter().map(|tenant| format!("{}/{}", tenant.environment, tenant.slug)));
        }
        assert_eq!(seen, ["production/a", "production/b", "production/c", "staging/a", "staging/b"], "{limit} a page");
    }
}

#[tokio::test]
async fn r1_credentials_are_listed_by_environment_and_revoked_ones_are_gone() {
    let (world, place) = World::with("production").await;
    super::world::place(&world.catalog, "staging").await;
    fill(&world.catalog, place, 1).await;
    let tenant = serving(&world.catalog, "production", "goteborg").await;
    let mut tx = world.catalog.transaction().await.unwrap();
    for (environment, name, scope) in [
        ("production", "app", Scope::App),
        ("production", "goteborg-app", Scope::Tenant(tenant.id)),
        ("staging", "app-staging", Scope::App),
    ] {
        let inserted = credential::insert(&mut tx, &new_credential(environment, name, scope)).await.unwrap();
        assert!(matches!(inserted, credential::Inserted::Done(_)), "{inserted:?}");
    }
    let taken = credential::insert(&mut tx, &new_credential("staging", "app", Scope::App)).await.unwrap();
    assert_eq!(taken, credential::Inserted::NameTaken, "a name says its environment, so it is one over all of them");
    let nowhere = credential::insert(&mut tx, &new_credential("qa", "other", Scope::App)).await.unwrap();
    assert_eq!(nowhere, credential::Inserted::NoSuchEnvironment);
    tx.commit().await.unwrap();

    let production = environment_name("production");
    let page = Page { after: Some("app".parse().unwrap()), limit: 10 };
    let listed = credential::list(&world.catalog, &production, &page).await.unwrap();
    let scopes: Vec<_> = listed.iter().map(|credential| (credential.name.as_str(), credential.scope.clone())).collect();
    assert_eq!(scopes, [("goteborg-app", NamedScope::Tenant(tenant.id, slug("goteborg")))]);

    let app = "app".parse().unwrap();
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(credential::revoke(&mut tx, &environment_name("staging"), &app).await.unwrap(), None, "R1: not from another environment");
    let revoked = credential::revoke(&mut tx, &production, &app).await.unwrap();
    assert!(revoked.is_some());
    assert_eq!(credential::revoke(&mut tx, &production, &app).await.unwrap(), None);
    let rotated = credential::insert(&mut tx, &new_credential("production", "app", Scope::App)).await.unwrap();
    assert!(matches!(rotated, credential::Inserted::Done(_)));
    tx.commit().await.unwrap();
    let now = credential::by_name(&world.catalog, &production, &app).await.unwrap().unwrap();
    assert_ne!(Some(now.id), revoked);
}
