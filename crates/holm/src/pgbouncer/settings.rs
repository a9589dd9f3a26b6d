//! What becomes of each setting of PgBouncer's: the one table, for 1.25.
//!
//! Promises: every name that PgBouncer documents is in it (a test compares), with the flag that does the same, or why nothing
//! is needed, or why it is lost. Refuses to say anything about a value: it is the same whatever the setting is set to.

use serde::Serialize;

use super::config::Section;

/// What becomes of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fate {
    /// Carried over, or set by what is named.
    Becomes,
    /// Holm does without it.
    Unneeded,
    /// Nothing in Holm does this.
    Lost,
    /// PgBouncer 1.25 has no such setting.
    Unknown,
}

/// A line of the table.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) fate: Fate,
    pub(crate) how: &'static str,
}

const fn becomes(name: &'static str, how: &'static str) -> Known {
    Known { name, fate: Fate::Becomes, how }
}

const fn unneeded(name: &'static str, how: &'static str) -> Known {
    Known { name, fate: Fate::Unneeded, how }
}

const fn lost(name: &'static str, how: &'static str) -> Known {
    Known { name, fate: Fate::Lost, how }
}

/// What becomes of a setting, and how.
pub(crate) fn fate(section: Section, name: &str) -> (Fate, &'static str) {
    let known = table(section).iter().find(|known| known.name == name);
    known.map_or((Fate::Unknown, "PgBouncer 1.25 has no such setting"), |known| (known.fate, known.how))
}

/// The names that a section may have.
pub(crate) const fn table(section: Section) -> &'static [Known] {
    match section {
        Section::Pgbouncer => PGBOUNCER,
        Section::Databases => DATABASES,
        Section::Users => USERS,
        Section::Peers => &[],
    }
}

const LOG: &str = "Holm writes to stderr, which the service manager keeps; `LOG_LEVEL` says how much";
const MAXIMUM: &str = "the tenant's maximum: `holm tenant limits --max`";
const RESERVE: &str = "added to the tenant's maximum, and not held back until somebody has waited";
const POOLING: &str = "`holm serve --proxy-pooling session|transaction`; adopted databases are used by `owner` credentials, which have \
     sessions unless the connection says `options=-c holm.pooling=transaction`; `statement` has no counterpart";
const IN_THE_DATABASE: &str = "set it in the database: `ALTER ROLE … IN DATABASE … SET …`";
const CREDENTIALS: &str = "apps log in to Holm with its own credentials: `holm credential create`";
const NO_CLIENT_COUNT: &str = "clients are not counted by tenant or by credential; a node takes 10,000";
const NOT_TO_SET: &str = "there is no such setting";
const ALWAYS_OPEN: &str = "connections are opened when a client wants one; an adopted database shares its budget with nobody, so that \
     nobody takes them from it";
const OWN_LOOKUPS: &str = "names are looked up by the operating system, whenever a connection is opened";
const TLS_SUITES: &str = "Holm chooses cipher suites and groups itself";
const TLS_VERSIONS: &str = "TLS 1.2 and 1.3, always";
const SERVER_SSLMODE: &str = "`holm tenant adopt --sslmode`, which is `verify-full`, `verify-ca` or `disable`";
const ONE_ROLE: &str = "an adopted database has one role, whose maximum is the tenant's";
const BY_THE_SERVER: &str = "the server has it: `ALTER ROLE … SET statement_timeout = …`, and its kin";

