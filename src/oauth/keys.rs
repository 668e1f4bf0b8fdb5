//! API keys: the session that owns them issues, lists, renames, rotates and revokes them.

use std::time::Duration;

use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{
        Arrival, Authority, Caller, ChannelName, ClientId, EndReason, HashedPassword, Moment,
        Password, Scope, Scopes, SessionId, Timestamp,
    },
    secret::{self, Kind, Secret},
    session::{Core, LiveClient, lifecycle, notice, password},
    store::{
        Priority, Read, Write,
        app::{self, ApiKey, App},
        app_grant,
        app_secret::{self, AppSecret},
        audit, client, session,
    },
};

/// The most live keys that a session may have, and the most ended keys that are listed.
pub const MAX_KEYS: usize = 100;

/// The most channels that a key may be confined to.
const MAX_RES: usize = 100;

/// A key as the caller asks for it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The name that the session sees.
    pub name: String,
    /// The scope of the key.
    pub scope: Scopes,
    /// The channels that the key is confined to. `None`: all of the session's.
    pub res: Option<Vec<ChannelName>>,
    /// The lifetime. `None`: the key does not expire.
    pub expires_in: Option<Duration>,
}

/// The caller that asks for a secret, and the time of the request.
pub struct By<'a> {
    /// The client that makes the request.
    pub live: &'a LiveClient,
    /// The session's password, if the request carries it.
    pub password: Option<Password>,
    /// Where the request came from, and when.
    pub arrival: Arrival,
}

/// The password hash that the caller's password was checked against, if the session has one.
struct Judged(Option<HashedPassword>);

impl By<'_> {
    /// Proves that the caller may hand out a secret of this scope. A key that manages the session
    /// needs the password, because it outlasts the cookie.
    async fn prove(&self, core: &Core, scope: Scopes) -> Result<Option<Judged>> {
        if !scope.allow(Scope::SessionManage) {
            return Ok(None);
        }
        let judged = core
            .prove_password(self.live.caller, self.password.clone(), &self.arrival)
            .await?;
        Ok(Some(Judged(judged)))
    }
}

/// A key and its secrets, of which the server keeps only hashes.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key itself: an app that a session owns.
    pub app: App,
    /// Its secrets.
    pub secrets: Vec<AppSecret>,
}

/// A key with its new secret.
#[derive(Debug)]
pub struct Issued {
    /// The key.
    pub key: Key,
    /// The secret, which nobody can read again later.
    pub secret: Secret,
}

/// Issues a key. Its scope is at most the caller's. A caller that is confined to channels cannot
/// issue a key, because it cannot manage the session ([`Caller::require`]). A key that manages the
/// session takes the session's password. Fails with `insufficient_scope`, with `too_many_keys` past
/// [`MAX_KEYS`], and with `malformed_request` or `invalid_scope` for an unusable `res`.
pub async fn issue(core: &Core, by: By<'_>, wanted: Wanted) -> Result<Issued> {
    let (caller, Moment { now, due }) = (by.live.caller, by.arrival.at);
    require_cover(caller, wanted.scope)?;
    if let Some(res) = &wanted.res {
        require_useful(wanted.scope, res)?;
    }
    let judged = by.prove(core, wanted.scope).await?;
    let (client_id, secret) = (secret::app_name()?, Secret::generate_as(Kind::Key)?);
    let hash = secret.hash();
    let key = core
        .write_as(caller, Priority::Ordinary, move |tx| {
            require_still(tx, caller, &judged)?;
            if app::live_keys_of(tx, caller.session)?.len() >= MAX_KEYS {
                let detail = format!(
                    "a session can have at most {MAX_KEYS} API keys; revoke one \
                     first"
                );
                return Err(Error::new(Code::TooManyKeys, detail));
            }
            let created_by = creating_device(tx, caller)?;
            let new = app::NewKey {
                client_id: client_id.clone(),
                name: wanted.name.clone(),
                key: ApiKey {
                    session: caller.session,
                    created_by,
                    res: wanted.res.clone(),
                    // By `due`, the clock that decides when the key is refused.
                    expires_at: wanted.expires_in.map(|time| due.plus(time)),
                },
                through: caller.grant(),
                scope: wanted.scope,
            };
            tell(
                tx,
                caller,
                format!(
                    "The API key {} was created with the scope {}",
                    new.name, new.scope
                ),
                now,
            )?;
            let key = app::insert_key(tx, &new, now)?;
            app_secret::insert(tx, key.id, hash, now)?;
            let by = Subject {
                client: Some(created_by),
                ..key.subject()
            };
            audit::record(tx, Action::KeyIssued, &by, now)?;
            with_secrets(tx, key)
        })
        .await?;
    Ok(Issued { key, secret })
}

