//! What the server processes write to stderr, set by names that people know (R47): `LOG_LEVEL` is `info`, `debug`, `warn`
//! or `error`; `LOG_FORMAT` is `text` or `json`.
//!
//! Promises: a value that is not one of these stops the start, since a typing slip must not silence errors.

use std::ffi::OsString;
use std::io::IsTerminal;

use holm_core::error::{ErrorCode, Problem};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    level: LevelFilter,
    format: Format,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

impl Logging {
    /// Reads `LOG_LEVEL` and `LOG_FORMAT`.
    ///
    /// # Errors
    /// One of them is set to something else.
    pub fn from_env() -> Result<Self, Problem> {
        Self::read(std::env::var_os("LOG_LEVEL"), std::env::var_os("LOG_FORMAT"))
    }

    fn read(level: Option<OsString>, format: Option<OsString>) -> Result<Self, Problem> {
        let level = match text(level.as_ref()) {
            None | Some("info") => LevelFilter::INFO,
            Some("debug") => LevelFilter::DEBUG,
            Some("warn") => LevelFilter::WARN,
            Some("error") => LevelFilter::ERROR,
            Some(other) => return Err(unknown("LOG_LEVEL", other, "`info`, `debug`, `warn`, `error`")),
        };
        let format = match text(format.as_ref()) {
            None | Some("text") => Format::Text,
            Some("json") => Format::Json,
            Some(other) => return Err(unknown("LOG_FORMAT", other, "`text`, `json`")),
        };
        Ok(Self { level, format })
    }

    /// Begins to log, for the rest of the process. A second call changes nothing.
    pub fn start(self) {
        // Others' debugging is not ours: it may show what they were given, secrets included.
        let others = self.level.min(LevelFilter::WARN);
        // The catalog's pool tells of every connection that ends; the store reports what that meant for a request.
        let ours = Targets::new()
            .with_default(others)
            .with_target("deadpool", LevelFilter::OFF)
            .with_targets(TARGETS.map(|target| (target, self.level)));
        let registry = tracing_subscriber::registry().with(ours);
        let started = match self.format {
            Format::Json => registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init(),
            Format::Text => registry.with(fmt::layer().with_ansi(colour()).with_writer(std::io::stderr)).try_init(),
        };
        drop(started);
    }
}

/// Our own crates, as targets of log events.
const TARGETS: [&str; 9] =
    ["holm", "holm_api", "holm_engine", "holm_link", "holm_migrate", "holm_pgwire", "holm_postgres", "holm_proxy", "holm_store"];

/// `NO_COLOR` (no-color.org) when set to anything, else whether a terminal reads it.
fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stderr().is_terminal()
}

/// A variable that is set to nothing counts as not set, as in `LOG_LEVEL= holm dev`.
fn text(value: Option<&OsString>) -> Option<&str> {
    value.filter(|value| !value.is_empty()).map(|value| value.to_str().unwrap_or("text that is not UTF-8"))
}

fn unknown(variable: &str, value: &str, accepted: &str) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, format!("`{variable}={}` is not known", value.escape_debug()))
        .because(format_args!("it is one of {accepted}"))
        .next(format!("unset it, or set it to one of {accepted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(value: Option<&str>) -> Result<LevelFilter, ErrorCode> {
        Logging::read(value.map(OsString::from), None).map(|logging| logging.level).map_err(|problem| problem.code)
    }

    #[test]
    fn r47_log_level_has_four_words_info_is_the_default_and_any_other_stops_the_start() {
        assert_eq!(level(None), Ok(LevelFilter::INFO));
        assert_eq!(level(Some("")), Ok(LevelFilter::INFO));
        assert_eq!(level(Some("info")), Ok(LevelFilter::INFO));
        assert_eq!(level(Some("debug")), Ok(LevelFilter::DEBUG));
        assert_eq!(level(Some("warn")), Ok(LevelFilter::WARN));
        assert_eq!(level(Some("error")), Ok(LevelFilter::ERROR));
        for unknown in ["trace", "INFO", "warning", "off", "info ", "debug,hyper=trace", "\u{1b}[2J"] {
            assert_eq!(level(Some(unknown)), Err(ErrorCode::InvalidConfig), "{unknown}");
        }
    }

    #[test]
    fn r47_the_refusal_names_the_variable_and_the_words_that_it_takes() {
        let problem = Logging::read(Some("verbose".into()), None).unwrap_err();
        assert_eq!(problem.what, "`LOG_LEVEL=verbose` is not known");
        assert_eq!(problem.why.as_deref(), Some("it is one of `info`, `debug`, `warn`, `error`"));
    }

    #[test]
    fn log_format_is_text_or_json() {
        let format = |value: Option<&str>| Logging::read(None, value.map(OsString::from)).map(|logging| logging.format);
        assert_eq!(format(None).unwrap(), Format::Text);
        assert_eq!(format(Some("json")).unwrap(), Format::Json);
        assert_eq!(format(Some("yaml")).unwrap_err().code, ErrorCode::InvalidConfig);
    }
}
