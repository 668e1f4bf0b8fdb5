//! A client on a network, with a cookie or a token. It uses one connection, and opens a new one
//! when the connection is closed.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long to wait for an answer. Later ones count as missing.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Visitor {
    address: SocketAddr,
    network: String,
    /// The header lines of each request that identify the caller.
    credentials: String,
    connection: Option<TcpStream>,
}

/// An answer. The status is 0 if there was none.
#[derive(Default)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// The time until the answer, in milliseconds.
    pub took: f64,
}

impl Reply {
    pub fn ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The error code of a refusal, from a problem or from OAuth's `error`.
    pub fn code(&self) -> String {
        let body = self.json();
        body["code"]
            .as_str()
            .or(body["error"].as_str())
            .unwrap_or_default()
            .to_owned()
    }

    fn cookie(&self) -> Option<String> {
        let line = self
            .head
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with("set-cookie:"))?;
        Some(line[11..].split(';').next()?.trim().to_owned())
    }
}

impl Visitor {
    pub fn new(address: SocketAddr, network: &str) -> Self {
        Self {
            address,
            network: network.to_owned(),
            credentials: String::new(),
            connection: None,
        }
    }

    pub fn with_cookie(mut self, cookie: &str) -> Self {
        self.credentials = format!("Cookie: {cookie}\r\n");
        self
    }

    pub fn with_token(mut self, token: &str) -> Self {
        self.credentials = format!("Authorization: Bearer {token}\r\n");
        self
    }

    /// Creates a session, and returns its cookie.
    pub async fn create(&mut self, nick: &str) -> String {
        let body = serde_json::json!({ "nick": nick }).to_string();
        let reply = self
            .send(
                "POST",
                "/api/v1/session",
                "application/json",
                body.as_bytes(),
            )
            .await;
        assert_eq!(
            reply.status,
            201,
            "{}",
            String::from_utf8_lossy(&reply.body)
        );
        let cookie = reply.cookie().unwrap();
        self.credentials = format!("Cookie: {cookie}\r\n");
        assert!(self.get("/api/v1/session").await.ok());
        cookie
    }

    pub async fn log_in(&mut self, nick: &str, password: &str) -> Reply {
        let body = serde_json::json!({ "nick": nick, "password": password }).to_string();
        self.send("POST", "/api/v1/login", "application/json", body.as_bytes())
            .await
    }

    /// Keeps the cookie of a login.
    pub fn take_cookie(&mut self, reply: &Reply) {
        self.credentials = reply
            .cookie()
            .map(|cookie| format!("Cookie: {cookie}\r\n"))
            .unwrap_or_default();
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, "", b"").await
    }

    pub async fn delete(&mut self, path: &str) -> Reply {
        self.send("DELETE", path, "", b"").await
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> Reply {
        self.send(
            "POST",
            path,
            "application/json",
            body.to_string().as_bytes(),
        )
        .await
    }

    pub async fn form(&mut self, path: &str, form: &str) -> Reply {
        self.send(
            "POST",
            path,
            "application/x-www-form-urlencoded",
            form.as_bytes(),
        )
        .await
    }

    /// Carries out one IRC line.
    pub async fn line(&mut self, line: &str) -> Reply {
        self.send("POST", "/api/v1/messages", "text/plain", line.as_bytes())
            .await
    }

    pub async fn send(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> Reply {
        let started = Instant::now();
        let head = self.head(method, path, kind, body.len());
        let asked = timeout(PATIENCE, self.ask(head.as_bytes(), body)).await;
        let mut reply = asked.ok().flatten().unwrap_or_default();
        if reply.status == 0 {
            self.connection = None;
        }
        reply.took = started.elapsed().as_secs_f64() * 1e3;
        reply
    }

    /// The head of a request of this visitor.
    pub fn head(&self, method: &str, path: &str, kind: &str, length: usize) -> String {
        let kind = if kind.is_empty() {
            String::new()
        } else {
            format!("Content-Type: {kind}\r\n")
        };
        let Self {
            address,
            network,
            credentials,
            ..
        } = self;
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nX-Forwarded-For: {network}\r\n{credentials}{kind}\
             Content-Length: {length}\r\n\r\n"
        )
    }

    async fn ask(&mut self, head: &[u8], body: &[u8]) -> Option<Reply> {
        if self.connection.is_none() {
            self.connection = Some(TcpStream::connect(self.address).await.ok()?);
        }
        let stream = self.connection.as_mut()?;
        stream.set_nodelay(true).ok()?;
        stream.write_all(&[head, body].concat()).await.ok()?;
        let mut read = Vec::with_capacity(4096);
        let end = loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut read).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        let mut body = read.split_off(end);
        let field = |name: &str| {
            head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix(name)
                    .map(str::to_owned)
            })
        };
        let chunked = field("transfer-encoding:").is_some_and(|value| value.contains("chunked"));
        let length: usize = field("content-length:")
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or(0);
        while if chunked {
            !body.ends_with(b"0\r\n\r\n")
        } else {
            body.len() < length
        } {
            if stream.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        if head.to_ascii_lowercase().contains("connection: close") {
            self.connection = None;
        }
        Some(Reply {
            status: head.get(9..12)?.parse().ok()?,
            head,
            body,
            took: 0.0,
        })
    }
}
