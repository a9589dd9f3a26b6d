//! Every statement is one that PostgreSQL accepts, and the hot ones find their rows by an index.

use std::path::{Path, PathBuf};

use tokio_postgres::Client;

use super::world::World;
use crate::{
    approval, audit, backup, break_glass, cluster, credential, data_key, data_node, database, environment, grant, idempotency, mail,
    master_key, migrate, node, operation, parity, place, principal, pulse, residency, route, schedule, sealed_directly, standing,
    statistics, template, tenant, token, tx, webhook,
};

/// One line for each file that has statements; the second test counts them.
const MODULES: &[(&str, &[&str])] = &[
    ("approval", approval::STATEMENTS),
    ("approval::rule", approval::rule::STATEMENTS),
    ("audit", audit::STATEMENTS),
    ("backup", backup::STATEMENTS),
    ("break_glass", break_glass::STATEMENTS),
    ("cluster", cluster::STATEMENTS),
    ("cluster::life", cluster::life::STATEMENTS),
    ("cluster::replaced", cluster::replaced::STATEMENTS),
    ("credential", credential::STATEMENTS),
    ("credential::rotation", credential::rotation::STATEMENTS),
    ("data_key", data_key::STATEMENTS),
    ("data_node", data_node::STATEMENTS),
    ("database", database::STATEMENTS),
    ("database::rotation", database::rotation::STATEMENTS),
    ("environment", environment::STATEMENTS),
    ("grant", grant::STATEMENTS),
    ("mail", mail::STATEMENTS),
    ("master_key", master_key::STATEMENTS),
    ("idempotency", idempotency::STATEMENTS),
    ("migrate", migrate::STATEMENTS),
    ("node", node::STATEMENTS),
    ("operation", operation::STATEMENTS),
    ("operation::claim", operation::claim::STATEMENTS),
    ("operation::journal", operation::journal::STATEMENTS),
    ("parity", parity::STATEMENTS),
    ("place", place::STATEMENTS),
    ("principal", principal::STATEMENTS),
    ("pulse", pulse::STATEMENTS),
    ("residency", residency::STATEMENTS),
    ("residency::affected", residency::affected::STATEMENTS),
    ("residency::assigned", residency::assigned::STATEMENTS),
    ("residency::certificate", residency::certificate::STATEMENTS),
    ("residency::decision", residency::decision::STATEMENTS),
    ("residency::exception", residency::exception::STATEMENTS),
    ("residency::facts", residency::facts::STATEMENTS),
    ("residency::observed", residency::observed::STATEMENTS),
    ("residency::paper", residency::paper::STATEMENTS),
    ("residency::past", residency::past::STATEMENTS),
    ("residency::placed", residency::placed::STATEMENTS),
    ("residency::registered", residency::registered::STATEMENTS),
    ("residency::profile", residency::profile::STATEMENTS),
    ("residency::room", residency::room::STATEMENTS),
    ("residency::standing", residency::standing::STATEMENTS),
    ("route", route::STATEMENTS),
    ("schedule", schedule::STATEMENTS),
    ("sealed_directly", sealed_directly::STATEMENTS),
    ("standing", standing::STATEMENTS),
    ("statistics", statistics::STATEMENTS),
    ("template", template::STATEMENTS),
    ("tenant", tenant::STATEMENTS),
    ("tenant::claim", tenant::claim::STATEMENTS),
    ("tenant::copying", tenant::copying::STATEMENTS),
    ("tenant::expiry", tenant::expiry::STATEMENTS),
    ("tenant::limits", tenant::limits::STATEMENTS),
    ("tenant::name", tenant::name::STATEMENTS),
    ("tenant::version", tenant::version::STATEMENTS),
    ("token", token::STATEMENTS),
    ("tx", tx::STATEMENTS),
    ("webhook", webhook::STATEMENTS),
    ("webhook::delivery", webhook::delivery::STATEMENTS),
    ("webhook::lease", webhook::lease::STATEMENTS),
    ("webhook::retention", webhook::retention::STATEMENTS),
];

#[tokio::test]
async fn every_statement_prepares_against_the_migrated_schema() {
    let world = World::new().await;
    let client = world.database.connect().await;
    for (module, statements) in MODULES {
        for sql in *statements {
            client.prepare(sql).await.unwrap_or_else(|error| panic!("{module}: {sql}\n{error:?}"));
        }
    }
}

/// Every `const` of SQL is in a list: one that is not would escape the test above.
#[test]
fn every_statement_stands_in_its_modules_list() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let files = with_statements(directory.as_ref());
    assert_eq!(files.len(), MODULES.len(), "{files:?}");
    let mut found = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let (_, list) = text.split_once("pub const STATEMENTS").unwrap();
        let list: Vec<&str> = list.split_once("];").unwrap().0.split(|c: char| !c.is_ascii_uppercase() && c != '_').collect();
        for line in text.lines().filter(|line| line.contains("const ") && line.contains(": &str")) {
            let name = line.split_once("const ").unwrap().1.split_once(':').unwrap().0;
            // Settings and the ledger's own DDL cannot be prepared.
            if !["SETTINGS", "SETTINGS_APPLYING", "LEDGER", "LEDGER_COLUMN"].contains(&name) {
                assert!(list.contains(&name), "{}: {name} is not in STATEMENTS", file.display());
                found += 1;
            }
        }
    }
    assert!(found > 50, "only {found} statements were found");
}

