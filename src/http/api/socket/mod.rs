//! The queue over a WebSocket (RFC 6455), and commands the other way.
//!
//! Whatever waits for a connection is written at once and flushed once. Commands run in the order
//! in which they came; those that are one transaction of the writer do not wait for the answers of
//! those before, so that a sender that does not wait shares its commits.

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
        delivery::poll_and_stream::{Feed, Start, Step},
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

/// How long the other side may take for what is still to be written at the end, and to answer a
/// close.
const GOODBYE: Duration = Duration::from_secs(2);
/// Bytes of each connection's buffer for reading. Most connections are silent most of the time, so
/// it is small.
const READ: usize = 4 * 1024;
/// Bytes that are gathered for one write. They take memory once so much has waited, and keep it
/// until the connection ends.
const WRITE: usize = 64 * 1024;

/// RFC 6455 §7.4.2: codes from 4000 are the application's.
const CLIENT_ENDED: u16 = 4401;
const GOING_AWAY: u16 = 1001;
const MALFORMED: u16 = 1002;
const UNSUPPORTED: u16 = 1003;
const NOT_UTF_8: u16 = 1007;
const TOO_LONG: u16 = 1009;
const FAILED: u16 = 1011;

/// This client's queue over a WebSocket: each text frame is a message; those sent are commands,
/// answered in their order.
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
    // What is only somewhat too long is refused by name.
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

impl From<hub::Over> for Over {
    fn from(over: hub::Over) -> Self {
        match over {
            hub::Over::Ended(reason) => Self::Close(CLIENT_ENDED, reason.name()),
            hub::Over::Cut => Self::Close(GOING_AWAY, "this client has a new secret"),
        }
    }
}

/// What is wrong with what came, by the code that RFC 6455 §7.4.1 has for it.
fn broken(error: axum::Error) -> Over {
    match error.into_inner().downcast_ref() {
        Some(tungstenite::Error::Capacity(_)) => Over::Close(TOO_LONG, "a message was too long"),
        Some(tungstenite::Error::Utf8(_)) => Over::Close(NOT_UTF_8, "a text was not UTF-8"),
        Some(tungstenite::Error::Io(_) | tungstenite::Error::ConnectionClosed) => Over::Gone,
        _ => Over::Close(MALFORMED, "a frame was malformed"),
    }
}

impl Connection {
    async fn run(mut self) {
        let over = self.converse().await;
        // Commands that were sent are carried out, even if the other side did not wait for answers.
        let mut answers = Vec::new();
        while let Some(answer) = self.commands.finish().await {
            answers.push(answer);
        }
        let Over::Close(code, reason) = over else {
            // A goodbye is answered.
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
            // Closing first would discard what the other side has not read yet.
            let _ = timeout(GOODBYE, async {
                while let Some(Ok(_)) = self.socket.recv().await {}
            })
            .await;
        }
    }

    /// Does what it is asked for, until it is over.
    async fn converse(&mut self) -> Over {
        let (server, finished) = (self.commands.server.clone(), self.feed.finished());
        let (mut stopped, mut cut_short) = (
            pin!(server.stopping.cancelled()),
            pin!(async {
                let over = finished.await;
                // Whoever reads is given what came before the end; whoever does not is not waited
                // for.
                if over != hub::Over::Cut {
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

    /// Waits for something to happen, and does what it asks for.
    async fn turn(
        &mut self,
        server: &ServerState,
        stopped: impl Future<Output = ()>,
    ) -> Result<(), Over> {
        let caller = self.commands.live.caller;
        tokio::select! {
            step = self.feed.next() => self.deliver(step).await,
            frame = self.socket.recv(), if self.commands.has_room() => self.receive(frame),
            Some(answer) = self.commands.answer(), if self.commands.are_running() => self.answer(answer).await,
            place = server.core.write_slot(caller), if self.commands.is_held_up() => {
                self.commands.begin_arrived(place.ok());
                Ok(())
            }
            _ = self.ping.tick() => self.beat().await,
            () = stopped => Err(Over::Close(GOING_AWAY, "the server is stopping")),
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
                let warning = gap(first, last, self.commands.server.clock.now());
                self.feed_text(MessageView::shared(&warning).json()).await?;
            }
            Ok(Step::Over(over)) => return Err(over.into()),
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
        if let Some(over) = self.feed.over() {
            return Err(over.into());
        }
        match frame {
            Some(Ok(Frame::Text(text))) => {
                self.commands.take(text);
                Ok(())
            }
            Some(Ok(Frame::Binary(_))) => {
                Err(Over::Close(UNSUPPORTED, "a message is a text frame"))
            }
            Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => Ok(()),
            Some(Ok(Frame::Close(_))) | None => Err(Over::Gone),
            Some(Err(error)) => Err(broken(error)),
        }
    }

    /// Writes an answer and those that are ready behind it, and flushes once.
    async fn answer(&mut self, first: Utf8Bytes) -> Result<(), Over> {
        let mut next = Some(first);
        while let Some(answer) = next {
            self.socket
                .feed(Frame::Text(answer))
                .await
                .map_err(|_| Over::Gone)?;
            next = self.commands.answer().now_or_never().flatten();
        }
        self.flush().await
    }

    async fn beat(&mut self) -> Result<(), Over> {
        if self.heard.elapsed() > self.commands.server.patience.ping * 5 / 2 {
            return Err(Over::Gone);
        }
        self.feed.beat(self.commands.server.clock.now());
        self.socket
            .send(Frame::Ping(Bytes::new()))
            .await
            .map_err(|_| Over::Gone)
    }

    async fn feed_text(&mut self, json: Bytes) -> Result<(), Over> {
        let text = Utf8Bytes::try_from(json).map_err(|_| Over::Gone)?;
        self.socket
            .feed(Frame::Text(text))
            .await
            .map_err(|_| Over::Gone)
    }

    async fn flush(&mut self) -> Result<(), Over> {
        self.socket.flush().await.map_err(|_| Over::Gone)
    }
}
