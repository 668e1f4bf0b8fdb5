//! Where an app sends a browser to be let in, and the page on which a session decides (RFC 6749
//! §4.1, RFC 9207).
//!
//! Until app and redirect URI are known to be right, what is wrong is told to the person, on a
//! page; from then on it is told to the app, by a redirect.

use axum::{
    extract::{FromRequest, Request as HttpRequest, State},
    http::{StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use form_urlencoded::Serializer;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    chat::callers::Live,
    error::{Code, Error, Result},
    http::{
        errors::{
            oauth_error,
            problem::{self, PageProblems},
        },
        extract::{address::Address, auth::OptionalCaller, form_fields::FormFields},
        middleware::{csrf, rate_limits},
        pages::{
            approval, assets,
            template::{self, escape},
        },
        state::ServerState,
    },
    model::Scopes,
    oauth::{
        self,
        authorize::{self, Asking, Request},
    },
    secret::Secret,
};

const PATH: &str = "/auth/authorize";
/// Bytes of the address to which a posted request is sent on; the head of a request with it has to
/// be within its own limit.
const LOCATION_LIMIT: usize = 8 * 1024;
/// The parameters that say what is asked for; the page's form sends them again, and they are
/// checked again.
const ASKING: [&str; 7] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// For the description.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
pub struct Asked {
    /// `code`.
    response_type: Option<String>,
    client_id: Option<String>,
    /// One of those registered, character by character; on loopback at any port.
    redirect_uri: Option<String>,
    /// Scopes parted by spaces; left out, all that the app may be granted but `session:manage`.
    scope: Option<String>,
    /// Comes back as it was sent.
    state: Option<String>,
    /// RFC 7636.
    code_challenge: Option<String>,
    /// `S256`.
    code_challenge_method: Option<String>,
    /// `none`: no page is shown; `consent`: one is, as it is without.
    prompt: Option<String>,
}

/// For the description: what was asked, once more, and the decision.
#[derive(ToSchema)]
#[allow(dead_code)]
struct DecisionForm {
    #[schema(inline)]
    #[serde(flatten)]
    asked: Asked,
    /// `allow` or `deny`.
    decision: String,
    /// `everywhere`, or `chosen` for the channels named by `res`.
    #[schema(nullable = false)]
    r#where: Option<String>,
    #[schema(nullable = false)]
    res: Option<String>,
}

/// Asks the browser's session to let an app in: a page, or with `prompt=none` an answer at once.
#[utoipa::path(get, security((), ("cookie" = [])), path = "/auth/authorize", tag = "oauth", params(Asked),
    responses((status = 200, description = "The page", content_type = "text/html", body = String),
        (status = 303, description = "To the login page, or back to the app", headers(("location" = String))),
        (status = 400, description = "The app or its redirect URI is wrong", content_type = "text/html", body = String),
        (status = 429, description = "Too many that were wrong", content_type = "text/html", body = String),
        PageProblems))]
pub async fn ask(
    State(server): State<ServerState>,
    address: Address,
    present: Result<OptionalCaller>,
    uri: Uri,
) -> Response {
    respond_to(
        &server,
        &address,
        present,
        FormFields::of_query(uri.query()),
    )
    .await
}

async fn respond_to(
    server: &ServerState,
    address: &Address,
    present: Result<OptionalCaller>,
    params: FormFields,
) -> Response {
    let result = async {
        let asked = params.asked(server, address).await?;
        let live = present.map_err(Wrong::Page)?.0;
        match (live, asked.silent) {
            (Some(live), false) => consent_page(server, &live, &params, &asked.request, None).await,
            (None, false) => Ok(see_other(&to_login(&params))),
            (live, true) => {
                let code = silently(server, address, live.as_deref(), asked.request.clone()).await;
                code.map(|code| asked.back_with(server, &code))
                    .map_err(|error| asked.wrong(error))
            }
        }
    };
    result.await.unwrap_or_else(|wrong| wrong.respond(server))
}

/// The same request as a form (RFC 6749 §3.1). With what another site posts no cookie comes along,
/// so it is asked for anew by GET: a navigation, with which it does.
#[utoipa::path(post, security((), ("cookie" = [])), path = "/auth/authorize", tag = "oauth",
    request_body(content = Asked, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The page", content_type = "text/html", body = String),
        (status = 303, description = "To the same request by GET, to the login page, or back to the app",
            headers(("location" = String))),
        (status = 400, description = "The app or its redirect URI is wrong", content_type = "text/html", body = String),
        (status = 429, description = "Too many that were wrong", content_type = "text/html", body = String),
        (status = 413, description = "Too long to be asked for by GET", content_type = "text/html", body = String),
        PageProblems))]
