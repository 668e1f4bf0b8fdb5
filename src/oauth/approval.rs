//! What it takes to ask a session for a grant, by a redirect or by a code that is typed.

use crate::{
    error::{Code, Error, Result},
    model::{Caller, ChannelName, Nick, Scope, Scopes, SessionId, Timestamp},
    session::{Visibility, require_place as has_place},
    store::{Read, app::App, authorization_code, device_code, session},
};

/// The scope that an app asks for; left out, all that it may be granted but managing the session,
/// which is to be asked for by name.
pub fn scope(app: &App, asked: Option<Scopes>) -> Result<Scopes> {
    let scope = asked.unwrap_or(app.scope.without(Scope::SessionManage));
    if scope == Scopes::NONE || !app.scope.covers(scope) {
        return Err(Error::new(
            Code::InvalidScope,
            "this is more than the app may do, or nothing",
        ));
    }
    Ok(scope)
}

/// Refuses where a session would have more devices than it may with all that it has approved.
pub(super) fn require_place(
    tx: &Read,
    session: SessionId,
    max: usize,
    due: Timestamp,
) -> Result<()> {
    let coming = authorization_code::count_waiting(tx, session, due)?
        + device_code::count_approved(tx, session, due)?;
    has_place(tx, session, coming, max)
}

/// The session that is asked, as its pages show it.
#[derive(Debug)]
pub struct Asked {
    pub nick: Nick,
    /// The channels to choose from.
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
