//! How an app gets access to a session, and the notices to the session's devices about it.

use std::net::IpAddr;

use super::{
    devices::insert as insert_client,
    notice::{announce, notice},
};
use crate::{
    error::{Code, Error, Result},
    model::{AddressFamily, ClientId, SessionId, Timestamp},
    store::{
        Read, Write,
        client::{self, NewClient},
        session,
    },
};

/// Admits the client of a grant, as one more device of the session. It fails with
/// `too_many_clients` if the session has `max` devices.
pub fn admit_granted(
    tx: &Write,
    session: SessionId,
    new: &NewClient,
    max: usize,
    now: Timestamp,
) -> Result<ClientId> {
    require_room_for_client(tx, session, 0, max)?;
    announce(
        tx,
        &session::get(tx, session)?,
        "An app joined this session",
        new,
        now,
    )?;
    insert_client(tx, session, new, now)
}

/// Tells the session's devices that an app was let in. The app is no device itself.
pub fn announce_app(tx: &Write, session: SessionId, name: &str, now: Timestamp) -> Result<()> {
    let text = format!("An app was let in that can see who you are: {name}.");
    notice(tx, &session::get(tx, session)?, text, None, now).map(drop)
}

/// Tells the session's devices that an app's token or code was used a second time, which means that
/// two parties have it.
pub fn tell_of_theft(
    tx: &Write,
    session: SessionId,
    name: &str,
    address: IpAddr,
    now: Timestamp,
) -> Result<()> {
    let family = AddressFamily::of(address).name();
    let text = format!(
        "Someone else may have had access to this session through the app {name}: its code or token \
         was used a second time, from an {family} address. That access was revoked. Let the app in \
         again if you still want it."
    );
    notice(tx, &session::get(tx, session)?, text, None, now).map(drop)
}

/// Fails with `too_many_clients` if a session has `max` devices, counting `coming` devices that are
/// approved but not there yet.
pub fn require_room_for_client(
    tx: &Read,
    session: SessionId,
    coming: usize,
    max: usize,
) -> Result<()> {
    if client::devices_of(tx, session)?.len() + coming < max {
        return Ok(());
    }
    let detail = format!("the session already has {max} clients: one must leave first");
    Err(Error::new(Code::TooManyClients, detail))
}
