//! A small Vault: the transit engine's documented JSON over HTTP, with keys that have versions and really encrypt.
//!
//! Promises: what it answers, and with which status, is what Vault and OpenBao document and do: a batch of which one item
//! failed is 400 with all results, a key that is not there is `encryption key not found`. Refuses everything else with 404.
//! Source: developer.hashicorp.com/vault/api-docs/secret/transit; builtin/logical/transit in Vault and OpenBao.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// The token that it knows.
pub const TOKEN: &str = "hvs.a-token-of-the-test-vault";

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VaultFault {
    /// Nothing.
    None,
    /// It is sealed.
    Sealed,
    /// The token's policy allows nothing.
    Denied,
    /// It answers late.
    Slow(Duration),
}

struct State {
    /// Versions of each key, the first being 1.
    keys: HashMap<String, Vec<[u8; 32]>>,
    fault: VaultFault,
    requests: Vec<String>,
}

/// The server; gone when dropped.
#[derive(Debug)]
pub struct TestVault {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("fault", &self.fault).finish_non_exhaustive()
    }
}

impl Drop for TestVault {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl TestVault {
    /// Listens on a free port of 127.0.0.1, its transit engine mounted at `transit` with one key of one version.
    ///
    /// # Errors
    /// No port could be listened on.
    pub async fn start(key: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let keys = HashMap::from([(key.to_owned(), vec![new_key()])]);
        let state = Arc::new(Mutex::new(State { keys, fault: VaultFault::None, requests: Vec::new() }));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, state, accepting })
    }

    /// Where it listens, as `VAULT_ADDR` says it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets what goes wrong from now on.
    pub fn set(&self, fault: VaultFault) {
        self.state().fault = fault;
    }

    /// As `vault write -f transit/keys/<key>/rotate`.
    pub fn rotate(&self, key: &str) {
        self.state().keys.get_mut(key).expect("the key is there").push(new_key());
    }

    /// As `vault delete transit/keys/<key>`.
    pub fn delete(&self, key: &str) {
        self.state().keys.remove(key);
    }

    /// The requests so far, as `POST transit/encrypt/holm`.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers one request after the other, as HTTP/1.1 has it.
async fn serve(mut client: TcpStream, state: Arc<Mutex<State>>) {
    let (read, mut write) = client.split();
    let mut read = BufReader::new(read);
    while let Ok(Some((line, token, body))) = request(&mut read).await {
        let fault = state.lock().unwrap_or_else(PoisonError::into_inner).fault;
        if let VaultFault::Slow(late) = fault {
            sleep(late).await;
        }
        let (status, answer) = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let path = line.split(' ').nth(1).unwrap_or_default().trim_start_matches("/v1/").to_owned();
            let method = line.split(' ').next().unwrap_or_default().to_owned();
            state.requests.push(format!("{method} {path}"));
            answer(&mut state, &method, &path, &token, &body)
        };
        let text = answer.to_string();
        let head = format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", text.len());
        if write.write_all(head.as_bytes()).await.is_err() || write.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The request line, the token, the body.
async fn request(read: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Option<(String, String, Value)>> {
    let (mut line, mut token, mut length) = (String::new(), String::new(), 0);
    if read.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    loop {
        let mut header = String::new();
        read.read_line(&mut header).await?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "x-vault-token" => value.trim().clone_into(&mut token),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body).await?;
    Ok(Some((line, token, serde_json::from_slice(&body).unwrap_or(Value::Null))))
}

fn answer(state: &mut State, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let errors = |status: u16, error: &str| (status, json!({ "errors": [error] }));
    if state.fault == VaultFault::Sealed {
        return errors(503, "Vault is sealed");
    }
    if state.fault == VaultFault::Denied || token != TOKEN {
        return errors(403, "permission denied");
    }
    let parts: Vec<&str> = path.split('/').collect();
    let (act, name) = match (method, parts.as_slice()) {
        ("GET", ["transit", "keys", name]) => ("read", *name),
        ("POST", ["transit", "keys", name, "rotate"]) => ("rotate", *name),
        ("POST", ["transit", act @ ("encrypt" | "decrypt" | "rewrap"), name]) => (*act, *name),
        _ => return (404, json!({ "errors": [] })),
    };
    let Some(versions) = state.keys.get_mut(name) else {
        // Reading a key that is not there is an empty 404; using it is an error.
        return if act == "read" { (404, json!({ "errors": [] })) } else { errors(400, "encryption key not found") };
    };
    match act {
        "read" => (
            200,
            json!({ "data": { "name": name, "type": "aes256-gcm96", "latest_version": versions.len(), "min_decryption_version": 1 } }),
        ),
        "rotate" => {
            versions.push(new_key());
            (200, json!({ "data": { "name": name, "latest_version": versions.len() } }))
        }
        _ => batch(versions, act, body),
    }
}

fn batch(versions: &[[u8; 32]], act: &str, body: &Value) -> (u16, Value) {
    let Some(items) = body["batch_input"].as_array() else { return (400, json!({ "errors": ["missing batch input to process"] })) };
    let results: Vec<Value> = items.iter().map(|item| one(versions, act, item).unwrap_or_else(|error| json!({ "error": error }))).collect();
    let failed = results.iter().any(|result| result.get("error").is_some());
    (if failed { 400 } else { 200 }, json!({ "data": { "batch_results": results } }))
}

fn one(versions: &[[u8; 32]], act: &str, item: &Value) -> Result<Value, &'static str> {
    let version = item["key_version"].as_u64().filter(|version| *version > 0);
    let version = version.map_or(versions.len(), |version| usize::try_from(version).unwrap_or(usize::MAX));
    let plain = if act == "encrypt" {
        STANDARD.decode(item["plaintext"].as_str().ok_or("missing plaintext")?).map_err(|_| "failed to base64-decode plaintext")?
    } else {
        decrypt(versions, item["ciphertext"].as_str().unwrap_or_default())?
    };
    if act == "decrypt" {
        return Ok(json!({ "plaintext": STANDARD.encode(plain) }));
    }
    let key = versions.get(version - 1).ok_or("requested version for encryption is higher than the latest key version")?;
    let mut body = plain;
    let nonce = cipher(key).seal_in_place_append_tag(Aad::empty(), &mut body).expect("a short text");
    let sealed = STANDARD.encode([nonce.as_ref().as_slice(), &body].concat());
    Ok(json!({ "ciphertext": format!("vault:v{version}:{sealed}"), "key_version": version }))
}

fn decrypt(versions: &[[u8; 32]], text: &str) -> Result<Vec<u8>, &'static str> {
    const INVALID: &str = "invalid ciphertext: no prefix";
    let (version, sealed) = text.strip_prefix("vault:v").and_then(|rest| rest.split_once(':')).ok_or(INVALID)?;
    let version: usize = version.parse().map_err(|_| INVALID)?;
    let key = version.checked_sub(1).and_then(|index| versions.get(index)).ok_or("invalid ciphertext: version is too new")?;
    let sealed = STANDARD.decode(sealed).map_err(|_| INVALID)?;
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(INVALID)?;
    let mut body = body.to_vec();
    let plain = cipher(key).open_in_place(Nonce::from(nonce), Aad::empty(), &mut body);
    plain.map(|plain| plain.to_vec()).map_err(|_| "cipher: message authentication failed")
}

fn cipher(key: &[u8; 32]) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM, key).expect("32 bytes")
}

fn new_key() -> [u8; 32] {
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key).expect("the system has randomness");
    key
}
