//! New tokens for a refresh token (RFC 6749 §6), which works once: one that comes back is in two hands, and nobody can tell
//! which of them is the app's (RFC 9700 §4.14).

use super::{
    invalid_grant,
    tokens::{self, Issued, Mint, TokenRequest},
};
use crate::{
    audit::{Action, Subject},
    chat::Chat,
    error::{Code, Error, Result},
    model::{EndReason, Scopes},
    secret::SecretHash,
    store::{Write, app::App, audit, grant, token},
};

/// Issues a new pair for a refresh token, which is superseded in the same transaction. One that was used before ends its
/// grant, with the tokens that came after it.
pub async fn issue(chat: &Chat, request: TokenRequest, presented: SecretHash, scope: Option<Scopes>) -> Result<Issued> {
    tokens::issue(chat, request, move |tx, app, mint| rotate(tx, app, mint, presented, scope)).await
}

fn rotate(
    tx: &Write,
    app: &App,
    mint: &Mint,
    presented: SecretHash,
    scope: Option<Scopes>,
) -> Result<tokens::Decision> {
    let token = token::find(tx, presented)?.filter(|token| !token.is_access).ok_or_else(invalid_grant)?;
    let grant = grant::get(tx, token.grant)?.filter(|grant| grant.app == app.id).ok_or_else(invalid_grant)?;
    let subject = Subject { session: grant.session, client: grant.client, ..app.subject() };
    if token.superseded {
        audit::record(tx, Action::ReuseDetected, &subject, mint.now)?;
        grant::end(tx, grant.id, EndReason::Revoked, mint.now)?;
        // What is recorded must stay, so the transaction itself succeeds.
        return Ok(Err(invalid_grant()));
    }
    if !token.is_active(mint.due) {
        return Err(invalid_grant());
    }
    let narrowed = scope.unwrap_or(token.scope);
    if !token.scope.covers(narrowed) {
        return Err(Error::new(Code::InvalidScope, "this is more than the refresh token stands for"));
    }
    token::supersede(tx, presented, mint.now)?;
    audit::record(tx, Action::GrantRefreshed, &subject, mint.now)?;
    let minted = mint.pair(tx, &grant, narrowed, token.scope, token.limit_at)?;
    token.code.map_or(Ok(()), |code| mint.descend_from(tx, code))?;
    Ok(Ok(minted))
}
