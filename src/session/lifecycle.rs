//! What ends with what: the one cascade.
//!
//! Everything that ends a session, a client, a grant, an app or a stay on a channel calls this
//! module. All that ends with it ends in the same transaction, with its events, audit lines and
//! effects in memory.
//!
//! - A session ends with its last device. An API key's bot is no device.
//! - A session's clients, stays, grants, API keys and approvals end with it. Its nick is free.
//! - A client's grant and labels end with it, and so do its approvals that nobody has redeemed.
//! - A grant's tokens and client end with it, and so do the API keys made through it and the
//!   session's other approvals of the same app.
//! - An app's grants end with it, and so do the approvals of it.
//! - A channel ends with its last member. When its last op leaves, another member becomes op.

use super::{audience, op_succession};
use crate::{
    audit::{Action, Subject},
    error::Result,
    model::{AppId, ChannelId, ClientId, EndReason, EventId, GrantId, SessionId, Timestamp},
    secret::SecretHash,
    store::{
        Effect, Write, app,
        app_grant::{self, Acting},
        audit, authorization_code, ban, channel, channel_history, client, conversation,
        device_code, invite, label, log, membership, read_marker, revocation,
        session::{self, Session},
        session_mask, silence, sweep, target, token,
    },
};

/// The message with which the last client of a session quits.
pub struct QuitMessage<'a> {
    /// The text of the QUIT.
    pub text: &'a str,
    /// The name of the app that sends it, if it comes through a grant.
    pub app: Option<String>,
}

/// Ends a session. Its nick is free and its password is gone. Returns the QUIT event, which is
/// addressed to everyone in [`audience::of`].
pub fn end_session(
    tx: &Write,
    id: SessionId,
    reason: EndReason,
    message: Option<QuitMessage>,
    now: Timestamp,
) -> Result<EventId> {
    let session = session::get(tx, id)?;
    let channels = membership::channels_of(tx, id)?;
    let targets = audience::of(tx, &session)?;
    let text = message
        .as_ref()
        .map_or(reason.sentence(), |message| message.text);
    let quit = log::NewEvent {
        time: now,
        source: session.nick.as_str(),
        command: "QUIT",
        params: vec![text.to_owned()],
        origin: None,
        app: message.as_ref().and_then(|message| message.app.clone()),
        message: None,
    };
    let quit = log::append(tx, quit, &targets)?;
    for channel in channels {
        leave_channel(tx, id, channel, quit, now)?;
    }
    for device in client::devices_of(tx, id)? {
        close_client(tx, id, device.id, reason, now)?;
    }
    end_apps_of(tx, id, now)?;
    session::end(tx, id, now)?;
    for channel in membership::remove_of_session(tx, id)? {
        sweep::note(tx, channel.into())?;
    }
    sweep::note(tx, id.into())?;
    invite::remove_of_session(tx, id)?;
    silence::remove_of_session(tx, id)?;
    session_mask::let_go(tx, id)?;
    conversation::remove_of_session(tx, id)?;
    let action = Action::SessionEnded(reason);
    audit::record(tx, action, &session.subject(Subject::default()), now)?;
    Ok(quit)
}

/// Ends the API keys, grants and approvals of a session that has no device any more.
fn end_apps_of(tx: &Write, id: SessionId, now: Timestamp) -> Result<()> {
    let reason = EndReason::SessionEnded;
    // Bots end before their grants. Otherwise each grant would look for the session's last device
    // again.
    for bot in client::bots_of(tx, id)? {
        close_client(tx, id, bot, reason, now)?;
    }
    for (grant, _) in app_grant::live_of(tx, id)? {
        end_grant(tx, grant.id, reason, now)?;
    }
    for key in app::live_keys_of(tx, id)? {
        end_app(tx, key.id, reason, now)?;
    }
    end_approvals_of(tx, id)
}

/// Ends all approvals of a session, redeemed or not: their codes are unknown from now on.
pub fn end_approvals_of(tx: &Write, session: SessionId) -> Result<()> {
    authorization_code::remove_of_session(tx, session)?;
    device_code::remove_of_session(tx, session)
}

/// Records that the operator ends something of a session.
pub fn note_operator(tx: &Write, session: &Session, now: Timestamp) -> Result<()> {
    let subject = session.subject(Subject::default());
    audit::record(tx, Action::ByOperator, &subject, now)
}

/// Ends a client. The last device takes the session with it; then the session's QUIT is returned.
pub fn end_client(
    tx: &Write,
    session: SessionId,
    client: ClientId,
    reason: EndReason,
    message: Option<QuitMessage>,
    now: Timestamp,
) -> Result<Option<EventId>> {
    let was_device = close_client(tx, session, client, reason, now)?;
    if was_device && client::devices_of(tx, session)?.is_empty() {
        end_session(tx, session, reason, message, now).map(Some)
    } else {
        Ok(None)
    }
}

