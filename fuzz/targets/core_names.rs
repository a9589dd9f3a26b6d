//! Names of environments, clusters, credentials, databases and roles, and how a name gets into SQL.

#![no_main]

use holm_core::cluster::ClusterName;
use holm_core::credential::CredentialName;
use holm_core::environment::EnvironmentName;
use holm_core::parameter::TenantParameter;
use holm_core::role::{DatabaseName, IDENTIFIER_LENGTH_MAX};
use holm_migrate::statements::split;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let plain = |read: Option<String>| {
        if let Some(read) = read {
            assert_eq!(read, text);
            assert!(read.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_')));
        }
    };
    plain(text.parse::<EnvironmentName>().ok().map(String::from));
    plain(text.parse::<ClusterName>().ok().map(String::from));
    plain(text.parse::<CredentialName>().ok().map(String::from));
    if let Some((name, value)) = text.split_once('=')
        && let Ok(parameter) = TenantParameter::new(name, value)
    {
        assert_eq!((parameter.name(), parameter.value()), (name, value));
    }
    let Ok(name) = text.parse::<DatabaseName>() else { return };
    assert!(name.as_str().len() <= IDENTIFIER_LENGTH_MAX);
    let quoted = name.as_ident().to_string();
    let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("it is quoted");
    assert_eq!(inside.replace("\"\"", "\""), text);
    // Nothing in a name can end the statement that it is in.
    let sql = format!("DROP DATABASE {quoted}");
    let statements = split(&sql).expect("a quoted name is closed");
    assert!(statements.len() == 1 && statements[0].text == sql);
});
