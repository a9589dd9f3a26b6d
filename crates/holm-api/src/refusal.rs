//! What the API itself says no to, before anything is asked of the engine; each with what would have been accepted.

use holm_core::credential::Level;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::slug::{InvalidSlug, TenantSlug};

/// Reads a slug from a request.
///
/// # Errors
/// Why it is not one, with the nearest that is.
pub fn slug(text: &str) -> Result<TenantSlug, Problem> {
    text.parse().map_err(invalid_slug)
}

fn invalid_slug(invalid: InvalidSlug) -> Problem {
    let shown = invalid.text.escape_debug().to_string();
    let problem = Problem::new(ErrorCode::InvalidSlug, format!("`{shown}` is not a tenant slug")).because(invalid.refusal);
    match invalid.suggestion {
        Some(suggestion) => problem.next(format!("use `{suggestion}`")),
        None => problem.next("use a name of `a` to `z`, `0` to `9` and `-`, such as `goteborg`"),
    }
}

/// Reads the name of an environment from a request.
///
/// # Errors
/// It cannot be the name of one.
pub(crate) fn environment(text: &str) -> Result<EnvironmentName, Problem> {
    text.parse().map_err(|error| {
        Problem::new(ErrorCode::InvalidValue, "the environment cannot be read").because(error).next("list them: `holm env list`")
    })
}

/// Reads any other value from a request; `what` names it.
///
/// # Errors
/// The type's own reason.
pub(crate) fn value<T: std::str::FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::new(ErrorCode::InvalidValue, format!("the {what} cannot be used")).because(error))
}

/// Reads a credential's level from a request.
///
/// # Errors
/// It is not one of three words.
pub(crate) fn level(text: &str) -> Result<Level, Problem> {
    value("level", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_that_is_refused_says_why_and_what_would_do() {
        let refused = slug("Göteborg").unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidSlug);
        assert_eq!(refused.what, "`Göteborg` is not a tenant slug");
        assert_eq!(refused.why.as_deref(), Some("`G` is not one of `a` to `z`, `0` to `9` and `-`"));
        assert_eq!(refused.next, ["use `goteborg`"]);
        assert_eq!(
            slug("x'; DROP TABLE tenant; --\u{1b}[2J").unwrap_err().what,
            "`x\\'; DROP TABLE tenant; --\\u{1b}[2J` is not a tenant slug"
        );
    }
}
