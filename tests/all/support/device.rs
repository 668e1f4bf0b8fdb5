//! A device as a value: it keeps its cookie, sends IRC lines, and returns JSON.

use reqwest::{Method, Response, header};
use serde_json::{Value, json};

use super::{
    JsonAnswer,
    message::{History, Message, Page, read},
    until,
};

/// A browser or a program: the server's address, and perhaps a cookie.
#[derive(Clone, Debug)]
pub struct Device {
    http: reqwest::Client,
    pub base: String,
    pub cookie: Option<String>,
    /// An access token.
    pub token: Option<String>,
    /// The access token of the user for whom an app acts.
    pub identity: Option<String>,
    /// The device's own address, as a proxy reports it.
    address: Option<String>,
    /// The value of the Host header, if it is not the server's address.
    named: Option<String>,
}

/// A refusal in the form of the contract (RFC 9457).
#[derive(Debug, PartialEq)]
pub struct Problem {
    pub status: u16,
    pub code: String,
    pub numeric: Option<String>,
    pub body: Value,
    pub retry_after: Option<u64>,
}

impl Device {
    pub fn new(base: String) -> Self {
        // Each request has a connection of its own, so that a stopped or killed server holds none
        // of ours.
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            http,
            base,
            cookie: None,
            token: None,
            identity: None,
            address: None,
            named: None,
        }
    }

    /// The Host header of the device's requests.
    pub fn host(&self) -> &str {
        self.base.strip_prefix("http://").unwrap()
    }

    pub async fn create_session(base: String, nick: &str) -> Self {
        Self::new(base).try_create_session(nick).await.unwrap()
    }

    /// Creates a session.
    pub async fn try_create_session(&self, nick: &str) -> Result<Self, Problem> {
        let response = self
            .request(Method::POST, "/api/v1/session")
            .json(&json!({"nick": nick}))
            .send()
            .await
            .unwrap();
        self.entered(response).await
    }

    /// Logs in and returns the new device. The calling device is unchanged.
    pub async fn login(&self, nick: &str, password: &str) -> Result<Self, Problem> {
        self.login_with(json!({"nick": nick, "password": password}))
            .await
    }

    pub async fn login_with(&self, body: Value) -> Result<Self, Problem> {
        let response = self
            .request(Method::POST, "/api/v1/login")
            .json(&body)
            .send()
            .await
            .unwrap();
        self.entered(response).await
    }

    async fn entered(&self, response: Response) -> Result<Self, Problem> {
        let cookie = response
            .headers()
            .get(header::SET_COOKIE)
            .map(|value| value.to_str().unwrap().to_owned());
        checked(response).await?;
        let cookie = cookie.unwrap().split(';').next().unwrap().to_owned();
        Ok(Self {
            cookie: Some(cookie),
            ..self.clone()
        })
    }

    /// The same device with another cookie, as `name=value`.
    pub fn with_cookie(&self, cookie: &str) -> Self {
        Self {
            cookie: Some(cookie.to_owned()),
            ..self.clone()
        }
    }

    /// A program at the same server with this access token and no cookie.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            cookie: None,
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// An app with its own token that acts for another app's user.
    pub fn acting_for(&self, user: &Device) -> Self {
        Self {
            identity: user.token.clone(),
            ..self.clone()
        }
    }

    /// The same device behind a proxy that reports this address.
    pub fn at_address(&self, address: &str) -> Self {
        Self {
            address: Some(address.to_owned()),
            ..self.clone()
        }
    }

    /// The same device with another Host header.
    pub fn with_host(&self, host: &str) -> Self {
        Self {
            named: Some(host.to_owned()),
            ..self.clone()
        }
    }

    /// Builds a request of this device.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(identity) = &self.identity {
            request = request.header("rejoin-identity", identity);
        }
        if let Some(host) = &self.named {
            request = request.header(header::HOST, host);
        }
        match &self.address {
            Some(address) => request.header("x-forwarded-for", address),
            None => request,
        }
    }

    /// Sends a request without a body. Returns the body of the answer.
    pub async fn call(&self, method: Method, path: &str) -> Result<Value, Problem> {
        checked(self.request(method, path).send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path).await.unwrap()
    }

    pub async fn delete(&self, path: &str) -> Result<Value, Problem> {
        self.call(Method::DELETE, path).await
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value, Problem> {
        checked(
            self.request(Method::POST, path)
                .json(&body)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    /// Sends one IRC line.
    pub async fn send(&self, line: &str) -> Value {
        self.try_send(line)
            .await
            .unwrap_or_else(|problem| panic!("{line}: {problem:?}"))
    }

    pub async fn try_send(&self, line: &str) -> Result<Value, Problem> {
        let request = self
            .request(Method::POST, "/api/v1/messages")
            .header(header::CONTENT_TYPE, "text/plain");
        checked(request.body(line.to_owned()).send().await.unwrap()).await
    }

    /// Sends one message as JSON.
    pub async fn try_send_json(&self, message: Value) -> Result<Value, Problem> {
        checked(
            self.request(Method::POST, "/api/v1/messages")
                .json(&message)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    /// The clients of the session.
    pub async fn clients(&self) -> Vec<Value> {
        self.get("/api/v1/clients").await.items().to_vec()
    }

    /// The grants of the session.
    pub async fn grants(&self) -> Vec<Value> {
        self.get("/api/v1/grants").await.items().to_vec()
    }

    pub async fn snapshot(&self) -> Value {
        self.get("/api/v1/session").await
    }

    /// The events of the queue after the acknowledged one. Does not wait, and acknowledges nothing.
    pub async fn queue(&self) -> Vec<Message> {
        self.poll("timeout=0").await.messages
    }

    /// Empties the queue: reads to its end and acknowledges.
    pub async fn drain(&self) -> Vec<Message> {
        let mut all = Vec::new();
        let mut page = self.poll("timeout=0").await;
        loop {
            let more = !page.messages.is_empty();
            all.extend(page.messages);
            page = self.poll(&format!("timeout=0&after={}", page.next)).await;
            if !more {
                return all;
            }
        }
    }

    pub async fn poll(&self, query: &str) -> Page {
        self.try_poll(query).await.unwrap()
    }

    pub async fn try_poll(&self, query: &str) -> Result<Page, Problem> {
        let path = format!("/api/v1/messages?{query}");
        self.call(Method::GET, &path).await.map(read)
    }

    /// A page of history, as `target=%23rust&limit=1`.
    pub async fn history(&self, query: &str) -> Vec<Message> {
        self.try_history(query).await.unwrap()
    }

    pub async fn try_history(&self, query: &str) -> Result<Vec<Message>, Problem> {
        let path = format!("/api/v1/history?{query}");
        let page = self.call(Method::GET, &path).await?;
        Ok(read::<History>(page).messages)
    }

    /// Waits until the metrics contain a line.
    pub async fn wait_for_metric(&self, line: &str) {
        until(line, async || {
            let metrics = self
                .request(Method::GET, "/metrics")
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap();
            metrics.lines().any(|l| l == line)
        })
        .await;
    }

    /// Opens the stream.
    pub async fn stream(&self, query: &str) -> Stream {
        Stream::of(self.ask_for_stream(query).await)
    }

    /// Opens the stream. `None`: the server refuses it.
    pub async fn try_stream(&self, query: &str) -> Option<Stream> {
        let response = self.ask_for_stream(query).await;
        response.status().is_success().then(|| Stream::of(response))
    }

    async fn ask_for_stream(&self, query: &str) -> Response {
        let path = format!("/api/v1/events?{query}");
        self.request(Method::GET, &path).send().await.unwrap()
    }
}

/// A stream of server-sent events.
pub struct Stream {
    response: Response,
    buffer: String,
}

impl Stream {
    pub fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        Self {
            response,
            buffer: String::new(),
        }
    }

    /// The next frame as names and values of its lines, or `None` when the stream has ended.
    pub async fn frame(&mut self) -> Option<Vec<(String, String)>> {
        loop {
            if let Some((frame, rest)) = self.buffer.split_once("\n\n") {
                let field = |line: &str| {
                    line.split_once(": ")
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                };
                let frame = frame.lines().filter_map(field).collect();
                self.buffer = rest.to_owned();
                return Some(frame);
            }
            let chunk = self.response.chunk().await.ok()??;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next message, without heartbeats.
    pub async fn message(&mut self) -> Option<Message> {
        self.data().await.map(read)
    }

    /// The data of the next frame with data: a message, or why the stream ends.
    pub async fn data(&mut self) -> Option<Value> {
        loop {
            let frame = self.frame().await?;
            if let Some((_, data)) = frame.iter().find(|(name, _)| name == "data") {
                return Some(serde_json::from_str(data).unwrap());
            }
        }
    }
}

/// The body of an answer, or its refusal.
pub async fn checked(response: Response) -> Result<Value, Problem> {
    let status = response.status().as_u16();
    let header = |name: header::HeaderName| {
        response
            .headers()
            .get(name)
            .map(|v| v.to_str().unwrap().to_owned())
    };
    let (kind, retry_after) = (
        header(header::CONTENT_TYPE).unwrap_or_default(),
        header(header::RETRY_AFTER),
    );
    let text = response.text().await.unwrap();
    if status < 400 {
        return Ok(serde_json::from_str(&text).unwrap_or(Value::Null));
    }
    assert_eq!(kind, "application/problem+json", "{status} {text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["status"], status);
    Err(Problem {
        status,
        code: body["code"].as_str().unwrap().to_owned(),
        numeric: body["numeric"].as_str().map(str::to_owned),
        retry_after: retry_after.map(|seconds| seconds.parse().unwrap()),
        body,
    })
}

/// The status and the code of a refusal.
pub fn status_and_code(problem: Problem) -> (u16, String) {
    (problem.status, problem.code)
}
