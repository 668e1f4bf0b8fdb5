//! The access that remains after a change of password or the removal of all other devices: API
//! keys, and apps without a queue. Both actions name it, so that a user who wants a thief out knows
//! what is left to end.

use std::fmt::{Display, Formatter};

use super::notice::notice;
use crate::{
    error::Result,
    irc::Reply,
    model::{SessionId, Timestamp},
    store::{Read, Write, app, app_grant, session},
};

/// What still works after all other devices were removed.
struct Remains {
    keys: usize,
    /// Apps that may only know who the session is, and are therefore no devices.
    apps: usize,
}

impl Remains {
    fn of(tx: &Read, session: SessionId) -> Result<Self> {
        let grants = app_grant::live_of(tx, session)?;
        let apps = grants
            .iter()
            .filter(|(grant, _)| grant.client().is_none())
            .count();
        Ok(Self {
            keys: app::live_keys_of(tx, session)?.len(),
            apps,
        })
    }
}

impl Display for Remains {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let counted = |count: usize, what: &str| match count {
            0 => None,
            1 => Some(format!("1 {what}")),
            _ => Some(format!("{count} {what}s")),
        };
        let apps = counted(self.apps, "app").map(|apps| format!("{apps} that can see who you are"));
        let what = [counted(self.keys, "API key"), apps]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" and ");
        write!(
            f,
            "Still valid: {what}. Revoke what you do not need (DELETE /api/v1/keys revokes all \
             keys)."
        )
    }
}

/// Sends the session a notice that names what still works, if anything does.
pub fn tell(tx: &Write, session: SessionId, now: Timestamp) -> Result<()> {
    match Remains::of(tx, session)? {
        Remains { keys: 0, apps: 0 } => Ok(()),
        remains => notice(
            tx,
            &session::get(tx, session)?,
            remains.to_string(),
            None,
            now,
        )
        .map(drop),
    }
}

/// The reply that names what still works after a change of password, if anything does.
pub fn reply(tx: &Read, session: SessionId) -> Result<Option<Reply>> {
    Ok(match Remains::of(tx, session)? {
        Remains { keys: 0, apps: 0 } => None,
        remains => Some(Reply::command(
            "NOTE",
            &[
                &"PASS",
                &"STILL_IN_PLACE",
                &remains.keys,
                &remains.apps,
                &remains,
            ],
        )),
    })
}