const PGBOUNCER: &[Known] = &[
    becomes("admin_users", "people and machines with roles: `holm access role grant`, `holm access token create`"),
    lost("application_name_add_host", "`application_name` goes on to the server as the client says it"),
    unneeded("auth_dbname", CREDENTIALS),
    becomes("auth_file", "its plain-text passwords are used to adopt databases whose `user` they belong to, and for nothing else"),
    lost("auth_hba_file", "there are no rules by address; `holm serve --tls-client-ca` wants a certificate of every client"),
    lost("auth_ident_file", "a client certificate is good for the credential that it names: `holm serve --tls-client-names`"),
    lost("auth_ldap_options", "there is no LDAP; apps log in with Holm's own credentials: `holm credential create`"),
    unneeded("auth_query", CREDENTIALS),
    becomes("auth_type", "SCRAM-SHA-256, always, beside it client certificates (`holm serve --tls-client-ca`): `holm credential create`"),
    unneeded("auth_user", CREDENTIALS),
    unneeded("autodb_idle_timeout", "no database is found by itself: each is adopted by name"),
    unneeded("cancel_wait_timeout", "a cancel request has 5 s, always"),
    lost("client_idle_timeout", "an idle client may stay; it costs a few KB and no server connection"),
    unneeded("client_login_timeout", "15 s, always"),
    unneeded("client_tls13_ciphers", TLS_SUITES),
    becomes("client_tls_ca_file", "`holm serve --tls-client-ca`"),
    becomes("client_tls_cert_file", "`holm serve --tls-cert`"),
    unneeded("client_tls_ciphers", TLS_SUITES),
    unneeded("client_tls_dheparams", TLS_SUITES),
    unneeded("client_tls_ecdhcurve", TLS_SUITES),
    becomes("client_tls_key_file", "`holm serve --tls-key`"),
    unneeded("client_tls_protocols", TLS_VERSIONS),
    becomes("client_tls_sslmode", "TLS is there with `holm serve --tls-cert`, demanded with `--tls-required`"),
    unneeded("conffile", "flags and variables: `holm serve --help`"),
    becomes("default_pool_size", MAXIMUM),
    lost("disable_pqexec", "a text of several statements goes on to the server as it is"),
    unneeded("dns_max_ttl", OWN_LOOKUPS),
    unneeded("dns_nxdomain_ttl", OWN_LOOKUPS),
    unneeded("dns_zone_check_period", OWN_LOOKUPS),
    lost("idle_transaction_timeout", BY_THE_SERVER),
    unneeded("ignore_startup_parameters", "parameters that are not Holm's own go on to the server: docs/reference/startup-parameters.md"),
    unneeded("job_name", "`holm serve --node-name` names the process"),
    becomes("listen_addr", "`holm serve --proxy-listen ADDRESS:PORT`"),
    unneeded("listen_backlog", NOT_TO_SET),
    becomes("listen_port", "`holm serve --proxy-listen ADDRESS:PORT`"),
    unneeded("log_connections", LOG),
    unneeded("log_disconnections", LOG),
    unneeded("log_pooler_errors", LOG),
    unneeded("log_stats", "`/metrics` has them, for Prometheus"),
    unneeded("logfile", LOG),
    lost("max_client_conn", NO_CLIENT_COUNT),
    lost("max_db_client_connections", NO_CLIENT_COUNT),
    becomes("max_db_connections", MAXIMUM),
    lost("max_packet_size", "a message may be as long as PostgreSQL takes it; it is passed on in parts"),
    unneeded("max_prepared_statements", "named prepared statements work in transaction pooling: docs/reference/pooling.md"),
    lost("max_user_client_connections", NO_CLIENT_COUNT),
    lost("max_user_connections", ONE_ROLE),
    lost("min_pool_size", ALWAYS_OPEN),
    lost("peer_id", "a cancel request has to reach the node that its connection is to"),
    unneeded("pidfile", "it runs in the foreground, under a service manager"),
    unneeded("pkt_buf", NOT_TO_SET),
    becomes("pool_mode", POOLING),
    lost("query_timeout", BY_THE_SERVER),
    lost("query_wait_notify", "a client that waits is told nothing until it has a connection or is refused"),
    lost("query_wait_timeout", "30 s for a transaction, 5 s for a session, always; then SQLSTATE 53300 with who holds the connections"),
    becomes("reserve_pool_size", RESERVE),
    lost("reserve_pool_timeout", RESERVE),
    unneeded("resolv_conf", OWN_LOOKUPS),
    unneeded("sbuf_loopcnt", NOT_TO_SET),
    unneeded("scram_iterations", "Holm makes the secrets of its credentials itself"),
    lost("server_check_delay", "no query is sent to see whether a connection works"),
    lost("server_check_query", "no query is sent to see whether a connection works"),
    unneeded("server_connect_timeout", "a server has 5 s to let a connection in, always"),
    lost("server_fast_close", "a connection whose route has changed is closed when it is not in use"),
    lost("server_idle_timeout", "10 minutes, always, which is PgBouncer's default"),
    lost("server_lifetime", "a connection is kept for as long as it is used"),
    unneeded("server_login_retry", "after a failed login the next waits, longer after each"),
    becomes(
        "server_reset_query",
        "`DISCARD ALL`, and no other: between two sessions always, between two transactions when a client has left something \
         behind (`holm serve --proxy-reset seen|strict`)",
    ),
    becomes("server_reset_query_always", "`holm serve --proxy-reset strict`"),
    lost("server_round_robin", "which idle connection is used next cannot be chosen"),
    unneeded("server_tls13_ciphers", TLS_SUITES),
    becomes("server_tls_ca_file", "`holm tenant adopt --ssl-root-cert`"),
    becomes("server_tls_cert_file", "`holm tenant adopt --client-cert`"),
    unneeded("server_tls_ciphers", TLS_SUITES),
    becomes("server_tls_key_file", "`holm tenant adopt --client-key`"),
    unneeded("server_tls_protocols", TLS_VERSIONS),
    becomes("server_tls_sslmode", SERVER_SSLMODE),
    unneeded("service_name", "`holm serve --node-name` names the process"),
    unneeded("so_reuseport", "one process uses all cores"),
    unneeded("stats_period", "`/metrics` has counts since the start; who reads them chooses the period"),
    becomes("stats_users", "a token of role `viewer`: `holm access token create NAME --role viewer`"),
    lost("suspend_timeout", "a process is replaced by starting another and stopping the first: docs/how-to/upgrade.md"),
    unneeded("syslog", LOG),
    unneeded("syslog_facility", LOG),
    unneeded("syslog_ident", LOG),
    unneeded("tcp_defer_accept", NOT_TO_SET),
    unneeded("tcp_keepalive", "always on: after 60 s, then every 10 s"),
    lost("tcp_keepcnt", "keep-alives are sent after 60 s, then every 10 s, always"),
    lost("tcp_keepidle", "keep-alives are sent after 60 s, then every 10 s, always"),
    lost("tcp_keepintvl", "keep-alives are sent after 60 s, then every 10 s, always"),
    unneeded("tcp_socket_buffer", NOT_TO_SET),
    lost("tcp_user_timeout", NOT_TO_SET),
    unneeded("track_extra_parameters", "every setting that PostgreSQL reports goes along with its client: docs/reference/pooling.md"),
    lost("transaction_timeout", BY_THE_SERVER),
    lost("unix_socket_dir", "the proxy listens on TCP"),
    lost("unix_socket_group", "the proxy listens on TCP"),
    lost("unix_socket_mode", "the proxy listens on TCP"),
    unneeded("user", "start it as the user that it is to run as"),
    unneeded("verbose", LOG),
];

