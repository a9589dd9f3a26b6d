//! Text from outside is a value and nothing else: what goes in comes out, and no statement changes its meaning.

use holm_core::cluster::ServerAddress;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::parameter::TenantParameter;

use super::world::{World, claim_now, fill, new_database, new_environment, new_tenant, new_token, principal};
use crate::cluster::Access;
use crate::environment::{NewEnvironment, Seed};
use crate::sealed::Sealed;
use crate::state::Update;
use crate::tenant::claim::{Claim, NewTenant};
use crate::token::NewToken;
use crate::{cluster, database, environment, tenant, token};

const HOSTILE: [&str; 8] = [
    "'; DROP TABLE tenant; --",
    "\"; DROP TABLE tenant; --",
    "$1 $2 $$ $tag$ DROP TABLE tenant $tag$",
    "\\'; DROP TABLE tenant; --",
    "/* -- */ {{}} %s \\x00 \\u0000",
    "Göteborgs Symfoniker 日本 🎻 \u{202e}",
    "line\nline\r\n\ttab \u{1b}[31m",
    "' OR '1'='1",
];

#[tokio::test]
async fn sql_metacharacters_in_every_text_come_back_as_they_went_in() {
    let (world, place) = World::with("production").await;
    let anna = principal(&world.catalog, "anna").await;
    fill(&world.catalog, place, HOSTILE.len()).await;
    for (i, text) in HOSTILE.into_iter().enumerate() {
        let problem = Problem::new(ErrorCode::SeedFailed, text).because(text).next(text).changed(Changed::Unknown);
        cluster::set_trouble(&world.catalog, place.cluster, Some(&problem)).await.unwrap();
        let known = cluster::by_id(&world.catalog, place.cluster).await.unwrap().unwrap();
        assert_eq!(known.trouble, Some(problem.clone()));

        let visible: String = text.chars().filter(|c| !c.is_control()).collect();
        let parameters = vec![TenantParameter::new("work_mem", &visible).unwrap()];
        let new = NewTenant { parameters: parameters.clone(), ..new_tenant("production", &format!("tenant-{i}")) };
        let Claim::Claimed { tenant, .. } = claim_now(&world.catalog, new).await else { panic!("no database") };
        let mut tx = world.catalog.transaction().await.unwrap();
        assert_eq!(tenant::fail(&mut tx, tenant.id, &problem).await.unwrap(), Update::Done);
        tx.commit().await.unwrap();
        let failed = tenant::by_id(&world.catalog, tenant.id).await.unwrap().unwrap();
        assert_eq!((failed.parameters, failed.failure), (parameters, Some(problem)));

        let new = NewToken { name: text.to_owned(), ..new_token(&anna, u8::try_from(i).unwrap()) };
        let mut tx = world.catalog.transaction().await.unwrap();
        assert!(token::insert(&mut tx, &new).await.unwrap().is_some());
        tx.commit().await.unwrap();
        assert_eq!(token::by_hash(&world.catalog, &new.hash).await.unwrap().unwrap().token_name, text);

        let mut tx = world.catalog.transaction().await.unwrap();
        let access = Access { address: ServerAddress { host: text.into(), port: 1 }, admin_role: text.parse().unwrap(), ..known.access };
        assert!(cluster::set_access(&mut tx, place.cluster, &access, None).await.unwrap());
        let named = database::NewDatabase { name: text.parse().unwrap(), ..new_database(place.template) };
        assert_eq!(database::plan(&mut tx, &named).await.unwrap().unwrap().name.as_str(), text);
        let seed = Some(Seed::Command(vec![text.to_owned()]));
        let settled = NewEnvironment { seed: seed.clone(), migrations: Some(text.into()), ..new_environment("production") };
        let upserted = environment::upsert(&mut tx, &settled).await.unwrap();
        assert!(matches!(upserted, environment::Upserted::Changed(_)), "{upserted:?}");
        tx.commit().await.unwrap();
        assert_eq!(cluster::by_id(&world.catalog, place.cluster).await.unwrap().unwrap().access, access);
        let environment = environment::by_name(&world.catalog, &settled.name).await.unwrap().unwrap();
        assert_eq!((environment.seed, environment.migrations), (seed, settled.migrations));
        // Without a seed again, so that the next tenant needs none.
        let mut tx = world.catalog.transaction().await.unwrap();
        let _ = environment::upsert(&mut tx, &new_environment("production")).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_zero_byte_in_a_problem_is_replaced_since_postgresql_takes_none() {
    let (world, place) = World::with("production").await;
    let problem = Problem::new(ErrorCode::SeedFailed, "the seed said `a\0b`").because("\0").next("\0");
    cluster::set_trouble(&world.catalog, place.cluster, Some(&problem)).await.unwrap();
    let stored = cluster::by_id(&world.catalog, place.cluster).await.unwrap().unwrap().trouble.unwrap();
    assert_eq!((stored.what.as_str(), stored.next), ("the seed said `a\u{fffd}b`", vec!["\u{fffd}".to_owned()]));
}

#[tokio::test]
async fn sealed_bytes_come_back_bit_by_bit_and_are_not_printed() {
    let (world, place) = World::with("production").await;
    let bytes: Vec<u8> = (0..=255).collect();
    let new = database::NewDatabase { sealed_logins: Sealed::new(bytes.clone()), ..new_database(place.template) };
    let mut tx = world.catalog.transaction().await.unwrap();
    database::plan(&mut tx, &new).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let stored = database::by_id(&world.catalog, new.id).await.unwrap().unwrap();
    assert_eq!(stored.sealed_logins.as_bytes(), bytes);
    assert!(format!("{stored:?}").contains("[256 sealed bytes]"), "{stored:?}");
}