/// Lists the session's live keys and the keys that ended last, oldest first.
pub async fn list(core: &Core, live: &LiveClient) -> Result<Vec<Key>> {
    let caller = live.caller;
    core.read_as(caller, move |tx| {
        let mut keys = app::live_keys_of(tx, caller.session)?;
        keys.extend(app::ended_keys_of(tx, caller.session, MAX_KEYS)?);
        keys.sort_by_key(|key| key.id);
        keys.into_iter().map(|app| with_secrets(tx, app)).collect()
    })
    .await
}

/// A session's live keys, for the operator.
pub async fn live_of(core: &Core, session: SessionId) -> Result<Vec<App>> {
    core.store
        .read(move |tx| app::live_keys_of(tx, session))
        .await
}

/// Renames a key and its bot. Fails with `not_found` if the session has no such live key.
pub async fn rename(
    core: &Core,
    live: &LiveClient,
    client_id: String,
    name: String,
    now: Timestamp,
) -> Result<Key> {
    let caller = live.caller;
    core.write_as(caller, Priority::Ordinary, move |tx| {
        let key = app::live_key(tx, caller.session, &client_id)?;
        if key.name != name {
            app::rename(tx, key.id, &name)?;
            client::rename_of_app(tx, key.id, &name)?;
            tell(
                tx,
                caller,
                format!("The API key {} was renamed to {name}", key.name),
                now,
            )?;
            let by = Subject {
                client: Some(caller.client),
                ..key.subject()
            };
            audit::record(tx, Action::KeyRenamed, &by, now)?;
        }
        with_secrets(
            tx,
            App {
                name: name.clone(),
                ..key
            },
        )
    })
    .await
}

/// Gives a key a new secret. Older secrets keep working for `overlap`. The password is needed if
/// the key manages the session, as for a new key, and if the caller is a grant. The key's own bot
/// needs no password, because it already has a secret of the key. Fails with `not_found` if the
/// session has no such live key, and with `insufficient_scope` if the key may do more than the
/// caller.
pub async fn rotate(
    core: &Core,
    by: By<'_>,
    client_id: String,
    overlap: Duration,
) -> Result<Issued> {
    let (caller, Moment { now, due }) = (by.live.caller, by.arrival.at);
    let id = client_id.clone();
    let (scope, own) = core
        .read_as(caller, move |tx| {
            let key = app::live_key(tx, caller.session, &id)?;
            let grant = caller
                .grant()
                .map(|grant| app_grant::get(tx, grant))
                .transpose()?
                .flatten();
            Ok((key.scope, grant.is_some_and(|grant| grant.app == key.id)))
        })
        .await?;
    // Otherwise a caller with `session:manage` alone could read with the key's new secret.
    require_cover(caller, scope)?;
    // The new secret outlasts the grant that asked for it. A grant therefore needs the password
    // whatever the key may do.
    let proven = match caller.authority {
        Authority::Cookie => scope,
        Authority::Grant(_) => Scopes::ALL,
    };
    let judged = if own {
        None
    } else {
        by.prove(core, proven).await?
    };
    let secret = Secret::generate_as(Kind::Key)?;
    let hash = secret.hash();
    let key = core
        .write_as(caller, Priority::Ordinary, move |tx| {
            require_still(tx, caller, &judged)?;
            let key = app::live_key(tx, caller.session, &client_id)?;
            app_secret::rotate(tx, key.id, hash, overlap, now, due)?;
            audit::record(tx, Action::KeyRotated, &key.subject(), now)?;
            tell(
                tx,
                caller,
                format!("The API key {} was given a new secret", key.name),
                now,
            )?;
            with_secrets(tx, key)
        })
        .await?;
    Ok(Issued { key, secret })
}