const DATABASES: &[Known] = &[
    lost("application_name", IN_THE_DATABASE),
    unneeded("auth_dbname", CREDENTIALS),
    unneeded("auth_query", CREDENTIALS),
    unneeded("auth_user", CREDENTIALS),
    lost("client_encoding", IN_THE_DATABASE),
    lost(
        "connect_query",
        "no statement of Holm's runs in a tenant's database; what it sets can be set there: `ALTER ROLE … IN DATABASE … SET …`",
    ),
    lost("datestyle", IN_THE_DATABASE),
    becomes("dbname", "the database that is adopted"),
    becomes("host", "the server that it is on"),
    lost("load_balance_hosts", "a tenant is on one server"),
    lost("max_db_client_connections", NO_CLIENT_COUNT),
    becomes("max_db_connections", MAXIMUM),
    lost("min_pool_size", ALWAYS_OPEN),
    becomes("password", "sealed in Holm's catalog; apps never have it"),
    becomes("pool_mode", POOLING),
    becomes("pool_size", MAXIMUM),
    becomes("port", "the server that it is on"),
    becomes("reserve_pool", RESERVE),
    becomes("reserve_pool_size", RESERVE),
    lost("server_lifetime", "a connection is kept for as long as it is used"),
    lost("timezone", IN_THE_DATABASE),
    becomes("user", "the role that Holm logs in as, which has to own the database"),
];

const USERS: &[Known] = &[
    lost("client_idle_timeout", "an idle client may stay; it costs a few KB and no server connection"),
    lost("idle_transaction_timeout", BY_THE_SERVER),
    lost("max_user_client_connections", NO_CLIENT_COUNT),
    lost("max_user_connections", ONE_ROLE),
    becomes("pool_mode", POOLING),
    becomes("pool_size", "the maximum of the tenants whose database has that `user`: `holm tenant limits --max`"),
    lost("query_timeout", BY_THE_SERVER),
    becomes("reserve_pool_size", RESERVE),
    lost("transaction_timeout", BY_THE_SERVER),
];
