//! The history of a channel or a conversation.

use std::sync::Arc;

use axum::{
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

use super::messages::MessageView;
use crate::{
    chat::{Chat, delivery::poll_and_stream::HistoryOf},
    error::{Error, Result},
    http::{
        errors::problem::{NotFound, Problems},
        extract::{
            auth::Authenticated,
            body::{Json, QueryParams, number},
        },
    },
    irc::params::{event_id, session_id},
    model::{Scope, Target},
    store::history::Part,
};

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
