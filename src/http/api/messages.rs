//! Sending messages and polling for them.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    chat::{
        Answer,
        delivery::{hub::Delivery, poll_and_stream::Start},
    },
    error::Result,
    http::{
        errors::problem::{Conflict, NotFound, Problems, Throttled, TimedOut},
        extract::{
            address::Address,
            auth::Authenticated,
            body::{self, Json, QueryParams, number},
        },
        middleware::{command_limits, flood_limit, rate_limits},
        state::ServerState,
    },
    irc::{Request, params::event_id},
    model::{ClientId, Event, EventId, Page, Requirement, SERVER_NAME, Scope, Timestamp},
    session::LiveClient,
    store::WriteSlot,
};

/// A message as a client receives it.
#[derive(Serialize, ToSchema)]
pub struct MessageView<'a> {
    id: i64,
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    source: &'a str,
    command: &'a str,
    params: &'a [String],
    /// The label of the command that created this message. Only the client that sent the command
    /// sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    label: Option<&'a str>,
    /// The name of the app that sent it, if it was sent through a grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    app: Option<&'a str>,
}

impl<'a> MessageView<'a> {
    /// The event as `client` sees it.
    pub fn of(event: &'a Event, client: ClientId) -> Self {
        Self {
            label: event.label_for(client),
            ..Self::shared(event)
        }
    }

    /// The event as everyone but its sender sees it.
    pub fn shared(event: &'a Event) -> Self {
        let Event {
            id,
            time,
            source,
            command,
            params,
            origin: _,
            app,
        } = event;
        Self {
            id: id.0,
            time: *time,
            source,
            command,
            params,
            label: None,
            app: app.as_deref(),
        }
    }

    /// The message as JSON.
    pub fn json(&self) -> Bytes {
        // Serializing a message cannot fail.
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// An event as JSON for `client`. Everyone shares the same bytes, except the client whose label it
/// has.
pub fn render(delivery: &Delivery, client: ClientId) -> Bytes {
    match delivery.event.label_for(client) {
        Some(_) => MessageView::of(&delivery.event, client).json(),
        None => delivery.rendered(|event| MessageView::shared(event).json()),
    }
}

/// The warning that retention removed events before this client received them.
pub fn gap(first: EventId, last: EventId, now: Timestamp) -> Event {
    let text = "These events were removed before this client received them";
    let params = [
        "*",
        "QUEUE_GAP",
        &first.to_string(),
        &last.to_string(),
        text,
    ]
    .map(str::to_owned)
    .into();
    let (source, command) = (SERVER_NAME.into(), "WARN".into());
    Event {
        id: last,
        time: now,
        source,
        command,
        params,
        origin: None,
        app: None,
    }
}

/// Carries out a command.
#[utoipa::path(post, path = "/api/v1/messages", tag = "chat",
    request_body(content((body::MessageBody = "application/json"), (body::Line = "text/plain"))),
    responses((status = 200, description = "The answer to the command", body = Answer), Problems, NotFound, Conflict, Throttled, TimedOut))]
pub async fn send(
    State(server): State<ServerState>,
    caller: Authenticated,
    address: Address,
    body::Message(message): body::Message,
) -> Result<Json<Answer>> {
    let lines = message.lines();
    // The verb says which scope is needed.
    carry_out(
        &server,
        caller.allowed(Requirement::AnyClient)?,
        &address,
        Request::parse(message),
        lines,
        None,
    )
    .await
    .map(Json)
}

/// Carries out a client's request, from HTTP or a WebSocket, within the client's limits. Each of
/// its lines counts as a command. A text that is not a request is refused, and counts too.
pub async fn carry_out(
    server: &ServerState,
    live: &LiveClient,
    address: &Address,
    request: Result<Request>,
    lines: usize,
    slot: Option<WriteSlot>,
) -> Result<Answer> {
    let cost = flood_limit::Cost::of(&request, lines);
    command_limits::charge(server, live, address, cost.commands).await?;
    let executed = server.chat.execute(live, request?, address.arrival(), slot);
    let result = command_limits::carry_out(server, live, address, cost, executed).await;
    rate_limits::storage(&server.core, address, Some(live.caller), result).await
}

/// The query of a poll.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Poll {
    /// The position to begin at. It acknowledges everything up to it. Without it, the queue begins
    /// at the position that the client has acknowledged.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<String>,
    /// Seconds to wait for a message, 0 to 60.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 60)]
    timeout: Option<String>,
    /// The most messages in the answer, 1 to 500.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500)]
    limit: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Messages<'a> {
    messages: Vec<MessageView<'a>>,
    /// The position up to which the log was read, whether or not any of those events were this
    /// client's.
    next: i64,
}

/// A page of this client's queue. If it is empty, the server waits for a message.
#[utoipa::path(get, path = "/api/v1/messages", tag = "delivery", params(Poll),
    responses((status = 200, description = "The messages; none if the time ran out", body = Messages), Problems, Throttled))]
pub async fn poll(
    State(server): State<ServerState>,
    caller: Authenticated,
    QueryParams(params): QueryParams<Poll>,
) -> Result<Response> {
    let live = caller.allowed(Scope::ChatRead)?;
    let after = params.after.as_deref().map(event_id).transpose()?;
    let start = Start {
        after,
        acknowledges: caller.acknowledges,
    };
    let timeout = number("timeout", params.timeout.as_deref(), 0..=60, 25)?;
    let limit = number("limit", params.limit.as_deref(), 1..=500, 200)?;
    let polled = tokio::select! {
        page = server.chat.poll(live, start, Duration::from_secs(timeout), limit as usize) => page,
        // A held poll ends with an empty page.
        () = server.stopping.cancelled() => server.chat.poll(live, start, Duration::ZERO, limit as usize).await,
    };
    let Page {
        events,
        next,
        gap: lost,
        more: _,
    } = polled?;
    live.touch(server.clock.moment().now);
    let lost = lost.map(|(first, last)| gap(first, last, caller.at.now));
    let messages = lost
        .iter()
        .chain(&events)
        .map(|event| MessageView::of(event, live.caller.client))
        .collect();
    Ok(Json(Messages {
        messages,
        next: next.0,
    })
    .into_response())
}
