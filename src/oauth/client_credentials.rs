//! Tokens for an app's own credentials (RFC 6749 §4.4). An API key acts as the session that owns
//! it. An operator's app acts for itself.

use super::{
    mint::Mint,
    tokens::{self, Issued, TokenRequest},
};
use crate::{
    error::{Code, Error, Result},
    model::{GrantId, Scopes},
    session::{Core, insert_client},
    store::{
        Write,
        app::App,
        app_grant::{self, NewGrant},
    },
};

/// Issues an access token of the app's own grant. The first call creates that grant. Fails with
/// `unauthorized_client` for a public app, and with `invalid_scope` if the scope exceeds the app's.
pub async fn issue(core: &Core, request: TokenRequest, scope: Option<Scopes>) -> Result<Issued> {
    tokens::issue(core, request, move |tx, app, mint| {
        if app.is_public() {
            return Err(Error::new(
                Code::UnauthorizedClient,
                "a public app has no secret, so it cannot get tokens by client credentials",
            ));
        }
        let scope = scope.unwrap_or(app.scope);
        if !app.scope.covers(scope) {
            return Err(Error::new(
                Code::InvalidScope,
                "the scope exceeds what the app may be granted",
            ));
        }
        let grant = own_grant(tx, app, mint)?;
        mint.access(tx, grant, scope, app.expires_at()).map(Ok)
    })
    .await
}

fn own_grant(tx: &Write, app: &App, mint: &Mint) -> Result<GrantId> {
    let Some(grant) = app_grant::own_of(tx, app)? else {
        return begin(tx, app, mint);
    };
    mint.prolong(tx, &grant, None)?;
    Ok(grant.id)
}

/// Creates the app's own grant. An API key also gets the client that acts as its session.
fn begin(tx: &Write, app: &App, mint: &Mint) -> Result<GrantId> {
    let own = NewGrant::own_of(app);
    let id = mint.make(tx, app, &own)?;
    if let Some(session) = app.owner() {
        insert_client(tx, session, &mint.client_of(app, id, &own), mint.at.now)?;
    }
    Ok(id)
}
