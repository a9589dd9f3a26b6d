//! What can be done by command can be done over HTTP, and the other way round.

use std::collections::{BTreeMap, BTreeSet};

/// Which operations of the API each command uses; none for what is done on this machine alone. A command, or a route, without
/// a line here fails: nothing is for people only, and nothing for programs only.
const USES: &[(&str, &[&str])] = &[
    ("access break-glass close", &["close_break_glass"]),
    ("access break-glass list", &["list_break_glass"]),
    ("access break-glass open", &["break_glass"]),
    ("access principal create", &["create_principal"]),
    ("access principal disable", &["disable_principal"]),
    ("access principal list", &["list_principals"]),
    ("access role grant", &["grant_role"]),
    ("access role list", &["list_roles"]),
    ("access role revoke", &["revoke_role"]),
    ("access token create", &["create_token"]),
    ("access token list", &["list_tokens"]),
    ("access token revoke", &["revoke_token"]),
    ("access whoami", &["whoami"]),
    ("approval approve", &["approve"]),
    ("approval list", &["list_approvals"]),
    ("approval reject", &["reject"]),
    ("approval request", &["request_approval"]),
    ("audit checkpoint", &["checkpoint_audit"]),
    ("audit export", &["export_audit"]),
    ("audit search", &["search_audit"]),
    ("audit verify", &["verify_audit"]),
    ("catalog backup", &[]),
    ("catalog restore", &[]),
    ("cluster add", &["add_cluster", "show_operation", "list_events"]),
    ("cluster drain", &["drain_cluster", "show_operation", "list_events"]),
    ("cluster list", &["list_clusters", "list_environments"]),
    ("cluster remove", &["remove_cluster", "show_cluster", "show_operation", "list_events"]),
    ("cluster remove-client-cert", &["remove_cluster_client_cert"]),
    ("cluster rotate-roles", &["rotate_cluster_roles", "show_operation", "list_events"]),
    ("cluster set-client-cert", &["set_cluster_client_cert"]),
    ("cluster set-place", &["set_cluster_place"]),
    ("cluster set-server", &["set_cluster_server"]),
    ("cluster show", &["show_cluster"]),
    ("completion", &[]),
    ("credential create", &["create_credential"]),
    ("credential list", &["list_credentials"]),
    ("credential revoke", &["revoke_credential"]),
    ("credential rotate", &["rotate_credential"]),
    ("dev", &[]),
    ("doctor", &["examine"]),
    ("env list", &["list_environments"]),
    ("env parity revoke", &["revoke_parity_waiver"]),
    ("env parity show", &["show_parity"]),
    ("env parity waive", &["waive_difference"]),
    ("env parity waivers", &["list_parity_waivers"]),
    ("env print", &["list_environments", "list_tenants"]),
    ("env profile", &["show_environment_profile"]),
    ("env require-approval", &["require_approval"]),
    ("env set-profile", &["set_environment_profile"]),
    ("fleet statistics", &["ask_statistics"]),
    ("fleet top", &["show_usage", "list_environments"]),
    ("import pgbouncer", &["adopt_tenant", "limit_tenant", "show_tenant", "show_cluster", "show_operation", "list_events"]),
    ("init", &[]),
    ("key list", &["list_keys"]),
    ("key rewrap", &["rewrap_keys"]),
    ("key rotate", &["rotate_keys"]),
    ("node add", &["add_node"]),
    ("node forget", &["forget_node"]),
    ("node keys", &["list_node_keys"]),
    ("node list", &["list_nodes"]),
    ("node remove", &["remove_node"]),
    ("op abandon", &["abandon_operation"]),
    ("op cancel", &["cancel_operation", "show_operation", "list_events"]),
    ("op events", &["list_events"]),
    ("op list", &["list_operations"]),
    ("op pause", &["pause_operation"]),
    ("op proceed", &["proceed_operation"]),
    ("op resume", &["resume_operation"]),
    ("op retry", &["retry_operation"]),
    ("op show", &["show_operation"]),
    ("op watch", &["show_operation", "list_events"]),
    ("serve", &[]),
    ("provider compare", &[]),
    ("provider list", &[]),
    ("provider show", &[]),
    ("residency breach-scope", &["show_breach_scope"]),
    ("residency decision", &["show_decision"]),
    ("residency certificate", &["show_certificate"]),
    ("residency explain", &["explain_residency"]),
    ("residency matrix", &["show_matrix"]),
    ("residency places", &["find_places"]),
    ("residency report record", &["show_processing_record"]),
    ("residency report sub-processors", &["list_sub_processors"]),
    ("residency what-if", &["ask_what_if"]),
    ("residency where", &["show_whereabouts"]),
    ("residency copy add", &["add_copy"]),
    ("residency copy list", &["list_copies"]),
    ("residency copy remove", &["remove_copy"]),
    ("residency exception grant", &["grant_exception"]),
    ("residency exception list", &["list_exceptions", "list_tenant_exceptions"]),
    ("residency exception revoke", &["revoke_exception"]),
    ("residency facts add", &["add_facts"]),
    ("residency facts list", &["list_facts"]),
    ("residency facts remove", &["remove_facts"]),
    ("residency paper add", &["add_paper"]),
    ("residency paper list", &["list_papers"]),
    ("residency paper remove", &["remove_paper"]),
    ("residency profile add", &["add_profile"]),
    ("residency profile check", &[]),
    ("residency profile diff", &[]),
    ("residency profile in-force", &["list_profiles"]),
    ("residency profile list", &[]),
    ("residency profile show", &[]),
    ("tenant adopt", &["adopt_tenant", "show_operation", "list_events"]),
    ("tenant copy", &["copy_tenant", "show_operation", "list_events"]),
    ("tenant create", &["create_tenant"]),
    ("tenant delete", &["delete_tenant", "list_environments", "show_operation", "list_events"]),
    ("tenant extend", &["extend_tenant"]),
    ("tenant limits", &["limit_tenant", "show_tenant"]),
    ("tenant list", &["list_environments", "list_tenants"]),
    ("tenant pause", &["pause_tenant"]),
    ("tenant psql", &["show_tenant"]),
    ("tenant rename", &["rename_tenant", "show_operation", "list_events"]),
    ("tenant resume", &["resume_tenant"]),
    ("tenant rotate-roles", &["rotate_tenant_roles", "show_operation", "list_events"]),
    ("tenant set-profile", &["set_tenant_profile"]),
    ("tenant show", &["show_tenant"]),
    ("tenant suspend", &["suspend_tenant"]),
    ("tenant undelete", &["undelete_tenant"]),
    ("tenant url", &["show_tenant"]),
    ("version", &[]),
    ("webhook create", &["create_webhook"]),
    ("webhook delete", &["delete_webhook"]),
    ("webhook deliveries", &["list_webhook_deliveries"]),
    ("webhook list", &["list_webhooks"]),
    ("webhook listen", &[]),
    ("webhook replay", &["replay_webhook_delivery"]),
    ("webhook rotate", &["rotate_webhook"]),
    ("webhook test", &["test_webhook"]),
];