pub async fn ask_posted(
    State(server): State<ServerState>,
    address: Address,
    present: Result<OptionalCaller>,
    http: HttpRequest,
) -> Response {
    let own = csrf::is_own(&server.own_origins, http.headers());
    match FormFields::from_request(http, &server).await {
        Ok(params) if own => respond_to(&server, &address, present, params).await,
        Ok(params) => {
            let location = format!("{PATH}?{}", params.to_query());
            match location.len() <= LOCATION_LIMIT {
                true => see_other(&location),
                false => notice(&Error::too_long("the request", LOCATION_LIMIT, "bytes")),
            }
        }
        Err(error) => notice(&error),
    }
}

/// The page's answer: a code for the app, or that it was denied.
#[utoipa::path(post, security(("cookie" = [])), path = "/auth/consent", tag = "oauth",
    request_body(content = DecisionForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Back to the app", headers(("location" = String))),
        (status = 400, description = "The app or its redirect URI is wrong; or the page again, as what was chosen is",
            content_type = "text/html", body = String),
        (status = 409, description = "The session has too many devices", content_type = "text/html", body = String),
        (status = 429, description = "Too many apps that were wrong", content_type = "text/html", body = String),
        PageProblems))]
pub async fn decide(
    State(server): State<ServerState>,
    address: Address,
    present: Result<OptionalCaller>,
    http: HttpRequest,
) -> Response {
    let result = async {
        let params = FormFields::from_request(http, &server)
            .await
            .map_err(Wrong::Page)?;
        let asked = params.asked(&server, &address).await?;
        let Some(live) = present.map_err(Wrong::Page)?.0 else {
            return Ok(see_other(&to_login(&params)));
        };
        let request = asked.request.clone();
        let (now, due) = (server.clock.now(), server.clock.due());
        let decided = match params.only("decision") {
            Ok(Some("allow")) => {
                let res = match approval::chosen_channels(request.scope, &params) {
                    Ok(res) => res,
                    Err(refusal) => {
                        return consent_page(&server, &live, &params, &request, Some(&refusal))
                            .await;
                    }
                };
                rate_limits::new_code(&server, &address, live.caller.session)
                    .await
                    .map_err(|error| asked.wrong(error))?;
                authorize::approve(&server.chat, &live, request, res, now, due)
                    .await
                    .map(|code| asked.back_with(&server, &code))
            }
            Ok(Some("deny")) => {
                let denied = Error::new(Code::AccessDenied, "the session said no");
                authorize::deny(&server.chat, &live, request, &address.arrival(&server, now))
                    .await
                    .and(Err(denied))
            }
            undecided => {
                let refusal = undecided
                    .err()
                    .unwrap_or_else(|| Error::malformed("the decision is allow or deny"));
                return consent_page(&server, &live, &params, &request, Some(&refusal)).await;
            }
        };
        match decided {
            Err(full) if full.code == Code::TooManyClients => {
                consent_page(&server, &live, &params, &asked.request, Some(&full)).await
            }
            decided => {
                let allowed = decided.is_ok();
                if server.chat.tells(
                    "asked for consent",
                    live.caller.session,
                    &address.arrival(&server, now),
                ) {
                    tracing::info!(app = asked.request.asking.app.client_id, session = %live.caller.session, allowed, "asked for consent");
                }
                decided.map_err(|error| asked.wrong(error))
            }
        }
    };
    result.await.unwrap_or_else(|wrong| wrong.respond(&server))
}

async fn silently(
    server: &ServerState,
    address: &Address,
    live: Option<&Live>,
    request: Request,
) -> Result<Secret> {
    let live =
        live.ok_or_else(|| Error::new(Code::LoginRequired, "this browser has no session here"))?;
    rate_limits::new_code(server, address, live.caller.session).await?;
    authorize::silently(&server.chat, live, request, server.clock.due()).await
}

impl FormFields {
    /// What is asked for, of this app and by way of this redirect.
    async fn asked(&self, server: &ServerState, address: &Address) -> Result<Checked, Wrong> {
        let look = async {
            let redirect_uri = self.only("redirect_uri")?.map(str::to_owned);
            authorize::asking(
                &server.chat,
                self.required("client_id")?.to_owned(),
                redirect_uri,
            )
            .await
        };
        let asking = rate_limits::app_of_page(server, address, look)
            .await
            .map_err(Wrong::Page)?;
        // A state that cannot be told is not sent back.
        let state = self.only("state").ok().flatten().map(str::to_owned);
        match self.rest(&asking) {
            Ok((scope, challenge, silent)) => Ok(Checked {
                request: Request {
                    asking,
                    scope,
                    challenge,
                },
                state,
                silent,
            }),
            Err(error) => Err(Wrong::Redirect {
                asking: Box::new(asking),
                state,
                error,
            }),
        }
    }

