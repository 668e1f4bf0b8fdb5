//! Bodies and queries. Their errors are the contract's, and do not repeat what was sent.

use axum::{
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Number;
use utoipa::{
    ToSchema,
    openapi::{Array, ArrayBuilder, ObjectBuilder, Type},
};

use crate::{
    error::{Code, Error, Result},
    http::{
        extract::grammar::{self, MediaType},
        middleware::route_kind::RouteKind,
        state::ServerState,
    },
    irc,
    model::{LABEL_LIMIT, SessionId, whole_number},
};

/// The longest body of a request, in bytes.
pub const BODY_LIMIT: usize = 16 * 1024;
/// The initial size of a response's buffer, in bytes.
const ROOM: usize = 512;

/// Refuses a body whose Content-Length is too long, even if no handler reads the body. Fails with
/// `input_too_long`.
pub fn refuse_too_long<B>(request: &Request<B>) -> Result<()> {
    let length = grammar::only(request.headers(), header::CONTENT_LENGTH)
        .and_then(|length| length.parse().ok());
    if length.is_some_and(|length: usize| length > BODY_LIMIT) {
        Err(too_long())
    } else {
        Ok(())
    }
}

/// Refuses a query that is not UTF-8, even if no handler reads the query. Fails with
/// `malformed_request`. The query of an authorization request is checked field by field instead, so
/// that the error can go to the app.
pub fn refuse_garbled_query<B>(route: RouteKind, request: &Request<B>) -> Result<()> {
    match request.uri().query() {
        Some(query) if route != RouteKind::Authorize => grammar::require_utf_8(query.as_bytes()),
        _ => Ok(()),
    }
}

/// The kind of a body, by its Content-Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/json`.
    Json,
    /// `text/plain` in UTF-8 or ASCII.
    Text,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Anything else, or none.
    Other,
}

/// The kind of a body by its Content-Type, which must appear once and be well-formed (RFC 9110
/// §8.3). It is read by hand, because axum-extra's `TypedHeader` takes the first of several. Only
/// the charset of a text matters among the parameters: it must be UTF-8 or ASCII.
pub fn kind(headers: &HeaderMap) -> BodyKind {
    let mut lines = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return BodyKind::Other;
    };
    let Some(media_type) = MediaType::parse(line.as_bytes()) else {
        return BodyKind::Other;
    };
    let utf_8 = |charset: &[u8]| {
        charset.eq_ignore_ascii_case(b"utf-8") || charset.eq_ignore_ascii_case(b"us-ascii")
    };
    match media_type.essence.as_str() {
        "application/json" => BodyKind::Json,
        "text/plain" if media_type.parameter("charset").all(utf_8) => BodyKind::Text,
        "application/x-www-form-urlencoded" => BodyKind::Form,
        _ => BodyKind::Other,
    }
}

/// Reads a whole body, within the limits of length and time.
async fn bytes(request: Request, server: &ServerState) -> Result<Bytes> {
    in_time(server, Bytes::from_request(limited(request), server))
        .await?
        .map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_long(),
            _ => Error::malformed("the body is incomplete"),
        })
}

fn limited(mut request: Request) -> Request {
    DefaultBodyLimit::max(BODY_LIMIT).apply(&mut request);
    request
}

async fn in_time<T>(server: &ServerState, body: impl Future<Output = T>) -> Result<T> {
    let late = |_| Error::new(Code::RequestTimeout, "the body took too long to arrive");
    tokio::time::timeout(server.patience.body, body)
        .await
        .map_err(late)
}

fn wrong_type(wanted: &str) -> Error {
    Error::malformed(format!("the body must have the Content-Type {wanted}"))
}

fn too_long() -> Error {
    Error::too_long("the body", BODY_LIMIT, "bytes")
}

/// A JSON body of a request or an answer. A request's body must have all required fields and no
/// unknown ones.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<ServerState> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, server: &ServerState) -> Result<Self> {
        if kind(request.headers()) != BodyKind::Json {
            return Err(wrong_type("application/json"));
        }
        json(&bytes(request, server).await?).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        // A Vec with room for most responses. axum's own Json takes twice the time.
        let mut text = Vec::with_capacity(ROOM);
        match serde_json::to_writer(&mut text, &self.0) {
            Ok(()) => (
                [(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/json"),
                )],
                text,
            )
                .into_response(),
            Err(error) => Error::internal(error).into_response(),
        }
    }
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // serde would accept a list of the fields' values as an object.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Error::malformed("the body must be a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        // serde's text names the field, but it also repeats a wrong value, which may be a password
        // in the wrong place.
        let named = ["unknown field", "missing field", "duplicate field"]
            .iter()
            .any(|kind| text.starts_with(kind));
        let place = format!("line {} column {}", error.line(), error.column());
        Error::malformed(match error.classify() {
            serde_json::error::Category::Data if named => {
                text.chars().filter(|c| !c.is_control()).take(200).collect()
            }
            serde_json::error::Category::Data => format!("a value of the wrong type at {place}"),
            _ => format!("the body is not valid JSON at {place}"),
        })
    })
}

