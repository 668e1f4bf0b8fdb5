//! What both ways of asking a session for a grant share: by redirect and by a typed code.

use crate::{
    error::{Code, Error, Result},
    model::{Caller, ChannelName, Nick, Scope, Scopes, SessionId, Timestamp},
    session::{Visibility, require_room_for_client},
    store::{Read, app::App, authorization_code, device_code, session},
};

/// The scope of an app's request. The default is everything the app may be granted except
/// `session:manage`, which an app must name. Fails with `invalid_scope` if the scope is empty or
/// exceeds what the app may be granted.
pub fn scope(app: &App, asked: Option<Scopes>) -> Result<Scopes> {
    let scope = asked.unwrap_or(app.scope.without(Scope::SessionManage));
    if scope == Scopes::NONE || !app.scope.covers(scope) {
        return Err(Error::new(
            Code::InvalidScope,
            "the scope is empty, or exceeds what the app may be granted",
        ));
    }
    Ok(scope)
}

/// Fails if the session would exceed `max` devices once all its open approvals are redeemed.
pub(super) fn require_room(
    tx: &Read,
    session: SessionId,
    max: usize,
    due: Timestamp,
) -> Result<()> {
    let coming = authorization_code::count_waiting(tx, session, due)?
        + device_code::count_approved(tx, session, due)?;
    require_room_for_client(tx, session, coming, max)
}

/// The session that is asked for consent, as its pages show it.
#[derive(Debug)]
pub struct Asked {
    /// The session's nick.
    pub nick: Nick,
    /// The session's channels, to which the user may confine the grant.
    pub channels: Vec<ChannelName>,
}

impl Asked {
    pub(super) fn of(tx: &Read, caller: Caller) -> Result<Self> {
        let channels = Visibility::of(tx, caller)?.channels_of(caller.session)?;
        let channels = channels.into_iter().map(|channel| channel.name).collect();
        Ok(Self {
            nick: session::get(tx, caller.session)?.nick,
            channels,
        })
    }
}
