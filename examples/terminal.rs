//! A chat client for a terminal, which joins a user's session by the device flow (RFC 8628).
//!
//! It has neither a browser nor the session's password. It shows a code, the user types it where
//! they are signed in, and the terminal is one more device of their session. It keeps its tokens
//! only in memory, so it asks for a new code at each start.
//!
//! It speaks plain http. For https, give `reqwest` a feature that brings TLS.

use std::{future::Future, process::ExitCode, thread, time::Duration};

use clap::Parser;
use qrcode::{QrCode, render::unicode::Dense1x2};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};

/// The longest pause between two attempts to reach the server.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// After this long without a byte, the connection is considered dead.
const STREAM_TIMEOUT: Duration = Duration::from_secs(60);
/// How long before its end an access token is renewed.
const RENEW_AHEAD: Duration = Duration::from_secs(60);

/// Chat in a terminal, as a device of a session that lets it in
#[derive(Parser)]
struct Args {
    /// The server's address
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    server: String,
    /// This program's client_id, as `rejoin app add` printed it
    #[arg(long)]
    client_id: String,
    /// The channel to join
    #[arg(long, default_value = "#lobby")]
    channel: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// An error is a sentence that ends the program. Temporary failures are retried.
async fn run(args: Args) -> Result<(), String> {
    let app = App {
        http: Client::new(),
        server: args.server,
        client_id: args.client_id,
    };
    let tokens = sign_in(&app).await?;
    println!(
        "You are in. Lines go to {}; /join #another goes elsewhere, /quit leaves.",
        args.channel
    );
    let mut terminal = Terminal {
        renew_at: renew_at(&tokens),
        tokens,
        app,
        channel: args.channel,
        sent: 0,
        position: None,
    };
    terminal.chat(read_lines()).await
}

/// This program as the server knows it: a public app, without a secret.
struct App {
    http: Client,
    server: String,
    client_id: String,
}

/// The answer to a request for a code (RFC 8628 §3.2).
#[derive(Deserialize)]
struct Codes {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    interval: u64,
}

/// A pair of tokens (RFC 6749 §5.1).
#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
}

/// A refusal (RFC 6749 §5.2).
#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl App {
    /// Posts a form in this app's name. The outer error comes from the network, or from something
    /// on the way; the inner one is the server's refusal.
    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, &str)],
    ) -> reqwest::Result<Result<T, Refusal>> {
        let form = [&[("client_id", self.client_id.as_str())], form].concat();
        let response =
            answered(self.http.post(format!("{}{path}", self.server)).form(&form)).await?;
        if response.status().is_success() {
            response.json().await.map(Ok)
        } else {
            response.json().await.map(Err)
        }
    }
}

/// Shows a code, and waits until the user has typed it.
async fn sign_in(app: &App) -> Result<Tokens, String> {
    let codes = app
        .ask::<Codes>("/auth/device", &[("scope", "chat:read chat:write")])
        .await;
    let codes = codes.map_err(|error| format!("{} cannot be reached: {error}", app.server))?;
    let codes = codes
        .map_err(|refusal| format!("The server gives no code: {}", refusal.error_description))?;
    println!(
        "To let this terminal join your session, open {}",
        codes.verification_uri
    );
    println!("and type the code {}, or scan this:\n", codes.user_code);
    let link = QrCode::new(&codes.verification_uri_complete).map_err(|error| error.to_string())?;
    // Light on dark, like most terminals.
    println!(
        "{}\n",
        link.render()
            .dark_color(Dense1x2::Light)
            .light_color(Dense1x2::Dark)
            .build()
    );

    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", &codes.device_code),
    ];
    let mut interval = Duration::from_secs(codes.interval);
    loop {
        sleep(interval).await;
        let Ok(answer) = app.ask::<Tokens>("/auth/token", &form).await else {
            // RFC 8628 §3.5 asks for longer and longer pauses.
            interval = (interval * 2).min(MAX_PAUSE);
            continue;
        };
        match answer {
            Ok(tokens) => return Ok(tokens),
            Err(refusal) => match refusal.error.as_str() {
                "authorization_pending" => {}
                "slow_down" => interval += Duration::from_secs(5),
                "access_denied" => return Err("This terminal was denied.".into()),
                "expired_token" => {
                    return Err(
                        "Nobody typed the code in time. Start again for another one.".into(),
                    );
                }
                _ => {
                    return Err(format!(
                        "This terminal is not let in: {}",
                        refusal.error_description
                    ));
                }
            },
        }
    }
}

