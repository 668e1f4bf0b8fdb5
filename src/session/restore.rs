//! Restoring a backup of the database, and what that means for its sessions.
//!
//! A backup knows nothing of what was ended after it was made. Removed devices, revoked keys and
//! changed passwords are valid in it as they were. Therefore either every session is told, or the
//! operator has all credentials ended.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use super::{devices::insert as insert_client, lifecycle, limits::Limits, notice::notice};
use crate::{
    audit::{Action, Subject},
    error::Result,
    model::{Authority, EndReason, GrantId, SessionId, Timestamp},
    secret::Secret,
    store::{
        DatabaseLock, Write, app, app_grant, audit,
        client::{self, NewClient},
        restore::{self, Restored},
        session::{self, Session},
    },
};

/// Sessions or grants that are read at a time.
const BATCH: usize = 500;
/// The name of the device that keeps a session alive until its user logs in.
const STAND_IN: &str = "Restored from a backup";

/// How much was ended in a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Sessions that wait for their user to log in.
    pub waiting: usize,
    /// Sessions that ended because they had no password to log in with.
    pub sessions: usize,
    /// Devices that were removed.
    pub devices: usize,
    /// API keys that were revoked.
    pub keys: usize,
    /// Grants that were revoked.
    pub grants: usize,
}

/// Puts a copy of the database `from` in the place of the database whose lock is held. Nothing may
/// have that database open.
///
/// With `end_credentials`, no cookie, key or token in the copy works any more. With `force`, it
/// goes on even if the present database cannot be kept.
pub fn restore(
    lock: &DatabaseLock,
    from: &Path,
    end_credentials: bool,
    force: bool,
    limits: Limits,
    now: Timestamp,
) -> Result<Restored<Option<Ended>>> {
    restore::restore(lock, from, force, now, |tx, as_of| {
        audit::record(
            tx,
            Action::Restored {
                credentials_ended: end_credentials,
            },
            &Subject::default(),
            now,
        )?;
        if end_credentials {
            end_all(tx, &limits, now).map(Some)
        } else {
            tell(tx, as_of, now).map(|()| None)
        }
    })
}

/// Tells every session to look through its devices and keys.
fn tell(tx: &Write, as_of: Timestamp, now: Timestamp) -> Result<()> {
    for_each_session(tx, |session| {
        let text = format!(
            "This server was restored from a backup of {as_of}. Everything after that time is lost. \
             Devices that were removed, keys that were revoked and passwords that were changed \
             since then are valid again. Check your devices and keys."
        );
        notice(tx, session, text, None, now).map(drop)
    })
}

/// Ends all credentials except passwords, including those of the operator's apps.
fn end_all(tx: &Write, limits: &Limits, now: Timestamp) -> Result<Ended> {
    let mut ended = Ended::default();
    for_each_session(tx, |session| {
        lifecycle::note_operator(tx, session, now)?;
        end_of_session(tx, session, limits, now, &mut ended)
    })?;
    // Only the tokens that the operator's apps have for themselves are left.
    let mut after = GrantId(0);
    loop {
        let grants = app_grant::page(tx, None, None, after, BATCH)?;
        let Some((last, _)) = grants.last() else {
            return Ok(ended);
        };
        after = last.id;
        for (grant, _) in grants {
            lifecycle::end_grant(tx, grant.id, EndReason::Revoked, now)?;
            ended.grants += 1;
        }
    }
}

/// Ends a session's credentials.
///
/// A session lives while it has a device. A session with a password gets a device whose secret
/// nobody has, so it keeps its nick, channels and password until its user logs in. A session
/// without a password ends, because nobody could log in to it.
fn end_of_session(
    tx: &Write,
    session: &Session,
    limits: &Limits,
    now: Timestamp,
    ended: &mut Ended,
) -> Result<()> {
    let id = session.id;
    let devices = client::devices_of(tx, id)?;
    let (keys, grants) = (app::live_keys_of(tx, id)?, app_grant::live_of(tx, id)?);
    ended.devices += devices.len();
    ended.keys += keys.len();
    ended.grants += grants.len();
    if session.password_hash.is_none() {
        ended.sessions += 1;
        return lifecycle::end_session(tx, id, EndReason::Revoked, None, now).map(drop);
    }
    ended.waiting += 1;
    let secret = Secret::generate()?.hash();
    let stand_in = NewClient {
        name: STAND_IN.to_owned(),
        secret,
        expires_at: now.plus(limits.client_lifetime),
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        authority: Authority::Cookie,
    };
    let stand_in = insert_client(tx, id, &stand_in, now)?;
    // Otherwise it would expire as a client that never received its secret.
    client::note_presented(tx, stand_in, secret)?;
    for device in devices {
        lifecycle::end_client(tx, id, device.id, EndReason::Revoked, None, now)?;
    }
    for key in keys {
        lifecycle::end_app(tx, key.id, EndReason::Revoked, now)?;
    }
    for (grant, _) in grants {
        lifecycle::end_grant(tx, grant.id, EndReason::Revoked, now)?;
    }
    lifecycle::end_approvals_of(tx, id)
}

fn for_each_session(tx: &Write, mut each: impl FnMut(&Session) -> Result<()>) -> Result<()> {
    let mut after = SessionId(0);
    loop {
        let sessions = session::overviews(tx, after, BATCH)?;
        let Some(last) = sessions.last() else {
            return Ok(());
        };
        after = last.session.id;
        sessions
            .iter()
            .try_for_each(|overview| each(&overview.session))?;
    }
}
