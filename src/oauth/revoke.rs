//! Revoking a token (RFC 7009).

use crate::{
    error::{Code, Error, Result},
    model::{EndReason, GrantId, Timestamp},
    secret::SecretHash,
    session::{Core, lifecycle},
    store::{Read, app::App, app_grant, token},
};

/// Ends the grant of one of this app's tokens, even of an expired or superseded one (RFC 7009
/// §2.1). Returns `None` for an unknown token. Fails with `invalid_grant` for another app's token.
pub async fn revoke(
    core: &Core,
    asking: App,
    presented: SecretHash,
    now: Timestamp,
) -> Result<Option<GrantId>> {
    let of_app = move |tx: &Read| {
        let grant = token::find(tx, presented)?
            .map(|token| app_grant::get(tx, token.facts().grant))
            .transpose()?
            .flatten();
        match grant {
            Some(grant) if grant.app != asking.id => Err(Error::new(
                Code::InvalidGrant,
                "this token was issued to another app",
            )),
            grant => Ok(grant.map(|grant| grant.id)),
        }
    };
    // Look the token up first, so that unknown tokens never occupy the writer.
    let Some(id) = core.store.read(of_app).await? else {
        return Ok(None);
    };
    core.store
        .write(move |tx| lifecycle::end_grant(tx, id, EndReason::Revoked, now))
        .await
        .map(|()| Some(id))
}
