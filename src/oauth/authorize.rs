//! Signing in for another app: the authorization code (RFC 6749 §4.1), always with PKCE's S256 (RFC
//! 7636).
//!
//! A session approves by a page and a code is made; the app redeems the code, and only then is
//! there a grant. An app that can keep a secret is in one place, so consenting to the same again
//! joins the grant there is; of a public app each installation gets a grant, and so a queue, of its
//! own.

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    approval::{self, Asked},
    invalid_grant,
    tokens::{self, Decision, GRANT_LIFE, Issued, Mint, TokenRequest},
};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{Arrival, Caller, ChannelName, EndReason, GrantId, RedirectUri, Scopes, Timestamp},
    secret::{Kind, Secret, SecretHash, sha256},
    session::{Core, LiveClient, lifecycle},
    store::{
        Priority, Read, Write,
        app::{self, App},
        audit,
        authorization_code::{self, AuthorizationCode},
        grant::{self, Grant, NewGrant},
        token,
    },
};

/// How long a code works.
const CODE: Duration = Duration::from_mins(1);

/// The app that asks, and where it wants the answer: both are known to be right before anything is
/// sent there.
#[derive(Clone, Debug)]
pub struct Asking {
    pub app: App,
    /// The registered one that fits.
    registered: RedirectUri,
    /// As the request gave it.
    given: Option<String>,
}

impl Asking {
    /// Where the answer goes.
    pub fn redirect_uri(&self) -> &str {
        self.given.as_deref().unwrap_or(self.registered.as_str())
    }

    /// Whether nobody else can come in the name of this app. One without a secret that listens on
    /// the machine of its user can be anybody there, so it gets nothing without a question (RFC
    /// 8252 §8.6).
    fn is_assured(&self, app: &App) -> bool {
        !app.public || self.registered.as_str().starts_with("https:")
    }
}

/// What an app asks a session for.
#[derive(Clone, Debug)]
pub struct Request {
    pub asking: Asking,
    pub scope: Scopes,
    /// What the verifier must hash to.
    pub challenge: String,
}

/// The operator's live app with this name on the wire, if it may be answered there (RFC 6749
/// §3.1.2.3). Left out, the answer goes to the one redirect URI that is registered.
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
            "no app with this client_id is registered here",
        )
    })?;
    let fitting = match &redirect_uri {
        Some(given) => app
            .redirect_uris
            .iter()
            .find(|registered| registered.matches(given)),
        None if app.redirect_uris.len() > 1 => {
            return Err(Error::malformed("the redirect_uri is missing"));
        }
        None => app.redirect_uris.first(),
    };
    let registered = fitting
        .cloned()
        .ok_or_else(|| Error::malformed("the redirect_uri is none of those registered"))?;
    Ok(Asking {
        app,
        registered,
        given: redirect_uri,
    })
}

/// The caller's session, as the page shows it.
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
            grant: joins,
            expires_at: due.plus(CODE),
            used: false,
            began: false,
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

/// The session said yes: a code for the app.
pub async fn approve(
    core: &Core,
    live: &LiveClient,
    request: Request,
    res: Option<Vec<ChannelName>>,
    now: Timestamp,
    due: Timestamp,
) -> Result<Secret> {
    let (caller, max) = (live.caller, core.limits.max_clients);
    let secret = Secret::generate_as(Kind::Code)?;
    let hash = secret.hash();
    core.write_as(caller, Priority::Ordinary, move |tx| {
        let app = require_live(tx, &request)?;
        let code = request.code(caller, res.clone(), None, due);
        if code.scope.need_client() && standing(tx, &app, &code)?.is_none() {
            approval::require_place(tx, caller.session, max, due)?;
        }
        audit::record(tx, Action::ConsentGiven, &request.subject(caller), now)?;
        authorization_code::insert(tx, hash, &code)
    })
    .await?;
    Ok(secret)
}

/// The session said no.
pub async fn deny(
    core: &Core,
    live: &LiveClient,
    request: Request,
    arrival: &Arrival,
) -> Result<()> {
    let caller = live.caller;
    let subject = request.subject(caller);
    core.read_as(caller, move |tx| require_live(tx, &request).map(drop))
        .await?;
    core.record_refusal(Action::ConsentDenied, subject, arrival)
        .await
}

/// A code without a page, where the session has granted the app as much before.
pub async fn silently(
    core: &Core,
    live: &LiveClient,
    request: Request,
    due: Timestamp,
) -> Result<Secret> {
    let caller = live.caller;
    let secret = Secret::generate_as(Kind::Code)?;
    let hash = secret.hash();
    core.write_as(caller, Priority::Ordinary, move |tx| {
        let app = require_live(tx, &request)?;
        let given = grant::given(tx, caller.session, app.id)?;
        let covering = |grant: &Grant| {
            request.asking.is_assured(&app)
                && grant.scope.covers(request.scope)
                && grant.limit_at.is_some_and(|limit| due < limit)
        };
        let Some(grant) = given.into_iter().rfind(covering) else {
            return Err(Error::new(
                Code::ConsentRequired,
                "this session has not granted the app as much",
            ));
        };
        let code = request.code(caller, grant.res, Some(grant.id), due);
        authorization_code::insert(tx, hash, &code)
    })
    .await?;
    Ok(secret)
}

