//! A small receiver of webhooks: keeps what it is sent, and answers what it is told to.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What it was sent.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Headers, their names in lower case.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Hook {
    /// A header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body, which is JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What it answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A whole head after `HTTP/1.1 `, such as `200 OK`, and a body.
    Status(&'static str, &'static str),
    /// Nothing, and the connection stays open.
    Silence,
}

#[derive(Debug, Default)]
struct State {
    hooks: Vec<Hook>,
    replies: VecDeque<Reply>,
}

/// The server; gone when dropped.
#[derive(Debug)]
pub struct HookReceiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl Drop for HookReceiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl HookReceiver {
    /// Listens on a free port of 127.0.0.1 and answers 200.
    ///
    /// # Errors
    /// No port could be listened on.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, state, accepting })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What it answers to the next ones, in this order; then 200 again.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state().replies.extend(replies);
    }

    /// What it was sent so far, in order.
    pub fn hooks(&self) -> Vec<Hook> {
        self.state().hooks.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(mut client: TcpStream, state: Arc<Mutex<State>>) {
    let (read, mut write) = client.split();
    let mut read = BufReader::new(read);
    while let Ok(Some(hook)) = request(&mut read).await {
        let reply = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.hooks.push(hook);
            state.replies.pop_front().unwrap_or(Reply::Status("200 OK", "ok"))
        };
        let Reply::Status(head, body) = reply else { return std::future::pending().await };
        let text = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if write.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn request(read: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Option<Hook>> {
    let (mut line, mut headers) = (String::new(), HashMap::new());
    if read.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    loop {
        let mut header = String::new();
        read.read_line(&mut header).await?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    read.read_exact(&mut body).await?;
    Ok(Some(Hook { headers, body }))
}
