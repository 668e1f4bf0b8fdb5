//! The authorization code flow (RFC 6749 §4.1), always with PKCE's S256 (RFC 7636).
//!
//! A session approves a request on a page, which creates a code. The app redeems the code, and only
//! then does the grant exist. An app that can keep a secret runs in one place. If the session
//! consents to the same request again, the new code joins the existing grant. Each installation of
//! a public app gets a grant of its own, and with it a queue of its own.

use std::{collections::BTreeSet, time::Duration};

use super::approval::{self, Asked};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{Arrival, Caller, ChannelName, GrantId, Moment, RedirectUri, Scopes, Timestamp},
    secret::{Kind, Secret},
    session::{Core, LiveClient},
    store::{
        Priority, Read,
        app::{self, App},
        app_grant::{self, Grant, Terms},
        audit,
        authorization_code::{self, AuthorizationCode, CodeState},
    },
};

/// The lifetime of a code.
const CODE: Duration = Duration::from_mins(1);

/// The app that makes a request, and the redirect URI for the answer. Both are checked before
/// anything is sent to that URI.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The app that makes the request.
    pub app: App,
    /// The registered redirect URI that matches.
    registered: RedirectUri,
    /// The redirect URI as the request gave it, if it did.
    given: Option<String>,
}

impl Asking {
    /// The URI that the answer goes to.
    pub fn redirect_uri(&self) -> &str {
        self.given.as_deref().unwrap_or(self.registered.as_str())
    }

    /// Whether the redirect URI proves that the request comes from this app. It does not for a
    /// public app that listens on its user's machine, where any program can take its place. Such an
    /// app always needs a question on a page (RFC 8252 §8.6).
    fn is_assured(&self, app: &App) -> bool {
        !app.is_public() || self.registered.as_str().starts_with("https:")
    }
}

/// What an app asks a session for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The app, and where its answer goes.
    pub asking: Asking,
    /// The scope that it asks for.
    pub scope: Scopes,
    /// The S256 challenge that the app's verifier must hash to.
    pub challenge: String,
}

/// Finds the app that makes a request, and checks its redirect URI (RFC 6749 §3.1.2.3). The request
/// may leave the URI out if the app has registered one only. Fails with `invalid_client` if the
/// operator has no such live app, and with `malformed_request` if the URI is missing or not
/// registered.
pub async fn asking(
    core: &Core,
    client_id: String,
    redirect_uri: Option<String>,
) -> Result<Asking> {
    let app = core
        .store
        .read(move |tx| app::by_client_id(tx, &client_id))
        .await?;
    let app = app.filter(|app| !app.is_key() && app.ended_at.is_none());
    let app = app.ok_or_else(|| {
        Error::new(
            Code::InvalidClient,
            "no app with this client_id is registered on this server",
        )
    })?;
    let fitting = match &redirect_uri {
        Some(given) => app
            .redirect_uris()
            .iter()
            .find(|registered| registered.matches(given)),
        None if app.redirect_uris().len() > 1 => {
            return Err(Error::malformed("the parameter redirect_uri is missing"));
        }
        None => app.redirect_uris().first(),
    };
    let registered = fitting
        .cloned()
        .ok_or_else(|| Error::malformed("the redirect_uri is not registered for this app"))?;
    Ok(Asking {
        app,
        registered,
        given: redirect_uri,
    })
}

/// The caller's session, as the consent page shows it.
pub async fn asked(core: &Core, live: &LiveClient) -> Result<Asked> {
    let caller = live.caller;
    core.read_as(caller, move |tx| Asked::of(tx, caller)).await
}

impl Request {
    fn code(
        &self,
        by: Caller,
        res: Option<Vec<ChannelName>>,
        joins: Option<GrantId>,
        due: Timestamp,
    ) -> AuthorizationCode {
        AuthorizationCode {
            app: self.asking.app.id,
            session: by.session,
            client: by.client,
            scope: self.scope,
            res,
            redirect_uri: self.asking.given.clone(),
            challenge: self.challenge.clone(),
            expires_at: due.plus(CODE),
            state: CodeState::Unused { joins },
        }
    }

