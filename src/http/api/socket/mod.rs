//! The WebSocket (RFC 6455): the queue in one direction and commands in the other.
//!
//! Everything that waits for a connection is written together and flushed once. Commands run in the
//! order in which they arrive. A command that is one transaction of the writer does not wait for
//! the answers of earlier ones, so that the commands of a fast sender share commits.

use std::{pin::pin, time::Duration};

use axum::{
    Extension,
    body::Bytes,
    extract::{
        State,
        ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket},
    },
    response::Response,
};
use futures_util::{FutureExt, SinkExt};
use tokio::time::{Instant, Interval, MissedTickBehavior, sleep, timeout};

use crate::{
    chat::{
        delivery::hub,
        delivery::poll_and_stream::{Feed, FeedItem, Start},
    },
    error::Result,
    http::{
        api::{
            event_stream::Position,
            messages::{MessageView, gap, render},
        },
        errors::problem::{Problems, Throttled},
        extract::{
            address::Address,
            auth::Authenticated,
            body::{BODY_LIMIT, QueryParams},
        },
        server::response_permits::ResponsePermits,
        state::ServerState,
    },
    irc::params::event_id,
    limits,
    model::Scope,
};

mod commands;
mod handshake;

use commands::Commands;
use handshake::Handshake;

/// How long the peer may take at the end to receive the rest of the output and to answer the close.
const GOODBYE: Duration = Duration::from_secs(2);
/// The bytes of a connection's read buffer. It is small, because most connections are silent most
/// of the time.
const READ: usize = 4 * 1024;
/// The most bytes that are gathered for one write. A connection keeps a buffer of this size once it
/// was filled.
const WRITE: usize = 64 * 1024;

/// RFC 6455 §7.4.2: codes from 4000 belong to the application.
const CLIENT_ENDED: u16 = 4401;
const GOING_AWAY: u16 = 1001;
const MALFORMED: u16 = 1002;
const UNSUPPORTED: u16 = 1003;
const NOT_UTF_8: u16 = 1007;
const TOO_LONG: u16 = 1009;
const FAILED: u16 = 1011;

/// This client's queue over a WebSocket. Each text frame from the server is a message or an answer.
/// Each text frame from the client is a command. Commands are answered in their order.
#[utoipa::path(get, path = "/api/v1/socket", tag = "delivery", params(Position),
    responses((status = 101, description = "The WebSocket is open"), Problems, Throttled))]
pub async fn socket(
    State(server): State<ServerState>,
    caller: Authenticated,
    address: Address,
    QueryParams(position): QueryParams<Position>,
    held: Option<Extension<ResponsePermits>>,
    handshake: Result<Handshake, Response>,
) -> Result<Response> {
    let Handshake(upgrade) = match handshake {
        Ok(handshake) => handshake,
        Err(refused) => return Ok(refused),
    };
    let after = position.after.as_deref().map(event_id).transpose()?;
    let live = caller.allowed(Scope::ChatRead)?.clone();
    let feed = server
        .chat
        .follow(
            live.clone(),
            Start {
                after,
                acknowledges: caller.acknowledges,
            },
        )
        .await?;
    let upgrade = upgrade
        .read_buffer_size(READ)
        .write_buffer_size(WRITE)
        .max_write_buffer_size(usize::MAX);
    // A frame that is only a little too long is read, so that its refusal has a label.
    let upgrade = upgrade
        .max_message_size(4 * BODY_LIMIT)
        .max_frame_size(4 * BODY_LIMIT);
    let open = (server.websockets.token(), held);
    let ip = address.ip;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let every = server.patience.ping;
        let mut ping = tokio::time::interval_at(Instant::now() + every, every);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let connection = Connection {
            commands: Commands::new(server, live, address),
            socket,
            feed,
            ping,
            heard: Instant::now(),
        };
        limits::on_behalf_of(ip, connection.run()).await;
        drop(open);
    }))
}

struct Connection {
    socket: WebSocket,
    feed: Feed,
    commands: Commands,
    ping: Interval,
    /// When the peer last sent something.
    heard: Instant,
}

/// How a connection ends.
enum Disconnect {
    /// The server closes it, with a code and a reason.
    Close(u16, &'static str),
    /// The peer is gone, or has closed it.
    Gone,
}

impl From<hub::ConnectionEnd> for Disconnect {
    fn from(end: hub::ConnectionEnd) -> Self {
        match end {
            hub::ConnectionEnd::ClientEnded(reason) => Self::Close(CLIENT_ENDED, reason.name()),
            hub::ConnectionEnd::SecretRotated => {
                Self::Close(GOING_AWAY, "this client has a new secret")
            }
        }
    }
}

/// The close code for a broken frame (RFC 6455 §7.4.1).
fn broken(error: axum::Error) -> Disconnect {
    match error.into_inner().downcast_ref() {
        Some(tungstenite::Error::Capacity(_)) => {
            Disconnect::Close(TOO_LONG, "a message was too long")
        }
        Some(tungstenite::Error::Utf8(_)) => Disconnect::Close(NOT_UTF_8, "a text was not UTF-8"),
        Some(tungstenite::Error::Io(_) | tungstenite::Error::ConnectionClosed) => Disconnect::Gone,
        _ => Disconnect::Close(MALFORMED, "a frame was malformed"),
    }
}

impl Connection {
    async fn run(mut self) {
        let over = self.converse().await;
        // Commands that were sent are carried out, even if the peer did not wait for their answers.
        let mut answers = Vec::new();
        while let Some(answer) = self.commands.finish().await {
            answers.push(answer);
        }
        let Disconnect::Close(code, reason) = over else {
            // The peer's close is answered.
            let _ = timeout(GOODBYE, self.socket.close()).await;
            return;
        };
        let close = CloseFrame {
            code,
            reason: reason.into(),
        };
        let farewell = async {
            for answer in answers {
                self.socket.feed(Frame::Text(answer)).await?;
            }
            self.socket.send(Frame::Close(Some(close))).await
        };
        if let Ok(Ok(())) = timeout(GOODBYE, farewell).await {
            // Closing the connection now would discard what the peer has not read yet.
            let _ = timeout(GOODBYE, async {
                while let Some(Ok(_)) = self.socket.recv().await {}
            })
            .await;
        }
    }