/// The files of a directory that have a list of statements.
fn with_statements(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(with_statements(&path));
        } else if std::fs::read_to_string(&path).unwrap().contains("\npub const STATEMENTS") {
            files.push(path);
        }
    }
    files
}

/// 5,000 tenants in two environments, a pool of 40, 5,000 credentials and tokens.
const MANY: &str = "\
INSERT INTO environment (id, name, kind, domain, sealed_header_key, pool_size)
SELECT md5('env' || i)::uuid, 'env-' || i, 'production', 'env-' || i || '.example', '\\x00', 5 FROM generate_series(1, 2) i;
INSERT INTO cluster (id, environment_id, name, host, port, admin_role, sealed_admin_password, system_identifier, server_version, connections_max)
SELECT md5('clu' || i)::uuid, md5('env' || i)::uuid, 'clu-' || i, 'localhost', 5432, 'holm', '\\x00', i, 150000, 50 FROM generate_series(1, 2) i;
INSERT INTO template (id, cluster_id, fingerprint, database_name, state)
SELECT md5('tpl' || i)::uuid, md5('clu' || i)::uuid, 'f', 'tpl_' || i, 'ready' FROM generate_series(1, 2) i;
INSERT INTO database (id, cluster_id, environment_id, template_id, name, state, sealed_logins, ready_at)
SELECT md5('db' || i)::uuid, md5('clu' || 1 + i % 2)::uuid, md5('env' || 1 + i % 2)::uuid, md5('tpl' || 1 + i % 2)::uuid, 't_' || i,
    CASE WHEN i <= 5000 THEN 'claimed' ELSE 'ready' END, '\\x00', now()
FROM generate_series(1, 5040) i;
INSERT INTO tenant (id, environment_id, slug, database_id, state, seeded, epoch, parameters, route_version)
SELECT md5('ten' || i)::uuid, md5('env' || 1 + i % 2)::uuid, 'tenant-' || i, md5('db' || i)::uuid, 'serving', true, 1, '[]', i
FROM generate_series(1, 5000) i;
INSERT INTO tenant_alias (environment_id, slug, tenant_id, until, renamed_by)
SELECT environment_id, 'was-' || slug, id, now() + interval '1 day', '\"anna\"' FROM tenant;
INSERT INTO credential (id, environment_id, tenant_id, name, level, salt, iterations, stored_key, server_key, route_version)
SELECT md5('cred' || i)::uuid, md5('env' || 1 + i % 2)::uuid, md5('ten' || i)::uuid, 'cred-' || i, 'rw', '\\x00', 4096,
    decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'), i
FROM generate_series(1, 5000) i;
INSERT INTO api_token (id, name, hash)
SELECT md5('tok' || i)::uuid, 'token', decode(md5(i::text) || md5(i::text), 'hex') FROM generate_series(1, 5000) i;
INSERT INTO audit_entry (seq, at, version, actor_kind, actor_name, action, subject_kind, subject_id, detail, previous_hash, hash)
SELECT i, now(), 1, 'system', 'dev', 'tenant.create', 'tenant', 'ten_' || i, '{}', '\\x00', '\\x00' FROM generate_series(1, 5000) i;
ANALYZE";

