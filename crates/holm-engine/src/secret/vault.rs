//! A master key that never leaves Vault or OpenBao: their transit engine wraps and unwraps data keys.
//!
//! Promises: a deadline on every request; the token is read anew for each from its file, since an agent renews it; a
//! version of the key is named on every write, so that what Vault rotates by itself changes nothing here. Refuses redirects:
//! the token would go along.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_core::error::{ErrorCode, Problem};
use holm_core::key::MasterKeyId;
use holm_core::secret::Secret;
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

/// A request of a thousand keys takes Vault some tens of milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Vault takes bodies of 32 MiB; a key is some hundred bytes of it.
const BATCH_MAX: usize = 1000;

/// Where the token is.
#[derive(Clone, Debug)]
pub enum VaultToken {
    /// Here.
    Given(Secret<String>),
    /// In a file, as an agent keeps it.
    File(PathBuf),
}

/// Which key of which Vault.
#[derive(Clone, Debug)]
pub struct VaultConfig {
    /// `https://vault.internal:8200`.
    pub address: String,
    /// Where the transit engine is mounted: `transit`.
    pub mount: String,
    /// The key's name.
    pub key: String,
    /// What signs in.
    pub token: VaultToken,
    /// Vault Enterprise's and OpenBao's namespace.
    pub namespace: Option<String>,
}

/// A transit key.
#[derive(Clone, Debug)]
pub(crate) struct Vault {
    config: VaultConfig,
    http: Client,
}

/// What was made of one item of a request; the text says why it could not be.
pub(crate) type Each = Result<Secret<Vec<u8>>, String>;

#[derive(Deserialize)]
struct Answer {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<String>,
}

