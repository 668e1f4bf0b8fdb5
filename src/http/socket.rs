//! The queue over a WebSocket (RFC 6455), and commands the other way.
//!
//! Whatever waits for a connection is written at once and flushed once. Commands run in the order in which they came;
//! those that are one transaction of the writer do not wait for the answers of those before, so that a sender that does not
//! wait shares its commits.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{
        State,
        ws::{
            CloseFrame, Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection,
        },
    },
    response::Response,
};
use futures_util::{FutureExt, SinkExt, StreamExt, stream::FuturesOrdered};
use serde::Serialize;
use tokio::time::{Instant, Interval, MissedTickBehavior, timeout};

use super::{
    BODY_LIMIT, Shared,
    address::Address,
    auth::Authenticated,
    body::{self, Params},
    messages::{MessageView, carry_out, gap, render},
    problem::{Problem, Problems, Throttled},
    stream::Position,
};
use crate::{
    chat::{
        Answer,
        callers::Live,
        queue::{Feed, Step},
    },
    error::{Error, Result},
    irc::{self, Verb, params::event_id},
    model::EndReason,
};

/// Between two pings.
const PING: Duration = Duration::from_secs(30);
/// A connection that was not heard of for so long is dead.
const SILENCE: Duration = Duration::from_secs(75);
/// How long the other side may take to answer a close.
const GOODBYE: Duration = Duration::from_secs(2);
/// Commands of one connection on their way; beyond it, the next is not read.
const IN_FLIGHT: usize = 256;
/// Bytes of each connection's buffer for reading. Most connections are silent most of the time, so it is small.
const READ: usize = 4 * 1024;
/// Bytes that are gathered for one write. They take memory only once they have waited.
const WRITE: usize = 64 * 1024;

/// RFC 6455 §7.4.2: codes from 4000 are the application's.
const CLIENT_ENDED: u16 = 4401;
const GOING_AWAY: u16 = 1001;
const MALFORMED: u16 = 1002;
const UNSUPPORTED: u16 = 1003;
const FAILED: u16 = 1011;

/// This client's queue over a WebSocket: each text frame is a message; those sent are commands, answered in their order.
#[utoipa::path(get, path = "/api/v1/socket", tag = "delivery", params(Position),
    responses((status = 101, description = "The WebSocket is open"), Problems, Throttled))]
pub async fn socket(
    State(app): State<Shared>,
    caller: Authenticated,
    address: Address,
    Params(position): Params<Position>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let upgrade = upgrade.map_err(|_| Error::malformed("this wants a WebSocket handshake, version 13"))?;
    let after = position.after.as_deref().map(event_id).transpose()?;
    let feed = app.chat.follow(caller.live.clone(), after).await?;
    let upgrade = upgrade.read_buffer_size(READ).write_buffer_size(WRITE).max_write_buffer_size(usize::MAX);
    // What is only somewhat too long is refused by name.
    let upgrade = upgrade.max_message_size(4 * BODY_LIMIT).max_frame_size(4 * BODY_LIMIT);
    let open = Open::new(&app);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let connection = Connection {
            commands: Commands {
                app,
                live: caller.live,
                address: Arc::new(address),
                running: FuturesOrdered::new(),
                alone: false,
                next: None,
            },
            socket,
            feed,
            ping,
            heard: Instant::now(),
        };
        connection.run().await;
        drop(open);
    }))
}

/// Counts an open WebSocket as long as it lives.
struct Open(Shared);

impl Open {
    fn new(app: &Shared) -> Self {
        app.sockets.send_modify(|open| *open += 1);
        Self(app.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.sockets.send_modify(|open| *open -= 1);
    }
}

struct Connection {
    socket: WebSocket,
    feed: Feed,
    commands: Commands,
    ping: Interval,
    /// When something last came from the other side.
    heard: Instant,
}

/// Why a connection is over.
enum Over {
    /// With a code and a word for the other side.
    Close(u16, &'static str),
    /// The other side is gone, or has said goodbye.
    Gone,
}

impl From<EndReason> for Over {
    fn from(reason: EndReason) -> Self {
        Self::Close(CLIENT_ENDED, reason.name())
    }
}

impl Connection {
    async fn run(mut self) {
        let over = loop {
            if let Err(over) = self.turn().await {
                break over;
            }
        };
        let Over::Close(code, reason) = over else {
            // A goodbye is answered.
            let _ = timeout(GOODBYE, self.socket.close()).await;
            return;
        };
        // What was done is answered, also where it is what ended the client.
        while let Some(answer) = self.commands.answer().await {
            if self.socket.feed(Frame::Text(answer)).await.is_err() {
                return;
            }
        }
        let close = CloseFrame { code, reason: reason.into() };
        if self.socket.send(Frame::Close(Some(close))).await.is_ok() {
            // Closing before the other side has read it would take it away from under its eyes.
            let _ = timeout(GOODBYE, async { while let Some(Ok(_)) = self.socket.recv().await {} }).await;
        }
    }

    /// Waits for something to happen, and does what it asks for.
    async fn turn(&mut self) -> Result<(), Over> {
        let stopping = self.commands.app.clone();
        tokio::select! {
            step = self.feed.next() => self.deliver(step).await,
            frame = self.socket.recv(), if self.commands.has_room() => self.receive(frame),
            Some(answer) = self.commands.answer(), if !self.commands.running.is_empty() => self.answer(answer).await,
            _ = self.ping.tick() => self.beat().await,
            () = stopping.stopped() => Err(Over::Close(GOING_AWAY, "the server is stopping")),
        }
    }

