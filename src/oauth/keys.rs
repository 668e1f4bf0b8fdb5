//! API keys: issued, listed, renamed, rotated, revoked by the session that owns them.

use std::time::Duration;

use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{
        Arrival, Caller, ChannelName, ClientId, EndReason, HashedPassword, Password, Scope, Scopes,
        SessionId, Timestamp,
    },
    secret::{self, Kind, Secret},
    session::{Core, LiveClient, lifecycle, notice, password},
    store::{
        Priority, Read, Write,
        app::{self, App},
        app_secret::{self, AppSecret},
        audit, client, grant, session,
    },
};

/// LiveClient keys of a session, at most, and as many of those that have ended are listed.
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

/// Who asks for a secret, and when.
pub struct By<'a> {
    pub live: &'a LiveClient,
    /// The session's password, if it was given.
    pub password: Option<Password>,
    pub arrival: Arrival,
    /// The time by which some things are over.
    pub due: Timestamp,
}

/// The password's hash, if there is one, by which a caller was judged.
struct Judged(Option<HashedPassword>);

impl By<'_> {
    /// Proves that the caller may hand out a secret of this scope: one that manages the session
    /// outlasts the cookie.
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

/// Issues a key. It allows no more than what it was asked for with, which never is confined to
/// channels: that manages no session ([`Caller::require`]). One that manages the session takes its
/// password.
pub async fn issue(core: &Core, by: By<'_>, wanted: Wanted) -> Result<Issued> {
    let By {
        live,
        arrival: Arrival { now, .. },
        due,
        ..
    } = by;
    let caller = live.caller;
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
                let detail = format!("a session has at most {MAX_KEYS} keys: revoke one first");
                return Err(Error::new(Code::TooManyKeys, detail));
            }
            let key_maker = maker(tx, caller)?;
            let new = app::NewKey {
                client_id: client_id.clone(),
                name: wanted.name.clone(),
                session: caller.session,
                maker: key_maker,
                through: caller.grant,
                scope: wanted.scope,
                res: wanted.res.clone(),
                // By the clock by which it is refused.
                expires_at: wanted.expires_in.map(|time| due.plus(time)),
            };
            tell(
                tx,
                caller,
                format!("A new API key, {}, has the scope {}", new.name, new.scope),
                now,
            )?;
            let key = app::insert_key(tx, &new, now)?;
            app_secret::insert(tx, key.id, hash, now)?;
            let by = Subject {
                client: Some(key_maker),
                ..key.subject()
            };
            audit::record(tx, Action::KeyIssued, &by, now)?;
            with_secrets(tx, key)
        })
        .await?;
    Ok(Issued { key, secret })
}

/// The session's keys, oldest first, and for a while the last that have ended.
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

/// A session's live keys, as the operator sees them.
pub async fn live_of(core: &Core, session: SessionId) -> Result<Vec<App>> {
    core.store
        .read(move |tx| app::live_keys_of(tx, session))
        .await
}

/// Gives a key another name.
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
                format!("The API key {} is now called {name}", key.name),
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

/// Gives a key a new secret; those before it work for as long as `overlap`. It takes the session's
/// password, as a new key would, where the key manages the session, and where the caller is a
/// grant. The key's own bot, which has a secret of the key, needs none.
pub async fn rotate(
    core: &Core,
    by: By<'_>,
    client_id: String,
    overlap: Duration,
) -> Result<Issued> {
    let By {
        live,
        arrival: Arrival { now, .. },
        due,
        ..
    } = by;
    let caller = live.caller;
    let id = client_id.clone();
    let (scope, own) = core
        .read_as(caller, move |tx| {
            let key = app::live_key(tx, caller.session, &id)?;
            let grant = caller
                .grant
                .map(|grant| grant::get(tx, grant))
                .transpose()?
                .flatten();
            Ok((key.scope, grant.is_some_and(|grant| grant.app == key.id)))
        })
        .await?;
    // Else a caller that may only manage would read by the key's new secret.
    require_cover(caller, scope)?;
    // A secret given to a grant outlasts that grant, so a grant takes the password whatever the key
    // may do.
    let proven = if caller.grant.is_some() {
        Scopes::ALL
    } else {
        scope
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
                format!("The API key {} has a new secret", key.name),
                now,
            )?;
            with_secrets(tx, key)
        })
        .await?;
    Ok(Issued { key, secret })
}

/// Revokes a key, with everything it has issued.
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

/// Revokes all live keys of the session, the one too by which the caller may call.
pub async fn revoke_all(core: &Core, live: &LiveClient, now: Timestamp) -> Result<()> {
    let caller = live.caller;
    core.write_as(caller, Priority::Essential, move |tx| {
        let keys = app::live_keys_of(tx, caller.session)?;
        keys.into_iter()
            .try_for_each(|key| lifecycle::end_app(tx, key.id, EndReason::Revoked, now))
    })
    .await
}

/// Refuses where the password is not the one any more that was judged, if one was.
fn require_still(tx: &Read, caller: Caller, judged: &Option<Judged>) -> Result<()> {
    judged.as_ref().map_or(Ok(()), |Judged(judged)| {
        password::require_unchanged(tx, caller, judged)
    })
}

/// Tells the session's devices what was done, and by which of them.
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

/// A narrow token makes no wider key.
fn require_cover(caller: Caller, scope: Scopes) -> Result<()> {
    let beyond = Scope::ALL
        .into_iter()
        .find(|one| scope.allow(*one) && !caller.scope.allow(*one));
    beyond.map_or(Ok(()), |one| Err(Error::insufficient_scope(one)))
}

/// Refuses a `res` by which a key could do nothing, or not what its scope says.
fn require_useful(scope: Scopes, res: &[ChannelName]) -> Result<()> {
    if res.is_empty() || res.len() > MAX_RES {
        let detail =
            format!("res names 1 to {MAX_RES} channels; left out, it is all of the session's");
        return Err(Error::malformed(detail));
    }
    if scope.allow(Scope::SessionManage) {
        let detail = "a key that is confined to channels cannot manage the session";
        return Err(Error::new(Code::InvalidScope, detail));
    }
    Ok(())
}

/// The device for which a key will work: the caller's, or, where a key makes another, the one that
/// made that.
fn maker(tx: &Read, caller: Caller) -> Result<ClientId> {
    let by = caller
        .grant
        .map(|id| grant::get(tx, id))
        .transpose()?
        .flatten();
    let maker = by
        .map(|grant| app::get(tx, grant.app))
        .transpose()?
        .and_then(|app| app.maker);
    Ok(maker.unwrap_or(caller.client))
}

fn with_secrets(tx: &Read, app: App) -> Result<Key> {
    Ok(Key {
        secrets: app_secret::of_app(tx, app.id)?,
        app,
    })
}