    /// Serves the connection until it is over.
    async fn converse(&mut self) -> Disconnect {
        let (server, finished) = (self.commands.server.clone(), self.feed.finished());
        let (mut stopped, mut cut_short) = (
            pin!(server.stopping.cancelled()),
            pin!(async {
                let over = finished.await;
                // A peer that reads gets everything from before the end. The server does not wait
                // for a peer that does not read.
                if over != hub::ConnectionEnd::SecretRotated {
                    sleep(GOODBYE).await;
                }
                over
            }),
        );
        loop {
            tokio::select! {
                turned = self.turn(&server, stopped.as_mut()) => match turned {
                    Ok(()) => {}
                    Err(over) => return over,
                },
                over = &mut cut_short => return over.into(),
            }
        }
    }

    /// Waits for the next thing to do, and does it.
    async fn turn(
        &mut self,
        server: &ServerState,
        stopped: impl Future<Output = ()>,
    ) -> Result<(), Disconnect> {
        let caller = self.commands.live.caller;
        tokio::select! {
            item = self.feed.next() => self.deliver(item).await,
            frame = self.socket.recv(), if self.commands.has_room() => self.receive(frame),
            Some(answer) = self.commands.answer(), if self.commands.are_running() => self.answer(answer).await,
            slot = server.core.write_slot(caller), if self.commands.is_held_up() => {
                self.commands.begin_arrived(slot.ok());
                Ok(())
            }
            _ = self.ping.tick() => self.beat().await,
            () = stopped => Err(Disconnect::Close(GOING_AWAY, "the server is stopping")),
        }
    }

    /// Writes everything that waits, and flushes once.
    async fn deliver(&mut self, item: Result<FeedItem>) -> Result<(), Disconnect> {
        match item {
            Ok(FeedItem::Events(deliveries)) => {
                let client = self.commands.live.caller.client;
                for delivery in deliveries {
                    self.feed_text(render(&delivery, client)).await?;
                }
            }
            Ok(FeedItem::Gap(first, last)) => {
                let warning = gap(first, last, self.commands.server.clock.moment().now);
                self.feed_text(MessageView::shared(&warning).json()).await?;
            }
            Ok(FeedItem::End(end)) => return Err(end.into()),
            Err(error) => {
                tracing::warn!(%error, client = %self.commands.live.caller.client, "a WebSocket failed");
                return Err(Disconnect::Close(FAILED, "the server failed"));
            }
        }
        self.flush().await
    }

    /// Handles a frame: a command, a pong or a close.
    fn receive(&mut self, frame: Option<Result<Frame, axum::Error>>) -> Result<(), Disconnect> {
        self.heard = Instant::now();
        if let Some(end) = self.feed.end() {
            return Err(end.into());
        }
        match frame {
            Some(Ok(Frame::Text(text))) => {
                self.commands.take(text);
                Ok(())
            }
            Some(Ok(Frame::Binary(_))) => Err(Disconnect::Close(
                UNSUPPORTED,
                "a message must be a text frame",
            )),
            Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => Ok(()),
            Some(Ok(Frame::Close(_))) | None => Err(Disconnect::Gone),
            Some(Err(error)) => Err(broken(error)),
        }
    }

    /// Writes an answer and the further ones that are ready, and flushes once.
    async fn answer(&mut self, first: Utf8Bytes) -> Result<(), Disconnect> {
        let mut next = Some(first);
        while let Some(answer) = next {
            self.socket
                .feed(Frame::Text(answer))
                .await
                .map_err(|_| Disconnect::Gone)?;
            next = self.commands.answer().now_or_never().flatten();
        }
        self.flush().await
    }

    async fn beat(&mut self) -> Result<(), Disconnect> {
        if self.heard.elapsed() > self.commands.server.patience.ping * 5 / 2 {
            return Err(Disconnect::Gone);
        }
        self.feed.beat(self.commands.server.clock.moment().now);
        self.socket
            .send(Frame::Ping(Bytes::new()))
            .await
            .map_err(|_| Disconnect::Gone)
    }

    async fn feed_text(&mut self, json: Bytes) -> Result<(), Disconnect> {
        let text = Utf8Bytes::try_from(json).map_err(|_| Disconnect::Gone)?;
        self.socket
            .feed(Frame::Text(text))
            .await
            .map_err(|_| Disconnect::Gone)
    }

    async fn flush(&mut self) -> Result<(), Disconnect> {
        self.socket.flush().await.map_err(|_| Disconnect::Gone)
    }
}
