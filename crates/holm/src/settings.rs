//! How the command line finds its server: a URL with a token, or the directory of a `holm dev`.
//!
//! Promises: flag before environment before `.holm` upwards; a token goes only to the server that it was given for. Refuses
//! a `.holm` above that somebody else could have planted, since its `endpoints.json` says whom to send what file to.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use serde::Deserialize;

/// The directory that `holm dev` makes and that is looked for upwards.
pub(crate) const DIRECTORY: &str = ".holm";

/// What was said about the server, by flags and by the environment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    /// `--url`
    pub(crate) url_flag: Option<String>,
    /// `--token-file`
    pub(crate) token_file_flag: Option<PathBuf>,
    /// `--dir`
    pub(crate) directory_flag: Option<PathBuf>,
    /// `HOLM_URL`
    pub(crate) url: Option<String>,
    /// `HOLM_TOKEN`
    pub(crate) token: Option<String>,
    /// `HOLM_TOKEN_FILE`
    pub(crate) token_file: Option<PathBuf>,
    /// `HOLM_DIR`
    pub(crate) directory: Option<PathBuf>,
}

impl Given {
    /// Adds what the environment says. A variable that is set to nothing counts as not set.
    #[must_use]
    pub(crate) fn with_environment(mut self) -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        self.url = text("HOLM_URL");
        self.token = text("HOLM_TOKEN");
        self.token_file = text("HOLM_TOKEN_FILE").map(PathBuf::from);
        self.directory = text("HOLM_DIR").map(PathBuf::from);
        self
    }

    /// The directory for `holm dev`: where it was said, else `.holm` here.
    pub(crate) fn dev_directory(&self) -> PathBuf {
        self.directory_flag.clone().or_else(|| self.directory.clone()).unwrap_or_else(|| PathBuf::from(DIRECTORY))
    }
}

/// A server to talk to.
#[derive(Debug)]
pub(crate) struct Server {
    /// `http://127.0.0.1:8400`, without a slash at its end.
    pub(crate) url: String,
    /// What is sent as the bearer token.
    pub(crate) token: Secret<String>,
    /// The directory of the `holm dev` that it belongs to.
    pub(crate) directory: Option<PathBuf>,
    /// Where its parts listen, where that is known.
    pub(crate) endpoints: Option<Endpoints>,
}

/// What the command line reads of `endpoints.json`, as `holm dev` writes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Endpoints {
    pub(crate) proxy: String,
    pub(crate) api: String,
    pub(crate) token_file: PathBuf,
}

/// Finds the server that is meant.
///
/// # Errors
/// None is, or what was said about it cannot be used.
pub(crate) fn find(given: &Given, working_directory: &Path) -> Result<Server, Problem> {
    match (&given.url_flag, &given.directory_flag, &given.url, &given.directory) {
        (Some(url), ..) | (None, None, Some(url), _) => by_url(url, given),
        (None, Some(directory), ..) | (None, None, None, Some(directory)) => by_directory(directory),
        (None, None, None, None) => by_directory(&upwards(working_directory)?),
    }
}

fn by_url(url: &str, given: &Given) -> Result<Server, Problem> {
    let unusable = |why: &str| {
        let problem = Problem::new(ErrorCode::InvalidValue, "the server's URL cannot be used").because(why);
        problem.next("write it as `https://holm.example.com` or `http://127.0.0.1:8400`")
    };
    let parsed = reqwest::Url::parse(url).map_err(|error| unusable(&error.to_string()))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(unusable("it is neither `http` nor `https`"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(unusable("it has more than a host, a port and a path"));
    }
    let url = parsed.as_str().trim_end_matches('/').to_owned();
    Ok(Server { url, token: given_token(given)?, directory: None, endpoints: None })
}

fn given_token(given: &Given) -> Result<Secret<String>, Problem> {
    match (&given.token_file_flag, &given.token, &given.token_file) {
        (Some(path), ..) | (None, None, Some(path)) => token_in(path),
        (None, Some(token), _) => sendable(token, "`HOLM_TOKEN`"),
        (None, None, None) => Err(Problem::new(ErrorCode::NotSignedIn, "no token was given for the server")
            .next("set `HOLM_TOKEN_FILE` (or `HOLM_TOKEN`) beside `HOLM_URL`, or give `--token-file`")),
    }
}

fn token_in(path: &Path) -> Result<Secret<String>, Problem> {
    let text = fs::read_to_string(path).map_err(|error| {
        Problem::new(ErrorCode::NotSignedIn, format!("the token in `{}` cannot be read", path.display())).because(error)
    })?;
    sendable(&text, &format!("`{}`", path.display()))
}

/// A token as a header can carry it (RFC 6750, section 2.1, and then some).
fn sendable(text: &str, origin: &str) -> Result<Secret<String>, Problem> {
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(
            Problem::new(ErrorCode::NotSignedIn, format!("{origin} holds no token")).because("a token is one line of letters and digits")
        );
    }
    Ok(Secret::new(token.to_owned()))
}

fn by_directory(directory: &Path) -> Result<Server, Problem> {
    let file = directory.join("endpoints.json");
    let text = fs::read_to_string(&file).map_err(|error| not_running(directory, &error))?;
    let endpoints: Endpoints = serde_json::from_str(&text).map_err(|error| {
        Problem::new(ErrorCode::InvalidConfig, format!("`{}` is not as `holm dev` writes it", file.display())).because(error)
    })?;
    let token = token_in(&endpoints.token_file)?;
    let url = format!("http://{}", crate::proxy_url::reachable(&endpoints.api));
    Ok(Server { url, token, directory: Some(directory.to_owned()), endpoints: Some(endpoints) })
}

fn not_running(directory: &Path, error: &std::io::Error) -> Problem {
    let problem = Problem::new(ErrorCode::ServerNotFound, format!("no Holm server runs in `{}`", directory.display()));
    if error.kind() != std::io::ErrorKind::NotFound {
        return problem.because(format_args!("its `endpoints.json` cannot be read: {error}"));
    }
    problem
        .because("it has no `endpoints.json`, which is there while one runs")
        .next(format!("start it: `holm dev --dir {}`", directory.display()))
}

/// The nearest `.holm` from here upwards.
fn upwards(from: &Path) -> Result<PathBuf, Problem> {
    let found = from.ancestors().map(|above| above.join(DIRECTORY)).find(|candidate| candidate.is_dir());
    let Some(found) = found else {
        return Err(Problem::new(ErrorCode::ServerNotFound, "no Holm server was found")
            .because(format_args!("neither here nor above is a `{DIRECTORY}`, and neither `HOLM_DIR` nor `HOLM_URL` is set"))
            .next("start one here: `holm dev --demo`")
            .next("or say where one is: `export HOLM_URL=https://… HOLM_TOKEN_FILE=…`"));
    };
    refuse_planted(&found)?;
    Ok(found)
}

/// As git does with `safe.directory`: what was not asked for by name must be the user's own (or root's).
fn refuse_planted(directory: &Path) -> Result<(), Problem> {
    let refused = |why: String| {
        Problem::new(ErrorCode::ServerNotFound, format!("`{}` is not used", directory.display()))
            .because(why)
            .next(format!("name it if you trust it: `--dir {}`", directory.display()))
    };
    let metadata = fs::metadata(directory).map_err(|error| refused(error.to_string()))?;
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user && metadata.uid() != 0 {
        return Err(refused(format!("it belongs to user {} and not to you", metadata.uid())));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(refused(format!("others may write to it (mode {:04o})", metadata.mode() & 0o7777)));
    }
    Ok(())
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
