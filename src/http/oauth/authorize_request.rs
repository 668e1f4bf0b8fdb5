//! Checks an app's request at `/auth/authorize`, and redirects the browser (RFC 6749 §4.1, RFC
//! 9207).
//!
//! An error in the app or its redirect URI is shown to the user on a page. Every other error goes
//! to the app, by a redirect.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use form_urlencoded::Serializer;

use crate::{
    error::{Code, Error, Result},
    http::{
        errors::oauth_error,
        extract::{address::Address, form_fields::FormFields},
        middleware::{origin::OwnOrigins, rate_limits},
        pages::consent,
    },
    model::Scopes,
    oauth::{
        self,
        authorize::{self, Asking, Request},
        pkce,
    },
    secret::Secret,
    session::Core,
};

/// The path of the authorization endpoint.
pub const PATH: &str = "/auth/authorize";
/// The parameters of a request. The page's form sends them again, and they are checked again.
const ASKING: [&str; 7] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// A valid request.
pub struct Checked {
    /// What the app requests.
    pub request: Request,
    /// The app's `state`, which is returned unchanged.
    pub state: Option<String>,
    /// Whether no page may be shown (`prompt=none`).
    pub silent: bool,
}

impl Checked {
    /// Checks a request: first the app and the redirect URI, and then everything else.
    pub async fn check(params: &FormFields, core: &Core, address: &Address) -> Result<Self, Wrong> {
        let look = async {
            let redirect_uri = params.only("redirect_uri")?.map(str::to_owned);
            authorize::asking(core, params.required("client_id")?.to_owned(), redirect_uri).await
        };
        let asking = rate_limits::app_of_page(core, address, look)
            .await
            .map_err(Wrong::Page)?;
        // A state that cannot be read is not sent back.
        let state = params.only("state").ok().flatten().map(str::to_owned);
        match rest(params, &asking) {
            Ok((scope, challenge, silent)) => Ok(Self {
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

    /// Redirects the browser back to the app with a code.
    pub fn back_with(&self, own_origins: &OwnOrigins, code: &Secret) -> Response {
        back(
            own_origins,
            &self.request.asking,
            self.state.as_deref(),
            &[("code", code.reveal())],
        )
    }

    /// An error that goes to the app.
    pub fn wrong(&self, error: Error) -> Wrong {
        Wrong::Redirect {
            asking: Box::new(self.request.asking.clone()),
            state: self.state.clone(),
            error,
        }
    }
}

/// An invalid request, by who is told of the error.
pub enum Wrong {
    /// The user, on a page: the redirect URI is unknown, or the error does not concern the app.
    Page(Error),
    /// The app, by a redirect (RFC 6749 §4.1.2.1).
    Redirect {
        /// The app and the redirect URI.
        asking: Box<Asking>,
        /// The app's `state`.
        state: Option<String>,
        /// The error.
        error: Error,
    },
}

impl Wrong {
    /// The response with the error.
    pub fn respond(self, own_origins: &OwnOrigins) -> Response {
        match self {
            Self::Page(error) => consent::notice(&error),
            Self::Redirect {
                asking,
                state,
                error,
            } => {
                let answer = [
                    ("error", oauth_error::name(&error)),
                    ("error_description", error.detail.as_str()),
                ];
                back(own_origins, &asking, state.as_deref(), &answer)
            }
        }
    }
}

/// The scopes, the challenge, and whether no page may be shown.
fn rest(params: &FormFields, asking: &Asking) -> Result<(Scopes, String, bool)> {
    params.require_utf_8()?;
    params.only("state")?;
    if params.required("response_type")? != "code" {
        return Err(Error::new(
            Code::UnsupportedResponseType,
            "the response_type must be code",
        ));
    }
    if params
        .only("response_mode")?
        .is_some_and(|mode| mode != "query")
    {
        return Err(Error::malformed("the response_mode must be query"));
    }
    let silent = match params.only("prompt")? {
        None | Some("consent") => false,
        Some("none") => true,
        Some(_) => return Err(Error::malformed("the prompt must be none or consent")),
    };
    let challenge = params.required("code_challenge")?;
    if params.only("code_challenge_method")? != Some("S256") {
        return Err(Error::malformed("the code_challenge_method must be S256"));
    }
    pkce::require_challenge(challenge)?;
    let scope = oauth::approval::scope(
        &asking.app,
        params.only("scope")?.map(Scopes::parse).transpose()?,
    )?;
    Ok((scope, challenge.to_owned(), silent))
}

/// The parameters of the request, with their names.
pub fn asking(params: &FormFields) -> impl Iterator<Item = (&'static str, &str)> {
    ASKING
        .into_iter()
        .filter_map(|name| Some((name, params.only(name).ok()??)))
}

/// Redirects the browser back to the app by GET (RFC 9700 §4.12), with our issuer beside the answer
/// (RFC 9207).
fn back(
    own_origins: &OwnOrigins,
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
    target.append_pair("iss", own_origins.issuer());
    see_other(&target.finish())
}

/// A redirect that is followed by GET.
pub fn see_other(location: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// A redirect to the login page, which leads back to the same request.
pub fn to_login(params: &FormFields) -> String {
    let asked = Serializer::new(String::new())
        .extend_pairs(asking(params))
        .finish();
    let next = Serializer::new(String::new())
        .append_pair("next", &format!("{PATH}?{asked}"))
        .finish();
    format!("/login?{next}")
}
