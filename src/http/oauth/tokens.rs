//! The endpoints for tokens: issue (RFC 6749), introspect (RFC 7662) and revoke (RFC 7009).

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::{Code, Error},
    http::{
        errors::{
            oauth_error::{Refusal, Refusals},
            problem,
        },
        extract::{
            address::Address,
            app_form::{AppForm, AskingForm},
            body::Json,
        },
        middleware::{
            origin::OwnOrigins,
            rate_limits::{self, Charged},
        },
    },
    model::{ChannelName, Scopes},
    oauth::{
        self, Shown, client_credentials, device,
        introspect::{self, TokenKind},
        pkce,
        redeem::{self, Redemption},
        refresh, revoke,
        tokens::{Issued, TokenRequest},
    },
    secret::SecretHash,
    session::Core,
};

/// How an access token is presented (RFC 6750).
const BEARER: &str = "Bearer";
/// The registered type of a token that is not an access token (RFC 8693 §2.2.1). A validator that
/// looks for `Bearer` does not accept it.
const NO_ACCESS_TOKEN: &str = "N_A";
/// The device flow's grant type (RFC 8628 §3.4).
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The app may send its credentials by HTTP Basic instead.
#[derive(ToSchema)]
#[schema(example = json!({"grant_type": "client_credentials", "scope": "chat:read"}))]
#[expect(dead_code, reason = "the OpenAPI description alone reads it")]
struct TokenForm {
    #[schema(
        pattern = "^(client_credentials|authorization_code|refresh_token|urn:ietf:params:oauth:grant-type:device_code)$"
    )]
    grant_type: String,
    /// Scopes separated by spaces. Without it, everything that the grant allows.
    #[schema(nullable = false)]
    scope: Option<String>,
    /// For `authorization_code`: the code, the redirect URI if one was sent, and the verifier (RFC
    /// 7636).
    #[schema(nullable = false)]
    code: Option<String>,
    #[schema(nullable = false)]
    redirect_uri: Option<String>,
    #[schema(nullable = false)]
    code_verifier: Option<String>,
    /// For `refresh_token`: the token.
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    /// For the device flow: the code that the device was given.
    #[schema(nullable = false)]
    device_code: Option<String>,
    #[schema(nullable = false)]
    client_id: Option<String>,
    #[schema(nullable = false)]
    client_secret: Option<String>,
    /// Other parameters are ignored. No parameter may be repeated.
    #[serde(flatten)]
    others: HashMap<String, String>,
}

/// The app may send its credentials by HTTP Basic instead.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the OpenAPI description alone reads it")]
struct PresentedForm {
    #[schema(min_length = 1)]
    token: String,
    /// Ignored. The token is found without it.
    #[schema(nullable = false)]
    token_type_hint: Option<String>,
    #[schema(nullable = false)]
    client_id: Option<String>,
    #[schema(nullable = false)]
    client_secret: Option<String>,
    /// Other parameters are ignored. No parameter may be repeated.
    #[serde(flatten)]
    others: HashMap<String, String>,
}

/// RFC 6749 §5.1.
#[derive(Serialize, ToSchema)]
struct TokenView {
    access_token: String,
    token_type: &'static str,
    /// The lifetime in seconds.
    expires_in: u64,
    /// The token to exchange for the next pair. It works once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    scope: String,
}

impl From<Issued> for TokenView {
    fn from(issued: Issued) -> Self {
        Self {
            access_token: issued.access.reveal().to_owned(),
            token_type: BEARER,
            expires_in: issued.expires_in.as_secs(),
            refresh_token: issued.refresh.map(|secret| secret.reveal().to_owned()),
            scope: issued.scope.to_string(),
        }
    }
}

