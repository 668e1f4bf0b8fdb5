//! Sending messages, polling for them, and their history.

use std::sync::Arc;

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        KnownFormat, Object, ObjectBuilder, OneOfBuilder, Required, Schema, SchemaFormat, Type,
        path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
        schema::AdditionalProperties,
    },
};

use crate::{
    chat::{
        Answer, Chat,
        delivery::hub::Delivery,
        delivery::poll_and_stream::{HistoryOf, Start},
    },
    error::{Error, Result},
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
    irc::{
        Request,
        params::{event_id, session_id},
    },
    model::{ClientId, Event, EventId, Page, Requirement, SERVER_NAME, Scope, Target, Timestamp},
    session::LiveClient,
    store::{WriteSlot, history::Part},
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
    let executed = server
        .chat
        .execute(live, request?, address.arrival(server), slot);
    let result = command_limits::carry_out(server, live, address, cost, executed).await;
    rate_limits::storage(server, address, Some(live.caller), result).await
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

/// Exactly one of `target` and `session`, and at most one of `before`, `after` and `around`.
#[derive(Deserialize)]
pub struct HistoryParams {
    target: Option<String>,
    session: Option<String>,
    before: Option<String>,
    after: Option<String>,
    around: Option<String>,
    limit: Option<String>,
}

impl IntoParams for HistoryParams {
    /// The whole query as one object, because only an object can say which parameters go together.
    /// In the style `form`, exploded, each of its properties is a parameter by itself.
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let queries = [TARGET, SESSION].into_iter().flat_map(|whose| {
            [None, Some(BEFORE), Some(AFTER), Some(AROUND)]
                .map(|part| history_query(&whose, part.as_ref()))
        });
        let query = queries
            .fold(OneOfBuilder::new(), OneOfBuilder::item)
            .build();
        let query = ParameterBuilder::new()
            .name("history")
            .parameter_in(ParameterIn::Query)
            .required(Required::True)
            .style(Some(ParameterStyle::Form))
            .explode(Some(true))
            .schema(Some(Schema::OneOf(query)));
        vec![query.build()]
    }
}

/// A parameter of `history`: its name, its description, and the pattern of a text. A parameter
/// without a pattern is an id.
type HistoryParam = (&'static str, &'static str, Option<&'static str>);

const TARGET: HistoryParam = (
    "target",
    "A channel or a nick.",
    Some("^[^\\x00-\\x20\\x7f]+$"),
);
const SESSION: HistoryParam = (
    "session",
    "A session, live or ended, in place of a nick.",
    None,
);
const BEFORE: HistoryParam = ("before", "Only messages with smaller ids.", None);
const AFTER: HistoryParam = (
    "after",
    "Only messages with greater ids, beginning with the oldest.",
    None,
);
const AROUND: HistoryParam = (
    "around",
    "Messages around this id: half of them up to the id and half after it, as far as there are so \
     many.",
    None,
);

/// A query with exactly these parameters, and optionally a limit.
fn history_query((name, about, pattern): &HistoryParam, part: Option<&HistoryParam>) -> Object {
    let id = |about: &str| {
        let id = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .description(Some(about));
        id.format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(0))
    };
    let whose = match pattern {
        Some(pattern) => ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(*about))
            .pattern(Some(*pattern)),
        None => id(about),
    };
    let limit = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some("The most messages in the answer."));
    let limit = limit
        .minimum(Some(1))
        .maximum(Some(500))
        .default(Some(200.into()));
    let mut query = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property(*name, whose)
        .required(*name);
    if let Some((name, about, _)) = part {
        query = query.property(*name, id(about)).required(*name);
    }
    query
        .property("limit", limit)
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .build()
}

#[derive(Serialize, ToSchema)]
struct History<'a> {
    messages: Vec<MessageView<'a>>,
}

/// Earlier messages, oldest first: of a channel while this session was on it, or of the
/// conversation with the session that holds a nick, or with a session.
#[utoipa::path(get, path = "/api/v1/history", tag = "delivery", params(HistoryParams),
    responses((status = 200, description = "The messages, oldest first", body = History), Problems, NotFound))]
pub async fn history(
    State(chat): State<Arc<Chat>>,
    caller: Authenticated,
    QueryParams(params): QueryParams<HistoryParams>,
) -> Result<Response> {
    let live = caller.allowed(Scope::ChatRead)?;
    let of = match (params.target.as_deref(), params.session.as_deref()) {
        (Some(target), None) => HistoryOf::Target(Target::named(target)?),
        (None, Some(session)) => HistoryOf::Session(session_id(session)?),
        _ => {
            return Err(Error::malformed(
                "give either `target` or `session`, and not both",
            ));
        }
    };
    let id = |id: &Option<String>| id.as_deref().map(event_id).transpose();
    let part = match (id(&params.before)?, id(&params.after)?, id(&params.around)?) {
        (None, None, None) => Part::Latest,
        (Some(id), None, None) => Part::Before(id),
        (None, Some(id), None) => Part::After(id),
        (None, None, Some(id)) => Part::Around(id),
        _ => {
            return Err(Error::malformed(
                "give at most one of `before`, `after` and `around`",
            ));
        }
    };
    let limit = number("limit", params.limit.as_deref(), 1..=500, 200)?;
    let events = chat.history(live, of, part, limit as usize).await?;
    let messages = events
        .iter()
        .map(|event| MessageView::of(event, live.caller.client))
        .collect();
    Ok(Json(History { messages }).into_response())
}
