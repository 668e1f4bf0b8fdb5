//! The authorization endpoint, to which an app sends a browser, and the user's decision (RFC 6749
//! §4.1).

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    error::{Code, Error, Result},
    http::{
        errors::problem::PageProblems,
        extract::{address::Address, auth::OptionalCaller, form_fields::FormFields},
        middleware::{csrf, origin::OwnOrigins, rate_limits},
        oauth::authorize_request::{self, Checked, PATH, Wrong, see_other, to_login},
        pages::{consent, decision},
    },
    model::SessionId,
    oauth::{
        self,
        authorize::{self, Request},
    },
    secret::Secret,
    session::{Core, LiveClient},
};

/// The longest address that a posted request is redirected to, in bytes. The head of the next
/// request must stay within its limit.
const LOCATION_LIMIT: usize = 8 * 1024;
/// The parameters of an authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3).
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the OpenAPI description alone reads it")]
pub struct Asked {
    /// `code`.
    response_type: Option<String>,
    client_id: Option<String>,
    /// One of the app's registered redirect URIs, exactly. On loopback the port may differ.
    redirect_uri: Option<String>,
    /// Scopes separated by spaces. Without it, everything that the app may be granted, except
    /// `session:manage`.
    scope: Option<String>,
    /// Returned to the app unchanged.
    state: Option<String>,
    /// RFC 7636.
    code_challenge: Option<String>,
    /// `S256`.
    code_challenge_method: Option<String>,
    /// With `none` no page is shown. `consent` is the default.
    prompt: Option<String>,
}

/// The parameters of the authorization request again, and the user's decision.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the OpenAPI description alone reads it")]
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

/// Asks the browser's session to let an app in, by a page. With `prompt=none` the answer comes at
/// once.
#[utoipa::path(get, security((), ("cookie" = [])), path = "/auth/authorize", tag = "oauth", params(Asked),
    responses((status = 200, description = "The consent page", content_type = "text/html", body = String),
        (status = 303, description = "A redirect to the login page, or back to the app", headers(("location" = String))),
        (status = 400, description = "The app or its redirect URI is wrong", content_type = "text/html", body = String),
        (status = 429, description = "Too many wrong requests", content_type = "text/html", body = String),
        PageProblems))]
pub async fn ask(
    State(core): State<Arc<Core>>,
    State(own_origins): State<Arc<OwnOrigins>>,
    address: Address,
    current_caller: Result<OptionalCaller>,
    uri: Uri,
) -> Response {
    respond_to(
        &core,
        &own_origins,
        &address,
        current_caller,
        FormFields::of_query(uri.query()),
    )
    .await
}

async fn respond_to(
    core: &Core,
    own_origins: &OwnOrigins,
    address: &Address,
    current_caller: Result<OptionalCaller>,
    params: FormFields,
) -> Response {
    let result = async {
        let asked = Checked::check(&params, core, address).await?;
        let live = current_caller.map_err(Wrong::Page)?.0;
        match (live, asked.silent) {
            (Some(live), false) => consent_page(core, &live, &params, &asked.request, None).await,
            (None, false) => Ok(see_other(&to_login(&params))),
            (live, true) => {
                let code = silently(core, address, live.as_deref(), asked.request.clone()).await;
                code.map(|code| asked.back_with(own_origins, &code))
                    .map_err(|error| asked.wrong(error))
            }
        }
    };
    result
        .await
        .unwrap_or_else(|wrong| wrong.respond(own_origins))
}

/// The same request as a form (RFC 6749 §3.1). Browsers send no cookie with a form from another
/// site, so such a request is redirected to GET, with which they do.
#[utoipa::path(post, security((), ("cookie" = [])), path = "/auth/authorize", tag = "oauth",
    request_body(content = Asked, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The consent page", content_type = "text/html", body = String),
        (status = 303, description = "A redirect to the same request by GET, to the login page, or \
                                      back to the app",
            headers(("location" = String))),
        (status = 400, description = "The app or its redirect URI is wrong", content_type = "text/html", body = String),
        (status = 429, description = "Too many wrong requests", content_type = "text/html", body = String),
        (status = 413, description = "The request is too long for a redirect to GET", content_type = "text/html", body = String),
        PageProblems))]
