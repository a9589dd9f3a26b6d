//! The columns of everything that is shown, named and in the order that PgBouncer 1.25 has them.
//!
//! Promises: a tool that reads PgBouncer's columns by name or by place finds them. Types are PgBouncer's as well, save for one:
//! `id` is an `int8`, since sessions are counted for as long as the node runs. What a command's rows are is said here alone, before
//! it runs and when it does.

use std::borrow::Cow;

use holm_pgwire::column::{Column, ColumnType};

use super::grammar::{Command, PARAMETERS};
use super::rights::Verb;

use ColumnType::{Int4, Int8, Numeric, Text};

/// What libraries read the server's version from: that of the PgBouncer whose columns these are.
pub(super) const SERVER_VERSION: &str = "1.25.0/holm";

const fn column(name: &'static str, kind: ColumnType) -> Column {
    Column { name, kind }
}

/// The columns of a command's rows; `None` if it has no rows.
pub(super) fn columns(command: &Command) -> Option<Cow<'static, [Column]>> {
    Some(Cow::Borrowed(match command.verb {
        Verb::SelectOne => SELECT_ONE,
        Verb::ShowVersion => VERSION,
        Verb::ShowConfig => CONFIG,
        Verb::ShowDatabases => DATABASES,
        Verb::ShowPools => POOLS,
        Verb::ShowClients | Verb::ShowServers => SOCKETS,
        Verb::ShowStats => STATS,
        Verb::ShowStatsTotals => STATS_TOTALS,
        Verb::ShowTotals => TOTALS,
        Verb::ShowLists => LISTS,
        Verb::ShowUsers => USERS,
        Verb::ShowState => STATE,
        Verb::ShowParameter => {
            let (_, name, _) = PARAMETERS.iter().find(|(known, ..)| Some(*known) == command.about.as_deref())?;
            return Some(Cow::Owned(vec![column(name, Text)]));
        }
        // The help is a notice.
        Verb::ShowHelp
        | Verb::Nothing
        | Verb::SetParameter
        | Verb::DiscardAll
        | Verb::Pause
        | Verb::Resume
        | Verb::Kill
        | Verb::KillClient
        | Verb::Reconnect
        | Verb::WaitClose
        | Verb::Reload
        | Verb::Shutdown
        | Verb::Suspend
        | Verb::Disable
        | Verb::Enable
        | Verb::SetConfig => return None,
    }))
}

const SELECT_ONE: &[Column] = &[column("?column?", Int4)];

/// Of SHOW VERSION.
const VERSION: &[Column] = &[column("version", Text)];

/// Of SHOW CONFIG.
const CONFIG: &[Column] = &[column("key", Text), column("value", Text), column("default", Text), column("changeable", Text)];

/// Of SHOW DATABASES.
const DATABASES: &[Column] = &[
    column("name", Text),
    column("host", Text),
    column("port", Int4),
    column("database", Text),
    column("force_user", Text),
    column("pool_size", Int4),
    column("min_pool_size", Int4),
    column("reserve_pool_size", Int4),
    column("server_lifetime", Int4),
    column("pool_mode", Text),
    column("load_balance_hosts", Text),
    column("max_connections", Int4),
    column("current_connections", Int4),
    column("max_client_connections", Int4),
    column("current_client_connections", Int4),
    column("paused", Int4),
    column("disabled", Int4),
];

/// Of SHOW POOLS.
const POOLS: &[Column] = &[
    column("database", Text),
    column("user", Text),
    column("cl_active", Int4),
    column("cl_waiting", Int4),
    column("cl_active_cancel_req", Int4),
    column("cl_waiting_cancel_req", Int4),
    column("sv_active", Int4),
    column("sv_active_cancel", Int4),
    column("sv_being_canceled", Int4),
    column("sv_idle", Int4),
    column("sv_used", Int4),
    column("sv_tested", Int4),
    column("sv_login", Int4),
    column("maxwait", Int4),
    column("maxwait_us", Int4),
    column("pool_mode", Text),
    column("load_balance_hosts", Text),
];

/// Of SHOW CLIENTS and of SHOW SERVERS.
const SOCKETS: &[Column] = &[
    column("type", Text),
    column("user", Text),
    column("database", Text),
    column("replication", Text),
    column("state", Text),
    column("addr", Text),
    column("port", Int4),
    column("local_addr", Text),
    column("local_port", Int4),
    column("connect_time", Text),
    column("request_time", Text),
    column("wait", Int4),
    column("wait_us", Int4),
    column("close_needed", Int4),
    column("ptr", Text),
    column("link", Text),
    column("remote_pid", Int4),
    column("tls", Text),
    column("application_name", Text),
    column("prepared_statements", Int4),
    column("id", Int8),
];

/// Of SHOW STATS.
const STATS: &[Column] = &[
    column("database", Text),
    column("total_server_assignment_count", Numeric),
    column("total_xact_count", Numeric),
    column("total_query_count", Numeric),
    column("total_received", Numeric),
    column("total_sent", Numeric),
    column("total_xact_time", Numeric),
    column("total_query_time", Numeric),
    column("total_wait_time", Numeric),
    column("total_client_parse_count", Numeric),
    column("total_server_parse_count", Numeric),
    column("total_bind_count", Numeric),
    column("avg_server_assignment_count", Numeric),
    column("avg_xact_count", Numeric),
    column("avg_query_count", Numeric),
    column("avg_recv", Numeric),
    column("avg_sent", Numeric),
    column("avg_xact_time", Numeric),
    column("avg_query_time", Numeric),
    column("avg_wait_time", Numeric),
    column("avg_client_parse_count", Numeric),
    column("avg_server_parse_count", Numeric),
    column("avg_bind_count", Numeric),
];

/// Of SHOW STATS_TOTALS.
const STATS_TOTALS: &[Column] = &[
    column("database", Text),
    column("server_assignment_count", Numeric),
    column("xact_count", Numeric),
    column("query_count", Numeric),
    column("bytes_received", Numeric),
    column("bytes_sent", Numeric),
    column("xact_time", Numeric),
    column("query_time", Numeric),
    column("wait_time", Numeric),
    column("client_parse_count", Numeric),
    column("server_parse_count", Numeric),
    column("bind_count", Numeric),
];

/// Of SHOW TOTALS.
const TOTALS: &[Column] = &[column("name", Text), column("value", Numeric)];

/// Of SHOW LISTS.
const LISTS: &[Column] = &[column("list", Text), column("items", Int4)];

/// Of SHOW USERS.
const USERS: &[Column] = &[
    column("name", Text),
    column("pool_size", Text),
    column("reserve_pool_size", Text),
    column("pool_mode", Text),
    column("max_user_connections", Int4),
    column("current_connections", Int4),
    column("max_user_client_connections", Int4),
    column("current_client_connections", Int4),
];

/// Of SHOW STATE.
const STATE: &[Column] = &[column("key", Text), column("value", Text)];
