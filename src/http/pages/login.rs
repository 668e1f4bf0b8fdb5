//! Logging in, as a page and a form for people. Its address takes JSON too.

use askama::Template;
use axum::{
    extract::{FromRequest, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    error::{Code, Error, Extra, Result},
    http::{
        api::{
            clients::{client_name, is_named},
            login::{LoginBody, attempt, login_api},
            session::Entered,
        },
        errors::problem::{LoginProblems, Malformed, PageProblems},
        extract::{
            address::Address,
            auth::OptionalCaller,
            body::{self, BodyKind, QueryParams},
            cookie,
            form_fields::FormFields,
        },
        pages::template,
        state::ServerState,
    },
    model::{ClientId, ClientView, Nick, Password, Timestamp, is_percent_encoded, whole_number},
    session::Login,
};

/// A login, as a form.
#[derive(ToSchema)]
#[schema(example = json!({"nick": "alice", "password": "correct horse battery"}))]
#[expect(dead_code, reason = "the OpenAPI description alone reads it")]
struct LoginForm {
    #[schema(min_length = 1)]
    nick: String,
    #[schema(min_length = 1)]
    password: String,
    #[schema(
        nullable = false,
        max_length = 64,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    client_name: Option<String>,
    /// The id of the client to remove when there are too many. A form sends an empty field rather
    /// than none.
    #[schema(nullable = false, pattern = "^(-?[0-9]{1,18})?$")]
    replace: Option<String>,
    /// A path of this origin to go to afterwards.
    #[schema(nullable = false)]
    next: Option<String>,
}

/// The query of the login page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LoginPage {
    /// A path of this origin to go to afterwards.
    next: Option<String>,
    /// Filled into the form.
    nick: Option<String>,
}

/// The login page.
#[utoipa::path(get, security(()), path = "/login", tag = "session", params(LoginPage),
    responses((status = 200, description = "The login page", content_type = "text/html", body = String),
        PageProblems, Malformed))]
pub async fn page(QueryParams(params): QueryParams<LoginPage>) -> Response {
    let nick = params.nick.as_deref().unwrap_or_default();
    let page = Page::new(nick, own_path(params.next.as_deref()));
    template::page(StatusCode::OK, &page)
}

/// Logs in: a new client on the session with this nick and password. JSON, or the page's form.
#[utoipa::path(post, security((), ("cookie" = [])), path = "/login", tag = "session",
    request_body(content((LoginBody = "application/json"), (LoginForm = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "Logged in", body = Entered, headers(("set-cookie" = String))), LoginProblems,
        (status = 303, description = "Logged in by the form; a redirect to `next`", headers(("set-cookie" = String), ("location" = String)))))]