    /// Writes everything that waits, and flushes once.
    async fn deliver(&mut self, step: Result<Step>) -> Result<(), Over> {
        match step {
            Ok(Step::Events(deliveries)) => {
                let client = self.commands.live.caller.client;
                for delivery in deliveries {
                    self.feed_text(render(&delivery, client)).await?;
                }
            }
            Ok(Step::Gap(first, last)) => {
                let warning = gap(first, last, self.commands.app.clock.now());
                self.feed_text(MessageView::shared(&warning).json()).await?;
            }
            Ok(Step::Ended(reason)) => return Err(reason.into()),
            Ok(Step::Cut) => return Err(Over::Close(GOING_AWAY, "this client has a new secret")),
            Err(error) => {
                tracing::warn!(%error, client = %self.commands.live.caller.client, "a socket broke off");
                return Err(Over::Close(FAILED, "the server failed"));
            }
        }
        self.flush().await
    }

    /// Takes a command, or whatever else came.
    fn receive(&mut self, frame: Option<Result<Frame, axum::Error>>) -> Result<(), Over> {
        self.heard = Instant::now();
        match frame {
            Some(Ok(Frame::Text(text))) => {
                self.commands.take(text);
                Ok(())
            }
            Some(Ok(Frame::Binary(_))) => Err(Over::Close(UNSUPPORTED, "a message is a text frame")),
            Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => Ok(()),
            Some(Ok(Frame::Close(_))) | None => Err(Over::Gone),
            Some(Err(_)) => Err(Over::Close(MALFORMED, "a frame was malformed or too long")),
        }
    }

    /// Writes an answer and those that are ready behind it, and flushes once.
    async fn answer(&mut self, first: Utf8Bytes) -> Result<(), Over> {
        let mut next = Some(first);
        while let Some(answer) = next {
            self.socket.feed(Frame::Text(answer)).await.map_err(|_| Over::Gone)?;
            next = self.commands.answer().now_or_never().flatten();
        }
        self.flush().await
    }

    async fn beat(&mut self) -> Result<(), Over> {
        if self.heard.elapsed() > SILENCE {
            return Err(Over::Gone);
        }
        self.feed.beat(self.commands.app.clock.now());
        self.socket.send(Frame::Ping(Bytes::new())).await.map_err(|_| Over::Gone)
    }

    async fn feed_text(&mut self, json: Bytes) -> Result<(), Over> {
        let text = Utf8Bytes::try_from(json).map_err(|_| Over::Gone)?;
        self.socket.feed(Frame::Text(text)).await.map_err(|_| Over::Gone)
    }

    async fn flush(&mut self) -> Result<(), Over> {
        self.socket.flush().await.map_err(|_| Over::Gone)
    }
}

/// The commands of one connection, carried out in their order.
struct Commands {
    app: Shared,
    live: Arc<Live>,
    address: Arc<Address>,
    running: FuturesOrdered<Running>,
    /// Whether the one that is running lets none begin before it is done.
    alone: bool,
    /// One of that kind, which waits for those that are running.
    next: Option<Running>,
}

/// A command being carried out, and what is then to be sent.
type Running = Pin<Box<dyn Future<Output = Utf8Bytes> + Send>>;

/// The answer to a command: exactly the one or the other.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Done(&'a Answer),
    Refused(Problem<'a>),
}

#[derive(Serialize)]
struct Labelled<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

impl Commands {
    /// Whether another one may be read.
    fn has_room(&self) -> bool {
        !self.alone && self.next.is_none() && self.running.len() < IN_FLIGHT
    }

    /// Begins a command, or lets it wait for those before it.
    fn take(&mut self, text: Utf8Bytes) {
        let message = body::message(text.as_bytes());
        // Even a refusal keeps its place in the order.
        let in_line =
            message.as_ref().map_or(true, |message| Verb::find(&message.command).is_none_or(Verb::is_one_write));
        let running = self.run(message, text);
        if in_line {
            self.running.push_back(running);
        } else if self.running.is_empty() {
            self.running.push_back(running);
            self.alone = true;
        } else {
            self.next = Some(running);
        }
    }

    /// The next answer in the order of the commands; `None` if none is running.
    async fn answer(&mut self) -> Option<Utf8Bytes> {
        let answer = self.running.next().await?;
        if self.running.is_empty() {
            self.running.extend(self.next.take());
            self.alone = !self.running.is_empty();
        }
        Some(answer)
    }

    fn run(&self, message: Result<irc::Message>, text: Utf8Bytes) -> Running {
        let (app, live, address) = (self.app.clone(), self.live.clone(), self.address.clone());
        Box::pin(async move {
            let label = match &message {
                Ok(message) => message.label.clone(),
                Err(_) => body::label(text.as_bytes()),
            };
            let now = app.clock.now();
            live.touch(now);
            let result = match message {
                Ok(message) => carry_out(&app, &live, &address, message, now).await,
                Err(error) => Err(error),
            };
            let outcome = match &result {
                Ok(answer) => Outcome::Done(answer),
                Err(error) => Outcome::Refused(error.into()),
            };
            // Nothing in an answer can fail to be written.
            serde_json::to_string(&Labelled { label, outcome }).unwrap_or_default().into()
        })
    }
}
