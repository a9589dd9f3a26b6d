//! The table, cell by cell, and what a token takes away from it.

use super::*;

/// Every role, permission and kind of place: a new word changes this snapshot, so that it is decided on and not forgotten.
#[test]
fn r61_the_table_of_roles_and_permissions_changes_only_on_purpose() {
    let mut table = format!("{:<33}", "permission");
    for role in Role::ALL {
        table += &format!("{:<11}", role.as_str());
    }
    table = format!("{}\n", table.trim_end());
    for permission in Permission::ALL {
        let mut line = format!("{:<33}", permission.as_str());
        for role in Role::ALL {
            let cell = match [Care::Production, Care::Other].map(|care| allows(*role, *permission, care)) {
                [true, true] => "yes",
                [false, true] => "not prod",
                [true, false] => "only prod",
                [false, false] => "-",
            };
            line += &format!("{cell:<11}");
        }
        table += &format!("{}\n", line.trim_end());
    }
    insta::assert_snapshot!(table);
}

#[test]
fn r61_each_role_is_what_its_description_says() {
    let has = |role, permission| allows(role, permission, Care::Production);
    for &permission in Permission::ALL {
        assert!(has(Role::Admin, permission), "admin: {permission}");
        if has(Role::Viewer, permission) {
            assert!(Role::ALL.iter().all(|role| has(*role, permission)), "whoever may anything may look: {permission}");
        }
        if allows(Role::Support, permission, Care::Production) {
            assert!(has(Role::Operator, permission), "support is no more than an operator: {permission}");
        }
    }
    assert!(!has(Role::Support, Permission::IssueCredentials) && !has(Role::Privacy, Permission::IssueCredentials), "no secrets");
    assert!(has(Role::Privacy, Permission::ReadAudit) && has(Role::Privacy, Permission::ExportAudit));
    for role in [Role::Viewer, Role::Support, Role::Operator, Role::Privacy] {
        assert!(!has(role, Permission::ManageAccess), "{role} could make itself admin");
    }
}

fn name(text: &str) -> EnvironmentName {
    text.parse().unwrap()
}

fn held(role: Role, environment: Option<&str>) -> Held {
    Held { role, environment: environment.map(name) }
}

#[test]
fn r61_a_role_in_one_environment_is_none_in_another_and_none_in_the_installation() {
    let (production, staging) = (name("production"), name("staging"));
    let roles = [held(Role::Admin, Some("staging"))];
    let open = TokenScope::default();
    let ask = |permission, place| decide(&roles, &open, permission, place);
    let here = Place::Environment(&staging, Some(EnvironmentKind::Staging));
    assert_eq!(ask(Permission::ChangeTenants, here), Decision::Granted { role: Role::Admin });
    for place in [Place::Environment(&production, Some(EnvironmentKind::Production)), Place::Installation] {
        assert_eq!(ask(Permission::ReadTenants, place), Decision::Denied { why: Why::NoRoleHere });
    }
    let nobody = decide(&[], &open, Permission::ReadTenants, here);
    assert_eq!(nobody, Decision::Denied { why: Why::NoRoleHere });
    let everywhere = [held(Role::Viewer, None), held(Role::Operator, Some("staging"))];
    assert_eq!(decide(&everywhere, &open, Permission::ChangeTenants, here), Decision::Granted { role: Role::Operator });
    let denied = decide(&everywhere, &open, Permission::ChangeTenants, Place::Environment(&production, None));
    assert_eq!(denied, Decision::Denied { why: Why::NoRoleHasIt });
    assert_eq!(decide(&everywhere, &open, Permission::ReadDoctor, Place::Installation), Decision::Granted { role: Role::Viewer });
}

#[test]
fn a_token_never_gives_more_than_its_principal_has_and_its_scope_takes_away() {
    let (production, staging) = (name("production"), name("staging"));
    let roles = [held(Role::Admin, None)];
    let of_staging = TokenScope { environment: Some(staging.clone()), role: None };
    let at = |place| decide(&roles, &of_staging, Permission::ReadTenants, place);
    assert_eq!(at(Place::Environment(&staging, None)), Decision::Granted { role: Role::Admin });
    assert_eq!(at(Place::Environment(&production, None)), Decision::Denied { why: Why::TokenElsewhere });
    assert_eq!(at(Place::Installation), Decision::Denied { why: Why::TokenElsewhere });
    let capped = TokenScope { environment: None, role: Some(Role::Viewer) };
    let denied = decide(&roles, &capped, Permission::ChangeTenants, Place::Environment(&staging, None));
    assert_eq!(denied, Decision::Denied { why: Why::TokenCapped { role: Role::Viewer } });
    let cap_is_no_grant = TokenScope { environment: None, role: Some(Role::Admin) };
    let viewer = [held(Role::Viewer, None)];
    let denied = decide(&viewer, &cap_is_no_grant, Permission::ChangeTenants, Place::Environment(&staging, None));
    assert_eq!(denied, Decision::Denied { why: Why::NoRoleHasIt });
}

#[test]
fn an_environment_that_is_not_known_counts_as_production() {
    let unknown = name("unheard-of");
    assert_eq!(Place::Environment(&unknown, None).care(), Care::Production);
    let roles = [held(Role::Operator, None)];
    let denied = decide(&roles, &TokenScope::default(), Permission::ManageEnvironments, Place::Environment(&unknown, None));
    assert_eq!(denied, Decision::Denied { why: Why::NoRoleHasIt });
}
