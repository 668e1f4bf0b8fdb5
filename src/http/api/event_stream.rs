//! The queue as server-sent events (the HTML standard, "Server-sent events").

use std::{collections::VecDeque, convert::Infallible, fmt::Display, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use utoipa::{IntoParams, ToSchema};

use crate::{
    chat::{
        delivery::hub::{ConnectionEnd, Delivery},
        delivery::poll_and_stream::{Feed, FeedItem, Start},
    },
    error::{Error, Result},
    http::{
        api::messages::{MessageView, gap, render},
        errors::problem::{Problems, Throttled},
        extract::{auth::Authenticated, body::QueryParams, grammar},
        state::ServerState,
    },
    irc::params::event_id,
    limits,
    model::{ClientId, EventId, Scope},
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The most bytes of a chunk. A chunk stays in memory until the peer has received it.
const CHUNK: usize = 64 * 1024;
/// The time between the lines that keep a silent stream alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The query of a stream.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Position {
    /// The position to begin at. It acknowledges everything up to it. Last-Event-ID is newer and
    /// takes precedence.
    #[param(value_type = Option<i64>, minimum = 0)]
    pub after: Option<String>,
}

/// One event of a stream (the HTML standard, "Server-sent events").
#[derive(ToSchema)]
#[expect(dead_code, reason = "the OpenAPI description alone reads it")]
pub struct StreamItem {
    /// The position in the log.
    #[schema(nullable = false, pattern = "^[0-9]+$")]
    id: Option<String>,
    /// The kind of event. Without it, the event is a `message`.
    #[schema(nullable = false)]
    event: Option<String>,
    /// The content as JSON.
    #[schema(nullable = false)]
    data: Option<String>,
    /// Milliseconds after which the client may reconnect.
    #[schema(nullable = false)]
    retry: Option<u32>,
}

/// This client's queue as a stream. `id:` is the position and `data:` is the message.
#[utoipa::path(get, path = "/api/v1/events", tag = "delivery",
    params(Position, ("Last-Event-ID" = Option<String>, Header, nullable = false, pattern = "^[0-9]{1,18}$",
        description = "The position from which a broken stream continues")),
    responses((status = 200, description = "The event stream", content_type = "text/event-stream", body = StreamItem),
        Problems, Throttled))]
pub async fn events(
    State(server): State<ServerState>,
    caller: Authenticated,
    headers: HeaderMap,
    QueryParams(params): QueryParams<Position>,
) -> Result<Response> {
    let after = position(&headers, params.after.as_deref())?;
    let live = caller.allowed(Scope::ChatRead)?.clone();
    let client = live.caller.client;
    let feed = server
        .chat
        .follow(
            live,
            Start {
                after,
                acknowledges: caller.acknowledges,
            },
        )
        .await?;
    let opening = Some(opening(feed.position()));
    let stream = Stream {
        server,
        feed,
        client,
        heartbeat: heartbeat(),
        opening,
        waiting: VecDeque::new(),
        over: false,
    };
    Ok(answer(futures_util::stream::unfold(
        stream,
        |mut stream| async move {
            let chunk = stream.next().await?;
            Some((chunk, stream))
        },
    )))
}

/// The position at which a stream begins: that of Last-Event-ID, or else that of the query.
pub fn position(headers: &HeaderMap, after: Option<&str>) -> Result<Option<EventId>> {
    let last = headers.contains_key(LAST_EVENT_ID).then(|| {
        let once =
            || Error::malformed("the request must have one Last-Event-ID header with one id");
        grammar::only(headers, LAST_EVENT_ID).ok_or_else(once)
    });
    let position = |id: Option<&str>| id.map(event_id).transpose();
    Ok(position(last.transpose()?)?.or(position(after)?))
}

/// The first bytes of a stream, sent at once, so that the client knows that the stream is open.
pub fn opening(position: impl Display) -> String {
    format!("retry: 1000\nid: {position}\n\n")
}

/// Ticks when a silent stream must be kept alive.
pub fn heartbeat() -> Interval {
    let mut heartbeat = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat
}

/// The response to a request for server-sent events.
pub fn answer<C: Into<Bytes>>(
    chunks: impl futures_util::Stream<Item = C> + Send + 'static,
) -> Response {
    let mut chunks = Box::pin(chunks.map(|chunk| Ok::<Bytes, Infallible>(chunk.into())));
    // The body is read long after the request is over.
    let requester = limits::requester();
    let chunks = futures_util::stream::poll_fn(move |cx| {
        limits::step_for(requester, || chunks.poll_next_unpin(cx))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    // This header tells proxies not to buffer the stream.
    (
        headers,
        [("x-accel-buffering", "no")],
        Body::from_stream(chunks),
    )
        .into_response()
}

struct Stream {
    server: ServerState,
    feed: Feed,
    client: ClientId,
    heartbeat: Interval,
    opening: Option<String>,
    /// The items for the next chunks.
    waiting: VecDeque<Arc<Delivery>>,
    over: bool,
}

impl Stream {
    /// The waiting items as one chunk. `None` ends the stream.
    async fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(opening) = self.opening.take() {
            return Some(opening.into());
        }
        if !self.waiting.is_empty() {
            return Some(self.chunk());
        }
        if self.over {
            return None;
        }
        let item = tokio::select! {
            item = self.feed.next() => item,
            _ = self.heartbeat.tick() => {
                self.feed.beat(self.server.clock.moment().now);
                return Some(format!("id: {}\n\n", self.feed.position()).into());
            }
            // The browser reconnects by itself and reaches the next server.
            () = self.server.stopping.cancelled() => return None,
        };
        match item {
            Ok(FeedItem::Events(deliveries)) => {
                self.waiting = deliveries;
                Some(self.chunk())
            }
            Ok(FeedItem::Gap(first, last)) => {
                let warning = gap(first, last, self.server.clock.moment().now);
                let mut chunk = Vec::new();
                frame(
                    &mut chunk,
                    self.feed.position(),
                    &MessageView::shared(&warning).json(),
                );
                Some(chunk)
            }
            Ok(FeedItem::End(ConnectionEnd::ClientEnded(reason))) => {
                self.over = true;
                Some(format!("event: end\ndata: {{\"reason\":\"{}\"}}\n\n", reason.name()).into())
            }
            Ok(FeedItem::End(ConnectionEnd::SecretRotated)) => None,
            Err(error) => {
                tracing::warn!(%error, client = %self.client, "an event stream failed");
                None
            }
        }
    }

    fn chunk(&mut self) -> Vec<u8> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK
            && let Some(delivery) = self.waiting.pop_front()
        {
            frame(
                &mut chunk,
                delivery.event.id,
                &render(&delivery, self.client),
            );
        }
        chunk
    }
}

/// JSON contains no line breaks, so one `data:` line is enough.
fn frame(chunk: &mut Vec<u8>, id: EventId, json: &[u8]) {
    chunk.extend_from_slice(format!("id: {id}\ndata: ").as_bytes());
    chunk.extend_from_slice(json);
    chunk.extend_from_slice(b"\n\n");
}