/// When to renew the access token.
fn renew_at(tokens: &Tokens) -> Instant {
    Instant::now() + Duration::from_secs(tokens.expires_in).saturating_sub(RENEW_AHEAD)
}

/// The lines that the user types, until Ctrl-D.
fn read_lines() -> mpsc::Receiver<String> {
    let (to, lines) = mpsc::channel(1);
    thread::spawn(move || {
        std::io::stdin()
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| to.blocking_send(line))
    });
    lines
}

/// This terminal, as a device of the session.
struct Terminal {
    app: App,
    tokens: Tokens,
    renew_at: Instant,
    /// The channel that lines go to.
    channel: String,
    /// How many commands were sent. The number is the command's label, so sending it again has no
    /// second effect.
    sent: u64,
    /// The position up to which the queue was shown.
    position: Option<String>,
}

impl Terminal {
    async fn chat(&mut self, mut lines: mpsc::Receiver<String>) -> Result<(), String> {
        self.send(&format!("JOIN {}", self.channel)).await?;
        let mut stream = self.listen().await?;
        loop {
            tokio::select! {
                line = lines.recv() => match line.as_deref().map(str::trim) {
                    None | Some("/quit") => {
                        self.send("QUIT").await?;
                        println!("Good bye.");
                        return Ok(());
                    }
                    Some("") => {}
                    Some(line) => self.say(line).await?,
                },
                frame = stream.frame() => match frame {
                    Some(frame) => self.show(&frame)?,
                    None => stream = self.listen().await?,
                },
                () = sleep_until(self.renew_at) => self.renew().await?,
            }
        }
    }

    async fn say(&mut self, line: &str) -> Result<(), String> {
        let Some(command) = line.strip_prefix('/') else {
            return self
                .send(&format!("PRIVMSG {} :{line}", self.channel))
                .await
                .map(drop);
        };
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        let done = self.send(&format!("{verb} {rest}")).await?;
        // A key may follow the channel's name, and a comma other channels.
        let channel = rest
            .split([' ', ','])
            .next()
            .filter(|name| name.starts_with('#'));
        if let Some(channel) = channel.filter(|_| done && verb.eq_ignore_ascii_case("join")) {
            self.channel = channel.to_owned();
        }
        Ok(())
    }

    /// Sends a line of IRC and shows the answer. Returns whether the command succeeded.
    async fn send(&mut self, line: &str) -> Result<bool, String> {
        self.sent += 1;
        let line = format!("@label={} {line}", self.sent);
        let url = format!("{}/api/v1/messages", self.app.server);
        let request = self
            .app
            .http
            .post(url)
            .header("content-type", "text/plain")
            .body(line);
        let answer = self
            .call(&request)
            .await?
            .json::<Value>()
            .await
            .unwrap_or_default();
        for reply in answer["replies"].as_array().into_iter().flatten() {
            // The first parameter is the nick that the reply is for.
            println!(
                "* {}",
                plain(
                    &words(&reply["params"])
                        .get(1..)
                        .unwrap_or_default()
                        .join(" ")
                )
            );
        }
        if let Some(why) = answer["detail"].as_str() {
            println!("* {why}");
        }
        Ok(answer["detail"].is_null())
    }

    /// Opens the stream of everything that was not shown yet.
    async fn listen(&mut self) -> Result<Stream, String> {
        let request = self
            .app
            .http
            .get(format!("{}/api/v1/events", self.app.server));
        let request = match &self.position {
            Some(position) => request.header("last-event-id", position),
            None => request,
        };
        let response = self.call(&request).await?;
        if !response.status().is_success() {
            return Err(format!(
                "The server shows nothing: {}",
                response.text().await.unwrap_or_default()
            ));
        }
        Ok(Stream {
            response,
            buffer: Vec::new(),
        })
    }