    fn subject(&self, caller: Caller) -> Subject {
        Subject {
            session: Some(caller.session),
            client: Some(caller.client),
            ..self.asking.app.subject()
        }
    }
}

/// Records that the session consents, and returns the code for the app. Fails with `invalid_client`
/// if the app was removed, and with `too_many_clients` if the session has no room for the app's
/// client.
pub async fn approve(
    core: &Core,
    live: &LiveClient,
    request: Request,
    res: Option<Vec<ChannelName>>,
    Moment { now, due }: Moment,
) -> Result<Secret> {
    let (caller, max) = (live.caller, core.limits.max_clients);
    let secret = Secret::generate_as(Kind::Code)?;
    let hash = secret.hash();
    core.write_as(caller, Priority::Ordinary, move |tx| {
        let app = require_live_app(tx, &request)?;
        let code = request.code(caller, res.clone(), None, due);
        if code.scope.need_client() && standing(tx, &app, &code)?.is_none() {
            approval::require_room(tx, caller.session, max, due)?;
        }
        audit::record(tx, Action::ConsentGiven, &request.subject(caller), now)?;
        authorization_code::insert(tx, hash, &code)
    })
    .await?;
    Ok(secret)
}

/// Records that the session refuses. Fails with `invalid_client` if the app was removed.
pub async fn deny(
    core: &Core,
    live: &LiveClient,
    request: Request,
    arrival: &Arrival,
) -> Result<()> {
    let caller = live.caller;
    let subject = request.subject(caller);
    core.read_as(caller, move |tx| require_live_app(tx, &request).map(drop))
        .await?;
    core.record_refusal(Action::ConsentDenied, subject, arrival)
        .await
}

/// Creates a code without a page, joined to an earlier grant that covers the request. Fails with
/// `consent_required` if there is no such grant, or if the redirect URI does not prove that the
/// request comes from the app.
pub async fn silently(
    core: &Core,
    live: &LiveClient,
    request: Request,
    Moment { due, .. }: Moment,
) -> Result<Secret> {
    let caller = live.caller;
    let secret = Secret::generate_as(Kind::Code)?;
    let hash = secret.hash();
    core.write_as(caller, Priority::Ordinary, move |tx| {
        let app = require_live_app(tx, &request)?;
        let given = app_grant::given(tx, caller.session, app.id)?;
        let lasts = |terms: &Terms| terms.limit_at.is_some_and(|limit| due < limit);
        let covering = |grant: &Grant| {
            request.asking.is_assured(&app)
                && grant.scope.covers(request.scope)
                && grant.terms().is_some_and(lasts)
        };
        let Some(grant) = given.into_iter().rfind(covering) else {
            return Err(Error::new(
                Code::ConsentRequired,
                "the session has not granted the app everything that it asks for",
            ));
        };
        let res = grant.res().map(<[_]>::to_vec);
        let code = request.code(caller, res, Some(grant.id), due);
        authorization_code::insert(tx, hash, &code)
    })
    .await?;
    Ok(secret)
}

/// The app as it is now. It may have been removed while the page was open.
fn require_live_app(tx: &Read, request: &Request) -> Result<App> {
    let app = app::get(tx, request.asking.app.id)?;
    if app.ended_at.is_some() {
        return Err(Error::new(Code::InvalidClient, "the app was removed"));
    }
    Ok(app)
}

/// The existing grant that a code joins: the same scope and channels, for an app that can keep a
/// secret. A public app never joins one.
pub(super) fn standing(tx: &Read, app: &App, code: &AuthorizationCode) -> Result<Option<Grant>> {
    if app.is_public() {
        return Ok(None);
    }
    let folded = |res: Option<&[ChannelName]>| {
        res.map(|names| {
            names
                .iter()
                .map(ChannelName::folded)
                .collect::<BTreeSet<_>>()
        })
    };
    let given = app_grant::given(tx, code.session, app.id)?;
    Ok(given.into_iter().find(|grant| {
        grant.scope == code.scope && folded(grant.res()) == folded(code.res.as_deref())
    }))
}