/// The app as it is now: it may have been removed while somebody looked at a page.
fn require_live(tx: &Read, request: &Request) -> Result<App> {
    let app = app::get(tx, request.asking.app.id)?;
    if app.ended_at.is_some() {
        return Err(Error::new(Code::InvalidClient, "the app was removed"));
    }
    Ok(app)
}

/// The grant that a code joins without having said so: of an app that is in one place, the same
/// again.
fn standing(tx: &Read, app: &App, code: &AuthorizationCode) -> Result<Option<Grant>> {
    if app.public {
        return Ok(None);
    }
    let folded = |res: &Option<Vec<ChannelName>>| {
        res.as_ref().map(|names| {
            names
                .iter()
                .map(ChannelName::folded)
                .collect::<BTreeSet<_>>()
        })
    };
    let given = grant::given(tx, code.session, app.id)?;
    Ok(given
        .into_iter()
        .find(|grant| grant.scope == code.scope && folded(&grant.res) == folded(&code.res)))
}

/// What an app redeems a code with (RFC 6749 §4.1.3, RFC 7636 §4.5).
#[derive(Clone, Debug)]
pub struct Redemption {
    pub code: SecretHash,
    pub redirect_uri: Option<String>,
    pub challenge: String,
}

/// Issues tokens for a code, once. A code that comes back with the right redirect URI and verifier
/// was in two hands: the tokens that it issued end (RFC 6749 §4.1.2), and the grant if the code
/// made it. The session's devices are told, once.
pub async fn redeem(core: &Core, request: TokenRequest, redemption: Redemption) -> Result<Issued> {
    tokens::issue(core, request, move |tx, app, mint| {
        exchange(tx, app, mint, &redemption)
    })
    .await
}

fn exchange(tx: &Write, app: &App, mint: &Mint, by: &Redemption) -> Result<Decision> {
    if !app.has_code_flow() {
        return Err(Error::new(
            Code::UnauthorizedClient,
            "this app has no redirect URI, and so not the code flow",
        ));
    }
    let code = authorization_code::find(tx, by.code)?
        .filter(|code| code.app == app.id)
        .ok_or_else(invalid_grant)?;
    let joined = code
        .grant
        .map(|id| grant::get(tx, id))
        .transpose()?
        .flatten();
    let subject = |grant: &Grant| Subject {
        session: grant.session,
        client: grant.client,
        ..app.subject()
    };
    // First it is checked, and then punished: a stranger who has only seen a used code ends nothing
    // with it.
    if code.redirect_uri != by.redirect_uri || code.challenge != by.challenge {
        return Err(invalid_grant());
    }
    if code.used {
        if let Some(grant) = joined {
            let ends = code.began || token::is_of_code(tx, by.code)?;
            if ends {
                mint.report_reuse(tx, app, &grant)?;
            }
            if code.began {
                lifecycle::end_grant(tx, grant.id, EndReason::Revoked, mint.now)?;
            } else {
                lifecycle::end_tokens_of_code(tx, grant.id, by.code, mint.now)?;
            }
        }
        // What is recorded must stay, so the transaction itself succeeds.
        return Ok(Err(invalid_grant()));
    }
    if mint.due >= code.expires_at {
        return Err(invalid_grant());
    }
    let again = mint.due.plus(GRANT_LIFE);
    let (grant, limit_at, stood) = match (code.grant, joined) {
        // Nobody was asked again, so it lives no longer than it did.
        (Some(_), joined) => {
            let grant = joined.ok_or_else(invalid_grant)?;
            let limit_at = grant.limit_at.ok_or_else(invalid_grant)?;
            (grant, limit_at, true)
        }
        (None, _) => match standing(tx, app, &code)? {
            Some(grant) => {
                mint.prolong(tx, &grant, Some(again))?;
                grant::consent_again(tx, grant.id, again)?;
                (grant, again, true)
            }
            None => {
                let new = NewGrant {
                    session: Some(code.session),
                    scope: code.scope,
                    res: code.res.clone(),
                    limit_at: Some(again),
                };
                (mint.begin(tx, app, code.session, &new)?, again, false)
            }
        },
    };
    if stood {
        audit::record(tx, Action::GrantJoined, &subject(&grant), mint.now)?;
    }
    authorization_code::note_used(tx, by.code, grant.id, !stood, mint.now)?;
    let minted = mint.pair(tx, &grant, code.scope, code.scope, limit_at)?;
    mint.descend_from(tx, by.code)?;
    Ok(Ok(minted))
}

/// What a verifier hashes to (RFC 7636 §4.2); one that is no verifier, to nothing that anybody
/// asked with.
pub fn challenge_of(verifier: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return String::new();
    }
    URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()))
}

/// A challenge of S256: 256 bits in base64url.
pub fn require_challenge(challenge: &str) -> Result<()> {
    let bits = URL_SAFE_NO_PAD
        .decode(challenge)
        .is_ok_and(|bits| bits.len() == 32);
    if bits {
        Ok(())
    } else {
        Err(Error::malformed(
            "the code_challenge is not S256's: 43 characters of base64url",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_hashed_as_the_rfc_does_it() {
        // RFC 7636 appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(
            challenge_of(verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        require_challenge(&challenge_of(verifier)).unwrap();
        for bad in [
            "",
            "short",
            &"x".repeat(42),
            &"x".repeat(129),
            &format!("{} ", "x".repeat(43)),
        ] {
            assert_eq!(challenge_of(bad), "", "{bad:?}");
            require_challenge(bad).unwrap_err();
        }
    }
}
