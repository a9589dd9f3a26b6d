//! PostgreSQL parameters that a tenant may have of its own (R79), as a closed list.
//!
//! Promises: a parameter here can neither widen what a session may do nor change what another tenant has. Refuses
//! everything else by name, so that a new PostgreSQL version cannot open a door.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Set at session start, by the proxy, before the app's own parameters.
const ALLOWED: &[&str] = &[
    "default_transaction_isolation",
    "effective_io_concurrency",
    "enable_hashjoin",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_seqscan",
    "idle_in_transaction_session_timeout",
    "jit",
    "lock_timeout",
    "maintenance_work_mem",
    "random_page_cost",
    "statement_timeout",
    "work_mem",
];

/// 256 bytes hold any value of the list many times over, and keep the startup packet small.
const VALUE_LENGTH_MAX: usize = 256;

/// One parameter and its value, as a startup packet carries them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "RawParameter")]
pub struct TenantParameter {
    name: Box<str>,
    value: Box<str>,
}

#[derive(Deserialize)]
struct RawParameter {
    name: String,
    value: String,
}

/// Why a parameter is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParameter {
    /// Not on the list.
    #[error("`{}` is not a parameter that a tenant may set: one of {}", .0.escape_debug(), ALLOWED.join(", "))]
    Name(String),
    /// Empty, too long or with a control character.
    #[error("the value of `{0}` must have 1 to {VALUE_LENGTH_MAX} bytes and no control character")]
    Value(String),
}

impl TenantParameter {
    /// Checks a name and a value; whether PostgreSQL accepts the value is PostgreSQL's to say.
    ///
    /// # Errors
    /// A name that is not on the list, or a value that cannot stand in a startup packet.
    pub fn new(name: &str, value: &str) -> Result<Self, InvalidParameter> {
        if !ALLOWED.contains(&name) {
            return Err(InvalidParameter::Name(name.chars().take(80).collect()));
        }
        if value.is_empty() || value.len() > VALUE_LENGTH_MAX || value.chars().any(char::is_control) {
            return Err(InvalidParameter::Value(name.to_owned()));
        }
        Ok(Self { name: name.into(), value: value.into() })
    }

    /// PostgreSQL's name for it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, in PostgreSQL's syntax for it.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl TryFrom<RawParameter> for TenantParameter {
    type Error = InvalidParameter;

    fn try_from(raw: RawParameter) -> Result<Self, InvalidParameter> {
        Self::new(&raw.name, &raw.value)
    }
}

impl fmt::Display for TenantParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r79_a_tenant_may_tune_itself_and_nothing_that_reaches_further() {
        assert!(TenantParameter::new("work_mem", "8MB").is_ok());
        for name in ["session_preload_libraries", "role", "search_path", "log_statement", "WORK_MEM", ""] {
            assert!(matches!(TenantParameter::new(name, "x"), Err(InvalidParameter::Name(_))), "{name}");
        }
        for value in ["", "8MB\0", "8MB\nx", &"9".repeat(257)] {
            assert!(matches!(TenantParameter::new("work_mem", value), Err(InvalidParameter::Value(_))), "{value:?}");
        }
    }

    #[test]
    fn the_reference_lists_every_parameter() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/startup-parameters.md");
        let page = std::fs::read_to_string(page).unwrap();
        for name in ALLOWED {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
