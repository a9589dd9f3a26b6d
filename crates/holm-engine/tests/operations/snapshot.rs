//! What the world looks like, as text that can be compared: of one stage, or all of it.

use std::collections::BTreeMap;

use holm_core::role::DatabaseName;
use holm_testkit::TestServer;
use tokio_postgres::Client;

use crate::subject::Stage;
use crate::world::World;

/// What is there, by name.
pub(crate) type Snapshot = BTreeMap<String, String>;

/// Columns that say when or how often something changed, and not what it is.
const VOLATILE: &str = "'{route_version,updated_at,epoch,trouble}'::text[]";

/// A database as the server has it, its owner, limits and doors.
const DATABASES: &str = "
SELECT 'database ' || d.datname, concat_ws(' ', pg_get_userbyid(d.datdba), d.datallowconn, d.datconnlimit, d.datistemplate,
    (SELECT string_agg(acl::text, ',' ORDER BY acl::text) FROM unnest(d.datacl) AS acl), shobj_description(d.oid, 'pg_database'))
FROM pg_database d
WHERE $1::text[] IS NULL OR d.datname = ANY($1)";
const ROLES: &str = "
SELECT 'role ' || r.rolname, concat_ws(' ', r.rolcanlogin, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolconnlimit, r.rolpassword,
    r.rolvaliduntil, (SELECT string_agg(m.roleid::regrole::text, ',' ORDER BY 1) FROM pg_auth_members m WHERE m.member = r.oid))
FROM pg_authid r
WHERE r.rolname !~ '^pg_' AND ($1::text[] IS NULL OR EXISTS (SELECT FROM unnest($1) AS n WHERE starts_with(r.rolname, n || '_')))";
/// The rows that each table of a tenant has, in whatever order.
const CONTENT: &str = "
SELECT 'table ' || quote_ident(table_schema) || '.' || quote_ident(table_name),
    (xpath('/row/n/text()', query_to_xml(
        format('SELECT concat_ws('' '', count(*), sum(hashtextextended(t::text, 0))) AS n FROM %I.%I t', table_schema, table_name),
        false, true, '')))[1]::text
FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')";

impl World {
    /// What a stage lists: rows of the catalog, what the cluster has, what tenants' tables hold, published routes.
    pub(crate) async fn snapshot_of(&self, stage: &Stage) -> Snapshot {
        let mut seen = Snapshot::new();
        let catalog = self.catalog().await;
        let tenants: Vec<_> = stage.tenants.iter().map(|id| id.as_uuid()).collect();
        let clusters: Vec<_> = stage.clusters.iter().map(|id| id.as_uuid()).collect();
        let names: Vec<&str> = stage.databases.iter().map(DatabaseName::as_str).collect();
        for (table, column, ids) in [("tenant", "id", &tenants), ("credential", "tenant_id", &tenants), ("cluster", "id", &clusters)] {
            let sql = format!(
                "SELECT '{table} ' || id, (to_jsonb(t) - {VOLATILE})::text FROM {table} t WHERE {column} = ANY($1) AND \
                 coalesce(to_jsonb(t) ->> 'revoked_at', '') = ''"
            );
            take(&catalog, &sql, &[ids], &mut seen).await;
        }
        let aliases = "SELECT 'alias ' || slug, (to_jsonb(t) - 'until')::text FROM tenant_alias t WHERE tenant_id = ANY($1)";
        take(&catalog, aliases, &[&tenants], &mut seen).await;
        let sql = format!("SELECT 'member ' || id, (to_jsonb(t) - {VOLATILE})::text FROM database t WHERE name = ANY($1)");
        take(&catalog, &sql, &[&names], &mut seen).await;
        seen.extend(on_server(&self.cluster, &names).await);
        if let Some(made) = stage.made {
            seen.extend(made(self, stage).await);
        }
        let table = self.control().publisher().table();
        for tenant in &stage.tenants {
            seen.insert(format!("route {tenant}"), table.route_of(*tenant).map_or_else(String::new, |route| route_text(route)));
        }
        self.add_own_server(stage, &mut seen).await;
        seen
    }