/// Revokes a key and everything it has issued. Fails with `not_found` if the session has no such
/// live key.
pub async fn revoke(
    core: &Core,
    live: &LiveClient,
    client_id: String,
    now: Timestamp,
) -> Result<()> {
    let caller = live.caller;
    core.write_as(caller, Priority::Essential, move |tx| {
        let key = app::live_key(tx, caller.session, &client_id)?;
        lifecycle::end_app(tx, key.id, EndReason::Revoked, now)
    })
    .await
}

/// Revokes all live keys of the session, including the caller's own.
pub async fn revoke_all(core: &Core, live: &LiveClient, now: Timestamp) -> Result<()> {
    let caller = live.caller;
    core.write_as(caller, Priority::Essential, move |tx| {
        let keys = app::live_keys_of(tx, caller.session)?;
        keys.into_iter()
            .try_for_each(|key| lifecycle::end_app(tx, key.id, EndReason::Revoked, now))
    })
    .await
}

/// Fails if the password has changed since the caller's password was checked.
fn require_still(tx: &Read, caller: Caller, judged: &Option<Judged>) -> Result<()> {
    judged.as_ref().map_or(Ok(()), |Judged(judged)| {
        password::require_unchanged(tx, caller, judged)
    })
}

/// Tells the session's devices what was done, and which client did it.
fn tell(tx: &Write, caller: Caller, what: String, now: Timestamp) -> Result<()> {
    let by = client::own_view(tx, caller.client)?.name;
    notice(
        tx,
        &session::get(tx, caller.session)?,
        format!("{what}, by {by}."),
        None,
        now,
    )
    .map(drop)
}

/// Fails with `insufficient_scope` if the key would be allowed more than the caller.
fn require_cover(caller: Caller, scope: Scopes) -> Result<()> {
    let beyond = Scope::ALL
        .iter()
        .copied()
        .find(|one| scope.allow(*one) && !caller.scope().allow(*one));
    beyond.map_or(Ok(()), |one| Err(Error::insufficient_scope(one)))
}

/// Fails if `res` has no channel or too many, or if it contradicts the scope.
fn require_useful(scope: Scopes, res: &[ChannelName]) -> Result<()> {
    if res.is_empty() || res.len() > MAX_RES {
        let detail = format!(
            "`res` must name 1 to {MAX_RES} channels; leave it out to allow all channels of \
             the session"
        );
        return Err(Error::malformed(detail));
    }
    if scope.allow(Scope::SessionManage) {
        let detail = "a key that is restricted to channels cannot have the scope session:manage";
        return Err(Error::new(Code::InvalidScope, detail));
    }
    Ok(())
}

/// The device that a new key belongs to: the caller's own, or that of the key by which the caller
/// acts.
fn creating_device(tx: &Read, caller: Caller) -> Result<ClientId> {
    let by = caller
        .grant()
        .map(|id| app_grant::get(tx, id))
        .transpose()?
        .flatten();
    let app = by.map(|grant| app::get(tx, grant.app)).transpose()?;
    let key = app.as_ref().and_then(App::key);
    Ok(key.map_or(caller.client, |key| key.created_by))
}

fn with_secrets(tx: &Read, app: App) -> Result<Key> {
    Ok(Key {
        secrets: app_secret::of_app(tx, app.id)?,
        app,
    })
}