/// The plan that a pooled connection would go on using: the generic one.
async fn plan(client: &Client, sql: &str, arguments: &str) -> Vec<String> {
    client.batch_execute("SET plan_cache_mode = force_generic_plan; DEALLOCATE ALL").await.unwrap();
    client.batch_execute(&format!("PREPARE hot AS {sql}")).await.unwrap_or_else(|error| panic!("{sql}\n{error:?}"));
    let arguments = if arguments.is_empty() { String::new() } else { format!("({arguments})") };
    let rows = client.query(&format!("EXPLAIN (COSTS OFF) EXECUTE hot {arguments}"), &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn the_hot_statements_read_no_table_of_tenants_or_credentials_from_end_to_end() {
    let world = World::new().await;
    let client = world.database.connect().await;
    client.batch_execute(MANY).await.unwrap();
    let nil = "'00000000-0000-0000-0000-000000000000'";
    let hot = [
        ("tenant::by_slug", tenant::BY_SLUG, "'env-1', 'tenant-7'".to_owned(), "tenant_slug on tenant"),
        ("tenant::list", tenant::LIST, "'env-1', 'tenant-7', 500".to_owned(), "tenant_slug on tenant"),
        ("tenant::list_all", tenant::LIST_ALL, "'env-1', 'tenant-7', 500".to_owned(), "tenant_slug on tenant"),
        ("tenant::unfinished", tenant::UNFINISHED, "100".to_owned(), "tenant_creating on tenant"),
        ("claim: take", tenant::claim::TAKE_MEMBER, format!("{nil}, {nil}, {nil}, '{{}}'"), "database_ready on database"),
        ("claim: assign", tenant::claim::ASSIGN_WAITING, format!("{nil}, '{{}}', '{{}}'"), "tenant_creating on tenant"),
        ("claim: waiting for", tenant::claim::WAITING_FOR, format!("{nil}, 32, NULL"), "tenant_creating on tenant"),
        ("residency: waiting", residency::assigned::WAITING, nil.to_owned(), "tenant_creating on tenant"),
        ("credential::by_name", credential::BY_NAME, "'env-1', 'cred-7'".to_owned(), "credential_name on credential"),
        ("credential::list", credential::LIST, "'env-1', 'cred-7', 500".to_owned(), "credential_environment on credential"),
        ("token::by_hash", token::BY_HASH, "'\\x00'".to_owned(), "api_token_hash_key on api_token"),
        ("route: credentials", route::CREDENTIALS, "4990, 5000".to_owned(), "credential_route_version"),
        ("route: tenants", route::TENANTS, "4990, 5000".to_owned(), "tenant_route_version"),
        ("audit::walk", audit::WALK, "4000, 500".to_owned(), "audit_entry_pkey on audit_entry"),
        ("tx: stamp", tx::STAMP, "'{}', '{}', '{}', '{}', '{}'".to_owned(), "Bitmap Index Scan on tenant_"),
    ];
    for (name, sql, arguments, index) in hot {
        let lines = plan(&client, sql, &arguments).await;
        let whole = lines.join("\n");
        for table in ["tenant", "credential", "api_token", "database"] {
            // Where many tenants are meant, 5,000 databases may be hashed for them; a claim means one.
            if table == "database" && !name.starts_with("claim") {
                continue;
            }
            let scan = format!("Seq Scan on {table}");
            assert!(!lines.iter().any(|line| line.trim_start_matches([' ', '-', '>']).starts_with(&scan)), "{name}\n{whole}");
        }
        assert!(whole.contains(index), "{name} does not use {index}\n{whole}");
    }
}

/// 20,000 operations that wait for the end of a grace period, and 5,000 that are due, of which four are under way.
const QUEUED: &str = "\
INSERT INTO operation (id, kind, kind_version, cluster_id, subject, requested_by, state, steps, step, last_seq, head, next_run_at,
    lease_owner, lease_until, lease_epoch)
SELECT md5('op' || i)::uuid, 'tenant.delete', 1, md5('clu1')::uuid, 'tenant', '{}', 'active', 6, 0, 1, decode(repeat('00', 32), 'hex'),
    CASE WHEN i <= 20000 THEN now() + interval '1 day' ELSE now() END,
    CASE WHEN i > 24996 THEN 'runner' END, CASE WHEN i > 24996 THEN now() + interval '6 s' END, 1
FROM generate_series(1, 25000) i;
INSERT INTO operation_event (operation_id, seq, epoch, event, digest)
SELECT md5('op1')::uuid, i, 1, '{}', decode(repeat('00', 32), 'hex') FROM generate_series(1, 20000) i;
ANALYZE";

#[tokio::test]
async fn what_is_due_and_a_page_of_a_journal_are_found_without_reading_everything_that_waits() {
    let world = World::new().await;
    let client = world.database.connect().await;
    client.batch_execute(MANY).await.unwrap();
    client.batch_execute(QUEUED).await.unwrap();
    let (known, nil) = ("'{tenant.delete}', '{1}'", "'00000000-0000-0000-0000-000000000000'");
    let claim = format!("'me', 6000, {known}, '{{4}}', 16");
    let hot = [
        ("due", operation::claim::DUE, known.to_owned(), "operation_due on operation"),
        ("claim", operation::claim::CLAIM, claim, "operation_due on operation"),
        ("pulse", pulse::PULSE, format!("{nil}, 1, {known}, '{{}}'"), "operation_due on operation"),
        ("journal: page", operation::journal::PAGE, "md5('op1')::uuid, 10000, 100".to_owned(), "operation_event_pkey on operation_event"),
    ];
    for (name, sql, arguments, index) in hot {
        let lines = plan(&client, sql, &arguments).await;
        let whole = lines.join("\n");
        for table in ["operation", "operation_event", "tenant", "tenant_alias", "database"] {
            let scan = format!("Seq Scan on {table} ");
            assert!(!lines.iter().any(|line| format!("{line} ").trim_start_matches([' ', '-', '>']).starts_with(&scan)), "{name}\n{whole}");
        }
        assert!(whole.contains(index), "{name} does not use {index}\n{whole}");
    }
}

#[tokio::test]
async fn who_has_no_certificate_is_found_with_one_look_at_all_although_the_planner_knows_of_none() {
    let world = World::new().await;
    let client = world.database.connect().await;
    client.batch_execute(MANY).await.unwrap();
    for (name, sql) in [("due", residency::IS_DUE), ("missing", residency::certificate::MISSING)] {
        let whole = plan(&client, sql, "").await.join("\n");
        assert!(whole.contains("SetOp Except"), "{name}\n{whole}");
    }
}
