//! Grants as their session sees them, and what a grant sees of its session.

use crate::{
    chat::{Chat, callers::Live},
    error::{Code, Error, Result},
    model::{ChannelName, EndReason, GrantId, Nick, SessionId, Timestamp},
    store::{
        app::App,
        grant::{self, Grant},
        member, session,
    },
};

/// The session's live grants, oldest first, each with its app.
pub async fn list(chat: &Chat, live: &Live) -> Result<Vec<(Grant, App)>> {
    let caller = live.caller;
    chat.look(caller, move |tx| grant::live_of(tx, caller.session)).await
}

/// Revokes one grant of the session, with all its tokens and its client.
pub async fn revoke(chat: &Chat, live: &Live, id: GrantId, now: Timestamp) -> Result<()> {
    let caller = live.caller;
    chat.change(caller, move |tx| {
        if grant::get(tx, id)?.is_none_or(|grant| grant.session != Some(caller.session)) {
            return Err(Error::new(Code::NotFound, "this session has no such grant"));
        }
        grant::end(tx, id, EndReason::Revoked, now)
    })
    .await
}

/// Who a session is.
#[derive(Debug)]
pub struct Identity {
    pub session: SessionId,
    pub nick: Nick,
    pub channels: Vec<ChannelName>,
}

/// Who the caller's session is.
pub async fn identity(chat: &Chat, live: &Live) -> Result<Identity> {
    let caller = live.caller;
    chat.look(caller, move |tx| {
        let channels = member::channels(tx, caller.session)?.into_iter().map(|channel| channel.name).collect();
        Ok(Identity { session: caller.session, nick: session::get(tx, caller.session)?.nick, channels })
    })
    .await
}