/// Issues an access token and, if a session gave the grant, a refresh token.
#[utoipa::path(post, security((), ("app" = [])), path = "/auth/token", tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The tokens", body = TokenView), Refusals))]
pub async fn issue(
    State(core): State<Arc<Core>>,
    address: Address,
    form: Result<AppForm, Refusal>,
) -> Response {
    let mut response = issued(&core, &address, form)
        .await
        .map(|view| Json(view).into_response())
        .into_response();
    // In addition to the Cache-Control that every answer has (RFC 6749 §5.1, §5.2).
    response
        .headers_mut()
        .insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

async fn issued(
    core: &Core,
    address: &Address,
    form: Result<AppForm, Refusal>,
) -> Result<TokenView, Refusal> {
    let form = rate_limits::app_form(core, address, form).await?;
    let client_id = form.credentials.client_id.as_str();
    let attempt = async {
        let grant_type = form.required("grant_type")?;
        let scope = form.get("scope")?.map(Scopes::parse).transpose()?;
        let attempt = by_grant_type(core, address, &form, grant_type, scope);
        let issued = rate_limits::new_token(
            core,
            address,
            client_id,
            grant_type == "client_credentials",
            attempt,
        )
        .await?;
        let arrival = address.arrival();
        if core.note_line(
            "token issued",
            format_args!("{client_id} {}", arrival.network().widest()),
            &arrival,
        ) {
            tracing::info!(app = client_id, address = %address.ip, grant_type, "token issued");
        }
        Ok(issued)
    };
    rate_limits::app_call(core, address, &form.credentials, shown(&form), attempt)
        .await
        .map(TokenView::from)
        .map_err(Refusal)
}

/// The secret that the request presents besides the app's credentials.
fn shown(form: &AppForm) -> Shown {
    let mut secrets = ["refresh_token", "code", "device_code"]
        .into_iter()
        .filter_map(|name| form.get(name).ok()?);
    secrets.next().map_or(Shown::Nothing, |secret| {
        Shown::Secret(SecretHash::of(secret))
    })
}

async fn by_grant_type(
    core: &Core,
    address: &Address,
    form: &AppForm,
    grant_type: &str,
    scope: Option<Scopes>,
) -> Result<Issued, Error> {
    let request = TokenRequest {
        credentials: form.credentials.clone(),
        arrival: address.arrival(),
    };
    match grant_type {
        "client_credentials" => client_credentials::issue(core, request, scope).await,
        "refresh_token" => {
            refresh::issue(core, request, form.required("refresh_token")?, scope).await
        }
        "authorization_code" => {
            let redemption = Redemption {
                code: SecretHash::of(form.required("code")?),
                redirect_uri: form.get("redirect_uri")?.map(str::to_owned),
                challenge: pkce::challenge_of(form.required("code_verifier")?),
            };
            redeem::redeem(core, request, redemption).await
        }
        DEVICE_CODE => {
            let presented = SecretHash::of(form.required("device_code")?);
            rate_limits::poll(
                core,
                address,
                presented,
                device::issue(core, request, presented),
            )
            .await
        }
        _ => Err(Error::new(
            Code::UnsupportedGrantType,
            "this grant_type is not supported",
        )),
    }
}

/// RFC 7662 §2.2.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum IntrospectionView<'a> {
    Active(Box<ActiveView<'a>>),
    /// A token that is not active has no other field.
    Inactive {
        active: bool,
    },
}

#[derive(Serialize, ToSchema)]
struct ActiveView<'a> {
    active: bool,
    scope: String,
    client_id: String,
    /// The session's current nick. An app's own token has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    username: Option<String>,
    /// The session's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sub: Option<String>,
    /// The channels that it is restricted to. `null` if it is not restricted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Vec<String>>)]
    res: Option<Vec<ChannelName>>,
    /// `Bearer` for an access token. `N_A` for a refresh token, which authorizes no request.
    #[schema(pattern = "^(Bearer|N_A)$")]
    token_type: &'static str,
    /// When the token expires, in seconds since the epoch.
    exp: i64,
    iat: i64,
    iss: &'a str,
    grant_id: i64,
    /// The name of an access token in `GET /auth/grants/events`, which reports its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    jti: Option<String>,
}

/// Introspects a token. An app may introspect its own tokens, and a resource server any access
/// token. The app authenticates by its credentials or by an access token of its own.
#[utoipa::path(post, security((), ("app" = []), ("token" = [])), path = "/auth/introspect", tag = "oauth",
    request_body(content = PresentedForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token's data, or `active` alone, which is false", body = IntrospectionView),
        Refusals))]
pub async fn introspect(
    State(core): State<Arc<Core>>,
    State(own_origins): State<Arc<OwnOrigins>>,
    address: Address,
    form: Result<AskingForm, Refusal>,
) -> Response {
    problem::offer_both(
        look_into(&core, &own_origins, &address, form)
            .await
            .into_response(),
    )
}

async fn look_into(
    core: &Core,
    own_origins: &OwnOrigins,
    address: &Address,
    form: Result<AskingForm, Refusal>,
) -> Result<Response, Refusal> {
    let form = rate_limits::app_form(core, address, form).await?;
    let (presented, named) = (form.required("token").map(SecretHash::of), form.named());
    let by = rate_limits::proof(core, address, form.by).await?;
    let proof = by.clone();
    let attempt =
        async { introspect::introspect(core, proof, named?, presented?, address.at).await };
    let Some(found) = rate_limits::app_call(core, address, by, Shown::Nothing, attempt).await?
    else {
        return Ok(Json(IntrospectionView::Inactive { active: false }).into_response());
    };
    let (session, nick) = found.user.unzip();
    let (token_type, jti) = match found.kind {
        TokenKind::Access { jti } => (BEARER, Some(jti)),
        TokenKind::Refresh => (NO_ACCESS_TOKEN, None),
    };
    Ok(Json(IntrospectionView::Active(Box::new(ActiveView {
        active: true,
        scope: found.token.scope.to_string(),
        client_id: found.client_id,
        username: nick.map(|nick| nick.to_string()),
        sub: session.map(|session| session.to_string()),
        res: found.res,
        token_type,
        exp: found.token.expires_at.seconds(),
        iat: found.token.created_at.seconds(),
        iss: own_origins.issuer(),
        grant_id: found.token.grant.0,
        jti,
    })))
    .into_response())
}

/// Revokes one of the app's tokens, and with it the token's grant. An unknown token gets the same
/// answer. A token of another app is refused.
#[utoipa::path(post, security((), ("app" = [])), path = "/auth/revoke", tag = "oauth",
    request_body(content = PresentedForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token and its grant are revoked, or were unknown"), Refusals))]
pub async fn revoke(
    State(core): State<Arc<Core>>,
    address: Address,
    form: Result<AppForm, Refusal>,
) -> Result<StatusCode, Refusal> {
    let form = rate_limits::app_form(&core, &address, form).await?;
    let shown = form
        .get("token")?
        .map_or(Shown::Nothing, |token| Shown::Secret(SecretHash::of(token)));
    let attempt = async {
        let presented = SecretHash::of(form.required("token")?);
        let asking = oauth::authenticate(&core, form.credentials.clone(), address.at).await?;
        let public = asking.is_public();
        let revoked = revoke::revoke(&core, asking, presented, address.at.now).await?;
        if let Some(grant) = revoked {
            tracing::info!(%grant, "grant revoked by its app");
        }
        // Anybody can use the id of a public app.
        let is_guess = public && revoked.is_none();
        Ok((
            (),
            if is_guess {
                Charged::Kept
            } else {
                Charged::Back
            },
        ))
    };
    rate_limits::app_call_charged(&core, &address, &form.credentials, shown, attempt).await?;
    Ok(StatusCode::OK)
}