pub async fn ask_posted(
    State(core): State<Arc<Core>>,
    State(own_origins): State<Arc<OwnOrigins>>,
    address: Address,
    current_caller: Result<OptionalCaller>,
    headers: HeaderMap,
    params: Result<FormFields>,
) -> Response {
    let own = csrf::is_own(&own_origins, &headers);
    match params {
        Ok(params) if own => {
            respond_to(&core, &own_origins, &address, current_caller, params).await
        }
        Ok(params) => {
            let location = format!("{PATH}?{}", params.to_query());
            match location.len() <= LOCATION_LIMIT {
                true => see_other(&location),
                false => consent::notice(&Error::too_long("the request", LOCATION_LIMIT, "bytes")),
            }
        }
        Err(error) => consent::notice(&error),
    }
}

/// The user's decision on the consent page. The app gets a code or a denial.
#[utoipa::path(post, security(("cookie" = [])), path = "/auth/consent", tag = "oauth",
    request_body(content = DecisionForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "A redirect back to the app", headers(("location" = String))),
        (status = 400, description = "The app or its redirect URI is wrong; or the page again, if \
                                      the choice is invalid",
            content_type = "text/html", body = String),
        (status = 409, description = "The session has too many devices", content_type = "text/html", body = String),
        (status = 429, description = "Too many wrong requests", content_type = "text/html", body = String),
        PageProblems))]
pub async fn decide(
    State(core): State<Arc<Core>>,
    State(own_origins): State<Arc<OwnOrigins>>,
    address: Address,
    current_caller: Result<OptionalCaller>,
    params: Result<FormFields>,
) -> Response {
    let result = async {
        let params = params.map_err(Wrong::Page)?;
        let asked = Checked::check(&params, &core, &address).await?;
        let Some(live) = current_caller.map_err(Wrong::Page)?.0 else {
            return Ok(see_other(&to_login(&params)));
        };
        let request = asked.request.clone();
        let decided = match params.only("decision") {
            Ok(Some("allow")) => {
                let res = match decision::chosen_channels(request.scope, &params) {
                    Ok(res) => res,
                    Err(refusal) => {
                        return consent_page(&core, &live, &params, &request, Some(&refusal)).await;
                    }
                };
                rate_limits::new_code(&core, &address, live.caller.session)
                    .await
                    .map_err(|error| asked.wrong(error))?;
                authorize::approve(&core, &live, request, res, address.at)
                    .await
                    .map(|code| asked.back_with(&own_origins, &code))
            }
            Ok(Some("deny")) => {
                let denied = oauth::access_denied();
                authorize::deny(&core, &live, request, &address.arrival())
                    .await
                    .and(Err(denied))
            }
            undecided => {
                let refusal = undecided.err().unwrap_or_else(decision::undecided);
                return consent_page(&core, &live, &params, &request, Some(&refusal)).await;
            }
        };
        match decided {
            Err(full) if full.code == Code::TooManyClients => {
                consent_page(&core, &live, &params, &asked.request, Some(&full)).await
            }
            decided => {
                if core.note_line("consent decided", live.caller.session, &address.arrival()) {
                    note_decision(&asked.request, live.caller.session, &decided);
                }
                decided.map_err(|error| asked.wrong(error))
            }
        }
    };
    result
        .await
        .unwrap_or_else(|wrong| wrong.respond(&own_origins))
}

/// Logs what the user decided, or that the decision could not be carried out.
fn note_decision(request: &Request, session: SessionId, decided: &Result<Response>) {
    let app = request.asking.app.client_id.as_str();
    let allowed = match decided {
        Ok(_) => true,
        Err(error) if error.code == Code::AccessDenied => false,
        Err(error) => {
            let code = error.code.name();
            return tracing::warn!(app, %session, code, "a decision on consent was not carried out");
        }
    };
    tracing::info!(app, %session, allowed, "consent decided");
}

async fn silently(
    core: &Core,
    address: &Address,
    live: Option<&LiveClient>,
    request: Request,
) -> Result<Secret> {
    let live = live.ok_or_else(|| {
        Error::new(
            Code::LoginRequired,
            "this browser has no session on this server",
        )
    })?;
    rate_limits::new_code(core, address, live.caller.session).await?;
    authorize::silently(core, live, request, address.at).await
}

async fn consent_page(
    core: &Core,
    live: &LiveClient,
    params: &FormFields,
    request: &Request,
    refusal: Option<&Error>,
) -> Result<Response, Wrong> {
    let repeated: Vec<_> = authorize_request::asking(params).collect();
    consent::page(core, live, params, &repeated, request, refusal)
        .await
        .map_err(Wrong::Page)
}
