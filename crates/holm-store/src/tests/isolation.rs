//! What PostgreSQL itself refuses, whatever Holm's code does: rows that cross environments, states without their data.

use holm_core::credential::Scope;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::world::{World, fill, new_cluster, new_credential, place, serving};
use crate::{cluster, credential};

/// Two environments; `goteborg` serves in production, staging has a ready database.
async fn two_environments() -> (World, Client) {
    let (world, production) = World::with("production").await;
    let staging = place(&world.catalog, "staging").await;
    fill(&world.catalog, production, 2).await;
    fill(&world.catalog, staging, 1).await;
    serving(&world.catalog, "production", "goteborg").await;
    let client = world.database.connect().await;
    (world, client)
}

async fn refused(client: &Client, sql: &str, state: &SqlState, constraint: &str) {
    let error = client.batch_execute(sql).await.expect_err(sql);
    let error = error.as_db_error().expect("PostgreSQL's own refusal");
    assert_eq!((error.code(), error.constraint()), (state, Some(constraint)), "{sql}\n{error}");
}

#[tokio::test]
async fn r13_postgresql_refuses_a_database_that_says_another_environment_than_its_cluster() {
    let (_world, client) = two_environments().await;
    let crossed = "UPDATE database SET environment_id = (SELECT id FROM environment WHERE name = 'staging')
        WHERE environment_id = (SELECT id FROM environment WHERE name = 'production') AND state = 'ready'";
    refused(&client, crossed, &SqlState::FOREIGN_KEY_VIOLATION, "database_cluster_id_environment_id_fkey").await;
}

#[tokio::test]
async fn r13_postgresql_refuses_a_database_cloned_from_another_clusters_template() {
    let (_world, client) = two_environments().await;
    let crossed =
        "UPDATE database SET template_id = (SELECT t.id FROM template t JOIN cluster c ON c.id = t.cluster_id WHERE c.name = 'staging-1')
        WHERE cluster_id = (SELECT id FROM cluster WHERE name = 'production-1')";
    refused(&client, crossed, &SqlState::FOREIGN_KEY_VIOLATION, "database_template_id_cluster_id_fkey").await;
}

#[tokio::test]
async fn r13_postgresql_refuses_a_cluster_that_changes_its_environment_once_it_is_used() {
    let (_world, client) = two_environments().await;
    let crossed = "UPDATE cluster SET environment_id = (SELECT id FROM environment WHERE name = 'staging') WHERE name = 'production-1'";
    refused(&client, crossed, &SqlState::FOREIGN_KEY_VIOLATION, "database_cluster_id_environment_id_fkey").await;
}

#[tokio::test]
async fn r1_postgresql_refuses_a_tenant_with_a_database_of_another_environment() {
    let (_world, client) = two_environments().await;
    let crossed = "UPDATE tenant SET database_id =
        (SELECT d.id FROM database d JOIN environment e ON e.id = d.environment_id WHERE e.name = 'staging')";
    refused(&client, crossed, &SqlState::FOREIGN_KEY_VIOLATION, "tenant_database_id_environment_id_fkey").await;
    let wanted = "UPDATE tenant SET wanted_cluster_id = (SELECT id FROM cluster WHERE name = 'staging-1')";
    refused(&client, wanted, &SqlState::FOREIGN_KEY_VIOLATION, "tenant_wanted_cluster_id_environment_id_fkey").await;
    let moved = "UPDATE tenant SET environment_id = (SELECT id FROM environment WHERE name = 'staging')";
    refused(&client, moved, &SqlState::FOREIGN_KEY_VIOLATION, "tenant_database_id_environment_id_fkey").await;
}

#[tokio::test]
async fn r1_a_credential_of_one_environment_cannot_be_for_a_tenant_of_another() {
    let (world, client) = two_environments().await;
    let tenant =
        crate::tenant::by_slug(&world.catalog, &"production".parse().unwrap(), &"goteborg".parse().unwrap()).await.unwrap().unwrap();
    let mut tx = world.catalog.transaction().await.unwrap();
    let crossed = new_credential("staging", "crossed", Scope::Tenant(tenant.id));
    assert_eq!(credential::insert(&mut tx, &crossed).await.unwrap(), credential::Inserted::NoSuchTenant);
    let right = new_credential("production", "right", Scope::Tenant(tenant.id));
    assert!(matches!(credential::insert(&mut tx, &right).await.unwrap(), credential::Inserted::Done(_)));
    tx.commit().await.unwrap();
    let moved = "UPDATE credential SET environment_id = (SELECT id FROM environment WHERE name = 'staging')";
    refused(&client, moved, &SqlState::FOREIGN_KEY_VIOLATION, "credential_tenant_id_environment_id_fkey").await;
}