    /// What of a stage is only read.
    pub(crate) async fn only_read(&self, stage: &Stage) -> Snapshot {
        match stage.only_read {
            Some(look) => look(self, stage).await,
            None => Snapshot::new(),
        }
    }

    /// Everything: every row of the catalog, journals too, and everything that the cluster has.
    pub(crate) async fn snapshot(&self) -> Snapshot {
        let mut seen = Snapshot::new();
        let catalog = self.catalog().await;
        let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
             AND table_name NOT IN ('schedule', 'node')";
        for row in catalog.query(tables, &[]).await.unwrap() {
            let table: String = row.get(0);
            // What a process that stood still believes of a server that did not answer meanwhile passes by itself.
            let sql = format!("SELECT '{table} ' || md5((to_jsonb(t) - 'trouble')::text), (to_jsonb(t) - 'trouble')::text FROM {table} t");
            take(&catalog, &sql, &[], &mut seen).await;
        }
        let cluster = self.cluster.connect("postgres").await;
        take(&cluster, DATABASES, &[&None::<Vec<&str>>], &mut seen).await;
        take(&cluster, ROLES, &[&None::<Vec<&str>>], &mut seen).await;
        if let Some(brought) = self.brought.get() {
            seen.extend(everything_on(brought).await);
        }
        let table = self.control().publisher().table();
        seen.extend(table.routes().map(|route| (format!("route {}", route.tenant), route_text(route))));
        self.add_servers(&mut seen).await;
        seen
    }

    /// Databases and roles on the cluster that belong to a database of Holm's making.
    pub(crate) async fn on_cluster(&self, database: &DatabaseName) -> Vec<String> {
        let mut seen = Snapshot::new();
        let cluster = self.cluster.connect("postgres").await;
        take(&cluster, DATABASES, &[&vec![database.as_str()]], &mut seen).await;
        take(&cluster, ROLES, &[&vec![database.as_str()]], &mut seen).await;
        seen.into_keys().collect()
    }
}

/// Databases by name, with their roles and what their tables hold.
pub(crate) async fn on_server(server: &TestServer, names: &[&str]) -> Snapshot {
    let (mut seen, postgres) = (Snapshot::new(), server.connect("postgres").await);
    take(&postgres, DATABASES, &[&names], &mut seen).await;
    take(&postgres, ROLES, &[&names], &mut seen).await;
    for name in names {
        if seen.contains_key(&format!("database {name}")) {
            let mut tables = Snapshot::new();
            take(&server.connect(name).await, CONTENT, &[], &mut tables).await;
            seen.extend(tables.into_iter().map(|(table, rows)| (format!("{name} {table}"), rows)));
        }
    }
    seen
}

/// All that a server with databases to be adopted has, by another name than what the cluster has.
async fn everything_on(server: &TestServer) -> Snapshot {
    let names: Vec<String> = {
        let postgres = server.connect("postgres").await;
        let sql = "SELECT datname::text FROM pg_database WHERE datallowconn";
        postgres.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    on_server(server, &names).await.into_iter().map(|(key, value)| (format!("brought {key}"), value)).collect()
}

fn route_text(route: &holm_core::route::Route) -> String {
    format!("{} {} {:?} {} {} {:?}", route.environment, route.slug, route.state, route.cluster, route.database, route.parameters)
}

pub(crate) async fn take(client: &Client, sql: &str, params: &[&(dyn tokio_postgres::types::ToSql + Sync)], into: &mut Snapshot) {
    let rows = client.query(sql, params).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    into.extend(rows.iter().map(|row| (row.get::<_, String>(0), row.get::<_, Option<String>>(1).unwrap_or_default())));
}

/// What is in one and not, or otherwise, in the other.
pub(crate) fn differences(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differs = |key: &&&String| before.get(**key) != after.get(**key);
    let tell = |key: &String| format!("{key}: {:?} became {:?}", before.get(key), after.get(key));
    keys.iter().filter(differs).map(|key| tell(key)).collect()
}