/// Ends one client and what belongs to it, but not its session. Returns whether it was a live
/// device.
fn close_client(
    tx: &Write,
    session: SessionId,
    id: ClientId,
    reason: EndReason,
    now: Timestamp,
) -> Result<bool> {
    let Some(ended) = client::end(tx, id, reason, now)? else {
        return Ok(false);
    };
    if let Some(grant) = ended.grant {
        close_grant(tx, grant, reason, now)?;
    }
    authorization_code::remove_of_client(tx, session, id)?;
    device_code::remove_of_client(tx, session, id)?;
    label::remove_of_client(tx, id)?;
    tx.effect(Effect::ClientEnded {
        session,
        client: id,
        reason,
    });
    let subject = Subject {
        session: Some(session),
        client: Some(id),
        ..Subject::default()
    };
    audit::record(tx, Action::ClientLeft(reason), &subject, now)?;
    Ok(ended.is_device)
}

/// Ends a grant and its client. If that client is the last device, the session ends too. It does
/// nothing if the grant has already ended.
pub fn end_grant(tx: &Write, id: GrantId, reason: EndReason, now: Timestamp) -> Result<()> {
    let Some(grant) = app_grant::get(tx, id)? else {
        return Ok(());
    };
    match grant.acting {
        // The client's end includes its grant's.
        Acting::AsSession {
            terms,
            client: Some(client),
        } => end_client(tx, terms.session, client, reason, None, now).map(drop),
        _ => close_grant(tx, id, reason, now),
    }
}

/// Ends a grant and what depends on it, except its client, which the caller handles.
fn close_grant(tx: &Write, id: GrantId, reason: EndReason, now: Timestamp) -> Result<()> {
    let Some((app, session)) = app_grant::end(tx, id, now)? else {
        return Ok(());
    };
    token::remove_of_grant(tx, id)?;
    if let Some(session) = session {
        // The session's other approvals of this app end too. Otherwise the app could be back at
        // once.
        authorization_code::void(tx, session, Some(app))?;
        device_code::void(tx, session, Some(app))?;
    }
    revocation::record_grant(tx, id, reason, now)?;
    tx.effect(Effect::GrantEnded { grant: id });
    for key in app::live_created_through(tx, id)? {
        end_app(tx, key, reason, now)?;
    }
    let subject = Subject {
        session,
        ..app::get(tx, app)?.subject()
    };
    audit::record(tx, Action::GrantRevoked(reason), &subject, now)
}

/// Ends an app or an API key, its grants, and the approvals of it. It does nothing if the app has
/// already ended.
pub fn end_app(tx: &Write, id: AppId, reason: EndReason, now: Timestamp) -> Result<()> {
    let Some(app) = app::end(tx, id, now)? else {
        return Ok(());
    };
    for grant in app_grant::live_of_app(tx, id)? {
        end_grant(tx, grant, reason, now)?;
    }
    authorization_code::remove_of_app(tx, id)?;
    tx.effect(Effect::AppEnded);
    device_code::remove_of_app(tx, id)?;
    let action = if app.is_key() {
        Action::KeyRevoked(reason)
    } else {
        Action::AppRemoved
    };
    audit::record(tx, action, &app.subject(), now)
}

/// Ends the tokens that were issued for an authorization code. The grant goes on.
pub fn end_tokens_of_code(
    tx: &Write,
    grant: GrantId,
    code: SecretHash,
    now: Timestamp,
) -> Result<()> {
    for secret in token::remove_of_code(tx, code)? {
        revocation::record_token(tx, grant, token::jti(secret), now)?;
        tx.effect(Effect::TokenEnded { secret });
    }
    Ok(())
}

/// Voids a session's approvals that nobody has redeemed: of one app, or of all. A device that polls
/// is told that it was denied. Returns how many were voided.
pub fn void_approvals(tx: &Write, session: SessionId, app: Option<AppId>) -> Result<usize> {
    let codes = authorization_code::void(tx, session, app)?;
    Ok(codes + device_code::void(tx, session, app)?)
}

/// Ends a session's stay on a channel. `until` is the event by which it left. The channel ends with
/// its last member. When its last op leaves, another member becomes op.
pub fn leave_channel(
    tx: &Write,
    session: SessionId,
    channel: ChannelId,
    until: EventId,
    now: Timestamp,
) -> Result<()> {
    let was_op = membership::close(tx, session, channel, until)?;
    forget_old_stays(tx, session)?;
    if membership::is_empty(tx, channel)? {
        return end_channel(tx, channel, now);
    }
    if was_op {
        op_succession::pass_on(tx, channel, now)
    } else {
        Ok(())
    }
}

/// Forgets all but the newest past stays of a session. The session's target records up to which
/// event its clients may have missed something by that.
fn forget_old_stays(tx: &Write, session: SessionId) -> Result<()> {
    for (channel, until) in membership::forget_old(tx, session)? {
        target::note_dropped(tx, session.into(), until)?;
        sweep::note(tx, channel.into())?;
    }
    Ok(())
}

fn end_channel(tx: &Write, id: ChannelId, now: Timestamp) -> Result<()> {
    channel::end(tx, id, now)?;
    ban::remove_of_channel(tx, id)?;
    invite::remove_of_channel(tx, id)?;
    // No member is left to read its history.
    if channel_history::remove_of_channel(tx, id)? {
        sweep::note(tx, id.into())?;
    }
    read_marker::remove_of_channel(tx, id)
}