/// For load balancers, monitoring and readers of the description.
const FOR_MACHINES: [&str; 6] = ["explain_error", "healthz", "link", "metrics", "openapi", "readyz"];

/// Routes whose command is not there yet, and durable operations whose route is not: a line goes when what it waits for comes.
const NO_COMMAND_YET: [&str; 1] = ["show_approval"];
const NO_ROUTE_YET: [&str; 0] = [];

fn leaves(command: &clap::Command, words: &str, found: &mut BTreeSet<String>) {
    let mut below = command.get_subcommands().filter(|below| below.get_name() != "help").peekable();
    if below.peek().is_none() {
        found.insert(words.trim().to_owned());
    }
    for command in below {
        leaves(command, &format!("{words} {}", command.get_name()), found);
    }
}

#[test]
fn r26_every_command_is_a_call_of_the_api_and_every_call_of_the_api_a_command() {
    let mut commands = BTreeSet::new();
    leaves(&holm::cli::command(), "", &mut commands);
    let table: BTreeMap<String, &[&str]> = USES.iter().map(|(command, uses)| ((*command).to_owned(), *uses)).collect();
    assert_eq!(table.keys().cloned().collect::<BTreeSet<_>>(), commands);

    let description = serde_json::to_value(holm_api::openapi()).unwrap();
    let items = description["paths"].as_object().unwrap().values();
    let offered: BTreeSet<&str> =
        items.flat_map(|item| item.as_object().unwrap().values()).map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let used: BTreeSet<&str> = table.values().flat_map(|uses| uses.iter().copied()).chain(FOR_MACHINES).collect();
    assert_eq!(used.difference(&offered).collect::<Vec<_>>(), [&""; 0], "a command uses what is not there");
    assert_eq!(offered.difference(&used).copied().collect::<Vec<_>>(), NO_COMMAND_YET, "what no command does");
}

/// What the engine can do as a durable operation is asked for by a command of the same name: `tenant.delete`.
#[test]
fn r26_every_durable_operation_is_started_by_a_command_of_its_name() {
    let started = |kind: &&str| USES.iter().any(|(command, _)| *command == kind.replace('.', " "));
    let catalogue = holm_engine::operation::probe::catalogue();
    let missing: BTreeSet<&str> = catalogue.iter().map(|listed| listed.kind).filter(|kind| !started(kind)).collect();
    assert_eq!(missing, BTreeSet::from(NO_ROUTE_YET), "started by no command");
}
