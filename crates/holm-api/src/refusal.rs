//! What the API itself says no to, before anything is asked of the engine; each with what would have been accepted.

use std::time::Duration;

use holm_core::audit::Reason;
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

/// Reads a span of time from a request: `30d`, `12h`, `90m`, `45s`, or `0`.
///
/// # Errors
/// It is none; `what` names it.
pub fn span(what: &str, text: &str) -> Result<Duration, Problem> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(24 * 3600),
        "w" => Some(7 * 24 * 3600),
        "" if number == "0" => Some(1),
        _ => None,
    };
    let span = seconds.and_then(|unit: u64| number.parse::<u64>().ok()?.checked_mul(unit)).map(Duration::from_secs);
    let shown: String = text.chars().take(20).flat_map(char::escape_debug).collect();
    span.ok_or_else(|| {
        Problem::new(ErrorCode::InvalidValue, format!("the {what} `{shown}` is not a span of time"))
            .next("write it as `30d`, `12h`, `90m` or `0`")
    })
}

/// Reads a reason from a request.
///
/// # Errors
/// It has no text, or more than anybody reads.
pub(crate) fn reason(text: &str) -> Result<Reason, Problem> {
    value("reason", text).map_err(|problem| problem.next("say why in a sentence; leave out names of people"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_number_and_a_unit_and_only_nothing_has_none() {
        for (text, seconds) in [("0", 0), ("0s", 0), ("45s", 45), ("90m", 5400), ("12h", 43200), ("30d", 2_592_000), ("2w", 1_209_600)] {
            assert_eq!(span("grace", text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "30", "d", "-1d", "1.5h", "1 d", "30D", "1h30m", "99999999999999999999d", "18446744073709551615w", "\u{0}"] {
            assert_eq!(span("grace", text).unwrap_err().code, ErrorCode::InvalidValue, "{text}");
        }
    }

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
