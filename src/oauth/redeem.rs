//! Tokens for an authorization code (RFC 6749 §4.1.3).

use super::{
    authorize::standing,
    invalid_grant,
    mint::{Decision, GRANT_LIFE, Mint},
    tokens::{self, Issued, TokenRequest},
};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{EndReason, GrantId},
    secret::SecretHash,
    session::{Core, lifecycle},
    store::{
        Write,
        app::App,
        app_grant::{self, Grant, Terms},
        audit,
        authorization_code::{self, CodeState},
        token,
    },
};

/// What an app presents to redeem a code (RFC 6749 §4.1.3, RFC 7636 §4.5).
#[derive(Clone, Debug)]
pub struct Redemption {
    /// The hash of the code.
    pub code: SecretHash,
    /// The redirect URI, if the app's first request gave one. The two must be equal.
    pub redirect_uri: Option<String>,
    /// The challenge that the presented verifier hashes to: see [`super::pkce::challenge_of`].
    pub challenge: String,
}

/// Issues tokens for a code. A code works once. If it comes back with the right redirect URI and
/// verifier, two parties have it. The tokens that it issued then end (RFC 6749 §4.1.2), and so does
/// the grant if the code created it. The session's devices are told once. Fails with
/// `invalid_grant`, or with `unauthorized_client` if the app does not use the code flow.
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
            "this app has no redirect URI, so it cannot use the code flow",
        ));
    }
    let code = authorization_code::find(tx, by.code)?
        .filter(|code| code.app == app.id)
        .ok_or_else(invalid_grant)?;
    let subject = |grant: &Grant| Subject {
        session: grant.session(),
        client: grant.client(),
        ..app.subject()
    };
    // Check first, and revoke only then. A stranger who has only seen a used code must not be able
    // to end anything with it.
    if code.redirect_uri != by.redirect_uri || code.challenge != by.challenge {
        return Err(invalid_grant());
    }
    let joins = match code.state {
        CodeState::Unused { joins } => joins,
        CodeState::Used { grant, created } => {
            end_reused(tx, app, mint, by.code, grant, created)?;
            // An error would roll back what was recorded, so the transaction succeeds with a
            // refusal.
            return Ok(Err(invalid_grant()));
        }
    };
    if mint.at.due >= code.expires_at {
        return Err(invalid_grant());
    }
    let again = mint.at.due.plus(GRANT_LIFE);
    let (grant, limit_at, stood) = match joins {
        // The session was not asked again, so the grant keeps its old limit.
        Some(joined) => {
            let grant = app_grant::get(tx, joined)?.ok_or_else(invalid_grant)?;
            let limit_at = grant.terms().and_then(|terms| terms.limit_at);
            let limit_at = limit_at.ok_or_else(invalid_grant)?;
            (grant, limit_at, true)
        }
        None => match standing(tx, app, &code)? {
            Some(grant) => {
                mint.prolong(tx, &grant, Some(again))?;
                app_grant::consent_again(tx, grant.id, again)?;
                (grant, again, true)
            }
            None => {
                let terms = Terms {
                    session: code.session,
                    res: code.res.clone(),
                    limit_at: Some(again),
                };
                (mint.begin(tx, app, code.scope, terms)?, again, false)
            }
        },
    };
    if stood {
        audit::record(tx, Action::GrantJoined, &subject(&grant), mint.at.now)?;
    }
    authorization_code::note_used(tx, by.code, grant.id, !stood, mint.at.now)?;
    let minted = mint.pair(tx, &grant, code.scope, code.scope, limit_at)?;
    mint.descend_from(tx, by.code)?;
    Ok(Ok(minted))
}

/// Ends everything that a used code issued, when it is presented again with the right redirect URI
/// and verifier: its tokens, and the grant if the code created it. Tells the session's devices, if
/// anything was left to end.
fn end_reused(
    tx: &Write,
    app: &App,
    mint: &Mint,
    code: SecretHash,
    grant: GrantId,
    created: bool,
) -> Result<()> {
    let Some(grant) = app_grant::get(tx, grant)? else {
        return Ok(());
    };
    if created || token::is_of_code(tx, code)? {
        mint.report_reuse(tx, app, &grant)?;
    }
    if created {
        lifecycle::end_grant(tx, grant.id, EndReason::Revoked, mint.at.now)
    } else {
        lifecycle::end_tokens_of_code(tx, grant.id, code, mint.at.now)
    }
}