impl Vault {
    /// # Errors
    /// [`ErrorCode::InvalidConfig`] for an address or a name that cannot be used.
    pub(crate) fn new(config: VaultConfig) -> Result<Self, Problem> {
        let plain = |name: &str| !name.is_empty() && name.split('/').all(|part| !matches!(part, "" | "." | "..")) && is_plain(name);
        if !plain(&config.mount) || !plain(&config.key) || config.key.contains('/') {
            return Err(Problem::new(ErrorCode::InvalidConfig, "the name of the Vault key or of its mount cannot be used")
                .next("name them with letters, digits, `-`, `_` and `.`, as `vault write -f transit/keys/holm` does"));
        }
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Problem::new(ErrorCode::InvalidConfig, "TLS towards Vault cannot be set up").because(error))?;
        let vault = Self { config, http };
        let address = &vault.config.address;
        let usable = reqwest::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if usable {
            Ok(vault)
        } else {
            Err(Problem::new(ErrorCode::InvalidConfig, "`VAULT_ADDR` is not a URL").next("write it as `https://vault.internal:8200`"))
        }
    }

    /// What a version of the key is called here.
    pub(crate) fn name(&self, version: u64) -> MasterKeyId {
        format!("{}/{}/v{version}", self.config.mount, self.config.key).parse().expect("mount and key were checked when they were read")
    }

    /// Which version of this key a name means, if it means this key.
    pub(crate) fn version_of(&self, id: &MasterKeyId) -> Option<u64> {
        let rest = id.as_str().strip_prefix(&*self.config.mount)?.strip_prefix('/')?.strip_prefix(&*self.config.key)?;
        rest.strip_prefix("/v")?.parse().ok()
    }

    /// The newest version that Vault has.
    ///
    /// # Errors
    /// Vault does not answer, does not allow it, or has no such key.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub(crate) async fn newest(&self) -> Result<u64, Problem> {
        let data = self.call(Method::GET, "keys", None).await?;
        data["latest_version"].as_u64().ok_or_else(|| self.strange("it names no version"))
    }

    /// Makes a new version.
    ///
    /// # Errors
    /// As [`Self::newest`].
    ///
    /// # Cancel safety
    /// Safe: a version that nobody uses does no harm.
    pub(crate) async fn rotate(&self) -> Result<u64, Problem> {
        let path = format!("keys/{}/rotate", self.config.key);
        self.send(Method::POST, &path, Some(json!({}))).await?;
        self.newest().await
    }

    /// Wraps with one version.
    ///
    /// # Errors
    /// As [`Self::newest`]; all or nothing.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn encrypt(&self, version: u64, plain: &[Secret<Vec<u8>>]) -> Result<Vec<Each>, Problem> {
        let item = |plain: &Secret<Vec<u8>>| json!({ "plaintext": STANDARD.encode(plain.expose()), "key_version": version });
        self.batches("encrypt", plain, item, |answer| Some(answer["ciphertext"].as_str()?.as_bytes().to_vec())).await
    }

    /// Unwraps, whatever the version.
    ///
    /// # Errors
    /// As [`Self::newest`]; what Vault refuses to open is an error of its own item.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn decrypt(&self, wrapped: &[&[u8]]) -> Result<Vec<Each>, Problem> {
        let item = |wrapped: &&[u8]| json!({ "ciphertext": String::from_utf8_lossy(wrapped) });
        self.batches("decrypt", wrapped, item, |answer| STANDARD.decode(answer["plaintext"].as_str()?).ok()).await
    }

    /// Wraps anew with one version, without the keys leaving Vault.
    ///
    /// # Errors
    /// As [`Self::decrypt`].
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn rewrap(&self, version: u64, wrapped: &[&[u8]]) -> Result<Vec<Each>, Problem> {
        let item = |wrapped: &&[u8]| json!({ "ciphertext": String::from_utf8_lossy(wrapped), "key_version": version });
        self.batches("rewrap", wrapped, item, |answer| Some(answer["ciphertext"].as_str()?.as_bytes().to_vec())).await
    }

    async fn batches<T>(
        &self,
        act: &str,
        items: &[T],
        item: impl Fn(&T) -> Value,
        read: impl Fn(&Value) -> Option<Vec<u8>>,
    ) -> Result<Vec<Each>, Problem> {
        let mut done = Vec::with_capacity(items.len());
        for batch in items.chunks(BATCH_MAX) {
            let body = json!({ "batch_input": batch.iter().map(&item).collect::<Vec<_>>() });
            let data = self.call(Method::POST, act, Some(body)).await?;
            let results = data["batch_results"].as_array().filter(|results| results.len() == batch.len());
            for result in results.ok_or_else(|| self.strange("it does not answer for every key"))? {
                let error = result["error"].as_str().filter(|error| !error.is_empty());
                done.push(match (error, read(result)) {
                    (None, Some(bytes)) => Ok(Secret::new(bytes)),
                    (error, _) => Err(error.unwrap_or("no answer for it").to_owned()),
                });
            }
        }
        Ok(done)
    }

    async fn call(&self, method: Method, act: &str, body: Option<Value>) -> Result<Value, Problem> {
        let path = format!("{act}/{}", self.config.key);
        self.send(method, &path, body).await?.ok_or_else(|| self.strange("its answer has no data"))
    }

    /// API of the transit secrets engine: developer.hashicorp.com/vault/api-docs/secret/transit; OpenBao's is the same.
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Option<Value>, Problem> {
        let url = format!("{}/v1/{}/{path}", self.config.address.trim_end_matches('/'), self.config.mount);
        let token = self.token()?;
        let mut header =
            reqwest::header::HeaderValue::from_str(token.expose().trim()).map_err(|_| no_token("it has characters that no token has"))?;
        header.set_sensitive(true);
        let mut request = self.http.request(method, url).header("X-Vault-Token", header).header("X-Vault-Request", "true");
        if let Some(namespace) = &self.config.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.map_err(|error| self.silent(&error))?;
        let status = response.status();
        let body = Secret::new(response.bytes().await.map_err(|error| self.silent(&error))?.to_vec());
        let answer = serde_json::from_slice::<Answer>(body.expose()).unwrap_or(Answer { data: None, errors: Vec::new() });
        // Vault answers 400 to a batch of which one item failed, with all the results.
        let whole = status.is_success() || answer.data.as_ref().is_some_and(|data| data["batch_results"].is_array());
        if whole { Ok(answer.data) } else { Err(self.refused(status, &answer.errors)) }
    }

    fn token(&self) -> Result<Secret<String>, Problem> {
        match &self.config.token {
            VaultToken::Given(token) => Ok(token.clone()),
            VaultToken::File(path) => std::fs::read_to_string(path)
                .map(Secret::new)
                .map_err(|error| no_token(format_args!("`{}` cannot be read: {error}", path.display()))),
        }
    }

    fn silent(&self, error: &reqwest::Error) -> Problem {
        let why = if error.is_timeout() { "it has not answered in time" } else { "the connection failed" };
        self.unavailable().because(why).next("check that Vault runs and that `VAULT_ADDR` is where it listens")
    }

    fn strange(&self, why: &str) -> Problem {
        self.unavailable().because(why).next("check that `VAULT_ADDR` is a Vault or OpenBao, and its transit engine is mounted there")
    }

    fn refused(&self, status: StatusCode, errors: &[String]) -> Problem {
        let said =
            errors.first().map_or_else(|| format!("it answers {status}"), |error| format!("it answers {}: {error}", status.as_u16()));
        let missing = status == StatusCode::NOT_FOUND || errors.iter().any(|error| error.contains("key not found"));
        if missing {
            let what = format!("Vault has no transit key `{}` under `{}`", self.config.key, self.config.mount);
            return Problem::new(ErrorCode::WrongMasterKey, what)
                .because(said)
                .next("restore the key in Vault from its backup; a new key of that name cannot open what the old one wrapped");
        }
        let step = match status {
            StatusCode::FORBIDDEN => "give the token a policy that allows it: see docs/how-to/keys.md",
            StatusCode::SERVICE_UNAVAILABLE => "unseal Vault, or wait until it has a leader",
            _ => "see Vault's own log",
        };
        self.unavailable().because(said).next(step)
    }

    fn unavailable(&self) -> Problem {
        Problem::new(ErrorCode::MasterKeyUnavailable, format!("the master key in Vault at `{}` cannot be used now", self.config.address))
    }
}

fn is_plain(name: &str) -> bool {
    name.len() <= 100 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
}

fn no_token(why: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::MasterKeyUnavailable, "there is no token for Vault")
        .because(why)
        .next("set `VAULT_TOKEN`, or `HOLM_VAULT_TOKEN_FILE` to the file where an agent keeps one")
}