#[tokio::test]
async fn r13_one_server_is_one_cluster_of_one_environment() {
    let (world, client) = two_environments().await;
    let known = cluster::by_name(&world.catalog, &"production-1".parse().unwrap()).await.unwrap().unwrap();
    let mut tx = world.catalog.transaction().await.unwrap();
    let again = new_cluster("staging", "staging-9", known.system_identifier);
    let cluster::Inserted::Taken(taken) = cluster::insert(&mut tx, &again).await.unwrap() else { panic!("one server in two environments") };
    assert_eq!((taken.id, taken.environment.as_str()), (known.id, "production"));
    let named = new_cluster("staging", "production-1", 99);
    assert!(matches!(cluster::insert(&mut tx, &named).await.unwrap(), cluster::Inserted::Taken(_)));
    let nowhere = new_cluster("qa", "qa-1", 99);
    assert_eq!(cluster::insert(&mut tx, &nowhere).await.unwrap(), cluster::Inserted::NoSuchEnvironment);
    assert_eq!(tx.commit().await.unwrap(), None);
    assert_eq!(cluster::on_server(&world.catalog, known.system_identifier).await.unwrap()[0].id, known.id);
    let same = format!("UPDATE cluster SET system_identifier = {} WHERE name = 'staging-1'", known.system_identifier);
    refused(&client, &same, &SqlState::UNIQUE_VIOLATION, "cluster_server").await;
}

#[tokio::test]
async fn postgresql_refuses_a_state_without_its_data() {
    let (_world, client) = two_environments().await;
    let check = &SqlState::CHECK_VIOLATION;
    for (sql, constraint) in [
        ("UPDATE tenant SET database_id = NULL", "tenant_in_use_has_seeded_database"),
        ("UPDATE tenant SET seeded = false", "tenant_in_use_has_seeded_database"),
        ("UPDATE tenant SET state = 'suspended', database_id = NULL", "tenant_in_use_has_seeded_database"),
        ("UPDATE tenant SET state = 'failed', database_id = NULL", "tenant_failed_has_reason"),
        ("UPDATE tenant SET failure = '{}'", "tenant_failed_has_reason"),
        ("UPDATE tenant SET state = 'failed', failure = '{}'", "tenant_failed_has_no_database"),
        ("UPDATE tenant SET state = 'gone'", "tenant_state_check"),
        ("UPDATE tenant SET epoch = 0", "tenant_epoch_check"),
        ("UPDATE tenant SET parameters = '{}'", "tenant_parameters_check"),
        ("UPDATE database SET ready_at = NULL", "database_whole_has_time"),
        ("UPDATE database SET state = 'lost'", "database_state_check"),
        ("UPDATE template SET state = 'lost'", "template_state_check"),
        ("UPDATE template SET dropped_at = now()", "template_dropped_is_retired"),
        ("UPDATE environment SET kind = 'lost'", "environment_kind_check"),
        ("UPDATE environment SET pool_size = -1", "environment_pool_size_check"),
        ("UPDATE cluster SET port = 0", "cluster_port_check"),
        ("UPDATE cluster SET connections_max = 0", "cluster_connections_max_check"),
    ] {
        refused(&client, sql, check, constraint).await;
    }
    let second = "INSERT INTO route_clock (one, version) VALUES (false, 1)";
    refused(&client, second, check, "route_clock_one_check").await;
    refused(&client, "INSERT INTO route_clock (version) VALUES (1)", &SqlState::UNIQUE_VIOLATION, "route_clock_pkey").await;
}

#[tokio::test]
async fn postgresql_refuses_one_database_for_two_tenants_and_one_name_for_two_living_ones() {
    let (world, client) = two_environments().await;
    serving(&world.catalog, "production", "malmo").await;
    let shared = "UPDATE tenant SET database_id = (SELECT database_id FROM tenant WHERE slug = 'goteborg') WHERE slug = 'malmo'";
    refused(&client, shared, &SqlState::UNIQUE_VIOLATION, "tenant_database_id_key").await;
    refused(&client, "UPDATE tenant SET slug = 'goteborg' WHERE slug = 'malmo'", &SqlState::UNIQUE_VIOLATION, "tenant_slug").await;
    refused(&client, "DELETE FROM database", &SqlState::FOREIGN_KEY_VIOLATION, "tenant_database_id_environment_id_fkey").await;
}