/// A whole number. `7.0` counts as whole, as in JSON Schema (2020-12 Core §4.2.3).
pub fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let whole = |n: f64| (n.fract() == 0.0 && n.abs() < 2f64.powi(63)).then_some(n as i64);
    let number = number.as_i64().or_else(|| number.as_f64().and_then(whole));
    number
        .ok_or_else(|| D::Error::custom("not a whole number"))
        .map(Some)
}

/// The body of a form, still encoded (application/x-www-form-urlencoded of the URL standard).
pub async fn form(request: Request, server: &ServerState) -> Result<Bytes> {
    if kind(request.headers()) != BodyKind::Form {
        return Err(wrong_type("application/x-www-form-urlencoded"));
    }
    bytes(request, server).await
}

/// The query's parameters.
pub struct QueryParams<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<ServerState> for QueryParams<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, server: &ServerState) -> Result<Self> {
        let query = Query::<T>::from_request_parts(parts, server).await;
        query
            .map(|Query(params)| Self(params))
            .map_err(|_| Error::malformed("a parameter of the query is malformed"))
    }
}

/// Parses a parameter that is a whole number within a range.
pub fn number(
    name: &str,
    text: Option<&str>,
    range: std::ops::RangeInclusive<u64>,
    default: u64,
) -> Result<u64> {
    let Some(text) = text else { return Ok(default) };
    let bad = || {
        Error::malformed(format!(
            "`{name}` must be a whole number from {} to {}",
            range.start(),
            range.end()
        ))
    };
    let number = whole_number(text).and_then(|number| number.try_into().ok());
    number.filter(|n| range.contains(n)).ok_or_else(bad)
}

/// The one part of the path that varies.
pub struct PathParam(pub String);

impl FromRequestParts<ServerState> for PathParam {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, server: &ServerState) -> Result<Self> {
        let path = Path::<String>::from_request_parts(parts, server).await;
        path.map(|Path(segment)| Self(segment))
            .map_err(|_| nothing_here())
    }
}

/// The error `not_found` for a path that no route has.
pub fn nothing_here() -> Error {
    Error::new(Code::NotFound, "there is nothing at this address")
}

/// A message as a client sends it: JSON, or one IRC line as `text/plain`.
pub struct Message(pub irc::Message);

/// The line form of a message to the server.
#[derive(ToSchema)]
#[schema(
    example = "@label=c1 PRIVMSG #rust :hello",
    min_length = 1,
    pattern = r"^[^\x00\r\n]+(\r?\n)?$"
)]
#[expect(dead_code, reason = "the OpenAPI description alone reads it")]
pub struct Line(String);

/// The JSON form of a message to the server.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"command": "PRIVMSG", "params": ["#rust", "hello"], "label": "c1"}))]
pub struct MessageBody {
    /// Makes the command safe to repeat.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00\r\n]*$")]
    label: Option<String>,
    #[schema(min_length = 1, pattern = r"^[^\x00\r\n]*$")]
    command: String,
    #[serde(default)]
    #[schema(schema_with = params_schema)]
    params: Vec<String>,
    /// The session that held the nick when the message was written, for PRIVMSG, NOTICE and
    /// MARKREAD with one nick. If another session holds the nick now, a message is refused.
    /// MARKREAD uses only the session.
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<i64>)]
    to: Option<i64>,
}

fn params_schema() -> Array {
    let param = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(r"^[^\x00\r]*$"));
    let about =
        "LF is allowed only in the text of a PRIVMSG or NOTICE, which has at most 100 lines.";
    ArrayBuilder::new()
        .description(Some(about))
        .items(param)
        .max_items(Some(irc::message::MAX_PARAMS))
        .build()
}

impl FromRequest<ServerState> for Message {
    type Rejection = Error;

    async fn from_request(request: Request, server: &ServerState) -> Result<Self> {
        let kind = kind(request.headers());
        let bytes = bytes(request, server).await?;
        match kind {
            BodyKind::Json => message(&bytes).map(Self),
            BodyKind::Text => {
                let line = std::str::from_utf8(&bytes)
                    .map_err(|_| Error::malformed("the line is not UTF-8"))?;
                irc::Message::parse_line(line).map(Self)
            }
            _ => Err(Error::malformed(
                "send a message as application/json, or as one line of text/plain in UTF-8",
            )),
        }
    }
}

/// A message in its JSON form.
pub fn message(text: &[u8]) -> Result<irc::Message> {
    if text.len() > BODY_LIMIT {
        return Err(too_long());
    }
    let MessageBody {
        label,
        command,
        params,
        to,
    } = json(text)?;
    Ok(irc::Message::new(label, command, params)?.to(to.map(SessionId)))
}

/// The label of a malformed message, if the message has a readable one.
pub fn label(text: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Labelled {
        label: String,
    }
    let Labelled { label } = serde_json::from_slice(text).ok()?;
    Some(label).filter(|label| label.chars().count() <= LABEL_LIMIT)
}

#[cfg(test)]
mod tests;
