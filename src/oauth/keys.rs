//! API keys: issued, listed, rotated, revoked by the session that owns them.

use std::time::Duration;

use crate::{
    chat::{Chat, callers::Live},
    error::{Code, Error, Result},
    model::{Caller, ChannelName, ClientId, EndReason, Scope, Scopes, SessionId, Timestamp},
    secret::{self, Kind, Secret},
    store::{
        Read,
        app::{self, App, AppSecret},
        grant,
    },
};

/// Live keys of a session, at most, and as many of those that have ended are listed.
pub const MAX_KEYS: usize = 100;

/// Channels that a key is confined to, at most.
const MAX_RES: usize = 100;

/// A key as it is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub name: String,
    pub scope: Scopes,
    /// The channels it is to be confined to.
    pub res: Option<Vec<ChannelName>>,
    pub expires_in: Option<Duration>,
}

/// A key, and what is known of its secrets.
#[derive(Clone, Debug)]
pub struct Key {
    pub app: App,
    pub secrets: Vec<AppSecret>,
}

/// A key with the secret to hand to its holder, once.
#[derive(Debug)]
pub struct Issued {
    pub key: Key,
    pub secret: Secret,
}

/// Issues a key. It allows no more than what it was asked for with, which never is confined to channels: that
/// manages no session ([`Caller::require`]).
pub async fn issue(chat: &Chat, live: &Live, wanted: Wanted, now: Timestamp, due: Timestamp) -> Result<Issued> {
    let caller = live.caller;
    require_cover(caller, wanted.scope)?;
    if let Some(res) = &wanted.res {
        require_useful(wanted.scope, res)?;
    }
    let (client_id, secret) = (secret::app_name()?, Secret::generate_as(Kind::Key)?);
    let hash = secret.hash();
    let key = chat
        .change(caller, move |tx| {
            if app::live_keys_of(tx, caller.session)?.len() >= MAX_KEYS {
                let detail = format!("a session has at most {MAX_KEYS} keys: revoke one first");
                return Err(Error::new(Code::TooManyKeys, detail));
            }
            let new = app::NewKey {
                client_id: client_id.clone(),
                name: wanted.name.clone(),
                session: caller.session,
                maker: maker(tx, caller)?,
                scope: wanted.scope,
                res: wanted.res.clone(),
                secret: hash,
                // By the clock by which it is refused.
                expires_at: wanted.expires_in.map(|time| due.plus(time)),
            };
            with_secrets(tx, app::insert_key(tx, &new, now)?)
        })
        .await?;
    Ok(Issued { key, secret })
}

/// The session's keys, oldest first, and for a while the last that have ended.
pub async fn list(chat: &Chat, live: &Live) -> Result<Vec<Key>> {
    let caller = live.caller;
    chat.look(caller, move |tx| {
        let mut keys = app::live_keys_of(tx, caller.session)?;
        keys.extend(app::ended_keys_of(tx, caller.session, MAX_KEYS)?);
        keys.sort_by_key(|key| key.id);
        keys.into_iter().map(|app| with_secrets(tx, app)).collect()
    })
    .await
}

/// A session's live keys, as the operator sees them.
pub async fn live_of(chat: &Chat, session: SessionId) -> Result<Vec<App>> {
    chat.store.read(move |tx| app::live_keys_of(tx, session)).await
}

/// Gives a key a new secret; those before it work for as long as `overlap`.
pub async fn rotate(
    chat: &Chat,
    live: &Live,
    client_id: String,
    overlap: Duration,
    now: Timestamp,
    due: Timestamp,
) -> Result<Issued> {
    let caller = live.caller;
    let secret = Secret::generate_as(Kind::Key)?;
    let hash = secret.hash();
    let key = chat
        .change(caller, move |tx| {
            let key = app::live_key(tx, caller.session, &client_id)?;
            // Else whoever may only manage would read by the key's new secret.
            require_cover(caller, key.scope)?;
            app::rotate(tx, &key, hash, overlap, now, due)?;
            with_secrets(tx, key)
        })
        .await?;
    Ok(Issued { key, secret })
}

/// Revokes a key, with everything it has issued.
pub async fn revoke(chat: &Chat, live: &Live, client_id: String, now: Timestamp) -> Result<()> {
    let caller = live.caller;
    chat.change(caller, move |tx| {
        let key = app::live_key(tx, caller.session, &client_id)?;
        app::end(tx, key.id, EndReason::Revoked, now)
    })
    .await
}

/// Whoever holds a narrow token makes no wider key of it.
fn require_cover(caller: Caller, scope: Scopes) -> Result<()> {
    let beyond = Scope::ALL.into_iter().find(|one| scope.allow(*one) && !caller.scope.allow(*one));
    beyond.map_or(Ok(()), |one| Err(Error::insufficient_scope(one)))
}

/// Refuses a `res` by which a key could do nothing, or not what its scope says.
fn require_useful(scope: Scopes, res: &[ChannelName]) -> Result<()> {
    if res.is_empty() || res.len() > MAX_RES {
        let detail = format!("res names 1 to {MAX_RES} channels; left out, it is all of the session's");
        return Err(Error::malformed(detail));
    }
    if scope.allow(Scope::SessionManage) {
        let detail = "a key that is confined to channels cannot manage the session";
        return Err(Error::new(Code::InvalidScope, detail));
    }
    Ok(())
}

/// The device for which a key will work: the caller's, or, where a key makes another, the one that made that.
fn maker(tx: &Read, caller: Caller) -> Result<ClientId> {
    let by = caller.grant.map(|id| grant::get(tx, id)).transpose()?.flatten();
    let maker = by.map(|grant| app::get(tx, grant.app)).transpose()?.and_then(|app| app.maker);
    Ok(maker.unwrap_or(caller.client))
}

fn with_secrets(tx: &Read, app: App) -> Result<Key> {
    Ok(Key { secrets: app::secrets_of(tx, app.id)?, app })
}
