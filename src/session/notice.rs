//! Notices from the server to a session.

use crate::{
    error::Result,
    model::{AddressFamily, EventId, SERVER_NAME, Timestamp},
    store::{
        Write,
        client::NewClient,
        log::{self, NewEvent, Origin},
        session::Session,
    },
};

/// Sends a NOTICE in the server's name to all clients of a session, and returns its id. It goes
/// through the log like every event, so clients that are away receive it later.
pub fn notice(
    tx: &Write,
    session: &Session,
    text: String,
    origin: Origin,
    now: Timestamp,
) -> Result<EventId> {
    let event = NewEvent {
        time: now,
        source: SERVER_NAME,
        command: "NOTICE",
        params: vec![session.nick.to_string(), text],
        origin,
        app: None,
        message: None,
    };
    log::append(tx, event, &[session.id.into()])
}

/// Tells the session's clients of a new one. The new client's own queue begins after this event.
pub(super) fn announce(
    tx: &Write,
    session: &Session,
    what: &str,
    new: &NewClient,
    now: Timestamp,
) -> Result<()> {
    let family = AddressFamily::of(new.address).name();
    let text = format!("{what}: {}, from an {family} address.", new.name);
    notice(tx, session, text, None, now).map(drop)
}