    /// Calls with the access token until the server answers. Renews a token that has expired.
    async fn call(&mut self, request: &RequestBuilder) -> Result<Response, String> {
        loop {
            let token = self.tokens.access_token.clone();
            let response =
                with_retries(|| answered(request.try_clone().unwrap().bearer_auth(&token))).await;
            if response.status() != StatusCode::UNAUTHORIZED {
                return Ok(response);
            }
            match response.json::<Value>().await.unwrap_or_default()["reason"].as_str() {
                Some(reason) => return Err(goodbye(reason)),
                None => self.renew().await?,
            }
        }
    }

    /// Gets new tokens for the refresh token. If the answer is lost, asking again gives the same
    /// pair, as long as neither of the new tokens was used.
    async fn renew(&mut self) -> Result<(), String> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", self.tokens.refresh_token.as_str()),
        ];
        let answer = with_retries(|| self.app.ask("/auth/token", &form)).await;
        self.tokens = answer.map_err(|_: Refusal| goodbye("removed"))?;
        self.renew_at = renew_at(&self.tokens);
        Ok(())
    }

    /// Shows an event of the queue. The error says why there will be no more.
    fn show(&mut self, frame: &Frame) -> Result<(), String> {
        if let Some(position) = &frame.id {
            self.position = Some(position.clone());
        }
        if frame.event == "end" {
            return Err(goodbye(frame.data["reason"].as_str().unwrap_or_default()));
        }
        let message = &frame.data;
        // An event with a label was typed here, so it is on the screen already.
        let (Some(command), None) = (message["command"].as_str(), message.get("label")) else {
            return Ok(());
        };
        let (source, params) = (
            message["source"].as_str().unwrap_or_default(),
            words(&message["params"]),
        );
        let line = match (command, params.as_slice()) {
            ("PRIVMSG" | "NOTICE", [target, text]) => format!("{target} <{source}> {text}"),
            _ => format!("* {source} {command} {}", params.join(" ")),
        };
        println!("{}", plain(&line));
        Ok(())
    }
}

/// The queue, as server-sent events.
struct Stream {
    response: Response,
    buffer: Vec<u8>,
}

#[derive(Default)]
struct Frame {
    id: Option<String>,
    event: String,
    data: Value,
}

impl Stream {
    /// The next frame; `None` when the stream has ended. Dropping the future loses nothing.
    async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let text = self.buffer.drain(..end + 2).collect::<Vec<_>>();
                let mut frame = Frame::default();
                for line in String::from_utf8_lossy(&text).lines() {
                    match line.split_once(": ") {
                        Some(("id", id)) => frame.id = Some(id.to_owned()),
                        Some(("event", event)) => frame.event = event.to_owned(),
                        Some(("data", data)) => {
                            frame.data = serde_json::from_str(data).unwrap_or_default()
                        }
                        _ => {}
                    }
                }
                return Some(frame);
            }
            // A live server sends something every 15 seconds.
            self.buffer.extend(
                timeout(STREAM_TIMEOUT, self.response.chunk())
                    .await
                    .ok()?
                    .ok()??,
            );
        }
    }
}

/// The server's answer. An answer that it is too busy counts as none.
async fn answered(request: RequestBuilder) -> reqwest::Result<Response> {
    let response = request.send().await?;
    if matches!(response.status().as_u16(), 429 | 503) {
        response.error_for_status()
    } else {
        Ok(response)
    }
}

/// Retries until there is an answer, with longer and longer pauses.
async fn with_retries<T, F: Future<Output = reqwest::Result<T>>>(
    mut attempt: impl FnMut() -> F,
) -> T {
    let mut pause = Duration::from_secs(1);
    loop {
        match attempt().await {
            Ok(answer) => return answer,
            Err(error) => println!("* the server does not answer, trying again: {error}"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Why this terminal ends, as a sentence.
fn goodbye(reason: &str) -> String {
    match reason {
        "removed" | "revoked" => "This terminal was removed from the session.".into(),
        "session_ended" => "The session has ended.".into(),
        _ => format!("This terminal is signed out: {reason}."),
    }
}

/// The strings of an array.
fn words(params: &Value) -> Vec<&str> {
    params
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// The text of others, without characters that would move the cursor or ring the bell.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