    fn rest(&self, asking: &Asking) -> Result<(Scopes, String, bool)> {
        self.require_utf_8()?;
        self.only("state")?;
        if self.required("response_type")? != "code" {
            return Err(Error::new(
                Code::UnsupportedResponseType,
                "the response_type is code",
            ));
        }
        if self
            .only("response_mode")?
            .is_some_and(|mode| mode != "query")
        {
            return Err(Error::malformed("the response_mode is query"));
        }
        let silent = match self.only("prompt")? {
            None | Some("consent") => false,
            Some("none") => true,
            Some(_) => return Err(Error::malformed("the prompt is none or consent")),
        };
        let challenge = self.required("code_challenge")?;
        if self.only("code_challenge_method")? != Some("S256") {
            return Err(Error::malformed("the code_challenge_method is S256"));
        }
        authorize::require_challenge(challenge)?;
        let scope = oauth::approval::scope(
            &asking.app,
            self.only("scope")?.map(Scopes::parse).transpose()?,
        )?;
        Ok((scope, challenge.to_owned(), silent))
    }

    fn asking(&self) -> impl Iterator<Item = (&str, &str)> {
        ASKING
            .into_iter()
            .filter_map(|name| Some((name, self.only(name).ok()??)))
    }
}

/// A request that is right.
struct Checked {
    request: Request,
    state: Option<String>,
    /// Whether no page is to be shown.
    silent: bool,
}

impl Checked {
    fn back_with(&self, server: &ServerState, code: &Secret) -> Response {
        back(
            server,
            &self.request.asking,
            self.state.as_deref(),
            &[("code", code.reveal())],
        )
    }

    fn wrong(&self, error: Error) -> Wrong {
        Wrong::Redirect {
            asking: Box::new(self.request.asking.clone()),
            state: self.state.clone(),
            error,
        }
    }
}

/// What is wrong, by whom it is heard.
enum Wrong {
    /// The person: it is not known where else to go, or nobody else's business.
    Page(Error),
    /// The app (RFC 6749 §4.1.2.1).
    Redirect {
        asking: Box<Asking>,
        state: Option<String>,
        error: Error,
    },
}

impl Wrong {
    fn respond(self, server: &ServerState) -> Response {
        match self {
            Self::Page(error) => notice(&error),
            Self::Redirect {
                asking,
                state,
                error,
            } => {
                let answer = [
                    ("error", oauth_error::name(&error)),
                    ("error_description", error.detail.as_str()),
                ];
                back(server, &asking, state.as_deref(), &answer)
            }
        }
    }
}

/// Sends the browser back to the app, by GET (RFC 9700 §4.12), with who we are beside the answer
/// (RFC 9207).
fn back(
    server: &ServerState,
    asking: &Asking,
    state: Option<&str>,
    answer: &[(&str, &str)],
) -> Response {
    let uri = asking.redirect_uri();
    let mut target = Serializer::for_suffix(
        format!("{uri}{}", if uri.contains('?') { '&' } else { '?' }),
        uri.len() + 1,
    );
    target.extend_pairs(answer);
    if let Some(state) = state {
        target.append_pair("state", state);
    }
    target.append_pair("iss", server.own_origins.issuer());
    see_other(&target.finish())
}

fn see_other(location: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// To log in, and from there to the same question.
fn to_login(params: &FormFields) -> String {
    let asked = Serializer::new(String::new())
        .extend_pairs(params.asking())
        .finish();
    let next = Serializer::new(String::new())
        .append_pair("next", &format!("{PATH}?{asked}"))
        .finish();
    format!("/login?{next}")
}

/// The page of `web/consent.html`.
async fn consent_page(
    server: &ServerState,
    live: &Live,
    params: &FormFields,
    request: &Request,
    refusal: Option<&Error>,
) -> Result<Response, Wrong> {
    let session = authorize::asked(&server.chat, live)
        .await
        .map_err(Wrong::Page)?;
    let asking = &request.asking;
    let title = format!("Let {} in?", asking.app.name);
    let page = template::card(&title, assets::CONSENT_CARD, |name, page| match name {
        "app" => escape(&asking.app.name, page),
        "nick" => escape(session.nick.as_str(), page),
        "decision" => approval::ask(request.scope, &session.channels, params, refusal, page),
        "back" => escape(
            asking
                .redirect_uri()
                .split(['?', '#'])
                .next()
                .unwrap_or_default(),
            page,
        ),
        "params" => params.asking().for_each(|(name, value)| {
            page.push_str(&format!("<input type=\"hidden\" name=\"{name}\" value=\""));
            escape(value, page);
            page.push_str("\">");
        }),
        _ => {}
    });
    let status = refusal.map_or(StatusCode::OK, problem::status);
    Ok((status, Html(page)).into_response())
}

/// The page of `web/notice.html`: what is wrong, where there is nothing to do about it here.
fn notice(error: &Error) -> Response {
    let page = match error.code {
        Code::Throttled => template::notice("Please wait", &template::sentence(&error.detail)),
        _ => template::notice(
            "This does not work",
            &format!("What brought you here is mistaken: {}.", error.detail),
        ),
    };
    // Nobody logs in to this page, so what came without credentials is no more than wrong.
    if error.code == Code::InvalidClient {
        return (StatusCode::BAD_REQUEST, Html(page)).into_response();
    }
    let mut response = (problem::status(error), Html(page)).into_response();
    problem::add_headers(error, response.headers_mut());
    response
}