pub async fn login(
    state: State<ServerState>,
    address: Address,
    current_caller: Result<OptionalCaller>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response> {
    if body::kind(&headers) != BodyKind::Form {
        return login_api(state, address, current_caller, headers, request).await;
    }
    let State(server) = state;
    let now = address.at.now;
    let form = match FormFields::from_request(request, &server).await {
        Ok(form) => form,
        Err(error) if error.code == Code::MalformedRequest => {
            return Ok(Page::again("", "/", &error));
        }
        // The body was incomplete or late.
        Err(error) => return Err(error),
    };
    // An ambiguous field is not filled in again.
    let kept = |name| form.only(name).unwrap_or_default();
    // Users and password managers leave blanks around a nick.
    let (nick, next) = (
        kept("nick").unwrap_or_default().trim_ascii(),
        own_path(kept("next")),
    );
    let result = async {
        form.required("nick")?;
        form.only("next")?;
        let replace = form
            .only("replace")?
            .map(|id| whole_number(id).ok_or_else(no_client))
            .transpose()?;
        let login = Login {
            nick: Nick::parse(nick).ok(),
            password: Password::new(form.required("password")?.to_owned()),
            names_client: is_named(form.only("client_name")?),
            client_name: client_name(form.only("client_name")?.map(str::to_owned), &headers)?,
            replace: replace.map(ClientId),
        };
        attempt(&server, &address, current_caller?, login).await
    };
    Ok(match result.await {
        Ok(admitted) => {
            let cookie = cookie::set(
                &server.own_origins,
                &admitted.secret,
                admitted.client.expires_at,
                now,
            );
            let headers = [
                (header::SET_COOKIE, cookie),
                (header::LOCATION, next.to_owned()),
            ];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(error) => Page::again(nick, next, &error),
    })
}

fn no_client() -> Error {
    Error::malformed("the parameter replace must be the id of a client")
}

/// The path to go to after the login. It must be a path of this origin, optionally with a query and
/// a fragment, in the characters of RFC 3986 (§3.3 to §3.5). A text that a browser would read as
/// another origin is replaced by `/`, because it would be an open redirect.
fn own_path(next: Option<&str>) -> &str {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&b);
    let own = |path: &&str| {
        let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
        path.starts_with('/')
            && !path.starts_with("//")
            && path.bytes().chain(fragment.bytes()).all(allowed)
            && is_percent_encoded(path)
            && is_percent_encoded(fragment)
    };
    next.filter(own).unwrap_or("/")
}

/// The start page, which continues to the same address after a new session.
fn start_page(next: &str) -> String {
    match next {
        "/" => next.to_owned(),
        _ => format!(
            "/?next={}",
            form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>()
        ),
    }
}

fn sentence(error: &Error) -> String {
    let known = match error.code {
        Code::AlreadyInSession => {
            "This browser already has another session. Log out of it first, and then log in here."
        }
        Code::TooManyClients => {
            "This session has as many devices as it can have. Choose one to log out, and enter the \
             password again."
        }
        Code::Throttled => "Too many passwords were tried. Wait a little, and try again.",
        Code::Overloaded => "Too many users are logging in at the moment. Try again shortly.",
        _ => return template::sentence(&error.detail),
    };
    known.to_owned()
}

/// The login page, which works without script.
#[derive(Template)]
#[template(path = "login.html", config = "web/templates/askama.toml")]
struct Page<'a> {
    /// The nick as the user typed it.
    nick: &'a str,
    /// Where to go after the login, as [`own_path`] gives it.
    next: &'a str,
    /// The start page, which continues to the same address.
    start: String,
    /// The error as a sentence, or an empty text.
    error: &'a str,
    /// The clients to choose from, if there are too many.
    clients: &'a [ClientView],
}

impl<'a> Page<'a> {
    fn new(nick: &'a str, next: &'a str) -> Self {
        Self {
            nick,
            next,
            start: start_page(next),
            error: "",
            clients: &[],
        }
    }

    /// The page again, with the error.
    fn again(nick: &str, next: &str, error: &Error) -> Response {
        let clients = match &error.extra {
            Extra::Clients(clients) => clients.as_slice(),
            _ => &[],
        };
        let page = Page {
            error: &sentence(error),
            clients,
            ..Page::new(nick, next)
        };
        template::error_page(error, &page)
    }

    /// A time to the minute, such as `2026-11-21 03:04`.
    fn minute(time: &Timestamp) -> String {
        time.to_string()[..16].replace('T', " ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_is_a_path_of_this_origin_or_the_front_page() {
        for (next, path) in [
            ("/device?code=A", "/device?code=A"),
            ("/#rust", "/#rust"),
            (
                "/a/./b//c?x=/y?z&%20=%C3%A9#%23x/y?",
                "/a/./b//c?x=/y?z&%20=%C3%A9#%23x/y?",
            ),
            ("/.//evil.example", "/.//evil.example"),
            ("/#a#b", "/"),
            ("/%", "/"),
            ("/%zz", "/"),
            ("/é", "/"),
            ("/\u{a0}", "/"),
            ("/ x", "/"),
            ("/\"x\"", "/"),
            ("/\t/evil.example", "/"),
            (" /x", "/"),
            ("device", "/"),
            ("\\/evil.example", "/"),
            ("///evil.example", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("javascript:alert(1)", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
            ("", "/"),
        ] {
            assert_eq!(own_path(Some(next)), path, "{next:?}");
        }
    }
}
