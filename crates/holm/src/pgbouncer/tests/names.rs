//! Every setting of PgBouncer's has a fate.

use crate::pgbouncer::config::Section;
use crate::pgbouncer::settings::{Fate, fate, table};

/// The headings of PgBouncer 1.25's configuration page, section by section.
const DOCUMENTED: &[(Section, &str)] = &[
    (
        Section::Pgbouncer,
        "logfile pidfile listen_addr listen_port unix_socket_dir unix_socket_mode unix_socket_group user pool_mode max_client_conn \
         default_pool_size min_pool_size reserve_pool_size reserve_pool_timeout max_db_connections max_db_client_connections \
         max_user_connections max_user_client_connections server_round_robin track_extra_parameters ignore_startup_parameters peer_id \
         disable_pqexec application_name_add_host conffile service_name job_name stats_period max_prepared_statements scram_iterations \
         auth_type auth_hba_file auth_ident_file auth_file auth_user auth_query auth_dbname auth_ldap_options syslog syslog_ident \
         syslog_facility log_connections log_disconnections log_pooler_errors log_stats verbose admin_users stats_users \
         server_reset_query server_reset_query_always server_check_delay server_check_query server_fast_close server_lifetime \
         server_idle_timeout server_connect_timeout server_login_retry client_login_timeout autodb_idle_timeout dns_max_ttl \
         dns_nxdomain_ttl dns_zone_check_period resolv_conf query_wait_notify client_tls_sslmode client_tls_key_file \
         client_tls_cert_file client_tls_ca_file client_tls_protocols client_tls_ciphers client_tls13_ciphers client_tls_ecdhcurve \
         client_tls_dheparams server_tls_sslmode server_tls_ca_file server_tls_key_file server_tls_cert_file server_tls_protocols \
         server_tls_ciphers server_tls13_ciphers query_timeout query_wait_timeout cancel_wait_timeout client_idle_timeout \
         idle_transaction_timeout transaction_timeout suspend_timeout pkt_buf max_packet_size listen_backlog sbuf_loopcnt so_reuseport \
         tcp_defer_accept tcp_socket_buffer tcp_keepalive tcp_keepcnt tcp_keepidle tcp_keepintvl tcp_user_timeout",
    ),
    (
        Section::Databases,
        "dbname host port user password auth_user auth_query auth_dbname pool_size min_pool_size reserve_pool_size connect_query \
         pool_mode load_balance_hosts max_db_connections max_db_client_connections server_lifetime client_encoding datestyle timezone",
    ),
    (
        Section::Users,
        "pool_size reserve_pool_size pool_mode max_user_connections query_timeout idle_transaction_timeout transaction_timeout \
         client_idle_timeout max_user_client_connections",
    ),
];

#[test]
fn every_documented_setting_has_a_fate_and_a_reason() {
    for (section, names) in DOCUMENTED {
        for name in names.split_whitespace() {
            let (fate, how) = fate(*section, name);
            assert!(fate != Fate::Unknown && !how.is_empty(), "[{}] {name}", section.as_str());
        }
    }
    assert_eq!(fate(Section::Pgbouncer, "pool_size").0, Fate::Unknown);
}

#[test]
fn the_table_has_each_setting_once_and_in_order() {
    for section in [Section::Pgbouncer, Section::Databases, Section::Users] {
        let names: Vec<&str> = table(section).iter().map(|known| known.name).collect();
        assert!(names.is_sorted_by(|one, other| one < other), "{names:?}");
    }
}

/// What is said of a setting names flags; they exist.
#[test]
fn every_flag_that_a_setting_becomes_is_one_of_a_command() {
    fn flags(command: &clap::Command, found: &mut Vec<String>) {
        found.extend(command.get_arguments().filter_map(|argument| argument.get_long()).map(|long| format!("--{long}")));
        for below in command.get_subcommands() {
            flags(below, found);
        }
    }
    let mut known = Vec::new();
    flags(&crate::cli::command(), &mut known);
    let said = [Section::Pgbouncer, Section::Databases, Section::Users].into_iter().flat_map(table);
    let words = said.flat_map(|known| known.how.split(|c: char| c.is_whitespace() || "`,;)".contains(c)));
    let named: Vec<&str> = words.filter(|word| word.starts_with("--") && *word != "--help").collect();
    assert!(named.len() > 10);
    for flag in named {
        assert!(known.iter().any(|known| known == flag), "{flag}");
    }
}
